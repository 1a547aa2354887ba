//! What can be said in IMAP; how it is spelt is in `parse` and `print`.

use mail::{Flags, ModSeq, Moment, SearchKey, Secret};

/// One command with its tag. RFC 9051 §6.
#[derive(Clone, Debug, PartialEq)]
pub struct Command {
    /// The tag.
    pub tag: String,
    /// The rest.
    pub body: CommandBody,
}

/// A number set over sequence numbers or UIDs as written; `*` is `None`. RFC 9051 §9 sequence-set.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SequenceSet(pub Vec<(Option<u32>, Option<u32>)>);

/// The commands. Mailbox names are decoded to UTF-8 (from modified UTF-7 unless UTF8=ACCEPT is on), and
/// any spelling of INBOX is `INBOX`.
#[derive(Clone, Debug, PartialEq)]
pub enum CommandBody {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// ID; RFC 2971.
    Id(Vec<(String, Option<String>)>),
    /// STARTTLS
    StartTls,
    /// AUTHENTICATE, with the initial response still in base64 ("=" for empty). RFC 4959.
    Authenticate {
        /// Upper-cased.
        mechanism: String,
        /// SASL-IR.
        initial: Option<Secret>,
    },
    /// LOGIN
    Login {
        /// User name.
        user: String,
        /// Password.
        password: Secret,
    },
    /// ENABLE, upper-cased names; RFC 5161.
    Enable(Vec<String>),
    /// SELECT or EXAMINE
    Select {
        /// The name.
        mailbox: String,
        /// EXAMINE.
        read_only: bool,
        /// (CONDSTORE); RFC 7162 §3.1.8.
        condstore: bool,
    },
    /// CREATE; RFC 6154 §3 for USE.
    Create {
        /// The name, a trailing `/` removed.
        mailbox: String,
        /// (USE (\Sent)).
        special_use: Vec<String>,
    },
    /// DELETE
    Delete(String),
    /// RENAME
    Rename {
        /// From.
        from: String,
        /// To.
        to: String,
    },
    /// SUBSCRIBE
    Subscribe(String),
    /// UNSUBSCRIBE
    Unsubscribe(String),
    /// LIST, plain and extended; RFC 5258.
    List(List),
    /// LSUB
    Lsub {
        /// Reference.
        reference: String,
        /// Pattern.
        pattern: String,
    },
    /// NAMESPACE; RFC 2342.
    Namespace,
    /// STATUS
    Status {
        /// The name.
        mailbox: String,
        /// What is asked.
        items: Vec<StatusItem>,
    },
    /// APPEND up to and including the literal's size; its octets follow.
    Append {
        /// The name.
        mailbox: String,
        /// Flags (unknown system flags and \Recent left out).
        flags: Flags,
        /// INTERNALDATE.
        date: Option<Moment>,
        /// Octets of the literal.
        size: u64,
        /// `{n}`: the client waits to be invited. `{n+}`: it does not. RFC 7888.
        synchronizing: bool,
        /// `~{n}`: may hold NUL. RFC 3516.
        binary: bool,
    },
    /// IDLE; RFC 2177.
    Idle,
    /// CHECK
    Check,
    /// CLOSE
    Close,
    /// UNSELECT; RFC 3691.
    Unselect,
    /// EXPUNGE, or UID EXPUNGE with a set; RFC 4315.
    Expunge(Option<SequenceSet>),
    /// SEARCH
    Search(Search),
    /// FETCH
    Fetch {
        /// UID FETCH.
        uid: bool,
        /// Which.
        set: SequenceSet,
        /// What; macros are already expanded.
        items: Vec<FetchItem>,
        /// (CHANGEDSINCE n)
        changed_since: Option<ModSeq>,
    },
    /// STORE
    Store {
        /// UID STORE.
        uid: bool,
        /// Which.
        set: SequenceSet,
        /// How.
        action: StoreAction,
        /// .SILENT
        silent: bool,
        /// What.
        flags: Flags,
        /// (UNCHANGEDSINCE n)
        unchanged_since: Option<ModSeq>,
    },
    /// COPY
    Copy {
        /// UID COPY.
        uid: bool,
        /// Which.
        set: SequenceSet,
        /// To where.
        to: String,
    },
    /// MOVE; RFC 6851.
    Move {
        /// UID MOVE.
        uid: bool,
        /// Which.
        set: SequenceSet,
        /// To where.
        to: String,
    },
}

/// FLAGS, +FLAGS, -FLAGS
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreAction {
    /// FLAGS
    Replace,
    /// +FLAGS
    Add,
    /// -FLAGS
    Remove,
}

/// LIST in all its forms. RFC 5258, RFC 5819, RFC 6154.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    /// It used any extended syntax.
    pub extended: bool,
    /// Selection option SUBSCRIBED.
    pub subscribed: bool,
    /// Selection option REMOTE (no effect here).
    pub remote: bool,
    /// Selection option RECURSIVEMATCH.
    pub recursive_match: bool,
    /// Selection option SPECIAL-USE.
    pub special_use: bool,
    /// Reference name.
    pub reference: String,
    /// Patterns, decoded.
    pub patterns: Vec<String>,
    /// RETURN SUBSCRIBED.
    pub return_subscribed: bool,
    /// RETURN CHILDREN.
    pub return_children: bool,
    /// RETURN SPECIAL-USE.
    pub return_special_use: bool,
    /// RETURN STATUS (…).
    pub return_status: Option<Vec<StatusItem>>,
}

/// STATUS items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusItem {
    /// MESSAGES
    Messages,
    /// RECENT
    Recent,
    /// UIDNEXT
    UidNext,
    /// UIDVALIDITY
    UidValidity,
    /// UNSEEN
    Unseen,
    /// DELETED
    Deleted,
    /// SIZE
    Size,
    /// HIGHESTMODSEQ
    HighestModSeq,
    /// APPENDLIMIT
    AppendLimit,
}

/// One FETCH item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchItem {
    /// UID
    Uid,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Size,
    /// ENVELOPE
    Envelope,
    /// BODY (without extension data)
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// MODSEQ
    ModSeq,
    /// RFC822, RFC822.HEADER, RFC822.TEXT
    Rfc822(Rfc822),
    /// BODY[…]<…> and BODY.PEEK[…]<…>
    Section {
        /// Does not set \Seen.
        peek: bool,
        /// Which section.
        section: Section,
        /// <offset.count>
        partial: Option<(u32, u32)>,
    },
}

/// The old names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rfc822 {
    /// RFC822: the whole, sets \Seen.
    Whole,
    /// RFC822.HEADER: does not set \Seen.
    Header,
    /// RFC822.TEXT: sets \Seen.
    Text,
}

/// A section: part numbers, then what of it. RFC 9051 §6.4.5.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Section {
    /// 1.2.3
    pub path: Vec<u32>,
    /// HEADER, TEXT…
    pub text: SectionText,
}

/// What of the part.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum SectionText {
    /// All of it.
    #[default]
    Whole,
    /// HEADER
    Header,
    /// HEADER.FIELDS (…), names as written.
    HeaderFields(Vec<String>),
    /// HEADER.FIELDS.NOT (…)
    HeaderFieldsNot(Vec<String>),
    /// TEXT
    Text,
    /// MIME
    Mime,
}

/// SEARCH. RFC 9051 §6.4.4, RFC 4731.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// UID SEARCH.
    pub uid: bool,
    /// RETURN (…) was given: answer with ESEARCH.
    pub returns: Option<SearchReturns>,
    /// What is sought, as written: sets are still sequence numbers where they were.
    pub key: SearchKey<WrittenSet>,
}

/// RETURN options; none set means ALL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct SearchReturns {
    /// MIN
    pub min: bool,
    /// MAX
    pub max: bool,
    /// ALL
    pub all: bool,
    /// COUNT
    pub count: bool,
}

/// A set in a search key as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WrittenSet {
    /// Sequence numbers.
    Sequence(SequenceSet),
    /// UID …
    Uid(SequenceSet),
}
