//! The selected mailbox as this session sees it.
//!
//! What never lives here: the messages themselves; only their numbers, and how far the session has heard.

use std::collections::HashMap;

use mail::{Flags, MailboxChanges, MailboxId, MessageRow, ModSeq, Selected, SystemFlags, Uid, UidSet};

use super::out::Out;
use super::pending::Telling;
use super::seqmap::SeqMap;

/// One selected mailbox.
#[derive(Debug)]
pub(crate) struct View {
    /// Which.
    pub(crate) mailbox: MailboxId,
    /// Its name when last heard of.
    pub(crate) name: String,
    /// EXAMINE.
    pub(crate) read_only: bool,
    /// The announced messages.
    pub(crate) map: SeqMap,
    /// Announced messages that are gone; the client is told when a command allows it.
    pub(crate) gone: UidSet,
    /// So many changes of flags have been told that nobody asked for.
    pub(crate) told: u64,
    /// The mailbox itself is gone: it looks empty, and what touches messages is answered NO [NONEXISTENT].
    pub(crate) deleted: bool,
    /// UIDs from here on are \Recent.
    pub(crate) recent_from: Uid,
    /// Keywords that a FLAGS response has named.
    keywords: Vec<String>,
    /// Every change up to here is known.
    seen: ModSeq,
    /// The ledger has at least come so far.
    heard: ModSeq,
    /// There is news whatever the bell says.
    stale: bool,
    /// `seen` was the head of the whole ledger, so a commit of ours that follows at once has none before it.
    fresh: bool,
    /// Changes to flags that this session made and the client has been told of (or wants no word of), after `seen`.
    own: HashMap<Uid, ModSeq>,
}

impl View {
    /// A mailbox just selected.
    pub(crate) fn new(selected: Selected, read_only: bool) -> Option<View> {
        Some(View {
            mailbox: selected.info.id?,
            name: selected.info.name,
            read_only,
            map: SeqMap::new(selected.uids),
            gone: UidSet::default(),
            told: 0,
            deleted: false,
            recent_from: selected.recent_from,
            keywords: selected.keywords,
            seen: selected.info.highest_modseq,
            heard: selected.info.highest_modseq,
            stale: false,
            fresh: false,
            own: HashMap::new(),
        })
    }

    /// Whether `Ask::Since` may bring something.
    pub(crate) fn has_news(&self) -> bool {
        !self.deleted && (self.stale || self.heard > self.seen)
    }

    /// Whether a change made now might hide one made by somebody else just before.
    pub(crate) fn must_catch_up(&self) -> bool {
        !self.deleted && (!self.fresh || self.has_news())
    }

    /// The next chance to ask must be taken.
    pub(crate) fn doubt(&mut self) {
        self.stale = true;
    }

    /// The bell, or a commit of our own whose effects are still to be learnt.
    pub(crate) fn hear(&mut self, head: ModSeq) {
        self.heard = self.heard.max(head);
    }

    /// The house could not say what is new; the next bell or NOOP asks again.
    pub(crate) fn give_up(&mut self) {
        self.heard = self.seen;
        self.stale = false;
    }

    /// Where to ask from.
    pub(crate) fn seen(&self) -> ModSeq {
        self.seen
    }

    /// A commit of our own whose effect on this mailbox is known. If it directly follows what is known, nobody
    /// else's can lie between.
    pub(crate) fn committed(&mut self, at: ModSeq) -> bool {
        if at.0 == self.seen.0 + 1 {
            self.seen = at;
            self.heard = self.heard.max(at);
            self.fresh = true;
            return true;
        }
        self.hear(at);
        false
    }

    /// The answer to a STORE of this session: `told` says whether the client hears of these rows now. Returns
    /// whether somebody else's change may be mixed into those that our commit changed.
    pub(crate) fn stored(&mut self, rows: &[MessageRow], commit: Option<ModSeq>, told: bool) -> bool {
        if commit.is_some_and(|at| self.committed(at)) {
            return false;
        }
        let seen = self.seen;
        for row in rows.iter().filter(|row| row.modseq > seen) {
            self.heard = self.heard.max(row.modseq);
            if told || Some(row.modseq) == commit {
                self.own.insert(row.uid, row.modseq);
            }
        }
        commit.is_some()
    }

    /// A mailbox of ours has another name. INBOX stays where it is, and its messages go. RFC 3501 §6.3.5.
    pub(crate) fn renamed(&mut self, from: &str, to: &str) {
        if self.name == from && from == "INBOX" {
            self.doubt();
        } else if let Some(rest) =
            self.name.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/'))
        {
            self.name = format!("{to}{rest}");
        }
    }

    /// The mailbox is no more. All its messages are gone with it.
    pub(crate) fn lose(&mut self) {
        self.deleted = true;
        self.gone = self.map.uids(&self.map.all());
    }

    /// Takes news in and returns what the client is to be told now; only messages that are gone may have to wait.
    pub(crate) fn learn(&mut self, changes: MailboxChanges) -> Telling {
        let known = changes.keywords.is_some_and(|names| self.learn_keywords(&names));
        self.seen = self.seen.max(changes.head);
        self.heard = self.heard.max(self.seen);
        self.stale = false;
        self.fresh = true;
        if changes.deleted {
            self.lose();
            return Telling::default();
        }
        for range in self.map.uids(&self.map.pick(&changes.gone)).ranges() {
            self.gone.insert_range(range.clone());
        }
        let mut telling = Telling { flags: known, ..Telling::default() };
        let mut rows = changes.rows;
        rows.retain(|row| {
            telling.flags |= self.learn_flags(&row.flags);
            if self.map.push(row.uid) {
                telling.exists = true;
                return false;
            }
            let ours = self.own.get(&row.uid) == Some(&row.modseq);
            !ours && self.map.position(row.uid, 0).is_some() && !self.gone.contains(row.uid)
        });
        telling.rows = rows.into_iter();
        let seen = self.seen;
        self.own.retain(|_, modseq| *modseq > seen);
        telling
    }

    /// Notes keywords; true if one is new, so that FLAGS must be said before it is used. RFC 3501 §7.2.6.
    pub(crate) fn learn_flags(&mut self, flags: &Flags) -> bool {
        !flags.keywords.is_empty() && self.learn_keywords(&flags.keywords)
    }

    fn learn_keywords(&mut self, names: &[String]) -> bool {
        let before = self.keywords.len();
        for name in names {
            if !self.keywords.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                self.keywords.push(name.clone());
            }
        }
        self.keywords.len() > before
    }

    /// FLAGS and PERMANENTFLAGS. RFC 3501 §7.2.6, §7.1.
    pub(crate) fn put_flags(&self, out: &mut Out) {
        out.put("* FLAGS (");
        self.put_flag_names(out);
        out.put(")\r\n");
        if self.read_only {
            out.put("* OK [PERMANENTFLAGS ()] Nothing can be changed here\r\n");
            return;
        }
        out.put("* OK [PERMANENTFLAGS (");
        self.put_flag_names(out);
        out.put(" \\*)] These flags are kept, and new keywords may be made\r\n");
    }

    fn put_flag_names(&self, out: &mut Out) {
        for (i, (_, name)) in SystemFlags::ALL.iter().enumerate() {
            out.put(if i == 0 { "" } else { " " });
            out.put(name);
        }
        for name in &self.keywords {
            out.put(" ");
            out.put(name);
        }
    }
}
