//! Inputs to begin with: the clients' side of every transcript, and a few messages.

use std::path::Path;

/// In a session's input this octet and the next stand for something other than octets from the client. It occurs
/// in no UTF-8 text.
pub const EVENT: u8 = 0xff;

/// What the clients say in the transcripts of a protocol, one input per transcript. `TLS` and the like become
/// events of [`crate::targets::talk`].
pub fn transcripts(protocol: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/transcripts").join(protocol);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // The order of a folder is not the same everywhere.
    files.sort();
    files
        .iter()
        .filter_map(|file| std::fs::read_to_string(file).ok())
        .flat_map(|text| client_side(&text))
        .collect()
}

fn client_side(text: &str) -> Vec<Vec<u8>> {
    let mut inputs: Vec<Vec<u8>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("==") {
            inputs.push(Vec::new());
        }
        let Some(input) = inputs.last_mut() else { continue };
        match (line.get(..2), line) {
            (Some("C:"), _) => {
                input.extend_from_slice(line[2..].strip_prefix(' ').unwrap_or("").as_bytes());
                input.extend_from_slice(b"\r\n");
            }
            (Some("C-"), _) => input.extend(unescape(line[2..].strip_prefix(' ').unwrap_or(""))),
            (_, "TLS") => input.extend([EVENT, b'S']),
            (_, "TLS!") => input.extend([EVENT, b'F']),
            (_, "DRAIN") => input.extend([EVENT, b'D']),
            (Some("T:"), _) => input.extend([EVENT, b'T']),
            (Some("B:"), _) => input.extend([EVENT, b'B']),
            _ => {}
        }
    }
    inputs
}

fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.extend(letter.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match letters.next() {
            Some('r') => out.push(b'\r'),
            Some('n') => out.push(b'\n'),
            Some('t') => out.push(b'\t'),
            Some('0') => out.push(0),
            Some('x') => {
                let digits: String = letters.by_ref().take(2).collect();
                out.extend(u8::from_str_radix(&digits, 16));
            }
            Some(other) => out.extend(other.encode_utf8(&mut [0; 4]).bytes()),
            None => {}
        }
    }
    out
}

/// Messages written with `|` for CRLF.
const MESSAGES: [&str; 12] = [
    "Subject: short||Hello.|",
    "From: =?utf-8?q?Gr=C3=BC=C3=9Fe?= <a@b.test>|To: \"Q. Uote\" <q@x.test>, g: m@n.test, o@p.test;|Cc: <@r:s@t>|\
     Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)|Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXM=?=|\
     \t=?ISO-8859-2?B?dSB1bmRlcnN0YW5k?=|Message-ID: <1@b.test>|In-Reply-To: <0@b.test>|\
     Content-Type: text/plain; charset=\"utf-8\"; format=flowed|Content-Transfer-Encoding: quoted-printable||\
     Gr=C3=BC=C3=9Fe, =|folded=20|",
    "Content-Type: multipart/mixed; boundary=b|MIME-Version: 1.0||preamble|--b|Content-Language: en, de||one|--b|\
     Content-Type: message/rfc822||Subject: inner||Inside.||--b|Content-Type: application/pdf; name=x.pdf|\
     Content-Disposition: attachment; filename*0*=utf-8''%e2%82%ac; filename*1=.pdf; size=3|\
     Content-Transfer-Encoding: base64|Content-ID: <c@d>|Content-Description: a thing|Content-MD5: Q2hlY2s=|\
     Content-Location: http://x.test/||AAEC|--b--|epilogue|",
    "Content-Type: multipart/digest; boundary=\"--- x ---\"||----- x ---||Subject: a||a|----- x ---|Content-Type: text/html||b|----- x -----|",
    "Content-Type: multipart/mixed; boundary=a||--a|Content-Type: multipart/alternative; boundary=aa||--aa||x|--aa|\
     Content-Type: message/rfc822||Content-Type: multipart/related; boundary=\"a a\"||--a a||deep|--a a--|--aa--|--a--|",
    "From a@b Mon Jan 1|Subject: mbox|stray line|X:y||body",
    "Content-Type: message/rfc822||Content-Type: message/rfc822||Content-Type: message/rfc822||Subject: deep||x",
    "Content-Type: multipart/mixed; boundary*1=c; boundary*0=b||--bc||x|--bc--|",
    "Subject: no end\n\nbare\nline ends\n",
    "Date: Fri, 21 Nov 97 09:55:06 EST|From: (c (c) \\) ) a . b @ c . d (x), \"\\\"\" <\"a b\"@[192.0.2.1]>|||",
    "Content-Type: text/plain; charset=shift_jis|Content-Transfer-Encoding: base64||g3GDWYOVg4o=|",
    "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha256; boundary=\"=_x\"||\
     --=_x|Content-Type: text/plain; charset=us-ascii|||signed|--=_x|Content-Type: application/pgp-signature||sig|--=_x--",
];

/// Small messages, whole and broken.
pub fn messages() -> Vec<Vec<u8>> {
    MESSAGES.iter().map(|message| message.replace('|', "\r\n").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_has_transcripts() {
        for protocol in ["imap", "smtp", "pop3"] {
            let inputs = transcripts(protocol);
            assert!(!inputs.is_empty() && inputs.iter().all(|input| !input.is_empty()), "{protocol}");
        }
    }

    #[test]
    fn the_client_alone_is_taken() {
        let text = "== t\nS: 220 x\nC: EHLO a\nTLS\nC- a\\x00\\r\\n\n== u\nC:\n";
        assert_eq!(client_side(text), [&b"EHLO a\r\n\xffSa\0\r\n"[..], b"\r\n"]);
    }
}
