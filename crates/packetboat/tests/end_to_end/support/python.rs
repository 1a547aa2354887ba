//! Python's own mail libraries as clients: imaplib, poplib, smtplib. The scripts are in `python/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::program::{self, Ran};
use super::{ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD, House};

/// One message as it lies in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub uid: u32,
    pub flags: Vec<String>,
    pub text: Vec<u8>,
}

/// A mailbox as imaplib sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    pub validity: u32,
    pub next: u32,
    pub messages: Vec<Message>,
}

impl Mailbox {
    /// The text of the only message.
    #[track_caller]
    pub fn only(&self) -> &[u8] {
        assert_eq!(self.messages.len(), 1, "one message was sent, {} are there", self.messages.len());
        &self.messages[0].text
    }

    /// All texts, in order.
    pub fn texts(&self) -> Vec<&[u8]> {
        self.messages.iter().map(|message| message.text.as_slice()).collect()
    }
}

/// A script of ours that speaks through Python's libraries: it knows the ports, the authority and the accounts.
pub fn script(house: &House, name: &str) -> Command {
    let mut command = program::judge("python3", "/usr/bin/python3");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/end_to_end/python");
    // Scripts say what they wait for at once, and leave nothing behind.
    command.args(["-u", "-B"]).arg(folder.join(name));
    command.env("HOUSE_OFFSET", house.offset().to_string()).env("HOUSE_AUTHORITY", house.authority());
    command.env("HOUSE_ACCOUNTS", format!("{ALICE}\n{ALICE_PASSWORD}\n{BOB}\n{BOB_PASSWORD}"));
    command
}

/// Runs a script to its good end.
#[track_caller]
pub fn run(house: &House, name: &str, words: &[&str]) -> Ran {
    let mut command = script(house, name);
    command.args(words);
    program::run(command)
}

/// Reads all of a mailbox with imaplib, through TLS, changing no flag.
#[track_caller]
pub fn read(house: &House, user: &str, mailbox: &str) -> Mailbox {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path in UTF-8");
    let ran = run(house, "imap_read.py", &[user, mailbox, path]);
    let text = ran.text();
    let mut lines = text.lines();
    let numbers: Vec<u32> =
        lines.next().unwrap_or_default().split(' ').filter_map(|n| n.parse().ok()).collect();
    let &[validity, next] = numbers.as_slice() else { panic!("UIDVALIDITY and UIDNEXT are missing: {ran}") };
    let messages = lines
        .map(|line| {
            let mut words = line.split(' ').map(str::to_owned);
            let uid: u32 = words.next().and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{ran}"));
            // \Recent is true of a session, not of a message.
            let flags = words.filter(|flag| !flag.is_empty() && flag != "\\Recent").collect();
            let text = fs::read(folder.path().join(uid.to_string())).expect("what the script wrote");
            Message { uid, flags, text }
        })
        .collect();
    Mailbox { validity, next, messages }
}

/// Hands letters in with smtplib: at 465, as the user in whose name they are.
#[track_caller]
pub fn submit(house: &House, user: &str, to: &str, letters: &[impl AsRef<[u8]>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = write_all(folder.path(), letters);
    let mut command = script(house, "smtp_send.py");
    command.args(["465", user, to]).args(files);
    program::run(command);
}

/// Sends texts with smtplib to 25, as another server.
#[track_caller]
pub fn relay(house: &House, to: &str, texts: &[impl AsRef<[u8]>]) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = write_all(folder.path(), texts);
    let mut command = script(house, "smtp_send.py");
    command.args(["25", "", to]).args(files);
    program::run(command);
}

fn write_all(folder: &Path, texts: &[impl AsRef<[u8]>]) -> Vec<PathBuf> {
    texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let path = folder.join(format!("{n:06}"));
            fs::write(&path, text).expect("a file");
            path
        })
        .collect()
}
