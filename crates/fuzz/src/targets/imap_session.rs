//! The IMAP server session.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;
use mail::{
    BlobId, FlagChange, Flags, LedgerId, MailboxChanges, MailboxId, MailboxInfo, MessageRow, ModSeq, Moment,
    Selected, SpecialUse, Uid, UidSet, UidValidity,
};
use proto::Coding;
use proto::imap::ask::{Answer, Ask, Code};
use proto::imap::{Options, Server};

use super::imap_output::{self, Response};
use super::imap_reader::{COMMANDS, WORDS};
use super::mail_world::{self, ACCOUNT, STORED, blob};
use super::talk::{self, Did, House, twice};
use crate::dice::Dice;
use crate::seeds::EVENT;
use crate::{Target, mark, seeds};

/// The target.
pub const TARGET: Target = Target {
    name: "imap_session",
    run: imap_session,
    seeds: || {
        let mut all = seeds::transcripts("imap");
        let logged_in = b"x LOGIN a b\r\nx SELECT INBOX\r\n";
        all.extend(COMMANDS.iter().map(|text| [&logged_in[..], text.as_bytes(), b"\r\n"].concat()));
        all.push(
            [
                &logged_in[..],
                b"i IDLE\r\n",
                &[EVENT, b'B'],
                b"DONE\r\nx NOOP\r\n",
                &[EVENT, b'B'],
                b"x NOOP\r\n",
            ]
            .concat(),
        );
        all
    },
    words: WORDS,
    must_reach: &[
        "Login",
        "Select",
        "Rows",
        "Octets",
        "Store",
        "Expunge",
        "Copy",
        "MayAppend",
        "Append",
        "Search",
        "Mailboxes",
        "Since",
        "OK",
        "NO",
        "BAD",
        "BYE",
        "FETCH",
        "EXISTS",
        "EXPUNGE",
        "SEARCH",
        "LIST",
        "STATUS",
        "handshake",
        "kept",
        "+",
    ],
};

const MAILBOX: MailboxId = MailboxId(7);

struct Message {
    flags: Flags,
    modseq: ModSeq,
    blob: BlobId,
}

/// One mailbox, whichever name it is called by.
struct Imap {
    dice: Dice,
    messages: BTreeMap<Uid, Message>,
    gone: Vec<(ModSeq, Uid)>,
    next: u32,
    head: ModSeq,
    /// Octets announced for an APPEND.
    announced: Option<u64>,
}

impl Imap {
    fn new(dice: Dice) -> Imap {
        let mut house = Imap {
            dice,
            messages: BTreeMap::new(),
            gone: Vec::new(),
            next: 3,
            head: ModSeq(5),
            announced: None,
        };
        (0..STORED.len()).for_each(|number| house.arrives(number));
        house
    }

    fn arrives(&mut self, number: usize) {
        let modseq = self.commits();
        self.messages.insert(Uid(self.next), Message { flags: Flags::default(), modseq, blob: blob(number) });
        self.next += 1 + u32::from(number.is_multiple_of(3));
    }

    fn commits(&mut self) -> ModSeq {
        self.head = ModSeq(self.head.0 + 1);
        self.head
    }

    fn info(&self, name: &str) -> MailboxInfo {
        MailboxInfo {
            name: name.to_owned(),
            id: Some(MAILBOX),
            subscribed: true,
            special_use: (name == "Trash").then_some(SpecialUse::Trash),
            uid_validity: UidValidity(9),
            uid_next: Uid(self.next),
            highest_modseq: self.head,
            messages: self.messages.len() as u32,
            unseen: 1,
            deleted: 0,
            recent: 0,
            size: 1000,
        }
    }

    fn row(&self, uid: Uid, summaries: bool) -> Option<MessageRow> {
        let message = self.messages.get(&uid)?;
        let stored = mail_world::of(message.blob);
        Some(MessageRow {
            uid,
            flags: message.flags.clone(),
            modseq: message.modseq,
            date: Moment(837_596_665_000),
            size: stored.octets.len() as u64,
            blob: message.blob,
            summary: summaries.then(|| stored.summary.clone()),
        })
    }

    fn present(&self, uids: &UidSet) -> Vec<Uid> {
        self.messages.keys().copied().filter(|uid| uids.contains(*uid)).collect()
    }

    fn rows(&self, uids: &UidSet, summaries: bool, since: Option<ModSeq>) -> Answer {
        let mut rows: Vec<MessageRow> =
            self.present(uids).into_iter().filter_map(|uid| self.row(uid, summaries)).collect();
        rows.retain(|row| since.is_none_or(|since| row.modseq > since));
        // Pages are small, so that there are several.
        let next = (rows.len() > 5).then(|| rows[4].uid);
        rows.truncate(5);
        Answer::Rows { rows, next }
    }

    fn store(&mut self, uids: &UidSet, change: &FlagChange, since: Option<ModSeq>) -> Answer {
        let present = self.present(uids);
        let late = |house: &Imap, uid: &Uid| {
            since.is_some_and(|since| house.messages.get(uid).is_some_and(|m| m.modseq > since))
        };
        let modified: UidSet = present.iter().copied().filter(|uid| late(self, uid)).collect();
        let modseq = self.commits();
        for uid in present.iter().filter(|uid| !modified.contains(**uid)) {
            let Some(message) = self.messages.get_mut(uid) else { continue };
            match change {
                FlagChange::Replace(flags) => message.flags = flags.clone(),
                FlagChange::Add(flags) => message.flags.add(flags),
                FlagChange::Remove(flags) => message.flags.remove(flags),
            }
            message.modseq = modseq;
        }
        let rows = present.into_iter().filter_map(|uid| self.row(uid, false)).collect();
        Answer::Stored { rows, modified, commit: Some(modseq) }
    }

    fn remove(&mut self, uids: &[Uid]) -> ModSeq {
        let modseq = self.commits();
        for uid in uids {
            self.messages.remove(uid);
            self.gone.push((modseq, *uid));
        }
        modseq
    }

    fn since(&self, after: ModSeq) -> MailboxChanges {
        MailboxChanges {
            head: self.head,
            gone: self.gone.iter().filter(|(at, _)| *at > after).map(|(_, uid)| *uid).collect(),
            rows: self
                .messages
                .iter()
                .filter(|(_, message)| message.modseq > after)
                .filter_map(|(uid, _)| self.row(*uid, false))
                .collect(),
            deleted: false,
            keywords: Some(vec!["$A".into()]),
        }
    }

    fn copy(&mut self, uids: &UidSet, remove: bool) -> Answer {
        let present = self.present(uids);
        let pairs = present.iter().map(|uid| (*uid, Uid(uid.0 + 100))).collect();
        let modseq = if remove { self.remove(&present) } else { self.head };
        Answer::Copied { uid_validity: UidValidity(3), pairs, modseq }
    }

    fn select(&mut self, name: &str) -> Answer {
        let first_unseen = self.messages.keys().next().copied();
        Answer::Selected(Box::new(Selected {
            info: self.info(name),
            uids: self.messages.keys().copied().collect(),
            first_unseen,
            recent_from: Uid(self.next - 2),
            keywords: vec!["$A".into()],
        }))
    }

    fn search(&mut self, after: Option<Uid>) -> Answer {
        let mut hits: Vec<(Uid, ModSeq)> = Vec::new();
        for (uid, message) in self.messages.iter().filter(|(uid, _)| after.is_none_or(|after| **uid > after))
        {
            if self.dice.once_in(2) {
                hits.push((*uid, message.modseq));
            }
        }
        let next = (hits.len() > 3).then(|| hits[2].0);
        hits.truncate(if next.is_some() { 3 } else { 3.max(hits.len()) });
        Answer::Found { hits, next }
    }
}

impl House<Server> for Imap {
    fn answer(&mut self, ask: Ask) -> Answer {
        const CODES: [Code; 6] = [
            Code::None,
            Code::TryCreate,
            Code::NonExistent,
            Code::OverQuota,
            Code::Unavailable,
            Code::Corruption,
        ];
        if self.dice.once_in(24) {
            let code = CODES[self.dice.roll(CODES.len())];
            return Answer::No { code, text: "not now\r\n* BYE not at all".into() };
        }
        if self.dice.once_in(96) {
            return Answer::Done;
        }
        match ask {
            Ask::Login(_) => Answer::Login(mail_world::login(&mut self.dice)),
            Ask::Mailboxes { after, .. } => {
                const NAMES: [&str; 6] = ["INBOX", "INBOX/a", "Trash", "a \"b\"\\", "a/b", "ä/&"];
                let list: Vec<_> = NAMES
                    .iter()
                    .filter(|name| after.as_deref().is_none_or(|after| **name > after))
                    .take(4)
                    .collect();
                let more = list.last().is_some_and(|last| **last < NAMES[5]);
                Answer::Mailboxes { list: list.into_iter().map(|name| self.info(name)).collect(), more }
            }
            Ask::Mailbox { name, .. } => Answer::Mailbox(Box::new(self.info(&name))),
            Ask::Create { .. } | Ask::Delete { .. } | Ask::Rename { .. } | Ask::Subscribe { .. } => {
                Answer::Done
            }
            Ask::Select { name, .. } => self.select(&name),
            Ask::Since { after, .. } => Answer::Changes(self.since(after)),
            Ask::Rows { uids, summaries, changed_since, .. } => self.rows(&uids, summaries, changed_since),
            Ask::Octets { ranges, .. } => {
                let total: u64 = ranges.iter().map(|(_, range)| range.end - range.start).sum();
                assert!(total <= 1 << 20, "{total} octets are asked for");
                let octets =
                    |(blob, range): (BlobId, Range<u64>)| Bytes::from_static(mail_world::octets(blob, range));
                Answer::Octets(ranges.into_iter().map(octets).collect())
            }
            Ask::Store { uids, change, unchanged_since, .. } => self.store(&uids, &change, unchanged_since),
            Ask::Expunge { uids, .. } => {
                let deleted = |uid: &Uid| {
                    let flags = &self.messages[uid].flags;
                    flags.system.contains(mail::SystemFlags::DELETED)
                        && uids.as_ref().is_none_or(|set| set.contains(*uid))
                };
                let gone: Vec<Uid> = self.messages.keys().copied().filter(deleted).collect();
                let modseq = self.remove(&gone);
                Answer::Expunged { uids: gone.into_iter().collect(), modseq }
            }
            Ask::Copy { uids, remove, .. } => self.copy(&uids, remove),
            Ask::MayAppend { size, .. } => {
                self.announced = Some(size);
                Answer::Done
            }
            Ask::Append { .. } => {
                self.arrives(0);
                Answer::Appended { uid_validity: UidValidity(9), uid: Uid(self.next) }
            }
            Ask::Search { after, .. } => self.search(after),
        }
    }

    fn show(&self, ask: &Ask) -> String {
        match ask {
            Ask::Login(who) => format!("Login {} {} {:?}", who.user, who.authzid, who.password.expose()),
            other => format!("{other:?}"),
        }
    }

    fn stream(&self, blob: BlobId, range: Range<u64>, coding: Coding) -> Vec<u8> {
        assert_eq!(coding, Coding::Raw);
        assert!(range.end <= mail_world::of(blob).octets.len() as u64, "{range:?} is past the end");
        mail_world::octets(blob, range).to_vec()
    }

    fn bell(&mut self) -> Option<(LedgerId, ModSeq)> {
        match self.dice.roll(3) {
            0 => self.arrives(1),
            1 => {
                let uid = *self.messages.keys().nth(self.dice.roll(self.messages.len()))?;
                self.remove(&[uid]);
            }
            _ => {
                let uid = *self.messages.keys().nth(self.dice.roll(self.messages.len()))?;
                let modseq = self.commits();
                if let Some(message) = self.messages.get_mut(&uid) {
                    message.flags.insert("\\Flagged");
                    message.modseq = modseq;
                }
            }
        }
        Some((ACCOUNT.ledger(), self.head))
    }
}

/// Octets and events of a client.
pub fn imap_session(data: &[u8]) {
    let talk = twice(data, || {
        let mut dice = Dice::of(data);
        let options = Options {
            hostname: "imap.example.test".into(),
            starttls: !dice.once_in(4),
            plain_login: !dice.once_in(8),
            append_limit: 5000,
            id: vec![("name".into(), "Packet \"boat\"".into())],
        };
        (Server::new(options), Imap::new(dice))
    });
    let all = imap_output::responses(&talk.wrote_all());
    let said = talk::said(data);
    let tags = tags(&said);
    for response in &all {
        mark_response(response);
        assert!(
            matches!(response.tag.as_str(), "*" | "+") || tags.contains(response.tag.as_bytes()),
            "nobody sent the tag {}",
            response.tag
        );
    }
    assert!(all.first().is_some_and(|first| first.tag == "*" && first.text.starts_with("OK [CAPABILITY ")));
    appends(&talk.did);
    numbers(&talk.did);
}

/// Everything that might be a tag: what stands between blanks, or the end of it, because a literal may end anywhere.
fn tags(said: &[u8]) -> BTreeSet<&[u8]> {
    let words = said.split(|octet| octet.is_ascii_whitespace());
    words.flat_map(|word| (0..word.len().min(200)).map(move |start| &word[start..])).collect()
}

fn mark_response(response: &Response) {
    let words: Vec<&str> = response.text.split(' ').collect();
    let word = match words[0].bytes().all(|octet| octet.is_ascii_digit()) {
        true => words.get(1).copied().unwrap_or_default(),
        false => words[0],
    };
    mark::reached(word);
    if let Some(code) = words.get(1).filter(|word| word.starts_with('[')) {
        mark::reached(format!("{word} {code}"));
    }
    match response.tag.as_str() {
        "*" => {}
        "+" => mark::reached("+"),
        // What is shown of the input is not the mark.
        _ => mark::reached(response.text.split(" at ").next().unwrap_or_default()),
    }
}

/// What is appended is as long as it was said to be, and what was kept is used or abandoned.
fn appends(did: &[Did]) {
    let mut announced = 0;
    let mut open = None;
    for did in did {
        match did {
            Did::Asked(ask) => {
                let end = ask.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(ask.len());
                mark::reached(&ask[..end]);
                if let Some((_, size)) =
                    ask.strip_prefix("MayAppend").and_then(|ask| ask.rsplit_once("size: "))
                {
                    announced = size.trim_end_matches(" }").parse().expect("a number");
                }
                if ask.starts_with("Append") {
                    let (_, size) = open.take().expect("a body");
                    assert_eq!(size, announced, "octets of the message");
                }
            }
            Did::Kept(id, octets) => {
                mark::reached("kept");
                let before = open.filter(|(body, _)| body == id).map_or(0, |(_, size)| size);
                open = Some((*id, before + octets.len()));
            }
            Did::Abandoned(id) => {
                mark::reached("abandoned");
                open.take_if(|(body, _)| body == id);
            }
            Did::Other(what) => mark::reached(what.split(' ').next().unwrap_or_default()),
            _ => {}
        }
    }
    assert!(open.is_none(), "{open:?} is neither filed nor abandoned");
}

/// RFC 9051 §7.4.1, §7.5.1: message numbers are those that the client knows of, and EXISTS alone does not shrink.
fn numbers(did: &[Did]) {
    let mut count: Option<u64> = None;
    let mut text = Vec::new();
    for did in did {
        match did {
            Did::Wrote(octets) => text.extend_from_slice(octets),
            // All before it has been told of the mailbox before.
            Did::Asked(ask) if ask.starts_with("Select") => {
                told(&mut count, &std::mem::take(&mut text));
                count = None;
            }
            _ => {}
        }
    }
    told(&mut count, &text);
}

fn told(count: &mut Option<u64>, text: &[u8]) {
    for response in imap_output::responses(text) {
        if response.tag != "*" {
            continue;
        }
        let Some((number, rest)) = response.text.split_once(' ') else { continue };
        let Ok(number) = number.parse::<u64>() else { continue };
        match rest.split(' ').next().unwrap_or_default() {
            "EXISTS" => {
                assert!(
                    count.is_none_or(|before| before <= number),
                    "EXISTS shrinks from {count:?} to {number}"
                );
                *count = Some(number);
            }
            "EXPUNGE" => {
                let before = count.expect("EXPUNGE before EXISTS");
                assert!((1..=before).contains(&number), "EXPUNGE {number} of {before}");
                *count = Some(before - 1);
            }
            "FETCH" => assert!(
                count.is_some_and(|count| (1..=count).contains(&number)),
                "FETCH {number} of {count:?}"
            ),
            _ => {}
        }
    }
}
