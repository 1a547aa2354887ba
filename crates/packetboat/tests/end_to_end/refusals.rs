//! What no client may do: slip commands past the handshake, smuggle a second message, log in in the clear, relay, or
//! write in another's name.

use std::io::{Read, Write};

use crate::support::line::{self, Line, Tls};
use crate::support::{ALICE, ALICE_PASSWORD, BOB, House, python};

const EHLO: &str = "EHLO client.example.test";

/// base64 of NUL, user, NUL, password. RFC 4616 §2.
fn plain(user: &str, password: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes = format!("\0{user}\0{password}").into_bytes();
    let groups = bytes.chunks(3).map(|three| {
        let number = (0..3).fold(0u32, |n, at| n << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        let digit = |at: usize| {
            let value = (number >> (18 - 6 * at)) & 63;
            if at > three.len() { '=' } else { char::from(DIGITS[value as usize]) }
        };
        (0..4).map(digit).collect::<String>()
    });
    groups.collect()
}

/// A session at 465, logged in as alice.
fn alice(house: &House) -> Tls {
    let trust = line::trust(house.authority(), &[]);
    let mut line = line::connect(house.address(465)).secure(&trust).expect("a handshake");
    line.expect("220 ");
    line.smtp(EHLO, 250);
    line.smtp(&format!("AUTH PLAIN {}", plain(ALICE, ALICE_PASSWORD)), 235);
    line
}

fn inbox_is_empty(house: &House, user: &str) {
    let inbox = python::read(house, user, "INBOX");
    let texts: Vec<String> = inbox.texts().iter().map(|text| text.escape_ascii().to_string()).collect();
    assert!(texts.is_empty(), "in the INBOX of {user}: {texts:#?}");
}

#[test]
fn what_is_sent_with_starttls_is_dropped() {
    let house = House::new();
    let server = house.start();
    let trust = line::trust(house.authority(), &[]);
    for port in [25, 587] {
        let mut line = line::connect(house.address(port));
        line.expect("220 ");
        line.smtp(EHLO, 250);
        // RFC 3207 §4.2: what came before the handshake is forgotten, the second EHLO and VRFY too.
        line.send("STARTTLS\r\nEHLO injected.example.test\r\nVRFY injected\r\n");
        line.expect("220 ");
        let mut line = line.secure(&trust).expect("a handshake");
        // Without EHLO in TLS there is none: MAIL is out of order, and is the first command that is answered.
        line.smtp("MAIL FROM:<sender@elsewhere.test>", 503);
        line.smtp(EHLO, 250);
        line.smtp("QUIT", 221);
    }
    let mut imap = line::connect(house.address(143));
    imap.expect("* OK");
    imap.send("T STARTTLS\r\nX CAPABILITY\r\n");
    imap.expect("T OK");
    let mut imap = imap.secure(&trust).expect("a handshake");
    let said = imap.imap("NOOP", "OK");
    assert_eq!(said.lines().count(), 1, "the injected command was answered: {said}");
    let mut pop3 = line::connect(house.address(110));
    pop3.expect("+OK");
    pop3.send("STLS\r\nCAPA\r\n");
    pop3.expect("+OK");
    let mut pop3 = pop3.secure(&trust).expect("a handshake");
    pop3.ask(&format!("USER {ALICE}"), "+OK");
    pop3.ask("PASS wrong", "-ERR");
    drop((imap, pop3));
    server.stop();
}

/// What ends a message for a careless server, and must not: the second message would be smuggled. RFC 5321 §2.3.8.
const SMUGGLERS: [&str; 8] =
    ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\0.\r\n"];

#[test]
fn no_line_end_but_cr_lf_ends_a_message_or_a_line_of_it() {
    let house = House::new();
    let server = house.start();
    for end in SMUGGLERS {
        let mut line = line::connect(house.address(25));
        line.expect("220 ");
        line.smtp(EHLO, 250);
        line.smtp("MAIL FROM:<sender@elsewhere.test>", 250);
        line.smtp(&format!("RCPT TO:<{ALICE}>"), 250);
        line.smtp("DATA", 354);
        line.send(format!(
            "Subject: outer\r\n\r\ntext{end}MAIL FROM:<admin@example.test>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n\
             Subject: smuggled\r\n\r\ntext\r\n.\r\n"
        ));
        // One verdict for all of it; nothing of it is a command.
        let verdict = line.read();
        let bare = end.replace("\r\n", "").contains(['\r', '\n']);
        if bare {
            // Whoever sends this is a smuggler or broken: one answer, and the end. RFC 5321 §2.3.8.
            assert!(verdict.starts_with('5'), "{end:?}: {verdict}");
            assert_eq!(line.rest(), "", "{end:?}");
            continue;
        }
        let next = ask(&mut line, "NOOP");
        assert!(next.starts_with("250 "), "{end:?}: after the verdict {verdict:?} came {next:?}");
        line.smtp("QUIT", 221);
        assert_eq!(line.rest(), "", "{end:?}");
    }
    inbox_is_empty(&house, BOB);
    let inbox = python::read(&house, ALICE, "INBOX");
    for text in inbox.texts() {
        let text = String::from_utf8_lossy(text);
        assert!(text.contains("\r\n\0.\r\n"), "a message with a bare CR or LF was taken: {text:?}");
    }
    server.stop();
}

#[test]
fn a_command_with_a_bare_line_end_is_no_command() {
    let house = House::new();
    let server = house.start();
    let mut line = line::connect(house.address(25));
    line.expect("220 ");
    line.smtp(EHLO, 250);
    line.send("NOOP\nMAIL FROM:<sender@elsewhere.test>\r\n");
    let said = line.read();
    assert!(said.starts_with('5'), "{said}");
    // The MAIL in it was not taken: one answer, and the end.
    assert_eq!(line.rest(), "");
    server.stop();
}

#[test]
fn no_password_is_taken_in_the_clear() {
    let house = House::new();
    let server = house.start();
    let secret = plain(ALICE, ALICE_PASSWORD);
    let mut smtp = line::connect(house.address(587));
    smtp.expect("220 ");
    smtp.smtp(EHLO, 250);
    // RFC 4954 §4: 538 or 530 where a mechanism wants encryption.
    let said = smtp.ask(&format!("AUTH PLAIN {secret}"), "53");
    assert!(said.starts_with("530") || said.starts_with("538"), "{said}");
    smtp.smtp(&format!("MAIL FROM:<{ALICE}>"), 530);
    let mut imap = line::connect(house.address(143));
    imap.expect("* OK");
    imap.imap(&format!("LOGIN {ALICE} {ALICE_PASSWORD}"), "NO");
    imap.imap(&format!("AUTHENTICATE PLAIN {secret}"), "NO");
    imap.imap("SELECT INBOX", "BAD");
    let mut pop3 = line::connect(house.address(110));
    pop3.expect("+OK");
    pop3.ask(&format!("USER {ALICE}"), "-ERR");
    pop3.ask(&format!("PASS {ALICE_PASSWORD}"), "-ERR");
    pop3.ask(&format!("AUTH PLAIN {secret}"), "-ERR");
    pop3.ask("STAT", "-ERR");
    drop((smtp, imap, pop3));
    let log = server.log();
    assert!(!log.contains(ALICE_PASSWORD) && !log.contains(&secret), "a secret is in the log");
    server.stop();
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer() {
    let house = House::new();
    let server = house.start();
    let trust = line::trust(house.authority(), &[]);
    let mut said = Vec::new();
    for user in [ALICE, "nobody@example.test"] {
        let mut imap = line::connect(house.address(993)).secure(&trust).expect("a handshake");
        imap.expect("* OK");
        said.push(imap.imap(&format!("LOGIN {user} wrong"), "NO"));
    }
    assert_eq!(said[0], said[1]);
    server.stop();
}

/// Forms that some servers have taken for an address of their own. All must be refused at 25.
const RELAYS: [&str; 20] = [
    "user@foreign.test",
    "user%foreign.test@example.test",
    "foreign.test!user",
    "foreign.test!user@example.test",
    "@example.test:user@foreign.test",
    "\"user@foreign.test\"",
    "\"user@foreign.test\"@example.test",
    "user%foreign.test",
    "user@foreign.test@example.test",
    "user@[127.0.0.1]",
    "user@[192.0.2.1]",
    "user@localhost",
    "user@foreign.test.",
    "user@example.test.foreign.test",
    "user@mail.example.test.foreign.test",
    "\"user%foreign.test\"@example.test",
    "user@foreign.test%example.test",
    "\"foreign.test!user\"@example.test",
    "user",
    "nobody@example.test",
];

#[test]
fn port_25_relays_for_nobody() {
    let house = House::new();
    let server = house.start();
    // Our own names as the sender, the null sender and our own machine are no reason to.
    for sender in ["sender@elsewhere.test", "", ALICE, "root@localhost", "sender@[127.0.0.1]"] {
        // A session for a few: each has a limit of errors.
        for recipients in RELAYS.chunks(5) {
            let mut line = line::connect(house.address(25));
            line.expect("220 ");
            line.smtp(EHLO, 250);
            for recipient in recipients {
                let mail = ask(&mut line, &format!("MAIL FROM:<{sender}>"));
                if mail.starts_with('5') {
                    // Refused for its sender already: so much the better.
                    continue;
                }
                assert!(mail.starts_with("250"), "MAIL FROM:<{sender}>: {mail}");
                let said = ask(&mut line, &format!("RCPT TO:<{recipient}>"));
                assert!(said.starts_with('5'), "MAIL FROM:<{sender}> RCPT TO:<{recipient}>: {said}");
                line.smtp("RSET", 250);
            }
            line.smtp("QUIT", 221);
        }
    }
    server.stop();
}

/// A command and the first line of whatever answer.
fn ask<S: Read + Write>(line: &mut Line<S>, command: &str) -> String {
    line.send(format!("{command}\r\n"));
    line.read()
}

#[test]
fn a_submission_to_a_foreign_domain_is_refused_at_once_and_never_lost() {
    let house = House::new();
    let server = house.start();
    let mut line = alice(&house);
    line.smtp(&format!("MAIL FROM:<{ALICE}>"), 250);
    let said = line.ask("RCPT TO:<user@foreign.test>", "5");
    assert!(said.len() > "550 5.7.1 ".len() + 10, "no reason is given: {said}");
    line.smtp("QUIT", 221);
    server.stop();
}

#[test]
fn nobody_submits_in_anothers_name() {
    let house = House::new();
    let server = house.start();
    let mut line = alice(&house);
    let said = ask(&mut line, &format!("MAIL FROM:<{BOB}>"));
    assert!(said.starts_with("55"), "MAIL FROM bob by alice: {said}");
    let headers = [
        format!("From: {BOB}\r\n"),
        format!("From: Alice <{ALICE}>\r\nFrom: Bob <{BOB}>\r\n"),
        format!("From: {BOB}, {ALICE}\r\n"),
        format!("From: {ALICE}\r\nSender: {BOB}\r\n"),
        format!("From: \"{ALICE}\" <{BOB}>\r\n"),
        String::new(),
    ];
    for header in headers {
        line.smtp(&format!("MAIL FROM:<{ALICE}>"), 250);
        line.smtp(&format!("RCPT TO:<{BOB}>"), 250);
        line.smtp("DATA", 354);
        line.send(format!("{header}Subject: in whose name\r\n\r\ntext\r\n.\r\n"));
        let said = line.read();
        assert!(said.starts_with("55"), "{header:?}: {said}");
    }
    line.smtp("QUIT", 221);
    inbox_is_empty(&house, BOB);
    server.stop();
}

#[test]
fn too_much_is_refused_by_limit_and_the_connection_lives() {
    let house = House::new();
    let server = house.start();
    let mut line = line::connect(house.address(25));
    line.expect("220 ");
    let offered = line.smtp(EHLO, 250);
    let size: u64 = offered
        .lines()
        .find_map(|line| line.get(4..)?.strip_prefix("SIZE "))
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no SIZE: {offered}"));
    // RFC 1870 §6.1: 552 at MAIL already.
    line.smtp(&format!("MAIL FROM:<sender@elsewhere.test> SIZE={}", size + 1), 552);
    let said = ask(&mut line, &format!("NOOP {}", "x".repeat(100_000)));
    assert!(said.starts_with('5'), "a line of 100,000: {said}");
    line.smtp("NOOP", 250);
    line.smtp("QUIT", 221);
    let trust = line::trust(house.authority(), &[]);
    let mut imap = line::connect(house.address(993)).secure(&trust).expect("a handshake");
    imap.expect("* OK");
    // Before the log-in nobody is invited to send so much. RFC 9051 §4.3.
    refused_literal(&mut imap, "T LOGIN {4294967295}");
    imap.imap("NOOP", "OK");
    imap.imap(&format!("LOGIN {ALICE} {ALICE_PASSWORD}"), "OK");
    refused_literal(&mut imap, "T APPEND INBOX {4294967295}");
    imap.imap("NOOP", "OK");
    server.stop();
}

fn refused_literal<S: Read + Write>(line: &mut Line<S>, command: &str) {
    let said = ask(line, command);
    assert!(said.starts_with("T NO") || said.starts_with("T BAD"), "{command}: {said}");
}

#[test]
fn base64_of_plain_is_right() {
    // RFC 4616 §4.
    assert_eq!(plain("tim", "tanstaaftanstaaf"), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
}
