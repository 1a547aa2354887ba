//! LIST, LSUB and STATUS responses. RFC 9051 §7.3.1 and §7.3.4, RFC 5258, RFC 6154.

use bytes::{BufMut, BytesMut};
use mail::SpecialUse;

use super::string::{mailbox, number};
use crate::imap::types::StatusItem;

/// One line of LIST.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// UTF-8, `/` between levels.
    pub name: &'a str,
    /// Not a mailbox: only the parent of one, or a subscribed name. Extended clients are told `\NonExistent`.
    pub non_existent: bool,
    /// `\Noselect`, for clients that know no `\NonExistent`.
    pub no_select: bool,
    /// `\HasChildren` or `\HasNoChildren`, where it is known and wanted.
    pub children: Option<bool>,
    /// `\Subscribed`.
    pub subscribed: bool,
    /// RFC 6154 §2.
    pub special_use: Option<SpecialUse>,
    /// RECURSIVEMATCH: a child of this name is subscribed. RFC 5258 §3.5.
    pub child_subscribed: bool,
}

/// `* LIST (\HasNoChildren \Sent) "/" Sent` and CRLF.
pub fn list(out: &mut BytesMut, entry: &ListEntry<'_>, utf8: bool) {
    line(out, b"* LIST (", entry, utf8);
}

/// `* LSUB () "/" Sent` and CRLF.
pub fn lsub(out: &mut BytesMut, entry: &ListEntry<'_>, utf8: bool) {
    line(out, b"* LSUB (", entry, utf8);
}

/// `* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)` and CRLF.
pub fn status(out: &mut BytesMut, name: &str, items: &[(StatusItem, u64)], utf8: bool) {
    out.put_slice(b"* STATUS ");
    mailbox(out, name, utf8);
    out.put_slice(b" (");
    for (i, (item, value)) in items.iter().enumerate() {
        if i > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(match item {
            StatusItem::Messages => b"MESSAGES ",
            StatusItem::Recent => b"RECENT ",
            StatusItem::UidNext => b"UIDNEXT ",
            StatusItem::UidValidity => b"UIDVALIDITY ",
            StatusItem::Unseen => b"UNSEEN ",
            StatusItem::Deleted => b"DELETED ",
            StatusItem::Size => b"SIZE ",
            StatusItem::HighestModSeq => b"HIGHESTMODSEQ ",
            StatusItem::AppendLimit => b"APPENDLIMIT ",
        });
        number(out, *value);
    }
    out.put_slice(b")\r\n");
}

fn line(out: &mut BytesMut, head: &[u8], entry: &ListEntry<'_>, utf8: bool) {
    out.put_slice(head);
    let attributes = [
        entry.non_existent.then_some("\\NonExistent"),
        entry.no_select.then_some("\\Noselect"),
        entry.children.map(|some| if some { "\\HasChildren" } else { "\\HasNoChildren" }),
        entry.subscribed.then_some("\\Subscribed"),
        entry.special_use.map(special_use),
    ];
    for (i, attribute) in attributes.into_iter().flatten().enumerate() {
        if i > 0 {
            out.put_u8(b' ');
        }
        out.put_slice(attribute.as_bytes());
    }
    out.put_slice(b") \"/\" ");
    mailbox(out, entry.name, utf8);
    if entry.child_subscribed {
        out.put_slice(b" (\"CHILDINFO\" (\"SUBSCRIBED\"))");
    }
    out.put_slice(b"\r\n");
}

fn special_use(special_use: SpecialUse) -> &'static str {
    match special_use {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}
