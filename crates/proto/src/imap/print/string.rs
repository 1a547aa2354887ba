//! Strings, numbers and mailbox names. RFC 9051 §4.3, §9.

use bytes::{BufMut, BytesMut};

use crate::imap::{limits, mailbox as names};

/// A decimal number.
pub fn number(out: &mut BytesMut, mut number: u64) {
    // u64::MAX has twenty digits.
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.put_slice(&digits[first..]);
}

/// A string: quoted if it is short and of US-ASCII without CR, LF and other controls, else a literal.
pub fn string(out: &mut BytesMut, octets: &[u8]) {
    let plain =
        octets.len() <= limits::QUOTED_MAX && octets.iter().all(|&c| c == b'\t' || (b' '..0x7f).contains(&c));
    if plain {
        quoted(out, octets);
    } else {
        out.put_u8(b'{');
        number(out, octets.len() as u64);
        out.put_slice(b"}\r\n");
        out.put_slice(octets);
    }
}

/// A string, or NIL where there is none.
pub fn nstring(out: &mut BytesMut, octets: Option<&[u8]>) {
    match octets {
        Some(octets) => string(out, octets),
        None => out.put_slice(b"NIL"),
    }
}

/// A mailbox name: in modified UTF-7, or as it is if `utf8` (UTF8=ACCEPT is on). As an atom where it is one, for
/// that is how clients know INBOX.
pub fn mailbox(out: &mut BytesMut, name: &str, utf8: bool) {
    if utf8 && !name.is_ascii() && name.len() <= limits::QUOTED_MAX && !name.contains(['\0', '\r', '\n']) {
        return quoted(out, name.as_bytes());
    }
    let encoded = if utf8 { name.to_owned() } else { names::encode(name) };
    let atom = !encoded.is_empty()
        && encoded.len() <= limits::QUOTED_MAX
        && encoded.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'/' | b'-' | b'_' | b'.'))
        && !encoded.eq_ignore_ascii_case("NIL");
    if atom {
        out.put_slice(encoded.as_bytes());
    } else {
        string(out, encoded.as_bytes());
    }
}

fn quoted(out: &mut BytesMut, octets: &[u8]) {
    out.put_u8(b'"');
    for piece in octets.split_inclusive(|c| matches!(c, b'"' | b'\\')) {
        match piece.split_last() {
            Some((last @ (b'"' | b'\\'), before)) => {
                out.put_slice(before);
                out.put_slice(&[b'\\', *last]);
            }
            _ => out.put_slice(piece),
        }
    }
    out.put_u8(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(print: impl FnOnce(&mut BytesMut)) -> String {
        let mut out = BytesMut::new();
        print(&mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    /// RFC 9051 §4.3.
    #[test]
    fn strings_are_quoted_or_literal() {
        assert_eq!(printed(|out| string(out, b"")), "\"\"");
        assert_eq!(printed(|out| string(out, b"a \"b\" \\c\\")), r#""a \"b\" \\c\\""#);
        assert_eq!(printed(|out| string(out, b"a\tb")), "\"a\tb\"");
        assert_eq!(printed(|out| string(out, "ü".as_bytes())), "{2}\r\nü");
        assert_eq!(printed(|out| string(out, b"a\r\nb")), "{4}\r\na\r\nb");
        assert_eq!(printed(|out| string(out, b"\x7f")), "{1}\r\n\x7f");
        assert!(printed(|out| string(out, &[b'x'; limits::QUOTED_MAX])).starts_with('"'));
        assert!(printed(|out| string(out, &[b'x'; limits::QUOTED_MAX + 1])).starts_with("{1001}\r\nx"));
        assert_eq!(printed(|out| nstring(out, None)), "NIL");
        assert_eq!(printed(|out| nstring(out, Some(b"NIL"))), "\"NIL\"");
    }

    /// RFC 9051 §5.1, RFC 6855 §3.
    #[test]
    fn mailbox_names() {
        assert_eq!(printed(|out| mailbox(out, "INBOX", false)), "INBOX");
        assert_eq!(printed(|out| mailbox(out, "Sent Items", false)), "\"Sent Items\"");
        assert_eq!(printed(|out| mailbox(out, "Entwürfe", false)), "\"Entw&APw-rfe\"");
        assert_eq!(printed(|out| mailbox(out, "Entwürfe", true)), "\"Entwürfe\"");
        assert_eq!(printed(|out| mailbox(out, "R&D", false)), "\"R&-D\"");
        assert_eq!(printed(|out| mailbox(out, "R&D", true)), "\"R&D\"");
        assert_eq!(printed(|out| mailbox(out, "nil", false)), "\"nil\"");
        assert_eq!(printed(|out| mailbox(out, "", false)), "\"\"");
    }

    #[test]
    fn numbers() {
        for n in [0, 9, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(printed(|out| number(out, n)), n.to_string());
        }
    }
}
