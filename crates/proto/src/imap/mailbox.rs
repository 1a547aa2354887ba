//! Mailbox names on the wire: modified UTF-7 and INBOX. RFC 3501 §5.1.3, RFC 9051 §5.1.
//!
//! What never lives here: which names are allowed; the store judges that.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Sixtets with `,` for `/`, never padded, no stray bits at the end.
const MUTF7: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// From modified UTF-7. `None` unless it is spelt in the only way allowed: printable US-ASCII stands for itself
/// and never in base64, two shifts are never adjacent, and surrogates come in pairs. One name has one spelling,
/// so no rule about names can be sidestepped by another.
pub fn decode(name: &str) -> Option<String> {
    let mut decoded = String::with_capacity(name.len());
    let mut rest = name;
    let mut after_shift = false;
    while let Some(at) = rest.find('&') {
        let (plain, shifted) = (&rest[..at], &rest[at + 1..]);
        let end = shifted.find('-')?;
        if after_shift && plain.is_empty() && end > 0 {
            return None;
        }
        push_plain(&mut decoded, plain)?;
        if end == 0 {
            decoded.push('&');
        } else {
            push_shifted(&mut decoded, &shifted[..end])?;
        }
        after_shift = end > 0;
        rest = &shifted[end + 1..];
    }
    push_plain(&mut decoded, rest)?;
    Some(decoded)
}

fn push_plain(decoded: &mut String, plain: &str) -> Option<()> {
    if !plain.bytes().all(|octet| (b' '..=b'~').contains(&octet)) {
        return None;
    }
    decoded.push_str(plain);
    Some(())
}

fn push_shifted(decoded: &mut String, shifted: &str) -> Option<()> {
    let octets = MUTF7.decode(shifted).ok()?;
    if octets.len() % 2 != 0 {
        return None;
    }
    let units = octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
    for unit in char::decode_utf16(units) {
        let unit = unit.ok()?;
        if (' '..='~').contains(&unit) {
            return None;
        }
        decoded.push(unit);
    }
    Some(())
}

/// Into modified UTF-7.
pub fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let plain = (' '..='~').contains(&first);
        let end = rest.find(|c| (' '..='~').contains(&c) != plain).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if plain {
            encoded.push_str(&run.replace('&', "&-"));
        } else {
            let octets: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
            encoded.push('&');
            MUTF7.encode_string(octets, &mut encoded);
            encoded.push('-');
        }
        rest = after;
    }
    encoded
}

/// INBOX, alone or as the first level, is spelt in capitals. RFC 9051 §5.1.
pub fn inbox(name: String) -> String {
    const INBOX: &str = "INBOX";
    match name.split('/').next() {
        Some(first) if first != INBOX && first.eq_ignore_ascii_case(INBOX) => {
            format!("{INBOX}{}", &name[INBOX.len()..])
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3501 §5.1.3.
    #[test]
    fn modified_utf7() {
        for (wire, name) in [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("R&-D", "R&D"),
            ("&-", "&"),
            ("&-&AOQ-", "&ä"),
            ("&AOQ-&-", "ä&"),
            ("&2D3eAA-", "😀"),
            ("plain name", "plain name"),
            ("", ""),
        ] {
            assert_eq!(decode(wire).as_deref(), Some(name));
            assert_eq!(encode(name), wire);
        }
    }

    /// RFC 3501 §5.1.3: "&Jjo!" and "&U,BTFw-&ZeVnLIqe-" are named as not allowed.
    #[test]
    fn other_spellings_are_refused() {
        for wire in [
            "&Jjo!",
            "&U,BTFw-&ZeVnLIqe-",
            "&",
            "&AGE-",
            "&AC8-",
            "&AAAAYQ-",
            "&AO",
            "&A-",
            "&AA-",
            "&2D0-",
            "&3gA-",
            "&AP/-",
            "&AP=-",
            "ü",
            "a\tb",
        ] {
            assert_eq!(decode(wire), None, "{wire}");
        }
    }

    #[test]
    fn inbox_is_spelt_one_way() {
        for (given, wanted) in [
            ("inbox", "INBOX"),
            ("InBoX/a", "INBOX/a"),
            ("inboxes", "inboxes"),
            ("a/inbox", "a/inbox"),
            ("ınbox", "ınbox"),
            ("INBOX", "INBOX"),
        ] {
            assert_eq!(inbox(given.to_owned()), wanted);
        }
    }
}
