//! Message flags and keywords. RFC 9051 §2.3.2.

use std::fmt;

/// The flags of a message: the system flags as bits, keywords as names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// System flags.
    pub system: SystemFlags,
    /// Keywords, sorted without regard to case, each once, spelt as first stored in the mailbox.
    pub keywords: Vec<String>,
}

/// A set of system flags; `\Recent` is a session's view of a mailbox and never stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SystemFlags(pub u8);

impl SystemFlags {
    /// `\Seen`
    pub const SEEN: SystemFlags = SystemFlags(1);
    /// `\Answered`
    pub const ANSWERED: SystemFlags = SystemFlags(2);
    /// `\Flagged`
    pub const FLAGGED: SystemFlags = SystemFlags(4);
    /// `\Deleted`
    pub const DELETED: SystemFlags = SystemFlags(8);
    /// `\Draft`
    pub const DRAFT: SystemFlags = SystemFlags(16);
    /// Each with its name, in the order we print them.
    pub const ALL: [(SystemFlags, &'static str); 5] = [
        (SystemFlags::ANSWERED, "\\Answered"),
        (SystemFlags::FLAGGED, "\\Flagged"),
        (SystemFlags::DELETED, "\\Deleted"),
        (SystemFlags::SEEN, "\\Seen"),
        (SystemFlags::DRAFT, "\\Draft"),
    ];

    /// Whether all of `other` are set.
    pub fn contains(self, other: SystemFlags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub fn union(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 | other.0)
    }

    /// Without those of `other`.
    pub fn without(self, other: SystemFlags) -> SystemFlags {
        SystemFlags(self.0 & !other.0)
    }
}

impl Flags {
    /// Adds one by its IMAP name; `false` if it is no flag that can be stored (`\Recent`, an unknown `\Name`).
    pub fn insert(&mut self, name: &str) -> bool {
        if name.starts_with('\\') {
            let Some((flag, _)) = SystemFlags::ALL.iter().find(|(_, n)| n.eq_ignore_ascii_case(name)) else {
                return false;
            };
            self.system = self.system.union(*flag);
            return true;
        }
        if let Err(at) = self.position(name) {
            self.keywords.insert(at, name.to_owned());
        }
        true
    }

    /// Everything in either.
    pub fn add(&mut self, other: &Flags) {
        self.system = self.system.union(other.system);
        for keyword in &other.keywords {
            if let Err(at) = self.position(keyword) {
                self.keywords.insert(at, keyword.clone());
            }
        }
    }

    /// Everything that is not in `other`.
    pub fn remove(&mut self, other: &Flags) {
        self.system = self.system.without(other.system);
        self.keywords.retain(|k| !other.keywords.iter().any(|o| o.eq_ignore_ascii_case(k)));
    }

    /// Whether this keyword is set.
    pub fn has_keyword(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.keywords.binary_search_by(|k| {
            k.bytes().map(|b| b.to_ascii_lowercase()).cmp(name.bytes().map(|b| b.to_ascii_lowercase()))
        })
    }
}

/// As in IMAP, without the parentheses: `\Seen $Forwarded`.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let system = SystemFlags::ALL.iter().filter(|(flag, _)| self.system.contains(*flag)).map(|(_, n)| *n);
        for (i, name) in system.chain(self.keywords.iter().map(String::as_str)).enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}
