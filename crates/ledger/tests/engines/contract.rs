//! What every engine does. A case gets an engine without data and may not know which one it is.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use ledger::{Changes, CommitError, Error, Ledger, limits};
use mail::{BlobId, LedgerId, ModSeq};
use sha2::{Digest, Sha256};

use crate::house::{Boxed, House, all, body, change, log, octets, put};

const A: LedgerId = LedgerId(1024);
const B: LedgerId = LedgerId(1025);

type Case = fn(House) -> Boxed<()>;

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        const CASES: &[(&str, Case)] = &[$((stringify!($name), |house| Box::pin($name(house)))),*];
    };
}

cases![
    the_head_is_compared,
    all_or_none_over_ledgers,
    sixty_four_ledgers_in_one_commit,
    limits_are_kept,
    modseqs_have_no_gaps,
    rows_carry_their_modseq,
    ledgers_are_apart,
    a_transaction_sees_its_own_writes,
    scans_keep_bounds_limits_and_order,
    empty_commits_count,
    the_log_is_read_in_pages,
    the_log_can_be_forgotten,
    bells_ring_once_it_is_durable,
    bodies_of_every_size,
    a_body_shared_by_ledgers,
    references_are_counted,
    bodies_that_are_not_there,
    abandoned_bodies_leave_nothing,
    a_refused_commit_may_be_retried_with_its_bodies,
    dropped_commits_happen_whole_or_not,
    writers_lose_nothing,
    a_scan_sees_one_state,
    large_commits,
    everything_is_there_after_reopening,
];

/// Runs every case on an engine of its own, and fails with the names of those that failed.
pub async fn hold_to_it(open: impl AsyncFn(&'static str) -> House) {
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let started = std::time::Instant::now();
        let house = open(name).await;
        let outcome = tokio::time::timeout(Duration::from_secs(60), tokio::spawn(case(house))).await;
        println!("{name}: {:?}", started.elapsed());
        if !matches!(outcome, Ok(Ok(()))) {
            eprintln!("{name}: {outcome:?}");
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "the engine breaks its contract: {failed:?}");
}

async fn the_head_is_compared(house: House) {
    let ledger = house.ledger;
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(0));
    let mut first = ledger.begin(A).await.unwrap();
    let mut second = ledger.begin(A).await.unwrap();
    assert_eq!((first.modseq(), second.modseq()), (ModSeq(1), ModSeq(1)));
    first.put(&b"k"[..], &b"first"[..]);
    second.put(&b"k"[..], &b"second"[..]);
    second.put(&b"other"[..], &b"second"[..]);
    second.log(b"second");
    assert_eq!(ledger.commit(vec![first]).await, Ok(vec![ModSeq(1)]));
    assert_eq!(ledger.commit(vec![second]).await, Err(CommitError::Conflict(A)));
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(1));
    assert_eq!(ledger.get(A, b"k").await.unwrap().unwrap().value, "first");
    assert_eq!(ledger.get(A, b"other").await.unwrap(), None);
    assert_eq!(log(&ledger, A, ModSeq(0), 10).await, []);
    let mut late = ledger.begin(A).await.unwrap();
    put(&ledger, A, b"x", b"").await;
    late.put(&b"k"[..], &b"late"[..]);
    assert_eq!(ledger.commit(vec![late]).await, Err(CommitError::Conflict(A)));
    assert_eq!(put(&ledger, A, b"k", b"again").await, ModSeq(3));
}

async fn all_or_none_over_ledgers(house: House) {
    let ledger = house.ledger;
    put(&ledger, B, b"k", b"before").await;
    let (mut a, mut b) = (ledger.begin(A).await.unwrap(), ledger.begin(B).await.unwrap());
    a.put(&b"k"[..], &b"together"[..]);
    a.log(b"together");
    b.put(&b"k"[..], &b"together"[..]);
    put(&ledger, B, b"k", b"between").await;
    assert_eq!(ledger.commit(vec![a, b]).await, Err(CommitError::Conflict(B)));
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(0));
    assert_eq!(ledger.get(A, b"k").await.unwrap(), None);
    assert_eq!(ledger.get(B, b"k").await.unwrap().unwrap().value, "between");
    // The answer has the order of the question, whichever order the engine works in.
    let (mut a, mut b) = (ledger.begin(A).await.unwrap(), ledger.begin(B).await.unwrap());
    a.put(&b"k"[..], &b"together"[..]);
    b.put(&b"k"[..], &b"together"[..]);
    assert_eq!(ledger.commit(vec![b, a]).await, Ok(vec![ModSeq(3), ModSeq(1)]));
    assert_eq!(ledger.get(A, b"k").await.unwrap().unwrap().value, "together");
    assert_eq!(ledger.get(B, b"k").await.unwrap().unwrap().value, "together");
}

async fn sixty_four_ledgers_in_one_commit(house: House) {
    let ledger = house.ledger;
    let ids: Vec<LedgerId> = (0..64).map(|n| LedgerId(5000 - n * 7)).collect();
    let mut txs = Vec::new();
    for id in &ids {
        let mut tx = ledger.begin(*id).await.unwrap();
        tx.put(&b"who"[..], id.0.to_be_bytes().to_vec());
        tx.log(&id.0.to_be_bytes());
        txs.push(tx);
    }
    assert_eq!(ledger.commit(txs).await, Ok(vec![ModSeq(1); 64]));
    for id in &ids {
        assert_eq!(ledger.get(*id, b"who").await.unwrap().unwrap().value, id.0.to_be_bytes()[..]);
        assert_eq!(log(&ledger, *id, ModSeq(0), 5).await, [(ModSeq(1), id.0.to_be_bytes().to_vec().into())]);
    }
}

async fn limits_are_kept(house: House) {
    let ledger = house.ledger;
    let refused = |outcome| match outcome {
        Err(CommitError::Failed(Error::Refused(why))) => why,
        other => panic!("not refused: {other:?}"),
    };
    let mut txs = Vec::new();
    for n in 0..65 {
        txs.push(ledger.begin(LedgerId(2000 + n)).await.unwrap());
    }
    refused(ledger.commit(txs).await);
    let twice = vec![ledger.begin(A).await.unwrap(), ledger.begin(A).await.unwrap()];
    refused(ledger.commit(twice).await);
    let rows = [(0, 0), (limits::KEY + 1, 0), (1, limits::VALUE + 1)];
    for (key, value) in rows {
        let mut tx = ledger.begin(A).await.unwrap();
        tx.put(&b"good"[..], &b""[..]);
        tx.put(vec![b'k'; key], vec![b'v'; value]);
        refused(ledger.commit(vec![tx]).await);
    }
    let mut tx = ledger.begin(A).await.unwrap();
    tx.log(&vec![0; limits::LOG_ENTRY + 1]);
    refused(ledger.commit(vec![tx]).await);
    let mut tx = ledger.begin(A).await.unwrap();
    for n in 0..64u8 {
        tx.put(vec![n], vec![0; limits::VALUE]);
    }
    refused(ledger.commit(vec![tx]).await);
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(0));
    assert_eq!(all(&ledger, A).await, []);
    change(&ledger, A, |tx| {
        tx.put(vec![b'k'; limits::KEY], vec![b'v'; limits::VALUE]);
        tx.log(&vec![b'l'; limits::LOG_ENTRY]);
    })
    .await;
    let rows = all(&ledger, A).await;
    assert_eq!((rows.len(), rows[0].key.len(), rows[0].value.len()), (1, limits::KEY, limits::VALUE));
    assert_eq!(log(&ledger, A, ModSeq(0), 1).await[0].1.len(), limits::LOG_ENTRY);
}

async fn modseqs_have_no_gaps(house: House) {
    let ledger = house.ledger;
    for n in 1..=30u64 {
        let stale = ledger.begin(A).await.unwrap();
        assert_eq!(change(&ledger, A, |tx| tx.log(&n.to_be_bytes())).await, ModSeq(n));
        assert_eq!(ledger.head(A).await.unwrap(), ModSeq(n));
        change(&ledger, B, |tx| tx.log(b"b")).await;
        // A commit that loses uses no number up.
        assert_eq!(ledger.commit(vec![stale]).await, Err(CommitError::Conflict(A)));
    }
    let seen: Vec<u64> = log(&ledger, A, ModSeq(0), 7).await.iter().map(|(at, _)| at.0).collect();
    assert_eq!(seen, (1..=30).collect::<Vec<_>>());
    assert_eq!(ledger.head(B).await.unwrap(), ModSeq(30));
}

async fn rows_carry_their_modseq(house: House) {
    let ledger = house.ledger;
    put(&ledger, A, b"a", b"1").await;
    put(&ledger, A, b"b", b"1").await;
    put(&ledger, A, b"a", b"2").await;
    put(&ledger, A, b"c", b"1").await;
    change(&ledger, A, |tx| tx.delete(&b"b"[..])).await;
    let keys = [&b"c"[..], b"b", b"a", b"a", b"nothing"].map(Bytes::from_static);
    let rows = ledger.get_many(A, &keys).await.unwrap();
    let found: Vec<_> = rows.iter().map(|row| row.as_ref().map(|r| (r.key.clone(), r.modseq.0))).collect();
    let (a, c) = (Some((keys[2].clone(), 3)), Some((keys[0].clone(), 4)));
    assert_eq!(found, [c, None, a.clone(), a, None]);
    // Written with the same value, it is written all the same.
    put(&ledger, A, b"c", b"1").await;
    assert_eq!(all(&ledger, A).await.iter().map(|row| row.modseq.0).collect::<Vec<_>>(), [3, 6]);
    put(&ledger, A, b"b", b"back").await;
    assert_eq!(ledger.get(A, b"b").await.unwrap().unwrap().modseq, ModSeq(7));
    assert_eq!(ledger.get_many(A, &[]).await.unwrap(), []);
}

async fn ledgers_are_apart(house: House) {
    let ledger = house.ledger;
    let ids = [0, 1, 255, 256, u64::from(u32::MAX), 1 << 63, u64::MAX].map(LedgerId);
    for (n, id) in ids.iter().enumerate() {
        change(&ledger, *id, |tx| {
            tx.put(&b"k"[..], vec![n as u8]);
            tx.put(vec![0xff; limits::KEY], vec![n as u8]);
            tx.put(vec![0], vec![n as u8]);
        })
        .await;
    }
    for (n, id) in ids.iter().enumerate() {
        let rows = all(&ledger, *id).await;
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|row| row.value == vec![n as u8] && row.modseq == ModSeq(1)));
    }
    assert_eq!(all(&ledger, LedgerId(2)).await, []);
    assert_eq!(ledger.get(LedgerId(2), b"k").await.unwrap(), None);
}

async fn a_transaction_sees_its_own_writes(house: House) {
    let ledger = house.ledger;
    for key in [&b"a"[..], b"c", b"e", b"g"] {
        change(&ledger, A, |tx| tx.put(key, &b"old"[..])).await;
    }
    let mut tx = ledger.begin(A).await.unwrap();
    tx.put(&b"b"[..], &b"new"[..]);
    tx.put(&b"c"[..], &b"new"[..]);
    tx.delete(&b"e"[..]);
    tx.delete(&b"nothing"[..]);
    tx.put(&b"z"[..], &b"new"[..]);
    assert_eq!(tx.get(b"a").await.unwrap().unwrap(), "old");
    assert_eq!(tx.get(b"c").await.unwrap().unwrap(), "new");
    assert_eq!(tx.get(b"e").await.unwrap(), None);
    let seen = async |start: &[u8], end: &[u8], limit| {
        let rows = tx.scan(start, end, limit).await.unwrap();
        rows.iter().map(|r| (r.key[0] as char, r.modseq.0)).collect::<Vec<_>>()
    };
    let whole = [('a', 1), ('b', 5), ('c', 5), ('g', 4), ('z', 5)];
    assert_eq!(seen(b"a", b"~", 100).await, whole);
    for limit in 0..=5 {
        assert_eq!(seen(b"a", b"~", limit).await, whole[..limit]);
    }
    assert_eq!(seen(b"b", b"g", 10).await, whole[1..3]);
    assert_eq!(seen(b"d", b"g", 1).await, []);
    assert_eq!(seen(b"g", b"b", 1).await, []);
    // Nobody else sees them, until the commit; then everybody does.
    assert_eq!(all(&ledger, A).await.len(), 4);
    ledger.commit(vec![tx]).await.unwrap();
    let rows = all(&ledger, A).await;
    let rows: Vec<_> = rows.iter().map(|r| (r.key[0] as char, r.modseq.0)).collect();
    assert_eq!(rows, whole);
}

async fn scans_keep_bounds_limits_and_order(house: House) {
    let ledger = house.ledger;
    let keys: BTreeSet<Vec<u8>> = [
        &[0u8][..],
        &[0, 0],
        &[0, 1],
        &[0, 255],
        &[1],
        b"A",
        b"AA",
        b"a",
        b"a\0",
        b"a\0b",
        b"ab",
        b"b",
        &[0x7f],
        &[0x80],
        &[0x80, 0],
        &[0xc3, 0x28],
        &[0xfe, 0xff],
        &[0xff],
        &[0xff, 0],
        &[0xff, 0xff],
    ]
    .iter()
    .map(|key| key.to_vec())
    .collect();
    change(&ledger, A, |tx| keys.iter().for_each(|key| tx.put(key.clone(), key.clone()))).await;
    let expect = |start: &[u8], end: &[u8], limit: usize| {
        let inside = keys.iter().filter(|key| key.as_slice() >= start && key.as_slice() < end);
        inside.take(limit).cloned().collect::<Vec<_>>()
    };
    let mut bounds: Vec<Vec<u8>> = keys.iter().cloned().collect();
    bounds.extend([vec![], vec![0xff; 4], b"aa".to_vec()]);
    for start in &bounds {
        for end in &bounds {
            for limit in [1, 3, usize::MAX] {
                let found = ledger.scan(A, start, end, limit).await.unwrap();
                let found: Vec<_> = found.into_iter().map(|row| row.key.to_vec()).collect();
                assert_eq!(found, expect(start, end, limit), "{start:?}..{end:?}, {limit}");
            }
        }
    }
    assert_eq!(ledger.scan(A, &[], &[0xff; 4], 0).await.unwrap(), []);
}

async fn empty_commits_count(house: House) {
    let ledger = house.ledger;
    assert_eq!(ledger.commit(Vec::new()).await, Ok(Vec::new()));
    let empty = ledger.begin(A).await.unwrap();
    assert_eq!(ledger.commit(vec![empty]).await, Ok(vec![ModSeq(1)]));
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(1));
    let changes = ledger.since(A, ModSeq(0), 10).await.unwrap();
    assert_eq!(changes, Changes::Log { entries: Vec::new(), seen: ModSeq(1) });
    change(&ledger, A, |tx| tx.delete(&b"never there"[..])).await;
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(2));
}

async fn the_log_is_read_in_pages(house: House) {
    let ledger = house.ledger;
    let unknown = ledger.since(A, ModSeq(0), 10).await.unwrap();
    assert_eq!(unknown, Changes::Log { entries: Vec::new(), seen: ModSeq(0) });
    let mut logged = Vec::new();
    for n in 1..=20u64 {
        let says = n % 4 != 0;
        change(&ledger, A, |tx| {
            if says {
                tx.log(b"entry ");
                tx.log(&n.to_be_bytes());
            }
        })
        .await;
        if says {
            logged.push((ModSeq(n), [&b"entry "[..], &n.to_be_bytes()].concat().into()));
        }
    }
    for page in [1, 2, 3, 5, 15, 16, 1000] {
        assert_eq!(log(&ledger, A, ModSeq(0), page).await, logged);
    }
    assert_eq!(log(&ledger, A, ModSeq(13), 2).await, logged[10..]);
    let nothing = |seen| Changes::Log { entries: Vec::new(), seen };
    assert_eq!(ledger.since(A, ModSeq(19), 10).await.unwrap(), nothing(ModSeq(20)));
    assert_eq!(ledger.since(A, ModSeq(20), 10).await.unwrap(), nothing(ModSeq(20)));
    assert_eq!(ledger.since(A, ModSeq(3), 0).await.unwrap(), nothing(ModSeq(3)));
}

async fn the_log_can_be_forgotten(house: House) {
    let ledger = house.ledger;
    for n in 1..=10u8 {
        change(&ledger, A, |tx| {
            tx.put(vec![n], vec![n]);
            tx.log(&[n]);
        })
        .await;
    }
    ledger.forget(A, ModSeq(6)).await.unwrap();
    ledger.forget(A, ModSeq(2)).await.unwrap();
    ledger.forget(B, ModSeq(9)).await.unwrap();
    match ledger.since(A, ModSeq(5), 10).await.unwrap() {
        Changes::Forgotten { floor } => assert!(floor > ModSeq(5) && floor <= ModSeq(6)),
        Changes::Log { entries, .. } => assert!(!house.forgets && entries.len() == 5),
    }
    let rest = log(&ledger, A, ModSeq(6), 3).await;
    assert_eq!(rest.iter().map(|(at, _)| at.0).collect::<Vec<_>>(), [7, 8, 9, 10]);
    assert_eq!(all(&ledger, A).await.len(), 10, "rows stay");
    // Forgetting everything, and more than there is, hides nothing that comes later.
    ledger.forget(A, ModSeq(999)).await.unwrap();
    change(&ledger, A, |tx| tx.log(b"next")).await;
    assert_eq!(log(&ledger, A, ModSeq(10), 3).await, [(ModSeq(11), Bytes::from_static(b"next"))]);
    assert!(matches!(ledger.since(B, ModSeq(0), 1).await.unwrap(), Changes::Log { .. }));
}

async fn bells_ring_once_it_is_durable(house: House) {
    let ledger = house.ledger;
    let mut bell = ledger.bell(A);
    let silent = tokio::time::timeout(Duration::from_millis(30), bell.after(ModSeq(0))).await;
    assert!(silent.is_err(), "nothing has happened");
    let listener = tokio::spawn({
        let (ledger, mut bell) = (ledger.clone(), bell.clone());
        async move {
            let mut at = ModSeq(0);
            while at < ModSeq(20) {
                let rung = bell.after(at).await;
                assert!(rung > at);
                assert!(ledger.head(A).await.unwrap() >= rung, "it rang before it was durable");
                let row = ledger.get(A, b"n").await.unwrap().unwrap();
                assert!(row.modseq >= rung);
                at = rung;
            }
        }
    });
    for _ in 0..20 {
        put(&ledger, A, b"n", b"").await;
    }
    tokio::time::timeout(Duration::from_secs(20), listener).await.expect("no ring was lost").unwrap();
    let old = tokio::time::timeout(Duration::from_secs(5), bell.after(ModSeq(19))).await.unwrap();
    assert_eq!(old, ModSeq(20));
    // A new bell knows of what came before it, though no other hangs there, and other ledgers do not ring it.
    drop(bell);
    let mut fresh = ledger.bell(A);
    let known = tokio::time::timeout(Duration::from_secs(5), fresh.after(ModSeq(3))).await;
    assert_eq!(known.expect("it asks for the head"), ModSeq(20));
    put(&ledger, B, b"n", b"").await;
    let silent = tokio::time::timeout(Duration::from_millis(30), fresh.after(ModSeq(20))).await;
    assert!(silent.is_err(), "rung by another ledger");
}

async fn bodies_of_every_size(house: House) {
    let ledger = house.ledger;
    let limit = limits::INLINE_LIMIT;
    let sizes = [0, 1, 1000, limit - 1, limit, limit + 1, 2 * limit, 2 * limit + 1, 5_000_000];
    let mut kept = Vec::new();
    for (n, size) in sizes.into_iter().enumerate() {
        let octets = octets(size, n as u32);
        let body = body(&ledger, &octets).await;
        assert_eq!(body.id, BlobId(Sha256::digest(&octets).into()));
        assert_eq!(body.size, size as u64);
        let id = LedgerId(A.0 + n as u64 % 3);
        assert_eq!(ledger.read_body(id, body.id, 0..1).await, Err(Error::NoBody), "not before its commit");
        change(&ledger, id, |tx| tx.hold(&body)).await;
        kept.push((id, body.id, octets));
    }
    for (id, blob, octets) in &kept {
        let size = octets.len() as u64;
        let edge = limit as u64;
        let ranges = [
            0..size,
            0..u64::MAX,
            0..0,
            0..1,
            1..2,
            edge - 1..edge + 1,
            edge..edge + 1,
            edge + 1..2 * edge + 3,
            size / 2..size / 2 + 70_000,
            size.saturating_sub(1)..size + 10,
            size..size + 1,
            size + 5..size + 9,
        ];
        for range in ranges {
            let cut = range.start.min(size) as usize..range.end.min(size) as usize;
            let found = ledger.read_body(*id, *blob, range.clone()).await.unwrap();
            assert!(found == octets[cut], "{range:?} of {size}");
        }
    }
}

async fn a_body_shared_by_ledgers(house: House) {
    let ledger = house.ledger;
    for size in [5000, 600_000] {
        let octets = octets(size, 77);
        let body = body(&ledger, &octets).await;
        let mut txs = Vec::new();
        for id in [A, B, LedgerId(1030)] {
            let mut tx = ledger.begin(id).await.unwrap();
            tx.hold(&body);
            txs.push(tx);
        }
        ledger.commit(txs).await.unwrap();
        let blob = body.id;
        drop(body);
        change(&ledger, A, |tx| tx.release(blob)).await;
        assert_eq!(ledger.read_body(A, blob, 0..9).await, Err(Error::NoBody));
        assert!(ledger.read_body(B, blob, 0..u64::MAX).await.unwrap() == octets);
        change(&ledger, LedgerId(1030), |tx| tx.release(blob)).await;
        assert!(ledger.read_body(B, blob, 0..u64::MAX).await.unwrap() == octets);
        change(&ledger, B, |tx| tx.release(blob)).await;
        assert_eq!(ledger.read_body(B, blob, 0..9).await, Err(Error::NoBody));
        assert_eq!(ledger.read_body(LedgerId(99), blob, 0..9).await, Err(Error::NoBody));
    }
}

async fn references_are_counted(house: House) {
    let ledger = house.ledger;
    for size in [100, 700_000] {
        let octets = octets(size, 5);
        let first = body(&ledger, &octets).await;
        let blob = first.id;
        change(&ledger, A, |tx| tx.hold(&first)).await;
        // The same octets again, a copy, and two in one commit: five references.
        let second = body(&ledger, &octets).await;
        change(&ledger, A, |tx| tx.hold(&second)).await;
        change(&ledger, A, |tx| tx.hold_again(blob)).await;
        change(&ledger, A, |tx| {
            tx.hold_again(blob);
            tx.hold_again(blob);
        })
        .await;
        drop((first, second));
        change(&ledger, A, |tx| {
            tx.release(blob);
            tx.release(blob);
        })
        .await;
        // One goes and one comes: as many as before.
        change(&ledger, A, |tx| {
            tx.release(blob);
            tx.hold_again(blob);
        })
        .await;
        change(&ledger, A, |tx| tx.release(blob)).await;
        change(&ledger, A, |tx| tx.release(blob)).await;
        assert!(ledger.read_body(A, blob, 0..u64::MAX).await.unwrap() == octets);
        change(&ledger, A, |tx| tx.release(blob)).await;
        assert_eq!(ledger.read_body(A, blob, 0..1).await, Err(Error::NoBody));
        // After the last one went it can come back, and held and released at once it is not kept.
        let third = body(&ledger, &octets).await;
        change(&ledger, A, |tx| tx.hold(&third)).await;
        assert!(ledger.read_body(A, blob, 0..u64::MAX).await.unwrap() == octets);
        change(&ledger, A, |tx| tx.release(blob)).await;
        let fourth = body(&ledger, &octets).await;
        change(&ledger, A, |tx| {
            tx.hold(&fourth);
            tx.release(blob);
        })
        .await;
        assert_eq!(ledger.read_body(A, blob, 0..1).await, Err(Error::NoBody));
    }
}

async fn bodies_that_are_not_there(house: House) {
    let ledger = house.ledger;
    let octets = octets(300, 6);
    let body = body(&ledger, &octets).await;
    let head = change(&ledger, A, |tx| tx.hold(&body)).await;
    let other = BlobId([7; 32]);
    type Break = fn(&mut ledger::Tx, BlobId, BlobId);
    let breaks: [Break; 4] = [
        |tx, _, other| tx.release(other),
        |tx, _, other| tx.hold_again(other),
        |tx, _, other| {
            tx.hold_again(other);
            tx.release(other);
        },
        |tx, blob, _| {
            tx.release(blob);
            tx.release(blob);
        },
    ];
    for (n, broken) in breaks.iter().enumerate() {
        let (mut tx, mut also) = (ledger.begin(A).await.unwrap(), ledger.begin(B).await.unwrap());
        tx.put(&b"k"[..], &b"v"[..]);
        also.put(&b"k"[..], &b"v"[..]);
        broken(&mut tx, body.id, other);
        let outcome = ledger.commit(vec![also, tx]).await;
        assert_eq!(outcome, Err(CommitError::Failed(Error::NoBody)), "{n}");
    }
    assert_eq!((ledger.head(A).await.unwrap(), ledger.head(B).await.unwrap()), (head, ModSeq(0)));
    assert_eq!((all(&ledger, A).await.len(), all(&ledger, B).await.len()), (0, 0));
    assert_eq!(ledger.read_body(A, body.id, 0..999).await.unwrap(), octets);
    assert_eq!(ledger.read_body(B, body.id, 0..999).await, Err(Error::NoBody));
}

async fn abandoned_bodies_leave_nothing(house: House) {
    let ledger = house.ledger;
    let octets = octets(1_000_000, 8);
    let mut half = ledger.body();
    half.write(octets.slice(..700_000)).await.unwrap();
    assert_eq!(half.size(), 700_000);
    drop(half);
    let whole = body(&ledger, &octets).await;
    let blob = whole.id;
    let mut tx = ledger.begin(A).await.unwrap();
    tx.hold(&whole);
    drop((tx, whole));
    assert_eq!(ledger.read_body(A, blob, 0..1).await, Err(Error::NoBody));
    let again = body(&ledger, &octets).await;
    change(&ledger, A, |tx| tx.hold(&again)).await;
    drop(again);
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(ledger.read_body(A, blob, 0..u64::MAX).await.unwrap() == octets, "a committed body stays");
}

async fn a_refused_commit_may_be_retried_with_its_bodies(house: House) {
    let ledger = house.ledger;
    for size in [1000, 400_000] {
        let octets = octets(size, 9);
        let body = body(&ledger, &octets).await;
        let mut tx = ledger.begin(A).await.unwrap();
        tx.hold(&body);
        change(&ledger, A, |_| ()).await;
        assert_eq!(ledger.commit(vec![tx]).await, Err(CommitError::Conflict(A)));
        assert_eq!(ledger.read_body(A, body.id, 0..1).await, Err(Error::NoBody));
        change(&ledger, A, |tx| tx.hold(&body)).await;
        assert!(ledger.read_body(A, body.id, 0..u64::MAX).await.unwrap() == octets);
    }
}

/// Polls a commit at most `polls` times, then drops it.
async fn poll_and_drop(ledger: &Ledger, tx: ledger::Tx, polls: usize) {
    let mut commit = Box::pin(ledger.commit(vec![tx]));
    for _ in 0..polls {
        let ready = std::future::poll_fn(|cx| {
            std::task::Poll::Ready(std::future::Future::poll(commit.as_mut(), cx).is_ready())
        });
        if ready.await {
            return;
        }
        tokio::task::yield_now().await;
    }
}

async fn dropped_commits_happen_whole_or_not(house: House) {
    let ledger = house.ledger;
    for n in 0..60u8 {
        let (mut a, mut b) = (ledger.begin(A).await.unwrap(), ledger.begin(B).await.unwrap());
        for tx in [&mut a, &mut b] {
            tx.put(vec![n, 0], vec![n]);
            tx.put(vec![n, 1], vec![n]);
            tx.log(&[n]);
        }
        poll_and_drop(&ledger, a, usize::from(n % 6)).await;
        if n % 10 == 0 {
            poll_and_drop(&ledger, b, 1).await;
        }
    }
    // What was under way comes to its end before a commit that builds on it.
    let last = change(&ledger, A, |tx| tx.log(b"last")).await;
    let rows = all(&ledger, A).await;
    let entries = log(&ledger, A, ModSeq(0), 100).await;
    assert_eq!(entries.len() as u64, last.0, "each number was used once");
    assert_eq!(rows.len(), (entries.len() - 1) * 2, "rows and entries come together");
    for (at, entry) in &entries[..entries.len() - 1] {
        let pair: Vec<_> = rows.iter().filter(|row| row.key[0] == entry[0]).collect();
        assert!(pair.len() == 2 && pair.iter().all(|row| row.modseq == *at));
    }
}

fn number(value: Option<Bytes>) -> u64 {
    value.map_or(0, |value| u64::from_be_bytes(value[..].try_into().unwrap()))
}

async fn writers_lose_nothing(house: House) {
    let ledger = house.ledger;
    let writer = async |ledger: Ledger, who: u8| {
        let mut attempt = u64::from(who);
        loop {
            let mut tx = ledger.begin(A).await.unwrap();
            let total = number(tx.get(b"total").await.unwrap()) + 1;
            tx.put(&b"total"[..], total.to_be_bytes().to_vec());
            tx.put(vec![0, who], total.to_be_bytes().to_vec());
            tx.log(&[who]);
            match ledger.commit(vec![tx]).await {
                Ok(_) => return,
                Err(CommitError::Conflict(_)) => {
                    attempt = attempt.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    tokio::time::sleep(Duration::from_micros((attempt >> 33) % 8_000)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    };
    let tasks: Vec<_> = (0..64).map(|who| tokio::spawn(writer(ledger.clone(), who))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(64));
    assert_eq!(number(ledger.get(A, b"total").await.unwrap().map(|row| row.value)), 64);
    let rows = ledger.scan(A, &[0], &[1], 100).await.unwrap();
    let totals: BTreeSet<u64> = rows.iter().map(|row| number(Some(row.value.clone()))).collect();
    assert_eq!(totals, (1..=64).collect(), "each writer saw the one before it");
    assert!(rows.iter().all(|row| number(Some(row.value.clone())) == row.modseq.0));
    let who: BTreeSet<u8> = log(&ledger, A, ModSeq(0), 10).await.iter().map(|(_, e)| e[0]).collect();
    assert_eq!(who.len(), 64);
}

async fn a_scan_sees_one_state(house: House) {
    let ledger = house.ledger;
    let rows =
        |n: u64| move |tx: &mut ledger::Tx| (0..20).for_each(|k| tx.put(vec![k], n.to_be_bytes().to_vec()));
    change(&ledger, A, rows(0)).await;
    let reader = tokio::spawn({
        let ledger = ledger.clone();
        async move {
            let mut before = (ModSeq(0), ModSeq(0));
            loop {
                let head = ledger.head(A).await.unwrap();
                let rows = all(&ledger, A).await;
                assert_eq!(rows.len(), 20);
                assert!(rows.iter().all(|row| row.value == rows[0].value && row.modseq == rows[0].modseq));
                assert!(head >= before.0 && rows[0].modseq >= before.1, "time went backwards");
                assert!(rows[0].modseq >= head, "a row older than a head that was seen before it");
                before = (head, rows[0].modseq);
                if head == ModSeq(101) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    });
    for n in 1..=100 {
        change(&ledger, A, rows(n)).await;
    }
    reader.await.unwrap();
}

async fn large_commits(house: House) {
    let ledger = house.ledger;
    let key = |n: u32| Bytes::from(n.to_be_bytes().to_vec());
    change(&ledger, A, |tx| (0..5000).for_each(|n| tx.put(key(n), octets(40, n)))).await;
    let rows = all(&ledger, A).await;
    assert_eq!(rows.len(), 5000);
    assert!(rows.iter().zip(0..).all(|(row, n)| row.key == key(n) && row.value == octets(40, n)));
    let keys: Vec<Bytes> = (0..6000).rev().map(key).collect();
    let found = ledger.get_many(A, &keys).await.unwrap();
    assert!(found.iter().zip(&keys).all(|(row, key)| row.as_ref().is_none_or(|row| row.key == *key)));
    assert_eq!(found.iter().flatten().count(), 5000);
    change(&ledger, A, |tx| (0..5000).filter(|n| n % 10 != 0).for_each(|n| tx.delete(key(n)))).await;
    assert_eq!(all(&ledger, A).await.len(), 500);
}

async fn everything_is_there_after_reopening(house: House) {
    if house.opener.is_none() {
        return;
    }
    let ledger = house.ledger.clone();
    let (small, large) = (octets(2000, 1), octets(900_000, 2));
    let (inline, chunked) = (body(&ledger, &small).await, body(&ledger, &large).await);
    let gone = body(&ledger, &octets(500_000, 3)).await;
    let ids = (inline.id, chunked.id, gone.id);
    let (mut a, mut b) = (ledger.begin(A).await.unwrap(), ledger.begin(B).await.unwrap());
    for tx in [&mut a, &mut b] {
        tx.put(&b"kept"[..], &b"1"[..]);
        tx.put(&b"deleted"[..], &b"1"[..]);
        tx.log(b"both");
        tx.hold(&inline);
        tx.hold(&chunked);
        tx.hold(&gone);
    }
    ledger.commit(vec![a, b]).await.unwrap();
    for n in 0..200u64 {
        change(&ledger, A, |tx| tx.put(n.to_be_bytes().to_vec(), n.to_be_bytes().to_vec())).await;
    }
    change(&ledger, A, |tx| {
        tx.delete(&b"deleted"[..]);
        tx.release(ids.2);
        tx.hold_again(ids.0);
        tx.log(b"less");
    })
    .await;
    let (rows, entries) = (all(&ledger, A).await, log(&ledger, A, ModSeq(0), 9).await);
    drop((inline, chunked, gone, ledger));
    let opener = house.opener.clone();
    let ledger = house.reopen().await;
    assert_eq!((ledger.head(A).await.unwrap(), ledger.head(B).await.unwrap()), (ModSeq(202), ModSeq(1)));
    assert_eq!(all(&ledger, A).await, rows);
    assert_eq!(log(&ledger, A, ModSeq(0), 9).await, entries);
    assert_eq!(all(&ledger, B).await.len(), 2);
    assert!(ledger.read_body(A, ids.0, 0..u64::MAX).await.unwrap() == small);
    assert!(ledger.read_body(A, ids.1, 0..u64::MAX).await.unwrap() == large);
    assert_eq!(ledger.read_body(A, ids.2, 0..1).await, Err(Error::NoBody));
    assert!(ledger.read_body(B, ids.2, 0..1).await.is_ok());
    // The counts were kept as well, and the ledger goes on where it stood.
    assert_eq!(change(&ledger, A, |tx| tx.release(ids.0)).await, ModSeq(203));
    assert!(ledger.read_body(A, ids.0, 0..1).await.is_ok());
    change(&ledger, A, |tx| tx.release(ids.0)).await;
    assert_eq!(ledger.read_body(A, ids.0, 0..1).await, Err(Error::NoBody));
    let ledger = House { ledger, opener, forgets: false }.reopen().await;
    assert_eq!(ledger.head(A).await.unwrap(), ModSeq(204));
    assert_eq!(ledger.read_body(A, ids.0, 0..1).await, Err(Error::NoBody));
}
