//! Filing messages: delivery, APPEND, import. Body, rows, counters, quota and log in one commit.

use std::sync::Arc;

use ledger::Body;
use mail::{AccountId, Flags, MailboxId, ModSeq, Moment, Summary, Uid, UidValidity};

use crate::{Error, Store};

/// A message to be filed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its octets.
    pub body: Body,
    /// Envelope, structure, offsets.
    pub summary: Arc<Summary>,
    /// Its first flags.
    pub flags: Flags,
    /// INTERNALDATE.
    pub date: Moment,
}

/// Where a message was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filed {
    /// Whose.
    pub account: AccountId,
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Generation of its UIDs.
    pub uid_validity: UidValidity,
    /// The new message.
    pub uid: Uid,
    /// When.
    pub modseq: ModSeq,
}

impl Store {
    /// Files one message for each target, all or none, durable when this returns. A target names an account, once
    /// each, at most `limits::TARGETS`, and a mailbox; one that does not exist (or `None`) means INBOX.
    /// `OverQuota` names the account.
    pub async fn deliver(
        &self,
        _targets: &[(AccountId, Option<String>)],
        _arrival: &Arrival,
        _now: Moment,
    ) -> Result<Vec<Filed>, Error> {
        todo!()
    }

    /// Whether a message of this size may be appended: there is such a mailbox, and room.
    pub async fn may_file(
        &self,
        _account: AccountId,
        _mailbox: Option<&str>,
        _size: u64,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Files one message. `NonExistent`: no such mailbox. `OverQuota`.
    pub async fn append(
        &self,
        _account: AccountId,
        _mailbox: &str,
        _arrival: &Arrival,
        _now: Moment,
    ) -> Result<Filed, Error> {
        todo!()
    }

    /// Files many messages (at most `limits::IMPORTED_PER_COMMIT` and `limits::IMPORTED_OCTETS`) in one commit, in
    /// order; makes the mailbox if it is missing. Quota is checked.
    pub async fn import(
        &self,
        _account: AccountId,
        _mailbox: &str,
        _arrivals: &[Arrival],
        _now: Moment,
    ) -> Result<Vec<Filed>, Error> {
        todo!()
    }
}
