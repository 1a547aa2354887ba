//! What holds for every message, however broken and however it arrives; and what hostile ones may cost.

use std::fmt::Write;
use std::ops::Range;
use std::time::{Duration, Instant};

use mail::limits::{ADDRESSES_MAX, DEPTH_MAX, HEADER_MAX, PARAMETERS_MAX, PARTS_MAX};
use mail::{Content, Envelope, EnvelopeAddress, Indexer, Part, Summary, header};
use proptest::prelude::*;

fn index(message: &[u8]) -> Summary {
    let mut indexer = Indexer::new();
    indexer.push(message);
    indexer.finish()
}

fn index_pieces(message: &[u8], sizes: &[usize]) -> Summary {
    let mut indexer = Indexer::new();
    let (mut rest, mut sizes) = (message, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(1).min(rest.len());
        indexer.push(&rest[..size]);
        rest = &rest[size..];
    }
    indexer.finish()
}

/// Every part below and with this one, with its depth.
fn walk<'a>(part: &'a Part, depth: usize, visit: &mut impl FnMut(&'a Part, usize)) {
    visit(part, depth);
    match &part.content {
        Content::Leaf => {}
        Content::Multipart(parts) => parts.iter().for_each(|part| walk(part, depth + 1, visit)),
        Content::Message(inner) => walk(&inner.root, depth + 1, visit),
    }
}

fn count(summary: &Summary) -> (usize, usize) {
    let (mut parts, mut deepest) = (0, 0);
    walk(&summary.root, 1, &mut |_, depth| {
        parts += 1;
        deepest = deepest.max(depth);
    });
    (parts, deepest)
}

fn inside(inner: &Range<u64>, outer: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.start <= inner.end && inner.end <= outer.end
}

fn is_one_line(value: &[u8]) -> bool {
    !value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0))
}

fn check_envelope(envelope: &Envelope) {
    let texts = [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id];
    assert!(texts.into_iter().flatten().all(|value| is_one_line(value)));
    let Envelope { from, sender, reply_to, to, cc, bcc, .. } = envelope;
    for list in [from, sender, reply_to, to, cc, bcc] {
        assert!(list.len() <= ADDRESSES_MAX + 1);
        let mut in_group = false;
        for EnvelopeAddress { name, mailbox, host } in list {
            assert!([name, mailbox, host].into_iter().flatten().all(|value| is_one_line(value)));
            // RFC 9051 §7.5.2: a group begins with a name and no host, and ends with neither.
            match (mailbox, host) {
                (Some(_), Some(_)) => {}
                (Some(_), None) => assert!(!std::mem::replace(&mut in_group, true)),
                (None, host) => assert!(host.is_none() && std::mem::take(&mut in_group)),
            }
        }
        assert!(!in_group);
    }
}

fn check_part(part: &Part, message: &[u8]) {
    let slice = |range: &Range<u64>| &message[range.start as usize..range.end as usize];
    assert!(part.header.start <= part.header.end);
    assert_eq!(part.header.end, part.body.start);
    let body = slice(&part.body);
    let ends = body.iter().filter(|octet| **octet == b'\n').count();
    assert_eq!(part.lines, (ends + usize::from(!body.is_empty() && !body.ends_with(b"\n"))) as u64);
    assert!(!part.media.is_empty() && !part.subtype.is_empty());
    let values = part.parameters.iter().flat_map(|(name, value)| [name, value]);
    let texts = [&part.id, &part.description, &part.encoding, &part.md5, &part.location];
    assert!(values.chain(texts.into_iter().flatten()).all(|value| is_one_line(value)));
    // The section is fields and at most an empty line.
    let section = slice(&part.header);
    let fields: usize = header::fields(section).map(|field| field.raw.len()).sum();
    assert!(matches!(&section[fields..], b"" | b"\n" | b"\r\n"), "{:?}", String::from_utf8_lossy(section));
    let mut from = part.body.start;
    match &part.content {
        Content::Leaf => {}
        Content::Multipart(parts) => {
            assert!(!parts.is_empty());
            for inner in parts {
                assert!(inside(&(inner.header.start..inner.body.end), &part.body));
                assert!(inner.header.start >= from);
                from = inner.body.end;
            }
        }
        Content::Message(inner) => {
            assert_eq!(inner.root.header.start..inner.root.body.end, part.body);
            check_envelope(&inner.envelope);
        }
    }
}

fn check(summary: &Summary, message: &[u8]) {
    assert_eq!(summary.root.header.start, 0);
    assert_eq!(summary.root.body.end, message.len() as u64);
    check_envelope(&summary.envelope);
    walk(&summary.root, 1, &mut |part, depth| {
        assert!(depth <= DEPTH_MAX);
        check_part(part, message);
    });
    assert_eq!(Summary::decode(&summary.encode()).as_ref(), Some(summary));
}

/// Pieces of which messages are made that are nearly right.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&[u8]; 44] = [
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b"--",
        b"--a",
        b"--a\r\n",
        b"\r\n--a\r\n",
        b"\r\n--a--\r\n",
        b"\r\n--ab\r\n",
        b"\r\n--ab--\r\n",
        b"\n--ab\n",
        b"--ab--",
        b"Content-Type: multipart/mixed; boundary=a\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=ab\r\n\r\n",
        b"Content-Type: multipart/digest; boundary=\"ab\"\n\n",
        b"Content-Type: multipart/x; boundary=\"\"\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: message/global\r\n",
        b"Content-Type: text/html; charset=utf-8; name*0*=a; name*1=b\r\n",
        b"content-type: nonsense\r\n",
        b"Content-Disposition: attachment; filename=\"a b\"\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Language: en, de\r\n",
        b"Content-ID: <x>\r\nContent-MD5: y\r\nContent-Location: z\r\n",
        b"Subject: some\r\n thing\r\n",
        b"From: A B <a@b>, g: c@d, e;\r\n",
        b"To: \"x (y <z\r\n",
        b"Cc: (a),,;:\r\nBcc: <@a,@b:c@d>\r\n",
        b"Date: today\nMessage-ID: <m>\n",
        b"From a@b Mon\r\n",
        b"stray line\r\n",
        b"  folded line\r\n",
        b"text",
        b"Gr\xfc\xc3\xbc",
        b"\"",
        b"(",
        b";",
        b"boundary=ab",
        b"Content-Type",
    ];
    let piece = prop_oneof![
        8 => prop::sample::select(&PIECES[..]).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 1..4),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn any_octets_are_a_message(message in pieces(), sizes in prop::collection::vec(1_usize..30, 1..8)) {
        let summary = index(&message);
        check(&summary, &message);
        prop_assert_eq!(&summary, &index_pieces(&message, &sizes));
        prop_assert_eq!(&summary, &index_pieces(&message, &[1]));
    }

    /// Whatever is decoded is what its octets say, and lies inside of the message.
    #[test]
    fn damaged_summaries(message in pieces(), at in any::<prop::sample::Index>(), octet in any::<u8>(), cut in any::<bool>()) {
        let mut stored = index(&message).encode();
        let at = at.index(stored.len());
        stored[at] = octet;
        if cut {
            stored.truncate(at);
        }
        if let Some(summary) = Summary::decode(&stored) {
            prop_assert_eq!(summary.encode(), stored);
            walk(&summary.root, 1, &mut |part, _| {
                assert!(part.header.start <= part.header.end && part.header.end <= part.body.start);
                assert!(part.body.start <= part.body.end && part.body.end <= summary.root.body.end);
            });
        }
    }

    #[test]
    fn noise_is_no_summary(stored in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Some(summary) = Summary::decode(&stored) {
            prop_assert_eq!(summary.encode(), stored);
        }
    }

    /// Every octet of a section belongs to a field, until the empty line.
    #[test]
    fn fields_lose_nothing(section in pieces()) {
        let fields: Vec<_> = header::fields(&section).collect();
        let length: usize = fields.iter().map(|field| field.raw.len()).sum();
        prop_assert_eq!(fields.iter().map(|field| field.raw).collect::<Vec<_>>().concat(), &section[..length]);
        prop_assert!(fields.iter().all(|field| is_one_line(&field.unfolded())));
        let rest = &section[length..];
        prop_assert!(rest.is_empty() || rest.starts_with(b"\n") || rest.starts_with(b"\r\n"));
        prop_assert!(fields.iter().skip(1).all(|field| !field.name.is_empty()));
    }
}

/// Lines that are longer than what is kept of them, cut anywhere near what decides about them.
#[test]
fn long_lines_do_not_depend_on_the_cut() {
    let long = "x".repeat(5000);
    let blanks = " ".repeat(5000);
    let boundary = "y".repeat(980);
    let mut message = format!("Subject: {long}\r\n {long}\r\n{long}\r\nX-{long}: 1\r\n{long}\r\n");
    write!(message, "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n{long}\r\n").unwrap();
    write!(message, "--{boundary}{blanks}\r\n\r\n--{long}\r\n{long}\r\n--{boundary}--{blanks}\r\n{long}")
        .unwrap();
    let whole = index(message.as_bytes());
    check(&whole, message.as_bytes());
    let subject = whole.envelope.subject.as_deref().map(<[u8]>::len);
    // The subject, a line folded, one that should have been, and two more because that name is too long for a field.
    assert_eq!(subject, Some(5000 + 1 + 5000 + 1 + 5000 + 1 + 5005 + 1 + 5000));
    for size in [1, 2, 3, 7, 979, 1023, 1024, 1025, 4096, 5001] {
        assert_eq!(whole, index_pieces(message.as_bytes(), &[size]), "{size}");
    }
}

/// A delimiter may be followed by blanks, but not by more than are looked at: then it is only the beginning of a
/// line, and the longer of two boundaries has it.
#[test]
fn a_delimiter_with_a_long_tail() {
    let message = |blanks: usize| {
        let outer = "Content-Type: multipart/mixed; boundary=\"x--\"\r\n\r\n--x--\r\n";
        let inner = "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--x--";
        format!("{outer}{inner}{}\r\n\r\nend", " ".repeat(blanks))
    };
    for (blanks, parts) in [(0, 3), (1000, 3), (2000, 4)] {
        let message = message(blanks);
        let whole = index(message.as_bytes());
        assert_eq!(count(&whole).0, parts, "{blanks}");
        for size in [1, 100, 1024, 1500] {
            assert_eq!(whole, index_pieces(message.as_bytes(), &[size]), "{blanks} {size}");
        }
    }
}

/// What is read of a section ends at the same octet however it arrives.
#[test]
fn a_huge_header_section_is_read_in_part() {
    let mut message = format!("Subject: one\r\nX: {}\r\nTo: ", "x".repeat(HEADER_MAX - 28));
    message.push_str("a@b, c@d, e@f\r\nCc: late@example.org\r\n\r\nbody");
    let whole = index(message.as_bytes());
    check(&whole, message.as_bytes());
    assert_eq!(whole.envelope.to.len(), 1);
    assert!(whole.envelope.cc.is_empty());
    assert_eq!(whole.root.body, message.len() as u64 - 4..message.len() as u64);
    for size in [1000, HEADER_MAX - 1, HEADER_MAX, HEADER_MAX + 1] {
        assert_eq!(whole, index_pieces(message.as_bytes(), &[size]), "{size}");
    }
}

/// Indexes in pieces as a socket delivers them, within a second.
#[track_caller]
fn quickly(message: &[u8]) -> Summary {
    let start = Instant::now();
    let summary = index_pieces(message, &[16 * 1024]);
    let stored = summary.encode();
    let took = start.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(stored.len() <= message.len() + 1000, "{} of {}", stored.len(), message.len());
    check(&summary, message);
    summary
}

#[test]
fn many_fields() {
    let summary = quickly("To: someone@example.org\r\n".repeat(500_000).as_bytes());
    assert_eq!(summary.envelope.to.len(), ADDRESSES_MAX);
    assert_eq!(summary.root.body.start, 12_500_000);
    quickly("Subject: x\r\n".repeat(500_000).as_bytes());
    quickly(("To: a".to_owned() + &", a".repeat(1_000_000)).as_bytes());
    quickly(("References: ".to_owned() + &"<a@b>\r\n ".repeat(1_000_000)).as_bytes());
    quickly("no field\r\n".repeat(500_000).as_bytes());
    quickly(("Subject: x\r\n".to_owned() + &"no field\r\n".repeat(500_000)).as_bytes());
    quickly(("Subject: ".to_owned() + &"x".repeat(50_000_000)).as_bytes());
    quickly(&vec![b'\r'; 10_000_000]);
    quickly(&vec![b'\n'; 10_000_000]);
    quickly(&vec![0; 10_000_000]);
}

#[test]
fn many_parts() {
    let multipart = "Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_owned();
    let flat = quickly((multipart.clone() + &"--b\r\n\r\nx\r\n".repeat(100_000)).as_bytes());
    assert_eq!(count(&flat), (PARTS_MAX, 2));
    // The last part has the rest.
    let Content::Multipart(parts) = &flat.root.content else { panic!("{:?}", flat.root.content) };
    assert_eq!(parts[PARTS_MAX - 2].body.end, flat.root.body.end);
    let closed =
        quickly((multipart.clone() + &"--b\r\n\r\nx\r\n".repeat(100_000) + "--b--\r\nend").as_bytes());
    let Content::Multipart(parts) = &closed.root.content else { panic!("{:?}", closed.root.content) };
    assert_eq!(parts[PARTS_MAX - 2].body.end, closed.root.body.end - 12);

    let empty = quickly((multipart + &"--b\r\n".repeat(100_000)).as_bytes());
    assert_eq!(count(&empty), (PARTS_MAX, 2));
    let mut many_multiparts = String::from("Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    many_multiparts.push_str(&"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n".repeat(20_000));
    let (parts, depth) = count(&quickly(many_multiparts.as_bytes()));
    assert!(parts <= PARTS_MAX && parts > PARTS_MAX - 3 && depth == 3, "{parts}");
}

#[test]
fn deep_nesting() {
    let messages = quickly("Content-Type: message/rfc822\r\n\r\n".repeat(10_000).as_bytes());
    assert_eq!(count(&messages), (DEPTH_MAX, DEPTH_MAX));
    let mut multiparts = String::new();
    for depth in 0..10_000 {
        write!(multiparts, "Content-Type: multipart/mixed; boundary=b{depth:05}\r\n\r\n--b{depth:05}\r\n")
            .unwrap();
    }
    let summary = quickly(multiparts.as_bytes());
    assert_eq!(count(&summary), (DEPTH_MAX, DEPTH_MAX));
    // Every level looks at every line.
    let prefix = "p".repeat(900);
    let mut costly = String::new();
    for depth in 0..DEPTH_MAX {
        write!(
            costly,
            "Content-Type: multipart/mixed; boundary={prefix}{depth}\r\n\r\n--{prefix}{depth}\r\n"
        )
        .unwrap();
    }
    costly.push_str(&format!("\r\n--{prefix}").repeat(10_000));
    quickly(costly.as_bytes());
    // The deepest message has a digest in a digest in a digest.
    quickly("Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n".repeat(10_000).as_bytes());
}

#[test]
fn many_parameters() {
    let mut value = String::from("Content-Type: multipart/mixed");
    (0..1_000_000).for_each(|piece| write!(value, "; a*{piece}*=x").unwrap());
    let summary = quickly((value.clone() + "; boundary=b\r\n\r\n").as_bytes());
    assert_eq!(summary.root.parameters.len(), PARAMETERS_MAX);
    let mut folded = value.replace("; ", ";\r\n ");
    folded.push_str("\r\n\r\n");
    quickly(folded.as_bytes());
    for hostile in ["(", "()", "\"", "\\", ";", "=", "a=\"", "a=(", ";a=(b", "; a", "/"] {
        quickly(format!("Content-Type: a/b{}\r\n\r\n", hostile.repeat(1_000_000 / hostile.len())).as_bytes());
        quickly(
            format!("Content-Language: {}\r\n\r\n", hostile.repeat(1_000_000 / hostile.len())).as_bytes(),
        );
    }
    let comment = "(".repeat(100_000) + &")".repeat(100_000);
    let summary =
        quickly(format!("Content-Type: {comment} text {comment} / {comment} html\r\n\r\n").as_bytes());
    assert_eq!(summary.root.subtype, b"html");
}

/// All lists together stay within memory, and no group is left open.
#[test]
fn many_envelopes() {
    let mut message = String::from("Content-Type: multipart/digest; boundary=b\r\n\r\n");
    for _ in 0..2000 {
        write!(message, "--b\r\n\r\nTo: {}\r\nSubject: s\r\n\r\n", "g:a@b,".repeat(1000)).unwrap();
    }
    let summary = quickly(message.as_bytes());
    let mut addresses = 0;
    walk(&summary.root, 1, &mut |part, _| {
        if let Content::Message(inner) = &part.content {
            addresses += inner.envelope.to.len();
        }
    });
    assert!((10_000..100_000).contains(&addresses), "{addresses}");
}
