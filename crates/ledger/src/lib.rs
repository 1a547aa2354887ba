//! Ordered rows, atomic commits, one log a ledger, the bell, and bodies.
//!
//! What never lives here: the word "mailbox", any row layout. Callers see `Ledger`, `Tx`, `BodyWriter` and `Bell`;
//! engines are private.

mod bell;
mod body;
mod engine;
mod error;
mod ledger;
pub mod limits;
mod tx;

pub use bell::Bell;
pub use body::BodyWriter;
pub use engine::embedded::{
    Backup, Compacted, Damage, IndexKind, Maintenance, OpenOptions, Report, Stats, rebuild_index,
};
pub use engine::memory::{Fault, FaultPlan};
pub use error::{CommitError, Error};
pub use ledger::{Changes, Ledger};
pub use tx::{Body, Row, Tx};
