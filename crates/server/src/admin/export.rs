//! Messages of an account to elsewhere, in the order of their mailboxes and UIDs.
//!
//! What never lives here: the files they go to.

use mail::{AccountId, MailboxInfo, MessageRow, Uid, UidSet};
use serde_json::json;
use store::Error;

use super::desk::{Desk, Failure, Outcome};
use super::frame::{Frame, Head};
use super::limits;

/// What has been sent.
#[derive(Default)]
struct Tally {
    messages: u64,
    octets: u64,
    /// Could not be read.
    lost: u64,
    total: u64,
}

impl Desk {
    pub(super) async fn export(&mut self, address: &str, mailbox: Option<&str>) -> Outcome {
        let account = self.person(address).await?.id;
        let mailboxes = match mailbox {
            Some(name) => match self.store().mailbox(account, name).await {
                Ok(info) => vec![info],
                Err(Error::NonExistent) => {
                    return Err(format!(
                        "{address} has no mailbox {name}; `packetboat account show {address}` names those it has"
                    )
                    .into());
                }
                Err(error) => return Err(error.into()),
            },
            None => self.all_mailboxes(account).await?,
        };
        let total = mailboxes.iter().map(|info| u64::from(info.messages)).sum();
        let mut tally = Tally { total, ..Tally::default() };
        for info in &mailboxes {
            // One without messages is wanted too.
            self.item(json!({ "mailbox": info.name })).await?;
            self.send_mailbox(account, info, &mut tally).await?;
        }
        self.progress(tally.messages, tally.total, "messages").await?;
        Ok(json!({ "messages": tally.messages, "octets": tally.octets, "lost": tally.lost }))
    }

    /// At most `store::limits::MAILBOXES`.
    async fn all_mailboxes(&self, account: AccountId) -> Result<Vec<MailboxInfo>, Failure> {
        let mut all: Vec<MailboxInfo> = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let (page, more) = self.store().mailboxes(account, after.as_deref()).await?;
            after = page.last().map(|info| info.name.clone());
            all.extend(page.into_iter().filter(|info| info.id.is_some()));
            if !more || after.is_none() {
                return Ok(all);
            }
        }
    }

    async fn send_mailbox(
        &mut self,
        account: AccountId,
        info: &MailboxInfo,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let Some(id) = info.id else { return Ok(()) };
        let mut next = Some(Uid(0));
        while let Some(after) = next {
            let mut uids = UidSet::default();
            uids.insert_range(after.0.saturating_add(1)..=u32::MAX);
            let page = match self.store().rows(account, id, &uids, false, None).await {
                Ok((rows, more)) => {
                    next = more;
                    rows
                }
                // Removed meanwhile.
                Err(Error::NonExistent) => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            for row in &page {
                self.send_message(account, info, row, tally).await?;
                if tally.messages.is_multiple_of(limits::PROGRESS) {
                    self.progress(tally.messages, tally.total, "messages").await?;
                }
            }
        }
        Ok(())
    }

    /// A message that was removed meanwhile is left out. One that is damaged is named, and costs no other.
    async fn send_message(
        &mut self,
        account: AccountId,
        info: &MailboxInfo,
        row: &MessageRow,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let (mut sent, mut begun) = (0, false);
        let error = loop {
            let end = row.size.min(sent + limits::FRAME as u64);
            let octets = match self.store().octets(account, row.blob, sent..end).await {
                Ok(octets) if octets.is_empty() && sent < row.size => {
                    break Error::Corrupt("it ends too early".into());
                }
                Ok(octets) => octets,
                Err(error @ (Error::NonExistent | Error::Corrupt(_))) => break error,
                Err(error) => return Err(error.into()),
            };
            if !begun {
                self.writer.send(&Frame::Head(head(info, row))).await?;
                begun = true;
            }
            sent += octets.len() as u64;
            self.writer.send(&Frame::Body(octets)).await?;
            if sent >= row.size {
                self.writer.send(&Frame::End).await?;
                tally.messages += 1;
                tally.octets += row.size;
                return Ok(());
            }
        };
        if begun {
            self.writer.send(&Frame::Broken).await?;
        }
        if error != Error::NonExistent {
            tally.lost += 1;
            let item = json!({ "mailbox": info.name, "uid": row.uid.0, "lost": error.to_string() });
            self.item(item).await?;
        }
        Ok(())
    }
}

fn head(info: &MailboxInfo, row: &MessageRow) -> Head {
    let mut flags: Vec<String> = row.flags.to_string().split(' ').map(str::to_owned).collect();
    flags.retain(|flag| !flag.is_empty());
    Head { mailbox: info.name.clone(), flags, date: Some(row.date.0), size: Some(row.size) }
}
