//! What IMAP sessions get from their account, and what of others they do not.

mod support;

use mail::{BlobId, MailboxId, ModSeq, Moment, Uid, UidSet};
use proto::imap::ask::{Answer, Ask, Code};
use support::{House, NOW, Talk, policy};

const MESSAGE: &str = "From: x@other.test\r\nSubject: s\r\n\r\ntext\r\n";

async fn append(talk: &mut Talk<proto::imap::Server>, mailbox: &str, message: &str) -> String {
    let invited = talk.says(&format!("x APPEND {mailbox} (\\Seen) {{{}}}", message.len())).await;
    if !invited.starts_with('+') {
        return invited;
    }
    talk.sends(format!("{message}\r\n").as_bytes()).await
}

#[tokio::test]
async fn append_fetch_copy_and_move() {
    let house = House::new().await;
    let mut alice = house.imap_as("alice@example.test").await;
    let reply = append(&mut alice, "INBOX", MESSAGE).await;
    assert!(reply.contains("x OK [APPENDUID "), "{reply}");
    let reply = append(&mut alice, "Nowhere", MESSAGE).await;
    assert!(reply.starts_with("x NO [TRYCREATE]"), "{reply}");
    let reply = append(&mut alice, "INBOX", &"x".repeat(1_000_001)).await;
    assert!(reply.starts_with("x NO [TOOBIG]"), "{reply}");
    let reply = alice.says("a SELECT INBOX").await;
    assert!(reply.contains("* 1 EXISTS"), "{reply}");
    let reply = alice.says("b FETCH 1 (FLAGS RFC822.SIZE BODY[] BODY[HEADER.FIELDS (SUBJECT)])").await;
    assert!(reply.contains(MESSAGE) && reply.contains("Subject: s\r\n\r\n)"), "{reply}");
    let reply = alice.says("c COPY 1 Archive2").await;
    assert!(reply.contains("c NO [TRYCREATE]"), "{reply}");
    assert!(alice.says("d CREATE Archive2").await.contains("d OK"));
    let reply = alice.says("e CREATE Archive2").await;
    assert!(reply.contains("e NO [ALREADYEXISTS]"), "{reply}");
    let reply = alice.says("f COPY 1 Archive2").await;
    assert!(reply.contains("f OK [COPYUID "), "{reply}");
    let reply = alice.says("g MOVE 1 Archive2").await;
    assert!(reply.contains("[COPYUID ") && reply.contains("g OK"), "{reply}");
    assert_eq!(house.contents("alice@example.test").await, [("Archive2".to_owned(), 2)]);
    let reply = alice.says("h DELETE Nowhere").await;
    assert!(reply.contains("h NO [NONEXISTENT]"), "{reply}");
    assert!(alice.says("i SELECT Archive2").await.contains("* 2 EXISTS"));
    let reply = alice.says("j SEARCH SUBJECT s").await;
    assert!(reply.contains("* SEARCH 1 2"), "{reply}");
    alice.says("k STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    let reply = alice.says("l EXPUNGE").await;
    assert!(reply.contains("* 1 EXPUNGE"), "{reply}");
    let reply = alice.says("m RENAME Archive2 Old").await;
    assert!(reply.contains("m OK"), "{reply}");
    let reply = alice.says("n STATUS Old (MESSAGES)").await;
    assert!(reply.contains("(MESSAGES 1)"), "{reply}");
}

#[tokio::test]
async fn a_quota_is_told_before_and_after() {
    let house = House::new().await;
    let quota = store::Quota { storage: Some(100), ..store::Quota::default() };
    house.store().set_quota(house.id("alice@example.test").await, quota).await.expect("quota");
    let mut alice = house.imap_as("alice@example.test").await;
    let reply = append(&mut alice, "INBOX", &MESSAGE.repeat(9)).await;
    assert!(reply.starts_with("x NO [OVERQUOTA]"), "{reply}");
    assert!(append(&mut alice, "INBOX", MESSAGE).await.contains("x OK"));
    assert!(append(&mut alice, "INBOX", MESSAGE).await.contains("x OK"));
    alice.says("a SELECT INBOX").await;
    let reply = alice.says("b COPY 1:2 INBOX").await;
    assert!(reply.contains("b NO [OVERQUOTA]"), "{reply}");
}

#[tokio::test]
async fn sessions_of_an_account_are_counted() {
    let house = House::new().await;
    let mut open = Vec::new();
    for _ in 0..policy().sessions_per_account - 1 {
        open.push(house.imap_as("alice@example.test").await);
    }
    let (_pop, reply) = house.pop3_as("alice@example.test").await;
    assert!(reply.contains("+OK"), "{reply}");
    let mut more = house.imap().await;
    let login = format!("a LOGIN alice@example.test \"{}\"", support::PASSWORD);
    let reply = more.says(&login).await;
    assert!(reply.contains("a NO") || reply.contains("* BYE"), "{reply}");
    // Others are not touched, and mail is still submitted.
    house.imap_as("bob@example.test").await;
    house.submitter("alice@example.test").await;
    open.pop();
    house.imap_as("alice@example.test").await;
}

/// Reliability I10: whatever a session asks about another account is refused in one way.
#[tokio::test]
async fn no_account_is_reached_from_another() {
    let house = House::new().await;
    house.deliver(&["bob@example.test"], MESSAGE).await;
    let account = house.id("bob@example.test").await;
    let mailbox = MailboxId(1);
    let uids = || [Uid(1)].into_iter().collect::<UidSet>();
    let name = || "INBOX".to_owned();
    let maildrop = house.store().maildrop(account).await.expect("maildrop");
    let blob: BlobId = maildrop.entries[0].2;
    let asks = || {
        vec![
            Ask::Mailboxes { account, after: None },
            Ask::Mailbox { account, name: name() },
            Ask::Create { account, name: "x".into(), special_use: None },
            Ask::Delete { account, name: "Sent".into() },
            Ask::Rename { account, from: name(), to: "x".into() },
            Ask::Subscribe { account, name: name(), subscribe: true },
            Ask::Select { account, name: name(), read_only: true },
            Ask::Since { account, mailbox, after: ModSeq(0) },
            Ask::Rows { account, mailbox, uids: uids(), summaries: true, changed_since: None },
            Ask::Octets { account, ranges: vec![(blob, 0..10)] },
            Ask::Store {
                account,
                mailbox,
                uids: uids(),
                change: mail::FlagChange::Add(mail::Flags::default()),
                unchanged_since: None,
            },
            Ask::Expunge { account, mailbox, uids: None },
            Ask::Copy { account, mailbox, uids: uids(), to: name(), remove: true },
            Ask::MayAppend { account, mailbox: name(), size: 1 },
            Ask::Append {
                account,
                mailbox: name(),
                body: mail::BodyId(1),
                flags: mail::Flags::default(),
                date: None,
            },
            Ask::Search {
                account,
                mailbox,
                key: std::sync::Arc::new(mail::SearchKey::All),
                recent_from: Uid(1),
                after: None,
            },
        ]
    };
    let mut nobody = house.postmaster.visit("192.0.2.1".parse().expect("an address"));
    let mut alice = house.imap_as("alice@example.test").await;
    for visit in [&mut nobody, &mut alice.visit] {
        for ask in asks() {
            let words = format!("{ask:?}");
            let answer = visit.imap(NOW, ask).await;
            assert!(matches!(answer, Answer::No { code: Code::NoPerm, .. }), "{words}: {answer:?}");
        }
        assert!(visit.read(blob, 0..10).await.is_err());
        let ask = proto::pop3::ask::Ask::Open(account);
        let answer = visit.pop3(NOW, ask).await;
        assert!(matches!(answer, proto::pop3::ask::Answer::Failed(_)), "{answer:?}");
    }
    // The owner has it all.
    let bob = house.imap_as("bob@example.test").await;
    assert_eq!(&bob.visit.read(blob, 0..11).await.expect("octets")[..], b"Return-Path");
}

#[tokio::test]
async fn octets_have_a_limit_and_are_cut_at_the_end() {
    let house = House::new().await;
    let long = format!("Subject: s\r\n\r\n{}", "0123456789abcdef\r\n".repeat(40_000));
    let mut alice = house.imap_as("alice@example.test").await;
    assert!(append(&mut alice, "INBOX", &long).await.contains("x OK"));
    let account = house.id("alice@example.test").await;
    let blob = house.store().maildrop(account).await.expect("maildrop").entries[0].2;
    let size = long.len() as u64;
    let whole = || (blob, 0..u64::MAX);
    let ask = |ranges| Ask::Octets { account, ranges };
    let Answer::Octets(found) = alice.visit.imap(NOW, ask(vec![whole(), (blob, size - 3..size + 9)])).await
    else {
        panic!("octets")
    };
    assert_eq!(found.iter().map(|octets| octets.len() as u64).collect::<Vec<_>>(), [size, 3]);
    assert_eq!(found[0], long.as_bytes());
    let answer = alice.visit.imap(NOW, ask(vec![whole(), whole()])).await;
    assert!(matches!(answer, Answer::No { code: Code::Limit, .. }), "{answer:?}");
    let answer = alice.visit.imap(NOW, ask(vec![(BlobId([1; 32]), 0..1)])).await;
    assert!(matches!(answer, Answer::No { code: Code::None, .. }), "{answer:?}");
}

/// A body that has grown too large, or that nobody kept, is not filed.
#[tokio::test]
async fn bodies_that_failed_are_not_filed() {
    let house = House::new().await;
    let mut alice = house.imap_as("alice@example.test").await;
    let account = house.id("alice@example.test").await;
    let file = |body: u64| Ask::Append {
        account,
        mailbox: "INBOX".into(),
        body: mail::BodyId(body),
        flags: mail::Flags::default(),
        date: Some(Moment(0)),
    };
    let visit = &mut alice.visit;
    let answer = visit.imap(NOW, file(90)).await;
    assert!(matches!(answer, Answer::No { code: Code::Unavailable, .. }), "{answer:?}");
    for _ in 0..20 {
        visit.keep(mail::BodyId(91), vec![b'x'; 100_000].into()).await;
    }
    let answer = visit.imap(NOW, file(91)).await;
    assert!(matches!(answer, Answer::No { code: Code::TooBig, .. }), "{answer:?}");
    // Bodies that are not finished make no room for more, until they are.
    for id in [92, 93, 94] {
        visit.keep(mail::BodyId(id), MESSAGE.into()).await;
    }
    let answer = visit.imap(NOW, file(94)).await;
    assert!(matches!(answer, Answer::No { code: Code::Limit, .. }), "{answer:?}");
    visit.abandon(mail::BodyId(92));
    visit.keep(mail::BodyId(95), MESSAGE.into()).await;
    for id in [93, 95] {
        let answer = visit.imap(NOW, file(id)).await;
        assert!(matches!(answer, Answer::Appended { .. }), "{answer:?}");
    }
}
