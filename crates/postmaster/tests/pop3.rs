//! Maildrops: one session each, and what is removed stays removed.

mod support;

use std::time::Duration;

use support::{House, policy};

const MESSAGE: &str = "From: x@other.test\r\nSubject: s\r\n\r\n.one\r\ntwo\r\nthree";

#[tokio::test]
async fn a_maildrop_is_listed_read_and_emptied() {
    let house = House::new().await;
    for _ in 0..3 {
        house.deliver(&["alice@example.test"], MESSAGE).await;
    }
    let (mut alice, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.contains("+OK 3 messages"), "{reply}");
    let ids = alice.says("UIDL").await;
    let id = |n: usize| ids.lines().nth(n).expect("an id").split(' ').nth(1).expect("an id").to_owned();
    assert!((1..=3).all(|n| id(n).len() == 16 && id(n).ends_with(&n.to_string())), "{ids}");
    let reply = alice.says("RETR 1").await;
    assert!(reply.contains("Return-Path: <stranger@other.test>\r\n"), "{reply}");
    assert!(reply.ends_with("\r\n\r\n..one\r\ntwo\r\nthree\r\n.\r\n"), "{reply}");
    let reply = alice.says("TOP 2 1").await;
    assert!(reply.ends_with("\r\n\r\n..one\r\n.\r\n"), "{reply}");
    alice.says("DELE 1").await;
    alice.says("DELE 3").await;
    let reply = alice.says("QUIT").await;
    assert!(reply.starts_with("+OK") && alice.closed, "{reply}");
    // The next one need not wait until the connection is gone.
    let (mut again, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.contains("+OK 1 messages"), "{reply}");
    assert!(again.says("UIDL 1").await.contains(&id(2)));
    assert_eq!(house.contents("alice@example.test").await, [("INBOX".to_owned(), 1)]);
}

/// RFC 1939 §4, RFC 2449 §8.1.1.
#[tokio::test]
async fn a_maildrop_is_open_once() {
    let house = House::new().await;
    let (first, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.contains("+OK 0 messages"), "{reply}");
    let (mut second, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.starts_with("-ERR [IN-USE]"), "{reply}");
    let (_bob, reply) = house.pop3_as("bob@example.test").await;
    assert!(reply.starts_with("+OK"), "{reply}");
    // A session that ends in any way frees it.
    drop(first);
    second.says("USER alice@example.test").await;
    let reply = second.says(&format!("PASS {}", support::PASSWORD)).await;
    assert!(reply.starts_with("+OK"), "{reply}");
}

/// RFC 1939 §6: without QUIT nothing is removed.
#[tokio::test]
async fn a_broken_connection_removes_nothing() {
    let house = House::new().await;
    house.deliver(&["alice@example.test"], MESSAGE).await;
    let (mut alice, _) = house.pop3_as("alice@example.test").await;
    alice.says("DELE 1").await;
    drop(alice);
    let (_alice, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.contains("+OK 1 messages"), "{reply}");
}

/// RFC 2449 §6.5.
#[tokio::test]
async fn log_ins_may_be_made_to_wait() {
    let house = House::with(postmaster::Policy { pop_login_delay: Some(60), ..policy() }).await;
    let (first, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.starts_with("+OK"), "{reply}");
    drop(first);
    let (mut second, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.starts_with("-ERR [LOGIN-DELAY]"), "{reply}");
    second.now = second.now.after(Duration::from_secs(60));
    second.says("USER alice@example.test").await;
    let reply = second.says(&format!("PASS {}", support::PASSWORD)).await;
    assert!(reply.starts_with("+OK"), "{reply}");
}

/// RFC 2449 §6.7.
#[tokio::test]
async fn what_was_retrieved_expires() {
    let house = House::new().await;
    let account = house.id("alice@example.test").await;
    house.store().set_pop_days(account, Some(7)).await.expect("days");
    for _ in 0..2 {
        house.deliver(&["alice@example.test"], MESSAGE).await;
    }
    let (mut alice, _) = house.pop3_as("alice@example.test").await;
    alice.says("RETR 1").await;
    assert!(alice.says("QUIT").await.starts_with("+OK"));
    let mut later = house.pop3().await;
    for (days, count) in [(6, 2), (8, 1)] {
        later = house.pop3().await;
        later.now = later.now.after(Duration::from_secs(days * 24 * 3600));
        later.says("USER alice@example.test").await;
        let reply = later.says(&format!("PASS {}", support::PASSWORD)).await;
        assert!(reply.contains(&format!("+OK {count} messages")), "{days} days: {reply}");
        later.says("QUIT").await;
    }
    drop(later);
}
