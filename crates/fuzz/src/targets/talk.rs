//! A conversation with a session under test: what the driver and the house would do, and what must hold of every
//! session whatever it is told.
//!
//! The input is octets of the client with events between: `0xff` and a letter. `S` and `F` end a handshake well
//! or badly, `T` is the deadline, `D` the closing house, `B` the bell of the account's ledger, `P` the client's
//! last octet. Any other letter is an octet of the client, so `0xff` itself can be sent as `0xff 0xff`.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};
use proto::{Action, Coding, Input, Session, TlsFailure, TlsInfo};

use super::cut::Cut;
use crate::seeds::EVENT;

/// When every conversation begins: 2026-01-01T00:00:00Z.
pub const START: Moment = Moment(1_767_225_600_000);

/// What one turn of the peer may make a session do before it counts as a loop.
const ACTIONS_MAX: usize = 100_000;

/// The house that answers.
pub trait House<S: Session> {
    /// The answer to an ask; the same for the same sequence of asks.
    fn answer(&mut self, ask: S::Ask) -> S::Answer;
    /// A short text of an ask, to compare conversations by.
    fn show(&self, ask: &S::Ask) -> String;
    /// Octets of a stored body as they stand on the wire.
    fn stream(&self, blob: BlobId, range: Range<u64>, coding: Coding) -> Vec<u8>;
    /// Something happens in the account; the bell to ring.
    fn bell(&mut self) -> Option<(LedgerId, ModSeq)> {
        None
    }
}

/// What a session did, octets that stand together merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Did {
    /// It wrote.
    Wrote(Vec<u8>),
    /// It handed on octets of a body.
    Kept(BodyId, Vec<u8>),
    /// It will not use that body.
    Abandoned(BodyId),
    /// It asked.
    Asked(String),
    /// Anything else.
    Other(String),
    /// It closed.
    Closed,
}

/// A conversation.
#[derive(Debug)]
pub struct Talk<S: Session, H> {
    session: S,
    /// The house, as it is at the end.
    pub house: H,
    /// All that was done, in order.
    pub did: Vec<Did>,
    now: Moment,
    asked: Option<S::Ask>,
    /// An answer comes only after the next chunk.
    slow_house: bool,
    handshake: bool,
    closed: bool,
    gone: bool,
}

/// Plays the input whole and in another cutting, requires the same conversation, and returns it.
///
/// # Panics
/// When they differ, or when the session breaks a promise of its own.
pub fn twice<S: Session, H: House<S>>(data: &[u8], make: impl Fn() -> (S, H)) -> Talk<S, H> {
    let play = |cut: Cut, slow_house: bool| {
        let (session, house) = make();
        Talk::new(session, house, slow_house).play(data, cut)
    };
    let whole = play(Cut::Whole, false);
    let cut = Cut::other(data);
    let other = play(cut.clone(), data.len().is_multiple_of(2));
    let (one, two) = (matters(&whole.did), matters(&other.did));
    if one != two {
        let at = one.iter().zip(&two).take_while(|(one, two)| one == two).count();
        panic!("cut as {cut:?} it differs at {at}:\n{:?}\n{:?}", show(&one, at), show(&two, at));
    }
    whole
}

/// Without the bodies that were abandoned: how much of one was handed on before is nobody's business.
fn matters(did: &[Did]) -> Vec<Did> {
    let abandoned = |id: &BodyId| did.iter().any(|did| matches!(did, Did::Abandoned(other) if other == id));
    let mut kept: Vec<Did> = Vec::new();
    for did in did {
        match (kept.last_mut(), did) {
            (_, Did::Kept(id, _) | Did::Abandoned(id)) if abandoned(id) => {}
            (Some(Did::Wrote(before)), Did::Wrote(more)) => before.extend_from_slice(more),
            (_, did) => kept.push(did.clone()),
        }
    }
    kept
}

/// The octets of the client, without the events.
pub fn said(data: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    let mut octets = data.iter();
    while let Some(octet) = octets.next() {
        match octet {
            &EVENT => said.extend(octets.next().filter(|event| !b"SFTDBP".contains(event))),
            octet => said.push(*octet),
        }
    }
    said
}

fn show(did: &[Did], at: usize) -> Vec<String> {
    let shown = |one: &Did| match one {
        Did::Wrote(octets) => format!("wrote {}", octets.escape_ascii()),
        Did::Kept(id, octets) => format!("kept {id:?} {}", octets.escape_ascii()),
        other => format!("{other:?}"),
    };
    did.iter().skip(at).take(3).map(shown).collect()
}

impl<S: Session, H: House<S>> Talk<S, H> {
    fn new(session: S, house: H, slow_house: bool) -> Talk<S, H> {
        Talk {
            session,
            house,
            did: Vec::new(),
            now: START,
            asked: None,
            slow_house,
            handshake: false,
            closed: false,
            gone: false,
        }
    }

    fn play(mut self, data: &[u8], mut cut: Cut) -> Talk<S, H> {
        self.input(Input::Opened(None));
        self.settle();
        let mut rest = data;
        while !rest.is_empty() && !self.closed {
            let end = rest.iter().position(|octet| *octet == EVENT).unwrap_or(rest.len());
            let (octets, after) = rest.split_at(end);
            self.say(octets, &mut cut);
            let Some((event, after)) = after.split_first().and_then(|(_, rest)| rest.split_first()) else {
                break;
            };
            self.event(*event, &mut cut);
            rest = after;
        }
        // The peer goes in the end, whatever there is, and the session has to notice.
        self.event(b'S', &mut Cut::Whole);
        self.event(b'P', &mut Cut::Whole);
        for _ in 0..3 {
            self.event(b'T', &mut Cut::Whole);
        }
        assert!(self.closed, "the peer has gone, time has passed, and the session is still open");
        self
    }

    fn say(&mut self, octets: &[u8], cut: &mut Cut) {
        let mut rest = octets;
        while !rest.is_empty() && !self.closed && !self.gone {
            let (chunk, after) = rest.split_at(cut.next(rest.len()));
            let late = self.asked.take();
            self.input(Input::Bytes(chunk));
            if let Some(ask) = late {
                let answer = self.house.answer(ask);
                self.input(Input::Answer(answer));
            }
            if self.slow_house && !after.is_empty() {
                self.wait_for_time();
            } else {
                self.settle();
            }
            rest = after;
        }
        self.settle();
    }

    fn event(&mut self, event: u8, cut: &mut Cut) {
        self.settle();
        match event {
            b'S' | b'F' if self.handshake => {
                self.handshake = false;
                let failure = || Input::TlsFailed(TlsFailure("no".into()));
                self.input(if event == b'S' { Input::TlsReady(TlsInfo::default()) } else { failure() });
            }
            b'S' | b'F' => {}
            b'T' => self.tick(),
            b'D' => self.input(Input::Drain),
            b'B' => {
                if let Some((source, head)) = self.house.bell() {
                    self.input(Input::Changed { source, head });
                }
            }
            b'P' => {
                if !std::mem::replace(&mut self.gone, true) {
                    self.input(Input::PeerClosed);
                }
            }
            octet => self.say(&[octet], cut),
        }
        self.settle();
    }

    fn tick(&mut self) {
        if let Some(due) = self.session.deadline() {
            self.now = self.now.max(due);
            self.input(Input::Tick);
        }
    }

    /// Answers what is asked, and lets pass the time that the session itself insists on.
    fn settle(&mut self) {
        loop {
            self.wait_for_time();
            let Some(ask) = self.asked.take() else { return };
            let answer = self.house.answer(ask);
            self.input(Input::Answer(answer));
        }
    }

    /// A session that wants neither octets nor an answer must name the time at which it will go on.
    fn wait_for_time(&mut self) {
        for _ in 0..10 {
            if self.closed || self.handshake || self.gone || self.asked.is_some() || self.session.hungry() {
                return;
            }
            let due = self.session.deadline().expect("it waits for nothing at all");
            assert!(self.now.until(due) < Duration::from_secs(3 * 3600), "it waits for {due:?}");
            self.tick();
        }
        panic!("time passes, and nothing comes of it");
    }

    fn input(&mut self, input: Input<'_, S::Answer>) {
        if self.closed {
            return;
        }
        self.session.handle(self.now, input);
        for _ in 0..ACTIONS_MAX {
            let Some(action) = self.session.next() else { return };
            self.act(action);
        }
        panic!("it acts without end");
    }

    fn act(&mut self, action: Action<S::Ask>) {
        assert!(!self.closed, "it acts after its close: {}", name(&action));
        // It may only give up.
        let gives_up = matches!(action, Action::Close | Action::Note(_) | Action::Abandon(_));
        assert!(!self.handshake || gives_up, "it acts during the handshake: {}", name(&action));
        match action {
            Action::Write(bytes) => self.wrote(&bytes),
            Action::Stream { blob, range, coding } => {
                let octets = self.house.stream(blob, range, coding);
                self.wrote(&octets);
            }
            Action::Keep { id, bytes } => {
                self.kept(id, &bytes);
                self.session.handle(self.now, Input::Kept(id));
            }
            Action::Abandon(id) => self.did.push(Did::Abandoned(id)),
            Action::Watch(ledger) => self.did.push(Did::Other(format!("watches {}", ledger.0))),
            Action::Unwatch(ledger) => self.did.push(Did::Other(format!("watches {} no more", ledger.0))),
            Action::StartTls(_) => {
                self.handshake = true;
                self.did.push(Did::Other("handshake".into()));
            }
            Action::StartDeflate => self.did.push(Did::Other("deflate".into())),
            Action::Ask(ask) => {
                assert!(self.asked.is_none(), "it asks two things at once");
                self.did.push(Did::Asked(self.house.show(&ask)));
                self.asked = Some(ask);
            }
            Action::Note(note) => {
                assert!(
                    !note.event.is_empty() && note.event.bytes().all(|o| o.is_ascii_lowercase() || o == b'-')
                );
                self.did.push(Did::Other(format!("{} {}", note.event, note.detail)));
            }
            Action::Close => {
                self.closed = true;
                self.asked = None;
                self.did.push(Did::Closed);
            }
        }
    }

    fn wrote(&mut self, octets: &[u8]) {
        match self.did.last_mut() {
            Some(Did::Wrote(before)) => before.extend_from_slice(octets),
            _ if octets.is_empty() => {}
            _ => self.did.push(Did::Wrote(octets.to_vec())),
        }
    }

    fn kept(&mut self, id: BodyId, bytes: &Bytes) {
        match self.did.last_mut() {
            Some(Did::Kept(last, before)) if *last == id => before.extend_from_slice(bytes),
            _ => self.did.push(Did::Kept(id, bytes.to_vec())),
        }
    }

    /// All that was written, in order.
    pub fn wrote_all(&self) -> Vec<u8> {
        let wrote = |did: &Did| match did {
            Did::Wrote(octets) => octets.clone(),
            _ => Vec::new(),
        };
        self.did.iter().flat_map(wrote).collect()
    }
}

fn name<Q>(action: &Action<Q>) -> String {
    match action {
        Action::Write(bytes) => format!("writes {}", bytes.escape_ascii()),
        Action::Stream { .. } => "streams".into(),
        Action::Keep { .. } => "keeps".into(),
        Action::Abandon(_) => "abandons".into(),
        Action::Watch(_) | Action::Unwatch(_) => "watches".into(),
        Action::StartTls(_) | Action::StartDeflate => "changes the stream".into(),
        Action::Ask(_) => "asks".into(),
        Action::Note(note) => format!("notes {}", note.event),
        Action::Close => "closes".into(),
    }
}
