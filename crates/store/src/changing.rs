//! Changing what is filed: flags, EXPUNGE, COPY, MOVE.

use bytes::Bytes;
use mail::{AccountId, FlagChange, MailboxId, MessageRow, ModSeq, SystemFlags, Uid, UidSet, UidValidity};

use crate::change::{self, Record};
use crate::draft::Draft;
use crate::name::Name;
use crate::rows::account::{self as rows, Change, Keywords, Message};
use crate::{Error, Store, limits};

/// Rows of summaries read at once by COPY.
const PIECES: usize = 64;

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

/// A message as a draft has read it.
type Read = (Uid, ModSeq, Message);

impl Store {
    /// STORE. Messages that do not exist are passed over. RFC 9051 §6.4.6, RFC 7162 §3.1.3. `NonExistent`: the
    /// mailbox is gone. `Limit`: more than `limits::FLAGS_PER_COMMIT`, or too many keywords.
    pub async fn set_flags(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &UidSet,
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<Flagged, Error> {
        let work = async |mut draft: Draft| {
            draft.mailbox(mailbox).await?;
            let messages = bounded(&draft, mailbox, uids, limits::FLAGS_PER_COMMIT).await?;
            let flagged = flag(&mut draft, mailbox, messages, change, unchanged_since).await?;
            Ok((draft, flagged))
        };
        let (flagged, commit) = self.change(account.ledger(), work).await?;
        Ok(Flagged { commit, ..flagged })
    }

    /// Removes messages with \Deleted, all or those among `uids`; more than `limits::REMOVED_PER_COMMIT` take several
    /// commits. The modseq is that of the last. `NonExistent`: the mailbox is gone.
    pub async fn expunge(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<&UidSet>,
    ) -> Result<(UidSet, ModSeq), Error> {
        let view = self.view(account, mailbox).await?;
        let (marked, mut reached) = view.read(|state| {
            let deleted = |flags: SystemFlags| flags.contains(SystemFlags::DELETED);
            let marked = state.items().filter(|item| deleted(item.flags)).map(|item| item.uid);
            let marked: Vec<Uid> = marked.filter(|uid| uids.is_none_or(|uids| uids.contains(*uid))).collect();
            if state.removed { Err(Error::NonExistent) } else { Ok((marked, state.seen)) }
        })?;
        let mut gone = UidSet::default();
        for part in marked.chunks(limits::REMOVED_PER_COMMIT) {
            let part: UidSet = part.iter().copied().collect();
            let work = async |mut draft: Draft| {
                let removed = remove(&mut draft, mailbox, &part).await?;
                Ok((draft, removed))
            };
            let (removed, commit) = self.change(account.ledger(), work).await?;
            crate::codec::join(&mut gone, &removed);
            reached = commit.unwrap_or(reached);
        }
        Ok((gone, reached))
    }

    /// COPY, and MOVE with `remove`, in one commit. `NonExistent`: no such target. `OverQuota`, `Limit`. `Cannot`: the
    /// mailbox that they are in is gone.
    pub async fn copy(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: &UidSet,
        to: &str,
        remove: bool,
    ) -> Result<Copied, Error> {
        let name = Name::parse(to)?;
        let work = async |mut draft: Draft| {
            let to = draft.find(&name).await?.ok_or(Error::NonExistent)?;
            draft.mailbox(to).await?;
            draft.mailbox(from).await.map_err(|error| match error {
                Error::NonExistent => Error::Cannot("the mailbox with these messages is gone".into()),
                error => error,
            })?;
            let messages = bounded(&draft, from, uids, limits::COPIED_PER_COMMIT).await?;
            let plan = Copying { account, from, to, remove };
            let copied = plan.run(&mut draft, &messages).await?;
            Ok((draft, copied))
        };
        Ok(self.change(account.ledger(), work).await?.0)
    }
}

async fn bounded(draft: &Draft, mailbox: MailboxId, uids: &UidSet, limit: usize) -> Result<Vec<Read>, Error> {
    let messages = draft.messages(mailbox, uids, limit + 1).await?;
    match messages.len() > limit {
        true => Err(Error::Limit(format!("at most {limit} messages at once"))),
        false => Ok(messages),
    }
}

async fn flag(
    draft: &mut Draft,
    mailbox: MailboxId,
    messages: Vec<Read>,
    change: &FlagChange,
    unchanged_since: Option<ModSeq>,
) -> Result<Flagged, Error> {
    let refused = |modseq: ModSeq| unchanged_since.is_some_and(|since| modseq > since);
    let modified: UidSet =
        messages.iter().filter(|(_, modseq, _)| refused(*modseq)).map(|(uid, ..)| *uid).collect();
    let (mut now, mut changed) = (messages, UidSet::default());
    // Keywords are only made where a message gets them.
    if now.iter().any(|(_, modseq, _)| !refused(*modseq)) {
        let change = draft.with_keywords(mailbox, |keywords| Change::new(change, keywords)).await?;
        let at = draft.modseq();
        for (uid, modseq, message) in now.iter_mut().filter(|(_, modseq, _)| !refused(*modseq)) {
            let new = change.apply(message);
            if new == *message {
                continue;
            }
            let counters = draft.touch(mailbox).await?;
            counters.discount_flags(message.flags);
            counters.count_flags(new.flags);
            draft.put(rows::message(mailbox, *uid), new.encode());
            changed.insert(*uid);
            (*modseq, *message) = (at, new);
        }
    }
    if !changed.is_empty() {
        draft.record(Record::Flags { mailbox, uids: changed });
    }
    let keywords = draft.keywords(mailbox).await?;
    let rows = now.iter().map(|(uid, modseq, message)| row(keywords, *uid, *modseq, message)).collect();
    Ok(Flagged { rows, modified, commit: None })
}

fn row(keywords: &Keywords, uid: Uid, modseq: ModSeq, message: &Message) -> MessageRow {
    MessageRow {
        uid,
        flags: keywords.flags(message.flags, message.keywords),
        modseq,
        date: message.date,
        size: message.size,
        blob: message.blob,
        summary: None,
    }
}

/// Removes those that still have \Deleted.
async fn remove(draft: &mut Draft, mailbox: MailboxId, uids: &UidSet) -> Result<UidSet, Error> {
    draft.mailbox(mailbox).await?;
    let mut removed = UidSet::default();
    for (uid, _, message) in draft.messages(mailbox, uids, limits::REMOVED_PER_COMMIT).await? {
        if message.flags.contains(SystemFlags::DELETED) {
            draft.remove_message(mailbox, uid, &message).await?;
            draft.release(message.blob);
            removed.insert(uid);
        }
    }
    if !removed.is_empty() {
        draft.record(Record::Gone { mailbox, uids: removed.clone() });
    }
    Ok(removed)
}

/// COPY or MOVE within one account.
struct Copying {
    account: AccountId,
    from: MailboxId,
    to: MailboxId,
    remove: bool,
}

impl Copying {
    async fn run(&self, draft: &mut Draft, messages: &[Read]) -> Result<Copied, Error> {
        let target = draft.mailbox(self.to).await?;
        let (uid_validity, first) = (UidValidity(target.uid_validity), Uid(target.uid_next));
        let Some(count) = u32::try_from(messages.len()).ok().filter(|count| *count > 0) else {
            let modseq = ModSeq(draft.modseq().0 - 1);
            return Ok(Copied { uid_validity, pairs: Vec::new(), modseq });
        };
        let Some(next) = first.0.checked_add(count) else {
            return Err(Error::Limit("the mailbox has no UIDs left".into()));
        };
        if !self.remove {
            self.fit(draft, messages).await?;
        }
        let bits = self.translate(draft, messages).await?;
        let pairs: Vec<(Uid, Uid)> =
            messages.iter().zip(first.0..).map(|((uid, ..), new)| (*uid, Uid(new))).collect();
        self.copy_rows(draft, messages, &pairs, &bits).await?;
        draft.touch(self.to).await?.uid_next = next;
        let new = change::run(first, count);
        if self.remove {
            self.take_away(draft, messages).await?;
            let uids = pairs.iter().map(|(uid, _)| *uid).collect();
            draft.record(Record::Moved { from: self.from, uids, to: self.to, new });
        } else {
            draft.record(Record::New { mailbox: self.to, uids: new });
        }
        Ok(Copied { uid_validity, pairs, modseq: draft.modseq() })
    }

    /// Counts the copies in, if there is room for all.
    async fn fit(&self, draft: &mut Draft, messages: &[Read]) -> Result<(), Error> {
        let octets = messages.iter().fold(0u64, |sum, (_, _, message)| sum.saturating_add(message.size));
        let account = draft.account().await?;
        account.storage = account.storage.saturating_add(octets);
        account.messages = account.messages.saturating_add(messages.len() as u64);
        let over = |used: u64, quota: Option<u64>| quota.is_some_and(|quota| used > quota);
        if over(account.storage, account.quota.storage) || over(account.messages, account.quota.messages) {
            return Err(Error::OverQuota(self.account));
        }
        Ok(())
    }

    /// For each number of a keyword in the source, what it is in the target.
    async fn translate(&self, draft: &mut Draft, messages: &[Read]) -> Result<Vec<u128>, Error> {
        let used = messages.iter().fold(0, |bits, (_, _, message)| bits | message.keywords);
        if self.from == self.to || used == 0 {
            return Ok((0..u128::BITS).map(|number| 1 << number).collect());
        }
        let source = draft.keywords(self.from).await?.clone();
        let names: Vec<String> = (source.names.iter().enumerate())
            .filter(|(number, _)| used >> number & 1 == 1)
            .map(|(_, name)| name.clone())
            .collect();
        draft
            .with_keywords(self.to, |keywords| {
                let (_, new) = keywords.learn(&names)?;
                let bits = source.names.iter().map(|name| keywords.known(std::slice::from_ref(name)));
                Ok((bits.collect(), new))
            })
            .await
    }

    /// Writes the new rows, summaries included, and counts them.
    async fn copy_rows(
        &self,
        draft: &mut Draft,
        messages: &[Read],
        pairs: &[(Uid, Uid)],
        bits: &[u128],
    ) -> Result<(), Error> {
        let mut weight = Weight::default();
        for ((_, _, message), (_, new)) in messages.iter().zip(pairs) {
            let keywords = bits.iter().enumerate().filter(|(number, _)| message.keywords >> number & 1 == 1);
            let keywords = keywords.fold(0, |sum, (_, bit)| sum | bit);
            let copy = Message { keywords, ..message.clone() };
            draft.touch(self.to).await?.count(*new, &copy);
            weight.put(draft, rows::message(self.to, *new), copy.encode().into())?;
            if !self.remove {
                draft.hold_again(copy.blob);
            }
        }
        let sources: UidSet = pairs.iter().map(|(uid, _)| *uid).collect();
        let mut targets = pairs.iter().peekable();
        for range in sources.ranges() {
            let (mut start, end) = rows::summaries(self.from, Uid(*range.start()), Uid(*range.end()));
            loop {
                let page = draft.scan(&start, &end, PIECES).await?;
                for row in &page {
                    let uid = rows::uid_of(&row.key)?;
                    while targets.next_if(|(source, _)| *source < uid).is_some() {}
                    let piece = row.key.last().copied().unwrap_or_default();
                    if let Some((_, new)) = targets.peek().filter(|(source, _)| *source == uid) {
                        weight.put(draft, rows::summary(self.to, *new, piece), row.value.clone())?;
                    }
                }
                match page.last() {
                    Some(last) if page.len() == PIECES => start = [&last.key[..], &[0]].concat(),
                    _ => break,
                }
            }
        }
        Ok(())
    }

    /// The sources of a MOVE: their bodies now belong to the new rows.
    async fn take_away(&self, draft: &mut Draft, messages: &[Read]) -> Result<(), Error> {
        let marked = self.from == rows::INBOX && draft.account_row().await?.pop_days.is_some();
        for (uid, _, message) in messages {
            draft.touch(self.from).await?.discount(*uid, message);
            draft.delete_rows(self.from, *uid, message.pieces, marked);
        }
        Ok(())
    }
}

/// Octets of rows written so far.
#[derive(Default)]
struct Weight(usize);

impl Weight {
    fn put(&mut self, draft: &mut Draft, key: Bytes, value: Bytes) -> Result<(), Error> {
        self.0 += key.len() + value.len();
        if self.0 > limits::COPIED_OCTETS {
            return Err(Error::Limit("too many messages at once".into()));
        }
        draft.put(key, value);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
