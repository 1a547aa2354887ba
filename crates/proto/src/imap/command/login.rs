//! LOGIN, and the question whether a password is right. RFC 3501 §6.2.3.

use mail::{Moment, Secret};

use super::{Around, Begin, Event, Outcome, Step, Task, Then, Want, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::capability;
use crate::imap::state::NotAuthenticated;
use crate::login::{Credentials, LoginAnswer, LoginRefusal};

pub(super) fn begin(user: String, password: Secret, entry: &NotAuthenticated, around: &Around<'_>) -> Begin {
    if let Err(outcome) = private(entry, around) {
        return Begin::Now(outcome);
    }
    let credentials = Credentials { user, authzid: String::new(), password, mechanism: "LOGIN" };
    Begin::entry(Login(Checking::new(credentials)))
}

/// RFC 5530 §3 PRIVACYREQUIRED: nobody who listens may learn the password, nor be helped by us to get it sent.
pub(super) fn private(entry: &NotAuthenticated, around: &Around<'_>) -> Result<(), Outcome> {
    if capability::may_log_in(entry.secured, around.options) {
        return Ok(());
    }
    let how = if around.options.starttls { "use STARTTLS first" } else { "connect with TLS" };
    Err(Outcome::no(format!("Passwords are taken only inside TLS: {how}")).code("PRIVACYREQUIRED"))
}

struct Login(Checking);

impl Task<NotAuthenticated> for Login {
    fn step(&mut self, _: &mut NotAuthenticated, around: &mut Around<'_>, event: Event) -> Step {
        self.0.step(around, event)
    }
}

/// From credentials to a verdict. A refusal is said only when its wait is over.
pub(super) struct Checking {
    credentials: Option<Credentials>,
    refused: Option<(LoginRefusal, Moment)>,
}

impl Checking {
    pub(super) fn new(credentials: Credentials) -> Checking {
        Checking { credentials: Some(credentials), refused: None }
    }

    pub(super) fn step(&mut self, around: &Around<'_>, event: Event) -> Step {
        if let Some(credentials) = self.credentials.take() {
            return Step::Ask(Ask::Login(credentials));
        }
        match event {
            Event::Answer(Answer::Login(LoginAnswer::Welcome(who))) => {
                let words = capability::words_after_login(around.options);
                let outcome = Outcome::ok("Logged in").code(format!("CAPABILITY {words}"));
                return Step::Done(outcome.then(Then::LoggedIn(who)));
            }
            Event::Answer(Answer::Login(LoginAnswer::Refused { reason, wait })) => {
                self.refused = Some((reason, around.now.after(wait)));
            }
            Event::Answer(other) => return otherwise(other),
            _ => {}
        }
        match self.refused {
            Some((_, until)) if around.now < until => Step::Wait(Want::Until(until)),
            Some((reason, _)) => Step::Done(refusal(reason)),
            None => Step::Done(Outcome::muddled()),
        }
    }
}

fn refusal(reason: LoginRefusal) -> Outcome {
    match reason {
        LoginRefusal::Wrong => Outcome::no("Name or password is wrong").code("AUTHENTICATIONFAILED"),
        LoginRefusal::TooMany => {
            Outcome::no("Too many failed log-ins; please try again later").code("UNAVAILABLE")
        }
        LoginRefusal::TooManySessions => {
            Outcome::no("Too many sessions of this account are open").code("LIMIT")
        }
        LoginRefusal::Unavailable => Outcome::no("Log-ins cannot be checked at present").code("UNAVAILABLE"),
    }
}
