//! Conversations as text: the parser and the player of transcripts, the same for every protocol.
//!
//! A file holds any number of transcripts. Each begins with `== TITLE`, may set `% NAME VALUE`, and then goes on
//! line by line:
//!
//! ```text
//! # a comment; empty lines say nothing either
//! C: bytes of the client, CR LF is added        C- the same without CR LF, with escapes \r \n \t \0 \xNN \\
//! S: a line of the server, CR LF expected       S- the same without CR LF, with escapes
//! ?: what the session asks, in the protocol's short text form
//! !: the answer to it, in text
//! K: a line added to the body in flight         K- the same without CR LF, with escapes
//! A: abandon        the body shown by K lines will not be used
//! T: 300            so many seconds pass; a tick if the deadline has come
//! TLS               the handshake that the session asked for (checked) is done
//! TLS!              it fails
//! PEER: closed      the client will send no more
//! DRAIN             the house closes
//! B: 1024 42        the bell: ledger 1024 has reached 42
//! N: event          a note. Compared only where a turn of the transcript mentions notes
//! W: watch 1024     likewise, and `W: unwatch 1024`
//! DEFLATE           the session starts compression
//! X: close          the session closes
//! ```
//!
//! Lines of the client that stand together are one piece of input. Every transcript is played whole, octet by
//! octet, and cut in two at every place; the conversation must be the same. Kept bytes are acknowledged at once.

#![allow(dead_code, reason = "each protocol's tests use their part of it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};
use proto::{Action, Coding, Input, Session, TlsFailure, TlsInfo};

/// When every transcript begins: 2026-01-01T00:00:00Z.
pub const START: Moment = Moment(1_767_225_600_000);

/// The `%` lines of a transcript.
pub type Settings = BTreeMap<String, String>;

/// What a protocol's test must supply.
pub trait Play {
    /// The session under test.
    type Session: Session;
    /// A fresh one. `% tls yes` makes the connection a secured one; the other settings are the protocol's own.
    fn session(&self, settings: &Settings) -> Self::Session;
    /// A stable short text for an ask.
    fn ask(&self, ask: &<Self::Session as Session>::Ask) -> String;
    /// The answer that a text stands for, given the ask it answers.
    fn answer(
        &self,
        ask: &<Self::Session as Session>::Ask,
        text: &str,
    ) -> Result<<Self::Session as Session>::Answer, String>;
    /// The octets of a stored body, already coded, for `Action::Stream`.
    fn stream(&self, blob: BlobId, range: Range<u64>, coding: Coding) -> Vec<u8> {
        panic!("this protocol streams nothing: {blob} {range:?} {coding:?}")
    }
}

/// One transcript.
pub struct Script {
    title: String,
    settings: Settings,
    turns: Vec<Turn>,
}

/// One input and all that the session does on it.
struct Turn {
    line: usize,
    give: Give,
    expect: Vec<Event>,
}

enum Give {
    Opened,
    Bytes(Vec<u8>),
    PeerClosed,
    TlsReady,
    TlsFailed,
    Answer(String),
    Pass(u64),
    Drain,
    Bell(u64, u64),
}

/// What a session does, bytes that stand together merged.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Event {
    Wrote(Vec<u8>),
    Kept(Vec<u8>),
    /// Any other, as its line.
    Line(String),
}

/// How the input is cut.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Octets,
    /// After so many octets of the client, counted over the whole transcript.
    At(usize),
}

/// Plays every `.txt` of a folder below `tests/transcripts` in every cutting; fails with all differences at once,
/// and if there is no transcript.
pub fn play_folder<P: Play>(play: &P, folder: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no transcripts in {}", folder.display());
    let failures: Vec<String> = files.iter().flat_map(|file| play_file(play, file)).collect();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// Plays transcripts given as text; fails like `play_folder`.
pub fn play_text<P: Play>(play: &P, name: &str, text: &str) {
    let failures = play_all(play, name, text);
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

fn play_file<P: Play>(play: &P, path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    play_all(play, &name, &text)
}

fn play_all<P: Play>(play: &P, name: &str, text: &str) -> Vec<String> {
    let scripts = parse(name, text);
    assert!(!scripts.is_empty(), "{name}: no transcript in it");
    scripts.iter().filter_map(|script| play_script(play, name, script).err()).collect()
}

fn play_script<P: Play>(play: &P, name: &str, script: &Script) -> Result<(), String> {
    let said: usize = script
        .turns
        .iter()
        .map(|turn| if let Give::Bytes(bytes) = &turn.give { bytes.len() } else { 0 })
        .sum();
    let cuts = [Cut::Whole, Cut::Octets].into_iter().chain((1..said).map(Cut::At));
    for cut in cuts {
        Stage::new(play, script, cut)
            .perform()
            .map_err(|difference| format!("{name}: {} ({cut:?})\n{difference}", script.title))?;
    }
    Ok(())
}

/// A session being played.
struct Stage<'p, P: Play> {
    play: &'p P,
    script: &'p Script,
    cut: Cut,
    session: P::Session,
    now: Moment,
    /// Octets of the client given so far.
    given: usize,
    open: Option<<P::Session as Session>::Ask>,
    handshake: bool,
    closed: bool,
    /// Kept, and not yet followed by an ask: shown only if the body is not abandoned before.
    kept: Vec<u8>,
    /// Some of the body in flight has been shown.
    shown: bool,
    body: Option<BodyId>,
    events: Vec<Event>,
}

impl<'p, P: Play> Stage<'p, P> {
    fn new(play: &'p P, script: &'p Script, cut: Cut) -> Self {
        Stage {
            play,
            script,
            cut,
            session: play.session(&script.settings),
            now: START,
            given: 0,
            open: None,
            handshake: false,
            closed: false,
            kept: Vec::new(),
            shown: false,
            body: None,
            events: Vec::new(),
        }
    }

    fn perform(mut self) -> Result<(), String> {
        for turn in &self.script.turns {
            self.give(turn).map_err(|problem| format!("  line {}: {problem}", turn.line))?;
            compare(turn, &std::mem::take(&mut self.events))?;
        }
        match self.open {
            Some(ask) => Err(format!("  at the end an ask is open: {}", self.play.ask(&ask))),
            None => Ok(()),
        }
    }

    fn give(&mut self, turn: &Turn) -> Result<(), String> {
        match &turn.give {
            Give::Opened => {
                let tls = self.script.settings.get("tls").is_some_and(|value| value == "yes");
                self.input(Input::Opened(tls.then(tls_info)))
            }
            Give::Bytes(bytes) => self.give_bytes(bytes),
            Give::PeerClosed => self.input(Input::PeerClosed),
            Give::TlsReady | Give::TlsFailed if !std::mem::take(&mut self.handshake) => {
                Err("the session has not asked for a handshake".into())
            }
            Give::TlsReady => self.input(Input::TlsReady(tls_info())),
            Give::TlsFailed => self.input(Input::TlsFailed(TlsFailure("handshake failure".into()))),
            Give::Answer(text) => {
                let ask = self.open.take().ok_or("no ask is open")?;
                let answer = self.play.answer(&ask, text)?;
                self.input(Input::Answer(answer))
            }
            Give::Pass(seconds) => self.pass(*seconds),
            Give::Drain => self.input(Input::Drain),
            Give::Bell(source, head) => {
                self.input(Input::Changed { source: LedgerId(*source), head: ModSeq(*head) })
            }
        }
    }

    fn give_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        let begin = self.given;
        self.given += bytes.len();
        match self.cut {
            Cut::At(at) if begin < at && at < self.given => {
                let (left, right) = bytes.split_at(at - begin);
                self.input(Input::Bytes(left))?;
                self.input(Input::Bytes(right))
            }
            Cut::Octets => bytes.chunks(1).try_for_each(|octet| self.input(Input::Bytes(octet))),
            _ => self.input(Input::Bytes(bytes)),
        }
    }

    /// Time passes; the driver ticks whenever the deadline comes on the way.
    fn pass(&mut self, seconds: u64) -> Result<(), String> {
        let end = Moment(self.now.0 + seconds * 1000);
        for _ in 0..1000 {
            match self.session.deadline() {
                Some(due) if due <= end && !self.closed => {
                    self.now = self.now.max(due);
                    self.input(Input::Tick)?;
                }
                _ => {
                    self.now = end;
                    return Ok(());
                }
            }
        }
        Err("the session's deadline does not move on a tick".into())
    }

    fn input(&mut self, input: Input<'_, <P::Session as Session>::Answer>) -> Result<(), String> {
        if self.closed {
            // The driver has gone; what the client still sends reaches nobody.
            return Ok(());
        }
        self.session.handle(self.now, input);
        loop {
            let mut acknowledge: Vec<BodyId> = Vec::new();
            while let Some(action) = self.session.next() {
                self.act(action, &mut acknowledge)?;
            }
            if acknowledge.is_empty() {
                return Ok(());
            }
            acknowledge.into_iter().for_each(|id| self.session.handle(self.now, Input::Kept(id)));
        }
    }

    fn act(
        &mut self,
        action: Action<<P::Session as Session>::Ask>,
        acknowledge: &mut Vec<BodyId>,
    ) -> Result<(), String> {
        if self.closed {
            return Err("the session acts after its close".into());
        }
        match action {
            Action::Write(bytes) => self.wrote(&bytes),
            Action::Stream { blob, range, coding } => {
                let bytes = self.play.stream(blob, range, coding);
                self.wrote(&bytes);
            }
            Action::Keep { id, bytes } => {
                if self.body.replace(id) != Some(id) {
                    self.kept.clear();
                    self.shown = false;
                }
                self.kept.extend_from_slice(&bytes);
                acknowledge.push(id);
            }
            Action::Abandon(_) => {
                self.kept.clear();
                if std::mem::take(&mut self.shown) {
                    self.events.push(Event::Line("A: abandon".into()));
                }
            }
            Action::Watch(ledger) => self.events.push(Event::Line(format!("W: watch {}", ledger.0))),
            Action::Unwatch(ledger) => self.events.push(Event::Line(format!("W: unwatch {}", ledger.0))),
            Action::StartTls(_) => self.handshake = true,
            Action::StartDeflate => self.events.push(Event::Line("DEFLATE".into())),
            Action::Ask(ask) => {
                if self.open.is_some() {
                    return Err(format!("a second ask while one is open: {}", self.play.ask(&ask)));
                }
                self.show_kept();
                self.events.push(Event::Line(format!("?: {}", self.play.ask(&ask))));
                self.open = Some(ask);
            }
            Action::Note(note) => self.events.push(Event::Line(format!("N: {}", note.event))),
            Action::Close => {
                self.closed = true;
                self.open = None;
                self.events.push(Event::Line("X: close".into()));
            }
        }
        Ok(())
    }

    fn wrote(&mut self, bytes: &[u8]) {
        match self.events.last_mut() {
            Some(Event::Wrote(before)) => before.extend_from_slice(bytes),
            _ => self.events.push(Event::Wrote(bytes.to_vec())),
        }
    }

    /// Bytes are kept sooner or later depending on how the input was cut, so they are shown only when the
    /// session asks what becomes of them.
    fn show_kept(&mut self) {
        if !self.kept.is_empty() {
            self.shown = true;
            self.events.push(Event::Kept(std::mem::take(&mut self.kept)));
        }
    }
}

fn tls_info() -> TlsInfo {
    TlsInfo { version: "TLSv1.3".into(), cipher: "TLS13_AES_256_GCM_SHA384".into(), ..TlsInfo::default() }
}

/// Fails with the expected and the actual lines side by side, as a diff.
fn compare(turn: &Turn, events: &[Event]) -> Result<(), String> {
    let names = |kind: &str| {
        turn.expect.iter().any(|event| matches!(event, Event::Line(line) if line.starts_with(kind)))
    };
    let (notes, watches) = (names("N: "), names("W: "));
    let wanted = |event: &&Event| match event {
        Event::Line(line) if line.starts_with("N: ") => notes,
        Event::Line(line) if line.starts_with("W: ") => watches,
        _ => true,
    };
    let actual = render(&merge(events.iter().filter(wanted)));
    let expected = render(&turn.expect);
    if actual == expected {
        return Ok(());
    }
    let mut text = format!("  after line {}, expected (-) and actual (+):\n", turn.line);
    for (sign, line) in diff(&expected, &actual) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {sign} {line}");
    }
    Err(text)
}

fn merge<'e>(events: impl Iterator<Item = &'e Event>) -> Vec<Event> {
    let mut merged: Vec<Event> = Vec::new();
    for event in events {
        match (merged.last_mut(), event) {
            (Some(Event::Wrote(before)), Event::Wrote(bytes))
            | (Some(Event::Kept(before)), Event::Kept(bytes)) => {
                before.extend_from_slice(bytes);
            }
            _ => merged.push(event.clone()),
        }
    }
    merged
}

fn render(events: &[Event]) -> Vec<String> {
    let mut lines = Vec::new();
    for event in events {
        match event {
            Event::Wrote(bytes) => render_bytes('S', bytes, &mut lines),
            Event::Kept(bytes) => render_bytes('K', bytes, &mut lines),
            Event::Line(line) => lines.push(line.clone()),
        }
    }
    lines
}

fn render_bytes(letter: char, bytes: &[u8], lines: &mut Vec<String>) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|pair| pair == b"\r\n").map_or(rest.len(), |at| at + 2);
        let (line, after) = rest.split_at(end);
        let plain = line.strip_suffix(b"\r\n").and_then(|text| std::str::from_utf8(text).ok());
        match plain {
            Some(text) if !text.chars().any(char::is_control) => lines.push(format!("{letter}: {text}")),
            _ => lines.push(format!("{letter}- {}", escape(line))),
        }
        rest = after;
    }
}

/// The longest common lines stay; the transcripts are short enough for the plain table.
fn diff<'l>(old: &'l [String], new: &'l [String]) -> Vec<(char, &'l str)> {
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for (i, left) in old.iter().enumerate().rev() {
        for (j, right) in new.iter().enumerate().rev() {
            common[i][j] =
                if left == right { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            out.push((' ', old[i].as_str()));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            out.push(('-', old[i].as_str()));
            i += 1;
        } else {
            out.push(('+', new[j].as_str()));
            j += 1;
        }
    }
    out
}

fn parse(name: &str, text: &str) -> Vec<Script> {
    let mut scripts: Vec<Script> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if let Some(title) = line.strip_prefix("== ") {
            let opened = Turn { line: number, give: Give::Opened, expect: Vec::new() };
            scripts.push(Script { title: title.into(), settings: Settings::new(), turns: vec![opened] });
        } else if !line.trim().is_empty() && !line.starts_with('#') {
            let script =
                scripts.last_mut().unwrap_or_else(|| panic!("{name}:{number}: before the first title"));
            parse_line(script, number, line)
                .unwrap_or_else(|problem| panic!("{name}:{number}: {problem}: {line}"));
        }
    }
    // What stands together in the file is compared as one piece.
    for turn in scripts.iter_mut().flat_map(|script| &mut script.turns) {
        turn.expect = merge(turn.expect.iter());
    }
    scripts
}

fn parse_line(script: &mut Script, number: usize, line: &str) -> Result<(), String> {
    let (mark, rest) = match line {
        "TLS" | "TLS!" | "DRAIN" | "DEFLATE" => (line, ""),
        "C:" | "S:" | "K:" | "!:" => (line, ""),
        _ => line.split_once(' ').ok_or("no such line")?,
    };
    let whole = || [rest.as_bytes(), b"\r\n"].concat();
    let give = match mark {
        "%" => {
            let (key, value) = rest.split_once(' ').ok_or("a setting is `% NAME VALUE`")?;
            script.settings.insert(key.into(), value.trim().into());
            return Ok(());
        }
        "S:" => return expect(script, Event::Wrote(whole())),
        "S-" => return expect(script, Event::Wrote(unescape(rest)?)),
        "K:" => return expect(script, Event::Kept(whole())),
        "K-" => return expect(script, Event::Kept(unescape(rest)?)),
        "?:" | "N:" | "W:" | "A:" | "X:" | "DEFLATE" => {
            return expect(script, Event::Line(line.trim_end().into()));
        }
        "C:" => return say(script, number, &whole()),
        "C-" => return say(script, number, &unescape(rest)?),
        "!:" => Give::Answer(rest.into()),
        "T:" => Give::Pass(number_of(rest)?),
        "TLS" => Give::TlsReady,
        "TLS!" => Give::TlsFailed,
        "PEER:" => Give::PeerClosed,
        "DRAIN" => Give::Drain,
        "B:" => {
            let (source, head) = rest.split_once(' ').ok_or("a bell is `B: LEDGER HEAD`")?;
            Give::Bell(number_of(source)?, number_of(head)?)
        }
        _ => return Err("no such line".into()),
    };
    script.turns.push(Turn { line: number, give, expect: Vec::new() });
    Ok(())
}

fn expect(script: &mut Script, event: Event) -> Result<(), String> {
    script.turns.last_mut().ok_or("no turn")?.expect.push(event);
    Ok(())
}

/// Lines of the client that stand together are one input.
fn say(script: &mut Script, number: usize, bytes: &[u8]) -> Result<(), String> {
    match script.turns.last_mut() {
        Some(Turn { give: Give::Bytes(before), expect, .. }) if expect.is_empty() => {
            before.extend_from_slice(bytes);
        }
        _ => script.turns.push(Turn { line: number, give: Give::Bytes(bytes.to_vec()), expect: Vec::new() }),
    }
    Ok(())
}

fn number_of(text: &str) -> Result<u64, String> {
    text.trim().parse().map_err(|_| format!("not a number: {text}"))
}

/// Octets as printable text; `unescape` reads it back.
pub fn escape(bytes: &[u8]) -> String {
    let mut text = String::new();
    for &octet in bytes {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => {
                // Writing to a string does not fail.
                let _ = write!(text, "\\x{octet:02x}");
            }
        }
    }
    text
}

/// The octets that an escaped text stands for; other characters stand for their UTF-8.
pub fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        if letter != '\\' {
            bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        match rest.next() {
            Some('r') => bytes.push(b'\r'),
            Some('n') => bytes.push(b'\n'),
            Some('t') => bytes.push(b'\t'),
            Some('0') => bytes.push(0),
            Some('\\') => bytes.push(b'\\'),
            Some('x') => {
                let digits: String = rest.by_ref().take(2).collect();
                bytes.push(u8::from_str_radix(&digits, 16).map_err(|_| format!("bad escape \\x{digits}"))?);
            }
            other => return Err(format!("bad escape {other:?}")),
        }
    }
    Ok(bytes)
}
