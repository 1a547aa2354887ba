//! What was acknowledged is there after any end: asked for, or kill -9 in the middle of everything.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::letter::assert_same;
use crate::support::{ALICE, ALICE_PASSWORD, BOB, House, Letter, below_trace, line, python};

#[test]
fn a_second_start_serves_the_same_mail() {
    let house = House::new();
    let server = house.start();
    let letters: Vec<Letter> = (0..5).map(|_| Letter::tricky(ALICE, ALICE)).collect();
    python::submit(&house, ALICE, ALICE, &letters);
    let marks = [letters[1].id.as_str(), "\\Seen", &letters[2].id, "$Label1", &letters[3].id, "\\Deleted"];
    python::run(&house, "imap_mark.py", &[&[ALICE], &marks[..]].concat());
    let before = python::read(&house, ALICE, "INBOX");
    assert_eq!(before.messages.len(), 4);
    server.stop();

    let server = house.start();
    assert_eq!(python::read(&house, ALICE, "INBOX"), before);
    // UIDs go on where they were, above the expunged one too.
    python::submit(&house, ALICE, ALICE, &[Letter::short(ALICE, ALICE)]);
    let after = python::read(&house, ALICE, "INBOX");
    assert_eq!(after.messages.last().map(|message| message.uid), Some(before.next));
    assert_eq!(after.validity, before.validity);
    server.kill();

    let server = house.start();
    assert_eq!(python::read(&house, ALICE, "INBOX"), after);
    server.stop();
}

#[test]
fn a_drain_lets_a_message_be_finished_and_says_goodbye_to_who_waits() {
    let house = House::new();
    let server = house.start();
    let trust = line::trust(house.authority(), &[]);
    let mut idle = line::connect(house.address(993)).secure(&trust).expect("a handshake");
    idle.expect("* OK");
    idle.imap(&format!("LOGIN {ALICE} {ALICE_PASSWORD}"), "OK");
    idle.imap("SELECT INBOX", "OK");
    idle.ask("I IDLE", "+");
    let mut sender = line::connect(house.address(25));
    sender.expect("220 ");
    sender.smtp("EHLO mx.elsewhere.test", 250);
    sender.smtp("MAIL FROM:<sender@elsewhere.test>", 250);
    sender.smtp(&format!("RCPT TO:<{ALICE}>"), 250);
    sender.smtp("DATA", 354);
    sender.send("Subject: half\r\n\r\nfirst half\r\n");

    server.ask_to_stop();
    // RFC 9051 §7.1.5. With this it is sure that the drain has begun.
    idle.expect("* BYE");
    sender.send("second half\r\n.\r\n");
    sender.expect("250 ");
    server.stop();

    let server = house.start();
    let inbox = python::read(&house, ALICE, "INBOX");
    assert_same(below_trace(inbox.only()), b"Subject: half\r\n\r\nfirst half\r\nsecond half\r\n");
    server.stop();
}

#[test]
fn kill_9_under_load_loses_nothing_acknowledged_and_doubles_nothing() {
    const ROUNDS: usize = 5;
    const SENDERS: usize = 4;
    let house = House::new();
    // How often each Message-ID was acknowledged: once, or not at all.
    let mut acknowledged: Vec<String> = Vec::new();
    let mut begun = 0;
    for round in 0..ROUNDS {
        let server = house.start();
        let mut load = python::script(&house, "smtp_load.py");
        load.args([&round.to_string(), &SENDERS.to_string(), BOB]);
        let mut load = load.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("python3");
        let mut said = BufReader::new(load.stdout.take().expect("standard output is piped")).lines();
        // Killed at a different place in each round, always with senders in the middle of something.
        let enough = acknowledged.len() + 20 + 17 * round;
        let mut server = Some(server);
        for line in &mut said {
            let line = line.expect("text");
            match line.split_once(' ') {
                Some(("acknowledged", id)) => acknowledged.push(id.to_owned()),
                Some(("begun", _)) => begun += 1,
                other => panic!("the load says {other:?}"),
            }
            if acknowledged.len() >= enough
                && let Some(server) = server.take()
            {
                server.kill();
            }
        }
        let load = load.wait_with_output().expect("its status");
        let complaint = String::from_utf8_lossy(&load.stderr);
        assert!(load.status.success(), "round {round}: the load says: {complaint}");
        assert!(server.is_none(), "round {round}: the load ended before the kill");
    }
    let server = house.start();
    let ran = python::run(&house, "imap_names.py", &[BOB]);
    let mut found: HashMap<&str, usize> = HashMap::new();
    let text = ran.text();
    for id in text.lines() {
        *found.entry(id).or_default() += 1;
    }
    let lost: Vec<&String> = acknowledged.iter().filter(|id| !found.contains_key(id.as_str())).collect();
    let doubled: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert!(doubled.is_empty(), "sent once and there more often: {doubled:?}");
    println!(
        "{ROUNDS} × kill -9: {begun} sent, {} acknowledged, {} found, none lost, none doubled",
        acknowledged.len(),
        found.len()
    );
    server.stop();
}
