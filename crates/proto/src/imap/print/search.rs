//! SEARCH, ESEARCH and the sets of COPYUID and APPENDUID. RFC 9051 §7.3.4, RFC 4731, RFC 4315, RFC 7162.

use bytes::{BufMut, BytesMut};
use mail::{ModSeq, Uid, UidSet, UidValidity};

use super::string::{number, string};

/// What ESEARCH says; what is `None` is left out. Numbers are UIDs or sequence numbers. RFC 4731 §3.1.
#[derive(Clone, Copy, Debug, Default)]
pub struct Esearch<'a> {
    /// The tag of the command.
    pub tag: &'a str,
    /// Numbers are UIDs.
    pub uid: bool,
    /// MIN
    pub min: Option<u32>,
    /// MAX
    pub max: Option<u32>,
    /// COUNT
    pub count: Option<u64>,
    /// ALL; an empty set is left out.
    pub all: Option<&'a UidSet>,
    /// MODSEQ. RFC 7162 §3.1.6.
    pub modseq: Option<ModSeq>,
}

/// `* SEARCH 2 3 6 (MODSEQ 917162500)` and CRLF.
pub fn search(out: &mut BytesMut, numbers: impl IntoIterator<Item = u32>, modseq: Option<ModSeq>) {
    out.put_slice(b"* SEARCH");
    for found in numbers {
        out.put_u8(b' ');
        number(out, u64::from(found));
    }
    if let Some(modseq) = modseq {
        out.put_slice(b" (MODSEQ ");
        number(out, modseq.0);
        out.put_u8(b')');
    }
    out.put_slice(b"\r\n");
}

/// `* ESEARCH (TAG "A282") MIN 2 COUNT 3` and CRLF.
pub fn esearch(out: &mut BytesMut, found: &Esearch<'_>) {
    out.put_slice(b"* ESEARCH (TAG ");
    string(out, found.tag.as_bytes());
    out.put_u8(b')');
    if found.uid {
        out.put_slice(b" UID");
    }
    let mut item = |name: &[u8], value: Option<u64>| {
        if let Some(value) = value {
            out.put_slice(name);
            number(out, value);
        }
    };
    item(b" MIN ", found.min.map(u64::from));
    item(b" MAX ", found.max.map(u64::from));
    item(b" COUNT ", found.count);
    if let Some(all) = found.all.filter(|all| !all.is_empty()) {
        out.put_slice(b" ALL ");
        sequence_set(out, all);
    }
    if let Some(modseq) = found.modseq {
        out.put_slice(b" MODSEQ ");
        number(out, modseq.0);
    }
    out.put_slice(b"\r\n");
}

/// `2,10:15`.
pub fn sequence_set(out: &mut BytesMut, set: &UidSet) {
    for (i, range) in set.ranges().iter().enumerate() {
        if i > 0 {
            out.put_u8(b',');
        }
        run(out, *range.start(), *range.end());
    }
}

/// `APPENDUID 38505 3955`, without brackets. RFC 4315 §3.
pub fn append_uid(out: &mut BytesMut, uid_validity: UidValidity, uid: Uid) {
    out.put_slice(b"APPENDUID ");
    number(out, u64::from(uid_validity.0));
    out.put_u8(b' ');
    number(out, u64::from(uid.0));
}

/// `COPYUID 38505 304,319:320 3956:3958`, without brackets. The n-th number of one set belongs to the n-th of the
/// other, so neither is sorted. RFC 4315 §3. There must be a pair: a copy of nothing has no COPYUID.
pub fn copy_uid(out: &mut BytesMut, uid_validity: UidValidity, pairs: &[(Uid, Uid)]) {
    out.put_slice(b"COPYUID ");
    number(out, u64::from(uid_validity.0));
    out.put_u8(b' ');
    runs(out, pairs.iter().map(|pair| pair.0.0));
    out.put_u8(b' ');
    runs(out, pairs.iter().map(|pair| pair.1.0));
}

/// Numbers in the order given, those that follow one another as a range.
fn runs(out: &mut BytesMut, numbers: impl Iterator<Item = u32>) {
    let mut open: Option<(u32, u32)> = None;
    let mut gap = false;
    let mut close = |out: &mut BytesMut, (first, last): (u32, u32)| {
        if gap {
            out.put_u8(b',');
        }
        gap = true;
        run(out, first, last);
    };
    for next in numbers {
        open = Some(match open {
            Some((first, last)) if last.checked_add(1) == Some(next) => (first, next),
            Some(done) => {
                close(out, done);
                (next, next)
            }
            None => (next, next),
        });
    }
    if let Some(done) = open {
        close(out, done);
    }
}

fn run(out: &mut BytesMut, first: u32, last: u32) {
    number(out, u64::from(first));
    if last != first {
        out.put_u8(b':');
        number(out, u64::from(last));
    }
}
