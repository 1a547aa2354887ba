//! Every key and value of an account's ledger.
//!
//! A key begins with a tag; numbers in keys are big-endian, so that rows sort as their numbers do. Values begin with
//! the number of their layout and then go on as `codec` writes. What never lives here: reading or writing a ledger.
//!
//! | tag | rest of the key | value |
//! |---|---|---|
//! | 01 | | `Account`: totals, quota, counters that only grow |
//! | 02 | mailbox (4) | `Mailbox`: name, UID state, counters |
//! | 03 | name, levels parted by 01 | id of the mailbox |
//! | 04 | mailbox (4) | `Keywords`: names by number; only ever appended to |
//! | 05 | name, levels parted by 01 | a subscription: nothing |
//! | 06 | mailbox (4) | a mailbox that is gone, whose messages are still to be removed: nothing |
//! | 10 | mailbox (4), UID (4) | `Message`; the row's modseq is the message's |
//! | 11 | mailbox (4), UID (4), piece (1) | a piece of the encoded `mail::Summary` |
//! | 12 | mailbox (4), UID (4) | when POP3 retrieved it |
//!
//! INBOX is mailbox 1 of every account.

use bytes::Bytes;
use mail::{
    BlobId, FlagChange, Flags, MailboxId, MailboxInfo, ModSeq, Moment, SpecialUse, SystemFlags, Uid,
    UidValidity,
};

use crate::codec::{Reader, Writer};
use crate::error::Error;
use crate::limits;
use crate::name::Name;

/// INBOX of every account.
pub const INBOX: MailboxId = MailboxId(1);

const ACCOUNT: u8 = 0x01;
const MAILBOX: u8 = 0x02;
const NAME: u8 = 0x03;
const KEYWORDS: u8 = 0x04;
const SUBSCRIPTION: u8 = 0x05;
const PURGE: u8 = 0x06;
const MESSAGE: u8 = 0x10;
const SUMMARY: u8 = 0x11;
const RETRIEVED: u8 = 0x12;

/// Parts levels in keys: below every octet of a name, so that what is below a name follows it at once.
const LEVEL: u8 = 0x01;

/// A range of keys: from the first, up to the second.
pub(crate) type Span = (Vec<u8>, Vec<u8>);

pub(crate) fn account() -> Bytes {
    Bytes::from_static(&[ACCOUNT])
}

pub(crate) fn mailbox(id: MailboxId) -> Bytes {
    numbered(MAILBOX, id, &[])
}

pub(crate) fn keywords(id: MailboxId) -> Bytes {
    numbered(KEYWORDS, id, &[])
}

pub(crate) fn purge(id: MailboxId) -> Bytes {
    numbered(PURGE, id, &[])
}

pub(crate) fn message(id: MailboxId, uid: Uid) -> Bytes {
    numbered(MESSAGE, id, &uid.0.to_be_bytes())
}

pub(crate) fn summary(id: MailboxId, uid: Uid, piece: u8) -> Bytes {
    let [a, b, c, d] = uid.0.to_be_bytes();
    numbered(SUMMARY, id, &[a, b, c, d, piece])
}

pub(crate) fn retrieved(id: MailboxId, uid: Uid) -> Bytes {
    numbered(RETRIEVED, id, &uid.0.to_be_bytes())
}

pub(crate) fn name(name: &Name) -> Bytes {
    named(NAME, name.as_str())
}

pub(crate) fn subscription(name: &Name) -> Bytes {
    named(SUBSCRIPTION, name.as_str())
}

/// Every row of every account.
pub(crate) fn all() -> Span {
    (vec![0], vec![0xff])
}

pub(crate) fn mailboxes() -> Span {
    tagged(MAILBOX)
}

pub(crate) fn purges() -> Span {
    tagged(PURGE)
}

/// Names after this one, in the order of levels; all of them without one. It need not be a name that can exist.
pub(crate) fn names_after(after: Option<&str>) -> Span {
    after_name(NAME, after)
}

pub(crate) fn subscriptions_after(after: Option<&str>) -> Span {
    after_name(SUBSCRIPTION, after)
}

/// Names below this one.
pub(crate) fn names_below(name: &Name) -> Span {
    let start = named(NAME, name.as_str());
    ([&start[..], &[LEVEL]].concat(), [&start[..], &[LEVEL + 1]].concat())
}

/// Messages from the first UID to the second, both included.
pub(crate) fn messages(id: MailboxId, low: Uid, high: Uid) -> Span {
    numbered_span(MESSAGE, id, low, high)
}

pub(crate) fn summaries(id: MailboxId, low: Uid, high: Uid) -> Span {
    numbered_span(SUMMARY, id, low, high)
}

pub(crate) fn all_messages() -> Span {
    tagged(MESSAGE)
}

pub(crate) fn all_summaries() -> Span {
    tagged(SUMMARY)
}

pub(crate) fn all_retrieved(id: MailboxId, low: Uid, high: Uid) -> Span {
    numbered_span(RETRIEVED, id, low, high)
}

/// The name that a key of a name or of a subscription tells.
pub(crate) fn name_of(key: &[u8]) -> Result<String, Error> {
    name_behind_tag(key.get(1..).unwrap_or_default())
}

pub(crate) fn name_behind_tag(octets: &[u8]) -> Result<String, Error> {
    let text = octets.iter().map(|octet| if *octet == LEVEL { b'/' } else { *octet }).collect();
    String::from_utf8(text).map_err(|_| damaged("a mailbox name"))
}

/// The mailbox that a key of a mailbox or of what is in one tells.
pub(crate) fn mailbox_of(key: &[u8]) -> Result<MailboxId, Error> {
    number(key, 1).map(MailboxId).ok_or_else(|| damaged("a key of a mailbox"))
}

/// The UID that a key of a message, or of what belongs to one, tells.
pub(crate) fn uid_of(key: &[u8]) -> Result<Uid, Error> {
    number(key, 5).map(Uid).ok_or_else(|| damaged("a key of a message"))
}

fn number(key: &[u8], at: usize) -> Option<u32> {
    let octets = key.get(at..at + 4)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}

fn numbered(tag: u8, id: MailboxId, rest: &[u8]) -> Bytes {
    [&[tag][..], &id.0.to_be_bytes(), rest].concat().into()
}

fn numbered_span(tag: u8, id: MailboxId, low: Uid, high: Uid) -> Span {
    let start = numbered(tag, id, &low.0.to_be_bytes()).to_vec();
    let end = match (high.0.checked_add(1), id.0.checked_add(1)) {
        (Some(next), _) => numbered(tag, id, &next.to_be_bytes()).to_vec(),
        (None, Some(next)) => numbered(tag, MailboxId(next), &[]).to_vec(),
        (None, None) => vec![tag + 1],
    };
    (start, end)
}

fn named(tag: u8, name: &str) -> Bytes {
    let levels = name.bytes().map(|octet| if octet == b'/' { LEVEL } else { octet });
    std::iter::once(tag).chain(levels).collect()
}

fn after_name(tag: u8, after: Option<&str>) -> Span {
    let start = match after {
        Some(name) => [&named(tag, name)[..], &[0]].concat(),
        None => vec![tag],
    };
    (start, vec![tag + 1])
}

fn tagged(tag: u8) -> Span {
    (vec![tag], vec![tag + 1])
}

/// What an operator is told when octets are not what was written.
pub(crate) fn damaged(what: &str) -> Error {
    Error::Corrupt(format!("{what} cannot be read"))
}

/// How much an account may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Octets of all messages together.
    pub storage: Option<u64>,
    /// Messages.
    pub messages: Option<u64>,
}

/// An account as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    /// Octets of all messages, copies counted as often as they are listed.
    pub(crate) storage: u64,
    pub(crate) messages: u64,
    pub(crate) quota: Quota,
    pub(crate) mailboxes: u32,
    pub(crate) subscriptions: u32,
    pub(crate) next_mailbox: u32,
    /// The last that was given, to any mailbox.
    pub(crate) uid_validity: u32,
    /// POP3: days that retrieved messages are kept.
    pub(crate) pop_days: Option<u32>,
}

impl Account {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(1);
        writer.num(self.storage);
        writer.num(self.messages);
        writer.maybe(self.quota.storage);
        writer.maybe(self.quota.messages);
        for num in [self.mailboxes, self.subscriptions, self.next_mailbox, self.uid_validity] {
            writer.num(num.into());
        }
        writer.maybe(self.pop_days.map(u64::from));
        writer.done()
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Account, Error> {
        Account::read(value).ok_or_else(|| damaged("the row of an account"))
    }

    fn read(value: &[u8]) -> Option<Account> {
        let reader = &mut versioned(value)?;
        let account = Account {
            storage: reader.num()?,
            messages: reader.num()?,
            quota: Quota { storage: reader.maybe()?, messages: reader.maybe()? },
            mailboxes: reader.num32()?,
            subscriptions: reader.num32()?,
            next_mailbox: reader.num32()?,
            uid_validity: reader.num32()?,
            pop_days: reader.maybe()?.map(u32::try_from).transpose().ok()?,
        };
        reader.end().map(|()| account)
    }
}

/// A mailbox without its messages: what every delivery reads and writes, so it is kept small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    pub(crate) name: String,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    /// Of the last change to its messages or its keywords.
    pub(crate) highest: ModSeq,
    pub(crate) messages: u32,
    pub(crate) unseen: u32,
    pub(crate) deleted: u32,
    pub(crate) size: u64,
    pub(crate) special_use: Option<SpecialUse>,
    /// UIDs from here on have not been shown as \Recent.
    pub(crate) recent_from: u32,
    pub(crate) recent: u32,
}

impl Mailbox {
    pub(crate) fn new(name: &Name, uid_validity: u32, special_use: Option<SpecialUse>) -> Mailbox {
        Mailbox {
            name: name.as_str().to_owned(),
            uid_validity,
            uid_next: 1,
            highest: ModSeq(0),
            messages: 0,
            unseen: 0,
            deleted: 0,
            size: 0,
            special_use,
            recent_from: 1,
            recent: 0,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(1);
        writer.bytes(self.name.as_bytes());
        for num in [self.uid_validity, self.uid_next, self.messages, self.unseen, self.deleted] {
            writer.num(num.into());
        }
        writer.num(self.highest.0);
        writer.num(self.size);
        writer.byte(special_use_number(self.special_use));
        writer.num(self.recent_from.into());
        writer.num(self.recent.into());
        writer.done()
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Mailbox, Error> {
        Mailbox::read(value).ok_or_else(|| damaged("the row of a mailbox"))
    }

    fn read(value: &[u8]) -> Option<Mailbox> {
        let reader = &mut versioned(value)?;
        let name = reader.text()?;
        let uid_validity = reader.num32()?;
        let uid_next = reader.num32()?;
        let messages = reader.num32()?;
        let unseen = reader.num32()?;
        let deleted = reader.num32()?;
        let highest = ModSeq(reader.num()?);
        let size = reader.num()?;
        let special_use = special_use(reader.byte()?)?;
        let recent_from = reader.num32()?;
        let recent = reader.num32()?;
        reader.end()?;
        Some(Mailbox {
            name,
            uid_validity,
            uid_next,
            highest,
            messages,
            unseen,
            deleted,
            size,
            special_use,
            recent_from,
            recent,
        })
    }

    pub(crate) fn info(&self, id: MailboxId, subscribed: bool) -> MailboxInfo {
        MailboxInfo {
            name: self.name.clone(),
            id: Some(id),
            subscribed,
            special_use: self.special_use,
            uid_validity: UidValidity(self.uid_validity),
            uid_next: Uid(self.uid_next),
            highest_modseq: self.highest,
            messages: self.messages,
            unseen: self.unseen,
            deleted: self.deleted,
            recent: self.recent,
            size: self.size,
        }
    }

    /// Counts a message in.
    pub(crate) fn count(&mut self, uid: Uid, message: &Message) {
        self.messages += 1;
        self.size = self.size.saturating_add(message.size);
        self.recent += u32::from(uid.0 >= self.recent_from);
        self.count_flags(message.flags);
    }

    /// Counts a message out.
    pub(crate) fn discount(&mut self, uid: Uid, message: &Message) {
        less(&mut self.messages, 1);
        self.size = self.size.saturating_sub(message.size);
        less(&mut self.recent, u32::from(uid.0 >= self.recent_from));
        self.discount_flags(message.flags);
    }

    pub(crate) fn count_flags(&mut self, flags: SystemFlags) {
        self.unseen += u32::from(!flags.contains(SystemFlags::SEEN));
        self.deleted += u32::from(flags.contains(SystemFlags::DELETED));
    }

    pub(crate) fn discount_flags(&mut self, flags: SystemFlags) {
        less(&mut self.unseen, u32::from(!flags.contains(SystemFlags::SEEN)));
        less(&mut self.deleted, u32::from(flags.contains(SystemFlags::DELETED)));
    }
}

/// A counter that is wrong must not keep anybody from removing mail; `Store::recount` sets it right.
fn less(counter: &mut u32, by: u32) {
    debug_assert!(*counter >= by, "a counter fell below nothing");
    *counter = counter.saturating_sub(by);
}

fn special_use_number(special_use: Option<SpecialUse>) -> u8 {
    match special_use {
        None => 0,
        Some(SpecialUse::All) => 1,
        Some(SpecialUse::Archive) => 2,
        Some(SpecialUse::Drafts) => 3,
        Some(SpecialUse::Flagged) => 4,
        Some(SpecialUse::Junk) => 5,
        Some(SpecialUse::Sent) => 6,
        Some(SpecialUse::Trash) => 7,
    }
}

fn special_use(number: u8) -> Option<Option<SpecialUse>> {
    Some(match number {
        0 => None,
        1 => Some(SpecialUse::All),
        2 => Some(SpecialUse::Archive),
        3 => Some(SpecialUse::Drafts),
        4 => Some(SpecialUse::Flagged),
        5 => Some(SpecialUse::Junk),
        6 => Some(SpecialUse::Sent),
        7 => Some(SpecialUse::Trash),
        _ => return None,
    })
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) flags: SystemFlags,
    /// Bit n: keyword n of the mailbox.
    pub(crate) keywords: u128,
    /// INTERNALDATE.
    pub(crate) date: Moment,
    /// When it was put into this mailbox. RFC 8514.
    pub(crate) saved: Moment,
    pub(crate) size: u64,
    pub(crate) blob: BlobId,
    /// Rows of its summary.
    pub(crate) pieces: u8,
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(1);
        writer.byte(self.flags.0);
        writer.byte(self.pieces);
        let keywords = self.keywords.to_le_bytes();
        let used = keywords.iter().rposition(|octet| *octet != 0).map_or(0, |at| at + 1);
        writer.bytes(&keywords[..used]);
        writer.num(self.date.0);
        writer.num(self.saved.0);
        writer.num(self.size);
        writer.raw(&self.blob.0);
        writer.done()
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Message, Error> {
        Message::read(value).ok_or_else(|| damaged("the row of a message"))
    }

    fn read(value: &[u8]) -> Option<Message> {
        let reader = &mut versioned(value)?;
        let flags = SystemFlags(reader.byte()?);
        let pieces = reader.byte()?;
        let used = reader.bytes()?;
        let mut keywords = [0; 16];
        keywords.get_mut(..used.len())?.copy_from_slice(used);
        let message = Message {
            flags,
            keywords: u128::from_le_bytes(keywords),
            date: Moment(reader.num()?),
            saved: Moment(reader.num()?),
            size: reader.num()?,
            blob: BlobId(reader.raw(32)?.try_into().ok()?),
            pieces,
        };
        reader.end().map(|()| message)
    }
}

/// The keywords of a mailbox, each known by its number. A number keeps its name for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keywords {
    pub(crate) names: Vec<String>,
}

impl Keywords {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(1);
        writer.num(self.names.len() as u64);
        self.names.iter().for_each(|name| writer.bytes(name.as_bytes()));
        writer.done()
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Keywords, Error> {
        Keywords::read(value).ok_or_else(|| damaged("the keywords of a mailbox"))
    }

    fn read(value: &[u8]) -> Option<Keywords> {
        let reader = &mut versioned(value)?;
        let count = usize::try_from(reader.num()?).ok().filter(|count| *count <= limits::KEYWORDS)?;
        let names = (0..count).map(|_| reader.text()).collect::<Option<Vec<String>>>()?;
        reader.end().map(|()| Keywords { names })
    }

    /// Those of `names` that are known.
    pub(crate) fn known(&self, names: &[String]) -> u128 {
        names.iter().filter_map(|name| self.number(name)).fold(0, |bits, number| bits | 1 << number)
    }

    /// Those of `names`, after making numbers for the unknown; the second says whether any was made.
    pub(crate) fn learn(&mut self, names: &[String]) -> Result<(u128, bool), Error> {
        let before = self.names.len();
        for name in names {
            if self.number(name).is_some() {
                continue;
            }
            if self.names.len() == limits::KEYWORDS || name.len() > limits::KEYWORD {
                return Err(Error::Limit(format!(
                    "a mailbox has at most {} keywords of {} octets",
                    limits::KEYWORDS,
                    limits::KEYWORD
                )));
            }
            self.names.push(name.clone());
        }
        Ok((self.known(names), self.names.len() > before))
    }

    /// Flags as people know them.
    pub(crate) fn flags(&self, system: SystemFlags, bits: u128) -> Flags {
        let mut flags = Flags { system, keywords: Vec::new() };
        let mut left = bits;
        while left != 0 {
            if let Some(name) = self.names.get(left.trailing_zeros() as usize) {
                flags.insert(name);
            }
            left &= left - 1;
        }
        flags
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known.eq_ignore_ascii_case(name))
    }
}

/// A change of flags in the terms of one mailbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    and: (u8, u128),
    or: (u8, u128),
}

impl Change {
    /// The second says whether keywords were made for it.
    pub(crate) fn new(change: &FlagChange, keywords: &mut Keywords) -> Result<(Change, bool), Error> {
        match change {
            FlagChange::Replace(flags) => {
                let (bits, new) = keywords.learn(&flags.keywords)?;
                Ok((Change { and: (0, 0), or: (flags.system.0, bits) }, new))
            }
            FlagChange::Add(flags) => {
                let (bits, new) = keywords.learn(&flags.keywords)?;
                Ok((Change { and: (u8::MAX, u128::MAX), or: (flags.system.0, bits) }, new))
            }
            FlagChange::Remove(flags) => {
                let and = (!flags.system.0, !keywords.known(&flags.keywords));
                Ok((Change { and, or: (0, 0) }, false))
            }
        }
    }

    pub(crate) fn apply(self, message: &Message) -> Message {
        Message {
            flags: SystemFlags(message.flags.0 & self.and.0 | self.or.0),
            keywords: message.keywords & self.and.1 | self.or.1,
            ..message.clone()
        }
    }
}

pub(crate) fn encode_id(id: MailboxId) -> Vec<u8> {
    id.0.to_be_bytes().to_vec()
}

pub(crate) fn decode_id(value: &[u8]) -> Result<MailboxId, Error> {
    let octets = value.try_into().map_err(|_| damaged("the number of a mailbox"))?;
    Ok(MailboxId(u32::from_be_bytes(octets)))
}

pub(crate) fn encode_moment(moment: Moment) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.num(moment.0);
    writer.done()
}

pub(crate) fn decode_moment(value: &[u8]) -> Result<Moment, Error> {
    Reader::new(value).num().map(Moment).ok_or_else(|| damaged("a time"))
}

/// A reader behind the number of the layout, of which there is one so far.
fn versioned(value: &[u8]) -> Option<Reader<'_>> {
    let mut reader = Reader::new(value);
    (reader.byte()? == 1).then_some(reader)
}
