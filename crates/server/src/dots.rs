//! Dot-stuffing of a stored body on its way out. RFC 5321 §4.5.2, RFC 1939 §3.

use bytes::BytesMut;

/// Doubles a full stop at the start of a line, across chunks, and sees to it that the last line is ended.
#[derive(Debug)]
pub(crate) struct DotStuffer {
    line_start: bool,
    ended: bool,
}

impl Default for DotStuffer {
    fn default() -> Self {
        DotStuffer { line_start: true, ended: true }
    }
}

impl DotStuffer {
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut BytesMut) {
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            if self.line_start && line.first() == Some(&b'.') {
                out.extend_from_slice(b".");
            }
            out.extend_from_slice(line);
            self.line_start = line.last() == Some(&b'\n');
        }
        if !bytes.is_empty() {
            self.ended = self.line_start;
        }
    }

    pub(crate) fn finish(&self, out: &mut BytesMut) {
        if !self.ended {
            out.extend_from_slice(b"\r\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_5321_4_5_2_any_chunking_gives_the_same() {
        let body = b".\r\n..a\r\nb.\r\n.c";
        for cut in 0..=body.len() {
            let (mut out, mut stuffer) = (BytesMut::new(), DotStuffer::default());
            stuffer.push(&body[..cut], &mut out);
            stuffer.push(&body[cut..], &mut out);
            stuffer.finish(&mut out);
            assert_eq!(&out[..], b"..\r\n...a\r\nb.\r\n..c\r\n");
        }
    }
}
