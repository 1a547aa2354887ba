//! The indexer of messages, and the stored form of what it finds.

use mail::{Content, Indexer, Part, Summary, limits};
use proto::imap::print;
use proto::imap::section::locate;
use proto::imap::types::{Section, SectionText};

use super::cut::Cut;
use super::imap_output;
use crate::{Target, mark, seeds};

/// Messages in.
pub const INDEX: Target = Target {
    name: "index",
    run: index,
    seeds: seeds::messages,
    words: WORDS,
    must_reach: &["multipart", "message", "deep", "encoding", "disposition", "language", "group"],
};

/// Stored octets in.
pub const SUMMARY: Target = Target {
    name: "summary",
    run: summary,
    seeds: || seeds::messages().iter().map(|message| found(message, Cut::Whole).encode()).collect(),
    words: &["\0", "\u{1}", "\u{2}", "text", "plain", "multipart", "message", "rfc822"],
    must_reach: &["decoded", "damaged"],
};

pub(super) const WORDS: &[&str] = &[
    "Content-Type:",
    "multipart/mixed",
    "multipart/digest",
    "message/rfc822",
    "text/plain",
    "; boundary=",
    "--b",
    "--b--",
    "\r\n--b\r\n",
    "\r\n\r\n",
    "\r\n ",
    "\r\n\t",
    "Subject: ",
    "From: ",
    "To: ",
    "Date: ",
    "Content-Disposition: ",
    "Content-Language: ",
    "Content-Transfer-Encoding: ",
    "Content-ID: ",
    "filename*0*=",
    "filename*=utf-8''",
    "\"",
    "=?utf-8?q?",
    "=?utf-8?b?",
    "?=",
    "<a@b>",
    "g:;",
    ",",
    ";",
    "(",
    ")",
    "From a@b",
    "--",
];

fn found(message: &[u8], cut: Cut) -> Summary {
    let mut indexer = Indexer::new();
    cut.chunks(message).for_each(|chunk| indexer.push(chunk));
    indexer.finish()
}

/// A message: any cutting gives the same, all ranges lie in it, it can be stored, and printed.
pub fn index(data: &[u8]) {
    let whole = found(data, Cut::Whole);
    let cut = Cut::other(data);
    assert_eq!(found(data, cut.clone()), whole, "cut as {cut:?}");
    assert_eq!((whole.root.header.start, whole.root.body.end), (0, data.len() as u64));
    let mut parts = 0;
    check(&whole, data, 0, &mut parts);
    assert!(parts <= limits::PARTS_MAX, "{parts} parts");
    let stored = whole.encode();
    // An address of one letter and a comma is stored with a domain that says that there was none.
    assert!(stored.len() <= 200 + 20 * data.len(), "{} octets are stored of {}", stored.len(), data.len());
    assert_eq!(Summary::decode(&stored).as_ref(), Some(&whole));
    prints(&whole, data.len() as u64);
}

fn check(summary: &Summary, data: &[u8], depth: usize, parts: &mut usize) {
    let envelope = &summary.envelope;
    for list in
        [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc]
    {
        assert!(list.len() <= limits::ADDRESSES_MAX);
        let mut inside = false;
        for address in list {
            [&address.name, &address.mailbox, &address.host]
                .into_iter()
                .flatten()
                .for_each(|value| one_line(value));
            match (&address.mailbox, &address.host) {
                (Some(_), None) => {
                    mark::reached("group");
                    assert!(!inside, "a group within a group");
                    inside = true;
                }
                (None, None) => {
                    assert!(inside, "a group ends that was not begun");
                    inside = false;
                }
                (mailbox, _) => assert!(mailbox.is_some(), "a host without a mailbox"),
            }
        }
        assert!(!inside, "a group is not ended");
    }
    [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id]
        .into_iter()
        .flatten()
        .for_each(|value| one_line(value));
    check_part(&summary.root, data, depth, parts);
}

fn check_part(part: &Part, data: &[u8], depth: usize, parts: &mut usize) {
    *parts += 1;
    assert!(depth < limits::DEPTH_MAX, "{depth} parts in one another");
    if depth > 3 {
        mark::reached("deep");
    }
    let (header, body) = (&part.header, &part.body);
    assert!(header.start <= header.end && header.end <= body.start && body.start <= body.end);
    let octets = &data[usize::try_from(body.start).unwrap_or(0)..usize::try_from(body.end).unwrap_or(0)];
    let ends = octets.iter().filter(|octet| **octet == b'\n').count();
    let lines = ends + usize::from(!octets.is_empty() && !octets.ends_with(b"\n"));
    assert_eq!(part.lines, lines as u64, "lines of {}", octets.escape_ascii());
    assert!(!part.media.is_empty() && !part.subtype.is_empty());
    check_values(part);
    let inside = |inner: &Part| {
        assert!(
            inner.header.start >= body.start && inner.body.end <= body.end,
            "{inner:?} is not in {body:?}"
        );
    };
    match &part.content {
        Content::Leaf => {}
        Content::Multipart(inner) => {
            mark::reached("multipart");
            assert!(!inner.is_empty(), "a multipart without a part");
            for pair in inner.windows(2) {
                assert!(pair[0].body.end <= pair[1].header.start, "parts overlap");
            }
            for part in inner {
                inside(part);
                check_part(part, data, depth + 1, parts);
            }
        }
        Content::Message(inner) => {
            mark::reached("message");
            inside(&inner.root);
            check(inner, data, depth + 1, parts);
        }
    }
}

fn check_values(part: &Part) {
    let mut values = vec![&part.media, &part.subtype];
    values.extend(
        [&part.id, &part.description, &part.encoding, &part.md5, &part.location].into_iter().flatten(),
    );
    values.extend(&part.language);
    values.extend(part.parameters.iter().flat_map(|(name, value)| [name, value]));
    if let Some(disposition) = &part.disposition {
        mark::reached("disposition");
        values.push(&disposition.kind);
        values.extend(disposition.parameters.iter().flat_map(|(name, value)| [name, value]));
    }
    values.into_iter().for_each(|value| one_line(value));
    if part.encoding.is_some() {
        mark::reached("encoding");
    }
    if !part.language.is_empty() {
        mark::reached("language");
    }
    assert!(part.parameters.len() <= limits::PARAMETERS_MAX && part.language.len() <= limits::LANGUAGES_MAX);
}

fn one_line(value: &[u8]) {
    assert!(!value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)), "\"{}\"", value.escape_ascii());
}

/// As a client would see it: well formed, and every section within the message.
fn prints(summary: &Summary, size: u64) {
    let mut out = bytes::BytesMut::new();
    out.extend_from_slice(b"* 1 FETCH (ENVELOPE ");
    print::envelope(&mut out, &summary.envelope);
    out.extend_from_slice(b" BODY ");
    print::body_structure(&mut out, &summary.root, false);
    out.extend_from_slice(b" BODYSTRUCTURE ");
    print::body_structure(&mut out, &summary.root, true);
    out.extend_from_slice(b")\r\n");
    assert_eq!(imap_output::responses(&out).len(), 1);
    const PATHS: [&[u32]; 9] =
        [&[], &[1], &[2], &[1, 1], &[2, 1], &[1, 2], &[1, 1, 1], &[2, 2, 2], &[u32::MAX]];
    for path in PATHS {
        for text in [SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime] {
            if let Some(extent) = locate(summary, &Section { path: path.to_vec(), text }) {
                let range = extent.range();
                assert!(range.start <= range.end && range.end <= size, "{path:?} {range:?}");
            }
        }
    }
}

/// Octets of a store that may be damaged: decoded or refused, and one summary has one stored form.
pub fn summary(data: &[u8]) {
    let Some(found) = Summary::decode(data) else { return mark::reached("damaged") };
    mark::reached("decoded");
    let again = found.encode();
    assert_eq!(again, data, "another stored form");
    ranges(&found.root);
    let mut out = bytes::BytesMut::new();
    print::body_structure(&mut out, &found.root, true);
}

fn ranges(part: &Part) {
    assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
    assert!(part.body.start <= part.body.end);
    match &part.content {
        Content::Leaf => {}
        Content::Multipart(parts) => parts.iter().for_each(ranges),
        Content::Message(inner) => ranges(&inner.root),
    }
}
