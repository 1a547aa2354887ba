//! The face of the crate.

use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

use crate::Bell;
use crate::engine::Any;
use crate::error::{CommitError, Error};
use crate::tx::{Body, Row, Tx};

/// All ledgers of one data folder or database. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
    #[allow(dead_code)]
    engine: Any,
}

/// News of a ledger's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changes {
    /// Entries in order, those with nothing logged left out.
    Log {
        /// Modseq and entry.
        entries: Vec<(ModSeq, Bytes)>,
        /// The reader has now seen this far; ask again after it if it is below the ledger's head.
        seen: ModSeq,
    },
    /// The log no longer reaches back that far; it begins after `floor`.
    Forgotten {
        /// Entries up to here are gone.
        floor: ModSeq,
    },
}

/// A body on its way in: at most 256 KiB are held in memory, the rest is with the engine.
pub struct BodyWriter {}

#[allow(unused_variables)]
impl Ledger {
    /// Rows in memory, for tests.
    pub fn memory() -> Ledger {
        unimplemented!()
    }

    /// The embedded engine on a data folder, made if missing.
    pub async fn open(folder: &Path) -> Result<Ledger, Error> {
        unimplemented!()
    }

    /// The PostgreSQL engine.
    pub async fn postgres(url: &str) -> Result<Ledger, Error> {
        unimplemented!()
    }

    /// Begins a transaction on one ledger.
    pub async fn begin(&self, id: LedgerId) -> Result<Tx, Error> {
        unimplemented!()
    }

    /// All or none, over at most 64 ledgers; returns when durable. `Conflict`: begin again and retry.
    pub async fn commit(&self, txs: Vec<Tx>) -> Result<Vec<ModSeq>, CommitError> {
        unimplemented!()
    }

    /// The durable head.
    pub async fn head(&self, id: LedgerId) -> Result<ModSeq, Error> {
        unimplemented!()
    }

    /// One durable row.
    pub async fn get(&self, id: LedgerId, key: &[u8]) -> Result<Option<Row>, Error> {
        unimplemented!()
    }

    /// Durable rows by key, in the order asked.
    pub async fn get_many(&self, id: LedgerId, keys: &[Bytes]) -> Result<Vec<Option<Row>>, Error> {
        unimplemented!()
    }

    /// Durable rows in `start..end`, ascending, at most `limit`.
    pub async fn scan(
        &self,
        id: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        unimplemented!()
    }

    /// Durable log entries after `after`, at most `limit`.
    pub async fn since(&self, id: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        unimplemented!()
    }

    /// A bell on this ledger.
    pub fn bell(&self, id: LedgerId) -> Bell {
        unimplemented!()
    }

    /// Opens a body.
    pub fn body(&self) -> BodyWriter {
        unimplemented!()
    }

    /// Octets of a stored body that this ledger holds; a range past the end is cut.
    pub async fn read_body(&self, id: LedgerId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        unimplemented!()
    }
}

#[allow(unused_variables)]
impl BodyWriter {
    /// Appends octets. Dropping the writer abandons the body.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), CommitError> {
        unimplemented!()
    }

    /// The body is whole: hashed, and ready for `Tx::hold`. Not durable before that commit.
    pub async fn finish(self) -> Result<Body, CommitError> {
        unimplemented!()
    }
}
