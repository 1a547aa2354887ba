//! What an IMAP session asks of the account that is logged in.
//!
//! What never lives here: how a mailbox works; that is the store's.

use std::ops::Range;

use bytes::Bytes;
use mail::{AccountId, BlobId, BodyId, Flags, Moment};
use proto::imap::ask::{Answer, Ask, Code};
use store::{Arrival, Error, Store};

use crate::visit::Visit;
use crate::{limits, refusal};

impl Visit {
    /// Answers an IMAP session.
    pub async fn imap(&mut self, now: Moment, ask: Ask) -> Answer {
        if let Some(account) = account(&ask)
            && self.account() != Some(account)
        {
            return Answer::No { code: Code::NoPerm, text: "That account is not logged in here".into() };
        }
        match ask {
            Ask::Login(credentials) => Answer::Login(self.log_in(now, &credentials, true).await),
            Ask::MayAppend { account, mailbox, size } => self.may_append(account, &mailbox, size).await,
            Ask::Append { account, mailbox, body, flags, date } => {
                self.append(now, account, &mailbox, body, flags, date).await
            }
            other => {
                let store = self.postmaster().store();
                ask_store(store, now, other).await.unwrap_or_else(refusal::imap)
            }
        }
    }

    async fn may_append(&self, account: AccountId, mailbox: &str, size: u64) -> Answer {
        let most = self.postmaster().policy().message_size;
        if size > most {
            let text = format!("Messages of more than {most} octets are not taken");
            return Answer::No { code: Code::TooBig, text };
        }
        match self.postmaster().store().may_file(account, Some(mailbox), size).await {
            Ok(()) => Answer::Done,
            Err(error) => refusal::imap_target(error),
        }
    }

    async fn append(
        &mut self,
        now: Moment,
        account: AccountId,
        mailbox: &str,
        body: BodyId,
        flags: Flags,
        date: Option<Moment>,
    ) -> Answer {
        let whole = match self.bodies.finish(body).await {
            Ok(whole) => whole,
            Err(error) => return refusal::imap(error),
        };
        let arrival = Arrival { body: whole.body, summary: whole.summary, flags, date: date.unwrap_or(now) };
        match self.postmaster().store().append(account, mailbox, &arrival, now).await {
            Ok(filed) => Answer::Appended { uid_validity: filed.uid_validity, uid: filed.uid },
            Err(error) => refusal::imap_target(error),
        }
    }
}

/// Whose rows it is about.
fn account(ask: &Ask) -> Option<AccountId> {
    match ask {
        Ask::Login(_) => None,
        Ask::Mailboxes { account, .. }
        | Ask::Mailbox { account, .. }
        | Ask::Create { account, .. }
        | Ask::Delete { account, .. }
        | Ask::Rename { account, .. }
        | Ask::Subscribe { account, .. }
        | Ask::Select { account, .. }
        | Ask::Since { account, .. }
        | Ask::Rows { account, .. }
        | Ask::Octets { account, .. }
        | Ask::Store { account, .. }
        | Ask::Expunge { account, .. }
        | Ask::Copy { account, .. }
        | Ask::MayAppend { account, .. }
        | Ask::Append { account, .. }
        | Ask::Search { account, .. } => Some(*account),
    }
}

/// The asks that are the store's alone.
async fn ask_store(store: &Store, now: Moment, ask: Ask) -> Result<Answer, Error> {
    Ok(match ask {
        Ask::Mailboxes { account, after } => {
            let (list, more) = store.mailboxes(account, after.as_deref()).await?;
            Answer::Mailboxes { list, more }
        }
        Ask::Mailbox { account, name } => Answer::Mailbox(Box::new(store.mailbox(account, &name).await?)),
        Ask::Create { account, name, special_use } => {
            store.create(account, &name, special_use, now).await?;
            Answer::Done
        }
        Ask::Delete { account, name } => done(store.delete(account, &name).await?),
        Ask::Rename { account, from, to } => done(store.rename(account, &from, &to, now).await?),
        Ask::Subscribe { account, name, subscribe } => {
            done(store.subscribe(account, &name, subscribe).await?)
        }
        Ask::Select { account, name, read_only } => {
            Answer::Selected(Box::new(store.select(account, &name, read_only).await?))
        }
        Ask::Since { account, mailbox, after } => {
            Answer::Changes(store.since(account, mailbox, after).await?)
        }
        Ask::Rows { account, mailbox, uids, summaries, changed_since } => {
            let (rows, next) = store.rows(account, mailbox, &uids, summaries, changed_since).await?;
            Answer::Rows { rows, next }
        }
        Ask::Octets { account, ranges } => octets(store, account, &ranges).await,
        Ask::Store { account, mailbox, uids, change, unchanged_since } => {
            let flagged = store.set_flags(account, mailbox, &uids, &change, unchanged_since).await?;
            Answer::Stored { rows: flagged.rows, modified: flagged.modified, commit: flagged.commit }
        }
        Ask::Expunge { account, mailbox, uids } => {
            let (uids, modseq) = store.expunge(account, mailbox, uids.as_ref()).await?;
            Answer::Expunged { uids, modseq }
        }
        Ask::Copy { account, mailbox, uids, to, remove } => {
            match store.copy(account, mailbox, &uids, &to, remove).await {
                Ok(copied) => Answer::Copied {
                    uid_validity: copied.uid_validity,
                    pairs: copied.pairs,
                    modseq: copied.modseq,
                },
                Err(error) => refusal::imap_target(error),
            }
        }
        Ask::Search { account, mailbox, key, recent_from, after } => {
            let (hits, next) = store.search(account, mailbox, &key, recent_from, after).await?;
            Answer::Found { hits, next }
        }
        // Answered before.
        Ask::Login(_) | Ask::MayAppend { .. } | Ask::Append { .. } => {
            return Err(Error::Unavailable("an ask went astray".into()));
        }
    })
}

fn done((): ()) -> Answer {
    Answer::Done
}

/// At most `limits::OCTETS`, counted as they are found, since a range may go past the end of its body.
async fn octets(store: &Store, account: AccountId, ranges: &[(BlobId, Range<u64>)]) -> Answer {
    let mut found: Vec<Bytes> = Vec::with_capacity(ranges.len());
    let mut left = limits::OCTETS;
    for (blob, range) in ranges {
        let wanted = range.end.saturating_sub(range.start);
        let end = range.start.saturating_add(wanted.min(left.saturating_add(1)));
        let octets = match store.octets(account, *blob, range.start..end).await {
            Ok(octets) => octets,
            Err(error) => return refusal::imap_message(error),
        };
        let Some(rest) = left.checked_sub(octets.len() as u64) else {
            return Answer::No { code: Code::Limit, text: "Too much is wanted at once".into() };
        };
        left = rest;
        found.push(octets);
    }
    Answer::Octets(found)
}
