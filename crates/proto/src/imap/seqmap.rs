//! Sequence numbers: which message has which number in this session, now.
//!
//! What never lives here: flags, and the decision when a change is told to the client.
//!
//! A session's numbers change only when it announces EXPUNGE or EXISTS (RFC 3501 §7.4.1), so the map belongs to
//! the session and lags behind the mailbox. UIDs ascend, so a position in the sorted list is the number.

use std::ops::Range;

use mail::{Uid, UidSet};

use super::types::SequenceSet;

/// The announced messages of the selected mailbox.
#[derive(Clone, Debug, Default)]
pub struct SeqMap {
    /// Ascending; the message numbered n stands at n - 1.
    uids: Vec<Uid>,
}

/// Messages picked out of a map: ascending, disjoint ranges of positions (number - 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picked(Vec<Range<usize>>);

/// A sequence number that no message has. RFC 3501 §9 seq-number wants a BAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange(pub u32);

impl SeqMap {
    /// Takes the UIDs of a mailbox as it is selected.
    pub fn new(mut uids: Vec<Uid>) -> SeqMap {
        if !uids.is_sorted_by(|a, b| a < b) {
            uids.sort_unstable();
            uids.dedup();
        }
        SeqMap { uids }
    }

    /// How many messages the client knows of.
    pub fn count(&self) -> usize {
        self.uids.len()
    }

    /// The highest UID the client can know.
    pub fn last(&self) -> Option<Uid> {
        self.uids.last().copied()
    }

    /// The UID at a position.
    pub fn uid(&self, position: usize) -> Option<Uid> {
        self.uids.get(position).copied()
    }

    /// Where this UID stands, if the client knows it. `hint` is where it is looked for first: rows come in
    /// ascending order, so it is nearly always right.
    pub fn position(&self, uid: Uid, hint: usize) -> Option<usize> {
        if self.uids.get(hint) == Some(&uid) {
            return Some(hint);
        }
        self.uids.binary_search(&uid).ok()
    }

    /// The position of the first message with a higher UID.
    pub fn position_after(&self, uid: Uid) -> usize {
        self.uids.partition_point(|known| *known <= uid)
    }

    /// How many messages have this UID or a higher one.
    pub fn count_from(&self, uid: Uid) -> usize {
        self.uids.len() - self.uids.partition_point(|known| *known < uid)
    }

    /// Adds a message at the end; `false` if its UID does not ascend.
    pub fn push(&mut self, uid: Uid) -> bool {
        if self.last().is_some_and(|last| last >= uid) {
            return false;
        }
        self.uids.push(uid);
        true
    }

    /// Takes messages away; those after them get lower numbers.
    pub fn remove(&mut self, picked: &Picked) {
        let mut kept = picked.0.first().map_or(self.uids.len(), |range| range.start);
        for (i, range) in picked.0.iter().enumerate() {
            let next = picked.0.get(i + 1).map_or(self.uids.len(), |after| after.start);
            self.uids.copy_within(range.end..next, kept);
            kept += next - range.end;
        }
        self.uids.truncate(kept);
    }

    /// All of them.
    pub fn all(&self) -> Picked {
        let mut picked = Picked::default();
        picked.push(0..self.uids.len());
        picked
    }

    /// The known messages among these UIDs.
    pub fn pick(&self, set: &UidSet) -> Picked {
        let mut picked = Picked::default();
        for range in set.ranges() {
            picked.push(self.span(*range.start(), *range.end()));
        }
        picked
    }

    /// What a set of sequence numbers means. `*` in an empty mailbox is nobody, so that `1:*`, which most
    /// clients send without looking, is not an error there; any other number too high is.
    pub fn pick_numbers(&self, set: &SequenceSet) -> Result<Picked, OutOfRange> {
        let count = u32::try_from(self.uids.len()).unwrap_or(u32::MAX);
        let mut ranges = Vec::with_capacity(set.0.len());
        for &(from, to) in &set.0 {
            if count == 0 && (from.is_none() || to.is_none()) {
                continue;
            }
            let (from, to) = (from.unwrap_or(count), to.unwrap_or(count));
            let (low, high) = (from.min(to), from.max(to));
            if low == 0 || high > count {
                return Err(OutOfRange(high));
            }
            ranges.push(low as usize - 1..high as usize);
        }
        Ok(Picked::from_any(ranges))
    }

    /// What a set of UIDs means: those that do not exist are passed over, `*` is the highest, and `559:*`
    /// always holds it. RFC 3501 §6.4.8.
    pub fn pick_uids(&self, set: &SequenceSet) -> Picked {
        let Some(last) = self.last() else { return Picked::default() };
        let ranges = set.0.iter().map(|&(from, to)| {
            let (from, to) = (from.unwrap_or(last.0), to.unwrap_or(last.0));
            self.span(from.min(to), from.max(to))
        });
        Picked::from_any(ranges.collect())
    }

    /// The UIDs at these positions, as few ranges as possible, each UID one that exists.
    pub fn uids(&self, picked: &Picked) -> UidSet {
        let mut set = UidSet::default();
        for range in &picked.0 {
            let mut rest = &self.uids[range.clone()];
            while let Some((&first, after)) = rest.split_first() {
                let run = after
                    .iter()
                    .zip(1_u64..)
                    .take_while(|(uid, step)| u64::from(uid.0) == u64::from(first.0) + step)
                    .count();
                set.insert_range(first.0..=rest[run].0);
                rest = &rest[run + 1..];
            }
        }
        set
    }

    fn span(&self, low: u32, high: u32) -> Range<usize> {
        let start = self.uids.partition_point(|uid| uid.0 < low);
        let end = start + self.uids[start..].partition_point(|uid| uid.0 <= high);
        start..end
    }
}

impl Picked {
    fn from_any(mut ranges: Vec<Range<usize>>) -> Picked {
        if !ranges.is_sorted_by_key(|range| range.start) {
            ranges.sort_unstable_by_key(|range| range.start);
        }
        let mut picked = Picked::default();
        ranges.into_iter().for_each(|range| picked.push(range));
        picked
    }

    /// Adds a range that starts no earlier than those before it.
    fn push(&mut self, range: Range<usize>) {
        match self.0.last_mut() {
            _ if range.is_empty() => {}
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => self.0.push(range),
        }
    }

    /// Nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.iter().map(ExactSizeIterator::len).sum()
    }

    /// The positions, ascending.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// Those from this position on.
    pub fn starting_at(&self, first: usize) -> Picked {
        let mut rest = Picked::default();
        self.0.iter().for_each(|range| rest.push(range.start.max(first)..range.end));
        rest
    }

    /// Splits the first `most` off; empty when nothing is left.
    pub fn take(&mut self, most: usize) -> Picked {
        let (mut taken, mut left, mut whole) = (Picked::default(), most, 0);
        for range in &mut self.0 {
            if left == 0 {
                break;
            }
            let end = range.start + range.len().min(left);
            left -= end - range.start;
            taken.0.push(range.start..end);
            range.start = end;
            whole += usize::from(range.start == range.end);
        }
        self.0.drain(..whole);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(uids: &[u32]) -> SeqMap {
        SeqMap::new(uids.iter().copied().map(Uid).collect())
    }

    fn set(ranges: &[(u32, u32)]) -> SequenceSet {
        let number = |n: u32| (n != 0).then_some(n);
        SequenceSet(ranges.iter().map(|&(from, to)| (number(from), number(to))).collect())
    }

    fn uids(map: &SeqMap) -> Vec<u32> {
        map.uids.iter().map(|uid| uid.0).collect()
    }

    /// Zero stands for `*` here.
    #[test]
    fn numbers_become_uids() {
        let map = map(&[2, 3, 4, 10, 11, 20]);
        let picked = map.pick_numbers(&set(&[(6, 6), (1, 2), (2, 4)])).expect("in range");
        assert_eq!(map.uids(&picked).to_string(), "2:4,10,20");
        assert_eq!(picked.count(), 5);
        assert_eq!(map.uids(&map.pick_numbers(&set(&[(0, 5)])).expect("in range")).to_string(), "11,20");
        assert_eq!(map.pick_numbers(&set(&[(5, 7)])), Err(OutOfRange(7)));
        assert_eq!(SeqMap::default().pick_numbers(&set(&[(1, 0)])), Ok(Picked::default()));
        assert_eq!(SeqMap::default().pick_numbers(&set(&[(1, 1)])), Err(OutOfRange(1)));
    }

    /// RFC 3501 §6.4.8: a UID range 559:* always includes the last message.
    #[test]
    fn rfc_3501_section_6_4_8_star() {
        let map = map(&[2, 3, 4, 10, 11, 20]);
        let picked = |ranges| map.uids(&map.pick_uids(&set(ranges))).to_string();
        assert_eq!(picked(&[(559, 0)]), "20");
        assert_eq!(picked(&[(0, 0)]), "20");
        assert_eq!(picked(&[(1, 1), (5, 9), (4, 10)]), "4,10");
        assert_eq!(picked(&[(11, 3), (1, u32::MAX)]), "2:4,10:11,20");
        assert!(SeqMap::default().pick_uids(&set(&[(1, 0)])).is_empty());
    }

    #[test]
    fn removal_in_every_pattern_agrees_with_the_plain_way() {
        for mask in 0_u32..256 {
            let all: Vec<u32> = (1..=8).map(|n| n * 3).collect();
            let gone: UidSet =
                (0..8).filter(|bit| mask >> bit & 1 == 1).map(|bit| Uid((bit + 1) * 3)).collect();
            let mut map = map(&all);
            let picked = map.pick(&gone);
            assert_eq!(picked.count(), mask.count_ones() as usize);
            map.remove(&picked);
            let left: Vec<u32> = all.iter().copied().filter(|uid| !gone.contains(Uid(*uid))).collect();
            assert_eq!(uids(&map), left);
        }
    }

    #[test]
    fn pages_are_cut_off_the_front() {
        let map = map(&[1, 2, 3, 5, 6, 9]);
        let mut rest = map.pick_numbers(&set(&[(1, 3), (5, 6)])).expect("in range");
        let mut pages = Vec::new();
        loop {
            let page = rest.take(2);
            if page.is_empty() {
                break;
            }
            pages.push(map.uids(&page).to_string());
        }
        assert_eq!(pages, ["1:2", "3,6", "9"]);
    }

    #[test]
    fn only_ascending_uids_are_added() {
        let mut map = map(&[7, 5, 5]);
        assert_eq!(uids(&map), [5, 7]);
        assert!(!map.push(Uid(7)) && !map.push(Uid(6)) && map.push(Uid(8)));
        assert_eq!(map.position(Uid(8), 0), Some(2));
        assert_eq!(map.position(Uid(8), 2), Some(2));
        assert_eq!(map.position(Uid(6), 1), None);
        assert_eq!(map.count_from(Uid(6)), 2);
    }
}
