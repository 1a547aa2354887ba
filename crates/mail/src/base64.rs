//! Base64 as mail uses it: read from anything, and strictly for names. RFC 2045 §6.8, RFC 2152, RFC 3501 §5.1.3.
//!
//! What never lives here: base64 of logins; that is exact and belongs to SASL.

/// The value of a digit; `last` is the digit of 63, `/` in MIME and `,` in mailbox names.
pub fn digit(octet: u8, last: u8) -> Option<u8> {
    match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        _ if octet == last => Some(63),
        _ => None,
    }
}

/// The digit of a value below 64.
pub fn letter(value: u8, last: u8) -> u8 {
    match value {
        0..=25 => b'A' + value,
        26..=51 => b'a' + value - 26,
        52..=61 => b'0' + value - 52,
        62 => b'+',
        _ => last,
    }
}

/// What MIME base64 stands for. Octets outside of the alphabet are passed over, as RFC 2045 §6.8 has it, and after
/// padding a new text may begin.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0_u32);
    for &octet in text {
        match digit(octet, b'/') {
            Some(value) => {
                bits = bits << 6 | u32::from(value);
                held += 6;
                if held >= 8 {
                    held -= 8;
                    octets.push((bits >> held) as u8);
                    bits &= (1 << held) - 1;
                }
            }
            None if octet == b'=' => (bits, held) = (0, 0),
            None => {}
        }
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4648 §10, and RFC 2045 §6.8 on what to pass over.
    #[test]
    fn decoding_is_tolerant() {
        for (text, octets) in [
            ("", ""),
            ("Zg==", "f"),
            ("Zm8=", "fo"),
            ("Zm9v", "foo"),
            ("Zm9vYg==", "foob"),
            ("Zm9vYmE=", "fooba"),
            ("Zm9vYmFy", "foobar"),
            ("Zm9v\r\nYmFy\r\n", "foobar"),
            ("Zm 9*v-Ym|Fy", "foobar"),
            ("Zg==Zm8=", "ffo"),
            ("Zm9vYg", "foob"),
            ("Zm9vY", "foo"),
            ("====", ""),
        ] {
            assert_eq!(decode(text.as_bytes()), octets.as_bytes(), "{text}");
        }
    }

    #[test]
    fn digits_and_letters_are_inverse() {
        for last in [b'/', b','] {
            assert!((0..64).all(|value| digit(letter(value, last), last) == Some(value)));
        }
    }
}
