//! An account to try things on. For tests alone: it files messages by hand, so that what is tried stands alone.

use std::sync::Arc;

use bytes::Bytes;
use ledger::{FaultPlan, Ledger};
use mail::{
    AccountId, Flags, Indexer, MailboxChanges, MailboxId, MessageRow, ModSeq, Moment, Summary, Uid, UidSet,
};

use crate::change::{self, Record};
use crate::draft::Draft;
use crate::name::Name;
use crate::rows::account::{self as rows, Account, INBOX, Mailbox, Message, Quota};
use crate::{Store, limits};

pub(crate) const ACCOUNT: AccountId = AccountId(1024);

/// One account with some mailboxes.
pub(crate) struct Scene {
    pub(crate) store: Store,
    pub(crate) plan: FaultPlan,
}

/// A message to be filed.
#[derive(Clone)]
pub(crate) struct Letter {
    pub(crate) octets: Bytes,
    pub(crate) flags: Flags,
    pub(crate) date: Moment,
}

impl Letter {
    pub(crate) fn new(text: &str) -> Letter {
        let octets = Bytes::copy_from_slice(text.as_bytes());
        Letter { octets, flags: Flags::default(), date: Moment(1_700_000_000_000) }
    }

    pub(crate) fn flags(self, names: &str) -> Letter {
        Letter { flags: flags(names), ..self }
    }

    pub(crate) fn date(self, date: Moment) -> Letter {
        Letter { date, ..self }
    }
}

/// Flags by their IMAP names.
pub(crate) fn flags(names: &str) -> Flags {
    let mut flags = Flags::default();
    names.split_whitespace().for_each(|name| assert!(flags.insert(name), "{name}"));
    flags
}

pub(crate) fn uids(ranges: &[std::ops::RangeInclusive<u32>]) -> UidSet {
    let mut uids = UidSet::default();
    ranges.iter().for_each(|range| uids.insert_range(range.clone()));
    uids
}

pub(crate) fn every() -> UidSet {
    uids(&[1..=u32::MAX])
}

/// Rows as text: `1 \Seen, 2`.
pub(crate) fn told(rows: &[MessageRow]) -> String {
    let one = |row: &MessageRow| format!("{} {}", row.uid.0, row.flags).trim_end().to_owned();
    rows.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// News as text: what is gone, then rows.
pub(crate) fn news(changes: &MailboxChanges) -> String {
    format!("-[{}] +[{}]", changes.gone, told(&changes.rows))
}

impl Scene {
    pub(crate) async fn new() -> Scene {
        let plan = FaultPlan::new();
        let store = Store::new(Ledger::memory_with(&plan));
        let scene = Scene { store, plan };
        let work = async |mut draft: Draft| {
            draft.make_account(Account { next_mailbox: 2, uid_validity: 1, ..Account::default() });
            draft.make_mailbox(INBOX, Mailbox::new(&Name::inbox(), 1, None));
            Ok((draft, ()))
        };
        scene.store.change(ACCOUNT.ledger(), work).await.unwrap();
        scene
    }

    /// The same rows, with nothing in memory.
    pub(crate) fn afresh(&self) -> Store {
        Store::new(self.store.ledger().clone())
    }

    pub(crate) async fn make(&self, name: &str) -> MailboxId {
        let work = async |mut draft: Draft| {
            let name = Name::parse(name)?;
            let account = draft.account().await?;
            let id = MailboxId(account.next_mailbox);
            account.next_mailbox += 1;
            account.uid_validity += 1;
            account.mailboxes += 1;
            let mailbox = Mailbox::new(&name, account.uid_validity, None);
            draft.put(rows::name(&name), rows::encode_id(id));
            draft.make_mailbox(id, mailbox);
            Ok((draft, id))
        };
        self.store.change(ACCOUNT.ledger(), work).await.unwrap().0
    }

    /// DELETE, without a purge.
    pub(crate) async fn remove(&self, id: MailboxId) {
        let work = async |mut draft: Draft| {
            let name = Name::parse(&draft.mailbox(id).await?.name)?;
            draft.delete(rows::name(&name));
            draft.remove_mailbox(id);
            Ok((draft, ()))
        };
        self.store.change(ACCOUNT.ledger(), work).await.unwrap();
    }

    pub(crate) async fn set_quota(&self, quota: Quota) {
        let work = async |mut draft: Draft| {
            draft.account().await?.quota = quota;
            Ok((draft, ()))
        };
        self.store.change(ACCOUNT.ledger(), work).await.unwrap();
    }

    /// Files letters in one commit.
    pub(crate) async fn file(&self, id: MailboxId, letters: &[Letter]) -> ModSeq {
        let mut ready = Vec::new();
        for letter in letters {
            let mut writer = self.store.ledger().body();
            writer.write(letter.octets.clone()).await.unwrap();
            let mut indexer = Indexer::new();
            indexer.push(&letter.octets);
            ready.push((letter.clone(), writer.finish().await.unwrap(), indexer.finish().encode()));
        }
        let work = async |mut draft: Draft| {
            let first = Uid(draft.mailbox(id).await?.uid_next);
            for (uid, (letter, body, summary)) in (first.0..).zip(&ready) {
                let keywords = draft.with_keywords(id, |known| known.learn(&letter.flags.keywords)).await?;
                let pieces = summary.chunks(limits::SUMMARY_PIECE);
                let message = Message {
                    flags: letter.flags.system,
                    keywords,
                    date: letter.date,
                    saved: letter.date,
                    size: body.size,
                    blob: body.id,
                    pieces: pieces.len() as u8,
                };
                for (number, piece) in (0..).zip(pieces) {
                    draft.put(rows::summary(id, Uid(uid), number), piece.to_vec());
                }
                draft.put(rows::message(id, Uid(uid)), message.encode());
                draft.hold(body);
                let mailbox = draft.touch(id).await?;
                mailbox.uid_next = uid + 1;
                mailbox.count(Uid(uid), &message);
                let account = draft.account().await?;
                account.messages += 1;
                account.storage += message.size;
            }
            draft.record(Record::New { mailbox: id, uids: change::run(first, ready.len() as u32) });
            Ok((draft, ()))
        };
        self.store.change(ACCOUNT.ledger(), work).await.unwrap().1.unwrap()
    }

    /// Files so many small ones.
    pub(crate) async fn fill(&self, id: MailboxId, count: usize) {
        let letters: Vec<Letter> =
            (0..count).map(|n| Letter::new(&format!("Subject: {n}\r\n\r\nx"))).collect();
        for part in letters.chunks(2000) {
            self.file(id, part).await;
        }
    }

    pub(crate) async fn add_flags(&self, id: MailboxId, uids: &UidSet, names: &str) -> Option<ModSeq> {
        let change = mail::FlagChange::Add(flags(names));
        self.store.set_flags(ACCOUNT, id, uids, &change, None).await.unwrap().commit
    }

    pub(crate) async fn since(&self, id: MailboxId, after: ModSeq) -> MailboxChanges {
        self.store.since(ACCOUNT, id, after).await.unwrap()
    }

    /// All rows, a page at a time.
    pub(crate) async fn rows(&self, store: &Store, id: MailboxId) -> Vec<MessageRow> {
        let (mut all, mut left) = (Vec::new(), Some(Uid(0)));
        while let Some(after) = left {
            let wanted = uids(&[after.0 + 1..=u32::MAX]);
            let (page, next) = store.rows(ACCOUNT, id, &wanted, false, None).await.unwrap();
            assert!(page.len() <= limits::ROWS_PAGE);
            all.extend(page);
            left = next;
        }
        all
    }

    /// The account's and the mailbox's counters say what is there, and every body is there.
    pub(crate) async fn check_counters(&self, mailboxes: &[MailboxId]) {
        let ledger = ACCOUNT.ledger();
        let (mut messages, mut storage) = (0, 0);
        for id in mailboxes {
            let row = self.store.ledger().get(ledger, &rows::mailbox(*id)).await.unwrap().unwrap();
            let mailbox = Mailbox::decode(&row.value).unwrap();
            let mut counted =
                Mailbox { messages: 0, unseen: 0, deleted: 0, size: 0, recent: 0, ..mailbox.clone() };
            let (start, end) = rows::messages(*id, Uid(0), Uid(u32::MAX));
            for row in self.store.ledger().scan(ledger, &start, &end, usize::MAX).await.unwrap() {
                let message = Message::decode(&row.value).unwrap();
                let uid = rows::uid_of(&row.key).unwrap();
                counted.count(uid, &message);
                let body = self.store.octets(ACCOUNT, message.blob, 0..u64::MAX).await.unwrap();
                assert_eq!(body.len() as u64, message.size);
                for piece in 0..message.pieces {
                    let key = rows::summary(*id, uid, piece);
                    assert!(self.store.ledger().get(ledger, &key).await.unwrap().is_some(), "{uid:?}");
                }
            }
            assert_eq!(mailbox, counted);
            messages += u64::from(counted.messages);
            storage += counted.size;
        }
        let row = self.store.ledger().get(ledger, &rows::account()).await.unwrap().unwrap();
        let account = Account::decode(&row.value).unwrap();
        assert_eq!((account.messages, account.storage), (messages, storage));
    }
}

/// A message's summary, worked out anew.
pub(crate) fn summary_of(octets: &[u8]) -> Arc<Summary> {
    let mut indexer = Indexer::new();
    indexer.push(octets);
    Arc::new(indexer.finish())
}
