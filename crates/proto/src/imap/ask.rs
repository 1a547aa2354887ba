//! What an IMAP session asks, and what it is told.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mail::{
    AccountId, BlobId, BodyId, FlagChange, Flags, MailboxChanges, MailboxId, MailboxInfo, MessageRow, ModSeq,
    Moment, SearchKey, Selected, SpecialUse, Uid, UidSet, UidValidity,
};

use crate::login::{Credentials, LoginAnswer};

/// A question of the IMAP server. Names are UTF-8 with `/` between levels; `INBOX` is spelt so.
#[derive(Clone, Debug)]
pub enum Ask {
    /// May this user in?
    Login(Credentials),
    /// All mailboxes and subscribed names of the account, sorted by name, at most 1,000 after this name.
    Mailboxes {
        /// Whose.
        account: AccountId,
        /// Continue after this name.
        after: Option<String>,
    },
    /// One mailbox, for STATUS.
    Mailbox {
        /// Whose.
        account: AccountId,
        /// Which.
        name: String,
    },
    /// CREATE.
    Create {
        /// Whose.
        account: AccountId,
        /// The new name; missing parents are made as well.
        name: String,
        /// RFC 6154 §3.
        special_use: Option<SpecialUse>,
    },
    /// DELETE.
    Delete {
        /// Whose.
        account: AccountId,
        /// Which.
        name: String,
    },
    /// RENAME, of INBOX too (RFC 9051 §6.3.6).
    Rename {
        /// Whose.
        account: AccountId,
        /// From.
        from: String,
        /// To.
        to: String,
    },
    /// SUBSCRIBE and UNSUBSCRIBE.
    Subscribe {
        /// Whose.
        account: AccountId,
        /// Which name; need not exist.
        name: String,
        /// Which of the two.
        subscribe: bool,
    },
    /// SELECT and EXAMINE.
    Select {
        /// Whose.
        account: AccountId,
        /// Which.
        name: String,
        /// EXAMINE: \Recent is not taken away.
        read_only: bool,
    },
    /// What has changed in a mailbox after `after`.
    Since {
        /// Whose.
        account: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// What the session has seen.
        after: ModSeq,
    },
    /// Rows of messages, in ascending UID, at most 1,000 (fewer when summaries are wanted).
    Rows {
        /// Whose.
        account: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// Which messages; those that do not exist are left out.
        uids: UidSet,
        /// With `MessageRow::summary`.
        summaries: bool,
        /// Only those changed after. RFC 7162 §3.1.4.1.
        changed_since: Option<ModSeq>,
    },
    /// Ranges of stored bodies, together at most 1 MiB.
    Octets {
        /// Whose.
        account: AccountId,
        /// Which octets of which bodies.
        ranges: Vec<(BlobId, Range<u64>)>,
    },
    /// STORE, and the implicit \Seen of FETCH. At most 1,000 UIDs, one commit.
    Store {
        /// Whose.
        account: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// Which messages; those that do not exist are passed over.
        uids: UidSet,
        /// What to do.
        change: FlagChange,
        /// Refuse those changed since. RFC 7162 §3.1.3.
        unchanged_since: Option<ModSeq>,
    },
    /// Remove messages that have \Deleted (all of them, or those among `uids`), in one commit.
    Expunge {
        /// Whose.
        account: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// UID EXPUNGE. RFC 4315 §2.1.
        uids: Option<UidSet>,
    },
    /// COPY and MOVE, in one commit.
    Copy {
        /// Whose.
        account: AccountId,
        /// From where.
        mailbox: MailboxId,
        /// Which messages; those that do not exist are passed over.
        uids: UidSet,
        /// To where.
        to: String,
        /// And remove them here. RFC 6851.
        remove: bool,
    },
    /// Before an APPEND literal is invited: is there a mailbox, a right, and room?
    MayAppend {
        /// Whose.
        account: AccountId,
        /// To which.
        mailbox: String,
        /// Octets announced.
        size: u64,
    },
    /// The literal is kept: file it.
    Append {
        /// Whose.
        account: AccountId,
        /// To which.
        mailbox: String,
        /// The body in flight.
        body: BodyId,
        /// Flags to give it.
        flags: Flags,
        /// INTERNALDATE; `None` is now.
        date: Option<Moment>,
    },
    /// Messages that match, ascending, from `after` on; each Ask looks at a bounded number of messages.
    Search {
        /// Whose.
        account: AccountId,
        /// Which.
        mailbox: MailboxId,
        /// What is sought; sequence numbers have been turned into UIDs.
        key: Arc<SearchKey<UidSet>>,
        /// UIDs from here on that are \Recent to this session.
        recent_from: Uid,
        /// Continue after this UID.
        after: Option<Uid>,
    },
}

/// The answer to an `Ask` of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To `Login`.
    Login(LoginAnswer),
    /// To `Mailboxes`; `more` when there are names after the last.
    Mailboxes {
        /// A page of them.
        list: Vec<MailboxInfo>,
        /// There are more.
        more: bool,
    },
    /// To `Mailbox`.
    Mailbox(Box<MailboxInfo>),
    /// To `Create`, `Delete`, `Rename`, `Subscribe`, `MayAppend`.
    Done,
    /// To `Select`.
    Selected(Box<Selected>),
    /// To `Since`.
    Changes(MailboxChanges),
    /// To `Rows`.
    Rows {
        /// Ascending in UID.
        rows: Vec<MessageRow>,
        /// Ask again for UIDs after this one.
        next: Option<Uid>,
    },
    /// To `Octets`: one for each range, in order. A range past the end is cut.
    Octets(Vec<Bytes>),
    /// To `Store`.
    Stored {
        /// The rows as they are now, changed or not; without summaries. Ascending.
        rows: Vec<MessageRow>,
        /// Those refused because of `unchanged_since`.
        modified: UidSet,
        /// The commit that did it; `None` if nothing had to change. A session that knows its own commits can
        /// tell a change of its own from somebody else's that came to the same flags.
        commit: Option<ModSeq>,
    },
    /// To `Expunge`.
    Expunged {
        /// Those gone, ascending.
        uids: UidSet,
        /// When.
        modseq: ModSeq,
    },
    /// To `Copy`.
    Copied {
        /// Of the target.
        uid_validity: UidValidity,
        /// Source UIDs in order, and the UID each got.
        pairs: Vec<(Uid, Uid)>,
        /// When (the source UIDs are gone at this modseq if they were to be removed).
        modseq: ModSeq,
    },
    /// To `Append`.
    Appended {
        /// Of the target.
        uid_validity: UidValidity,
        /// The new message.
        uid: Uid,
    },
    /// To `Search`.
    Found {
        /// Matches, ascending, with their modseq.
        hits: Vec<(Uid, ModSeq)>,
        /// Ask again with `after` set to this.
        next: Option<Uid>,
    },
    /// To any: NO, with this code.
    No {
        /// RFC 5530 and others.
        code: Code,
        /// In words.
        text: String,
    },
}

/// What the response code of a NO is. RFC 5530 §3, RFC 9051 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Nothing more specific.
    None,
    /// The mailbox does not exist, and CREATE would help. RFC 9051 §7.1 TRYCREATE.
    TryCreate,
    /// It does not exist.
    NonExistent,
    /// It exists already.
    AlreadyExists,
    /// It has children or is needed.
    HasChildren,
    /// Not possible with this name or mailbox.
    Cannot,
    /// The quota is reached.
    OverQuota,
    /// A limit of the house.
    Limit,
    /// The message is over the size limit. RFC 7889.
    TooBig,
    /// Not at present (full disk, stopped ledger).
    Unavailable,
    /// No right.
    NoPerm,
    /// Message bytes that could not be read back: damaged storage.
    Corruption,
}
