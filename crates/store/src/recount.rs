//! Comparing counters with what they count, and setting them right.

use std::collections::{BTreeMap, BTreeSet};

use mail::{AccountId, MailboxId, Uid};

use crate::name::Name;
use crate::rows::account::{self as rows, Account, Mailbox, Message};
use crate::{Error, Store, limits};

/// What the rows of messages add up to.
#[derive(Default)]
struct Tally {
    storage: u64,
    messages: u64,
    mailboxes: BTreeMap<MailboxId, Mailbox>,
}

impl Store {
    /// Compares every counter of an account with the rows that it counts, every name with its mailbox, and looks
    /// whether summaries are there and bodies can be read. Counters are set right when `repair`; anything else is only
    /// told. One line for each thing found.
    ///
    /// # Errors
    /// `NonExistent`; those of storage.
    pub async fn recount(&self, account: AccountId, repair: bool) -> Result<Vec<String>, Error> {
        let mut found = self.unreadable(account).await?;
        let (lines, _) = self
            .change(account.ledger(), |mut draft| async move {
                draft.load_account().await?;
                let row = draft.get(&rows::account()).await?.ok_or(Error::NonExistent)?;
                let was = Account::decode(&row)?;
                let mut lines = Vec::new();
                let mut tally = Tally::default();
                let mut names = BTreeSet::new();
                for row in draft.scan_all(rows::mailboxes(), usize::MAX).await? {
                    let id = rows::mailbox_of(&row.key)?;
                    let mailbox = Mailbox::decode(&row.value)?;
                    let mut counted = Mailbox {
                        messages: 0,
                        unseen: 0,
                        deleted: 0,
                        size: 0,
                        recent: 0,
                        ..mailbox.clone()
                    };
                    let mut last = Uid(0);
                    let (start, end) = rows::messages(id, Uid(1), Uid(u32::MAX));
                    for row in draft.scan_all((start, end), usize::MAX).await? {
                        let (uid, message) = (rows::uid_of(&row.key)?, Message::decode(&row.value)?);
                        counted.count(uid, &message);
                        tally.storage = tally.storage.saturating_add(message.size);
                        tally.messages += 1;
                        last = uid;
                    }
                    if last.0 >= counted.uid_next {
                        lines.push(format!(
                            "{}: message {} is not below the next UID {}",
                            mailbox.name, last.0, counted.uid_next
                        ));
                        counted.uid_next = last.0.saturating_add(1);
                    }
                    if counted != mailbox {
                        lines.push(format!(
                            "{}: counters say {} messages, {} unseen, {} octets; there are {}, {}, {}",
                            mailbox.name,
                            mailbox.messages,
                            mailbox.unseen,
                            mailbox.size,
                            counted.messages,
                            counted.unseen,
                            counted.size
                        ));
                    }
                    if draft.find(&Name::parse(&mailbox.name)?).await? != Some(id) {
                        lines.push(format!("{}: its name does not lead to it", mailbox.name));
                    }
                    names.insert(mailbox.name.clone());
                    tally.mailboxes.insert(id, counted);
                }
                let right = (tally.storage, tally.messages, tally.mailboxes.len() as u64);
                if (was.storage, was.messages, u64::from(was.mailboxes)) != right {
                    lines.push(format!(
                        "the account's counters say {} octets, {} messages, {} mailboxes; there are {}, {}, {}",
                        was.storage, was.messages, was.mailboxes, right.0, right.1, right.2
                    ));
                }
                if repair && !lines.is_empty() {
                    let row = draft.account().await?;
                    (row.storage, row.messages) = (tally.storage, tally.messages);
                    row.mailboxes = u32::try_from(tally.mailboxes.len()).unwrap_or(u32::MAX);
                    for (id, counted) in tally.mailboxes {
                        *draft.mailbox_mut(id).await? = counted;
                    }
                }
                Ok((draft, lines))
            })
            .await?;
        found.extend(lines);
        Ok(found)
    }

    /// Messages whose summary is missing or whose body cannot be read at its ends.
    async fn unreadable(&self, account: AccountId) -> Result<Vec<String>, Error> {
        let mut found = Vec::new();
        let ledger = account.ledger();
        let (start, end) = rows::mailboxes();
        for row in self.ledger().scan(ledger, &start, &end, limits::MAILBOXES as usize).await? {
            let id = rows::mailbox_of(&row.key)?;
            let name = Mailbox::decode(&row.value)?.name;
            let mut after = Uid(0);
            loop {
                let (start, end) = rows::messages(id, Uid(after.0.saturating_add(1)), Uid(u32::MAX));
                let page = self.ledger().scan(ledger, &start, &end, limits::SCAN).await?;
                let Some(last) = page.last() else { break };
                after = rows::uid_of(&last.key)?;
                for row in &page {
                    let (uid, message) = (rows::uid_of(&row.key)?, Message::decode(&row.value)?);
                    let last = message.size.saturating_sub(1)..message.size;
                    match self.ledger().read_body(ledger, message.blob, last.clone()).await {
                        Ok(octets) if octets.len() as u64 == last.end - last.start => {}
                        Ok(_) => found.push(format!("{name}: the body of message {} is cut", uid.0)),
                        Err(error) => found.push(format!("{name}: the body of message {}: {error}", uid.0)),
                    }
                    let keys: Vec<_> =
                        (0..message.pieces).map(|piece| rows::summary(id, uid, piece)).collect();
                    if self.ledger().get_many(ledger, &keys).await?.iter().any(Option::is_none) {
                        found.push(format!("{name}: the summary of message {} is missing", uid.0));
                    }
                }
            }
        }
        Ok(found)
    }
}
