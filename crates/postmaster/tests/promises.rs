//! An acknowledgement is a promise: nothing is answered with OK before it is durable, and what went wrong is said.

mod support;

use std::pin::pin;

use ledger::{Fault, FaultPlan, Ledger};
use support::{House, policy};

const MESSAGE: &str = "From: x@other.test\r\nSubject: s\r\n\r\ntext";

async fn house() -> (House, FaultPlan) {
    let plan = FaultPlan::new();
    let house = House::over(Ledger::memory_with(&plan), policy()).await;
    (house, plan)
}

/// Runs a piece of a conversation while nothing becomes durable: it must not come to its end before that.
async fn held<T>(plan: &FaultPlan, conversation: impl Future<Output = T>) -> T {
    plan.hold_durability();
    let mut conversation = pin!(conversation);
    while plan.waiting() == 0 {
        tokio::select! {
            biased;
            _ = &mut conversation => panic!("it was answered and nothing had been written"),
            () = tokio::task::yield_now() => {}
        }
    }
    for _ in 0..100 {
        tokio::select! {
            biased;
            _ = &mut conversation => panic!("it was answered before it was durable"),
            () = tokio::task::yield_now() => {}
        }
    }
    plan.let_go();
    conversation.await
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable() {
    let (house, plan) = house().await;
    let mut peer = house.relay("192.0.2.1").await;
    peer.says("MAIL FROM:<x@other.test>").await;
    peer.says("RCPT TO:<all@example.test>").await;
    peer.says("DATA").await;
    let end = format!("{MESSAGE}\r\n.\r\n");
    let reply = held(&plan, peer.sends(end.as_bytes())).await;
    assert!(reply.starts_with("250"), "{reply}");

    let mut alice = house.imap_as("alice@example.test").await;
    assert!(alice.says("a APPEND INBOX {5}").await.starts_with('+'));
    let reply = held(&plan, alice.sends(b"X: y\n\r\n")).await;
    assert!(reply.contains("a OK"), "{reply}");
    alice.says("b SELECT INBOX").await;
    for command in [
        "STORE 1 +FLAGS (\\Flagged)",
        "CREATE Archive2",
        "SUBSCRIBE Elsewhere",
        "COPY 1:2 Archive2",
        "MOVE 2 Archive2",
        "RENAME Archive2 Archive3",
        "DELETE Archive3",
        "STORE 1 +FLAGS.SILENT (\\Deleted)",
        "EXPUNGE",
    ] {
        let line = format!("c {command}");
        let reply = held(&plan, alice.says(&line)).await;
        assert!(reply.contains("c OK"), "{command}: {reply}");
    }

    let (mut bob, reply) = house.pop3_as("bob@example.test").await;
    assert!(reply.contains("+OK 1 messages"), "{reply}");
    bob.says("DELE 1").await;
    let reply = held(&plan, bob.says("QUIT")).await;
    assert!(reply.starts_with("+OK"), "{reply}");
    assert_eq!(house.contents("bob@example.test").await, []);
}

#[tokio::test]
async fn a_full_disk_is_temporary() {
    let (house, plan) = house().await;
    plan.fail_commit(plan.commits() + 1, Fault::Full);
    let reply = house.deliver(&["all@example.test"], MESSAGE).await;
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    let mut alice = house.imap_as("alice@example.test").await;
    alice.says("a APPEND INBOX {5}").await;
    plan.fail_commit(plan.commits() + 1, Fault::Full);
    let reply = alice.sends(b"X: y\n\r\n").await;
    assert!(reply.contains("a NO [UNAVAILABLE]"), "{reply}");
    // A body that does not fit into memory meets the full disk earlier.
    plan.fail_piece(1);
    let long = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(50_000));
    let reply = house.deliver(&["all@example.test"], &long).await;
    assert!(reply.starts_with("452 4.3.1"), "{reply}");
    assert_eq!(house.contents("alice@example.test").await, []);
    assert_eq!(house.contents("bob@example.test").await, []);
    let reply = house.deliver(&["all@example.test"], &long).await;
    assert!(reply.starts_with("250"), "{reply}");
    let (mut bob, _) = house.pop3_as("bob@example.test").await;
    bob.says("DELE 1").await;
    plan.fail_commit(plan.commits() + 1, Fault::Full);
    let reply = bob.says("QUIT").await;
    assert!(reply.starts_with("-ERR [SYS/TEMP]"), "{reply}");
    assert_eq!(house.contents("bob@example.test").await, [("INBOX".to_owned(), 1)]);
}

#[tokio::test]
async fn a_failed_sync_takes_no_mail() {
    let (house, plan) = house().await;
    let mut alice = house.imap_as("alice@example.test").await;
    plan.fail_commit(plan.commits() + 1, Fault::Stopped);
    let reply = house.deliver(&["all@example.test"], MESSAGE).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let reply = house.deliver(&["all@example.test"], MESSAGE).await;
    assert!(reply.starts_with("451 4.3.0"), "{reply}");
    let reply = alice.says("a CREATE x").await;
    assert!(reply.contains("a NO [UNAVAILABLE]"), "{reply}");
    plan.power_cut(0);
    assert_eq!(house.contents("alice@example.test").await, []);
    let reply = house.deliver(&["all@example.test"], MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
}
