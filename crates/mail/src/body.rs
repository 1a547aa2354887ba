//! Bodies of parts, decoded. RFC 2045 §6.
//!
//! What never lives here: the structure of a message; ranges come from its `Summary`.

use std::borrow::Cow;

use memchr::memchr;

use crate::parameter::hex;
use crate::{base64, charset};

/// The octets of a part as text for search: transfer encoding undone, then its charset, both as its `Part` has
/// them. Anything gives some text; what cannot be decoded stays as it is.
pub fn text(octets: &[u8], encoding: Option<&[u8]>, charset: Option<&[u8]>) -> String {
    charset::decode(&decode(octets, encoding), charset)
}

/// The octets with the transfer encoding undone; those of an unknown encoding as they are.
pub fn decode<'a>(octets: &'a [u8], encoding: Option<&[u8]>) -> Cow<'a, [u8]> {
    match encoding.map(<[u8]>::trim_ascii) {
        Some(name) if name.eq_ignore_ascii_case(b"base64") => base64::decode(octets).into(),
        Some(name) if name.eq_ignore_ascii_case(b"quoted-printable") => quoted_printable(octets).into(),
        _ => octets.into(),
    }
}

/// RFC 2045 §6.7; an equals sign that is no code stands for itself.
fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(octets.len());
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let (content, end) = match line {
            [content @ .., b'\r', b'\n'] => (content, &b"\r\n"[..]),
            [content @ .., b'\n'] => (content, &b"\n"[..]),
            content => (content, &b""[..]),
        };
        // Blanks at the end of a line were added on the way. §6.7 (3).
        let content = content.trim_ascii_end();
        match content.strip_suffix(b"=") {
            Some(soft) => codes(soft, &mut decoded),
            None => {
                codes(content, &mut decoded);
                decoded.extend_from_slice(end);
            }
        }
    }
    decoded
}

fn codes(mut line: &[u8], decoded: &mut Vec<u8>) {
    while let Some(at) = memchr(b'=', line) {
        decoded.extend_from_slice(&line[..at]);
        let code = match line[at + 1..] {
            [high, low, ..] => hex(high).zip(hex(low)),
            _ => None,
        };
        let (octet, length) = code.map_or((b'=', 1), |(high, low)| (high << 4 | low, 3));
        decoded.push(octet);
        line = &line[at + length..];
    }
    decoded.extend_from_slice(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2045 §6.7, its example included.
    #[test]
    fn quoted_printable_text() {
        for (encoded, decoded) in [
            (
                "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.",
                "Now's the time for all folk to come to the aid of their country.",
            ),
            ("a=3Db=3d", "a=b="),
            ("blanks  \t\r\nat the end =20\r\n", "blanks\r\nat the end  \r\n"),
            ("soft = \r\nbreak=\nLF\n", "soft breakLF\n"),
            ("=", ""),
            ("=4", "=4"),
            ("=zz=3", "=zz=3"),
            ("==41", "=A"),
            ("", ""),
        ] {
            assert_eq!(
                decode(encoded.as_bytes(), Some(b"Quoted-Printable")),
                decoded.as_bytes(),
                "{encoded}"
            );
        }
    }

    #[test]
    fn text_in_any_encoding_and_charset() {
        let found = |octets: &[u8], encoding: &str, charset: &str| {
            text(octets, Some(encoding.as_bytes()), Some(charset.as_bytes()))
        };
        assert_eq!(found(b"R3L8w59l\r\n", "BASE64", "x-unknown"), "GrüÃŸe");
        assert_eq!(found(b"R3L8\r\n32U=", " base64 ", "iso-8859-1"), "Grüße");
        assert_eq!(found(b"Gr=FC=DFe", "quoted-printable", "iso-8859-1"), "Grüße");
        assert_eq!(found(b"Gr=C3=BC=C3=\r\n=9Fe", "quoted-printable", "utf-8"), "Grüße");
        assert_eq!(found(b"=41", "x-other", "utf-8"), "=41");
        assert_eq!(text("Grü".as_bytes(), Some(b"8bit"), None), "Grü");
        assert_eq!(text("Grü".as_bytes(), None, None), "Grü");
    }
}
