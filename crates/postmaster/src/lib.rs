//! Answers every ask of a session: log-in, rights, accept or refuse, where mail goes. The only place with policy.
//!
//! What never lives here: bytes on the wire, sockets, the layout of rows.

mod visit;

pub use visit::Visit;

use std::net::IpAddr;
use std::sync::Arc;

use store::Store;
use store::credential::{Checker, Strength};

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

struct Inner {
    store: Store,
    checker: Checker,
    policy: Policy,
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
        Postmaster { inner: Arc::new(Inner { store, checker, policy }) }
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
