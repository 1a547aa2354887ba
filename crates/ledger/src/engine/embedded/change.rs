//! What a commit or a carry record says: whose rows become what, and the bodies it brings along.
//!
//! Everything a ledger has is a row here: its head, its log, its references to bodies and where they lie, and the
//! rows of the caller. The first octet of an inner key tells them apart.

use bytes::{BufMut, Bytes};
use mail::{BlobId, LedgerId, ModSeq};

/// The head and the floor of a ledger: inner key, one row.
pub(crate) const META: u8 = 0;
/// An entry of its log: modseq, big-endian.
pub(crate) const LOG: u8 = 1;
/// How often it refers to a body: the body's hash.
pub(crate) const REFS: u8 = 2;
/// Where a body lies: the body's hash.
pub(crate) const PLACE: u8 = 3;
/// The caller's rows.
pub(crate) const ROW: u8 = 4;

const DELETED: u8 = 0x80;
const OLD: u8 = 0x40;
const TAG: u8 = 0x07;

/// All that one record changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// Made at random by who asked for it.
    pub(crate) id: [u8; 16],
    pub(crate) parts: Vec<Part>,
    /// Segments that are gone, since all that lived in them was carried on.
    pub(crate) dropped: Vec<Dropped>,
    /// Bodies inside this record.
    pub(crate) bodies: Vec<Inline>,
}

/// One ledger's part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) ledger: LedgerId,
    /// The head before.
    pub(crate) base: ModSeq,
    /// The head after: one more for a commit, the same for a carry record.
    pub(crate) head: ModSeq,
    /// The log begins after this.
    pub(crate) floor: ModSeq,
    pub(crate) rows: Vec<RowChange>,
}

/// One row's new state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowChange {
    /// Inner key.
    pub(crate) key: Bytes,
    pub(crate) modseq: ModSeq,
    /// `None`: it is gone.
    pub(crate) value: Option<Bytes>,
    /// The segment in which a removal was first written; 0: in this one.
    pub(crate) origin: u32,
}

/// A segment that is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) segment: u32,
    /// Its first seq, and the first that is not its any more.
    pub(crate) seqs: (u64, u64),
}

/// A body inside a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inline {
    pub(crate) blob: BlobId,
    pub(crate) bytes: Bytes,
    /// Where in the payload; set by `encode` and `decode`.
    pub(crate) at: u32,
}

/// Some octets of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// 0: in the record that says so, as its `record`-th body.
    pub(crate) segment: u32,
    /// Where the record begins.
    pub(crate) record: u32,
    /// Where in its payload the piece begins; 0 for a chunk record, and never 0 for a commit.
    pub(crate) at: u32,
    pub(crate) length: u32,
}

/// Where a body lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pieces: Vec<Piece>,
}

impl Change {
    /// The payload. Fills `Inline::at`.
    pub(crate) fn encode(&mut self) -> Vec<u8> {
        let weight: usize = self.parts.iter().flat_map(|p| &p.rows).map(RowChange::weight).sum();
        let bodies: usize = self.bodies.iter().map(|body| body.bytes.len() + 40).sum();
        let mut out = Vec::with_capacity(64 + self.parts.len() * 40 + weight + bodies);
        out.put_slice(&self.id);
        number(&mut out, self.parts.len() as u64);
        for part in &self.parts {
            part.encode(&mut out);
        }
        number(&mut out, self.dropped.len() as u64);
        for dropped in &self.dropped {
            number(&mut out, u64::from(dropped.segment));
            number(&mut out, dropped.seqs.0);
            number(&mut out, dropped.seqs.1);
        }
        number(&mut out, self.bodies.len() as u64);
        for body in &self.bodies {
            out.put_slice(&body.blob.0);
            number(&mut out, body.bytes.len() as u64);
        }
        for body in &mut self.bodies {
            // A payload is below 4 GiB: `limits::COMMIT` and what compaction puts together are far below.
            body.at = out.len() as u32;
            out.put_slice(&body.bytes);
        }
        out
    }

    /// The change that a payload tells of; `None` if it is not one.
    pub(crate) fn decode(payload: &Bytes) -> Option<Change> {
        let mut change = Change::default();
        decode_into(&mut change, payload).then_some(change)
    }

    /// What can be told from a payload some of whose octets are wrong, to name what is lost.
    pub(crate) fn guess(payload: &Bytes) -> Change {
        let mut change = Change::default();
        decode_into(&mut change, payload);
        change
    }

    /// Gives bodies inside the record their place, now that the record has one.
    pub(crate) fn settle(&mut self, segment: u32, record: u32) {
        let Change { parts, bodies, .. } = self;
        for row in parts.iter_mut().flat_map(|part| &mut part.rows) {
            if row.key.first() != Some(&PLACE) {
                continue;
            }
            let Some(mut place) = row.value.as_ref().and_then(|value| Place::decode(value)) else { continue };
            let mut inside = false;
            for piece in place.pieces.iter_mut().filter(|piece| piece.segment == 0) {
                let Some(body) = bodies.get(piece.record as usize) else { continue };
                *piece = Piece { segment, record, at: body.at, length: piece.length };
                inside = true;
            }
            if inside {
                row.value = Some(place.encode());
            }
        }
    }
}

impl Part {
    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64_le(self.ledger.0);
        number(out, self.base.0);
        number(out, self.head.0);
        number(out, self.floor.0);
        number(out, self.rows.len() as u64);
        for row in &self.rows {
            row.encode(self.head, out);
        }
    }

    /// The row that holds head and floor.
    pub(crate) fn meta(&self) -> RowChange {
        let mut value = Vec::with_capacity(16);
        value.put_u64(self.head.0);
        value.put_u64(self.floor.0);
        RowChange {
            key: Bytes::from_static(&[META]),
            modseq: self.head,
            value: Some(value.into()),
            origin: 0,
        }
    }
}

impl RowChange {
    fn weight(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + 12
    }

    fn encode(&self, head: ModSeq, out: &mut Vec<u8>) {
        debug_assert!(matches!(self.key.first(), Some(LOG..=ROW)));
        let old = self.modseq != head || self.origin != 0;
        let flags = if self.value.is_none() { DELETED } else { 0 } | if old { OLD } else { 0 };
        out.put_u8(flags | self.key[0]);
        number(out, self.key.len() as u64 - 1);
        out.put_slice(&self.key[1..]);
        if old {
            number(out, self.modseq.0);
            number(out, u64::from(self.origin));
        }
        if let Some(value) = &self.value {
            number(out, value.len() as u64);
            out.put_slice(value);
        }
    }
}

/// Head and floor as `Part::meta` writes them.
pub(crate) fn decode_meta(value: &[u8]) -> Option<(ModSeq, ModSeq)> {
    let head = u64::from_be_bytes(value.get(..8)?.try_into().ok()?);
    let floor = u64::from_be_bytes(value.get(8..16)?.try_into().ok()?);
    Some((ModSeq(head), ModSeq(floor)))
}

impl Place {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(4 + self.pieces.len() * 12);
        number(&mut out, self.pieces.len() as u64);
        for piece in &self.pieces {
            for part in [piece.segment, piece.record, piece.at, piece.length] {
                number(&mut out, u64::from(part));
            }
        }
        out.into()
    }

    pub(crate) fn decode(value: &[u8]) -> Option<Place> {
        let mut reader = Reader { rest: &Bytes::copy_from_slice(value), at: 0 };
        let count = reader.number()?;
        let mut pieces = Vec::new();
        for _ in 0..count {
            let mut next = || u32::try_from(reader.number()?).ok();
            pieces.push(Piece { segment: next()?, record: next()?, at: next()?, length: next()? });
        }
        (reader.at == value.len()).then_some(Place { pieces })
    }
}

/// An inner key.
pub(crate) fn inner(tag: u8, key: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(key.len() + 1);
    out.push(tag);
    out.extend_from_slice(key);
    out.into()
}

/// References as a row's value.
pub(crate) fn encode_refs(references: u64) -> Bytes {
    Bytes::copy_from_slice(&references.to_be_bytes())
}

/// Octets that are no count count as none: whoever needs the body finds it missing, and verify names the row.
pub(crate) fn decode_refs(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_be_bytes)
}

/// Writes 7 bits an octet, the lowest first.
pub(crate) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Reads what `encode` wrote. Never believes a length, never panics.
struct Reader<'a> {
    rest: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn octet(&mut self) -> Option<u8> {
        let octet = *self.rest.get(self.at)?;
        self.at += 1;
        Some(octet)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if octet & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    fn bytes(&mut self, length: u64) -> Option<Bytes> {
        let end = self.at.checked_add(usize::try_from(length).ok()?)?;
        if end > self.rest.len() {
            return None;
        }
        let bytes = self.rest.slice(self.at..end);
        self.at = end;
        Some(bytes)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N as u64)?.as_ref().try_into().ok()
    }

    fn row(&mut self, head: ModSeq) -> Option<RowChange> {
        let flags = self.octet()?;
        let tag = flags & TAG;
        if !(LOG..=ROW).contains(&tag) || flags & !(TAG | DELETED | OLD) != 0 {
            return None;
        }
        let length = self.number()?;
        let key = inner(tag, &self.bytes(length)?);
        let (mut modseq, mut origin) = (head, 0);
        if flags & OLD != 0 {
            (modseq, origin) = (ModSeq(self.number()?), self.small()?);
        }
        let value = match flags & DELETED {
            0 => {
                let length = self.number()?;
                Some(self.bytes(length)?)
            }
            _ => None,
        };
        Some(RowChange { key, modseq, value, origin })
    }
}

/// Decodes as far as it goes, and says whether that was to the end.
fn decode_into(change: &mut Change, payload: &Bytes) -> bool {
    let mut reader = Reader { rest: payload, at: 0 };
    read(change, &mut reader).is_some() && reader.at == payload.len()
}

fn read(change: &mut Change, reader: &mut Reader<'_>) -> Option<()> {
    change.id = reader.fixed()?;
    for _ in 0..reader.number()? {
        let ledger = LedgerId(u64::from_le_bytes(reader.fixed()?));
        let (base, head, floor) = (reader.number()?, reader.number()?, reader.number()?);
        let (base, head, floor) = (ModSeq(base), ModSeq(head), ModSeq(floor));
        let rows = reader.number()?;
        change.parts.push(Part { ledger, base, head, floor, rows: Vec::new() });
        for _ in 0..rows {
            let row = reader.row(head)?;
            change.parts.last_mut()?.rows.push(row);
        }
    }
    for _ in 0..reader.number()? {
        let segment = reader.small()?;
        change.dropped.push(Dropped { segment, seqs: (reader.number()?, reader.number()?) });
    }
    let mut lengths = Vec::new();
    for _ in 0..reader.number()? {
        lengths.push((BlobId(reader.fixed()?), reader.number()?));
    }
    for (blob, length) in lengths {
        let at = u32::try_from(reader.at).ok()?;
        change.bodies.push(Inline { blob, bytes: reader.bytes(length)?, at });
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Change {
        let row = |tag, key: &[u8], modseq, value: Option<&'static [u8]>, origin| RowChange {
            key: inner(tag, key),
            modseq: ModSeq(modseq),
            value: value.map(Bytes::from_static),
            origin,
        };
        let place = Place { pieces: vec![Piece { segment: 0, record: 0, at: 0, length: 5 }] };
        let mut rows = vec![
            row(LOG, &7u64.to_be_bytes(), 7, Some(b"entry"), 0),
            row(ROW, b"k", 7, Some(b""), 0),
            row(ROW, b"", 7, None, 0),
            row(ROW, &[0xff; 300], 3, Some(&[9; 200]), 0),
            row(ROW, b"gone", 5, None, 11),
        ];
        rows.push(row(PLACE, &[1; 32], 7, None, 0));
        rows[5].value = Some(place.encode());
        let part =
            Part { ledger: LedgerId(u64::MAX), base: ModSeq(6), head: ModSeq(7), floor: ModSeq(2), rows };
        let other =
            Part { ledger: LedgerId(0), base: ModSeq(0), head: ModSeq(1), floor: ModSeq(0), rows: vec![] };
        Change {
            id: [3; 16],
            parts: vec![part, other],
            dropped: vec![Dropped { segment: 4, seqs: (100, 1 << 40) }],
            bodies: vec![Inline { blob: BlobId([1; 32]), bytes: Bytes::from_static(b"hello"), at: 0 }],
        }
    }

    #[test]
    fn a_change_comes_back() {
        let mut change = change();
        let payload = Bytes::from(change.encode());
        assert_eq!(Change::decode(&payload).as_ref(), Some(&change));
        assert_eq!(payload[change.bodies[0].at as usize..], *b"hello");
        change.settle(9, 160);
        let place = Place::decode(change.parts[0].rows[5].value.as_ref().unwrap()).unwrap();
        assert_eq!(place.pieces, [Piece { segment: 9, record: 160, at: change.bodies[0].at, length: 5 }]);
    }

    #[test]
    fn no_octets_make_it_panic_or_run_on() {
        let payload = change().encode();
        for length in 0..payload.len() {
            assert_eq!(Change::decode(&Bytes::copy_from_slice(&payload[..length])), None, "{length}");
        }
        for at in 0..payload.len() {
            for value in [0, 0x7f, 0x80, 0xff] {
                let mut other = payload.clone();
                other[at] = value;
                let _ = Change::guess(&other.into());
            }
        }
        let mut longer = payload;
        longer.push(0);
        assert_eq!(Change::decode(&longer.into()), None);
    }
}
