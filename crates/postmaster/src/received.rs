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
        let _ = write!(text, " tls {cipher}");
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
