//! Whether an account is what its rows say: every counter against what it counts, names against mailboxes, messages
//! against their summaries and bodies.
//!
//! What never lives here: the repair of anything but counters. What is lost is named, for the operator.

use std::collections::BTreeMap;
use std::fmt::Display;

use bytes::Bytes;
use ledger::Row;
use mail::{AccountId, MailboxId, ModSeq};

use crate::draft::Draft;
use crate::rows::account::{self as rows, Account, INBOX, Mailbox, Message, Span};
use crate::{Error, Store, limits};

/// Rows of summaries read at once.
const PIECES: usize = 64;

impl Store {
    /// Compares every counter and row of an account with what they count; sets counters right when `repair`. One
    /// line for each thing found.
    pub async fn recount(&self, account: AccountId, repair: bool) -> Result<Vec<String>, Error> {
        let work = async |mut draft: Draft| {
            let mut found = Found::default();
            Count::take(&mut draft, &mut found).await?.judge(&mut draft, repair, &mut found).await?;
            if !found.lines.is_empty() {
                // This makes it a commit, which fails and begins again if anybody else wrote meanwhile: what is
                // reported is of one moment.
                draft.account().await?;
            }
            Ok((draft, found))
        };
        let (mut found, _) = self.change(account.ledger(), work).await?;
        self.check_bodies(account, &mut found).await?;
        Ok(found.done())
    }

    /// Reads every body. Nobody is kept waiting meanwhile.
    async fn check_bodies(&self, account: AccountId, found: &mut Found) -> Result<(), Error> {
        let (mut start, end) = rows::all_messages();
        loop {
            let page = self.ledger().scan(account.ledger(), &start, &end, limits::SCAN).await?;
            for row in &page {
                let (id, uid) = (rows::mailbox_of(&row.key)?, rows::uid_of(&row.key)?);
                // One that cannot be read was named before.
                let Ok(message) = Message::decode(&row.value) else { continue };
                let Err(what) = self.check_body(account, &message).await? else { continue };
                // It may have been removed since the page was read.
                if self.ledger().get(account.ledger(), &row.key).await?.is_some() {
                    found.add(format!("mailbox {}, UID {}: the body {what}", id.0, uid.0));
                }
            }
            match page.last() {
                Some(last) if page.len() == limits::SCAN => start = after(&last.key),
                _ => return Ok(()),
            }
        }
    }

    async fn check_body(&self, account: AccountId, message: &Message) -> Result<Result<(), String>, Error> {
        let mut at = 0;
        // One octet more than there should be is asked for.
        while at <= message.size {
            match self.octets(account, message.blob, at..message.size.saturating_add(1)).await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => at += piece.len() as u64,
                Err(Error::NonExistent) => return Ok(Err("is missing".into())),
                Err(Error::Corrupt(what)) => return Ok(Err(format!("is damaged: {what}"))),
                Err(error) => return Err(error),
            }
        }
        let size = message.size;
        Ok(if at == size { Ok(()) } else { Err(format!("has not the {size} octets that the message has")) })
    }
}

/// Lines for the operator, not more than anybody reads.
#[derive(Default)]
struct Found {
    lines: Vec<String>,
    more: u64,
}

impl Found {
    fn add(&mut self, line: String) {
        match self.lines.len() < limits::FINDINGS {
            true => self.lines.push(line),
            false => self.more += 1,
        }
    }

    fn differ<T: Copy + PartialEq + Display>(&mut self, what: impl Display, says: T, is: T) {
        if says != is {
            self.add(format!("{what}: the row says {says}, counted were {is}"));
        }
    }

    fn done(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}

/// A mailbox as its row says and as it was counted.
struct Both {
    says: Mailbox,
    is: Mailbox,
    names: u32,
}

/// What an account has.
struct Count {
    mailboxes: BTreeMap<MailboxId, Both>,
    /// Gone, with rows left.
    leaving: Vec<MailboxId>,
    subscriptions: u32,
}

impl Count {
    async fn take(draft: &mut Draft, found: &mut Found) -> Result<Count, Error> {
        draft.load_account().await?;
        let mut count = Count { mailboxes: BTreeMap::new(), leaving: Vec::new(), subscriptions: 0 };
        count.mailboxes(draft).await?;
        count.names(draft, found).await?;
        count.messages(draft, found).await?;
        let mut subscriptions = Walk::new(rows::subscriptions_after(None), limits::SCAN);
        while subscriptions.next(draft).await?.is_some() {
            count.subscriptions += 1;
        }
        Ok(count)
    }

    async fn mailboxes(&mut self, draft: &Draft) -> Result<(), Error> {
        let mut walk = Walk::new(rows::mailboxes(), limits::SCAN);
        while let Some(row) = walk.next(draft).await? {
            let says = Mailbox::decode(&row.value)?;
            let is = Mailbox { messages: 0, unseen: 0, deleted: 0, size: 0, recent: 0, ..says.clone() };
            self.mailboxes.insert(rows::mailbox_of(&row.key)?, Both { says, is, names: 0 });
        }
        let mut walk = Walk::new(rows::purges(), limits::SCAN);
        while let Some(row) = walk.next(draft).await? {
            self.leaving.push(rows::mailbox_of(&row.key)?);
        }
        Ok(())
    }

    async fn names(&mut self, draft: &Draft, found: &mut Found) -> Result<(), Error> {
        let mut walk = Walk::new(rows::names_after(None), limits::SCAN);
        while let Some(row) = walk.next(draft).await? {
            let (name, id) = (rows::name_of(&row.key)?, rows::decode_id(&row.value)?);
            match self.mailboxes.get_mut(&id) {
                Some(both) => {
                    both.names += 1;
                    if both.says.name != name {
                        let other = &both.says.name;
                        found.add(format!("the name {name} leads to mailbox {}, which is {other}", id.0));
                    }
                }
                None => found.add(format!("the name {name} leads to mailbox {}, which is missing", id.0)),
            }
        }
        for (id, both) in self.mailboxes.iter().filter(|(_, both)| both.names != 1) {
            let (name, names) = (&both.says.name, both.names);
            found.add(format!("mailbox {} ({name}) is found under {names} names", id.0));
        }
        if !self.mailboxes.contains_key(&INBOX) {
            found.add("INBOX is missing".into());
        }
        Ok(())
    }

    /// Messages and their summaries, side by side.
    async fn messages(&mut self, draft: &mut Draft, found: &mut Found) -> Result<(), Error> {
        let mut messages = Walk::new(rows::all_messages(), limits::SCAN);
        let mut pieces = Walk::new(rows::all_summaries(), PIECES);
        let mut piece = pieces.next(draft).await?;
        while let Some(row) = messages.next(draft).await? {
            // Behind their tags both kinds of key begin with mailbox and UID.
            let place = row.key.slice(1..);
            let mut whole = 0u32;
            while let Some(next) = piece.take_if(|next| next.key[1..9.min(next.key.len())] <= place[..]) {
                match next.key[1..].strip_prefix(&place[..]) {
                    Some([number]) if u32::from(*number) == whole => whole += 1,
                    Some(_) => {}
                    None => self.left_over(&next, found)?,
                }
                piece = pieces.next(draft).await?;
            }
            self.message(draft, &row, whole, found).await?;
        }
        while let Some(next) = piece {
            self.left_over(&next, found)?;
            piece = pieces.next(draft).await?;
        }
        Ok(())
    }

    async fn message(
        &mut self,
        draft: &mut Draft,
        row: &Row,
        pieces: u32,
        found: &mut Found,
    ) -> Result<(), Error> {
        let (id, uid) = (rows::mailbox_of(&row.key)?, rows::uid_of(&row.key)?);
        let at = format!("mailbox {}, UID {}", id.0, uid.0);
        let Some(both) = self.mailboxes.get_mut(&id) else {
            if !self.leaving.contains(&id) {
                found.add(format!("{at}: there is no such mailbox"));
            }
            return Ok(());
        };
        let Ok(message) = Message::decode(&row.value) else {
            found.add(format!("{at}: the row of the message cannot be read"));
            return Ok(());
        };
        both.is.count(uid, &message);
        both.is.uid_next = both.is.uid_next.max(uid.0.saturating_add(1));
        both.is.highest = both.is.highest.max(row.modseq);
        if pieces != u32::from(message.pieces) {
            found.add(format!("{at}: of {} pieces of the summary there are {pieces}", message.pieces));
        }
        let names = match message.keywords {
            0 => 0,
            _ => draft.keywords(id).await?.names.len() as u32,
        };
        if u128::BITS - message.keywords.leading_zeros() > names {
            found.add(format!("{at}: a keyword without a name"));
        }
        Ok(())
    }

    fn left_over(&self, piece: &Row, found: &mut Found) -> Result<(), Error> {
        let (id, uid) = (rows::mailbox_of(&piece.key)?, rows::uid_of(&piece.key)?);
        if !self.leaving.contains(&id) {
            found.add(format!("mailbox {}, UID {}: a summary without a message", id.0, uid.0));
        }
        Ok(())
    }

    /// Names every counter that is wrong, and sets it right.
    async fn judge(&self, draft: &mut Draft, repair: bool, found: &mut Found) -> Result<(), Error> {
        let says = draft.account_row().await?.clone();
        let all = || self.mailboxes.values().map(|both| &both.is);
        let above = self.mailboxes.keys().chain(&self.leaving).map(|id| id.0.saturating_add(1)).max();
        let is = Account {
            storage: all().fold(0, |sum, mailbox| sum.saturating_add(mailbox.size)),
            messages: all().map(|mailbox| u64::from(mailbox.messages)).sum(),
            mailboxes: self.mailboxes.len() as u32,
            subscriptions: self.subscriptions,
            next_mailbox: above.unwrap_or_default().max(says.next_mailbox),
            uid_validity: all().map(|m| m.uid_validity).fold(says.uid_validity, u32::max),
            ..says.clone()
        };
        found.differ("octets of the account", says.storage, is.storage);
        found.differ("messages of the account", says.messages, is.messages);
        found.differ("mailboxes", says.mailboxes, is.mailboxes);
        found.differ("subscriptions", says.subscriptions, is.subscriptions);
        found.differ("the next mailbox", says.next_mailbox, is.next_mailbox);
        found.differ("the last UIDVALIDITY", says.uid_validity, is.uid_validity);
        if repair && is != says {
            *draft.account().await? = is;
        }
        for (id, Both { says, is, .. }) in &self.mailboxes {
            let name = &says.name;
            found.differ(format!("messages in {name}"), says.messages, is.messages);
            found.differ(format!("unseen messages in {name}"), says.unseen, is.unseen);
            found.differ(format!("deleted messages in {name}"), says.deleted, is.deleted);
            found.differ(format!("recent messages in {name}"), says.recent, is.recent);
            found.differ(format!("octets in {name}"), says.size, is.size);
            found.differ(format!("the next UID of {name}"), says.uid_next, is.uid_next);
            let (ModSeq(row), ModSeq(counted)) = (says.highest, is.highest);
            found.differ(format!("the highest modseq of {name}"), row, counted);
            if repair && is != says {
                *draft.mailbox_mut(*id).await? = is.clone();
            }
        }
        Ok(())
    }
}

/// Rows of a span one after the other, read a page at a time.
struct Walk {
    span: Span,
    limit: usize,
    page: std::vec::IntoIter<Row>,
    more: bool,
}

impl Walk {
    fn new(span: Span, limit: usize) -> Walk {
        Walk { span, limit, page: Vec::new().into_iter(), more: true }
    }

    async fn next(&mut self, draft: &Draft) -> Result<Option<Row>, Error> {
        if self.page.len() == 0 && self.more {
            let page = draft.scan(&self.span.0, &self.span.1, self.limit).await?;
            self.more = page.len() == self.limit;
            if let Some(last) = page.last() {
                self.span.0 = after(&last.key);
            }
            self.page = page.into_iter();
        }
        Ok(self.page.next())
    }
}

/// The first key behind this one.
fn after(key: &Bytes) -> Vec<u8> {
    [&key[..], &[0]].concat()
}
