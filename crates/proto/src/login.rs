//! Logging in: the question and its answers are the same in all three protocols.

use std::time::Duration;

use mail::{AccountId, Secret};

/// A name and a password, by whatever mechanism they came.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// What the user typed as a name; usually the address.
    pub user: String,
    /// RFC 4616 authorization identity; empty means the user itself.
    pub authzid: String,
    /// The password.
    pub password: Secret,
    /// "PLAIN", "LOGIN", "USER".
    pub mechanism: &'static str,
}

/// How a log-in came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginAnswer {
    /// Welcome.
    Welcome(LoggedIn),
    /// Refused; the session says so after `wait` and not before.
    Refused {
        /// Why.
        reason: LoginRefusal,
        /// The delay that guessing costs.
        wait: Duration,
    },
}

/// Who is logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The account.
    pub account: AccountId,
    /// Its canonical address, for the log and Received lines.
    pub address: String,
}

/// Why not. The first is the same for an unknown user and a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Name or password is wrong.
    Wrong,
    /// Too many failures from this address or for this account; try later.
    TooMany,
    /// Too many sessions of this account are open.
    TooManySessions,
    /// The house cannot check at present.
    Unavailable,
}
