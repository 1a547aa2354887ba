//! One commit: gathered into arrays, so that it takes the same few statements whatever it holds, and two or
//! three journeys to the database.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use mail::{BlobId, LedgerId, ModSeq};

use super::pool::{Connection, Failure};
use super::schema::Sql;
use super::{Inner, number};
use crate::error::{CommitError, Error};
use crate::tx::{Held, Tx};

/// How often a commit is tried whose connection broke before it happened.
const TRIES: u32 = 4;
/// How long to wait before trying again; doubled each time.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the database is asked what became of a commit: with the pauses about ten seconds.
const QUESTIONS: u32 = 7;

/// Runs a commit to its end.
pub(super) async fn run(inner: &Inner, txs: &[Tx]) -> Result<Vec<ModSeq>, CommitError> {
    let plan = Plan::gather(inner, txs).await?;
    let mut pause = PAUSE;
    let mut last = String::new();
    for _ in 0..TRIES {
        match plan.attempt(inner).await? {
            Outcome::Done => return Ok(finish(inner, txs, &plan)),
            Outcome::Lost(said) => last = said,
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(Error::Io(format!("the connection to the database was lost: {last}")).into())
}

/// It is durable: forget the bodies' numbers, ring, tell the others.
fn finish(inner: &Inner, txs: &[Tx], plan: &Plan) -> Vec<ModSeq> {
    let mut arriving = inner.arriving();
    for number in &plan.sources {
        arriving.remove(&(*number as u64));
    }
    drop(arriving);
    for tx in txs {
        inner.bells.ring(tx.ledger, tx.modseq());
        inner.news.tell(tx.ledger, tx.modseq());
    }
    txs.iter().map(Tx::modseq).collect()
}

enum Outcome {
    Done,
    /// It did not happen, as the connection broke; it may be tried again.
    Lost(String),
}

type Numbers = Vec<i64>;
type Strings = Vec<Vec<u8>>;

/// A commit as the arrays its statements take.
#[derive(Default)]
struct Plan {
    ledgers: Vec<LedgerId>,
    /// Ledgers with commits before this one, and their heads.
    known: (Numbers, Numbers),
    /// Ledgers without.
    fresh: Numbers,
    puts: (Numbers, Strings, Strings, Numbers),
    deletes: (Numbers, Strings),
    log: (Numbers, Numbers, Strings),
    /// Bodies written inside this commit: number, blob, size.
    inline: (Numbers, Strings, Numbers),
    /// Their octets: number, checksum, octets.
    octets: (Numbers, Numbers, Strings),
    /// References to bodies that come along: ledger, blob, number, references.
    takes: (Numbers, Strings, Numbers, Numbers),
    /// The numbers of those bodies.
    sources: Numbers,
    /// Changes of references to bodies that are there: ledger, blob, change.
    counts: (Numbers, Strings, Numbers),
    /// Those that may come to zero.
    drops: (Numbers, Strings),
}

/// By how much a ledger's references change, and whether octets come along or must be there.
#[derive(Default)]
struct Change {
    by: i64,
    comes: bool,
}

impl Plan {
    async fn gather(inner: &Inner, txs: &[Tx]) -> Result<Plan, CommitError> {
        let mut plan = Plan::default();
        for tx in txs {
            plan.rows(tx);
        }
        let numbers = plan.number_bodies(inner, txs).await?;
        for tx in txs {
            plan.references(tx, &numbers);
        }
        Ok(plan)
    }

    fn rows(&mut self, tx: &Tx) {
        let (ledger, at) = (tx.ledger.0 as i64, number(tx.modseq().0));
        self.ledgers.push(tx.ledger);
        if tx.base == ModSeq(0) {
            self.fresh.push(ledger);
        } else {
            self.known.0.push(ledger);
            self.known.1.push(number(tx.base.0));
        }
        for (key, value) in &tx.writes {
            if let Some(value) = value {
                self.puts.0.push(ledger);
                self.puts.1.push(key.to_vec());
                self.puts.2.push(value.to_vec());
                self.puts.3.push(at);
            } else {
                self.deletes.0.push(ledger);
                self.deletes.1.push(key.to_vec());
            }
        }
        if !tx.entry.is_empty() {
            self.log.0.push(ledger);
            self.log.1.push(at);
            self.log.2.push(tx.entry.clone());
        }
    }

    /// Finds or gives a number for each body that comes along.
    async fn number_bodies(
        &mut self,
        inner: &Inner,
        txs: &[Tx],
    ) -> Result<HashMap<BlobId, i64>, CommitError> {
        let mut numbers = HashMap::new();
        for body in txs.iter().flat_map(|tx| &tx.bodies) {
            if numbers.contains_key(&body.id) {
                continue;
            }
            let given = match &body.held {
                Held::Stored => continue,
                Held::Chunked(given) => {
                    if !inner.arriving().contains_key(given) {
                        return Err(Error::NoBody.into());
                    }
                    *given as i64
                }
                Held::Inline(octets) => {
                    let given = inner.next_number().await? as i64;
                    self.inline.0.push(given);
                    self.inline.1.push(body.id.0.to_vec());
                    self.inline.2.push(number(body.size));
                    if !octets.is_empty() {
                        self.octets.0.push(given);
                        self.octets.1.push(i64::from(crc32fast::hash(octets)));
                        self.octets.2.push(octets.to_vec());
                    }
                    given
                }
            };
            numbers.insert(body.id, given);
            self.sources.push(given);
        }
        Ok(numbers)
    }

    /// The net change of each reference; holds count before releases.
    fn references(&mut self, tx: &Tx, numbers: &HashMap<BlobId, i64>) {
        let mut changes: BTreeMap<BlobId, Change> = BTreeMap::new();
        for body in &tx.bodies {
            let change = changes.entry(body.id).or_default();
            change.by += 1;
            change.comes |= !matches!(body.held, Held::Stored);
        }
        for blob in &tx.released {
            changes.entry(*blob).or_default().by -= 1;
        }
        let ledger = tx.ledger.0 as i64;
        for (blob, change) in changes {
            let source = numbers.get(&blob).filter(|_| change.comes);
            match (source, change.by) {
                (Some(_), 0) => {}
                (Some(source), 1..) => {
                    self.takes.0.push(ledger);
                    self.takes.1.push(blob.0.to_vec());
                    self.takes.2.push(*source);
                    self.takes.3.push(change.by);
                }
                (_, by) => {
                    self.counts.0.push(ledger);
                    self.counts.1.push(blob.0.to_vec());
                    self.counts.2.push(by);
                    if by < 0 {
                        self.drops.0.push(ledger);
                        self.drops.1.push(blob.0.to_vec());
                    }
                }
            }
        }
    }

    fn has_bodies(&self) -> bool {
        !self.sources.is_empty() || !self.counts.0.is_empty()
    }

    /// One transaction. An id that was never used is said in it: whoever can say it later knows that this
    /// transaction did not happen and never will.
    async fn attempt(&self, inner: &Inner) -> Result<Outcome, CommitError> {
        let mut id = vec![0; 16];
        getrandom::fill(&mut id).map_err(|error| Error::Io(format!("no randomness: {error}")))?;
        let lease = match inner.writing.lease().await {
            Ok(lease) => lease,
            Err(error) => return Ok(Outcome::Lost(error.to_string())),
        };
        match self.transact(&lease, &id).await {
            Ok(()) => Ok(Outcome::Done),
            Err(Stop::Judged(judgement)) => {
                if lease.say("ROLLBACK").await.is_err() {
                    lease.throw_away();
                }
                Err(judgement)
            }
            Err(Stop::Failed(failure)) => {
                lease.throw_away();
                match failure {
                    Failure::Conflict => Err(CommitError::Conflict(self.ledgers[0])),
                    Failure::Full => Err(CommitError::Full),
                    Failure::Lost(said) if !happened(inner, &id).await? => Ok(Outcome::Lost(said)),
                    Failure::Lost(_) => Ok(Outcome::Done),
                    Failure::Fenced | Failure::Other(_) => Err(Error::from(failure).into()),
                }
            }
        }
    }

    async fn transact(&self, db: &Connection, id: &[u8]) -> Result<(), Stop> {
        self.compare(db).await?;
        if !self.has_bodies() {
            let (rows, done) = tokio::join!(biased; self.write(db, id), db.say("COMMIT"));
            // COMMIT of a failed transaction is answered like ROLLBACK: the rows speak for both.
            return rows.and(done).map_err(Stop::Failed);
        }
        let (rows, bodies) = tokio::join!(biased; self.write(db, id), self.write_bodies(db));
        rows.map_err(Stop::Failed)?;
        self.judge_bodies(bodies.map_err(Stop::Failed)?)?;
        db.say("COMMIT").await.map_err(Stop::Failed)
    }

    /// The heads are what they were, and are now ours until the end of the transaction.
    async fn compare(&self, db: &Connection) -> Result<(), Stop> {
        let advance = async {
            match self.known.0.is_empty() {
                true => Ok(Vec::new()),
                false => db.query(Sql::Advance, &[&self.known.0, &self.known.1]).await,
            }
        };
        let begin = async {
            match self.fresh.is_empty() {
                true => Ok(Vec::new()),
                false => db.query(Sql::Begin, &[&self.fresh]).await,
            }
        };
        let (began, advanced, begun) = tokio::join!(biased; db.say("BEGIN"), advance, begin);
        began.map_err(Stop::Failed)?;
        let rows = [advanced.map_err(Stop::Failed)?, begun.map_err(Stop::Failed)?];
        let ours: HashSet<u64> = rows.iter().flatten().map(|row| row.get::<_, i64>(0) as u64).collect();
        match self.ledgers.iter().find(|ledger| !ours.contains(&ledger.0)) {
            Some(ledger) => Err(Stop::Judged(CommitError::Conflict(*ledger))),
            None => Ok(()),
        }
    }

    async fn write(&self, db: &Connection, id: &[u8]) -> Result<(), Failure> {
        let puts = async {
            let (ledgers, keys, values, modseqs) = &self.puts;
            match ledgers.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::Put, &[ledgers, keys, values, modseqs]).await,
            }
        };
        let deletes = async {
            match self.deletes.0.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::Delete, &[&self.deletes.0, &self.deletes.1]).await,
            }
        };
        let log = async {
            match self.log.0.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::Log, &[&self.log.0, &self.log.1, &self.log.2]).await,
            }
        };
        let done = async { db.execute(Sql::Done, &[&id]).await };
        let (puts, deletes, log, done) = tokio::join!(biased; puts, deletes, log, done);
        // In order: what follows a failure only says that something failed.
        puts.and(deletes).and(log).and(done).map(|_| ())
    }

    /// How many bodies were taken, and how many counts changed.
    async fn write_bodies(&self, db: &Connection) -> Result<(u64, u64), Failure> {
        let inline = async {
            let (numbers, blobs, sizes) = &self.inline;
            match numbers.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::Inline, &[numbers, blobs, sizes]).await,
            }
        };
        let octets = async {
            let (numbers, sums, octets) = &self.octets;
            match numbers.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::InlineOctets, &[numbers, sums, octets]).await,
            }
        };
        let takes = async {
            let (ledgers, blobs, numbers, references) = &self.takes;
            match self.sources.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::Take, &[ledgers, blobs, numbers, references, &self.sources]).await,
            }
        };
        let counts = async {
            match self.counts.0.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::Count, &[&self.counts.0, &self.counts.1, &self.counts.2]).await,
            }
        };
        let drops = async {
            match self.drops.0.is_empty() {
                true => Ok(0),
                false => db.execute(Sql::LetGo, &[&self.drops.0, &self.drops.1]).await,
            }
        };
        let (inline, octets, takes, counts, drops) =
            tokio::join!(biased; inline, octets, takes, counts, drops);
        inline.and(octets)?;
        let (taken, counted) = (takes?, counts?);
        drops?;
        Ok((taken, counted))
    }

    fn judge_bodies(&self, (taken, counted): (u64, u64)) -> Result<(), Stop> {
        let whole = taken == self.sources.len() as u64 && counted == self.counts.0.len() as u64;
        match whole {
            true => Ok(()),
            false => Err(Stop::Judged(Error::NoBody.into())),
        }
    }
}

/// Why a transaction did not come to its end.
enum Stop {
    /// We decided so; the connection is in order.
    Judged(CommitError),
    /// A statement failed.
    Failed(Failure),
}

/// Whether a commit happened whose answer was lost. Says its id: if that works, it did not and never will.
async fn happened(inner: &Inner, id: &[u8]) -> Result<bool, CommitError> {
    let mut pause = PAUSE;
    for _ in 0..QUESTIONS {
        if let Ok(lease) = inner.writing.lease().await {
            match lease.execute(Sql::Fence, &[&id]).await {
                Ok(said) => return Ok(said == 0),
                Err(_) => lease.throw_away(),
            }
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    Err(Error::Io(
        "the connection to the database was lost, and what became of the commit is not known".into(),
    )
    .into())
}
