//! SEARCH. RFC 3501 §6.4.4, RFC 4731, RFC 7162 §3.1.5.

use std::sync::Arc;

use mail::{ModSeq, SearchKey, Uid, UidSet};

use super::condstore::asks_modseq;
use super::{Around, Begin, Event, Outcome, Step, Task, otherwise, pick};
use crate::imap::ask::{Answer, Ask};
use crate::imap::out::Out;
use crate::imap::print;
use crate::imap::state::Selected;
use crate::imap::types::{Search as Wanted, SearchReturns, WrittenSet};
use crate::imap::view::View;

pub(super) fn begin(wanted: Wanted, selected: &Selected) -> Result<Begin, Outcome> {
    let modseq = asks_modseq(&wanted.key);
    let mut fault = None;
    let key = wanted.key.map(&mut |set| {
        resolve(&selected.view, &set).unwrap_or_else(|outcome| {
            fault = Some(outcome);
            UidSet::default()
        })
    });
    if let Some(outcome) = fault {
        return Err(outcome);
    }
    Ok(Begin::mailbox(Search {
        uid: wanted.uid,
        returns: wanted.returns.map(whole),
        modseq,
        key: Arc::new(key),
        after: None,
        found: Vec::new(),
        hint: 0,
        saying: None,
    }))
}

fn resolve(view: &View, set: &WrittenSet) -> Result<UidSet, Outcome> {
    let picked = match set {
        WrittenSet::Sequence(set) => pick(view, false, set)?,
        WrittenSet::Uid(set) => pick(view, true, set)?,
    };
    Ok(view.map.uids(&picked))
}

/// RFC 4731 §3.1: RETURN () is RETURN (ALL).
fn whole(returns: SearchReturns) -> SearchReturns {
    if returns == SearchReturns::default() { SearchReturns { all: true, ..returns } } else { returns }
}

struct Search {
    uid: bool,
    /// Answer with ESEARCH.
    returns: Option<SearchReturns>,
    /// MODSEQ was among the keys, so it is among the results.
    modseq: bool,
    key: Arc<SearchKey<UidSet>>,
    after: Option<Uid>,
    /// Numbers in the terms of the command, ascending, and modseqs.
    found: Vec<(u32, ModSeq)>,
    hint: usize,
    /// All is found; so many have been said.
    saying: Option<usize>,
}

impl Task<Selected> for Search {
    fn step(&mut self, selected: &mut Selected, around: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Answer(Answer::Found { hits, next }) => {
                self.take(&selected.view, &hits);
                if next.is_none() || next <= self.after {
                    self.saying = Some(0);
                } else {
                    self.after = next;
                }
            }
            Event::Answer(other) => return otherwise(other),
            _ => {}
        }
        match self.saying {
            None => Step::Ask(Ask::Search {
                account: selected.user.account,
                mailbox: selected.view.mailbox,
                key: Arc::clone(&self.key),
                recent_from: selected.view.recent_from,
                after: self.after,
            }),
            Some(_) => {
                if let Some(returns) = self.returns {
                    self.say_extended(returns, around);
                    return Step::Done(Outcome::ok("SEARCH done"));
                }
                if self.say(around.out) { Step::Done(Outcome::ok("SEARCH done")) } else { Step::Again }
            }
        }
    }
}

impl Search {
    /// Messages that the client has not been told of are not named: it could not tell what the number means.
    fn take(&mut self, view: &View, hits: &[(Uid, ModSeq)]) {
        for &(uid, modseq) in hits {
            let Some(position) = view.map.position(uid, self.hint) else { continue };
            self.hint = position + 1;
            let number = if self.uid { uid.0 } else { u32::try_from(position + 1).unwrap_or(u32::MAX) };
            self.found.push((number, modseq));
        }
    }

    /// RFC 3501 §7.2.5; one line, written a page at a time.
    fn say(&mut self, out: &mut Out) -> bool {
        let at = self.saying.unwrap_or_default();
        if at == 0 {
            out.put("* SEARCH");
        }
        for (i, (number, _)) in self.found.iter().enumerate().skip(at) {
            out.put(" ");
            out.number(u64::from(*number));
            if out.full() {
                self.saying = Some(i + 1);
                return i + 1 == self.found.len() && self.end(out);
            }
        }
        self.end(out)
    }

    fn end(&self, out: &mut Out) -> bool {
        if let Some(highest) = self.found.iter().map(|(_, modseq)| modseq.0).max().filter(|_| self.modseq) {
            out.line(format_args!(" (MODSEQ {highest})"));
        } else {
            out.put("\r\n");
        }
        true
    }

    /// RFC 4731 §3.1; MIN and MAX of nothing are left out. RFC 7162 §3.1.6: MODSEQ is that of what is named.
    fn say_extended(&self, returns: SearchReturns, around: &mut Around<'_>) {
        let all: Option<UidSet> =
            returns.all.then(|| self.found.iter().map(|(number, _)| Uid(*number)).collect());
        let (first, last) = (self.found.first(), self.found.last());
        let named = if returns.all || returns.count {
            self.found.iter().map(|(_, modseq)| *modseq).max()
        } else {
            let min = first.filter(|_| returns.min).map(|(_, modseq)| *modseq);
            min.max(last.filter(|_| returns.max).map(|(_, modseq)| *modseq))
        };
        let said = print::Esearch {
            tag: around.tag,
            uid: self.uid,
            min: first.filter(|_| returns.min).map(|(number, _)| *number),
            max: last.filter(|_| returns.max).map(|(number, _)| *number),
            count: returns.count.then_some(self.found.len() as u64),
            all: all.as_ref(),
            modseq: named.filter(|_| self.modseq),
        };
        print::esearch(around.out.text(), &said);
    }
}
