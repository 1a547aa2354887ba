//! Flipped octets: found, named, and no more lost than the record they are in.

use std::sync::Arc;

use mail::LedgerId;

use super::crash::random;
use super::disk::TestDisk;
use super::{Kept, open, write};
use crate::engine::embedded::format;

const LEDGER: LedgerId = LedgerId(3000);
const COMMITS: u32 = 120;
const FLIPS: u64 = 1000;

/// A log of several segments.
async fn written() -> Arc<TestDisk> {
    let disk = Arc::new(TestDisk::default());
    let ledger = open(&disk, &Kept::new()).unwrap();
    for number in 0..COMMITS {
        write(&ledger, LEDGER, number).await.unwrap();
    }
    drop(ledger);
    disk
}

/// How many of the numbered rows, and how many of their bodies, can be read.
async fn readable(ledger: &crate::Ledger) -> (usize, usize) {
    let rows = ledger.scan(LEDGER, &[0], &[0xff], 4096).await.unwrap();
    let mut whole = 0;
    for row in &rows {
        let number = u32::from_be_bytes(row.key.as_ref().try_into().unwrap());
        let blob = mail::BlobId(row.value.as_ref().try_into().unwrap());
        match ledger.read_body(LEDGER, blob, 0..u64::MAX).await {
            Ok(octets) => {
                assert_eq!(octets, super::content(number), "a damaged body must not be read as a whole one");
                whole += 1;
            }
            Err(error) => assert!(matches!(error, crate::Error::Damaged(_)), "{error}"),
        }
    }
    (rows.len(), whole)
}

/// Each flip in the log is named by what opening found or by `verify`, costs one record at most, and the records
/// behind it are still there. Zeros written ahead of the end hold nothing, so a flip there may cost nothing; it is
/// named all the same, or written over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_flips_are_found_and_cost_a_record_each() {
    let whole = written().await;
    let segments: Vec<(String, Vec<u8>)> =
        whole.contents().into_iter().filter(|(name, _)| name.ends_with(".seg")).collect();
    assert!(segments.len() > 2, "several segments");
    let mut random = random(7);
    for flip in 0..FLIPS {
        let (name, octets) = &segments[(random() % segments.len() as u64) as usize];
        // The end of what was written: beyond it are zeros.
        let used = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
        let at = (random() % used as u64) as usize;
        let mut damaged = octets.clone();
        damaged[at] ^= 1 << (random() % 8);
        let disk = whole.copy();
        disk.put(name, damaged);
        // The index is built anew, so all of the log is read.
        let ledger = open(&disk, &Kept::new())
            .unwrap_or_else(|error| panic!("flip {flip} in {name} at {at}: does not open: {error}"));
        let maintenance = ledger.maintenance().unwrap();
        let found = maintenance.stats().await.unwrap();
        let report = maintenance.verify().await.unwrap();
        let named =
            found.findings.iter().chain(&report.damage).any(|damage| damage.file.contains(name.as_str()))
                || !found.tails.is_empty();
        assert!(named, "flip {flip} in {name} at {at} of {used} is not named: {found:?} {report:?}");
        let (rows, bodies) = readable(&ledger).await;
        assert!(
            rows + 1 >= COMMITS as usize && bodies + 1 >= COMMITS as usize,
            "flip {flip} in {name} at {at}: {rows} rows and {bodies} bodies of {COMMITS} are left"
        );
    }
}

/// Data of a newer version is refused and not touched.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_of_a_newer_version_is_left_alone() {
    let disk = written().await.copy();
    disk.put("format", format::newer().into_bytes());
    let before = disk.contents();
    let refused = open(&disk, &Kept::new()).err();
    assert!(matches!(refused, Some(crate::Error::Newer { .. })), "{refused:?}");
    assert!(disk.contents() == before, "nothing was changed");
}
