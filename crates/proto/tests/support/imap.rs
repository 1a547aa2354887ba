//! The short text of IMAP's asks and answers in transcripts.
//!
//! An answer is a word and fields, separated by `; `:
//!
//! ```text
//! welcome | wrong SECONDS | too-many SECONDS | too-many-sessions | cannot-check
//! done | no CODE TEXT
//! list; NAME ATTRIBUTE…; …; more        attributes: subscribed, absent, \Sent and its like, counters as below
//! mailbox; NAME COUNTER=NUMBER…          messages recent next validity unseen deleted size modseq
//! selected; uids 1:172; COUNTER=NUMBER…; first 12; recent-from 172; keywords $A $B
//! changes HEAD; gone 3:4; ROW…; keywords $A $B; deleted
//! rows; ROW…; next 5
//! stored; ROW…; modified 7; commit 9
//! expunged 3:4 @9 | copied 38505 @9 1>5 2>6 | appended 38505 3955
//! found 2@7 5@9; next 5
//! octets                                  taken from the messages that were asked for
//! ```
//!
//! where ROW is `row UID (FLAGS) @MODSEQ NAME`, and NAME one of the messages below.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::{
    AccountId, BlobId, Flags, MailboxChanges, MailboxId, MailboxInfo, MessageRow, ModSeq, Moment, SearchKey,
    Selected, SpecialUse, Uid, UidSet, UidValidity,
};
use proto::Coding;
use proto::imap::ask::{Answer, Ask, Code};
use proto::imap::{Options, Server};
use proto::login::{LoggedIn, LoginAnswer, LoginRefusal};

use crate::messages;
use crate::transcript::{Play, Settings};

pub const ACCOUNT: AccountId = AccountId(1024);
pub const MAILBOX: MailboxId = MailboxId(7);

pub fn options() -> Options {
    Options {
        hostname: "imap.example.test".into(),
        starttls: true,
        plain_login: false,
        append_limit: 1_000_000,
        id: vec![("name".into(), "Packetboat".into()), ("version".into(), "0.1.0".into())],
    }
}

pub struct Imap;

impl Play for Imap {
    type Session = Server;

    fn session(&self, settings: &Settings) -> Server {
        let mut options = options();
        let yes = |name: &str| settings.get(name).is_some_and(|value| value == "yes");
        options.plain_login = yes("plain-login");
        options.starttls = !yes("no-starttls");
        if let Some(limit) = settings.get("append-limit") {
            options.append_limit = limit.parse().expect("a number");
        }
        Server::new(options)
    }

    fn ask(&self, ask: &Ask) -> String {
        show(ask)
    }

    fn answer(&self, ask: &Ask, text: &str) -> Result<Answer, String> {
        read(ask, text).ok_or_else(|| format!("no answer reads: {text}"))
    }

    fn stream(&self, blob: BlobId, range: Range<u64>, coding: Coding) -> Vec<u8> {
        assert_eq!(coding, Coding::Raw);
        messages::octets(blob, range)
    }
}

fn show(ask: &Ask) -> String {
    let mut text = match ask {
        Ask::Login(found) => {
            let password = String::from_utf8_lossy(found.password.expose());
            format!("login {} {password} {}", found.user, found.mechanism)
        }
        Ask::Mailboxes { after, .. } => format!("mailboxes{}", optional(" after ", after.as_deref())),
        Ask::Mailbox { name, .. } => format!("mailbox {name}"),
        Ask::Create { name, special_use, .. } => {
            format!("create {name}{}", optional(" ", special_use.map(|found| format!("{found:?}"))))
        }
        Ask::Delete { name, .. } => format!("delete {name}"),
        Ask::Rename { from, to, .. } => format!("rename {from} > {to}"),
        Ask::Subscribe { name, subscribe: true, .. } => format!("subscribe {name}"),
        Ask::Subscribe { name, subscribe: false, .. } => format!("unsubscribe {name}"),
        Ask::Select { name, read_only: false, .. } => format!("select {name}"),
        Ask::Select { name, read_only: true, .. } => format!("examine {name}"),
        Ask::Since { after, .. } => format!("since {}", after.0),
        Ask::Rows { uids, summaries, changed_since, .. } => format!(
            "rows {uids}{}{}",
            if *summaries { " with summaries" } else { "" },
            optional(" changed since ", changed_since.map(|since| since.0))
        ),
        Ask::Octets { ranges, .. } => {
            let all: Vec<String> = ranges
                .iter()
                .map(|(blob, range)| format!("{} {}-{}", messages::name(*blob), range.start, range.end))
                .collect();
            format!("octets {}", all.join(", "))
        }
        Ask::Store { uids, change, unchanged_since, .. } => {
            let change = match change {
                mail::FlagChange::Replace(flags) => format!("=({flags})"),
                mail::FlagChange::Add(flags) => format!("+({flags})"),
                mail::FlagChange::Remove(flags) => format!("-({flags})"),
            };
            let since = optional(" unchanged since ", unchanged_since.map(|since| since.0));
            format!("store {uids} {change}{since}")
        }
        Ask::Expunge { uids, .. } => format!("expunge{}", optional(" ", uids.as_ref())),
        Ask::Copy { uids, to, remove: false, .. } => format!("copy {uids} > {to}"),
        Ask::Copy { uids, to, remove: true, .. } => format!("move {uids} > {to}"),
        Ask::MayAppend { mailbox, size, .. } => format!("may-append {mailbox} {size}"),
        Ask::Append { mailbox, flags, date, .. } => {
            format!("append {mailbox} ({flags}){}", optional(" ", date.map(Moment::seconds)))
        }
        Ask::Search { key, recent_from, after, .. } => format!(
            "search {} recent-from {}{}",
            show_key(key),
            recent_from.0,
            optional(" after ", after.map(|uid| uid.0))
        ),
    };
    if text.ends_with(' ') {
        text.pop();
    }
    text
}

fn optional(before: &str, value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(String::new, |value| format!("{before}{value}"))
}

fn show_key(key: &SearchKey<UidSet>) -> String {
    match key {
        SearchKey::And(keys) => {
            format!("({})", keys.iter().map(show_key).collect::<Vec<_>>().join(" and "))
        }
        SearchKey::Or(left, right) => format!("({} or {})", show_key(left), show_key(right)),
        SearchKey::Not(key) => format!("not {}", show_key(key)),
        SearchKey::Set(uids) => format!("[{uids}]"),
        SearchKey::Flag(name) => name.clone(),
        other => format!("{other:?}"),
    }
}

fn read(ask: &Ask, text: &str) -> Option<Answer> {
    let mut fields = text.split("; ");
    let (word, rest) = split(fields.next()?);
    let seconds = || Duration::from_secs(rest.parse().unwrap_or(0));
    let refused = |reason| Answer::Login(LoginAnswer::Refused { reason, wait: seconds() });
    Some(match word {
        "welcome" => Answer::Login(LoginAnswer::Welcome(LoggedIn {
            account: ACCOUNT,
            address: "fred@example.test".into(),
        })),
        "wrong" => refused(LoginRefusal::Wrong),
        "too-many" => refused(LoginRefusal::TooMany),
        "too-many-sessions" => refused(LoginRefusal::TooManySessions),
        "cannot-check" => refused(LoginRefusal::Unavailable),
        "done" => Answer::Done,
        "no" => {
            let (code, text) = split(rest);
            Answer::No { code: code_of(code)?, text: text.into() }
        }
        "list" => {
            let mut all: Vec<&str> = fields.collect();
            let more = all.last() == Some(&"more");
            all.truncate(all.len() - usize::from(more));
            Answer::Mailboxes { list: all.into_iter().map(info).collect::<Option<_>>()?, more }
        }
        "mailbox" => Answer::Mailbox(Box::new(info(fields.next()?)?)),
        "selected" => Answer::Selected(Box::new(selected(ask, fields)?)),
        "changes" => Answer::Changes(changes(rest, fields)?),
        "rows" => {
            let (rows, next) = rows_and(fields, "next ")?;
            Answer::Rows { rows, next: next.map(|next| next.parse().map(Uid)).transpose().ok()? }
        }
        "stored" => {
            let mut answer = (Vec::new(), UidSet::default(), None);
            for field in fields {
                match split(field) {
                    ("row", text) => answer.0.push(row(text)?),
                    ("modified", text) => answer.1 = uids(text)?,
                    ("commit", text) => answer.2 = Some(ModSeq(text.parse().ok()?)),
                    _ => return None,
                }
            }
            Answer::Stored { rows: answer.0, modified: answer.1, commit: answer.2 }
        }
        "expunged" => {
            let (set, at) = rest.rsplit_once('@')?;
            Answer::Expunged { uids: uids(set.trim())?, modseq: ModSeq(at.parse().ok()?) }
        }
        "copied" => {
            let mut words = rest.split(' ');
            let uid_validity = UidValidity(words.next()?.parse().ok()?);
            let modseq = ModSeq(words.next()?.strip_prefix('@')?.parse().ok()?);
            let pair = |text: &str| {
                let (from, to) = text.split_once('>')?;
                Some((Uid(from.parse().ok()?), Uid(to.parse().ok()?)))
            };
            Answer::Copied { uid_validity, pairs: words.map(pair).collect::<Option<_>>()?, modseq }
        }
        "appended" => {
            let (validity, uid) = split(rest);
            Answer::Appended {
                uid_validity: UidValidity(validity.parse().ok()?),
                uid: Uid(uid.parse().ok()?),
            }
        }
        "found" => {
            let hit = |text: &str| {
                let (uid, modseq) = text.split_once('@')?;
                Some((Uid(uid.parse().ok()?), ModSeq(modseq.parse().ok()?)))
            };
            let hits = rest.split(' ').filter(|text| !text.is_empty()).map(hit).collect::<Option<_>>()?;
            let next = fields.next().and_then(|text| text.strip_prefix("next ")?.parse().ok()).map(Uid);
            Answer::Found { hits, next }
        }
        "octets" => {
            let Ask::Octets { ranges, .. } = ask else { return None };
            Answer::Octets(
                ranges
                    .iter()
                    .map(|(blob, range)| Bytes::from(messages::octets(*blob, range.clone())))
                    .collect(),
            )
        }
        _ => return None,
    })
}

fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

fn code_of(name: &str) -> Option<Code> {
    Some(match name {
        "NONE" => Code::None,
        "TRYCREATE" => Code::TryCreate,
        "NONEXISTENT" => Code::NonExistent,
        "ALREADYEXISTS" => Code::AlreadyExists,
        "HASCHILDREN" => Code::HasChildren,
        "CANNOT" => Code::Cannot,
        "OVERQUOTA" => Code::OverQuota,
        "LIMIT" => Code::Limit,
        "TOOBIG" => Code::TooBig,
        "UNAVAILABLE" => Code::Unavailable,
        "NOPERM" => Code::NoPerm,
        "CORRUPTION" => Code::Corruption,
        _ => return None,
    })
}

/// `1:3,7`
pub fn uids(text: &str) -> Option<UidSet> {
    let mut set = UidSet::default();
    for piece in text.split(',').filter(|piece| !piece.is_empty()) {
        let (low, high) = piece.split_once(':').unwrap_or((piece, piece));
        set.insert_range(low.parse().ok()?..=high.parse().ok()?);
    }
    Some(set)
}

pub fn empty_info(name: &str) -> MailboxInfo {
    MailboxInfo {
        name: name.into(),
        id: Some(MAILBOX),
        subscribed: false,
        special_use: None,
        uid_validity: UidValidity(1),
        uid_next: Uid(1),
        highest_modseq: ModSeq(1),
        messages: 0,
        unseen: 0,
        deleted: 0,
        recent: 0,
        size: 0,
    }
}

fn info(text: &str) -> Option<MailboxInfo> {
    let mut words = text.split(' ');
    // A name with a space is written with `_`.
    let mut info = empty_info(&words.next()?.replace('_', " "));
    words.all(|word| attribute(&mut info, word).is_some()).then_some(info)
}

fn attribute(info: &mut MailboxInfo, word: &str) -> Option<()> {
    if let Some((name, value)) = word.split_once('=') {
        let value: u64 = value.parse().ok()?;
        let small = u32::try_from(value).ok();
        match name {
            "messages" => info.messages = small?,
            "recent" => info.recent = small?,
            "next" => info.uid_next = Uid(small?),
            "validity" => info.uid_validity = UidValidity(small?),
            "unseen" => info.unseen = small?,
            "deleted" => info.deleted = small?,
            "size" => info.size = value,
            "modseq" => info.highest_modseq = ModSeq(value),
            _ => return None,
        }
        return Some(());
    }
    match word {
        "subscribed" => info.subscribed = true,
        "absent" => info.id = None,
        use_ => {
            info.special_use = Some(match use_ {
                "\\All" => SpecialUse::All,
                "\\Archive" => SpecialUse::Archive,
                "\\Drafts" => SpecialUse::Drafts,
                "\\Flagged" => SpecialUse::Flagged,
                "\\Junk" => SpecialUse::Junk,
                "\\Sent" => SpecialUse::Sent,
                "\\Trash" => SpecialUse::Trash,
                _ => return None,
            });
        }
    }
    Some(())
}

fn selected<'t>(ask: &Ask, fields: impl Iterator<Item = &'t str>) -> Option<Selected> {
    let Ask::Select { name, .. } = ask else { return None };
    let mut found = Selected {
        info: empty_info(name),
        uids: Vec::new(),
        first_unseen: None,
        recent_from: Uid(u32::MAX),
        keywords: Vec::new(),
    };
    for field in fields {
        match split(field) {
            ("uids", set) => found.uids = uids(set)?.iter().collect(),
            ("first", uid) => found.first_unseen = Some(Uid(uid.parse().ok()?)),
            ("recent-from", uid) => found.recent_from = Uid(uid.parse().ok()?),
            ("keywords", names) => found.keywords = names.split(' ').map(str::to_owned).collect(),
            _ => field.split(' ').try_for_each(|word| attribute(&mut found.info, word))?,
        }
    }
    Some(found)
}

fn changes<'t>(head: &str, fields: impl Iterator<Item = &'t str>) -> Option<MailboxChanges> {
    let mut found = MailboxChanges { head: ModSeq(head.parse().ok()?), ..MailboxChanges::default() };
    for field in fields {
        match split(field) {
            ("gone", set) => found.gone = uids(set)?,
            ("row", text) => found.rows.push(row(text)?),
            ("keywords", names) => found.keywords = Some(names.split(' ').map(str::to_owned).collect()),
            ("deleted", _) => found.deleted = true,
            _ => return None,
        }
    }
    Some(found)
}

fn rows_and<'t>(
    fields: impl Iterator<Item = &'t str>,
    last: &str,
) -> Option<(Vec<MessageRow>, Option<&'t str>)> {
    let (mut rows, mut found) = (Vec::new(), None);
    for field in fields {
        match field.strip_prefix("row ") {
            Some(text) => rows.push(row(text)?),
            None => found = Some(field.strip_prefix(last)?),
        }
    }
    Some((rows, found))
}

/// `7 (\Seen $A) @12 name`
fn row(text: &str) -> Option<MessageRow> {
    let (uid, rest) = text.split_once(" (")?;
    let (names, rest) = rest.split_once(") @")?;
    let (modseq, name) = split(rest);
    let mut flags = Flags::default();
    if !names.split(' ').filter(|name| !name.is_empty()).all(|name| flags.insert(name)) {
        return None;
    }
    let message = messages::find(if name.is_empty() { "short" } else { name })?;
    Some(MessageRow {
        uid: Uid(uid.parse().ok()?),
        flags,
        modseq: ModSeq(modseq.parse().ok()?),
        date: message.date,
        size: message.text.len() as u64,
        blob: message.blob,
        summary: Some(Arc::new(message.summary)),
    })
}
