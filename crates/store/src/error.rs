//! What can go wrong, grouped by who must act.

use std::fmt;

use ledger::CommitError;

/// Why the store did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller named something that is not there: what.
    NonExistent(String),
    /// The caller wants to make something that is there already: what.
    AlreadyExists(String),
    /// Not possible with this name or thing: why.
    Cannot(String),
    /// A mailbox that has children or is needed.
    HasChildren(String),
    /// The account's quota is reached.
    OverQuota,
    /// A limit of the house: which.
    Limit(String),
    /// The message is larger than allowed.
    TooBig,
    /// No room on the disk; nothing was written.
    Full,
    /// Too many others changed the same thing at the same time; try again later.
    Busy,
    /// The ledger could not: see there.
    Ledger(ledger::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NonExistent(what) => write!(f, "{what} does not exist"),
            Error::AlreadyExists(what) => write!(f, "{what} exists already"),
            Error::Cannot(why) | Error::Limit(why) => f.write_str(why),
            Error::HasChildren(what) => write!(f, "{what} has something below it or is needed"),
            Error::OverQuota => f.write_str("the quota is reached"),
            Error::TooBig => f.write_str("the message is too large"),
            Error::Full => f.write_str("no room on the disk"),
            Error::Busy => f.write_str("too many changes at the same time"),
            Error::Ledger(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<ledger::Error> for Error {
    fn from(error: ledger::Error) -> Error {
        Error::Ledger(error)
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Error {
        match error {
            CommitError::Conflict(_) => Error::Busy,
            CommitError::Full => Error::Full,
            CommitError::Failed(error) => Error::Ledger(error),
        }
    }
}
