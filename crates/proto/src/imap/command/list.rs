//! LIST in all its forms. RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154, RFC 3348.

use std::collections::HashSet;

use mail::{AccountId, MailboxInfo, ModSeq, Uid, UidValidity};

use super::status;
use super::{Around, Begin, Event, Outcome, Step, Task, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::out::Out;
use crate::imap::pattern::Pattern;
use crate::imap::print;
use crate::imap::session::Options;
use crate::imap::state::Authenticated;
use crate::imap::types::List as Wanted;

/// An account with more names than this is told so instead of being listed: all of them are held at once, because
/// whether a name has children may be known only at the end.
pub(super) const NAMES_MAX: usize = 100_000;

pub(super) fn begin(wanted: Wanted) -> Begin {
    if !wanted.extended && wanted.patterns.iter().all(String::is_empty) {
        // RFC 3501 §6.3.8: an empty pattern asks for the delimiter.
        return Begin::user(Root);
    }
    Begin::user(List { wanted, stage: Stage::Gathering(Gathering::default()) })
}

struct Root;

impl Task<Authenticated> for Root {
    fn step(&mut self, _: &mut Authenticated, around: &mut Around<'_>, _: Event) -> Step {
        around.out.put("* LIST (\\Noselect) \"/\" \"\"\r\n");
        Step::Done(Outcome::ok("LIST done"))
    }
}

struct List {
    wanted: Wanted,
    stage: Stage,
}

enum Stage {
    Gathering(Gathering),
    Saying(std::iter::Zip<std::vec::IntoIter<MailboxInfo>, std::vec::IntoIter<Marks>>),
}

/// What is to be said of a name besides what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    pub(super) matches: bool,
    /// The selection options choose it.
    pub(super) chosen: bool,
    /// A mailbox lies below it.
    children: bool,
    /// A chosen name lies below it.
    chosen_below: bool,
    /// A chosen name lies below it that is not listed itself.
    pub(super) hidden_below: bool,
}

impl Task<Authenticated> for List {
    fn step(&mut self, user: &mut Authenticated, around: &mut Around<'_>, event: Event) -> Step {
        if let Stage::Gathering(gathering) = &mut self.stage {
            let names = match gathering.step(user.account, event) {
                Ok(names) => names,
                Err(step) => return step,
            };
            let marks = mark(&names, &self.wanted);
            self.stage = Stage::Saying(names.into_iter().zip(marks));
        }
        if let Stage::Saying(left) = &mut self.stage {
            for (info, marks) in left.by_ref() {
                put(&info, marks, &self.wanted, around.options, around.out);
                if around.out.full() {
                    return Step::Again;
                }
            }
        }
        Step::Done(Outcome::ok("LIST done"))
    }
}

/// Asks for all names of an account, a page at a time.
#[derive(Default)]
pub(super) struct Gathering {
    names: Vec<MailboxInfo>,
}

impl Gathering {
    /// The names, sorted, with every level above them; or what to do before they are known.
    pub(super) fn step(&mut self, account: AccountId, event: Event) -> Result<Vec<MailboxInfo>, Step> {
        match event {
            Event::Answer(Answer::Mailboxes { list, more }) => {
                let progress = !list.is_empty();
                self.names.extend(list);
                if self.names.len() > NAMES_MAX {
                    return Err(too_many());
                }
                if !(more && progress) {
                    return with_levels(std::mem::take(&mut self.names)).ok_or_else(too_many);
                }
            }
            Event::Answer(other) => return Err(otherwise(other)),
            _ => {}
        }
        let after = self.names.last().map(|info| info.name.clone());
        Err(Step::Ask(Ask::Mailboxes { account, after }))
    }
}

fn too_many() -> Step {
    Step::Done(Outcome::no("There are too many mailboxes to list").code("LIMIT"))
}

/// Adds the levels above each name that are no names themselves, and sorts by level. `None` if that is too much.
fn with_levels(mut names: Vec<MailboxInfo>) -> Option<Vec<MailboxInfo>> {
    let known: HashSet<&str> = names.iter().map(|info| info.name.as_str()).collect();
    let mut missing: HashSet<&str> = HashSet::new();
    for info in &names {
        // Once a level is known or noted, so are those above it: it was looked at in its turn.
        let mut above = parent(&info.name);
        while let Some(name) = above.filter(|name| !known.contains(name) && missing.insert(name)) {
            above = parent(name);
        }
        if names.len() + missing.len() > NAMES_MAX {
            return None;
        }
    }
    let levels: Vec<MailboxInfo> = missing.into_iter().map(level).collect();
    names.extend(levels);
    names.sort_by(|a, b| {
        not_inbox(a).cmp(&not_inbox(b)).then_with(|| a.name.split('/').cmp(b.name.split('/')))
    });
    Some(names)
}

/// INBOX and what is below it come first.
fn not_inbox(info: &MailboxInfo) -> bool {
    info.name.split('/').next() != Some("INBOX")
}

fn level(name: &str) -> MailboxInfo {
    MailboxInfo {
        name: name.to_owned(),
        id: None,
        subscribed: false,
        special_use: None,
        uid_validity: UidValidity(0),
        uid_next: Uid(0),
        highest_modseq: ModSeq(0),
        messages: 0,
        unseen: 0,
        deleted: 0,
        recent: 0,
        size: 0,
    }
}

fn parent(name: &str) -> Option<&str> {
    name.rfind('/').map(|at| &name[..at])
}

/// Sorted by level, a name's descendants follow it at once, so one stack of open levels suffices.
pub(super) fn mark(names: &[MailboxInfo], wanted: &Wanted) -> Vec<Marks> {
    let patterns: Vec<Pattern> =
        wanted.patterns.iter().map(|text| Pattern::new(&wanted.reference, text)).collect();
    let mut marks: Vec<Marks> = Vec::with_capacity(names.len());
    let mut open: Vec<usize> = Vec::new();
    for info in names {
        while open.last().is_some_and(|&top| !is_below(&info.name, &names[top].name)) {
            close(&mut open, &mut marks);
        }
        let here = Marks {
            matches: patterns.iter().any(|pattern| pattern.matches(&info.name)),
            chosen: chosen(info, wanted),
            ..Marks::default()
        };
        if let Some(&above) = open.last() {
            marks[above].children |= info.id.is_some();
            marks[above].chosen_below |= here.chosen;
            marks[above].hidden_below |= here.chosen && !here.matches;
        }
        open.push(marks.len());
        marks.push(here);
    }
    while !open.is_empty() {
        close(&mut open, &mut marks);
    }
    marks
}

/// The innermost open level ends: what lies below it lies below the one around it too.
fn close(open: &mut Vec<usize>, marks: &mut [Marks]) {
    let Some(inner) = open.pop().map(|done| marks[done]) else { return };
    if let Some(&above) = open.last() {
        marks[above].children |= inner.children;
        marks[above].chosen_below |= inner.chosen_below;
        marks[above].hidden_below |= inner.hidden_below;
    }
}

fn is_below(name: &str, above: &str) -> bool {
    name.strip_prefix(above).is_some_and(|rest| rest.starts_with('/'))
}

fn chosen(info: &MailboxInfo, wanted: &Wanted) -> bool {
    (!wanted.subscribed || info.subscribed) && (!wanted.special_use || info.special_use.is_some())
}

/// Whether a name is listed. A name that is only subscribed to, or only a level of such names, is no mailbox.
fn listed(info: &MailboxInfo, marks: Marks, wanted: &Wanted) -> bool {
    let selective = wanted.subscribed || wanted.special_use;
    marks.matches
        && if selective {
            marks.chosen || (wanted.recursive_match && marks.hidden_below)
        } else {
            info.id.is_some() || marks.children
        }
}

fn put(info: &MailboxInfo, marks: Marks, wanted: &Wanted, options: &Options, out: &mut Out) {
    if !listed(info, marks, wanted) {
        return;
    }
    let entry = print::ListEntry {
        name: &info.name,
        // RFC 5258 §3: \NonExistent implies \Noselect, but only those who speak the extension know it.
        non_existent: info.id.is_none() && wanted.extended,
        no_select: info.id.is_none() && !wanted.extended,
        children: (!wanted.extended || wanted.return_children).then_some(marks.children),
        subscribed: info.subscribed && (wanted.subscribed || wanted.return_subscribed),
        special_use: info
            .special_use
            .filter(|_| !wanted.extended || wanted.special_use || wanted.return_special_use),
        child_subscribed: wanted.recursive_match && marks.chosen_below,
    };
    print::list(out.text(), &entry, false);
    if let Some(items) = wanted.return_status.as_ref().filter(|_| info.id.is_some()) {
        status::put(info, items, options, out);
    }
}
