//! Changes on the memory engine.

use bytes::Bytes;
use mail::{FlagChange, ModSeq, Uid, UidSet};

use super::*;
use crate::rows::account::{INBOX, Mailbox, Quota};
use crate::scene::{ACCOUNT, Letter, Scene, every, flags, news, summary_of, told, uids};

async fn filled(scene: &Scene, names: &[&str]) -> ModSeq {
    let letters: Vec<Letter> = (0..)
        .zip(names)
        .map(|(number, names)| Letter::new(&format!("Subject: {number}\r\n\r\nbody")).flags(names))
        .collect();
    scene.file(INBOX, &letters).await
}

async fn set(scene: &Scene, set: &UidSet, change: FlagChange, since: Option<ModSeq>) -> Flagged {
    scene.store.set_flags(ACCOUNT, INBOX, set, &change, since).await.unwrap()
}

/// RFC 9051 §6.4.6
#[tokio::test]
async fn flags_are_replaced_added_and_removed() {
    let scene = Scene::new().await;
    let filed = filled(&scene, &["", "\\Seen", "Fun \\Deleted", ""]).await;
    let some = uids(&[2..=3, 9..=9]);
    let added = set(&scene, &some, FlagChange::Add(flags("\\Flagged fun New")), None).await;
    assert_eq!(told(&added.rows), "2 \\Flagged \\Seen Fun New, 3 \\Flagged \\Deleted Fun New");
    assert_eq!((added.commit, added.modified.is_empty()), (Some(ModSeq(filed.0 + 1)), true));
    assert!(added.rows.iter().all(|row| Some(row.modseq) == added.commit));
    let removed = set(&scene, &some, FlagChange::Remove(flags("\\Seen FUN nothing")), None).await;
    assert_eq!(told(&removed.rows), "2 \\Flagged New, 3 \\Flagged \\Deleted New");
    let replaced = set(&scene, &uids(&[1..=2]), FlagChange::Replace(flags("\\Draft")), None).await;
    assert_eq!(told(&replaced.rows), "1 \\Draft, 2 \\Draft");
    let known = scene.store.select(ACCOUNT, "INBOX", true).await.unwrap().keywords;
    assert_eq!(known, ["Fun", "New"], "what was only removed was never made");
    assert_eq!(replaced.rows, scene.rows(&scene.afresh(), INBOX).await[..2]);
    scene.check_counters(&[INBOX]).await;
}

#[tokio::test]
async fn only_rows_that_change_are_written() {
    let scene = Scene::new().await;
    let filed = filled(&scene, &["\\Seen", "", "\\Seen"]).await;
    let commits = scene.plan.commits();
    let same = set(&scene, &uids(&[1..=1, 3..=3]), FlagChange::Add(flags("\\Seen")), None).await;
    assert_eq!((told(&same.rows).as_str(), same.commit), ("1 \\Seen, 3 \\Seen", None));
    assert_eq!(scene.plan.commits(), commits);
    let mixed = set(&scene, &every(), FlagChange::Add(flags("\\Seen")), None).await;
    let modseqs: Vec<ModSeq> = mixed.rows.iter().map(|row| row.modseq).collect();
    assert_eq!(modseqs, [filed, mixed.commit.unwrap(), filed]);
    assert_eq!(news(&scene.since(INBOX, filed).await), "-[] +[2 \\Seen]");
    let nobody = set(&scene, &uids(&[7..=9]), FlagChange::Add(flags("Made")), None).await;
    assert_eq!(nobody, Flagged::default());
    assert!(scene.since(INBOX, ModSeq(0)).await.keywords.unwrap().is_empty(), "no message has got it");
}

/// RFC 7162 §3.1.3
#[tokio::test]
async fn unchanged_since() {
    let scene = Scene::new().await;
    let first = filled(&scene, &["", "", ""]).await;
    let second = scene.add_flags(INBOX, &uids(&[2..=2]), "\\Seen").await.unwrap();
    let add = || FlagChange::Add(flags("\\Deleted"));
    let flagged = set(&scene, &every(), add(), Some(first)).await;
    assert_eq!(told(&flagged.rows), "1 \\Deleted, 2 \\Seen, 3 \\Deleted");
    assert_eq!((flagged.modified.to_string().as_str(), flagged.rows[1].modseq), ("2", second));
    let again = set(&scene, &every(), add(), Some(second)).await;
    assert_eq!(
        (told(&again.rows).as_str(), again.modified.to_string().as_str()),
        ("1 \\Deleted, 2 \\Deleted \\Seen, 3 \\Deleted", "1,3")
    );
    let none = set(&scene, &every(), FlagChange::Add(flags("Made")), Some(ModSeq(0))).await;
    assert_eq!((none.modified.to_string().as_str(), none.commit), ("1:3", None));
    assert!(none.rows.iter().all(|row| row.flags.keywords.is_empty()));
}

/// Of two that store the same at once with the same condition, one wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_condition_holds_for_one_of_many() {
    let scene = Scene::new().await;
    let filed = filled(&scene, &[""]).await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let store = scene.store.clone();
            tokio::spawn(async move {
                let change = FlagChange::Add(flags(&format!("Owner{number}")));
                store.set_flags(ACCOUNT, INBOX, &uids(&[1..=1]), &change, Some(filed)).await.unwrap()
            })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap().modified.is_empty());
    }
    assert_eq!(won, 1);
    assert_eq!(scene.rows(&scene.store, INBOX).await[0].flags.keywords.len(), 1);
}

/// An answer without a commit of its own still waits for what it saw. What it saw may be another's.
#[tokio::test]
async fn nothing_is_answered_before_it_is_durable() {
    let scene = Scene::new().await;
    filled(&scene, &[""]).await;
    scene.plan.hold_durability();
    let mut tasks = Vec::new();
    for round in 1..=2 {
        let store = scene.store.clone();
        tasks.push(tokio::spawn(async move {
            let change = FlagChange::Add(flags("\\Seen"));
            store.set_flags(ACCOUNT, INBOX, &uids(&[1..=1]), &change, None).await.unwrap().commit
        }));
        while scene.plan.waiting() < round {
            tokio::task::yield_now().await;
        }
    }
    assert!(tasks.iter().all(|task| !task.is_finished()));
    scene.plan.let_go();
    let commits = [tasks.remove(0).await.unwrap(), tasks.remove(0).await.unwrap()];
    assert!(matches!(commits, [Some(_), None]), "{commits:?}");
}

#[tokio::test]
async fn limits_of_flags() {
    let scene = Scene::new().await;
    scene.fill(INBOX, limits::FLAGS_PER_COMMIT + 1).await;
    let change = FlagChange::Add(flags("\\Seen"));
    let all = scene.store.set_flags(ACCOUNT, INBOX, &every(), &change, None).await;
    assert!(matches!(all, Err(Error::Limit(_))));
    let most = uids(&[2..=u32::MAX]);
    assert!(scene.store.set_flags(ACCOUNT, INBOX, &most, &change, None).await.is_ok());
    let names: Vec<String> = (0..=limits::KEYWORDS).map(|number| format!("k{number}")).collect();
    let change = FlagChange::Add(flags(&names.join(" ")));
    let many = scene.store.set_flags(ACCOUNT, INBOX, &uids(&[1..=1]), &change, None).await;
    assert!(matches!(many, Err(Error::Limit(_))));
    let change = FlagChange::Add(flags(&names[1..].join(" ")));
    let set = scene.store.set_flags(ACCOUNT, INBOX, &uids(&[1..=1]), &change, None).await.unwrap();
    assert_eq!(set.rows[0].flags.keywords.len(), limits::KEYWORDS);
    assert_eq!(scene.rows(&scene.store, INBOX).await[0], set.rows[0], "the last bit is kept in memory too");
}

/// RFC 9051 §6.4.3, RFC 4315 §2.1
#[tokio::test]
async fn expunge_takes_what_is_deleted() {
    let scene = Scene::new().await;
    filled(&scene, &["\\Deleted", "", "\\Deleted \\Seen", "\\Deleted", ""]).await;
    let blob = scene.rows(&scene.store, INBOX).await[2].blob;
    let (gone, first) = scene.store.expunge(ACCOUNT, INBOX, Some(&uids(&[2..=3]))).await.unwrap();
    assert_eq!(gone.to_string(), "3");
    assert_eq!(scene.store.octets(ACCOUNT, blob, 0..9).await, Err(Error::NonExistent), "its body is let go");
    let (gone, second) = scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap();
    assert_eq!((gone.to_string().as_str(), second), ("1,4", ModSeq(first.0 + 1)));
    let commits = scene.plan.commits();
    assert!(scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap().0.is_empty());
    assert_eq!(scene.plan.commits(), commits);
    assert_eq!(told(&scene.rows(&scene.store, INBOX).await), "2, 5");
    scene.check_counters(&[INBOX]).await;
    let left = scene.store.ledger().scan(ACCOUNT.ledger(), &[0x11], &[0x13], 100).await.unwrap();
    assert_eq!(left.len(), 2, "summaries of the two that are left");
}

#[tokio::test]
async fn expunge_of_very_many_takes_several_commits() {
    let scene = Scene::new().await;
    scene.fill(INBOX, limits::REMOVED_PER_COMMIT + 10).await;
    for low in (1..=limits::REMOVED_PER_COMMIT as u32 + 10).step_by(limits::FLAGS_PER_COMMIT) {
        let part = uids(&[low..=low + limits::FLAGS_PER_COMMIT as u32 - 1]);
        scene.add_flags(INBOX, &part, "\\Deleted").await;
    }
    let before = scene.store.ledger().head(ACCOUNT.ledger()).await.unwrap();
    let (gone, reached) = scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap();
    assert_eq!((gone.len(), reached.0), (limits::REMOVED_PER_COMMIT as u64 + 10, before.0 + 2));
    assert!(scene.rows(&scene.store, INBOX).await.is_empty());
    scene.check_counters(&[INBOX]).await;
}

async fn copy(scene: &Scene, set: &[std::ops::RangeInclusive<u32>], to: &str, remove: bool) -> Copied {
    scene.store.copy(ACCOUNT, INBOX, &uids(set), to, remove).await.unwrap()
}

/// RFC 9051 §6.4.7: flags and INTERNALDATE are kept.
#[tokio::test]
async fn copies_are_like_their_sources() {
    let scene = Scene::new().await;
    let work = scene.make("Work").await;
    scene.file(work, &[Letter::new("\r\nfirst").flags("Other Fun")]).await;
    filled(&scene, &["Alone", "\\Seen fun", "", "Fun New \\Draft"]).await;
    scene.file(INBOX, &[Letter::new("A: b\r\n\r\nlong ago").date(mail::Moment(5000))]).await;
    let copied = copy(&scene, &[2..=2, 4..=99], "Work", false).await;
    let row = scene.store.ledger().get(ACCOUNT.ledger(), &rows::mailbox(work)).await.unwrap().unwrap();
    let target = Mailbox::decode(&row.value).unwrap();
    assert_eq!((target.uid_validity, target.highest), (copied.uid_validity.0, copied.modseq));
    assert_eq!(copied.pairs, [(2, 2), (4, 3), (5, 4)].map(|(from, to)| (Uid(from), Uid(to))));
    let all = uids(&[1..=100]);
    let (copies, _) = scene.store.rows(ACCOUNT, work, &all, true, None).await.unwrap();
    assert_eq!(told(&copies), "1 Fun Other, 2 \\Seen Fun, 3 \\Draft Fun New, 4");
    assert_eq!(copies[3].date, mail::Moment(5000));
    let body = scene.store.octets(ACCOUNT, copies[3].blob, 0..100).await.unwrap();
    assert_eq!(body, Bytes::from_static(b"A: b\r\n\r\nlong ago"));
    assert_eq!(copies[3].summary, Some(summary_of(&body)));
    assert_eq!(scene.rows(&scene.store, INBOX).await.len(), 5, "the sources stay");
    assert_eq!(scene.store.select(ACCOUNT, "Work", true).await.unwrap().info.recent, 4);
    scene.check_counters(&[INBOX, work]).await;
    // Each has a hold on the body of its own.
    scene.add_flags(INBOX, &every(), "\\Deleted").await;
    scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap();
    scene.check_counters(&[INBOX, work]).await;
}

/// RFC 6851 §3.3
#[tokio::test]
async fn moves_take_everything_along() {
    let scene = Scene::new().await;
    let work = scene.make("Work").await;
    let start = filled(&scene, &["", "\\Seen Fun", "\\Deleted"]).await;
    let moved = copy(&scene, &[2..=3], "Work", true).await;
    assert_eq!(moved.pairs, [(2, 1), (3, 2)].map(|(from, to)| (Uid(from), Uid(to))));
    assert_eq!(news(&scene.since(INBOX, start).await), "-[2:3] +[]");
    assert_eq!(news(&scene.since(work, start).await), "-[] +[1 \\Seen Fun, 2 \\Deleted]");
    scene.check_counters(&[INBOX, work]).await;
    // Into the same mailbox: new UIDs, nothing else.
    let start = moved.modseq;
    let (before, _) = scene.store.rows(ACCOUNT, work, &every(), true, None).await.unwrap();
    let again = scene.store.copy(ACCOUNT, work, &uids(&[1..=1]), "Work", true).await.unwrap();
    assert_eq!(again.pairs, [(Uid(1), Uid(3))]);
    assert_eq!(news(&scene.since(work, start).await), "-[1] +[3 \\Seen Fun]");
    let (after, _) = scene.store.rows(ACCOUNT, work, &uids(&[3..=3]), true, None).await.unwrap();
    let expected = MessageRow { uid: Uid(3), modseq: again.modseq, ..before[0].clone() };
    assert_eq!(after, [expected]);
    let same = scene.store.copy(ACCOUNT, work, &uids(&[3..=3]), "work/", false).await;
    assert_eq!(same, Err(Error::NonExistent), "names have case");
    let same = scene.store.copy(ACCOUNT, work, &uids(&[3..=3]), "Work", false).await.unwrap();
    assert_eq!(same.pairs, [(Uid(3), Uid(4))]);
    scene.check_counters(&[INBOX, work]).await;
}

#[tokio::test]
async fn copy_of_nothing_and_into_nothing() {
    let scene = Scene::new().await;
    scene.make("Work").await;
    let start = filled(&scene, &[""]).await;
    let commits = scene.plan.commits();
    let copied = copy(&scene, &[5..=9], "Work", false).await;
    assert_eq!((copied.pairs.len(), copied.modseq), (0, start));
    let lost = scene.store.copy(ACCOUNT, INBOX, &every(), "Play", true).await;
    assert_eq!(lost, Err(Error::NonExistent));
    assert_eq!(scene.plan.commits(), commits);
}

#[tokio::test]
async fn copies_count_against_the_quota_and_moves_do_not() {
    let scene = Scene::new().await;
    let work = scene.make("Work").await;
    filled(&scene, &["", "", ""]).await;
    let size = scene.rows(&scene.store, INBOX).await[0].size;
    let over = Err(Error::OverQuota(ACCOUNT));
    let copy = async |set: &[std::ops::RangeInclusive<u32>], remove| {
        scene.store.copy(ACCOUNT, INBOX, &uids(set), "Work", remove).await.map(|copied| copied.pairs.len())
    };
    scene.set_quota(Quota { storage: Some(4 * size), messages: None }).await;
    assert_eq!(copy(&[1..=2], false).await, over, "all or none");
    assert_eq!(scene.rows(&scene.store, work).await.len(), 0);
    assert_eq!(copy(&[1..=1], false).await, Ok(1), "up to the last octet");
    scene.set_quota(Quota { storage: None, messages: Some(5) }).await;
    assert_eq!(copy(&[1..=2], false).await, over);
    scene.set_quota(Quota { storage: Some(1), messages: Some(1) }).await;
    assert_eq!(copy(&[1..=1], false).await, over);
    assert_eq!(copy(&[1..=3], true).await, Ok(3));
    scene.check_counters(&[INBOX, work]).await;
}

/// The target may have no numbers left for the keywords of the sources; then nothing is copied.
#[tokio::test]
async fn copies_whose_keywords_do_not_fit() {
    let scene = Scene::new().await;
    let work = scene.make("Work").await;
    let names: Vec<String> = (0..limits::KEYWORDS - 1).map(|number| format!("k{number}")).collect();
    scene.file(work, &[Letter::new("\r\n").flags(&names.join(" "))]).await;
    filled(&scene, &["a1", "a2"]).await;
    let both = scene.store.copy(ACCOUNT, INBOX, &every(), "Work", true).await;
    assert!(matches!(both, Err(Error::Limit(_))));
    assert_eq!(scene.rows(&scene.store, INBOX).await.len(), 2);
    assert_eq!(copy(&scene, &[2..=2], "Work", true).await.pairs.len(), 1, "unused ones need no number");
    assert_eq!(told(&scene.rows(&scene.store, work).await[1..]), "2 a2");
}
