//! Processor time of a server with all its processes. On a machine that others use too it is the steadier figure.

use std::collections::BTreeMap;
use std::fs;

/// The kernel counts in these for programs, whatever it ticks in itself: USER_HZ, 100 on every machine we know.
const TICKS_A_SECOND: f64 = 100.0;

/// One process, from its line in `/proc`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    pid: u32,
    parent: u32,
    /// Its own time, and that of children that ended.
    ticks: u64,
}

/// Seconds that `roots` and all below them have used so far, ended ones included.
pub fn used(roots: &[u32]) -> f64 {
    let rows: Vec<Row> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| row(&fs::read_to_string(entry.ok()?.path().join("stat")).ok()?))
        .collect();
    below(roots, &rows) as f64 / TICKS_A_SECOND
}

fn below(roots: &[u32], rows: &[Row]) -> u64 {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for row in rows {
        children.entry(row.parent).or_default().push(row.pid);
    }
    let ticks: BTreeMap<u32, u64> = rows.iter().map(|row| (row.pid, row.ticks)).collect();
    let mut left = roots.to_vec();
    let mut sum = 0;
    while let Some(pid) = left.pop() {
        sum += ticks.get(&pid).copied().unwrap_or_default();
        left.extend(children.remove(&pid).unwrap_or_default());
    }
    sum
}

/// proc(5): the name stands in brackets and may hold anything, so fields are counted from its end.
fn row(stat: &str) -> Option<Row> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Row { pid: pid.parse().ok()?, parent: fields.get(1)?.parse().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::{Row, below, row};

    #[test]
    fn names_with_brackets_do_not_shift_the_fields() {
        let line = "17 (a) b) S 5 17 17 0 -1 4194560 1 2 3 4 10 20 300 400 20 0 1 0 99";
        assert_eq!(row(line), Some(Row { pid: 17, parent: 5, ticks: 730 }));
    }

    #[test]
    fn all_below_the_roots_count_and_nobody_else() {
        let rows = [(1, 0, 1), (2, 1, 10), (3, 2, 100), (4, 0, 1000)];
        let rows = rows.map(|(pid, parent, ticks)| Row { pid, parent, ticks });
        assert_eq!(below(&[1], &rows), 111);
        assert_eq!(below(&[2, 4], &rows), 1110);
    }
}
