//! What can go wrong, grouped by who must act.

use std::fmt;

use mail::LedgerId;

/// A read, or the opening of a store, that did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// Stored bytes do not match their checksum: which file, which offset, what was there.
    Damaged(String),
    /// A sync or write failed before; this process writes no more. RESTART after the cause is gone.
    Stopped(String),
    /// The disk or the database did not do it: in words.
    Io(String),
    /// The data was written by a newer version.
    Newer {
        /// The format number found.
        found: u32,
        /// The newest this version knows.
        known: u32,
    },
    /// Another process has the data open.
    Locked(String),
    /// No such body.
    NoBody,
    /// A limit of `limits.rs` or a rule of `Tx` was broken: a mistake in this program, which it names.
    Refused(String),
}

/// A commit that did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitError {
    /// Another commit came first to this ledger: read again and retry.
    Conflict(LedgerId),
    /// There is no room: nothing was written.
    Full,
    /// See `Error`.
    Failed(Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Damaged(what) => write!(f, "damaged data: {what}"),
            Error::Stopped(why) => write!(f, "storage has stopped: {why}"),
            Error::Io(what) => f.write_str(what),
            Error::Newer { found, known } => write!(
                f,
                "the data has format {found}, and this version knows formats up to {known}; use a newer packetboat"
            ),
            Error::Locked(what) => f.write_str(what),
            Error::NoBody => f.write_str("no such body"),
            Error::Refused(what) => write!(f, "refused: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommitError::Conflict(id) => write!(f, "another commit to ledger {} came first", id.0),
            CommitError::Full => f.write_str("no room on the disk"),
            CommitError::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

impl From<Error> for CommitError {
    fn from(error: Error) -> CommitError {
        CommitError::Failed(error)
    }
}
