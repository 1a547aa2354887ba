//! The embedded engine with either index: the contract and the model.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ledger::{IndexKind, Ledger, OpenOptions};
use proptest::prelude::*;

use crate::house::{House, Opener};
use crate::{contract, model};

/// Small, so that segments end, the index is brought up and the log is trimmed within a test.
fn options(index: IndexKind) -> OpenOptions {
    OpenOptions {
        index,
        segment_size: 1 << 20,
        checkpoint_octets: 64 << 10,
        checkpoint_age: Duration::from_millis(20),
        replay_limit: 4 << 20,
        zeros_ahead: 64 << 10,
        reserve: 1 << 20,
        log_kept: 100_000,
        compact_every: None,
    }
}

async fn open(folder: &Path, index: IndexKind) -> Ledger {
    Ledger::open_with(folder, options(index)).await.expect("the data opens")
}

async fn keeps_the_contract(index: IndexKind) {
    let folders = tempfile::tempdir().unwrap();
    contract::hold_to_it(async |name| {
        let folder = folders.path().join(name);
        let ledger = open(&folder, index).await;
        let opener: Opener = Arc::new(move || {
            let folder = folder.clone();
            Box::pin(async move { Ledger::open_with(&folder, options(index)).await })
        });
        House { ledger, opener: Some(opener), forgets: true }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redb_keeps_the_contract() {
    keeps_the_contract(IndexKind::Redb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fjall_keeps_the_contract() {
    keeps_the_contract(IndexKind::Fjall).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn embedded_agrees_with_the_model(history in model::history(25), redb in any::<bool>()) {
        let index = if redb { IndexKind::Redb } else { IndexKind::Fjall };
        let folder = tempfile::tempdir().unwrap();
        model::runtime().block_on(async {
            let ledger = open(folder.path(), index).await;
            let reopen = async |ledger: Ledger| {
                drop(ledger);
                open(folder.path(), index).await
            };
            model::run(ledger, reopen, history).await;
        });
    }
}
