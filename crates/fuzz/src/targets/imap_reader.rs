//! The reader of IMAP commands.

use bytes::Bytes;
use proto::imap::limits;
use proto::imap::parse::{Event, Reader};
use proto::imap::types::CommandBody;

use super::cut::Cut;
use crate::dice::Dice;
use crate::{Target, mark, seeds};

/// The target.
pub const TARGET: Target = Target {
    name: "imap_reader",
    run: imap_reader,
    seeds: || {
        let mut all = seeds::transcripts("imap");
        all.extend(COMMANDS.iter().map(|text| format!("{text}\r\n").into_bytes()));
        all
    },
    words: WORDS,
    must_reach: &[
        "Fetch",
        "Search",
        "Store",
        "List",
        "Append",
        "AppendEnd",
        "Invite",
        "Bad",
        "BadCharset",
        "TooBig",
        "Overrun",
        "Status",
        "Copy",
        "taken",
        "line",
    ],
};

pub(super) const COMMANDS: &[&str] = &[
    "a LOGIN {5}\r\nalice {4+}\r\npass",
    "a LOGIN alice pass",
    "a AUTHENTICATE PLAIN AGEAYg==",
    "a SELECT INBOX (CONDSTORE)",
    "a FETCH 1:* (FLAGS BODY[HEADER.FIELDS (DATE \"From\")] BODY.PEEK[1.2.MIME]<0.100> MODSEQ) (CHANGEDSINCE 12345)",
    "a UID FETCH 1,3:5,* FULL",
    "a FETCH 2 (RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE ENVELOPE BODYSTRUCTURE INTERNALDATE UID BODY[])",
    "a SEARCH RETURN (MIN MAX COUNT) CHARSET UTF-8 OR (NOT FROM {3+}\r\na\"b) (SUBJECT x) 1:3 UID 4 SINCE 1-Feb-1994 \
     HEADER X-Y \"\" KEYWORD $A LARGER 5 MODSEQ \"/flags/\\\\seen\" all 7",
    "a SEARCH CHARSET KOI8-R ALL\r\na SEARCH UNSEEN\r\na UID SEARCH NOT 1:3",
    "a UID STORE 1:5 (UNCHANGEDSINCE 7) +FLAGS.SILENT (\\Seen $Junk)",
    "a STORE * FLAGS \\Deleted",
    "a APPEND INBOX (\\Seen) \"17-Jul-1996 02:44:25 -0700\" {5}\r\nhello\r\na NOOP",
    "a APPEND \"Sent\" {3+}\r\nabc",
    "a APPEND x UTF8 (~{3+}\r\nabc)",
    "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"*\" % INBOX/%) RETURN (CHILDREN STATUS (MESSAGES UNSEEN) SPECIAL-USE)",
    "a LSUB \"\" %",
    "a STATUS &AOQ- (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ DELETED APPENDLIMIT)",
    "a CREATE x/y (USE (\\Sent))",
    "a RENAME a {1}\r\nb",
    "a DELETE x\r\na SUBSCRIBE y\r\na UNSUBSCRIBE y",
    "a UID COPY 1:2 Trash\r\na MOVE 1 Archive\r\na UID EXPUNGE 1:9\r\na EXPUNGE",
    "a ID (\"name\" \"x\" \"version\" NIL)\r\na ID NIL",
    "a ENABLE CONDSTORE UTF8=ACCEPT",
    "a IDLE\r\nDONE\r\na CHECK\r\na CLOSE\r\na UNSELECT\r\na NAMESPACE\r\na CAPABILITY\r\na STARTTLS\r\na LOGOUT",
];

pub(super) const WORDS: &[&str] = &[
    "FETCH",
    "UID",
    "SEARCH",
    "STORE",
    "COPY",
    "MOVE",
    "APPEND",
    "LIST",
    "LOGIN",
    "alice",
    "pass",
    "SELECT INBOX",
    "EXPUNGE",
    "IDLE\r\n",
    "DONE\r\n",
    "STATUS",
    "1:*",
    "*",
    ",",
    ":",
    "(",
    ")",
    "{3}\r\nabc",
    "{3+}\r\nabc",
    "{0}\r\n",
    "{4294967296}\r\n",
    "{99999999999999999999}\r\n",
    "~{3}\r\n",
    "BODY[]",
    "BODY[1.2.3.HEADER]",
    "BODY[TEXT]<0.5>",
    "HEADER.FIELDS.NOT (a)",
    "BODYSTRUCTURE",
    "ENVELOPE",
    "FLAGS",
    "\\Seen",
    "\\Deleted",
    "$Kw",
    "NOT ",
    "OR ",
    "UNSEEN",
    "\"",
    "\\",
    "&AOQ-",
    "%",
    "NIL",
    "RETURN (COUNT ALL)",
    "CHARSET UTF-8 ",
    "(CHANGEDSINCE 3)",
    "(UNCHANGEDSINCE 3)",
    "\r\na ",
    "\r\nb NOOP\r\n",
    "INBOX",
    "Trash",
    "a/b",
    ".SILENT",
    "+",
    "-",
];

/// What came of an input, without the pieces in which it came.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Event(Event),
    /// Octets of a message.
    Taken(Vec<u8>),
    /// A line that is no command, or none because it was too long.
    Line(Option<Bytes>),
}

/// Octets of a client: events do not depend on the cutting, and memory is bounded.
pub fn imap_reader(data: &[u8]) {
    let whole = read(data, Cut::Whole);
    let cut = Cut::other(data);
    let other = read(data, cut.clone());
    if whole != other {
        let at = whole.iter().zip(&other).take_while(|(one, other)| one == other).count();
        panic!("cut as {cut:?} it differs at {at}: {:?}\n{:?}", whole.get(at), other.get(at));
    }
    whole.iter().for_each(check);
}

fn read(data: &[u8], cut: Cut) -> Vec<Seen> {
    let mut dice = Dice::of(data);
    let mut reader = Reader::new();
    if dice.once_in(2) {
        reader.set_command_max(limits::COMMAND_MAX);
    }
    reader.set_utf8(dice.once_in(2));
    let mut seen = Vec::new();
    // Waiting for a line that is no command.
    let mut line = None;
    for chunk in cut.chunks(data) {
        reader.push(chunk);
        while let Some(one) = step(&mut reader, &mut dice, &mut line) {
            match (seen.last_mut(), one) {
                (Some(Seen::Taken(before)), Seen::Taken(more)) => before.extend(more),
                (Some(Seen::Event(Event::Overrun { .. })), more) => panic!("after the end: {more:?}"),
                (_, one) => seen.push(one),
            }
        }
        if !matches!(seen.last(), Some(Seen::Event(Event::Overrun { .. }))) {
            assert!(reader.buffered() <= limits::LINE_MAX + 2, "{} octets are held", reader.buffered());
        }
    }
    seen
}

fn step(reader: &mut Reader, dice: &mut Dice, line: &mut Option<usize>) -> Option<Seen> {
    if let Some(max) = *line {
        let found = reader.take_line(max)?;
        *line = None;
        return Some(Seen::Line(found.ok()));
    }
    if let Some(taken) = reader.take_literal(100) {
        return Some(Seen::Taken(taken.to_vec()));
    }
    let event = reader.next_event()?;
    if let Event::Command(command) = &event {
        match &command.body {
            CommandBody::Append { .. } if dice.once_in(3) => reader.refuse_append(1000),
            CommandBody::Append { .. } => reader.accept_append(),
            CommandBody::Idle | CommandBody::Authenticate { .. } => {
                *line = Some([0, 10, 100_000][dice.roll(3)]);
            }
            _ => {}
        }
    }
    Some(Seen::Event(event))
}

fn check(seen: &Seen) {
    match seen {
        Seen::Taken(_) => mark::reached("taken"),
        Seen::Line(_) => mark::reached("line"),
        Seen::Event(event) => {
            let name = format!("{event:?}");
            mark::reached(name.split([' ', '(']).next().unwrap_or_default());
            match event {
                Event::Command(command) => {
                    check_tag(&command.tag);
                    let body = format!("{:?}", command.body);
                    mark::reached(body.split([' ', '(']).next().unwrap_or_default());
                }
                Event::Bad { tag, text } | Event::TooBig { tag, text } => {
                    tag.iter().for_each(|tag| check_tag(tag));
                    check_text(text);
                    mark::reached(text.split(" at ").next().unwrap_or_default());
                }
                Event::BadCharset { tag } => check_tag(tag),
                Event::Overrun { text } => check_text(text),
                Event::Invite | Event::AppendEnd => {}
            }
        }
    }
}

fn check_tag(tag: &str) {
    let wrong = |octet: u8| !octet.is_ascii_graphic() || b"(){%*\"\\+".contains(&octet);
    assert!((1..=limits::TAG_MAX).contains(&tag.len()) && !tag.bytes().any(wrong), "{tag:?} is no tag");
}

fn check_text(text: &str) {
    assert!(!text.is_empty() && text.len() <= 512, "{text}");
    assert!(text.bytes().all(|octet| matches!(octet, b' '..=b'~')), "{text:?}");
    assert!(!text.ends_with('}'), "it looks like a literal: {text}");
}
