//! Header sections, and the small grammars of names and dates.

use bytes::BytesMut;
use mail::{Moment, header as fields, mailbox_name, parameter};
use proto::imap::{date, mailbox, section};

use crate::{Target, mark, seeds};

/// Header sections.
pub const HEADER: Target = Target {
    name: "header",
    run: header,
    seeds: seeds::messages,
    words: super::index::WORDS,
    must_reach: &["field", "folded", "filtered"],
};

/// Mailbox names and IMAP's dates.
pub const MAILBOX_NAME: Target = Target {
    name: "mailbox_name",
    run: names,
    seeds: || {
        [
            "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
            "R&-D",
            "&2D3eAA-",
            "inbox/a",
            "台北/日本語",
            "a😀&b",
            "&AOQ-&-",
            "17-Jul-1996 02:44:25 -0700",
            " 1-Feb-1994 00:00:60 +1400",
            "29-Feb-2024",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    },
    words: &["&", "-", "&-", "&AOQ-", "&2D3eAA-", ",", "/", "ä", "😀", "-Feb-", " +0000", ":", "9999"],
    must_reach: &["decoded", "not a name", "normal", "date", "day"],
};

/// A header section: fields are the section, and filtering them loses and invents nothing.
pub fn header(data: &[u8]) {
    let mut at = 0;
    for field in fields::fields(data) {
        mark::reached("field");
        assert_eq!(&data[at..at + field.raw.len()], field.raw, "fields are not in order");
        at += field.raw.len();
        let value = field.unfolded();
        assert!(!value.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0)));
        assert!(value.len() <= field.raw_value.len() + field.raw_value.len() / 2 + 1);
        if field.raw_value.contains(&b'\n') {
            mark::reached("folded");
        }
        small_grammars(&value);
    }
    let rest = &data[at..];
    assert!(rest.is_empty() || rest.starts_with(b"\r\n") || rest.starts_with(b"\n"), "fields stop too early");
    let names = ["Subject".to_owned(), "content-type".to_owned()];
    let kept = section::filter_fields(data, &names, false);
    let others = section::filter_fields(data, &names, true);
    // A line end for the last field, and the empty line.
    assert!(kept.len() <= data.len() + 4 && others.len() <= data.len() + 4);
    if kept.len() > 2 {
        mark::reached("filtered");
    }
    for field in fields::fields(&kept) {
        assert!(
            field.name.is_empty() || names.iter().any(|name| field.is(name)),
            "{}",
            field.raw.escape_ascii()
        );
    }
}

/// What is read of a value is not more than the value.
fn small_grammars(value: &[u8]) {
    if let Some((media, subtype, parameters)) = parameter::content_type(value) {
        assert!(media.len() + subtype.len() < value.len());
        let octets: usize = parameters.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(octets <= value.len());
        _ = parameter::joined(&parameters, "boundary");
        _ = parameter::charset(&parameters, "filename");
    }
    assert!(parameter::words(value, 10).len() <= 10);
    assert!(mail::address_list::parse(value, 10).len() <= 11);
}

/// Text as a mailbox name on the wire, as one in the house, and as a date.
pub fn names(data: &[u8]) {
    dates(data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    match mailbox::decode(text) {
        Some(name) => {
            mark::reached("decoded");
            assert_eq!(mailbox::encode(&name), text, "one name has one spelling");
        }
        None => mark::reached("not a name"),
    }
    let wire = mailbox::encode(text);
    assert!(wire.bytes().all(|octet| matches!(octet, b' '..=b'~')));
    assert_eq!(mailbox::decode(&wire).as_deref(), Some(text));
    the_house_agrees(text);
    let inbox = mailbox::inbox(text.to_owned());
    assert!(inbox.eq_ignore_ascii_case(text));
    assert_eq!(mailbox::inbox(inbox.clone()), inbox);
}

/// The spelling of the protocol is that of the house, and a good name stays what it is.
fn the_house_agrees(text: &str) {
    assert_eq!(mailbox_name::from_utf7(text), mailbox::decode(text));
    assert_eq!(mailbox_name::to_utf7(text), mailbox::encode(text));
    if let Ok(name) = mailbox_name::normalise(text) {
        mark::reached("normal");
        assert_eq!(mailbox_name::normalise(&name).as_deref(), Ok(name.as_str()));
        assert_eq!(mailbox::inbox(text.to_owned()), name);
    }
}

fn dates(data: &[u8]) {
    if let Some(moment) = date::parse(data) {
        mark::reached("date");
        let mut out = BytesMut::new();
        date::print(&mut out, moment);
        assert_eq!(date::parse(&out), Some(Moment(moment.seconds() * 1000)), "{}", out.escape_ascii());
    }
    // The strict reader takes no other moment than the tolerant one.
    assert!(mail::date::parse_internal(data).is_none_or(|moment| date::parse(data) == Some(moment)));
    if date::parse_day(data).is_some() {
        mark::reached("day");
    }
}
