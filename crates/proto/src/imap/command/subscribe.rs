//! SUBSCRIBE and UNSUBSCRIBE. RFC 3501 §6.3.6, §6.3.7.

use super::{Around, Begin, Event, Outcome, Step, Task, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::state::Authenticated;

pub(super) fn begin(name: String, subscribe: bool) -> Begin {
    if name.is_empty() {
        return Begin::Now(Outcome::no("A mailbox must have a name").code("CANNOT"));
    }
    Begin::user(Subscribe { name: Some(name), subscribe })
}

struct Subscribe {
    name: Option<String>,
    subscribe: bool,
}

impl Task<Authenticated> for Subscribe {
    fn step(&mut self, user: &mut Authenticated, _: &mut Around<'_>, event: Event) -> Step {
        if let Some(name) = self.name.take() {
            return Step::Ask(Ask::Subscribe { account: user.account, name, subscribe: self.subscribe });
        }
        match event {
            Event::Answer(Answer::Done) if self.subscribe => Step::Done(Outcome::ok("SUBSCRIBE done")),
            Event::Answer(Answer::Done) => Step::Done(Outcome::ok("UNSUBSCRIBE done")),
            Event::Answer(other) => otherwise(other),
            _ => Step::Done(Outcome::muddled()),
        }
    }
}
