//! Opens a data folder: reads the log from where the index stands, and decides what the log's end is.
//!
//! Records that cannot be read are named and stepped over. Only the last group of records, which nobody was told
//! of, may be cut, and what is cut is kept in a file. A place the index has reached is never cut: there the log
//! is damaged, and goes on behind it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, RwLock};

use super::change::Change;
use super::committer::{Committer, Gate, Place};
use super::disk::{Disk, How};
use super::format::{self, Format};
use super::index::fold::{Dead, Fold};
use super::index::{self, Index, IndexKind, Position};
use super::indexer::Behind;
use super::overlay::Overlay;
use super::record::{ALIGN, Header, Kind};
use super::reserve::Reserve;
use super::segment::{self, Found, Hole, Segments};
use super::shared::{Indexed, Shared};
use super::verify::Damage;
use super::{Counters, OpenOptions};
use crate::bell::Bells;
use crate::error::Error;

/// Octets of rows gathered before a replay writes them to the index.
const BATCH: usize = 16 << 20;

/// Where the index comes from.
pub(crate) trait Indexes {
    /// Opens it, made if missing.
    fn open(&self, kind: IndexKind) -> Result<Arc<dyn Index>, Error>;
    /// Removes it.
    fn wipe(&self) -> io::Result<()>;
}

/// The index in a folder.
pub(crate) struct RealIndex {
    pub(crate) folder: PathBuf,
}

impl Indexes for RealIndex {
    fn open(&self, kind: IndexKind) -> Result<Arc<dyn Index>, Error> {
        let io = |error: io::Error| Error::Io(format!("{}: {error}", self.folder.display()));
        std::fs::DirBuilder::new().recursive(true).create(&self.folder).map_err(io)?;
        // Only one engine's files are there at any time.
        for entry in std::fs::read_dir(&self.folder).map_err(io)? {
            if entry.map_err(io)?.file_name() != kind.name() {
                self.wipe().map_err(io)?;
                break;
            }
        }
        // A damaged file makes some engines panic.
        catch_unwind(AssertUnwindSafe(|| {
            let index = index::open(kind, &self.folder)?;
            Position::read(index.snapshot()?.as_ref())?;
            Ok(index)
        }))
        .unwrap_or_else(|_| Err(Error::Damaged("index: its engine panicked".into())))
    }

    fn wipe(&self) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt;
        match std::fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)
    }
}

/// A data folder, opened, with no thread running yet.
pub(crate) struct Opened {
    pub(crate) shared: Arc<Shared>,
    pub(crate) committer: Committer,
}

/// Opens it. `known` is what its format file said.
pub(crate) fn open(
    folder: &Path,
    disk: Arc<dyn Disk>,
    indexes: &dyn Indexes,
    known: Format,
    options: OpenOptions,
) -> Result<Opened, Error> {
    let mut findings = Vec::new();
    disk.make_folder(segment::FOLDER).map_err(|error| broken(segment::FOLDER, &error))?;
    disk.sync_folder("").map_err(|error| broken("the data folder", &error))?;
    let log = log_number(&disk, known, indexes, &mut findings)?;
    let segments = Segments::new(disk.clone(), log);
    let (index, position) = open_index(indexes, &options, log, &mut findings)?;
    let (index, replayed) = match replay(&disk, &segments, index, position) {
        Ok(replayed) => replayed,
        // The index was well enough to be opened, and not to be used.
        Err(Error::Damaged(why)) if position.is_some() => {
            findings.push(Damage::of("index", 0, 0, format!("{why}; built anew from the log")));
            indexes.wipe().map_err(|error| broken("index", &error))?;
            replay(&disk, &segments, indexes.open(options.index)?, None)?
        }
        Err(error) => return Err(error),
    };
    let Replayed { end, dead, octets, rebuilt, findings: more } = replayed;
    findings.extend(more);
    for damage in &findings {
        tracing::error!(%damage, "found while opening");
    }
    let rows = index.snapshot()?;
    let reserve = Reserve::new(disk.clone(), options.reserve);
    if let Err(error) = reserve.fill() {
        tracing::warn!(%error, "no reserve can be held for a full disk");
    }
    let at = Position { log, segment: end.place.segment, offset: end.place.offset, seq: end.place.seq };
    let counters = Counters::default();
    counters.replayed.store(octets, Ordering::Relaxed);
    counters.rebuilt.store(u64::from(rebuilt), Ordering::Relaxed);
    let shared = Arc::new(Shared {
        options,
        folder: folder.to_owned(),
        disk,
        segments,
        overlay: Overlay::new(),
        gate: Mutex::new(Gate::new(end.place)),
        work: Condvar::new(),
        durable: AtomicU64::new(end.place.seq - 1),
        pruned: AtomicU64::new(end.place.seq - 1),
        index: RwLock::new(index),
        snapshot: RwLock::new(Arc::new(Indexed { applied: end.place.seq - 1, rows })),
        behind: Mutex::new(Behind::new(at, dead)),
        caught_up: Condvar::new(),
        bells: Bells::default(),
        reserve,
        findings: Mutex::new(findings),
        counters,
        upkeep: Mutex::new(()),
    });
    let committer = Committer::new(shared.clone(), end.place, end.fresh)?;
    if end.fresh {
        // Its first record is written.
        *shared.gate() = Gate::new(committer.end());
        let Place { segment, offset, seq } = committer.end();
        shared.behind().end = Position { log, segment, offset, seq };
        let durable = committer.end().seq - 1;
        shared.durable.store(durable, Ordering::SeqCst);
        let rows = shared.indexed().rows.clone();
        let indexed = Arc::new(Indexed { applied: durable, rows });
        *shared.snapshot.write().unwrap_or_else(std::sync::PoisonError::into_inner) = indexed;
    }
    Ok(Opened { shared, committer })
}

/// What a replay came to.
struct Replayed {
    end: End,
    dead: Dead,
    octets: u64,
    rebuilt: bool,
    findings: Vec<Damage>,
}

/// Brings the index up to the log, from `position` or from nothing.
fn replay(
    disk: &Arc<dyn Disk>,
    segments: &Segments,
    index: Arc<dyn Index>,
    position: Option<Position>,
) -> Result<(Arc<dyn Index>, Replayed), Error> {
    let run = || {
        let mut replay = Replay {
            disk,
            segments,
            index: index.as_ref(),
            dead: read_dead(index.as_ref())?,
            next: position.unwrap_or(Position { log: segments.log, segment: 0, offset: 0, seq: 1 }),
            findings: Vec::new(),
            octets: 0,
        };
        let end = replay.run(position)?;
        let Replay { dead, findings, octets, .. } = replay;
        Ok(Replayed { end, dead, octets, rebuilt: position.is_none() && octets > 0, findings })
    };
    // A damaged file makes some engines panic.
    let replayed = catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(Error::Damaged("index: its engine panicked".into())))?;
    Ok((index, replayed))
}

fn broken(what: &str, error: &io::Error) -> Error {
    Error::Io(format!("{what}: {error}"))
}

/// The number of the log: from its file, from its records, or a new one.
fn log_number(
    disk: &Arc<dyn Disk>,
    known: Format,
    indexes: &dyn Indexes,
    findings: &mut Vec<Damage>,
) -> Result<u64, Error> {
    let what = match known {
        Format::Log(log) => return Ok(log),
        Format::Missing => "the file that names the format is missing",
        Format::Damaged => "the file that names the format is damaged",
    };
    let segments = Segments::new(disk.clone(), 0);
    let numbers = segments.numbers().map_err(|error| broken(segment::FOLDER, &error))?;
    let mut log = None;
    for number in &numbers {
        let file = segments.file(*number).map_err(|error| broken(&segment::path(*number), &error))?;
        let mut first = [0; super::record::HEADER];
        if file.read_at(&mut first, 0).is_ok_and(|length| length == first.len()) {
            log = log.or(Header::decode(&first).map(|header| header.log));
        }
    }
    let log = match (log, known) {
        (Some(log), _) => {
            findings.push(Damage::of("format", 0, 0, format!("{what}; written anew from the log")));
            log
        }
        (None, Format::Missing) if numbers.is_empty() => {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(|error| Error::Io(format!("no random number: {error}")))?;
            // An index without its log is another folder's, or what a first start left half done.
            indexes.wipe().map_err(|error| broken("index", &error))?;
            u64::from_le_bytes(random)
        }
        (None, _) => {
            return Err(Error::Damaged(format!("format: {what}, and no segment tells what it said")));
        }
    };
    format::write(disk.as_ref(), log).map_err(|error| broken("format", &error))?;
    Ok(log)
}

type Index2 = (Arc<dyn Index>, Option<Position>);

/// The index and how far it is; an index that cannot be used is removed and made anew.
fn open_index(
    indexes: &dyn Indexes,
    options: &OpenOptions,
    log: u64,
    findings: &mut Vec<Damage>,
) -> Result<Index2, Error> {
    let tried = indexes.open(options.index).and_then(|index| {
        let position = Position::read(index.snapshot()?.as_ref())?;
        match position {
            Some(position) if position.log != log => {
                Err(Error::Damaged("index: it belongs to another log".into()))
            }
            _ => Ok((index, position)),
        }
    });
    match tried {
        Ok(found) => Ok(found),
        Err(error) => {
            findings.push(Damage::of("index", 0, 0, format!("{error}; built anew from the log")));
            indexes.wipe().map_err(|error| broken("index", &error))?;
            Ok((indexes.open(options.index)?, None))
        }
    }
}

fn read_dead(index: &dyn Index) -> Result<Dead, Error> {
    let mut dead = Dead::new();
    index.snapshot()?.scan(index::DEAD.0, index::DEAD.1, &mut |key, value| {
        let count = index::unseal(key, &value.to_vec().into()).ok();
        let count = count.and_then(|(_, value)| value.as_ref().try_into().ok().map(u64::from_be_bytes));
        // A count that cannot be read only makes compaction look later.
        if let (Some(segment), Some(count)) = (index::dead_segment(key), count) {
            dead.insert(segment, count);
        }
        true
    })?;
    Ok(dead)
}

/// Where the log goes on.
struct End {
    place: Place,
    /// The segment does not exist yet.
    fresh: bool,
}

struct Replay<'a> {
    disk: &'a Arc<dyn Disk>,
    segments: &'a Segments,
    index: &'a dyn Index,
    dead: Dead,
    /// The next record that is expected.
    next: Position,
    findings: Vec<Damage>,
    /// Octets read.
    octets: u64,
}

impl Replay<'_> {
    fn run(&mut self, known: Option<Position>) -> Result<End, Error> {
        let numbers = self.segments.numbers().map_err(|error| broken(segment::FOLDER, &error))?;
        let from = known.map_or(0, |position| position.segment);
        let mut pending = Pending::default();
        let mut fresh = true;
        for number in numbers.iter().copied().filter(|number| *number >= from) {
            let at = known.filter(|p| p.segment == number).map_or(0, |p| p.offset);
            let last = numbers.last() == Some(&number);
            let cut = if last { self.cut(number, at)? } else { None };
            if cut == Some(0) {
                self.set_aside(number, 0, true)?;
                continue;
            }
            self.segment(number, at, cut, &mut pending)?;
            if let Some(cut) = cut {
                self.set_aside(number, cut, false)?;
            }
            fresh = false;
        }
        self.apply(&mut pending)?;
        let mut place = Place { segment: self.next.segment, offset: self.next.offset, seq: self.next.seq };
        if let Some(known) = known {
            place = self.not_before(place, known, &mut fresh);
        }
        if fresh {
            place.segment = numbers.last().copied().unwrap_or(0).max(place.segment) + 1;
            place.offset = 0;
        }
        Ok(End { place, fresh })
    }

    /// The log goes on behind what the index has seen of it, whatever became of that.
    fn not_before(&mut self, place: Place, known: Position, fresh: &mut bool) -> Place {
        if (place.segment, place.offset) >= (known.segment, known.offset) {
            return Place { seq: place.seq.max(known.seq), ..place };
        }
        let what = "records at the end of the log are missing; the index still has their rows";
        let (from, to) = match place.segment == known.segment {
            true => (place.offset, known.offset),
            false => (0, known.offset),
        };
        self.findings.push(Damage::of(&segment::path(known.segment), from, to - from, what.into()));
        *fresh |= place.segment != known.segment;
        Place { segment: known.segment, offset: known.offset, seq: place.seq.max(known.seq) }
    }

    /// Where the last segment has to be cut: at the first octets that are no record and behind which no record
    /// stands that was written after they were durable.
    fn cut(&self, number: u32, from: u64) -> Result<Option<u64>, Error> {
        let io = |error: io::Error| broken(&segment::path(number), &error);
        let mut scan = self.segments.scan(number, from).map_err(io)?;
        let mut next = if from == 0 { None } else { Some(self.next.seq) };
        // The first hole since the last that is known to be damage: where, and which record was lost there.
        let mut hole: Option<(u64, Option<u64>)> = None;
        while let Some(found) = scan.step().map_err(io)? {
            match found {
                Found::Record(header, _) => {
                    if hole.is_some_and(|(_, lost)| lost.is_none_or(|seq| header.synced >= seq)) {
                        hole = None;
                    }
                    next = Some(header.seq + 1);
                }
                Found::Hole(Hole { harmless: true, .. }) => (),
                Found::Hole(found) => hole = hole.or(Some((found.from, next))),
                Found::Zeros { from: 0 } => hole = hole.or(Some((0, None))),
                Found::Zeros { .. } => (),
            }
        }
        if scan.length() == 0 {
            return Ok(Some(0));
        }
        // Nothing readable follows a hole at the very beginning, or it would be damage: the whole file goes.
        Ok(hole.map(|(at, _)| at))
    }

    fn segment(
        &mut self,
        number: u32,
        from: u64,
        cut: Option<u64>,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        let path = segment::path(number);
        let io = |error: io::Error| broken(&path, &error);
        let mut scan = self.segments.scan(number, from).map_err(io)?;
        if scan.length() < from {
            let what = "the segment is shorter than what the index has of it".to_owned();
            self.findings.push(Damage::of(&path, scan.length(), from - scan.length(), what));
        }
        let until = cut.unwrap_or(u64::MAX);
        if self.next.segment != number {
            (self.next.segment, self.next.offset) = (number, 0);
        }
        while let Some(found) = scan.step().map_err(io)? {
            match found {
                Found::Record(header, _) if u64::from(header.offset) >= until => break,
                Found::Record(header, payload) => {
                    self.octets += header.size();
                    self.next = Position {
                        offset: u64::from(header.offset) + header.size(),
                        seq: header.seq + 1,
                        ..self.next
                    };
                    self.record(&path, &header, &payload, pending)?;
                }
                Found::Hole(hole) if hole.from >= until => break,
                Found::Hole(hole) => {
                    self.findings.push(Damage::of_hole(&path, &hole));
                    if !hole.harmless {
                        // A hole at the very end counts as much as one before records.
                        self.next.offset = hole.to.next_multiple_of(ALIGN as u64);
                        if let Some((header, _)) = &hole.was {
                            self.next.seq = self.next.seq.max(header.seq + 1);
                        }
                    }
                }
                Found::Zeros { .. } => (),
            }
        }
        Ok(())
    }

    fn record(
        &mut self,
        path: &str,
        header: &Header,
        payload: &bytes::Bytes,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        if !matches!(header.kind, Kind::Commit | Kind::Carry) {
            return Ok(());
        }
        let Some(mut change) = Change::decode(payload) else {
            let what = "a record has the right checksum and makes no sense".to_owned();
            self.findings.push(Damage::of(path, u64::from(header.offset), header.size(), what));
            return Ok(());
        };
        change.settle(header.segment, header.offset);
        // Bodies stay in the log.
        change.bodies = Vec::new();
        pending.weight += payload.len();
        pending.changes.push(change);
        if pending.weight > BATCH {
            self.apply(pending)?;
        }
        Ok(())
    }

    fn apply(&mut self, pending: &mut Pending) -> Result<(), Error> {
        if pending.changes.is_empty() {
            return Ok(());
        }
        let before = self.index.snapshot()?;
        let mut fold = Fold::new(before.as_ref(), &mut self.dead);
        for change in pending.changes.drain(..) {
            fold.whole(&change)?;
        }
        pending.weight = 0;
        let batch = fold.finish(&self.next);
        self.index.apply(&batch)
    }

    /// Keeps the end of a segment in a file of its own, and cuts it off; `all`: removes the segment.
    fn set_aside(&mut self, number: u32, cut: u64, all: bool) -> Result<(), Error> {
        let path = segment::path(number);
        let io = |error: io::Error| broken(&path, &error);
        let file = self.disk.open(&path, How::Write).map_err(io)?;
        let length = file.length().map_err(io)?;
        // Below 4 GiB, as offsets are.
        let mut octets = vec![0; length.saturating_sub(cut) as usize];
        file.read_at(&mut octets, cut).map_err(io)?;
        let used = octets.iter().rposition(|octet| *octet != 0).map_or(0, |at| at + 1);
        if used > 0 {
            let mut tail = format!("{}/{number:08}-{cut}.tail", segment::FOLDER);
            let taken = self.disk.list(segment::FOLDER).map_err(io)?;
            for again in 1.. {
                if !taken.iter().any(|name| tail.ends_with(name.as_str())) {
                    break;
                }
                tail = format!("{}/{number:08}-{cut}-{again}.tail", segment::FOLDER);
            }
            let aside = self.disk.open(&tail, How::Create).map_err(io)?;
            aside.write_at(&octets[..used], 0).map_err(io)?;
            aside.sync().map_err(io)?;
            self.disk.sync_folder(segment::FOLDER).map_err(io)?;
            let what = format!("the end of the log was never finished; cut off and kept in {tail}");
            self.findings.push(Damage::of(&path, cut, used as u64, what));
        }
        match all {
            true => {
                drop(file);
                self.disk.remove(&path).map_err(io)?;
                self.segments.close(number);
                self.disk.sync_folder(segment::FOLDER).map_err(io)
            }
            false => file.truncate(cut).and_then(|()| file.sync()).map_err(io),
        }
    }
}

/// Changes read and not yet in the index.
#[derive(Default)]
struct Pending {
    changes: Vec<Change>,
    weight: usize,
}
