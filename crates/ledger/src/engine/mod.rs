//! What an engine does. Private: callers cannot name one, so nobody reaches past the ledger.

pub(crate) mod embedded;
pub(crate) mod memory;
pub(crate) mod postgres;

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

use self::embedded::Embedded;
use self::memory::Memory;
use self::postgres::Postgres;
use crate::bell::Bells;
use crate::error::{CommitError, Error};
use crate::ledger::Changes;
use crate::tx::{Row, Tx};

/// Which state a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// What would survive power loss now. What sessions are shown.
    Durable,
    /// Also commits accepted but not yet synced. What the next commit builds on.
    Accepted,
}

/// One store of ledgers. All methods may be called from many tasks at once; readers never wait for writers.
pub(crate) trait Engine: Send + Sync + 'static {
    /// The ledger's head; `ModSeq(0)` before its first commit.
    fn head(&self, ledger: LedgerId, view: View) -> impl Future<Output = Result<ModSeq, Error>> + Send;
    /// Rows by key, in the order asked.
    fn get_many(
        &self,
        ledger: LedgerId,
        keys: &[Bytes],
        view: View,
    ) -> impl Future<Output = Result<Vec<Option<Row>>, Error>> + Send;
    /// Rows in `start..end`, ascending, at most `limit`.
    fn scan(
        &self,
        ledger: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
        view: View,
    ) -> impl Future<Output = Result<Vec<Row>, Error>> + Send;
    /// Durable log entries after `after`, ascending, at most `limit`.
    fn log_after(
        &self,
        ledger: LedgerId,
        after: ModSeq,
        limit: usize,
    ) -> impl Future<Output = Result<Changes, Error>> + Send;
    /// All or none; returns when durable, and rings `Bells` then. Compares every `Tx::base` with the accepted head.
    /// Accepting (compare, enqueue, update the accepted view) happens without waiting; then the sync is awaited,
    /// shared with all others that wait. Dropping the future does not take an accepted commit back.
    fn commit(&self, txs: Vec<Tx>) -> impl Future<Output = Result<Vec<ModSeq>, CommitError>> + Send;
    /// Opens a body larger than `INLINE_LIMIT`.
    fn body_open(&self) -> impl Future<Output = Result<u64, Error>> + Send;
    /// Appends a chunk to it. No sync: the commit that names it syncs what is before it.
    fn body_append(&self, number: u64, chunk: Bytes) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// It is whole and has this hash and size, or (`None`) will never be used. `None` for a body that a commit
    /// has taken, or that is not known, changes nothing.
    fn body_finish(
        &self,
        number: u64,
        whole: Option<(BlobId, u64)>,
    ) -> impl Future<Output = Result<(), CommitError>> + Send;
    /// Octets of a stored body that `ledger` refers to; a range past the end is cut. Every octet was verified.
    fn body_read(
        &self,
        ledger: LedgerId,
        blob: BlobId,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Bytes, Error>> + Send;
    /// The log of `ledger` up to and including `up_to` is not needed any more. An engine may keep it longer, and
    /// the one that forgets answers `log_after` with `Forgotten` below what it has left.
    fn forget(&self, ledger: LedgerId, up_to: ModSeq) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (ledger, up_to);
        async { Ok(()) }
    }
    /// The bells it rings.
    fn bells(&self) -> &Bells;
}

/// The engines there are.
#[derive(Clone)]
pub(crate) enum Any {
    Memory(Arc<Memory>),
    Postgres(Arc<Postgres>),
    Embedded(Arc<Embedded>),
}

/// Calls the engine that is there.
macro_rules! each {
    ($any:expr, $engine:ident => $call:expr) => {
        match $any {
            Any::Memory($engine) => $call,
            Any::Postgres($engine) => $call,
            Any::Embedded($engine) => $call,
        }
    };
}

impl Any {
    /// Its name, for logs.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Any::Memory(_) => "memory",
            Any::Postgres(_) => "PostgreSQL",
            Any::Embedded(_) => "embedded",
        }
    }

    /// Gives a body up from where nothing can be awaited.
    pub(crate) fn abandon(&self, number: u64) {
        match self {
            Any::Memory(memory) => memory.abandon(number),
            Any::Postgres(postgres) => postgres.abandon(number),
            Any::Embedded(embedded) => embedded.abandon(number),
        }
    }
}

impl Engine for Any {
    async fn head(&self, ledger: LedgerId, view: View) -> Result<ModSeq, Error> {
        each!(self, engine => engine.head(ledger, view).await)
    }

    async fn get_many(
        &self,
        ledger: LedgerId,
        keys: &[Bytes],
        view: View,
    ) -> Result<Vec<Option<Row>>, Error> {
        each!(self, engine => engine.get_many(ledger, keys, view).await)
    }

    async fn scan(
        &self,
        ledger: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
        view: View,
    ) -> Result<Vec<Row>, Error> {
        each!(self, engine => engine.scan(ledger, start, end, limit, view).await)
    }

    async fn log_after(&self, ledger: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        each!(self, engine => engine.log_after(ledger, after, limit).await)
    }

    async fn commit(&self, txs: Vec<Tx>) -> Result<Vec<ModSeq>, CommitError> {
        each!(self, engine => engine.commit(txs).await)
    }

    async fn body_open(&self) -> Result<u64, Error> {
        each!(self, engine => engine.body_open().await)
    }

    async fn body_append(&self, number: u64, chunk: Bytes) -> Result<(), CommitError> {
        each!(self, engine => engine.body_append(number, chunk).await)
    }

    async fn body_finish(&self, number: u64, whole: Option<(BlobId, u64)>) -> Result<(), CommitError> {
        each!(self, engine => engine.body_finish(number, whole).await)
    }

    async fn body_read(&self, ledger: LedgerId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        each!(self, engine => engine.body_read(ledger, blob, range).await)
    }

    async fn forget(&self, ledger: LedgerId, up_to: ModSeq) -> Result<(), Error> {
        each!(self, engine => engine.forget(ledger, up_to).await)
    }

    fn bells(&self) -> &Bells {
        each!(self, engine => engine.bells())
    }
}
