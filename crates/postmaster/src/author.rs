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
    let mut claims = Claims { closed: section.is_empty() || is_closed(section), ..Claims::default() };
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
