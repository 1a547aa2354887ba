//! The segment files of the log: their names, reading pieces of records, walking over all of one.
//!
//! Nothing here writes.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};

use super::disk::{Disk, DiskFile, How};
use super::record::{self, ALIGN, BLOCK, HEADER, Header};
use crate::error::Error;

/// Where the segments lie.
pub(crate) const FOLDER: &str = "log";
/// Open segments kept for reading.
const OPEN_FILES: usize = 128;
/// Read at once while walking.
const WINDOW: usize = 1 << 20;
/// Read first of a record: its header and the table of all but the largest.
const FIRST: usize = 4096;

/// A segment's file.
pub(crate) fn path(segment: u32) -> String {
    format!("{FOLDER}/{segment:08}.seg")
}

/// The segment that a file name means.
pub(crate) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".seg")?;
    let number = digits.parse().ok()?;
    (number > 0 && path(number).ends_with(&format!("/{name}"))).then_some(number)
}

/// Segments, for reading.
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    /// What every record's header has to name.
    pub(crate) log: u64,
    open: Mutex<HashMap<u32, Arc<dyn DiskFile>>>,
}

impl Segments {
    pub(crate) fn new(disk: Arc<dyn Disk>, log: u64) -> Segments {
        Segments { disk, log, open: Mutex::default() }
    }

    /// The segments there are, ascending.
    pub(crate) fn numbers(&self) -> io::Result<Vec<u32>> {
        let mut numbers: Vec<u32> =
            self.disk.list(FOLDER)?.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A segment's file, kept open for a while.
    pub(crate) fn file(&self, segment: u32) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.lock().get(&segment) {
            return Ok(file.clone());
        }
        let file = self.disk.open(&path(segment), How::Read)?;
        let mut open = self.lock();
        if open.len() >= OPEN_FILES {
            open.clear();
        }
        open.insert(segment, file.clone());
        Ok(file)
    }

    /// The file is gone or will be.
    pub(crate) fn close(&self, segment: u32) {
        self.lock().remove(&segment);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u32, Arc<dyn DiskFile>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Octets of a record's payload; every block touched was verified. `None`: the segment is not there.
    pub(crate) fn read(&self, segment: u32, record: u32, range: Range<u64>) -> Result<Option<Bytes>, Error> {
        let file = match self.file(segment) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::Io(format!("{}: {error}", path(segment)))),
        };
        let damaged = |what: &str| Error::Damaged(format!("{}, offset {record}: {what}", path(segment)));
        let read = |at: u64, length: usize| {
            let mut octets = BytesMut::zeroed(length);
            let got = file
                .read_at(&mut octets, u64::from(record) + at)
                .map_err(|error| Error::Io(format!("{}, offset {record}: {error}", path(segment))))?;
            octets.truncate(got);
            Ok::<Bytes, Error>(octets.freeze())
        };
        let first = read(0, FIRST)?;
        let header = Header::decode(&first)
            .filter(|h| h.log == self.log && h.segment == segment && h.offset == record)
            .ok_or_else(|| damaged("the header of the record is damaged"))?;
        if range.end > u64::from(header.length) || range.start > range.end {
            return Err(damaged("the record is shorter than the index says"));
        }
        let table_size = record::table_size(header.length);
        let payload_at = record::payload_at(header.length);
        let table = match first.len() >= HEADER + table_size {
            true => first.slice(HEADER..HEADER + table_size),
            false => read(HEADER as u64, table_size)?,
        };
        if crc32fast::hash(&table) != header.table_crc {
            return Err(damaged("the checksums of the record are damaged"));
        }
        let from = range.start / BLOCK as u64 * BLOCK as u64;
        let to = range.end.next_multiple_of(BLOCK as u64).min(u64::from(header.length));
        let whole = payload_at + to;
        let blocks = match first.len() as u64 >= whole {
            true => first.slice((payload_at + from) as usize..whole as usize),
            // At most a record, which is below 4 GiB.
            false => read(payload_at + from, (to - from) as usize)?,
        };
        if (blocks.len() as u64) < to - from {
            return Err(damaged("the file ends within the record"));
        }
        for (number, block) in blocks.chunks(BLOCK).enumerate() {
            let number = (from / BLOCK as u64) as usize + number;
            if !record::block_is_sound(&table, number, block) {
                let at = u64::from(record) + payload_at + (number * BLOCK) as u64;
                return Err(Error::Damaged(format!("{}, offset {at}: wrong checksum", path(segment))));
            }
        }
        Ok(Some(blocks.slice((range.start - from) as usize..(range.end - from) as usize)))
    }

    /// Walks over a segment from a record's beginning on.
    pub(crate) fn scan(&self, segment: u32, from: u64) -> io::Result<Scan> {
        let file = self.disk.open(&path(segment), How::Read)?;
        Scan::new(file, self.log, segment, from)
    }
}

/// What stands at some place of a segment.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole record; all its checksums are right.
    Record(Header, Bytes),
    /// Something else.
    Hole(Hole),
    /// Nothing but zeros from here to the end of the file: room for what comes.
    Zeros {
        /// Where they begin.
        from: u64,
    },
}

/// Octets that are no whole record.
#[derive(Clone, Debug)]
pub(crate) struct Hole {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) why: &'static str,
    /// The record that stood here, where its header can still be read, with its payload as it is now.
    pub(crate) was: Option<(Header, Bytes)>,
    /// Only octets without meaning are touched.
    pub(crate) harmless: bool,
}

/// A walk over one segment.
pub(crate) struct Scan {
    window: Window,
    log: u64,
    segment: u32,
    at: u64,
    end: u64,
    /// To be told before the next step.
    next: Option<Hole>,
}

impl Scan {
    fn new(file: Arc<dyn DiskFile>, log: u64, segment: u32, from: u64) -> io::Result<Scan> {
        let end = file.length()?;
        let window = Window { file, start: 0, octets: Vec::new() };
        Ok(Scan { window, log, segment, at: from, end, next: None })
    }

    /// Octets of the file.
    pub(crate) fn length(&self) -> u64 {
        self.end
    }

    /// What comes next; `None` at the end of the file.
    pub(crate) fn step(&mut self) -> io::Result<Option<Found>> {
        if let Some(hole) = self.next.take() {
            return Ok(Some(Found::Hole(hole)));
        }
        if self.at >= self.end {
            return Ok(None);
        }
        match self.header(self.at)? {
            Some(header) if self.at + header.size() <= self.end => self.record(header).map(Some),
            Some(_) => self.resync("the file ends within a record").map(Some),
            None => match self.nonzero()? {
                None => {
                    let from = std::mem::replace(&mut self.at, self.end);
                    Ok(Some(Found::Zeros { from }))
                }
                Some(_) => self.resync("no record can be read here").map(Some),
            },
        }
    }

    fn header(&mut self, at: u64) -> io::Result<Option<Header>> {
        let (log, segment) = (self.log, self.segment);
        let header = Header::decode(self.window.get(at, HEADER)?);
        Ok(header.filter(|h| h.log == log && h.segment == segment && u64::from(h.offset) == at))
    }

    fn record(&mut self, header: Header) -> io::Result<Found> {
        let from = self.at;
        self.at += header.size();
        let table_size = record::table_size(header.length);
        let payload_at = record::payload_at(header.length) as usize;
        // Below 4 GiB and within the file.
        let whole = self.window.get(from, header.size() as usize)?;
        if whole.len() < header.size() as usize {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let table = &whole[HEADER..HEADER + table_size];
        let payload = &whole[payload_at..payload_at + header.length as usize];
        let padding = &whole[payload_at + header.length as usize..];
        let hole = |from, why, was| Hole { from, to: self.at, why, was, harmless: false };
        let sound = crc32fast::hash(table) == header.table_crc;
        let wrong = match sound {
            false => Some((from + HEADER as u64, "the checksums of a record are damaged")),
            true => payload
                .chunks(BLOCK)
                .enumerate()
                .find(|(number, block)| !record::block_is_sound(table, *number, block))
                .map(|(number, _)| (from + (payload_at + number * BLOCK) as u64, "wrong checksum")),
        };
        let payload_copy = Bytes::copy_from_slice(payload);
        if let Some((_, why)) = wrong {
            return Ok(Found::Hole(hole(from, why, Some((header, payload_copy)))));
        }
        if padding.iter().any(|octet| *octet != 0) {
            let from = from + (payload_at + header.length as usize) as u64;
            self.next =
                Some(Hole { harmless: true, ..hole(from, "octets between two records are not zero", None) });
        }
        Ok(Found::Record(header, payload_copy))
    }

    /// Looks for the next record that can be read.
    fn resync(&mut self, why: &'static str) -> io::Result<Found> {
        let from = self.at;
        let mut at = from + ALIGN as u64;
        while at < self.end {
            if self.header(at)?.is_some() {
                break;
            }
            at += ALIGN as u64;
        }
        self.at = at.min(self.end);
        Ok(Found::Hole(Hole { from, to: self.at, why, was: None, harmless: false }))
    }

    /// The first octet from here on that is not zero.
    fn nonzero(&mut self) -> io::Result<Option<u64>> {
        let mut at = self.at;
        while at < self.end {
            let octets = self.window.get(at, WINDOW)?;
            if octets.is_empty() {
                break;
            }
            if let Some(found) = octets.iter().position(|octet| *octet != 0) {
                return Ok(Some(at + found as u64));
            }
            at += octets.len() as u64;
        }
        Ok(None)
    }
}

/// A part of a file in memory.
struct Window {
    file: Arc<dyn DiskFile>,
    start: u64,
    octets: Vec<u8>,
}

impl Window {
    /// `length` octets at `at`, fewer where the file ends.
    fn get(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let inside = at >= self.start && at + length as u64 <= self.start + self.octets.len() as u64;
        if !inside {
            self.octets.resize(length.max(WINDOW), 0);
            let got = self.file.read_at(&mut self.octets, at)?;
            self.octets.truncate(got);
            self.start = at;
        }
        // Within the buffer, or at its beginning.
        let from = (at - self.start) as usize;
        let to = (from + length).min(self.octets.len());
        Ok(&self.octets[from..to])
    }
}
