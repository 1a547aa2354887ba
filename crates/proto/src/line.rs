//! Input from the peer, cut into lines: one bounded buffer for every protocol.
//!
//! What never lives here: what a line means, and replies.
//!
//! Two policies exist because two protocols' histories differ. SMTP is *strict*: a mail server that takes a bare
//! LF for a line end while its neighbour does not can be made to see a second message in the first ("smuggling",
//! RFC 5321 §2.3.8). IMAP and POP3 talk to their own client only, nothing is passed on by line, so at command
//! level they are *tolerant*: LF alone ends a line, and a CR elsewhere is left for the grammar to refuse.

use bytes::{Buf, Bytes, BytesMut};

/// Which octets end a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endings {
    /// CR LF alone; any other CR or LF is reported as `Line::Bare`.
    Strict,
    /// CR LF or LF.
    Tolerant,
}

/// What the buffer has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its ending.
    Whole(Bytes),
    /// A line of more octets than the limit. Reported once, as soon as it is known; the rest of it, to its
    /// ending, is dropped as it comes.
    TooLong,
    /// `Endings::Strict` only: this CR or LF stood alone. It and what stood before it are gone.
    Bare(u8),
}

/// The buffer. Bytes go in with `push` and come out as lines, or raw with `take` and `consume` where a protocol
/// has announced octets that are not lines (literals, message data). Every octet is looked at once.
#[derive(Debug)]
pub struct Lines {
    buffer: BytesMut,
    /// So many octets at the start are known to hold no line ending.
    scanned: usize,
    limit: usize,
    endings: Endings,
    /// The rest of an over-long line is being dropped.
    skipping: bool,
    /// While skipping: the last octet dropped was CR.
    skipped_cr: bool,
}

impl Lines {
    /// A buffer for lines of at most `limit` octets, the ending not counted.
    pub fn new(limit: usize, endings: Endings) -> Lines {
        Lines { buffer: BytesMut::new(), scanned: 0, limit, endings, skipping: false, skipped_cr: false }
    }

    /// From the next line on, so many octets are allowed.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        self.scanned = 0;
    }

    /// Appends what has been read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, or `None` until more octets come.
    pub fn next_line(&mut self) -> Option<Line> {
        if self.skipping && !self.skip() {
            return None;
        }
        // An ending further out than this belongs to an over-long line, however the bytes were cut.
        let window = self.buffer.len().min(self.limit.saturating_add(2));
        let found = match self.endings {
            Endings::Strict => find_ending(&self.buffer[self.scanned..window]),
            Endings::Tolerant => find(b'\n', &self.buffer[self.scanned..window]),
        };
        let Some(at) = found.map(|offset| self.scanned + offset) else {
            return self.unfinished(window);
        };
        match self.endings {
            Endings::Tolerant => {
                let content = if at > 0 && self.buffer[at - 1] == b'\r' { at - 1 } else { at };
                if content > self.limit { Some(self.too_long()) } else { Some(self.cut(content, at + 1)) }
            }
            Endings::Strict => self.strict(at),
        }
    }

    /// The octets not yet taken.
    pub fn peek(&self) -> &[u8] {
        &self.buffer
    }

    /// Takes up to `most` octets as they are.
    pub fn take(&mut self, most: usize) -> Bytes {
        self.scanned = 0;
        self.buffer.split_to(most.min(self.buffer.len())).freeze()
    }

    /// Drops up to `count` octets.
    pub fn consume(&mut self, count: usize) {
        self.scanned = 0;
        self.buffer.advance(count.min(self.buffer.len()));
    }

    /// How many octets wait.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }

    /// None wait.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Forgets all that was received: what came before a TLS handshake must not be taken for what came after
    /// it. RFC 3207 §6.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.scanned = 0;
        self.skipping = false;
        self.skipped_cr = false;
    }

    /// No ending within the window.
    fn unfinished(&mut self, window: usize) -> Option<Line> {
        // A last CR may yet be half of the ending.
        let content = match self.buffer[..window].last() {
            Some(b'\r') => window - 1,
            _ => window,
        };
        if content > self.limit {
            return Some(self.too_long());
        }
        self.scanned = content;
        None
    }

    /// A CR or LF stands at `at`, the first one.
    fn strict(&mut self, at: usize) -> Option<Line> {
        if at > self.limit {
            return Some(self.too_long());
        }
        let octet = self.buffer[at];
        match (octet, self.buffer.get(at + 1)) {
            (b'\r', Some(b'\n')) => Some(self.cut(at, at + 2)),
            (b'\r', None) => {
                self.scanned = at;
                None
            }
            _ => {
                self.consume(at + 1);
                Some(Line::Bare(octet))
            }
        }
    }

    fn cut(&mut self, content: usize, whole: usize) -> Line {
        self.scanned = 0;
        let mut line = self.buffer.split_to(whole);
        line.truncate(content);
        Line::Whole(line.freeze())
    }

    /// Drops what there is of the line up to the limit; `skip` drops the rest.
    fn too_long(&mut self) -> Line {
        self.consume(self.limit);
        self.skipping = true;
        self.skipped_cr = false;
        Line::TooLong
    }

    /// Drops octets to the end of the over-long line; true once that has been reached.
    fn skip(&mut self) -> bool {
        while let Some(at) = find(b'\n', &self.buffer) {
            let after_cr = if at == 0 { self.skipped_cr } else { self.buffer[at - 1] == b'\r' };
            self.consume(at + 1);
            self.skipped_cr = false;
            if after_cr || self.endings == Endings::Tolerant {
                self.skipping = false;
                return true;
            }
        }
        if let Some(&last) = self.buffer.last() {
            self.skipped_cr = last == b'\r';
            self.clear_buffer();
        }
        false
    }

    fn clear_buffer(&mut self) {
        self.buffer.clear();
        self.scanned = 0;
    }
}

/// Where the first CR or LF stands.
pub fn find_ending(bytes: &[u8]) -> Option<usize> {
    find_by(bytes, |octet| (octet == b'\r') | (octet == b'\n'))
}

/// Where `wanted` first stands.
pub fn find(wanted: u8, bytes: &[u8]) -> Option<usize> {
    find_by(bytes, |octet| octet == wanted)
}

/// Tests sixteen octets at a time without a branch between them, which the compiler turns into one comparison.
fn find_by(bytes: &[u8], test: impl Fn(u8) -> bool) -> Option<usize> {
    const WIDTH: usize = 16;
    let mut start = 0;
    for chunk in bytes.chunks_exact(WIDTH) {
        if chunk.iter().fold(false, |found, &octet| found | test(octet)) {
            break;
        }
        start += WIDTH;
    }
    bytes[start..].iter().position(|&octet| test(octet)).map(|offset| start + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(endings: Endings, limit: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::new(limit, endings);
        let mut found = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            while let Some(line) = lines.next_line() {
                found.push(line);
            }
        }
        found
    }

    fn whole(text: &'static str) -> Line {
        Line::Whole(Bytes::from_static(text.as_bytes()))
    }

    /// The expected lines, for the bytes as one chunk, cut in two at every place, and octet by octet.
    fn check(endings: Endings, limit: usize, bytes: &[u8], expected: &[Line]) {
        assert_eq!(all(endings, limit, &[bytes]), expected, "whole: {:?}", bytes.escape_ascii().to_string());
        for at in 0..=bytes.len() {
            let (left, right) = bytes.split_at(at);
            assert_eq!(all(endings, limit, &[left, right]), expected, "cut at {at}");
        }
        let octets: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(all(endings, limit, &octets), expected, "octet by octet");
    }

    #[test]
    fn lines_end_with_crlf() {
        for endings in [Endings::Strict, Endings::Tolerant] {
            check(endings, 9, b"NOOP\r\n\r\nQUIT\r\nrest", &[whole("NOOP"), whole(""), whole("QUIT")]);
        }
    }

    #[test]
    fn strict_names_the_octet_that_stood_alone() {
        check(Endings::Strict, 9, b"a\nb\r\n", &[Line::Bare(b'\n'), whole("b")]);
        check(Endings::Strict, 9, b"a\rb\r\n", &[Line::Bare(b'\r'), whole("b")]);
        check(Endings::Strict, 9, b"a\r\r\n", &[Line::Bare(b'\r'), whole("")]);
        check(Endings::Strict, 9, b"\n\r\n", &[Line::Bare(b'\n'), whole("")]);
    }

    #[test]
    fn tolerant_takes_lf_and_leaves_a_stray_cr_in_the_line() {
        check(Endings::Tolerant, 9, b"a\nb\r\nc\rd\r\r\n", &[whole("a"), whole("b"), whole("c\rd\r")]);
    }

    #[test]
    fn an_over_long_line_is_reported_once() {
        for endings in [Endings::Strict, Endings::Tolerant] {
            check(endings, 4, b"1234\r\n", &[whole("1234")]);
            check(endings, 4, b"12345\r\nab\r\n", &[Line::TooLong, whole("ab")]);
            check(endings, 4, b"123456789 123456789 123456789\r\nab\r\n", &[Line::TooLong, whole("ab")]);
        }
        // Past the limit a bare LF ends nothing when strict, and the line when tolerant.
        check(Endings::Strict, 4, b"12345678\nx\r\r\nab\r\n", &[Line::TooLong, whole("ab")]);
        check(Endings::Strict, 4, b"12345\n\r\nab\r\n", &[Line::TooLong, whole("ab")]);
        check(Endings::Tolerant, 4, b"12345678\nx\r\n", &[Line::TooLong, whole("x")]);
    }

    #[test]
    fn an_over_long_line_is_not_kept() {
        let mut lines = Lines::new(100, Endings::Strict);
        let mut reported = 0;
        for _ in 0..1000 {
            lines.push(&[b'x'; 1000]);
            while let Some(line) = lines.next_line() {
                assert_eq!(line, Line::TooLong);
                reported += 1;
            }
            assert!(lines.len() <= 1000);
        }
        assert_eq!(reported, 1);
        assert!(lines.is_empty());
    }

    #[test]
    fn raw_octets_may_be_taken_between_lines() {
        let mut lines = Lines::new(20, Endings::Strict);
        lines.push(b"LIT {5}\r\n\r\nabcNOOP\r\nleft");
        assert_eq!(lines.next_line(), Some(whole("LIT {5}")));
        assert_eq!(lines.take(5), Bytes::from_static(b"\r\nabc"));
        assert_eq!(lines.next_line(), Some(whole("NOOP")));
        assert_eq!(lines.next_line(), None);
        lines.clear();
        assert_eq!(lines.peek(), b"");
        lines.push(b"QUIT\r\n");
        assert_eq!(lines.next_line(), Some(whole("QUIT")));
    }

    #[test]
    fn finding_agrees_with_the_plain_search() {
        for length in 0..70 {
            for at in 0..length {
                let mut bytes = vec![b'x'; length];
                bytes[at] = if at % 2 == 0 { b'\r' } else { b'\n' };
                assert_eq!(find_ending(&bytes), Some(at));
                assert_eq!(find(bytes[at], &bytes), Some(at));
            }
            assert_eq!(find_ending(&vec![b'x'; length]), None);
        }
    }
}
