//! RENAME: a mailbox and all below it get other names, in one commit.

use mail::{AccountId, MailboxId, Moment, Uid, UidSet};

use crate::change::Record;
use crate::changing::Copying;
use crate::draft::Draft;
use crate::filing::existing;
use crate::name::Name;
use crate::rows::account::{self as rows, INBOX};
use crate::{Error, Store, limits};

impl Store {
    /// Renames a mailbox and what is below it. INBOX: its messages go, it stays. RFC 9051 §6.3.6.
    ///
    /// `NonExistent`, `AlreadyExists`, `Cannot` (below itself), `Limit` (a name gets too long, or too many mailboxes).
    /// Subscriptions are those of names, and stay.
    pub async fn rename(&self, account: AccountId, from: &str, to: &str, now: Moment) -> Result<(), Error> {
        let (from, to) = (existing(from)?, Name::parse(to)?);
        if from.is_inbox() {
            return self.empty_inbox(account, &to, now).await;
        }
        let work = async |mut draft: Draft| {
            rename(&mut draft, &from, &to, now).await?;
            Ok((draft, ()))
        };
        self.change(account.ledger(), work).await.map(|_| ())
    }

    /// Makes a mailbox and moves there what is in INBOX. What one commit cannot carry follows in others, and is in
    /// INBOX until then.
    async fn empty_inbox(&self, account: AccountId, to: &Name, now: Moment) -> Result<(), Error> {
        let (mut rest, mut most) = (None, limits::COPIED_PER_COMMIT);
        loop {
            let work = async |mut draft: Draft| {
                let rest = match rest {
                    Some(rest) => rest,
                    None => begin(&mut draft, to, now).await?,
                };
                let left = rest.go_on(&mut draft, account, most).await?;
                Ok((draft, left.then_some(rest)))
            };
            match self.change(account.ledger(), work).await {
                Ok((None, _)) => return Ok(()),
                Ok((left, _)) => rest = left,
                // Their summaries are larger than usual.
                Err(Error::Limit(_)) if most > 1 => most /= 4,
                Err(error) => return Err(error),
            }
        }
    }
}

/// What is on its way out of INBOX.
#[derive(Clone, Copy)]
struct Rest {
    to: MailboxId,
    /// What comes later stays.
    last: Uid,
}

async fn begin(draft: &mut Draft, to: &Name, now: Moment) -> Result<Rest, Error> {
    if draft.find(to).await?.is_some() {
        return Err(Error::AlreadyExists);
    }
    let to = draft.make(to, None, now).await?;
    Ok(Rest { to, last: Uid(draft.mailbox(INBOX).await?.uid_next - 1) })
}

impl Rest {
    /// Moves so many messages; whether there are more.
    async fn go_on(self, draft: &mut Draft, account: AccountId, most: usize) -> Result<bool, Error> {
        let mut uids = UidSet::default();
        uids.insert_range(1..=self.last.0.max(1));
        let mut messages = draft.messages(INBOX, &uids, most + 1).await?;
        messages.retain(|(uid, ..)| *uid <= self.last);
        let more = messages.len() > most;
        messages.truncate(most);
        Copying { account, from: INBOX, to: self.to, remove: true }.run(draft, &messages).await?;
        Ok(more)
    }
}

async fn rename(draft: &mut Draft, from: &Name, to: &Name, now: Moment) -> Result<(), Error> {
    let id = draft.find(from).await?.ok_or(Error::NonExistent)?;
    if draft.find(to).await?.is_some() {
        return Err(Error::AlreadyExists);
    }
    if to.is_below(from) {
        return Err(Error::Cannot("a mailbox cannot be moved below itself".into()));
    }
    let (start, end) = rows::names_below(from);
    let below = draft.scan(&start, &end, limits::MAILBOXES as usize).await?;
    draft.make_above(to, now).await?;
    give(draft, id, from, to).await?;
    for row in below {
        let old = Name::parse(&rows::name_of(&row.key)?)?;
        give(draft, rows::decode_id(&row.value)?, &old, &old.moved(from, to)?).await?;
    }
    Ok(())
}

/// Gives one mailbox another name, which is free.
async fn give(draft: &mut Draft, id: MailboxId, old: &Name, new: &Name) -> Result<(), Error> {
    draft.delete(rows::name(old));
    draft.put(rows::name(new), rows::encode_id(id));
    draft.mailbox_mut(id).await?.name = new.as_str().to_owned();
    draft.record(Record::Renamed { mailbox: id });
    Ok(())
}
