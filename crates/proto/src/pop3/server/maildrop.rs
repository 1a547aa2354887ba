//! The transaction: commands on the messages of an open maildrop, and their removal at its end. RFC 1939 §5, §6.

use std::fmt::Write as _;

use mail::{AccountId, Uid};

use super::super::ask::{Ask, Entry, Maildrop};
use super::super::command::Command;
use super::super::limits;
use super::{Question, Server, State};
use crate::{Action, Coding};

/// An open maildrop and what has been said about its messages.
#[derive(Debug)]
pub(super) struct Transaction {
    account: AccountId,
    drop: Maildrop,
    marks: Vec<Marks>,
}

/// What has been said about one message.
#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    deleted: bool,
    retrieved: bool,
}

/// A listing on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listing {
    what: What,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Sizes,
    UniqueIds,
}

impl Transaction {
    pub(super) fn new(account: AccountId, drop: Maildrop) -> Transaction {
        let marks = vec![Marks::default(); drop.entries.len()];
        Transaction { account, drop, marks }
    }

    pub(super) fn expire_days(&self) -> Option<u32> {
        self.drop.expire_days
    }

    /// Messages not marked as deleted, and their octets.
    pub(super) fn total(&self) -> (usize, u64) {
        self.kept().fold((0, 0), |(count, octets), entry| (count + 1, octets + entry.size))
    }

    fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.drop.entries.iter().zip(&self.marks).filter(|(_, marks)| !marks.deleted).map(|(entry, _)| entry)
    }

    /// The place of a message by its number; in words why there is none.
    fn index(&self, number: u32) -> Result<usize, String> {
        let index = usize::try_from(number).unwrap_or(usize::MAX).wrapping_sub(1);
        match self.marks.get(index) {
            Some(marks) if marks.deleted => Err(format!("Message {number} is deleted")),
            Some(_) => Ok(index),
            None => Err(format!("No such message, only {} messages in maildrop", self.marks.len())),
        }
    }

    /// Numbers in the maildrop of those whose marks pass.
    fn uids(&self, test: impl Fn(&Marks) -> bool) -> Vec<Uid> {
        self.drop
            .entries
            .iter()
            .zip(&self.marks)
            .filter(|(_, marks)| test(marks))
            .map(|(entry, _)| entry.uid)
            .collect()
    }
}

/// One line of a listing, without its ending. RFC 1939 §5 LIST, §7 UIDL.
fn describe(what: What, index: usize, entry: &Entry) -> String {
    match what {
        What::Sizes => format!("{} {}", index + 1, entry.size),
        What::UniqueIds => format!("{} {}", index + 1, entry.uidl),
    }
}

impl Server {
    pub(super) fn after_login(&mut self, command: Command, mut open: Transaction) -> State {
        match command {
            Command::Stat => {
                let (count, octets) = open.total();
                self.accept(State::Transaction(open), format_args!("{count} {octets}"))
            }
            Command::List(number) => self.listing(open, What::Sizes, number),
            Command::Uidl(number) => self.listing(open, What::UniqueIds, number),
            Command::Retr(number) => self.retr(open, number),
            Command::Top(number, lines) => self.top(open, number, lines),
            Command::Dele(number) => self.dele(open, number),
            Command::Rset => {
                open.marks.iter_mut().for_each(|marks| marks.deleted = false);
                let (count, octets) = open.total();
                self.accept(
                    State::Transaction(open),
                    format_args!("Maildrop has {count} messages ({octets} octets)"),
                )
            }
            Command::Noop => self.accept(State::Transaction(open), format_args!("Nothing done")),
            Command::Quit => self.update(&open),
            Command::Capa => {
                self.capabilities(Some(&open));
                State::Transaction(open)
            }
            Command::Lang(range) => self.lang(State::Transaction(open), range.as_deref()),
            Command::User(_) | Command::Pass(_) | Command::Auth(_) | Command::Stls | Command::Utf8 => {
                self.refuse(State::Transaction(open), format_args!("Already logged in"))
            }
        }
    }

    fn listing(&mut self, open: Transaction, what: What, number: Option<u32>) -> State {
        let Some(number) = number else {
            let (count, octets) = open.total();
            self.errors = 0;
            self.ok(format_args!("{count} messages ({octets} octets)"));
            return State::Listing(open, Listing { what, next: 0 });
        };
        match open.index(number) {
            Ok(index) => {
                let text = describe(what, index, &open.drop.entries[index]);
                self.accept(State::Transaction(open), format_args!("{text}"))
            }
            Err(why) => self.refuse(State::Transaction(open), format_args!("{why}")),
        }
    }

    /// The next page of a listing.
    pub(super) fn page(&mut self, open: Transaction, listing: Listing) -> State {
        for index in listing.next..open.marks.len() {
            if self.out.len() >= limits::PAGE {
                return State::Listing(open, Listing { next: index, ..listing });
            }
            if !open.marks[index].deleted {
                // Writing to memory does not fail.
                let _ = write!(self.out, "{}\r\n", describe(listing.what, index, &open.drop.entries[index]));
            }
        }
        self.out.extend_from_slice(b".\r\n");
        State::Transaction(open)
    }

    fn retr(&mut self, mut open: Transaction, number: u32) -> State {
        match open.index(number) {
            Ok(index) => {
                open.marks[index].retrieved = true;
                let size = open.drop.entries[index].size;
                self.ok(format_args!("{size} octets"));
                self.send(&open, index, size);
                State::Transaction(open)
            }
            Err(why) => self.refuse(State::Transaction(open), format_args!("{why}")),
        }
    }

    /// The first octets of a message, and the line that ends it. The stream sees to it that the last line of the
    /// message is ended (`Coding::DotStuffed`). RFC 1939 §3.
    fn send(&mut self, open: &Transaction, index: usize, end: u64) {
        self.errors = 0;
        let blob = open.drop.entries[index].blob;
        self.act(Action::Stream { blob, range: 0..end, coding: Coding::DotStuffed });
        self.out.extend_from_slice(b".\r\n");
    }

    fn top(&mut self, open: Transaction, number: u32, lines: u32) -> State {
        match open.index(number) {
            Ok(index) => {
                let ask = Ask::Top { account: open.account, uid: open.drop.entries[index].uid, lines };
                self.ask(ask, Question::Top(open, index))
            }
            Err(why) => self.refuse(State::Transaction(open), format_args!("{why}")),
        }
    }

    pub(super) fn top_known(&mut self, open: Transaction, index: usize, end: u64) -> State {
        self.ok(format_args!("Top of message follows"));
        let end = end.min(open.drop.entries[index].size);
        self.send(&open, index, end);
        State::Transaction(open)
    }

    fn dele(&mut self, mut open: Transaction, number: u32) -> State {
        match open.index(number) {
            Ok(index) => {
                open.marks[index].deleted = true;
                self.accept(State::Transaction(open), format_args!("Message {number} deleted"))
            }
            Err(why) => self.refuse(State::Transaction(open), format_args!("{why}")),
        }
    }

    /// QUIT: the one way in which anything is removed. RFC 1939 §6.
    fn update(&mut self, open: &Transaction) -> State {
        let delete = open.uids(|marks| marks.deleted);
        let retrieved = open.uids(|marks| marks.retrieved && !marks.deleted);
        if delete.is_empty() && retrieved.is_empty() {
            return self.updated();
        }
        self.ask(Ask::Update { account: open.account, delete, retrieved }, Question::Update)
    }

    pub(super) fn updated(&mut self) -> State {
        let hostname = self.options.hostname.clone();
        self.ok(format_args!("{hostname} says goodbye"));
        self.hang_up()
    }
}
