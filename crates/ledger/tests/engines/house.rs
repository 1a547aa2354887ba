//! A ledger under test, the way to open it again, and the small tools that the cases share.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ledger::{Body, Changes, CommitError, Error, Ledger, Row, Tx};
use mail::{LedgerId, ModSeq};

/// A future on the heap.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Opens the same data again.
pub type Opener = Arc<dyn Fn() -> Boxed<Result<Ledger, Error>> + Send + Sync>;

/// A fresh ledger, and what an engine promises beyond the common.
#[derive(Clone)]
pub struct House {
    /// It is empty when a case begins.
    pub ledger: Ledger,
    /// `None`: nothing survives the last handle.
    pub opener: Option<Opener>,
    /// `Ledger::forget` takes effect at once.
    pub forgets: bool,
}

impl House {
    /// All handles are dropped and the data is opened again.
    pub async fn reopen(self) -> Ledger {
        let opener = self.opener.expect("only for engines that persist");
        drop(self.ledger);
        for _ in 0..100 {
            match opener().await {
                Err(Error::Locked(_)) => tokio::time::sleep(Duration::from_millis(50)).await,
                opened => return opened.expect("the data opens again"),
            }
        }
        panic!("the data stayed locked after its last handle was dropped");
    }
}

/// Runs one change until no other commit came first; returns the modseq it reached.
pub async fn change(ledger: &Ledger, id: LedgerId, build: impl Fn(&mut Tx)) -> ModSeq {
    for attempt in 0..10_000u64 {
        let mut tx = ledger.begin(id).await.expect("begin");
        build(&mut tx);
        match ledger.commit(vec![tx]).await {
            Ok(reached) => return reached[0],
            Err(CommitError::Conflict(other)) => {
                assert_eq!(other, id);
                tokio::time::sleep(Duration::from_micros(attempt * 37 % 2_000)).await;
            }
            Err(error) => panic!("commit: {error}"),
        }
    }
    panic!("no commit got through");
}

/// Writes one row.
pub async fn put(ledger: &Ledger, id: LedgerId, key: &'static [u8], value: &'static [u8]) -> ModSeq {
    change(ledger, id, |tx| tx.put(key, value)).await
}

/// Every row of a ledger.
pub async fn all(ledger: &Ledger, id: LedgerId) -> Vec<Row> {
    ledger.scan(id, &[], &[0xff; 1025], usize::MAX).await.expect("scan")
}

/// The log after `after`, read to its end in pages of `page`.
pub async fn log(ledger: &Ledger, id: LedgerId, after: ModSeq, page: usize) -> Vec<(ModSeq, Bytes)> {
    let head = ledger.head(id).await.expect("head");
    let (mut found, mut at) = (Vec::new(), after);
    while at < head {
        let Changes::Log { entries, seen } = ledger.since(id, at, page).await.expect("since") else {
            panic!("the log was forgotten");
        };
        assert!(entries.len() <= page && seen > at && seen <= head, "a page moves on, up to the head");
        found.extend(entries);
        at = seen;
    }
    found
}

/// Octets that differ from place to place.
pub fn octets(size: usize, seed: u32) -> Bytes {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..size).map(step).collect::<Vec<u8>>().into()
}

/// Writes a body in pieces of uneven sizes.
pub async fn body(ledger: &Ledger, octets: &Bytes) -> Body {
    let mut writer = ledger.body();
    let (mut rest, mut piece) = (octets.clone(), 1);
    while !rest.is_empty() {
        let length = piece.min(rest.len());
        writer.write(rest.split_to(length)).await.expect("write");
        piece = piece * 3 % 100_003 + 1;
    }
    writer.finish().await.expect("finish")
}
