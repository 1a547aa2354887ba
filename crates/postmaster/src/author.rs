//! Whom the header of a submission says it is from. RFC 5322 §3.6.2, RFC 6409 §6.1.
//!
//! What never lives here: which addresses are whose.
//!
//! Elsewhere headers are read with patience. Here one reading must be the only one: where two programs may find two
//! authors in a field, one would be checked and the other shown.

use std::fmt;

use mail::{Address, header};

use crate::limits;

/// What a header says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Claims {
    /// Every address in From, Sender, Resent-From and Resent-Sender, each once, and the field it stands in.
    pub(crate) authors: Vec<(&'static str, Address)>,
    pub(crate) has_date: bool,
    pub(crate) has_id: bool,
    /// The empty line behind the section is there.
    pub(crate) closed: bool,
}

/// Why a header cannot be taken for a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no From field.
    NoFrom,
    /// This field stands there more than once.
    Twice(&'static str),
    /// This field can be read in more than one way, or in none.
    Unclear(&'static str),
    /// A line is neither a field nor the continuation of one, or a NUL stands in it.
    NoField,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NoFrom => f.write_str("The message has no From field"),
            Fault::Twice(name) => write!(f, "The message has more than one {name} field"),
            Fault::Unclear(name) => write!(f, "The {name} field is not a plain list of addresses"),
            Fault::NoField => f.write_str("A line of the header is no field, or holds a NUL"),
        }
    }
}

/// Fields with the addresses of those who answer for a message, and whether there may be several of the field.
const FIELDS: [(&str, bool); 4] =
    [("From", false), ("Sender", false), ("Resent-From", true), ("Resent-Sender", true)];

/// Reads a header section, with its closing empty line if it has one.
pub(crate) fn read(section: &[u8]) -> Result<Claims, Fault> {
    let mut claims = Claims { closed: is_closed(section), ..Claims::default() };
    let mut seen = [0_u32; FIELDS.len()];
    for field in header::fields(section) {
        if field.name.is_empty() || !is_folded(field.raw) {
            return Err(Fault::NoField);
        }
        claims.has_date |= field.is("Date");
        claims.has_id |= field.is("Message-ID");
        let Some(which) = FIELDS.iter().position(|(name, _)| field.is(name)) else { continue };
        let (name, repeatable) = FIELDS[which];
        seen[which] += 1;
        if seen[which] > 1 && !repeatable {
            return Err(Fault::Twice(name));
        }
        for address in addresses(&field.unfolded()).ok_or(Fault::Unclear(name))? {
            if !claims.authors.iter().any(|(_, known)| *known == address) {
                claims.authors.push((name, address));
            }
        }
        if claims.authors.len() > limits::AUTHORS {
            return Err(Fault::Unclear(name));
        }
    }
    if seen[0] == 0 { Err(Fault::NoFrom) } else { Ok(claims) }
}

/// How many servers say that the message came through them. RFC 5321 §6.3.
pub(crate) fn hops(section: &[u8]) -> usize {
    header::fields(section).filter(|field| field.is("Received")).count()
}

fn is_closed(section: &[u8]) -> bool {
    section == b"\r\n" || section.ends_with(b"\r\n\r\n")
}

/// Each line after the first begins with a blank, and there is nothing in it that hides the rest from some.
fn is_folded(raw: &[u8]) -> bool {
    let content = raw.strip_suffix(b"\r\n").unwrap_or(raw);
    let mut octets = content.iter().enumerate();
    octets.all(|(at, octet)| match octet {
        0 => false,
        b'\r' => content.get(at + 1) == Some(&b'\n'),
        b'\n' => at > 0 && content[at - 1] == b'\r' && matches!(content.get(at + 1), Some(b' ' | b'\t')),
        _ => true,
    })
}

/// A list of one or more mailboxes in the grammar of today, no groups and no routes. RFC 5322 §3.4.
fn addresses(value: &[u8]) -> Option<Vec<Address>> {
    // Names in other charsets than UTF-8 are wrong and harmless; in an address the mark makes it nobody's.
    let value = String::from_utf8_lossy(value);
    let mut list = List { rest: &value };
    let mut found = Vec::new();
    loop {
        found.push(list.mailbox()?);
        match list.peek() {
            None => return Some(found),
            Some(',') if found.len() < limits::AUTHORS => list.skip(','),
            Some(_) => return None,
        }
    }
}

struct List<'t> {
    rest: &'t str,
}

impl<'t> List<'t> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self, letter: char) {
        self.rest = &self.rest[letter.len_utf8()..];
    }

    fn eat(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    /// Takes letters while they pass.
    fn run(&mut self, test: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|letter| !test(letter)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// `address`, or a name and `<address>`, with blanks and comments around.
    fn mailbox(&mut self) -> Option<Address> {
        self.blanks()?;
        let start = self.rest;
        let mut words = 0;
        let mut apart = false;
        loop {
            match self.peek()? {
                '<' => {
                    self.skip('<');
                    self.blanks()?;
                    let address = self.address()?;
                    self.blanks()?;
                    self.eat('>')?;
                    self.blanks()?;
                    return Some(address);
                }
                '@' if words == 1 && !apart => {
                    self.rest = start;
                    let address = self.address()?;
                    self.blanks()?;
                    return Some(address);
                }
                '"' => self.quoted()?,
                letter if in_word(letter) => drop(self.run(in_word)),
                _ => return None,
            }
            words += 1;
            let before = self.rest.len();
            self.blanks()?;
            apart = self.rest.len() < before;
        }
    }

    /// `local@domain`.
    fn address(&mut self) -> Option<Address> {
        let start = self.rest;
        if self.peek()? == '"' {
            self.quoted()?;
        } else {
            self.run(in_word);
        }
        self.eat('@')?;
        if self.peek()? == '[' {
            self.run(|letter| letter.is_ascii_graphic() && letter != ']');
            self.eat(']')?;
        } else {
            self.run(|letter| letter.is_alphanumeric() || !letter.is_ascii() || "-.".contains(letter));
        }
        Address::parse(&start[..start.len() - self.rest.len()], true).ok()
    }

    /// A quoted string.
    fn quoted(&mut self) -> Option<()> {
        self.eat('"')?;
        loop {
            self.run(|letter| !matches!(letter, '"' | '\\') && is_text(letter));
            match self.peek()? {
                '"' => return self.eat('"'),
                _ => self.escaped()?,
            }
        }
    }

    /// Blanks and comments.
    fn blanks(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            self.run(|letter| matches!(letter, ' ' | '\t'));
            match self.peek() {
                Some('(') => {
                    self.skip('(');
                    depth += 1;
                }
                _ if depth == 0 => return Some(()),
                Some(')') => {
                    self.skip(')');
                    depth -= 1;
                }
                Some('\\') => self.escaped()?,
                Some(letter) if is_text(letter) => self.skip(letter),
                _ => return None,
            }
        }
    }

    fn escaped(&mut self) -> Option<()> {
        self.eat('\\')?;
        let letter = self.peek().filter(|letter| is_text(*letter))?;
        self.skip(letter);
        Some(())
    }
}

/// Not only what an atom has: dots in names (RFC 5322 §4.1 obs-phrase) and brackets are common and mislead nobody.
fn in_word(letter: char) -> bool {
    is_text(letter) && !" \t<>@,:;\"\\()".contains(letter)
}

fn is_text(letter: char) -> bool {
    letter == '\t' || !letter.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authors(header: &str) -> Result<Vec<String>, Fault> {
        Ok(read(header.as_bytes())?.authors.into_iter().map(|(_, address)| address.to_string()).collect())
    }

    fn from(value: &str) -> Option<Vec<String>> {
        Some(addresses(value.as_bytes())?.iter().map(Address::to_string).collect())
    }

    /// RFC 5322 §3.4, Appendix A.
    #[test]
    fn what_people_write() {
        for (value, wanted) in [
            ("alice@x.test", "alice@x.test"),
            ("<alice@x.test>", "alice@x.test"),
            ("Alice <Alice@X.test>", "Alice@x.test"),
            ("\"Alice, the first\" <alice@x.test>", "alice@x.test"),
            ("Alice B. Cooper <alice@x.test>", "alice@x.test"),
            ("Alice [dev] O'Hara <alice@x.test>", "alice@x.test"),
            ("=?utf-8?Q?J=C3=B6rg?= <alice@x.test>", "alice@x.test"),
            ("Jörg <jörg@bücher.test>", "jörg@bücher.test"),
            ("\"ceo@bank.test\" <alice@x.test>", "alice@x.test"),
            ("alice@x.test (Alice (really) \\) )", "alice@x.test"),
            ("(a) Alice (b) < (c) alice@x.test (d) > (e)", "alice@x.test"),
            ("\"a b\"@x.test", "\"a b\"@x.test"),
            ("\"a\\\"b\" <\"a@b\"@x.test>", "\"a@b\"@x.test"),
            ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("alice+list@x.test", "alice+list@x.test"),
        ] {
            assert_eq!(from(value), Some(vec![wanted.to_owned()]), "{value}");
        }
        let two = from("Alice <alice@x.test> , bob@y.test");
        assert_eq!(two, Some(vec!["alice@x.test".into(), "bob@y.test".into()]));
    }

    /// After "Composition Kills" (USENIX Security 2020): what two parsers read in two ways.
    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for value in [
            "",
            "alice",
            "Alice",
            "<>",
            "<alice>",
            ",alice@x.test",
            "alice@x.test,",
            "alice@x.test, ,bob@x.test",
            "alice@x.test ceo@bank.test",
            "<alice@x.test> ceo@bank.test",
            "<alice@x.test><ceo@bank.test>",
            "<alice@x.test> <ceo@bank.test>",
            "ceo@bank.test <alice@x.test>",
            "<<alice@x.test>>",
            "<alice@x.test",
            "alice@x.test>",
            "<@bank.test:alice@x.test>",
            "<@bank.test,@b.test:alice@x.test>",
            "Group: alice@x.test;",
            "Group: ;",
            "Group:ceo@bank.test;alice@x.test",
            "alice@x.test;ceo@bank.test",
            "alice@x.test@bank.test",
            "alice@bank.test\\,@x.test",
            "alice @x.test",
            "alice@ x.test",
            "alice@x.test (",
            "alice@x.test )",
            "\"alice@x.test",
            "\"ceo@bank.test\"alice@x.test",
            "a\"lic\"e@x.test",
            "Alice\u{0}<ceo@bank.test> <alice@x.test>",
            "\"a\u{0}b\" <alice@x.test>",
            "(\u{0}) <alice@x.test>",
            "alice@x..test",
            "alice@[x.test",
            "alice..b@x.test",
        ] {
            assert_eq!(from(value), None, "{value:?}");
        }
        // An encoded address is not decoded: it is a strange name at no domain, or at one.
        assert_eq!(from("=?utf-8?Q?ceo=40bank.test?="), None);
        let named = from("=?utf-8?Q?ceo=40bank.test=2C?=@x.test");
        assert_eq!(named, Some(vec!["=?utf-8?Q?ceo=40bank.test=2C?=@x.test".into()]));
    }

    /// RFC 5322 §3.6.
    #[test]
    fn one_from_and_no_more() {
        let one = "From: a@x.test\r\nSubject: s\r\n\r\n";
        assert_eq!(authors(one), Ok(vec!["a@x.test".into()]));
        for (header, fault) in [
            ("", Fault::NoFrom),
            ("\r\n", Fault::NoFrom),
            ("Subject: s\r\n\r\n", Fault::NoFrom),
            ("From: a@x.test\r\nfrom: b@x.test\r\n\r\n", Fault::Twice("From")),
            ("From: a@x.test\r\nFrom : b@x.test\r\n\r\n", Fault::Twice("From")),
            ("From: a@x.test\r\nFROM\t: b@x.test\r\n\r\n", Fault::Twice("From")),
            ("From: a@x.test\r\nSender: a@x.test\r\nSender: b@x.test\r\n\r\n", Fault::Twice("Sender")),
            ("From: a@x.test\r\nSender: \r\n\r\n", Fault::Unclear("Sender")),
            ("From: a@x.test\r\nResent-From: <\r\n\r\n", Fault::Unclear("Resent-From")),
            ("From: a@x.test\r\nno field\r\nFrom: b@x.test\r\n\r\n", Fault::NoField),
            ("From: a@x.test\r\nFr\u{0}om: b@x.test\r\n\r\n", Fault::NoField),
            ("From: a@x.test\r\nX: \u{0}\r\n\r\n", Fault::NoField),
            ("From: a@x.test\nFrom: b@x.test\r\n\r\n", Fault::NoField),
            ("From: a@x.test\rFrom: b@x.test\r\n\r\n", Fault::NoField),
            (" From: b@x.test\r\nFrom: a@x.test\r\n\r\n", Fault::NoField),
            ("From b@x.test Mon Jan 1\r\nFrom: a@x.test\r\n\r\n", Fault::NoField),
        ] {
            assert_eq!(authors(header), Err(fault), "{header:?}");
        }
    }

    #[test]
    fn everybody_who_answers_for_it_is_named() {
        let header = "From: a@x.test,\r\n b@x.test\r\nSender: c@x.test\r\nResent-From: d@x.test\r\n\
            Resent-Sender: e@x.test\r\nResent-From: d@x.test\r\nReply-To: f@x.test\r\nTo: g@x.test\r\n\r\n";
        let wanted = ["a", "b", "c", "d", "e"].map(|name| format!("{name}@x.test"));
        assert_eq!(authors(header), Ok(wanted.to_vec()));
        let many = format!("From: {}a@x.test\r\n\r\n", "a@x.test, ".repeat(limits::AUTHORS));
        assert_eq!(authors(&many), Err(Fault::Unclear("From")));
    }

    #[test]
    fn what_else_is_seen() {
        let claims = |text: &str| {
            let claims = read(text.as_bytes()).expect(text);
            (claims.has_date, claims.has_id, claims.closed)
        };
        assert_eq!(claims("From: a@x.test\r\n\r\n"), (false, false, true));
        assert_eq!(claims("From: a@x.test\r\nDATE: x\r\nMessage-Id: <a@b>\r\n"), (true, true, false));
        assert_eq!(hops(b"Received: a\r\nReceived: b\r\n c\r\nX-Received: d\r\n\r\nReceived: e\r\n"), 2);
    }
}
