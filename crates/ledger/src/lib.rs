//! Ordered rows, atomic commits, one log a ledger, the bell, and bodies.
//!
//! What never lives here: the word "mailbox", any row layout. Callers see `Ledger`, `Tx`, `Bodies` and `Bell`;
//! engines are private.

mod bell;
mod engine;
mod error;
mod ledger;
mod tx;

pub use bell::Bell;
pub use error::{CommitError, Error};
pub use ledger::{BodyWriter, Changes, Ledger};
pub use tx::{Body, Row, Tx};
