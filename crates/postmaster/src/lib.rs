//! Answers every ask of a session: log-in, rights, accept or refuse, where mail goes. The only place with policy.
//!
//! What never lives here: bytes on the wire, sockets, the layout of rows.

mod author;
mod body;
mod imap;
mod limits;
mod login;
mod pop3;
mod received;
mod refusal;
mod smtp;
mod visit;

pub use visit::Visit;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mail::AccountId;
use store::Store;
use store::credential::{Checker, Strength};

use crate::login::{Guard, Places};
use crate::pop3::Opened;

/// What the administrator decides.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What we call ourselves: Received, Message-ID, replies.
    pub hostname: String,
    /// Octets of one message: SIZE and APPENDLIMIT.
    pub message_size: u64,
    /// Sessions open of one account.
    pub sessions_per_account: u32,
    /// Divides a name from its detail: `alice+lists@`. `None`: nothing does.
    pub separator: Option<char>,
    /// Seconds that must pass between POP3 log-ins of one account. RFC 2449 §6.5.
    pub pop_login_delay: Option<u32>,
}

/// Answers for all connections. Cheap to clone.
#[derive(Clone)]
pub struct Postmaster {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    store: Store,
    checker: Checker,
    pub(crate) policy: Policy,
    pub(crate) guard: Guard,
    /// IMAP and POP3 sessions of each account.
    pub(crate) sessions: Places<AccountId>,
    /// Locked maildrops.
    pub(crate) maildrops: Places<AccountId>,
    pub(crate) opened: Opened,
}

impl fmt::Debug for Postmaster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postmaster").field("policy", &self.inner.policy).finish_non_exhaustive()
    }
}

impl Postmaster {
    /// A postmaster over this store. `at_once`: passwords hashed at the same time; `key`: random, for this process.
    pub fn new(
        store: Store,
        policy: Policy,
        strength: Strength,
        at_once: usize,
        key: [u8; 32],
    ) -> Postmaster {
        let checker = Checker::new(store.directory(), strength, at_once, key);
        let inner = Inner {
            store,
            checker,
            policy,
            guard: Guard::default(),
            sessions: Places::default(),
            maildrops: Places::default(),
            opened: Opened::default(),
        };
        Postmaster { inner: Arc::new(inner) }
    }

    pub(crate) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// What is kept.
    pub fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Checks and makes passwords.
    pub fn checker(&self) -> &Checker {
        &self.inner.checker
    }

    /// What the administrator decided.
    pub fn policy(&self) -> &Policy {
        &self.inner.policy
    }

    /// One connection from here begins.
    pub fn visit(&self, peer: IpAddr) -> Visit {
        Visit::new(self.clone(), peer)
    }
}
