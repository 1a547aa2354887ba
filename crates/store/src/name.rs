//! Names of mailboxes that may exist. RFC 9051 §5.1.

use crate::error::Error;
use crate::limits;

/// A name: UTF-8, `/` between levels, none of them empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Name(String);

impl Name {
    #[cfg(test)]
    pub(crate) fn inbox() -> Name {
        Name("INBOX".into())
    }

    /// One `/` at the end says only that names below it are meant to follow (RFC 9051 §6.3.4), and is dropped.
    pub(crate) fn parse(text: &str) -> Result<Name, Error> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.len() > limits::NAME || text.split('/').count() > limits::LEVELS {
            return Err(Error::Limit(format!(
                "a mailbox name has at most {} octets in at most {} levels",
                limits::NAME,
                limits::LEVELS
            )));
        }
        if text.split('/').any(|level| level.is_empty()) {
            return Err(Error::Cannot("a mailbox name has no empty levels".into()));
        }
        if text.split('/').any(|level| level.len() > limits::LEVEL) {
            return Err(Error::Limit(format!("a level of a name has at most {} octets", limits::LEVEL)));
        }
        if text.chars().any(is_control) {
            return Err(Error::Cannot("a mailbox name has no control characters".into()));
        }
        Ok(Name(with_inbox(text)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_inbox(&self) -> bool {
        self.0 == "INBOX"
    }

    /// The level above.
    pub(crate) fn parent(&self) -> Option<Name> {
        self.0.rfind('/').map(|at| Name(self.0[..at].to_owned()))
    }

    pub(crate) fn is_below(&self, other: &Name) -> bool {
        self.0.strip_prefix(&other.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// What this name, below or at `from`, is called when `from` is called `to`.
    pub(crate) fn moved(&self, from: &Name, to: &Name) -> Result<Name, Error> {
        let rest = self.0.strip_prefix(&from.0).unwrap_or_default();
        Name::parse(&format!("{}{rest}", to.0))
    }
}

/// INBOX is spelt one way only, as first level too. RFC 9051 §5.1.
fn with_inbox(text: &str) -> String {
    let (first, rest) = text.split_at(text.find('/').unwrap_or(text.len()));
    if first.eq_ignore_ascii_case("INBOX") { format!("INBOX{rest}") } else { text.to_owned() }
}

/// What no name for people has: RFC 5198 §2, with the separators that would break a line.
fn is_control(char: char) -> bool {
    char.is_control() || matches!(char, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<String, Error> {
        Name::parse(text).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn rfc9051_5_1_names() {
        for (text, name) in [
            ("INBOX", "INBOX"),
            ("inbox", "INBOX"),
            ("iNbOx/Work", "INBOX/Work"),
            ("inboxes", "inboxes"),
            ("Work/inbox", "Work/inbox"),
            ("foo/", "foo"),
            ("Ärger/&/日本語", "Ärger/&/日本語"),
        ] {
            assert_eq!(parsed(text).as_deref(), Ok(name), "{text}");
        }
        for text in ["", "/", "/a", "a//b", "a//", "a\0b", "a\nb", "a\u{85}b", "\u{2028}"] {
            assert!(matches!(parsed(text), Err(Error::Cannot(_))), "{text:?}");
        }
        for text in ["a".repeat(256), vec!["a"; 65].join("/"), vec!["abcdefghi"; 91].join("/")] {
            assert!(matches!(parsed(&text), Err(Error::Limit(_))), "{text:?}");
        }
        assert!(parsed(&vec!["a"; 64].join("/")).is_ok());
    }

    #[test]
    fn below_means_a_level_further() {
        let name = |text| Name::parse(text).unwrap();
        assert!(name("a/b/c").is_below(&name("a")) && name("a/b").is_below(&name("a")));
        assert!(!name("ab").is_below(&name("a")) && !name("a").is_below(&name("a")));
        assert_eq!(name("a/b").moved(&name("a"), &name("x/y")), Ok(name("x/y/b")));
        assert_eq!(name("a/b").parent(), Some(name("a")));
        assert_eq!(name("a").parent(), None);
    }
}
