//! Reads everything and names what is not as it was written: each record of the log, each body's hash, each row of
//! the index against the log.
//!
//! It looks at the log up to where the index stands, so commits may go on meanwhile. It changes nothing.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};
use sha2::{Digest, Sha256};

use super::change::{self, Change, Dropped, Place, RowChange};
use super::format::{self, Format};
use super::index::{self, Position, Snapshot};
use super::record::{self, HEADER, Header, Kind};
use super::segment::{self, Found, Hole};
use super::shared::Shared;
use crate::error::Error;

/// Keys named in one `Damage`.
const NAMED: usize = 32;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// In which file of the data folder.
    pub file: String,
    /// From which octet on.
    pub offset: u64,
    /// How many octets are concerned.
    pub length: u64,
    /// In words.
    pub what: String,
    /// Whose rows were there, as far as it can be told.
    pub ledgers: Vec<LedgerId>,
    /// Keys of rows that were there, and hashes of bodies, as far as it can be told.
    pub keys: Vec<String>,
}

impl Damage {
    pub(crate) fn of(file: &str, offset: u64, length: u64, what: String) -> Damage {
        Damage { file: file.to_owned(), offset, length, what, ledgers: Vec::new(), keys: Vec::new() }
    }

    pub(crate) fn of_hole(file: &str, hole: &Hole) -> Damage {
        let (from, length) = (hole.from, hole.to - hole.from);
        let Some((header, payload)) = &hole.was else {
            return Damage::of(file, from, length, hole.why.to_owned());
        };
        let what = format!("{}, in record {}, {}", hole.why, header.seq, header.kind.name());
        let mut damage = Damage::of(file, from, length, what);
        if matches!(header.kind, Kind::Commit | Kind::Carry) {
            damage.name(&Change::guess(payload));
        }
        damage
    }

    fn name(&mut self, change: &Change) {
        for part in &change.parts {
            self.ledgers.push(part.ledger);
            for row in
                part.rows.iter().filter(|row| matches!(row.key.first(), Some(&change::ROW | &change::REFS)))
            {
                if self.keys.len() < NAMED {
                    self.keys.push(name_of(&row.key));
                }
            }
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, offset {}: {}", self.file, self.offset, self.what)?;
        for ledger in &self.ledgers {
            write!(f, "; ledger {}", ledger.0)?;
        }
        for key in &self.keys {
            write!(f, "; {key}")?;
        }
        Ok(())
    }
}

/// An inner key for people.
fn name_of(inner: &[u8]) -> String {
    match inner.split_first() {
        Some((&change::ROW, key)) => format!("row {}", key.escape_ascii()),
        Some((&change::LOG, _)) => "a log entry".to_owned(),
        Some((&change::META, _)) => "the head".to_owned(),
        Some((_, blob)) => {
            let hex: String = blob.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("body {hex}")
        }
        None => "nothing".to_owned(),
    }
}

/// What was read, and what was wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Octets of log read.
    pub octets: u64,
    /// Records that are whole.
    pub records: u64,
    /// Bodies whose hash is right.
    pub bodies: u64,
    /// Rows of the index.
    pub rows: u64,
    /// Empty: all is well.
    pub damage: Vec<Damage>,
}

/// See `Maintenance::verify`.
pub(crate) fn verify(shared: &Shared) -> Result<Report, Error> {
    let _upkeep = shared.upkeep.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    shared.flush()?;
    let indexed = shared.indexed();
    let end = Position::read(indexed.rows.as_ref())?;
    let mut check = Check {
        shared,
        rows: indexed.rows.as_ref(),
        report: Report::default(),
        holes: false,
        gone: HashSet::new(),
        sound: HashSet::new(),
        floors: HashMap::new(),
        next: 1,
        gaps: Vec::new(),
        dropped: Vec::new(),
    };
    check.report.damage.extend(findings(shared));
    check.format()?;
    if let Some(end) = end {
        check.log(end)?;
        check.missing(end);
    }
    check.index()?;
    Ok(check.report)
}

fn findings(shared: &Shared) -> Vec<Damage> {
    shared.findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
}

struct Check<'a> {
    shared: &'a Shared,
    rows: &'a dyn Snapshot,
    report: Report,
    /// Something of the log could not be read.
    holes: bool,
    /// Rows that were written and that the index does not have, as long as no removal was seen.
    gone: HashSet<u64>,
    /// Records that are whole and hold bodies.
    sound: HashSet<(u32, u32)>,
    floors: HashMap<LedgerId, ModSeq>,
    /// The number the next record should have.
    next: u64,
    /// Numbers that did not come.
    gaps: Vec<(u64, u64)>,
    dropped: Vec<Dropped>,
}

impl Check<'_> {
    fn wrong(&mut self, file: &str, offset: u64, length: u64, what: String) {
        self.report.damage.push(Damage::of(file, offset, length, what));
    }

    fn format(&mut self) -> Result<(), Error> {
        match format::read(self.shared.disk.as_ref())? {
            Format::Log(log) if log == self.shared.segments.log => (),
            _ => self.wrong("format", 0, 0, "it does not name this log".to_owned()),
        }
        Ok(())
    }

    fn log(&mut self, end: Position) -> Result<(), Error> {
        let list = self.shared.segments.numbers();
        let numbers = list.map_err(|error| Error::Io(format!("{}: {error}", segment::FOLDER)))?;
        for number in numbers.into_iter().filter(|number| *number <= end.segment) {
            let until = if number == end.segment { end.offset } else { u64::MAX };
            if let Err(error) = self.segment(number, until) {
                self.holes = true;
                self.wrong(&segment::path(number), 0, 0, format!("it cannot be read: {error}"));
            }
        }
        Ok(())
    }

    fn segment(&mut self, number: u32, until: u64) -> io::Result<()> {
        let path = segment::path(number);
        let mut scan = self.shared.segments.scan(number, 0)?;
        self.report.octets += scan.length().min(until);
        let mut read = 0;
        while let Some(found) = scan.step()? {
            match found {
                Found::Record(header, _) if u64::from(header.offset) >= until => break,
                Found::Record(header, payload) => {
                    read = u64::from(header.offset) + header.size();
                    self.record(&path, &header, &payload);
                }
                Found::Hole(hole) if hole.from >= until => break,
                Found::Hole(hole) => {
                    read = hole.to;
                    self.hole(&path, number, &hole);
                }
                Found::Zeros { .. } => (),
            }
        }
        if until != u64::MAX && read < until {
            self.holes = true;
            self.wrong(&path, read, until - read, "records that the index knows are missing".to_owned());
        }
        Ok(())
    }

    fn hole(&mut self, path: &str, number: u32, hole: &Hole) {
        self.holes |= !hole.harmless;
        let mut damage = Damage::of_hole(path, hole);
        if hole.was.is_none()
            && !hole.harmless
            && let Some(change) = self.headless(number, hole)
        {
            damage.name(&change);
        }
        self.report.damage.push(damage);
    }

    /// What a record says of which only the header is damaged: its length follows from its neighbour's place.
    fn headless(&self, number: u32, hole: &Hole) -> Option<Change> {
        let size = hole.to - hole.from;
        let file = self.shared.segments.file(number).ok()?;
        let blocks = (size.checked_sub(HEADER as u64)?).div_ceil(record::BLOCK as u64 + 4);
        let most = u32::try_from(size.checked_sub(HEADER as u64 + 4 * blocks)?).ok()?;
        let lengths = (most.saturating_sub(15)..=most).rev().filter(|length| record::size(*length) == size);
        for length in lengths {
            let mut payload = vec![0; length as usize];
            file.read_at(&mut payload, hole.from + record::payload_at(length)).ok()?;
            if let Some(change) = Change::decode(&payload.into()) {
                return Some(change);
            }
        }
        None
    }

    fn record(&mut self, path: &str, header: &Header, payload: &Bytes) {
        self.report.records += 1;
        if header.seq != self.next {
            self.gaps.push((self.next, header.seq));
        }
        self.next = header.seq + 1;
        let place = (header.segment, header.offset);
        match header.kind {
            Kind::Segment => (),
            Kind::Chunk => {
                self.sound.insert(place);
            }
            Kind::Commit | Kind::Carry => match Change::decode(payload) {
                Some(change) => self.change(path, header, &change),
                None => {
                    let what = "a record has the right checksum and makes no sense".to_owned();
                    self.wrong(path, u64::from(header.offset), header.size(), what);
                }
            },
        }
    }

    fn change(&mut self, path: &str, header: &Header, change: &Change) {
        self.dropped.extend(&change.dropped);
        let mut whole = true;
        for body in &change.bodies {
            match Sha256::digest(&body.bytes)[..] == body.blob.0 {
                true => self.report.bodies += 1,
                false => {
                    whole = false;
                    let what =
                        format!("{} has another hash", name_of(&change::inner(change::PLACE, &body.blob.0)));
                    self.wrong(path, u64::from(header.offset), header.size(), what);
                }
            }
        }
        if whole && !change.bodies.is_empty() {
            self.sound.insert((header.segment, header.offset));
        }
        for part in &change.parts {
            if let Err(what) = self.part(part) {
                let mut damage = Damage::of("index", 0, 0, what);
                damage.ledgers.push(part.ledger);
                self.report.damage.push(damage);
            }
        }
    }

    fn part(&mut self, part: &change::Part) -> Result<(), String> {
        let floor = match self.floors.get(&part.ledger) {
            Some(floor) => *floor,
            None => {
                let found = self.find(part.ledger, &[change::META])?;
                let meta = found.and_then(|(_, value)| change::decode_meta(&value));
                let (head, floor) = meta.ok_or("the index does not know the ledger")?;
                if head < part.head {
                    return Err(format!("the index has head {}, the log {}", head.0, part.head.0));
                }
                self.floors.insert(part.ledger, floor);
                floor
            }
        };
        for row in &part.rows {
            self.row(part.ledger, floor, row)?;
        }
        Ok(())
    }

    fn find(&self, ledger: LedgerId, inner: &[u8]) -> Result<Option<(ModSeq, Bytes)>, String> {
        let key = index::row_key(ledger, inner);
        let found = self.rows.get(&key).map_err(|error| error.to_string())?;
        found.map(|value| index::unseal(&key, &value.into())).transpose().map_err(|error| error.to_string())
    }

    fn row(&mut self, ledger: LedgerId, floor: ModSeq, row: &RowChange) -> Result<(), String> {
        if row.key.first() == Some(&change::LOG) && row.modseq <= floor {
            return Ok(());
        }
        let mut hash = DefaultHasher::new();
        (ledger.0, &row.key).hash(&mut hash);
        let Some(value) = &row.value else {
            self.gone.remove(&hash.finish());
            return Ok(());
        };
        let Some((modseq, found)) = self.find(ledger, &row.key)? else {
            self.gone.insert(hash.finish());
            return Ok(());
        };
        // A body's place changes without a commit.
        let moved = row.key.first() == Some(&change::PLACE);
        match modseq.cmp(&row.modseq) {
            std::cmp::Ordering::Less => Err(format!("{} is older than in the log", name_of(&row.key))),
            std::cmp::Ordering::Equal if !moved && found != value => {
                Err(format!("{} differs from the log", name_of(&row.key)))
            }
            _ => Ok(()),
        }
    }

    /// Numbers that no record bears, though no segment with them was dropped.
    fn missing(&mut self, end: Position) {
        if self.next < end.seq {
            self.gaps.push((self.next, end.seq));
        }
        let mut dropped = std::mem::take(&mut self.dropped);
        dropped.sort_unstable_by_key(|dropped| dropped.seqs);
        for (from, to) in std::mem::take(&mut self.gaps) {
            let mut at = from;
            for gone in &dropped {
                if gone.seqs.0 <= at {
                    at = at.max(gone.seqs.1);
                }
            }
            // What a hole swallowed is told of with the hole.
            if at < to && !self.holes {
                let what = format!("records {at} to {} are missing", to - 1);
                self.wrong(segment::FOLDER, 0, 0, what);
            }
        }
    }

    fn index(&mut self) -> Result<(), Error> {
        // A record that was lost may have been the removal of such a row.
        if !self.gone.is_empty() && !self.holes {
            let what = format!("{} rows of the log are not in the index; rebuild it", self.gone.len());
            self.wrong("index", 0, 0, what);
        }
        let mut places = Vec::new();
        let (mut rows, mut wrong) = (0, Vec::new());
        let outcome = self.rows.scan(index::ROWS.0, index::ROWS.1, &mut |key, value| {
            rows += 1;
            match index::unseal(key, &Bytes::copy_from_slice(value)) {
                Err(error) => wrong.push(error.to_string()),
                Ok((_, value)) => {
                    if let Some((ledger, [change::PLACE, blob @ ..])) = index::split_key(key) {
                        places.push((ledger, Bytes::copy_from_slice(blob), value));
                    }
                }
            }
            true
        });
        self.report.rows = rows;
        wrong.extend(outcome.err().map(|error| error.to_string()));
        wrong.into_iter().for_each(|what| self.wrong("index", 0, 0, what));
        for (ledger, blob, value) in places {
            self.place(ledger, &blob, &value);
        }
        Ok(())
    }

    /// Whether a body can be read where the index says that it lies.
    fn place(&mut self, ledger: LedgerId, blob: &[u8], value: &[u8]) {
        let named = name_of(&change::inner(change::PLACE, blob));
        let Some(place) = Place::decode(value) else {
            return self.wrong("index", 0, 0, format!("the place of {named}"));
        };
        let lost = place.pieces.iter().find(|piece| !self.sound.contains(&(piece.segment, piece.record)));
        let (file, offset, what) = match lost {
            Some(piece) => (segment::path(piece.segment), piece.record, "it is lost".to_owned()),
            None if place.pieces.iter().all(|piece| piece.at != 0) => return,
            None => match self.hash(&place) {
                Ok(hash) if hash.0 == *blob => {
                    self.report.bodies += 1;
                    return;
                }
                Ok(_) => (String::new(), 0, "it has another hash".to_owned()),
                Err(error) => (String::new(), 0, error.to_string()),
            },
        };
        let mut damage = Damage::of(&file, u64::from(offset), 0, what);
        damage.ledgers.push(ledger);
        damage.keys.push(named);
        self.report.damage.push(damage);
    }

    /// The hash of a body in pieces, read piece by piece.
    fn hash(&self, place: &Place) -> Result<BlobId, Error> {
        let mut hash = Sha256::new();
        for piece in &place.pieces {
            let one = Place { pieces: vec![*piece] };
            let octets = self.shared.pieces(&one, &(0..u64::from(piece.length)))?;
            hash.update(octets.ok_or(Error::NoBody)?);
        }
        Ok(BlobId(hash.finalize().into()))
    }
}
