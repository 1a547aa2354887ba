//! Compaction: what lives in a segment that is mostly dead is written again at the log's end, then the segment is
//! removed.
//!
//! Every step may be the last: a row that is in the log twice is the same row, and a segment is removed only when
//! all that lived in it is durable elsewhere and the index points there. A segment with damage is left alone.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

use super::change::{self, Change, Dropped, Inline, Part, Piece, Place, RowChange, inner};
use super::committer::Told;
use super::index;
use super::record::Kind;
use super::segment::{self, Found};
use super::shared::Shared;
use crate::engine::View;
use crate::error::{CommitError, Error};

/// Carry records on their way at once.
const AHEAD: usize = 256;
/// Octets a second that the keeper reads.
const PACE: u64 = 32 << 20;

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Segments removed.
    pub removed: Vec<u32>,
    /// Octets of segments removed.
    pub freed: u64,
    /// Octets written again.
    pub carried: u64,
    /// Segments with damage, which were left alone.
    pub damaged: Vec<u32>,
}

/// See `Maintenance::compact`: looks into every segment that is ended.
pub(crate) fn compact(shared: &Shared) -> Result<Compacted, Error> {
    work(shared, &AtomicBool::new(false), false)
}

fn work(shared: &Shared, stop: &AtomicBool, gently: bool) -> Result<Compacted, Error> {
    let _upkeep = shared.upkeep.lock().unwrap_or_else(PoisonError::into_inner);
    let mut done = Compacted::default();
    let numbers = shared.segments.numbers().map_err(|error| Error::Io(error.to_string()))?;
    let active = shared.gate().end().segment;
    for number in numbers.into_iter().filter(|number| *number < active) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let length = shared.segments.file(number).and_then(|file| file.length());
        let length = length.map_err(|error| Error::Io(format!("{}: {error}", segment::path(number))))?;
        let known = shared.behind().dead.get(&number).copied().unwrap_or(0);
        if shared.gate().pins(number) || (gently && known * 2 < length) {
            continue;
        }
        let Some(mut sieve) = Sieve::new(shared, number, stop, gently)? else { continue };
        // Looking costs reads alone; what is moved costs writes as well, so it has to pay.
        if known * 2 < length && !sieve.pays(length)? {
            done.damaged.extend(sieve.damaged.then_some(number));
            continue;
        }
        match sieve.move_out()? {
            true => {
                done.removed.push(number);
                done.freed += length;
                done.carried += sieve.carried;
            }
            false => done.damaged.extend(sieve.damaged.then_some(number)),
        }
    }
    Ok(done)
}

/// Sifts one segment.
struct Sieve<'a> {
    shared: &'a Shared,
    number: u32,
    stop: &'a AtomicBool,
    gently: bool,
    /// There is an older segment than this one, and which is the oldest.
    oldest: u32,
    /// Ledgers and bodies that have pieces in this segment, by the piece's place.
    owners: HashMap<u32, Vec<(LedgerId, BlobId)>>,
    waiting: VecDeque<Told>,
    carried: u64,
    damaged: bool,
}

impl<'a> Sieve<'a> {
    /// `None`: a body that is on its way in has pieces here.
    fn new(
        shared: &'a Shared,
        number: u32,
        stop: &'a AtomicBool,
        gently: bool,
    ) -> Result<Option<Sieve<'a>>, Error> {
        let numbers = shared.segments.numbers().map_err(|error| Error::Io(error.to_string()))?;
        let oldest = numbers.into_iter().find(|other| *other != number).unwrap_or(u32::MAX);
        // All commits that name pieces here are in the index after this: the segment gets no new pieces, and
        // those on their way in were asked for before.
        let accepted = shared.gate().end().seq - 1;
        while shared.durable.load(Ordering::SeqCst) < accepted {
            if let Some(why) = shared.gate().stopped.clone() {
                return Err(Error::Stopped(why));
            }
            std::thread::sleep(Duration::from_millis(1));
            if shared.gate().end().seq - 1 < accepted {
                return Ok(None);
            }
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
        shared.flush()?;
        let mut sieve = Sieve {
            shared,
            number,
            stop,
            gently,
            oldest,
            owners: HashMap::new(),
            waiting: VecDeque::new(),
            carried: 0,
            damaged: false,
        };
        sieve.find_owners()?;
        Ok(Some(sieve))
    }

    fn find_owners(&mut self) -> Result<(), Error> {
        let (start, end) = index::chunk_keys(self.number);
        let mut named = Vec::new();
        self.shared.indexed().rows.scan(&start, &end, &mut |key, _| {
            named.extend(index::chunk_owner(key));
            true
        })?;
        for (ledger, blob) in named {
            for piece in self.place(ledger, &blob)?.map(|(_, place)| place.pieces).unwrap_or_default() {
                if piece.segment == self.number && piece.at == 0 {
                    self.owners.entry(piece.record).or_default().push((ledger, blob));
                }
            }
        }
        Ok(())
    }

    fn place(&self, ledger: LedgerId, blob: &BlobId) -> Result<Option<(ModSeq, Place)>, Error> {
        let keys = [inner(change::PLACE, &blob.0)];
        let found = self.shared.look(ledger, &keys, View::Accepted)?.pop().flatten();
        Ok(found.and_then(|(modseq, value)| Some((modseq, Place::decode(&value)?))))
    }

    /// Shows every record of the segment; `false`: there is damage.
    fn each(
        &mut self,
        mut show: impl FnMut(&mut Self, super::record::Header, Bytes) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let io = |error: std::io::Error| Error::Io(error.to_string());
        let mut scan = self.shared.segments.scan(self.number, 0).map_err(io)?;
        let mut read = 0u64;
        while let Some(found) = scan.step().map_err(io)? {
            if self.stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            match found {
                Found::Record(header, payload) => {
                    read += header.size();
                    if self.gently && read > PACE / 16 {
                        read = 0;
                        std::thread::sleep(Duration::from_millis(1000 / 16));
                    }
                    show(self, header, payload)?;
                }
                Found::Hole(hole) if hole.harmless => (),
                Found::Hole(_) => {
                    self.damaged = true;
                    return Ok(false);
                }
                Found::Zeros { .. } => (),
            }
        }
        Ok(true)
    }

    /// Whether less than half of the segment lives.
    fn pays(&mut self, length: u64) -> Result<bool, Error> {
        let mut alive = 0u64;
        let whole = self.each(|sieve, header, payload| {
            match header.kind {
                Kind::Segment => (),
                Kind::Chunk if sieve.owners.contains_key(&header.offset) => alive += header.size(),
                Kind::Chunk => (),
                Kind::Commit | Kind::Carry => {
                    let change = sieve.decode(&header, &payload)?;
                    if let Some(mut kept) = sieve.sift(&change, header.offset)? {
                        alive += super::record::size(kept.encode().len() as u32);
                    }
                }
            }
            Ok(())
        })?;
        Ok(whole && alive * 2 < length)
    }

    fn decode(&self, header: &super::record::Header, payload: &Bytes) -> Result<Change, Error> {
        let mut change = Change::decode(payload).ok_or_else(|| {
            let path = segment::path(self.number);
            Error::Damaged(format!("{path}, offset {}: a record makes no sense", header.offset))
        })?;
        change.settle(self.number, header.offset);
        Ok(change)
    }

    /// Writes again what lives, and removes the segment. `false`: it has to stay.
    fn move_out(&mut self) -> Result<bool, Error> {
        // Nothing is written before all of it could be read.
        if !self.each(|_, _, _| Ok(()))? {
            return Ok(false);
        }
        let (mut first, mut last) = (None, 0);
        let mut moved: HashMap<u32, Piece> = HashMap::new();
        let whole = self.each(|sieve, header, payload| {
            first.get_or_insert(header.seq);
            last = header.seq + 1;
            match header.kind {
                Kind::Segment => Ok(()),
                Kind::Chunk if sieve.owners.contains_key(&header.offset) => {
                    sieve.carried += header.size();
                    let (piece, told) = sieve.shared.append_again(payload).map_err(plain)?;
                    moved.insert(header.offset, piece);
                    sieve.wait_for(told)
                }
                Kind::Chunk => Ok(()),
                Kind::Commit | Kind::Carry => {
                    let change = sieve.decode(&header, &payload)?;
                    let carried = sieve.shared.carry(true, || sieve.sift(&change, header.offset));
                    match carried.map_err(plain)? {
                        Some(told) => sieve.wait_for(told),
                        None => Ok(()),
                    }
                }
            }
        })?;
        if !whole {
            return Ok(false);
        }
        self.move_pieces(&moved)?;
        self.drain(0)?;
        self.shared.flush()?;
        let dropped = Dropped { segment: self.number, seqs: (first.unwrap_or(last), last) };
        let gone = || Ok(Some(Change { dropped: vec![dropped], ..Change::default() }));
        if let Some(told) = self.shared.carry(true, gone).map_err(plain)? {
            self.wait_for(told)?;
        }
        self.drain(0)?;
        let io = |error: std::io::Error| Error::Io(format!("{}: {error}", segment::path(self.number)));
        self.shared.segments.close(self.number);
        self.shared.disk.remove(&segment::path(self.number)).map_err(io)?;
        self.shared.disk.sync_folder(segment::FOLDER).map_err(io)?;
        Ok(true)
    }

    /// Lets the bodies whose pieces were written again point there.
    fn move_pieces(&mut self, moved: &HashMap<u32, Piece>) -> Result<(), Error> {
        let mut owners: Vec<(LedgerId, BlobId)> = self.owners.values().flatten().copied().collect();
        owners.sort_unstable_by_key(|(ledger, blob)| (*ledger, blob.0));
        owners.dedup();
        for (ledger, blob) in owners {
            let told = self.shared.carry(true, || {
                let (head, floor) = self.shared.meta(ledger, View::Accepted)?;
                let Some((modseq, mut place)) = self.place(ledger, &blob)? else { return Ok(None) };
                let mut any = false;
                for piece in place.pieces.iter_mut().filter(|p| p.segment == self.number && p.at == 0) {
                    if let Some(new) = moved.get(&piece.record) {
                        (*piece, any) = (*new, true);
                    }
                }
                let key = inner(change::PLACE, &blob.0);
                let row = RowChange { key, modseq, value: Some(place.encode()), origin: 0 };
                let part = Part { ledger, base: head, head, floor, rows: vec![row] };
                Ok(any.then(|| Change { parts: vec![part], ..Change::default() }))
            });
            if let Some(told) = told.map_err(plain)? {
                self.wait_for(told)?;
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, told: Told) -> Result<(), Error> {
        self.waiting.push_back(told);
        self.drain(AHEAD)
    }

    fn drain(&mut self, left: usize) -> Result<(), Error> {
        while self.waiting.len() > left {
            let Some(told) = self.waiting.pop_front() else { break };
            match told.blocking_recv() {
                Ok(outcome) => outcome.map_err(plain)?,
                Err(_) => return Err(Error::Stopped("the thread of the log is gone".into())),
            }
        }
        Ok(())
    }

    /// What of a record still lives, with the heads of this moment; `None`: nothing.
    fn sift(&self, old: &Change, record: u32) -> Result<Option<Change>, Error> {
        let mut kept = Change { dropped: old.dropped.clone(), ..Change::default() };
        for part in &old.parts {
            let (head, floor) = self.shared.meta(part.ledger, View::Accepted)?;
            let keys: Vec<Bytes> = part.rows.iter().map(|row| row.key.clone()).collect();
            let found = self.shared.look(part.ledger, &keys, View::Accepted)?;
            let mut rows = Vec::new();
            for (row, found) in part.rows.iter().zip(found) {
                rows.extend(self.keep(row, found, floor, record, old, &mut kept.bodies));
            }
            // The record that brought a ledger to its head is the one that says so.
            if !rows.is_empty() || part.head == head {
                kept.parts.push(Part { ledger: part.ledger, base: head, head, floor, rows });
            }
        }
        Ok((!kept.parts.is_empty() || !kept.dropped.is_empty()).then_some(kept))
    }

    fn keep(
        &self,
        row: &RowChange,
        found: Option<(ModSeq, Bytes)>,
        floor: ModSeq,
        record: u32,
        old: &Change,
        bodies: &mut Vec<Inline>,
    ) -> Option<RowChange> {
        let tag = row.key.first().copied();
        let Some((modseq, value)) = found else {
            let origin = if row.origin == 0 { self.number } else { row.origin };
            let needed = row.value.is_none() && self.oldest < origin;
            return needed.then(|| RowChange { origin, ..row.clone() });
        };
        if tag == Some(change::LOG) && row.modseq <= floor {
            return None;
        }
        if tag == Some(change::PLACE) {
            let place = Place::decode(&value)?;
            let here =
                |piece: &&Piece| piece.segment == self.number && piece.record == record && piece.at != 0;
            if let Some(piece) = place.pieces.iter().find(here) {
                let at = old.bodies.iter().position(|body| body.at == piece.at)?;
                let blob = old.bodies[at].blob;
                let new = bodies.iter().position(|body| body.blob == blob).unwrap_or_else(|| {
                    bodies.push(old.bodies[at].clone());
                    bodies.len() - 1
                });
                // As many as there are bodies in a record.
                let moved = Piece { segment: 0, record: new as u32, at: 0, length: piece.length };
                let value = Some(Place { pieces: vec![moved] }.encode());
                return Some(RowChange { key: row.key.clone(), modseq, value, origin: 0 });
            }
            let same = row.value.as_ref() == Some(&value) && row.modseq == modseq;
            return same.then(|| row.clone());
        }
        (row.value.is_some() && row.modseq == modseq).then(|| row.clone())
    }
}

fn plain(error: CommitError) -> Error {
    match error {
        CommitError::Failed(error) => error,
        other => Error::Io(other.to_string()),
    }
}

/// The thread that compacts now and then.
pub(crate) struct Keeper {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Stop {
    asked: AtomicBool,
    lock: Mutex<()>,
    bell: Condvar,
}

impl Keeper {
    pub(crate) fn start(shared: &Arc<Shared>) -> Option<Keeper> {
        let every = shared.options.compact_every?;
        let stop = Arc::new(Stop::default());
        let (shared, theirs) = (shared.clone(), stop.clone());
        let run = move || {
            while theirs.wait(every) {
                match work(&shared, &theirs.asked, true) {
                    Ok(done) if done.removed.is_empty() => (),
                    Ok(done) => tracing::info!(freed = done.freed, carried = done.carried, "compacted"),
                    Err(error) => tracing::warn!(%error, "compaction broke off"),
                }
            }
        };
        let thread = std::thread::Builder::new().name("compact".into()).spawn(run).ok();
        Some(Keeper { stop, thread })
    }
}

impl Stop {
    /// `false`: it was asked to stop.
    fn wait(&self, for_long: Duration) -> bool {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.asked.load(Ordering::SeqCst) {
            drop(self.bell.wait_timeout(guard, for_long));
        }
        !self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let guard = self.stop.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.stop.asked.store(true, Ordering::SeqCst);
        drop(guard);
        self.stop.bell.notify_all();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of compaction panicked");
        }
    }
}
