//! Random histories on an engine and on a few maps: after every step both say the same.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use ledger::{Changes, CommitError, Error, Ledger};
use mail::{BlobId, LedgerId, ModSeq};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::house::{body, octets};

/// Sizes of the bodies that come and go; the last one is not kept inside its commit.
const BODIES: [usize; 4] = [0, 10, 3000, 270_000];
const LEDGERS: u64 = 3;

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    Commit(Vec<Part>),
    Scan { ledger: u64, start: Vec<u8>, end: Vec<u8>, limit: usize },
    Reopen,
}

/// One ledger's part of a commit.
#[derive(Clone, Debug)]
pub struct Part {
    ledger: u64,
    writes: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    entry: Vec<u8>,
    hold: Vec<usize>,
    hold_again: Vec<usize>,
    release: Vec<usize>,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 1, b'a', 0xfe, 0xff]), 1..4)
}

fn part() -> impl Strategy<Value = Part> {
    let write = (key(), prop::option::weighted(0.7, prop::collection::vec(any::<u8>(), 0..40)));
    let some = |max| prop::collection::vec(0..BODIES.len(), 0..max);
    let rows = prop::collection::vec(write, 0..8);
    (0..LEDGERS, rows, prop::collection::vec(any::<u8>(), 0..4), some(2), some(2), some(3)).prop_map(
        |(ledger, writes, entry, hold, hold_again, release)| Part {
            ledger,
            writes,
            entry,
            hold,
            hold_again,
            release,
        },
    )
}

/// A history of `steps` steps.
pub fn history(steps: usize) -> impl Strategy<Value = Vec<Step>> {
    let scan = (0..LEDGERS, key(), key(), 1usize..12);
    let step = prop_oneof![
        12 => prop::collection::vec(part(), 1..3).prop_map(Step::Commit),
        6 => scan.prop_map(|(ledger, start, end, limit)| Step::Scan { ledger, start, end, limit }),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..steps)
}

#[derive(Clone, Default)]
struct Shelf {
    head: u64,
    rows: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
    log: Vec<(u64, Vec<u8>)>,
    bodies: HashMap<usize, u64>,
}

type World = BTreeMap<u64, Shelf>;

fn blob(number: usize) -> (BlobId, Bytes) {
    let octets = octets(BODIES[number], number as u32);
    (BlobId(Sha256::digest(&octets).into()), octets)
}

/// What the commit makes of the world, if it may happen.
fn judge(world: &World, parts: &[Part]) -> Option<World> {
    let mut next = world.clone();
    for part in parts {
        let shelf = next.entry(part.ledger).or_default();
        shelf.head += 1;
        for (key, value) in &part.writes {
            match value {
                Some(value) => shelf.rows.insert(key.clone(), (value.clone(), shelf.head)),
                None => shelf.rows.remove(key),
            };
        }
        if !part.entry.is_empty() {
            shelf.log.push((shelf.head, part.entry.clone()));
        }
        for number in &part.hold {
            *shelf.bodies.entry(*number).or_default() += 1;
        }
        for number in &part.hold_again {
            *shelf.bodies.get_mut(number)? += 1;
        }
        for number in &part.release {
            let references = shelf.bodies.get_mut(number)?;
            *references = references.checked_sub(1)?;
        }
        shelf.bodies.retain(|_, references| *references > 0);
    }
    Some(next)
}

async fn commit(ledger: &Ledger, parts: &[Part]) -> Result<Vec<ModSeq>, CommitError> {
    let (mut txs, mut bodies) = (Vec::new(), HashMap::new());
    for part in parts {
        let mut tx = ledger.begin(LedgerId(part.ledger)).await.unwrap();
        for (key, value) in &part.writes {
            match value {
                Some(value) => tx.put(key.clone(), value.clone()),
                None => tx.delete(key.clone()),
            }
        }
        tx.log(&part.entry);
        for number in &part.hold {
            if !bodies.contains_key(number) {
                bodies.insert(*number, body(ledger, &blob(*number).1).await);
            }
            tx.hold(&bodies[number]);
        }
        part.hold_again.iter().for_each(|number| tx.hold_again(blob(*number).0));
        part.release.iter().for_each(|number| tx.release(blob(*number).0));
        txs.push(tx);
    }
    ledger.commit(txs).await
}

async fn scan(ledger: &Ledger, world: &World, id: u64, start: &[u8], end: &[u8], limit: usize) {
    let shelf = world.get(&id).cloned().unwrap_or_default();
    let inside = shelf.rows.iter().filter(|(key, _)| key.as_slice() >= start && key.as_slice() < end);
    let expected: Vec<_> = inside.take(limit).map(|(k, (v, at))| (k.clone(), v.clone(), *at)).collect();
    let found = ledger.scan(LedgerId(id), start, end, limit).await.unwrap();
    let found: Vec<_> =
        found.into_iter().map(|row| (row.key.to_vec(), row.value.to_vec(), row.modseq.0)).collect();
    assert_eq!(found, expected);
}

/// Everything an engine can be asked, against the model.
async fn compare(ledger: &Ledger, world: &World) {
    for id in 0..LEDGERS {
        let shelf = world.get(&id).cloned().unwrap_or_default();
        let name = LedgerId(id);
        assert_eq!(ledger.head(name).await.unwrap(), ModSeq(shelf.head));
        scan(ledger, world, id, &[], &[0xff; 9], usize::MAX).await;
        let logged: Vec<_> = shelf.log.iter().map(|(at, e)| (ModSeq(*at), e.clone().into())).collect();
        let whole = Changes::Log { entries: logged, seen: ModSeq(shelf.head) };
        assert_eq!(ledger.since(name, ModSeq(0), 10_000).await.unwrap(), whole);
        for number in 0..BODIES.len() {
            let (blob, octets) = blob(number);
            let found = ledger.read_body(name, blob, 0..u64::MAX).await;
            match shelf.bodies.contains_key(&number) {
                true => assert!(found.unwrap() == octets, "body {number} of {id}"),
                false => assert_eq!(found, Err(Error::NoBody), "body {number} of {id}"),
            }
        }
    }
}

/// Runs one history. `reopen` gets the last handle and gives a new one on the same data.
pub async fn run(mut ledger: Ledger, reopen: impl AsyncFn(Ledger) -> Ledger, history: Vec<Step>) {
    let mut world = World::new();
    for step in history {
        match step {
            Step::Commit(mut parts) => {
                let mut seen = Vec::new();
                parts.retain(|part| !seen.contains(&part.ledger) && (seen.push(part.ledger), true).1);
                let next = judge(&world, &parts);
                match (commit(&ledger, &parts).await, next) {
                    (Ok(reached), Some(next)) => {
                        let heads: Vec<_> = parts.iter().map(|p| ModSeq(next[&p.ledger].head)).collect();
                        assert_eq!(reached, heads);
                        world = next;
                    }
                    (Err(CommitError::Failed(Error::NoBody)), None) => (),
                    (outcome, next) => panic!("{outcome:?}, though the model says {}", next.is_some()),
                }
            }
            Step::Scan { ledger: id, start, end, limit } => {
                scan(&ledger, &world, id, &start, &end, limit).await;
            }
            Step::Reopen => {
                compare(&ledger, &world).await;
                ledger = reopen(ledger).await;
            }
        }
    }
    compare(&ledger, &world).await;
}

/// A runtime of its own for each history.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn memory_agrees_with_the_model(history in history(25)) {
        runtime().block_on(run(Ledger::memory(), async |ledger| ledger, history));
    }
}
