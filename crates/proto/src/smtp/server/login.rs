//! AUTH. RFC 4954.
//!
//! What never lives here: the mechanisms, and whether a password is right.

use super::super::ask::{Ask, Reply};
use super::super::limits;
use super::{Door, Question, Server, State, Step};
use crate::line::Line;
use crate::login::{LoginAnswer, LoginRefusal};
use crate::sasl::{self, Exchange, Fault};

impl Server {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>) -> State {
        if self.options.door == Door::Relay {
            let text = format!(
                "This port takes mail from other servers; log in on port {}",
                self.options.submission_doors
            );
            return self.refuse(&Reply::new(502, "5.5.1", text));
        }
        if !self.may_log_in() {
            return self.refuse(&Reply::new(538, "5.7.11", "Passwords are taken only within TLS"));
        }
        if self.helo.is_none() || !self.esmtp {
            return self.out_of_order("EHLO comes first");
        }
        if self.login.is_some() {
            return self.out_of_order("Already logged in");
        }
        if self.transaction.is_some() {
            return self.out_of_order("Not within a mail transaction");
        }
        let Some(mut exchange) = Exchange::new(mechanism.as_bytes()) else {
            return self.refuse(&Reply::new(
                504,
                "5.5.4",
                "That mechanism is not offered; PLAIN and LOGIN are",
            ));
        };
        let step = exchange.start(initial.map(str::as_bytes));
        self.sasl_step(exchange, step)
    }

    pub(super) fn sasl_line(&mut self, mut exchange: Exchange) -> Step {
        if self.draining {
            return Step::Wait(self.leave("4.3.2", "Closing for now; try again later"));
        }
        match self.lines.next_line() {
            None => Step::Starved(State::Sasl(exchange)),
            Some(Line::Whole(line)) => {
                let step = exchange.line(&line);
                Step::On(self.sasl_step(exchange, step))
            }
            Some(Line::TooLong) => Step::On(self.sasl_failed(Fault::TooLong)),
            Some(Line::Bare(octet)) => Step::On(self.bare(octet)),
        }
    }

    fn sasl_step(&mut self, exchange: Exchange, step: sasl::Step) -> State {
        match step {
            sasl::Step::Challenge(text) => {
                self.say(&Reply::new(334, "", text));
                State::Sasl(exchange)
            }
            sasl::Step::Done(credentials) => self.ask(Ask::Login(credentials), Question::Login),
            sasl::Step::Failed(fault) => self.sasl_failed(fault),
        }
    }

    /// RFC 4954 §4 and §6.
    fn sasl_failed(&mut self, fault: Fault) -> State {
        self.refuse(&match fault {
            Fault::Cancelled => Reply::new(501, "5.7.0", "Authentication cancelled"),
            Fault::NotBase64 => Reply::new(501, "5.5.2", "That is not base64"),
            Fault::TooLong => Reply::new(500, "5.5.6", "Authentication exchange line is too long"),
            Fault::Malformed(what) => Reply::new(501, "5.5.2", format!("Malformed response: {what}")),
        })
    }

    pub(super) fn login_answered(&mut self, answer: LoginAnswer) -> State {
        match answer {
            LoginAnswer::Welcome(login) => {
                self.note("login", login.address.clone());
                self.login = Some(login);
                self.failed_logins = 0;
                self.accept(&Reply::new(235, "2.7.0", "Authentication successful"))
            }
            LoginAnswer::Refused { reason, wait } => {
                self.note("login-failed", format!("{reason:?}"));
                let reply = reply_of(reason);
                if wait.is_zero() {
                    return self.tell_failure(&reply);
                }
                self.deadline = Some(self.now.after(wait));
                State::Penalty(reply)
            }
        }
    }

    /// The wait is over.
    pub(super) fn tell_failure(&mut self, reply: &Reply) -> State {
        self.failed_logins += 1;
        if self.failed_logins >= limits::FAILED_LOGINS && reply.code != 421 {
            self.say(reply);
            return self.leave("4.7.0", "Too many failed log-ins; goodbye");
        }
        self.refuse(reply)
    }
}

fn reply_of(reason: LoginRefusal) -> Reply {
    match reason {
        LoginRefusal::Wrong => Reply::new(535, "5.7.8", "Name or password is wrong"),
        LoginRefusal::TooMany => Reply::new(454, "4.7.0", "Too many failed log-ins; try again later"),
        LoginRefusal::TooManySessions => {
            Reply::new(421, "4.7.0", "Too many sessions of this account are open; try again later")
        }
        LoginRefusal::Unavailable => {
            Reply::new(454, "4.7.0", "Log-in is not possible at present; try again later")
        }
    }
}
