//! Changing what is filed: flags, EXPUNGE, COPY, MOVE.

use mail::{AccountId, FlagChange, MailboxId, MessageRow, ModSeq, Uid, UidSet, UidValidity};

use crate::{Error, Store};

/// What became of a change of flags.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flagged {
    /// The rows as they are now, changed or not, without summaries, ascending.
    pub rows: Vec<MessageRow>,
    /// Those refused because of `unchanged_since`.
    pub modified: UidSet,
    /// The commit; `None` if nothing had to change.
    pub commit: Option<ModSeq>,
}

/// What became of COPY or MOVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Of the target.
    pub uid_validity: UidValidity,
    /// Source UIDs in order, and the UID each got.
    pub pairs: Vec<(Uid, Uid)>,
    /// When.
    pub modseq: ModSeq,
}

impl Store {
    /// STORE. Messages that do not exist are passed over. RFC 9051 §6.4.6, RFC 7162 §3.1.3.
    pub async fn set_flags(
        &self,
        _account: AccountId,
        _mailbox: MailboxId,
        _uids: &UidSet,
        _change: &FlagChange,
        _unchanged_since: Option<ModSeq>,
    ) -> Result<Flagged, Error> {
        todo!()
    }

    /// Removes messages with \Deleted, all or those among `uids`; more than `limits::REMOVED_PER_COMMIT` take several
    /// commits. The modseq is that of the last.
    pub async fn expunge(
        &self,
        _account: AccountId,
        _mailbox: MailboxId,
        _uids: Option<&UidSet>,
    ) -> Result<(UidSet, ModSeq), Error> {
        todo!()
    }

    /// COPY, and MOVE with `remove`, in one commit. `NonExistent`: no such target. `OverQuota`, `Limit`.
    pub async fn copy(
        &self,
        _account: AccountId,
        _from: MailboxId,
        _uids: &UidSet,
        _to: &str,
        _remove: bool,
    ) -> Result<Copied, Error> {
        todo!()
    }
}
