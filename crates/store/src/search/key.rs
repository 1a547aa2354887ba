//! Search keys made ready, and the judgement of one message by as much as is known of it.
//!
//! What never lives here: reading anything; what a judgement needs and does not have makes it undecided.

use std::ops::Range;

use mail::{EnvelopeAddress, ModSeq, SearchKey, Summary, SystemFlags, Uid, UidSet, date, words};

use super::text::{Field, fold};
use crate::rows::account::Keywords;
use crate::view::Item;
use crate::{Error, limits};

const DAY: u64 = 24 * 60 * 60 * 1000;

/// A key in the terms of one mailbox.
enum Key<'a> {
    Always(bool),
    And(Vec<Key<'a>>),
    Or(Box<[Key<'a>; 2]>),
    Not(Box<Key<'a>>),
    Set(&'a UidSet),
    System(SystemFlags),
    Keyword(u128),
    Recent,
    /// INTERNALDATE, in days.
    Day(Range<i64>),
    /// The Date field.
    Sent(Range<i64>),
    Larger(u64),
    Smaller(u64),
    ModSeq(ModSeq),
    /// Field name and folded string.
    Header(&'a str, String),
    /// The number of a needle.
    Text(usize),
}

/// A string sought in the text of messages.
pub(super) struct Needle {
    pub(super) folded: String,
    /// TEXT: in headers too.
    pub(super) headers: bool,
}

/// What a search wants.
pub(super) struct Plan<'a> {
    key: Key<'a>,
    pub(super) needles: Vec<Needle>,
    /// UIDs from here on are \Recent.
    recent_from: Uid,
    /// Some header field may have to be read.
    pub(super) headers: bool,
    /// How many keys it has.
    keys: usize,
}

/// What is known of a message.
pub(super) struct Facts<'a> {
    pub(super) item: &'a Item,
    pub(super) summary: Option<&'a Summary>,
    /// The fields of its header.
    pub(super) fields: Option<&'a [Field]>,
    /// For each needle, whether it was found; all are open while there are none.
    pub(super) found: &'a [Option<bool>],
}

impl<'a> Plan<'a> {
    /// `Limit`: too deep, or too many strings.
    pub(super) fn new(
        key: &'a SearchKey<UidSet>,
        keywords: &Keywords,
        recent_from: Uid,
    ) -> Result<Plan<'a>, Error> {
        let always = Key::Always(true);
        let mut plan = Plan { key: always, needles: Vec::new(), recent_from, headers: false, keys: 0 };
        plan.key = plan.ready(key, keywords, 0)?;
        Ok(plan)
    }

    fn ready(
        &mut self,
        key: &'a SearchKey<UidSet>,
        keywords: &Keywords,
        depth: usize,
    ) -> Result<Key<'a>, Error> {
        if depth > limits::NESTING {
            return Err(Error::Limit("the search is nested too deeply".into()));
        }
        self.keys += 1;
        let mut ready = |key| self.ready(key, keywords, depth + 1);
        Ok(match key {
            SearchKey::All => Key::Always(true),
            SearchKey::And(keys) => Key::And(keys.iter().map(ready).collect::<Result<_, Error>>()?),
            SearchKey::Or(left, right) => Key::Or(Box::new([ready(left)?, ready(right)?])),
            SearchKey::Not(key) => Key::Not(Box::new(ready(key)?)),
            SearchKey::Set(uids) => Key::Set(uids),
            SearchKey::Flag(name) => flag(name, keywords),
            SearchKey::Recent => Key::Recent,
            SearchKey::Before(day) => Key::Day(i64::MIN..*day),
            SearchKey::On(day) => Key::Day(*day..day.saturating_add(1)),
            SearchKey::Since(day) => Key::Day(*day..i64::MAX),
            SearchKey::SentBefore(day) => Key::Sent(i64::MIN..*day),
            SearchKey::SentOn(day) => Key::Sent(*day..day.saturating_add(1)),
            SearchKey::SentSince(day) => Key::Sent(*day..i64::MAX),
            SearchKey::Larger(size) => Key::Larger(*size),
            SearchKey::Smaller(size) => Key::Smaller(*size),
            SearchKey::ModSeq(modseq) => Key::ModSeq(*modseq),
            SearchKey::Header(name, text) => {
                self.headers = true;
                Key::Header(name, fold(text))
            }
            SearchKey::Body(text) => self.needle(text, false)?,
            SearchKey::Text(text) => self.needle(text, true)?,
        })
    }

    fn needle(&mut self, text: &str, headers: bool) -> Result<Key<'a>, Error> {
        let folded = fold(text);
        // The empty string is in every text. RFC 9051 §6.4.4.
        if folded.is_empty() {
            return Ok(Key::Always(true));
        }
        self.headers |= headers;
        let known = self.needles.iter().position(|n| n.folded == folded && n.headers == headers);
        if let Some(number) = known {
            return Ok(Key::Text(number));
        }
        if self.needles.len() == limits::NEEDLES {
            return Err(Error::Limit(format!("a search has at most {} texts", limits::NEEDLES)));
        }
        self.needles.push(Needle { folded, headers });
        Ok(Key::Text(self.needles.len() - 1))
    }

    /// How many rows are looked at by one call.
    pub(super) fn rows(&self) -> usize {
        (limits::SEARCHED_KEYS / self.keys.max(1)).clamp(1, limits::SEARCHED_ROWS)
    }

    /// Whether the message matches; `None` if that takes more facts.
    pub(super) fn judge(&self, facts: &Facts<'_>) -> Option<bool> {
        self.judge_key(&self.key, facts)
    }

    fn judge_key(&self, key: &Key<'_>, facts: &Facts<'_>) -> Option<bool> {
        let item = facts.item;
        Some(match key {
            Key::Always(always) => *always,
            Key::And(keys) => return unless(false, keys.iter().map(|key| self.judge_key(key, facts))),
            Key::Or(keys) => return unless(true, keys.iter().map(|key| self.judge_key(key, facts))),
            Key::Not(key) => !self.judge_key(key, facts)?,
            Key::Set(uids) => uids.contains(item.uid),
            Key::System(flags) => item.flags.contains(*flags),
            Key::Keyword(bits) => item.keywords() & bits != 0,
            Key::Recent => item.uid >= self.recent_from,
            Key::Day(days) => days.contains(&((item.date.0 / DAY) as i64)),
            Key::Sent(days) => {
                let date = facts.summary?.envelope.date.as_deref();
                date.and_then(date::day).is_some_and(|day| days.contains(&day))
            }
            Key::Larger(size) => item.size > *size,
            Key::Smaller(size) => item.size < *size,
            Key::ModSeq(modseq) => item.modseq >= *modseq,
            Key::Header(name, text) => return has_field(name, text, facts),
            Key::Text(number) => return facts.found.get(*number).copied().flatten(),
        })
    }
}

/// AND and OR: `end` as soon as one of them says so, undecided if one of the others is.
fn unless(end: bool, verdicts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut whole = Some(!end);
    for verdict in verdicts {
        match verdict {
            Some(verdict) if verdict == end => return Some(end),
            Some(_) => {}
            None => whole = None,
        }
    }
    whole
}

fn flag<'a>(name: &str, keywords: &Keywords) -> Key<'a> {
    if name.starts_with('\\') {
        let known = SystemFlags::ALL.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
        return known.map_or(Key::Always(false), |(flag, _)| Key::System(*flag));
    }
    Key::Keyword(keywords.known(&[name.to_owned()]))
}

/// The envelope decides where it can, so that the answer does not depend on what else was read.
fn has_field(name: &str, text: &str, facts: &Facts<'_>) -> Option<bool> {
    if let Some(decided) = in_envelope(facts.summary?, name, text) {
        return Some(decided);
    }
    let fields = facts.fields?;
    Some(fields.iter().any(|field| field.name.eq_ignore_ascii_case(name) && field.value.contains(text)))
}

/// RFC 9051 §6.4.4 seeks SUBJECT, FROM and their like in the envelope.
fn in_envelope(summary: &Summary, name: &str, text: &str) -> Option<bool> {
    let envelope = &summary.envelope;
    let one = |value: &Option<Vec<u8>>| {
        Some(value.as_deref().is_some_and(|value| fold(&words::decode(value)).contains(text)))
    };
    match name.to_ascii_lowercase().as_str() {
        "subject" => one(&envelope.subject),
        "date" => one(&envelope.date),
        "message-id" => one(&envelope.message_id),
        "in-reply-to" => one(&envelope.in_reply_to),
        "from" => among(&envelope.from, text),
        "sender" => among(&envelope.sender, text),
        "reply-to" => among(&envelope.reply_to, text),
        "to" => among(&envelope.to, text),
        "cc" => among(&envelope.cc, text),
        "bcc" => among(&envelope.bcc, text),
        _ => None,
    }
}

/// Whether a name or an address has the text. If none has it, and it may span more than one of them or what is
/// between them, the field itself must be read.
fn among(addresses: &[EnvelopeAddress], text: &str) -> Option<bool> {
    let found = addresses.iter().any(|address| {
        let name = address.name.as_deref().is_some_and(|name| fold(&words::decode(name)).contains(text));
        name || fold(&at_host(address)).contains(text)
    });
    let plain = |char: char| char.is_alphanumeric() || " .-_@+=".contains(char);
    match found && !addresses.is_empty() {
        true => Some(true),
        false if !text.is_empty() && text.trim() == text && text.chars().all(plain) => Some(false),
        false => None,
    }
}

fn at_host(address: &EnvelopeAddress) -> String {
    let mailbox = address.mailbox.as_deref().unwrap_or_default();
    match &address.host {
        Some(host) => words::decode(&[mailbox, b"@", host].concat()),
        None => words::decode(mailbox),
    }
}
