//! The file `format`: the number of the data's format, and the log's own number, with a checksum.
//!
//! `packetboat-log FORMAT LOG CHECKSUM`, one line. A newer version keeps the first line so.

use super::disk::{Disk, How};
use crate::error::Error;

/// The newest format this version knows, and the one it writes.
pub(crate) const KNOWN: u32 = 1;
const PATH: &str = "format";
const NEW: &str = "format.new";

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// There is none: a new data folder, or none of ours.
    Missing,
    /// The log's number.
    Log(u64),
    /// It cannot be read.
    Damaged,
}

/// Reads it. `Newer` if another version has to.
pub(crate) fn read(disk: &dyn Disk) -> Result<Format, Error> {
    let file = match disk.open(PATH, How::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Format::Missing),
        Err(error) => return Err(Error::Io(format!("{PATH}: {error}"))),
    };
    let mut octets = vec![0; 256];
    let length = file.read_at(&mut octets, 0).map_err(|error| Error::Io(format!("{PATH}: {error}")))?;
    let Some((format, log)) = parse(&octets[..length]) else { return Ok(Format::Damaged) };
    match format > KNOWN {
        true => Err(Error::Newer { found: format, known: KNOWN }),
        false if octets[..length] != *line(format, log).as_bytes() => Ok(Format::Damaged),
        false => Ok(Format::Log(log)),
    }
}

/// Writes it, durably, as the last step of making a data folder.
pub(crate) fn write(disk: &dyn Disk, log: u64) -> std::io::Result<()> {
    let file = disk.open(NEW, How::Create)?;
    file.write_at(line(KNOWN, log).as_bytes(), 0)?;
    file.sync()?;
    disk.rename(NEW, PATH)?;
    disk.sync_folder("")
}

fn line(format: u32, log: u64) -> String {
    let says = format!("packetboat-log {format} {log:016x} ");
    let crc = crc32fast::hash(says.as_bytes());
    format!("{says}{crc:08x}\n")
}

fn parse(octets: &[u8]) -> Option<(u32, u64)> {
    let first = octets.split(|octet| *octet == b'\n').next()?;
    let first = std::str::from_utf8(first).ok()?;
    let (says, crc) = first.split_at_checked(first.rfind(' ')? + 1)?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(says.as_bytes()) {
        return None;
    }
    let mut words = says.split(' ');
    if words.next() != Some("packetboat-log") {
        return None;
    }
    let format = words.next()?.parse().ok()?;
    let log = u64::from_str_radix(words.next()?, 16).ok()?;
    Some((format, log))
}

/// The line of a version to come, for tests.
#[cfg(test)]
pub(crate) fn newer() -> String {
    line(KNOWN + 1, 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_seen() {
        let whole = line(KNOWN, 0x1234);
        assert_eq!(parse(whole.as_bytes()), Some((KNOWN, 0x1234)));
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = parse(&flipped).filter(|_| flipped == line(KNOWN, 0x1234).as_bytes());
            assert_eq!(read, None, "bit {bit}");
        }
        assert_eq!(parse(b""), None);
    }
}
