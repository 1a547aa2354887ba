//! ENVELOPE and the fields of BODYSTRUCTURE as raw values. RFC 9051 §7.5.2.

use mail::{Content, Disposition, EnvelopeAddress, Indexer, Summary};

fn index(message: &str) -> Summary {
    let mut indexer = Indexer::new();
    indexer.push(message.as_bytes());
    indexer.finish()
}

fn text(value: &Option<Vec<u8>>) -> Option<&str> {
    value.as_deref().map(|octets| std::str::from_utf8(octets).unwrap())
}

fn shown(list: &[EnvelopeAddress]) -> Vec<String> {
    let field = |field: &Option<Vec<u8>>| text(field).unwrap_or("NIL").to_owned();
    list.iter().map(|a| [field(&a.name), field(&a.mailbox), field(&a.host)].join(" ")).collect()
}

/// RFC 9051 §8: the message whose envelope is shown there.
#[test]
fn rfc9051_8_example() {
    let message = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
                   Subject: IMAP4rev2 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
                   cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\n\
                   Message-Id: <B27397-0100000@cac.washington.ed>\r\nMIME-Version: 1.0\r\n\
                   Content-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\n";
    let Summary { envelope, root } = index(message);
    assert_eq!(text(&envelope.date), Some("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)"));
    assert_eq!(text(&envelope.subject), Some("IMAP4rev2 WG mtg summary and minutes"));
    assert_eq!(shown(&envelope.from), ["Terry Gray gray cac.washington.edu"]);
    assert_eq!(shown(&envelope.to), ["NIL imap cac.washington.edu"]);
    assert_eq!(shown(&envelope.cc), ["NIL minutes CNRI.Reston.VA.US", "John Klensin KLENSIN MIT.EDU"]);
    assert!(envelope.sender.is_empty() && envelope.reply_to.is_empty() && envelope.bcc.is_empty());
    assert_eq!(text(&envelope.in_reply_to), None);
    assert_eq!(text(&envelope.message_id), Some("<B27397-0100000@cac.washington.ed>"));
    assert_eq!((root.media.as_slice(), root.subtype.as_slice()), (&b"TEXT"[..], &b"PLAIN"[..]));
    assert_eq!(root.parameters, [(b"CHARSET".to_vec(), b"US-ASCII".to_vec())]);
    assert_eq!(root.header, 0..message.len() as u64);
}

#[test]
fn values_are_unfolded_but_not_decoded() {
    let envelope = index(
        "SUBJECT : =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?q?_!?=  \r\nFrom: =?utf-8?q?J=C3=BCrgen?=\r\n\t<j@x>\r\n\
         In-Reply-To:\r\n\t<a@b>\r\n  <c@d>\r\nMessage-ID: a\0b\rc\r\nDate:\r\n\r\n",
    )
    .envelope;
    assert_eq!(text(&envelope.subject), Some("=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_!?="));
    assert_eq!(shown(&envelope.from), ["=?utf-8?q?J=C3=BCrgen?= j x"]);
    assert_eq!(text(&envelope.in_reply_to), Some("<a@b>  <c@d>"));
    assert_eq!(text(&envelope.message_id), Some("a b c"));
    // Present but empty is not absent.
    assert_eq!(text(&envelope.date), Some(""));
    let subject = b"Subject: Gr\xfc\xdfe\n\n".as_slice();
    let mut indexer = Indexer::new();
    indexer.push(subject);
    assert_eq!(indexer.finish().envelope.subject.as_deref(), Some(&b"Gr\xfc\xdfe"[..]));
}

/// Of repeated fields the first counts, but nobody hides behind a second From. RFC 7103 §7.5.1.
#[test]
fn repeated_fields() {
    let envelope = index(
        "Subject: one\r\nFrom: a@b\r\nSubject: two\r\nFrom: c@d\r\nTo: g: e@f\r\nTo: h@i\r\nCc: \r\nDate: 1\r\nDate: 2\r\n\r\n",
    )
    .envelope;
    assert_eq!(text(&envelope.subject), Some("one"));
    assert_eq!(text(&envelope.date), Some("1"));
    assert_eq!(shown(&envelope.from), ["NIL a b", "NIL c d"]);
    assert_eq!(shown(&envelope.to), ["NIL g NIL", "NIL e f", "NIL NIL NIL", "NIL h i"]);
    assert!(envelope.cc.is_empty());
}

/// RFC 2045 §5.1, §6.1, §7, §8, RFC 2183 §2, RFC 1864, RFC 3282, RFC 2557.
#[test]
fn fields_of_parts() {
    let part = index(
        "Content-Type: Image/JPEG (a picture); name=\"my \\\"pic\\\".jpg\";\r\n x = y z ; ; broken; =v; charset=us-ascii (Plain)\r\n\
         Content-Transfer-Encoding: (really) BASE64 (yes)\r\nContent-ID: <a@b> \r\n\
         Content-Description: a\r\n description\r\nContent-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n\
         Content-Disposition: attachment; filename*=utf-8''a%20b; size=12\r\n\
         Content-Language: en (English), de;fr ,, x-klingon\r\nContent-Location: http://x/ (y)\r\n\r\n",
    )
    .root;
    let pair = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!((part.media.as_slice(), part.subtype.as_slice()), (&b"Image"[..], &b"JPEG"[..]));
    assert_eq!(
        part.parameters,
        [pair("name", "my \"pic\".jpg"), pair("x", "y z"), pair("charset", "us-ascii")]
    );
    assert_eq!(text(&part.encoding), Some("BASE64"));
    assert_eq!(text(&part.id), Some("<a@b>"));
    assert_eq!(text(&part.description), Some("a description"));
    assert_eq!(text(&part.md5), Some("Q2hlY2sgSW50ZWdyaXR5IQ=="));
    let parameters = vec![pair("filename*", "utf-8''a%20b"), pair("size", "12")];
    assert_eq!(part.disposition, Some(Disposition { kind: b"attachment".to_vec(), parameters }));
    assert_eq!(part.language, ["en", "de", "fr", "x-klingon"].map(|word| word.as_bytes().to_vec()));
    assert_eq!(text(&part.location), Some("http://x/ (y)"));
}

#[test]
fn empty_fields_of_parts_are_absent() {
    let part = index(
        "Content-Transfer-Encoding: \r\nContent-ID:\r\nContent-Disposition: ;filename=x\r\nContent-Language: ,\r\n\
         Content-Description: \r\n\r\n",
    )
    .root;
    assert_eq!((part.encoding, part.id, part.disposition, part.description), (None, None, None, None));
    assert!(part.language.is_empty());
}

/// An envelope belongs to a message, never to a part of a multipart.
#[test]
fn envelopes_of_inner_messages() {
    let summary = index(
        "Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nSubject: of the part\r\n\
         Content-Type: message/rfc822\r\n\r\nSubject: inner\r\nFrom: a@b\r\n\r\n--b--\r\n",
    );
    assert_eq!(text(&summary.envelope.subject), Some("outer"));
    let Content::Multipart(parts) = &summary.root.content else { panic!("{summary:?}") };
    let Content::Message(inner) = &parts[0].content else { panic!("{summary:?}") };
    assert_eq!(text(&inner.envelope.subject), Some("inner"));
    assert_eq!(shown(&inner.envelope.from), ["NIL a b"]);
}
