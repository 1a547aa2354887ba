//! Responses as the RFCs write them, and sections where RFC 9051 §6.4.5 says they are.

use bytes::BytesMut;
use mail::{
    Content, Disposition, Envelope, EnvelopeAddress, Flags, ModSeq, Moment, Part, SpecialUse, Summary, Uid,
    UidSet, UidValidity,
};
use proto::imap::print::{self, Esearch, ListEntry};
use proto::imap::section::{Extent, filter_fields, locate};
use proto::imap::types::{Section, SectionText, StatusItem};

fn printed(print: impl FnOnce(&mut BytesMut)) -> String {
    let mut out = BytesMut::from("before ");
    print(&mut out);
    let text = String::from_utf8(out.to_vec()).unwrap();
    text.strip_prefix("before ").unwrap().to_owned()
}

fn some(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

fn address(name: &str, mailbox: &str, host: &str) -> EnvelopeAddress {
    EnvelopeAddress {
        name: (!name.is_empty()).then(|| name.into()),
        mailbox: some(mailbox),
        host: some(host),
    }
}

/// The message of RFC 3501 §8.
fn gray() -> Envelope {
    Envelope {
        date: some("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)"),
        subject: some("IMAP4rev1 WG mtg summary and minutes"),
        from: vec![address("Terry Gray", "gray", "cac.washington.edu")],
        to: vec![address("", "imap", "cac.washington.edu")],
        cc: vec![address("", "minutes", "CNRI.Reston.VA.US"), address("John Klensin", "KLENSIN", "MIT.EDU")],
        message_id: some("<B27397-0100000@cac.washington.edu>"),
        ..Envelope::default()
    }
}

/// RFC 3501 §8.
#[test]
fn envelope() {
    assert_eq!(
        printed(|out| print::envelope(out, &gray())),
        "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
         ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) \
         ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\")(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \
         \"<B27397-0100000@cac.washington.edu>\")"
    );
}

/// RFC 9051 §7.5.2: a group, a subject with 8-bit octets, a Sender of its own, an empty envelope.
#[test]
fn unusual_envelopes() {
    let group = |name: &str| EnvelopeAddress { mailbox: some(name), ..EnvelopeAddress::default() };
    let envelope = Envelope {
        subject: some("gr\u{fc}n \"x\""),
        from: vec![address("", "a", "b")],
        sender: vec![address("Q \"q\"", "c", "d")],
        to: vec![group("undisclosed"), EnvelopeAddress::default()],
        in_reply_to: some(""),
        ..Envelope::default()
    };
    assert_eq!(
        printed(|out| print::envelope(out, &envelope)),
        "(NIL {9}\r\ngr\u{fc}n \"x\" ((NIL NIL \"a\" \"b\")) ((\"Q \\\"q\\\"\" NIL \"c\" \"d\")) ((NIL NIL \"a\" \"b\")) \
         ((NIL NIL \"undisclosed\" NIL)(NIL NIL NIL NIL)) NIL NIL \"\" NIL)"
    );
    assert_eq!(
        printed(|out| print::envelope(out, &Envelope::default())),
        "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    );
}

fn leaf(media: &str, subtype: &str, size: u64, lines: u64) -> Part {
    Part { body: 0..size, lines, media: media.into(), subtype: subtype.into(), ..Part::default() }
}

fn with_charset(mut part: Part) -> Part {
    part.parameters.insert(0, ("CHARSET".into(), "US-ASCII".into()));
    part
}

/// RFC 9051 §7.5.2: the two examples of BODYSTRUCTURE.
#[test]
fn body_structures_of_the_rfc() {
    let text = with_charset(leaf("TEXT", "PLAIN", 2279, 48));
    let wanted = r#"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 2279 48)"#;
    assert_eq!(printed(|out| print::body_structure(out, &text, false)), wanted);

    let mut diff = with_charset(leaf("TEXT", "PLAIN", 4554, 73));
    diff.parameters.push(("NAME".into(), "cc.diff".into()));
    diff.id = some("<960723163407.20117h@cac.washington.edu>");
    diff.description = some("Compiler diff");
    diff.encoding = some("BASE64");
    let mixed = Part {
        media: "MULTIPART".into(),
        subtype: "MIXED".into(),
        content: Content::Multipart(vec![with_charset(leaf("TEXT", "PLAIN", 1152, 23)), diff]),
        ..Part::default()
    };
    let wanted = concat!(
        r#"(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1152 23)"#,
        r#"("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" "#,
        r#""Compiler diff" "BASE64" 4554 73) "MIXED")"#
    );
    assert_eq!(printed(|out| print::body_structure(out, &mixed, false)), wanted);
}

/// RFC 9051 §9 body-ext-1part, body-ext-mpart, body-type-msg.
#[test]
fn extension_data() {
    let mut image = leaf("image", "png", 10, 1);
    image.md5 = some("Q2hlY2s=");
    image.disposition = Some(Disposition {
        kind: "attachment".into(),
        parameters: vec![("filename".into(), "a b.png".into())],
    });
    image.language = vec!["en".into(), "de".into()];
    image.location = some("http://x/");
    let inner = Summary { envelope: gray(), root: leaf("text", "html", 3, 1) };
    let message = Part { content: Content::Message(Box::new(inner)), ..leaf("message", "rfc822", 99, 7) };
    let mut mixed = leaf("multipart", "mixed", 500, 9);
    mixed.parameters = vec![("boundary".into(), "=_\"x".into())];
    mixed.language = vec!["fr".into()];
    mixed.content = Content::Multipart(vec![image, message]);
    let envelope = printed(|out| print::envelope(out, &gray()));
    let wanted = format!(
        concat!(
            r#"(("image" "png" NIL NIL NIL "7BIT" 10 "Q2hlY2s=" ("attachment" ("filename" "a b.png")) ("en" "de") "http://x/")"#,
            r#"("message" "rfc822" NIL NIL NIL "7BIT" 99 {} ("text" "html" NIL NIL NIL "7BIT" 3 1 NIL NIL NIL NIL) 7 NIL NIL NIL NIL)"#,
            r#" "mixed" ("boundary" "=_\"x") NIL "fr" NIL)"#
        ),
        envelope
    );
    assert_eq!(printed(|out| print::body_structure(out, &mixed, true)), wanted);
    // What was not looked into still has the shape that its media type promises.
    let closed = printed(|out| print::body_structure(out, &leaf("Message", "RFC822", 9, 2), false));
    assert_eq!(
        closed,
        concat!(
            r#"("Message" "RFC822" NIL NIL NIL "7BIT" 9 (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) "#,
            r#"("text" "plain" NIL NIL NIL "7BIT" 0 0) 2)"#
        )
    );
    let unread = printed(|out| print::body_structure(out, &leaf("multipart", "mixed", 9, 2), false));
    assert_eq!(unread, r#"("application" "octet-stream" NIL NIL NIL "7BIT" 9)"#);
}

/// A structure deeper than any that is indexed neither overflows the stack nor comes out unbalanced.
#[test]
fn deep_structures_end() {
    let mut part = leaf("text", "plain", 1, 1);
    for _ in 0..400 {
        part = Part { content: Content::Multipart(vec![part]), ..leaf("multipart", "mixed", 1, 1) };
    }
    let text = printed(|out| print::body_structure(out, &part, true));
    assert_eq!(text.matches('(').count(), text.matches(')').count());
    assert!(text.contains("octet-stream"));
}

/// RFC 9051 §7.5.2.
#[test]
fn fetch_items() {
    let mut some = Flags::default();
    ["\\Seen", "\\Answered", "$Forwarded"].iter().for_each(|name| assert!(some.insert(name)));
    assert_eq!(printed(|out| print::flags(out, &some, false)), "(\\Answered \\Seen $Forwarded)");
    assert_eq!(printed(|out| print::flags(out, &some, true)), "(\\Answered \\Seen \\Recent $Forwarded)");
    assert_eq!(printed(|out| print::flags(out, &Flags::default(), true)), "(\\Recent)");
    assert_eq!(printed(|out| print::flags(out, &Flags::default(), false)), "()");
    assert_eq!(
        printed(|out| print::internal_date(out, Moment(837_596_665_000))),
        "\"17-Jul-1996 09:44:25 +0000\""
    );
    assert_eq!(printed(|out| print::literal_head(out, 342)), "{342}\r\n");
    let label = |path: &[u32], text, origin| {
        let section = Section { path: path.to_vec(), text };
        printed(|out| print::section(out, &section, origin))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(label(&[], SectionText::Whole, None), "BODY[]");
    assert_eq!(label(&[], SectionText::Header, Some(0)), "BODY[HEADER]<0>");
    assert_eq!(label(&[1, 2], SectionText::Whole, None), "BODY[1.2]");
    assert_eq!(label(&[4, 1], SectionText::Mime, None), "BODY[4.1.MIME]");
    assert_eq!(label(&[3], SectionText::Text, Some(4_294_967_295)), "BODY[3.TEXT]<4294967295>");
    assert_eq!(
        label(&[], SectionText::HeaderFields(names(&["DATE", "From", "a b", "x]"])), None),
        "BODY[HEADER.FIELDS (DATE From \"a b\" \"x]\")]"
    );
    assert_eq!(
        label(&[2], SectionText::HeaderFieldsNot(names(&["X"])), None),
        "BODY[2.HEADER.FIELDS.NOT (X)]"
    );
}

/// RFC 9051 §7.3.1, §7.3.4; RFC 5258 §5; RFC 6154 §5.1; RFC 3501 §7.2.3.
#[test]
fn mailboxes() {
    let entry = |name| ListEntry { name, ..ListEntry::default() };
    assert_eq!(
        printed(|out| print::list(out, &ListEntry { no_select: true, ..entry("~/Mail/foo") }, false)),
        "* LIST (\\Noselect) \"/\" \"~/Mail/foo\"\r\n"
    );
    let sent = ListEntry {
        children: Some(false),
        subscribed: true,
        special_use: Some(SpecialUse::Sent),
        ..entry("Sent")
    };
    assert_eq!(
        printed(|out| print::list(out, &sent, false)),
        "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" Sent\r\n"
    );
    let foo = ListEntry { non_existent: true, children: Some(true), child_subscribed: true, ..entry("Foo") };
    assert_eq!(
        printed(|out| print::list(out, &foo, false)),
        "* LIST (\\NonExistent \\HasChildren) \"/\" Foo (\"CHILDINFO\" (\"SUBSCRIBED\"))\r\n"
    );
    assert_eq!(printed(|out| print::lsub(out, &entry("INBOX"), false)), "* LSUB () \"/\" INBOX\r\n");
    assert_eq!(printed(|out| print::list(out, &entry("Entwürfe"), true)), "* LIST () \"/\" \"Entwürfe\"\r\n");
    let items = [(StatusItem::Messages, 231), (StatusItem::UidNext, 44292)];
    assert_eq!(
        printed(|out| print::status(out, "blurdybloop", &items, false)),
        "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)\r\n"
    );
    assert_eq!(printed(|out| print::status(out, "", &[], false)), "* STATUS \"\" ()\r\n");
}

/// RFC 9051 §7.3.4, RFC 3501 §7.2.5, RFC 4731 §3, RFC 7162 §3.1.5.
#[test]
fn found() {
    assert_eq!(printed(|out| print::search(out, [2, 3, 6], None)), "* SEARCH 2 3 6\r\n");
    assert_eq!(printed(|out| print::search(out, [], None)), "* SEARCH\r\n");
    assert_eq!(
        printed(|out| print::search(out, [2, 5, 6, 7, 11, 12, 18, 19, 20, 23], Some(ModSeq(917_162_500)))),
        "* SEARCH 2 5 6 7 11 12 18 19 20 23 (MODSEQ 917162500)\r\n"
    );
    let all: UidSet = [2, 10, 11, 12].into_iter().map(Uid).collect();
    let mut found = Esearch { tag: "A282", min: Some(2), count: Some(3), ..Esearch::default() };
    assert_eq!(printed(|out| print::esearch(out, &found)), "* ESEARCH (TAG \"A282\") MIN 2 COUNT 3\r\n");
    found = Esearch {
        tag: "A\"",
        uid: true,
        max: Some(12),
        all: Some(&all),
        modseq: Some(ModSeq(7)),
        ..Esearch::default()
    };
    assert_eq!(
        printed(|out| print::esearch(out, &found)),
        "* ESEARCH (TAG \"A\\\"\") UID MAX 12 ALL 2,10:12 MODSEQ 7\r\n"
    );
    let none = UidSet::default();
    found = Esearch { tag: "A283", all: Some(&none), count: Some(0), ..Esearch::default() };
    assert_eq!(printed(|out| print::esearch(out, &found)), "* ESEARCH (TAG \"A283\") COUNT 0\r\n");
}

/// RFC 4315 §3.
#[test]
fn uids_of_copies() {
    let appended = printed(|out| print::append_uid(out, UidValidity(38505), Uid(3955)));
    assert_eq!(appended, "APPENDUID 38505 3955");
    let copied = |pairs: &[(u32, u32)]| {
        let pairs: Vec<_> = pairs.iter().map(|(from, to)| (Uid(*from), Uid(*to))).collect();
        printed(|out| print::copy_uid(out, UidValidity(38505), &pairs))
    };
    assert_eq!(copied(&[(304, 3956), (319, 3957), (320, 3958)]), "COPYUID 38505 304,319:320 3956:3958");
    assert_eq!(copied(&[(5, 9), (6, 8), (7, 7)]), "COPYUID 38505 5:7 9,8,7");
    assert_eq!(copied(&[(u32::MAX, 1)]), "COPYUID 38505 4294967295 1");
}

/// The message of RFC 9051 §6.4.5, each part with octets of its own.
fn numbered() -> Summary {
    fn part(at: u64, media: &str, content: Content) -> Part {
        Part { header: at..at + 10, body: at + 10..at + 50, media: media.into(), content, ..Part::default() }
    }
    let text = |at| part(at, "text", Content::Leaf);
    let multi = |at, parts| part(at, "multipart", Content::Multipart(parts));
    let message = |at, root| {
        part(at, "message", Content::Message(Box::new(Summary { envelope: Envelope::default(), root })))
    };
    // 1 TEXT, 2 APPLICATION, 3 MESSAGE (3.1 TEXT, 3.2 APPLICATION), 4 MIXED (4.1 IMAGE, 4.2 MESSAGE with 4.2.1 TEXT and
    // 4.2.2 ALTERNATIVE with 4.2.2.1 and 4.2.2.2).
    let third = message(300, multi(400, vec![text(500), text(600)]));
    let inner = multi(1100, vec![text(1200), multi(1300, vec![text(1400), text(1500)])]);
    let fourth = multi(800, vec![text(900), message(1000, inner)]);
    let mut root = multi(0, vec![text(100), text(200), third, fourth]);
    root.body = 10..2000;
    Summary { envelope: Envelope::default(), root }
}

fn at(summary: &Summary, path: &[u32], text: SectionText) -> Option<Extent> {
    locate(summary, &Section { path: path.to_vec(), text })
}

/// RFC 9051 §6.4.5.
#[test]
fn sections_of_the_rfc() {
    let summary = numbered();
    let octets = |range| Some(Extent::Octets(range));
    let body = |path: &[u32]| at(&summary, path, SectionText::Whole);
    assert_eq!(body(&[]), octets(0..2000));
    assert_eq!(at(&summary, &[], SectionText::Header), octets(0..10));
    assert_eq!(at(&summary, &[], SectionText::Text), octets(10..2000));
    assert_eq!(at(&summary, &[], SectionText::Mime), None);
    for (path, start) in [
        (&[1][..], 100),
        (&[2], 200),
        (&[3], 300),
        (&[3, 1], 500),
        (&[3, 2], 600),
        (&[4], 800),
        (&[4, 1], 900),
        (&[4, 2], 1000),
        (&[4, 2, 1], 1200),
        (&[4, 2, 2], 1300),
        (&[4, 2, 2, 1], 1400),
        (&[4, 2, 2, 2], 1500),
    ] {
        assert_eq!(body(path), octets(start + 10..start + 50), "{path:?}");
        assert_eq!(at(&summary, path, SectionText::Mime), octets(start..start + 10), "{path:?}");
    }
    assert_eq!(at(&summary, &[3], SectionText::Header), octets(400..410));
    assert_eq!(at(&summary, &[3], SectionText::Text), octets(410..450));
    assert_eq!(at(&summary, &[4, 2], SectionText::Header), octets(1100..1110));
    assert_eq!(at(&summary, &[4, 2], SectionText::Text), octets(1110..1150));
    let fields = SectionText::HeaderFields(vec!["x".into()]);
    assert_eq!(at(&summary, &[4, 2], fields.clone()), Some(Extent::Fields(1100..1110)));
    assert_eq!(at(&summary, &[], fields.clone()), Some(Extent::Fields(0..10)));
    for path in [&[5][..], &[1, 1], &[3, 3], &[4, 3], &[4, 2, 2, 1, 1], &[u32::MAX]] {
        assert_eq!(body(path), None, "{path:?}");
    }
    // HEADER and TEXT are of messages alone.
    for path in [&[1][..], &[4], &[3, 1]] {
        assert_eq!(at(&summary, path, SectionText::Header), None, "{path:?}");
        assert_eq!(at(&summary, path, SectionText::Text), None, "{path:?}");
        assert_eq!(at(&summary, path, fields.clone()), None, "{path:?}");
    }
}

/// RFC 9051 §6.4.5: every message has a part 1, its body, if it is no multipart.
#[test]
fn the_one_part_of_a_plain_message() {
    let plain = Part { header: 0..10, body: 10..50, media: "text".into(), ..Part::default() };
    let summary = Summary { envelope: Envelope::default(), root: plain.clone() };
    assert_eq!(at(&summary, &[1], SectionText::Whole), Some(Extent::Octets(10..50)));
    assert_eq!(at(&summary, &[1], SectionText::Mime), Some(Extent::Octets(0..10)));
    assert_eq!(at(&summary, &[2], SectionText::Whole), None);
    assert_eq!(at(&summary, &[1, 1], SectionText::Whole), None);
    assert_eq!(at(&summary, &[1], SectionText::Text), None);
    // The message is itself a message/rfc822, and what it holds is plain.
    let inner = Part { header: 10..20, body: 20..50, ..plain.clone() };
    let content = Content::Message(Box::new(Summary { envelope: Envelope::default(), root: inner }));
    let summary = Summary { envelope: Envelope::default(), root: Part { content, ..plain } };
    assert_eq!(at(&summary, &[1], SectionText::Whole), Some(Extent::Octets(10..50)));
    assert_eq!(at(&summary, &[1], SectionText::Text), Some(Extent::Octets(20..50)));
    assert_eq!(at(&summary, &[1, 1], SectionText::Whole), Some(Extent::Octets(20..50)));
    assert_eq!(at(&summary, &[1, 1, 1], SectionText::Whole), None);
    assert_eq!(at(&summary, &[], SectionText::Text), Some(Extent::Octets(10..50)));
}

/// RFC 9051 §6.4.5 HEADER.FIELDS.
#[test]
fn header_fields() {
    let header = b"Date: 1\r\nSubject: two\r\n lines\r\n\tmore\r\nX-A : 3\r\nnonsense\r\n Date: folded\r\nDATE: 4\r\n\r\nDate: body\r\n";
    let fields = |names: &[&str], not| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        String::from_utf8(filter_fields(header, &names, not)).unwrap()
    };
    assert_eq!(fields(&["date"], false), "Date: 1\r\nDATE: 4\r\n\r\n");
    assert_eq!(fields(&["SUBJECT", "x-a"], false), "Subject: two\r\n lines\r\n\tmore\r\nX-A : 3\r\n\r\n");
    assert_eq!(fields(&["Dat", "none"], false), "\r\n");
    assert_eq!(fields(&["date", "subject"], true), "X-A : 3\r\nnonsense\r\n Date: folded\r\n\r\n");
    let names = ["a".to_owned()];
    assert_eq!(filter_fields(b"", &names, false), b"\r\n");
    assert_eq!(filter_fields(b"A: 1", &names, false), b"A: 1\r\n\r\n");
    assert_eq!(filter_fields(b"A: 1\nB: 2\n\n", &names, false), b"A: 1\n\r\n");
    // A line of blanks that follows a field is part of it.
    assert_eq!(filter_fields(b"A: 1\r\n \r\nB: 2\r\n\r\n", &names, false), b"A: 1\r\n \r\n\r\n");
    assert_eq!(filter_fields(b" folded\r\nA: 1\r\n\r\n", &names, false), b"A: 1\r\n\r\n");
}
