//! Mailboxes of an account: listing, making, renaming, removing, subscribing; quota and the other settings.

use mail::{AccountId, MailboxId, MailboxInfo, Moment, SpecialUse};

use crate::rows::account::Quota;
use crate::{Error, Store};

/// What an account holds, may hold, and how it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets of all messages.
    pub storage: u64,
    /// Messages.
    pub messages: u64,
    /// How much it may hold.
    pub quota: Quota,
    /// POP3: days that retrieved messages are kept; `None` is for ever.
    pub pop_days: Option<u32>,
}

impl Store {
    /// Mailboxes and subscribed names in the order of levels, at most `limits::NAMES_PAGE` after this name, and
    /// whether there are more.
    pub async fn mailboxes(
        &self,
        _account: AccountId,
        _after: Option<&str>,
    ) -> Result<(Vec<MailboxInfo>, bool), Error> {
        todo!()
    }

    /// One mailbox with its counters. `NonExistent`.
    pub async fn mailbox(&self, _account: AccountId, _name: &str) -> Result<MailboxInfo, Error> {
        todo!()
    }

    /// Makes a mailbox and the missing ones above it. `AlreadyExists`, `Cannot`, `Limit`.
    pub async fn create(
        &self,
        _account: AccountId,
        _name: &str,
        _special_use: Option<SpecialUse>,
        _now: Moment,
    ) -> Result<MailboxId, Error> {
        todo!()
    }

    /// Removes a mailbox with its messages; the rows go in bounded commits. `NonExistent`, `HasChildren`, `Cannot` (INBOX).
    pub async fn delete(&self, _account: AccountId, _name: &str) -> Result<(), Error> {
        todo!()
    }

    /// Renames a mailbox and what is below it. INBOX: its messages go, it stays. RFC 9051 §6.3.6.
    pub async fn rename(
        &self,
        _account: AccountId,
        _from: &str,
        _to: &str,
        _now: Moment,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Subscribes to a name, which need not exist, or not any more.
    pub async fn subscribe(&self, _account: AccountId, _name: &str, _subscribe: bool) -> Result<(), Error> {
        todo!()
    }

    /// What the account holds.
    pub async fn usage(&self, _account: AccountId) -> Result<Usage, Error> {
        todo!()
    }

    /// Sets how much it may hold.
    pub async fn set_quota(&self, _account: AccountId, _quota: Quota) -> Result<(), Error> {
        todo!()
    }

    /// Sets for how many days retrieved messages are kept for POP3.
    pub async fn set_pop_days(&self, _account: AccountId, _days: Option<u32>) -> Result<(), Error> {
        todo!()
    }

    /// Removes messages of mailboxes that are gone, left by a restart in the middle; says how many went.
    pub async fn purge(&self, _account: AccountId) -> Result<u64, Error> {
        todo!()
    }

    /// Removes everything of an account that the directory has let go, then tells the directory to forget it.
    pub async fn clear(&self, _account: AccountId) -> Result<(), Error> {
        todo!()
    }

    /// Compares every counter and row of an account with what they count; sets counters right when `repair`. One
    /// line for each thing found.
    pub async fn recount(&self, _account: AccountId, _repair: bool) -> Result<Vec<String>, Error> {
        todo!()
    }
}
