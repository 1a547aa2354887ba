//! Rows in memory: the engine of the tests and of the simulator, and the model the other engines are held to.
//!
//! It keeps two worlds, the accepted and the durable one. A commit changes the accepted world at once and then
//! waits in line; making it durable applies it to the other one. A `FaultPlan` decides when that happens and
//! what goes wrong. Nothing is ever written to a disk here.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::ops::{Bound, Range};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use bytes::{Bytes, BytesMut};
use mail::{BlobId, LedgerId, ModSeq};
use tokio::sync::oneshot;

use super::{Engine, View};
use crate::bell::Bells;
use crate::error::{CommitError, Error};
use crate::ledger::Changes;
use crate::limits::INLINE_LIMIT;
use crate::tx::{Held, Row, Tx};

const STOPPED: &str = "the planned sync failed";
const CUT: &str = "the power was cut";

/// What goes wrong with a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There was no room: nothing was written, and the next commit may find some.
    Full,
    /// The sync that carried it failed: it and all that wait are never acknowledged, and every commit after it
    /// fails until `FaultPlan::power_cut` restarts the ledger.
    Stopped,
}

/// Decides what goes wrong in a `Ledger::memory_with`. Clones are the same plan; every method may be called at
/// any time.
#[derive(Clone, Default)]
pub struct FaultPlan {
    shared: Arc<Plan>,
}

#[derive(Default)]
struct Plan {
    faults: Mutex<BTreeMap<u64, Fault>>,
    /// Pieces of bodies for which there will be no room.
    pieces: Mutex<HashSet<u64>>,
    engine: OnceLock<Weak<Memory>>,
}

impl FaultPlan {
    /// A plan by which nothing goes wrong.
    pub fn new() -> FaultPlan {
        FaultPlan::default()
    }

    /// Lets the `nth` commit from the ledger's creation fail, counted from 1. Commits refused for a conflict or
    /// for a missing body count too.
    pub fn fail_commit(&self, nth: u64, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).insert(nth, fault);
    }

    /// Lets there be no room for the `nth` piece of a body that does not fit into memory, counted from 1 over
    /// all bodies.
    pub fn fail_piece(&self, nth: u64) {
        self.shared.pieces.lock().unwrap_or_else(PoisonError::into_inner).insert(nth);
    }

    /// Commits begun so far, refused ones included.
    pub fn commits(&self) -> u64 {
        self.engine().map_or(0, |engine| engine.lock().commits)
    }

    /// From now on commits are accepted and wait: `make_durable` or `let_go` ends that.
    pub fn hold_durability(&self) {
        if let Some(engine) = self.engine() {
            engine.lock().holding = true;
        }
    }

    /// Commits that are accepted and not durable.
    pub fn waiting(&self) -> usize {
        self.engine().map_or(0, |engine| engine.lock().waiting.len())
    }

    /// Makes the first `count` of those that wait durable, in order.
    pub fn make_durable(&self, count: usize) {
        if let Some(engine) = self.engine() {
            engine.settle(count);
        }
    }

    /// All that wait become durable, and later commits do so at once.
    pub fn let_go(&self) {
        if let Some(engine) = self.engine() {
            engine.lock().holding = false;
            engine.settle(usize::MAX);
        }
    }

    /// The power fails and comes back. Of the commits that wait the first `kept` had reached the disk, though
    /// nobody was told; the others never happened. Bodies on their way in are gone. Those who wait for a commit
    /// get `Stopped`, as their connection to this world broke.
    pub fn power_cut(&self, kept: usize) {
        if let Some(engine) = self.engine() {
            engine.power_cut(kept);
        }
    }

    fn engine(&self) -> Option<Arc<Memory>> {
        self.shared.engine.get().and_then(Weak::upgrade)
    }

    fn fault(&self, nth: u64) -> Option<Fault> {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).remove(&nth)
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan").field("faults", &self.shared.faults).finish_non_exhaustive()
    }
}

/// All ledgers, twice.
pub(crate) struct Memory {
    state: Mutex<State>,
    bells: Bells,
    plan: FaultPlan,
}

#[derive(Default)]
struct State {
    accepted: World,
    durable: World,
    /// Accepted, not durable, in order.
    waiting: VecDeque<Waiting>,
    holding: bool,
    stopped: Option<&'static str>,
    commits: u64,
    opened: u64,
    pieces: u64,
    /// Bodies on their way in.
    arriving: HashMap<u64, Arriving>,
}

type World = HashMap<LedgerId, Shelf>;

/// One ledger.
#[derive(Clone, Default)]
struct Shelf {
    head: ModSeq,
    rows: BTreeMap<Bytes, (Bytes, ModSeq)>,
    log: BTreeMap<ModSeq, Bytes>,
    floor: ModSeq,
    bodies: HashMap<BlobId, Kept>,
}

#[derive(Clone)]
struct Kept {
    references: u64,
    octets: Octets,
}

/// A body's pieces, shared by all that hold it.
type Octets = Arc<Vec<Bytes>>;

#[derive(Default)]
struct Arriving {
    pieces: Vec<Bytes>,
    whole: Option<(BlobId, Octets)>,
}

struct Waiting {
    parts: Vec<Part>,
    tell: oneshot::Sender<Result<(), Error>>,
}

/// One ledger's part of an accepted commit.
struct Part {
    ledger: LedgerId,
    head: ModSeq,
    writes: Vec<(Bytes, Option<Bytes>)>,
    entry: Bytes,
    /// By how much the references change, and the octets where they came along.
    bodies: HashMap<BlobId, (i64, Option<Octets>)>,
}

impl Memory {
    pub(crate) fn new(plan: &FaultPlan) -> Arc<Memory> {
        let state = Mutex::new(State::default());
        let memory = Arc::new(Memory { state, bells: Bells::default(), plan: plan.clone() });
        let first = plan.shared.engine.set(Arc::downgrade(&memory)).is_ok();
        assert!(first, "a fault plan serves one ledger");
        memory
    }

    /// What `Drop` of a body writer calls.
    pub(crate) fn abandon(&self, number: u64) {
        self.lock().arriving.remove(&number);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, ledger: LedgerId, view: View, read: impl FnOnce(&Shelf) -> T) -> Option<T> {
        let state = self.lock();
        let world = match view {
            View::Durable => &state.durable,
            View::Accepted => &state.accepted,
        };
        world.get(&ledger).map(read)
    }

    /// Compares, accepts, and stands in line.
    fn accept(&self, txs: &[Tx]) -> Result<oneshot::Receiver<Result<(), Error>>, CommitError> {
        let mut state = self.lock();
        state.commits += 1;
        let fault = self.plan.fault(state.commits);
        if let Some(why) = state.stopped {
            return Err(Error::Stopped(why.into()).into());
        }
        let parts = state.judge(txs)?;
        if fault == Some(Fault::Full) {
            return Err(CommitError::Full);
        }
        // The numbers are forgotten only now: a refused commit may be tried again.
        for body in txs.iter().flat_map(|tx| &tx.bodies) {
            if let Held::Chunked(number) = body.held {
                state.arriving.remove(&number);
            }
        }
        apply(&mut state.accepted, &parts);
        let (tell, told) = oneshot::channel();
        state.waiting.push_back(Waiting { parts, tell });
        if fault == Some(Fault::Stopped) {
            state.stopped = Some(STOPPED);
            for waiting in std::mem::take(&mut state.waiting) {
                let _ = waiting.tell.send(Err(Error::Stopped(STOPPED.into())));
            }
        }
        let settle = !state.holding;
        drop(state);
        if settle {
            self.settle(usize::MAX);
        }
        Ok(told)
    }

    /// Makes the first of those that wait durable, rings, and tells them.
    fn settle(&self, count: usize) {
        let mut state = self.lock();
        let count = count.min(state.waiting.len());
        let done: Vec<Waiting> = state.waiting.drain(..count).collect();
        for waiting in &done {
            apply(&mut state.durable, &waiting.parts);
        }
        drop(state);
        for waiting in done {
            for part in &waiting.parts {
                self.bells.ring(part.ledger, part.head);
            }
            let _ = waiting.tell.send(Ok(()));
        }
    }

    fn power_cut(&self, kept: usize) {
        let mut state = self.lock();
        let waiting = std::mem::take(&mut state.waiting);
        for (number, waiting) in waiting.into_iter().enumerate() {
            if number < kept {
                apply(&mut state.durable, &waiting.parts);
            }
            let _ = waiting.tell.send(Err(Error::Stopped(CUT.into())));
        }
        state.accepted = state.durable.clone();
        state.arriving.clear();
        state.stopped = None;
        state.holding = false;
    }
}

impl State {
    /// Whether the commit may happen, and what it then changes. Changes nothing itself.
    fn judge(&self, txs: &[Tx]) -> Result<Vec<Part>, CommitError> {
        for tx in txs {
            let head = self.accepted.get(&tx.ledger).map_or(ModSeq(0), |shelf| shelf.head);
            if head != tx.base {
                return Err(CommitError::Conflict(tx.ledger));
            }
        }
        txs.iter().map(|tx| self.part(tx).map_err(CommitError::Failed)).collect()
    }

    fn part(&self, tx: &Tx) -> Result<Part, Error> {
        let kept = |blob: &BlobId| self.accepted.get(&tx.ledger).and_then(|shelf| shelf.bodies.get(blob));
        let mut bodies: HashMap<BlobId, (i64, Option<Octets>)> = HashMap::new();
        for body in &tx.bodies {
            let octets = self.octets(body.id, &body.held)?;
            let change = bodies.entry(body.id).or_default();
            change.0 += 1;
            change.1 = change.1.take().or(octets);
        }
        for (blob, (_, octets)) in &bodies {
            if octets.is_none() && kept(blob).is_none() {
                return Err(Error::NoBody);
            }
        }
        for blob in &tx.released {
            bodies.entry(*blob).or_default().0 -= 1;
        }
        for (blob, (change, _)) in &bodies {
            let references = kept(blob).map_or(0, |kept| kept.references);
            if references.checked_add_signed(*change).is_none() {
                return Err(Error::NoBody);
            }
        }
        let writes = tx.writes.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        let entry = Bytes::copy_from_slice(&tx.entry);
        Ok(Part { ledger: tx.ledger, head: tx.modseq(), writes, entry, bodies })
    }

    /// The octets that come along with a body.
    fn octets(&self, blob: BlobId, held: &Held) -> Result<Option<Octets>, Error> {
        match held {
            Held::Inline(bytes) => Ok(Some(Arc::new(vec![bytes.clone()]))),
            Held::Stored => Ok(None),
            Held::Chunked(number) => {
                let whole = self.arriving.get(number).and_then(|arriving| arriving.whole.as_ref());
                let (found, octets) = whole.ok_or(Error::NoBody)?;
                debug_assert_eq!(*found, blob);
                Ok(Some(octets.clone()))
            }
        }
    }
}

fn apply(world: &mut World, parts: &[Part]) {
    for part in parts {
        let shelf = world.entry(part.ledger).or_default();
        assert_eq!(shelf.head.0 + 1, part.head.0, "commits are applied in order and without gaps");
        shelf.head = part.head;
        for (key, value) in &part.writes {
            match value {
                Some(value) => shelf.rows.insert(key.clone(), (value.clone(), part.head)),
                None => shelf.rows.remove(key),
            };
        }
        if !part.entry.is_empty() {
            shelf.log.insert(part.head, part.entry.clone());
        }
        for (blob, (change, octets)) in &part.bodies {
            shelf.refer(*blob, *change, octets.as_ref());
        }
    }
}

impl Shelf {
    fn refer(&mut self, blob: BlobId, change: i64, octets: Option<&Octets>) {
        let before = self.bodies.remove(&blob);
        let references = before.as_ref().map_or(0, |kept| kept.references);
        let references = references.checked_add_signed(change).unwrap_or(0);
        let octets = before.map(|kept| kept.octets).or_else(|| octets.cloned());
        if let (1.., Some(octets)) = (references, octets) {
            self.bodies.insert(blob, Kept { references, octets });
        }
    }

    fn changes(&self, after: ModSeq, limit: usize) -> Changes {
        if after < self.floor {
            return Changes::Forgotten { floor: self.floor };
        }
        let range = (Bound::Excluded(after), Bound::Unbounded);
        let entries: Vec<_> = self.log.range(range).take(limit).map(|(at, e)| (*at, e.clone())).collect();
        let seen = match entries.last() {
            Some((last, _)) if entries.len() == limit => *last,
            _ => self.head.max(after),
        };
        Changes::Log { entries, seen }
    }
}

impl Engine for Memory {
    async fn head(&self, ledger: LedgerId, view: View) -> Result<ModSeq, Error> {
        Ok(self.read(ledger, view, |shelf| shelf.head).unwrap_or_default())
    }

    async fn get_many(
        &self,
        ledger: LedgerId,
        keys: &[Bytes],
        view: View,
    ) -> Result<Vec<Option<Row>>, Error> {
        let look = |shelf: &Shelf, key: &Bytes| {
            let (value, modseq) = shelf.rows.get(key)?.clone();
            Some(Row { key: key.clone(), value, modseq })
        };
        let found = self.read(ledger, view, |shelf| keys.iter().map(|key| look(shelf, key)).collect());
        Ok(found.unwrap_or_else(|| vec![None; keys.len()]))
    }

    async fn scan(
        &self,
        ledger: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
        view: View,
    ) -> Result<Vec<Row>, Error> {
        if start >= end {
            return Ok(Vec::new());
        }
        let range = (Bound::Included(start), Bound::Excluded(end));
        let row = |(key, (value, modseq)): (&Bytes, &(Bytes, ModSeq))| Row {
            key: key.clone(),
            value: value.clone(),
            modseq: *modseq,
        };
        let rows = self
            .read(ledger, view, |shelf| shelf.rows.range::<[u8], _>(range).take(limit).map(row).collect());
        Ok(rows.unwrap_or_default())
    }

    async fn log_after(&self, ledger: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        let changes = self.read(ledger, View::Durable, |shelf| shelf.changes(after, limit));
        Ok(changes.unwrap_or(Changes::Log { entries: Vec::new(), seen: after }))
    }

    async fn commit(&self, txs: Vec<Tx>) -> Result<Vec<ModSeq>, CommitError> {
        let reached = txs.iter().map(Tx::modseq).collect();
        let told = self.accept(&txs)?;
        match told.await {
            Ok(Ok(())) => Ok(reached),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Error::Stopped("the engine is gone".into()).into()),
        }
    }

    async fn body_open(&self) -> Result<u64, Error> {
        let mut state = self.lock();
        state.opened += 1;
        let number = state.opened;
        state.arriving.insert(number, Arriving::default());
        Ok(number)
    }

    async fn body_append(&self, number: u64, chunk: Bytes) -> Result<(), CommitError> {
        debug_assert!(chunk.len() <= INLINE_LIMIT);
        let mut state = self.lock();
        state.pieces += 1;
        if self.plan.shared.pieces.lock().unwrap_or_else(PoisonError::into_inner).remove(&state.pieces) {
            return Err(CommitError::Full);
        }
        let arriving = state.arriving.get_mut(&number).ok_or(Error::NoBody)?;
        debug_assert!(arriving.whole.is_none());
        arriving.pieces.push(chunk);
        Ok(())
    }

    async fn body_finish(&self, number: u64, whole: Option<(BlobId, u64)>) -> Result<(), CommitError> {
        let mut state = self.lock();
        let Some((blob, size)) = whole else {
            state.arriving.remove(&number);
            return Ok(());
        };
        let arriving = state.arriving.get_mut(&number).ok_or(Error::NoBody)?;
        let pieces = std::mem::take(&mut arriving.pieces);
        debug_assert_eq!(pieces.iter().map(|piece| piece.len() as u64).sum::<u64>(), size);
        arriving.whole = Some((blob, Arc::new(pieces)));
        Ok(())
    }

    async fn body_read(&self, ledger: LedgerId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        let octets =
            self.read(ledger, View::Durable, |shelf| shelf.bodies.get(&blob).map(|k| k.octets.clone()));
        Ok(cut(&octets.flatten().ok_or(Error::NoBody)?, &range))
    }

    async fn forget(&self, ledger: LedgerId, up_to: ModSeq) -> Result<(), Error> {
        let mut state = self.lock();
        // Never above what is durable: a floor above the head would hide what comes next.
        let Some(durable) = state.durable.get(&ledger).map(|shelf| shelf.head) else { return Ok(()) };
        let floor = up_to.min(durable);
        let State { accepted, durable, .. } = &mut *state;
        for shelf in [accepted, durable].into_iter().filter_map(|world| world.get_mut(&ledger)) {
            shelf.floor = shelf.floor.max(floor);
            shelf.log = shelf.log.split_off(&ModSeq(shelf.floor.0 + 1));
        }
        Ok(())
    }

    fn bells(&self) -> &Bells {
        &self.bells
    }
}

/// The part of `pieces` that `range` names.
fn cut(pieces: &[Bytes], range: &Range<u64>) -> Bytes {
    let mut found = BytesMut::new();
    let mut at = 0u64;
    for piece in pieces {
        let length = piece.len() as u64;
        let from = range.start.saturating_sub(at).min(length);
        let to = range.end.saturating_sub(at).min(length);
        if from < to {
            // Both are at most the piece's length, which is a usize.
            found.extend_from_slice(&piece[from as usize..to as usize]);
        }
        at += length;
    }
    found.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_over_pieces_is_cut() {
        let pieces = [Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"defg")];
        assert_eq!(cut(&pieces, &(0..7)), "abcdefg");
        assert_eq!(cut(&pieces, &(2..4)), "cd");
        assert_eq!(cut(&pieces, &(5..u64::MAX)), "fg");
        assert_eq!(cut(&pieces, &(7..9)), "");
        #[allow(clippy::reversed_empty_ranges)]
        let reversed = 4..2;
        assert_eq!(cut(&pieces, &reversed), "");
    }
}
