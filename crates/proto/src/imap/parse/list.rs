//! LIST in all its forms, LSUB and STATUS. RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 6154.

use super::cursor::is_atom;
use super::{Cursor, Fault};
use crate::imap::limits;
use crate::imap::types::{CommandBody, List, StatusItem};

/// LIST. What a selection option implies for the answer is already set: SUBSCRIBED and SPECIAL-USE are returned
/// when they are selected by. RFC 5258 §3.1, RFC 6154 §5.2.
pub(super) fn list(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let mut list = List::default();
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        selection(cursor, &mut list)?;
        cursor.space()?;
    }
    list.reference = reference(cursor)?;
    cursor.space()?;
    if cursor.peek() == Some(b'(') {
        list.extended = true;
        let mut patterns = Vec::new();
        cursor.list(limits::PATTERNS_MAX, |cursor| {
            patterns.push(pattern(cursor)?);
            Ok(())
        })?;
        list.patterns = patterns;
    } else {
        list.patterns.push(pattern(cursor)?);
    }
    if cursor.more() {
        list.extended = true;
        returns(cursor, &mut list)?;
    }
    list.return_subscribed |= list.subscribed;
    list.return_special_use |= list.special_use;
    Ok(CommandBody::List(list))
}

/// LSUB. RFC 3501 §6.3.9.
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let reference = reference(cursor)?;
    cursor.space()?;
    let pattern = pattern(cursor)?;
    Ok(CommandBody::Lsub { reference, pattern })
}

/// STATUS. RFC 9051 §6.3.11.
pub(super) fn status(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let items = status_items(cursor)?;
    Ok(CommandBody::Status { mailbox, items })
}

fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>, Fault> {
    const NAMES: [(&str, StatusItem); 9] = [
        ("MESSAGES", StatusItem::Messages),
        ("RECENT", StatusItem::Recent),
        ("UIDNEXT", StatusItem::UidNext),
        ("UIDVALIDITY", StatusItem::UidValidity),
        ("UNSEEN", StatusItem::Unseen),
        ("DELETED", StatusItem::Deleted),
        ("SIZE", StatusItem::Size),
        ("HIGHESTMODSEQ", StatusItem::HighestModSeq),
        ("APPENDLIMIT", StatusItem::AppendLimit),
    ];
    let mut items = Vec::new();
    cursor.list(limits::OPTIONS_MAX, |cursor| {
        let at = cursor.at();
        let word = cursor.word();
        let Some((_, item)) = NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
        else {
            return cursor.fault_at(at, "expected a STATUS item");
        };
        if !items.contains(item) {
            items.push(*item);
        }
        Ok(())
    })?;
    if items.is_empty() { cursor.fault("expected a STATUS item") } else { Ok(items) }
}

fn selection(cursor: &mut Cursor<'_>, list: &mut List) -> Result<(), Fault> {
    let start = cursor.at();
    cursor.list(limits::OPTIONS_MAX, |cursor| {
        let at = cursor.at();
        match cursor.word().to_ascii_uppercase().as_slice() {
            b"SUBSCRIBED" => list.subscribed = true,
            b"REMOTE" => list.remote = true,
            b"RECURSIVEMATCH" => list.recursive_match = true,
            b"SPECIAL-USE" => list.special_use = true,
            _ => return cursor.fault_at(at, "unknown selection option"),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: it needs another option that selects, and REMOTE is none.
    if list.recursive_match && !list.subscribed && !list.special_use {
        return cursor.fault_at(start, "RECURSIVEMATCH needs SUBSCRIBED or another option that selects");
    }
    Ok(())
}

fn returns(cursor: &mut Cursor<'_>, list: &mut List) -> Result<(), Fault> {
    if !cursor.take_word("RETURN") {
        return cursor.fault("expected RETURN or the end of the command");
    }
    cursor.space()?;
    cursor.list(limits::OPTIONS_MAX, |cursor| {
        let at = cursor.at();
        match cursor.word().to_ascii_uppercase().as_slice() {
            b"SUBSCRIBED" => list.return_subscribed = true,
            b"CHILDREN" => list.return_children = true,
            b"SPECIAL-USE" => list.return_special_use = true,
            b"STATUS" => {
                cursor.space()?;
                list.return_status = Some(status_items(cursor)?);
            }
            _ => return cursor.fault_at(at, "unknown return option"),
        }
        Ok(())
    })
}

fn reference(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    let at = cursor.at();
    // A wildcard has no meaning in a reference, but some clients put one there, unquoted.
    let name = cursor.string_or(is_list_char, "expected a reference name")?;
    Ok(decode(cursor, at, &name)?.unwrap_or_else(|| String::from_utf8_lossy(&name).into_owned()))
}

/// RFC 9051 §9 list-mailbox. What is no modified UTF-7 can be the start of a name followed by a wildcard; it is
/// left as it is and matches what it can.
fn pattern(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    let at = cursor.at();
    let pattern = cursor.string_or(is_list_char, "expected a mailbox pattern")?;
    Ok(decode(cursor, at, &pattern)?.unwrap_or_else(|| String::from_utf8_lossy(&pattern).into_owned()))
}

/// `None` if it is text, but no modified UTF-7.
fn decode(cursor: &Cursor<'_>, at: usize, name: &[u8]) -> Result<Option<String>, Fault> {
    match cursor.decode_mailbox(at, name) {
        Ok(name) => Ok(Some(name)),
        Err(_) if name.is_ascii() && name.len() <= limits::MAILBOX_MAX => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn is_list_char(octet: u8) -> bool {
    is_atom(octet) || matches!(octet, b'%' | b'*' | b']')
}
