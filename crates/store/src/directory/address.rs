//! Addresses as the directory knows them: one spelling each.
//!
//! What never lives here: the grammar of addresses, which is `mail::Address`. What that does not know is refused here
//! too, never guessed at.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::punycode;
use crate::Error;

/// Longest domain in octets. RFC 1035 §2.3.4, less the length octet and the root.
const DOMAIN: usize = 253;
/// Longest label. RFC 1035 §2.3.4.
const LABEL: usize = 63;

/// An address in its one spelling: quotes removed, lower case, the domain in ASCII.
#[derive(Clone, Debug)]
pub(crate) struct Address {
    /// Empty for a catch-all.
    pub(crate) local: String,
    pub(crate) domain: String,
    /// The local part before it was put into lower case: a detail may name a mailbox, whose case matters.
    typed: String,
}

impl PartialEq for Address {
    fn eq(&self, other: &Address) -> bool {
        (&self.local, &self.domain) == (&other.local, &other.domain)
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.local, &self.domain).hash(state);
    }
}

impl Address {
    /// From parts that are well-formed, the domain in its one spelling.
    pub(crate) fn new(typed: String, domain: String) -> Address {
        Address { local: typed.to_lowercase(), domain, typed }
    }

    /// Reads `local@domain`. `None` for anything that has no place in a directory: no address, or one with an address
    /// literal for a domain.
    pub(crate) fn read(text: &str) -> Option<Address> {
        let address = mail::Address::parse(text, true).ok()?;
        Some(Address::new(address.local().to_owned(), domain_name(address.domain())?))
    }

    /// Reads an address, or `@domain` for everything in a domain that has no address of its own.
    pub(crate) fn read_or_catch_all(text: &str) -> Option<Address> {
        match text.strip_prefix('@') {
            Some(domain) => Some(Address::new(String::new(), domain_name(domain)?)),
            None => Address::read(text),
        }
    }

    /// The same for callers who typed it.
    pub(crate) fn typed(text: &str) -> Result<Address, Error> {
        Address::read(text).ok_or_else(|| Error::Cannot(format!("{text} is no address like name@domain")))
    }

    /// The local part divided at the first separator that is neither its first nor its last character.
    pub(crate) fn detail(&self, separator: Option<char>) -> Option<(Address, String)> {
        let (base, detail) = self.typed.split_once(separator?)?;
        let divided = !base.is_empty() && !detail.is_empty();
        divided.then(|| (Address::new(base.to_owned(), self.domain.clone()), detail.to_owned()))
    }

    /// Every domain must have somebody who answers here. RFC 2142 §5 and §2, RFC 5321 §4.5.1.
    pub(crate) fn is_reserved(&self) -> bool {
        matches!(self.local.as_str(), "postmaster" | "abuse")
    }
}

impl Address {
    /// With the local part as it was typed.
    pub(crate) fn as_typed(&self) -> String {
        format!("{}@{}", quoted(&self.typed), self.domain)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", quoted(&self.local), self.domain)
    }
}

/// The local part as it must be written; that of a catch-all is nothing.
fn quoted(local: &str) -> String {
    let plain =
        mail::Address::parse(&format!("{local}@domain"), true).is_ok_and(|read| read.local() == local);
    if local.is_empty() || plain {
        return local.to_owned();
    }
    let mut text = String::from("\"");
    for letter in local.chars() {
        if matches!(letter, '"' | '\\') {
            text.push('\\');
        }
        text.push(letter);
    }
    text.push('"');
    text
}

/// A domain in its one spelling: lower case, and what is beyond ASCII in its ASCII form. `None` if it is none.
/// RFC 5890 §2.3.2.1.
pub(crate) fn domain_name(text: &str) -> Option<String> {
    let lower = mail::address::normalise_domain(text).ok().filter(|domain| !domain.starts_with('['))?;
    let labels: Option<Vec<String>> = lower.split('.').map(label).collect();
    let name = labels?.join(".");
    (name.len() <= DOMAIN).then_some(name)
}

fn label(text: &str) -> Option<String> {
    let ascii = match text.is_ascii() {
        true => text.to_owned(),
        false => format!("xn--{}", punycode::encode(text)?),
    };
    (ascii.len() <= LABEL).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling() {
        for (given, kept) in [
            ("alice@example.test", "alice@example.test"),
            ("ALICE@Example.TEST", "alice@example.test"),
            ("\"alice\"@example.test", "alice@example.test"),
            ("\"al\\ice\"@example.test", "alice@example.test"),
            ("\"a b\"@example.test", "\"a b\"@example.test"),
            ("\"a@b\"@example.test", "\"a@b\"@example.test"),
            ("\"a\\\"b\"@example.test", "\"a\\\"b\"@example.test"),
            ("JÖRG@Bücher.test", "jörg@xn--bcher-kva.test"),
            ("a@XN--BCHER-KVA.test", "a@xn--bcher-kva.test"),
        ] {
            let read = Address::read(given).expect(given);
            assert_eq!(read.to_string(), kept, "{given}");
            assert_eq!(Address::read(kept), Some(read), "{kept} reads as itself");
        }
    }

    #[test]
    fn no_place_in_a_directory() {
        let long = format!("{}@example.test", "a".repeat(65));
        let label = format!("a@{}.test", "b".repeat(64));
        for given in [
            "",
            "@",
            "alice",
            "@example.test",
            "\"\"@example.test",
            "alice@",
            "alice@example.test.",
            "a@.test",
            "a@b..test",
            "a@-b.test",
            "a@b-.test",
            "a@[127.0.0.1]",
            "a@b c.test",
            "a\0b@example.test",
            "\"a\0b\"@example.test",
            "\"a\r\nb\"@example.test",
            "a b@example.test",
            "\"a@example.test",
            "\"a\\\"@example.test",
            "a..b@example.test",
            ".a@example.test",
            "a@b_c.test",
            &long,
            &label,
        ] {
            assert_eq!(Address::read(given), None, "{given:?}");
        }
        assert!(Address::read_or_catch_all("@example.test").is_some_and(|all| all.local.is_empty()));
        assert_eq!(Address::read_or_catch_all("\"\"@example.test"), None);
    }

    #[test]
    fn details() {
        let detail = |text: &str| {
            let address = Address::read(text).expect(text);
            address.detail(Some('+')).map(|(base, detail)| (base.local, detail))
        };
        assert_eq!(detail("A+Bc@x.test"), Some(("a".into(), "Bc".into())));
        assert_eq!(detail("a+b+c@x.test"), Some(("a".into(), "b+c".into())));
        for plain in ["a@x.test", "+a@x.test", "a+@x.test", "+@x.test"] {
            assert_eq!(detail(plain), None, "{plain}");
        }
        assert_eq!(Address::read("a+b@x.test").and_then(|address| address.detail(None)), None);
    }
}
