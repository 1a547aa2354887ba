//! Two sessions on one mailbox, under a seed: bells come late, twice or never, each session's asks are answered
//! whenever the dice say so, and in the end both clients must know exactly what is in the mailbox.
//!
//! The house here is a toy with the rules of the real one: commits are counted, rows carry the count of their last
//! change, what is gone leaves a trace.

use std::collections::VecDeque;

use mail::{
    AccountId, BlobId, FlagChange, Flags, MailboxChanges, MailboxId, MailboxInfo, MessageRow, ModSeq, Moment,
    SearchKey, Selected, SystemFlags, Uid, UidSet, UidValidity,
};
use proto::imap::ask::{Answer, Ask};
use proto::imap::{Options, Server};
use proto::login::{LoggedIn, LoginAnswer};
use proto::{Action, Input, Session, TlsInfo};

const ACCOUNT: AccountId = AccountId(1024);
const KEYWORDS: [&str; 3] = ["$A", "$B", "$C"];

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[derive(Default)]
struct House {
    head: u64,
    rows: Vec<MessageRow>,
    gone: Vec<(u64, Uid)>,
    next: u32,
    keywords: Vec<(u64, String)>,
}

impl House {
    fn commit(&mut self) -> u64 {
        self.head += 1;
        self.head
    }

    fn add(&mut self, flags: Flags, at: u64) -> Uid {
        self.next += 1;
        let uid = Uid(self.next);
        self.note_keywords(&flags, at);
        self.rows.push(MessageRow {
            uid,
            flags,
            modseq: ModSeq(at),
            date: Moment(0),
            size: 4,
            blob: BlobId([0; 32]),
            summary: None,
        });
        uid
    }

    fn note_keywords(&mut self, flags: &Flags, at: u64) {
        for keyword in &flags.keywords {
            if !self.keywords.iter().any(|(_, known)| known == keyword) {
                self.keywords.push((at, keyword.clone()));
            }
        }
    }

    fn keyword_names(&self) -> Vec<String> {
        self.keywords.iter().map(|(_, name)| name.clone()).collect()
    }

    fn remove(&mut self, doomed: impl Fn(&MessageRow) -> bool) -> (UidSet, u64) {
        let uids: UidSet = self.rows.iter().filter(|row| doomed(row)).map(|row| row.uid).collect();
        if uids.is_empty() {
            return (uids, self.head);
        }
        let at = self.commit();
        self.rows.retain(|row| !uids.contains(row.uid));
        self.gone.extend(uids.iter().map(|uid| (at, uid)));
        (uids, at)
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Login(_) => Answer::Login(LoginAnswer::Welcome(LoggedIn {
                account: ACCOUNT,
                address: "a@example.test".into(),
            })),
            Ask::Select { name, .. } => Answer::Selected(Box::new(self.select(name))),
            Ask::Since { after, .. } => Answer::Changes(self.since(after.0)),
            Ask::Rows { uids, .. } => {
                let found: Vec<_> = self.rows.iter().filter(|row| uids.contains(row.uid)).cloned().collect();
                // Small pages, so that chains are walked.
                let next = (found.len() > 3).then(|| found[2].uid);
                Answer::Rows {
                    rows: found.into_iter().take(if next.is_some() { 3 } else { 99 }).collect(),
                    next,
                }
            }
            Ask::Store { uids, change, .. } => self.store(&uids, &change),
            Ask::Expunge { uids, .. } => {
                let (uids, modseq) = self.remove(|row| {
                    row.flags.system.contains(SystemFlags::DELETED)
                        && uids.as_ref().is_none_or(|uids| uids.contains(row.uid))
                });
                Answer::Expunged { uids, modseq: ModSeq(modseq) }
            }
            Ask::Copy { uids, to, remove, .. } => self.copy(&uids, to == "INBOX", remove),
            Ask::MayAppend { .. } => Answer::Done,
            Ask::Append { mailbox, flags, .. } => {
                let at = self.commit();
                let uid = if mailbox == "INBOX" { self.add(flags, at) } else { Uid(1) };
                Answer::Appended { uid_validity: UidValidity(1), uid }
            }
            Ask::Search { key, .. } => {
                let hit = |row: &&MessageRow| match &*key {
                    SearchKey::Set(set) => set.contains(row.uid),
                    _ => true,
                };
                let hits = self.rows.iter().filter(hit).map(|row| (row.uid, row.modseq)).collect();
                Answer::Found { hits, next: None }
            }
            other => panic!("not played here: {other:?}"),
        }
    }

    fn select(&self, name: String) -> Selected {
        let modseqs = self.rows.iter().map(|row| row.modseq.0).chain(self.gone.iter().map(|(at, _)| *at));
        Selected {
            info: MailboxInfo {
                name,
                id: Some(MailboxId(1)),
                subscribed: true,
                special_use: None,
                uid_validity: UidValidity(1),
                uid_next: Uid(self.next + 1),
                highest_modseq: ModSeq(modseqs.max().unwrap_or(0)),
                messages: self.rows.len() as u32,
                unseen: 0,
                deleted: 0,
                recent: 0,
                size: 0,
            },
            uids: self.rows.iter().map(|row| row.uid).collect(),
            first_unseen: None,
            recent_from: Uid(u32::MAX),
            keywords: self.keyword_names(),
        }
    }

    fn since(&self, after: u64) -> MailboxChanges {
        MailboxChanges {
            head: ModSeq(self.head),
            gone: self.gone.iter().filter(|(at, _)| *at > after).map(|(_, uid)| *uid).collect(),
            rows: self.rows.iter().filter(|row| row.modseq.0 > after).cloned().collect(),
            deleted: false,
            keywords: self.keywords.iter().any(|(at, _)| *at > after).then(|| self.keyword_names()),
        }
    }

    fn store(&mut self, uids: &UidSet, change: &FlagChange) -> Answer {
        let changed = |row: &MessageRow| {
            let mut flags = row.flags.clone();
            match change {
                FlagChange::Replace(new) => flags = new.clone(),
                FlagChange::Add(more) => flags.add(more),
                FlagChange::Remove(less) => flags.remove(less),
            }
            flags
        };
        let touched: Vec<Uid> = self
            .rows
            .iter()
            .filter(|row| uids.contains(row.uid) && changed(row) != row.flags)
            .map(|row| row.uid)
            .collect();
        let commit = (!touched.is_empty()).then(|| ModSeq(self.commit()));
        if let Some(at) = commit {
            for row in self.rows.iter_mut().filter(|row| touched.contains(&row.uid)) {
                row.flags = changed(row);
                row.modseq = at;
            }
            if let FlagChange::Replace(flags) | FlagChange::Add(flags) = change {
                self.note_keywords(flags, at.0);
            }
        }
        let rows = self.rows.iter().filter(|row| uids.contains(row.uid)).cloned().collect();
        Answer::Stored { rows, modified: UidSet::default(), commit }
    }

    fn copy(&mut self, uids: &UidSet, here: bool, remove: bool) -> Answer {
        let from: Vec<_> = self.rows.iter().filter(|row| uids.contains(row.uid)).cloned().collect();
        let mut pairs = Vec::new();
        if !from.is_empty() {
            let at = self.commit();
            for row in from {
                let to = if here { self.add(row.flags, at) } else { Uid(row.uid.0 + 1000) };
                pairs.push((row.uid, to));
                if remove {
                    self.rows.retain(|known| known.uid != row.uid);
                    self.gone.push((at, row.uid));
                }
            }
        }
        Answer::Copied { uid_validity: UidValidity(1), pairs, modseq: ModSeq(self.head) }
    }
}

/// What a client has been told, and what it is allowed to be told now.
struct Client {
    session: Server,
    /// Flags of each message by its number, sorted; `None` until told.
    view: Vec<Option<Vec<String>>>,
    keywords: Vec<String>,
    input: Vec<u8>,
    open: Option<Ask>,
    /// The command under way: its tag, and whether EXPUNGE is allowed.
    command: Option<(String, bool)>,
    idling: bool,
    tags: u32,
    /// Bells not yet rung.
    bells: VecDeque<u64>,
    log: Vec<String>,
}

fn names(text: &str) -> Vec<String> {
    let mut all: Vec<String> = text.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    all.sort();
    all
}

impl Client {
    fn new() -> Client {
        let session = Server::new(Options {
            hostname: "h".into(),
            starttls: false,
            plain_login: true,
            append_limit: 1000,
            id: Vec::new(),
        });
        Client {
            session,
            view: Vec::new(),
            keywords: Vec::new(),
            input: Vec::new(),
            open: None,
            command: None,
            idling: false,
            tags: 0,
            bells: VecDeque::new(),
            log: Vec::new(),
        }
    }

    fn give(&mut self, input: Input<'_, Answer>) {
        self.session.handle(Moment(1), input);
        while let Some(action) = self.session.next() {
            match action {
                Action::Write(bytes) => self.input.extend_from_slice(&bytes),
                Action::Ask(ask) => {
                    assert!(self.open.is_none(), "two asks");
                    self.open = Some(ask);
                }
                Action::Keep { id, .. } => self.session.handle(Moment(1), Input::Kept(id)),
                Action::Close => panic!("closed: {:#?}", self.log),
                _ => {}
            }
        }
        self.hear();
    }

    fn say(&mut self, command: &str, expunge: bool) {
        self.tags += 1;
        let line = format!("t{} {command}", self.tags);
        self.log.push(format!("C {line}"));
        self.command = Some((format!("t{}", self.tags), expunge));
        self.give(Input::Bytes(format!("{line}\r\n").as_bytes()));
    }

    fn hear(&mut self) {
        while let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
            let line = String::from_utf8(self.input.drain(..end + 2).take(end).collect()).expect("text");
            self.log.push(format!("S {line}"));
            self.hear_line(&line);
        }
    }

    fn hear_line(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["+", "idling"] => self.idling = true,
            ["*", number, "EXISTS"] => {
                let count: usize = number.parse().expect("a number");
                assert!(count >= self.view.len(), "{line}: {:#?}", self.log);
                self.allowed(false);
                self.view.resize(count, None);
            }
            ["*", number, "EXPUNGE"] => {
                self.allowed(true);
                self.view.remove(number.parse::<usize>().expect("a number") - 1);
            }
            ["*", "FLAGS", ..] => {
                self.keywords = names(line.split_once('(').expect("a list").1.trim_end_matches(')'));
            }
            ["*", number, "FETCH", ..] => {
                self.allowed(false);
                let flags = line.split_once("FLAGS (").expect("flags").1.split_once(')').expect("a list").0;
                let flags = names(flags);
                for keyword in &flags {
                    assert!(self.keywords.contains(keyword), "{line}: no FLAGS before: {:#?}", self.log);
                }
                self.view[number.parse::<usize>().expect("a number") - 1] = Some(flags);
            }
            [tag, status, ..] if Some(*tag) == self.command.as_ref().map(|(tag, _)| tag.as_str()) => {
                assert!(["OK", "NO"].contains(status), "{line}: {:#?}", self.log);
                self.command = None;
                self.idling = false;
            }
            _ => {}
        }
    }

    /// RFC 3501 §7.4.1
    fn allowed(&self, expunge: bool) {
        let (_, may) = self.command.as_ref().unwrap_or_else(|| panic!("unasked: {:#?}", self.log));
        assert!(!expunge || *may, "EXPUNGE out of place: {:#?}", self.log);
    }

    /// Flags of a message as the client would set them itself.
    fn assume(&mut self, position: usize, sign: &str, name: &str) {
        if let Some(Some(flags)) = self.view.get_mut(position) {
            flags.retain(|known| known != name);
            if sign == "+" {
                flags.push(name.to_owned());
                flags.sort();
            }
        }
    }

    fn say_something(&mut self, dice: &mut Dice) {
        let count = self.view.len() as u64;
        if let Some(unknown) = self.view.iter().position(Option::is_none) {
            return self.say(&format!("FETCH {}:* FLAGS", unknown + 1), false);
        }
        if count == 0 || dice.roll(6) == 0 {
            let flag = if dice.roll(2) == 0 { "" } else { KEYWORDS[dice.roll(3) as usize] };
            let mailbox = if dice.roll(5) == 0 { "Other" } else { "INBOX" };
            return self.say(&format!("APPEND {mailbox} ({flag}) {{4+}}\r\nMail"), true);
        }
        let number = dice.roll(count) + 1;
        let set = if dice.roll(3) == 0 { format!("{number}:*") } else { number.to_string() };
        let last = if set.ends_with('*') { count } else { number };
        match dice.roll(12) {
            0 => self.say("NOOP", true),
            1 => self.say("IDLE", true),
            2 => self.say("EXPUNGE", true),
            3 => self.say(&format!("COPY {set} {}", ["INBOX", "Other"][dice.roll(2) as usize]), true),
            4 => self.say(&format!("MOVE {number} {}", ["INBOX", "Other"][dice.roll(2) as usize]), true),
            5 => self.say(&format!("FETCH {set} FLAGS"), false),
            6 => self.say(&format!("SEARCH {set}"), false),
            7 => self.say("UID FETCH 1:* FLAGS", true),
            _ => {
                let sign = ["+", "-"][dice.roll(2) as usize];
                let name = ["\\Deleted", "\\Seen", "\\Flagged", "$A", "$B", "$C"][dice.roll(6) as usize];
                let silent = dice.roll(2) == 0;
                if silent {
                    if sign == "+" && name.starts_with('$') && !self.keywords.contains(&name.to_owned()) {
                        self.keywords.push(name.to_owned());
                    }
                    (number..=last).for_each(|n| self.assume(n as usize - 1, sign, name));
                }
                let silent = if silent { ".SILENT" } else { "" };
                self.say(&format!("STORE {set} {sign}FLAGS{silent} ({name})"), false);
            }
        }
    }
}

fn play(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut house = House { head: 7, ..House::default() };
    for _ in 0..3 {
        let at = house.commit();
        house.add(Flags::default(), at);
    }
    // Something has happened elsewhere in the account since.
    house.head += 2;
    let mut clients = [Client::new(), Client::new()];
    for client in &mut clients {
        client.give(Input::Opened(Some(TlsInfo::default())));
        for command in ["LOGIN a b", "SELECT INBOX", "FETCH 1:* FLAGS"] {
            client.say(command, false);
            while let Some(ask) = client.open.take() {
                let answer = house.answer(ask);
                client.give(Input::Answer(answer));
            }
            assert!(client.command.is_none(), "{command}");
        }
    }
    for _ in 0..120 {
        let client = &mut clients[dice.roll(2) as usize];
        let head = house.head;
        match (client.open.take(), &client.command) {
            (Some(ask), _) => {
                let answer = house.answer(ask);
                client.give(Input::Answer(answer));
            }
            (None, Some(_)) if client.idling => client.give(Input::Bytes(b"DONE\r\n")),
            (None, Some((tag, _))) => panic!("{tag} is stuck: {:#?}", client.log),
            (None, None) => client.say_something(&mut dice),
        }
        for other in &mut clients {
            if house.head > head {
                other.bells.push_back(house.head);
            }
            while !other.bells.is_empty() && dice.roll(3) == 0 {
                let bell = other.bells.pop_front().expect("not empty");
                if dice.roll(4) != 0 {
                    other.log.push(format!("B {bell}"));
                    other.give(Input::Changed { source: ACCOUNT.ledger(), head: ModSeq(bell) });
                }
            }
        }
    }
    for client in &mut clients {
        settle(client, &mut house);
    }
    for client in &mut clients {
        client.say("NOOP", true);
        settle(client, &mut house);
        while let Some(unknown) = client.view.iter().position(Option::is_none) {
            client.say(&format!("FETCH {}:* FLAGS", unknown + 1), false);
            settle(client, &mut house);
        }
        let truth: Vec<_> = house.rows.iter().map(|row| Some(names(&row.flags.to_string()))).collect();
        assert_eq!(client.view, truth, "seed {seed}: {:#?}", client.log);
        // The next NOOP has nothing to say.
        let said = client.log.len();
        client.say("NOOP", true);
        settle(client, &mut house);
        assert_eq!(client.log.len(), said + 2, "seed {seed}: {:#?}", client.log);
    }
}

/// Lets the command under way come to its end.
fn settle(client: &mut Client, house: &mut House) {
    while client.command.is_some() {
        match client.open.take() {
            Some(ask) => {
                let answer = house.answer(ask);
                client.give(Input::Answer(answer));
            }
            None => client.give(Input::Bytes(b"DONE\r\n")),
        }
    }
}

#[test]
fn two_clients_end_up_knowing_what_is_true() {
    (1..=1500).for_each(play);
}
