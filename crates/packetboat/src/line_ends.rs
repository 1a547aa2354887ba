//! Line ends: CRLF in mail, LF in files. State is kept from piece to piece.

use memchr::memchr;

/// Makes CRLF of each LF that has no CR before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToCrlf {
    after_cr: bool,
}

impl ToCrlf {
    /// Appends a piece.
    pub fn push(&mut self, mut octets: &[u8], to: &mut Vec<u8>) {
        while let Some(at) = memchr(b'\n', octets) {
            let (line, rest) = octets.split_at(at);
            to.extend_from_slice(line);
            let has_cr = line.last().map_or(self.after_cr, |last| *last == b'\r');
            to.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
            self.after_cr = false;
            octets = &rest[1..];
        }
        to.extend_from_slice(octets);
        if let Some(last) = octets.last() {
            self.after_cr = *last == b'\r';
        }
    }
}

/// Makes LF of each CRLF.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToLf {
    /// A CR that has not gone out, as an LF may follow.
    held: bool,
}

impl ToLf {
    /// Appends a piece.
    pub fn push(&mut self, mut octets: &[u8], to: &mut Vec<u8>) {
        if self.held && !octets.is_empty() {
            self.held = false;
            if octets[0] != b'\n' {
                to.push(b'\r');
            }
        }
        while let Some(at) = memchr(b'\r', octets) {
            to.extend_from_slice(&octets[..at]);
            octets = &octets[at + 1..];
            match octets.first() {
                Some(b'\n') => {}
                Some(_) => to.push(b'\r'),
                None => self.held = true,
            }
        }
        to.extend_from_slice(octets);
    }

    /// There is no more.
    pub fn finish(&mut self, to: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            to.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crlf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut ends, mut to) = (ToCrlf::default(), Vec::new());
        pieces.iter().for_each(|piece| ends.push(piece, &mut to));
        to
    }

    fn lf(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut ends, mut to) = (ToLf::default(), Vec::new());
        pieces.iter().for_each(|piece| ends.push(piece, &mut to));
        ends.finish(&mut to);
        to
    }

    #[test]
    fn both_ways_however_it_is_cut() {
        let cases: [(&[u8], &[u8]); 6] = [
            (b"", b""),
            (b"a\nb\n\n", b"a\r\nb\r\n\r\n"),
            (b"\n", b"\r\n"),
            (b"a\rb\0\xff\n", b"a\rb\0\xff\r\n"),
            (b"no end", b"no end"),
            (b"a\r", b"a\r"),
        ];
        for (with_lf, with_crlf) in cases {
            for cut in 0..=with_crlf.len() {
                let (one, other) = with_crlf.split_at(cut);
                assert_eq!(crlf(&[one, b"", other]), with_crlf, "CRLF stays");
                assert_eq!(lf(&[one, b"", other]), with_lf);
            }
            for cut in 0..=with_lf.len() {
                let (one, other) = with_lf.split_at(cut);
                assert_eq!(crlf(&[one, b"", other]), with_crlf);
            }
        }
        assert_eq!(crlf(&[b"\r\r\n\n"]), b"\r\r\n\r\n");
        assert_eq!(lf(&[b"\r\r\n"]), b"\r\n");
    }
}
