//! One ledger's part of a commit while it is being written: a `ledger::Tx` that knows the rows of an account.
//!
//! What never lives here: the commit itself and its retry, which are in `store`.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use ledger::{Body, Row, Tx};
use mail::{BlobId, LedgerId, MailboxId, ModSeq, Uid, UidSet};

use crate::change::{self, Record};
use crate::error::Error;
use crate::limits;
use crate::name::Name;
use crate::rows::account::{self as rows, Account, Keywords, Mailbox, Message};

/// Reads and writes of one ledger that become durable together, or not at all.
pub struct Draft {
    tx: Tx,
    account: Option<Loaded<Account>>,
    mailboxes: BTreeMap<MailboxId, Loaded<Mailbox>>,
    keywords: BTreeMap<MailboxId, Loaded<Keywords>>,
    /// Mailboxes whose messages or keywords change.
    touched: BTreeSet<MailboxId>,
    records: Vec<Record>,
    /// Something was written past the three above.
    dirty: bool,
}

/// A row as read, and whether it is to be written again.
struct Loaded<T> {
    row: T,
    dirty: bool,
}

impl<T> Loaded<T> {
    fn clean(row: T) -> Loaded<T> {
        Loaded { row, dirty: false }
    }

    fn new(row: T) -> Loaded<T> {
        Loaded { row, dirty: true }
    }

    fn change(&mut self) -> &mut T {
        self.dirty = true;
        &mut self.row
    }
}

impl Draft {
    pub(crate) fn new(tx: Tx) -> Draft {
        Draft {
            tx,
            account: None,
            mailboxes: BTreeMap::new(),
            keywords: BTreeMap::new(),
            touched: BTreeSet::new(),
            records: Vec::new(),
            dirty: false,
        }
    }

    /// Whose rows these are.
    pub fn ledger(&self) -> LedgerId {
        self.tx.ledger()
    }

    /// The modseq this commit will bring the ledger to.
    pub fn modseq(&self) -> ModSeq {
        self.tx.modseq()
    }

    /// One row.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Error> {
        Ok(self.tx.get(key).await?)
    }

    /// Rows from `start` up to `end`, at most `limit`, in order of key.
    pub async fn scan(&self, start: &[u8], end: &[u8], limit: usize) -> Result<Vec<Row>, Error> {
        Ok(self.tx.scan(start, end, limit).await?)
    }

    /// Writes a row.
    pub fn put(&mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) {
        self.dirty = true;
        self.tx.put(key, value);
    }

    /// Removes a row.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        self.dirty = true;
        self.tx.delete(key);
    }

    /// Appends to this commit's entry in the ledger's log. For ledgers that are no accounts.
    pub fn log(&mut self, entry: &[u8]) {
        self.dirty = true;
        self.tx.log(entry);
    }

    /// Holds a body that has just arrived.
    pub fn hold(&mut self, body: &Body) {
        self.dirty = true;
        self.tx.hold(body);
    }

    /// Holds a body of this ledger once more.
    pub fn hold_again(&mut self, blob: BlobId) {
        self.dirty = true;
        self.tx.hold_again(blob);
    }

    /// Lets one reference to a body go.
    pub fn release(&mut self, blob: BlobId) {
        self.dirty = true;
        self.tx.release(blob);
    }

    pub(crate) fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    /// The account; `NonExistent` if this ledger holds none.
    pub(crate) async fn account(&mut self) -> Result<&mut Account, Error> {
        self.load_account().await?;
        match &mut self.account {
            Some(loaded) => Ok(loaded.change()),
            None => Err(Error::NonExistent),
        }
    }

    /// The account, to look at.
    pub(crate) async fn account_row(&mut self) -> Result<&Account, Error> {
        self.load_account().await?;
        self.account.as_ref().map(|loaded| &loaded.row).ok_or(Error::NonExistent)
    }

    /// Fails unless this ledger holds an account.
    pub(crate) async fn load_account(&mut self) -> Result<(), Error> {
        if self.account.is_none() {
            let value = self.tx.get(&rows::account()).await?.ok_or(Error::NonExistent)?;
            self.account = Some(Loaded::clean(Account::decode(&value)?));
        }
        Ok(())
    }

    pub(crate) async fn has_account(&mut self) -> Result<bool, Error> {
        match self.load_account().await {
            Ok(()) => Ok(true),
            Err(Error::NonExistent) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// For tests that make their account by hand.
    #[cfg(test)]
    pub(crate) fn make_account(&mut self, account: Account) {
        self.account = Some(Loaded::new(account));
    }

    /// Takes the row of the account away: from here on this ledger holds none.
    pub(crate) fn forget_account(&mut self) {
        self.account = None;
        self.delete(rows::account());
    }

    /// A mailbox, to look at.
    pub(crate) async fn mailbox(&mut self, id: MailboxId) -> Result<&Mailbox, Error> {
        self.load_mailbox(id).await.map(|loaded| &loaded.row)
    }

    /// A mailbox, to change.
    pub(crate) async fn mailbox_mut(&mut self, id: MailboxId) -> Result<&mut Mailbox, Error> {
        self.load_mailbox(id).await.map(Loaded::change)
    }

    async fn load_mailbox(&mut self, id: MailboxId) -> Result<&mut Loaded<Mailbox>, Error> {
        use std::collections::btree_map::Entry;
        match self.mailboxes.entry(id) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let value = self.tx.get(&rows::mailbox(id)).await?.ok_or(Error::NonExistent)?;
                Ok(entry.insert(Loaded::clean(Mailbox::decode(&value)?)))
            }
        }
    }

    /// A mailbox whose messages change: this commit is its highest modseq.
    pub(crate) async fn touch(&mut self, id: MailboxId) -> Result<&mut Mailbox, Error> {
        self.touched.insert(id);
        self.mailbox_mut(id).await
    }

    pub(crate) fn make_mailbox(&mut self, id: MailboxId, mailbox: Mailbox) {
        self.touched.insert(id);
        self.mailboxes.insert(id, Loaded::new(mailbox));
        self.record(Record::Made { mailbox: id });
    }

    /// Takes the rows of a mailbox away; its messages are left to be purged.
    pub(crate) fn remove_mailbox(&mut self, id: MailboxId) {
        self.mailboxes.remove(&id);
        self.keywords.remove(&id);
        self.touched.remove(&id);
        self.delete(rows::mailbox(id));
        self.delete(rows::keywords(id));
        self.record(Record::Removed { mailbox: id });
    }

    pub(crate) async fn keywords(&mut self, id: MailboxId) -> Result<&Keywords, Error> {
        self.load_keywords(id).await.map(|loaded| &loaded.row)
    }

    async fn load_keywords(&mut self, id: MailboxId) -> Result<&mut Loaded<Keywords>, Error> {
        use std::collections::btree_map::Entry;
        match self.keywords.entry(id) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let value = self.tx.get(&rows::keywords(id)).await?;
                let keywords = value.map(|value| Keywords::decode(&value)).transpose()?.unwrap_or_default();
                Ok(entry.insert(Loaded::clean(keywords)))
            }
        }
    }

    /// Lets `learn` find the numbers of keywords, and keeps those it made; it says whether it made any.
    pub(crate) async fn with_keywords<T>(
        &mut self,
        id: MailboxId,
        learn: impl FnOnce(&mut Keywords) -> Result<(T, bool), Error>,
    ) -> Result<T, Error> {
        let loaded = self.load_keywords(id).await?;
        let (learnt, new) = learn(&mut loaded.row)?;
        if new {
            loaded.dirty = true;
            self.touch(id).await?;
            self.record(Record::Keywords { mailbox: id });
        }
        Ok(learnt)
    }

    /// The mailbox of this name.
    pub(crate) async fn find(&self, name: &Name) -> Result<Option<MailboxId>, Error> {
        if name.is_inbox() {
            return Ok(Some(rows::INBOX));
        }
        let value = self.tx.get(&rows::name(name)).await?;
        value.map(|value| rows::decode_id(&value)).transpose()
    }

    /// Whether there are names below this one.
    pub(crate) async fn has_children(&self, name: &Name) -> Result<bool, Error> {
        let (start, end) = rows::names_below(name);
        Ok(!self.tx.scan(&start, &end, 1).await?.is_empty())
    }

    /// Messages of `uids` that exist, ascending, with the modseq of each; at most `limit`.
    pub(crate) async fn messages(
        &self,
        id: MailboxId,
        uids: &UidSet,
        limit: usize,
    ) -> Result<Vec<(Uid, ModSeq, Message)>, Error> {
        let mut found = Vec::new();
        for range in uids.ranges() {
            let (mut low, high) = (Uid(*range.start()), Uid(*range.end()));
            while found.len() < limit {
                let (start, end) = rows::messages(id, low, high);
                let page = limits::SCAN.min(limit - found.len());
                let rows = self.tx.scan(&start, &end, page).await?;
                for row in &rows {
                    found.push((rows::uid_of(&row.key)?, row.modseq, Message::decode(&row.value)?));
                }
                match found.last() {
                    Some((last, ..)) if rows.len() == page && *last < high => low = Uid(last.0 + 1),
                    _ => break,
                }
            }
        }
        Ok(found)
    }

    /// Removes the rows of a message and counts it out.
    pub(crate) async fn remove_message(
        &mut self,
        id: MailboxId,
        uid: Uid,
        message: &Message,
    ) -> Result<(), Error> {
        self.touch(id).await?.discount(uid, message);
        let account = self.account().await?;
        account.messages = account.messages.saturating_sub(1);
        account.storage = account.storage.saturating_sub(message.size);
        let marked = account.pop_days.is_some() && id == rows::INBOX;
        self.delete_rows(id, uid, message.pieces, marked);
        Ok(())
    }

    /// Removes the rows of a message that is already counted out.
    pub(crate) fn delete_rows(&mut self, id: MailboxId, uid: Uid, pieces: u8, marked: bool) {
        self.delete(rows::message(id, uid));
        for piece in 0..pieces {
            self.delete(rows::summary(id, uid, piece));
        }
        if marked {
            self.delete(rows::retrieved(id, uid));
        }
    }

    /// Nothing was written.
    pub(crate) fn is_clean(&self) -> bool {
        let rows = self.account.as_ref().is_some_and(|loaded| loaded.dirty)
            || self.mailboxes.values().any(|loaded| loaded.dirty)
            || self.keywords.values().any(|loaded| loaded.dirty);
        !(self.dirty || rows || !self.records.is_empty())
    }

    /// What is to be committed.
    pub(crate) fn finish(mut self) -> Result<Tx, Error> {
        let at = self.tx.modseq();
        for id in &self.touched {
            if let Some(loaded) = self.mailboxes.get_mut(id) {
                loaded.change().highest = at;
            }
        }
        if let Some(Loaded { row, dirty: true }) = &self.account {
            self.tx.put(rows::account(), row.encode());
        }
        for (id, loaded) in self.mailboxes.iter().filter(|(_, loaded)| loaded.dirty) {
            self.tx.put(rows::mailbox(*id), loaded.row.encode());
        }
        for (id, loaded) in self.keywords.iter().filter(|(_, loaded)| loaded.dirty) {
            self.tx.put(rows::keywords(*id), loaded.row.encode());
        }
        let entry = change::encode(&self.records);
        if entry.len() > ledger::limits::LOG_ENTRY {
            return Err(Error::Limit("too many messages at once".into()));
        }
        self.tx.log(&entry);
        Ok(self.tx)
    }

    /// What stands in for a commit of nothing when the caller must still wait for what was read to be durable.
    pub(crate) fn into_tx(self) -> Tx {
        self.tx
    }
}
