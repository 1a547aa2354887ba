//! Clients that have the same mailbox open see what the others do, at once where they wait for it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::reading::mbsync;
use crate::support::letter::assert_same;
use crate::support::{ALICE, House, Letter, assert_arrived, lf_to_crlf, python};

#[test]
fn two_clients_on_one_mailbox_see_each_others_changes() {
    let house = House::new();
    let server = house.start();
    python::run(&house, "imap_together.py", &[]);
    server.stop();
}

#[test]
fn idle_rings_for_new_mail_flags_and_expunges() {
    let house = House::new();
    let server = house.start();
    let ran = python::run(&house, "imap_idle.py", &[]);
    print!("{}", ran.text());
    server.stop();
}

#[test]
fn pop3_deletes_at_quit_and_not_before_and_imap_sees_it() {
    let house = House::new();
    let server = house.start();
    python::run(&house, "pop3_together.py", &[]);
    server.stop();
}

/// The messages of a maildir by what follows `Message-ID: `, and their files.
fn near(inbox: &Path) -> Vec<(String, PathBuf)> {
    let parts = ["new", "cur"].map(|part| fs::read_dir(inbox.join(part)).expect("a maildir"));
    parts
        .into_iter()
        .flatten()
        .map(|file| {
            let path = file.expect("an entry").path();
            let text = fs::read(&path).expect("a message");
            let text = String::from_utf8_lossy(&text);
            let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a Message-ID");
            (id.to_owned(), path)
        })
        .collect()
}

/// The flags in a maildir's file name.
fn letters_of(path: &Path) -> &str {
    path.to_str().and_then(|path| path.rsplit_once(":2,")).map_or("", |(_, flags)| flags)
}

/// Gives the file of this message these flags, as a mail program does.
fn mark(inbox: &Path, id: &str, flags: &str) {
    let (_, path) = near(inbox).into_iter().find(|(found, _)| found == id).expect("the message");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let bare = name.split(":2,").next().unwrap_or(name);
    fs::rename(&path, inbox.join("cur").join(format!("{bare}:2,{flags}"))).expect("a new name");
}

#[test]
fn mbsync_carries_flags_deletions_and_new_mail_both_ways() {
    let house = House::new();
    let server = house.start();
    let [ours, theirs, doomed_here, doomed_there, quiet] =
        std::array::from_fn(|_| Letter::short(ALICE, ALICE));
    let all = [&ours, &theirs, &doomed_here, &doomed_there, &quiet];
    python::submit(&house, ALICE, ALICE, &all);
    let folder = house.folder("mbsync");
    let inbox = folder.join("INBOX");
    mbsync(&house, &folder, "IMAPS", 993);
    assert_eq!(near(&inbox).len(), all.len());

    // Here: a flag, a deletion, a new message. There: a flag, a deletion.
    mark(&inbox, &ours.id, "FS");
    mark(&inbox, &doomed_here.id, "T");
    let new = Letter::tricky(ALICE, ALICE);
    let text = String::from_utf8(new.text.clone()).expect("UTF-8").replace("\r\n", "\n");
    fs::write(inbox.join("cur/1.new.here:2,S"), text).expect("a new message");
    python::run(&house, "imap_mark.py", &[ALICE, &theirs.id, "\\Answered", &doomed_there.id, "\\Deleted"]);
    mbsync(&house, &folder, "IMAPS", 993);

    let far = python::read(&house, ALICE, "INBOX");
    let flags = |letter: &Letter| -> Option<Vec<&str>> {
        let id = letter.id.as_bytes();
        let found = far.messages.iter().find(|m| m.text.windows(id.len()).any(|window| window == id))?;
        let mut flags: Vec<&str> = found.flags.iter().map(String::as_str).collect();
        flags.sort_unstable();
        Some(flags)
    };
    assert_eq!(flags(&ours), Some(vec!["\\Flagged", "\\Seen"]));
    assert_eq!(flags(&theirs), Some(vec!["\\Answered"]));
    assert_eq!(flags(&quiet), Some(vec![]));
    assert_eq!(flags(&new), Some(vec!["\\Seen"]));
    assert_eq!(flags(&doomed_here), None);
    assert_eq!(flags(&doomed_there), None);
    let here = near(&inbox);
    let here = |letter: &Letter| here.iter().find(|(id, _)| *id == letter.id).map(|(_, path)| path.as_path());
    assert_eq!(here(&ours).map(letters_of), Some("FS"));
    assert_eq!(here(&theirs).map(letters_of), Some("R"));
    assert_eq!(here(&quiet).map(letters_of), Some(""));
    assert!(here(&doomed_here).is_none() && here(&doomed_there).is_none());

    // What was appended is what lies here, but for mbsync's own mark.
    let appended = far.messages.last().expect("the appended message");
    let local = lf_to_crlf(&fs::read(here(&new).expect("the new message")).expect("its text"));
    let unmarked = |text: &[u8]| {
        let text = String::from_utf8(text.to_vec()).expect("UTF-8");
        text.split_inclusive("\r\n").filter(|line| !line.starts_with("X-TUID:")).collect::<String>()
    };
    assert_same(unmarked(&appended.text).as_bytes(), unmarked(&local).as_bytes());
    assert_same(unmarked(&local).as_bytes(), &new.text);
    for message in far.messages.iter().take(2) {
        let letter = if message.text.ends_with(&ours.text) { &ours } else { &theirs };
        assert_arrived(&message.text, letter);
    }
    server.stop();
}
