//! What can go wrong, grouped by who must act.

use std::fmt;

use ledger::CommitError;
use mail::AccountId;

/// An answer other than the one asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// No such account, mailbox or message.
    NonExistent,
    /// There is one already.
    AlreadyExists,
    /// Names below it keep it alive.
    HasChildren,
    /// Not possible with this name or mailbox: in words, for the user.
    Cannot(String),
    /// This account's quota would be passed.
    OverQuota(AccountId),
    /// A number of `limits` would be passed: in words, for the user.
    Limit(String),
    /// The message is larger than one may be.
    TooBig,
    /// No room on the disk: try again later.
    Full,
    /// Storage does not work at present: in words, for the operator.
    Unavailable(String),
    /// Stored octets are not what was written: in words, for the operator.
    Corrupt(String),
    /// Other commits came first each time: try again later.
    Busy,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NonExistent => f.write_str("it does not exist"),
            Error::AlreadyExists => f.write_str("it exists already"),
            Error::HasChildren => f.write_str("there are names below it"),
            Error::Cannot(why) | Error::Limit(why) => f.write_str(why),
            Error::OverQuota(_) => f.write_str("the quota is reached"),
            Error::TooBig => f.write_str("the message is too large"),
            Error::Full => f.write_str("no room on the disk"),
            Error::Unavailable(why) => write!(f, "storage is not available: {why}"),
            Error::Corrupt(what) => write!(f, "damaged data: {what}"),
            Error::Busy => f.write_str("too many changes at once"),
        }
    }
}

impl std::error::Error for Error {}

impl From<ledger::Error> for Error {
    fn from(error: ledger::Error) -> Error {
        match error {
            ledger::Error::Damaged(what) => Error::Corrupt(what),
            ledger::Error::NoBody => Error::NonExistent,
            other => Error::Unavailable(other.to_string()),
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Error {
        match error {
            CommitError::Conflict(_) => Error::Busy,
            CommitError::Full => Error::Full,
            CommitError::Failed(error) => error.into(),
        }
    }
}
