//! The engine on a disk that fails, loses and damages: what was acknowledged is there, and damage is named.

mod crash;
mod disk;
mod flip;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::LedgerId;

use self::disk::TestDisk;
use super::index::memory::Memory;
use super::index::{Index, IndexKind};
use super::recover::{self, Indexes};
use super::{Embedded, OpenOptions, format};
use crate::engine::Any;
use crate::error::{CommitError, Error};
use crate::ledger::Ledger;

/// An index in memory that lives as long as the test wants.
struct Kept(std::sync::Mutex<Memory>);

impl Kept {
    fn new() -> Kept {
        Kept(std::sync::Mutex::new(Memory::default()))
    }
}

impl Indexes for Kept {
    fn open(&self, _: IndexKind) -> Result<Arc<dyn Index>, Error> {
        Ok(Arc::new(self.0.lock().unwrap().clone()))
    }

    fn wipe(&self) -> std::io::Result<()> {
        *self.0.lock().unwrap() = Memory::default();
        Ok(())
    }
}

/// Small segments, so that a test has several; no compaction unless asked for.
fn options() -> OpenOptions {
    OpenOptions {
        index: IndexKind::Fjall,
        segment_size: 64 << 10,
        checkpoint_octets: 16 << 10,
        checkpoint_age: Duration::from_millis(5),
        replay_limit: 1 << 20,
        zeros_ahead: 8 << 10,
        reserve: 0,
        log_kept: 100_000,
        compact_every: None,
    }
}

fn open(disk: &Arc<TestDisk>, indexes: &Kept) -> Result<Ledger, Error> {
    let known = format::read(disk.as_ref())?;
    let opened = recover::open(Path::new("test"), disk.clone(), indexes, known, options())?;
    Ok(Ledger::over(Any::Embedded(Arc::new(Embedded::start(opened, None)))))
}

/// One row whose value says which it is, with a body of its own.
async fn write(ledger: &Ledger, id: LedgerId, number: u32) -> Result<(), CommitError> {
    let mut tx = ledger.begin(id).await?;
    let mut body = ledger.body();
    body.write(content(number)).await?;
    let body = body.finish().await?;
    tx.put(number.to_be_bytes().to_vec(), body.id.0.to_vec());
    tx.log(&number.to_be_bytes());
    tx.hold(&body);
    ledger.commit(vec![tx]).await.map(drop)
}

/// The octets of a numbered body: some small, some of a few blocks.
fn content(number: u32) -> Bytes {
    let length = 40 + (number as usize * 977) % 3000;
    (0..length).map(|at| (at as u32).wrapping_mul(number + 3).to_le_bytes()[1]).collect::<Vec<u8>>().into()
}

/// The numbers whose rows are there; each with the body that belongs to it.
async fn numbers(ledger: &Ledger, id: LedgerId) -> Result<Vec<u32>, Error> {
    let mut found = Vec::new();
    for row in ledger.scan(id, &[0], &[0xff], 4096).await? {
        let number = u32::from_be_bytes(row.key.as_ref().try_into().unwrap());
        let blob = mail::BlobId(row.value.as_ref().try_into().unwrap());
        assert_eq!(ledger.read_body(id, blob, 0..u64::MAX).await?, content(number), "body {number}");
        found.push(number);
    }
    Ok(found)
}
