//! The directory on the memory engine.

use std::time::Duration;

use mail::{Moment, Secret};

use super::*;
use crate::Store;
use crate::credential::{Checker, Hash, Strength, Verdict, Verifiers};

const NOW: Moment = Moment(1_800_000_000_000);

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn verifiers(password: &str) -> Verifiers {
    Verifiers::make(&secret(password), &Strength::weak(), &[9; 48]).expect("a password")
}

async fn add(directory: &Directory, address: &str) -> AccountId {
    let new = NewAccount {
        address: address.into(),
        name: String::new(),
        verifiers: Some(verifiers(&format!("password of {address}"))),
    };
    directory.add_account(&new, NOW).await.expect(address).id
}

async fn alias(directory: &Directory, address: &str, targets: &[&str]) {
    let targets: Vec<String> = targets.iter().map(|target| (*target).into()).collect();
    directory.set_alias(address, &targets, false).await.expect(address);
}

fn empty() -> Directory {
    Store::new(Ledger::memory()).directory()
}

/// Two domains; alice, bob and carol at the one, dave at the other; carol is disabled.
async fn house() -> (Directory, [AccountId; 4]) {
    let directory = empty();
    directory.add_domain("example.test", NOW).await.expect("domain");
    directory.add_domain("Other.Test", NOW.after(Duration::from_secs(1))).await.expect("domain");
    let mut ids = Vec::new();
    for address in ["alice@example.test", "bob@example.test", "carol@example.test", "dave@other.test"] {
        ids.push(add(&directory, address).await);
    }
    directory.set_enabled("carol@example.test", false).await.expect("carol");
    (directory, ids.try_into().expect("four"))
}

/// Resolves and writes the outcome down: names for accounts, `/detail`.
async fn resolved(directory: &Directory, ids: &[AccountId; 4], address: &str) -> String {
    let names = ["alice", "bob", "carol", "dave"];
    match directory.resolve(address, Some('+')).await.expect(address) {
        Resolution::Accounts(accounts) => {
            let name = |id: &AccountId| names[ids.iter().position(|known| known == id).expect("known")];
            let each = accounts.iter().map(|(id, detail)| match detail {
                Some(detail) => format!("{}/{detail}", name(id)),
                None => name(id).to_owned(),
            });
            each.collect::<Vec<_>>().join(" ")
        }
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn where_mail_goes() {
    let (directory, ids) = house().await;
    alias(&directory, "sales@example.test", &["alice@example.test", "bob@example.test"]).await;
    alias(&directory, "both@other.test", &["sales@example.test", "dave@other.test", "bob@example.test"])
        .await;
    alias(&directory, "a+b@example.test", &["bob@example.test"]).await;
    alias(&directory, "gone@example.test", &["nobody@example.test"]).await;
    alias(&directory, "asleep@example.test", &["carol@example.test"]).await;
    alias(&directory, "half@example.test", &["carol@example.test", "bob@example.test"]).await;
    alias(&directory, "tick@example.test", &["tock@example.test"]).await;
    alias(&directory, "tock@example.test", &["tick@example.test"]).await;
    alias(&directory, "round@example.test", &["tick@example.test", "alice@example.test"]).await;
    alias(&directory, "lists@example.test", &["Bob+Lists@example.test"]).await;
    alias(&directory, "@other.test", &["dave@other.test"]).await;
    for (address, expected) in [
        ("alice@example.test", "alice"),
        ("ALICE@EXAMPLE.TEST", "alice"),
        ("\"alice\"@example.test", "alice"),
        ("alice+Lists@example.test", "alice/Lists"),
        ("alice+a+b@example.test", "alice/a+b"),
        ("alice+@example.test", "NoSuchUser"),
        ("+alice@example.test", "NoSuchUser"),
        ("a+b@example.test", "bob"),
        ("a+c@example.test", "NoSuchUser"),
        ("nobody@example.test", "NoSuchUser"),
        ("gone@example.test", "NoSuchUser"),
        ("carol@example.test", "Disabled"),
        ("asleep@example.test", "Disabled"),
        ("half@example.test", "bob"),
        ("sales@example.test", "alice bob"),
        ("sales+x@example.test", "alice/x bob/x"),
        ("lists@example.test", "bob/Lists"),
        ("both@other.test", "dave bob alice"),
        ("tick@example.test", "NoSuchUser"),
        ("round@example.test", "alice"),
        // The catch-all of the other domain.
        ("whoever@other.test", "dave"),
        ("whoever+x@other.test", "dave"),
        ("dave+x@other.test", "dave/x"),
        // Somebody always answers.
        ("postmaster@example.test", "alice"),
        ("Abuse+spam@example.test", "alice"),
        ("postmaster@other.test", "dave"),
        ("PostMaster", "alice"),
        ("alice@elsewhere.test", "NotLocal"),
        ("alice@sub.example.test", "NotLocal"),
        ("postmaster@elsewhere.test", "NotLocal"),
        ("alice@[127.0.0.1]", "NotLocal"),
        ("\"alice@example.test\"@elsewhere.test", "NotLocal"),
        ("alice@elsewhere.test@example.test", "NotLocal"),
        ("alice%elsewhere.test@example.test", "NoSuchUser"),
        ("\"alice@elsewhere.test\"@example.test", "NoSuchUser"),
        ("\"\"@other.test", "NotLocal"),
        ("@other.test", "NotLocal"),
        ("alice", "NotLocal"),
        ("", "NotLocal"),
    ] {
        assert_eq!(resolved(&directory, &ids, address).await, expected, "{address}");
    }
}

#[tokio::test]
async fn without_a_separator_there_are_no_details() {
    let (directory, _) = house().await;
    let resolution = directory.resolve("alice+x@example.test", None).await;
    assert_eq!(resolution, Ok(Resolution::NoSuchUser));
}

/// RFC 5321 §4.5.1, RFC 2142 §5.
#[tokio::test]
async fn postmaster_reaches_somebody_whatever_happens() {
    let (directory, ids) = house().await;
    let who = async |address| resolved(&directory, &ids, address).await;
    directory.set_enabled("alice@example.test", false).await.expect("alice");
    assert_eq!(who("postmaster@example.test").await, "bob");
    alias(&directory, "postmaster@example.test", &["dave@other.test"]).await;
    assert_eq!(who("postmaster@example.test").await, "dave");
    assert_eq!(who("abuse@example.test").await, "bob", "the alias is for the other");
    directory.remove_account("dave@other.test").await.expect("dave");
    assert_eq!(who("postmaster@example.test").await, "bob", "an alias into nothing is none");
    assert_eq!(who("postmaster@other.test").await, "bob", "nobody is left in this domain");
    directory.set_enabled("bob@example.test", false).await.expect("bob");
    assert_eq!(who("postmaster@example.test").await, "alice", "better a disabled one than nobody");
    let none = empty();
    assert_eq!(none.resolve("postmaster", Some('+')).await, Ok(Resolution::NotLocal));
    none.add_domain("example.test", NOW).await.expect("domain");
    assert_eq!(none.resolve("postmaster", Some('+')).await, Ok(Resolution::NoSuchUser));
}

#[tokio::test]
async fn aliases_neither_lead_too_deep_nor_too_wide() {
    let directory = empty();
    directory.add_domain("example.test", NOW).await.expect("domain");
    let end = add(&directory, "end@example.test").await;
    alias(&directory, "a1@example.test", &["end@example.test"]).await;
    for n in 2..=DEPTH + 1 {
        alias(&directory, &format!("a{n}@example.test"), &[&format!("a{}@example.test", n - 1)]).await;
    }
    let resolve = async |address: &str| directory.resolve(address, Some('+')).await.expect("resolved");
    let deepest = format!("a{DEPTH}@example.test");
    assert_eq!(resolve(&deepest).await, Resolution::Accounts(vec![(end, None)]));
    assert_eq!(resolve(&format!("a{}@example.test", DEPTH + 1)).await, Resolution::Tangled);

    // Cycles of any length end.
    for length in 1..=50 {
        for n in 0..length {
            let next = format!("c{length}-{}@example.test", (n + 1) % length);
            let own = format!("c{length}-{n}@example.test");
            if own != next {
                alias(&directory, &own, &[&next]).await;
            }
        }
        let outcome = resolve(&format!("c{length}-0@example.test")).await;
        let expected = if length > DEPTH + 1 { Resolution::Tangled } else { Resolution::NoSuchUser };
        assert_eq!(outcome, expected, "cycle of {length}");
    }

    // 64 accounts are a commit's worth; one more is refused rather than forgotten.
    let people: Vec<String> = (0..=TARGETS).map(|n| format!("p{n}@example.test")).collect();
    for person in &people {
        add(&directory, person).await;
    }
    directory.set_alias("all@example.test", &people[..TARGETS], false).await.expect("64");
    let wide = [people[TARGETS].clone(), "all@example.test".into()];
    directory.set_alias("more@example.test", &wide, false).await.expect("two");
    let Resolution::Accounts(all) = resolve("all@example.test").await else { panic!("not tangled") };
    assert_eq!(all.len(), TARGETS);
    assert_eq!(resolve("more@example.test").await, Resolution::Tangled);
    assert!(directory.set_alias("too@example.test", &people, false).await.is_err());
}

#[tokio::test]
async fn what_is_refused_and_why() {
    let (directory, _) = house().await;
    let set = async |address: &str, targets: &[&str]| {
        let targets: Vec<String> = targets.iter().map(|target| (*target).into()).collect();
        directory.set_alias(address, &targets, false).await.map(drop)
    };
    let cannot = |outcome: Result<(), Error>| matches!(outcome, Err(Error::Cannot(_)));
    assert!(cannot(set("x@elsewhere.test", &["alice@example.test"]).await), "foreign alias");
    assert!(cannot(set("x@example.test", &["alice@elsewhere.test"]).await), "foreign target");
    assert!(cannot(set("x@example.test", &["x@example.test"]).await), "itself");
    assert!(cannot(set("x@example.test", &[]).await), "nowhere");
    assert!(cannot(set("x@example.test", &["alice"]).await), "no address");
    assert!(cannot(set("x", &["alice@example.test"]).await), "no address");
    assert!(cannot(set("alice@example.test", &["bob@example.test"]).await), "an account");
    assert_eq!(set("x@example.test", &["bob@example.test"]).await, Ok(()));
    assert_eq!(set("X@example.test", &["bob@example.test"]).await, Err(Error::AlreadyExists));
    let make = async |address: &str| {
        let new = NewAccount { address: address.into(), name: String::new(), verifiers: None };
        directory.add_account(&new, NOW).await.map(drop)
    };
    assert_eq!(make("x@example.test").await, Err(Error::AlreadyExists), "an alias");
    assert_eq!(make("Alice@example.test").await, Err(Error::AlreadyExists));
    assert!(cannot(make("x@elsewhere.test").await) && cannot(make("x").await) && cannot(make("").await));
    assert_eq!(directory.add_domain("EXAMPLE.test", NOW).await, Err(Error::AlreadyExists));
    for name in ["", "a b", "a..b", "-a.test", "a.test.", "[127.0.0.1]", "a@b.test"] {
        assert!(cannot(directory.add_domain(name, NOW).await.map(drop)), "{name:?}");
    }
    assert!(cannot(directory.remove_domain("example.test").await), "it has accounts");
    assert_eq!(directory.remove_alias("alice@example.test").await, Err(Error::NonExistent));
    assert_eq!(directory.account("x@example.test").await, Err(Error::NonExistent), "an alias is nobody");
}

#[tokio::test]
async fn numbers_are_never_given_twice() {
    let (directory, ids) = house().await;
    assert_eq!(directory.remove_account("DAVE@other.test").await, Ok(ids[3]));
    assert_eq!(directory.gone().await, Ok(vec![ids[3]]));
    assert_eq!(directory.account_of(ids[3]).await, Err(Error::NonExistent));
    assert_eq!(directory.remove_account("dave@other.test").await, Err(Error::NonExistent));
    let again = add(&directory, "dave@other.test").await;
    assert!(!ids.contains(&again));
    directory.forget(ids[3]).await.expect("forgotten");
    assert_eq!(directory.gone().await, Ok(Vec::new()));
    directory.remove_account("dave@other.test").await.expect("dave");
    alias(&directory, "x@other.test", &["alice@example.test"]).await;
    directory.remove_domain("other.test").await.expect("empty but for an alias");
    assert_eq!(directory.aliases().await, Ok(Vec::new()));
    assert_eq!(directory.is_local("other.test").await, Ok(false));
    assert_eq!(directory.domains().await.map(|all| all.len()), Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_want_one_address_one_gets_it() {
    let directory = empty();
    directory.add_domain("example.test", NOW).await.expect("domain");
    let tries: Vec<_> = (0..16)
        .map(|n| {
            let directory = directory.clone();
            tokio::spawn(async move {
                let address =
                    if n % 2 == 0 { "one@example.test".into() } else { format!("p{n}@example.test") };
                let new = NewAccount { address, name: String::new(), verifiers: None };
                directory.add_account(&new, NOW).await
            })
        })
        .collect();
    let mut ids = Vec::new();
    let mut refused = 0;
    for one in tries {
        match one.await.expect("no panic") {
            Ok(account) => ids.push(account.id),
            Err(Error::AlreadyExists) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), refused), (9, 7));
    assert_eq!(directory.accounts(None).await.map(|all| all.len()), Ok(9));
}

#[tokio::test]
async fn a_directory_moves_house() {
    let (directory, _) = house().await;
    alias(&directory, "@example.test", &["bob@example.test"]).await;
    alias(&directory, "\"odd one\"@example.test", &["bob@example.test", "dave@other.test"]).await;
    directory.set_postmaster("example.test", "bob@example.test").await.expect("bob");
    directory.set_name("bob@example.test", "Bob Böttcher").await.expect("bob");
    directory.set_verifiers("dave@other.test", None).await.expect("dave");
    let export = directory.export().await.expect("export");
    let elsewhere = empty();
    let census = elsewhere.import(&export, NOW).await.expect("import");
    assert_eq!(census, Census { added: 8, changed: 0 });
    assert_eq!(elsewhere.export().await.as_ref(), Ok(&export));
    let again = elsewhere.import(&export, NOW).await.expect("again");
    assert_eq!(again, Census { added: 0, changed: 8 });
    assert_eq!(elsewhere.export().await.as_ref(), Ok(&export));
    let checker = Checker::new(elsewhere, Strength::weak(), 1, [0; 32]);
    let bob = checker.verify("bob@example.test", &secret("password of bob@example.test"), NOW).await;
    assert!(matches!(bob, Verdict::Right { .. }), "passwords move too");
}

#[tokio::test]
async fn who_may_send_as_whom() {
    let (directory, [alice, bob, ..]) = house().await;
    alias(&directory, "sales@example.test", &["alice@example.test"]).await;
    for (account, address, may) in [
        (alice, "alice@example.test", true),
        (alice, "Alice+shop@Example.test", true),
        (alice, "sales@example.test", true),
        (bob, "sales@example.test", false),
        (bob, "alice@example.test", false),
        (alice, "bob@example.test", false),
        (alice, "carol@example.test", false),
        (alice, "dave@other.test", false),
        (alice, "alice@other.test", false),
        (alice, "alice@elsewhere.test", false),
        (alice, "postmaster@example.test", true),
        (alice, "postmaster", false),
        (alice, "alice", false),
        (alice, "", false),
    ] {
        assert_eq!(directory.is_address_of(account, address, Some('+')).await, Ok(may), "{address}");
    }
}

mod passwords {
    use super::*;

    fn checker(directory: &Directory) -> Checker {
        Checker::new(directory.clone(), Strength::weak(), 2, [5; 32])
    }

    #[tokio::test]
    async fn every_wrong_answer_is_the_same_and_costs_the_same() {
        let (directory, _) = house().await;
        directory.set_verifiers("bob@example.test", None).await.expect("bob");
        alias(&directory, "sales@example.test", &["alice@example.test"]).await;
        let checker = checker(&directory);
        let long = "x".repeat(5000);
        for (user, password) in [
            ("alice@example.test", "wrong"),
            ("alice@example.test", ""),
            ("alice@example.test", long.as_str()),
            ("nobody@example.test", "wrong"),
            ("nobody@elsewhere.test", "wrong"),
            ("sales@example.test", "password of alice@example.test"),
            ("bob@example.test", "password of bob@example.test"),
            ("carol@example.test", "password of carol@example.test"),
            ("carol@example.test", "password of carol@example.test"),
            ("alice", "password of alice@example.test"),
            ("", ""),
            ("\0\r\n@", "x"),
            ("@example.test", "x"),
        ] {
            let before = checker.hashed();
            assert_eq!(checker.verify(user, &secret(password), NOW).await, Verdict::Wrong, "{user:?}");
            assert_eq!(checker.hashed() - before, 1, "one hash for {user:?}");
        }
    }

    #[tokio::test]
    async fn a_right_password_is_remembered_for_a_while() {
        let (directory, [alice, ..]) = house().await;
        let checker = checker(&directory);
        let right = Verdict::Right { account: alice, address: "alice@example.test".into() };
        let try_at = async |password: &str, after: u64| {
            let at = NOW.after(Duration::from_secs(after));
            checker.verify("ALICE@example.test", &secret(password), at).await
        };
        let password = "password of alice@example.test";
        assert_eq!(try_at(password, 0).await, right);
        assert_eq!(try_at(password, 1).await, right);
        assert_eq!(checker.hashed(), 1, "the second time it was remembered");
        assert_eq!(try_at("wrong", 2).await, Verdict::Wrong);
        assert_eq!(try_at("wrong", 3).await, Verdict::Wrong);
        assert_eq!(checker.hashed(), 3, "wrong ones never are");
        assert_eq!(try_at(password, 600).await, right);
        assert_eq!(checker.hashed(), 4, "it was forgotten");
        directory.set_verifiers("alice@example.test", Some(&verifiers("new"))).await.expect("alice");
        assert_eq!(try_at(password, 601).await, Verdict::Wrong, "another password, another generation");
        assert_eq!(try_at("new", 602).await, right);
        directory.set_enabled("alice@example.test", false).await.expect("alice");
        assert_eq!(try_at("new", 603).await, Verdict::Wrong, "disabled at once");
        directory.remove_account("alice@example.test").await.expect("alice");
        assert_eq!(try_at("new", 604).await, Verdict::Wrong);
    }

    #[tokio::test]
    async fn a_name_without_a_domain_means_the_only_one() {
        let directory = empty();
        directory.add_domain("example.test", NOW).await.expect("domain");
        add(&directory, "alice@example.test").await;
        let checker = checker(&directory);
        let password = secret("password of alice@example.test");
        assert!(matches!(checker.verify("alice", &password, NOW).await, Verdict::Right { .. }));
        directory.add_domain("other.test", NOW).await.expect("domain");
        assert_eq!(checker.verify("alice", &password, NOW).await, Verdict::Wrong);
    }

    /// Forty clients of one account come at once: one hash does for all.
    #[tokio::test]
    async fn a_crowd_of_one_account_is_hashed_once_a_turn() {
        let (directory, _) = house().await;
        let checker = checker(&directory);
        let crowd: Vec<_> = (0..40)
            .map(|_| {
                let checker = checker.clone();
                let password = secret("password of bob@example.test");
                tokio::spawn(async move { checker.verify("bob@example.test", &password, NOW).await })
            })
            .collect();
        for one in crowd {
            assert!(matches!(one.await, Ok(Verdict::Right { .. })));
        }
        assert!(checker.hashed() <= 2, "{} hashes on two turns", checker.hashed());
    }

    #[tokio::test]
    async fn too_many_at_once_are_told_so() {
        let (directory, _) = house().await;
        let checker = Checker::new(directory, Strength::weak(), 1, [5; 32]);
        let crowd: Vec<_> = (0..200)
            .map(|n| {
                let checker = checker.clone();
                tokio::spawn(
                    async move { checker.verify(&format!("n{n}@example.test"), &secret("x"), NOW).await },
                )
            })
            .collect();
        let mut unavailable = 0;
        for one in crowd {
            match one.await.expect("no panic") {
                Verdict::Wrong => {}
                Verdict::Unavailable => unavailable += 1,
                right => panic!("{right:?}"),
            }
        }
        assert!(unavailable > 0, "200 at once are more than may wait");
        assert_eq!(checker.hashed() + unavailable, 200);
        assert_eq!(checker.verify("x", &secret("x"), NOW).await, Verdict::Wrong, "and then it goes on");
    }

    /// RFC 5802 §5.1: a salt must not tell whether there is such a user.
    #[tokio::test]
    async fn the_false_salt_stays_the_same_over_restarts() {
        let ledger = Ledger::memory();
        let first = Store::new(ledger.clone()).directory();
        first.add_domain("example.test", NOW).await.expect("domain");
        add(&first, "alice@example.test").await;
        let salt = async |directory: &Directory, user: &str, hash| {
            let keys = checker(directory).scram(user, hash).await.expect("readable");
            keys.map(|keys| (keys.rounds, keys.salt, keys.stored_key))
        };
        let known = salt(&first, "alice@example.test", Hash::Sha256).await.expect("keys");
        let nobody = salt(&first, "nobody@example.test", Hash::Sha256).await.expect("keys");
        assert_eq!((known.0, known.1.len(), known.2.len()), (nobody.0, nobody.1.len(), nobody.2.len()));
        let restarted = Store::new(ledger).directory();
        assert_eq!(salt(&restarted, "NOBODY@example.test", Hash::Sha256).await, Some(nobody.clone()));
        assert_ne!(salt(&restarted, "nobody2@example.test", Hash::Sha256).await, Some(nobody.clone()));
        let elsewhere = empty();
        assert_ne!(salt(&elsewhere, "nobody@example.test", Hash::Sha256).await, Some(nobody));
        assert_eq!(salt(&restarted, "nobody@example.test", Hash::Sha1).await, None);
        assert_eq!(salt(&restarted, "alice@example.test", Hash::Sha1).await, None);
    }
}
