//! RENAME. RFC 3501 §6.3.5.

use super::{Around, Begin, Event, Outcome, Step, Task, Then, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::state::Authenticated;

/// INBOX may be renamed: its messages move, and it stays, empty. Nothing may be renamed to INBOX.
pub(super) fn begin(from: String, to: String) -> Begin {
    let refused = if to == "INBOX" {
        Some(Outcome::no("INBOX is always there").code("ALREADYEXISTS"))
    } else if to.is_empty() || from.is_empty() {
        Some(Outcome::no("A mailbox must have a name").code("CANNOT"))
    } else if from == to {
        Some(Outcome::no("That is its name already").code("ALREADYEXISTS"))
    } else if from != "INBOX" && to.strip_prefix(&from).is_some_and(|rest| rest.starts_with('/')) {
        Some(Outcome::no("A mailbox cannot be moved below itself").code("CANNOT"))
    } else {
        None
    };
    match refused {
        Some(outcome) => Begin::Now(outcome),
        None => Begin::user(Rename { from, to, asked: false }),
    }
}

struct Rename {
    from: String,
    to: String,
    asked: bool,
}

impl Task<Authenticated> for Rename {
    fn step(&mut self, user: &mut Authenticated, _: &mut Around<'_>, event: Event) -> Step {
        if !std::mem::replace(&mut self.asked, true) {
            let (from, to) = (self.from.clone(), self.to.clone());
            return Step::Ask(Ask::Rename { account: user.account, from, to });
        }
        match event {
            Event::Answer(Answer::Done) => {
                let names = (std::mem::take(&mut self.from), std::mem::take(&mut self.to));
                Step::Done(Outcome::ok("RENAME done").then(Then::Renamed(names.0, names.1)))
            }
            Event::Answer(other) => otherwise(other),
            _ => Step::Done(Outcome::muddled()),
        }
    }
}
