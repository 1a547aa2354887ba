//! Letters that are easy to get wrong, and what it means that one has arrived.

use std::sync::atomic::{AtomicU32, Ordering};

/// Fields that a server may put before a message. RFC 5321 §4.4, RFC 9228 §3.
const TRACE: [&str; 3] = ["return-path", "received", "delivered-to"];

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A message with CR LF at the end of every line.
#[derive(Clone, Debug)]
pub struct Letter {
    pub id: String,
    pub text: Vec<u8>,
}

impl AsRef<[u8]> for Letter {
    fn as_ref(&self) -> &[u8] {
        &self.text
    }
}

impl Letter {
    /// Lines that begin with dots or "From ", lines of spaces, the longest line that RFC 5322 §2.1.1 allows, text
    /// in UTF-8, folded fields, and empty lines at the end.
    pub fn tricky(from: &str, to: &str) -> Letter {
        let body = [
            ".",
            "..",
            "...three dots",
            ". a dot and a space",
            "",
            "From here on a mailbox file may go wrong",
            ">From here too",
            "trailing spaces   ",
            "\ttab, then trailing tab\t",
            "   ",
            "Grüße, žluťoučký kůň, 日本語, שלום",
            &"x".repeat(998),
            "* 1 FETCH (FLAGS ())",
            "+OK",
            "A1 OK done {5}",
            "-- ",
            "",
            "",
        ];
        Letter::new(from, to, "text/plain; charset=utf-8", &(body.join("\r\n") + "\r\n"))
    }

    /// Nothing but a header and one line.
    pub fn short(from: &str, to: &str) -> Letter {
        Letter::new(from, to, "text/plain", "One line.\r\n")
    }

    /// A nested structure with an attachment of some 60 KB.
    pub fn nested(from: &str, to: &str) -> Letter {
        let attachment: String = (0..800).map(|n| format!("{:0>74}==\r\n", n * 7919)).collect();
        let body = format!(
            "ignored\r\n--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n\
             --inner\r\n\r\nplain\r\n--inner\r\nContent-Type: text/html\r\n\r\n<p>html</p>\r\n--inner--\r\n\r\n\
             --outer\r\nContent-Type: application/pdf; name=\"a.pdf\"\r\n\
             Content-Disposition: attachment; filename=\"a.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             {attachment}\r\n--outer--\r\n"
        );
        Letter::new(from, to, "multipart/mixed;\r\n\tboundary=outer", &body)
    }

    fn new(from: &str, to: &str, kind: &str, body: &str) -> Letter {
        let id = format!("<{}.{}@example.test>", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let head = format!(
            "From: =?utf-8?q?Someone_Gr=C3=BC=C3=9Fe?= <{from}>\r\n\
             To: {to},\r\n  Somebody Else <nobody@example.org>\r\n\
             Subject: A letter\r\n\tthat is folded  with two spaces \r\n\
             Date: Thu, 26 Nov 2026 00:01:02 +0100\r\nMessage-ID: {id}\r\n\
             X-Empty:\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n"
        );
        // RFC 2045 §6.4: a multipart that is only ASCII needs no encoding named, and may name none but these.
        Letter { id, text: (head + body).into_bytes() }
    }
}

/// What lies below the trace fields at the top. Panics at a top that is no proper field.
#[track_caller]
pub fn below_trace(message: &[u8]) -> &[u8] {
    let mut rest = message;
    while let Some(after) = without_trace_field(rest) {
        rest = after;
    }
    rest
}

/// The message after its first field, if that is a trace field.
fn without_trace_field(message: &[u8]) -> Option<&[u8]> {
    let colon = message.iter().position(|byte| *byte == b':')?;
    let name = std::str::from_utf8(&message[..colon]).ok()?.to_ascii_lowercase();
    if !TRACE.contains(&name.as_str()) {
        return None;
    }
    let mut rest = message;
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        rest = &rest[end + 2..];
        if !rest.starts_with(b" ") && !rest.starts_with(b"\t") {
            return Some(rest);
        }
    }
}

/// The message is the letter, byte for byte, below trace fields of which Received and Return-Path are there.
#[track_caller]
pub fn assert_arrived(message: &[u8], letter: &Letter) {
    assert_same(below_trace(message), &letter.text);
    let trace = String::from_utf8_lossy(&message[..message.len() - letter.text.len()]);
    assert!(trace.contains("Received: "), "no Received field: {trace}");
    assert!(trace.starts_with("Return-Path: <"), "RFC 5321 §4.4 puts Return-Path first: {trace}");
}

/// Both are the same bytes; if not, the first difference is shown, not 60 KB.
#[track_caller]
pub fn assert_same(got: &[u8], wanted: &[u8]) {
    if got == wanted {
        return;
    }
    let at = got.iter().zip(wanted).position(|(a, b)| a != b).unwrap_or_else(|| got.len().min(wanted.len()));
    let around = |bytes: &[u8]| {
        let from = at.saturating_sub(40).min(bytes.len());
        bytes[from..bytes.len().min(at + 80)].escape_ascii().to_string()
    };
    panic!(
        "{} bytes, wanted {}; they differ at {at}:\n   got …{}…\nwanted …{}…",
        got.len(),
        wanted.len(),
        around(got),
        around(wanted)
    );
}

/// For clients that keep mail with line ends of this system.
pub fn lf_to_crlf(text: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(text.len() + text.len() / 40);
    for byte in text {
        if *byte == b'\n' {
            whole.push(b'\r');
        }
        whole.push(*byte);
    }
    whole
}

#[test]
fn trace_fields_are_peeled_off_and_no_more() {
    let text =
        b"Return-Path: <a@b>\r\nReceived: from x\r\n\tby y;\r\n z\r\nSubject: s\r\nReceived: old\r\n\r\nbody";
    assert_eq!(below_trace(text), b"Subject: s\r\nReceived: old\r\n\r\nbody");
}
