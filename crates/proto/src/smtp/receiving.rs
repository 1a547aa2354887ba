//! One message on its way in: its header section held back until the house has seen it, the rest handed on as it
//! comes, its size counted, what was refused read to its end. The same for DATA and BDAT.
//!
//! What never lives here: the order of commands, and who decides.

use bytes::{Bytes, BytesMut};
use mail::BodyId;

use super::ask::Reply;
use super::data::{Decoder, Fault, Framing, Stop, is_header_line};
use super::limits::{DRAIN, HEADER};

/// Why a message will not be taken, and when the refusal is said: at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) reply: Reply,
    /// The peer's notion of a line is not ours; it is not safe to go on.
    pub(super) close: bool,
}

/// How things stand after some octets.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stand {
    /// More octets are wanted.
    Starved,
    /// The header section is complete. `go_on` or `refuse` comes next.
    Header(Bytes),
    /// The message has ended; `refusal` says whether it is any good.
    Ended,
    /// What was refused does not end.
    Endless,
}

#[derive(Debug)]
enum Phase {
    /// `line` is where the current line starts in `text`.
    Header {
        line: usize,
    },
    Asked,
    Body,
    Refused(Refusal),
}

/// The message.
#[derive(Debug)]
pub(super) struct Receiving {
    pub(super) id: BodyId,
    framing: Framing,
    decoder: Decoder,
    phase: Phase,
    ended: bool,
    /// Decoded, and not yet handed on.
    text: BytesMut,
    /// Octets handed on.
    handed: u64,
    limit: u64,
    drained: u64,
    /// Something has been kept, so it must be delivered or abandoned.
    pub(super) kept: bool,
}

impl Receiving {
    pub(super) fn new(id: BodyId, framing: Framing, limit: u64) -> Receiving {
        Receiving {
            id,
            framing,
            decoder: Decoder::new(framing),
            phase: Phase::Header { line: 0 },
            ended: false,
            text: BytesMut::new(),
            handed: 0,
            limit,
            drained: 0,
            kept: false,
        }
    }

    /// Octets of the message so far.
    pub(super) fn size(&self) -> u64 {
        self.handed + self.text.len() as u64
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        if let Phase::Refused(refusal) = &self.phase { Some(refusal) } else { None }
    }

    /// The header section was welcome.
    pub(super) fn go_on(&mut self) {
        if matches!(self.phase, Phase::Asked) {
            self.phase = Phase::Body;
        }
    }

    /// The message will not be taken: from here on its octets are dropped. The first reason stays.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        if self.refusal().is_none() {
            self.phase = Phase::Refused(refusal);
            self.text = BytesMut::new();
        }
    }

    /// The last announced octet has been fed. RFC 3030 §2.
    pub(super) fn finish(&mut self) {
        self.ended = true;
        if let Err(fault) = self.decoder.finish() {
            self.refuse(refusal_of(fault, self.framing));
        }
    }

    /// Text stands where the header section should, so an empty line must come before it.
    pub(super) fn headless(&self) -> bool {
        self.handed == 0 && !self.text.is_empty()
    }

    /// Text to hand on, if there are `least` octets of it.
    pub(super) fn hand_on(&mut self, least: usize) -> Option<Bytes> {
        let ready = matches!(self.phase, Phase::Body) && self.text.len() >= least.max(1);
        ready.then(|| {
            self.handed += self.text.len() as u64;
            self.text.split().freeze()
        })
    }

    /// Takes octets; returns how many, and how things stand.
    pub(super) fn feed(&mut self, input: &[u8]) -> (usize, Stand) {
        let mut used = 0;
        loop {
            let rest = &input[used..];
            let each_line = match self.phase {
                Phase::Asked => return (used, Stand::Starved),
                Phase::Refused(_) => {
                    let (taken, stand) = self.drain(rest);
                    return (used + taken, stand);
                }
                Phase::Header { line } if self.ended => return (used, self.header(self.last_end(line))),
                Phase::Body if self.ended => return (used, Stand::Ended),
                Phase::Header { .. } => true,
                Phase::Body => false,
            };
            let (taken, stop) = self.decoder.feed(rest, &mut self.text, each_line);
            used += taken;
            self.judge_size();
            match stop {
                Stop::Starved if self.refusal().is_none() => return (used, Stand::Starved),
                Stop::Starved => {}
                Stop::End => self.ended = true,
                Stop::Fault(fault) => self.refuse(refusal_of(fault, self.framing)),
                Stop::LineEnd => {
                    if let Some(end) = self.header_end() {
                        return (used, self.header(end));
                    }
                }
            }
        }
    }

    fn judge_size(&mut self) {
        if self.size() > self.limit {
            self.refuse(Refusal { reply: too_big(self.limit), close: false });
        } else if matches!(self.phase, Phase::Header { .. }) && self.text.len() > HEADER {
            let reply =
                Reply::new(552, "5.3.4", format!("The header section is longer than {HEADER} octets"));
            self.refuse(Refusal { reply, close: false });
        }
    }

    /// A line has ended: is it the empty one, or the first that is no field? Mail without any header exists, and
    /// its text must not be taken for fields. Then where does the section end?
    fn header_end(&mut self) -> Option<usize> {
        let Phase::Header { line: start } = self.phase else { return None };
        let end = self.text.len();
        let line = &self.text[start..end - 2];
        if line.is_empty() {
            return Some(end);
        }
        if !is_header_line(line, start == 0) {
            return Some(start);
        }
        self.phase = Phase::Header { line: end };
        None
    }

    /// The message ended within its header section; does what stands behind the last line end belong to it?
    fn last_end(&self, line: usize) -> usize {
        let rest = &self.text[line..];
        if rest.is_empty() || is_header_line(rest, line == 0) { self.text.len() } else { line }
    }

    /// Takes the header section off; a line behind it stays as the first of the body.
    fn header(&mut self, end: usize) -> Stand {
        self.phase = Phase::Asked;
        self.handed += end as u64;
        Stand::Header(self.text.split_to(end).freeze())
    }

    fn drain(&mut self, input: &[u8]) -> (usize, Stand) {
        if self.ended {
            return (0, Stand::Ended);
        }
        let room = usize::try_from(DRAIN.saturating_sub(self.drained)).unwrap_or(usize::MAX);
        let input = &input[..input.len().min(room)];
        let (used, end) = match self.framing {
            Framing::Dot => self.decoder.skip(input),
            Framing::Counted => (input.len(), false),
        };
        self.drained += used as u64;
        self.ended = end;
        let stand = if end {
            Stand::Ended
        } else if used == room {
            Stand::Endless
        } else {
            Stand::Starved
        };
        (used, stand)
    }
}

/// RFC 1870 §6.3.
pub(super) fn too_big(limit: u64) -> Reply {
    Reply::new(552, "5.3.4", format!("The message is larger than {limit} octets"))
}

fn refusal_of(fault: Fault, framing: Framing) -> Refusal {
    let (reply, bare) = match fault {
        Fault::BareCr => {
            (Reply::new(554, "5.6.0", "A CR without LF stands in the message; lines end with CR LF"), true)
        }
        Fault::BareLf => {
            (Reply::new(554, "5.6.0", "An LF without CR stands in the message; lines end with CR LF"), true)
        }
        Fault::LineTooLong => {
            (Reply::new(554, "5.6.0", "A line of the message is longer than a megabyte"), false)
        }
    };
    // What a BDAT chunk holds cannot be mistaken for commands; after DATA the peer may have seen another end.
    Refusal { reply, close: bare && framing == Framing::Dot }
}
