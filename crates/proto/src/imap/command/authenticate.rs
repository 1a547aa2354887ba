//! AUTHENTICATE. RFC 3501 §6.2.2, RFC 4959.

use mail::Secret;

use super::login::{Checking, private};
use super::{Around, Begin, Event, Outcome, Step, Task, Want};
use crate::imap::state::NotAuthenticated;
use crate::sasl::{self, Exchange, Fault};

pub(super) fn begin(
    mechanism: &str,
    initial: Option<Secret>,
    entry: &NotAuthenticated,
    around: &Around<'_>,
) -> Begin {
    if let Err(outcome) = private(entry, around) {
        return Begin::Now(outcome);
    }
    match Exchange::new(mechanism.as_bytes()) {
        Some(exchange) => Begin::entry(Authenticate::Start(exchange, initial)),
        None => {
            let known = sasl::MECHANISMS.join(", ");
            Begin::Now(
                Outcome::no(format!("This mechanism is not known here; there are {known}")).code("CANNOT"),
            )
        }
    }
}

enum Authenticate {
    Start(Exchange, Option<Secret>),
    Talking(Exchange),
    Checking(Checking),
    Over,
}

impl Task<NotAuthenticated> for Authenticate {
    fn step(&mut self, _: &mut NotAuthenticated, around: &mut Around<'_>, event: Event) -> Step {
        match (std::mem::replace(self, Authenticate::Over), event) {
            (Authenticate::Start(mut exchange, initial), _) => {
                let step = exchange.start(initial.as_ref().map(Secret::expose));
                self.go_on(exchange, step, around)
            }
            (Authenticate::Talking(mut exchange), Event::Line(line)) => {
                let step = exchange.line(&line);
                self.go_on(exchange, step, around)
            }
            (Authenticate::Talking(_), Event::LineTooLong) => Step::Done(failure(Fault::TooLong)),
            (Authenticate::Talking(exchange), _) => {
                *self = Authenticate::Talking(exchange);
                Step::Wait(Want::Line)
            }
            (Authenticate::Checking(mut checking), event) => {
                let step = checking.step(around, event);
                *self = Authenticate::Checking(checking);
                step
            }
            (Authenticate::Over, _) => Step::Done(Outcome::muddled()),
        }
    }
}

impl Authenticate {
    fn go_on(&mut self, exchange: Exchange, step: sasl::Step, around: &mut Around<'_>) -> Step {
        match step {
            sasl::Step::Challenge(text) => {
                around.out.line(format_args!("+ {text}"));
                *self = Authenticate::Talking(exchange);
                Step::Wait(Want::Line)
            }
            sasl::Step::Done(credentials) => {
                let mut checking = Checking::new(credentials);
                let step = checking.step(around, Event::Go);
                *self = Authenticate::Checking(checking);
                step
            }
            sasl::Step::Failed(fault) => Step::Done(failure(fault)),
        }
    }
}

fn failure(fault: Fault) -> Outcome {
    match fault {
        Fault::Cancelled => Outcome::bad("The log-in was cancelled"),
        Fault::NotBase64 => Outcome::bad("That is not base64"),
        Fault::TooLong => Outcome::bad("That is too long"),
        Fault::Malformed(what) => Outcome::bad(format!("The mechanism does not allow this: {what}")),
    }
}
