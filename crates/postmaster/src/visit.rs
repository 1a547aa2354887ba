//! One connection: who is logged in, which bodies are on their way, and the answers to its session's asks.

use std::net::IpAddr;
use std::ops::Range;

use bytes::Bytes;
use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};
use proto::{imap, pop3, smtp};

use crate::Postmaster;

/// One connection's place at the desk. Dropping it ends the session: its place among the account's sessions and a
/// locked maildrop are free again, bodies in flight are abandoned.
pub struct Visit {
    _postmaster: Postmaster,
    _peer: IpAddr,
}

impl Visit {
    pub(crate) fn new(postmaster: Postmaster, peer: IpAddr) -> Visit {
        Visit { _postmaster: postmaster, _peer: peer }
    }

    /// Answers an SMTP session.
    pub async fn smtp(&mut self, _now: Moment, _ask: smtp::ask::Ask) -> smtp::ask::Answer {
        todo!()
    }

    /// Answers an IMAP session.
    pub async fn imap(&mut self, _now: Moment, _ask: imap::ask::Ask) -> imap::ask::Answer {
        todo!()
    }

    /// Answers a POP3 session.
    pub async fn pop3(&mut self, _now: Moment, _ask: pop3::ask::Ask) -> pop3::ask::Answer {
        todo!()
    }

    /// Appends to a body in flight; a failure is remembered and told when the body is used.
    pub async fn keep(&mut self, _id: BodyId, _bytes: Bytes) {
        todo!()
    }

    /// Drops a body in flight.
    pub fn abandon(&mut self, _id: BodyId) {
        todo!()
    }

    /// Octets of a stored body of the account that is logged in.
    pub async fn read(&self, _blob: BlobId, _range: Range<u64>) -> Result<Bytes, String> {
        todo!()
    }

    /// Waits until the ledger is above `after`.
    pub fn ring(&self, _ledger: LedgerId, _after: ModSeq) -> impl Future<Output = ModSeq> + Send + 'static {
        async { todo!() }
    }

    /// A line for the log.
    pub fn note(&self, _note: &proto::Note) {
        todo!()
    }
}
