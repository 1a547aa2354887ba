//! Hot backup: a copy of the log, which is everything. Segments that are ended are linked or copied, the one that
//! is written to is copied up to what is durable.
//!
//! The copy can be opened whenever this breaks off: what it lacks is newer than what it has.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use super::segment::{self, number_of};
use super::shared::Shared;
use super::{disk, format};
use crate::error::Error;

/// Octets copied at once.
const STEP: usize = 1 << 20;

/// What a backup did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backup {
    /// Segments in it.
    pub segments: usize,
    /// Octets copied.
    pub copied: u64,
    /// Segments that share their space with the original.
    pub linked: usize,
    /// Segments it had already.
    pub kept: usize,
    /// The last record in it.
    pub seq: u64,
}

/// See `Maintenance::backup`.
pub(crate) fn backup(shared: &Shared, target: &Path, incremental: bool) -> Result<Backup, Error> {
    // Compaction removes no segment meanwhile.
    let _upkeep = shared.upkeep.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let io = |error: io::Error| Error::Io(format!("{}: {error}", target.display()));
    let log = target.join(segment::FOLDER);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&log).map_err(io)?;
    // Nobody may have the copy open.
    let lock = super::lock::take(target)?;
    prepare(shared, target, incremental)?;
    let end = shared.behind().end;
    let mut done = Backup { seq: end.seq - 1, ..Backup::default() };
    let numbers = shared.segments.numbers().map_err(io)?;
    let numbers: Vec<u32> = numbers.into_iter().filter(|number| *number <= end.segment).collect();
    for number in &numbers {
        let until = (*number == end.segment).then_some(end.offset);
        one(shared, target, *number, until, &mut done).map_err(io)?;
    }
    sync_folder(&log).map_err(io)?;
    // Older ones first, as while a removal of a row is kept, so must be what it removes the row from.
    let mut old: Vec<u32> = disk::Disk::list(&disk::Folder::new(target), segment::FOLDER)
        .map_err(io)?
        .iter()
        .filter_map(|name| number_of(name))
        .filter(|number| !numbers.contains(number))
        .collect();
    old.sort_unstable();
    for number in old {
        std::fs::remove_file(target.join(segment::path(number))).map_err(io)?;
        sync_folder(&log).map_err(io)?;
    }
    // An index there is older than the copy and may know places that are gone.
    match std::fs::remove_dir_all(target.join("index")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => (),
    }
    sync_folder(target).map_err(io)?;
    done.segments = numbers.len();
    drop(lock);
    Ok(done)
}

/// The target is empty, or, for an incremental backup, an older copy of this log.
fn prepare(shared: &Shared, target: &Path, incremental: bool) -> Result<(), Error> {
    let there = disk::Folder::new(target);
    let io = |error: io::Error| Error::Io(format!("{}: {error}", target.display()));
    match format::read(&there)? {
        format::Format::Missing => {
            let old = disk::Disk::list(&there, segment::FOLDER).map_err(io)?;
            if old.iter().any(|name| number_of(name).is_some()) {
                return Err(Error::Refused(format!("{} holds another log", target.display())));
            }
            format::write(&there, shared.segments.log).map_err(io)
        }
        format::Format::Log(log) if log == shared.segments.log && incremental => Ok(()),
        format::Format::Log(log) if log == shared.segments.log => Err(Error::Refused(format!(
            "{} holds a copy already; add to it with an incremental backup",
            target.display()
        ))),
        _ => Err(Error::Refused(format!("{} holds other data", target.display()))),
    }
}

fn one(shared: &Shared, target: &Path, number: u32, until: Option<u64>, done: &mut Backup) -> io::Result<()> {
    let path = segment::path(number);
    let (source, copy) = (shared.folder.join(&path), target.join(&path));
    let original = source.metadata()?;
    if let (Ok(there), None) = (copy.metadata(), until) {
        // A segment that is ended never changes, and a copy gets its name once it is whole.
        let same = there.dev() == original.dev() && there.ino() == original.ino();
        if same || (there.len() == original.len() && same_mark(&source, &copy)?) {
            done.kept += 1;
            return Ok(());
        }
    }
    let part = target.join(format!("{path}.part"));
    match std::fs::remove_file(&part) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => (),
    }
    if until.is_none() && std::fs::hard_link(&source, &part).is_ok() {
        done.linked += 1;
    } else {
        done.copied += copy_to(&source, &part, until.unwrap_or(original.len()))?;
    }
    std::fs::rename(&part, &copy)?;
    // In order: each copy that has a name is complete with all before it.
    sync_folder(&target.join(segment::FOLDER))
}

/// Whether two files of one length begin and end alike.
fn same_mark(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (File::open(one)?, File::open(other)?);
    let length = one.metadata()?.len();
    for at in [0, length.saturating_sub(4096)] {
        let (mut left, mut right) = (vec![0; 4096.min(length as usize)], vec![0; 4096.min(length as usize)]);
        one.read_exact_at(&mut left, at)?;
        other.read_exact_at(&mut right, at)?;
        if left != right {
            return Ok(false);
        }
    }
    Ok(true)
}

fn copy_to(source: &Path, copy: &Path, length: u64) -> io::Result<u64> {
    let source = File::open(source)?;
    let copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(copy)?;
    let mut octets = vec![0; STEP];
    let mut at = 0;
    while at < length {
        let step = (length - at).min(STEP as u64) as usize;
        source.read_exact_at(&mut octets[..step], at)?;
        copy.write_all_at(&octets[..step], at)?;
        at += step as u64;
    }
    copy.sync_all()?;
    Ok(length)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
