//! Addresses, and whether the two readers of them in this house agree: an address that one takes and the other reads
//! in another way is how mail leaves by a door that was thought closed.

use mail::Address;
use mail::address::normalise_domain;
use proto::smtp::path::forward_path;

use crate::{Target, mark};

/// The target.
pub const TARGET: Target = Target {
    name: "address",
    run: address,
    seeds: || {
        [
            "alice@example.test",
            "\"a \\\" b\"@Example.TEST",
            "a+b@[192.0.2.1]",
            "x@[IPv6:2001:db8::1]",
            "grüße@exämple.test",
            "\"plain\"@x.test.",
            "a.b.c@xn--bcher-kva.test",
            "a@b.1",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    },
    words: &[
        "@",
        "\"",
        "\\",
        ".",
        "[",
        "]",
        "IPv6:",
        "+",
        "xn--",
        "ä",
        "ß",
        "\u{200f}",
        "é",
        "-",
        "127.0.0.1",
        "::1",
        " ",
    ],
    must_reach: &["ascii", "utf8", "literal", "quoted", "path", "detail"],
};

/// Text as an address.
pub fn address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = Address::parse(text, true);
    if let Ok(found) = &read {
        holds(found, text);
    }
    let ascii = Address::parse(text, false);
    assert_eq!(ascii.is_ok(), read.as_ref().is_ok_and(|found| !found.needs_smtputf8()), "{text:?}");
    if let Ok(domain) = normalise_domain(text) {
        assert_eq!(normalise_domain(&domain).as_deref(), Ok(domain.as_str()));
    }
    path_agrees(text);
}

fn holds(found: &Address, text: &str) {
    mark::reached(if found.needs_smtputf8() { "utf8" } else { "ascii" });
    if found.is_literal() {
        mark::reached("literal");
    }
    let written = found.to_string();
    if written.starts_with('"') {
        mark::reached("quoted");
    }
    assert_eq!(Address::parse(&written, true).as_ref(), Ok(found), "{text:?} is written {written:?}");
    let folded = found.folded();
    assert_eq!(folded.folded(), folded);
    assert_eq!(Address::parse(&folded.to_string(), true).as_ref(), Ok(&folded));
    let (local, detail) = found.split_detail('+');
    assert!(!local.is_empty());
    if let Some(detail) = detail {
        mark::reached("detail");
        assert_eq!(format!("{local}+{detail}"), found.local());
        let without = found.without_detail('+');
        assert_eq!((without.local(), without.domain()), (local, found.domain()));
    }
    // What the house writes, SMTP takes for the same.
    let path = format!("<{written}>");
    let (path, rest) = forward_path(&path).unwrap_or_else(|why| panic!("SMTP does not take {path:?}: {why}"));
    assert_eq!((path.address.as_str(), rest), (written.as_str(), ""));
}

/// What SMTP takes is an address for the rest of the house, or nothing at all; never one in another domain.
fn path_agrees(text: &str) {
    let path = format!("<{text}>");
    let Ok((path, "")) = forward_path(&path) else { return };
    mark::reached("path");
    let Ok(found) = Address::parse(&path.address, path.utf8) else { return };
    let (_, domain) = path.address.rsplit_once('@').expect("an address has a domain");
    assert_eq!(normalise_domain(domain).as_deref(), Ok(found.domain()));
}
