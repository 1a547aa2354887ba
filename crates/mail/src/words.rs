//! Encoded words: header values for people and for search. RFC 2047, RFC 2231 §5.
//!
//! What never lives here: making them; what IMAP shows is never decoded.

use memchr::{memchr, memmem};

use crate::parameter::hex;
use crate::{base64, charset, header};

/// The value of a field as text, on one line and without control characters but TAB. Encoded words are decoded wherever
/// they stand, because many programs put them into quotes or run them into other text.
pub fn decode(raw: &[u8]) -> String {
    let value = header::unfold(raw);
    let mut text = String::with_capacity(value.len());
    // Adjacent words of one charset are decoded as one, because a character may be split between them, although
    // RFC 2047 §5 forbids it.
    let mut run = Run::default();
    let mut rest = value.as_slice();
    let mut from = 0;
    while let Some(at) = memmem::find(&rest[from..], b"=?").map(|at| at + from) {
        let Some((word, length)) = Word::parse(&rest[at..]) else {
            from = at + 2;
            continue;
        };
        let before = &rest[..at];
        // Blanks between encoded words are not shown. RFC 2047 §6.2.
        if !(run.open && before.trim_ascii().is_empty()) {
            run.end(&mut text);
            text.push_str(&charset::guess(before));
        }
        run.add(&word, &mut text);
        rest = &rest[at + length..];
        from = 0;
    }
    run.end(&mut text);
    text.push_str(&charset::guess(rest));
    if text.contains(char::is_control) {
        text = text.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
    }
    text
}

/// Adjacent encoded words of one charset.
#[derive(Default)]
struct Run {
    open: bool,
    charset: Vec<u8>,
    octets: Vec<u8>,
}

impl Run {
    fn add(&mut self, word: &Word<'_>, text: &mut String) {
        if self.open && !self.charset.eq_ignore_ascii_case(word.charset) {
            self.end(text);
        }
        if !self.open {
            self.open = true;
            self.charset = word.charset.to_vec();
        }
        match word.base64 {
            true => self.octets.extend(base64::decode(word.text)),
            false => q(word.text, &mut self.octets),
        }
    }

    fn end(&mut self, text: &mut String) {
        if std::mem::take(&mut self.open) {
            text.push_str(&charset::decode(&self.octets, Some(&self.charset)));
            self.octets.clear();
        }
    }
}

/// `=?charset*language?encoding?text?=`
struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

impl Word<'_> {
    /// The encoded word that this begins with, and its length. Blanks in the text are let pass; a question mark ends
    /// it, so that no octet is looked at more than a few times.
    fn parse(octets: &[u8]) -> Option<(Word<'_>, usize)> {
        let rest = octets.strip_prefix(b"=?")?;
        let (charset, rest) = rest.split_at(memchr(b'?', rest)?);
        let (base64, rest) = match rest {
            [b'?', b'b' | b'B', b'?', rest @ ..] => (true, rest),
            [b'?', b'q' | b'Q', b'?', rest @ ..] => (false, rest),
            _ => return None,
        };
        let (text, rest) = rest.split_at(memchr(b'?', rest)?);
        let rest = rest.strip_prefix(b"?=")?;
        let charset = &charset[..memchr(b'*', charset).unwrap_or(charset.len())];
        let name = !charset.is_empty() && charset.iter().all(u8::is_ascii_graphic);
        name.then_some((Word { charset, base64, text }, octets.len() - rest.len()))
    }
}

/// RFC 2047 §4.2; what is no code stands for itself.
fn q(text: &[u8], octets: &mut Vec<u8>) {
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'_', _) => octets.push(b' '),
            (b'=', [high, low, after @ ..]) => match hex(*high).zip(hex(*low)) {
                Some((high, low)) => {
                    octets.push(high << 4 | low);
                    rest = after;
                }
                None => octets.push(b'='),
            },
            _ => octets.push(*first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(cases: &[(&str, &str)]) {
        for (raw, text) in cases {
            assert_eq!(decode(raw.as_bytes()), *text, "{raw}");
        }
    }

    /// RFC 2047 §8: what its table of displays says, and the fields before it.
    #[test]
    fn rfc2047_8_examples() {
        check(&[
            ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>", "Keld Jørn Simonsen <keld@dkuug.dk>"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>", "André Pirard <PIRARD@vm1.ulg.ac.be>"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            ("=?ISO-8859-1?Q?Patrik_F=E4ltstr=F6m?= <paf@nada.kth.se>", "Patrik Fältström <paf@nada.kth.se>"),
            ("(=?iso-8859-8?b?7eXs+SDv4SDs6Oj08A==?=)", "(םולש ןב לטטפנ)"),
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a?=\r\n       =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=)", "(a b)"),
        ]);
    }

    #[test]
    fn characters_split_between_words() {
        check(&[
            ("=?utf-8?q?Gr=C3?= =?utf-8?q?=BC=C3=9Fe?=", "Grüße"),
            ("=?UTF-8?B?R3LD?= =?utf-8?q?=BC?=", "Grü"),
            ("=?utf-8?q?=C3?= x =?utf-8?q?=BC?=", "\u{fffd} x \u{fffd}"),
            ("=?utf-8*de?q?Gr=C3=BC=C3=9Fe?=", "Grüße"),
        ]);
    }

    #[test]
    fn what_is_no_encoded_word_stays() {
        check(&[
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=??q?a?=", "=??q?a?="),
            ("=?utf-8?q?a?b?=", "=?utf-8?q?a?b?="),
            ("=?=?utf-8?q?a?=", "=?a"),
            ("a=?utf-8?q?b?=c", "abc"),
            ("\"=?utf-8?q?b_c?=\"", "\"b c\""),
            ("=?utf-8?q?a b=zz=?=", "a b=zz="),
            ("=?what?q?Gr=C3=BC?=", "Grü"),
            ("Grüße =?utf-8?q?x?=", "Grüße x"),
            ("=?utf-8?q?a=0D=0ABcc:_x=00?=", "a  Bcc: x "),
            ("", ""),
        ]);
        assert_eq!(decode(b"Gr\xfc\xdfe"), "Grüße");
    }

    #[test]
    fn hostile_values_take_linear_time() {
        for piece in ["=?", "=?a?q?", "=?a?q?b?", "=?utf-8?q?=C3?= ", "=?a?q?b?= =?b?q?c?=", "?=?"] {
            let value = piece.repeat(1_000_000 / piece.len());
            let start = std::time::Instant::now();
            decode(value.as_bytes());
            assert!(start.elapsed().as_secs() < 2, "{piece}");
        }
    }
}
