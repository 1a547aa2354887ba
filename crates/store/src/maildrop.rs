//! INBOX as a POP3 maildrop.

use bytes::Bytes;
use mail::{AccountId, BlobId, Moment, Uid, UidSet, UidValidity};

use crate::change::Record;
use crate::draft::Draft;
use crate::rows::account::{self as rows, INBOX, Message};
use crate::view::Place;
use crate::{Error, Store, limits};

const DAY: u64 = 24 * 60 * 60 * 1000;

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
    pub async fn maildrop(&self, account: AccountId) -> Result<Maildrop, Error> {
        let pop_days = self.account_row(account).await?.pop_days;
        let view = self.view(account, INBOX).await?;
        view.read(|state| match state.removed {
            true => Err(Error::NonExistent),
            false => Ok(Maildrop {
                uid_validity: UidValidity(state.uid_validity),
                entries: state.items().map(|item| (item.uid, item.size, item.blob)).collect(),
                pop_days,
            }),
        })
    }

    /// Removes messages for good (whatever their flags) and notes which were retrieved, if the account has a number
    /// of days; in one commit if `limits` allow, else in several, none acknowledged before all are durable.
    pub async fn update_maildrop(
        &self,
        account: AccountId,
        delete: &UidSet,
        retrieved: &UidSet,
        now: Moment,
    ) -> Result<(), Error> {
        let (mut delete, mut retrieved) = (delete.clone(), retrieved.clone());
        loop {
            let work = async |mut draft: Draft| {
                let left = update(&mut draft, &delete, &retrieved, now).await?;
                Ok((draft, left))
            };
            match self.change(account.ledger(), work).await?.0 {
                Some(left) => (delete, retrieved) = left,
                None => return Ok(()),
            }
        }
    }

    /// Removes what was retrieved more than the account's days ago; says how many went.
    pub async fn expire_maildrop(&self, account: AccountId, now: Moment) -> Result<u64, Error> {
        let (mut after, mut gone) = (Some(Uid(0)), 0);
        while let Some(from) = after {
            let work = async |mut draft: Draft| {
                let page = expire(&mut draft, from, now).await?;
                Ok((draft, page))
            };
            let (page, _) = self.change(account.ledger(), work).await?;
            gone += page.0;
            after = page.1;
        }
        Ok(gone)
    }

    /// Sets for how many days retrieved messages are kept for POP3. Without days nothing remembers what was retrieved.
    pub async fn set_pop_days(&self, account: AccountId, days: Option<u32>) -> Result<(), Error> {
        let work = async |mut draft: Draft| {
            if draft.account_row().await?.pop_days != days {
                draft.account().await?.pop_days = days;
                draft.record(Record::Account);
            }
            Ok((draft, ()))
        };
        self.change(account.ledger(), work).await?;
        let mut more = days.is_none();
        while more {
            let work = async |mut draft: Draft| {
                let more = forget_retrieved(&mut draft).await?;
                Ok((draft, more))
            };
            (more, _) = self.change(account.ledger(), work).await?;
        }
        Ok(())
    }

    /// TOP: the octet of the stored body after `lines` lines behind the header. RFC 1939 §7.
    pub async fn top(&self, account: AccountId, uid: Uid, lines: u32) -> Result<u64, Error> {
        let row = self.ledger().get(account.ledger(), &rows::message(INBOX, uid)).await?;
        let Message { blob, size, pieces, .. } = Message::decode(&row.ok_or(Error::NonExistent)?.value)?;
        let encoded = self.read_summaries(account, INBOX, &[(uid, pieces)]).await?.pop().flatten();
        let place = Place { account, mailbox: INBOX, uid, blob, size };
        let summary = self.summary(&place, encoded).await?.ok_or(Error::NonExistent)?;
        let (mut at, mut left) = (summary.root.body.start, lines);
        while left > 0 && at < size {
            let piece = self.octets(account, blob, at..size).await?;
            if piece.is_empty() {
                return Err(rows::damaged("the body of a message"));
            }
            at += past_lines(&piece, &mut left) as u64;
        }
        Ok(at)
    }
}

/// How many octets of `text` belong to the next `left` lines, which are counted down.
fn past_lines(text: &[u8], left: &mut u32) -> usize {
    for (at, _) in text.iter().enumerate().filter(|(_, octet)| **octet == b'\n') {
        *left -= 1;
        if *left == 0 {
            return at + 1;
        }
    }
    text.len()
}

/// Removes and notes as much as one commit may; what is left after it.
async fn update(
    draft: &mut Draft,
    delete: &UidSet,
    retrieved: &UidSet,
    now: Moment,
) -> Result<Option<(UidSet, UidSet)>, Error> {
    let going = draft.messages(INBOX, delete, limits::REMOVED_PER_COMMIT).await?;
    let room = limits::REMOVED_PER_COMMIT - going.len();
    let last = going.last().map(|(uid, ..)| *uid);
    draft.discard(INBOX, going).await?;
    if room == 0 {
        return Ok(last.map(|last| (beyond(delete, last), retrieved.clone())));
    }
    if draft.account_row().await?.pop_days.is_none() {
        return Ok(None);
    }
    // What has just been removed is not found any more.
    let seen = draft.messages(INBOX, retrieved, room).await?;
    for (uid, ..) in &seen {
        draft.put(rows::retrieved(INBOX, *uid), rows::encode_moment(now));
    }
    let full = seen.last().filter(|_| seen.len() == room);
    Ok(full.map(|(last, ..)| (UidSet::default(), beyond(retrieved, *last))))
}

/// Those of `uids` that are above this one.
fn beyond(uids: &UidSet, last: Uid) -> UidSet {
    let mut rest = UidSet::default();
    for range in uids.ranges().iter().filter(|range| *range.end() > last.0) {
        rest.insert_range((*range.start()).max(last.0 + 1)..=*range.end());
    }
    rest
}

/// Looks at a page of what was retrieved and removes what is due; how many messages went, and where to go on.
async fn expire(draft: &mut Draft, after: Uid, now: Moment) -> Result<(u64, Option<Uid>), Error> {
    let Some(days) = draft.account_row().await?.pop_days else { return Ok((0, None)) };
    let kept = u64::from(days).saturating_mul(DAY);
    let (start, end) = rows::all_retrieved(INBOX, Uid(after.0 + 1), Uid(u32::MAX));
    let page = draft.scan(&start, &end, limits::REMOVED_PER_COMMIT).await?;
    let mut due = UidSet::default();
    for row in &page {
        if rows::decode_moment(&row.value)?.0.saturating_add(kept) < now.0 {
            due.insert(rows::uid_of(&row.key)?);
            draft.delete(row.key.clone());
        }
    }
    let going = draft.messages(INBOX, &due, limits::REMOVED_PER_COMMIT).await?;
    let gone = going.len() as u64;
    draft.discard(INBOX, going).await?;
    let last = page.last().filter(|_| page.len() == limits::REMOVED_PER_COMMIT);
    Ok((gone, last.map(|row| rows::uid_of(&row.key)).transpose()?.filter(|uid| uid.0 < u32::MAX)))
}

/// Takes notes of what was retrieved away, as many as one commit may; whether there are more.
async fn forget_retrieved(draft: &mut Draft) -> Result<bool, Error> {
    // Somebody may have set days again.
    if draft.account_row().await?.pop_days.is_some() {
        return Ok(false);
    }
    let (start, end) = rows::all_retrieved(INBOX, Uid(0), Uid(u32::MAX));
    let page = draft.scan(&start, &end, limits::REMOVED_PER_COMMIT).await?;
    let keys: Vec<Bytes> = page.into_iter().map(|row| row.key).collect();
    let more = keys.len() == limits::REMOVED_PER_COMMIT;
    keys.into_iter().for_each(|key| draft.delete(key));
    Ok(more)
}
