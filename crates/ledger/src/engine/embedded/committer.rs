//! Orders commits, and makes them durable: one thread writes all that wait and syncs once.
//!
//! Accepting a commit compares heads, gives it its place in the log and shows it to later commits, all under a
//! mutex and without I/O. A write or sync that fails stops the engine, and nothing is tried twice; only a full
//! disk is survived, after the log's end has been restored.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mail::{BlobId, ModSeq};
use tokio::sync::oneshot;

use super::change::{self, Change, Piece};
use super::disk::{DiskFile, How, is_full};
use super::index::Position;
use super::record::{self, Header, Kind};
use super::segment;
use super::shared::Shared;
use crate::error::{CommitError, Error};

/// Octets written in one go, unless a single record is larger.
const GROUP: usize = 8 << 20;
/// How often a full disk is asked whether there is room again.
const ASK_ROOM: Duration = Duration::from_millis(500);
/// Octets of the first record of a segment.
const OPENING: &[u8] = b"packetboat ledger, format 1\n";

/// What is ordered and not yet written.
#[derive(Default)]
pub(crate) struct Gate {
    queue: VecDeque<Item>,
    /// Where the next record goes.
    next: Place,
    pub(crate) stopped: Option<String>,
    /// The disk is full: only commits that make room get in. When it was last asked for room.
    full: Option<Instant>,
    closing: bool,
    opened: u64,
    /// Bodies on their way in.
    arriving: HashMap<u64, Arriving>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) seq: u64,
}

#[derive(Clone, Default)]
struct Arriving {
    pieces: Vec<Piece>,
    whole: Option<BlobId>,
}

/// A record to be written.
struct Item {
    header: Header,
    table: Vec<u8>,
    payload: Bytes,
    what: What,
}

enum What {
    /// The first record of the next segment.
    Roll,
    Chunk(oneshot::Sender<Result<(), CommitError>>),
    Change(Waiting),
}

struct Waiting {
    change: Arc<Change>,
    carry: bool,
    frees: bool,
    taken: Vec<(u64, Arriving)>,
    tell: Tell,
}

type Tell = oneshot::Sender<Result<(), CommitError>>;
/// How a commit ended.
pub(crate) type Told = oneshot::Receiver<Result<(), CommitError>>;

/// A change that wants in.
pub(crate) struct Request {
    pub(crate) change: Change,
    /// It leaves heads as they are.
    pub(crate) carry: bool,
    /// It makes room, and may use the reserve.
    pub(crate) frees: bool,
    /// Bodies it takes.
    pub(crate) numbers: Vec<u64>,
    /// The record up to which the index was known to be when the heads were read.
    pub(crate) seen: u64,
}

/// Why a change did not get in.
pub(crate) enum Refused {
    /// Heads have to be read again: the overlay has forgotten some meanwhile.
    Again,
    No(CommitError),
}

impl Gate {
    pub(crate) fn new(next: Place) -> Gate {
        Gate { next, ..Gate::default() }
    }

    pub(crate) fn open_body(&mut self) -> u64 {
        self.opened += 1;
        self.arriving.insert(self.opened, Arriving::default());
        self.opened
    }

    pub(crate) fn finish_body(&mut self, number: u64, blob: BlobId) -> Result<(), Error> {
        self.arriving.get_mut(&number).ok_or(Error::NoBody)?.whole = Some(blob);
        Ok(())
    }

    /// Gives a body up, and says what of the log is dead by that.
    pub(crate) fn abandon(&mut self, number: u64) -> Vec<Piece> {
        self.arriving.remove(&number).map(|arriving| arriving.pieces).unwrap_or_default()
    }

    /// The pieces of a whole body.
    pub(crate) fn pieces(&self, number: u64, blob: BlobId) -> Option<Vec<Piece>> {
        let arriving = self.arriving.get(&number)?;
        (arriving.whole == Some(blob)).then(|| arriving.pieces.clone())
    }

    /// Whether a body on its way in has pieces in this segment.
    pub(crate) fn pins(&self, segment: u32) -> bool {
        self.arriving.values().any(|a| a.pieces.iter().any(|piece| piece.segment == segment))
    }

    /// The segment that is written to, and the number of the last record accepted.
    pub(crate) fn end(&self) -> Place {
        self.next
    }

    /// The committer ends once all that waits is written.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }
}

impl Shared {
    fn usable(&self, gate: &mut Gate, frees: bool) -> Result<(), CommitError> {
        if let Some(why) = &gate.stopped {
            return Err(Error::Stopped(why.clone()).into());
        }
        match gate.full {
            Some(asked) if !frees => {
                if asked.elapsed() < ASK_ROOM {
                    return Err(CommitError::Full);
                }
                gate.full = Some(Instant::now());
                // One system call, and only while the disk is full.
                match self.reserve.fill() {
                    Ok(true) => {
                        gate.full = None;
                        Ok(())
                    }
                    _ => Err(CommitError::Full),
                }
            }
            _ => Ok(()),
        }
    }

    /// Compares heads, orders the change, shows it to later ones, and queues it.
    pub(crate) fn accept(&self, mut request: Request) -> Result<Told, Refused> {
        let payload = Bytes::from(request.change.encode());
        let table = record::table(&payload);
        let mut gate = self.gate();
        self.usable(&mut gate, request.frees).map_err(Refused::No)?;
        if self.pruned.load(Ordering::SeqCst) > request.seen {
            return Err(Refused::Again);
        }
        self.compare(&request.change).map_err(Refused::No)?;
        let mut taken = Vec::new();
        for number in request.numbers {
            taken.extend(gate.arriving.remove(&number).map(|arriving| (number, arriving)));
        }
        let kind = if request.carry { Kind::Carry } else { Kind::Commit };
        let (tell, told) = oneshot::channel();
        let (carry, frees) = (request.carry, request.frees);
        let header = self.place(&mut gate, kind, &table, payload.len());
        request.change.settle(header.segment, header.offset);
        let change = Arc::new(request.change);
        self.show(&change, carry, header.seq);
        let what = What::Change(Waiting { change, carry, frees, taken, tell });
        gate.queue.push_back(Item { header, table, payload, what });
        drop(gate);
        self.work.notify_one();
        Ok(told)
    }

    /// Whether every head is what the change was built on.
    fn compare(&self, change: &Change) -> Result<(), CommitError> {
        for part in &change.parts {
            // A head that is not here is in the index, and was compared when it was read from there.
            let known = self.overlay.shelf(part.ledger).and_then(|s| s.get(&[change::META], u64::MAX));
            let head = known.flatten().and_then(|(_, value)| change::decode_meta(&value));
            if head.is_some_and(|(head, _)| head != part.base) {
                return Err(CommitError::Conflict(part.ledger));
            }
        }
        Ok(())
    }

    /// Shows a change to those who read what is accepted.
    fn show(&self, change: &Change, carry: bool, seq: u64) {
        let durable = self.durable.load(Ordering::SeqCst);
        for part in &change.parts {
            let meta = part.meta();
            let wanted = |row: &&change::RowChange| !carry || row.key.first() == Some(&change::PLACE);
            let rows = part.rows.iter().filter(wanted).chain([&meta]);
            self.overlay.put(part.ledger, seq, durable, rows);
        }
    }

    /// Gives a record its place; begins a segment where the last one is full.
    fn place(&self, gate: &mut Gate, kind: Kind, table: &[u8], length: usize) -> Header {
        // Below 4 GiB, see `limits::COMMIT`.
        let size = record::size(length as u32);
        let first = record::size(OPENING.len() as u32);
        if gate.next.offset + size > self.options.segment_size && gate.next.offset > first {
            let segment = gate.next.segment + 1;
            let item = opening(self.segments.log, segment, gate.next.seq);
            gate.next = Place { segment, offset: item.header.size(), seq: gate.next.seq + 1 };
            gate.queue.push_back(item);
        }
        let header = Header {
            kind,
            log: self.segments.log,
            seq: gate.next.seq,
            synced: 0,
            segment: gate.next.segment,
            offset: gate.next.offset as u32,
            length: length as u32,
            table_crc: crc32fast::hash(table),
        };
        gate.next.offset += size;
        gate.next.seq += 1;
        header
    }

    /// Queues a piece of a body.
    pub(crate) fn append(&self, number: u64, chunk: Bytes) -> Result<Told, CommitError> {
        let table = record::table(&chunk);
        let mut gate = self.gate();
        self.usable(&mut gate, false)?;
        if !gate.arriving.contains_key(&number) {
            return Err(Error::NoBody.into());
        }
        let header = self.place(&mut gate, Kind::Chunk, &table, chunk.len());
        let piece = Piece { segment: header.segment, record: header.offset, at: 0, length: header.length };
        if let Some(arriving) = gate.arriving.get_mut(&number) {
            arriving.pieces.push(piece);
        }
        let (tell, told) = oneshot::channel();
        gate.queue.push_back(Item { header, table, payload: chunk, what: What::Chunk(tell) });
        drop(gate);
        self.work.notify_one();
        Ok(told)
    }
}

impl Shared {
    /// Queues a piece of a body that lies elsewhere until now.
    pub(crate) fn append_again(&self, chunk: Bytes) -> Result<(Piece, Told), CommitError> {
        let table = record::table(&chunk);
        let mut gate = self.gate();
        self.usable(&mut gate, false)?;
        let header = self.place(&mut gate, Kind::Chunk, &table, chunk.len());
        let piece = Piece { segment: header.segment, record: header.offset, at: 0, length: header.length };
        let (tell, told) = oneshot::channel();
        gate.queue.push_back(Item { header, table, payload: chunk, what: What::Chunk(tell) });
        drop(gate);
        self.work.notify_one();
        Ok((piece, told))
    }
}

/// The record that opens a segment.
fn opening(log: u64, segment: u32, seq: u64) -> Item {
    let payload = Bytes::from_static(OPENING);
    let table = record::table(&payload);
    let header = Header {
        kind: Kind::Segment,
        log,
        seq,
        synced: 0,
        segment,
        offset: 0,
        length: payload.len() as u32,
        table_crc: crc32fast::hash(&table),
    };
    Item { header, table, payload, what: What::Roll }
}

/// The thread that writes the log.
pub(crate) struct Committer {
    shared: Arc<Shared>,
    file: Arc<dyn DiskFile>,
    /// Up to where it is written, and the number of the next record.
    end: Place,
    /// Up to where the file holds zeros or records.
    room: u64,
    buffer: Vec<u8>,
}

/// Why a group was not written.
enum Failure {
    Full,
    Broken(String),
}

impl Failure {
    fn of(what: &str, segment: u32, error: &io::Error) -> Failure {
        match is_full(error) {
            true => Failure::Full,
            false => Failure::Broken(format!("{what} {}: {error}", segment::path(segment))),
        }
    }
}

impl Committer {
    /// Goes on at `end`; makes the segment where `fresh`.
    pub(crate) fn new(shared: Arc<Shared>, end: Place, fresh: bool) -> Result<Committer, Error> {
        let path = segment::path(end.segment);
        let broken = |error: io::Error| Error::Io(format!("{path}: {error}"));
        let how = if fresh { How::Create } else { How::Write };
        let file = shared.disk.open(&path, how).map_err(broken)?;
        let room = file.length().map_err(broken)?;
        let mut committer = Committer { shared, file, end, room, buffer: Vec::new() };
        if fresh {
            let item = opening(committer.shared.segments.log, end.segment, end.seq);
            committer.end.seq += 1;
            committer.begin(&item).map_err(|failure| match failure {
                Failure::Full => Error::Io(format!("{path}: no room on the disk")),
                Failure::Broken(why) => Error::Io(why),
            })?;
        }
        Ok(committer)
    }

    /// Where the next record goes.
    pub(crate) fn end(&self) -> Place {
        self.end
    }

    /// Writes until the engine is closed.
    pub(crate) fn run(mut self) {
        while let Some(group) = self.take() {
            let start = self.end;
            let outcome = match self.keeps_up() {
                true => self.write(&group),
                false => Err(Failure::Full),
            };
            match outcome {
                Ok(synced) => self.publish(group, synced),
                Err(Failure::Full) => self.full(start, group),
                Err(Failure::Broken(why)) => self.stop(why, group),
            }
        }
        self.trim();
    }

    /// All that waits, up to a group's size; `None` when the engine closes.
    fn take(&self) -> Option<Vec<Item>> {
        let mut gate = self.shared.gate();
        while gate.queue.is_empty() {
            if gate.closing {
                return None;
            }
            gate = self.shared.work.wait(gate).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        let (mut octets, mut count) = (0, 0);
        for item in &gate.queue {
            octets += item.header.size() as usize;
            if count > 0 && octets > GROUP {
                break;
            }
            count += 1;
        }
        Some(gate.queue.drain(..count).collect())
    }

    /// Waits where the index is too far behind: a kill must not cost more replay than promised. `false`: the
    /// index has no room.
    fn keeps_up(&self) -> bool {
        let limit = self.shared.options.replay_limit;
        let mut behind = self.shared.behind();
        while behind.octets >= limit {
            if behind.failing {
                return false;
            }
            behind.wanted = true;
            self.shared.caught_up.notify_all();
            behind = self.shared.caught_up.wait(behind).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        true
    }

    /// Writes a group, and syncs where a commit is in it. Says whether it did.
    fn write(&mut self, group: &[Item]) -> Result<bool, Failure> {
        let synced = self.shared.durable.load(Ordering::SeqCst);
        let mut sync = false;
        for item in group {
            if matches!(item.what, What::Roll) {
                self.flush()?;
                self.roll(item)?;
                sync = true;
                continue;
            }
            sync |= matches!(item.what, What::Change(_));
            debug_assert_eq!(u64::from(item.header.offset), self.end.offset + self.buffer.len() as u64);
            let header = Header { synced, ..item.header };
            record::frame(&header, &item.table, &item.payload, &mut self.buffer);
        }
        self.flush()?;
        if let Some(last) = group.last() {
            self.end.seq = last.header.seq + 1;
        }
        if sync {
            self.sync()?;
        }
        Ok(sync)
    }

    fn sync(&self) -> Result<(), Failure> {
        self.shared.counters.syncs.fetch_add(1, Ordering::Relaxed);
        // Even for want of room: after a failed sync nobody knows what is on the disk.
        self.file
            .sync()
            .map_err(|error| Failure::Broken(format!("syncing {}: {error}", segment::path(self.end.segment))))
    }

    /// Writes the buffer, with zeros behind it now and then: a sync is cheaper where the file does not grow.
    fn flush(&mut self) -> Result<(), Failure> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let (at, length) = (self.end.offset, self.buffer.len());
        let to = at + length as u64;
        let ahead = self.shared.options.zeros_ahead;
        let mut done = false;
        if to > self.room && ahead > 0 {
            let target = (to + ahead).min(self.shared.options.segment_size).max(to);
            self.buffer.resize((target - at) as usize, 0);
            match self.file.write_at(&self.buffer, at) {
                Ok(()) => (self.room, done) = (target, true),
                // Perhaps there is room for the records alone.
                Err(error) if is_full(&error) => self
                    .file
                    .truncate(self.room)
                    .map_err(|error| Failure::of("cutting", self.end.segment, &error))?,
                Err(error) => return Err(Failure::of("writing", self.end.segment, &error)),
            }
        }
        if !done {
            self.file
                .write_at(&self.buffer[..length], at)
                .map_err(|error| Failure::of("writing", self.end.segment, &error))?;
            self.room = self.room.max(to);
        }
        self.shared.counters.writes.fetch_add(1, Ordering::Relaxed);
        self.end.offset = to;
        self.buffer.clear();
        if self.buffer.capacity() > 2 * GROUP {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Ends a segment and begins the next. The old one is durable and cut to its length before.
    fn roll(&mut self, item: &Item) -> Result<(), Failure> {
        self.file
            .truncate(self.end.offset)
            .map_err(|error| Failure::of("cutting", self.end.segment, &error))?;
        self.sync()?;
        let path = segment::path(item.header.segment);
        self.file = self
            .shared
            .disk
            .open(&path, How::Create)
            .map_err(|error| Failure::of("making", item.header.segment, &error))?;
        self.end = Place { segment: item.header.segment, offset: 0, seq: item.header.seq + 1 };
        self.room = 0;
        self.begin(item)
    }

    /// Writes a segment's first record into its empty file, durably.
    fn begin(&mut self, item: &Item) -> Result<(), Failure> {
        // What came before is in an older segment, all of it durable.
        let header = Header { synced: item.header.seq.saturating_sub(1), ..item.header };
        record::frame(&header, &item.table, &item.payload, &mut self.buffer);
        self.flush()?;
        self.sync()?;
        self.shared
            .disk
            .sync_folder(segment::FOLDER)
            .map_err(|error| Failure::Broken(format!("syncing the folder of the log: {error}")))
    }

    /// The group is written: readers see it, bells ring, waiters are told.
    fn publish(&mut self, group: Vec<Item>, synced: bool) {
        let shared = &self.shared;
        if synced {
            shared.durable.store(self.end.seq - 1, Ordering::SeqCst);
        }
        let octets = group.iter().map(|item| item.header.size()).sum();
        let position = Position {
            log: shared.segments.log,
            segment: self.end.segment,
            offset: self.end.offset,
            seq: self.end.seq,
        };
        let changes = group.iter().filter_map(|item| match &item.what {
            What::Change(waiting) => Some((waiting.change.clone(), waiting.carry)),
            _ => None,
        });
        shared.hand_over(changes, octets, synced.then_some(position));
        for item in group {
            match item.what {
                What::Roll => (),
                What::Chunk(tell) => {
                    let _ = tell.send(Ok(()));
                }
                What::Change(waiting) => {
                    for part in waiting.change.parts.iter().filter(|part| part.head != part.base) {
                        shared.bells.ring(part.ledger, part.head);
                    }
                    shared.counters.commits.fetch_add(1, Ordering::Relaxed);
                    let _ = waiting.tell.send(Ok(()));
                }
            }
        }
    }

    /// There was no room: the log's end becomes what it was, and all that was accepted since is refused.
    fn full(&mut self, start: Place, group: Vec<Item>) {
        self.buffer.clear();
        if let Err(why) = self.undo(start) {
            return self.stop(format!("restoring the log after the disk was full: {why}"), group);
        }
        let shared = self.shared.clone();
        let mut gate = shared.gate();
        let first_time = gate.full.is_none();
        gate.full = Some(Instant::now());
        gate.next = start;
        shared.overlay.roll_back(start.seq - 1);
        let refused: Vec<Item> = group.into_iter().chain(gate.queue.drain(..)).collect();
        let released = first_time && shared.reserve.release().is_ok();
        let mut tell_full = Vec::new();
        for item in refused {
            match item.what {
                What::Roll => (),
                What::Chunk(tell) => tell_full.push(tell),
                What::Change(waiting) => {
                    if released
                        && waiting.frees
                        && waiting.change.bodies.is_empty()
                        && shared.compare_all(&waiting.change)
                    {
                        shared.accept_again(&mut gate, item.payload, item.table, waiting);
                        continue;
                    }
                    gate.arriving.extend(waiting.taken);
                    tell_full.push(waiting.tell);
                }
            }
        }
        drop(gate);
        tracing::warn!("the disk is full; only what makes room is accepted");
        for tell in tell_full {
            let _ = tell.send(Err(CommitError::Full));
        }
    }

    /// The file ends where it ended before the group, durably, so that nothing refused can come back.
    fn undo(&mut self, start: Place) -> io::Result<()> {
        let disk = &self.shared.disk;
        // One more than was begun: a roll may have failed before anything was written to its file.
        for segment in (start.segment + 1..=self.end.segment + 1).rev() {
            match disk.remove(&segment::path(segment)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => (),
            }
        }
        if self.end.segment != start.segment {
            disk.sync_folder(segment::FOLDER)?;
            self.file = disk.open(&segment::path(start.segment), How::Write)?;
        }
        self.file.truncate(start.offset)?;
        self.file.sync()?;
        (self.end, self.room) = (start, start.offset);
        Ok(())
    }

    /// A write or a sync failed: nobody knows what is on the disk, and nothing more is written.
    fn stop(&mut self, why: String, group: Vec<Item>) {
        tracing::error!(%why, "the ledger has stopped");
        let mut gate = self.shared.gate();
        let why = gate.stopped.get_or_insert(why).clone();
        let all: Vec<Item> = group.into_iter().chain(gate.queue.drain(..)).collect();
        drop(gate);
        for item in all {
            let tell = match item.what {
                What::Roll => continue,
                What::Chunk(tell) => tell,
                What::Change(waiting) => waiting.tell,
            };
            let _ = tell.send(Err(Error::Stopped(why.clone()).into()));
        }
    }

    /// Gives the zeros back when the engine closes.
    fn trim(&self) {
        if self.shared.gate().stopped.is_none() && self.room > self.end.offset {
            let cut = self.file.truncate(self.end.offset).and_then(|()| self.file.sync());
            if let Err(error) = cut {
                tracing::warn!(%error, "the end of the log could not be cut");
            }
        }
    }
}

impl Shared {
    /// Whether every head is what the change was built on, wherever it has to be read.
    fn compare_all(&self, change: &Change) -> bool {
        change.parts.iter().all(|part| {
            let meta = self.meta(part.ledger, crate::engine::View::Accepted);
            meta.is_ok_and(|(head, _): (ModSeq, ModSeq)| head == part.base)
        })
    }

    /// Orders a change again that brings no bodies along, so that its payload does not know its place.
    fn accept_again(&self, gate: &mut Gate, payload: Bytes, table: Vec<u8>, waiting: Waiting) {
        let kind = if waiting.carry { Kind::Carry } else { Kind::Commit };
        let header = self.place(gate, kind, &table, payload.len());
        self.show(&waiting.change, waiting.carry, header.seq);
        gate.queue.push_back(Item { header, table, payload, what: What::Change(waiting) });
    }
}
