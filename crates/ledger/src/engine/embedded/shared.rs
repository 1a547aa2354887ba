//! What the engine's threads and its readers share, and how a row is read: the overlay first, then the index.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::{Bytes, BytesMut};
use mail::{BlobId, LedgerId, ModSeq};

use super::change::{self, Place};
use super::committer::Gate;
use super::disk::Disk;
use super::index::{self, Index, Snapshot};
use super::indexer::Behind;
use super::overlay::{Known, Overlay};
use super::reserve::Reserve;
use super::segment::Segments;
use super::verify::Damage;
use super::{Counters, OpenOptions};
use crate::bell::Bells;
use crate::engine::View;
use crate::error::Error;

/// How often a body is looked for again that compaction was moving.
const MOVED: usize = 8;

/// The engine without its threads.
pub(crate) struct Shared {
    pub(crate) options: OpenOptions,
    pub(crate) folder: PathBuf,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) segments: Segments,
    pub(crate) overlay: Overlay,
    /// Orders commits. Never held over I/O.
    pub(crate) gate: Mutex<Gate>,
    /// The gate has work for the committer.
    pub(crate) work: Condvar,
    /// The last record that would survive power loss.
    pub(crate) durable: AtomicU64,
    /// The overlay may have forgotten records up to this one.
    pub(crate) pruned: AtomicU64,
    pub(crate) index: RwLock<Arc<dyn Index>>,
    pub(crate) snapshot: RwLock<Arc<Indexed>>,
    pub(crate) behind: Mutex<Behind>,
    /// `behind` changed.
    pub(crate) caught_up: Condvar,
    pub(crate) bells: Bells,
    pub(crate) reserve: Reserve,
    /// What opening found wrong.
    pub(crate) findings: Mutex<Vec<Damage>>,
    pub(crate) counters: Counters,
    /// Held by compaction and backup, which must not meet.
    pub(crate) upkeep: Mutex<()>,
}

/// The index at one moment.
pub(crate) struct Indexed {
    /// The last record it has.
    pub(crate) applied: u64,
    pub(crate) rows: Arc<dyn Snapshot>,
}

/// A row's modseq and value.
pub(crate) type Found = Option<(ModSeq, Bytes)>;

impl Shared {
    pub(crate) fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn behind(&self) -> MutexGuard<'_, Behind> {
        self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn indexed(&self) -> Arc<Indexed> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn upto(&self, view: View) -> u64 {
        match view {
            View::Durable => self.durable.load(Ordering::SeqCst),
            View::Accepted => u64::MAX,
        }
    }

    /// What the overlay says and the index for the rest, such that no record is in neither.
    fn both<T>(
        &self,
        ledger: LedgerId,
        mut look: impl FnMut(Option<&super::overlay::Shelf>) -> T,
    ) -> (T, Arc<Indexed>) {
        loop {
            let indexed = self.indexed();
            let shelf = self.overlay.shelf(ledger);
            let known = look(shelf.as_deref());
            // Otherwise the overlay may have forgotten what this older state of the index has not.
            if self.pruned.load(Ordering::SeqCst) <= indexed.applied {
                return (known, indexed);
            }
        }
    }

    /// Rows by inner key, in the order asked, at one moment.
    pub(crate) fn look(&self, ledger: LedgerId, keys: &[Bytes], view: View) -> Result<Vec<Found>, Error> {
        let (known, indexed) = self.both(ledger, |shelf| match shelf {
            Some(shelf) => shelf.get_many(keys, || self.upto(view)),
            None => vec![None; keys.len()],
        });
        let find = |(known, key): (Option<Known>, &Bytes)| match known {
            Some(known) => Ok(known),
            None => {
                let key = index::row_key(ledger, key);
                indexed.rows.get(&key)?.map(|value| index::unseal(&key, &value.into())).transpose()
            }
        };
        known.into_iter().zip(keys).map(find).collect()
    }

    /// Rows of `start..end` by inner key, ascending, at one moment.
    pub(crate) fn scan(
        &self,
        ledger: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
        view: View,
    ) -> Result<Vec<(Bytes, ModSeq, Bytes)>, Error> {
        if start >= end || limit == 0 {
            return Ok(Vec::new());
        }
        let (known, indexed) = self.both(ledger, |shelf| match shelf {
            Some(shelf) => shelf.scan(start, end, || self.upto(view), limit),
            None => Vec::new(),
        });
        let mut found: Vec<(Bytes, ModSeq, Bytes)> = Vec::new();
        let mut newer = known.into_iter().peekable();
        let mut wrong = None;
        let (from, to) = (index::row_key(ledger, start), index::row_key(ledger, end));
        indexed.rows.scan(&from, &to, &mut |key, value| {
            // The scan's bounds both begin with the ledger.
            let inner = &key[9..];
            while let Some((key, row)) = newer.next_if(|(key, _)| key.as_ref() < inner) {
                found.extend(row.map(|(modseq, value)| (key, modseq, value)));
            }
            if found.len() >= limit {
                return false;
            }
            match newer.next_if(|(key, _)| key.as_ref() == inner) {
                Some((key, row)) => found.extend(row.map(|(modseq, value)| (key, modseq, value))),
                None => match index::unseal(key, &Bytes::copy_from_slice(value)) {
                    Ok((modseq, value)) => found.push((Bytes::copy_from_slice(inner), modseq, value)),
                    Err(error) => wrong = Some(error),
                },
            }
            wrong.is_none() && found.len() < limit
        })?;
        if let Some(error) = wrong {
            return Err(error);
        }
        for (key, row) in newer {
            found.extend(row.map(|(modseq, value)| (key, modseq, value)));
        }
        found.truncate(limit);
        Ok(found)
    }

    /// Head and floor.
    pub(crate) fn meta(&self, ledger: LedgerId, view: View) -> Result<(ModSeq, ModSeq), Error> {
        let mut found = self.look(ledger, &[Bytes::from_static(&[change::META])], view)?;
        match found.pop().flatten() {
            None => Ok((ModSeq(0), ModSeq(0))),
            Some((_, value)) => change::decode_meta(&value)
                .ok_or_else(|| Error::Damaged(format!("index: the head of ledger {}", ledger.0))),
        }
    }

    /// Octets of a body.
    pub(crate) fn body(&self, ledger: LedgerId, blob: BlobId, range: &Range<u64>) -> Result<Bytes, Error> {
        let keys = [change::inner(change::PLACE, &blob.0)];
        for _ in 0..MOVED {
            let Some((_, value)) = self.look(ledger, &keys, View::Durable)?.pop().flatten() else {
                return Err(Error::NoBody);
            };
            let place = Place::decode(&value).ok_or_else(|| {
                Error::Damaged(format!("index: the place of a body of ledger {}", ledger.0))
            })?;
            if let Some(octets) = self.pieces(&place, range)? {
                return Ok(octets);
            }
            // Compaction removed the segment after the row was read; the row says now where it is.
        }
        Err(Error::Damaged(format!("a body of ledger {} lies in a segment that is missing", ledger.0)))
    }

    /// `None`: a segment is not there.
    pub(crate) fn pieces(&self, place: &Place, range: &Range<u64>) -> Result<Option<Bytes>, Error> {
        let mut found: Vec<Bytes> = Vec::new();
        let mut at = 0u64;
        for piece in &place.pieces {
            let length = u64::from(piece.length);
            let from = range.start.saturating_sub(at).min(length);
            let to = range.end.saturating_sub(at).min(length);
            if from < to {
                let begin = u64::from(piece.at);
                let octets = self.segments.read(piece.segment, piece.record, begin + from..begin + to)?;
                let Some(octets) = octets else { return Ok(None) };
                found.push(octets);
            }
            at += length;
        }
        Ok(Some(match found.len() {
            0 => Bytes::new(),
            1 => found.remove(0),
            _ => {
                let mut whole = BytesMut::with_capacity(found.iter().map(Bytes::len).sum());
                found.iter().for_each(|octets| whole.extend_from_slice(octets));
                whole.freeze()
            }
        }))
    }
}
