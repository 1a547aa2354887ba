//! An account as a whole: its first rows, the numbers it gives, what it holds, and how it is set.

use ledger::Tx;
use mail::{AccountId, MailboxId, Moment, SpecialUse};

use crate::change::{self, Record};
use crate::draft::Draft;
use crate::name::Name;
use crate::rows::account::{self as rows, Account, INBOX, Mailbox, Quota};
use crate::{Error, Store, limits};

/// What every account has from the beginning. INBOX is the first, so that it has its number.
const FIRST: [(&str, Option<SpecialUse>); 6] = [
    ("INBOX", None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Archive", Some(SpecialUse::Archive)),
];

/// What an account holds, may hold, and how it is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Octets of all messages.
    pub storage: u64,
    /// Messages.
    pub messages: u64,
    /// How much it may hold.
    pub quota: Quota,
    /// POP3: days that retrieved messages are kept; `None` is for ever.
    pub pop_days: Option<u32>,
}

/// Puts the first rows of an account: INBOX and the mailboxes with special uses, subscribed.
pub(crate) fn found(tx: &mut Tx, now: Moment) -> Result<(), Error> {
    let mut account = Account { next_mailbox: INBOX.0, ..Account::default() };
    let mut records = Vec::with_capacity(FIRST.len() + 1);
    for (name, special_use) in FIRST {
        let name = Name::parse(name)?;
        let (id, uid_validity) = account.allot(now)?;
        let mailbox = Mailbox { highest: tx.modseq(), ..Mailbox::new(&name, uid_validity, special_use) };
        tx.put(rows::mailbox(id), mailbox.encode());
        tx.put(rows::name(&name), rows::encode_id(id));
        tx.put(rows::subscription(&name), Vec::new());
        account.subscriptions += 1;
        records.push(Record::Made { mailbox: id });
    }
    tx.put(rows::account(), account.encode());
    records.push(Record::Subscriptions);
    tx.log(&change::encode(&records));
    Ok(())
}

impl Account {
    /// Number and UIDVALIDITY for one more mailbox, neither of them ever given before: whoever remembers a name with
    /// its UIDVALIDITY cannot take another mailbox for it. RFC 9051 §2.3.1.1.
    pub(crate) fn allot(&mut self, now: Moment) -> Result<(MailboxId, u32), Error> {
        if self.mailboxes >= limits::MAILBOXES {
            return Err(Error::Limit(format!("an account has at most {} mailboxes", limits::MAILBOXES)));
        }
        let spent = || Error::Limit("the account has no numbers left for mailboxes".into());
        let id = MailboxId(self.next_mailbox);
        let next = self.uid_validity.checked_add(1).ok_or_else(spent)?;
        self.next_mailbox = self.next_mailbox.checked_add(1).ok_or_else(spent)?;
        // A clock beyond the range of these numbers counts for nothing.
        self.uid_validity = u32::try_from(now.seconds()).unwrap_or_default().max(next);
        self.mailboxes += 1;
        Ok((id, self.uid_validity))
    }

    /// Counts messages in, if the quota of this account allows all of them.
    pub(crate) fn count(&mut self, id: AccountId, messages: u64, octets: u64) -> Result<(), Error> {
        self.messages = self.messages.saturating_add(messages);
        self.storage = self.storage.saturating_add(octets);
        let over = |used: u64, quota: Option<u64>| quota.is_some_and(|quota| used > quota);
        match over(self.storage, self.quota.storage) || over(self.messages, self.quota.messages) {
            true => Err(Error::OverQuota(id)),
            false => Ok(()),
        }
    }
}

impl Store {
    /// What the account holds.
    pub async fn usage(&self, account: AccountId) -> Result<Usage, Error> {
        let Account { storage, messages, quota, pop_days, .. } = self.account_row(account).await?;
        Ok(Usage { storage, messages, quota, pop_days })
    }

    /// Sets how much it may hold. What it holds already stays.
    pub async fn set_quota(&self, account: AccountId, quota: Quota) -> Result<(), Error> {
        let work = async |mut draft: Draft| {
            if draft.account_row().await?.quota != quota {
                draft.account().await?.quota = quota;
                draft.record(Record::Account);
            }
            Ok((draft, ()))
        };
        self.change(account.ledger(), work).await.map(|_| ())
    }

    /// The account as far as it is durable.
    pub(crate) async fn account_row(&self, account: AccountId) -> Result<Account, Error> {
        let row = self.ledger().get(account.ledger(), &rows::account()).await?;
        Account::decode(&row.ok_or(Error::NonExistent)?.value)
    }
}
