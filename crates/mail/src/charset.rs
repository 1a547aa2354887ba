//! From the charsets of mail to Unicode, for people and for search: always an answer, never a failure.
//!
//! What never lives here: going back.

use encoding_rs::Encoding;

use crate::base64;

/// Names that mail uses and the web's list does not know.
const ALIASES: [(&str, &str); 5] =
    [("cp932", "shift_jis"), ("cp936", "gbk"), ("cp949", "euc-kr"), ("cp950", "big5"), ("cp1125", "ibm866")];

/// The octets as text. Without a charset, with one that is unknown, and for US-ASCII, which is often claimed in
/// error: UTF-8 where it is that, else Windows-1252.
pub fn decode(octets: &[u8], charset: Option<&[u8]>) -> String {
    let name = charset.map_or(&b""[..], <[u8]>::trim_ascii).to_ascii_lowercase();
    if name == b"utf-7" || name == b"unicode-1-1-utf-7" {
        return utf7(octets);
    }
    let alias = ALIASES.iter().find(|(alias, _)| alias.as_bytes() == name);
    match Encoding::for_label_no_replacement(alias.map_or(&name, |(_, label)| label.as_bytes())) {
        Some(encoding) if !matches!(name.as_slice(), b"us-ascii" | b"ascii" | b"ansi_x3.4-1968") => {
            encoding.decode(octets).0.into_owned()
        }
        _ => guess(octets),
    }
}

/// UTF-8 where it is that, else Windows-1252, which has a character for nearly every octet.
pub fn guess(octets: &[u8]) -> String {
    match std::str::from_utf8(octets) {
        Ok(text) => text.to_owned(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(octets).0.into_owned(),
    }
}

/// RFC 2152: base64 of UTF-16 between `+` and the first octet that is no digit, which is dropped if it is `-`.
fn utf7(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    let mut rest = octets;
    while let Some(at) = memchr::memchr(b'+', rest) {
        text.push_str(&guess(&rest[..at]));
        rest = &rest[at + 1..];
        let end = rest.iter().position(|octet| base64::digit(*octet, b'/').is_none()).unwrap_or(rest.len());
        let (digits, after) = rest.split_at(end);
        rest = after.strip_prefix(b"-").unwrap_or(after);
        if digits.is_empty() {
            text.push('+');
        }
        let units = base64::decode(digits);
        let units = units.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        text.extend(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    text.push_str(&guess(rest));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets_of_mail() {
        let cases: [(&[u8], &str, &str); 16] = [
            (b"Gr\xfc\xdfe", "iso-8859-1", "Grüße"),
            (b"Gr\xfc\xdfe", "", "Grüße"),
            (b"Gr\xfc\xdfe", "x-unknown", "Grüße"),
            (b"Gr\xfc\xdfe", "us-ascii", "Grüße"),
            ("Grüße".as_bytes(), "US-ASCII", "Grüße"),
            ("Grüße".as_bytes(), "utf8", "Grüße"),
            (b"Gr\xfc", "utf-8", "Gr\u{fffd}"),
            (b"\x80", "ISO-8859-15", "\u{80}"),
            (b"\xa4", "iso-8859-15", "€"),
            (b"\xf0\xd2\xc9\xd7\xc5\xd4", "koi8-r", "Привет"),
            (b"\x1b$BF|K\\8l\x1b(B", "ISO-2022-JP", "日本語"),
            (b"\x93\xfa\x96{", "cp932", "日本"),
            (b"\xc4\xe3\xba\xc3", "gb2312", "你好"),
            (b"Hi Mom -+Jjo--!", "utf-7", "Hi Mom -☺-!"),
            (b"A+ImIDkQ. 1+-1", "UTF-7", "A≢Α. 1+1"),
            (b"abc", "hz-gb-2312", "abc"),
        ];
        for (octets, charset, text) in cases {
            let charset = (!charset.is_empty()).then_some(charset.as_bytes());
            assert_eq!(decode(octets, charset), text, "{charset:?}");
        }
    }
}
