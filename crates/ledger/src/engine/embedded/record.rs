//! One record of the log: a header that names itself, a table of checksums, a payload.
//!
//! ```text
//! 0  magic            4   "PbR1"
//! 4  kind             1
//! 5  zero             3
//! 8  log              8   random, the same in every record of a data folder
//! 16 seq              8   one more than the record before it
//! 24 synced           8   every record up to this one was durable when this one was written
//! 32 segment          4   where it stands, so that a copy of a record is not taken for one
//! 36 offset           4
//! 40 length           4   of the payload
//! 44 table            4   CRC-32 of the table
//! 48 zero             12
//! 60 header           4   CRC-32 of the 60 octets before it
//! 64 table            4 × ⌈length / 64 KiB⌉, the CRC-32 of each block of the payload
//!    payload, then zeros up to a multiple of 16
//! ```
//! Integers are little-endian. Nothing outside the header says how long a record is, and nothing believes a
//! length before the header's own checksum was right.

/// Octets of a header.
pub(crate) const HEADER: usize = 64;
/// Records begin at multiples of this.
pub(crate) const ALIGN: usize = 16;
/// Octets of payload that one checksum covers.
pub(crate) const BLOCK: usize = 64 * 1024;

const MAGIC: [u8; 4] = *b"PbR1";

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The first record of a segment.
    Segment,
    /// A commit.
    Commit,
    /// A piece of a large body.
    Chunk,
    /// What was moved out of a segment, or a floor that was raised: changes no head.
    Carry,
}

impl Kind {
    fn from_octet(octet: u8) -> Option<Kind> {
        match octet {
            1 => Some(Kind::Segment),
            2 => Some(Kind::Commit),
            3 => Some(Kind::Chunk),
            4 => Some(Kind::Carry),
            _ => None,
        }
    }

    fn octet(self) -> u8 {
        match self {
            Kind::Segment => 1,
            Kind::Commit => 2,
            Kind::Chunk => 3,
            Kind::Carry => 4,
        }
    }

    /// For people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Segment => "segment header",
            Kind::Commit => "commit",
            Kind::Chunk => "piece of a body",
            Kind::Carry => "carried rows",
        }
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) log: u64,
    pub(crate) seq: u64,
    pub(crate) synced: u64,
    pub(crate) segment: u32,
    pub(crate) offset: u32,
    pub(crate) length: u32,
    pub(crate) table_crc: u32,
}

impl Header {
    pub(crate) fn encode(&self) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..4].copy_from_slice(&MAGIC);
        out[4] = self.kind.octet();
        out[8..16].copy_from_slice(&self.log.to_le_bytes());
        out[16..24].copy_from_slice(&self.seq.to_le_bytes());
        out[24..32].copy_from_slice(&self.synced.to_le_bytes());
        out[32..36].copy_from_slice(&self.segment.to_le_bytes());
        out[36..40].copy_from_slice(&self.offset.to_le_bytes());
        out[40..44].copy_from_slice(&self.length.to_le_bytes());
        out[44..48].copy_from_slice(&self.table_crc.to_le_bytes());
        let crc = crc32fast::hash(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header that stands at the beginning of `octets`, if its checksum is right.
    pub(crate) fn decode(octets: &[u8]) -> Option<Header> {
        let octets = octets.get(..HEADER)?;
        if octets[..4] != MAGIC || le32(octets, 60) != crc32fast::hash(&octets[..60]) {
            return None;
        }
        if octets[5..8] != [0; 3] || octets[48..60] != [0; 12] {
            return None;
        }
        Some(Header {
            kind: Kind::from_octet(octets[4])?,
            log: le64(octets, 8),
            seq: le64(octets, 16),
            synced: le64(octets, 24),
            segment: le32(octets, 32),
            offset: le32(octets, 36),
            length: le32(octets, 40),
            table_crc: le32(octets, 44),
        })
    }

    /// Octets of the whole record.
    pub(crate) fn size(&self) -> u64 {
        size(self.length)
    }
}

/// Octets of a record with a payload of `length`.
pub(crate) fn size(length: u32) -> u64 {
    (payload_at(length) + u64::from(length)).next_multiple_of(ALIGN as u64)
}

/// Where in its record a payload of `length` begins.
pub(crate) fn payload_at(length: u32) -> u64 {
    (HEADER + table_size(length)) as u64
}

/// Octets of the table for a payload of `length`.
pub(crate) fn table_size(length: u32) -> usize {
    (length as usize).div_ceil(BLOCK) * 4
}

/// The checksums of a payload's blocks.
pub(crate) fn table(payload: &[u8]) -> Vec<u8> {
    payload.chunks(BLOCK).flat_map(|block| crc32fast::hash(block).to_le_bytes()).collect()
}

/// Whether block `number` is what the table says.
pub(crate) fn block_is_sound(table: &[u8], number: usize, block: &[u8]) -> bool {
    match table.get(number * 4..number * 4 + 4) {
        Some(crc) => le32(crc, 0) == crc32fast::hash(block),
        None => false,
    }
}

/// Appends a record to `out`.
pub(crate) fn frame(header: &Header, table: &[u8], payload: &[u8], out: &mut Vec<u8>) {
    debug_assert_eq!(payload.len(), header.length as usize);
    let from = out.len();
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(table);
    out.extend_from_slice(payload);
    out.resize(from + (out.len() - from).next_multiple_of(ALIGN), 0);
    debug_assert_eq!((out.len() - from) as u64, header.size());
}

fn le32(octets: &[u8], at: usize) -> u32 {
    let mut four = [0; 4];
    four.copy_from_slice(&octets[at..at + 4]);
    u32::from_le_bytes(four)
}

fn le64(octets: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&octets[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u32, table_crc: u32) -> Header {
        let (log, seq, synced, segment, offset) = (7, 8, 6, 3, 4096);
        Header { kind: Kind::Commit, log, seq, synced, segment, offset, length, table_crc }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let octets = header(100, 99).encode();
        assert_eq!(Header::decode(&octets), Some(header(100, 99)));
        for bit in 0..HEADER * 8 {
            let mut flipped = octets;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), None, "bit {bit}");
        }
        assert_eq!(Header::decode(&octets[..63]), None);
    }

    #[test]
    fn a_frame_is_as_long_as_it_says() {
        for length in [0, 1, 15, 16, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5] {
            let payload = vec![5; length];
            let table = table(&payload);
            let mut out = vec![1, 2, 3];
            frame(&header(length as u32, 0), &table, &payload, &mut out);
            assert_eq!(out.len() as u64 - 3, size(length as u32));
            let at = 3 + payload_at(length as u32) as usize;
            assert_eq!(out[at..at + length], payload);
            for (number, block) in payload.chunks(BLOCK).enumerate() {
                assert!(block_is_sound(&table, number, block));
                assert!(!block_is_sound(&table, number + 9, block));
            }
        }
    }
}
