//! Sets of UIDs as ascending ranges.

use std::fmt;
use std::ops::RangeInclusive;

use crate::Uid;

/// UIDs as ascending, disjoint, non-adjacent ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet(Vec<RangeInclusive<u32>>);

impl UidSet {
    /// Adds one. Cheap when UIDs come in ascending order.
    pub fn insert(&mut self, uid: Uid) {
        self.insert_range(uid.0..=uid.0);
    }

    /// Adds a range, given in either order.
    pub fn insert_range(&mut self, range: RangeInclusive<u32>) {
        let (mut low, mut high) = (*range.start().min(range.end()), *range.start().max(range.end()));
        let from = self.0.partition_point(|r| r.end().saturating_add(1) < low);
        let to = self.0.partition_point(|r| *r.start() <= high.saturating_add(1));
        if from < to {
            low = low.min(*self.0[from].start());
            high = high.max(*self.0[to - 1].end());
        }
        self.0.splice(from..to.max(from), [low..=high]);
    }

    /// Whether it is in the set.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.0.partition_point(|r| *r.end() < uid.0);
        self.0.get(at).is_some_and(|r| r.contains(&uid.0))
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[RangeInclusive<u32>] {
        &self.0
    }

    /// Nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many UIDs it spans, present or not.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|r| u64::from(*r.end()) - u64::from(*r.start()) + 1).sum()
    }

    /// All UIDs it spans, ascending. Only for sets made from UIDs that exist: `1:*` spans four thousand million.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.0.iter().flat_map(|r| r.clone().map(Uid))
    }
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> UidSet {
        let mut set = UidSet::default();
        uids.into_iter().for_each(|uid| set.insert(uid));
        set
    }
}

/// As in IMAP: `1:3,7`.
impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match range.start() == range.end() {
                true => write!(f, "{}", range.start())?,
                false => write!(f, "{}:{}", range.start(), range.end())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_in_any_order() {
        let set: UidSet = [5, 1, 2, 9, 3, 4, 7].into_iter().map(Uid).collect();
        assert_eq!(set.to_string(), "1:5,7,9");
        assert!(set.contains(Uid(4)) && !set.contains(Uid(6)));
        assert_eq!(set.len(), 7);
        let mut all = set.clone();
        all.insert_range(RangeInclusive::new(u32::MAX, 1));
        assert_eq!(all.ranges(), [1..=u32::MAX]);
    }
}
