//! How rows and log entries are written down: numbers in seven bits an octet, low end first, and octets after their
//! count. What never lives here: what they mean.

use std::ops::RangeInclusive;

use mail::{Uid, UidSet};

/// Puts values one after another.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn num(&mut self, mut num: u64) {
        while num >= 0x80 {
            self.0.push(num as u8 | 0x80);
            num >>= 7;
        }
        self.0.push(num as u8);
    }

    /// `None` is 0, and a number is one more than itself; the largest cannot be told.
    pub(crate) fn maybe(&mut self, num: Option<u64>) {
        self.num(num.map_or(0, |num| num.saturating_add(1)));
    }

    pub(crate) fn raw(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }

    pub(crate) fn bytes(&mut self, octets: &[u8]) {
        self.num(octets.len() as u64);
        self.raw(octets);
    }

    /// Ranges as the distance from the one before and the length.
    pub(crate) fn uids(&mut self, uids: &UidSet) {
        self.num(uids.ranges().len() as u64);
        let mut at = 0u32;
        for range in uids.ranges() {
            self.num(u64::from(range.start() - at));
            self.num(u64::from(range.end() - range.start()));
            at = *range.end();
        }
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Takes them apart again; `None` where the octets are not what a `Writer` wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Reader<'a> {
        Reader(octets)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Some` if nothing is left over.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(crate) fn num(&mut self) -> Option<u64> {
        let mut num = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            num |= bits << shift;
            if byte < 0x80 {
                return Some(num);
            }
        }
        None
    }

    pub(crate) fn num32(&mut self) -> Option<u32> {
        u32::try_from(self.num()?).ok()
    }

    pub(crate) fn maybe(&mut self) -> Option<Option<u64>> {
        Some(self.num()?.checked_sub(1))
    }

    pub(crate) fn raw(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let count = usize::try_from(self.num()?).ok()?;
        self.raw(count)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(crate) fn uids(&mut self) -> Option<UidSet> {
        let mut uids = UidSet::default();
        let mut at = 0u32;
        for _ in 0..self.num()? {
            let low = at.checked_add(self.num32()?)?;
            let high = low.checked_add(self.num32()?)?;
            uids.insert_range(low..=high);
            at = high;
        }
        Some(uids)
    }
}

/// Puts all of `more` into `set`.
pub(crate) fn join(set: &mut UidSet, more: &UidSet) {
    for range in more.ranges() {
        set.insert_range(range.clone());
    }
}

/// Everything below `end` that is not among `present`, which ascend.
pub(crate) fn gaps(present: impl Iterator<Item = Uid>, end: Uid) -> UidSet {
    let mut gaps = UidSet::default();
    let mut next = 1u32;
    let mut gap = |range: RangeInclusive<u32>| {
        if !range.is_empty() {
            gaps.insert_range(range);
        }
    };
    for uid in present {
        gap(next..=uid.0.saturating_sub(1));
        next = uid.0.saturating_add(1);
    }
    gap(next..=end.0.saturating_sub(1));
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for num in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::default();
            writer.num(num);
            writer.maybe(None);
            writer.maybe(Some(5));
            let octets = writer.done();
            let mut reader = Reader::new(&octets);
            assert_eq!(
                (reader.num(), reader.maybe(), reader.maybe(), reader.end()),
                (Some(num), Some(None), Some(Some(5)), Some(()))
            );
            assert_eq!(Reader::new(&octets[..0]).num(), None);
        }
        assert_eq!(Reader::new(&[0xff; 10]).num(), None, "more than 64 bits");
    }

    #[test]
    fn sets_come_back() {
        let mut uids = UidSet::default();
        for range in [1..=1, 5..=9, 100..=100_000, u32::MAX..=u32::MAX] {
            uids.insert_range(range);
        }
        let mut writer = Writer::default();
        writer.uids(&uids);
        writer.uids(&UidSet::default());
        let octets = writer.done();
        let mut reader = Reader::new(&octets);
        assert_eq!(
            (reader.uids(), reader.uids(), reader.end()),
            (Some(uids), Some(UidSet::default()), Some(()))
        );
    }

    #[test]
    fn gaps_are_what_is_missing() {
        let gaps_of = |present: &[u32], end| gaps(present.iter().map(|uid| Uid(*uid)), Uid(end)).to_string();
        assert_eq!(gaps_of(&[], 1), "");
        assert_eq!(gaps_of(&[], 5), "1:4");
        assert_eq!(gaps_of(&[1, 2, 5, 9], 10), "3:4,6:8");
        assert_eq!(gaps_of(&[3], 10), "1:2,4:9");
    }
}
