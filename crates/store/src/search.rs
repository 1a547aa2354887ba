//! SEARCH: keys over rows, summaries and bodies, a bounded number of messages at a time. RFC 9051 §6.4.4.

use mail::{AccountId, MailboxId, ModSeq, SearchKey, Uid, UidSet};

use crate::{Error, Store};

impl Store {
    /// Messages after `after` that match, ascending, with their modseq; `Some`: ask again from there.
    pub async fn search(
        &self,
        _account: AccountId,
        _mailbox: MailboxId,
        _key: &SearchKey<UidSet>,
        _recent_from: Uid,
        _after: Option<Uid>,
    ) -> Result<(Vec<(Uid, ModSeq)>, Option<Uid>), Error> {
        todo!()
    }
}
