//! The commands that are one line and, at most, one ask. RFC 5321 §4.1.
//!
//! What never lives here: message text and log-in.

use super::super::ask::{Ask, Envelope, Recipient, Reply, Target};
use super::super::command::{self, Command};
use super::super::limits;
use super::super::params::{self, Offered};
use super::super::path::Path;
use super::super::receiving::too_big;
use super::{Door, Question, Server, State, Step, Transaction};
use crate::line::Line;
use crate::sasl::MECHANISMS;
use crate::{Action, TlsPolicy};

const HELP: &str = "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP HELP VRFY QUIT STARTTLS AUTH\n\
                    RFC 5321 explains them";

impl Server {
    pub(super) fn command(&mut self) -> Step {
        if self.may_leave() {
            return Step::Wait(self.leave("4.3.2", "Closing for now; try again later"));
        }
        match self.lines.next_line() {
            None => Step::Starved(State::Command),
            Some(Line::Whole(line)) => Step::On(self.obey(&line)),
            Some(Line::TooLong) => Step::On(self.refuse(&Reply::new(500, "5.5.2", "The line is too long"))),
            Some(Line::Bare(octet)) => Step::On(self.bare(octet)),
        }
    }

    /// A line end that is none: between servers that disagree on it, mail is smuggled. RFC 5321 §2.3.8.
    pub(super) fn bare(&mut self, octet: u8) -> State {
        let text = if octet == b'\n' { "A bare LF came" } else { "A bare CR came" };
        self.note("bare-line-end", text.into());
        self.say(&Reply::new(500, "5.5.2", format!("{text}; lines end with CR LF")));
        self.hang_up()
    }

    fn obey(&mut self, line: &[u8]) -> State {
        let command = match command::parse(line) {
            Ok(command) => command,
            Err(reply) => return self.refuse(&reply),
        };
        match command {
            Command::Ehlo(name) => self.hello(name, true),
            Command::Helo(name) => self.hello(name, false),
            Command::Mail { path, params } => self.mail(path, params),
            Command::Rcpt { path, params } => self.rcpt(path, params),
            Command::Data => self.data(),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::BdatLost => {
                self.say(&Reply::new(501, "5.5.4", "BDAT takes a size and perhaps LAST; goodbye"));
                self.hang_up()
            }
            Command::Auth { mechanism, initial } => self.auth(mechanism, initial),
            Command::StartTls => self.start_tls(),
            Command::Rset => {
                self.end_transaction();
                self.accept_idle(&Reply::new(250, "2.0.0", "OK"))
            }
            Command::Noop => self.accept_idle(&Reply::new(250, "2.0.0", "OK")),
            Command::Help => self.accept_idle(&Reply::new(214, "2.0.0", HELP)),
            // RFC 5321 §7.3: nobody learns here who has a mailbox.
            Command::Vrfy => {
                self.accept_idle(&Reply::new(252, "2.5.0", "Not told here; send mail and it will be tried"))
            }
            Command::Expn => self.refuse(&Reply::new(502, "5.5.1", "Lists are not told here")),
            Command::Quit => {
                self.say(&Reply::new(221, "2.0.0", format!("{} says goodbye", self.options.hostname)));
                self.hang_up()
            }
            // A browser made to speak to us carries somebody else's words. https://alpaca-attack.com
            Command::Http => {
                self.note("http-refused", String::new());
                self.hang_up()
            }
        }
    }

    fn hello(&mut self, name: &str, esmtp: bool) -> State {
        self.end_transaction();
        self.esmtp = esmtp;
        self.helo = Some(name.to_owned());
        let hostname = &self.options.hostname;
        let text = if esmtp { self.extensions(name) } else { format!("{hostname} greets {name}") };
        self.accept_idle(&Reply::new(250, "", text))
    }

    /// What EHLO announces. RFC 5321 §4.1.1.1.
    fn extensions(&self, name: &str) -> String {
        let mut lines = vec![
            format!("{} greets {name}", self.options.hostname),
            "PIPELINING".into(),
            format!("SIZE {}", self.options.max_size),
            "8BITMIME".into(),
            "SMTPUTF8".into(),
            "ENHANCEDSTATUSCODES".into(),
            "CHUNKING".into(),
        ];
        if self.may_start_tls() {
            lines.push("STARTTLS".into());
        }
        if self.may_log_in() {
            lines.push(format!("AUTH {}", MECHANISMS.join(" ")));
        }
        lines.push("HELP".into());
        lines.join("\n")
    }

    fn may_start_tls(&self) -> bool {
        self.options.starttls && self.tls.is_none()
    }

    /// Passwords are not invited into the clear. RFC 4954 §4.
    pub(super) fn may_log_in(&self) -> bool {
        self.options.door == Door::Submission && (self.tls.is_some() || self.options.plain_login)
    }

    fn offered(&self) -> Offered {
        Offered { esmtp: self.esmtp, auth: self.options.door == Door::Submission }
    }

    pub(super) fn out_of_order(&mut self, text: &str) -> State {
        self.refuse(&Reply::new(503, "5.5.1", text))
    }

    fn mail(&mut self, path: Path, params: &str) -> State {
        let Some(helo) = self.helo.clone() else {
            return self.out_of_order("EHLO comes first");
        };
        if self.transaction.is_some() {
            return self.out_of_order("A message is already under way; RSET drops it");
        }
        if self.options.door == Door::Submission && self.login.is_none() {
            return self.login_wanted();
        }
        let params = match params::mail(params, self.offered()) {
            Ok(params) => params,
            Err(reply) => return self.refuse(&reply),
        };
        if path.utf8 && !params.smtputf8 {
            return self.needs_utf8();
        }
        if params.size.is_some_and(|size| size > self.options.max_size) {
            return self.refuse(&too_big(self.options.max_size));
        }
        let envelope = Box::new(Envelope {
            peer: self.peer,
            helo,
            esmtp: self.esmtp,
            submission: self.options.door == Door::Submission,
            tls: self.tls.clone(),
            login: self.login.clone(),
            sender: path.address,
            size: params.size,
            eight_bit: params.eight_bit,
            smtputf8: params.smtputf8,
            recipients: Vec::new(),
        });
        self.ask(Ask::Sender(envelope.clone()), Question::Sender(envelope))
    }

    /// RFC 6409 §4.3, RFC 3207 §4.
    fn login_wanted(&mut self) -> State {
        let text = if self.may_log_in() {
            "Authentication required"
        } else if self.may_start_tls() {
            "Must issue a STARTTLS command first, then log in"
        } else {
            "Authentication required, which this door takes only within TLS"
        };
        self.refuse(&Reply::new(530, "5.7.0", text))
    }

    /// RFC 6531 §3.5.
    fn needs_utf8(&mut self) -> State {
        self.refuse(&Reply::new(553, "5.6.7", "Such an address needs MAIL FROM with SMTPUTF8"))
    }

    pub(super) fn sender_ok(&mut self, envelope: Box<Envelope>) -> State {
        self.transaction = Some(Transaction { envelope, receiving: None });
        self.accept(&Reply::new(250, "2.1.0", "Sender OK"))
    }

    fn rcpt(&mut self, path: Path, params: &str) -> State {
        let offered = self.offered();
        let Some(transaction) = &self.transaction else {
            return self.out_of_order("MAIL comes first");
        };
        if transaction.receiving.is_some() {
            return self.out_of_order("The message text has begun");
        }
        if transaction.envelope.recipients.len() >= self.options.max_recipients {
            // Not an error of the peer: it may send the rest in another transaction. RFC 5321 §4.5.3.1.10.
            return self.accept(&Reply::new(452, "4.5.3", "Too many recipients"));
        }
        if let Err(reply) = params::rcpt(params, offered) {
            return self.refuse(&reply);
        }
        if path.utf8 && !transaction.envelope.smtputf8 {
            return self.needs_utf8();
        }
        let envelope = Box::new(without_recipients(&transaction.envelope));
        let ask = Ask::Recipient { envelope, recipient: path.address.clone() };
        self.ask(ask, Question::Recipient(path.address))
    }

    pub(super) fn recipient_ok(&mut self, address: String, targets: Vec<Target>) -> State {
        if let Some(transaction) = &mut self.transaction {
            transaction.envelope.recipients.push(Recipient { address, targets });
        }
        self.accept(&Reply::new(250, "2.1.5", "Recipient OK"))
    }

    /// Counted apart from errors: old lists have many dead addresses, and their senders are no attackers.
    pub(super) fn recipient_refused(&mut self, reply: &Reply) -> State {
        self.say(reply);
        if reply.code == 421 {
            return self.hang_up();
        }
        self.counts.refused += u32::from(reply.code >= 500);
        if self.counts.refused >= limits::REFUSED_RECIPIENTS {
            self.note("too-many-refused-recipients", String::new());
            return self.leave("4.7.0", "Too many refused recipients; goodbye");
        }
        State::Command
    }

    /// RFC 3207 §4.
    fn start_tls(&mut self) -> State {
        if self.tls.is_some() {
            return self.out_of_order("TLS is already active");
        }
        if !self.options.starttls {
            return self.refuse(&Reply::new(502, "5.5.1", "STARTTLS is not offered here"));
        }
        self.end_transaction();
        self.say(&Reply::new(220, "2.0.0", "Ready to start TLS"));
        self.act(Action::StartTls(TlsPolicy::Serve));
        self.lines.clear();
        State::Handshake
    }
}

fn without_recipients(envelope: &Envelope) -> Envelope {
    Envelope {
        peer: envelope.peer,
        helo: envelope.helo.clone(),
        esmtp: envelope.esmtp,
        submission: envelope.submission,
        tls: envelope.tls.clone(),
        login: envelope.login.clone(),
        sender: envelope.sender.clone(),
        size: envelope.size,
        eight_bit: envelope.eight_bit,
        smtputf8: envelope.smtputf8,
        recipients: Vec::new(),
    }
}
