//! What the log of an account says: one small record for each thing that happened. They tell what to look at again,
//! not how it looks, so a reader ends with rows that are at least as new.

use bytes::Bytes;
use mail::{MailboxId, Uid, UidSet};

use crate::codec::{Reader, Writer};

/// One record of an account's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Messages were filed, with these UIDs.
    New { mailbox: MailboxId, uids: UidSet },
    /// Flags were changed.
    Flags { mailbox: MailboxId, uids: UidSet },
    /// Messages were removed.
    Gone { mailbox: MailboxId, uids: UidSet },
    /// Messages went from one mailbox to another, in order of UID: the n-th of `from` is the n-th of `to`.
    Moved { from: MailboxId, uids: UidSet, to: MailboxId, new: UidSet },
    /// A mailbox was made.
    Made { mailbox: MailboxId },
    /// A mailbox has another name.
    Renamed { mailbox: MailboxId },
    /// A mailbox was removed with all that was in it.
    Removed { mailbox: MailboxId },
    /// A mailbox has more keywords.
    Keywords { mailbox: MailboxId },
    /// A subscription came or went.
    Subscriptions,
    /// The account's quota or another of its settings.
    Account,
}

/// Writes records one behind the other.
pub(crate) fn encode(records: &[Record]) -> Bytes {
    let mut writer = Writer::default();
    for record in records {
        put(record, &mut writer);
    }
    writer.done().into()
}

/// Reads what `encode` wrote; `None` for anything else, such as a record of a later version.
pub(crate) fn decode(entry: &[u8]) -> Option<Vec<Record>> {
    let mut reader = Reader::new(entry);
    let mut records = Vec::new();
    while !reader.is_empty() {
        records.push(take(&mut reader)?);
    }
    Some(records)
}

fn put(record: &Record, writer: &mut Writer) {
    let mut head = |tag: u8, mailbox: &MailboxId| {
        writer.byte(tag);
        writer.num(mailbox.0.into());
    };
    match record {
        Record::New { mailbox, uids } => {
            head(1, mailbox);
            writer.uids(uids);
        }
        Record::Flags { mailbox, uids } => {
            head(2, mailbox);
            writer.uids(uids);
        }
        Record::Gone { mailbox, uids } => {
            head(3, mailbox);
            writer.uids(uids);
        }
        Record::Moved { from, uids, to, new } => {
            head(4, from);
            writer.uids(uids);
            writer.num(to.0.into());
            writer.uids(new);
        }
        Record::Made { mailbox } => head(5, mailbox),
        Record::Renamed { mailbox } => head(6, mailbox),
        Record::Removed { mailbox } => head(7, mailbox),
        Record::Keywords { mailbox } => head(8, mailbox),
        Record::Subscriptions => writer.byte(9),
        Record::Account => writer.byte(10),
    }
}

fn take(reader: &mut Reader<'_>) -> Option<Record> {
    let tag = reader.byte()?;
    match tag {
        9 => return Some(Record::Subscriptions),
        10 => return Some(Record::Account),
        _ => {}
    }
    let mailbox = MailboxId(reader.num32()?);
    Some(match tag {
        1 => Record::New { mailbox, uids: reader.uids()? },
        2 => Record::Flags { mailbox, uids: reader.uids()? },
        3 => Record::Gone { mailbox, uids: reader.uids()? },
        4 => Record::Moved {
            from: mailbox,
            uids: reader.uids()?,
            to: MailboxId(reader.num32()?),
            new: reader.uids()?,
        },
        5 => Record::Made { mailbox },
        6 => Record::Renamed { mailbox },
        7 => Record::Removed { mailbox },
        8 => Record::Keywords { mailbox },
        _ => return None,
    })
}

/// UIDs given one after the other, as a set.
pub(crate) fn run(first: Uid, count: u32) -> UidSet {
    let mut uids = UidSet::default();
    if let Some(more) = count.checked_sub(1) {
        uids.insert_range(first.0..=first.0.saturating_add(more));
    }
    uids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back() {
        let (mailbox, uids) = (MailboxId(7), run(Uid(300), 5));
        let records = vec![
            Record::New { mailbox, uids: uids.clone() },
            Record::Flags { mailbox, uids: uids.clone() },
            Record::Gone { mailbox, uids: UidSet::default() },
            Record::Moved { from: mailbox, uids, to: MailboxId(u32::MAX), new: run(Uid(1), 5) },
            Record::Made { mailbox },
            Record::Renamed { mailbox },
            Record::Removed { mailbox },
            Record::Keywords { mailbox },
            Record::Subscriptions,
            Record::Account,
        ];
        let entry = encode(&records);
        assert_eq!(decode(&entry), Some(records));
        assert_eq!(decode(&[]), Some(Vec::new()));
        for cut in 1..entry.len() {
            // A cut entry is either refused or the records before the cut; it is never read as something else.
            if let Some(read) = decode(&entry[..cut]) {
                assert!(entry.starts_with(&encode(&read)) && read.len() < 10, "cut at {cut}");
            }
        }
        assert_eq!(decode(&[99, 1]), None);
    }
}
