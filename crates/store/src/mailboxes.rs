//! Mailboxes of an account: listing, making, subscribing.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{AccountId, MailboxId, MailboxInfo, ModSeq, Moment, SpecialUse, Uid, UidValidity};

use crate::change::Record;
use crate::draft::Draft;
use crate::filing::existing;
use crate::name::Name;
use crate::rows::account::{self as rows, INBOX, Mailbox};
use crate::{Error, Store, limits};

impl Store {
    /// Mailboxes and subscribed names in the order of levels, at most `limits::NAMES_PAGE` after this name, and
    /// whether there are more.
    pub async fn mailboxes(
        &self,
        account: AccountId,
        after: Option<&str>,
    ) -> Result<(Vec<MailboxInfo>, bool), Error> {
        let mut after = after.map(str::to_owned);
        loop {
            let (page, more) = self.names(account, after.as_deref()).await?;
            after = page.last().map(|(name, _)| name.clone());
            let list = self.infos(account, page).await?;
            // All of a page may have gone meanwhile.
            if !more || !list.is_empty() {
                return Ok((list, more));
            }
        }
    }

    /// One mailbox with its counters. `NonExistent`.
    pub async fn mailbox(&self, account: AccountId, name: &str) -> Result<MailboxInfo, Error> {
        let name = existing(name)?;
        let id = self.find_durable(account, &name).await?;
        let keys = [rows::mailbox(id), rows::subscription(&name)];
        let mut found = self.ledger().get_many(account.ledger(), &keys).await?.into_iter();
        let row = found.next().flatten().ok_or(Error::NonExistent)?;
        Ok(Mailbox::decode(&row.value)?.info(id, found.flatten().next().is_some()))
    }

    /// Makes a mailbox and the missing ones above it. `AlreadyExists`, `Cannot`, `Limit`.
    pub async fn create(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        now: Moment,
    ) -> Result<MailboxId, Error> {
        let name = Name::parse(name)?;
        let work = async |mut draft: Draft| {
            if draft.find(&name).await?.is_some() {
                return Err(Error::AlreadyExists);
            }
            let id = draft.make(&name, special_use, now).await?;
            Ok((draft, id))
        };
        Ok(self.change(account.ledger(), work).await?.0)
    }

    /// Subscribes to a name, which need not exist, or not any more.
    pub async fn subscribe(&self, account: AccountId, name: &str, subscribe: bool) -> Result<(), Error> {
        let name = Name::parse(name)?;
        let work = async |mut draft: Draft| {
            let key = rows::subscription(&name);
            draft.load_account().await?;
            if draft.get(&key).await?.is_some() != subscribe {
                let account = draft.account().await?;
                if subscribe {
                    account.subscriptions += 1;
                    if account.subscriptions > limits::SUBSCRIPTIONS {
                        let most = limits::SUBSCRIPTIONS;
                        return Err(Error::Limit(format!("an account has at most {most} subscriptions")));
                    }
                    draft.put(key, Bytes::new());
                } else {
                    account.subscriptions = account.subscriptions.saturating_sub(1);
                    draft.delete(key);
                }
                draft.record(Record::Subscriptions);
            }
            Ok((draft, ()))
        };
        self.change(account.ledger(), work).await.map(|_| ())
    }

    /// Names of mailboxes, with their numbers, and subscribed names, each once and in order.
    async fn names(
        &self,
        account: AccountId,
        after: Option<&str>,
    ) -> Result<(Vec<(String, Seen)>, bool), Error> {
        let (ledger, limit) = (account.ledger(), limits::NAMES_PAGE + 1);
        let (start, end) = rows::names_after(after);
        let named = self.ledger().scan(ledger, &start, &end, limit).await?;
        let (start, end) = rows::subscriptions_after(after);
        let subscribed = self.ledger().scan(ledger, &start, &end, limit).await?;
        // Behind their tags both kinds of key say the same, and sort by level.
        let mut merged: BTreeMap<Bytes, Seen> = BTreeMap::new();
        for row in &named {
            merged.entry(row.key.slice(1..)).or_default().id = Some(rows::decode_id(&row.value)?);
        }
        for row in &subscribed {
            merged.entry(row.key.slice(1..)).or_default().subscribed = true;
        }
        let more = merged.len() > limits::NAMES_PAGE;
        let page = merged.into_iter().take(limits::NAMES_PAGE);
        let page: Result<_, Error> =
            page.map(|(key, seen)| Ok((rows::name_behind_tag(&key)?, seen))).collect();
        Ok((page?, more))
    }

    async fn infos(&self, account: AccountId, page: Vec<(String, Seen)>) -> Result<Vec<MailboxInfo>, Error> {
        let keys: Vec<Bytes> = page.iter().filter_map(|(_, seen)| seen.id).map(rows::mailbox).collect();
        let mut found = self.ledger().get_many(account.ledger(), &keys).await?.into_iter();
        let mut list = Vec::with_capacity(page.len());
        for (name, Seen { id, subscribed }) in page {
            let row = id.and_then(|id| Some((id, found.next()??)));
            match row {
                // Under the name that led to it, should it be renamed just now.
                Some((id, row)) => {
                    list.push(MailboxInfo { name, ..Mailbox::decode(&row.value)?.info(id, subscribed) });
                }
                None if subscribed => list.push(not_there(name)),
                None => {}
            }
        }
        Ok(list)
    }
}

/// What is known of a name.
#[derive(Clone, Copy, Default)]
struct Seen {
    id: Option<MailboxId>,
    subscribed: bool,
}

/// A subscribed name without a mailbox.
fn not_there(name: String) -> MailboxInfo {
    MailboxInfo {
        name,
        id: None,
        subscribed: true,
        special_use: None,
        uid_validity: UidValidity(0),
        uid_next: Uid(0),
        highest_modseq: ModSeq(0),
        messages: 0,
        unseen: 0,
        deleted: 0,
        recent: 0,
        size: 0,
    }
}

impl Draft {
    /// Makes a mailbox that does not exist, and those missing above it. RFC 9051 §6.3.4.
    pub(crate) async fn make(
        &mut self,
        name: &Name,
        special_use: Option<SpecialUse>,
        now: Moment,
    ) -> Result<MailboxId, Error> {
        self.make_above(name, now).await?;
        self.make_one(name, special_use, now).await
    }

    /// Makes what is missing above a name.
    pub(crate) async fn make_above(&mut self, name: &Name, now: Moment) -> Result<(), Error> {
        let mut missing = Vec::new();
        let mut above = name.parent();
        while let Some(parent) = above {
            if self.find(&parent).await?.is_some() {
                break;
            }
            above = parent.parent();
            missing.push(parent);
        }
        for parent in missing.iter().rev() {
            self.make_one(parent, None, now).await?;
        }
        Ok(())
    }

    async fn make_one(
        &mut self,
        name: &Name,
        special_use: Option<SpecialUse>,
        now: Moment,
    ) -> Result<MailboxId, Error> {
        let (id, uid_validity) = self.account().await?.allot(now)?;
        debug_assert_ne!(id, INBOX, "INBOX is there from the beginning");
        self.put(rows::name(name), rows::encode_id(id));
        self.make_mailbox(id, Mailbox::new(name, uid_validity, special_use));
        Ok(id)
    }
}
