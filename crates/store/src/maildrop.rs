//! INBOX as a POP3 maildrop.

use mail::{AccountId, BlobId, Moment, Uid, UidSet, UidValidity};

use crate::{Error, Store};

/// The messages of a maildrop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maildrop {
    /// Of INBOX.
    pub uid_validity: UidValidity,
    /// UID, octets, body; ascending.
    pub entries: Vec<(Uid, u64, BlobId)>,
    /// Days that retrieved messages are kept.
    pub pop_days: Option<u32>,
}

impl Store {
    /// The messages in INBOX.
    pub async fn maildrop(&self, _account: AccountId) -> Result<Maildrop, Error> {
        todo!()
    }

    /// Removes messages for good (whatever their flags) and notes which were retrieved, if the account has a number
    /// of days; in one commit if `limits` allow, else in several, none acknowledged before all are durable.
    pub async fn update_maildrop(
        &self,
        _account: AccountId,
        _delete: &UidSet,
        _retrieved: &UidSet,
        _now: Moment,
    ) -> Result<(), Error> {
        todo!()
    }

    /// Removes what was retrieved more than the account's days ago; says how many went.
    pub async fn expire_maildrop(&self, _account: AccountId, _now: Moment) -> Result<u64, Error> {
        todo!()
    }

    /// TOP: the octet of the stored body after `lines` lines behind the header. RFC 1939 §7.
    pub async fn top(&self, _account: AccountId, _uid: Uid, _lines: u32) -> Result<u64, Error> {
        todo!()
    }
}
