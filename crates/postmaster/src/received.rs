//! The fields that are written before a message: Return-Path, Received, and what a submission lacked.
//!
//! What never lives here: whether the message is taken. Nothing that a peer has said can end a line here.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use mail::{Moment, date};
use proto::smtp::ask::Envelope;

/// Octets of a name that is told in a trace field.
const NAME: usize = 255;
/// Octets of an address that is told in a trace field.
const ADDRESS: usize = 320;

/// Return-Path and Received. RFC 5321 §4.4.
pub(crate) fn trace(envelope: &Envelope, hostname: &str, id: &str, now: Moment) -> String {
    let mut text = format!("Return-Path: <{}>\r\n", visible(&envelope.sender, ADDRESS));
    // Writing to memory does not fail.
    let _ = write!(text, "Received: from {} ({})\r\n", greeting(&envelope.helo), literal(envelope));
    let _ = write!(text, "\tby {hostname} with {}", protocol(envelope));
    if let Some(cipher) = envelope.tls.as_ref().and_then(|tls| cipher(&tls.cipher)) {
        // On a line of its own: some programs fold what is longer than 78, and a message should come out as it went in.
        let _ = write!(text, "\r\n\ttls {cipher}");
    }
    let _ = write!(text, " id {id}");
    // RFC 5321 §7.2: with several recipients nobody is told of the others.
    if let [one] = &envelope.recipients[..] {
        let _ = write!(text, "\r\n\tfor <{}>", visible(&one.address, ADDRESS));
    }
    let _ = write!(text, ";\r\n\t{}\r\n", date::format_rfc5322(now));
    text
}

/// The fields that a submission must have and lacks. RFC 6409 §8.2, §8.3.
pub(crate) fn lacking(has_date: bool, has_id: bool, hostname: &str, id: &str, now: Moment) -> String {
    let mut text = String::new();
    if !has_date {
        let _ = write!(text, "Date: {}\r\n", date::format_rfc5322(now));
    }
    if !has_id {
        let _ = write!(text, "Message-ID: <{id}@{hostname}>\r\n");
    }
    text
}

/// How the message came. RFC 3848, RFC 6531 §4.3.
fn protocol(envelope: &Envelope) -> String {
    if !envelope.esmtp {
        return "SMTP".into();
    }
    let mut name = String::from(if envelope.smtputf8 { "UTF8SMTP" } else { "ESMTP" });
    name.push_str(if envelope.tls.is_some() { "S" } else { "" });
    name.push_str(if envelope.login.is_some() { "A" } else { "" });
    name
}

/// What the peer calls itself: whatever is in no name of a host becomes a question mark.
fn greeting(helo: &str) -> String {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_:[]".contains(letter);
    let name: String =
        helo.chars().take(NAME).map(|letter| if fits(letter) { letter } else { '?' }).collect();
    if name.is_empty() { "unknown".into() } else { name }
}

/// RFC 5321 §4.1.3.
fn literal(envelope: &Envelope) -> String {
    match envelope.peer.to_canonical() {
        std::net::IpAddr::V4(address) => format!("[{address}]"),
        std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}

/// The cipher suite as it is registered. RFC 8314 §4.3.
fn cipher(name: &str) -> Option<String> {
    let registered = name.replacen("TLS13_", "TLS_", 1);
    let fits = registered.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_');
    (fits && !registered.is_empty() && registered.len() <= NAME).then_some(registered)
}

/// An address without what could end a line.
fn visible(address: &str, most: usize) -> String {
    address
        .chars()
        .filter(|letter| !letter.is_control() && !matches!(letter, '\u{2028}' | '\u{2029}'))
        .take(most)
        .collect()
}

/// A name for a message: the time, a count, and chance, in letters and digits of one case.
pub(crate) fn message_id(now: Moment) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut random = [0; 8];
    // Time and count alone name it once in this process; chance is for what other hosts and restarts may name.
    let _ = getrandom::fill(&mut random);
    let random = u64::from_le_bytes(random);
    format!("{}{}{}", base32(now.0, 9), base32(count, 2), base32(random, 9))
}

/// The lowest digits of a number, highest first.
fn base32(number: u64, digits: u32) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    (0..digits).rev().map(|digit| char::from(DIGITS[(number >> (5 * digit)) as usize & 31])).collect()
}

#[cfg(test)]
mod tests {
    use mail::AccountId;
    use proto::TlsInfo;
    use proto::login::LoggedIn;
    use proto::smtp::ask::Recipient;

    use super::*;

    const NOW: Moment = Moment(1_800_000_000_000);

    fn envelope() -> Envelope {
        Envelope {
            peer: "192.0.2.7".parse().expect("an address"),
            helo: "mx.other.test".into(),
            esmtp: true,
            submission: false,
            tls: None,
            login: None,
            sender: "bob@other.test".into(),
            size: None,
            eight_bit: false,
            smtputf8: false,
            recipients: vec![to("alice@x.test")],
        }
    }

    fn to(address: &str) -> Recipient {
        Recipient { address: address.into(), targets: Vec::new() }
    }

    fn written(envelope: &Envelope) -> String {
        trace(envelope, "mail.x.test", "ID", NOW)
    }

    /// RFC 5321 §4.4.
    #[test]
    fn a_trace() {
        assert_eq!(
            written(&envelope()),
            "Return-Path: <bob@other.test>\r\n\
             Received: from mx.other.test ([192.0.2.7])\r\n\
             \tby mail.x.test with ESMTP id ID\r\n\
             \tfor <alice@x.test>;\r\n\
             \tFri, 15 Jan 2027 08:00:00 +0000\r\n"
        );
        let two = Envelope { recipients: vec![to("a@x.test"), to("b@x.test")], ..envelope() };
        assert!(!written(&two).contains("for <"));
        let null = Envelope { sender: String::new(), ..envelope() };
        assert!(written(&null).starts_with("Return-Path: <>\r\n"));
        let six = Envelope { peer: "2001:db8::1".parse().expect("an address"), ..envelope() };
        assert!(written(&six).contains(" ([IPv6:2001:db8::1])\r\n"));
        let mapped = Envelope { peer: "::ffff:192.0.2.1".parse().expect("an address"), ..envelope() };
        assert!(written(&mapped).contains(" ([192.0.2.1])\r\n"));
    }

    /// RFC 3848, RFC 6531 §4.3, RFC 8314 §4.3.
    #[test]
    fn how_it_came() {
        let tls = || Some(TlsInfo { cipher: "TLS13_AES_256_GCM_SHA384".into(), ..TlsInfo::default() });
        let login = || Some(LoggedIn { account: AccountId(1024), address: "a@x.test".into() });
        let with = |envelope: &Envelope| {
            let text = written(envelope).replace("\r\n\t", " ");
            let (_, rest) = text.split_once(" with ").expect("a protocol");
            rest.split_once(" id ").expect("an id").0.to_owned()
        };
        assert_eq!(with(&Envelope { esmtp: false, ..envelope() }), "SMTP");
        assert_eq!(with(&Envelope { login: login(), ..envelope() }), "ESMTPA");
        assert_eq!(
            with(&Envelope { tls: tls(), login: login(), ..envelope() }),
            "ESMTPSA tls TLS_AES_256_GCM_SHA384"
        );
        assert_eq!(with(&Envelope { tls: Some(TlsInfo::default()), ..envelope() }), "ESMTPS");
        assert_eq!(
            with(&Envelope { smtputf8: true, tls: Some(TlsInfo::default()), ..envelope() }),
            "UTF8SMTPS"
        );
    }

    #[test]
    fn nothing_that_was_said_ends_a_line() {
        let bad = "x\r\nBcc: evil@x.test\r\n\r\n\0\u{85}\u{2028}(;)<>\"\t é";
        let cipher = TlsInfo { cipher: "A\r\nB: c".into(), ..TlsInfo::default() };
        let hostile = Envelope {
            helo: bad.into(),
            sender: bad.into(),
            recipients: vec![to(bad)],
            tls: Some(cipher),
            ..envelope()
        };
        let text = written(&hostile);
        assert_eq!(mail::header::fields(text.as_bytes()).count(), 2, "{text}");
        assert!(text.split("\r\n").all(|line| !line.contains(char::is_control) || line.starts_with('\t')));
        assert_eq!(text.matches('\r').count(), 5);
        let long = Envelope { helo: "a".repeat(10_000), sender: "b".repeat(10_000), ..envelope() };
        assert!(written(&long).lines().all(|line| line.len() <= 998));
        let nameless = Envelope { helo: String::new(), ..envelope() };
        assert!(written(&nameless).contains("from unknown ("));
    }

    #[test]
    fn what_a_submission_lacks() {
        assert_eq!(lacking(true, true, "h", "ID", NOW), "");
        assert_eq!(
            lacking(false, false, "mail.x.test", "ID", NOW),
            "Date: Fri, 15 Jan 2027 08:00:00 +0000\r\nMessage-ID: <ID@mail.x.test>\r\n"
        );
    }

    #[test]
    fn no_two_messages_have_one_name() {
        let names: std::collections::HashSet<String> = (0..5000).map(|_| message_id(NOW)).collect();
        assert_eq!(names.len(), 5000);
        assert!(names.iter().all(|name| name.len() == 20 && name.bytes().all(|b| b.is_ascii_alphanumeric())));
    }
}
