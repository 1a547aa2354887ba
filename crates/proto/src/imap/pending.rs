//! Telling the client what has happened in its mailbox: EXPUNGE, EXISTS, RECENT, FLAGS and FETCH that nobody asked
//! for, in that order and a page at a time.
//!
//! What never lives here: when that is allowed; each command says so with its `News`.

use mail::MessageRow;

use super::out::Out;
use super::print;
use super::seqmap::Picked;
use super::view::View;

/// What a command lets the session announce before its tagged response. RFC 3501 §7.4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Nothing: the command leaves the mailbox, or has none.
    Nothing,
    /// Everything but EXPUNGE: FETCH, STORE and SEARCH count in sequence numbers.
    NoExpunge,
    /// Everything.
    All,
}

/// News on their way out.
#[derive(Debug, Default)]
pub(crate) struct Telling {
    /// Messages have come.
    pub(crate) exists: bool,
    /// A keyword is new.
    pub(crate) flags: bool,
    /// Messages with other flags than the client knows.
    pub(crate) rows: std::vec::IntoIter<MessageRow>,
    pub(crate) expunge: Option<Expunging>,
}

/// EXPUNGE responses half said.
#[derive(Debug)]
pub(crate) struct Expunging {
    picked: Picked,
    left: Picked,
    told: usize,
}

impl Telling {
    /// Says as much as fits a page; true when all is said.
    pub(crate) fn tell(&mut self, view: &mut View, news: News, modseq: bool, out: &mut Out) -> bool {
        if news == News::All && !self.expunged(view, out) {
            return false;
        }
        if std::mem::take(&mut self.exists) {
            let recent = view.map.count_from(view.recent_from);
            out.line(format_args!("* {} EXISTS", view.map.count()));
            out.line(format_args!("* {recent} RECENT"));
        }
        if std::mem::take(&mut self.flags) {
            view.put_flags(out);
        }
        let mut hint = 0;
        for row in self.rows.by_ref() {
            if let Some(position) = view.map.position(row.uid, hint) {
                hint = position + 1;
                view.told += 1;
                put_flags_of(view, position, &row, Said { uid: true, flags: true, modseq }, out);
            }
            if out.full() {
                return false;
            }
        }
        true
    }

    /// EXPUNGE numbers count down as they are said: each is a number after those before it are gone.
    fn expunged(&mut self, view: &mut View, out: &mut Out) -> bool {
        if self.expunge.is_none() && view.gone.is_empty() {
            return true;
        }
        let work = self.expunge.get_or_insert_with(|| {
            let picked = view.map.pick(&view.gone);
            Expunging { left: picked.clone(), picked, told: 0 }
        });
        loop {
            let page = work.left.take(256);
            if page.is_empty() {
                break;
            }
            for position in page.positions() {
                out.put("* ");
                out.number((position + 1 - work.told) as u64);
                out.put(" EXPUNGE\r\n");
                work.told += 1;
            }
            if out.full() {
                return false;
            }
        }
        view.map.remove(&work.picked);
        view.gone = mail::UidSet::default();
        self.expunge = None;
        true
    }
}

/// Which items a FETCH response about flags has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Said {
    pub(crate) uid: bool,
    pub(crate) flags: bool,
    pub(crate) modseq: bool,
}

/// A FETCH response about the flags of one message.
pub(crate) fn put_flags_of(view: &View, position: usize, row: &MessageRow, said: Said, out: &mut Out) {
    out.put("* ");
    out.number(position as u64 + 1);
    out.put(" FETCH (");
    let mut gap = "";
    if said.uid {
        out.put("UID ");
        out.number(u64::from(row.uid.0));
        gap = " ";
    }
    if said.flags {
        out.put(gap);
        out.put("FLAGS ");
        print::flags(out.text(), &row.flags, row.uid >= view.recent_from);
        gap = " ";
    }
    if said.modseq {
        out.put(gap);
        out.put("MODSEQ (");
        out.number(row.modseq.0);
        out.put(")");
    }
    out.put(")\r\n");
}
