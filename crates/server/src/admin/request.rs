//! What can be asked, and what is answered.

use std::path::PathBuf;

use mail::Secret;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A password on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Password(pub Secret);

impl Serialize for Password {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        // Octets and not text: a password need not be UTF-8.
        self.0.expose().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Password, D::Error> {
        Vec::<u8>::deserialize(from).map(|octets| Password(Secret::new(octets)))
    }
}

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// All domains, an item each.
    Domains,
    /// A new one.
    AddDomain(String),
    /// One less; it must have no accounts.
    RemoveDomain(String),
    /// Who answers for a domain.
    Postmaster {
        /// Which domain.
        domain: String,
        /// An account.
        address: String,
    },
    /// All accounts with what they hold, an item each.
    Accounts,
    /// One account with its mailboxes.
    Account(String),
    /// A new one.
    AddAccount {
        /// Its address.
        address: String,
        /// The person's name, or nothing.
        name: String,
        /// `None`: one is made, and told in the reply.
        password: Option<Password>,
    },
    /// One less, with its mail.
    RemoveAccount(String),
    /// Another password.
    SetPassword {
        /// Whose.
        address: String,
        /// `None`: one is made, and told in the reply.
        password: Option<Password>,
    },
    /// May log in and receive mail, or not.
    Enable {
        /// Who.
        address: String,
        /// Which of the two.
        enabled: bool,
    },
    /// How much an account may hold. What is `None` stays as it is.
    Quota {
        /// Whose.
        address: String,
        /// Octets.
        storage: Option<Limit>,
        /// Messages.
        messages: Option<Limit>,
    },
    /// For how many days mail that POP3 retrieved is kept.
    PopDays {
        /// Whose.
        address: String,
        /// `None`: for ever.
        days: Option<u32>,
    },
    /// All aliases, an item each.
    Aliases,
    /// An alias.
    SetAlias {
        /// The address, or `@domain`.
        address: String,
        /// Where it leads.
        targets: Vec<String>,
        /// It may be there already, and leads to these from now on.
        replace: bool,
    },
    /// One less.
    RemoveAlias(String),
    /// Domains, accounts and aliases as TOML: the text comes in bodies.
    ExportDirectory,
    /// The text follows in bodies; what is missing is made, what differs is changed.
    ImportDirectory,
    /// Messages follow, each for its mailbox.
    Import {
        /// Whose.
        address: String,
    },
    /// Messages are wanted.
    Export {
        /// Whose.
        address: String,
        /// Of one mailbox, or of all.
        mailbox: Option<String>,
    },
    /// A copy of everything that is in the data folder.
    Backup {
        /// Into this folder, by its absolute path.
        target: PathBuf,
        /// Add to the copy that is there.
        incremental: bool,
    },
    /// Is all as it was written? An item for each thing that is not.
    Verify {
        /// Set counters right.
        repair: bool,
    },
    /// How is the house?
    Status,
    /// Read configuration and certificates again.
    Reload,
}

/// A number, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// As much as there is room for.
    None,
    /// So much.
    Of(u64),
}

impl Limit {
    /// As the rows have it.
    pub fn number(self) -> Option<u64> {
        match self {
            Limit::None => None,
            Limit::Of(number) => Some(number),
        }
    }
}

/// A reply. `Done` or `Refused` is the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reply {
    /// It goes on.
    Progress {
        /// So far.
        done: u64,
        /// In all; 0 if that is not known.
        total: u64,
        /// What is counted.
        what: String,
    },
    /// One of what was asked for.
    Item(Value),
    /// It is done.
    Done(Value),
    /// It was not done: in words, with what to do.
    Refused(String),
}
