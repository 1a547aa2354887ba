//! Mail from other servers, into the mailboxes it is for.

mod support;

use support::{House, policy};

const MESSAGE: &str = "From: x@other.test\r\nSubject: s\r\n\r\ntext";

fn inbox(count: u32) -> Vec<(String, u32)> {
    vec![("INBOX".into(), count)]
}

#[tokio::test]
async fn a_message_arrives_with_its_trace() {
    let house = House::new().await;
    let reply = house.deliver(&["alice@example.test"], MESSAGE).await;
    let id = reply.strip_prefix("250 2.0.0 Message kept as ").expect(&reply).trim_end();
    let mut alice = house.imap_as("alice@example.test").await;
    alice.says("a SELECT INBOX").await;
    let fetched = alice.says("b FETCH 1 (INTERNALDATE BODY.PEEK[])").await;
    let wanted = format!(
        "Return-Path: <stranger@other.test>\r\n\
         Received: from client.test ([192.0.2.1])\r\n\
         \tby mail.example.test with ESMTP id {id}\r\n\
         \tfor <alice@example.test>;\r\n\
         \tFri, 15 Jan 2027 08:00:00 +0000\r\n\
         {MESSAGE}\r\n"
    );
    assert!(fetched.contains(&format!("BODY[] {{{}}}\r\n{wanted})", wanted.len())), "{fetched}");
    assert!(fetched.contains("INTERNALDATE \"15-Jan-2027 08:00:00 +0000\""), "{fetched}");
}

#[tokio::test]
async fn who_is_reached_twice_gets_one() {
    let house = House::new().await;
    let recipients = ["alice@example.test", "sales@example.test", "all@example.test", "ALICE+x@example.test"];
    let reply = house.deliver(&recipients, MESSAGE).await;
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(house.contents("alice@example.test").await, inbox(1));
    assert_eq!(house.contents("bob@example.test").await, inbox(1));
    assert_eq!(house.contents("dave@second.test").await, []);
}

#[tokio::test]
async fn a_detail_names_a_mailbox_if_there_is_one() {
    let house = House::new().await;
    let mut alice = house.imap_as("alice@example.test").await;
    for name in ["Lists", "work", "WORK", "a/b"] {
        let reply = alice.says(&format!("a CREATE {name}")).await;
        assert!(reply.contains("a OK"), "{reply}");
    }
    for (recipient, mailbox) in [
        ("alice+Lists@example.test", "Lists"),
        ("alice+lists@example.test", "Lists"),
        ("alice+LISTS@example.test", "Lists"),
        ("alice+work@example.test", "work"),
        ("alice+WORK@example.test", "WORK"),
        ("alice+a/b@example.test", "a/b"),
        ("sales+lists@example.test", "Lists"),
        ("alice+nothing@example.test", "INBOX"),
        ("alice+inbox@example.test", "INBOX"),
        ("\"alice+../x\"@example.test", "INBOX"),
        ("\"alice+*\"@example.test", "INBOX"),
        ("alice@example.test", "INBOX"),
    ] {
        let before = house.contents("alice@example.test").await;
        assert!(house.deliver(&[recipient], MESSAGE).await.starts_with("250"), "{recipient}");
        let after = house.contents("alice@example.test").await;
        let count =
            |list: &[(String, u32)]| list.iter().find(|(name, _)| name == mailbox).map_or(0, |found| found.1);
        assert_eq!(count(&after), count(&before) + 1, "{recipient}: {after:?}");
    }
}

#[tokio::test]
async fn a_full_mailbox_refuses_and_nobody_gets_half() {
    let house = House::new().await;
    let alice = house.id("alice@example.test").await;
    let quota = store::Quota { storage: Some(2000), ..store::Quota::default() };
    house.store().set_quota(alice, quota).await.expect("quota");
    // Known at RCPT.
    let mut talk = house.relay("192.0.2.1").await;
    talk.says("MAIL FROM:<x@other.test> SIZE=5000").await;
    let reply = talk.says("RCPT TO:<alice@example.test>").await;
    assert!(reply.starts_with("452 4.2.2 <alice@example.test>"), "{reply}");
    assert!(talk.says("RCPT TO:<bob@example.test>").await.starts_with("250"));
    // Known only when it is here.
    let long = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(300));
    let reply = house.deliver(&["bob@example.test", "alice@example.test"], &long).await;
    assert!(reply.starts_with("452 4.2.2 <alice@example.test>"), "{reply}");
    assert_eq!(house.contents("alice@example.test").await, []);
    assert_eq!(house.contents("bob@example.test").await, []);
    assert!(house.deliver(&["alice@example.test"], MESSAGE).await.starts_with("250"));
}

#[tokio::test]
async fn sizes_have_a_limit() {
    let house = House::new().await;
    let mut talk = house.relay("192.0.2.1").await;
    let reply = talk.says("MAIL FROM:<x@other.test> SIZE=1000001").await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    let long = format!("{MESSAGE}\r\n{}", "0123456789\r\n".repeat(90_000));
    let reply = house.deliver(&["alice@example.test"], &long).await;
    assert!(reply.starts_with("552 5.3.4"), "{reply}");
    // The trace before it does not count.
    let octets = 1_000_000 - MESSAGE.len() - 4;
    let long =
        format!("{MESSAGE}\r\n{}", "0123456789abcdef01234567890abcdef0123456789abcd\r\n".repeat(octets / 49));
    let reply = house.deliver(&["alice@example.test"], &long).await;
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(house.contents("alice@example.test").await, inbox(1));
}

/// RFC 5321 §6.3.
#[tokio::test]
async fn loops_end() {
    let house = House::new().await;
    let hops = |count: usize| {
        format!("{}{MESSAGE}", "Received: from a by b;\r\n Fri, 15 Jan 2027\r\n".repeat(count))
    };
    let reply = house.deliver(&["alice@example.test"], &hops(100)).await;
    assert!(reply.starts_with("250"), "{reply}");
    let reply = house.deliver(&["alice@example.test"], &hops(101)).await;
    assert!(reply.starts_with("554 5.4.6"), "{reply}");
}

/// One commit reaches so many accounts; the peer is told to send the rest again. RFC 5321 §4.5.3.1.10.
#[tokio::test]
async fn more_accounts_than_a_commit_reaches() {
    let house = House::new().await;
    let most = store::limits::TARGETS;
    let mut talk = house.relay("192.0.2.1").await;
    for round in 0..2 {
        talk.says("MAIL FROM:<x@other.test>").await;
        for n in 0..most {
            let address = format!("p{n}@example.test");
            if round == 0 {
                house.person(&address).await;
            }
            let reply = talk.says(&format!("RCPT TO:<{address}>")).await;
            assert!(reply.starts_with("250"), "{address}: {reply}");
        }
        let reply = talk.says("RCPT TO:<alice@example.test>").await;
        assert!(reply.starts_with("452 4.5.3"), "{reply}");
        // Who is among them already costs nothing more.
        assert!(talk.says("RCPT TO:<p1+x@example.test>").await.starts_with("250"));
        let reply = talk.text(MESSAGE).await;
        assert!(reply.starts_with("250"), "{reply}");
    }
    assert_eq!(house.contents("p63@example.test").await, inbox(2));
    assert_eq!(house.contents("alice@example.test").await, []);
}

/// Reliability S8: what the peer calls itself stays on its line.
#[tokio::test]
async fn a_greeting_injects_nothing() {
    let house = House::new().await;
    for helo in ["[192.0.2.1]", "a;b", "(x)", "a<b>", "\u{fc}", "a\tb", "-", "a\0b", "a\u{85}b"] {
        let mut talk = house.relay("192.0.2.1").await;
        talk.says(&format!("EHLO {helo}")).await;
        talk.says("MAIL FROM:<x@other.test>").await;
        talk.says("RCPT TO:<alice@example.test>").await;
        assert!(talk.text(MESSAGE).await.starts_with("250"), "{helo}");
    }
    let mut alice = house.imap_as("alice@example.test").await;
    alice.says("a SELECT INBOX").await;
    let fetched = alice.says("b FETCH 1:* BODY[HEADER.FIELDS (RECEIVED)]").await;
    assert_eq!(fetched.matches("Received: from ").count(), 9, "{fetched}");
    assert!(
        !fetched.contains(['\0', '\u{85}', '<', ';'].map(|sign| format!("from {sign}")).concat().as_str())
    );
}

#[tokio::test]
async fn an_empty_message_is_a_message() {
    let house = House::new().await;
    let mut talk = house.relay("192.0.2.1").await;
    talk.says("MAIL FROM:<>").await;
    talk.says("RCPT TO:<alice@example.test>").await;
    talk.says("DATA").await;
    let reply = talk.says(".").await;
    assert!(reply.starts_with("250"), "{reply}");
    assert_eq!(house.contents("alice@example.test").await, inbox(1));
}

#[tokio::test]
async fn without_a_separator_a_plus_is_a_letter() {
    let house = House::with(postmaster::Policy { separator: None, ..policy() }).await;
    let mut talk = house.relay("192.0.2.1").await;
    talk.says("MAIL FROM:<>").await;
    let reply = talk.says("RCPT TO:<alice+x@example.test>").await;
    assert!(reply.starts_with("550 5.1.1"), "{reply}");
}

/// A listener hears of a delivery to its own account, and of no other.
#[tokio::test]
async fn bells_ring_for_their_own() {
    let house = House::new().await;
    let alice = house.imap_as("alice@example.test").await;
    let (own, other) =
        (house.id("alice@example.test").await.ledger(), house.id("bob@example.test").await.ledger());
    let before = house.store().ledger().head(own).await.expect("head");
    let ring = alice.visit.ring(own, before);
    let foreign = alice.visit.ring(other, mail::ModSeq(0));
    house.deliver(&["alice@example.test", "bob@example.test"], MESSAGE).await;
    assert!(ring.await > before);
    tokio::select! {
        biased;
        _ = foreign => panic!("another account's bell rang"),
        () = tokio::task::yield_now() => {}
    }
}
