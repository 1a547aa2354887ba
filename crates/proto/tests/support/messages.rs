//! The stored messages of the IMAP tests, with their summaries made by hand: what indexes real messages lives in
//! another crate, and these tests are about the conversation.

use std::ops::Range;

use mail::{BlobId, Content, Envelope, EnvelopeAddress, Moment, Part, Summary};

pub struct Message {
    pub blob: BlobId,
    pub date: Moment,
    pub text: Vec<u8>,
    pub summary: Summary,
}

const NAMES: [&str; 5] = ["short", "minutes", "parts", "long-header", "big"];

/// 17-Jul-1996 09:44:25 +0000, the time of the RFC's sample session.
const DATE: Moment = Moment(837_596_665_000);

pub fn find(name: &str) -> Option<Message> {
    let number = NAMES.iter().position(|known| *known == name)?;
    let blob = BlobId([u8::try_from(number).expect("few messages"); 32]);
    Some(match name {
        "short" => plain(blob, b"Subject: short\r\n\r\n", b"Hello.\r\n"),
        "minutes" => minutes(blob),
        "parts" => parts(blob),
        "long-header" => {
            let header = format!("Subject: long\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
            plain(blob, header.as_bytes(), b"Body.\r\n")
        }
        "big" => plain(blob, b"Subject: big\r\n\r\n", &b"0123456789abcdef\r\n".repeat(1000)),
        _ => return None,
    })
}

pub fn name(blob: BlobId) -> &'static str {
    NAMES[usize::from(blob.0[0])]
}

pub fn octets(blob: BlobId, range: Range<u64>) -> Vec<u8> {
    let text = find(name(blob)).expect("a known message").text;
    let at = |octet: u64| usize::try_from(octet).expect("small").min(text.len());
    text[at(range.start)..at(range.end)].to_vec()
}

fn part(header: Range<u64>, body: Range<u64>, lines: u64) -> Part {
    Part { header, body, lines, media: b"TEXT".to_vec(), subtype: b"PLAIN".to_vec(), ..Part::default() }
}

fn plain(blob: BlobId, header: &[u8], body: &[u8]) -> Message {
    let lines = body.iter().filter(|octet| **octet == b'\n').count() as u64;
    let text = [header, body].concat();
    let split = header.len() as u64;
    let root = part(0..split, split..text.len() as u64, lines);
    let mut envelope = Envelope::default();
    if let Some(subject) = header.strip_prefix(b"Subject: ") {
        let end = subject.iter().position(|octet| *octet == b'\r').expect("a line end");
        envelope.subject = Some(subject[..end].to_vec());
    }
    Message { blob, date: DATE, text, summary: Summary { envelope, root } }
}

/// RFC 3501 §8: the message of the sample session, with a body as long as it says.
fn minutes(blob: BlobId) -> Message {
    let header = b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n\
        From: Terry Gray <gray@cac.washington.edu>\r\n\
        Subject: IMAP4rev1 WG mtg summary and minutes\r\n\
        To: imap@cac.washington.edu\r\n\
        cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
        Message-Id: <B27397-0100000@cac.washington.edu>\r\n\
        MIME-Version: 1.0\r\n\
        Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n";
    let mut body = b"These are the minutes of the meeting.\r\n".to_vec();
    while body.len() < 3028 - 30 {
        body.extend_from_slice(b"This line is one of ninety-two.\r\n");
    }
    body.resize(3026, b'.');
    body.extend_from_slice(b"\r\n");
    let address = |name: Option<&str>, mailbox: &str, host: &str| EnvelopeAddress {
        name: name.map(|name| name.as_bytes().to_vec()),
        mailbox: Some(mailbox.as_bytes().to_vec()),
        host: Some(host.as_bytes().to_vec()),
    };
    let mut message = plain(blob, header, &body);
    message.summary.root.parameters = vec![(b"CHARSET".to_vec(), b"US-ASCII".to_vec())];
    message.summary.envelope = Envelope {
        date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".to_vec()),
        subject: Some(b"IMAP4rev1 WG mtg summary and minutes".to_vec()),
        from: vec![address(Some("Terry Gray"), "gray", "cac.washington.edu")],
        to: vec![address(None, "imap", "cac.washington.edu")],
        cc: vec![
            address(None, "minutes", "CNRI.Reston.VA.US"),
            address(Some("John Klensin"), "KLENSIN", "MIT.EDU"),
        ],
        message_id: Some(b"<B27397-0100000@cac.washington.edu>".to_vec()),
        ..Envelope::default()
    };
    message
}

/// A text and an attached message.
fn parts(blob: BlobId) -> Message {
    let pieces: [&[u8]; 9] = [
        b"Subject: parts\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"--b\r\n",
        b"Content-Language: en\r\n\r\n",
        b"Look:",
        b"\r\n--b\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Subject: inner\r\n\r\n",
        b"Inside.\r\n",
        b"\r\n--b--\r\n",
    ];
    let mut ends = Vec::new();
    let mut text = Vec::new();
    for piece in pieces {
        text.extend_from_slice(piece);
        ends.push(text.len() as u64);
    }
    let mut first = part(ends[1]..ends[2], ends[2]..ends[3], 1);
    first.language = vec![b"en".to_vec()];
    let inner = Summary {
        envelope: Envelope { subject: Some(b"inner".to_vec()), ..Envelope::default() },
        root: part(ends[5]..ends[6], ends[6]..ends[7], 1),
    };
    let mut second = part(ends[4]..ends[5], ends[5]..ends[7], 3);
    (second.media, second.subtype) = (b"message".to_vec(), b"rfc822".to_vec());
    second.content = Content::Message(Box::new(inner));
    let mut root = part(0..ends[0], ends[0]..ends[8], 11);
    (root.media, root.subtype) = (b"multipart".to_vec(), b"mixed".to_vec());
    root.parameters = vec![(b"boundary".to_vec(), b"b".to_vec())];
    root.content = Content::Multipart(vec![first, second]);
    let envelope = Envelope { subject: Some(b"parts".to_vec()), ..Envelope::default() };
    Message { blob, date: DATE, text, summary: Summary { envelope, root } }
}
