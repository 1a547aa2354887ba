//! Mail for others is taken from nobody: not at the door of other servers, not at that of our own people without a
//! log-in, and not from this host itself. RFC 5321 §7.1.

mod support;

use support::House;

/// Senders that have opened relays elsewhere.
const SENDERS: &[&str] = &[
    "stranger@other.test",
    "",
    "alice@example.test",
    "postmaster@example.test",
    "nobody@example.test",
    "stranger@mail.example.test",
    "stranger@[192.0.2.1]",
    "stranger@[127.0.0.1]",
    "root@localhost",
];

/// What stands behind RCPT TO. None of it is an address of ours, whatever it holds.
const RECIPIENTS: &[&str] = &[
    // Plain.
    "<victim@other.test>",
    "<victim@OTHER.TEST>",
    "<victim@other.test.>",
    "<victim@sub.example.test>",
    "<victim@example.test.other.test>",
    "<victim@localhost>",
    "<victim@mail.example.test>",
    "<alice@mail.example.test>",
    // The percent hack.
    "<victim%other.test@example.test>",
    "<victim%other.test@mail.example.test>",
    "<victim%other.test@[127.0.0.1]>",
    "<victim%other.test@[192.0.2.1]>",
    "<victim%other.test>",
    "<victim%other.test%example.test@example.test>",
    "<\"victim%other.test\"@example.test>",
    "<\"victim%other.test\">",
    // Bangs.
    "<other.test!victim>",
    "<other.test!victim@example.test>",
    "<other.test!victim@[127.0.0.1]>",
    "<example.test!other.test!victim@example.test>",
    // Source routes.
    "<@example.test:victim@other.test>",
    "<@mail.example.test:victim@other.test>",
    "<@[127.0.0.1]:victim@other.test>",
    "<@example.test,@other.test:victim@third.test>",
    "<@example.test:victim%other.test@example.test>",
    "<@example.test:\"victim@other.test\"@example.test>",
    "@example.test:victim@other.test",
    // Quoted local parts that hold an address.
    "<\"victim@other.test\"@example.test>",
    "<\"victim@other.test\"@[127.0.0.1]>",
    "<\"victim@other.test\">",
    "<\"victim\\@other.test\"@example.test>",
    "<\"<victim@other.test>\"@example.test>",
    "<\"alice@example.test\"@other.test>",
    "<\"alice\"@other.test>",
    "<\"alice@example.test \"@other.test>",
    // Two at signs.
    "<victim@other.test@example.test>",
    "<victim@other.test@[127.0.0.1]>",
    "<alice@example.test@other.test>",
    "<victim@other.test,alice@example.test>",
    "<victim@other.test> <alice@example.test>",
    "<victim@other.test><alice@example.test>",
    // Literals.
    "<victim@[127.0.0.1]>",
    "<victim@[192.0.2.1]>",
    "<victim@[IPv6:::1]>",
    "<victim@[IPv6:::ffff:127.0.0.1]>",
    "<alice@[127.0.0.1]>",
    "<alice@127.0.0.1>",
    // Other signs.
    "<victim@b\u{fc}cher.test>",
    "<victim@xn--bcher-kva.test>",
    "<victim@example\u{3002}test>",
    "<victim @other.test>",
    "<victim@ other.test>",
    "< victim@other.test >",
    "<victim@other.test\0@example.test>",
    "<victim@other.test\t@example.test>",
    "<+victim@other.test@example.test>",
    "<alice+victim@other.test>",
    "<victim+alice@other.test>",
    "<|victim@example.test>",
    "<victim;alice@example.test>",
    "<*@example.test>",
    "<@example.test>",
    "<>",
    "victim@other.test",
    "<victim@other.test> ORCPT=rfc822;alice@example.test",
    "<victim@other.test> NOTIFY=NEVER",
];

#[tokio::test]
async fn no_form_opens_the_door() {
    let house = House::new().await;
    assert!(RECIPIENTS.len() >= 40);
    for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "192.0.2.1", "2001:db8::1"] {
        for recipient in RECIPIENTS {
            for sender in SENDERS {
                let mut talk = house.relay(peer).await;
                let reply = talk.says(&format!("MAIL FROM:<{sender}>")).await;
                assert!(reply.starts_with("250"), "{sender}: {reply}");
                let reply = talk.says(&format!("RCPT TO:{recipient}")).await;
                assert!(reply.starts_with('5'), "{peer}, {sender}, {recipient}: {reply}");
                let reply = talk.says("DATA").await;
                assert!(reply.starts_with("554") || reply.starts_with("503"), "{recipient}: {reply}");
            }
        }
    }
}

#[tokio::test]
async fn whoever_has_not_logged_in_submits_nothing() {
    let house = House::new().await;
    for peer in ["127.0.0.1", "::1", "192.0.2.1"] {
        for sender in SENDERS {
            let mut talk = house.submission(peer).await;
            let reply = talk.says(&format!("MAIL FROM:<{sender}>")).await;
            assert!(reply.starts_with("530"), "{sender}: {reply}");
            for recipient in ["<victim@other.test>", "<alice@example.test>"] {
                let reply = talk.says(&format!("RCPT TO:{recipient}")).await;
                assert!(reply.starts_with("503"), "{recipient}: {reply}");
            }
        }
    }
}

/// There is no queue yet, so nothing is promised to those who log in either.
#[tokio::test]
async fn what_cannot_be_sent_on_is_not_taken() {
    let house = House::new().await;
    let mut talk = house.submitter("alice@example.test").await;
    for recipient in RECIPIENTS {
        talk.says("RSET").await;
        talk.says("MAIL FROM:<alice@example.test>").await;
        let reply = talk.says(&format!("RCPT TO:{recipient}")).await;
        assert!(reply.starts_with('5') || reply.starts_with("421"), "{recipient}: {reply}");
        if talk.closed {
            talk = house.submitter("alice@example.test").await;
        }
    }
    let mut talk = house.submitter("alice@example.test").await;
    let reply = talk.mails("alice@example.test", &["victim@other.test"], "").await;
    assert_eq!(
        reply,
        "550 5.3.2 <victim@other.test>: this server does not yet send mail to other domains\r\n"
    );
}

/// Each refusal says what is the matter.
#[tokio::test]
async fn refusals_are_precise() {
    let house = House::new().await;
    house.alias("loop1@example.test", &["loop2@example.test"]).await;
    house.alias("loop2@example.test", &["loop1@example.test"]).await;
    let mut wide = Vec::new();
    for n in 0..65 {
        let address = format!("w{n}@example.test");
        house.person(&address).await;
        wide.push(address);
    }
    let (first, second) = wide.split_at(33);
    house.alias("w1@second.test", &first.iter().map(String::as_str).collect::<Vec<_>>()).await;
    house.alias("w2@second.test", &second.iter().map(String::as_str).collect::<Vec<_>>()).await;
    house.alias("w@second.test", &["w1@second.test", "w2@second.test"]).await;
    let mut talk = house.relay("192.0.2.1").await;
    talk.says("MAIL FROM:<>").await;
    for (recipient, reply) in [
        ("alice@example.test", "250 2.1.5"),
        ("ALICE@EXAMPLE.TEST", "250 2.1.5"),
        ("\"alice\"@example.test", "250 2.1.5"),
        ("alice+lists@example.test", "250 2.1.5"),
        ("postmaster", "250 2.1.5"),
        ("abuse@second.test", "250 2.1.5"),
        ("nobody@example.test", "550 5.1.1 <nobody@example.test>"),
        ("nobody+alice@example.test", "550 5.1.1"),
        ("dave@example.test", "550 5.1.1"),
        ("carol@example.test", "550 5.2.1"),
        ("loop1@example.test", "550 5.1.1"),
        ("w@second.test", "451 4.3.5"),
        ("x@other.test", "550 5.7.1 <x@other.test>: relaying denied"),
    ] {
        let found = talk.says(&format!("RCPT TO:<{recipient}>")).await;
        assert!(found.starts_with(reply), "{recipient}: {found}");
    }
}
