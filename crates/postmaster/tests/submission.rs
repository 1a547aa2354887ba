//! Our own people write under their own addresses only. RFC 6409 §6.1.

mod support;

use support::House;

const TO: &[&str] = &["bob@example.test"];

fn message(header: &str) -> String {
    format!("{header}\r\nSubject: s\r\n\r\ntext")
}

#[tokio::test]
async fn own_addresses_are_accepted() {
    let house = House::new().await;
    let mut talk = house.submitter("alice@example.test").await;
    let senders =
        ["alice@example.test", "ALICE@example.TEST", "sales@example.test", "alice+list@example.test", ""];
    for sender in senders {
        let reply = talk.mails(sender, TO, &message("From: Alice <alice@example.test>")).await;
        assert!(reply.starts_with("250 2.0.0"), "{sender}: {reply}");
    }
    for header in [
        "From: alice@example.test",
        "From: \"ceo@bank.test\" <Alice@Example.Test>",
        "From: sales@example.test",
        "From: alice+x@example.test, all@example.test\r\nSender: alice@example.test",
        "From: alice@example.test\r\nReply-To: ceo@bank.test",
        "Resent-From: alice@example.test\r\nFrom: alice@example.test",
    ] {
        let reply = talk.mails("alice@example.test", TO, &message(header)).await;
        assert!(reply.starts_with("250 2.0.0"), "{header}: {reply}");
    }
}

/// Reliability S7, and the tricks of "Composition Kills" (USENIX Security 2020).
#[tokio::test]
async fn other_peoples_addresses_are_not() {
    let house = House::new().await;
    for sender in [
        "bob@example.test",
        "carol@example.test",
        "nobody@example.test",
        "dave@second.test",
        "postmaster@second.test",
        "ceo@bank.test",
        "alice@example.test.bank.test",
        "alice@bank.test",
        "\"alice@example.test\"@bank.test",
        "@example.test:ceo@bank.test",
        "alice@[127.0.0.1]",
        "bob+alice@example.test",
    ] {
        let mut talk = house.submitter("alice@example.test").await;
        let reply = talk.mails(sender, TO, &message("From: alice@example.test")).await;
        assert!(reply.starts_with("550 5.7.1"), "{sender}: {reply}");
    }
    for header in [
        "From: bob@example.test",
        "From: ceo@bank.test",
        "From: Alice <ceo@bank.test>",
        "From: \"alice@example.test\" <ceo@bank.test>",
        "From: ceo@bank.test (alice@example.test)",
        "From: alice@example.test, ceo@bank.test",
        "From: ceo@bank.test, alice@example.test",
        "From: <alice@example.test>, <ceo@bank.test>",
        "From: alice@example.test\r\nSender: ceo@bank.test",
        "From: alice@example.test\r\nSender: bob@example.test",
        "From: alice@example.test\r\nResent-From: bob@example.test",
        "From: alice@example.test\r\nResent-Sender: ceo@bank.test",
        "From:\r\n ceo@bank.test",
        "From: ceo@bank.test\r\nX: y\r\n z",
        "FROM: ceo@bank.test",
        "From : ceo@bank.test",
        "From: postmaster@second.test",
        "From: carol@example.test",
        "From: dave@second.test",
        "From: \"alice@example.test,\"@bank.test",
        "From: alice@example.test.",
    ] {
        let mut talk = house.submitter("alice@example.test").await;
        let reply = talk.mails("alice@example.test", TO, &message(header)).await;
        assert!(reply.starts_with("550 5.7.1") || reply.starts_with("550 5.6.0"), "{header}: {reply}");
    }
    let mut talk = house.submitter("alice@example.test").await;
    let reply = talk.mails("alice@example.test", TO, &message("From: ceo@bank.test")).await;
    assert!(reply.contains("From has <ceo@bank.test>"), "{reply}");
    assert!(reply.contains("you may send as <alice@example.test>"), "{reply}");
    assert_eq!(house.contents("bob@example.test").await, []);
}

#[tokio::test]
async fn what_two_programs_read_in_two_ways_is_not_taken() {
    let house = House::new().await;
    for header in [
        "To: bob@example.test",
        "From: alice@example.test\r\nFrom: ceo@bank.test",
        "From: ceo@bank.test\r\nFrom: alice@example.test",
        "From: alice@example.test\r\nfrom : ceo@bank.test",
        "From: alice@example.test\r\nSender: alice@example.test\r\nSender: ceo@bank.test",
        "From: <alice@example.test> ceo@bank.test",
        "From: <alice@example.test><ceo@bank.test>",
        "From: ceo@bank.test <alice@example.test>",
        "From: <@bank.test:alice@example.test>",
        "From: Group: alice@example.test;",
        "From: undisclosed:;",
        "From:",
        "From: alice",
        "From: alice@example.test\0ceo@bank.test",
        "From: alice@example.test, =?utf-8?Q?ceo=40bank.test?=",
        "From: (comment alice@example.test",
        "From: alice@example.test\r\nFrom\0: ceo@bank.test",
        "From: alice@example.test\r\nThis is no field\r\nFrom: ceo@bank.test",
        "From: alice@example.test\r\n\0\r\nFrom: ceo@bank.test",
        "From ceo@bank.test\r\nFrom: alice@example.test",
    ] {
        let mut talk = house.submitter("alice@example.test").await;
        let reply = talk.mails("alice@example.test", TO, &message(header)).await;
        assert!(reply.starts_with("550 5.6.0"), "{header:?}: {reply}");
    }
    assert_eq!(house.contents("bob@example.test").await, []);
}

/// Without its empty line a header is complete only if nothing follows.
#[tokio::test]
async fn a_message_may_be_a_header_alone() {
    let house = House::new().await;
    let mut talk = house.submitter("alice@example.test").await;
    let reply = talk.mails("alice@example.test", TO, "From: alice@example.test\r\nSubject: s").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(house.contents("bob@example.test").await, [("INBOX".to_owned(), 1)]);
}

/// RFC 6409 §8.2, §8.3.
#[tokio::test]
async fn what_is_missing_is_added() {
    let house = House::new().await;
    let mut talk = house.submitter("alice@example.test").await;
    talk.mails("alice@example.test", TO, &message("From: alice@example.test")).await;
    let with = "From: alice@example.test\r\nDate: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <a@b>";
    talk.mails("alice@example.test", TO, &message(with)).await;
    let mut bob = house.imap_as("bob@example.test").await;
    bob.says("a SELECT INBOX").await;
    let first = bob.says("b FETCH 1 BODY[]").await;
    assert!(first.contains("\r\nDate: Fri, 15 Jan 2027 08:00:00 +0000\r\n"), "{first}");
    assert_eq!(first.matches("\r\nMessage-ID: <").count(), 1, "{first}");
    assert!(first.contains("@mail.example.test>\r\nFrom: alice@example.test\r\n"), "{first}");
    assert!(first.contains(" with ESMTPA id "), "{first}");
    let second = bob.says("c FETCH 2 BODY[]").await;
    assert_eq!(second.matches("Date: ").count(), 1, "{second}");
    assert_eq!(second.to_lowercase().matches("\r\nmessage-id: ").count(), 1, "{second}");
}

/// A log-in that has been taken away writes no more.
#[tokio::test]
async fn an_account_that_is_disabled_stops_sending() {
    let house = House::new().await;
    let mut talk = house.submitter("bob@example.test").await;
    house.store().directory().set_enabled("bob@example.test", false).await.expect("bob");
    let reply = talk.mails("bob@example.test", &["alice@example.test"], "").await;
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
}
