//! Views on the memory engine.

use std::collections::BTreeMap;
use std::time::Duration;

use mail::{Flags, ModSeq, Uid, UidSet};

use crate::rows::account::{self as rows, INBOX};
use crate::scene::{ACCOUNT, Letter, Scene, every, flags, news, summary_of, told, uids};
use crate::{Error, Store, limits};

fn letters(count: usize) -> Vec<Letter> {
    (0..count).map(|number| Letter::new(&format!("Subject: {number}\r\n\r\nbody"))).collect()
}

/// RFC 3501 §2.3.2: the first session to be told of a message, and no other; EXAMINE does not count.
#[tokio::test]
async fn recent_is_taken_by_the_first_who_selects() {
    let scene = Scene::new().await;
    scene.file(INBOX, &letters(2)).await;
    let select = async |read_only| {
        let selected = scene.store.select(ACCOUNT, "inbox", read_only).await.unwrap();
        (selected.recent_from, selected.info.recent)
    };
    assert_eq!(select(true).await, (Uid(1), 2));
    let commits = scene.plan.commits();
    assert_eq!(select(false).await, (Uid(1), 2));
    assert_eq!(scene.plan.commits(), commits + 1);
    assert_eq!(select(false).await, (Uid(3), 0));
    assert_eq!(scene.plan.commits(), commits + 1, "nothing to take away, nothing to commit");
    scene.file(INBOX, &letters(1)).await;
    assert_eq!(select(true).await, (Uid(3), 1));
    assert_eq!(select(false).await, (Uid(3), 1));
    assert_eq!(select(false).await, (Uid(4), 0));
    scene.check_counters(&[INBOX]).await;
}

#[tokio::test]
async fn only_one_of_many_who_select_together_takes_recent() {
    let scene = Scene::new().await;
    scene.file(INBOX, &letters(3)).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = scene.store.clone();
            tokio::spawn(async move { store.select(ACCOUNT, "INBOX", false).await.unwrap().recent_from })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        first += usize::from(task.await.unwrap() == Uid(1));
    }
    assert_eq!(first, 1);
}

#[tokio::test]
async fn what_select_tells() {
    let scene = Scene::new().await;
    let work = scene.make("Work").await;
    let [seen, plain] = ["\\Seen $Done", ""].map(|names| Letter::new("A: b\r\n\r\n12345").flags(names));
    scene.file(work, &[seen.clone(), plain.clone().flags("\\Deleted"), plain]).await;
    let last = scene.file(work, &[seen]).await;
    scene.fill(INBOX, 1).await;
    let selected = scene.store.select(ACCOUNT, "Work", true).await.unwrap();
    assert_eq!(selected.uids, [1, 2, 3, 4].map(Uid));
    assert_eq!((selected.first_unseen, selected.recent_from), (Some(Uid(2)), Uid(1)));
    assert_eq!(selected.keywords, ["$Done"]);
    let info = selected.info;
    assert_eq!((info.id, info.name.as_str(), info.subscribed), (Some(work), "Work", false));
    assert_eq!((info.messages, info.unseen, info.deleted, info.size), (4, 2, 1, 4 * 13));
    assert_eq!((info.uid_next, info.highest_modseq), (Uid(5), last));
    for name in ["Play", "", "a//b", "Work/"] {
        let expected = if name == "Work/" { None } else { Some(Error::NonExistent) };
        assert_eq!(scene.store.select(ACCOUNT, name, true).await.err(), expected, "{name}");
    }
    let nobody = mail::AccountId(4711);
    assert_eq!(scene.store.select(nobody, "INBOX", false).await.err(), Some(Error::NonExistent));
}

#[tokio::test]
async fn news_since() {
    let scene = Scene::new().await;
    let start = scene.file(INBOX, &letters(5)).await;
    assert_eq!(news(&scene.since(INBOX, start).await), "-[] +[]");
    let other = scene.make("Other").await;
    scene.add_flags(INBOX, &uids(&[2..=3]), "\\Seen").await;
    let second = scene.add_flags(INBOX, &uids(&[3..=3, 5..=5]), "\\Deleted Fun").await.unwrap();
    let changes = scene.since(INBOX, start).await;
    assert_eq!(news(&changes), "-[] +[2 \\Seen, 3 \\Deleted \\Seen Fun, 5 \\Deleted Fun]");
    assert_eq!((changes.head, changes.deleted), (second, false));
    assert_eq!(changes.keywords, Some(vec!["Fun".into()]));
    assert_eq!(scene.since(INBOX, second).await.keywords, None);
    let (gone, third) = scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap();
    assert_eq!(gone.to_string(), "3,5");
    let fourth = scene.file(INBOX, &letters(1)).await;
    assert_eq!(news(&scene.since(INBOX, second).await), "-[3,5] +[6]");
    assert_eq!(news(&scene.since(INBOX, third).await), "-[] +[6]");
    // What happens elsewhere moves the head, and is no news.
    let elsewhere = scene.file(other, &letters(1)).await;
    let changes = scene.since(INBOX, fourth).await;
    assert_eq!((news(&changes).as_str(), changes.head), ("-[] +[]", elsewhere));
    let moved = scene.store.copy(ACCOUNT, INBOX, &uids(&[1..=2]), "Other", true).await.unwrap();
    assert_eq!(news(&scene.since(INBOX, elsewhere).await), "-[1:2] +[]");
    assert_eq!(news(&scene.since(other, elsewhere).await), "-[] +[2, 3 \\Seen]");
    assert_eq!(scene.since(other, elsewhere).await.head, moved.modseq);
    // Whoever has seen nothing is told everything.
    assert_eq!(news(&scene.since(INBOX, ModSeq(0)).await), "-[1:3,5] +[4, 6]");
}

/// A session is shown only what would survive a loss of power.
#[tokio::test]
async fn what_is_not_durable_is_not_shown() {
    let scene = Scene::new().await;
    let start = scene.file(INBOX, &letters(2)).await;
    assert_eq!(news(&scene.since(INBOX, start).await), "-[] +[]");
    scene.plan.hold_durability();
    let store = scene.store.clone();
    let writer = tokio::spawn(async move {
        let change = mail::FlagChange::Add(flags("\\Seen Fun"));
        store.set_flags(ACCOUNT, INBOX, &uids(&[1..=1]), &change, None).await.unwrap()
    });
    while scene.plan.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    for store in [&scene.store, &scene.afresh()] {
        assert_eq!(news(&store.since(ACCOUNT, INBOX, start).await.unwrap()), "-[] +[]");
        assert_eq!(told(&scene.rows(store, INBOX).await), "1, 2");
    }
    scene.plan.let_go();
    let flagged = writer.await.unwrap();
    assert_eq!(told(&flagged.rows), "1 \\Seen Fun");
    assert_eq!(news(&scene.since(INBOX, start).await), "-[] +[1 \\Seen Fun]");
}

/// The promise of views: a change costs what changed, whatever the size of the mailbox.
#[tokio::test]
async fn an_open_view_costs_what_is_new() {
    let scene = Scene::new().await;
    scene.fill(INBOX, 20_000).await;
    let mut seen = scene.since(INBOX, ModSeq(0)).await.head;
    let view = scene.store.view(ACCOUNT, INBOX).await.unwrap();
    let opened = view.reads();
    assert!(opened > 20_000, "opening it read every row: {opened}");
    let select = scene.store.select(ACCOUNT, "INBOX", true).await.unwrap();
    assert_eq!((select.uids.len(), view.reads() - opened), (20_000, 1), "one look at the log");
    for _ in 0..10 {
        scene.file(INBOX, &letters(1)).await;
        let before = view.reads();
        let mut told = Vec::new();
        // Five sessions.
        for _ in 0..5 {
            told.push(news(&scene.since(INBOX, seen).await));
        }
        let uid = scene.store.select(ACCOUNT, "INBOX", true).await.unwrap().uids.len();
        assert_eq!(told, vec![format!("-[] +[{uid}]"); 5]);
        // The entry and its row once; a look at the log for each session and for SELECT.
        assert_eq!(view.reads() - before, 2 + 6);
        seen = scene.since(INBOX, seen).await.head;
    }
    let before = view.reads();
    let many = uids(&[1..=5000]);
    scene.add_flags(INBOX, &many, "\\Flagged").await;
    assert_eq!(scene.since(INBOX, seen).await.rows.len(), 5000);
    let cost = view.reads() - before;
    assert!((5000..5100).contains(&cost), "{cost}");
}

/// More changes than a view remembers: all that changed is told, and all UIDs that are not there.
#[tokio::test]
async fn a_reader_behind_the_history_is_served_by_comparison() {
    let scene = Scene::new().await;
    let start = scene.file(INBOX, &letters(20)).await;
    assert_eq!(news(&scene.since(INBOX, start).await), "-[] +[]");
    scene.add_flags(INBOX, &uids(&[3..=3, 8..=9]), "\\Deleted").await;
    scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap();
    let mut late = start;
    for round in 0..limits::HISTORY / 2 {
        let change = mail::FlagChange::Replace(flags(["\\Seen", "\\Draft"][round % 2]));
        let flagged = scene.store.set_flags(ACCOUNT, INBOX, &uids(&[5..=5]), &change, None).await.unwrap();
        late = flagged.commit.unwrap();
        scene.since(INBOX, late).await;
    }
    scene.add_flags(INBOX, &uids(&[7..=7]), "\\Seen").await;
    assert_eq!(news(&scene.since(INBOX, start).await), "-[3,8:9] +[5 \\Draft, 7 \\Seen]");
    assert_eq!(news(&scene.since(INBOX, late).await), "-[] +[7 \\Seen]", "not so far behind");
}

/// The log may be cut behind a view that nobody asked for a while, and before a view that is opened anew.
#[tokio::test]
async fn a_forgotten_log_is_made_up_for_by_comparison() {
    let scene = Scene::new().await;
    let start = scene.file(INBOX, &letters(4)).await;
    scene.since(INBOX, start).await;
    scene.add_flags(INBOX, &uids(&[1..=1]), "\\Deleted").await;
    let (_, at) = scene.store.expunge(ACCOUNT, INBOX, None).await.unwrap();
    scene.file(INBOX, &letters(1)).await;
    let head = scene.add_flags(INBOX, &uids(&[2..=2]), "Fun").await.unwrap();
    scene.store.ledger().forget(ACCOUNT.ledger(), head).await.unwrap();
    for store in [&scene.store, &scene.afresh()] {
        let changes = store.since(ACCOUNT, INBOX, start).await.unwrap();
        assert_eq!((news(&changes).as_str(), changes.head), ("-[1] +[2 Fun, 5]", head));
        assert_eq!(changes.keywords, Some(vec!["Fun".into()]));
        assert_eq!(news(&store.since(ACCOUNT, INBOX, at).await.unwrap()), "-[1] +[2 Fun, 5]");
        assert_eq!(news(&store.since(ACCOUNT, INBOX, head).await.unwrap()), "-[] +[]");
    }
}

#[tokio::test]
async fn a_mailbox_removed_while_it_is_open() {
    let scene = Scene::new().await;
    let work = scene.make("Work").await;
    let start = scene.file(work, &letters(3)).await;
    assert_eq!(news(&scene.since(work, start).await), "-[] +[]");
    scene.remove(work).await;
    for store in [&scene.store, &scene.store, &scene.afresh()] {
        let changes = store.since(ACCOUNT, work, start).await.unwrap();
        assert!(changes.deleted && changes.head > start && changes.rows.is_empty());
        let rows = store.rows(ACCOUNT, work, &every(), true, None).await;
        assert_eq!(rows, Err(Error::NonExistent));
        let found = store.search(ACCOUNT, work, &mail::SearchKey::All, Uid(1), None).await;
        assert_eq!(found, Err(Error::NonExistent));
        assert_eq!(store.select(ACCOUNT, "Work", false).await.err(), Some(Error::NonExistent));
        assert_eq!(store.expunge(ACCOUNT, work, None).await, Err(Error::NonExistent));
        let change = mail::FlagChange::Add(flags("\\Seen"));
        let flagged = store.set_flags(ACCOUNT, work, &every(), &change, None).await;
        assert_eq!(flagged, Err(Error::NonExistent));
        let copied = store.copy(ACCOUNT, work, &every(), "INBOX", false).await;
        assert!(matches!(copied, Err(Error::Cannot(_))));
        assert_eq!(store.views().count(), 0, "nothing is kept of it");
    }
    let again = scene.make("Work").await;
    assert_ne!(again, work);
    assert!(scene.store.select(ACCOUNT, "Work", false).await.unwrap().uids.is_empty());
    assert!(scene.since(work, start).await.deleted, "the old one stays away");
}

#[tokio::test]
async fn pages_of_rows() {
    let scene = Scene::new().await;
    scene.fill(INBOX, 2500).await;
    let head = scene.add_flags(INBOX, &uids(&[10..=10, 2400..=2400]), "\\Seen").await.unwrap();
    let rows = async |wanted: &UidSet, summaries, since| {
        let (rows, next) = scene.store.rows(ACCOUNT, INBOX, wanted, summaries, since).await.unwrap();
        let uid = |row: Option<&mail::MessageRow>| row.map(|row| row.uid.0);
        (rows.len(), uid(rows.first()), uid(rows.last()), next.map(|uid| uid.0))
    };
    assert_eq!(rows(&every(), false, None).await, (1000, Some(1), Some(1000), Some(1000)));
    assert_eq!(rows(&uids(&[1501..=9999]), false, None).await, (1000, Some(1501), Some(2500), None));
    assert_eq!(rows(&every(), true, None).await, (250, Some(1), Some(250), Some(250)));
    assert_eq!(rows(&uids(&[7..=7, 9..=9, 3000..=4000]), true, None).await, (2, Some(7), Some(9), None));
    assert_eq!(rows(&every(), false, Some(ModSeq(head.0 - 1))).await, (2, Some(10), Some(2400), None));
    assert_eq!(rows(&every(), false, Some(head)).await, (0, None, None, None));
    assert_eq!(rows(&UidSet::default(), true, None).await, (0, None, None, None));
    assert_eq!(scene.rows(&scene.store, INBOX).await.len(), 2500);
}

/// A summary of more than one row comes back whole, and a page ends when its summaries weigh enough.
#[tokio::test]
async fn large_summaries() {
    let scene = Scene::new().await;
    let large = format!("To: {}\r\n\r\n", vec!["somebody.or.other@a.long.example.test"; 9000].join(",\r\n "));
    let wide = format!("Subject: {}\r\n\r\n", "x".repeat(900_000));
    let mut texts = vec![large; 6];
    texts.extend(vec![wide; 6]);
    texts.push("Subject: small\r\n\r\n".into());
    let filed: Vec<Letter> = texts.iter().map(|text| Letter::new(text)).collect();
    scene.file(INBOX, &filed).await;
    let (mut after, mut pages, mut seen) = (0, 0, 0);
    loop {
        let wanted = uids(&[after + 1..=u32::MAX]);
        let (rows, next) = scene.store.rows(ACCOUNT, INBOX, &wanted, true, None).await.unwrap();
        assert!(!rows.is_empty());
        let weight: usize = rows.iter().map(|row| row.summary.as_ref().unwrap().encode().len()).sum();
        assert!(weight <= limits::SUMMARY_OCTETS);
        for row in &rows {
            let expected = summary_of(texts[seen].as_bytes());
            assert_eq!((row.uid.0 as usize, row.summary.as_ref()), (seen + 1, Some(&expected)));
            seen += 1;
        }
        pages += 1;
        let Some(next) = next else { break };
        assert_eq!(next.0 as usize, seen);
        after = next.0;
    }
    assert_eq!(seen, texts.len());
    assert!(pages >= 2, "about 8 MiB on {pages} pages");
}

/// A summary that was lost, or that another version wrote, is worked out again from the body.
#[tokio::test]
async fn summaries_that_cannot_be_read() {
    let scene = Scene::new().await;
    let texts = ["Subject: one\r\n\r\nfirst", "Subject: two\r\n\r\nsecond", "Subject: three\r\n\r\n"];
    scene.file(INBOX, &texts.map(Letter::new)).await;
    let work = async |mut draft: crate::Draft| {
        draft.delete(rows::summary(INBOX, Uid(1), 0));
        draft.put(rows::summary(INBOX, Uid(2), 0), vec![250, 1, 2, 3]);
        Ok((draft, ()))
    };
    scene.store.change(ACCOUNT.ledger(), work).await.unwrap();
    let (found, _) = scene.store.rows(ACCOUNT, INBOX, &every(), true, None).await.unwrap();
    let summaries: Vec<_> = found.into_iter().map(|row| row.summary.unwrap()).collect();
    assert_eq!(summaries, texts.map(|text| summary_of(text.as_bytes())));
    let key = mail::SearchKey::Header("Subject".into(), "t".into());
    let (hits, _) = scene.store.search(ACCOUNT, INBOX, &key, Uid(1), None).await.unwrap();
    assert_eq!(hits.iter().map(|(uid, _)| uid.0).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn views_are_bounded_in_number() {
    let scene = Scene::new().await;
    let mut boxes = Vec::new();
    for number in 0..limits::VIEWS + 5 {
        boxes.push(scene.make(&format!("m{number}")).await);
    }
    let first = scene.store.view(ACCOUNT, boxes[0]).await.unwrap();
    for id in &boxes {
        scene.since(*id, ModSeq(0)).await;
        scene.since(boxes[0], ModSeq(0)).await;
    }
    assert_eq!(scene.store.views().count(), limits::VIEWS);
    let again = scene.store.view(ACCOUNT, boxes[0]).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again), "what is used often stays");
}

/// A reader's own copy of a mailbox, kept by `since` alone.
struct Reader {
    store: Store,
    seen: ModSeq,
    uid_next: Uid,
    messages: BTreeMap<Uid, (Flags, ModSeq)>,
}

impl Reader {
    async fn open(store: &Store) -> Reader {
        let selected = store.select(ACCOUNT, "INBOX", true).await.unwrap();
        let seen = selected.info.highest_modseq;
        let uid_next = selected.info.uid_next;
        let mut reader = Reader { store: store.clone(), seen, uid_next, messages: BTreeMap::new() };
        let listed: UidSet = selected.uids.iter().copied().collect();
        let (mut after, mut rows) = (Some(Uid(0)), Vec::new());
        while let Some(uid) = after {
            let wanted = uids(&[uid.0 + 1..=u32::MAX]);
            let (page, next) = store.rows(ACCOUNT, INBOX, &wanted, false, None).await.unwrap();
            rows.extend(page);
            after = next;
        }
        // Those announced: others come as news.
        for row in rows.into_iter().filter(|row| listed.contains(row.uid)) {
            reader.messages.insert(row.uid, (row.flags, row.modseq));
        }
        reader
    }

    async fn fold(&mut self) {
        let changes = self.store.since(ACCOUNT, INBOX, self.seen).await.unwrap();
        assert!(changes.head >= self.seen && !changes.deleted);
        for row in &changes.rows {
            assert!(!changes.gone.contains(row.uid), "both here and gone: {row:?}");
            let known = self.messages.contains_key(&row.uid);
            assert!(known || row.uid >= self.uid_next, "{:?} comes below {:?}", row.uid, self.uid_next);
        }
        assert!(changes.rows.is_sorted_by_key(|row| row.uid));
        self.messages.retain(|uid, _| !changes.gone.contains(*uid));
        for row in changes.rows {
            self.uid_next = self.uid_next.max(Uid(row.uid.0 + 1));
            self.messages.insert(row.uid, (row.flags, row.modseq));
        }
        self.seen = changes.head;
    }
}

/// A number below `below` from a seed that moves on.
fn dice(seed: &mut u64, below: u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed % below
}

/// One random change to INBOX, now and then by way of another mailbox.
async fn change_something(scene: &Scene, seed: &mut u64) {
    let low = dice(seed, 60) as u32 + 1;
    let some = uids(&[low..=low + dice(seed, 4) as u32, low + 9..=low + 9]);
    let names = ["\\Seen", "\\Deleted", "Fun $Work", "\\Flagged fun", "Other \\Draft"];
    let names = flags(names[dice(seed, 5) as usize]);
    let store = &scene.store;
    match dice(seed, 10) {
        0..=2 => {
            scene.file(INBOX, &letters(dice(seed, 3) as usize + 1)).await;
        }
        3 | 4 => {
            let change = mail::FlagChange::Add(names);
            store.set_flags(ACCOUNT, INBOX, &some, &change, None).await.unwrap();
        }
        5 => {
            let change = mail::FlagChange::Remove(names);
            store.set_flags(ACCOUNT, INBOX, &some, &change, None).await.unwrap();
        }
        6 => {
            let change = mail::FlagChange::Replace(names);
            store.set_flags(ACCOUNT, INBOX, &some, &change, Some(ModSeq(dice(seed, 200)))).await.unwrap();
        }
        7 => {
            store.expunge(ACCOUNT, INBOX, Some(&some)).await.unwrap();
        }
        8 => {
            store.copy(ACCOUNT, INBOX, &some, "Other", dice(seed, 2) == 0).await.unwrap();
        }
        _ => {
            let target = ["INBOX", "Other"][dice(seed, 2) as usize];
            let from = if target == "INBOX" { mail::MailboxId(2) } else { INBOX };
            store.copy(ACCOUNT, from, &some, target, true).await.unwrap();
        }
    }
}

async fn compare(scene: &Scene, reader: &mut Reader, seed: u64) {
    reader.fold().await;
    let fresh = Reader::open(&scene.afresh()).await;
    assert_eq!(reader.messages, fresh.messages, "seed {seed}");
    assert!(reader.seen >= fresh.seen);
}

/// Readers that look now and then, at different times, end with what is there.
#[tokio::test]
async fn readers_follow_whatever_happens() {
    for first in 1..=40u64 {
        let mut seed = first.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let scene = Scene::new().await;
        let other = scene.make("Other").await;
        scene.file(INBOX, &letters(10)).await;
        let mut readers = [Reader::open(&scene.store).await, Reader::open(&scene.store).await];
        for _ in 0..60 {
            change_something(&scene, &mut seed).await;
            match dice(&mut seed, 6) {
                0 | 1 => readers[0].fold().await,
                2 => compare(&scene, &mut readers[1], first).await,
                3 if dice(&mut seed, 10) == 0 => {
                    let head = scene.store.ledger().head(ACCOUNT.ledger()).await.unwrap();
                    scene.store.ledger().forget(ACCOUNT.ledger(), head).await.unwrap();
                }
                _ => {}
            }
        }
        for reader in &mut readers {
            compare(&scene, reader, first).await;
        }
        scene.check_counters(&[INBOX, other]).await;
    }
}

/// The same with writers and readers on threads of their own, and some of each in another process: a store with
/// other desks and other views.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn readers_follow_writers_that_do_not_wait() {
    for first in 1..=6u64 {
        let scene = std::sync::Arc::new(Scene::new().await);
        let elsewhere = std::sync::Arc::new(Scene { store: scene.afresh(), plan: scene.plan.clone() });
        let other = scene.make("Other").await;
        scene.file(INBOX, &letters(10)).await;
        let writers: Vec<_> = (0..3u64)
            .map(|writer| {
                let scene = if writer == 0 { elsewhere.clone() } else { scene.clone() };
                let mut seed = (first * 10 + writer + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                tokio::spawn(async move {
                    for _ in 0..80 {
                        change_something(&scene, &mut seed).await;
                    }
                })
            })
            .collect();
        let readers: Vec<_> = (0..4)
            .map(|reader| {
                let store = [&scene, &elsewhere][reader % 2].store.clone();
                tokio::spawn(async move {
                    let mut reader = Reader::open(&store).await;
                    for _ in 0..200 {
                        reader.fold().await;
                        tokio::task::yield_now().await;
                    }
                    reader
                })
            })
            .collect();
        for writer in writers {
            writer.await.unwrap();
        }
        for reader in readers {
            compare(&scene, &mut reader.await.unwrap(), first).await;
        }
        scene.check_counters(&[INBOX, other]).await;
    }
}

/// News come soon enough for IDLE: whoever hears the bell finds them.
#[tokio::test]
async fn what_the_bell_rings_for_is_there() {
    let scene = Scene::new().await;
    let start = scene.file(INBOX, &letters(1)).await;
    let mut bell = scene.store.ledger().bell(ACCOUNT.ledger());
    let store = scene.store.clone();
    let waiting = tokio::spawn(async move {
        let head = bell.after(start).await;
        let changes = store.since(ACCOUNT, INBOX, start).await.unwrap();
        (head, news(&changes), changes.head)
    });
    scene.file(INBOX, &letters(1)).await;
    let (head, told, seen) = tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap();
    assert_eq!(told, "-[] +[2]");
    assert!(seen >= head);
}
