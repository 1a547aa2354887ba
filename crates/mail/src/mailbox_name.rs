//! Names of mailboxes: how they are spelt on the wire and which are allowed. RFC 3501 §5.1.3, RFC 9051 §5.1.
//!
//! A name is UTF-8 with `/` between its levels, and never a path: what it may hold is decided here, so that no
//! engine and no export has to.

use std::fmt;

use crate::base64::{digit, letter};

/// Octets of a name.
pub const LENGTH_MAX: usize = 1000;
/// Levels of a name.
pub const LEVELS_MAX: usize = 40;

/// The digit of 63 in modified base64.
const LAST: u8 = b',';

/// Why a name cannot be that of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// No name, or a level without a name.
    Empty,
    /// More than `LENGTH_MAX` octets.
    TooLong,
    /// More than `LEVELS_MAX` levels.
    TooDeep,
    /// Control characters, line or paragraph separators. RFC 9051 §5.1, RFC 5198 §2.
    Control,
    /// `%` or `*`: the name could not be told from a pattern of LIST. RFC 9051 §5.1 (3).
    Wildcard,
    /// A level `.` or `..`, which other programs would take for a path.
    Dots,
    /// It begins with `#`, which is kept for namespaces. RFC 9051 §5.1.1.
    Namespace,
}

/// In words that end a sentence "cannot be created: …".
impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Empty => f.write_str("a level of the name is empty"),
            NameError::TooLong => write!(f, "the name is longer than {LENGTH_MAX} octets"),
            NameError::TooDeep => write!(f, "the name has more than {LEVELS_MAX} levels"),
            NameError::Control => f.write_str("the name holds control characters"),
            NameError::Wildcard => f.write_str("the name holds a wildcard, % or *"),
            NameError::Dots => f.write_str("a level of the name is . or .."),
            NameError::Namespace => f.write_str("the name begins with #"),
        }
    }
}

impl std::error::Error for NameError {}

/// The one spelling of a name for a new mailbox: INBOX as the first level in capitals, the rest as given (no
/// Unicode normalisation: what a client creates it must find again). RFC 9051 §5.1.
pub fn normalise(name: &str) -> Result<String, NameError> {
    if name.len() > LENGTH_MAX {
        return Err(NameError::TooLong);
    }
    if name.starts_with('#') {
        return Err(NameError::Namespace);
    }
    if name.contains(['%', '*']) {
        return Err(NameError::Wildcard);
    }
    if name.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')) {
        return Err(NameError::Control);
    }
    if name.split('/').any(str::is_empty) {
        return Err(NameError::Empty);
    }
    if name.split('/').count() > LEVELS_MAX {
        return Err(NameError::TooDeep);
    }
    if name.split('/').any(|level| matches!(level, "." | "..")) {
        return Err(NameError::Dots);
    }
    Ok(inbox(name))
}

/// INBOX, alone or as the first level, in capitals.
fn inbox(name: &str) -> String {
    const INBOX: &str = "INBOX";
    let (first, rest) = name.split_at(name.find('/').unwrap_or(name.len()));
    if first.eq_ignore_ascii_case(INBOX) { format!("{INBOX}{rest}") } else { name.to_owned() }
}

/// Into modified UTF-7.
pub fn to_utf7(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| plain(c) != plain(first)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if plain(first) {
            encoded.push_str(&run.replace('&', "&-"));
        } else {
            shifted(run, &mut encoded);
        }
        rest = after;
    }
    encoded
}

/// From modified UTF-7. `None` unless it is spelt in the only way allowed: printable US-ASCII stands for itself and
/// never in base64, two shifts are never adjacent, surrogates come in pairs, no bits are left over. One name has
/// one spelling, so no rule about names can be sidestepped by another.
pub fn from_utf7(encoded: &str) -> Option<String> {
    let mut name = String::with_capacity(encoded.len());
    let mut rest = encoded;
    let mut after_shift = false;
    while let Some(first) = rest.chars().next() {
        if !plain(first) {
            return None;
        }
        let Some(shift) = rest.strip_prefix('&') else {
            let end = rest.find(|c| !plain(c) || c == '&').unwrap_or(rest.len());
            name.push_str(&rest[..end]);
            rest = &rest[end..];
            after_shift = false;
            continue;
        };
        let (digits, after) = shift.split_once('-')?;
        match digits {
            "" => name.push('&'),
            _ if after_shift => return None,
            _ => unshifted(digits, &mut name)?,
        }
        after_shift = !digits.is_empty();
        rest = after;
    }
    Some(name)
}

/// What stands for itself.
fn plain(c: char) -> bool {
    (' '..='~').contains(&c)
}

fn shifted(run: &str, encoded: &mut String) {
    encoded.push('&');
    let (mut bits, mut held) = (0_u32, 0_u32);
    for unit in run.encode_utf16() {
        bits = bits << 16 | u32::from(unit);
        held += 16;
        while held >= 6 {
            held -= 6;
            encoded.push(char::from(letter((bits >> held & 0x3f) as u8, LAST)));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        encoded.push(char::from(letter((bits << (6 - held) & 0x3f) as u8, LAST)));
    }
    encoded.push('-');
}

fn unshifted(digits: &str, name: &mut String) -> Option<()> {
    let mut units = Vec::with_capacity(digits.len() * 3 / 8);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for octet in digits.bytes() {
        bits = bits << 6 | u32::from(digit(octet, LAST)?);
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push((bits >> held) as u16);
            bits &= (1 << held) - 1;
        }
    }
    if held >= 6 || bits != 0 {
        return None;
    }
    for unit in char::decode_utf16(units) {
        let c = unit.ok()?;
        if plain(c) {
            return None;
        }
        name.push(c);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 3501 §5.1.3.
    #[test]
    fn modified_utf7() {
        for (wire, name) in [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("R&-D", "R&D"),
            ("&-&-", "&&"),
            ("&-&AOQ-", "&ä"),
            ("&AOQ-&-", "ä&"),
            ("&2D3eAA-", "😀"),
            ("&AAAACQ-", "\0\t"),
            ("plain name", "plain name"),
            ("", ""),
        ] {
            assert_eq!(from_utf7(wire).as_deref(), Some(name));
            assert_eq!(to_utf7(name), wire);
        }
    }

    /// RFC 3501 §5.1.3: "&Jjo!" and "&U,BTFw-&ZeVnLIqe-" are named as not allowed.
    #[test]
    fn other_spellings_are_refused() {
        for wire in [
            "&Jjo!",
            "&U,BTFw-&ZeVnLIqe-",
            "&",
            "a&",
            "&AGE-",
            "&AC8-",
            "&AAAAYQ-",
            "&AO",
            "&A-",
            "&AA-",
            "&2D0-",
            "&3gA-",
            "&3gDYPQ-",
            "&AP/-",
            "&AP=-",
            "&AP0-a&AP1-",
            "&APxA-",
            "ü",
            "a\tb",
            "a\u{7f}",
        ] {
            assert_eq!(from_utf7(wire), None, "{wire}");
        }
    }

    /// RFC 9051 §5.1.
    #[test]
    fn names_that_are_allowed() {
        for (given, wanted) in [
            ("inbox", "INBOX"),
            ("InBoX/a", "INBOX/a"),
            ("inboxes", "inboxes"),
            ("a/inbox", "a/inbox"),
            ("ınbox", "ınbox"),
            ("a.b\\c\"d~ & …", "a.b\\c\"d~ & …"),
            ("台北/日本語", "台北/日本語"),
        ] {
            assert_eq!(normalise(given).as_deref(), Ok(wanted));
        }
        let long = "x".repeat(LENGTH_MAX);
        assert!(normalise(&long).is_ok());
        let deep = "x/".repeat(LEVELS_MAX);
        assert!(normalise(&deep[..deep.len() - 1]).is_ok());
        for (given, error) in [
            ("", NameError::Empty),
            ("/", NameError::Empty),
            ("/a", NameError::Empty),
            ("a/", NameError::Empty),
            ("a//b", NameError::Empty),
            ("../a", NameError::Dots),
            ("a/.", NameError::Dots),
            ("a\0", NameError::Control),
            ("a\r\nb", NameError::Control),
            ("a\u{85}", NameError::Control),
            ("a\u{2028}", NameError::Control),
            ("100%", NameError::Wildcard),
            ("*", NameError::Wildcard),
            ("#news", NameError::Namespace),
            (&format!("{long}x"), NameError::TooLong),
            (&format!("{deep}x"), NameError::TooDeep),
        ] {
            assert_eq!(normalise(given), Err(error), "{given}");
        }
    }

    proptest! {
        #[test]
        fn every_name_has_one_spelling(name in any::<String>()) {
            let wire = to_utf7(&name);
            prop_assert!(wire.bytes().all(|octet| (b' '..=b'~').contains(&octet)));
            prop_assert_eq!(from_utf7(&wire), Some(name));
        }

        #[test]
        fn nothing_else_is_read(wire in "[&A-Ca,+/\\-]{0,12}") {
            if let Some(name) = from_utf7(&wire) {
                prop_assert_eq!(to_utf7(&name), wire);
            }
        }
    }
}
