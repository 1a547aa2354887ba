//! The open mailboxes of a process, and how each is kept current.
//!
//! A view is read by many and brought up to date by one at a time: who comes while that happens waits for it, and
//! all who waited are served by one reading of the log. No lock is held while a ledger is read but that of the one
//! view.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use ledger::{Changes, Ledger, Row};
use mail::{AccountId, LedgerId, MailboxId, ModSeq, Uid, UidSet};

use super::state::{Digest, Item, State};
use crate::change;
use crate::error::Error;
use crate::limits;
use crate::rows::account::{self as rows, Keywords, Mailbox, Message};

/// Neighbours from which on rows are read as a range.
const NEIGHBOURS: u32 = 16;

/// Views of this process, those used last.
#[derive(Default)]
pub(crate) struct Views {
    open: Mutex<HashMap<(AccountId, MailboxId), Arc<View>>>,
    /// Counts uses, to tell which was longest ago.
    uses: AtomicU64,
}

impl Views {
    /// The view of a mailbox, with all that is durable now. That of a mailbox which is not there says so itself.
    pub(crate) async fn current(
        &self,
        ledger: &Ledger,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<Arc<View>, Error> {
        let (view, new) = self.get(account, mailbox);
        let outcome = view.refresh(ledger).await;
        // So is one that could not be read.
        if view.read(|state| state.removed) {
            self.lock().remove(&(account, mailbox));
        } else if new {
            self.trim(&view);
        }
        outcome.map(|()| view)
    }

    fn get(&self, account: AccountId, mailbox: MailboxId) -> (Arc<View>, bool) {
        let mut new = false;
        let view = Arc::clone(self.lock().entry((account, mailbox)).or_insert_with(|| {
            new = true;
            Arc::new(View::new(account.ledger(), mailbox))
        }));
        view.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        (view, new)
    }

    /// Drops those not used for longest until the rest is within the limits. Whoever works with one keeps it.
    fn trim(&self, newest: &Arc<View>) {
        let mut open = self.lock();
        let mut messages: usize = open.values().map(|view| view.messages.load(Ordering::Relaxed)).sum();
        while open.len() > limits::VIEWS || messages > limits::VIEWED {
            let others = open.iter().filter(|(_, view)| !Arc::ptr_eq(view, newest));
            let oldest =
                others.min_by_key(|(_, view)| view.used.load(Ordering::Relaxed)).map(|(key, _)| *key);
            let Some(view) = oldest.and_then(|key| open.remove(&key)) else { break };
            messages = messages.saturating_sub(view.messages.load(Ordering::Relaxed));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(AccountId, MailboxId), Arc<View>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// One open mailbox.
pub(crate) struct View {
    ledger: LedgerId,
    mailbox: MailboxId,
    state: RwLock<State>,
    /// The number of the last refresh that went well.
    refreshed: tokio::sync::Mutex<u64>,
    /// Refreshes begun.
    begun: AtomicU64,
    /// Its last use, counted over all views.
    used: AtomicU64,
    messages: AtomicUsize,
    /// Rows and log entries read for it.
    #[cfg(test)]
    reads: AtomicU64,
}

/// What one reading of the log came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Log and rows are those of one moment.
    Settled,
    /// Some rows were written again meanwhile.
    Unsettled,
    /// There is more of the log.
    More,
    /// The log does not tell enough.
    Lost,
}

impl View {
    fn new(ledger: LedgerId, mailbox: MailboxId) -> View {
        View {
            ledger,
            mailbox,
            state: RwLock::new(State::nothing(ModSeq(0))),
            refreshed: tokio::sync::Mutex::new(0),
            begun: AtomicU64::new(0),
            used: AtomicU64::new(0),
            messages: AtomicUsize::new(0),
            #[cfg(test)]
            reads: AtomicU64::new(0),
        }
    }

    /// Lets `look` look at it. Others wait meanwhile, so it must not take long.
    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let done = change(&mut state);
        self.messages.store(state.len(), Ordering::Relaxed);
        done
    }

    /// Counts what is read, so that tests can tell what something costs.
    fn note(&self, _reads: usize) {
        #[cfg(test)]
        self.reads.fetch_add(_reads as u64, Ordering::Relaxed);
    }

    #[cfg(test)]
    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Takes in whatever was durable when this was called.
    async fn refresh(&self, ledger: &Ledger) -> Result<(), Error> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut refreshed = self.refreshed.lock().await;
        // One that began after we came has seen all that we are to see.
        if *refreshed > begun {
            return Ok(());
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        if *refreshed == 0 {
            self.load(ledger).await?;
        }
        self.settle(ledger).await?;
        *refreshed = number;
        Ok(())
    }

    /// Reads the log until nothing is left and no row is newer than it. Under a storm of changes it ends with
    /// some rows newer; they are told once more by the next.
    async fn settle(&self, ledger: &Ledger) -> Result<(), Error> {
        let (mut rounds, mut limit) = (0, limits::NEWS);
        while rounds < limits::SETTLE {
            match self.round(ledger, limit).await? {
                Round::Settled => return Ok(()),
                Round::Unsettled => rounds += 1,
                Round::More => limit = limits::LOG,
                Round::Lost => {
                    rounds += 1;
                    self.load(ledger).await?;
                }
            }
        }
        Ok(())
    }

    async fn round(&self, ledger: &Ledger, limit: usize) -> Result<Round, Error> {
        let after = self.read(|state| state.seen);
        let Changes::Log { entries, seen } = ledger.since(self.ledger, after, limit).await? else {
            return Ok(Round::Lost);
        };
        self.note(1 + entries.len());
        let mut digest = Digest::default();
        for (at, entry) in &entries {
            match change::decode(entry) {
                Some(records) => digest.take(self.mailbox, *at, &records),
                None => return Ok(Round::Lost),
            }
        }
        let more = entries.len() == limit;
        if digest.is_empty() {
            self.write(|state| state.seen = seen);
            return Ok(if more { Round::More } else { Round::Settled });
        }
        let items = self.read_items(ledger, &digest.changed).await?;
        let lacks = digest.keywords.is_some() || self.read(|state| state.lacks_keywords(&items));
        let keywords = if lacks { Some(self.read_keywords(ledger).await?) } else { None };
        let fits = digest.fits(seen, &items);
        self.write(|state| state.learn(seen, digest, &items, keywords));
        Ok(match (more, fits) {
            (true, _) => Round::More,
            (false, true) => Round::Settled,
            (false, false) => Round::Unsettled,
        })
    }

    /// Reads everything. The log is asked for its end before, so what changes meanwhile is read there.
    async fn load(&self, ledger: &Ledger) -> Result<(), Error> {
        self.note(2);
        let seen = ledger.head(self.ledger).await?;
        let Some(row) = ledger.get(self.ledger, &rows::mailbox(self.mailbox)).await? else {
            self.write(|state| *state = State::nothing(seen));
            return Ok(());
        };
        let mailbox = Mailbox::decode(&row.value)?;
        let mut items = Vec::with_capacity(mailbox.messages as usize);
        self.scan_items(ledger, Uid(0), Uid(u32::MAX), &mut items).await?;
        // Last, so that it names every keyword of the rows.
        let keywords = self.read_keywords(ledger).await?;
        self.write(|state| *state = State::new(seen, &mailbox, keywords, items));
        Ok(())
    }

    async fn read_keywords(&self, ledger: &Ledger) -> Result<Keywords, Error> {
        self.note(1);
        let row = ledger.get(self.ledger, &rows::keywords(self.mailbox)).await?;
        Ok(row.map(|row| Keywords::decode(&row.value)).transpose()?.unwrap_or_default())
    }

    /// The messages among `uids` that are there, ascending.
    async fn read_items(&self, ledger: &Ledger, uids: &UidSet) -> Result<Vec<Item>, Error> {
        let mut items = Vec::new();
        let mut keys: Vec<Bytes> = Vec::new();
        for range in uids.ranges() {
            let (low, high) = (*range.start(), *range.end());
            let single = high - low < NEIGHBOURS;
            if !single || keys.len() >= limits::SCAN {
                self.get_items(ledger, &std::mem::take(&mut keys), &mut items).await?;
            }
            if single {
                keys.extend((low..=high).map(|uid| rows::message(self.mailbox, Uid(uid))));
            } else {
                self.scan_items(ledger, Uid(low), Uid(high), &mut items).await?;
            }
        }
        self.get_items(ledger, &keys, &mut items).await?;
        Ok(items)
    }

    async fn get_items(&self, ledger: &Ledger, keys: &[Bytes], items: &mut Vec<Item>) -> Result<(), Error> {
        self.note(keys.len());
        for row in ledger.get_many(self.ledger, keys).await?.into_iter().flatten() {
            items.push(item(&row)?);
        }
        Ok(())
    }

    async fn scan_items(
        &self,
        ledger: &Ledger,
        mut low: Uid,
        high: Uid,
        items: &mut Vec<Item>,
    ) -> Result<(), Error> {
        loop {
            let (start, end) = rows::messages(self.mailbox, low, high);
            let page = ledger.scan(self.ledger, &start, &end, limits::SCAN).await?;
            self.note(1 + page.len());
            for row in &page {
                items.push(item(row)?);
            }
            match items.last() {
                Some(last) if page.len() == limits::SCAN && last.uid < high => low = Uid(last.uid.0 + 1),
                _ => return Ok(()),
            }
        }
    }
}

fn item(row: &Row) -> Result<Item, Error> {
    Ok(Item::new(rows::uid_of(&row.key)?, row.modseq, &Message::decode(&row.value)?))
}

#[cfg(test)]
mod tests {
    use crate::rows::account::INBOX;
    use crate::scene::{ACCOUNT, Scene};

    /// Those that wait while one is at work are served by the first of them; who comes later looks anew.
    #[tokio::test]
    async fn refreshes_that_wait_are_served_by_one() {
        let scene = Scene::new().await;
        scene.fill(INBOX, 10).await;
        let view = scene.store.view(ACCOUNT, INBOX).await.unwrap();
        let before = view.reads();
        let at_work = view.refreshed.lock().await;
        let waiting: Vec<_> = (0..10)
            .map(|_| {
                let (view, ledger) = (view.clone(), scene.store.ledger().clone());
                tokio::spawn(async move { view.refresh(&ledger).await })
            })
            .collect();
        // One thread: all of them run until they wait.
        tokio::task::yield_now().await;
        drop(at_work);
        for task in waiting {
            task.await.unwrap().unwrap();
        }
        assert_eq!(view.reads() - before, 1);
        view.refresh(scene.store.ledger()).await.unwrap();
        assert_eq!(view.reads() - before, 2);
    }
}
