//! The face of the crate.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

use crate::Bell;
use crate::body::BodyWriter;
use crate::engine::embedded::{Embedded, Maintenance, OpenOptions};
use crate::engine::memory::{FaultPlan, Memory};
use crate::engine::postgres::Postgres;
use crate::engine::{Any, Engine, View};
use crate::error::{CommitError, Error};
use crate::limits;
use crate::tx::{Held, Row, Tx};

/// All ledgers of one data folder or database. Cheap to clone.
#[derive(Clone)]
pub struct Ledger {
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

impl Ledger {
    /// Rows in memory, for tests.
    pub fn memory() -> Ledger {
        Ledger::memory_with(&FaultPlan::new())
    }

    /// Rows in memory, for tests that decide what goes wrong. A plan serves one ledger.
    pub fn memory_with(plan: &FaultPlan) -> Ledger {
        Ledger { engine: Any::Memory(Memory::new(plan)) }
    }

    /// The embedded engine on a data folder, made if missing.
    pub async fn open(folder: &Path) -> Result<Ledger, Error> {
        Ledger::open_with(folder, OpenOptions::default()).await
    }

    /// The embedded engine with other options than everyone's.
    pub async fn open_with(folder: &Path, options: OpenOptions) -> Result<Ledger, Error> {
        Ok(Ledger { engine: Any::Embedded(Embedded::open(folder, options).await?) })
    }

    /// An engine that a test has put together.
    #[cfg(test)]
    pub(crate) fn over(engine: Any) -> Ledger {
        Ledger { engine }
    }

    /// What looks after a data folder; `None` for the other engines.
    pub fn maintenance(&self) -> Option<Maintenance> {
        match &self.engine {
            Any::Embedded(engine) => Some(Maintenance::new(engine.clone())),
            _ => None,
        }
    }

    /// The PostgreSQL engine, on a database named like `postgresql://user@host/database` or by libpq's
    /// `host=… dbname=…`. The tables are made in the schema `packetboat` if missing. Connections are not encrypted:
    /// a database on another host belongs behind a tunnel.
    pub async fn postgres(url: &str) -> Result<Ledger, Error> {
        Ok(Ledger { engine: Any::Postgres(Postgres::connect(url).await?) })
    }

    /// Begins a transaction on one ledger.
    pub async fn begin(&self, id: LedgerId) -> Result<Tx, Error> {
        let base = self.engine.head(id, View::Accepted).await?;
        Ok(Tx::new(self.engine.clone(), id, base))
    }

    /// All or none, over at most 64 ledgers; returns when durable. `Conflict`: begin again and retry.
    ///
    /// Dropping the future before it was polled takes the commit back; later it may or may not happen.
    /// A commit without transactions does nothing; a transaction without writes still counts its ledger up.
    pub async fn commit(&self, txs: Vec<Tx>) -> Result<Vec<ModSeq>, CommitError> {
        weigh(&txs)?;
        if txs.is_empty() {
            return Ok(Vec::new());
        }
        let promised: Vec<ModSeq> = txs.iter().map(Tx::modseq).collect();
        let reached = self.engine.commit(txs).await?;
        assert_eq!(reached, promised, "an engine counts each ledger up by one");
        Ok(reached)
    }

    /// The durable head.
    pub async fn head(&self, id: LedgerId) -> Result<ModSeq, Error> {
        self.engine.head(id, View::Durable).await
    }

    /// One durable row.
    pub async fn get(&self, id: LedgerId, key: &[u8]) -> Result<Option<Row>, Error> {
        let mut rows = self.engine.get_many(id, &[Bytes::copy_from_slice(key)], View::Durable).await?;
        Ok(rows.pop().flatten())
    }

    /// Durable rows by key, in the order asked.
    pub async fn get_many(&self, id: LedgerId, keys: &[Bytes]) -> Result<Vec<Option<Row>>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.engine.get_many(id, keys, View::Durable).await?;
        assert_eq!(rows.len(), keys.len(), "one answer for each key");
        Ok(rows)
    }

    /// Durable rows in `start..end`, ascending, at most `limit`.
    pub async fn scan(
        &self,
        id: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        if start >= end || limit == 0 {
            return Ok(Vec::new());
        }
        self.engine.scan(id, start, end, limit.min(limits::SCAN), View::Durable).await
    }

    /// Durable log entries after `after`, at most `limit`.
    pub async fn since(&self, id: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        if limit == 0 {
            return Ok(Changes::Log { entries: Vec::new(), seen: after });
        }
        self.engine.log_after(id, after, limit.min(limits::SCAN)).await
    }

    /// Nobody needs this ledger's log up to and including `up_to` any more. An engine may keep it longer.
    pub async fn forget(&self, id: LedgerId, up_to: ModSeq) -> Result<(), Error> {
        self.engine.forget(id, up_to).await
    }

    /// Gives the room of what nobody refers to back; says how many octets or, with PostgreSQL, bodies went.
    /// Happens by itself as well.
    pub async fn compact(&self) -> Result<u64, Error> {
        match &self.engine {
            Any::Memory(_) => Ok(0),
            Any::Postgres(postgres) => postgres.sweep().await,
            Any::Embedded(engine) => Ok(Maintenance::new(engine.clone()).compact().await?.freed),
        }
    }

    /// A bell on this ledger.
    pub fn bell(&self, id: LedgerId) -> Bell {
        Bell::hang(self.engine.clone(), id)
    }

    /// Opens a body.
    pub fn body(&self) -> BodyWriter {
        BodyWriter::new(self.engine.clone())
    }

    /// Octets of a stored body that this ledger holds; a range past the end is cut.
    pub async fn read_body(&self, id: LedgerId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        self.engine.body_read(id, blob, range).await
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({})", self.engine.name())
    }
}

/// Judges a commit before any engine sees it.
fn weigh(txs: &[Tx]) -> Result<(), Error> {
    if txs.len() > limits::LEDGERS_PER_COMMIT {
        return Err(over("ledgers in a commit", txs.len(), limits::LEDGERS_PER_COMMIT));
    }
    let mut ledgers = HashSet::new();
    let mut counted = HashSet::new();
    let mut octets = 0usize;
    for tx in txs {
        if !ledgers.insert(tx.ledger) {
            return Err(Error::Refused(format!("ledger {} is twice in one commit", tx.ledger.0)));
        }
        octets += weigh_rows(tx)?;
        for body in &tx.bodies {
            if let Held::Inline(bytes) = &body.held {
                debug_assert!(bytes.len() <= limits::INLINE_LIMIT && bytes.len() as u64 == body.size);
                octets += if counted.insert(body.id) { bytes.len() } else { 0 };
            }
        }
    }
    if octets > limits::COMMIT {
        return Err(over("octets in a commit", octets, limits::COMMIT));
    }
    Ok(())
}

fn weigh_rows(tx: &Tx) -> Result<usize, Error> {
    if tx.entry.len() > limits::LOG_ENTRY {
        return Err(over("octets in a log entry", tx.entry.len(), limits::LOG_ENTRY));
    }
    let mut octets = tx.entry.len();
    for (key, value) in &tx.writes {
        if key.is_empty() {
            return Err(Error::Refused("an empty key".into()));
        }
        if key.len() > limits::KEY {
            return Err(over("octets in a key", key.len(), limits::KEY));
        }
        let value = value.as_ref().map_or(0, Bytes::len);
        if value > limits::VALUE {
            return Err(over("octets in a value", value, limits::VALUE));
        }
        octets += key.len() + value;
    }
    Ok(octets)
}

fn over(what: &str, found: usize, limit: usize) -> Error {
    Error::Refused(format!("{found} {what}, and {limit} are allowed"))
}
