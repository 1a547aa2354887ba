//! Folds changes of the log into one batch for the index, and counts what they leave dead in the segments.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

use super::{Batch, Position, Snapshot, after, chunk_key, dead_key, row_key, seal, unseal};
use crate::engine::embedded::change::{self, Change, Part, Place, RowChange};
use crate::error::Error;

/// Dead octets of each segment.
pub(crate) type Dead = BTreeMap<u32, u64>;

/// Changes in order, becoming a batch.
pub(crate) struct Fold<'a> {
    before: &'a dyn Snapshot,
    dead: &'a mut Dead,
    batch: Batch,
}

impl<'a> Fold<'a> {
    /// `dead` is what has been counted so far, and is counted on.
    pub(crate) fn new(before: &'a dyn Snapshot, dead: &'a mut Dead) -> Fold<'a> {
        Fold { before, dead, batch: Batch::new() }
    }

    /// Takes a commit in, or a carry record in a rebuild.
    pub(crate) fn whole(&mut self, change: &Change) -> Result<(), Error> {
        self.change(change, |_| true)
    }

    /// Takes in what a carry record changes in an index that has all its rows: where bodies lie, and floors.
    pub(crate) fn places(&mut self, change: &Change) -> Result<(), Error> {
        self.change(change, |row| row.key.first() == Some(&change::PLACE))
    }

    fn change(&mut self, change: &Change, wanted: impl Fn(&RowChange) -> bool) -> Result<(), Error> {
        for part in &change.parts {
            for row in part.rows.iter().filter(|row| wanted(row)) {
                if row.key.first() == Some(&change::PLACE) {
                    self.place(part.ledger, row)?;
                }
                self.row(part.ledger, row);
            }
            self.meta(part)?;
        }
        for dropped in &change.dropped {
            self.dead.remove(&dropped.segment);
            self.batch.insert(dead_key(dropped.segment), None);
        }
        Ok(())
    }

    /// Octets nothing refers to, found elsewhere.
    pub(crate) fn lost(&mut self, segment: u32, octets: u64) {
        let dead = self.dead.entry(segment).or_default();
        *dead += octets;
        let key = dead_key(segment);
        let value = seal(&key, ModSeq(0), &dead.to_be_bytes());
        self.batch.insert(key, Some(value));
    }

    /// The batch, which brings the index to `position`.
    pub(crate) fn finish(mut self, position: &Position) -> Batch {
        self.batch.insert(super::POSITION.to_vec(), Some(position.encode()));
        self.batch
    }

    fn row(&mut self, ledger: LedgerId, row: &RowChange) {
        let key = row_key(ledger, &row.key);
        let value = row.value.as_ref().map(|value| seal(&key, row.modseq, value));
        self.batch.insert(key, value);
    }

    fn old(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        let sealed = match self.batch.get(key) {
            Some(value) => value.clone(),
            None => self.before.get(key)?,
        };
        match sealed {
            Some(sealed) => Ok(Some(unseal(key, &sealed.into())?.1)),
            None => Ok(None),
        }
    }

    /// A body lies elsewhere now, or nowhere: what it leaves is dead.
    fn place(&mut self, ledger: LedgerId, row: &RowChange) -> Result<(), Error> {
        let Ok(blob) = <[u8; 32]>::try_from(&row.key[1..]).map(BlobId) else { return Ok(()) };
        let old = self.old(&row_key(ledger, &row.key))?.and_then(|value| Place::decode(&value));
        let new = row.value.as_ref().and_then(|value| Place::decode(value));
        if old == new {
            return Ok(());
        }
        for piece in old.iter().flat_map(|place| &place.pieces) {
            let kept = new.as_ref().is_some_and(|new| new.pieces.contains(piece));
            if !kept {
                self.lost(piece.segment, u64::from(piece.length));
            }
            if piece.at == 0 {
                self.batch.insert(chunk_key(piece.segment, ledger, &blob), None);
            }
        }
        for piece in new.iter().flat_map(|place| &place.pieces).filter(|piece| piece.at == 0) {
            self.batch.insert(chunk_key(piece.segment, ledger, &blob), Some(Vec::new()));
        }
        Ok(())
    }

    fn meta(&mut self, part: &Part) -> Result<(), Error> {
        let row = part.meta();
        let old = self.old(&row_key(part.ledger, &row.key))?;
        let old = old.and_then(|value| change::decode_meta(&value)).unwrap_or_default();
        if part.floor > old.1 {
            self.trim(part.ledger, part.floor)?;
        }
        self.row(part.ledger, &row);
        Ok(())
    }

    /// Removes the log of a ledger up to and including `floor`.
    fn trim(&mut self, ledger: LedgerId, floor: ModSeq) -> Result<(), Error> {
        let start = row_key(ledger, &[change::LOG]);
        let end = after(&row_key(ledger, &change::inner(change::LOG, &floor.0.to_be_bytes())));
        let mut old = Vec::new();
        self.before.scan(&start, &end, &mut |key, _| {
            old.push(key.to_vec());
            true
        })?;
        old.extend(self.batch.range(start..end).map(|(key, _)| key.clone()));
        for key in old {
            self.batch.insert(key, None);
        }
        Ok(())
    }
}
