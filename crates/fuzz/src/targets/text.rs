//! Text for people and for search: encoded words, dates, bodies.

use mail::{body, date, words};

use crate::{Target, mark, seeds};

/// Values of header fields.
pub const WORDS: Target = Target {
    name: "words",
    run: encoded_words,
    seeds: || {
        let mut all: Vec<Vec<u8>> = [
            "=?utf-8?q?Gr=C3=BC=C3=9Fe?= x =?ISO-8859-1*de?B?SWY=?= =?iso-2022-jp?b?GyRCRnxLXBsoQg==?=",
            "=?utf-8?q?a?==?utf-8?q?b?=",
            "=?utf-8?b?w?= =?utf-8?b?vA==?=",
            "(=?x-unknown?q?a_b?=) \"=?utf-7?q?+AOQ-?=\"",
            "Fri, 21 Nov 1997 09:55:06 -0600",
            "Wed Jan  1 00:00:00 2020",
            "1 Jan 70 24:00 (c (c)) EST",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into();
        all.extend(seeds::messages());
        all
    },
    words: &[
        "=?",
        "?=",
        "?q?",
        "?b?",
        "utf-8",
        "iso-8859-1",
        "iso-2022-jp",
        "utf-7",
        "big5",
        "=C3=BC",
        "_",
        "w7w=",
        " ",
        "\r\n ",
        "Jan",
        "Mon, ",
        "1997",
        "+0000",
        "-2359",
        "EST",
        ":",
        "(",
        ")",
        "31",
        "29 Feb",
        "12:00:60",
    ],
    must_reach: &["decoded", "date", "day"],
};

/// Bodies of parts.
pub const BODY: Target = Target {
    name: "body",
    run: body_text,
    seeds: || {
        [
            "\u{2}Gr=C3=BC=C3=9Fe, =\r\nx=\n=20 =zz",
            "\u{1}R3LDvMOfZQ==\r\nAAEC",
            "\u{11}g3GDWYOVg4o=",
            "\u{0}plain ä\r\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    },
    words: &["=C3=BC", "=\r\n", "=", "AAAA", "==", "\x1b$B", "+AOQ-", "\r\n", "begin 644 x"],
    must_reach: &["base64", "quoted-printable", "as it is", "charset"],
};

/// A value as text: one line, of bounded length; and as a date.
pub fn encoded_words(data: &[u8]) {
    let text = words::decode(data);
    assert!(!text.chars().any(|letter| letter.is_control() && letter != '\t'), "{text:?}");
    assert!(text.len() <= 4 * data.len() + 16, "{} octets of {}", text.len(), data.len());
    if !text.is_empty() && !text.contains("=?") && data.windows(2).any(|two| two == b"=?") {
        mark::reached("decoded");
    }
    let found = date::parse(data);
    let day = date::day(data);
    if let Some(moment) = found {
        mark::reached("date");
        let written = date::format_rfc5322(moment);
        let again = date::parse(written.as_bytes());
        assert_eq!(again.map(|again| again.seconds()), Some(moment.seconds()), "{written}");
        let internal = date::format_internal(moment);
        assert_eq!(
            date::parse_internal(internal.as_bytes()).map(|again| again.seconds()),
            Some(moment.seconds())
        );
        let day = day.expect("a date has a day");
        let apart = day - i64::try_from(moment.seconds() / 86_400).unwrap_or(i64::MAX);
        assert!(apart.abs() <= 5, "the day is {apart} days from the moment");
    }
    if day.is_some() {
        mark::reached("day");
    }
}

const ENCODINGS: [Option<&[u8]>; 4] = [None, Some(b"Base64"), Some(b"quoted-PRINTABLE"), Some(b"x-uuencode")];
const CHARSETS: [Option<&[u8]>; 8] = [
    None,
    Some(b"utf-8"),
    Some(b"Shift_JIS"),
    Some(b"iso-2022-jp"),
    Some(b"utf-16"),
    Some(b"gb18030"),
    Some(b"no-such"),
    Some(b"\xff"),
];

/// The first octet chooses encoding and charset of the rest.
pub fn body_text(data: &[u8]) {
    let Some((choice, octets)) = data.split_first() else { return };
    let choice = usize::from(*choice);
    let encoding = ENCODINGS[choice % ENCODINGS.len()];
    let charset = CHARSETS[choice / 8 % CHARSETS.len()];
    let decoded = body::decode(octets, encoding);
    assert!(decoded.len() <= octets.len());
    mark::reached(match choice % ENCODINGS.len() {
        1 => "base64",
        2 => "quoted-printable",
        _ => "as it is",
    });
    let text = body::text(octets, encoding, charset);
    assert!(text.len() <= 4 * octets.len() + 16, "{} octets of {}", text.len(), octets.len());
    if charset.is_some() {
        mark::reached("charset");
    }
}
