//! What goes for good: messages, mailboxes, and all that an account had.
//!
//! A mailbox and what it counted go in one commit; the rows of its messages follow, so many at a time, and row 06
//! remembers that they have to.

use bytes::Bytes;
use mail::{AccountId, MailboxId, Uid, UidSet};

use crate::change::Record;
use crate::changing::Read;
use crate::draft::Draft;
use crate::filing::existing;
use crate::rows::account::{self as rows, Mailbox, Message};
use crate::{Error, Store, limits};

/// Rows of any kind that are removed at once; few, because there may be large ones among them.
const ROWS: usize = 256;

impl Draft {
    /// Removes messages whatever their flags, with their bodies.
    pub(crate) async fn discard(&mut self, id: MailboxId, messages: Vec<Read>) -> Result<(), Error> {
        let mut uids = UidSet::default();
        for (uid, _, message) in messages {
            self.remove_message(id, uid, &message).await?;
            self.release(message.blob);
            uids.insert(uid);
        }
        if !uids.is_empty() {
            self.record(Record::Gone { mailbox: id, uids });
        }
        Ok(())
    }
}

impl Store {
    /// Removes a mailbox with its messages; the rows go in bounded commits. `NonExistent`, `HasChildren`, `Cannot`
    /// (INBOX). The name stays subscribed. RFC 9051 §6.3.5.
    pub async fn delete(&self, account: AccountId, name: &str) -> Result<(), Error> {
        let name = existing(name)?;
        if name.is_inbox() {
            return Err(Error::Cannot("INBOX cannot be removed".into()));
        }
        let work = async |mut draft: Draft| {
            let id = draft.find(&name).await?.ok_or(Error::NonExistent)?;
            if draft.has_children(&name).await? {
                return Err(Error::HasChildren);
            }
            let Mailbox { messages, size, .. } = *draft.mailbox(id).await?;
            let row = draft.account().await?;
            row.mailboxes = row.mailboxes.saturating_sub(1);
            row.messages = row.messages.saturating_sub(messages.into());
            row.storage = row.storage.saturating_sub(size);
            draft.delete(rows::name(&name));
            draft.remove_mailbox(id);
            draft.put(rows::purge(id), Bytes::new());
            Ok((draft, id))
        };
        let (id, _) = self.change(account.ledger(), work).await?;
        // It is gone, and that is durable; what is left is found by `purge`.
        if let Err(error) = self.purge_mailbox(account, id).await {
            tracing::warn!(account = account.0, mailbox = id.0, %error, "messages are still to be removed");
        }
        Ok(())
    }

    /// Removes messages of mailboxes that are gone, left by a restart in the middle; says how many went.
    pub async fn purge(&self, account: AccountId) -> Result<u64, Error> {
        let mut gone = 0;
        loop {
            let (start, end) = rows::purges();
            let page = self.ledger().scan(account.ledger(), &start, &end, limits::SCAN).await?;
            for row in &page {
                gone += self.purge_mailbox(account, rows::mailbox_of(&row.key)?).await?;
            }
            if page.len() < limits::SCAN {
                return Ok(gone);
            }
        }
    }

    async fn purge_mailbox(&self, account: AccountId, id: MailboxId) -> Result<u64, Error> {
        let mut gone = 0;
        loop {
            let work = async |mut draft: Draft| {
                let page = purge_page(&mut draft, id).await?;
                Ok((draft, page))
            };
            let ((removed, more), _) = self.change(account.ledger(), work).await?;
            gone += removed;
            if !more {
                return Ok(gone);
            }
        }
    }

    /// Removes everything of an account that the directory has let go, then tells the directory to forget it.
    /// `Cannot`: the directory still has it.
    pub async fn clear(&self, account: AccountId) -> Result<(), Error> {
        match self.directory().account_of(account).await {
            Err(Error::NonExistent) => {}
            Ok(_) => return Err(Error::Cannot("the account is still in use".into())),
            Err(error) => return Err(error),
        }
        let mut more = true;
        while more {
            let work = async |mut draft: Draft| {
                let more = clear_page(&mut draft).await?;
                Ok((draft, more))
            };
            (more, _) = self.change(account.ledger(), work).await?;
        }
        let head = self.ledger().head(account.ledger()).await?;
        self.ledger().forget(account.ledger(), head).await?;
        self.directory().forget(account).await
    }
}

/// Removes some messages of a mailbox that is gone: how many, and whether there are more.
async fn purge_page(draft: &mut Draft, id: MailboxId) -> Result<(u64, bool), Error> {
    // Somebody else may have done it.
    if draft.get(&rows::purge(id)).await?.is_none() {
        return Ok((0, false));
    }
    let (start, end) = rows::messages(id, Uid(0), Uid(u32::MAX));
    let page = draft.scan(&start, &end, limits::REMOVED_PER_COMMIT).await?;
    for row in &page {
        let message = Message::decode(&row.value)?;
        draft.delete_rows(id, rows::uid_of(&row.key)?, message.pieces, false);
        draft.release(message.blob);
    }
    let more = page.len() == limits::REMOVED_PER_COMMIT;
    if !more {
        draft.delete(rows::purge(id));
    }
    Ok((page.len() as u64, more))
}

/// Removes some rows of an account; whether there are more.
async fn clear_page(draft: &mut Draft) -> Result<bool, Error> {
    // First those without which nobody finds anything here, so that nothing is filed meanwhile.
    if draft.has_account().await? {
        let (start, end) = rows::mailboxes();
        for row in draft.scan(&start, &end, limits::MAILBOXES as usize).await? {
            draft.remove_mailbox(rows::mailbox_of(&row.key)?);
        }
        draft.forget_account();
        return Ok(true);
    }
    let (start, end) = rows::all_messages();
    let page = draft.scan(&start, &end, limits::REMOVED_PER_COMMIT).await?;
    for row in &page {
        // One that cannot be read is removed all the same; at worst its body stays where nobody asks for it.
        if let Ok(message) = Message::decode(&row.value) {
            let (id, uid) = (rows::mailbox_of(&row.key)?, rows::uid_of(&row.key)?);
            draft.delete_rows(id, uid, message.pieces, false);
            draft.release(message.blob);
        }
        draft.delete(row.key.clone());
    }
    if !page.is_empty() {
        return Ok(true);
    }
    let (start, end) = rows::all();
    let page = draft.scan(&start, &end, ROWS).await?;
    page.iter().for_each(|row| draft.delete(row.key.clone()));
    Ok(!page.is_empty())
}
