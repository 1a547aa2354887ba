//! Rows newer than the index, in memory: each with the number of the record that wrote it, so that a read sees
//! exactly the records up to a given one.
//!
//! No lock here is held over I/O.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use mail::{LedgerId, ModSeq};

use super::change::RowChange;

const SHARDS: usize = 64;

/// What the overlay knows of a row: gone, or its modseq and value.
pub(crate) type Known = Option<(ModSeq, Bytes)>;

/// All ledgers that have rows newer than the index.
pub(crate) struct Overlay {
    shards: [RwLock<HashMap<LedgerId, Arc<Shelf>>>; SHARDS],
}

/// One ledger's rows.
#[derive(Default)]
pub(crate) struct Shelf {
    rows: RwLock<BTreeMap<Bytes, Vec<Version>>>,
}

struct Version {
    seq: u64,
    row: Known,
}

impl Overlay {
    pub(crate) fn new() -> Overlay {
        Overlay { shards: std::array::from_fn(|_| RwLock::default()) }
    }

    fn shard(&self, ledger: LedgerId) -> &RwLock<HashMap<LedgerId, Arc<Shelf>>> {
        // Fibonacci hashing: neighbouring accounts go to different shards.
        &self.shards[(ledger.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize]
    }

    /// A ledger's shelf, if it has one.
    pub(crate) fn shelf(&self, ledger: LedgerId) -> Option<Arc<Shelf>> {
        read(self.shard(ledger)).get(&ledger).cloned()
    }

    /// Puts rows of record `seq` there. Nothing older than `durable` is asked for any more.
    pub(crate) fn put<'a>(
        &self,
        ledger: LedgerId,
        seq: u64,
        durable: u64,
        rows: impl Iterator<Item = &'a RowChange>,
    ) {
        // The shard stays locked, so that `prune` cannot remove the shelf in between.
        let mut shard = write(self.shard(ledger));
        let shelf = shard.entry(ledger).or_default();
        let mut shelf = write(&shelf.rows);
        for row in rows {
            let versions = shelf.entry(row.key.clone()).or_default();
            let needed = versions.partition_point(|version| version.seq <= durable).saturating_sub(1);
            versions.drain(..needed);
            let row = row.value.as_ref().map(|value| (row.modseq, value.clone()));
            match versions.last_mut() {
                Some(last) if last.seq == seq => last.row = row,
                _ => versions.push(Version { seq, row }),
            }
        }
    }

    /// Forgets what the index has: the versions of `keys` up to record `seq`.
    pub(crate) fn prune<'a>(&self, ledger: LedgerId, seq: u64, keys: impl Iterator<Item = &'a Bytes>) {
        let mut shard = write(self.shard(ledger));
        let Some(shelf) = shard.get(&ledger).cloned() else { return };
        let empty = {
            let mut rows = write(&shelf.rows);
            for key in keys {
                if let Some(versions) = rows.get_mut(key) {
                    versions.retain(|version| version.seq > seq);
                    if versions.is_empty() {
                        rows.remove(key);
                    }
                }
            }
            rows.is_empty()
        };
        // Whoever reads it at the moment has its own handle; writers need the shard's lock.
        if empty {
            shard.remove(&ledger);
        }
    }

    /// Takes back every record after `seq`.
    pub(crate) fn roll_back(&self, seq: u64) {
        for shard in &self.shards {
            write(shard).retain(|_, shelf| {
                let mut rows = write(&shelf.rows);
                rows.retain(|_, versions| {
                    versions.retain(|version| version.seq <= seq);
                    !versions.is_empty()
                });
                !rows.is_empty()
            });
        }
    }
}

impl Shelf {
    /// What record `upto` and those before it made of a key; `None`: nothing that the index does not know.
    pub(crate) fn get(&self, key: &[u8], upto: u64) -> Option<Known> {
        newest(read(&self.rows).get(key)?, upto)
    }

    /// The same for many keys, at one moment. `upto` is asked once writers are kept out, as they forget versions
    /// that are older than what is durable.
    pub(crate) fn get_many(&self, keys: &[Bytes], upto: impl FnOnce() -> u64) -> Vec<Option<Known>> {
        let rows = read(&self.rows);
        let upto = upto();
        keys.iter().map(|key| newest(rows.get(key)?, upto)).collect()
    }

    /// Rows of `start..end`, ascending, with those that are gone, until `limit` are found that are not.
    pub(crate) fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        upto: impl FnOnce() -> u64,
        limit: usize,
    ) -> Vec<(Bytes, Known)> {
        let rows = read(&self.rows);
        let upto = upto();
        let (mut found, mut there) = (Vec::new(), 0);
        for (key, versions) in rows.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end))) {
            let Some(known) = newest(versions, upto) else { continue };
            there += usize::from(known.is_some());
            found.push((key.clone(), known));
            if there >= limit {
                break;
            }
        }
        found
    }
}

fn newest(versions: &[Version], upto: u64) -> Option<Known> {
    versions.iter().rev().find(|version| version.seq <= upto).map(|version| version.row.clone())
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}
