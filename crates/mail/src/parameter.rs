//! Values with parameters: Content-Type and Content-Disposition. RFC 2045 §5.1, RFC 2183 §2, RFC 2231.
//!
//! What never lives here: what a media type means; decoding of a value into Unicode.

use crate::limits::PARAMETERS_MAX;

/// Parameters as written, in order, quotes removed.
pub type Parameters = Vec<(Vec<u8>, Vec<u8>)>;

/// `type/subtype` and its parameters, from an unfolded value; `None` if there is no type or no subtype to read.
pub fn content_type(value: &[u8]) -> Option<(Vec<u8>, Vec<u8>, Parameters)> {
    let mut at = Cursor { rest: value };
    let media = at.token();
    at.blanks();
    at.rest = at.rest.strip_prefix(b"/")?;
    let subtype = at.token();
    if media.is_empty() || subtype.is_empty() {
        return None;
    }
    Some((media.to_vec(), subtype.to_vec(), at.parameters()))
}

/// A single word and its parameters, from an unfolded value: a disposition, an encoding. The word may be empty.
pub fn word(value: &[u8]) -> (Vec<u8>, Parameters) {
    let mut at = Cursor { rest: value };
    let word = at.token().to_vec();
    (word, at.parameters())
}

/// The words of a comma list such as Content-Language, from an unfolded value.
pub fn words(value: &[u8], most: usize) -> Vec<Vec<u8>> {
    let mut at = Cursor { rest: value };
    let mut words = Vec::new();
    while words.len() < most {
        let word = at.token();
        if !word.is_empty() {
            words.push(word.to_vec());
        }
        at.blanks();
        match at.rest {
            [] => break,
            // Anything that is no word is passed over.
            [_, rest @ ..] if word.is_empty() || at.rest[0] == b',' => at.rest = rest,
            _ => {}
        }
    }
    words
}

/// The value of a parameter, whole: the first of that name, or else the pieces of RFC 2231 §3 put together, with
/// the percent encoding of §4 undone. Octets remain in the charset they name; see [`charset`].
pub fn joined(parameters: &[(Vec<u8>, Vec<u8>)], name: &str) -> Option<Vec<u8>> {
    if let Some((_, value)) = parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())) {
        return Some(value.clone());
    }
    let pieces = pieces(parameters, name);
    let mut whole: Option<Vec<u8>> = None;
    for (next, (number, encoded, value)) in pieces.into_iter().enumerate() {
        if number != next {
            break;
        }
        let whole = whole.get_or_insert_default();
        match encoded {
            true if next == 0 => whole.extend(percent(after_charset(value))),
            true => whole.extend(percent(value)),
            false => whole.extend_from_slice(value),
        }
    }
    whole
}

/// The charset that an extended value names, `None` if it names none. RFC 2231 §4.
pub fn charset<'a>(parameters: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Option<&'a [u8]> {
    let (0, true, value) = pieces(parameters, name).into_iter().next()? else { return None };
    let end = value.iter().position(|octet| *octet == b'\'')?;
    (end > 0).then(|| &value[..end])
}

/// The pieces `name*`, `name*N` and `name*N*` by number, each number once.
fn pieces<'a>(parameters: &'a [(Vec<u8>, Vec<u8>)], name: &str) -> Vec<(usize, bool, &'a [u8])> {
    let mut pieces: Vec<_> = parameters
        .iter()
        .filter_map(|(n, value)| {
            let (head, tail) = n.split_at_checked(name.len())?;
            let tail = tail.strip_prefix(b"*").filter(|_| head.eq_ignore_ascii_case(name.as_bytes()))?;
            let (digits, encoded) = match tail {
                [] => (&b"0"[..], true),
                [digits @ .., b'*'] => (digits, true),
                digits => (digits, false),
            };
            let number = std::str::from_utf8(digits).ok()?.parse().ok()?;
            Some((number, encoded, value.as_slice()))
        })
        .collect();
    pieces.sort_by_key(|(number, _, _)| *number);
    pieces.dedup_by_key(|(number, _, _)| *number);
    pieces
}

/// What follows `charset'language'`.
fn after_charset(value: &[u8]) -> &[u8] {
    let mut quotes = value.iter().enumerate().filter(|(_, octet)| **octet == b'\'').map(|(at, _)| at);
    match (quotes.next(), quotes.next()) {
        (Some(_), Some(second)) => &value[second + 1..],
        _ => value,
    }
}

fn percent(value: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        let pair = match (first, tail) {
            (b'%', [high, low, ..]) => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match pair {
            Some((high, low)) => {
                octets.push(high << 4 | low);
                rest = &tail[2..];
            }
            None => {
                octets.push(*first);
                rest = tail;
            }
        }
    }
    octets
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// Passes over blanks and comments, which may be nested to any depth. RFC 5322 §3.2.2.
    fn blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_ascii_start();
            if self.rest.first() != Some(&b'(') {
                return;
            }
            self.comment();
        }
    }

    /// Passes over a comment; one that is never closed ends with the value.
    fn comment(&mut self) {
        let mut depth = 0_usize;
        let mut octets = self.rest.iter().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'\\' => drop(octets.next()),
                b'(' => depth += 1,
                b')' if depth <= 1 => {
                    self.rest = &self.rest[at + 1..];
                    return;
                }
                b')' => depth -= 1,
                _ => {}
            }
        }
        self.rest = &[];
    }

    /// RFC 2045 §5.1 token, and octets above US-ASCII; empty if there is none here.
    fn token(&mut self) -> &'a [u8] {
        self.blanks();
        let end = self
            .rest
            .iter()
            .position(|octet| *octet <= b' ' || *octet == 0x7f || b"()<>@,;:\\\"/[]?=".contains(octet));
        let (token, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        token
    }

    /// `;name=value` until the end; what is none is passed over.
    fn parameters(&mut self) -> Parameters {
        let mut parameters = Vec::new();
        while parameters.len() < PARAMETERS_MAX && self.next_parameter() {
            let name = self.token();
            self.blanks();
            let Some(rest) = self.rest.strip_prefix(b"=") else { continue };
            self.rest = rest;
            self.blanks();
            let value = match self.rest.first() {
                Some(b'"') => self.quoted(),
                _ => self.bare().to_vec(),
            };
            if !name.is_empty() {
                parameters.push((name.to_vec(), value));
            }
        }
        parameters
    }

    /// Goes behind the next semicolon outside of quotes and comments; `false` at the end.
    fn next_parameter(&mut self) -> bool {
        loop {
            self.blanks();
            match self.rest {
                [] => return false,
                [b';', rest @ ..] => {
                    self.rest = rest;
                    return true;
                }
                [b'"', ..] => drop(self.quoted()),
                [_, rest @ ..] => self.rest = rest,
            }
        }
    }

    /// A quoted string without its quotes and backslashes; one that is never closed ends with the value.
    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        let mut octets = self.rest[1..].iter().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.rest = &self.rest[at + 2..];
                    return value;
                }
                b'\\' => value.extend(octets.next().map(|(_, octet)| *octet)),
                _ => value.push(*octet),
            }
        }
        self.rest = &[];
        value
    }

    /// A value without quotes. It should be a token, but names with blanks and boundaries with `=` are common, so
    /// it reaches to the semicolon, or to a comment after a blank.
    fn bare(&mut self) -> &'a [u8] {
        let rest = self.rest;
        let end = rest
            .iter()
            .enumerate()
            .position(|(at, octet)| match octet {
                b';' => true,
                b'(' => at == 0 || rest[at - 1].is_ascii_whitespace(),
                _ => false,
            })
            .unwrap_or(rest.len());
        self.rest = &rest[end..];
        rest[..end].trim_ascii_end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(value: &str) -> Parameters {
        content_type(format!("a/b; {value}").as_bytes()).unwrap().2
    }

    /// RFC 2231 §3, §4, §4.1: the examples there.
    #[test]
    fn values_in_pieces() {
        for (value, name, wanted) in [
            (
                "access-type=URL; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
                "url",
                "ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar",
            ),
            ("title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title", "This is ***fun***"),
            (
                "title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20; title*2=\"isn't it!\"",
                "title",
                "This is even more ***fun*** isn't it!",
            ),
            ("x*1=b; x*0=a; x*3=d", "x", "ab"),
            ("x*0=a; x*0=b; x*00=c", "x", "a"),
            ("x*=a%2", "x", "a%2"),
            ("x*=a%zz%41", "x", "a%zzA"),
            ("x*=plain; X=first", "x", "first"),
        ] {
            let found = joined(&parameters(value), name).map(|octets| String::from_utf8(octets).unwrap());
            assert_eq!(found.as_deref(), Some(wanted), "{value}");
        }
        for value in ["y=a", "x*1=a", "x*a=b", "xx=a", "x*0", "x**=a"] {
            assert_eq!(joined(&parameters(value), "x"), None, "{value}");
        }
    }

    #[test]
    fn charsets_of_values() {
        let named =
            |value: &str| charset(&parameters(value), "x").map(|c| String::from_utf8(c.to_vec()).unwrap());
        assert_eq!(named("x*=utf-8'de'a").as_deref(), Some("utf-8"));
        assert_eq!(named("x*1*=b; x*0*=koi8-r''a").as_deref(), Some("koi8-r"));
        assert_eq!(named("x*=''a"), None);
        assert_eq!(named("x*0=utf-8''a"), None);
        assert_eq!(named("x=utf-8''a"), None);
    }

    /// RFC 2045 §5.1, and what is written instead.
    #[test]
    fn values_as_they_are_written() {
        for (value, wanted) in [
            ("n=v", "v"),
            ("n=\"v\"", "v"),
            ("n = v ", "v"),
            ("n=\"a;\\\"b\\\\\"", "a;\"b\\"),
            ("n=my file (1).pdf", "my file"),
            ("n=file(1).pdf", "file(1).pdf"),
            ("n=\"open; x=y", "open; x=y"),
            ("n=\"a\" junk; x=y", "a"),
            ("(c) n (c) = (c) v (c)", "v"),
            ("(open n=x", ""),
            ("x; =y; n=v", "v"),
            ("n=", ""),
            ("n=Grüße", "Grüße"),
        ] {
            let found = parameters(value).into_iter().find(|(name, _)| name == b"n");
            let found = found.map(|(_, value)| String::from_utf8(value).unwrap());
            assert_eq!(found.unwrap_or_default(), wanted, "{value}");
        }
    }
}
