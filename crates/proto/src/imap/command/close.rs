//! CLOSE and UNSELECT. RFC 3501 §6.4.2, RFC 3691.

use super::{Around, Begin, Event, Outcome, Step, Task, Then, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::state::Selected;

/// CLOSE removes what is marked \Deleted, without a word for each, and only where that is allowed.
pub(super) fn begin(selected: &Selected) -> Begin {
    if selected.view.read_only || selected.view.deleted {
        return Begin::Now(Outcome::ok("CLOSE done").then(Then::Unselected));
    }
    Begin::mailbox(Close)
}

/// UNSELECT removes nothing.
pub(super) fn unselect() -> Begin {
    Begin::Now(Outcome::ok("UNSELECT done").then(Then::Unselected))
}

struct Close;

impl Task<Selected> for Close {
    fn step(&mut self, selected: &mut Selected, _: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Answer(Answer::Expunged { .. }) => {
                Step::Done(Outcome::ok("CLOSE done").then(Then::Unselected))
            }
            // The mailbox stays open, so that the client can do something about what is still in it.
            Event::Answer(other) => otherwise(other),
            _ => Step::Ask(Ask::Expunge {
                account: selected.user.account,
                mailbox: selected.view.mailbox,
                uids: None,
            }),
        }
    }
}
