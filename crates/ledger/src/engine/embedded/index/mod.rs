//! The index over the log: ordered rows kept by an embedded engine, written behind and rebuildable.
//!
//! A row's value begins with a checksum over its key and the rest, so that no flipped bit of the index is ever
//! taken for a row.

mod fjall;
pub(crate) mod fold;
#[cfg(test)]
pub(crate) mod memory;
mod redb;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use bytes::{BufMut, Bytes};
use mail::{BlobId, LedgerId, ModSeq};

use crate::error::Error;

/// Which engine keeps the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    /// A B-tree in one file.
    Redb,
    /// A log-structured merge tree in a folder.
    Fjall,
}

impl IndexKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            IndexKind::Redb => "redb",
            IndexKind::Fjall => "fjall",
        }
    }
}

/// What a batch makes of some keys; `None` removes.
pub(crate) type Batch = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// Ordered rows.
pub(crate) trait Index: Send + Sync {
    /// The rows as they are now, for as long as it is held.
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error>;
    /// All of it or nothing; survives power loss when this returns.
    fn apply(&self, batch: &Batch) -> Result<(), Error>;
}

/// Ordered rows at one moment.
pub(crate) trait Snapshot: Send + Sync {
    /// One value.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;
    /// Shows the rows in `start..end`, ascending, until `each` says `false`.
    fn scan(&self, start: &[u8], end: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> bool)
    -> Result<(), Error>;
}

/// Opens an index in `folder`, made if missing.
pub(crate) fn open(kind: IndexKind, folder: &Path) -> Result<Arc<dyn Index>, Error> {
    match kind {
        IndexKind::Redb => Ok(Arc::new(redb::Redb::open(&folder.join("redb"))?)),
        IndexKind::Fjall => Ok(Arc::new(fjall::Fjall::open(&folder.join("fjall"))?)),
    }
}

const HOUSE: u8 = 0;
const LEDGER: u8 = 1;

/// The index key of a ledger's inner key.
pub(crate) fn row_key(ledger: LedgerId, inner: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(9 + inner.len());
    key.put_u8(LEDGER);
    key.put_u64(ledger.0);
    key.put_slice(inner);
    key
}

/// Ledger and inner key of an index key; `None`: it is one of the house.
pub(crate) fn split_key(key: &[u8]) -> Option<(LedgerId, &[u8])> {
    let (ledger, inner) = key.strip_prefix(&[LEDGER])?.split_at_checked(8)?;
    Some((LedgerId(u64::from_be_bytes(ledger.try_into().ok()?)), inner))
}

/// All keys of ledgers lie between these.
pub(crate) const ROWS: (&[u8], &[u8]) = (&[LEDGER], &[LEDGER + 1]);

/// The key of the position.
pub(crate) const POSITION: &[u8] = &[HOUSE, b'P'];

/// The key under which the dead octets of a segment are counted.
pub(crate) fn dead_key(segment: u32) -> Vec<u8> {
    [&[HOUSE, b'D'][..], &segment.to_be_bytes()].concat()
}

/// The first and the last key of the dead octets of all segments.
pub(crate) const DEAD: (&[u8], &[u8]) = (&[HOUSE, b'D'], &[HOUSE, b'D' + 1]);

/// The segment that a `dead_key` names.
pub(crate) fn dead_segment(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(2..)?.try_into().ok()?))
}

/// Says that a ledger's body has pieces that are chunk records of a segment.
pub(crate) fn chunk_key(segment: u32, ledger: LedgerId, blob: &BlobId) -> Vec<u8> {
    [&[HOUSE, b'K'][..], &segment.to_be_bytes(), &ledger.0.to_be_bytes(), &blob.0].concat()
}

/// Between which keys those of one segment lie.
pub(crate) fn chunk_keys(segment: u32) -> (Vec<u8>, Vec<u8>) {
    let prefix = |segment: u32| [&[HOUSE, b'K'][..], &segment.to_be_bytes()].concat();
    let end = segment.checked_add(1).map_or_else(|| vec![HOUSE, b'K' + 1], prefix);
    (prefix(segment), end)
}

/// What a `chunk_key` names.
pub(crate) fn chunk_owner(key: &[u8]) -> Option<(LedgerId, BlobId)> {
    let (ledger, blob) = key.get(6..)?.split_at_checked(8)?;
    Some((LedgerId(u64::from_be_bytes(ledger.try_into().ok()?)), BlobId(blob.try_into().ok()?)))
}

/// How far into the log the index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) log: u64,
    /// The next record stands here, or at the beginning of the segment after this one.
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    /// And bears this number.
    pub(crate) seq: u64,
}

impl Position {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(32);
        out.put_u64(self.log);
        out.put_u32(self.segment);
        out.put_u64(self.offset);
        out.put_u64(self.seq);
        seal(POSITION, ModSeq(0), &out)
    }

    pub(crate) fn read(snapshot: &dyn Snapshot) -> Result<Option<Position>, Error> {
        let Some(value) = snapshot.get(POSITION)? else { return Ok(None) };
        let (_, value) = unseal(POSITION, &value.into())?;
        if value.len() != 28 {
            return Err(damaged(POSITION));
        }
        let long = |at: usize| u64::from_be_bytes(std::array::from_fn(|n| value[at + n]));
        let segment = u32::from_be_bytes(std::array::from_fn(|n| value[8 + n]));
        Ok(Some(Position { log: long(0), segment, offset: long(12), seq: long(20) }))
    }
}

/// A row's value as the index keeps it.
pub(crate) fn seal(key: &[u8], modseq: ModSeq, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + value.len());
    out.put_u32(0);
    out.put_u64(modseq.0);
    out.put_slice(value);
    let crc = checksum(key, &out[4..]);
    out[..4].copy_from_slice(&crc.to_be_bytes());
    out
}

/// A row's modseq and value, verified.
pub(crate) fn unseal(key: &[u8], value: &Bytes) -> Result<(ModSeq, Bytes), Error> {
    if value.len() < 12 || value[..4] != checksum(key, &value[4..]).to_be_bytes() {
        return Err(damaged(key));
    }
    let modseq = u64::from_be_bytes(std::array::from_fn(|n| value[4 + n]));
    Ok((ModSeq(modseq), value.slice(12..)))
}

fn checksum(key: &[u8], rest: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(key);
    crc.update(rest);
    crc.finalize()
}

fn damaged(key: &[u8]) -> Error {
    let whose = match split_key(key) {
        Some((ledger, inner)) => format!("a row of ledger {}, key {}", ledger.0, inner.escape_ascii()),
        None => "a row of the index itself".to_owned(),
    };
    Error::Damaged(format!("index: wrong checksum of {whose}; rebuild the index"))
}

/// The first key after `key`.
pub(crate) fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}
