//! The face of the crate, and the one place where commits happen and are retried.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use ledger::{CommitError, Ledger, Tx};
use mail::{AccountId, BlobId, LedgerId, ModSeq};
use tokio::sync::{Mutex, MutexGuard, Semaphore};

use crate::directory::Directory;
use crate::draft::Draft;
use crate::error::Error;
use crate::limits;
use crate::view::Views;

/// Desks at which drafts are written; ledgers share them by number.
const DESKS: usize = 64;

/// Everything kept for people: accounts, mailboxes, messages, and the directory. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

struct Shared {
    ledger: Ledger,
    desks: [Mutex<()>; DESKS],
    directory: Directory,
    views: Views,
    /// Turns at decoding large texts.
    large_texts: Semaphore,
}

/// What a commit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed<T> {
    /// What the work answered.
    pub value: T,
    /// For each ledger in the order asked: its modseq since this commit, or `None` if nothing was written there.
    pub modseqs: Vec<Option<ModSeq>>,
}

/// What became of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// It is committed.
    Written,
    /// It was left alone, and an empty commit waits for what it had read.
    Waits,
    /// It was left alone.
    Left,
}

impl Part {
    fn of(self, reached: &mut impl Iterator<Item = ModSeq>) -> Option<ModSeq> {
        match self {
            Part::Written => reached.next(),
            Part::Waits => reached.next().and(None),
            Part::Left => None,
        }
    }
}

impl Store {
    /// A store of what these ledgers hold.
    pub fn new(ledger: Ledger) -> Store {
        let desks = std::array::from_fn(|_| Mutex::new(()));
        let directory = Directory::new(ledger.clone());
        Store {
            shared: Arc::new(Shared {
                ledger,
                desks,
                directory,
                views: Views::default(),
                large_texts: Semaphore::new(limits::LARGE_TEXTS),
            }),
        }
    }

    /// Where the rows are.
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// The open mailboxes.
    pub(crate) fn views(&self) -> &Views {
        &self.shared.views
    }

    pub(crate) fn large_texts(&self) -> &Semaphore {
        &self.shared.large_texts
    }

    /// Domains, people, aliases.
    pub fn directory(&self) -> Directory {
        self.shared.directory.clone()
    }

    /// Lets `work` write drafts of these ledgers and commits them together: all or none, durable when this
    /// returns. The work is done again when another commit came first, so it must only depend on what it
    /// reads from its drafts. It hands the drafts back with its answer; ledgers it left alone are not written.
    ///
    /// `ledgers`: at most 64, none twice. Errors: those of the work; `Busy` after `limits::ATTEMPTS`.
    pub async fn transact<T, W, F>(&self, ledgers: &[LedgerId], work: W) -> Result<Committed<T>, Error>
    where
        T: Send,
        W: Fn(Vec<Draft>) -> F + Send,
        F: Future<Output = Result<(Vec<Draft>, T), Error>> + Send,
    {
        for attempt in 0..limits::ATTEMPTS {
            let desks = self.sit_down(ledgers).await;
            let mut drafts = Vec::with_capacity(ledgers.len());
            for ledger in ledgers {
                drafts.push(Draft::new(self.ledger().begin(*ledger).await?));
            }
            let (drafts, value) = work(drafts).await?;
            let (txs, parts) = self.collect(drafts).await?;
            match self.commit(txs, desks, attempt > 0).await {
                Ok(reached) => {
                    let mut reached = reached.into_iter();
                    let modseqs = parts.iter().map(|part| part.of(&mut reached)).collect();
                    return Ok(Committed { value, modseqs });
                }
                Err(CommitError::Conflict(_)) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(Error::Busy)
    }

    /// The same for one ledger.
    pub async fn change<T, W, F>(&self, ledger: LedgerId, work: W) -> Result<(T, Option<ModSeq>), Error>
    where
        T: Send,
        W: Fn(Draft) -> F + Send + Sync,
        F: Future<Output = Result<(Draft, T), Error>> + Send,
    {
        let work = &work;
        let done = self
            .transact(&[ledger], |mut drafts: Vec<Draft>| async move {
                // One ledger was asked for, so there is one draft.
                let draft = drafts.pop().ok_or(Error::NonExistent)?;
                let (draft, value) = work(draft).await?;
                Ok((vec![draft], value))
            })
            .await?;
        Ok((done.value, done.modseqs.first().copied().flatten()))
    }

    /// Writers of one process take turns, so that none works for nothing; writers elsewhere still may come first.
    /// In ascending order, so that two who want several never wait for one another.
    async fn sit_down(&self, ledgers: &[LedgerId]) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted: Vec<usize> = ledgers.iter().map(|id| (id.0 % DESKS as u64) as usize).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut desks = Vec::with_capacity(wanted.len());
        for number in wanted {
            desks.push(self.shared.desks[number].lock().await);
        }
        desks
    }

    /// What is to be committed, and for each draft whether it wrote something.
    ///
    /// A draft that wrote nothing may have read what is accepted and not yet durable, and its answer is a promise
    /// too. Then an empty commit stands behind it in line.
    async fn collect(&self, drafts: Vec<Draft>) -> Result<(Vec<Tx>, Vec<Part>), Error> {
        let (mut txs, mut parts) = (Vec::with_capacity(drafts.len()), Vec::with_capacity(drafts.len()));
        for draft in drafts {
            let (ledger, base) = (draft.ledger(), draft.modseq().0 - 1);
            if !draft.is_clean() {
                parts.push(Part::Written);
                txs.push(draft.finish()?);
            } else if self.ledger().head(ledger).await?.0 < base {
                parts.push(Part::Waits);
                txs.push(draft.into_tx());
            } else {
                parts.push(Part::Left);
            }
        }
        Ok((txs, parts))
    }

    /// Commits, and lets the next writer begin as soon as this commit is accepted, so that both share a sync.
    async fn commit(
        &self,
        txs: Vec<Tx>,
        desks: Vec<MutexGuard<'_, ()>>,
        patient: bool,
    ) -> Result<Vec<ModSeq>, CommitError> {
        let mut commit = pin!(self.ledger().commit(txs));
        // An engine accepts when it is first asked. Where it does not, the second attempt keeps its desk until all
        // is done, so that the writers here at least do not overtake one another again.
        let first = std::future::poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await;
        let kept = patient.then_some(desks);
        let done = match first {
            Poll::Ready(done) => done,
            Poll::Pending => commit.await,
        };
        drop(kept);
        done
    }

    /// Octets of a body this account holds, at most 1 MiB; a range past the end is cut.
    /// `NonExistent`: the message is gone.
    pub async fn octets(&self, account: AccountId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        let end = range.end.min(range.start.saturating_add(limits::OCTETS));
        if range.start >= end {
            return Ok(Bytes::new());
        }
        Ok(self.ledger().read_body(account.ledger(), blob, range.start..end).await?)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("ledger", self.ledger()).finish_non_exhaustive()
    }
}
