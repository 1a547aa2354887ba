//! EXPUNGE and UID EXPUNGE. RFC 3501 §6.4.3, RFC 4315 §2.1.

use mail::{ModSeq, UidSet};

use super::{Around, Begin, Event, Outcome, Step, Task, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::state::Selected;
use crate::imap::types::SequenceSet;
use crate::imap::view::View;

pub(super) fn begin(set: Option<&SequenceSet>, selected: &Selected) -> Result<Begin, Outcome> {
    writable(&selected.view)?;
    let uids = set.map(|set| selected.view.map.uids(&selected.view.map.pick_uids(set)));
    if uids.as_ref().is_some_and(UidSet::is_empty) {
        return Ok(Begin::Now(Outcome::ok("EXPUNGE done")));
    }
    Ok(Begin::mailbox(Expunge { uids }))
}

/// EXAMINE promised that nothing would change.
pub(super) fn writable(view: &View) -> Result<(), Outcome> {
    if view.read_only {
        Err(Outcome::no("The mailbox is open for reading only").code("READ-ONLY"))
    } else {
        Ok(())
    }
}

/// Messages are gone by a commit of this session: they are announced with the others that are.
pub(super) fn gone(view: &mut View, uids: &UidSet, at: ModSeq, whole: bool) {
    if uids.is_empty() {
        return;
    }
    for range in view.map.uids(&view.map.pick(uids)).ranges() {
        view.gone.insert_range(range.clone());
    }
    if whole {
        view.committed(at);
    } else {
        view.hear(at);
    }
}

struct Expunge {
    uids: Option<UidSet>,
}

impl Task<Selected> for Expunge {
    fn step(&mut self, selected: &mut Selected, _: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Answer(Answer::Expunged { uids, modseq }) => {
                gone(&mut selected.view, &uids, modseq, true);
                Step::Done(Outcome::ok("EXPUNGE done"))
            }
            Event::Answer(other) => otherwise(other),
            _ => Step::Ask(Ask::Expunge {
                account: selected.user.account,
                mailbox: selected.view.mailbox,
                uids: self.uids.take(),
            }),
        }
    }
}
