//! FETCH and STORE. RFC 9051 §6.4.5 and §6.4.6, RFC 7162 §3.1.3 and §3.1.4.

use mail::Flags;

use super::{Cursor, Fault};
use crate::imap::limits;
use crate::imap::types::{CommandBody, FetchItem, Rfc822, Section, SectionText, StoreAction};

/// FETCH and UID FETCH.
pub(super) fn fetch(cursor: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Fault> {
    cursor.space()?;
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let items = items(cursor)?;
    let mut changed_since = None;
    if cursor.more() {
        cursor.list(limits::OPTIONS_MAX, |cursor| {
            if !cursor.take_word("CHANGEDSINCE") {
                return cursor.fault("the only modifier known here is CHANGEDSINCE");
            }
            cursor.space()?;
            changed_since = Some(cursor.modseq()?);
            Ok(())
        })?;
    }
    Ok(CommandBody::Fetch { uid, set, items, changed_since })
}

fn items(cursor: &mut Cursor<'_>) -> Result<Vec<FetchItem>, Fault> {
    use FetchItem::{Body, Envelope, Flags, InternalDate, Size};
    if cursor.peek() == Some(b'(') {
        let mut items = Vec::new();
        cursor.list(limits::FETCH_ITEMS_MAX, |cursor| {
            items.push(item(cursor)?);
            Ok(())
        })?;
        return if items.is_empty() { cursor.fault("expected an item to fetch") } else { Ok(items) };
    }
    Ok(if cursor.take_word("FAST") {
        vec![Flags, InternalDate, Size]
    } else if cursor.take_word("ALL") {
        vec![Flags, InternalDate, Size, Envelope]
    } else if cursor.take_word("FULL") {
        vec![Flags, InternalDate, Size, Envelope, Body]
    } else {
        vec![item(cursor)?]
    })
}

fn item(cursor: &mut Cursor<'_>) -> Result<FetchItem, Fault> {
    const NAMES: [(&str, FetchItem); 11] = [
        ("UID", FetchItem::Uid),
        ("FLAGS", FetchItem::Flags),
        ("INTERNALDATE", FetchItem::InternalDate),
        ("RFC822.SIZE", FetchItem::Size),
        ("ENVELOPE", FetchItem::Envelope),
        ("BODYSTRUCTURE", FetchItem::BodyStructure),
        ("BODY", FetchItem::Body),
        ("MODSEQ", FetchItem::ModSeq),
        ("RFC822", FetchItem::Rfc822(Rfc822::Whole)),
        ("RFC822.HEADER", FetchItem::Rfc822(Rfc822::Header)),
        ("RFC822.TEXT", FetchItem::Rfc822(Rfc822::Text)),
    ];
    let at = cursor.at();
    let word = cursor.word();
    let peek = word.eq_ignore_ascii_case(b"BODY.PEEK");
    if cursor.peek() == Some(b'[') && (peek || word.eq_ignore_ascii_case(b"BODY")) {
        let section = section(cursor)?;
        let partial = partial(cursor)?;
        return Ok(FetchItem::Section { peek, section, partial });
    }
    match NAMES.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())) {
        Some((_, item)) => Ok(item.clone()),
        None => cursor.fault_at(at, "expected an item to fetch"),
    }
}

/// `[1.2.HEADER.FIELDS (To Cc)]`. RFC 9051 §9 section.
fn section(cursor: &mut Cursor<'_>) -> Result<Section, Fault> {
    cursor.expect(b'[', "expected a section")?;
    let mut path = Vec::new();
    let mut dot = false;
    while cursor.peek().is_some_and(|c| c.is_ascii_digit()) {
        let at = cursor.at();
        let part = cursor.number("expected a part number")?;
        if part == 0 || path.len() == limits::NESTING_MAX {
            return cursor.fault_at(at, "this part number cannot be");
        }
        path.push(part);
        dot = cursor.take(b'.');
        if !dot {
            break;
        }
    }
    let text =
        if path.is_empty() || dot { section_text(cursor, !path.is_empty())? } else { SectionText::Whole };
    cursor.expect(b']', "expected the end of the section")?;
    Ok(Section { path, text })
}

fn section_text(cursor: &mut Cursor<'_>, in_part: bool) -> Result<SectionText, Fault> {
    let at = cursor.at();
    match cursor.word().to_ascii_uppercase().as_slice() {
        b"" if !in_part => Ok(SectionText::Whole),
        b"HEADER" => Ok(SectionText::Header),
        b"HEADER.FIELDS" => Ok(SectionText::HeaderFields(header_list(cursor)?)),
        b"HEADER.FIELDS.NOT" => Ok(SectionText::HeaderFieldsNot(header_list(cursor)?)),
        b"TEXT" => Ok(SectionText::Text),
        b"MIME" if in_part => Ok(SectionText::Mime),
        _ => cursor.fault_at(at, "expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME"),
    }
}

/// RFC 9051 §9 header-list. Names are printed back in the answer, so they must be US-ASCII.
fn header_list(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Fault> {
    cursor.space()?;
    let mut names = Vec::new();
    cursor.list(limits::HEADER_FIELDS_MAX, |cursor| {
        let at = cursor.at();
        let name = cursor.astring("expected the name of a header field")?;
        let good = !name.is_empty() && name.iter().all(|c| (b' '..0x7f).contains(c));
        match String::from_utf8(name.into_owned()) {
            Ok(name) if good => names.push(name),
            _ => return cursor.fault_at(at, "this is no name of a header field"),
        }
        Ok(())
    })?;
    if names.is_empty() { cursor.fault("expected the name of a header field") } else { Ok(names) }
}

/// `<offset.count>`. RFC 9051 §9 partial.
fn partial(cursor: &mut Cursor<'_>) -> Result<Option<(u32, u32)>, Fault> {
    if !cursor.take(b'<') {
        return Ok(None);
    }
    let offset = cursor.number("expected the first octet")?;
    cursor.expect(b'.', "expected a full stop and a number of octets")?;
    let at = cursor.at();
    let count = cursor.number("expected a number of octets")?;
    if count == 0 {
        return cursor.fault_at(at, "the number of octets must not be 0");
    }
    cursor.expect(b'>', "expected >")?;
    Ok(Some((offset, count)))
}

/// STORE and UID STORE.
pub(super) fn store(cursor: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Fault> {
    cursor.space()?;
    let set = cursor.sequence_set()?;
    cursor.space()?;
    let mut unchanged_since = None;
    if cursor.peek() == Some(b'(') {
        cursor.list(limits::OPTIONS_MAX, |cursor| {
            if !cursor.take_word("UNCHANGEDSINCE") {
                return cursor.fault("the only modifier known here is UNCHANGEDSINCE");
            }
            cursor.space()?;
            unchanged_since = Some(cursor.modseq()?);
            Ok(())
        })?;
        cursor.space()?;
    }
    let action = if cursor.take(b'+') {
        StoreAction::Add
    } else if cursor.take(b'-') {
        StoreAction::Remove
    } else {
        StoreAction::Replace
    };
    let at = cursor.at();
    let silent = match cursor.word().to_ascii_uppercase().as_slice() {
        b"FLAGS" => false,
        b"FLAGS.SILENT" => true,
        _ => return cursor.fault_at(at, "expected FLAGS, +FLAGS or -FLAGS"),
    };
    cursor.space()?;
    let flags = store_flags(cursor)?;
    Ok(CommandBody::Store { uid, set, action, silent, flags, unchanged_since })
}

/// With or without parentheses. RFC 9051 §9 store-att-flags.
fn store_flags(cursor: &mut Cursor<'_>) -> Result<Flags, Fault> {
    if cursor.peek() == Some(b'(') {
        return cursor.flag_list();
    }
    let mut flags = Flags::default();
    for _ in 0..limits::FLAGS_MAX {
        cursor.flag(&mut flags)?;
        if !cursor.more() {
            return Ok(flags);
        }
    }
    cursor.fault("too many flags")
}
