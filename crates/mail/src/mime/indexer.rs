//! The walk over a message: lines in, `Summary` out.
//!
//! Lines are the unit. Octets that come in pieces are put together only as far as a line needs to be known: a
//! header line up to the end of what is read of the section, a body line up to `LINE_HEAD`. So the summary does
//! not depend on how the message was cut, and memory does not depend on its size.

use memchr::{memchr, memchr_iter, memrchr};

use super::delimiter;
use super::fields::{self, Budget, Kind};
use crate::limits::{BOUNDARY_MAX, DEPTH_MAX, HEADER_MAX, LINE_HEAD, PARTS_MAX, SUMMARY_MAX};
use crate::parameter;
use crate::{Content, Envelope, Part, Summary, header};

/// Takes a message in pieces of any size and works out its [`Summary`]. RFC 2045, RFC 2046, RFC 5322.
///
/// Any octets are a message: what is broken is read as something, and every range lies inside the message.
#[derive(Debug)]
pub struct Indexer {
    /// Offset of the current line.
    at: u64,
    /// Line ends before `at`.
    lines: u64,
    /// The line before this one.
    previous: Line,
    /// The current line as far as it has come.
    partial: Partial,
    /// Parts that are not yet closed, the message first. Empty only at the very end.
    open: Vec<Open>,
    /// What is known of the header section that the last open part is in.
    head: Head,
    /// Boundaries that are being looked for.
    boundaries: usize,
    /// Parts begun, and those promised to a multipart.
    parts: usize,
    budget: Budget,
    /// The message, once it is closed.
    whole: Option<Summary>,
}

/// A complete line.
#[derive(Clone, Copy, Debug, Default)]
struct Line {
    start: u64,
    /// Octets of its end: 2 for CRLF, 1 for LF, 0 where the message ends without.
    end_length: u64,
}

/// A line whose end has not come.
#[derive(Debug, Default)]
struct Partial {
    /// Its first octets, as many as may matter.
    kept: Vec<u8>,
    /// All its octets.
    length: u64,
    /// The last two octets.
    tail: [u8; 2],
}

/// A part that has begun.
#[derive(Debug)]
struct Open {
    part: Part,
    /// Of a message; `None` for a part of a multipart.
    envelope: Option<Box<Envelope>>,
    /// Line ends before its body.
    lines_before: u64,
    state: State,
    /// Parts found in it.
    children: Vec<Part>,
    /// It stands in a multipart/digest: without a type it is a message. RFC 2046 §5.1.5.
    in_digest: bool,
}

#[derive(Debug)]
enum State {
    /// In its header section.
    Header,
    /// In a body without parts.
    Leaf,
    /// In a multipart; `boundary` until its closing delimiter, `promised` until its first part.
    Multipart { boundary: Option<Vec<u8>>, promised: bool },
    /// Around a message, which is the next open part until it is closed.
    Message(Option<Box<Summary>>),
}

/// A header section while it is read.
#[derive(Debug)]
struct Head {
    /// The field being read, if it is one that is kept.
    kind: Option<Kind>,
    /// Its value so far.
    value: Vec<u8>,
    /// There has been a line that belongs to the header for certain.
    begun: bool,
    /// There has been a Content-Type, readable or not.
    typed: bool,
    /// Octets of the section that will still be read.
    left: usize,
    /// The first of the latest lines that belong to no field.
    stray: Option<Stray>,
}

#[derive(Clone, Copy, Debug)]
struct Stray {
    at: u64,
    lines: u64,
    /// How much of the value came before.
    value: usize,
}

impl Default for Head {
    fn default() -> Head {
        Head { kind: None, value: Vec::new(), begun: false, typed: false, left: HEADER_MAX, stray: None }
    }
}

impl Open {
    fn new(header_start: u64, envelope: Option<Box<Envelope>>, in_digest: bool) -> Open {
        let part = Part { header: header_start..header_start, ..Part::default() };
        Open { part, envelope, lines_before: 0, state: State::Header, children: Vec::new(), in_digest }
    }

    fn boundary(&self) -> Option<&[u8]> {
        match &self.state {
            State::Multipart { boundary: Some(boundary), .. } => Some(boundary),
            _ => None,
        }
    }
}

impl Default for Indexer {
    fn default() -> Indexer {
        Indexer::new()
    }
}

impl Indexer {
    /// For a message of which nothing has come.
    pub fn new() -> Indexer {
        Indexer {
            at: 0,
            lines: 0,
            previous: Line::default(),
            partial: Partial::default(),
            open: vec![Open::new(0, Some(Box::default()), false)],
            head: Head::default(),
            boundaries: 0,
            parts: 1,
            budget: Budget(SUMMARY_MAX),
            whole: None,
        }
    }

    /// The next octets of the message.
    pub fn push(&mut self, mut octets: &[u8]) {
        if self.partial.length > 0 {
            let Some(end) = memchr(b'\n', octets) else {
                self.hold(octets);
                return;
            };
            self.hold(&octets[..=end]);
            octets = &octets[end + 1..];
            self.end_partial();
        }
        while !self.only_counts() {
            let Some(end) = memchr(b'\n', octets) else {
                self.hold(octets);
                return;
            };
            let (line, rest) = octets.split_at(end + 1);
            let end_length = if line.ends_with(b"\r\n") { 2 } else { 1 };
            self.line(line, line.len() as u64, end_length);
            octets = rest;
        }
        self.count(octets);
    }

    /// The message has ended.
    pub fn finish(mut self) -> Summary {
        if self.partial.length > 0 {
            self.end_partial();
        }
        self.close_to(0, self.at);
        // The last part to be closed was the message.
        self.whole.unwrap_or_default()
    }

    /// In a body where no delimiter is expected any more, nothing but lines and octets matter.
    fn only_counts(&self) -> bool {
        self.boundaries == 0 && !self.in_header()
    }

    fn in_header(&self) -> bool {
        self.open.last().is_some_and(|open| matches!(open.state, State::Header))
    }

    fn count(&mut self, octets: &[u8]) {
        let Some(end) = memrchr(b'\n', octets) else {
            self.hold(octets);
            return;
        };
        let (lines, rest) = octets.split_at(end + 1);
        self.lines += memchr_iter(b'\n', lines).count() as u64;
        self.at += lines.len() as u64;
        // Where that line began matters to delimiters alone.
        self.previous = Line { start: self.at - 1, end_length: 1 };
        self.hold(rest);
    }

    /// Keeps what may matter of a line until its end comes.
    fn hold(&mut self, octets: &[u8]) {
        let room = match self.only_counts() {
            true => 0,
            // The end of a line does not count against its room.
            false => (self.line_room() + 2).saturating_sub(self.partial.kept.len()),
        };
        self.partial.kept.extend_from_slice(&octets[..octets.len().min(room)]);
        self.partial.length += octets.len() as u64;
        self.partial.tail = match *octets {
            [] => self.partial.tail,
            [one] => [self.partial.tail[1], one],
            [.., one, two] => [one, two],
        };
    }

    /// The held line is complete, or the message has ended in it.
    fn end_partial(&mut self) {
        let mut held = std::mem::take(&mut self.partial);
        let end_length = match held.tail {
            [b'\r', b'\n'] => 2,
            [_, b'\n'] => 1,
            _ => 0,
        };
        self.line(&held.kept, held.length, end_length);
        // The allocation serves the next line, unless it is a rare large one.
        if held.kept.capacity() <= 4 * LINE_HEAD {
            held.kept.clear();
            self.partial.kept = held.kept;
        }
    }

    /// How many octets of the current line may matter, without its end.
    fn line_room(&self) -> usize {
        if self.in_header() { LINE_HEAD.max(self.head.left) } else { LINE_HEAD }
    }

    /// One line of `length` octets, the last `end_length` of which are its end; `kept` is as much of it as is known.
    fn line(&mut self, kept: &[u8], length: u64, end_length: u64) {
        let content_length = length - end_length;
        let known =
            usize::try_from(content_length).unwrap_or(usize::MAX).min(kept.len()).min(self.line_room());
        let content = &kept[..known];
        let cut = (known as u64) < content_length;
        let delimits =
            self.boundaries > 0 && content.starts_with(b"--") && self.delimiter(content, cut, length);
        if !delimits {
            while self.in_header() && self.header_line(content, length, end_length) {}
        }
        self.previous = Line { start: self.at, end_length };
        self.at += length;
        self.lines += u64::from(end_length > 0);
    }

    /// Closes and opens parts if the line is a delimiter; says whether it was.
    fn delimiter(&mut self, content: &[u8], cut: bool, length: u64) -> bool {
        let innermost_first = self.open.iter().enumerate().rev();
        let boundaries = innermost_first.filter_map(|(index, open)| Some((index, open.boundary()?)));
        let Some((index, closes)) = delimiter::find(content, cut, boundaries) else { return false };
        let in_digest = self.open[index].part.subtype.eq_ignore_ascii_case(b"digest");
        let State::Multipart { boundary, promised } = &mut self.open[index].state else { return false };
        if closes {
            *boundary = None;
            self.boundaries -= 1;
        } else if std::mem::take(promised) {
            // Counted when the multipart was opened.
        } else if self.parts < PARTS_MAX {
            self.parts += 1;
        } else {
            return false;
        }
        // The line end before a delimiter belongs to it. RFC 2046 §5.1.1.
        self.close_to(index + 1, self.at - self.previous.end_length);
        if !closes {
            self.open.push(Open::new(self.at + length, None, in_digest));
        }
        true
    }

    /// Reads a line of a header section; `true` if the section turned out to end before it, so that the line has
    /// to be looked at again.
    fn header_line(&mut self, content: &[u8], length: u64, end_length: u64) -> bool {
        let empty = content.is_empty() && length == end_length;
        if let (false, Some(stray)) = (self.head.begun, self.head.stray)
            && (empty || (!is_indented(content) && header::colon(content).is_none()))
        {
            // It began with indented lines, and what follows is no field either.
            self.end_header(stray.at, stray.lines);
            return true;
        }
        if empty {
            self.end_header(self.at + length, self.lines + 1);
            return false;
        }
        let of_message = self.open.last().is_some_and(|open| open.envelope.is_some());
        if let Some(colon) = header::colon(content) {
            self.end_field();
            self.head.begun = true;
            self.head.stray = None;
            self.head.kind = self.wanted(content[..colon].trim_ascii_end(), of_message);
            self.read(content, colon + 1, length);
        } else if self.head.begun || is_indented(content) {
            if self.head.stray.is_none() && !(self.head.begun && is_indented(content)) {
                let (at, lines, value) = (self.at, self.lines, self.head.value.len());
                self.head.stray = Some(Stray { at, lines, value });
            }
            if self.head.kind.is_some() {
                self.head.value.push(b'\n');
            }
            self.read(content, 0, length);
        } else if of_message && (content.starts_with(b"From ") || content.starts_with(b">From ")) {
            // The mark of an mbox, left in by a careless hand.
            self.head.begun = true;
            self.read(content, 0, length);
        } else {
            self.end_header(self.at, self.lines);
            return true;
        }
        false
    }

    /// What to keep the field for, if it can still matter.
    fn wanted(&mut self, name: &[u8], of_message: bool) -> Option<Kind> {
        let kind = fields::kind(name, of_message)?;
        if kind == Kind::Content(fields::Content::Type) && std::mem::replace(&mut self.head.typed, true) {
            return None;
        }
        let envelope = self.open.last()?.envelope.as_deref();
        let open = match (kind, envelope) {
            (Kind::Text(which), Some(envelope)) => fields::wants_text(envelope, which),
            (Kind::Addresses(which), Some(envelope)) => fields::wants_addresses(envelope, which),
            _ => true,
        };
        (open && self.head.left > 0).then_some(kind)
    }

    /// Adds a header line of `length` octets to the value of its field, from where the value begins.
    fn read(&mut self, content: &[u8], from: usize, length: u64) {
        if self.head.kind.is_some() {
            let read = &content[..content.len().min(self.head.left)];
            self.head.value.extend_from_slice(read.get(from..).unwrap_or_default());
        }
        self.head.left = self.head.left.saturating_sub(usize::try_from(length).unwrap_or(usize::MAX));
    }

    /// The field that was being read is whole.
    fn end_field(&mut self) {
        if let (Some(kind), Some(open)) = (self.head.kind.take(), self.open.last_mut()) {
            let (raw, budget) = (&self.head.value, &mut self.budget);
            match (kind, open.envelope.as_deref_mut()) {
                (Kind::Text(which), Some(envelope)) => fields::text(envelope, which, raw, budget),
                (Kind::Addresses(which), Some(envelope)) => fields::addresses(envelope, which, raw, budget),
                (Kind::Content(which), _) => fields::content(&mut open.part, which, raw, budget),
                // Envelope fields are kept only where there is an envelope.
                (Kind::Text(_) | Kind::Addresses(_), None) => {}
            }
        }
        self.head.value.clear();
    }

    /// The header section of the last open part ends here: what kind of body follows?
    fn end_header(&mut self, end: u64, lines: u64) {
        self.end_field();
        let value = std::mem::take(&mut self.head.value);
        let head = std::mem::replace(&mut self.head, Head { value, ..Head::default() });
        let may_contain = self.parts < PARTS_MAX && self.open.len() < DEPTH_MAX;
        let Some(open) = self.open.last_mut() else { return };
        let part = &mut open.part;
        part.header.end = end;
        part.body = end..end;
        open.lines_before = lines;
        if part.media.is_empty() {
            let (media, subtype) = match open.in_digest && !head.typed {
                true => ("message", "rfc822"),
                false => ("text", "plain"),
            };
            part.media = media.into();
            part.subtype = subtype.into();
        }
        open.state = State::Leaf;
        if !may_contain {
            return;
        }
        if part.media.eq_ignore_ascii_case(b"multipart") {
            let boundary = boundary(part);
            self.boundaries += usize::from(boundary.is_some());
            self.parts += 1;
            open.state = State::Multipart { boundary, promised: true };
        } else if holds_message(part) {
            self.parts += 1;
            open.state = State::Message(None);
            self.open.push(Open::new(end, Some(Box::default()), false));
        }
    }

    /// A delimiter, or the end of the message, comes before the empty line that should end the header section.
    /// Lines that were no fields are then its body. RFC 7103 §7.2.
    fn cut_header(&mut self) {
        match self.head.stray {
            Some(stray) => {
                self.head.value.truncate(stray.value);
                self.end_header(stray.at, stray.lines);
            }
            None => self.end_header(self.at, self.lines),
        }
    }

    /// Closes parts until `keep` are open. The innermost ends at `end`, the others not before what they contain.
    fn close_to(&mut self, keep: usize, mut end: u64) {
        while self.open.len() > keep {
            if self.in_header() {
                // This may open the message inside of a message/rfc822, which is closed in the next round.
                self.cut_header();
                continue;
            }
            let Some(mut open) = self.open.pop() else { return };
            end = end.max(open.part.body.start);
            open.part.body.end = end;
            open.part.lines = self.lines_between(&open, end);
            open.part.content = match open.state {
                State::Header | State::Leaf | State::Message(None) => Content::Leaf,
                State::Message(Some(inner)) => Content::Message(inner),
                State::Multipart { boundary, .. } => {
                    self.boundaries -= usize::from(boundary.is_some());
                    if open.children.is_empty() {
                        open.children.push(empty_part(end));
                    }
                    Content::Multipart(open.children)
                }
            };
            self.closed(open.part, open.envelope);
        }
    }

    /// Hands a closed part to what contains it.
    fn closed(&mut self, part: Part, envelope: Option<Box<Envelope>>) {
        let Some(envelope) = envelope else {
            // Only messages stand outside of a multipart.
            if let Some(parent) = self.open.last_mut() {
                parent.children.push(part);
            }
            return;
        };
        let message = Summary { envelope: *envelope, root: part };
        match self.open.last_mut() {
            Some(parent) => parent.state = State::Message(Some(Box::new(message))),
            None => self.whole = Some(message),
        }
    }

    /// Lines of a body that ends at `end`, which is here or before the end of the previous line.
    fn lines_between(&self, open: &Open, end: u64) -> u64 {
        let ended = self.lines - open.lines_before;
        if end <= open.part.body.start {
            0
        } else if end == self.at {
            ended + u64::from(self.previous.end_length == 0)
        } else {
            // Without its end, the previous line counts only if there is something in it.
            ended - 1 + u64::from(self.previous.start < end)
        }
    }
}

fn is_indented(line: &[u8]) -> bool {
    matches!(line.first(), Some(b' ' | b'\t'))
}

/// The boundary of a multipart, if it has one that can stand on a line. Blanks at its end do not count
/// (RFC 2046 §5.1.1), because they are lost on the way.
fn boundary(part: &Part) -> Option<Vec<u8>> {
    let mut boundary = parameter::joined(&part.parameters, "boundary")?;
    boundary.truncate(boundary.trim_ascii_end().len());
    (1..=BOUNDARY_MAX).contains(&boundary.len()).then_some(boundary)
}

/// RFC 9051 §9 media-message.
fn holds_message(part: &Part) -> bool {
    part.media.eq_ignore_ascii_case(b"message")
        && (part.subtype.eq_ignore_ascii_case(b"rfc822") || part.subtype.eq_ignore_ascii_case(b"global"))
}

fn empty_part(at: u64) -> Part {
    Part { header: at..at, body: at..at, media: "text".into(), subtype: "plain".into(), ..Part::default() }
}
