//! Open mailboxes: one shared view of UIDs, flags and modseqs each, kept current from the account's log.
//!
//! What sessions are told is durable. A view is a cache: it can be dropped at any time, and its reader then only
//! waits longer.

mod open;
mod state;

use std::sync::Arc;

use bytes::Bytes;
use mail::{
    AccountId, BlobId, Indexer, MailboxChanges, MailboxId, MailboxInfo, MessageRow, ModSeq, Selected,
    Summary, SystemFlags, Uid, UidSet, UidValidity,
};

pub(crate) use self::open::{View, Views};
pub(crate) use self::state::{Item, State};
use crate::name::Name;
use crate::rows::account::{self as rows, Mailbox};
use crate::{Error, Store, limits};

impl Store {
    /// SELECT (or, with `read_only`, EXAMINE). A session that selects takes \Recent away from those after it.
    /// RFC 3501 §2.3.2.
    pub async fn select(&self, account: AccountId, name: &str, read_only: bool) -> Result<Selected, Error> {
        // A name that cannot exist does not.
        let name = Name::parse(name).map_err(|_| Error::NonExistent)?;
        let id = self.find_durable(account, &name).await?;
        let keys = [rows::mailbox(id), rows::subscription(&name)];
        let mut found = self.ledger().get_many(account.ledger(), &keys).await?.into_iter();
        let row = found.next().flatten().ok_or(Error::NonExistent)?;
        let subscribed = found.next().flatten().is_some();
        let mailbox = Mailbox::decode(&row.value)?;
        let recent_from = if read_only || mailbox.recent == 0 {
            Uid(mailbox.recent_from)
        } else {
            self.take_recent(account, id).await?
        };
        let view = self.view(account, id).await?;
        view.read(|state| {
            if state.removed {
                return Err(Error::NonExistent);
            }
            let uids: Vec<Uid> = state.items().map(|item| item.uid).collect();
            let unseen = |item: &&Item| !item.flags.contains(SystemFlags::SEEN);
            Ok(Selected {
                first_unseen: state.items().find(unseen).map(|item| item.uid),
                recent_from,
                keywords: state.keywords.names.clone(),
                info: MailboxInfo { subscribed, ..info(state, id, &mailbox, recent_from) },
                uids,
            })
        })
    }

    /// What has changed after `after`.
    pub async fn since(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        after: ModSeq,
    ) -> Result<MailboxChanges, Error> {
        let view = self.view(account, mailbox).await?;
        Ok(view.read(|state| state.since(after)))
    }

    /// Rows, ascending, at most `limits::ROWS_PAGE` (`limits::SUMMARIES_PAGE` with summaries); `Some`: ask again for
    /// UIDs after this one. `NonExistent`: the mailbox is gone.
    pub async fn rows(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        summaries: bool,
        changed_since: Option<ModSeq>,
    ) -> Result<(Vec<MessageRow>, Option<Uid>), Error> {
        let view = self.view(account, mailbox).await?;
        let limit = if summaries { limits::SUMMARIES_PAGE } else { limits::ROWS_PAGE };
        let (page, next) = view.read(|state| page(state, uids, changed_since, limit))?;
        if summaries {
            return self.summarised(account, mailbox, page, next).await;
        }
        Ok((page.into_iter().map(|(row, _)| row).collect(), next))
    }

    /// The view of a mailbox, with all that is durable now.
    pub(crate) async fn view(&self, account: AccountId, mailbox: MailboxId) -> Result<Arc<View>, Error> {
        self.views().current(self.ledger(), account, mailbox).await
    }

    async fn find_durable(&self, account: AccountId, name: &Name) -> Result<MailboxId, Error> {
        if name.is_inbox() {
            return Ok(rows::INBOX);
        }
        let row = self.ledger().get(account.ledger(), &rows::name(name)).await?;
        rows::decode_id(&row.ok_or(Error::NonExistent)?.value)
    }

    /// What came since the last who did this is \Recent to the caller, and to nobody after.
    async fn take_recent(&self, account: AccountId, id: MailboxId) -> Result<Uid, Error> {
        let taken = self.change(account.ledger(), async |mut draft| {
            let recent_from = Uid(draft.mailbox(id).await?.recent_from);
            if draft.mailbox(id).await?.recent > 0 {
                let mailbox = draft.mailbox_mut(id).await?;
                mailbox.recent_from = mailbox.uid_next;
                mailbox.recent = 0;
            }
            Ok((draft, recent_from))
        });
        Ok(taken.await?.0)
    }

    /// Adds summaries, as many as fit a page. A message that has gone meanwhile is left out.
    async fn summarised(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        page: Vec<(MessageRow, u8)>,
        next: Option<Uid>,
    ) -> Result<(Vec<MessageRow>, Option<Uid>), Error> {
        let (mut rows, mut octets, mut left) = (Vec::with_capacity(page.len()), 0, &page[..]);
        let mut last = None;
        while !left.is_empty() {
            let (batch, rest) = left.split_at(batch(left.iter().map(|(_, pieces)| *pieces)));
            left = rest;
            let wanted: Vec<(Uid, u8)> = batch.iter().map(|(row, pieces)| (row.uid, *pieces)).collect();
            let encoded = self.read_summaries(account, mailbox, &wanted).await?;
            for ((row, _), encoded) in batch.iter().zip(encoded) {
                octets += encoded.as_ref().map_or(0, Bytes::len);
                if octets > limits::SUMMARY_OCTETS && last.is_some() {
                    return Ok((rows, last));
                }
                last = Some(row.uid);
                let place = Place { account, mailbox, uid: row.uid, blob: row.blob, size: row.size };
                if let Some(summary) = self.summary(&place, encoded).await? {
                    rows.push(MessageRow { summary: Some(Arc::new(summary)), ..row.clone() });
                }
            }
        }
        Ok((rows, next))
    }

    /// Encoded summaries of these messages, `None` where a row of it is missing.
    pub(crate) async fn read_summaries(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        messages: &[(Uid, u8)],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let keys: Vec<Bytes> = messages
            .iter()
            .flat_map(|(uid, pieces)| (0..*pieces).map(|piece| rows::summary(mailbox, *uid, piece)))
            .collect();
        let mut found = self.ledger().get_many(account.ledger(), &keys).await?.into_iter();
        let mut encoded = Vec::with_capacity(messages.len());
        for (_, pieces) in messages {
            let pieces: Vec<_> = found.by_ref().take(usize::from(*pieces)).collect();
            let pieces: Option<Vec<Bytes>> = pieces.into_iter().map(|row| Some(row?.value)).collect();
            encoded.push(pieces.map(|pieces| match &pieces[..] {
                [whole] => whole.clone(),
                pieces => pieces.concat().into(),
            }));
        }
        Ok(encoded)
    }

    /// The summary of a message, `None` if the message is gone. One that is lost, or written down as another version
    /// did it, is worked out again.
    pub(crate) async fn summary(
        &self,
        place: &Place,
        encoded: Option<Bytes>,
    ) -> Result<Option<Summary>, Error> {
        if let Some(summary) = encoded.and_then(|encoded| Summary::decode(&encoded)) {
            return Ok(Some(summary));
        }
        let (account, ledger) = (place.account.0, place.account.ledger());
        let key = rows::message(place.mailbox, place.uid);
        if self.ledger().get(ledger, &key).await?.is_none() {
            return Ok(None);
        }
        tracing::warn!(account, mailbox = place.mailbox.0, uid = place.uid.0, "a summary cannot be read");
        let (mut indexer, mut at) = (Indexer::new(), 0);
        while at < place.size {
            let piece = self.octets(place.account, place.blob, at..place.size).await?;
            if piece.is_empty() {
                return Err(rows::damaged("the body of a message"));
            }
            indexer.push(&piece);
            at += piece.len() as u64;
        }
        Ok(Some(indexer.finish()))
    }
}

/// Where a message is, and its octets.
pub(crate) struct Place {
    pub(crate) account: AccountId,
    pub(crate) mailbox: MailboxId,
    pub(crate) uid: Uid,
    pub(crate) blob: BlobId,
    pub(crate) size: u64,
}

/// How many of these messages' summaries are read at once: at most so many rows, but always one message.
pub(crate) fn batch(pieces: impl Iterator<Item = u8>) -> usize {
    let mut read = 0;
    let fits = pieces.take_while(|pieces| {
        read += usize::from(*pieces).max(1);
        read <= limits::SUMMARIES
    });
    fits.count().max(1)
}

/// A page of rows with the number of pieces of their summaries.
type Page = (Vec<(MessageRow, u8)>, Option<Uid>);

fn page(state: &State, uids: &UidSet, changed_since: Option<ModSeq>, limit: usize) -> Result<Page, Error> {
    if state.removed {
        return Err(Error::NonExistent);
    }
    let mut found =
        state.among(uids).filter(|item| changed_since.is_none_or(|since| item.modseq > since)).peekable();
    let rows: Vec<_> = found.by_ref().take(limit).map(|item| (state.row(item), item.pieces)).collect();
    let next = found.peek().and_then(|_| rows.last()).map(|(row, _)| row.uid);
    Ok((rows, next))
}

/// Counted anew, so that all of it is of the same moment as the UIDs.
fn info(state: &State, id: MailboxId, mailbox: &Mailbox, recent_from: Uid) -> MailboxInfo {
    let mut info = MailboxInfo {
        uid_validity: UidValidity(state.uid_validity),
        uid_next: state.uid_next,
        highest_modseq: state.highest,
        messages: state.len() as u32,
        unseen: 0,
        deleted: 0,
        recent: 0,
        size: 0,
        ..mailbox.info(id, false)
    };
    for item in state.items() {
        info.unseen += u32::from(!item.flags.contains(SystemFlags::SEEN));
        info.deleted += u32::from(item.flags.contains(SystemFlags::DELETED));
        info.recent += u32::from(item.uid >= recent_from);
        info.size = info.size.saturating_add(item.size);
    }
    info
}

#[cfg(test)]
mod tests;
