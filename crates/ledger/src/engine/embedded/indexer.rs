//! The thread that brings the index up to the log, behind the commits: one durable batch for many of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::LedgerId;

use super::change::{Change, META};
use super::index::Position;
use super::index::fold::{Dead, Fold};
use super::shared::{Indexed, Shared};
use crate::error::Error;

/// Between two tries on an index that cannot be written.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// Tries before the engine stops, unless the disk is only full.
const TRIES: u32 = 3;

/// What the index does not have yet.
pub(crate) struct Behind {
    changes: Vec<(Arc<Change>, bool)>,
    /// The durable end of the log.
    pub(crate) end: Position,
    /// Octets of log since the index's position.
    pub(crate) octets: u64,
    /// Since when there is something.
    since: Option<Instant>,
    /// Octets of the log that nothing refers to, by segment.
    lost: Vec<(u32, u64)>,
    /// It shall not wait for more.
    pub(crate) wanted: bool,
    pub(crate) failing: bool,
    closing: bool,
    /// Dead octets by segment, as the index has them.
    pub(crate) dead: Dead,
}

impl Behind {
    pub(crate) fn new(end: Position, dead: Dead) -> Behind {
        Behind {
            changes: Vec::new(),
            end,
            octets: 0,
            since: None,
            lost: Vec::new(),
            wanted: false,
            failing: false,
            closing: false,
            dead,
        }
    }

    pub(crate) fn lose(&mut self, segment: u32, octets: u64) {
        self.lost.push((segment, octets));
    }
}

/// What one batch takes.
struct Load {
    changes: Vec<(Arc<Change>, bool)>,
    lost: Vec<(u32, u64)>,
    end: Position,
    octets: u64,
    dead: Dead,
}

impl Shared {
    /// The committer hands over what it made durable; `end` where it synced.
    pub(crate) fn hand_over(
        &self,
        changes: impl Iterator<Item = (Arc<Change>, bool)>,
        octets: u64,
        end: Option<Position>,
    ) {
        let mut behind = self.behind();
        behind.changes.extend(changes);
        behind.octets += octets;
        if let Some(end) = end {
            behind.end = end;
            behind.since.get_or_insert_with(Instant::now);
        }
        let due = behind.octets >= self.options.checkpoint_octets;
        drop(behind);
        if due {
            self.caught_up.notify_all();
        }
    }

    /// Waits until the index has everything that is durable now.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let until = self.durable.load(Ordering::SeqCst);
        let mut behind = self.behind();
        while self.indexed().applied < until {
            if let Some(why) = self.gate_stopped(&behind) {
                return Err(Error::Stopped(why));
            }
            behind.wanted = true;
            self.caught_up.notify_all();
            let waited = self.caught_up.wait_timeout(behind, TRY_AGAIN);
            behind = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn gate_stopped(&self, behind: &Behind) -> Option<String> {
        match behind.failing {
            true => Some("the index cannot be written".to_owned()),
            false => None,
        }
    }

    /// Ends the indexer after one more batch.
    pub(crate) fn close_index(&self) {
        self.behind().closing = true;
        self.caught_up.notify_all();
    }
}

/// Runs until the engine is closed.
pub(crate) fn run(shared: &Shared) {
    let mut tries = 0;
    while let Some(load) = next(shared) {
        match apply(shared, &load) {
            Ok(()) => {
                tries = 0;
                done(shared, load);
            }
            Err(error) => {
                tries += 1;
                tracing::error!(%error, "the index cannot be written");
                let closing = put_back(shared, load);
                if tries >= TRIES && !shared.disk.free().is_ok_and(|free| free < shared.options.reserve) {
                    let why = format!("the index cannot be written: {error}");
                    shared.gate().stopped.get_or_insert(why);
                }
                if closing {
                    // The log has it all; the next start replays it.
                    return;
                }
                std::thread::sleep(TRY_AGAIN);
            }
        }
    }
}

fn next(shared: &Shared) -> Option<Load> {
    let mut behind = shared.behind();
    loop {
        let some = behind.since.is_some() || !behind.lost.is_empty();
        if behind.closing && !some {
            return None;
        }
        let age = behind.since.map_or(Duration::ZERO, |since| since.elapsed());
        let due = behind.octets >= shared.options.checkpoint_octets || age >= shared.options.checkpoint_age;
        if some && (due || behind.wanted || behind.closing) {
            break;
        }
        behind.wanted = false;
        let rest = match behind.since {
            Some(_) => shared.options.checkpoint_age.saturating_sub(age),
            None => Duration::from_secs(3600),
        };
        let waited = shared.caught_up.wait_timeout(behind, rest);
        behind = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    behind.wanted = false;
    behind.since = None;
    Some(Load {
        changes: std::mem::take(&mut behind.changes),
        lost: std::mem::take(&mut behind.lost),
        end: behind.end,
        octets: behind.octets,
        dead: behind.dead.clone(),
    })
}

fn apply(shared: &Shared, load: &Load) -> Result<(), Error> {
    let before = shared.indexed();
    let mut dead = load.dead.clone();
    let mut fold = Fold::new(before.rows.as_ref(), &mut dead);
    for (change, carry) in &load.changes {
        match carry {
            true => fold.places(change)?,
            false => fold.whole(change)?,
        }
    }
    for (segment, octets) in &load.lost {
        fold.lost(*segment, *octets);
    }
    let batch = fold.finish(&load.end);
    let index = shared.index.read().unwrap_or_else(PoisonError::into_inner).clone();
    index.apply(&batch)?;
    let rows = index.snapshot()?;
    shared.behind().dead = dead;
    shared.counters.checkpoints.fetch_add(1, Ordering::Relaxed);
    // First the index shows it, then the overlay forgets it: a reader finds every row in one of them.
    let applied = load.end.seq - 1;
    *shared.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Indexed { applied, rows });
    shared.pruned.store(applied, Ordering::SeqCst);
    prune(shared, load, applied);
    Ok(())
}

fn prune(shared: &Shared, load: &Load, applied: u64) {
    let mut keys: BTreeMap<LedgerId, BTreeSet<Bytes>> = BTreeMap::new();
    for part in load.changes.iter().flat_map(|(change, _)| &change.parts) {
        let keys = keys.entry(part.ledger).or_default();
        keys.insert(Bytes::from_static(&[META]));
        keys.extend(part.rows.iter().map(|row| row.key.clone()));
    }
    for (ledger, keys) in keys {
        shared.overlay.prune(ledger, applied, keys.iter());
    }
}

fn done(shared: &Shared, load: Load) {
    let mut behind = shared.behind();
    behind.octets -= load.octets;
    behind.failing = false;
    drop(behind);
    drop(load);
    shared.caught_up.notify_all();
}

/// Nothing was applied. Says whether the engine is closing.
fn put_back(shared: &Shared, mut load: Load) -> bool {
    let mut behind = shared.behind();
    load.changes.append(&mut behind.changes);
    behind.changes = load.changes;
    load.lost.append(&mut behind.lost);
    behind.lost = load.lost;
    behind.since.get_or_insert_with(Instant::now);
    behind.failing = true;
    let closing = behind.closing;
    drop(behind);
    shared.caught_up.notify_all();
    closing
}
