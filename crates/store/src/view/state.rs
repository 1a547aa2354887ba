//! What is known of an open mailbox, in memory: its messages, and which of them changed lately.
//!
//! What never lives here: reading a ledger.

use std::collections::VecDeque;

use mail::{BlobId, MailboxChanges, MailboxId, MessageRow, ModSeq, Moment, SystemFlags, Uid, UidSet};

use crate::change::Record;
use crate::codec::{gaps, join};
use crate::limits;
use crate::rows::account::{Keywords, Mailbox, Message};

/// One message: its row, without what only the store needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) uid: Uid,
    pub(crate) flags: SystemFlags,
    /// Rows of its summary.
    pub(crate) pieces: u8,
    alive: bool,
    /// Low bits first: a `u128` would cost eight octets of alignment.
    keywords: [u64; 2],
    pub(crate) modseq: ModSeq,
    pub(crate) date: Moment,
    pub(crate) size: u64,
    pub(crate) blob: BlobId,
}

/// What `limits::VIEWED` is reckoned with.
const _: () = assert!(size_of::<Item>() == 80);

impl Item {
    pub(crate) fn new(uid: Uid, modseq: ModSeq, message: &Message) -> Item {
        Item {
            uid,
            flags: message.flags,
            pieces: message.pieces,
            alive: true,
            keywords: [message.keywords as u64, (message.keywords >> 64) as u64],
            modseq,
            date: message.date,
            size: message.size,
            blob: message.blob,
        }
    }

    pub(crate) fn keywords(&self) -> u128 {
        u128::from(self.keywords[0]) | u128::from(self.keywords[1]) << 64
    }
}

/// What one entry of the log says about this mailbox.
#[derive(Debug, Default)]
struct News {
    at: ModSeq,
    changed: UidSet,
    gone: UidSet,
}

impl News {
    /// How much room it takes.
    fn weight(&self) -> usize {
        1 + self.changed.ranges().len() + self.gone.ranges().len()
    }
}

/// What a part of the log says about one mailbox.
#[derive(Debug, Default)]
pub(crate) struct Digest {
    news: Vec<News>,
    /// When it last got a keyword.
    pub(crate) keywords: Option<ModSeq>,
    /// It was removed.
    pub(crate) removed: bool,
    /// All that came or changed, some of which may be gone again.
    pub(crate) changed: UidSet,
    gone: UidSet,
}

impl Digest {
    /// Takes an entry in; those must come in order.
    pub(crate) fn take(&mut self, mailbox: MailboxId, at: ModSeq, records: &[Record]) {
        let mut news = News { at, ..News::default() };
        for record in records {
            match record {
                Record::New { mailbox: id, uids } | Record::Flags { mailbox: id, uids } if *id == mailbox => {
                    join(&mut news.changed, uids);
                }
                Record::Gone { mailbox: id, uids } if *id == mailbox => join(&mut news.gone, uids),
                Record::Moved { from, uids, to, new } => {
                    if *from == mailbox {
                        join(&mut news.gone, uids);
                    }
                    if *to == mailbox {
                        join(&mut news.changed, new);
                    }
                }
                Record::Keywords { mailbox: id } if *id == mailbox => self.keywords = Some(at),
                Record::Removed { mailbox: id } if *id == mailbox => self.removed = true,
                _ => {}
            }
        }
        if news.weight() > 1 {
            join(&mut self.changed, &news.changed);
            join(&mut self.gone, &news.gone);
            self.news.push(news);
        }
    }

    /// It says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.news.is_empty() && self.keywords.is_none() && !self.removed
    }

    /// Whether these rows, read for `changed` after the log was read up to `seen`, are those of that moment: no
    /// later commit has written or removed any of them.
    pub(crate) fn fits(&self, seen: ModSeq, items: &[Item]) -> bool {
        if items.iter().any(|item| item.modseq > seen) {
            return false;
        }
        let mut found = items.iter().peekable();
        self.changed
            .iter()
            .all(|uid| found.next_if(|item| item.uid == uid).is_some() || self.gone.contains(uid))
    }
}

/// A mailbox as the log tells it up to a modseq. A row may be newer than that, and then comes again with the part
/// of the log that says so.
#[derive(Debug)]
pub(crate) struct State {
    /// The log is known up to here.
    pub(crate) seen: ModSeq,
    /// When this mailbox last changed.
    pub(crate) highest: ModSeq,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: Uid,
    pub(crate) keywords: Keywords,
    keywords_at: ModSeq,
    /// The mailbox is no more.
    pub(crate) removed: bool,
    /// Ascending. Those that are gone stay until there are many, so that no removal moves all others.
    items: Vec<Item>,
    dead: usize,
    /// All news after `news_from`, oldest first.
    news: VecDeque<News>,
    news_weight: usize,
    news_from: ModSeq,
}

impl State {
    /// Of rows read when the log had reached `seen` or later.
    pub(crate) fn new(seen: ModSeq, mailbox: &Mailbox, keywords: Keywords, items: Vec<Item>) -> State {
        State {
            seen,
            highest: mailbox.highest.min(seen),
            uid_validity: mailbox.uid_validity,
            uid_next: Uid(mailbox.uid_next.max(after(items.last().map(|item| item.uid)))),
            keywords,
            keywords_at: seen,
            removed: false,
            items,
            dead: 0,
            news: VecDeque::new(),
            news_weight: 0,
            news_from: seen,
        }
    }

    /// Of a mailbox that is not there.
    pub(crate) fn nothing(seen: ModSeq) -> State {
        State {
            seen,
            highest: seen,
            uid_validity: 0,
            uid_next: Uid(1),
            keywords: Keywords::default(),
            keywords_at: seen,
            removed: true,
            items: Vec::new(),
            dead: 0,
            news: VecDeque::new(),
            news_weight: 0,
            news_from: seen,
        }
    }

    /// How many messages there are.
    pub(crate) fn len(&self) -> usize {
        self.items.len() - self.dead
    }

    /// Every message, ascending.
    pub(crate) fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.alive)
    }

    /// Messages after this UID, ascending.
    pub(crate) fn after(&self, uid: Option<Uid>) -> impl Iterator<Item = &Item> {
        let from = uid.map_or(0, |uid| self.items.partition_point(|item| item.uid <= uid));
        self.items[from..].iter().filter(|item| item.alive)
    }

    /// Messages among these, ascending.
    pub(crate) fn among<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = &'a Item> {
        uids.ranges().iter().flat_map(|range| self.within(*range.start(), *range.end()))
    }

    fn within(&self, low: u32, high: u32) -> impl Iterator<Item = &Item> {
        let from = self.items.partition_point(|item| item.uid.0 < low);
        let to = self.items.partition_point(|item| item.uid.0 <= high);
        self.items[from..to.max(from)].iter().filter(|item| item.alive)
    }

    /// As sessions see it.
    pub(crate) fn row(&self, item: &Item) -> MessageRow {
        MessageRow {
            uid: item.uid,
            flags: self.keywords.flags(item.flags, item.keywords()),
            modseq: item.modseq,
            date: item.date,
            size: item.size,
            blob: item.blob,
            summary: None,
        }
    }

    /// Whether a keyword of one of these is not known yet.
    pub(crate) fn lacks_keywords(&self, items: &[Item]) -> bool {
        let known = self.keywords.names.len() as u32;
        items.iter().any(|item| u128::BITS - item.keywords().leading_zeros() > known)
    }

    /// What has changed after `after`. Who has seen less than is remembered hears of all that changed since and of
    /// every UID that is not there, whether it ever heard of it or not. RFC 7162 §3.2.5.2 allows that.
    pub(crate) fn since(&self, after: ModSeq) -> MailboxChanges {
        if self.removed {
            return MailboxChanges { head: self.seen, deleted: true, ..MailboxChanges::default() };
        }
        let (gone, rows) = if after < self.news_from { self.compared(after) } else { self.remembered(after) };
        let keywords = (self.keywords_at > after).then(|| self.keywords.names.clone());
        MailboxChanges { head: self.seen, gone, rows, deleted: false, keywords }
    }

    fn compared(&self, after: ModSeq) -> (UidSet, Vec<MessageRow>) {
        let gone = gaps(self.items().map(|item| item.uid), self.uid_next);
        let rows = self.items().filter(|item| item.modseq > after).map(|item| self.row(item)).collect();
        (gone, rows)
    }

    fn remembered(&self, after: ModSeq) -> (UidSet, Vec<MessageRow>) {
        let (mut changed, mut gone) = (UidSet::default(), UidSet::default());
        for news in self.news.iter().rev().take_while(|news| news.at > after) {
            join(&mut changed, &news.changed);
            join(&mut gone, &news.gone);
        }
        let rows = self.among(&changed).map(|item| self.row(item)).collect();
        (gone, rows)
    }

    /// Takes in what the log says up to `seen`, and the rows that were read for it.
    pub(crate) fn learn(&mut self, seen: ModSeq, digest: Digest, items: &[Item], keywords: Option<Keywords>) {
        let Digest { mut news, keywords: keywords_at, removed, changed, gone } = digest;
        if let Some(keywords) = keywords {
            self.keywords = keywords;
            self.keywords_at = seen;
        }
        self.highest = self.highest.max(news.last().map_or(ModSeq(0), |news| news.at));
        self.highest = self.highest.max(keywords_at.unwrap_or_default());
        self.uid_next =
            Uid(self.uid_next.0.max(after(changed.ranges().last().map(|range| Uid(*range.end())))));
        items.iter().for_each(|item| self.put(*item));
        self.kill(&gone);
        // What changed and was not found any more is gone by a commit still to be read.
        let mut found = items.iter().peekable();
        let missing: UidSet = changed
            .iter()
            .filter(|uid| found.next_if(|item| item.uid == *uid).is_none() && !gone.contains(*uid))
            .collect();
        self.kill(&missing);
        if let Some(last) = news.last_mut() {
            join(&mut last.gone, &missing);
        }
        news.into_iter().for_each(|news| self.remember(news));
        self.removed |= removed;
        self.seen = seen;
        if self.dead > self.items.len() / 4 + 64 {
            self.items.retain(|item| item.alive);
            self.dead = 0;
        }
    }

    fn put(&mut self, item: Item) {
        match self.items.binary_search_by_key(&item.uid, |known| known.uid) {
            Ok(at) => {
                self.dead -= usize::from(!self.items[at].alive);
                self.items[at] = item;
            }
            Err(at) => self.items.insert(at, item),
        }
    }

    fn kill(&mut self, uids: &UidSet) {
        for range in uids.ranges() {
            let from = self.items.partition_point(|item| item.uid.0 < *range.start());
            let to = self.items.partition_point(|item| item.uid.0 <= *range.end());
            for item in &mut self.items[from..to] {
                self.dead += usize::from(item.alive);
                item.alive = false;
            }
        }
    }

    fn remember(&mut self, news: News) {
        self.news_weight += news.weight();
        self.news.push_back(news);
        while self.news_weight > limits::HISTORY {
            let Some(oldest) = self.news.pop_front() else { break };
            self.news_weight -= oldest.weight();
            self.news_from = oldest.at;
        }
    }
}

/// The number that follows a UID.
fn after(uid: Option<Uid>) -> u32 {
    uid.map_or(1, |uid| uid.0.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::run;
    use crate::name::Name;

    const HERE: MailboxId = MailboxId(7);

    fn message(uid: u32, modseq: u64) -> Item {
        let message = Message {
            flags: SystemFlags::SEEN,
            keywords: 0,
            date: Moment(0),
            saved: Moment(0),
            size: 1,
            blob: BlobId([0; 32]),
            pieces: 1,
        };
        Item::new(Uid(uid), ModSeq(modseq), &message)
    }

    fn opened() -> State {
        let mailbox = Mailbox::new(&Name::inbox(), 1, None);
        State::new(
            ModSeq(3),
            &mailbox,
            Keywords::default(),
            vec![message(1, 1), message(2, 2), message(3, 3)],
        )
    }

    fn digest(entries: &[(u64, Record)]) -> Digest {
        let mut digest = Digest::default();
        for (at, record) in entries {
            digest.take(HERE, ModSeq(*at), std::slice::from_ref(record));
        }
        digest
    }

    fn uids(rows: &[MessageRow]) -> Vec<u32> {
        rows.iter().map(|row| row.uid.0).collect()
    }

    /// Rows are read after the log, and may be newer or gone by then; what they are for is told in any case, now
    /// and again when the log comes to it.
    #[test]
    fn rows_newer_than_the_log() {
        let mut state = opened();
        let new = |uid, count| Record::New { mailbox: HERE, uids: run(Uid(uid), count) };
        let flags = |uid| Record::Flags { mailbox: HERE, uids: run(Uid(uid), 1) };
        let gone = |uid| Record::Gone { mailbox: HERE, uids: run(Uid(uid), 1) };
        // Until 5 two came and 2 was changed; meanwhile 2 went by 6 and 4 was changed by 7.
        let read = digest(&[(4, new(4, 2)), (5, flags(2))]);
        let rows = [message(4, 7), message(5, 4)];
        assert!(!read.fits(ModSeq(5), &rows));
        state.learn(ModSeq(5), read, &rows, None);
        let changes = state.since(ModSeq(3));
        assert_eq!((uids(&changes.rows), changes.gone.to_string().as_str()), (vec![4, 5], "2"));
        assert_eq!((changes.head, state.uid_next, state.highest), (ModSeq(5), Uid(6), ModSeq(5)));
        let read = digest(&[(6, gone(2)), (7, flags(4))]);
        let rows = [message(4, 7)];
        assert!(read.fits(ModSeq(7), &rows));
        state.learn(ModSeq(7), read, &rows, None);
        let changes = state.since(ModSeq(5));
        assert_eq!((uids(&changes.rows), changes.gone.to_string().as_str()), (vec![4], "2"));
        assert_eq!((state.len(), uids(&state.since(ModSeq(0)).rows)), (4, vec![1, 3, 4, 5]));
    }

    #[test]
    fn what_came_and_went_is_only_gone() {
        let mut state = opened();
        let came = Record::New { mailbox: HERE, uids: run(Uid(4), 1) };
        let went = Record::Gone { mailbox: HERE, uids: run(Uid(4), 1) };
        let elsewhere = Record::Gone { mailbox: MailboxId(8), uids: run(Uid(1), 3) };
        let read = digest(&[(4, came), (5, elsewhere), (6, went)]);
        assert!(read.fits(ModSeq(6), &[]));
        state.learn(ModSeq(6), read, &[], None);
        let changes = state.since(ModSeq(3));
        assert_eq!((changes.rows.len(), changes.gone.to_string().as_str()), (0, "4"));
        assert_eq!((state.uid_next, state.len()), (Uid(5), 3));
    }

    /// Room is given back when much is gone.
    #[test]
    fn the_dead_do_not_pile_up() {
        let mailbox = Mailbox::new(&Name::inbox(), 1, None);
        let items: Vec<Item> = (1..=1000).map(|uid| message(uid, 1)).collect();
        let mut state = State::new(ModSeq(1), &mailbox, Keywords::default(), items);
        for uid in 1..=999u32 {
            let at = u64::from(uid) + 1;
            let gone = Record::Gone { mailbox: HERE, uids: run(Uid(uid), 1) };
            state.learn(ModSeq(at), digest(&[(at, gone)]), &[], None);
            assert_eq!(state.len(), 1000 - uid as usize);
            assert!(state.items.len() <= state.len() * 4 / 3 + 128);
            assert_eq!(state.items().next().map(|item| item.uid), Some(Uid(uid + 1)));
        }
    }
}
