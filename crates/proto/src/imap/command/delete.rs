//! DELETE. RFC 3501 §6.3.4.

use super::{Around, Begin, Event, Outcome, Step, Task, Then, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::state::Authenticated;

/// The selected mailbox may be deleted; the session then has none selected.
pub(super) fn begin(name: String) -> Begin {
    if name == "INBOX" {
        return Begin::Now(Outcome::no("INBOX cannot be deleted").code("CANNOT"));
    }
    Begin::user(Delete { name, asked: false })
}

struct Delete {
    name: String,
    asked: bool,
}

impl Task<Authenticated> for Delete {
    fn step(&mut self, user: &mut Authenticated, _: &mut Around<'_>, event: Event) -> Step {
        if !std::mem::replace(&mut self.asked, true) {
            return Step::Ask(Ask::Delete { account: user.account, name: self.name.clone() });
        }
        match event {
            Event::Answer(Answer::Done) => {
                let name = std::mem::take(&mut self.name);
                Step::Done(Outcome::ok("DELETE done").then(Then::Deleted(name)))
            }
            Event::Answer(other) => otherwise(other),
            _ => Step::Done(Outcome::muddled()),
        }
    }
}
