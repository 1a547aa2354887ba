//! Commits of one message each: the ledger as a delivery uses it, and nothing above it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledger::{CommitError, Ledger};
use mail::LedgerId;
use tokio::task::JoinSet;

use crate::indexing;
use crate::meter::Meter;

const TIME: Duration = Duration::from_secs(3);
const WRITERS: &[usize] = &[1, 10, 50];
/// What a delivery writes beside the body: the message's row, its summary, the mailbox's counters, a UID.
const ROWS: &[(u8, usize)] = &[(1, 80), (2, 250), (3, 60), (4, 24)];

/// Measures and prints.
pub fn run() -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| e.to_string())?;
    let folder = tempfile::tempdir_in(".").map_err(|e| e.to_string())?;
    runtime.block_on(async {
        rounds("in memory", &Ledger::memory()).await?;
        match Ledger::open(&folder.path().join("data")).await {
            Ok(ledger) => rounds("on disk", &ledger).await,
            Err(why) => Err(format!("no ledger on disk: {why}")),
        }
    })
}

async fn rounds(name: &str, ledger: &Ledger) -> Result<(), String> {
    for writers in WRITERS {
        let meter = Arc::new(Meter::start());
        let mut tasks = JoinSet::new();
        for writer in 0..*writers {
            let id = LedgerId(LedgerId::FIRST_ACCOUNT.0 + (writers * 100 + writer) as u64);
            tasks.spawn(write(ledger.clone(), id, meter.clone()));
        }
        let mut turns = 0;
        while let Some(task) = tasks.join_next().await {
            turns += task.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
        }
        let reading = meter.read(turns);
        println!("commits {name}, {writers} writers: {:.0}/s, {:.0} us CPU each", reading.rate, reading.cpu);
    }
    Ok(())
}

/// Commits one message after another until the time is over; how many.
async fn write(ledger: Ledger, id: LedgerId, meter: Arc<Meter>) -> Result<usize, CommitError> {
    let message = Bytes::from(indexing::text(4096));
    let mut turns: usize = 0;
    while meter.elapsed() < TIME {
        let mut writer = ledger.body();
        // A body of its own for each message, as life has it.
        writer.write(Bytes::from(format!("X-Number: {} {turns}\r\n", id.0))).await?;
        writer.write(message.clone()).await?;
        let body = writer.finish().await?;
        let mut tx = ledger.begin(id).await?;
        for (kind, size) in ROWS {
            // The counters are one row written again; the rest is a row a message.
            let number = if *kind == 3 { 0 } else { turns as u64 };
            let key = [&[*kind][..], &number.to_be_bytes()].concat();
            if *kind == 3 {
                tx.get(&key).await?;
            }
            tx.put(key, vec![*kind; *size]);
        }
        tx.log(&(turns as u64).to_be_bytes());
        tx.hold(&body);
        ledger.commit(vec![tx]).await?;
        turns += 1;
    }
    Ok(turns)
}
