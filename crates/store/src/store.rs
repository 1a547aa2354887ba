//! The store: one value through which everything is reached.

use ledger::Ledger;

use crate::directory::Directory;

/// All accounts and the directory over one ledger. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    ledger: Ledger,
}

impl Store {
    /// The store over these ledgers.
    pub fn new(ledger: Ledger) -> Store {
        Store { ledger }
    }

    /// The ledgers.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Domains, people, aliases.
    pub fn directory(&self) -> Directory {
        Directory::new(self.ledger.clone())
    }
}
