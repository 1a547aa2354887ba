//! Mail that any program hands in arrives as it was sent: at 587 after STARTTLS, at 465, with both mechanisms, and
//! at 25 from other servers. Certificates are checked against the authority that `cert ca` prints.

use std::process::Command;

use crate::support::letter::assert_same;
use crate::support::{
    ALICE, ALICE_PASSWORD, BOB, House, Letter, assert_arrived, below_trace, judge, program, python,
};

const PORTS: [u16; 2] = [587, 465];
const MECHANISMS: [&str; 2] = ["PLAIN", "LOGIN"];

/// Sends one letter a way from alice to bob, with the command that `client` makes, and looks for all in bob's INBOX.
fn every_way(client: impl Fn(&House, u16, &str, &Letter) -> Command) {
    let house = House::new();
    let server = house.start();
    let mut sent = Vec::new();
    for port in PORTS {
        for mechanism in MECHANISMS {
            let letter = Letter::tricky(ALICE, BOB);
            program::run(client(&house, port, mechanism, &letter));
            sent.push(letter);
        }
    }
    assert_inbox(&house, BOB, &sent);
    server.stop();
}

fn assert_inbox(house: &House, user: &str, sent: &[Letter]) {
    let inbox = python::read(house, user, "INBOX");
    assert_eq!(inbox.messages.len(), sent.len(), "messages in the INBOX of {user}");
    for (message, letter) in inbox.messages.iter().zip(sent) {
        assert_arrived(&message.text, letter);
    }
}

#[test]
fn swaks_hands_in_at_587_and_465_with_plain_and_login() {
    every_way(|house, port, mechanism, letter| {
        // It ends the last line of a file itself.
        let file = house.file("letter", letter.text.strip_suffix(b"\r\n").expect("a last line"));
        let mut swaks = judge("swaks", "/usr/bin/swaks");
        swaks.args(["--server", "localhost", "--port", &house.port(port).to_string()]);
        swaks.args(if port == 465 { ["--tls-on-connect"] } else { ["--tls"] });
        swaks.arg("--tls-verify").arg("--tls-ca-path").arg(house.authority());
        swaks.args(["--auth", mechanism, "--auth-user", ALICE, "--auth-password", ALICE_PASSWORD]);
        swaks.args(["--ehlo", "client.example.test", "--from", ALICE, "--to", BOB]);
        swaks.arg("--data").arg(format!("@{}", file.display()));
        swaks
    });
}

#[test]
fn msmtp_hands_in_at_587_and_465_with_plain_and_login() {
    every_way(|house, port, mechanism, letter| {
        let file = house.file("letter", &letter.text);
        let config = format!(
            "account default\nhost localhost\nport {}\ntls on\ntls_starttls {}\ntls_trust_file {}\n\
             auth {}\nuser {ALICE}\npassword {ALICE_PASSWORD}\nfrom {ALICE}\ndomain client.example.test\n",
            house.port(port),
            if port == 465 { "off" } else { "on" },
            house.authority().display(),
            mechanism.to_lowercase(),
        );
        let config = house.file("msmtprc", config);
        let mut msmtp = judge("msmtp", "/usr/bin/msmtp");
        msmtp.arg("--file").arg(config).arg("--").arg(BOB);
        msmtp.stdin(std::fs::File::open(file).expect("the letter"));
        msmtp
    });
}

#[test]
fn curl_hands_in_at_587_and_465_with_plain_and_login() {
    every_way(|house, port, mechanism, letter| {
        let file = house.file("letter", &letter.text);
        let scheme = if port == 465 { "smtps" } else { "smtp" };
        let mut curl = judge("curl", "/usr/bin/curl");
        curl.args(["--silent", "--show-error", "--ssl-reqd", "--cacert"]).arg(house.authority());
        curl.arg(format!("{scheme}://localhost:{}/client.example.test", house.port(port)));
        curl.args(["--user", &format!("{ALICE}:{ALICE_PASSWORD}")]);
        curl.args(["--login-options", &format!("AUTH={mechanism}")]);
        curl.args(["--mail-from", ALICE, "--mail-rcpt", BOB, "--upload-file"]).arg(file);
        curl
    });
}

#[test]
fn smtplib_hands_in_at_587_and_465_with_plain_and_login() {
    every_way(|house, port, mechanism, letter| {
        let file = house.file("letter", &letter.text);
        let mut script = python::script(house, "smtp_send.py");
        script.args([&format!("{port}:{mechanism}"), ALICE, BOB]).arg(file);
        script
    });
}

/// Postfix's own load generator, as another mail server.
fn smtp_source() -> Command {
    let mut source = program::unpacked("postfix", "usr/sbin/smtp-source");
    source.env("LD_LIBRARY_PATH", program::workspace().join("target/judges/postfix/usr/lib/postfix"));
    source.args(["-4", "-M", "mx.elsewhere.test", "-f", "sender@elsewhere.test", "-t", BOB]);
    source
}

#[test]
fn smtp_source_sends_a_file_to_25() {
    let house = House::new();
    let server = house.start();
    let letter = Letter::tricky("sender@elsewhere.test", BOB);
    // It reads lines as this system ends them, ends each as SMTP does, and the last one itself.
    let text = letter.text.split(|byte| *byte == b'\r').collect::<Vec<_>>().concat();
    let text = text.strip_suffix(b"\n").expect("a last line");
    let file = house.file("letter", text);
    let mut source = smtp_source();
    source.arg("-F").arg(file).arg(format!("127.0.0.1:{}", house.port(25)));
    program::run(source);
    assert_inbox(&house, BOB, &[letter]);
    server.stop();
}

#[test]
fn smtp_source_sends_hundreds_in_ten_sessions_to_25() {
    const MESSAGES: usize = 300;
    let house = House::new();
    let server = house.start();
    let mut source = smtp_source();
    source.args(["-s", "10", "-m", &MESSAGES.to_string(), "-l", "4096"]);
    source.arg(format!("127.0.0.1:{}", house.port(25)));
    program::run(source);
    let inbox = python::read(&house, BOB, "INBOX");
    assert_eq!(inbox.messages.len(), MESSAGES);
    let uids: Vec<u32> = inbox.messages.iter().map(|message| message.uid).collect();
    assert!(uids.is_sorted_by(|a, b| a < b), "UIDs only grow: {uids:?}");
    for text in inbox.texts() {
        let sent = below_trace(text);
        assert!(sent.starts_with(b"From: <sender@elsewhere.test>\r\n"), "{}", sent.escape_ascii());
        // Its text is lines of X; the last may be short.
        assert!(sent.ends_with(b"X\r\n"), "{}", sent.escape_ascii());
    }
    server.stop();
}

#[test]
fn one_message_to_both_is_in_both_inboxes() {
    let house = House::new();
    let server = house.start();
    let letter = Letter::nested("sender@elsewhere.test", ALICE);
    let file = house.file("letter", &letter.text);
    let mut curl = judge("curl", "/usr/bin/curl");
    curl.args(["--silent", "--show-error", "--ssl-reqd", "--cacert"]).arg(house.authority());
    curl.arg(format!("smtp://localhost:{}/mx.elsewhere.test", house.port(25)));
    curl.args(["--mail-from", "sender@elsewhere.test", "--mail-rcpt", ALICE, "--mail-rcpt", BOB]);
    curl.arg("--upload-file").arg(file);
    program::run(curl);
    for user in [ALICE, BOB] {
        assert_inbox(&house, user, std::slice::from_ref(&letter));
    }
    // RFC 5321 §7.2: neither reads in the trace who else got it.
    let alices = python::read(&house, ALICE, "INBOX");
    let trace = &alices.only()[..alices.only().len() - letter.text.len()];
    assert!(!String::from_utf8_lossy(trace).contains(BOB), "{}", trace.escape_ascii());
    server.stop();
}

#[test]
fn what_a_submission_lacks_is_added_above_it() {
    let house = House::new();
    let server = house.start();
    let text = format!("From: <{ALICE}>\r\nSubject: no date, no name\r\n\r\ntext\r\n");
    python::submit(&house, ALICE, BOB, &[&text]);
    let inbox = python::read(&house, BOB, "INBOX");
    let below = below_trace(inbox.only());
    let added = &below[..below.len() - text.len()];
    assert_same(&below[added.len()..], text.as_bytes());
    let added = String::from_utf8_lossy(added);
    let names: Vec<&str> =
        added.lines().filter_map(|line| line.split_once(": ").map(|(name, _)| name)).collect();
    assert_eq!(names, ["Date", "Message-ID"], "{added}");
    server.stop();
}
