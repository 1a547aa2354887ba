//! Filing messages: delivery, APPEND, import. Body, rows, counters, quota and log in one commit.

use std::sync::Arc;

use bytes::Bytes;
use ledger::Body;
use mail::{
    AccountId, Envelope, Flags, LedgerId, MailboxId, ModSeq, Moment, Part, Summary, Uid, UidValidity,
};

use crate::change::{self, Record};
use crate::draft::Draft;
use crate::name::Name;
use crate::rows::account::{self as rows, Account, INBOX, Message};
use crate::{Error, Store, limits};

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
        targets: &[(AccountId, Option<String>)],
        arrival: &Arrival,
        now: Moment,
    ) -> Result<Vec<Filed>, Error> {
        if targets.len() > limits::TARGETS {
            return Err(Error::Limit(format!(
                "a message is delivered to at most {} accounts",
                limits::TARGETS
            )));
        }
        let ledgers: Vec<LedgerId> = targets.iter().map(|(account, _)| account.ledger()).collect();
        // A name that cannot exist does not.
        let named = |name: &Option<String>| name.as_deref().and_then(|name| Name::parse(name).ok());
        let names: Vec<Option<Name>> = targets.iter().map(|(_, name)| named(name)).collect();
        let parcel = Parcel::new(arrival, now, limits::FILED_OCTETS / targets.len().max(1));
        let (names, parcel) = (&names, std::slice::from_ref(&parcel));
        let work = |mut drafts: Vec<Draft>| async move {
            let mut filed = Vec::with_capacity(drafts.len());
            for ((draft, (account, _)), name) in drafts.iter_mut().zip(targets).zip(names) {
                let found = match name {
                    Some(name) => draft.find(name).await?,
                    None => None,
                };
                filed.extend(file(draft, *account, found.unwrap_or(INBOX), parcel).await?);
            }
            Ok((drafts, filed))
        };
        Ok(self.transact(&ledgers, work).await?.value)
    }

    /// Whether a message of this size may be appended: there is such a mailbox, and room.
    pub async fn may_file(&self, account: AccountId, mailbox: Option<&str>, size: u64) -> Result<(), Error> {
        let name = mailbox.map(existing).transpose()?.filter(|name| !name.is_inbox());
        let keys: Vec<Bytes> = std::iter::once(rows::account()).chain(name.iter().map(rows::name)).collect();
        let mut found = self.ledger().get_many(account.ledger(), &keys).await?.into_iter();
        let row = found.next().flatten().ok_or(Error::NonExistent)?;
        if found.any(|name| name.is_none()) {
            return Err(Error::NonExistent);
        }
        Account::decode(&row.value)?.count(account, 1, size)
    }

    /// Files one message. `NonExistent`: no such mailbox. `OverQuota`.
    pub async fn append(
        &self,
        account: AccountId,
        mailbox: &str,
        arrival: &Arrival,
        now: Moment,
    ) -> Result<Filed, Error> {
        let name = existing(mailbox)?;
        let parcel = Parcel::new(arrival, now, limits::FILED_OCTETS);
        let work = async |mut draft: Draft| {
            let id = draft.find(&name).await?.ok_or(Error::NonExistent)?;
            let filed = file(&mut draft, account, id, std::slice::from_ref(&parcel)).await?;
            Ok((draft, filed))
        };
        let (filed, _) = self.change(account.ledger(), work).await?;
        filed.first().copied().ok_or(Error::NonExistent)
    }

    /// Files many messages (at most `limits::IMPORTED_PER_COMMIT` and `limits::IMPORTED_OCTETS`) in one commit, in
    /// order; makes the mailbox if it is missing. Quota is checked.
    pub async fn import(
        &self,
        account: AccountId,
        mailbox: &str,
        arrivals: &[Arrival],
        now: Moment,
    ) -> Result<Vec<Filed>, Error> {
        let name = Name::parse(mailbox)?;
        let parcels: Vec<Parcel<'_>> =
            arrivals.iter().map(|arrival| Parcel::new(arrival, now, limits::FILED_OCTETS)).collect();
        let octets = parcels.iter().map(Parcel::weight).sum::<u64>();
        if arrivals.len() > limits::IMPORTED_PER_COMMIT || octets > limits::IMPORTED_OCTETS {
            return Err(Error::Limit("too many messages at once".into()));
        }
        let work = async |mut draft: Draft| {
            let id = match draft.find(&name).await? {
                Some(id) => id,
                None => draft.make(&name, None, now).await?,
            };
            let filed = file(&mut draft, account, id, &parcels).await?;
            Ok((draft, filed))
        };
        Ok(self.change(account.ledger(), work).await?.0)
    }
}

/// The name of a mailbox that ought to exist: one that cannot does not.
pub(crate) fn existing(name: &str) -> Result<Name, Error> {
    Name::parse(name).map_err(|_| Error::NonExistent)
}

/// A message made ready once for all its targets and for every attempt.
struct Parcel<'a> {
    arrival: &'a Arrival,
    now: Moment,
    /// The encoded summary, a row each.
    pieces: Vec<Bytes>,
}

impl Parcel<'_> {
    /// `room`: octets that its summary may take.
    fn new(arrival: &Arrival, now: Moment, room: usize) -> Parcel<'_> {
        let encoded = encode(&arrival.summary, room.min(limits::SUMMARY));
        let starts = (0..encoded.len()).step_by(limits::SUMMARY_PIECE);
        let piece = |start: usize| encoded.slice(start..encoded.len().min(start + limits::SUMMARY_PIECE));
        Parcel { arrival, now, pieces: starts.map(piece).collect() }
    }

    /// Octets that it adds to a commit, at most.
    fn weight(&self) -> u64 {
        let body = self.arrival.body.size.min(ledger::limits::INLINE_LIMIT as u64);
        self.pieces.iter().map(|piece| piece.len() as u64).sum::<u64>() + body + limits::MESSAGE_ROW
    }

    fn message(&self, keywords: u128) -> Message {
        Message {
            flags: self.arrival.flags.system,
            keywords,
            date: self.arrival.date,
            saved: self.now,
            size: self.arrival.body.size,
            blob: self.arrival.body.id,
            pieces: self.pieces.len() as u8,
        }
    }
}

/// The stored form of a summary. A message may be made so that its structure is larger than a row can be, and it is
/// filed like any other: with an outline, that names header and body alone.
fn encode(summary: &Summary, room: usize) -> Bytes {
    let encoded = summary.encode();
    if encoded.len() <= room {
        return encoded.into();
    }
    let Part { header, body, lines, .. } = summary.root.clone();
    let (media, subtype) = (b"text".to_vec(), b"plain".to_vec());
    let root = Part { header, body, lines, media, subtype, ..Part::default() };
    let outline = Summary { envelope: summary.envelope.clone(), root };
    let encoded = outline.encode();
    match encoded.len() <= room {
        true => encoded.into(),
        false => Summary { envelope: Envelope::default(), ..outline }.encode().into(),
    }
}

/// Files messages in one mailbox, in order, or fails if there is no room for all of them.
async fn file(
    draft: &mut Draft,
    account: AccountId,
    id: MailboxId,
    parcels: &[Parcel<'_>],
) -> Result<Vec<Filed>, Error> {
    let octets = parcels.iter().fold(0u64, |sum, parcel| sum.saturating_add(parcel.arrival.body.size));
    draft.account().await?.count(account, parcels.len() as u64, octets)?;
    let mailbox = draft.mailbox(id).await?;
    let (uid_validity, first) = (UidValidity(mailbox.uid_validity), mailbox.uid_next);
    let Some(count) = u32::try_from(parcels.len()).ok().filter(|count| *count > 0) else {
        return Ok(Vec::new());
    };
    let next = first.checked_add(count).ok_or_else(|| Error::Limit("the mailbox has no UIDs left".into()))?;
    let mut filed = Vec::with_capacity(parcels.len());
    for (uid, parcel) in (first..next).map(Uid).zip(parcels) {
        put(draft, id, uid, parcel).await?;
        filed.push(Filed { account, mailbox: id, uid_validity, uid, modseq: draft.modseq() });
    }
    draft.touch(id).await?.uid_next = next;
    draft.record(Record::New { mailbox: id, uids: change::run(Uid(first), count) });
    Ok(filed)
}

/// Writes the rows of one message and counts it in its mailbox.
async fn put(draft: &mut Draft, id: MailboxId, uid: Uid, parcel: &Parcel<'_>) -> Result<(), Error> {
    let names = &parcel.arrival.flags.keywords;
    let keywords = match names.is_empty() {
        true => 0,
        false => draft.with_keywords(id, |known| known.learn(names)).await?,
    };
    let message = parcel.message(keywords);
    for (number, piece) in (0..).zip(&parcel.pieces) {
        draft.put(rows::summary(id, uid, number), piece.clone());
    }
    draft.put(rows::message(id, uid), message.encode());
    draft.hold(&parcel.arrival.body);
    draft.touch(id).await?.count(uid, &message);
    Ok(())
}
