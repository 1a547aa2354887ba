//! The IMAP server as a machine: input in, actions out, one command at a time.
//!
//! What never lives here: what a command does (`command`), and how anything is spelt (`parse`, `print`).

use mail::{ModSeq, Moment};

use super::ask::{Answer, Ask, Code};
use super::capability;
use super::command::{self, Around, Begin, Event, Job, Outcome, Status, Step, Then, Want};
use super::limits;
use super::out::Out;
use super::parse::{self, Reader};
use super::pending::{News, Telling};
use super::state::{NotAuthenticated, State};
use super::types::Command;
use crate::{Action, Input, Note, Session, TlsPolicy};

/// The settings of a door.
#[derive(Clone, Debug)]
pub struct Options {
    /// Our name, for the greeting.
    pub hostname: String,
    /// STARTTLS is offered where the connection is not secured.
    pub starttls: bool,
    /// Passwords are taken without TLS.
    pub plain_login: bool,
    /// Octets of a message at most. RFC 7889.
    pub append_limit: u64,
    /// What ID says of us; empty is NIL. RFC 2971 §3.3.
    pub id: Vec<(String, String)>,
}

/// One IMAP session, the server's side.
pub struct Server {
    options: Options,
    phase: Phase,
    state: State,
    reader: Reader,
    out: Out,
    current: Option<Current>,
    now: Moment,
    opened: Moment,
    /// When the client last sent something.
    heard: Moment,
    /// An ask is open.
    asked: bool,
    answer: Option<Answer>,
    /// Something has come that a waiting command may want to look at.
    poked: bool,
    /// The client will send no more.
    peer_closed: bool,
    /// The house closes.
    draining: bool,
    /// No command has come yet.
    first: bool,
    faults: u32,
    /// Bodies begun.
    bodies: u64,
    unkept: Unkept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Not yet opened.
    New,
    Open,
    Handshake,
    Closed,
}

/// The command at work.
struct Current {
    tag: String,
    news: News,
    job: Option<Job>,
    /// It waits for this.
    waiting: Option<Want>,
    refresh: Option<Refresh>,
    /// It is over; news may still have to be told.
    outcome: Option<Outcome>,
}

/// News being learnt and told.
struct Refresh {
    news: News,
    asked: bool,
    telling: Option<Telling>,
}

impl Refresh {
    fn new(news: News) -> Refresh {
        Refresh { news, asked: false, telling: None }
    }
}

/// Pieces of a body that are handed on and not yet written.
#[derive(Debug, Default)]
struct Unkept {
    pieces: std::collections::VecDeque<usize>,
    octets: usize,
}

impl Unkept {
    fn handed_on(&mut self, octets: usize) {
        self.pieces.push_back(octets);
        self.octets += octets;
    }

    fn kept(&mut self) {
        self.octets -= self.pieces.pop_front().unwrap_or(0);
    }
}

impl Session for Server {
    type Ask = Ask;
    type Answer = Answer;

    fn handle(&mut self, now: Moment, input: Input<'_, Answer>) {
        self.now = now;
        if self.phase == Phase::Closed {
            return;
        }
        self.poked = true;
        match input {
            Input::Opened(tls) => self.open(tls.is_some()),
            Input::Bytes(bytes) => self.bytes(bytes),
            Input::PeerClosed => self.peer_closed = true,
            Input::TlsReady(_) => self.secured(),
            Input::TlsFailed(_) => self.close(),
            Input::Answer(answer) => {
                if std::mem::take(&mut self.asked) {
                    self.answer = Some(answer);
                }
            }
            Input::Changed { source, head } => self.changed(source, head),
            Input::Kept(_) => self.unkept.kept(),
            Input::Tick => self.tick(),
            Input::Drain => self.draining = true,
        }
    }

    fn next(&mut self) -> Option<Action<Ask>> {
        loop {
            if let Some(action) = self.out.pop() {
                if let Action::Keep { bytes, .. } = &action {
                    self.unkept.handed_on(bytes.len());
                }
                return Some(action);
            }
            if !self.advance() {
                self.out.flush();
                return self.out.pop();
            }
            if self.out.full() {
                self.out.flush();
            }
        }
    }

    fn deadline(&self) -> Option<Moment> {
        match self.phase {
            Phase::New | Phase::Closed => return None,
            Phase::Handshake => return Some(self.opened.after(limits::BEFORE_LOGIN)),
            Phase::Open => {}
        }
        let waiting = match &self.current {
            _ if self.asked => return None,
            Some(current) => match current.waiting {
                Some(Want::Until(moment)) => return Some(moment),
                // It is the client that must take what is being said; the driver watches over that.
                None => return None,
                waiting => waiting,
            },
            None => None,
        };
        if matches!(self.state, State::NotAuthenticated(_)) {
            return Some(self.opened.after(limits::BEFORE_LOGIN));
        }
        let midway = waiting == Some(Want::Literal) || self.reader.in_command();
        Some(self.heard.after(if midway { limits::STALL } else { limits::SILENCE }))
    }

    fn hungry(&self) -> bool {
        self.phase == Phase::Open
            && !self.asked
            && !self.peer_closed
            && self.unkept.octets < limits::UNKEPT_MAX
            && self.current.as_ref().is_none_or(|current| {
                current.refresh.is_none() && matches!(current.waiting, Some(Want::Line | Want::Literal))
            })
    }
}

impl Server {
    /// A session not yet opened.
    pub fn new(options: Options) -> Server {
        Server {
            options,
            phase: Phase::New,
            state: State::NotAuthenticated(NotAuthenticated::default()),
            reader: Reader::new(),
            out: Out::default(),
            current: None,
            now: Moment(0),
            opened: Moment(0),
            heard: Moment(0),
            asked: false,
            answer: None,
            poked: false,
            peer_closed: false,
            draining: false,
            first: true,
            faults: 0,
            bodies: 0,
            unkept: Unkept::default(),
        }
    }

    /// RFC 3501 §7.1: the greeting, with what a client would otherwise ask first.
    fn open(&mut self, secured: bool) {
        if self.phase != Phase::New {
            return;
        }
        self.phase = Phase::Open;
        (self.opened, self.heard) = (self.now, self.now);
        self.state = State::NotAuthenticated(NotAuthenticated { secured });
        let words = capability::words(&self.state, &self.options);
        let hostname = &self.options.hostname;
        self.out.line(format_args!("* OK [CAPABILITY {words}] {hostname} Packetboat at your service"));
    }

    fn bytes(&mut self, bytes: &[u8]) {
        // What comes in before the handshake is not to be taken for what comes after it. RFC 3501 §6.2.1.
        if self.phase == Phase::Open {
            self.heard = self.now;
            self.reader.push(bytes);
        }
    }

    /// RFC 3501 §6.2.1: what was known of the client before is forgotten.
    fn secured(&mut self) {
        if self.phase == Phase::Handshake {
            self.phase = Phase::Open;
            self.heard = self.now;
            self.reader.clear();
            self.state = State::NotAuthenticated(NotAuthenticated { secured: true });
        }
    }

    fn changed(&mut self, source: mail::LedgerId, head: ModSeq) {
        if self.state.user().is_some_and(|user| user.account.ledger() == source)
            && let Some(view) = self.state.view_mut()
        {
            view.hear(head);
        }
    }

    fn tick(&mut self) {
        if self.deadline().is_none_or(|due| self.now < due) {
            return;
        }
        match &self.current {
            Some(current) if matches!(current.waiting, Some(Want::Until(_))) => {}
            _ if self.phase == Phase::Handshake => self.close(),
            _ if self.state.user().is_none() => self.bye("There was no log-in in time"),
            _ => self.bye("Nothing was heard for too long"),
        }
    }

    /// One step; false if there is nothing to do before something comes from outside.
    fn advance(&mut self) -> bool {
        if self.asked || self.phase != Phase::Open {
            return false;
        }
        if self.current.is_some() { self.work() } else { self.read() }
    }

    /// Takes the next thing the client says.
    fn read(&mut self) -> bool {
        if self.draining {
            self.bye("The server is closing; please come back soon");
            return true;
        }
        let Some(event) = self.reader.next_event() else {
            if self.peer_closed {
                self.close();
            }
            return self.peer_closed;
        };
        match event {
            parse::Event::Command(command) => self.begin(command),
            parse::Event::Invite => self.out.put("+ Go on\r\n"),
            parse::Event::AppendEnd => {}
            parse::Event::Bad { tag, text } => self.faulty(tag.as_deref(), &Outcome::bad(text)),
            parse::Event::BadCharset { tag } => {
                let outcome = Outcome::no("Only these are known").code("BADCHARSET (US-ASCII UTF-8)");
                self.answer_at_once(Some(&tag), &outcome);
            }
            parse::Event::TooBig { tag: Some(tag), text } => {
                self.faulty(Some(&tag), &Outcome::no(text).code("TOOBIG"));
            }
            parse::Event::TooBig { tag: None, text } => self.faulty(None, &Outcome::bad(text)),
            parse::Event::Overrun { text } => self.bye(&text),
        }
        true
    }

    /// What could not be read as a command.
    fn faulty(&mut self, tag: Option<&str>, outcome: &Outcome) {
        if std::mem::take(&mut self.first) && tag.is_some_and(is_other_protocol) {
            self.bye("This is an IMAP server");
            return;
        }
        self.answer_at_once(tag, outcome);
        self.count_fault();
    }

    fn answer_at_once(&mut self, tag: Option<&str>, outcome: &Outcome) {
        put_outcome(&mut self.out, tag.unwrap_or("*"), outcome);
    }

    fn count_fault(&mut self) {
        self.faults += 1;
        let most = match self.state {
            State::NotAuthenticated(_) => limits::FAULTS_MAX_BEFORE_LOGIN,
            _ => limits::FAULTS_MAX,
        };
        if self.faults >= most {
            self.bye("That was too much that made no sense");
        }
    }

    fn begin(&mut self, command: Command) {
        self.first = false;
        let Command { tag, body } = command;
        let mut around = Around {
            options: &self.options,
            out: &mut self.out,
            now: self.now,
            tag: &tag,
            bodies: &mut self.bodies,
        };
        let (news, begun) = command::begin(body, &mut self.state, &mut around);
        let (job, outcome) = match begun {
            Begin::Job(job) => (Some(job), None),
            Begin::Now(outcome) => (None, Some(outcome)),
        };
        self.current = Some(Current { tag, news, job, waiting: None, refresh: None, outcome: None });
        if let Some(outcome) = outcome {
            self.done(outcome);
        }
    }

    /// Goes on with the command at work.
    fn work(&mut self) -> bool {
        let Some(current) = &self.current else { return false };
        if current.refresh.is_some() {
            self.refresh();
            return true;
        }
        if current.outcome.is_some() {
            self.finish();
            return true;
        }
        let event = match (self.answer.take(), current.waiting) {
            (Some(answer), _) => Some(Event::Answer(answer)),
            (None, None) => Some(Event::Go),
            (None, Some(Want::Line)) => self.line(),
            (None, Some(Want::Literal)) => self.literal(),
            (None, Some(Want::Until(moment))) => (self.now >= moment).then_some(Event::Go),
        };
        match event {
            Some(event) => self.step(event),
            None if self.phase == Phase::Closed => {}
            None if self.peer_closed => self.close(),
            None => return false,
        }
        true
    }

    fn line(&mut self) -> Option<Event> {
        match self.reader.take_line(limits::REPLY_LINE_MAX) {
            Some(Ok(line)) => Some(Event::Line(line)),
            Some(Err(parse::LineTooLong)) => Some(Event::LineTooLong),
            None if self.draining => {
                self.bye("The server is closing; please come back soon");
                None
            }
            None => std::mem::take(&mut self.poked).then_some(Event::Go),
        }
    }

    fn literal(&mut self) -> Option<Event> {
        if self.reader.literal_left() > 0 {
            return self.reader.take_literal(limits::KEEP_PIECE).map(Event::Octets);
        }
        match self.reader.next_event()? {
            parse::Event::AppendEnd => Some(Event::End(None)),
            parse::Event::Bad { text, .. } | parse::Event::TooBig { text, .. } => {
                Some(Event::End(Some(text)))
            }
            parse::Event::Overrun { text } => {
                self.bye(&text);
                None
            }
            _ => Some(Event::End(Some("The command does not end where it should".to_owned()))),
        }
    }

    fn step(&mut self, event: Event) {
        let Some(current) = &mut self.current else { return };
        current.waiting = None;
        let mut around = Around {
            options: &self.options,
            out: &mut self.out,
            now: self.now,
            tag: &current.tag,
            bodies: &mut self.bodies,
        };
        let step = match (&mut current.job, &mut self.state) {
            (Some(Job::Entry(task)), State::NotAuthenticated(entry)) => task.step(entry, &mut around, event),
            (Some(Job::User(task)), State::Authenticated(user)) => task.step(user, &mut around, event),
            (Some(Job::User(task)), State::Selected(selected)) => {
                task.step(&mut selected.user, &mut around, event)
            }
            (Some(Job::Mailbox(task)), State::Selected(selected)) => task.step(selected, &mut around, event),
            // A command is begun only in its state, and no other changes it meanwhile.
            _ => Step::Done(Outcome::muddled()),
        };
        match step {
            Step::Again => {}
            Step::Ask(ask) => self.ask(ask),
            Step::Refresh(news) => current.refresh = Some(Refresh::new(news)),
            Step::Wait(want) => {
                current.waiting = Some(want);
                if want == Want::Literal {
                    self.reader.accept_append();
                }
            }
            Step::Done(outcome) => self.done(outcome),
        }
    }

    fn ask(&mut self, ask: Ask) {
        self.out.act(Action::Ask(ask));
        self.asked = true;
    }

    /// The command is over but for the news: what it changes takes effect.
    fn done(&mut self, mut outcome: Outcome) {
        // If this was an APPEND that ended before its literal did, the rest of it is not for us.
        self.reader.refuse_append(limits::APPEND_SKIP_MAX);
        let then = std::mem::replace(&mut outcome.then, Then::Nothing);
        match then {
            Then::StartTls | Then::Logout => outcome.then = then,
            other => self.apply(other),
        }
        let Some(current) = &mut self.current else { return };
        current.job = None;
        current.waiting = None;
        current.outcome = Some(outcome);
        if current.news != News::Nothing {
            current.refresh = Some(Refresh::new(current.news));
        }
    }

    fn apply(&mut self, then: Then) {
        let state = std::mem::replace(&mut self.state, State::NotAuthenticated(NotAuthenticated::default()));
        self.state = match (then, state) {
            (Then::LoggedIn(who), State::NotAuthenticated(entry)) => {
                self.faults = 0;
                self.reader.set_command_max(limits::COMMAND_MAX);
                self.out.act(Action::Watch(who.account.ledger()));
                self.out.act(Action::Note(Note { event: "imap-logged-in", detail: who.address.clone() }));
                State::Authenticated(entry.welcome(&who))
            }
            (Then::Selected(view), state) => state.select(*view),
            (Then::Unselected, state) => state.unselect(),
            (Then::Touched(name), State::Selected(mut selected)) => {
                if selected.view.name == name {
                    selected.view.doubt();
                }
                State::Selected(selected)
            }
            (Then::Deleted(name), State::Selected(selected)) if selected.view.name == name => {
                State::Selected(selected).unselect()
            }
            (Then::Renamed(from, to), State::Selected(mut selected)) => {
                selected.view.renamed(&from, &to);
                State::Selected(selected)
            }
            (_, state) => state,
        };
    }

    /// Learns the news of the mailbox, if there may be any, and tells what is to be told.
    fn refresh(&mut self) {
        let Some(current) = &mut self.current else { return };
        let Some(refresh) = &mut current.refresh else { return };
        let State::Selected(selected) = &mut self.state else {
            current.refresh = None;
            return;
        };
        if let Some(telling) = &mut refresh.telling {
            if telling.tell(&mut selected.view, refresh.news, selected.user.condstore, &mut self.out) {
                current.refresh = None;
            }
            return;
        }
        if !refresh.asked && selected.view.has_news() {
            refresh.asked = true;
            let ask = Ask::Since {
                account: selected.user.account,
                mailbox: selected.view.mailbox,
                after: selected.view.seen(),
            };
            self.ask(ask);
            return;
        }
        refresh.telling = Some(match self.answer.take() {
            Some(Answer::Changes(changes)) => selected.view.learn(changes),
            Some(Answer::No { code: Code::NonExistent, .. }) => {
                selected.view.lose();
                Telling::default()
            }
            Some(_) => {
                selected.view.give_up();
                Telling::default()
            }
            None => Telling::default(),
        });
    }

    /// The tagged response, and what comes after it.
    fn finish(&mut self) {
        let Some(Current { tag, outcome: Some(outcome), .. }) = self.current.take() else { return };
        put_outcome(&mut self.out, &tag, &outcome);
        match outcome.then {
            Then::Logout => self.close(),
            Then::StartTls => {
                self.reader.clear();
                self.phase = Phase::Handshake;
                self.out.act(Action::StartTls(TlsPolicy::Serve));
            }
            _ if outcome.status == Status::Bad => self.count_fault(),
            _ if outcome.status == Status::Ok && self.state.user().is_some() => self.faults = 0,
            _ => {}
        }
    }

    /// RFC 3501 §7.1.5
    fn bye(&mut self, text: &str) {
        self.abandon();
        self.out.line(format_args!("* BYE {text}"));
        self.close();
    }

    fn close(&mut self) {
        self.abandon();
        self.current = None;
        self.asked = false;
        self.answer = None;
        self.reader = Reader::new();
        self.phase = Phase::Closed;
        self.out.act(Action::Close);
    }

    fn abandon(&mut self) {
        match self.current.as_mut().and_then(|current| current.job.as_mut()) {
            Some(Job::Entry(task)) => task.abandon(&mut self.out),
            Some(Job::User(task)) => task.abandon(&mut self.out),
            Some(Job::Mailbox(task)) => task.abandon(&mut self.out),
            None => {}
        }
    }
}

fn put_outcome(out: &mut Out, tag: &str, outcome: &Outcome) {
    out.put(tag);
    out.put(match outcome.status {
        Status::Ok => " OK ",
        Status::No => " NO ",
        Status::Bad => " BAD ",
    });
    if let Some(code) = &outcome.code {
        out.put("[");
        out.put(code);
        out.put("] ");
    }
    // The text of an answer comes from elsewhere, and must not end the line.
    for (i, piece) in outcome.text.split(['\r', '\n']).enumerate() {
        out.put(if i == 0 { "" } else { " " });
        out.put(piece);
    }
    out.put("\r\n");
}

/// The first words of those who have come to the wrong door.
fn is_other_protocol(tag: &str) -> bool {
    const WORDS: [&str; 13] = [
        "GET", "HEAD", "POST", "PUT", "OPTIONS", "CONNECT", "TRACE", "PATCH", "PROPFIND", "PRI", "EHLO",
        "HELO", "USER",
    ];
    WORDS.contains(&tag.to_ascii_uppercase().as_str())
}

/// The driver moves sessions between threads.
const _: fn() = || {
    fn sent<T: Send>() {}
    sent::<Server>();
};
