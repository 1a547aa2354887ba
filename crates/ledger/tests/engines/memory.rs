//! The memory engine: the contract, and what only it can show, the faults that a plan asks for.

use std::time::Duration;

use ledger::{CommitError, Error, Fault, FaultPlan, Ledger};
use mail::{LedgerId, ModSeq};

use crate::contract;
use crate::house::{House, all, body, change, log, octets, put};

const A: LedgerId = LedgerId(1024);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    contract::hold_to_it(async |_| House { ledger: Ledger::memory(), opener: None, forgets: true }).await;
}

/// Starts a commit and waits until it is accepted.
async fn start(ledger: &Ledger, plan: &FaultPlan, key: &'static [u8]) -> tokio::task::JoinHandle<Outcome> {
    let mut tx = ledger.begin(A).await.unwrap();
    tx.put(key, &b""[..]);
    tx.log(key);
    let (before, ledger) = (plan.waiting(), ledger.clone());
    let commit = tokio::spawn(async move { ledger.commit(vec![tx]).await });
    while plan.waiting() == before {
        tokio::task::yield_now().await;
    }
    commit
}

type Outcome = Result<Vec<ModSeq>, CommitError>;

#[tokio::test]
async fn what_is_accepted_is_seen_by_writers_and_not_by_readers() {
    let plan = FaultPlan::new();
    let ledger = Ledger::memory_with(&plan);
    put(&ledger, A, b"a", b"").await;
    let mut bell = ledger.bell(A);
    assert_eq!(bell.after(ModSeq(0)).await, ModSeq(1));
    plan.hold_durability();
    let first = start(&ledger, &plan, b"b").await;
    let second = start(&ledger, &plan, b"c").await;
    let tx = ledger.begin(A).await.unwrap();
    assert_eq!(tx.modseq(), ModSeq(4));
    assert!(tx.get(b"c").await.unwrap().is_some());
    assert_eq!(tx.scan(b"a", b"z", 9).await.unwrap().len(), 3);
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(1));
    assert_eq!(all(&ledger, A).await.len(), 1);
    assert_eq!(log(&ledger, A, ModSeq(1), 9).await, []);
    assert!(tokio::time::timeout(Duration::from_millis(20), bell.after(ModSeq(1))).await.is_err());
    assert!(!first.is_finished());
    plan.make_durable(1);
    assert_eq!(bell.after(ModSeq(1)).await, ModSeq(2));
    assert_eq!(first.await.unwrap(), Ok(vec![ModSeq(2)]));
    assert!(!second.is_finished());
    assert_eq!(all(&ledger, A).await.len(), 2);
    plan.let_go();
    assert_eq!(second.await.unwrap(), Ok(vec![ModSeq(3)]));
    assert_eq!(put(&ledger, A, b"d", b"").await, ModSeq(4));
}

#[tokio::test]
async fn a_full_disk_refuses_one_commit_and_keeps_its_body_for_the_next() {
    let plan = FaultPlan::new();
    plan.fail_commit(2, Fault::Full);
    let ledger = Ledger::memory_with(&plan);
    put(&ledger, A, b"a", b"").await;
    let octets = octets(300_000, 4);
    let body = body(&ledger, &octets).await;
    let mut tx = ledger.begin(A).await.unwrap();
    tx.hold(&body);
    assert_eq!(ledger.commit(vec![tx]).await, Err(CommitError::Full));
    assert_eq!(change(&ledger, A, |tx| tx.hold(&body)).await, ModSeq(2));
    assert!(ledger.read_body(A, body.id, 0..u64::MAX).await.unwrap() == octets);
    assert_eq!(plan.commits(), 3);
}

#[tokio::test]
async fn a_large_body_finds_no_room_half_way() {
    let plan = FaultPlan::new();
    let ledger = Ledger::memory_with(&plan);
    plan.fail_piece(2);
    let mut writer = ledger.body();
    let large = octets(700_000, 4);
    assert_eq!(writer.write(large.slice(..300_000)).await, Ok(()));
    assert_eq!(writer.write(large.slice(300_000..)).await, Err(CommitError::Full));
    let refused = |outcome: Result<(), CommitError>| {
        assert!(matches!(outcome, Err(CommitError::Failed(Error::Refused(_)))), "{outcome:?}");
    };
    refused(writer.write(large.clone()).await);
    refused(writer.finish().await.map(|_| ()));
    let again = body(&ledger, &large).await;
    change(&ledger, A, |tx| tx.hold(&again)).await;
    assert!(ledger.read_body(A, again.id, 0..u64::MAX).await.unwrap() == large);
}

#[tokio::test]
async fn a_failed_sync_stops_the_ledger() {
    let plan = FaultPlan::new();
    let ledger = Ledger::memory_with(&plan);
    put(&ledger, A, b"a", b"").await;
    plan.hold_durability();
    let waits = start(&ledger, &plan, b"b").await;
    plan.fail_commit(3, Fault::Stopped);
    let stopped = |outcome| assert!(matches!(outcome, Err(CommitError::Failed(Error::Stopped(_)))));
    let tx = ledger.begin(A).await.unwrap();
    stopped(ledger.commit(vec![tx]).await);
    stopped(waits.await.unwrap());
    plan.let_go();
    let tx = ledger.begin(A).await.unwrap();
    stopped(ledger.commit(vec![tx]).await);
    assert_eq!(all(&ledger, A).await.len(), 1, "reading goes on");
    plan.power_cut(0);
    assert_eq!(put(&ledger, A, b"b", b"").await, ModSeq(2));
}

#[tokio::test]
async fn a_power_cut_keeps_a_beginning_of_what_waits() {
    for kept in 0..=3u64 {
        let plan = FaultPlan::new();
        let ledger = Ledger::memory_with(&plan);
        put(&ledger, A, b"a", b"").await;
        plan.hold_durability();
        let mut commits = Vec::new();
        for key in [&b"b"[..], b"c", b"d"] {
            commits.push(start(&ledger, &plan, key).await);
        }
        let arriving = body(&ledger, &octets(300_000, 4)).await;
        plan.power_cut(kept as usize);
        for commit in commits {
            assert!(matches!(commit.await.unwrap(), Err(CommitError::Failed(Error::Stopped(_)))));
        }
        assert_eq!(ledger.head(A).await.unwrap(), ModSeq(1 + kept));
        assert_eq!(all(&ledger, A).await.len() as u64, 1 + kept);
        let mut tx = ledger.begin(A).await.unwrap();
        tx.hold(&arriving);
        assert_eq!(ledger.commit(vec![tx]).await, Err(CommitError::Failed(Error::NoBody)));
        assert_eq!(put(&ledger, A, b"e", b"").await, ModSeq(2 + kept));
    }
}
