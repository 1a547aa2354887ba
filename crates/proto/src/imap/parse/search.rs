//! SEARCH. RFC 9051 §6.4.4, RFC 4731 §3.1, RFC 7162 §3.1.5.

use mail::SearchKey;

use super::{Cursor, Fault};
use crate::imap::limits;
use crate::imap::types::{CommandBody, Search, SearchReturns, WrittenSet};

type Key = SearchKey<WrittenSet>;

/// SEARCH and UID SEARCH.
pub(super) fn search(cursor: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Fault> {
    cursor.space()?;
    let mut returns = None;
    if cursor.take_word("RETURN") {
        cursor.space()?;
        returns = Some(return_options(cursor)?);
        cursor.space()?;
    }
    if cursor.take_word("CHARSET") {
        cursor.space()?;
        let charset = cursor.astring("expected a charset")?;
        // US-ASCII is part of UTF-8, and UTF-8 is what every string is read as.
        if !charset.eq_ignore_ascii_case(b"UTF-8") && !charset.eq_ignore_ascii_case(b"US-ASCII") {
            return Err(Fault::BadCharset);
        }
        cursor.space()?;
    }
    let key = Keys { seen: 0 }.sequence(cursor, 0)?;
    Ok(CommandBody::Search(Search { uid, returns, key }))
}

fn return_options(cursor: &mut Cursor<'_>) -> Result<SearchReturns, Fault> {
    let mut returns = SearchReturns::default();
    cursor.list(limits::OPTIONS_MAX, |cursor| {
        let at = cursor.at();
        match cursor.word().to_ascii_uppercase().as_slice() {
            b"MIN" => returns.min = true,
            b"MAX" => returns.max = true,
            b"ALL" => returns.all = true,
            b"COUNT" => returns.count = true,
            _ => return cursor.fault_at(at, "expected MIN, MAX, ALL or COUNT"),
        }
        Ok(())
    })?;
    Ok(returns)
}

/// Counts the keys read, so that their number is bounded over all depths.
struct Keys {
    seen: usize,
}

impl Keys {
    /// One key or more with spaces between them, all of which must hold.
    fn sequence(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Key, Fault> {
        let first = self.key(cursor, depth)?;
        if cursor.peek() != Some(b' ') {
            return Ok(first);
        }
        let mut keys = vec![first];
        while cursor.more() && cursor.peek() != Some(b')') {
            keys.push(self.key(cursor, depth)?);
        }
        Ok(match (keys.pop(), keys.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                keys.extend(last);
                Key::And(keys)
            }
        })
    }

    /// One key. Recursion is bounded by `limits::NESTING_MAX`.
    fn key(&mut self, cursor: &mut Cursor<'_>, depth: usize) -> Result<Key, Fault> {
        let at = cursor.at();
        if depth > limits::NESTING_MAX {
            return cursor.fault("the search is nested too deeply");
        }
        self.seen += 1;
        if self.seen > limits::SEARCH_KEYS_MAX {
            return cursor.fault("too many search keys");
        }
        match cursor.peek() {
            Some(b'(') => {
                cursor.take(b'(');
                cursor.spaces();
                let key = self.sequence(cursor, depth + 1)?;
                cursor.spaces();
                cursor.expect(b')', "expected a closing parenthesis")?;
                return Ok(key);
            }
            Some(b'0'..=b'9' | b'*') => return Ok(Key::Set(WrittenSet::Sequence(cursor.sequence_set()?))),
            _ => {}
        }
        let word = cursor.word().to_ascii_uppercase();
        match word.as_slice() {
            b"NOT" => {
                cursor.space()?;
                Ok(not(self.key(cursor, depth + 1)?))
            }
            b"OR" => {
                cursor.space()?;
                let either = self.key(cursor, depth + 1)?;
                cursor.space()?;
                Ok(Key::Or(Box::new(either), Box::new(self.key(cursor, depth + 1)?)))
            }
            word => match simple(word) {
                Some(key) => Ok(key),
                None => with_argument(cursor, word, at),
            },
        }
    }
}

fn not(key: Key) -> Key {
    Key::Not(Box::new(key))
}

fn flag(name: &str) -> Key {
    Key::Flag(name.to_owned())
}

/// Keys without argument.
fn simple(word: &[u8]) -> Option<Key> {
    Some(match word {
        b"ALL" => Key::All,
        b"ANSWERED" => flag("\\Answered"),
        b"DELETED" => flag("\\Deleted"),
        b"DRAFT" => flag("\\Draft"),
        b"FLAGGED" => flag("\\Flagged"),
        b"SEEN" => flag("\\Seen"),
        b"UNANSWERED" => not(flag("\\Answered")),
        b"UNDELETED" => not(flag("\\Deleted")),
        b"UNDRAFT" => not(flag("\\Draft")),
        b"UNFLAGGED" => not(flag("\\Flagged")),
        b"UNSEEN" => not(flag("\\Seen")),
        b"RECENT" => Key::Recent,
        b"NEW" => Key::And(vec![Key::Recent, not(flag("\\Seen"))]),
        b"OLD" => not(Key::Recent),
        _ => return None,
    })
}

/// Keys with an argument. `at` is where the key began.
fn with_argument(cursor: &mut Cursor<'_>, word: &[u8], at: usize) -> Result<Key, Fault> {
    let day: Option<fn(i64) -> Key> = match word {
        b"BEFORE" => Some(Key::Before),
        b"ON" => Some(Key::On),
        b"SINCE" => Some(Key::Since),
        b"SENTBEFORE" => Some(Key::SentBefore),
        b"SENTON" => Some(Key::SentOn),
        b"SENTSINCE" => Some(Key::SentSince),
        _ => None,
    };
    if let Some(day) = day {
        cursor.space()?;
        return cursor.date().map(day);
    }
    let header = |name: &str, cursor: &mut Cursor<'_>| Ok(Key::Header(name.to_owned(), argument(cursor)?));
    match word {
        b"BCC" => header("Bcc", cursor),
        b"CC" => header("Cc", cursor),
        b"FROM" => header("From", cursor),
        b"SUBJECT" => header("Subject", cursor),
        b"TO" => header("To", cursor),
        b"HEADER" => Ok(Key::Header(argument(cursor)?, argument(cursor)?)),
        b"BODY" => argument(cursor).map(Key::Body),
        b"TEXT" => argument(cursor).map(Key::Text),
        b"KEYWORD" => keyword(cursor),
        b"UNKEYWORD" => keyword(cursor).map(not),
        b"LARGER" => size(cursor).map(Key::Larger),
        b"SMALLER" => size(cursor).map(Key::Smaller),
        b"UID" => {
            cursor.space()?;
            Ok(Key::Set(WrittenSet::Uid(cursor.sequence_set()?)))
        }
        b"MODSEQ" => modseq(cursor),
        _ => cursor.fault_at(at, "expected a search key"),
    }
}

/// A space and a string, which is UTF-8.
fn argument(cursor: &mut Cursor<'_>) -> Result<String, Fault> {
    cursor.space()?;
    let at = cursor.at();
    let octets = cursor.astring("expected a string to search for")?;
    cursor.text(at, octets)
}

/// RFC 9051 §9 flag-keyword.
fn keyword(cursor: &mut Cursor<'_>) -> Result<Key, Fault> {
    cursor.space()?;
    let at = cursor.at();
    let name = cursor.atom("expected a keyword")?;
    if name.len() > limits::KEYWORD_MAX {
        return cursor.fault_at(at, "the keyword is too long");
    }
    Ok(flag(name))
}

fn size(cursor: &mut Cursor<'_>) -> Result<u64, Fault> {
    cursor.space()?;
    cursor.number64("expected a number of octets")
}

/// `MODSEQ ["/flags/\\Draft" all] 620162338`. There is one modseq to a message here, so the entry named makes
/// no difference. RFC 7162 §3.1.5: the server is free to ignore it.
fn modseq(cursor: &mut Cursor<'_>) -> Result<Key, Fault> {
    cursor.space()?;
    if cursor.peek() == Some(b'"') {
        let at = cursor.at();
        let entry = cursor.string("expected the name of an entry")?;
        if !entry.to_ascii_lowercase().starts_with(b"/flags/") {
            return cursor.fault_at(at, "expected an entry that begins with /flags/");
        }
        cursor.space()?;
        let at = cursor.at();
        if !matches!(cursor.word().to_ascii_lowercase().as_slice(), b"all" | b"shared" | b"priv") {
            return cursor.fault_at(at, "expected all, shared or priv");
        }
        cursor.space()?;
    }
    cursor.modseq().map(Key::ModSeq)
}
