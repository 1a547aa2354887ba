//! SMTP's command lines, paths and parameters.

use proto::smtp::command::{self, Command};
use proto::smtp::path::{forward_path, reverse_path};
use proto::smtp::{limits, params};

use crate::{Target, mark, seeds};

/// The target.
pub const TARGET: Target = Target {
    name: "smtp_words",
    run: smtp_words,
    seeds: || {
        let mut all: Vec<Vec<u8>> = [
            "MAIL FROM:<a@b.test> SIZE=1 BODY=8BITMIME SMTPUTF8 AUTH=<>",
            "MAIL FROM:<>",
            "RCPT TO:<@a.test,@b.test:c@d.test>",
            "RCPT TO:<\"a \\\" b\"@[IPv6:2001:db8::1]>",
            "RCPT TO:<Postmaster>",
            "RCPT TO:<grüße@exämple.test>",
            "BDAT 86 LAST",
            "AUTH PLAIN AGEAYg==",
            "EHLO [192.0.2.1]",
            "HELO x.test",
            "GET / HTTP/1.1",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into();
        let lines = seeds::transcripts("smtp");
        all.extend(lines.iter().flat_map(|input| input.split(|octet| *octet == b'\n')).map(<[u8]>::to_vec));
        all
    },
    words: &[
        "MAIL FROM:<",
        "RCPT TO:<",
        ">",
        "@",
        "\"",
        "\\",
        "[IPv6:",
        "]",
        " SIZE=",
        " BODY=",
        "8BITMIME",
        "7BIT",
        " SMTPUTF8",
        " AUTH=",
        "+3D",
        "<>",
        "BDAT ",
        " LAST",
        "EHLO ",
        "HELO ",
        "VRFY ",
        "AUTH ",
        ":",
        ",",
        ".",
        "é",
    ],
    must_reach: &["mail", "rcpt", "null", "quoted", "literal", "utf8", "size", "refused 501", "refused 555"],
};

/// A line; and its text from the first `<` on as a path.
pub fn smtp_words(data: &[u8]) {
    match command::parse(data) {
        Ok(Command::Http) => mark::reached("http"),
        Ok(_) => mark::reached("command"),
        Err(reply) => check_reply(&reply),
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(text) = text.find('<').map(|at| &text[at..]) else { return };
    for (which, read) in [("mail", reverse_path(text)), ("rcpt", forward_path(text))] {
        match read {
            Ok((path, rest)) => {
                mark::reached(which);
                check_path(&path.address, path.utf8, which);
                assert!(text.ends_with(rest), "what follows is not the rest");
                check_params(rest);
            }
            Err(why) => mark::reached(why),
        }
    }
}

fn check_path(address: &str, utf8: bool, which: &str) {
    assert_eq!(utf8, !address.is_ascii());
    assert!(!address.contains(|letter: char| letter.is_control()), "{address:?}");
    // Read again as it will be written, it is the same: two readers cannot differ about it.
    let written = format!("<{address}>");
    let again = if which == "mail" { reverse_path(&written) } else { forward_path(&written) };
    let (path, rest) = again.unwrap_or_else(|why| panic!("{written} cannot be read again: {why}"));
    assert_eq!((path.address.as_str(), path.utf8, rest), (address, utf8, ""));
    mark::reached(match address {
        "" => "null",
        quoted if quoted.starts_with('"') => "quoted",
        _ if utf8 => "utf8",
        _ => "plain",
    });
    if address.ends_with(']') {
        mark::reached("literal");
    }
    assert!(which != "rcpt" || !address.is_empty());
    if let Some((local, domain)) = address.rsplit_once('@') {
        assert!((1..=limits::LOCAL_PART).contains(&local.len()), "{local}");
        assert!((1..=limits::DOMAIN).contains(&domain.len()), "{domain}");
    }
}

fn check_params(rest: &str) {
    for (esmtp, auth) in [(true, true), (true, false), (false, false)] {
        let offered = params::Offered { esmtp, auth };
        match params::mail(rest, offered) {
            Ok(found) => {
                assert!(esmtp || found == params::MailParams::default());
                if found.size.is_some() {
                    mark::reached("size");
                }
            }
            Err(reply) => check_reply(&reply),
        }
        if let Err(reply) = params::rcpt(rest, offered) {
            check_reply(&reply);
        }
    }
}

fn check_reply(reply: &proto::smtp::ask::Reply) {
    mark::reached(format!("refused {}", reply.code));
    assert!((400..600).contains(&reply.code));
    assert!(
        !reply.text.is_empty()
            && reply.text.len() < 400
            && reply.text.bytes().all(|o| matches!(o, b' '..=b'~'))
    );
}
