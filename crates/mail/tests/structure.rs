//! The structure of whole and broken messages. Each message is written with `|` for CRLF, each structure as
//! `type/subtype{body}`, with what it contains in brackets; lines are counted again for each part.

use mail::{Content, Indexer, Part, Summary};

fn index(message: &[u8]) -> Summary {
    let mut indexer = Indexer::new();
    indexer.push(message);
    indexer.finish()
}

fn octets(written: &str) -> Vec<u8> {
    written.replace('|', "\r\n").into_bytes()
}

fn written(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).replace("\r\n", "|")
}

fn shown(part: &Part, message: &[u8]) -> String {
    let slice = |range: &std::ops::Range<u64>| &message[range.start as usize..range.end as usize];
    let kind = format!("{}/{}", String::from_utf8_lossy(&part.media), String::from_utf8_lossy(&part.subtype));
    let body = slice(&part.body);
    let ends = body.iter().filter(|octet| **octet == b'\n').count();
    let lines = ends + usize::from(!body.is_empty() && !body.ends_with(b"\n"));
    assert_eq!(part.lines, lines as u64, "{kind} {}", written(body));
    match &part.content {
        Content::Leaf => format!("{kind}{{{}}}", written(body)),
        Content::Multipart(parts) => {
            let inner: Vec<_> = parts.iter().map(|part| shown(part, message)).collect();
            format!("{kind}[{}]", inner.join(" "))
        }
        Content::Message(inner) => {
            assert_eq!(inner.root.header.start, part.body.start);
            assert_eq!(inner.root.body.end, part.body.end);
            let subject = written(inner.envelope.subject.as_deref().unwrap_or(b"-"));
            format!("{kind}<{subject}>[{}]", shown(&inner.root, message))
        }
    }
}

#[track_caller]
fn check(message: &str, structure: &str) {
    let message = octets(message);
    let summary = index(&message);
    assert_eq!(summary.root.header.start, 0);
    assert_eq!(summary.root.body.end, message.len() as u64);
    assert_eq!(shown(&summary.root, &message), structure, "{}", written(&message));
}

const MIXED: &str = "Content-Type: multipart/mixed; boundary=b||";

/// RFC 2046 §5.1.1: the example there. The line end before a delimiter belongs to it.
#[test]
fn rfc2046_5_1_1_example() {
    check(
        "From: Nathaniel Borenstein <nsb@bellcore.com>|To: Ned Freed <ned@innosoft.com>|\
         Date: Sun, 21 Mar 1993 23:56:48 -0800 (PST)|Subject: Sample message|MIME-Version: 1.0|\
         Content-type: multipart/mixed; boundary=\"simple boundary\"||\
         This is the preamble.  It is to be ignored, though it|\
         is a handy place for composition agents to include an|\
         explanatory note to non-MIME conformant readers.||\
         --simple boundary||\
         This is implicitly typed plain US-ASCII text.|It does NOT end with a linebreak.|\
         --simple boundary|Content-type: text/plain; charset=us-ascii||\
         This is explicitly typed plain US-ASCII text.|It DOES end with a linebreak.||\
         --simple boundary--||This is the epilogue.  It is also to be ignored.|",
        "multipart/mixed[\
         text/plain{This is implicitly typed plain US-ASCII text.|It does NOT end with a linebreak.} \
         text/plain{This is explicitly typed plain US-ASCII text.|It DOES end with a linebreak.|}]",
    );
}

/// RFC 2046 §5.1.5: the example there. Without a type, what is in a digest is a message.
#[test]
fn rfc2046_5_1_5_digest() {
    check(
        "From: Moderator-Address|Subject: Internet Digest, volume 42|Content-Type: multipart/mixed;|\
         \tboundary=\"---- main boundary ----\"||\
         ------ main boundary ----||...Introductory text or table of contents...||\
         ------ main boundary ----|Content-Type: multipart/digest;|boundary=\"---- next message ----\"||\
         ------ next message ----||From: someone-else|Subject: my opinion||...body goes here ...||\
         ------ next message ----||From: someone-else-again|Subject: my different opinion||\
         ... another body goes here ...||\
         ------ next message ------||\
         ------ main boundary ------|",
        "multipart/mixed[text/plain{...Introductory text or table of contents...|} multipart/digest[\
         message/rfc822<my opinion>[text/plain{...body goes here ...|}] \
         message/rfc822<my different opinion>[text/plain{... another body goes here ...|}]]]",
    );
}

#[test]
fn messages_without_structure() {
    check("", "text/plain{}");
    check("|", "text/plain{}");
    check("||x", "text/plain{|x}");
    check("Subject: x|", "text/plain{}");
    check("Subject: x||", "text/plain{}");
    check("Subject: x||one|two", "text/plain{one|two}");
    check("Subject: x\n\none\ntwo\n", "text/plain{one\ntwo\n}");
    check("Subject: x\n\r\none\n\r", "text/plain{one\n\r}");
    check("Subject: x\r\n\rone|", "text/plain{\rone|}");
    check("Content-Type: broken||x|", "text/plain{x|}");
    check("Content-Type: text||x|", "text/plain{x|}");
    check("Content-Type: ||x|", "text/plain{x|}");
    check("Content-Type: Text/HTML||x|", "Text/HTML{x|}");
    check("Content-Type: text/html|Content-Type: text/css||x|", "text/html{x|}");
    check("Content-Type: nonsense|Content-Type: text/css||x|", "text/plain{x|}");
    check("Content-Type : text/html||x", "text/html{x}");
    check("Content-Type: (a (nested) comment) text (x) / (y) html (z); charset=x||x", "text/html{x}");
}

/// RFC 7103 §7.2: lines in a header that are no fields belong to the field before, unless no empty line and no
/// field follow; then the body begins with them. A section that does not begin with a field is none.
#[test]
fn rfc7103_7_2_lines_that_are_no_fields() {
    check("Hello|world|", "text/plain{Hello|world|}");
    check(" Hello: x||world|", "text/plain{ Hello: x||world|}");
    check(" Hello|\tagain|Subject: x||body", "text/plain{body}");
    check(" |Subject: x||body", "text/plain{body}");
    check(" Hello|world|Subject: x||body", "text/plain{ Hello|world|Subject: x||body}");
    check(" Hello|", "text/plain{ Hello|}");
    check(&format!("{MIXED}--b| Content-Type: text/html|X: y||x|--b--|"), "multipart/mixed[text/plain{x}]");
    check(&format!("{MIXED}--b| indented|--b--|"), "multipart/mixed[text/plain{ indented}]");
    check("Größe: 1||x", "text/plain{Größe: 1||x}");
    check("Subject: x|Hello|world|", "text/plain{Hello|world|}");
    check("Subject: x|Hello| world", "text/plain{Hello| world}");
    check("Subject: x|Hello||world", "text/plain{world}");
    check("Subject: x|Hello|To: y|", "text/plain{}");
    check("From a@b Mon Jan 1|Subject: x||body", "text/plain{body}");
    check(">From a@b Mon Jan 1|Subject: x||body", "text/plain{body}");
    check("From a@b Mon Jan 1|body", "text/plain{body}");
    check(&format!("{MIXED}--b|Content-Type: text/html|stray|--b--|"), "multipart/mixed[text/html{stray}]");
    let summary = index(b"Subject: this is\r\nabout football\r\nDate: today\r\n\r\n");
    assert_eq!(summary.envelope.subject.as_deref(), Some(&b"this is about football"[..]));
    let summary = index(b"Subject: this is\r\nthe body\r\n");
    assert_eq!(summary.envelope.subject.as_deref(), Some(&b"this is"[..]));
}

#[test]
fn boundaries_that_are_missing_or_odd() {
    check("Content-Type: multipart/mixed||--||x", "multipart/mixed[text/plain{}]");
    check("Content-Type: multipart/mixed; boundary=\"\"||--||x|----|", "multipart/mixed[text/plain{}]");
    check("Content-Type: multipart/mixed; boundary=b||no delimiter|", "multipart/mixed[text/plain{}]");
    check(MIXED, "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b"), "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b--"), "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b|"), "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b||"), "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b|--b||x|--b--"), "multipart/mixed[text/plain{} text/plain{x}]");
    check(&format!("{MIXED}--b||--b--"), "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b|||--b--"), "multipart/mixed[text/plain{}]");
    check(&format!("{MIXED}--b||||--b--"), "multipart/mixed[text/plain{|}]");
    check(&format!("{MIXED}--b||x|--b-- \t|"), "multipart/mixed[text/plain{x}]");
    check(&format!("{MIXED} --b||x"), "multipart/mixed[text/plain{}]");
    // A line that only begins with the boundary is a delimiter too. RFC 2046 §5.1.1.
    check(&format!("{MIXED}--bx||x|--b--"), "multipart/mixed[text/plain{x}]");
    check("Content-Type: multipart/mixed; boundary=\"b  \"||--b||x|--b--", "multipart/mixed[text/plain{x}]");
    check("Content-Type: multipart/mixed; boundary=\"b||--b||x|--b--", "multipart/mixed[text/plain{x}]");
    check("Content-Type: multipart/mixed; boundary==_b=||--=_b=||x|", "multipart/mixed[text/plain{x|}]");
    check(
        "Content-Type: multipart/mixed; boundary=\"a\r\n b\"||--a b||x|",
        "multipart/mixed[text/plain{x|}]",
    );
    // RFC 2231 §3.
    check(
        "Content-Type: multipart/mixed; boundary*1=c; boundary*0=b||--bc||x|--bc--",
        "multipart/mixed[text/plain{x}]",
    );
    let long = "=".repeat(991);
    check(
        &format!("Content-Type: multipart/mixed; boundary=\"{long}\"||--{long}||x"),
        "multipart/mixed[text/plain{}]",
    );
}

#[test]
fn parts_inside_parts() {
    let inner = "--b|Content-Type: multipart/alternative; boundary=bb||";
    let one = |rest: &str| format!("{MIXED}{inner}{rest}");
    check(
        &one("--bb||x|--bb--|--b||y|--b--|"),
        "multipart/mixed[multipart/alternative[text/plain{x}] text/plain{y}]",
    );
    // The inner one is never closed.
    check(
        &one("--bb||x|--b||y|--b--|"),
        "multipart/mixed[multipart/alternative[text/plain{x}] text/plain{y}]",
    );
    // Neither is.
    check(&one("--bb||x"), "multipart/mixed[multipart/alternative[text/plain{x}]]");
    // The outer one is closed first.
    check(&one("--bb||x|--b--|--bb||y"), "multipart/mixed[multipart/alternative[text/plain{x}]]");
    // Inner delimiters after the end of the inner one begin with the outer boundary.
    check(
        &one("--bb||x|--bb--|epilogue|--b||y"),
        "multipart/mixed[multipart/alternative[text/plain{x}] text/plain{y}]",
    );
    // The same boundary inside and outside: the innermost part has it.
    check(
        &format!("{MIXED}--b|Content-Type: multipart/mixed; boundary=b||--b||x|--b--|--b||y|--b--|"),
        "multipart/mixed[multipart/mixed[text/plain{x}] text/plain{y}]",
    );
    // The header of an inner part is cut off by a delimiter.
    check(
        &format!("{MIXED}--b|Content-Type: multipart/mixed; boundary=c|--b||y|--b--|"),
        "multipart/mixed[multipart/mixed[text/plain{}] text/plain{y}]",
    );
}

#[test]
fn messages_inside_messages() {
    let message = "--b|Content-Type: message/rfc822||";
    let one = |rest: &str| format!("{MIXED}{message}{rest}");
    check(&one("Subject: in||text|--b--|"), "multipart/mixed[message/rfc822<in>[text/plain{text}]]");
    check(&one("Subject: in|--b--|"), "multipart/mixed[message/rfc822<in>[text/plain{}]]");
    check(&one("Subject: in||--b--|"), "multipart/mixed[message/rfc822<in>[text/plain{}]]");
    check(&one("--b--|"), "multipart/mixed[message/rfc822<->[text/plain{}]]");
    check(&one("stray|text|--b--|"), "multipart/mixed[message/rfc822<->[text/plain{stray|text}]]");
    check(
        &one("Subject: in|stray|text|--b--|"),
        "multipart/mixed[message/rfc822<in>[text/plain{stray|text}]]",
    );
    check(
        &format!("{MIXED}--b|Content-Type: message/rfc822|--b--|"),
        "multipart/mixed[message/rfc822<->[text/plain{}]]",
    );
    check(
        "Content-Type: message/global||Subject: Grüße|Content-Type: message/RFC822||Subject: deep||x",
        "message/global<Grüße>[message/RFC822<deep>[text/plain{x}]]",
    );
    check("Content-Type: message/delivery-status||Status: 5.1.1|", "message/delivery-status{Status: 5.1.1|}");
    // Encoded against RFC 2046 §5.2.1: what is there is no header.
    check(
        "Content-Type: message/rfc822|Content-Transfer-Encoding: base64||U3ViamVjdA==|",
        "message/rfc822<->[text/plain{U3ViamVjdA==|}]",
    );
    // A multipart inside of the message is closed by the delimiter outside of it.
    check(
        &one("Subject: in|Content-Type: multipart/mixed; boundary=c||--c||x|--b--|"),
        "multipart/mixed[message/rfc822<in>[multipart/mixed[text/plain{x}]]]",
    );
}

/// RFC 2046 §5.1.5, with headers missing.
#[test]
fn digests_without_headers() {
    let digest = "Content-Type: multipart/digest; boundary=b||";
    check(&format!("{digest}--b|text|--b--|"), "multipart/digest[message/rfc822<->[text/plain{text}]]");
    check(&format!("{digest}--b|Content-Type: what||text|--b--|"), "multipart/digest[text/plain{text}]");
    check(&format!("{digest}--b|--b--|"), "multipart/digest[message/rfc822<->[text/plain{}]]");
}
