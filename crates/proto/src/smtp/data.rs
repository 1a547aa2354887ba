//! Message text off the wire: dots unstuffed, line ends judged. RFC 5321 §4.5.2, §2.3.8.
//!
//! What never lives here: replies, and what the text says.
//!
//! Only CR LF . CR LF ends a message, and only CR LF ends a line. A CR or an LF that stands alone is a fault: the
//! text is then read to its true end, kept nowhere, and refused.

use bytes::BytesMut;

use super::limits::TEXT_LINE;
use crate::line::{find, find_ending};

/// How the end of the message is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// By a line with a single dot; other leading dots are doubled. DATA.
    Dot,
    /// By counting, elsewhere. BDAT.
    Counted,
}

/// What is wrong with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// CR without LF.
    BareCr,
    /// LF without CR.
    BareLf,
    /// Longer than `TEXT_LINE`.
    LineTooLong,
}

/// Why `Decoder::feed` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// The input is used up.
    Starved,
    /// A line has ended, and the caller wanted to know.
    LineEnd,
    /// The dot line has come.
    End,
    /// From here on, only `skip` makes sense.
    Fault(Fault),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    Text,
    /// After a CR, which is not yet written.
    Cr,
    /// After a dot at the start of a line, which is not written.
    Dot,
    /// After that dot and a CR.
    DotCr,
}

/// Where in the text we are; octets may come in any portions.
#[derive(Debug)]
pub(super) struct Decoder {
    framing: Framing,
    at: At,
    /// Octets of the current line so far.
    line: usize,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Decoder {
        Decoder { framing, at: At::LineStart, line: 0 }
    }

    /// Moves text from `input` to the end of `out`; returns how much of `input` is used, and why it stopped.
    pub(super) fn feed(&mut self, input: &[u8], out: &mut BytesMut, each_line: bool) -> (usize, Stop) {
        let mut used = 0;
        while let Some(&octet) = input.get(used) {
            match (self.at, octet) {
                (At::Cr, b'\n') => {
                    used += 1;
                    out.extend_from_slice(b"\r\n");
                    self.at = At::LineStart;
                    self.line = 0;
                    if each_line {
                        return (used, Stop::LineEnd);
                    }
                }
                (At::DotCr, b'\n') => return (used + 1, Stop::End),
                (At::Cr | At::DotCr, _) => return (used, self.fault(Fault::BareCr)),
                (_, b'\n') => return (used, self.fault(Fault::BareLf)),
                (At::Dot, b'\r') => {
                    used += 1;
                    self.at = At::DotCr;
                }
                (At::LineStart, b'.') if self.framing == Framing::Dot => {
                    used += 1;
                    self.at = At::Dot;
                }
                (_, b'\r') => {
                    used += 1;
                    self.at = At::Cr;
                }
                (At::LineStart | At::Text | At::Dot, _) => {
                    let rest = &input[used..];
                    let run = &rest[..find_ending(rest).unwrap_or(rest.len())];
                    self.line += run.len();
                    if self.line > TEXT_LINE {
                        return (used, self.fault(Fault::LineTooLong));
                    }
                    out.extend_from_slice(run);
                    used += run.len();
                    self.at = At::Text;
                }
            }
        }
        (used, Stop::Starved)
    }

    /// Reads on without keeping anything, over every fault; true once the dot line has come. Counted text is
    /// skipped by its counter instead.
    pub(super) fn skip(&mut self, input: &[u8]) -> (usize, bool) {
        let mut used = 0;
        while let Some(&octet) = input.get(used) {
            self.at = match (self.at, octet) {
                (At::Cr, b'\n') => At::LineStart,
                (At::DotCr, b'\n') => return (used + 1, true),
                (At::LineStart, b'.') => At::Dot,
                (At::Dot, b'\r') => At::DotCr,
                (_, b'\r') => At::Cr,
                _ => {
                    // Text, and every octet up to the next CR.
                    let rest = &input[used..];
                    used += find(b'\r', rest).unwrap_or(rest.len());
                    self.at = At::Text;
                    continue;
                }
            };
            used += 1;
        }
        (used, false)
    }

    /// The counter says that the text is whole: a CR whose LF never came stood alone.
    pub(super) fn finish(&self) -> Result<(), Fault> {
        if self.at == At::Cr { Err(Fault::BareCr) } else { Ok(()) }
    }

    fn fault(&mut self, fault: Fault) -> Stop {
        // What stood alone began no new line, so a dot after it is text.
        self.at = At::Text;
        Stop::Fault(fault)
    }
}

/// A line of the header section: a field or the continuation of one. RFC 5322 §2.2, with the white space before
/// the colon that RFC 5322 §4.5 still allows, and the separator of an mbox that some programs leave on top.
pub(super) fn is_header_line(line: &[u8], first: bool) -> bool {
    if first && (line.starts_with(b"From ") || line.starts_with(b">From ")) {
        return true;
    }
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return !first;
    }
    let name = &line[..find(b':', line).unwrap_or(0)];
    let name = name.trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds in portions of `width`; returns the text, whether it ended, the fault, and what was left over.
    fn decode(framing: Framing, input: &[u8], width: usize) -> (Vec<u8>, bool, Option<Fault>, Vec<u8>) {
        let mut decoder = Decoder::new(framing);
        let mut out = BytesMut::new();
        let (mut taken, mut fault, mut ended) = (0, None, false);
        while taken < input.len() && !ended {
            let portion = &input[taken..input.len().min(taken + width)];
            if fault.is_some() {
                let (used, end) = decoder.skip(portion);
                taken += used;
                ended = end;
                continue;
            }
            let (used, stop) = decoder.feed(portion, &mut out, false);
            taken += used;
            match stop {
                Stop::End => ended = true,
                Stop::Fault(found) => fault = Some(found),
                Stop::Starved | Stop::LineEnd => {}
            }
        }
        let text = if fault.is_some() { Vec::new() } else { out.to_vec() };
        (text, ended, fault, input[taken..].to_vec())
    }

    fn check(input: &[u8], text: &[u8], ended: bool, fault: Option<Fault>, rest: &[u8]) {
        for width in 1..=input.len() {
            let expected = (text.to_vec(), ended, fault, rest.to_vec());
            assert_eq!(decode(Framing::Dot, input, width), expected, "{} by {width}", input.escape_ascii());
        }
    }

    #[test]
    fn dots_are_unstuffed() {
        check(b".\r\nQUIT", b"", true, None, b"QUIT");
        check(b"a\r\n.\r\n", b"a\r\n", true, None, b"");
        check(b"..\r\n..a\r\n.b\r\na.\r\n.\r\n", b".\r\n.a\r\nb\r\na.\r\n", true, None, b"");
        check(b"...\r\n.\r\n.\r\n", b"..\r\n", true, None, b".\r\n");
        check(b"a.\r\nb", b"a.\r\nb", false, None, b"");
    }

    #[test]
    fn what_stands_alone_is_a_fault_and_ends_nothing() {
        check(b"a\n.\r\nb\r\n.\r\nc", b"", true, Some(Fault::BareLf), b"c");
        check(b"a\r.\r\nb\r\n.\r\nc", b"", true, Some(Fault::BareCr), b"c");
        check(b"a\r\n.\nb\r\n.\r\nc", b"", true, Some(Fault::BareLf), b"c");
        check(b"a\r\n.\rb\r\n.\r\nc", b"", true, Some(Fault::BareCr), b"c");
        check(b"a\r\n.\r\r\nb\r\n.\r\nc", b"", true, Some(Fault::BareCr), b"c");
        // CR before CR LF . CR LF: the end is a true one, the text is not.
        check(b"a\r\r\n.\r\nc", b"", true, Some(Fault::BareCr), b"c");
        check(b"a\n", b"", false, Some(Fault::BareLf), b"");
    }

    #[test]
    fn counted_text_knows_no_dots() {
        let input = b".\r\n..\r\n.\r\nx";
        for width in 1..=input.len() {
            assert_eq!(decode(Framing::Counted, input, width).0, input);
        }
        let mut decoder = Decoder::new(Framing::Counted);
        decoder.feed(b"a\r", &mut BytesMut::new(), false);
        assert_eq!(decoder.finish(), Err(Fault::BareCr));
    }

    #[test]
    fn a_line_has_a_limit() {
        let mut line = vec![b'x'; TEXT_LINE];
        line.extend_from_slice(b"\r\n.\r\n");
        assert_eq!(decode(Framing::Dot, &line, 4096).2, None);
        line.insert(0, b'x');
        for width in [4096, line.len()] {
            assert_eq!(decode(Framing::Dot, &line, width).2, Some(Fault::LineTooLong));
        }
    }

    #[test]
    fn header_lines() {
        for line in ["A: b", "A:", "Subject : x", "x-y_z!: 1", "A\t: b"] {
            assert!(is_header_line(line.as_bytes(), true), "{line}");
        }
        for line in ["", "hello", "two words: x", ": x", "From a@b Mon Jan 1 00:00:00 2026", "\u{fc}: x"] {
            assert!(!is_header_line(line.as_bytes(), false), "{line}");
        }
        assert!(is_header_line(b" folded", false));
        assert!(!is_header_line(b" folded", true));
        assert!(is_header_line(b"From a@b Mon Jan 1 00:00:00 2026", true));
    }
}
