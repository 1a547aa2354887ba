//! Messages from elsewhere into an account: hashed and taken apart while they arrive, filed many in a commit.
//!
//! What never lives here: the files they come from.

use std::io;
use std::sync::Arc;

use ledger::{BodyWriter, CommitError};
use mail::{AccountId, Flags, Indexer, Moment};
use serde_json::{Value, json};
use store::{Arrival, Error};

use super::desk::{Desk, Failure, Outcome};
use super::frame::{Frame, Head};
use super::limits;

/// Octets that are reckoned for the rows of a message besides its summary.
const ROWS: u64 = 1024;

/// Messages for one mailbox that are filed together.
#[derive(Default)]
struct Batch {
    mailbox: String,
    arrivals: Vec<Arrival>,
    /// Octets it holds in memory.
    weight: u64,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.arrivals.len() >= limits::BATCH || self.weight >= limits::BATCH_OCTETS
    }
}

/// What has become of the messages so far.
#[derive(Default)]
struct Tally {
    /// Filed and durable.
    messages: u64,
    octets: u64,
    /// Left out.
    skipped: u64,
}

impl Tally {
    fn told(&self) -> Value {
        json!({ "messages": self.messages, "octets": self.octets, "skipped": self.skipped })
    }
}

impl Desk {
    pub(super) async fn import(&mut self, address: &str) -> Outcome {
        let account = self.person(address).await?.id;
        let mut tally = Tally::default();
        match self.take_all(account, &mut tally).await {
            Ok(()) => Ok(tally.told()),
            Err(Failure::Refused(why)) => {
                Err(format!("{why}; {} messages were imported before that", tally.messages).into())
            }
            Err(gone) => Err(gone),
        }
    }

    async fn take_all(&mut self, account: AccountId, tally: &mut Tally) -> Result<(), Failure> {
        let mut batch = Batch::default();
        loop {
            match self.more().await? {
                Frame::Head(head) => {
                    if head.mailbox != batch.mailbox || batch.is_full() {
                        self.file(account, &mut batch, tally).await?;
                        batch.mailbox.clone_from(&head.mailbox);
                    }
                    self.take_one(head, &mut batch, tally).await?;
                }
                Frame::Last => return self.file(account, &mut batch, tally).await,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
    }

    /// Takes one message in, or leaves it out and says so.
    async fn take_one(&mut self, head: Head, batch: &mut Batch, tally: &mut Tally) -> Result<(), Failure> {
        let (mut writer, mut indexer) = (Some(self.office.ledger.body()), Indexer::new());
        loop {
            match self.more().await? {
                Frame::Body(octets) => {
                    let Some(open) = &mut writer else { continue };
                    if open.size() + octets.len() as u64 > limits::MESSAGE {
                        // The rest is heard, and goes nowhere.
                        writer = None;
                        continue;
                    }
                    indexer.push(&octets);
                    open.write(octets).await.map_err(unwritten)?;
                }
                Frame::End => break,
                Frame::Broken => return Ok(()),
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        match writer {
            Some(writer) => {
                let arrival = self.arrival(&head, writer, indexer).await?;
                batch.weight += weight(&arrival);
                batch.arrivals.push(arrival);
            }
            None => {
                tally.skipped += 1;
                if tally.skipped <= limits::NAMED {
                    let why = format!("a message has more than {} octets", limits::MESSAGE);
                    self.item(json!({ "mailbox": head.mailbox, "skipped": why })).await?;
                }
            }
        }
        Ok(())
    }

    async fn arrival(&self, head: &Head, writer: BodyWriter, indexer: Indexer) -> Result<Arrival, Failure> {
        let mut flags = Flags::default();
        for flag in &head.flags {
            // What is no flag (\Recent) is not kept.
            flags.insert(flag);
        }
        Ok(Arrival {
            body: writer.finish().await.map_err(unwritten)?,
            summary: Arc::new(indexer.finish()),
            flags,
            date: head.date.map_or_else(|| self.office.clock.now(), Moment),
        })
    }

    /// Files what has come; it is durable when this returns.
    async fn file(
        &mut self,
        account: AccountId,
        batch: &mut Batch,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        if batch.arrivals.is_empty() {
            return Ok(());
        }
        let now = self.office.clock.now();
        let filed = self.store().import(account, &batch.mailbox, &batch.arrivals, now).await;
        let filed = filed.map_err(|error| explained(&batch.mailbox, error))?;
        tally.messages += filed.len() as u64;
        tally.octets += batch.arrivals.iter().map(|arrival| arrival.body.size).sum::<u64>();
        batch.arrivals.clear();
        batch.weight = 0;
        self.progress(tally.messages, 0, "messages").await?;
        Ok(())
    }
}

/// What a message holds in memory while its batch waits, and about what it adds to the commit.
fn weight(arrival: &Arrival) -> u64 {
    let body = arrival.body.size.min(ledger::limits::INLINE_LIMIT as u64);
    body + arrival.summary.encode().len() as u64 + ROWS
}

fn explained(mailbox: &str, error: Error) -> Failure {
    Failure::Refused(match error {
        Error::OverQuota(_) => {
            "the account's quota is reached: raise it with `packetboat account quota`".to_owned()
        }
        Error::NonExistent => "the account has been removed meanwhile".to_owned(),
        other => format!("{mailbox}: {other}"),
    })
}

fn unwritten(error: CommitError) -> Failure {
    Error::from(error).into()
}
