//! The PostgreSQL engine on a server of its own: the contract and the model, several hosts, lost connections,
//! answers that never came, a crash of the server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ledger::{CommitError, Error, Ledger};
use mail::{LedgerId, ModSeq};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::contract;
use crate::house::{House, Opener, all, body, change, log, octets, put};
use crate::model;
use crate::proxy::{Cut, Proxy};
use crate::server::Server;

const A: LedgerId = LedgerId(1024);
const B: LedgerId = LedgerId(1025);

#[test]
fn postgres_keeps_the_contract() {
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut server = Server::start();
    runtime().block_on(async {
        contract::hold_to_it(async |name| {
            let url = server.database(name).await;
            let ledger = Ledger::postgres(&url).await.unwrap();
            let opener: Opener = Arc::new(move || {
                let url = url.clone();
                Box::pin(async move { Ledger::postgres(&url).await })
            });
            House { ledger, opener: Some(opener), forgets: true }
        })
        .await;
        agrees_with_the_model(&server).await;
        hosts_hear_each_other(&server).await;
        a_newer_format_is_refused(&server).await;
        dead_bodies_are_swept_out(&server).await;
        damage_is_named(&server).await;
        an_unknown_outcome_is_found_out(&server).await;
        broken_connections_lose_and_double_nothing(&server).await;
    });
    // A runtime of its own, as the server is stopped and started from outside of any.
    what_was_acknowledged_survives_a_crash(&mut server, &runtime());
}

async fn agrees_with_the_model(server: &Server) {
    let mut runner = TestRunner::deterministic();
    for n in 0..6 {
        let url = server.database(&format!("model{n}")).await;
        let history = model::history(25).new_tree(&mut runner).unwrap().current();
        let reopen = async |ledger: Ledger| {
            drop(ledger);
            Ledger::postgres(&url).await.unwrap()
        };
        model::run(Ledger::postgres(&url).await.unwrap(), reopen, history).await;
    }
}

async fn hosts_hear_each_other(server: &Server) {
    let url = server.database("hosts").await;
    let (one, two) = tokio::join!(Ledger::postgres(&url), Ledger::postgres(&url));
    let (one, two) = (one.unwrap(), two.unwrap());
    let mut bell = two.bell(A);
    let early = tokio::time::timeout(Duration::from_millis(200), bell.after(ModSeq(0))).await;
    assert!(early.is_err());
    put(&one, A, b"k", b"one").await;
    // Far below the interval of the slow look: it was told.
    let rung = tokio::time::timeout(Duration::from_secs(5), bell.after(ModSeq(0))).await;
    assert_eq!(rung.expect("told by the other host"), ModSeq(1));
    let (mut a, mut b) = (one.begin(A).await.unwrap(), two.begin(A).await.unwrap());
    a.put(&b"k"[..], &b"a"[..]);
    b.put(&b"k"[..], &b"b"[..]);
    let (a, b) = tokio::join!(one.commit(vec![a]), two.commit(vec![b]));
    let won = [&a, &b].iter().filter(|outcome| ***outcome == Ok(vec![ModSeq(2)])).count();
    let lost = [&a, &b].iter().filter(|outcome| ***outcome == Err(CommitError::Conflict(A))).count();
    assert_eq!((won, lost), (1, 1), "{a:?} {b:?}");
    // The same two ledgers in both orders: nobody waits for ever, and nothing is lost.
    let both = async |ledger: &Ledger, ids: [LedgerId; 2]| {
        let mut done = 0;
        while done < 20 {
            let (mut x, mut y) = (ledger.begin(ids[0]).await.unwrap(), ledger.begin(ids[1]).await.unwrap());
            x.log(b"x");
            y.log(b"y");
            match ledger.commit(vec![x, y]).await {
                Ok(_) => done += 1,
                Err(CommitError::Conflict(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::join!(both(&one, [A, B]), both(&two, [B, A]));
    assert_eq!(one.head(A).await.unwrap(), ModSeq(42));
    assert_eq!(two.head(B).await.unwrap(), ModSeq(40));
}

async fn a_newer_format_is_refused(server: &Server) {
    let url = server.database("newer").await;
    drop(Ledger::postgres(&url).await.unwrap());
    server.client("newer").await.execute("UPDATE packetboat.format SET version = 7", &[]).await.unwrap();
    assert_eq!(Ledger::postgres(&url).await.err(), Some(Error::Newer { found: 7, known: 1 }));
}

async fn count(client: &tokio_postgres::Client, table: &str) -> i64 {
    client.query_one(&format!("SELECT count(*) FROM packetboat.{table}"), &[]).await.unwrap().get(0)
}

async fn dead_bodies_are_swept_out(server: &Server) {
    let url = server.database("sweep").await;
    let ledger = Ledger::postgres(&url).await.unwrap();
    let client = server.client("sweep").await;
    let large = octets(600_000, 1);
    let (kept, gone) = (body(&ledger, &octets(9000, 2)).await, body(&ledger, &large).await);
    change(&ledger, A, |tx| {
        tx.hold(&kept);
        tx.hold(&gone);
    })
    .await;
    // The same octets again: the ledger keeps the body it has, and the other one is dead at once.
    let again = body(&ledger, &large).await;
    change(&ledger, A, |tx| tx.hold(&again)).await;
    let blob = gone.id;
    for _ in 0..2 {
        change(&ledger, A, |tx| tx.release(blob)).await;
    }
    drop(body(&ledger, &large).await);
    let mut half = ledger.body();
    half.write(large.slice(..400_000)).await.unwrap();
    drop((half, gone, again));
    let patience = Instant::now() + Duration::from_secs(5);
    while count(&client, "body").await > 1 {
        assert!(Instant::now() < patience, "what was abandoned is still there");
        ledger.compact().await.unwrap();
    }
    assert_eq!(count(&client, "body_chunk").await, 1);
    assert_eq!(count(&client, "body_ref").await, 1);
    assert_eq!(ledger.read_body(A, kept.id, 0..9).await.unwrap().len(), 9);
}

async fn damage_is_named(server: &Server) {
    let url = server.database("damage").await;
    let ledger = Ledger::postgres(&url).await.unwrap();
    let body = body(&ledger, &octets(600_000, 3)).await;
    change(&ledger, A, |tx| tx.hold(&body)).await;
    let client = server.client("damage").await;
    let damaged = |found| assert!(matches!(found, Err(Error::Damaged(_))), "{found:?}");
    let change = "UPDATE packetboat.body_chunk SET octets = set_byte(octets, 5, get_byte(octets, 5) # 1) WHERE start > 0";
    client.execute(change, &[]).await.unwrap();
    damaged(ledger.read_body(A, body.id, 0..u64::MAX).await);
    assert_eq!(ledger.read_body(A, body.id, 0..100).await.unwrap().len(), 100, "the rest can be read");
    client.execute("DELETE FROM packetboat.body_chunk WHERE start > 0", &[]).await.unwrap();
    damaged(ledger.read_body(A, body.id, 0..u64::MAX).await);
}

/// The connection breaks right before or right after COMMIT reaches the server: the commit happens once all the
/// same, and whoever waits for it is told so.
async fn an_unknown_outcome_is_found_out(server: &Server) {
    server.database("unknown").await;
    for (n, cut) in [Cut::BeforeCommit, Cut::AfterCommit].into_iter().enumerate() {
        let proxy = Proxy::start(&server.socket());
        let ledger = Ledger::postgres(&proxy.url("unknown")).await.unwrap();
        let id = LedgerId(5000 + n as u64);
        let large = body(&ledger, &octets(300_000, 1)).await;
        put(&ledger, id, b"before", b"").await;
        for with_body in [false, true] {
            proxy.cut_next(cut);
            let mut tx = ledger.begin(id).await.unwrap();
            tx.put(&b"k"[..], vec![u8::from(with_body)]);
            tx.log(b"once");
            if with_body {
                tx.hold(&large);
            }
            let reached = tx.modseq();
            assert_eq!(ledger.commit(vec![tx]).await, Ok(vec![reached]), "{cut:?}");
            assert!(proxy.has_cut(), "the connection was not cut");
        }
        assert_eq!(ledger.head(id).await.unwrap(), ModSeq(3));
        assert_eq!(log(&ledger, id, ModSeq(0), 9).await.len(), 2);
        assert_eq!(ledger.read_body(id, large.id, 0..9).await.unwrap().len(), 9);
        change(&ledger, id, |tx| tx.release(large.id)).await;
        assert_eq!(ledger.read_body(id, large.id, 0..9).await, Err(Error::NoBody), "it was held once");
    }
}

async fn broken_connections_lose_and_double_nothing(server: &Server) {
    let url = server.database("broken").await;
    let ledger = Ledger::postgres(&url).await.unwrap();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let writer = |who: u8, ledger: Ledger, acknowledged: Arc<AtomicUsize>| async move {
        let mut told = Vec::new();
        for n in 0..25u8 {
            let id = LedgerId(u64::from(who % 2));
            loop {
                // A read may fail while the connections break; a commit may too, but only if it did not happen.
                let Ok(mut tx) = ledger.begin(id).await else { continue };
                tx.put(vec![who, n], vec![]);
                tx.log(&[who, n]);
                match ledger.commit(vec![tx]).await {
                    Ok(reached) => {
                        told.push((id, reached[0], vec![who, n]));
                        acknowledged.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    Err(CommitError::Conflict(_)) => tokio::time::sleep(Duration::from_millis(3)).await,
                    Err(error) => eprintln!("not done, and told so: {error}"),
                }
            }
        }
        told
    };
    let writers: Vec<_> =
        (0..4).map(|who| tokio::spawn(writer(who, ledger.clone(), acknowledged.clone()))).collect();
    let client = server.client("postgres").await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = 'broken'";
    let mut killed = 0i64;
    while acknowledged.load(Ordering::SeqCst) < 90 {
        killed += client.query_one(kill, &[]).await.unwrap().get::<_, i64>(0);
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert!(killed > 5, "only {killed} connections were broken");
    let mut told = Vec::new();
    for writer in writers {
        told.extend(writer.await.unwrap());
    }
    for id in [LedgerId(0), LedgerId(1)] {
        let entries = log(&ledger, id, ModSeq(0), 1000).await;
        let expected: BTreeSet<_> =
            told.iter().filter(|told| told.0 == id).map(|(_, at, entry)| (*at, entry.clone())).collect();
        let found: BTreeSet<_> = entries.iter().map(|(at, entry)| (*at, entry.to_vec())).collect();
        assert_eq!(found, expected, "each change is there once, under the modseq that was told");
        assert_eq!(ledger.head(id).await.unwrap(), ModSeq(50));
        assert_eq!(all(&ledger, id).await.len(), 50);
    }
}

fn what_was_acknowledged_survives_a_crash(server: &mut Server, runtime: &tokio::runtime::Runtime) {
    let (ledger, writer) = runtime.block_on(async {
        let url = server.database("crash").await;
        let ledger = Ledger::postgres(&url).await.unwrap();
        let writer = tokio::spawn({
            let ledger = ledger.clone();
            async move {
                let mut told = Vec::new();
                for n in 0..=255u8 {
                    let Ok(mut tx) = ledger.begin(A).await else { break };
                    tx.put(vec![n], vec![n]);
                    match ledger.commit(vec![tx]).await {
                        Ok(reached) => told.push((n, reached[0])),
                        Err(_) => break,
                    }
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                told
            }
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
        (ledger, writer)
    });
    server.crash();
    let since = Instant::now();
    runtime.block_on(async {
        let told = writer.await.unwrap();
        assert!(told.len() > 5, "too few commits before the crash: {}", told.len());
        while put(&ledger, B, b"back", b"").await == ModSeq(0) {}
        assert!(since.elapsed() < Duration::from_secs(5), "serving again took {:?}", since.elapsed());
        let rows = all(&ledger, A).await;
        for (n, at) in &told {
            assert!(rows.iter().any(|row| row.key == vec![*n] && row.modseq == *at), "{n} was lost");
        }
        assert_eq!(rows.len() as u64, ledger.head(A).await.unwrap().0, "nothing was done twice");
        let mut bell = ledger.bell(B);
        let head = bell.after(ModSeq(0)).await;
        put(&ledger, B, b"bell", b"").await;
        assert!(bell.after(head).await > head);
    });
}
