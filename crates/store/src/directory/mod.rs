//! Domains, people, aliases: who has an address here, and where mail for it goes.

use ledger::Ledger;

/// The directory. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Directory {
    #[allow(dead_code)]
    ledger: Ledger,
}

impl Directory {
    pub(crate) fn new(ledger: Ledger) -> Directory {
        Directory { ledger }
    }
}
