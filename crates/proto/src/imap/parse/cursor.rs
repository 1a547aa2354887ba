//! The words of the grammar: atoms, strings, numbers, sets, dates. RFC 9051 §9.
//!
//! What never lives here: commands. Nothing here recurses.

use std::borrow::Cow;

use mail::{Flags, ModSeq};

use crate::imap::types::SequenceSet;
use crate::imap::{date, limits};

/// Why octets are no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// What was wanted at which octet.
    Bad {
        /// Where.
        at: usize,
        /// "expected a mailbox name".
        text: Cow<'static, str>,
    },
    /// SEARCH in a charset that is not known here.
    BadCharset,
    /// A literal is announced at the very end, its octets are yet to come.
    NeedLiteral,
}

/// A place in a gathered command.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    /// Mailbox names are UTF-8.
    pub(crate) utf8: bool,
}

impl<'a> Cursor<'a> {
    /// At the start of a command without its last line end.
    pub(crate) fn new(data: &'a [u8], utf8: bool) -> Cursor<'a> {
        Cursor { data, at: 0, utf8 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a [u8] {
        &self.data[self.at..]
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    pub(crate) fn fault<T>(&self, text: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
        Err(Fault::Bad { at: self.at, text: text.into() })
    }

    /// A fault at a place already passed.
    pub(crate) fn fault_at<T>(&self, at: usize, text: impl Into<Cow<'static, str>>) -> Result<T, Fault> {
        Err(Fault::Bad { at, text: text.into() })
    }

    /// Takes this octet if it is next.
    pub(crate) fn take(&mut self, octet: u8) -> bool {
        let here = self.peek() == Some(octet);
        self.at += usize::from(here);
        here
    }

    /// Demands this octet.
    pub(crate) fn expect(&mut self, octet: u8, text: &'static str) -> Result<(), Fault> {
        if self.take(octet) { Ok(()) } else { self.fault(text) }
    }

    /// Demands a space. More than one is taken as one: no word begins with a space, so nothing else can be meant.
    pub(crate) fn space(&mut self) -> Result<(), Fault> {
        self.expect(b' ', "expected a space")?;
        self.spaces();
        Ok(())
    }

    /// Takes any spaces.
    pub(crate) fn spaces(&mut self) {
        while self.take(b' ') {}
    }

    /// Takes a space if something other than spaces follows it.
    pub(crate) fn more(&mut self) -> bool {
        let before = self.at;
        self.spaces();
        self.at > before && self.at < self.data.len()
    }

    /// Demands the end; spaces before it are ignored, as clients leave some.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        self.spaces();
        if self.at == self.data.len() { Ok(()) } else { self.fault("expected the end of the command") }
    }

    /// The longest run of octets that pass.
    pub(crate) fn run(&mut self, test: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let end = rest.iter().position(|&octet| !test(octet)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Letters, digits and what stands in the names of commands and items.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        self.run(|c| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'-' | b'=' | b'_'))
    }

    /// Takes this word, in any case, if it is next as a whole.
    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let before = self.at;
        if self.word().eq_ignore_ascii_case(word.as_bytes()) {
            return true;
        }
        self.at = before;
        false
    }

    /// RFC 9051 §9 atom.
    pub(crate) fn atom(&mut self, text: &'static str) -> Result<&'a str, Fault> {
        self.ascii(is_atom, text)
    }

    fn ascii(&mut self, test: impl Fn(u8) -> bool, text: &'static str) -> Result<&'a str, Fault> {
        let found = self.run(test);
        match std::str::from_utf8(found) {
            Ok(word) if !word.is_empty() => Ok(word),
            _ => self.fault_at(self.at - found.len(), text),
        }
    }

    /// RFC 9051 §9 astring: an atom, in which `]` may stand, or a string.
    pub(crate) fn astring(&mut self, text: &'static str) -> Result<Cow<'a, [u8]>, Fault> {
        self.string_or(|c| is_atom(c) || c == b']', text)
    }

    /// A string, or a run of octets that pass.
    pub(crate) fn string_or(
        &mut self,
        test: impl Fn(u8) -> bool,
        text: &'static str,
    ) -> Result<Cow<'a, [u8]>, Fault> {
        if let Some(b'"' | b'{') = self.peek() {
            return self.string(text);
        }
        let found = self.run(test);
        if found.is_empty() { self.fault(text) } else { Ok(Cow::Borrowed(found)) }
    }

    /// RFC 9051 §9 string: quoted or literal. Eight-bit octets are let through in both; who wants text or a
    /// mailbox name looks at them.
    pub(crate) fn string(&mut self, text: &'static str) -> Result<Cow<'a, [u8]>, Fault> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => self.fault(text),
        }
    }

    fn quoted(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let open = self.at;
        self.at += 1;
        let plain = self.run(|c| !matches!(c, b'"' | b'\\' | b'\r' | b'\n' | 0));
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut value = plain.to_vec();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(value));
                }
                Some(b'\\') => {
                    self.at += 1;
                    let Some(escaped @ (b'"' | b'\\')) = self.peek() else {
                        return self.fault("expected \\\" or \\\\ in the quoted string");
                    };
                    value.push(escaped);
                    self.at += 1;
                }
                Some(b'\r' | b'\n' | 0) => return self.fault("a control character in a quoted string"),
                _ if self.at == self.data.len() => return self.fault_at(open, "the quotes are not closed"),
                _ => {}
            }
            value.extend_from_slice(self.run(|c| !matches!(c, b'"' | b'\\' | b'\r' | b'\n' | 0)));
        }
    }

    /// A literal whose octets were gathered. RFC 9051 §4.3: no NUL.
    fn literal(&mut self) -> Result<Cow<'a, [u8]>, Fault> {
        let open = self.at;
        let (size, _) = self.announcement()?;
        if self.at == self.data.len() {
            return Err(Fault::NeedLiteral);
        }
        self.take(b'\r');
        self.expect(b'\n', "expected the line to end after the size of the literal")?;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let Some(octets) = self.rest().get(..size) else {
            return self.fault_at(open, "the literal is not complete");
        };
        if octets.contains(&0) {
            return self.fault_at(open, "NUL in a literal");
        }
        self.at += size;
        Ok(Cow::Borrowed(octets))
    }

    /// `{n}` or `{n+}`: the size, and whether the client waits for an invitation.
    pub(crate) fn announcement(&mut self) -> Result<(u64, bool), Fault> {
        self.expect(b'{', "expected a literal")?;
        let size = self.number64("expected the size of the literal")?;
        let synchronizing = !self.take(b'+');
        self.expect(b'}', "expected } after the size of the literal")?;
        Ok((size, synchronizing))
    }

    /// A string that must be UTF-8.
    pub(crate) fn text(&self, at: usize, octets: Cow<'_, [u8]>) -> Result<String, Fault> {
        match String::from_utf8(octets.into_owned()) {
            Ok(text) => Ok(text),
            Err(_) => self.fault_at(at, "this string is not UTF-8"),
        }
    }

    /// A number of 63 bits. RFC 9051 §9 number64.
    pub(crate) fn number64(&mut self, text: &'static str) -> Result<u64, Fault> {
        let at = self.at;
        let digits = self.run(|c| c.is_ascii_digit());
        if digits.is_empty() {
            return self.fault(text);
        }
        let number = digits.iter().try_fold(0u64, |n, d| n.checked_mul(10)?.checked_add(u64::from(d - b'0')));
        match number {
            Some(number) if number <= i64::MAX as u64 => Ok(number),
            _ => self.fault_at(at, "the number is too large"),
        }
    }

    /// A number of 32 bits. RFC 9051 §9 number.
    pub(crate) fn number(&mut self, text: &'static str) -> Result<u32, Fault> {
        let at = self.at;
        let number = self.number64(text)?;
        u32::try_from(number).or_else(|_| self.fault_at(at, "the number is too large"))
    }

    /// A modseq of at most 63 bits. RFC 7162 §7 mod-sequence-valzer.
    pub(crate) fn modseq(&mut self) -> Result<ModSeq, Fault> {
        self.number64("expected a mod-sequence").map(ModSeq)
    }

    /// RFC 9051 §9 sequence-set, without `$`.
    pub(crate) fn sequence_set(&mut self) -> Result<SequenceSet, Fault> {
        let mut ranges = Vec::new();
        loop {
            let first = self.set_number()?;
            let last = if self.take(b':') { self.set_number()? } else { first };
            if ranges.len() == limits::SET_RANGES_MAX {
                return self.fault("too many ranges in the set");
            }
            ranges.push((first, last));
            if !self.take(b',') {
                return Ok(SequenceSet(ranges));
            }
        }
    }

    fn set_number(&mut self) -> Result<Option<u32>, Fault> {
        if self.take(b'*') {
            return Ok(None);
        }
        let at = self.at;
        match self.number("expected a sequence set")? {
            0 => self.fault_at(at, "0 is in no sequence set"),
            number => Ok(Some(number)),
        }
    }

    /// Elements between parentheses, with spaces between them; `one` reads each. An empty list is allowed.
    pub(crate) fn list(
        &mut self,
        most: usize,
        mut one: impl FnMut(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.expect(b'(', "expected a parenthesis")?;
        self.spaces();
        let mut count = 0;
        while !self.take(b')') {
            if count == most {
                return self.fault("too many elements in the list");
            }
            count += 1;
            one(self)?;
            if self.peek() != Some(b')') {
                self.space()?;
            }
        }
        Ok(())
    }

    /// One flag into the set; a system flag that is not known here, and \Recent, are passed over.
    /// RFC 9051 §9 flag.
    pub(crate) fn flag(&mut self, flags: &mut Flags) -> Result<(), Fault> {
        let at = self.at;
        let system = self.take(b'\\');
        let name = self.atom("expected a flag")?;
        if system {
            let with_backslash = std::str::from_utf8(&self.data[at..self.at]).unwrap_or_default();
            flags.insert(with_backslash);
        } else if name.len() > limits::KEYWORD_MAX {
            return self.fault_at(at, "the keyword is too long");
        } else {
            flags.insert(name);
        }
        Ok(())
    }

    /// RFC 9051 §9 flag-list.
    pub(crate) fn flag_list(&mut self) -> Result<Flags, Fault> {
        let mut flags = Flags::default();
        self.list(limits::FLAGS_MAX, |cursor| cursor.flag(&mut flags))?;
        Ok(flags)
    }

    /// RFC 9051 §9 mailbox.
    pub(crate) fn mailbox(&mut self) -> Result<String, Fault> {
        let at = self.at;
        let name = self.astring("expected a mailbox name")?;
        self.decode_mailbox(at, &name)
    }

    /// The name as the house spells it. RFC 9051 §5.1, RFC 3501 §5.1.3.
    pub(crate) fn decode_mailbox(&self, at: usize, name: &[u8]) -> Result<String, Fault> {
        if name.len() > limits::MAILBOX_MAX {
            return self.fault_at(at, "the mailbox name is too long");
        }
        let decoded = match std::str::from_utf8(name) {
            Err(_) => return self.fault_at(at, "the mailbox name is not UTF-8"),
            Ok(name) if self.utf8 => name.to_owned(),
            Ok(name) if !name.is_ascii() => {
                return self
                    .fault_at(at, "the mailbox name is not in modified UTF-7, and UTF8=ACCEPT is not on");
            }
            Ok(name) => match crate::imap::mailbox::decode(name) {
                Some(decoded) => decoded,
                None => return self.fault_at(at, "the mailbox name is not in modified UTF-7"),
            },
        };
        Ok(crate::imap::mailbox::inbox(decoded))
    }

    /// RFC 9051 §9 date, quoted or not: days since 1970-01-01.
    pub(crate) fn date(&mut self) -> Result<i64, Fault> {
        let at = self.at;
        let quoted = self.take(b'"');
        let found = self.run(|c| c.is_ascii_alphanumeric() || c == b'-');
        let Some(day) = date::parse_day(found) else {
            return self.fault_at(at, "expected a date such as 1-Feb-1994");
        };
        if quoted {
            self.expect(b'"', "expected the quotes to close after the date")?;
        }
        Ok(day)
    }

    /// RFC 9051 §9 date-time.
    pub(crate) fn date_time(&mut self) -> Result<mail::Moment, Fault> {
        let at = self.at;
        self.expect(b'"', "expected a date-time")?;
        let found = self.run(|c| !matches!(c, b'"' | b'\\') && (b' '..0x7f).contains(&c));
        let Some(moment) = date::parse(found) else {
            return self.fault_at(at, "expected a date-time such as \"17-Jul-1996 02:44:25 -0700\"");
        };
        self.expect(b'"', "expected the quotes to close after the date-time")?;
        Ok(moment)
    }
}

/// RFC 9051 §9 ATOM-CHAR.
pub(crate) fn is_atom(octet: u8) -> bool {
    octet > b' ' && octet < 0x7f && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}
