//! Addresses of SMTP: one mailbox at one domain. RFC 5321 §4.1.2, RFC 6531 §3.3.
//!
//! What never lives here: names and comments, which are of headers (`address_list`); which addresses exist.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Octets of a local part as written. RFC 5321 §4.5.3.1.1.
pub const LOCAL_MAX: usize = 64;
/// Octets of a domain. RFC 5321 §4.5.3.1.2.
pub const DOMAIN_MAX: usize = 255;
/// Octets of an address: a path of 256 without its angles. RFC 5321 §4.5.3.1.3.
pub const ADDRESS_MAX: usize = 254;
/// Octets of a label. RFC 1035 §2.3.4.
const LABEL_MAX: usize = 63;

/// `local@domain` in one spelling: the local part without needless quotes and in the case given, the domain in lower
/// case. Internationalised labels stay as they are given, in either form (U-label or A-label); bringing both to one
/// form would take the tables of IDNA, and whoever publishes such a domain can list it under both names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: String,
    domain: String,
}

/// Why something is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// There is no `@` outside of quotes.
    NoDomain,
    /// The local part is empty or breaks the grammar.
    Local,
    /// The domain is empty or breaks the grammar.
    Domain,
    /// The local part, a label, the domain or all of it is too long.
    TooLong,
    /// It is not US-ASCII, and SMTPUTF8 was not asked for.
    NotAscii,
}

/// In words that end a sentence "bad address: …".
impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AddressError::NoDomain => "there is no @ in it",
            AddressError::Local => "the part before the @ is not well formed",
            AddressError::Domain => "the domain is not well formed",
            AddressError::TooLong => "it is too long",
            AddressError::NotAscii => "it is not in US-ASCII and SMTPUTF8 was not asked for",
        })
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Reads `local@domain` without angles. With `smtputf8` both may hold UTF-8. RFC 6531 §3.3.
    pub fn parse(text: &str, smtputf8: bool) -> Result<Address, AddressError> {
        if !smtputf8 && !text.is_ascii() {
            return Err(AddressError::NotAscii);
        }
        let (local, domain) = match text.starts_with('"') {
            true => quoted(text)?,
            false => atoms(text)?,
        };
        let written = text.len() - domain.len() - 1;
        if written > LOCAL_MAX || text.len() > ADDRESS_MAX {
            return Err(AddressError::TooLong);
        }
        Ok(Address { local, domain: normalise_domain(domain)? })
    }

    /// The local part without quotes, in the case given.
    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain in lower case, or an address literal with its brackets.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// The domain is an address literal. RFC 5321 §4.1.3.
    pub fn is_literal(&self) -> bool {
        self.domain.starts_with('[')
    }

    /// Whether a peer needs SMTPUTF8 to take it. RFC 6531 §3.4.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.is_ascii() || !self.domain.is_ascii()
    }

    /// With the local part in lower case as well: how this house compares the addresses of its own domains.
    /// (Other domains may tell `Bob` from `bob`. RFC 5321 §2.4.)
    pub fn folded(&self) -> Address {
        Address { local: self.local.to_lowercase(), domain: self.domain.clone() }
    }

    /// The local part before the first `separator`, and what follows it: `bob+lists` is `bob` and `lists`. A local
    /// part that begins with the separator has no detail. RFC 5233 §1.
    pub fn split_detail(&self, separator: char) -> (&str, Option<&str>) {
        match self.local.split_once(separator) {
            Some((base, detail)) if !base.is_empty() => (base, Some(detail)),
            _ => (&self.local, None),
        }
    }

    /// The address without its detail.
    pub fn without_detail(&self, separator: char) -> Address {
        Address { local: self.split_detail(separator).0.to_owned(), domain: self.domain.clone() }
    }
}

/// As SMTP writes it, quoted where it has to be.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.local) {
            f.write_str(&self.local)?;
        } else {
            f.write_str("\"")?;
            for c in self.local.chars() {
                if matches!(c, '"' | '\\') {
                    f.write_str("\\")?;
                }
                write!(f, "{c}")?;
            }
            f.write_str("\"")?;
        }
        write!(f, "@{}", self.domain)
    }
}

/// RFC 5321 §4.1.2 Dot-string, then the domain.
fn atoms(text: &str) -> Result<(String, &str), AddressError> {
    let (local, domain) = text.split_once('@').ok_or(AddressError::NoDomain)?;
    match is_dot_string(local) {
        true => Ok((local.to_owned(), domain)),
        false => Err(AddressError::Local),
    }
}

fn is_dot_string(local: &str) -> bool {
    let atext = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c),
        false => !unfit(c),
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

/// RFC 5321 §4.1.2 Quoted-string, then the domain. An empty one is refused: nobody is called that.
fn quoted(text: &str) -> Result<(String, &str), AddressError> {
    let mut local = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if local.is_empty() => return Err(AddressError::Local),
            '"' => {
                let domain = text[at + 1..].strip_prefix('@').ok_or(AddressError::NoDomain)?;
                return Ok((local, domain));
            }
            '\\' => match chars.next() {
                Some((_, c @ ' '..='~')) => local.push(c),
                _ => return Err(AddressError::Local),
            },
            _ if unfit(c) => return Err(AddressError::Local),
            _ => local.push(c),
        }
    }
    Err(AddressError::Local)
}

/// Control characters, and what cannot be seen or turns the text around, so that no two addresses look alike for it.
fn unfit(c: char) -> bool {
    c.is_control()
        || (!c.is_ascii() && c.is_whitespace())
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A domain or an address literal in lower case. RFC 5321 §4.1.2, §4.1.3, RFC 6531 §3.3 (U-labels). Without the dot
/// of the root; a last label of digits only is refused, because it would be taken for an IP address.
pub fn normalise_domain(domain: &str) -> Result<String, AddressError> {
    if domain.len() > DOMAIN_MAX {
        return Err(AddressError::TooLong);
    }
    if let Some(literal) = domain.strip_prefix('[') {
        return address_literal(literal.strip_suffix(']').ok_or(AddressError::Domain)?);
    }
    let lower = domain.to_lowercase();
    let well_formed = |label: &str| {
        let fits = |c: char| match c.is_ascii() {
            true => c.is_ascii_alphanumeric() || c == '-',
            // The other full stops of IDNA would make two labels of one.
            false => !unfit(c) && !matches!(c, '\u{3002}' | '\u{ff0e}' | '\u{ff61}'),
        };
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.chars().all(fits)
    };
    if !lower.split('.').all(well_formed) {
        return Err(AddressError::Domain);
    }
    // What one U-label may take is known only in its other form, where it is no shorter than its characters.
    if lower.split('.').any(|label| label.chars().count() > LABEL_MAX) {
        return Err(AddressError::TooLong);
    }
    let last_is_number =
        lower.rsplit('.').next().is_some_and(|label| label.bytes().all(|octet| octet.is_ascii_digit()));
    if last_is_number { Err(AddressError::Domain) } else { Ok(lower) }
}

/// RFC 5321 §4.1.3, without the brackets: IPv4 and IPv6; no other kind has ever been registered.
fn address_literal(literal: &str) -> Result<String, AddressError> {
    match literal.split_at_checked(5) {
        Some((tag, rest)) if tag.eq_ignore_ascii_case("IPv6:") => {
            let address: Ipv6Addr = rest.parse().map_err(|_| AddressError::Domain)?;
            Ok(format!("[IPv6:{address}]"))
        }
        _ => {
            let address: Ipv4Addr = literal.parse().map_err(|_| AddressError::Domain)?;
            Ok(format!("[{address}]"))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 5321 §4.1.2.
    #[test]
    fn addresses_have_one_spelling() {
        for (given, wanted) in [
            ("bob@example.org", "bob@example.org"),
            ("Bob@Example.ORG", "Bob@example.org"),
            ("\"bob\"@example.org", "bob@example.org"),
            ("\"b\\ob\"@example.org", "bob@example.org"),
            ("\"b ob\"@example.org", "\"b ob\"@example.org"),
            ("\"b@b\\\"\\\\\"@example.org", "\"b@b\\\"\\\\\"@example.org"),
            ("\"a..b\"@example.org", "\"a..b\"@example.org"),
            ("!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x"),
            ("a@[192.0.2.1]", "a@[192.0.2.1]"),
            ("a@[ipv6:2001:DB8:0::1]", "a@[IPv6:2001:db8::1]"),
            ("a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
            ("a@1.2.3.com", "a@1.2.3.com"),
        ] {
            let address = Address::parse(given, false).unwrap();
            assert_eq!(address.to_string(), wanted);
            assert!(!address.needs_smtputf8());
        }
    }

    #[test]
    fn what_is_no_address() {
        use AddressError::{Domain, Local, NoDomain, TooLong};
        let label = "a".repeat(64);
        let local = "l".repeat(65);
        let long = format!("l@{}", ["a".repeat(62).as_str(); 4].join("."));
        assert_eq!(long.len(), 253);
        assert!(Address::parse(&long, false).is_ok());
        for (given, error) in [
            ("", NoDomain),
            ("bob", NoDomain),
            ("\"bob@x\"", NoDomain),
            ("\"bob\"x@y", NoDomain),
            ("@x", Local),
            (".a@x", Local),
            ("a.@x", Local),
            ("a..b@x", Local),
            ("a b@x", Local),
            ("a(c)@x", Local),
            ("<a@x>", Local),
            ("\"\"@x", Local),
            ("\"a@x", Local),
            ("\"a\r\n\"@x", Local),
            ("\"a\\\r\"@x", Local),
            ("a@", Domain),
            ("a@b@c", Domain),
            ("a@x.", Domain),
            ("a@.x", Domain),
            ("a@x..y", Domain),
            ("a@-x", Domain),
            ("a@x-.y", Domain),
            ("a@x_y", Domain),
            ("a@x y", Domain),
            ("a@x\0", Domain),
            ("a@1.2.3.4", Domain),
            ("a@[1.2.3]", Domain),
            ("a@[1.2.3.4", Domain),
            ("a@[IPv6:]", Domain),
            ("a@[x:y]", Domain),
            (&format!("a@{label}"), TooLong),
            (&format!("{local}@x"), TooLong),
            (&format!("{long}.a"), TooLong),
        ] {
            assert_eq!(Address::parse(given, false), Err(error), "{given}");
        }
    }

    /// RFC 6531 §3.3.
    #[test]
    fn internationalised_addresses() {
        assert_eq!(Address::parse("jürgen@x", false), Err(AddressError::NotAscii));
        assert_eq!(Address::parse("a@bücher.example", false), Err(AddressError::NotAscii));
        let address = Address::parse("Jürgen@BÜCHER.Example", true).unwrap();
        assert_eq!(address.to_string(), "Jürgen@bücher.example");
        assert_eq!(address.folded().local(), "jürgen");
        assert!(address.needs_smtputf8());
        for bad in ["a\u{85}@x", "a\u{202e}@x", "a@x\u{3002}y", "a@\u{200b}x", "a\u{a0}b@x"] {
            assert!(Address::parse(bad, true).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn details() {
        let split = |text: &str| {
            let address = Address::parse(text, false).unwrap();
            let (base, detail) = address.split_detail('+');
            (base.to_owned(), detail.map(str::to_owned))
        };
        assert_eq!(split("bob@x"), ("bob".into(), None));
        assert_eq!(split("bob+lists@x"), ("bob".into(), Some("lists".into())));
        assert_eq!(split("bob+a+b@x"), ("bob".into(), Some("a+b".into())));
        assert_eq!(split("bob+@x"), ("bob".into(), Some(String::new())));
        assert_eq!(split("+bob@x"), ("+bob".into(), None));
        assert_eq!(Address::parse("bob+a@x", false).unwrap().without_detail('+').to_string(), "bob@x");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_the_same(text in "(\"[ -~ü]{1,8}\"|[a-z.+ü]{1,8})@([a-zA-Zü0-9.-]{1,10}|\\[[0-9.]{7}\\])") {
            if let Ok(address) = Address::parse(&text, true) {
                prop_assert_eq!(Address::parse(&address.to_string(), true), Ok(address));
            }
        }

        #[test]
        fn anything_can_be_asked(text in any::<String>()) {
            let _ = Address::parse(&text, true);
        }
    }
}
