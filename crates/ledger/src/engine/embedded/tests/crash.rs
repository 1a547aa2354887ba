//! Power cuts and failing disks at every step.

use std::sync::Arc;
use std::time::Duration;

use mail::LedgerId;

use super::disk::TestDisk;
use super::{Kept, numbers, open, write};
use crate::error::{CommitError, Error};

const LEDGERS: [LedgerId; 2] = [LedgerId(5), LedgerId(2000)];
/// Commits of one run.
const COMMITS: u32 = 60;

/// A small generator: what a seed gives is the same everywhere.
pub fn random(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

/// Writes until the disk fails; says which commits were acknowledged, and which one was not and might be there.
async fn run(disk: &Arc<TestDisk>, indexes: &Kept) -> (Vec<u32>, Option<u32>) {
    let mut acknowledged = Vec::new();
    let Ok(ledger) = open(disk, indexes) else { return (acknowledged, None) };
    for number in 0..COMMITS {
        match write(&ledger, LEDGERS[number as usize % 2], number).await {
            Ok(()) => acknowledged.push(number),
            Err(_) => return (acknowledged, Some(number)),
        }
    }
    (acknowledged, None)
}

/// The steps that a run takes are made to fail one after the other; after each the power is cut. What was
/// acknowledged is there, the commit in flight is there whole or not at all, and nothing is called damaged but the
/// end that nobody was told of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_any_failing_step_and_a_power_cut() {
    let disk = Arc::new(TestDisk::default());
    run(&disk, &Kept::new()).await;
    let steps = disk.steps();
    assert!(steps > u64::from(COMMITS));
    for nth in 1..=steps {
        let (disk, indexes) = (Arc::new(TestDisk::default()), Kept::new());
        disk.fail_at(nth);
        let (acknowledged, open_end) = run(&disk, &indexes).await;
        let mut random = random(nth);
        let disk = disk.after_power_cut(|| random().is_multiple_of(2));
        // An index is synced on its own: it may be behind the log, and gone.
        let indexes = if random().is_multiple_of(2) { indexes } else { Kept::new() };
        let ledger = match open(&disk, &indexes) {
            Ok(ledger) => ledger,
            Err(error) => panic!("step {nth}: the data does not open: {error}"),
        };
        let mut found = Vec::new();
        for id in LEDGERS {
            found.extend(numbers(&ledger, id).await.unwrap());
        }
        found.sort_unstable();
        let mut possible = acknowledged.clone();
        possible.extend(open_end);
        assert!(
            found == acknowledged || found == possible,
            "step {nth}: {found:?} of {acknowledged:?} {open_end:?}"
        );
        // And it goes on.
        write(&ledger, LEDGERS[0], 1000).await.unwrap_or_else(|error| panic!("step {nth}: {error}"));
    }
}

/// After a failed sync nobody is told anything but that storage has stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_step_stops_the_ledger() {
    let (disk, indexes) = (Arc::new(TestDisk::default()), Kept::new());
    let ledger = open(&disk, &indexes).unwrap();
    write(&ledger, LEDGERS[0], 1).await.unwrap();
    disk.fail_at(1);
    assert!(write(&ledger, LEDGERS[0], 2).await.is_err());
    for number in 3..6 {
        let refused = write(&ledger, LEDGERS[1], number).await;
        assert!(matches!(refused, Err(CommitError::Failed(Error::Stopped(_)))), "{refused:?}");
    }
    assert_eq!(numbers(&ledger, LEDGERS[0]).await.unwrap(), [1], "what is durable can still be read");
}

/// A full disk refuses commits and says why, loses nothing, and takes commits again when there is room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_recovers() {
    let (disk, indexes) = (Arc::new(TestDisk::default()), Kept::new());
    let ledger = open(&disk, &indexes).unwrap();
    let (mut acknowledged, mut refused) = (Vec::new(), 0);
    for number in 0..200 {
        disk.set_full((50..150).contains(&number));
        // A full disk is asked for room now and then only.
        for attempt in 0.. {
            match write(&ledger, LEDGERS[0], number).await {
                Ok(()) => acknowledged.push(number),
                Err(CommitError::Full) if number == 150 && attempt < 1000 => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
                Err(CommitError::Full) => refused += 1,
                Err(other) => panic!("commit {number}: {other}"),
            }
            break;
        }
    }
    assert!(refused > 0 && acknowledged.len() >= 100, "{refused} refused, {} taken", acknowledged.len());
    assert_eq!(numbers(&ledger, LEDGERS[0]).await.unwrap(), acknowledged);
    drop(ledger);
    let ledger = open(&disk.after_power_cut(|| false), &Kept::new()).unwrap();
    assert_eq!(numbers(&ledger, LEDGERS[0]).await.unwrap(), acknowledged);
}

/// Those who wait share a sync.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_share_a_sync() {
    let (disk, indexes) = (Arc::new(TestDisk::default()), Kept::new());
    let ledger = open(&disk, &indexes).unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..50u32 {
        let ledger = ledger.clone();
        writers.spawn(async move {
            for number in 0..20 {
                write(&ledger, LedgerId(5000 + u64::from(writer)), number).await.unwrap();
            }
        });
    }
    writers.join_all().await;
    let stats = ledger.maintenance().unwrap().stats().await.unwrap();
    assert_eq!(stats.commits, 1000);
    assert!(stats.syncs < stats.commits, "{} syncs for {} commits", stats.syncs, stats.commits);
}
