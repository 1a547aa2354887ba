//! The numbers and names by which durable things are known.

use std::fmt;

/// A ledger: an account, the queue or the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LedgerId(pub u64);

impl LedgerId {
    /// The directory of domains, people and aliases.
    pub const DIRECTORY: LedgerId = LedgerId(1);
    /// Outbound mail.
    pub const QUEUE: LedgerId = LedgerId(2);
    /// Accounts are numbered from here.
    pub const FIRST_ACCOUNT: LedgerId = LedgerId(1024);
}

/// An account is the ledger that bears its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub u64);

impl AccountId {
    /// The ledger that holds this account.
    pub fn ledger(self) -> LedgerId {
        LedgerId(self.0)
    }
}

/// A mailbox within its account; never used twice, kept over a rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxId(pub u32);

/// A message's number in its mailbox: ascending, never reused. RFC 9051 §2.3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Uid(pub u32);

/// The generation of a mailbox's UIDs. RFC 9051 §2.3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UidValidity(pub u32);

/// A ledger's counter: commit n brings the ledger to n. It is IMAP's mod-sequence. RFC 7162 §3.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ModSeq(pub u64);

/// A body in flight, numbered by the session that receives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BodyId(pub u64);

/// A stored body, named by the SHA-256 of its octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlobId(pub [u8; 32]);

impl fmt::Debug for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobId({self})")
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}
