//! Real mail: a mailbox of 1,000 messages with attachments, threads and other alphabets, imported and sent in.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::letter::assert_same;
use crate::support::{ALICE, BOB, House, below_trace, program, python};

const MESSAGES: usize = 1000;

/// The script that writes mailboxes; it lies in the folder that is shared beside the repository.
fn mkmbox() -> PathBuf {
    let root = program::workspace();
    let found = root.ancestors().map(|up| up.join("shared/mail/mkmbox.py")).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("shared/mail/mkmbox.py is in no folder above {}", root.display()))
}

fn make(out: &Path, format: &str, count: usize) {
    let mut python = program::judge("python3", "/usr/bin/python3");
    python.arg(mkmbox()).arg(out).args(["--format", format, "--count", &count.to_string()]);
    program::run(python);
}

/// The messages one by one, as they were before they were put in a mailbox file.
fn originals(house: &House, count: usize) -> Vec<Vec<u8>> {
    let folder = house.folder("originals");
    make(&folder, "raw", count);
    (1..=count).map(|n| fs::read(folder.join(format!("{n:08}.eml"))).expect("a message")).collect()
}

/// `packetboat import`, with the server running or not.
fn import(house: &House, format: &str, from: &Path) {
    let from = from.to_str().expect("a path in UTF-8");
    let ran = house.tell(&["import", format, from, "--account", ALICE, "--mailbox", "INBOX"]);
    assert!(ran.status.success(), "{ran}");
}

fn assert_imported(house: &House, originals: &[Vec<u8>]) {
    let inbox = python::read(house, ALICE, "INBOX");
    assert_eq!(inbox.messages.len(), originals.len());
    for (message, original) in inbox.messages.iter().zip(originals) {
        assert_same(&message.text, original);
    }
}

#[test]
fn a_mailbox_file_is_imported_byte_for_byte_while_the_server_runs() {
    let house = House::new();
    let originals = originals(&house, MESSAGES);
    let file = house.data().with_file_name("mailbox");
    make(&file, "mbox", MESSAGES);
    let server = house.start();
    import(&house, "mbox", &file);
    assert_imported(&house, &originals);
    server.stop();
}

#[test]
fn a_maildir_is_imported_byte_for_byte_while_no_server_runs() {
    const SOME: usize = 100;
    let house = House::new();
    let originals = originals(&house, SOME);
    let folder = house.data().with_file_name("maildir");
    make(&folder, "maildir", SOME);
    house.start().stop();
    import(&house, "maildir", &folder);
    let server = house.start();
    assert_imported(&house, &originals);
    server.stop();
}

#[test]
fn two_hundred_real_messages_are_sent_in_and_read_back() {
    let house = House::new();
    let originals = originals(&house, 200);
    let server = house.start();
    python::relay(&house, BOB, &originals);
    let inbox = python::read(&house, BOB, "INBOX");
    assert_eq!(inbox.messages.len(), originals.len());
    for (message, original) in inbox.messages.iter().zip(&originals) {
        // The originals begin with a Received field of their own: it is not peeled off, ours are.
        let added = message.text.len() - original.len();
        assert_same(&message.text[added..], original);
        assert_same(below_trace(&message.text), below_trace(original));
    }
    server.stop();
}
