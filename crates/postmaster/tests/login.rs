//! Logging in, through all three doors.

mod support;

use std::time::Duration;

use mail::Secret;
use proto::login::{Credentials, LoginAnswer, LoginRefusal};
use proto::{imap, pop3, smtp};
use support::{House, NOW, PASSWORD, plain};

fn credentials(user: &str, authzid: &str, password: &str) -> Credentials {
    Credentials {
        user: user.into(),
        authzid: authzid.into(),
        password: Secret::new(password.as_bytes().to_vec()),
        mechanism: "PLAIN",
    }
}

/// Through one door, from one address.
async fn answer(house: &House, door: &str, peer: &str, credentials: Credentials) -> LoginAnswer {
    let mut visit = house.postmaster.visit(peer.parse().expect(peer));
    match door {
        "smtp" => match visit.smtp(NOW, smtp::ask::Ask::Login(credentials)).await {
            smtp::ask::Answer::Login(answer) => answer,
            other => panic!("{other:?}"),
        },
        "imap" => match visit.imap(NOW, imap::ask::Ask::Login(credentials)).await {
            imap::ask::Answer::Login(answer) => answer,
            other => panic!("{other:?}"),
        },
        _ => match visit.pop3(NOW, pop3::ask::Ask::Login(credentials)).await {
            pop3::ask::Answer::Login(answer) => answer,
            other => panic!("{other:?}"),
        },
    }
}

#[tokio::test]
async fn who_is_wrong_does_not_learn_why() {
    let house = House::new().await;
    house.store().directory().set_verifiers("dave@second.test", None).await.expect("dave");
    for door in ["smtp", "imap", "pop3"] {
        let cases = [
            ("alice@example.test", "", "wrong"),
            ("nobody@example.test", "", PASSWORD),
            ("carol@example.test", "", PASSWORD),
            ("dave@second.test", "", PASSWORD),
            ("sales@example.test", "", PASSWORD),
            ("alice@other.test", "", PASSWORD),
            ("alice", "", PASSWORD),
            ("", "", ""),
            // Nobody acts for another, right password or not.
            ("alice@example.test", "bob@example.test", PASSWORD),
            ("alice@example.test", "root", PASSWORD),
        ];
        for (n, (user, authzid, password)) in cases.into_iter().enumerate() {
            let before = house.postmaster.checker().hashed();
            let peer = format!("2001:db8:{}:{n}::1", door.len() * 10 + usize::from(door == "imap"));
            let found = answer(&house, door, &peer, credentials(user, authzid, password)).await;
            let wanted = LoginAnswer::Refused { reason: LoginRefusal::Wrong, wait: Duration::ZERO };
            match found {
                LoginAnswer::Refused { reason: LoginRefusal::Wrong, .. } => {}
                other => panic!("{door}, {user}: {other:?} instead of {wanted:?}"),
            }
            // Each costs one hash, unless a right password was refused for another reason.
            if authzid.is_empty() {
                assert_eq!(house.postmaster.checker().hashed(), before + 1, "{door}, {user}");
            }
        }
    }
}

#[tokio::test]
async fn who_is_right_is_welcome_under_any_spelling() {
    let house = House::new().await;
    for door in ["smtp", "imap", "pop3"] {
        for (user, authzid) in [
            ("alice@example.test", ""),
            ("ALICE@Example.Test", ""),
            ("alice@example.test", "alice@example.test"),
            ("Alice@example.test", "Alice@example.test"),
            ("ALICE@example.test", "alice@example.test"),
        ] {
            let found = answer(&house, door, "192.0.2.1", credentials(user, authzid, PASSWORD)).await;
            let LoginAnswer::Welcome(who) = found else { panic!("{door}, {user}: {found:?}") };
            assert_eq!(who.address, "alice@example.test");
            assert_eq!(who.account, house.id("alice@example.test").await);
        }
    }
}

/// The doors count together, this host included.
#[tokio::test]
async fn guessing_is_slow_and_then_over() {
    let house = House::new().await;
    for (peer, user) in [("192.0.2.1", "alice@example.test"), ("127.0.0.1", "nobody@example.test")] {
        let mut waits = Vec::new();
        for n in 0..12 {
            let door = ["smtp", "imap", "pop3"][n % 3];
            match answer(&house, door, peer, credentials(user, "", &format!("guess {n}"))).await {
                LoginAnswer::Refused { reason: LoginRefusal::Wrong, wait } => waits.push(wait.as_secs()),
                LoginAnswer::Refused { reason: LoginRefusal::TooMany, .. } => break,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 15, 15, 15, 15], "{peer}");
        let found = answer(&house, "imap", peer, credentials("bob@example.test", "", PASSWORD)).await;
        assert!(matches!(found, LoginAnswer::Refused { reason: LoginRefusal::TooMany, .. }), "{found:?}");
    }
    let found = answer(&house, "imap", "192.0.2.9", credentials("alice@example.test", "", PASSWORD)).await;
    assert!(matches!(found, LoginAnswer::Welcome(_)), "{found:?}");
}

/// Reliability L1: a thousand at once are no way round.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_sent_together_are_judged_one_after_the_other() {
    let house = House::new().await;
    let mut guesses = tokio::task::JoinSet::new();
    for n in 0..200 {
        let mut visit = house.postmaster.visit("192.0.2.1".parse().expect("an address"));
        guesses.spawn(async move {
            let guess = credentials("alice@example.test", "", &format!("guess {n}"));
            visit.imap(NOW, imap::ask::Ask::Login(guess)).await
        });
    }
    let mut looked_at = 0;
    while let Some(answer) = guesses.join_next().await {
        match answer.expect("an answer") {
            imap::ask::Answer::Login(LoginAnswer::Refused { reason: LoginRefusal::Wrong, .. }) => {
                looked_at += 1;
            }
            imap::ask::Answer::Login(LoginAnswer::Refused { reason: LoginRefusal::TooMany, .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    // Those who came together before the first failure was counted, and no more.
    assert!((10..=19).contains(&looked_at), "{looked_at}");
    assert_eq!(house.postmaster.checker().hashed(), looked_at);
}

#[tokio::test]
async fn the_session_tells_a_failure_after_its_wait() {
    let house = House::new().await;
    let mut talk = house.submission("192.0.2.1").await;
    let mut told = Vec::new();
    for n in 0..4 {
        let before = talk.now;
        let reply =
            talk.says(&format!("AUTH PLAIN {}", plain("", "alice@example.test", &format!("{n}")))).await;
        assert!(reply.starts_with("535 5.7.8"), "{reply}");
        told.push(before.until(talk.now).as_secs());
    }
    assert_eq!(told, [0, 0, 1, 2]);
    let reply = talk.says(&format!("AUTH PLAIN {}", plain("", "alice@example.test", PASSWORD))).await;
    assert!(reply.starts_with("235"), "{reply}");
}

/// A session that logs in again has one place, not two.
#[tokio::test]
async fn places_are_not_lost() {
    let house = House::new().await;
    let mut visit = house.postmaster.visit("192.0.2.1".parse().expect("an address"));
    for _ in 0..20 {
        let ask = imap::ask::Ask::Login(credentials("alice@example.test", "", PASSWORD));
        let answer = visit.imap(NOW, ask).await;
        assert!(matches!(answer, imap::ask::Answer::Login(LoginAnswer::Welcome(_))), "{answer:?}");
    }
    // Who fails is nobody, whoever it was before.
    let ask = imap::ask::Ask::Login(credentials("alice@example.test", "", "wrong"));
    visit.imap(NOW, ask).await;
    let ask = imap::ask::Ask::Mailboxes { account: house.id("alice@example.test").await, after: None };
    let answer = visit.imap(NOW, ask).await;
    assert!(matches!(answer, imap::ask::Answer::No { code: imap::ask::Code::NoPerm, .. }), "{answer:?}");
}
