//! USER, PASS and AUTH. RFC 1939 §7, RFC 5034, RFC 3206.
//!
//! What never lives here: the mechanisms, and whether a password is right.

use mail::Secret;

use super::super::ask::{Ask, Maildrop};
use super::super::command::Auth;
use super::super::limits;
use super::maildrop::Transaction;
use super::{Question, Server, State};
use crate::login::{Credentials, LoggedIn, LoginAnswer, LoginRefusal};
use crate::sasl::{self, Exchange};

const START: State = State::Authorization { user: None };

impl Server {
    /// Passwords may be sent now.
    pub(super) fn may_log_in(&self) -> bool {
        self.secured || self.options.plain_login
    }

    /// A password in the clear is not taken, and the client is told where to go with it.
    fn insecure(&mut self) -> State {
        let port = self.options.tls_port;
        if self.options.stls {
            self.refuse(
                START,
                format_args!("Passwords are taken only within TLS: use STLS first, or port {port}"),
            )
        } else {
            self.refuse(START, format_args!("Passwords are taken only within TLS: use port {port}"))
        }
    }

    pub(super) fn user(&mut self, name: String) -> State {
        if !self.may_log_in() {
            return self.insecure();
        }
        // The same for everybody, known or not.
        self.accept(State::Authorization { user: Some(name) }, format_args!("Now the password"))
    }

    pub(super) fn pass(&mut self, user: Option<String>, password: Secret) -> State {
        if !self.may_log_in() {
            return self.insecure();
        }
        let Some(user) = user else {
            return self.refuse(START, format_args!("USER comes first"));
        };
        self.check(Credentials { user, authzid: String::new(), password, mechanism: "USER" })
    }

    pub(super) fn auth(&mut self, auth: Option<Auth>) -> State {
        let Some(Auth { mechanism, initial }) = auth else {
            return self.mechanisms();
        };
        if !self.may_log_in() {
            return self.insecure();
        }
        let Some(mut exchange) = Exchange::new(mechanism.as_bytes()) else {
            let offered = sasl::MECHANISMS.join(" and ");
            return self.refuse(START, format_args!("That mechanism is not offered; {offered} are"));
        };
        let step = exchange.start(initial.as_ref().map(Secret::expose));
        self.sasl_step(exchange, step)
    }

    /// AUTH alone lists what may be used now: older than CAPA, and still sent.
    fn mechanisms(&mut self) -> State {
        self.ok(format_args!("Mechanisms follow"));
        let offered = if self.may_log_in() { &sasl::MECHANISMS[..] } else { &[] };
        for mechanism in offered {
            self.out.extend_from_slice(mechanism.as_bytes());
            self.out.extend_from_slice(b"\r\n");
        }
        self.out.extend_from_slice(b".\r\n");
        START
    }

    /// The client's line, or `None` for one that was too long.
    pub(super) fn sasl_line(&mut self, mut exchange: Exchange, line: Option<&[u8]>) -> State {
        let step = match line {
            Some(line) => exchange.line(line),
            None => sasl::Step::Failed(sasl::Fault::TooLong),
        };
        self.sasl_step(exchange, step)
    }

    fn sasl_step(&mut self, exchange: Exchange, step: sasl::Step) -> State {
        match step {
            sasl::Step::Challenge(text) => {
                self.line_out("+", format_args!("{text}"));
                State::Sasl(exchange)
            }
            sasl::Step::Done(credentials) => self.check(credentials),
            sasl::Step::Failed(sasl::Fault::Cancelled) => {
                self.refuse(START, format_args!("Authentication cancelled"))
            }
            sasl::Step::Failed(sasl::Fault::NotBase64) => {
                self.refuse(START, format_args!("That is not base64"))
            }
            sasl::Step::Failed(sasl::Fault::TooLong) => self.refuse(START, format_args!("That is too long")),
            sasl::Step::Failed(sasl::Fault::Malformed(what)) => {
                self.refuse(START, format_args!("Malformed response: {what}"))
            }
        }
    }

    fn check(&mut self, credentials: Credentials) -> State {
        self.ask(Ask::Login(credentials), Question::Login)
    }

    pub(super) fn login_answered(&mut self, answer: LoginAnswer) -> State {
        match answer {
            LoginAnswer::Welcome(who) => self.ask(Ask::Open(who.account), Question::Open(who)),
            LoginAnswer::Refused { reason, wait } => {
                self.note("login-failed", format!("{reason:?}"));
                if wait.is_zero() {
                    return self.login_failed(reply_of(reason));
                }
                self.deadline = Some(self.now.after(wait));
                State::Penalty(reply_of(reason))
            }
        }
    }

    /// The wait is over.
    pub(super) fn login_failed(&mut self, text: &'static str) -> State {
        self.failed_logins += 1;
        if self.failed_logins >= limits::FAILED_LOGINS {
            self.err(text);
            return self.hang_up();
        }
        self.refuse(START, format_args!("{text}"))
    }

    pub(super) fn maildrop_open(&mut self, who: &LoggedIn, drop: Maildrop) -> State {
        self.note("login", who.address.clone());
        self.failed_logins = 0;
        let transaction = Transaction::new(who.account, drop);
        let (count, octets) = transaction.total();
        self.accept(State::Transaction(transaction), format_args!("{count} messages ({octets} octets)"))
    }

    /// The password was right, but the maildrop is not to be had.
    pub(super) fn not_opened(&mut self, text: &str) -> State {
        self.refuse(START, format_args!("{text}"))
    }
}

/// RFC 3206 §4: [AUTH] makes clients ask for another password, so only a wrong one gets it.
fn reply_of(reason: LoginRefusal) -> &'static str {
    match reason {
        LoginRefusal::Wrong => "[AUTH] Name or password is wrong",
        LoginRefusal::TooMany => "[SYS/TEMP] Too many failed log-ins; try again later",
        LoginRefusal::TooManySessions => {
            "[SYS/TEMP] Too many sessions of this account are open; try again later"
        }
        LoginRefusal::Unavailable => "[SYS/TEMP] Log-in is not possible at present; try again later",
    }
}
