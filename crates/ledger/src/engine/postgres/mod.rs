//! Ledgers in a PostgreSQL database that several hosts may share.
//!
//! A commit is one transaction that compares and counts up the heads, so hosts need not know each other.
//! What is committed is durable: both views are the same here.

mod commit;
mod news;
mod pool;
mod schema;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mail::{BlobId, LedgerId, ModSeq};
use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tokio_postgres::Row as Found;
use tokio_postgres::types::ToSql;

use self::news::News;
use self::pool::{Failure, Pool};
use self::schema::Sql;
use super::{Engine, View};
use crate::bell::Bells;
use crate::error::{CommitError, Error};
use crate::ledger::Changes;
use crate::limits::INLINE_LIMIT;
use crate::tx::{Row, Tx};

/// Connections for reading; commits that wait for each other do not hold readers up.
const READERS: usize = 6;
/// Connections for writing.
const WRITERS: usize = 8;
/// Body numbers taken from the database at once; the sequence counts by as many.
const NUMBERS: u64 = 1024;
/// How often a read is tried whose connection broke.
const TRIES: u32 = 3;
/// How long to wait before trying again; doubled each time.
const PAUSE: Duration = Duration::from_millis(50);

/// The engine, with its tasks.
pub(crate) struct Postgres {
    inner: Arc<Inner>,
    tasks: Vec<AbortHandle>,
}

/// What tasks and commits share.
struct Inner {
    reading: Arc<Pool>,
    writing: Arc<Pool>,
    bells: Bells,
    news: News,
    /// Bodies on their way in, and how many octets of each are stored.
    arriving: Mutex<HashMap<u64, u64>>,
    numbers: tokio::sync::Mutex<Range<u64>>,
    runtime: Handle,
}

impl Postgres {
    /// Connects, makes the tables if there are none, and starts to listen.
    pub(crate) async fn connect(url: &str) -> Result<Arc<Postgres>, Error> {
        let config = pool::configure(url)?;
        schema::prepare(&pool::bare(&config).await?).await?;
        let inner = Arc::new(Inner {
            reading: Pool::new(config.clone(), READERS),
            writing: Pool::new(config.clone(), WRITERS),
            bells: Bells::default(),
            news: News::default(),
            arriving: Mutex::default(),
            numbers: tokio::sync::Mutex::new(0..0),
            runtime: Handle::current(),
        });
        let tasks = vec![
            tokio::spawn(news::tell(inner.clone())).abort_handle(),
            tokio::spawn(news::listen(inner.clone(), config)).abort_handle(),
            tokio::spawn(news::watch(inner.clone())).abort_handle(),
            tokio::spawn(news::sweep(inner.clone())).abort_handle(),
        ];
        Ok(Arc::new(Postgres { inner, tasks }))
    }

    /// Removes what nobody refers to; says how many bodies went.
    pub(crate) async fn sweep(&self) -> Result<u64, Error> {
        news::sweep_once(&self.inner).await
    }

    /// What `Drop` of a body writer calls. A committed body is not among those that arrive any more.
    pub(crate) fn abandon(&self, number: u64) {
        if self.inner.arriving().contains_key(&number) {
            let inner = self.inner.clone();
            self.inner.runtime.spawn(async move { inner.give_up(number).await });
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl Inner {
    fn arriving(&self) -> MutexGuard<'_, HashMap<u64, u64>> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number no body has.
    async fn next_number(&self) -> Result<u64, Error> {
        let mut numbers = self.numbers.lock().await;
        if let Some(number) = numbers.next() {
            return Ok(number);
        }
        let rows = self.read(Sql::Numbers, &[]).await?;
        let first = rows[0].get::<_, i64>(0) as u64;
        *numbers = first + 1..first + NUMBERS;
        Ok(first)
    }

    /// A statement that may be said twice, tried again when its connection broke.
    async fn read(&self, sql: Sql, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Found>, Error> {
        let mut pause = PAUSE;
        let mut tried = 0;
        loop {
            tried += 1;
            let failed = match self.reading.lease().await {
                Err(error) => error,
                Ok(lease) => match lease.query(sql, values).await {
                    Ok(rows) => return Ok(rows),
                    Err(Failure::Lost(said)) => {
                        lease.throw_away();
                        Failure::Lost(said).into()
                    }
                    Err(other) => return Err(other.into()),
                },
            };
            if tried == TRIES {
                return Err(failed);
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// Stores a piece without waiting for the disk: the commit that names the body flushes all that was written
    /// before it, by whichever connection.
    async fn append(&self, number: u64, start: u64, chunk: &[u8]) -> Result<(), CommitError> {
        let lease = self.writing.lease().await?;
        let open = async {
            match start {
                0 => lease.execute(Sql::Open, &[&(number as i64)]).await,
                _ => Ok(1),
            }
        };
        let crc = i64::from(crc32fast::hash(chunk));
        let values: [&(dyn ToSql + Sync); 4] = [&(number as i64), &(start as i64), &crc, &chunk];
        let append = async { lease.execute(Sql::Append, &values).await };
        let (begun, open, append, done) = tokio::join!(
            biased;
            lease.say("BEGIN; SET LOCAL synchronous_commit = off"),
            open,
            append,
            lease.say("COMMIT"),
        );
        let outcome = begun.and(open).and(append).and(done);
        if outcome.is_err() {
            lease.throw_away();
        }
        outcome.map_err(|failure| match failure {
            Failure::Full => CommitError::Full,
            other => Error::from(other).into(),
        })
    }

    async fn give_up(&self, number: u64) {
        if self.arriving().remove(&number).is_none() {
            return;
        }
        let outcome = self.read(Sql::GiveUp, &[&(number as i64)]).await;
        if let Err(error) = outcome {
            tracing::debug!(%error, number, "an abandoned body is left for the broom");
        }
    }
}

/// A count or a size as the database has them. None comes near the limit; what a caller makes up is cut.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn modseq(row: &Found, column: usize) -> ModSeq {
    ModSeq(row.get::<_, i64>(column) as u64)
}

fn octets(row: &Found, column: usize) -> Bytes {
    Bytes::copy_from_slice(row.get(column))
}

fn row(found: &Found) -> Row {
    Row { key: octets(found, 0), value: octets(found, 1), modseq: modseq(found, 2) }
}

impl Engine for Postgres {
    async fn head(&self, ledger: LedgerId, _: View) -> Result<ModSeq, Error> {
        let rows = self.inner.read(Sql::Head, &[&(ledger.0 as i64)]).await?;
        Ok(rows.first().map_or(ModSeq(0), |row| modseq(row, 0)))
    }

    async fn get_many(&self, ledger: LedgerId, keys: &[Bytes], _: View) -> Result<Vec<Option<Row>>, Error> {
        let wanted: Vec<&[u8]> = keys.iter().map(Bytes::as_ref).collect();
        let rows = self.inner.read(Sql::Get, &[&(ledger.0 as i64), &wanted]).await?;
        let found: HashMap<Bytes, Row> = rows.iter().map(row).map(|row| (row.key.clone(), row)).collect();
        Ok(keys.iter().map(|key| found.get(key).cloned()).collect())
    }

    async fn scan(
        &self,
        ledger: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
        _: View,
    ) -> Result<Vec<Row>, Error> {
        let values: [&(dyn ToSql + Sync); 4] = [&(ledger.0 as i64), &start, &end, &number(limit as u64)];
        Ok(self.inner.read(Sql::Scan, &values).await?.iter().map(row).collect())
    }

    async fn log_after(&self, ledger: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        let values: [&(dyn ToSql + Sync); 3] = [&(ledger.0 as i64), &number(after.0), &number(limit as u64)];
        let rows = self.inner.read(Sql::Since, &values).await?;
        let Some(first) = rows.first() else {
            return Ok(Changes::Log { entries: Vec::new(), seen: after });
        };
        let (head, floor) = (modseq(first, 0), modseq(first, 1));
        if after < floor {
            return Ok(Changes::Forgotten { floor });
        }
        // A ledger without news has one row, of nulls.
        let news = rows.iter().filter(|row| row.get::<_, Option<i64>>(2).is_some());
        let entries: Vec<_> = news.map(|row| (modseq(row, 2), octets(row, 3))).collect();
        let seen = match entries.last() {
            Some((last, _)) if entries.len() == limit => *last,
            _ => head.max(after),
        };
        Ok(Changes::Log { entries, seen })
    }

    async fn commit(&self, txs: Vec<Tx>) -> Result<Vec<ModSeq>, CommitError> {
        // A task of its own: whoever drops the future leaves no transaction half way on a connection.
        let inner = self.inner.clone();
        let task = tokio::spawn(async move { commit::run(&inner, &txs).await });
        task.await
            .unwrap_or_else(|error| Err(Error::Stopped(format!("a commit was cut off: {error}")).into()))
    }

    async fn body_open(&self) -> Result<u64, Error> {
        let number = self.inner.next_number().await?;
        self.inner.arriving().insert(number, 0);
        Ok(number)
    }

    async fn body_append(&self, number: u64, chunk: Bytes) -> Result<(), CommitError> {
        assert!(
            !chunk.is_empty() && chunk.len() <= INLINE_LIMIT,
            "pieces have one size, and `body_read` counts on it"
        );
        let start = self.inner.arriving().get(&number).copied().ok_or(Error::NoBody)?;
        self.inner.append(number, start, &chunk).await?;
        self.inner.arriving().insert(number, start + chunk.len() as u64);
        Ok(())
    }

    async fn body_finish(&self, number: u64, whole: Option<(BlobId, u64)>) -> Result<(), CommitError> {
        let Some((blob, size)) = whole else {
            self.inner.give_up(number).await;
            return Ok(());
        };
        let stored = self.inner.arriving().get(&number).copied().ok_or(Error::NoBody)?;
        assert_eq!(stored, size, "what was appended is what was counted");
        let values: [&(dyn ToSql + Sync); 3] = [&(number as i64), &&blob.0[..], &(size as i64)];
        self.inner.read(Sql::Whole, &values).await?;
        Ok(())
    }

    async fn body_read(&self, ledger: LedgerId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        let (start, end) = (number(range.start), number(range.end));
        let first = start - INLINE_LIMIT as i64;
        let values: [&(dyn ToSql + Sync); 4] = [&(ledger.0 as i64), &&blob.0[..], &first, &end];
        let rows = self.inner.read(Sql::Read, &values).await?;
        let size = rows.first().ok_or(Error::NoBody)?.get::<_, i64>(0);
        let (start, end) = (start.min(size), end.min(size));
        let mut found = BytesMut::new();
        let mut at = start;
        for row in rows.iter().filter(|row| row.get::<_, Option<i64>>(1).is_some()) {
            let (piece, crc, octets): (i64, i64, &[u8]) = (row.get(1), row.get(2), row.get(3));
            if i64::from(crc32fast::hash(octets)) != crc {
                return Err(damaged(ledger, blob, piece));
            }
            let reach = piece + octets.len() as i64;
            if piece <= at && at < end && at < reach {
                let to = end.min(reach);
                found.extend_from_slice(&octets[(at - piece) as usize..(to - piece) as usize]);
                at = to;
            }
        }
        if at < end {
            return Err(damaged(ledger, blob, at));
        }
        Ok(found.freeze())
    }

    async fn forget(&self, ledger: LedgerId, up_to: ModSeq) -> Result<(), Error> {
        self.inner.read(Sql::Forget, &[&(ledger.0 as i64), &number(up_to.0)]).await?;
        Ok(())
    }

    fn bells(&self) -> &Bells {
        &self.inner.bells
    }
}

fn damaged(ledger: LedgerId, blob: BlobId, at: i64) -> Error {
    Error::Damaged(format!("body {blob:?} of ledger {} at octet {at}", ledger.0))
}
