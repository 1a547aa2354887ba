//! FETCH. RFC 3501 §6.4.5, RFC 7162 §3.1.4.
//!
//! A chain of bounded questions: a page of rows, where needed the headers of some of them, and bodies streamed by
//! the driver. Nothing is made before the client has taken what was made earlier.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use mail::{BlobId, FlagChange, Flags, MessageRow, ModSeq, Summary, SystemFlags, UidSet};

use super::{Around, Begin, Event, Outcome, Step, Task, otherwise, pick};
use crate::imap::ask::{Answer, Ask, Code};
use crate::imap::out::Out;
use crate::imap::print;
use crate::imap::section::{self, Extent};
use crate::imap::seqmap::Picked;
use crate::imap::state::Selected;
use crate::imap::types::{FetchItem, Rfc822, Section, SectionText, SequenceSet};
use crate::imap::view::View;
use crate::{Action, Coding};

/// Rows asked for at once.
const PAGE: usize = 1000;
/// The same where reading sets \Seen: what is marked is also about to be sent.
const PAGE_MARKING: usize = 64;
/// Octets of headers asked for at once.
const HEADERS_MAX: u64 = 128 * 1024;
/// A header of more octets is streamed like a body, and only so much of it is searched for fields.
const HEADER_MAX: u64 = 64 * 1024;
/// Of a longer header the fields are looked for in this much.
const FIELDS_MAX: u64 = 512 * 1024;

pub(super) fn begin(
    uid: bool,
    set: &SequenceSet,
    items: Vec<FetchItem>,
    changed_since: Option<ModSeq>,
    selected: &Selected,
) -> Result<Begin, Outcome> {
    let left = pick(&selected.view, uid, set)?;
    Ok(Begin::mailbox(Fetch {
        plan: Plan::new(uid, items, changed_since, selected.view.read_only),
        expected: left.count(),
        left,
        page: Picked::default(),
        stage: Stage::Asking,
        rows: VecDeque::new(),
        ready: 0,
        octets: VecDeque::new(),
        careful: 0,
        marked: UidSet::default(),
        hint: 0,
        fault: None,
    }))
}

/// What the items amount to.
struct Plan {
    items: Vec<FetchItem>,
    changed_since: Option<ModSeq>,
    /// Envelope, structure or the place of a part is needed.
    summaries: bool,
    /// Some octets are printed by us and not streamed.
    headers: bool,
    /// Reading marks as \Seen.
    marks: bool,
    flags: bool,
    modseq: bool,
}

impl Plan {
    fn new(uid: bool, mut items: Vec<FetchItem>, changed_since: Option<ModSeq>, read_only: bool) -> Plan {
        // RFC 3501 §6.4.8: UID is said whether it was asked for or not.
        if uid && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        // RFC 7162 §3.1.4.1
        if changed_since.is_some() && !items.contains(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
        Plan {
            changed_since,
            summaries: items.iter().any(needs_summary),
            headers: items.iter().any(|item| wanted_section(item).is_some_and(|part| is_header(&part.text))),
            marks: !read_only && items.iter().any(marks),
            flags: items.contains(&FetchItem::Flags),
            modseq: items.contains(&FetchItem::ModSeq),
            items,
        }
    }
}

fn needs_summary(item: &FetchItem) -> bool {
    match item {
        FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure => true,
        other => wanted_section(other).is_some_and(|section| section != Section::default()),
    }
}

fn marks(item: &FetchItem) -> bool {
    match item {
        FetchItem::Rfc822(what) => *what != Rfc822::Header,
        FetchItem::Section { peek, .. } => !peek,
        _ => false,
    }
}

/// The old names are sections too. RFC 3501 §6.4.5.
fn wanted_section(item: &FetchItem) -> Option<Section> {
    let old = |text| Section { path: Vec::new(), text };
    match item {
        FetchItem::Rfc822(Rfc822::Whole) => Some(old(SectionText::Whole)),
        FetchItem::Rfc822(Rfc822::Header) => Some(old(SectionText::Header)),
        FetchItem::Rfc822(Rfc822::Text) => Some(old(SectionText::Text)),
        FetchItem::Section { section, .. } => Some(section.clone()),
        _ => None,
    }
}

fn is_header(text: &SectionText) -> bool {
    !matches!(text, SectionText::Whole | SectionText::Text)
}

/// Where the octets of a section come from.
enum Source {
    /// There is no such section.
    Nil,
    /// A header, printed by us, perhaps only some of its fields.
    Header { range: Range<u64>, fields: bool },
    /// Anything else.
    Stream(Range<u64>),
}

fn source(row: &MessageRow, section: &Section) -> Source {
    if *section == Section::default() {
        return Source::Stream(0..row.size);
    }
    let Some(summary) = &row.summary else { return Source::Nil };
    match section::locate(summary, section) {
        None => Source::Nil,
        Some(Extent::Fields(range)) => {
            Source::Header { range: range.start..range.end.min(range.start + FIELDS_MAX), fields: true }
        }
        Some(Extent::Octets(range)) if is_header(&section.text) && length(&range) <= HEADER_MAX => {
            Source::Header { range, fields: false }
        }
        Some(Extent::Octets(range)) => Source::Stream(range),
    }
}

fn length(range: &Range<u64>) -> u64 {
    range.end.saturating_sub(range.start)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// More rows are wanted.
    Asking,
    /// Some of the rows are being marked as \Seen.
    Marking,
    /// Rows are here; headers may be missing.
    Preparing,
    /// Rows are ready to be said.
    Saying,
}

struct Fetch {
    plan: Plan,
    /// Messages not yet asked for.
    left: Picked,
    /// The page asked for, or what is left of it.
    page: Picked,
    /// Messages of which nothing has been heard.
    expected: usize,
    stage: Stage,
    rows: VecDeque<MessageRow>,
    /// So many of them can be said.
    ready: usize,
    /// Their headers, in the order they are said.
    octets: VecDeque<Bytes>,
    /// So many rows are taken one at a time, because their headers could not be read together.
    careful: usize,
    /// Rows whose flags this command has changed.
    marked: UidSet,
    hint: usize,
    /// Some message could not be read.
    fault: Option<(Code, String)>,
}

impl Task<Selected> for Fetch {
    fn step(&mut self, selected: &mut Selected, around: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Answer(Answer::Rows { rows, next }) => {
                self.take_rows(selected, rows, next, around.out);
            }
            Event::Answer(Answer::Stored { rows, commit, .. }) => {
                selected.view.stored(&rows, commit, true);
                if rows.iter().fold(false, |new, row| selected.view.learn_flags(&row.flags) | new) {
                    selected.view.put_flags(around.out);
                }
                self.take_marked(&rows);
                self.stage = Stage::Preparing;
            }
            Event::Answer(Answer::Octets(octets)) => {
                self.octets = octets.into();
                self.stage = Stage::Saying;
            }
            Event::Answer(other) => {
                if let Some(step) = self.refused(other) {
                    return step;
                }
            }
            _ => {}
        }
        self.go_on(selected, around.out)
    }
}

impl Fetch {
    fn go_on(&mut self, selected: &mut Selected, out: &mut Out) -> Step {
        loop {
            match self.stage {
                Stage::Asking => {
                    return match self.ask_rows(selected) {
                        Some(ask) => Step::Ask(ask),
                        None => Step::Done(self.outcome(&mut selected.view)),
                    };
                }
                Stage::Marking => {
                    if let Some(ask) = self.ask_marks(selected) {
                        return Step::Ask(ask);
                    }
                    self.stage = Stage::Preparing;
                }
                Stage::Preparing => {
                    self.stage = if self.rows.is_empty() { Stage::Asking } else { Stage::Saying };
                    if let Some(ask) = self.prepare(selected) {
                        return Step::Ask(ask);
                    }
                }
                Stage::Saying => {
                    if !self.say(selected, out) {
                        return Step::Again;
                    }
                    self.stage = Stage::Preparing;
                }
            }
        }
    }

    fn ask_rows(&mut self, selected: &Selected) -> Option<Ask> {
        if self.page.is_empty() {
            self.page = self.left.take(if self.plan.marks { PAGE_MARKING } else { PAGE });
        }
        (!self.page.is_empty()).then(|| Ask::Rows {
            account: selected.user.account,
            mailbox: selected.view.mailbox,
            uids: selected.view.map.uids(&self.page),
            summaries: self.plan.summaries,
            changed_since: self.plan.changed_since,
        })
    }

    fn take_rows(
        &mut self,
        selected: &mut Selected,
        rows: Vec<MessageRow>,
        next: Option<mail::Uid>,
        out: &mut Out,
    ) {
        let view = &mut selected.view;
        let page = std::mem::take(&mut self.page);
        let rest = next.map_or_else(Picked::default, |last| page.starting_at(view.map.position_after(last)));
        // A page that does not shrink would be asked for forever.
        self.page = if rest.count() < page.count() { rest } else { Picked::default() };
        self.expected -= self.expected.min(rows.len());
        if self.plan.flags && rows.iter().fold(false, |new, row| view.learn_flags(&row.flags) | new) {
            view.put_flags(out);
        }
        self.rows = rows.into();
        self.marked = UidSet::default();
        self.stage = if self.plan.marks { Stage::Marking } else { Stage::Preparing };
    }

    /// RFC 3501 §6.4.5: a section that was not only peeked at is seen.
    fn ask_marks(&self, selected: &Selected) -> Option<Ask> {
        let unseen = |row: &&MessageRow| !row.flags.system.contains(SystemFlags::SEEN);
        let uids: UidSet = self.rows.iter().filter(unseen).map(|row| row.uid).collect();
        (!uids.is_empty()).then(|| Ask::Store {
            account: selected.user.account,
            mailbox: selected.view.mailbox,
            uids,
            change: FlagChange::Add(Flags { system: SystemFlags::SEEN, keywords: Vec::new() }),
            unchanged_since: None,
        })
    }

    fn take_marked(&mut self, stored: &[MessageRow]) {
        for row in &mut self.rows {
            if let Ok(at) = stored.binary_search_by_key(&row.uid, |now| now.uid) {
                row.flags = stored[at].flags.clone();
                row.modseq = stored[at].modseq;
                self.marked.insert(row.uid);
            }
        }
    }

    /// The postmaster says no: to rows, that is the end; to \Seen, mail can still be read on a full disk; to
    /// headers, the damaged message is found and left out, and the others are still served.
    fn refused(&mut self, answer: Answer) -> Option<Step> {
        match (self.stage, answer) {
            (Stage::Marking, Answer::No { .. }) => self.stage = Stage::Preparing,
            (Stage::Saying, Answer::No { code, text }) => {
                if self.ready > 1 {
                    self.careful = self.ready;
                } else {
                    self.rows.pop_front();
                    self.fault = Some((code, text));
                }
                self.ready = 0;
                self.stage = Stage::Preparing;
            }
            (_, other) => return Some(otherwise(other)),
        }
        None
    }

    /// Counts the rows that can be said next, and asks for their headers if there are any.
    fn prepare(&mut self, selected: &Selected) -> Option<Ask> {
        self.octets.clear();
        if !self.plan.headers {
            self.ready = self.rows.len();
            return None;
        }
        let (mut ranges, mut total, mut ready) = (Vec::new(), 0, 0);
        let most = if self.careful > 0 { 1 } else { usize::MAX };
        for row in self.rows.iter().take(most) {
            let before = ranges.len();
            let of_row: u64 = self.headers_of(row, &mut ranges);
            if ready > 0 && total + of_row > HEADERS_MAX {
                ranges.truncate(before);
                break;
            }
            total += of_row;
            ready += 1;
        }
        self.ready = ready;
        self.careful = self.careful.saturating_sub(ready);
        (!ranges.is_empty()).then(|| Ask::Octets { account: selected.user.account, ranges })
    }

    fn headers_of(&self, row: &MessageRow, ranges: &mut Vec<(BlobId, Range<u64>)>) -> u64 {
        let mut total = 0;
        for section in self.plan.items.iter().filter_map(wanted_section) {
            if let Source::Header { range, .. } = source(row, &section) {
                total += length(&range);
                ranges.push((row.blob, range));
            }
        }
        total
    }

    /// Says rows until a page is full; true when those that were ready are said.
    fn say(&mut self, selected: &Selected, out: &mut Out) -> bool {
        while self.ready > 0 {
            let Some(row) = self.rows.pop_front() else { break };
            self.ready -= 1;
            if let Some(position) = selected.view.map.position(row.uid, self.hint) {
                self.hint = position + 1;
                self.put(selected, position, &row, out);
            }
            if out.full() || !out.drained() {
                return false;
            }
        }
        self.ready = 0;
        true
    }

    fn put(&mut self, selected: &Selected, position: usize, row: &MessageRow, out: &mut Out) {
        let recent = row.uid >= selected.view.recent_from;
        out.put("* ");
        out.number(position as u64 + 1);
        out.put(" FETCH (");
        for (i, item) in self.plan.items.iter().enumerate() {
            if i > 0 {
                out.put(" ");
            }
            put_item(item, row, recent, &mut self.octets, out);
        }
        // RFC 3501 §6.4.5: the client is told of flags that its reading has changed.
        if self.marked.contains(row.uid) {
            if !self.plan.flags {
                out.put(" FLAGS ");
                print::flags(out.text(), &row.flags, recent);
            }
            if selected.user.condstore && !self.plan.modseq {
                out.put(" ");
                put_modseq(row, out);
            }
        }
        out.put(")\r\n");
    }

    fn outcome(&mut self, view: &mut View) -> Outcome {
        if let Some((code, text)) = self.fault.take() {
            return Outcome::refused(code, text);
        }
        if self.expected > 0 && self.plan.changed_since.is_none() {
            // RFC 2180 §4.1.2, but as an OK: what is still there has been served.
            view.doubt();
            return Outcome::ok("Some of these messages no longer exist").code("EXPUNGEISSUED");
        }
        Outcome::ok("FETCH done")
    }
}

fn put_modseq(row: &MessageRow, out: &mut Out) {
    out.put("MODSEQ (");
    out.number(row.modseq.0);
    out.put(")");
}

fn put_item(item: &FetchItem, row: &MessageRow, recent: bool, octets: &mut VecDeque<Bytes>, out: &mut Out) {
    match item {
        FetchItem::Uid => {
            out.put("UID ");
            out.number(u64::from(row.uid.0));
        }
        FetchItem::Flags => {
            out.put("FLAGS ");
            print::flags(out.text(), &row.flags, recent);
        }
        FetchItem::InternalDate => {
            out.put("INTERNALDATE ");
            print::internal_date(out.text(), row.date);
        }
        FetchItem::Size => {
            out.put("RFC822.SIZE ");
            out.number(row.size);
        }
        FetchItem::ModSeq => put_modseq(row, out),
        FetchItem::Envelope => {
            out.put("ENVELOPE ");
            with_summary(row, |summary| print::envelope(out.text(), &summary.envelope));
        }
        FetchItem::Body => {
            out.put("BODY ");
            with_summary(row, |summary| print::body_structure(out.text(), &summary.root, false));
        }
        FetchItem::BodyStructure => {
            out.put("BODYSTRUCTURE ");
            with_summary(row, |summary| print::body_structure(out.text(), &summary.root, true));
        }
        FetchItem::Rfc822(what) => {
            out.put(match what {
                Rfc822::Whole => "RFC822",
                Rfc822::Header => "RFC822.HEADER",
                Rfc822::Text => "RFC822.TEXT",
            });
            put_section(row, &wanted_section(item).unwrap_or_default(), None, octets, out);
        }
        FetchItem::Section { section, partial, .. } => {
            print::section(out.text(), section, partial.map(|(origin, _)| origin));
            put_section(row, section, *partial, octets, out);
        }
    }
}

/// A row without the summary that was asked for shows an empty message rather than none.
fn with_summary(row: &MessageRow, put: impl FnOnce(&Summary)) {
    match &row.summary {
        Some(summary) => put(summary),
        None => put(&Summary::default()),
    }
}

fn put_section(
    row: &MessageRow,
    section: &Section,
    partial: Option<(u32, u32)>,
    octets: &mut VecDeque<Bytes>,
    out: &mut Out,
) {
    out.put(" ");
    match source(row, section) {
        Source::Nil => out.put("NIL"),
        Source::Header { fields, .. } => {
            let header = octets.pop_front().unwrap_or_default();
            let header = if fields { Bytes::from(filtered(&header, &section.text)) } else { header };
            let range = cut(&(0..header.len() as u64), partial);
            print::literal_head(out.text(), length(&range));
            // The range lies within the header, whose length is a usize.
            out.text().extend_from_slice(&header[range.start as usize..range.end as usize]);
        }
        Source::Stream(range) => {
            let range = cut(&range, partial);
            print::literal_head(out.text(), length(&range));
            if !range.is_empty() {
                out.act(Action::Stream { blob: row.blob, range, coding: Coding::Raw });
            }
        }
    }
}

fn filtered(header: &[u8], text: &SectionText) -> Vec<u8> {
    match text {
        SectionText::HeaderFields(names) => section::filter_fields(header, names, false),
        SectionText::HeaderFieldsNot(names) => section::filter_fields(header, names, true),
        _ => header.to_vec(),
    }
}

/// `<origin.count>` of a section: nothing if it begins past the end. RFC 3501 §6.4.5.
fn cut(range: &Range<u64>, partial: Option<(u32, u32)>) -> Range<u64> {
    let Some((origin, count)) = partial else { return range.clone() };
    let start = range.start.saturating_add(u64::from(origin)).min(range.end);
    start..start.saturating_add(u64::from(count)).min(range.end)
}
