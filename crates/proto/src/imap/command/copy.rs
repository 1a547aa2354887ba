//! COPY and MOVE. RFC 3501 §6.4.7, RFC 6851, RFC 4315 §3.

use mail::{ModSeq, Uid, UidSet, UidValidity};

use super::expunge::{gone, writable};
use super::{Around, Begin, Event, Outcome, Step, Task, code, otherwise, pick};
use crate::imap::ask::{Answer, Ask};
use crate::imap::print;
use crate::imap::state::Selected;
use crate::imap::types::SequenceSet;

pub(super) fn begin(
    uid: bool,
    set: &SequenceSet,
    to: String,
    remove: bool,
    selected: &Selected,
) -> Result<Begin, Outcome> {
    let view = &selected.view;
    if remove {
        writable(view)?;
    }
    let picked = pick(view, uid, set)?;
    if picked.is_empty() {
        // RFC 3501 §6.4.8: UIDs that do not exist are no error, and there is nothing to do.
        return Ok(Begin::Now(Outcome::ok(said(remove))));
    }
    let work = Copy { uids: view.map.uids(&picked), count: picked.count(), to, remove };
    Ok(Begin::mailbox(work))
}

fn said(remove: bool) -> &'static str {
    if remove { "MOVE done" } else { "COPY done" }
}

struct Copy {
    uids: UidSet,
    count: usize,
    to: String,
    remove: bool,
}

impl Task<Selected> for Copy {
    fn step(&mut self, selected: &mut Selected, around: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Answer(Answer::Copied { uid_validity, pairs, modseq }) => {
                Step::Done(self.copied(selected, around, uid_validity, &pairs, modseq))
            }
            Event::Answer(other) => otherwise(other),
            _ => Step::Ask(Ask::Copy {
                account: selected.user.account,
                mailbox: selected.view.mailbox,
                uids: std::mem::take(&mut self.uids),
                to: self.to.clone(),
                remove: self.remove,
            }),
        }
    }
}

impl Copy {
    fn copied(
        &self,
        selected: &mut Selected,
        around: &mut Around<'_>,
        uid_validity: UidValidity,
        pairs: &[(Uid, Uid)],
        modseq: ModSeq,
    ) -> Outcome {
        if pairs.len() < self.count {
            // Somebody has removed them; the client shall hear of it at once.
            selected.view.doubt();
        }
        if pairs.is_empty() {
            return Outcome::no("These messages no longer exist").code("EXPUNGEISSUED");
        }
        let here = self.to == selected.view.name;
        let code = code(|text| print::copy_uid(text, uid_validity, pairs));
        if !self.remove {
            if here {
                selected.view.hear(modseq);
            } else {
                selected.view.committed(modseq);
            }
            return Outcome::ok(said(false)).code(code);
        }
        // RFC 6851 §4.3: COPYUID in an untagged OK, before the messages are announced gone.
        around.out.line(format_args!("* OK [{code}] These are moved"));
        let sources: UidSet = pairs.iter().map(|pair| pair.0).collect();
        gone(&mut selected.view, &sources, modseq, !here);
        Outcome::ok(said(true))
    }
}
