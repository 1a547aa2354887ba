//! STORE. RFC 3501 §6.4.6, RFC 7162 §3.1.3.

use mail::{FlagChange, Flags, MessageRow, ModSeq, UidSet};

use super::expunge::writable;
use super::{Around, Begin, Event, Outcome, Step, Task, otherwise, pick};
use crate::imap::ask::{Answer, Ask};
use crate::imap::out::Out;
use crate::imap::pending::{News, Said, put_flags_of};
use crate::imap::seqmap::Picked;
use crate::imap::state::Selected;
use crate::imap::types::{SequenceSet, StoreAction};
use crate::imap::view::View;

/// Messages changed in one commit.
const PAGE: usize = 1000;

/// STORE as said, without its set.
pub(super) struct Wanted {
    pub(super) uid: bool,
    pub(super) action: StoreAction,
    pub(super) silent: bool,
    pub(super) flags: Flags,
    pub(super) unchanged_since: Option<ModSeq>,
}

pub(super) fn begin(wanted: Wanted, set: &SequenceSet, selected: &Selected) -> Result<Begin, Outcome> {
    writable(&selected.view)?;
    let left = pick(&selected.view, wanted.uid, set)?;
    if left.is_empty() {
        return Ok(Begin::Now(Outcome::ok("STORE done")));
    }
    let change = match wanted.action {
        StoreAction::Replace => FlagChange::Replace(wanted.flags),
        StoreAction::Add => FlagChange::Add(wanted.flags),
        StoreAction::Remove => FlagChange::Remove(wanted.flags),
    };
    Ok(Begin::mailbox(Store {
        uid: wanted.uid,
        silent: wanted.silent,
        unchanged_since: wanted.unchanged_since,
        change,
        left,
        asked: 0,
        caught_up: false,
        told_before: selected.view.told,
        telling: None,
        modified: UidSet::default(),
        missing: false,
    }))
}

struct Store {
    uid: bool,
    silent: bool,
    unchanged_since: Option<ModSeq>,
    change: FlagChange,
    /// Still to be asked for.
    left: Picked,
    /// So many messages were in the last question.
    asked: usize,
    caught_up: bool,
    /// What the client had been told of when it said STORE.
    told_before: u64,
    telling: Option<Telling>,
    modified: UidSet,
    missing: bool,
}

/// The responses for one page.
struct Telling {
    rows: std::vec::IntoIter<MessageRow>,
    commit: Option<ModSeq>,
    /// Flags are said although the client wanted silence: others may have changed them too.
    mixed: bool,
}

impl Task<Selected> for Store {
    fn step(&mut self, selected: &mut Selected, around: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Answer(Answer::Stored { rows, modified, commit }) => {
                self.take(&mut selected.view, rows, &modified, commit, around.out);
            }
            Event::Answer(other) => return otherwise(other),
            _ => {}
        }
        // Silence is only right about changes of our own, so we first look for those of others.
        if self.silent && !self.caught_up && selected.view.must_catch_up() {
            self.caught_up = true;
            selected.view.doubt();
            return Step::Refresh(News::NoExpunge);
        }
        self.caught_up = true;
        if !self.tell(selected, around.out) {
            return Step::Again;
        }
        let page = self.left.take(PAGE);
        if page.is_empty() {
            return Step::Done(self.outcome(&selected.view));
        }
        self.asked = page.count();
        Step::Ask(Ask::Store {
            account: selected.user.account,
            mailbox: selected.view.mailbox,
            uids: selected.view.map.uids(&page),
            change: self.change.clone(),
            unchanged_since: self.unchanged_since,
        })
    }
}

impl Store {
    fn take(
        &mut self,
        view: &mut View,
        mut rows: Vec<MessageRow>,
        modified: &UidSet,
        commit: Option<ModSeq>,
        out: &mut Out,
    ) {
        if rows.iter().fold(false, |new, row| view.learn_flags(&row.flags) | new) {
            view.put_flags(out);
        }
        if rows.len() < self.asked {
            self.missing = true;
            view.doubt();
        }
        for range in modified.ranges() {
            self.modified.insert_range(range.clone());
            // RFC 7162 §3.1.3: those that failed are told of without being asked for.
            view.doubt();
        }
        rows.retain(|row| !modified.contains(row.uid));
        // Flags told within this command were those before the change; the client cannot know that.
        let crossed = view.told > self.told_before;
        let mixed = view.stored(&rows, commit, !self.silent) || crossed;
        self.telling = Some(Telling { rows: rows.into_iter(), commit, mixed });
    }

    fn tell(&mut self, selected: &Selected, out: &mut Out) -> bool {
        let Some(telling) = &mut self.telling else { return true };
        let (view, modseq) = (&selected.view, selected.user.condstore);
        let mut hint = 0;
        for row in telling.rows.by_ref() {
            let Some(position) = view.map.position(row.uid, hint) else { continue };
            hint = position + 1;
            let flags = !self.silent || (telling.mixed && Some(row.modseq) == telling.commit);
            // RFC 7162 §3.1.3: MODSEQ is said even in silence.
            if flags || modseq {
                put_flags_of(view, position, &row, Said { uid: self.uid, flags, modseq }, out);
            }
            if out.full() {
                return false;
            }
        }
        self.telling = None;
        true
    }

    fn outcome(&self, view: &View) -> Outcome {
        let status = if self.missing && !self.silent && !self.uid {
            // RFC 2180 §4.2.3
            Outcome::no("Some of these messages no longer exist").code("EXPUNGEISSUED")
        } else {
            Outcome::ok("STORE done")
        };
        if self.modified.is_empty() {
            return status;
        }
        // RFC 7162 §3.1.3: in the terms of the command.
        let failed = if self.uid { self.modified.to_string() } else { numbers(view, &self.modified) };
        Outcome { text: "Some have changed since".into(), ..status }.code(format!("MODIFIED {failed}"))
    }
}

/// A set of UIDs as sequence numbers.
fn numbers(view: &View, uids: &UidSet) -> String {
    let mut set = UidSet::default();
    for position in view.map.pick(uids).positions() {
        set.insert(mail::Uid(u32::try_from(position + 1).unwrap_or(u32::MAX)));
    }
    set.to_string()
}
