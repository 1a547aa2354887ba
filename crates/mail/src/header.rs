//! Header sections: where a field begins and ends, and its value on one line. RFC 5322 §2.2.
//!
//! What never lives here: the meaning of any field.

use memchr::memchr;

use crate::limits::FIELD_NAME_MAX;

/// One field of a header section. The `raw` of all fields of a section, one after the other, are the section
/// without its closing empty line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, without colon or blanks; empty for lines before the first field that are none (`From ` of an
    /// mbox).
    pub name: &'a [u8],
    /// All after the colon, folds included, without the last line end.
    pub raw_value: &'a [u8],
    /// The field as it stands, with its last line end.
    pub raw: &'a [u8],
}

impl Field<'_> {
    /// The value on one line; see [`unfold`].
    pub fn unfolded(&self) -> Vec<u8> {
        unfold(self.raw_value)
    }

    /// Whether this is the field of that name, in any case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// The fields of a header section, or of a message: it ends before the first empty line.
pub fn fields(section: &[u8]) -> Fields<'_> {
    Fields { rest: section }
}

/// The first field of that name, in any case.
pub fn find<'a>(section: &'a [u8], name: &str) -> Option<Field<'a>> {
    fields(section).find(|field| field.is(name))
}

/// See [`fields`].
#[derive(Clone, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let first = line_length(self.rest);
        if first == 0 || without_line_end(&self.rest[..first]).is_empty() {
            return None;
        }
        let colon = colon(&self.rest[..first]);
        let mut length = first;
        // What is no field belongs to the field before it. RFC 7103 §7.2.
        loop {
            let next = line_length(&self.rest[length..]);
            let line = &self.rest[length..length + next];
            if next == 0 || without_line_end(line).is_empty() || self::colon(line).is_some() {
                break;
            }
            length += next;
        }
        let (raw, rest) = self.rest.split_at(length);
        self.rest = rest;
        let content = without_line_end(raw);
        let (name, raw_value) = match colon {
            Some(at) => (content[..at].trim_ascii_end(), &content[at + 1..]),
            None => (&content[..0], content),
        };
        Some(Field { name, raw_value, raw })
    }
}

/// Octets of the first line, with its LF.
fn line_length(octets: &[u8]) -> usize {
    memchr(b'\n', octets).map_or(octets.len(), |at| at + 1)
}

/// The line without its CRLF or LF.
fn without_line_end(line: &[u8]) -> &[u8] {
    match line {
        [line @ .., b'\r', b'\n'] | [line @ .., b'\n'] => line,
        _ => line,
    }
}

/// Where the colon is, if this line begins a field: a name of printable US-ASCII, perhaps blanks (RFC 5322 §4.5),
/// a colon.
pub(crate) fn colon(line: &[u8]) -> Option<usize> {
    let name = line.iter().position(|octet| !matches!(octet, b'!'..=b'9' | b';'..=b'~'))?;
    if name == 0 || name > FIELD_NAME_MAX {
        return None;
    }
    let blanks = line[name..].iter().take(FIELD_NAME_MAX).position(|octet| !matches!(octet, b' ' | b'\t'))?;
    (line[name + blanks] == b':' && name + blanks <= FIELD_NAME_MAX).then_some(name + blanks)
}

/// A value on one line: line ends are removed (RFC 5322 §2.2.3), blanks around it too. A space stands for each
/// CR and NUL left over, so that nothing grows together, and for the line end before a line that should have
/// been folded (RFC 7103 §7.2). The result holds no CR, LF or NUL.
pub fn unfold(raw: &[u8]) -> Vec<u8> {
    let raw = raw.trim_ascii();
    let mut value = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.iter().position(|octet| matches!(octet, b'\r' | b'\n' | 0)) {
        value.extend_from_slice(&rest[..at]);
        let end = match rest[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\n', ..] => 1,
            _ => {
                value.push(b' ');
                rest = &rest[at + 1..];
                continue;
            }
        };
        rest = &rest[at + end..];
        if !matches!(rest.first(), Some(b' ' | b'\t')) {
            value.push(b' ');
        }
    }
    value.extend_from_slice(rest);
    let end = value.trim_ascii_end().len();
    value.truncate(end);
    let blanks = value.len() - value.trim_ascii_start().len();
    value.drain(..blanks);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(section: &str) -> Vec<(String, String)> {
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
        fields(section.as_bytes()).map(|field| (text(field.name), text(field.raw_value))).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// RFC 5322 §2.2, §2.2.3, §4.5.
    #[test]
    fn fields_of_a_section() {
        let section = "From a@b Mon\r\nSubject: a:b\r\n\tc\r\nX \t:\ny\r\nTo:z\n\nBody: no\r\n";
        let wanted =
            [pair("", "From a@b Mon"), pair("Subject", " a:b\r\n\tc"), pair("X", "\ny"), pair("To", "z")];
        assert_eq!(listed(section), wanted);
        assert_eq!(listed("\r\nA: b\r\n"), []);
        assert_eq!(listed(""), []);
        assert_eq!(listed("A:"), [pair("A", "")]);
        assert_eq!(listed(": x"), [pair("", ": x")]);
        let subject = find(section.as_bytes(), "SUBJECT").unwrap();
        assert_eq!(subject.raw, b"Subject: a:b\r\n\tc\r\n");
        assert_eq!(subject.unfolded(), b"a:b\tc");
        assert_eq!(find(section.as_bytes(), "Body"), None);
    }

    #[test]
    fn names_of_fields() {
        let longest = "x".repeat(FIELD_NAME_MAX);
        for (line, wanted) in [
            ("A:", Some(1)),
            ("A \t:x", Some(3)),
            ("!~0-:x", Some(4)),
            (":", None),
            (" A: x", None),
            ("A b: x", None),
            ("A", None),
            ("Ä: x", None),
            ("A\u{7f}: x", None),
            ("A  ", None),
            (&format!("{longest}:"), Some(FIELD_NAME_MAX)),
            (&format!("{longest} :"), None),
            (&format!("{longest}x:"), None),
        ] {
            assert_eq!(colon(line.as_bytes()), wanted, "{line}");
        }
    }

    /// RFC 5322 §2.2.3, RFC 7103 §7.2, §7.3.
    #[test]
    fn unfolding() {
        for (raw, value) in [
            (" a\r\n b ", "a b"),
            ("a\n\tb\r\n", "a\tb"),
            ("a\r\nb", "a b"),
            ("a\r\n \r\n b", "a  b"),
            ("a\rb\0c\r\r\n d", "a b c  d"),
            ("\0a\0", "a"),
            ("\r\n \r\n", ""),
            ("", ""),
        ] {
            assert_eq!(unfold(raw.as_bytes()), value.as_bytes(), "{raw:?}");
        }
    }
}
