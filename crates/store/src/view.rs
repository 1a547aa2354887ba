//! Open mailboxes: one shared view of UIDs, flags and modseqs each, kept current from the account's log.

use mail::{AccountId, MailboxChanges, MailboxId, MessageRow, ModSeq, Selected, Uid, UidSet};

use crate::{Error, Store};

impl Store {
    /// SELECT (or, with `read_only`, EXAMINE).
    pub async fn select(
        &self,
        _account: AccountId,
        _name: &str,
        _read_only: bool,
    ) -> Result<Selected, Error> {
        todo!()
    }

    /// What has changed after `after`.
    pub async fn since(
        &self,
        _account: AccountId,
        _mailbox: MailboxId,
        _after: ModSeq,
    ) -> Result<MailboxChanges, Error> {
        todo!()
    }

    /// Rows, ascending, at most `limits::ROWS_PAGE` (`limits::SUMMARIES_PAGE` with summaries); `Some`: ask again for
    /// UIDs after this one.
    pub async fn rows(
        &self,
        _account: AccountId,
        _mailbox: MailboxId,
        _uids: &UidSet,
        _summaries: bool,
        _changed_since: Option<ModSeq>,
    ) -> Result<(Vec<MessageRow>, Option<Uid>), Error> {
        todo!()
    }
}
