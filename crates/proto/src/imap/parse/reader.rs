//! From octets in any chunking to whole commands, with literals invited, handed on or refused.
//!
//! A line that ends in `{n}`, `{n+}` or `~{n}` outside of quotes announces a literal, whatever the rest of it
//! says. This is decided by shape alone, before the grammar has its say, so that a command that turns out to be
//! wrong is still read to its true end and the octets of a literal are never taken for commands. RFC 7888 §4.

use bytes::{Buf, Bytes, BytesMut};

use super::command::{self, Failure};
use super::cursor::Fault;
use crate::imap::limits;
use crate::imap::types::{Command, CommandBody};
use crate::line::find;

/// What the reader has found.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A whole command. After `CommandBody::Append` the reader waits: the session calls `accept_append` (and, if
    /// the literal is synchronizing, writes the invitation itself) or `refuse_append`.
    Command(Command),
    /// A synchronizing literal within a command is welcome: write a continuation request. RFC 9051 §7.6.
    Invite,
    /// The command that was an APPEND has ended as it should; now it may be filed.
    AppendEnd,
    /// Write a BAD with this text, tagged if there is a tag.
    Bad {
        /// The tag, if it could be read.
        tag: Option<String>,
        /// `FETCH: expected a sequence set at "abc"`: printable US-ASCII, never a password.
        text: String,
    },
    /// Write NO with `[BADCHARSET (US-ASCII UTF-8)]`. RFC 9051 §7.1.
    BadCharset {
        /// The tag.
        tag: String,
    },
    /// A command is over a limit and its octets were not kept: write NO with `[TOOBIG]` or, without a tag, BAD.
    TooBig {
        /// The tag, if it could be read.
        tag: Option<String>,
        /// Which limit.
        text: String,
    },
    /// More was sent or announced after a refusal than the reader is willing to drop: write BYE with this text
    /// and close. No event follows.
    Overrun {
        /// Why.
        text: String,
    },
}

/// A line longer than `Reader::take_line` was told to take. Its octets are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong;

/// Reads commands. Memory: what was pushed and not yet taken, plus one command within its limits.
#[derive(Debug)]
pub struct Reader {
    input: BytesMut,
    /// So many octets at the start of `input` are known to hold no LF.
    scanned: usize,
    /// Lines and literals of the command so far; empty while its first line is awaited.
    gathered: Vec<u8>,
    state: State,
    /// The octets now gathered follow the literal of this APPEND.
    append: Option<AppendTail>,
    /// So many more octets of a refused command are dropped before it is too much.
    skip_left: u64,
    command_max: usize,
    utf8: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// A line is awaited.
    Line,
    /// So many octets of a literal are awaited.
    Literal(usize),
    /// The session must say what becomes of the literal of APPEND.
    AppendAsked { size: u64, synchronizing: bool },
    /// The session takes the literal of APPEND.
    AppendLiteral(u64),
    /// A refused literal is dropped, then the rest of its command.
    SkipLiteral(u64),
    /// The rest of a refused line is dropped. `last` are the octets before, to see whether it announces a literal.
    SkipLine { last: Vec<u8> },
    /// `Overrun` is due.
    Overrun(String),
    /// Nothing more is read.
    Dead,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct AppendTail {
    tag: String,
    /// RFC 6855 §4: `UTF8 (~{n}…)`.
    parenthesis: bool,
}

/// A literal as announced at the end of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Announced {
    /// Octets; a number that does not fit is `u64::MAX`.
    size: u64,
    synchronizing: bool,
}

/// One step: an event, another step, or more octets.
enum Step {
    Event(Event),
    Again,
    Wait,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader::new()
    }
}

impl Reader {
    /// A reader with the limits that hold before log-in.
    pub fn new() -> Reader {
        Reader {
            input: BytesMut::new(),
            scanned: 0,
            gathered: Vec::new(),
            state: State::Line,
            append: None,
            skip_left: 0,
            command_max: limits::COMMAND_MAX_BEFORE_LOGIN,
            utf8: false,
        }
    }

    /// Octets of a command with its literals from the next one on: `limits::COMMAND_MAX` after log-in.
    pub fn set_command_max(&mut self, octets: usize) {
        self.command_max = octets;
    }

    /// Mailbox names are UTF-8 from the next command on, no longer modified UTF-7. RFC 6855 §3, RFC 9051 §5.1.
    pub fn set_utf8(&mut self, on: bool) {
        self.utf8 = on;
    }

    /// Appends what has been read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    /// Octets pushed and not yet taken.
    pub fn buffered(&self) -> usize {
        self.input.len()
    }

    /// Part of a command has come: the patience for the rest of it may be shorter than for a new one.
    pub fn in_command(&self) -> bool {
        self.state != State::Line
            || self.append.is_some()
            || !self.gathered.is_empty()
            || !self.input.is_empty()
    }

    /// Forgets all that was received: what came before a TLS handshake must not be taken for what came after
    /// it. RFC 9051 §6.2.1.
    pub fn clear(&mut self) {
        self.input.clear();
        self.scanned = 0;
        self.end_command();
    }

    /// The next event, or `None` until more octets come or the session has dealt with an APPEND literal.
    pub fn next_event(&mut self) -> Option<Event> {
        loop {
            let step = match &self.state {
                State::Line => self.line(),
                State::Literal(left) => self.literal(*left),
                State::SkipLiteral(left) => self.skip_literal(*left),
                State::SkipLine { .. } => self.skip_line(),
                State::Overrun(text) => {
                    let text = text.clone();
                    self.state = State::Dead;
                    Step::Event(Event::Overrun { text })
                }
                State::AppendLiteral(0) => {
                    self.state = State::Line;
                    Step::Again
                }
                State::AppendAsked { .. } | State::AppendLiteral(_) | State::Dead => Step::Wait,
            };
            match step {
                Step::Event(event) => return Some(event),
                Step::Again => {}
                Step::Wait => return None,
            }
        }
    }

    /// Takes one line that is no command, without its ending: an answer to a SASL challenge, or DONE. Only to
    /// be called between commands. `max` octets at most, the ending not counted.
    pub fn take_line(&mut self, max: usize) -> Option<Result<Bytes, LineTooLong>> {
        if matches!(self.state, State::SkipLiteral(_) | State::SkipLine { .. }) {
            while let Step::Again = match &self.state {
                State::SkipLiteral(left) => self.skip_literal(*left),
                State::SkipLine { .. } => self.skip_line(),
                _ => Step::Wait,
            } {}
        }
        if self.state != State::Line || !self.gathered.is_empty() {
            return None;
        }
        let limit = max.saturating_add(2);
        let Some(at) = self.find_line_end(limit) else {
            if self.input.len() < limit {
                return None;
            }
            self.drop_line(limit);
            return Some(Err(LineTooLong));
        };
        let content = if at > 0 && self.input[at - 1] == b'\r' { at - 1 } else { at };
        self.scanned = 0;
        let mut line = self.input.split_to(at + 1);
        if content > max {
            return Some(Err(LineTooLong));
        }
        line.truncate(content);
        Some(Ok(line.freeze()))
    }

    /// The session wants the literal of the APPEND just found.
    pub fn accept_append(&mut self) {
        if let State::AppendAsked { size, .. } = self.state {
            self.state = State::AppendLiteral(size);
        }
    }

    /// The session does not want the literal of APPEND, or no more of it. One that waits to be invited is not
    /// sent at all; otherwise up to `skip_max` octets are dropped, and if more would come, `Overrun` is next.
    /// No `AppendEnd` follows.
    pub fn refuse_append(&mut self, skip_max: u64) {
        let left = match self.state {
            State::AppendAsked { synchronizing: true, .. } => return self.end_command(),
            State::AppendAsked { size, .. } => size,
            State::AppendLiteral(left) => left,
            _ => return,
        };
        self.end_command();
        self.skip_or_overrun(left, skip_max);
    }

    /// Octets of the accepted APPEND literal that have not been taken yet.
    pub fn literal_left(&self) -> u64 {
        match self.state {
            State::AppendLiteral(left) => left,
            _ => 0,
        }
    }

    /// The next octets of the accepted APPEND literal, at most `max`; `None` if none are here, or all have been
    /// taken.
    pub fn take_literal(&mut self, max: usize) -> Option<Bytes> {
        let State::AppendLiteral(left) = self.state else { return None };
        let want = self.input.len().min(max).min(usize::try_from(left).unwrap_or(usize::MAX));
        if want == 0 {
            return None;
        }
        self.state = State::AppendLiteral(left - want as u64);
        self.scanned = 0;
        Some(self.input.split_to(want).freeze())
    }

    /// A line of a command.
    fn line(&mut self) -> Step {
        let limit = limits::LINE_MAX.min(self.command_max.saturating_sub(self.gathered.len()));
        let Some(at) = self.find_line_end(limit) else {
            if self.input.len() < limit {
                return Step::Wait;
            }
            let tag = self.tag();
            self.drop_line(limit);
            return Step::Event(too_big(tag, "the command line is too long"));
        };
        let line = &self.input[..=at];
        if let Some(literal) = announced(line) {
            self.gathered.extend_from_slice(line);
            self.consume(at + 1);
            return self.announced(literal);
        }
        let step = if self.gathered.is_empty() && self.append.is_none() {
            whole(&self.input[..=at], self.utf8)
        } else {
            self.gathered.extend_from_slice(line);
            match &self.append {
                Some(append) => append.ended(&self.gathered),
                None => whole(&self.gathered, self.utf8),
            }
        };
        self.consume(at + 1);
        self.end_command();
        step
    }

    /// The gathered octets end in the announcement of a literal.
    fn announced(&mut self, literal: Announced) -> Step {
        let fits = literal.size <= limits::LITERAL_MAX as u64
            && literal.size.saturating_add(self.gathered.len() as u64) < self.command_max as u64;
        if self.append.is_none() && command::is_append(&self.gathered) {
            match command::parse(&self.gathered, self.utf8) {
                Ok(command) => return self.append_found(command),
                Err(Failure { fault: Fault::NeedLiteral, .. }) => {}
                Err(failure) => return self.refuse(literal, failure.event()),
            }
        }
        if !fits {
            let event = too_big(self.tag(), "the literal is too long");
            return self.refuse(literal, event);
        }
        // It fits, so it is far below usize::MAX.
        self.state = State::Literal(usize::try_from(literal.size).unwrap_or(usize::MAX));
        if literal.synchronizing { Step::Event(Event::Invite) } else { Step::Again }
    }

    /// The literal just announced is that of the message.
    fn append_found(&mut self, command: Command) -> Step {
        if let CommandBody::Append { size, synchronizing, .. } = command.body {
            let parenthesis = command::append_in_parenthesis(&self.gathered);
            let tag = command.tag.clone();
            self.end_command();
            self.append = Some(AppendTail { tag, parenthesis });
            self.state = State::AppendAsked { size, synchronizing };
        }
        Step::Event(Event::Command(command))
    }

    /// Says `event` and drops what belongs to the command. A client that waits for an invitation sends nothing
    /// more of it.
    fn refuse(&mut self, literal: Announced, event: Event) -> Step {
        self.end_command();
        if !literal.synchronizing {
            self.skip_or_overrun(literal.size, limits::SKIP_MAX);
        }
        Step::Event(event)
    }

    /// Drops `left` octets of a literal, if they are at most `most`, and then the rest of the command.
    fn skip_or_overrun(&mut self, left: u64, most: u64) {
        if left > most {
            self.state = overrun();
            return;
        }
        self.skip_left = limits::SKIP_MAX;
        self.state = State::SkipLiteral(left);
    }

    /// Octets of a literal that is an argument.
    fn literal(&mut self, left: usize) -> Step {
        let here = left.min(self.input.len());
        self.gathered.extend_from_slice(&self.input[..here]);
        self.consume(here);
        if here == left {
            self.state = State::Line;
            return Step::Again;
        }
        self.state = State::Literal(left - here);
        Step::Wait
    }

    fn skip_literal(&mut self, left: u64) -> Step {
        let here = self.input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.consume(here);
        let left = left - here as u64;
        if left == 0 {
            self.state = State::SkipLine { last: Vec::new() };
            return Step::Again;
        }
        self.state = State::SkipLiteral(left);
        Step::Wait
    }

    fn skip_line(&mut self) -> Step {
        let State::SkipLine { last } = &mut self.state else { return Step::Again };
        let end = find(b'\n', &self.input);
        let here = end.map_or(self.input.len(), |at| at + 1);
        if here as u64 > self.skip_left {
            self.state = overrun();
            return Step::Again;
        }
        self.skip_left -= here as u64;
        keep_last(last, &self.input[..here]);
        if end.is_none() {
            self.consume(here);
            return Step::Wait;
        }
        // The quotes of a line that was not kept are not known; by shape alone, more is dropped than less.
        let literal = by_shape(last);
        self.consume(here);
        self.state = match literal {
            Some(Announced { synchronizing: false, size }) if size > self.skip_left => overrun(),
            Some(Announced { synchronizing: false, size }) => {
                self.skip_left -= size;
                State::SkipLiteral(size)
            }
            _ => State::Line,
        };
        Step::Again
    }

    /// Drops the first `here` octets of an over-long line now and the rest of it as it comes.
    fn drop_line(&mut self, here: usize) {
        let mut last = Vec::new();
        keep_last(&mut last, &self.input[..here]);
        self.consume(here);
        self.end_command();
        self.skip_left = limits::SKIP_MAX;
        self.state = State::SkipLine { last };
    }

    /// Where the line ends, if that is among the first `limit` octets.
    fn find_line_end(&mut self, limit: usize) -> Option<usize> {
        let window = self.input.len().min(limit);
        let from = self.scanned.min(window);
        let found = find(b'\n', &self.input[from..window]).map(|offset| from + offset);
        if found.is_none() {
            self.scanned = window;
        }
        found
    }

    fn consume(&mut self, octets: usize) {
        self.input.advance(octets);
        self.scanned = 0;
    }

    /// The next octets are a new command.
    fn end_command(&mut self) {
        /// What is worth keeping for the next command that has a literal.
        const KEPT: usize = 4096;
        self.gathered.clear();
        self.gathered.shrink_to(KEPT);
        self.append = None;
        self.state = State::Line;
    }

    /// The tag of the command at hand, whose octets need not be all there.
    fn tag(&self) -> Option<String> {
        if let Some(append) = &self.append {
            return Some(append.tag.clone());
        }
        command::tag(if self.gathered.is_empty() { &self.input } else { &self.gathered })
    }
}

impl AppendTail {
    /// What to say at the end of APPEND, `rest` being what stood after the literal.
    fn ended(&self, rest: &[u8]) -> Step {
        let rest = rest.trim_ascii();
        if rest == (if self.parenthesis { b")" as &[u8] } else { b"" }) {
            return Step::Event(Event::AppendEnd);
        }
        let text = "APPEND: expected the end of the command after the literal".to_owned();
        Step::Event(Event::Bad { tag: Some(self.tag.clone()), text })
    }
}

/// What a whole command says. An empty line says nothing: some clients send one after a literal.
fn whole(octets: &[u8], utf8: bool) -> Step {
    if octets.trim_ascii().is_empty() {
        return Step::Again;
    }
    Step::Event(match command::parse(octets, utf8) {
        Ok(command) => Event::Command(command),
        Err(failure) => failure.event(),
    })
}

fn too_big(tag: Option<String>, text: &str) -> Event {
    Event::TooBig { tag, text: text.to_owned() }
}

fn overrun() -> State {
    State::Overrun("too much was sent after a refusal".to_owned())
}

/// The literal that a line announces; a brace within quotes announces nothing.
fn announced(line: &[u8]) -> Option<Announced> {
    let literal = by_shape(line)?;
    let mut quoted = false;
    let mut octets = line.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b'"' => quoted = !quoted,
            // Whatever is escaped does not end the quotes.
            b'\\' if quoted => _ = octets.next(),
            _ => {}
        }
    }
    (!quoted).then_some(literal)
}

/// The octets that tell whether a line announces a literal: `{`, twenty digits, `+}` CR LF.
const SHAPE: usize = 25;

/// The literal announced at the end of a line, its ending included: `{n}` or `{n+}`. RFC 7888 §3.
fn by_shape(line: &[u8]) -> Option<Announced> {
    let line = line.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line).strip_suffix(b"}")?;
    let open = line.iter().rev().take(SHAPE).position(|&octet| octet == b'{')?;
    let inside = &line[line.len() - open..];
    let (digits, synchronizing) = match inside.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inside, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')));
    Some(Announced { size: size.unwrap_or(u64::MAX), synchronizing })
}

/// Appends to `last` and keeps only what `by_shape` looks at.
fn keep_last(last: &mut Vec<u8>, more: &[u8]) {
    last.extend_from_slice(&more[more.len().saturating_sub(SHAPE + 3)..]);
    let excess = last.len().saturating_sub(SHAPE + 3);
    last.drain(..excess);
}
