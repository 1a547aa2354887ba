//! The paths of MAIL and RCPT: strict, by the grammar. RFC 5321 §4.1.2, RFC 6531 §3.3.
//!
//! What never lives here: whether the address exists, and how it is normalised.
//!
//! Strictness is a defence: an address that two parsers read in two ways is how mail is made to leave by a door
//! that was thought closed. Nothing is repaired; what the grammar does not have is refused with a reason.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::limits::{DOMAIN, LABEL, LOCAL_PART};

/// What stood between the angle brackets, its source route removed. RFC 5321 §4.1.1.3 lets a server ignore it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// `local@domain` as given; `postmaster` alone for a forward path; empty for the null reverse path.
    pub address: String,
    /// It holds something beyond ASCII, which only SMTPUTF8 allows.
    pub utf8: bool,
}

/// What is wrong, in words for the peer.
pub type Fault = &'static str;

/// Reads `<path>` from the start of `text`; returns it and what follows it.
///
/// # Errors
/// A text that says what is wrong.
pub fn reverse_path(text: &str) -> Result<(Path, &str), Fault> {
    let mut cursor = Cursor(text);
    cursor.expect('<', "the address must stand in angle brackets")?;
    if cursor.eat('>') {
        return Ok((Path { address: String::new(), utf8: false }, cursor.0));
    }
    cursor.mailbox(false)
}

/// The same for RCPT: no null path, but `<Postmaster>` without a domain. RFC 5321 §4.1.1.3.
///
/// # Errors
/// A text that says what is wrong.
pub fn forward_path(text: &str) -> Result<(Path, &str), Fault> {
    let mut cursor = Cursor(text);
    cursor.expect('<', "the address must stand in angle brackets")?;
    cursor.mailbox(true)
}

/// The rest of the text, read from the left.
struct Cursor<'t>(&'t str);

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<char> {
        self.0.chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        match self.0.strip_prefix(wanted) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, wanted: char, fault: Fault) -> Result<(), Fault> {
        if self.eat(wanted) { Ok(()) } else { Err(fault) }
    }

    /// Takes letters while they pass.
    fn run(&mut self, test: impl Fn(char) -> bool) -> &'t str {
        let end = self.0.find(|letter| !test(letter)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    /// After `<`: a source route, the mailbox, `>`.
    fn mailbox(&mut self, postmaster: bool) -> Result<(Path, &'t str), Fault> {
        if self.peek() == Some('@') {
            self.source_route()?;
        }
        let start = self.0;
        let local = if self.peek() == Some('"') { self.quoted()? } else { self.dot_string()? };
        if local.len() > LOCAL_PART {
            return Err("the local part is longer than 64 octets");
        }
        let domain_follows = self.eat('@');
        if domain_follows {
            if self.peek() == Some('[') { self.literal()? } else { self.domain()? }
        } else if !(postmaster && local.eq_ignore_ascii_case("postmaster") && self.peek() == Some('>')) {
            return Err("the address has no domain");
        }
        let address = &start[..start.len() - self.0.len()];
        self.expect('>', "after the address only > may stand")?;
        Ok((Path { address: address.to_owned(), utf8: !address.is_ascii() }, self.0))
    }

    /// `@a,@b:`. RFC 5321 §4.1.2 A-d-l.
    fn source_route(&mut self) -> Result<(), Fault> {
        loop {
            self.expect('@', "a source route is @host,@host:")?;
            self.domain()?;
            if self.eat(':') {
                return Ok(());
            }
            self.expect(',', "a source route is @host,@host:")?;
        }
    }

    /// Dot-string: atoms with single dots between them.
    fn dot_string(&mut self) -> Result<&'t str, Fault> {
        let start = self.0;
        loop {
            if self.run(is_atext).is_empty() {
                return Err(if self.0.starts_with('.') || start.len() > self.0.len() {
                    "a local part with a dot at its edge or two in a row must be quoted"
                } else {
                    "the local part is missing or holds a character that must be quoted"
                });
            }
            if !self.eat('.') {
                return Ok(&start[..start.len() - self.0.len()]);
            }
        }
    }

    /// Quoted-string, with its quotes.
    fn quoted(&mut self) -> Result<&'t str, Fault> {
        let start = self.0;
        self.eat('"');
        loop {
            self.run(is_qtext);
            if self.eat('"') {
                return Ok(&start[..start.len() - self.0.len()]);
            }
            self.expect('\\', "the quoted local part does not end")?;
            match self.peek() {
                Some(letter @ ' '..='~') => {
                    self.eat(letter);
                }
                _ => return Err("a backslash must stand before a printable character"),
            }
        }
    }

    /// Labels of letters, digits and inner hyphens; beyond ASCII whatever IDNA may turn into such. RFC 6531 §3.3.
    fn domain(&mut self) -> Result<(), Fault> {
        let start = self.0;
        loop {
            let label = self.run(is_label);
            if label.is_empty() {
                return Err("the domain has an empty label or a character that no domain has");
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err("a label of the domain begins or ends with a hyphen");
            }
            if label.is_ascii() && label.len() > LABEL {
                return Err("a label of the domain is longer than 63 octets");
            }
            if !self.eat('.') {
                break;
            }
        }
        if start.len() - self.0.len() > DOMAIN { Err("the domain is longer than 255 octets") } else { Ok(()) }
    }

    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`. RFC 5321 §4.1.3; no other tag is registered.
    fn literal(&mut self) -> Result<(), Fault> {
        self.eat('[');
        let inner = self.run(|letter| letter.is_ascii_graphic() && !matches!(letter, '[' | ']' | '\\'));
        self.expect(']', "the address literal does not end with ]")?;
        if is_address(inner) { Ok(()) } else { Err("the address literal is neither IPv4 nor IPv6:") }
    }
}

/// The inside of an address literal.
pub fn is_address(inner: &str) -> bool {
    match inner.get(..5) {
        Some(tag) if tag.eq_ignore_ascii_case("IPv6:") => inner[5..].parse::<Ipv6Addr>().is_ok(),
        _ => inner.parse::<Ipv4Addr>().is_ok(),
    }
}

fn is_atext(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(letter) || is_beyond_ascii(letter)
}

fn is_qtext(letter: char) -> bool {
    matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\') || is_beyond_ascii(letter)
}

fn is_label(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-' || is_beyond_ascii(letter) && !letter.is_whitespace()
}

/// C1 controls and the separators that end a line for some readers are left out.
fn is_beyond_ascii(letter: char) -> bool {
    !letter.is_ascii() && !letter.is_control() && !matches!(letter, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &[(&str, &str)] = &[
        ("<a@b>", "a@b"),
        ("<alice@example.test>", "alice@example.test"),
        ("<Alice.B.C@Example.TEST>", "Alice.B.C@Example.TEST"),
        ("<a+tag@example.test>", "a+tag@example.test"),
        ("<!#$%&'*+-/=?^_`{|}~@example.test>", "!#$%&'*+-/=?^_`{|}~@example.test"),
        ("<1@2.3.com>", "1@2.3.com"),
        ("<a@xn--bcher-kva.example>", "a@xn--bcher-kva.example"),
        ("<a@a-b--c.example>", "a@a-b--c.example"),
        ("<\"a b\"@example.test>", "\"a b\"@example.test"),
        ("<\"a@b\"@example.test>", "\"a@b\"@example.test"),
        ("<\"a>b\"@example.test>", "\"a>b\"@example.test"),
        ("<\"a\\\"b\\\\c\"@example.test>", "\"a\\\"b\\\\c\"@example.test"),
        ("<\"\"@example.test>", "\"\"@example.test"),
        ("<\".a..b.\"@example.test>", "\".a..b.\"@example.test"),
        ("<a@[192.0.2.1]>", "a@[192.0.2.1]"),
        ("<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]"),
        ("<a@[ipv6:::1]>", "a@[ipv6:::1]"),
        ("<a@[IPv6:::ffff:192.0.2.1]>", "a@[IPv6:::ffff:192.0.2.1]"),
        ("<@one.test:a@b.test>", "a@b.test"),
        ("<@one.test,@two.test:a@b.test>", "a@b.test"),
        ("<\u{fc}ser@b\u{fc}cher.example>", "\u{fc}ser@b\u{fc}cher.example"),
        ("<\"\u{fc} x\"@example.test>", "\"\u{fc} x\"@example.test"),
    ];

    const BAD: &[&str] = &[
        "",
        "a@b",
        "<a@b",
        "a@b>",
        "<a>",
        "<@b>",
        "<a@>",
        "<a@@b>",
        "<a@b@c>",
        "<a b@c>",
        "< a@b>",
        "<a@b >",
        "<.a@b>",
        "<a.@b>",
        "<a..b@c>",
        "<a@b..c>",
        "<a@.b>",
        "<a@b.>",
        "<a@-b>",
        "<a@b->",
        "<a@b_c>",
        "<a@b!c>",
        "<a,b@c>",
        "<a:b@c>",
        "<a(b)@c>",
        "<<a@b>>",
        "<\"a@b>",
        "<\"a\"b@c>",
        "<a\"b\"@c>",
        "<\"a\\@b>",
        "<\"a\tb\"@c>",
        "<\"a\\\tb\"@c>",
        "<a\\b@c>",
        "<a@[192.0.2.1>",
        "<a@192.0.2.1]>",
        "<a@[192.0.2]>",
        "<a@[192.0.2.256]>",
        "<a@[2001:db8::1]>",
        "<a@[IPv6:192.0.2.1]>",
        "<a@[IPv7:x]>",
        "<a@[]>",
        "<a@[[192.0.2.1]]>",
        "<@one.test>",
        "<@one.test:>",
        "<@one.test a@b>",
        "<@one.test,a@b>",
        "<@one.test,:a@b>",
        "<@:a@b>",
        "<:a@b>",
        "<a@b\u{2028}c>",
        "<a\u{85}b@c>",
        "<a@b\u{a0}c>",
        "\"a\"<a@b>",
        "<postmaster>x",
    ];

    #[test]
    fn good_paths() {
        for &(text, address) in GOOD {
            for path in [reverse_path, forward_path] {
                let (found, rest) = path(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
                assert_eq!((found.address.as_str(), rest), (address, ""), "{text}");
                assert_eq!(found.utf8, !address.is_ascii());
            }
            let followed = format!("{text} SIZE=1");
            assert_eq!(forward_path(&followed).map(|(_, rest)| rest), Ok(" SIZE=1"));
        }
    }

    #[test]
    fn bad_paths() {
        for &text in BAD {
            assert!(reverse_path(text).is_err(), "{text:?}: {:?}", reverse_path(text));
            if text != "<postmaster>x" {
                assert!(forward_path(text).is_err(), "{text:?}: {:?}", forward_path(text));
            }
        }
    }

    /// RFC 5321 §4.1.1.3 and §4.5.5: the null path is a sender only, the bare postmaster a recipient only.
    #[test]
    fn null_and_postmaster() {
        assert_eq!(reverse_path("<> X").map(|(path, rest)| (path.address, rest)), Ok((String::new(), " X")));
        assert!(forward_path("<>").is_err());
        assert_eq!(forward_path("<PostMaster>").map(|(path, _)| path.address), Ok("PostMaster".into()));
        assert!(reverse_path("<postmaster>").is_err());
        assert!(forward_path("<\"postmaster\">").is_err());
        assert!(forward_path("<webmaster>").is_err());
    }

    /// RFC 5321 §4.5.3.1: 64 octets of local part, 255 of domain, 63 of label.
    #[test]
    fn lengths() {
        let path = |local: usize, domain: &str| format!("<{}@{domain}>", "x".repeat(local));
        assert!(forward_path(&path(64, "b")).is_ok());
        assert!(forward_path(&path(65, "b")).is_err());
        assert!(forward_path(&path(1, &"l".repeat(63))).is_ok());
        assert!(forward_path(&path(1, &"l".repeat(64))).is_err());
        let domain = vec!["l".repeat(63); 4].join(".");
        assert_eq!(domain.len(), 255);
        assert!(forward_path(&path(1, &domain)).is_ok());
        assert!(forward_path(&path(1, &format!("a.{domain}"))).is_err());
        let quoted = format!("<\"{}\"@b>", "x".repeat(62));
        assert!(forward_path(&quoted).is_ok());
        let quoted = format!("<\"{}\"@b>", "x".repeat(63));
        assert!(forward_path(&quoted).is_err());
    }
}
