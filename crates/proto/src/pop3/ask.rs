//! What a POP3 server session asks, and what it is told.

use mail::{AccountId, BlobId, Uid};

use crate::login::{Credentials, LoginAnswer};

/// A question of the POP3 server.
#[derive(Clone, Debug)]
pub enum Ask {
    /// May this user in?
    Login(Credentials),
    /// Lock the maildrop and list it.
    Open(AccountId),
    /// TOP: where, in the stored body, does line `lines` after the header end? RFC 1939 §7.
    Top {
        /// Which account.
        account: AccountId,
        /// Which message.
        uid: Uid,
        /// Lines of the body wanted.
        lines: u32,
    },
    /// QUIT: remove these for good, and note which were retrieved.
    Update {
        /// Which account.
        account: AccountId,
        /// To be removed.
        delete: Vec<Uid>,
        /// Sent with RETR in this session; an account's "keep for N days" counts from it.
        retrieved: Vec<Uid>,
    },
}

/// The answer to an `Ask` of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To `Login`.
    Login(LoginAnswer),
    /// To `Open`: it is ours.
    Maildrop(Maildrop),
    /// To `Open`: another session has it. RFC 2449 §8.1.1.
    InUse,
    /// To `Open`: this account logs in too often. RFC 2449 §6.5 (LOGIN-DELAY).
    LoginDelay,
    /// To `Top`: the octet after the last wanted line.
    TopEnd(u64),
    /// To `Update`: it is durable.
    Updated,
    /// To any: it could not be done now; in words.
    Failed(String),
}

/// The messages of a maildrop, as they were when it was opened.
#[derive(Clone, Debug, Default)]
pub struct Maildrop {
    /// Message n is entry n - 1.
    pub entries: Vec<Entry>,
    /// Retrieved messages are removed after so many days; `None` keeps them for ever. RFC 2449 §6.7 (EXPIRE).
    pub expire_days: Option<u32>,
}

/// One message of a maildrop.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its UID in INBOX.
    pub uid: Uid,
    /// Its unique-id: 1 to 70 characters of 0x21 to 0x7E, never changing. RFC 1939 §7.
    pub uidl: String,
    /// Octets with CRLF line ends.
    pub size: u64,
    /// The stored body.
    pub blob: BlobId,
}
