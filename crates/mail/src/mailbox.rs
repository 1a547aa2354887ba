//! What a mailbox and its messages look like from outside: the words that the store and the sessions share.

use std::sync::Arc;

use crate::{BlobId, Flags, MailboxId, ModSeq, Moment, Summary, Uid, UidSet, UidValidity};

/// RFC 6154 special uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SpecialUse {
    /// \All
    All,
    /// \Archive
    Archive,
    /// \Drafts
    Drafts,
    /// \Flagged
    Flagged,
    /// \Junk
    Junk,
    /// \Sent
    Sent,
    /// \Trash
    Trash,
}

/// A mailbox or a subscribed name, with its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxInfo {
    /// UTF-8, `/` between levels.
    pub name: String,
    /// `None`: a subscribed name, or the parent of a mailbox, that does not itself exist.
    pub id: Option<MailboxId>,
    /// In the LSUB list.
    pub subscribed: bool,
    /// RFC 6154.
    pub special_use: Option<SpecialUse>,
    /// Generation of its UIDs.
    pub uid_validity: UidValidity,
    /// The next to be given.
    pub uid_next: Uid,
    /// Modseq of its last change.
    pub highest_modseq: ModSeq,
    /// Number of messages.
    pub messages: u32,
    /// Without \Seen.
    pub unseen: u32,
    /// With \Deleted.
    pub deleted: u32,
    /// \Recent to the next session that selects it.
    pub recent: u32,
    /// Sum of octets. RFC 8438.
    pub size: u64,
}

/// A mailbox as it is when selected.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Its counters.
    pub info: MailboxInfo,
    /// Every UID, ascending; the session turns them into sequence numbers.
    pub uids: Vec<Uid>,
    /// The first without \Seen.
    pub first_unseen: Option<Uid>,
    /// UIDs from here on are \Recent to this session.
    pub recent_from: Uid,
    /// Keywords in use.
    pub keywords: Vec<String>,
}

/// News of a mailbox.
#[derive(Clone, Debug, Default)]
pub struct MailboxChanges {
    /// The session has now seen this far.
    pub head: ModSeq,
    /// Gone since.
    pub gone: UidSet,
    /// New or with new flags, without summaries, ascending.
    pub rows: Vec<MessageRow>,
    /// The mailbox itself is gone.
    pub deleted: bool,
    /// Keywords in use now, when they have changed.
    pub keywords: Option<Vec<String>>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Its UID.
    pub uid: Uid,
    /// Its flags, without \Recent.
    pub flags: Flags,
    /// Of its last change.
    pub modseq: ModSeq,
    /// INTERNALDATE.
    pub date: Moment,
    /// Octets.
    pub size: u64,
    /// The stored body.
    pub blob: BlobId,
    /// Envelope, structure, offsets; when asked for.
    pub summary: Option<Arc<Summary>>,
}

/// What STORE does to the flags. RFC 9051 §6.4.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlagChange {
    /// FLAGS
    Replace(Flags),
    /// +FLAGS
    Add(Flags),
    /// -FLAGS
    Remove(Flags),
}

/// What is sought among messages. `S` is how a set of messages is written down: sequence numbers on the wire,
/// `UidSet` when the question reaches the store. Dates are days since 1970-01-01; strings are UTF-8 and match
/// as substrings without regard to case. RFC 9051 §6.4.4.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchKey<S> {
    /// ALL
    All,
    /// All of these.
    And(Vec<SearchKey<S>>),
    /// Either.
    Or(Box<SearchKey<S>>, Box<SearchKey<S>>),
    /// NOT
    Not(Box<SearchKey<S>>),
    /// One of these messages.
    Set(S),
    /// ANSWERED and its like: the flag, by its IMAP name, is set (UNANSWERED is Not of it).
    Flag(String),
    /// RECENT (NEW is RECENT and not \Seen, OLD is not RECENT)
    Recent,
    /// BEFORE, by INTERNALDATE.
    Before(i64),
    /// ON
    On(i64),
    /// SINCE
    Since(i64),
    /// SENTBEFORE, by the Date field.
    SentBefore(i64),
    /// SENTON
    SentOn(i64),
    /// SENTSINCE
    SentSince(i64),
    /// LARGER
    Larger(u64),
    /// SMALLER
    Smaller(u64),
    /// BCC, CC, FROM, SUBJECT, TO, HEADER: field name, then what it contains.
    Header(String, String),
    /// BODY
    Body(String),
    /// TEXT
    Text(String),
    /// MODSEQ: changed at or after. RFC 7162 §3.1.5.
    ModSeq(ModSeq),
}

impl<S> SearchKey<S> {
    /// The same key with every set written another way.
    pub fn map<T>(self, set: &mut impl FnMut(S) -> T) -> SearchKey<T> {
        match self {
            SearchKey::All => SearchKey::All,
            SearchKey::And(keys) => SearchKey::And(keys.into_iter().map(|k| k.map(set)).collect()),
            SearchKey::Or(a, b) => SearchKey::Or(Box::new(a.map(set)), Box::new(b.map(set))),
            SearchKey::Not(key) => SearchKey::Not(Box::new(key.map(set))),
            SearchKey::Set(s) => SearchKey::Set(set(s)),
            SearchKey::Flag(name) => SearchKey::Flag(name),
            SearchKey::Recent => SearchKey::Recent,
            SearchKey::Before(day) => SearchKey::Before(day),
            SearchKey::On(day) => SearchKey::On(day),
            SearchKey::Since(day) => SearchKey::Since(day),
            SearchKey::SentBefore(day) => SearchKey::SentBefore(day),
            SearchKey::SentOn(day) => SearchKey::SentOn(day),
            SearchKey::SentSince(day) => SearchKey::SentSince(day),
            SearchKey::Larger(size) => SearchKey::Larger(size),
            SearchKey::Smaller(size) => SearchKey::Smaller(size),
            SearchKey::Header(name, text) => SearchKey::Header(name, text),
            SearchKey::Body(text) => SearchKey::Body(text),
            SearchKey::Text(text) => SearchKey::Text(text),
            SearchKey::ModSeq(modseq) => SearchKey::ModSeq(modseq),
        }
    }
}
