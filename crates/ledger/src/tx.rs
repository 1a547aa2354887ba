//! One ledger's part of a commit, built by reading and writing rows, then handed to `Ledger::commit`.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

use crate::body::Abandon;
use crate::engine::{Any, Engine, View};
use crate::error::Error;

/// A row as read: its value, and the modseq of the commit that wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub key: Bytes,
    /// Its value.
    pub value: Bytes,
    /// When it was written.
    pub modseq: ModSeq,
}

/// A finished body, ready to be named by one commit (and by that commit's retries). Cheap to clone: recipients
/// of one commit share it. When the last clone is dropped and no commit took it, it is abandoned.
#[derive(Clone, Debug)]
pub struct Body {
    /// SHA-256 of its octets.
    pub id: BlobId,
    /// Octets.
    pub size: u64,
    pub(crate) held: Held,
    /// Gives a chunked body up when the last clone goes; an engine that has committed it takes no notice.
    #[allow(dead_code)]
    pub(crate) guard: Option<Arc<Abandon>>,
}

/// Where a finished body is until its commit.
#[derive(Clone, Debug)]
pub(crate) enum Held {
    /// In memory; written inside the commit's record. At most `INLINE_LIMIT`.
    Inline(Bytes),
    /// Appended by the engine as chunks; the number is the engine's.
    Chunked(u64),
    /// The ledger holds it already and takes one reference more; no octets come along.
    Stored,
}

/// Reads see the newest accepted state of the ledger, durable or not, plus this transaction's own writes.
/// Nothing is visible to anyone before `Ledger::commit`.
pub struct Tx {
    pub(crate) engine: Any,
    pub(crate) ledger: LedgerId,
    /// The head it was begun at; commit compares it.
    pub(crate) base: ModSeq,
    /// `None` deletes.
    pub(crate) writes: BTreeMap<Bytes, Option<Bytes>>,
    /// Entry for the ledger's log, read back by `Ledger::since`.
    pub(crate) entry: Vec<u8>,
    /// Bodies this commit makes durable.
    pub(crate) bodies: Vec<Body>,
    /// Bodies this commit lets go.
    pub(crate) released: Vec<BlobId>,
}

impl Tx {
    pub(crate) fn new(engine: Any, ledger: LedgerId, base: ModSeq) -> Tx {
        let (writes, entry) = (BTreeMap::new(), Vec::new());
        Tx { engine, ledger, base, writes, entry, bodies: Vec::new(), released: Vec::new() }
    }

    /// Whose rows these are.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The modseq this commit will bring the ledger to.
    pub fn modseq(&self) -> ModSeq {
        ModSeq(self.base.0 + 1)
    }

    /// One row.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone());
        }
        let mut rows =
            self.engine.get_many(self.ledger, &[Bytes::copy_from_slice(key)], View::Accepted).await?;
        Ok(rows.pop().flatten().map(|row| row.value))
    }

    /// Rows from `start` up to `end` (not included), at most `limit`, in order of key; own writes included.
    pub async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Row>, Error> {
        let own = |from: &[u8]| {
            let range =
                (Bound::Included(Bytes::copy_from_slice(from)), Bound::Excluded(Bytes::copy_from_slice(end)));
            self.writes.range(range).map(|(k, v)| (k.clone(), v.clone())).collect::<BTreeMap<_, _>>()
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut found: BTreeMap<Bytes, Row> = BTreeMap::new();
        let mut from = Bytes::copy_from_slice(start);
        let writes = if start < end { own(start) } else { BTreeMap::new() };
        while found.len() < limit && from.as_ref() < end {
            let page = self.engine.scan(self.ledger, &from, end, limit, View::Accepted).await?;
            let last = page.last().map(|row| row.key.clone());
            let full = page.len() == limit;
            found.extend(
                page.into_iter().filter(|r| !writes.contains_key(&r.key)).map(|r| (r.key.clone(), r)),
            );
            match (full, last) {
                (true, Some(last)) => from = [last.as_ref(), &[0]].concat().into(),
                _ => break,
            }
        }
        for (key, value) in writes {
            if let Some(value) = value {
                found.insert(key.clone(), Row { key, value, modseq: self.modseq() });
            }
        }
        Ok(found.into_values().take(limit).collect())
    }

    /// Writes a row.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.writes.insert(key.into(), Some(value.into()));
    }

    /// Removes a row.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        self.writes.insert(key.into(), None);
    }

    /// Appends to this commit's entry in the ledger's log.
    pub fn log(&mut self, entry: &[u8]) {
        self.entry.extend_from_slice(entry);
    }

    /// Names a body: it is durable with this commit, and this ledger holds one more reference to it.
    pub fn hold(&mut self, body: &Body) {
        self.bodies.push(body.clone());
    }

    /// Takes one more reference to a body this ledger holds already, as a copy of a message does. A commit that
    /// names a body the ledger does not hold fails with `NoBody`, and nothing of it happens.
    pub fn hold_again(&mut self, blob: BlobId) {
        self.bodies.push(Body { id: blob, size: 0, held: Held::Stored, guard: None });
    }

    /// Lets one reference to a body of this ledger go; the last one makes it dead space. What
    /// this commit holds counts before what it releases. Releasing more than is held fails with `NoBody`.
    pub fn release(&mut self, blob: BlobId) {
        self.released.push(blob);
    }
}
