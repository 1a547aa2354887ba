//! The POP3 server session: greeting to goodbye, as a value. RFC 1939.
//!
//! What never lives here: whose password is right, and what a message says.
//!
//! A command is acted upon only when all that came before it has been taken by the driver (`next`), so a client
//! that sends a thousand commands and reads no answer costs one answer. Messages are removed at QUIT alone: a
//! session that ends in any other way removes nothing. RFC 1939 §3, §6.

mod capability;
mod login;
mod maildrop;

use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::mem;

use bytes::BytesMut;
use mail::Moment;

use self::maildrop::{Listing, Transaction};
use super::ask::{Answer, Ask};
use super::command::{self, Command, Fault};
use super::limits;
use crate::line::{Endings, Line, Lines};
use crate::login::LoggedIn;
use crate::sasl::Exchange;
use crate::{Action, Input, Note, Session, TlsInfo, TlsPolicy};

/// What the administrator decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// What we call ourselves.
    pub hostname: String,
    /// STLS is offered while the connection is not secured.
    pub stls: bool,
    /// Passwords are taken without TLS too. For tests.
    pub plain_login: bool,
    /// Where TLS is from the first octet, told to those who send a password without.
    pub tls_port: u16,
    /// Seconds between log-ins, if the house insists. RFC 2449 §6.5.
    pub login_delay: Option<u32>,
    /// The fewest days for which anybody's retrieved messages are kept; `None` is for ever. RFC 2449 §6.7.
    pub expire_days: Option<u32>,
}

impl Options {
    /// The usual settings.
    pub fn new(hostname: impl Into<String>) -> Options {
        Options {
            hostname: hostname.into(),
            stls: true,
            plain_login: false,
            tls_port: 995,
            login_delay: None,
            expire_days: None,
        }
    }
}

/// What the session waits for.
#[derive(Debug)]
enum State {
    /// The connection to open.
    Unopened,
    /// A command of RFC 1939 §4; after USER with the name.
    Authorization { user: Option<String> },
    /// The client's next line of a log-in.
    Sasl(Exchange),
    /// The time at which a failed log-in is told.
    Penalty(&'static str),
    /// The TLS handshake.
    Handshake,
    /// The answer to an ask.
    Asked(Question),
    /// A command of RFC 1939 §5.
    Transaction(Transaction),
    /// The driver, to take a page of a listing.
    Listing(Transaction, Listing),
    /// Nothing any more.
    Closed,
}

/// The open ask, with what is needed to go on.
#[derive(Debug)]
enum Question {
    Login,
    Open(LoggedIn),
    Top(Transaction, usize),
    Update,
}

/// A POP3 server session.
#[derive(Debug)]
pub struct Server {
    options: Options,
    state: State,
    lines: Lines,
    out: BytesMut,
    actions: VecDeque<Action<Ask>>,
    now: Moment,
    deadline: Option<Moment>,
    /// The driver has been given much to send since the deadline was set; that may have taken long.
    streamed: bool,
    peer_closed: bool,
    draining: bool,
    secured: bool,
    /// Something has been received.
    spoken: bool,
    errors: u32,
    before_login: u32,
    failed_logins: u32,
}

impl Server {
    /// A session that waits for its connection.
    pub fn new(options: Options) -> Server {
        Server {
            options,
            state: State::Unopened,
            lines: Lines::new(limits::INPUT_LINE, Endings::Tolerant),
            out: BytesMut::new(),
            actions: VecDeque::new(),
            now: Moment(0),
            deadline: None,
            streamed: false,
            peer_closed: false,
            draining: false,
            secured: false,
            spoken: false,
            errors: 0,
            before_login: 0,
            failed_logins: 0,
        }
    }

    /// Acts upon one line, or writes one page; false when there is nothing to do without more input.
    fn step(&mut self) -> bool {
        match mem::replace(&mut self.state, State::Closed) {
            State::Listing(transaction, listing) => {
                self.state = self.page(transaction, listing);
                self.rest();
                self.streamed = true;
                true
            }
            waiting @ (State::Authorization { .. } | State::Sasl(_) | State::Transaction(_)) => {
                let Some(line) = self.lines.next_line() else {
                    let leave = self.peer_closed || self.draining;
                    self.state = if leave { self.hang_up() } else { waiting };
                    return leave;
                };
                self.state = self.line(waiting, line);
                self.rest();
                true
            }
            waiting => {
                self.state = waiting;
                false
            }
        }
    }

    /// One line of the client.
    fn line(&mut self, state: State, line: Line) -> State {
        let first = !mem::replace(&mut self.spoken, true);
        let line = match line {
            Line::Whole(line) => Some(line),
            Line::TooLong | Line::Bare(_) => None,
        };
        if first && line.as_deref().is_some_and(command::is_http) {
            self.note("http-request", String::new());
            return self.hang_up();
        }
        if let State::Sasl(exchange) = state {
            return if self.draining { self.leave() } else { self.sasl_line(exchange, line.as_deref()) };
        }
        let command = match line {
            Some(line) if line.len() <= limits::COMMAND_LINE => command::parse(&line),
            _ => Err(Fault::TooLong),
        };
        // What is in flight is finished; a QUIT that is here already still counts, anything else comes too late.
        if self.draining && command != Ok(Command::Quit) {
            return self.leave();
        }
        match (command, state) {
            (Ok(command), State::Authorization { user }) => self.before_login(command, user),
            (Ok(command), State::Transaction(transaction)) => self.after_login(command, transaction),
            (Err(Fault::Unknown), state) => self.refuse(state, format_args!("Unknown command")),
            (Err(Fault::TooLong), state) => self.refuse(state, format_args!("That line is too long")),
            (Err(Fault::Arguments(wanted)), state) => {
                self.refuse(state, format_args!("That command takes {wanted}"))
            }
            // `step` comes here in no other state.
            (Ok(_), other) => other,
        }
    }

    /// RFC 1939 §4.
    fn before_login(&mut self, command: Command, user: Option<String>) -> State {
        self.before_login += 1;
        if self.before_login > limits::COMMANDS_BEFORE_LOGIN {
            self.err("Too many commands before a log-in; goodbye");
            return self.hang_up();
        }
        let here = State::Authorization { user: None };
        match command {
            Command::User(name) => self.user(name),
            Command::Pass(password) => self.pass(user, password),
            Command::Auth(auth) => self.auth(auth),
            Command::Stls => self.stls(),
            Command::Utf8 => self.accept(here, format_args!("UTF-8 is spoken here")),
            Command::Capa => {
                self.capabilities(None);
                State::Authorization { user }
            }
            Command::Lang(range) => self.lang(State::Authorization { user }, range.as_deref()),
            Command::Quit => {
                let hostname = self.options.hostname.clone();
                self.ok(format_args!("{hostname} says goodbye"));
                self.hang_up()
            }
            // RFC 1939 §5 has it for the transaction alone; some clients keep a connection awake with it.
            Command::Noop => self.accept(State::Authorization { user }, format_args!("Nothing done")),
            Command::Stat
            | Command::List(_)
            | Command::Uidl(_)
            | Command::Retr(_)
            | Command::Top(..)
            | Command::Dele(_)
            | Command::Rset => self.refuse(here, format_args!("Log in first")),
        }
    }

    /// RFC 2595 §4.
    fn stls(&mut self) -> State {
        let here = State::Authorization { user: None };
        if self.secured {
            return self.refuse(here, format_args!("Command not permitted when TLS active"));
        }
        if !self.options.stls {
            let port = self.options.tls_port;
            return self.refuse(here, format_args!("STLS is not offered here; use TLS on port {port}"));
        }
        self.ok(format_args!("Begin TLS negotiation"));
        // What came in the clear must not be taken for what comes in secret.
        self.lines.clear();
        self.act(Action::StartTls(TlsPolicy::Serve));
        State::Handshake
    }

    fn opened(&mut self, tls: Option<&TlsInfo>) {
        if matches!(self.state, State::Unopened) {
            self.secured = tls.is_some();
            let hostname = self.options.hostname.clone();
            // No `<…>`: that would offer APOP. RFC 1939 §7.
            self.ok(format_args!("{hostname} POP3 Packetboat ready"));
            self.state = State::Authorization { user: None };
        }
    }

    fn handshake(&mut self, done: bool) {
        if matches!(self.state, State::Handshake) {
            self.lines.clear();
            self.secured = done;
            self.state = if done { State::Authorization { user: None } } else { self.hang_up() };
        }
    }

    fn answered(&mut self, answer: Answer) {
        let question = match mem::replace(&mut self.state, State::Closed) {
            State::Asked(question) => question,
            other => {
                self.state = other;
                return;
            }
        };
        self.state = match (question, answer) {
            (Question::Login, Answer::Login(answer)) => self.login_answered(answer),
            (Question::Open(who), Answer::Maildrop(drop)) => self.maildrop_open(&who, drop),
            (Question::Open(_), Answer::InUse) => {
                self.not_opened("[IN-USE] Another session has this maildrop open; try again later")
            }
            (Question::Open(_), Answer::LoginDelay) => {
                self.not_opened("[LOGIN-DELAY] This account was checked a moment ago; try again later")
            }
            (Question::Top(transaction, index), Answer::TopEnd(end)) => {
                self.top_known(transaction, index, end)
            }
            (Question::Update, Answer::Updated) => self.updated(),
            (question, Answer::Failed(why)) => self.failed(question, &why),
            // An answer to another question is a fault of ours; the client shall try again.
            (question, _) => self.failed(question, "Local confusion"),
        };
    }

    /// It could not be done.
    fn failed(&mut self, question: Question, why: &str) -> State {
        // Words that come from elsewhere stay on their line.
        let why: String = why.chars().filter(|c| !c.is_control()).collect();
        match question {
            Question::Login | Question::Open(_) => {
                self.refuse(State::Authorization { user: None }, format_args!("[SYS/TEMP] {why}"))
            }
            Question::Top(transaction, _) => {
                self.refuse(State::Transaction(transaction), format_args!("[SYS/TEMP] {why}"))
            }
            Question::Update => {
                self.note("update-failed", why.clone());
                self.line_out("-ERR", format_args!("[SYS/TEMP] Nothing has been removed: {why}"));
                self.hang_up()
            }
        }
    }

    /// Ends the session if it waits for something other than a command or an answer.
    fn give_up_waiting(&mut self) {
        if matches!(self.state, State::Penalty(_) | State::Handshake | State::Unopened) {
            self.state = self.hang_up();
        }
    }

    /// True if the deadline has come.
    fn ticked(&mut self) -> bool {
        if self.deadline.is_none_or(|due| self.now < due) {
            return false;
        }
        // The client may have been busy reading all that time.
        if mem::take(&mut self.streamed) {
            return true;
        }
        self.state = match mem::replace(&mut self.state, State::Closed) {
            State::Penalty(text) => self.login_failed(text),
            State::Authorization { .. } | State::Sasl(_) | State::Transaction(_) | State::Handshake => {
                // RFC 1939 §3: without a word, and without removing anything.
                self.note("timeout", String::new());
                self.hang_up()
            }
            other => other,
        };
        true
    }

    /// Sets the deadline of the state that has been reached.
    fn rest(&mut self) {
        let wait = match self.state {
            // A penalty has its deadline already.
            State::Penalty(_) => return,
            State::Unopened | State::Asked(_) | State::Listing(..) | State::Closed => None,
            State::Handshake => Some(limits::HANDSHAKE_WAIT),
            State::Authorization { .. } | State::Sasl(_) | State::Transaction(_) => Some(limits::IDLE),
        };
        self.deadline = wait.map(|wait| self.now.after(wait));
        self.streamed = false;
    }

    // What goes out.

    fn ok(&mut self, text: fmt::Arguments<'_>) {
        self.line_out("+OK", text);
    }

    fn err(&mut self, text: &str) {
        self.line_out("-ERR", format_args!("{text}"));
    }

    fn line_out(&mut self, status: &str, text: fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = write!(self.out, "{status} {text}\r\n");
    }

    /// Good, and on with this state.
    fn accept(&mut self, state: State, text: fmt::Arguments<'_>) -> State {
        self.ok(text);
        self.errors = 0;
        state
    }

    /// Not good. After too many of these, the session ends.
    fn refuse(&mut self, state: State, text: fmt::Arguments<'_>) -> State {
        self.errors += 1;
        if self.errors < limits::ERRORS {
            self.line_out("-ERR", text);
            return state;
        }
        self.note("too-many-errors", String::new());
        self.err("Too many errors; goodbye");
        self.hang_up()
    }

    fn ask(&mut self, ask: Ask, question: Question) -> State {
        self.act(Action::Ask(ask));
        State::Asked(question)
    }

    fn note(&mut self, event: &'static str, detail: String) {
        self.act(Action::Note(Note { event, detail }));
    }

    fn act(&mut self, action: Action<Ask>) {
        if !self.out.is_empty() {
            let bytes = self.out.split().freeze();
            self.actions.push_back(Action::Write(bytes));
        }
        self.actions.push_back(action);
    }

    /// The house closes. RFC 1939 §3: that removes nothing.
    fn leave(&mut self) -> State {
        self.err("[SYS/TEMP] The server is closing and has removed nothing; come again");
        self.hang_up()
    }

    /// All is said.
    fn hang_up(&mut self) -> State {
        self.lines.clear();
        self.act(Action::Close);
        State::Closed
    }
}

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn handle(&mut self, now: Moment, input: Input<'_, Answer>) {
        self.now = now;
        match input {
            Input::Opened(tls) => self.opened(tls.as_ref()),
            Input::Bytes(bytes) => {
                if !matches!(self.state, State::Closed) {
                    self.lines.push(bytes);
                }
                return;
            }
            Input::PeerClosed => {
                self.peer_closed = true;
                return self.give_up_waiting();
            }
            Input::TlsReady(_) => self.handshake(true),
            Input::TlsFailed(_) => self.handshake(false),
            Input::Answer(answer) => self.answered(answer),
            Input::Tick => {
                if !self.ticked() {
                    return;
                }
            }
            Input::Drain => {
                self.draining = true;
                return self.give_up_waiting();
            }
            Input::Changed { .. } | Input::Kept(_) => return,
        }
        self.rest();
    }

    fn next(&mut self) -> Option<Action<Ask>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                self.streamed |= matches!(action, Action::Stream { .. });
                return Some(action);
            }
            if !self.out.is_empty() {
                return Some(Action::Write(self.out.split().freeze()));
            }
            if !self.step() {
                return None;
            }
        }
    }

    fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    fn hungry(&self) -> bool {
        let waits = matches!(self.state, State::Asked(_) | State::Penalty(_) | State::Closed);
        !waits && self.lines.len() < limits::INPUT_HELD
    }
}
