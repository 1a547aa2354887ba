//! The SMTP server session: greeting to goodbye, as a value.
//!
//! What never lives here: who may send what to whom (it asks), and anything that blocks.
//!
//! `State` says what the session waits for. Each step takes the state away, and returns the next one; when a step
//! cannot go on without more octets it says so, and only then are the peer's leaving and the house's closing
//! acted upon, so commands already received are answered first.

mod commands;
mod login;
mod message;

use std::collections::VecDeque;
use std::mem;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mail::{BodyId, Moment};

use super::ask::{Answer, Ask, Envelope, Reply};
use super::limits;
use super::receiving::Receiving;
use crate::line::{Endings, Lines};
use crate::login::LoggedIn;
use crate::sasl::Exchange;
use crate::{Action, Input, Note, Session, TlsInfo};

/// Whom a door is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Port 25: mail from other servers, nobody logs in.
    Relay,
    /// Ports 587 and 465: mail from people, who must log in. RFC 6409 §4.3.
    Submission,
}

/// What the administrator decides.
#[derive(Clone, Debug)]
pub struct Options {
    /// What we call ourselves.
    pub hostname: String,
    /// Whom the door is for.
    pub door: Door,
    /// STARTTLS is offered while the connection is not secured.
    pub starttls: bool,
    /// Passwords are taken without TLS too. For tests.
    pub plain_login: bool,
    /// Largest message in octets.
    pub max_size: u64,
    /// Most recipients of one message.
    pub max_recipients: usize,
    /// Where to log in, told to those who try it at a relay door.
    pub submission_doors: String,
}

impl Options {
    /// The usual settings of a door.
    pub fn new(hostname: impl Into<String>, door: Door) -> Options {
        Options {
            hostname: hostname.into(),
            door,
            starttls: true,
            plain_login: false,
            max_size: limits::MESSAGE,
            max_recipients: limits::RECIPIENTS,
            submission_doors: "587 (STARTTLS) or 465 (TLS)".into(),
        }
    }
}

/// What the session waits for.
#[derive(Debug)]
enum State {
    /// The connection to open.
    Unopened,
    /// A command.
    Command,
    /// The client's next line of a log-in.
    Sasl(Exchange),
    /// Octets of a message.
    Text(Flow),
    /// Octets of a chunk that belongs to no message, and then to give the reply.
    Discard { left: u64, reply: Reply },
    /// The answer to an ask.
    Asked(Question),
    /// The time at which a failed log-in is told.
    Penalty(Reply),
    /// The TLS handshake.
    Handshake,
    /// Nothing any more.
    Closed,
}

/// How the octets of a message come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Until the dot line.
    Data,
    /// `left` octets of a chunk of `size`.
    Chunk { left: u64, size: u64, last: bool },
}

/// The open ask, with what is needed to go on.
#[derive(Debug)]
enum Question {
    Login,
    Sender(Box<Envelope>),
    Recipient(String),
    Header(Bytes, Flow),
    Deliver(BodyId),
}

/// What a step led to.
enum Step {
    /// Go on with this state.
    On(State),
    /// This state needs octets that have not come.
    Starved(State),
    /// This state waits for something else than octets.
    Wait(State),
}

/// One mail transaction. RFC 5321 §3.3.
#[derive(Debug)]
struct Transaction {
    envelope: Box<Envelope>,
    receiving: Option<Receiving>,
}

/// What counts towards a limit since the last accepted message.
#[derive(Debug, Default)]
struct Counts {
    errors: u32,
    refused: u32,
    idle: u32,
}

/// An SMTP server session.
#[derive(Debug)]
pub struct Server {
    options: Options,
    peer: IpAddr,
    state: State,
    lines: Lines,
    out: BytesMut,
    actions: VecDeque<Action<Ask>>,
    now: Moment,
    deadline: Option<Moment>,
    /// Something has moved since the deadline was set.
    stirred: bool,
    /// When the message in flight must be whole.
    message_due: Moment,
    peer_closed: bool,
    draining: bool,
    tls: Option<TlsInfo>,
    helo: Option<String>,
    esmtp: bool,
    login: Option<LoggedIn>,
    failed_logins: u32,
    transaction: Option<Transaction>,
    counts: Counts,
    bodies: u64,
    /// The body in flight, and the sizes of its pieces that are not yet written.
    keeping: BodyId,
    unwritten: VecDeque<usize>,
    unwritten_total: usize,
}

impl Server {
    /// A session with the peer at this address.
    pub fn new(options: Options, peer: IpAddr) -> Server {
        Server {
            options,
            peer,
            state: State::Unopened,
            lines: Lines::new(limits::INPUT_LINE, Endings::Strict),
            out: BytesMut::new(),
            actions: VecDeque::new(),
            now: Moment(0),
            deadline: None,
            stirred: false,
            message_due: Moment(u64::MAX),
            peer_closed: false,
            draining: false,
            tls: None,
            helo: None,
            esmtp: false,
            login: None,
            failed_logins: 0,
            transaction: None,
            counts: Counts::default(),
            bodies: 0,
            keeping: BodyId(0),
            unwritten: VecDeque::new(),
            unwritten_total: 0,
        }
    }

    /// Goes on until octets, an answer or time are wanted.
    fn run(&mut self) {
        loop {
            let step = match mem::replace(&mut self.state, State::Closed) {
                State::Command => self.command(),
                State::Sasl(exchange) => self.sasl_line(exchange),
                State::Text(flow) => self.text(flow),
                State::Discard { left, reply } => self.discard(left, reply),
                waiting => Step::Wait(waiting),
            };
            match step {
                Step::On(state) => {
                    self.stirred = true;
                    self.state = state;
                }
                Step::Wait(state) => {
                    let idle = matches!(state, State::Unopened | State::Handshake | State::Penalty(_));
                    self.state = if self.peer_closed && idle { self.hang_up() } else { state };
                    return;
                }
                Step::Starved(state) => {
                    self.state = if self.peer_closed { self.hang_up() } else { state };
                    return;
                }
            }
        }
    }

    /// The house closes, and nothing is in flight that could still be finished.
    fn may_leave(&self) -> bool {
        self.draining && self.transaction.as_ref().is_none_or(|transaction| transaction.receiving.is_none())
    }

    fn opened(&mut self, tls: Option<TlsInfo>) {
        if !matches!(self.state, State::Unopened) {
            return;
        }
        self.tls = tls;
        let text = format!("{} ESMTP Packetboat", self.options.hostname);
        self.say(&Reply::new(220, "", text));
        self.state = State::Command;
        self.stirred = true;
    }

    /// RFC 3207 §4.2: what was learned before the handshake is forgotten.
    fn secured(&mut self, tls: TlsInfo) {
        if !matches!(self.state, State::Handshake) {
            return;
        }
        self.lines.clear();
        self.tls = Some(tls);
        self.helo = None;
        self.esmtp = false;
        self.login = None;
        self.end_transaction();
        self.state = State::Command;
        self.stirred = true;
    }

    fn answered(&mut self, answer: Answer) {
        let question = match mem::replace(&mut self.state, State::Closed) {
            State::Asked(question) => question,
            other => {
                self.state = other;
                return;
            }
        };
        self.stirred = true;
        self.state = match (question, answer) {
            (Question::Login, Answer::Login(answer)) => self.login_answered(answer),
            (Question::Sender(envelope), Answer::SenderOk) => self.sender_ok(envelope),
            (Question::Recipient(address), Answer::RecipientOk(targets)) => {
                self.recipient_ok(address, targets)
            }
            (Question::Header(header, flow), Answer::HeaderOk { prepend }) => {
                self.header_ok(prepend, header, flow)
            }
            (Question::Deliver(_), Answer::Delivered { id }) => self.delivered(&id),
            (question, Answer::Refuse(reply)) => self.refused(&question, reply),
            // An answer to another question is a fault of ours; the peer shall try again.
            (question, _) => self.refused(&question, Reply::new(451, "4.3.0", "Local confusion; try again")),
        };
    }

    fn refused(&mut self, question: &Question, reply: Reply) -> State {
        match question {
            Question::Login => self.refuse(&reply),
            Question::Sender(_) => self.refuse(&reply),
            Question::Recipient(_) => self.recipient_refused(&reply),
            Question::Header(_, flow) => self.header_refused(reply, *flow),
            Question::Deliver(body) => self.deliver_refused(*body, &reply),
        }
    }

    fn ticked(&mut self) {
        if self.deadline.is_none_or(|due| self.now < due) {
            return;
        }
        self.deadline = None;
        self.stirred = true;
        self.state = match mem::replace(&mut self.state, State::Closed) {
            State::Penalty(reply) => self.tell_failure(&reply),
            State::Handshake => self.hang_up(),
            State::Command | State::Sasl(_) | State::Text(_) | State::Discard { .. } => {
                self.note("timeout", String::new());
                self.leave("4.4.2", "Waited too long; goodbye")
            }
            other => other,
        };
    }

    /// Sets the deadline of the state that has been reached. RFC 5321 §4.5.3.2.
    fn set_deadline(&mut self) {
        let wait = |wait: Duration| Some(self.now.after(wait));
        self.deadline = match self.state {
            State::Unopened | State::Asked(_) | State::Closed => None,
            // Set where the penalty was given.
            State::Penalty(_) => self.deadline,
            State::Handshake => wait(limits::HANDSHAKE_WAIT),
            State::Command | State::Sasl(_) => wait(limits::COMMAND_WAIT),
            State::Discard { .. } => wait(limits::BODY_SILENCE),
            State::Text(_) => wait(limits::BODY_SILENCE).map(|due| due.min(self.message_due)),
        };
    }

    fn written(&mut self, id: BodyId) {
        if id == self.keeping
            && let Some(size) = self.unwritten.pop_front()
        {
            self.unwritten_total -= size;
        }
    }

    // What goes out.

    fn say(&mut self, reply: &Reply) {
        reply.write_to(&mut self.out);
    }

    fn act(&mut self, action: Action<Ask>) {
        self.flush();
        self.actions.push_back(action);
    }

    fn flush(&mut self) {
        if !self.out.is_empty() {
            let bytes = self.out.split().freeze();
            self.actions.push_back(Action::Write(bytes));
        }
    }

    fn note(&mut self, event: &'static str, detail: String) {
        self.act(Action::Note(Note { event, detail }));
    }

    fn ask(&mut self, ask: Ask, question: Question) -> State {
        self.act(Action::Ask(ask));
        State::Asked(question)
    }

    /// Good.
    fn accept(&mut self, reply: &Reply) -> State {
        self.say(reply);
        State::Command
    }

    /// The peer's mistake, or the house's refusal: counted, and after too many the session ends. A reply of 421
    /// always ends it. RFC 5321 §3.8.
    fn refuse(&mut self, reply: &Reply) -> State {
        self.say(reply);
        if reply.code == 421 {
            return self.hang_up();
        }
        self.counts.errors += 1;
        if self.counts.errors >= limits::ERRORS {
            self.note("too-many-errors", String::new());
            return self.leave("4.7.0", "Too many errors; goodbye");
        }
        State::Command
    }

    /// A command that is allowed, but brings no message nearer.
    fn accept_idle(&mut self, reply: &Reply) -> State {
        self.say(reply);
        self.counts.idle += 1;
        if self.counts.idle >= limits::IDLE_COMMANDS {
            self.note("too-many-commands", String::new());
            return self.leave("4.7.0", "Too many commands without mail; goodbye");
        }
        State::Command
    }

    /// 421 and away.
    fn leave(&mut self, enhanced: &'static str, text: &str) -> State {
        let text = format!("{} {text}", self.options.hostname);
        self.say(&Reply::new(421, enhanced, text));
        self.hang_up()
    }

    /// Away without a word.
    fn hang_up(&mut self) -> State {
        self.end_transaction();
        self.lines.clear();
        self.act(Action::Close);
        self.stirred = true;
        State::Closed
    }

    /// Forgets the transaction and the text already kept for it.
    fn end_transaction(&mut self) {
        if let Some(receiving) = self.transaction.take().and_then(|transaction| transaction.receiving)
            && receiving.kept
        {
            self.act(Action::Abandon(receiving.id));
        }
        self.message_due = Moment(u64::MAX);
        self.unwritten.clear();
        self.unwritten_total = 0;
    }
}

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn handle(&mut self, now: Moment, input: Input<'_, Answer>) {
        self.now = self.now.max(now);
        if matches!(self.state, State::Closed) {
            return;
        }
        match input {
            Input::Opened(tls) => self.opened(tls),
            // RFC 3207 §6: what comes before the handshake is dropped.
            Input::Bytes(_) if matches!(self.state, State::Handshake) => {}
            Input::Bytes(bytes) => {
                self.lines.push(bytes);
                self.stirred |= matches!(self.state, State::Text(_) | State::Discard { .. });
            }
            Input::PeerClosed => self.peer_closed = true,
            Input::TlsReady(tls) => self.secured(tls),
            Input::TlsFailed(failure) => {
                self.note("tls-failed", failure.0);
                self.state = self.hang_up();
            }
            Input::Answer(answer) => self.answered(answer),
            Input::Kept(id) => self.written(id),
            Input::Tick => self.ticked(),
            Input::Drain => self.draining = true,
            // The session watches nothing.
            Input::Changed { .. } => {}
        }
        self.run();
        if mem::take(&mut self.stirred) {
            self.set_deadline();
        }
    }

    fn next(&mut self) -> Option<Action<Ask>> {
        if self.actions.is_empty() {
            self.flush();
        }
        self.actions.pop_front()
    }

    fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    fn hungry(&self) -> bool {
        let waits = matches!(
            self.state,
            State::Unopened | State::Asked(_) | State::Penalty(_) | State::Handshake | State::Closed
        );
        !waits && !self.peer_closed && self.unwritten_total < limits::UNWRITTEN
    }
}
