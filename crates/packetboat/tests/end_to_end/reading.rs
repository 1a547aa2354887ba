//! What was sent is read back byte for byte by every program that reads mail, and all of them read the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::letter::assert_same;
use crate::support::{
    ALICE, ALICE_PASSWORD, House, Letter, Server, assert_arrived, judge, lf_to_crlf, program, python,
};

/// A server with letters in alice's INBOX, and those as they lie there.
struct Shelf {
    house: House,
    server: Server,
    letters: Vec<Letter>,
    texts: Vec<Vec<u8>>,
}

impl Shelf {
    fn new() -> Shelf {
        let house = House::new();
        let server = house.start();
        let letters =
            vec![Letter::tricky(ALICE, ALICE), Letter::short(ALICE, ALICE), Letter::nested(ALICE, ALICE)];
        python::submit(&house, ALICE, ALICE, &letters);
        let inbox = python::read(&house, ALICE, "INBOX");
        let texts: Vec<Vec<u8>> = inbox.messages.into_iter().map(|message| message.text).collect();
        assert_eq!(texts.len(), letters.len());
        Shelf { house, server, letters, texts }
    }

    /// What a client has read, in any order, is what lies on the shelf; and that is what was sent.
    #[track_caller]
    fn assert_all_read(self, mut read: Vec<Vec<u8>>) {
        assert_eq!(read.len(), self.letters.len(), "messages that the client has read");
        for (letter, text) in self.letters.iter().zip(&self.texts) {
            assert_arrived(text, letter);
            let found = read.iter().position(|message| holds(message, letter.id.as_bytes()));
            let message = read.swap_remove(found.unwrap_or_else(|| panic!("{} was not read", letter.id)));
            assert_same(&message, text);
        }
        self.server.stop();
    }
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The messages of a maildir, with the line ends that mail has on the wire.
fn maildir(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for part in ["new", "cur"] {
        for file in fs::read_dir(folder.join(part)).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            found.push(lf_to_crlf(&fs::read(file.expect("an entry").path()).expect("a message")));
        }
    }
    found
}

/// The message without a field that the client itself adds.
fn without_field(text: &[u8], name: &str) -> Vec<u8> {
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let mut header = true;
    let mut kept = Vec::with_capacity(text.len());
    for line in lines {
        header &= line != b"\r\n";
        if !(header && line.starts_with(name.as_bytes())) {
            kept.extend_from_slice(line);
        }
    }
    kept
}

#[test]
fn imaplib_reads_at_993_and_143() {
    let shelf = Shelf::new();
    let folder = shelf.house.folder("read");
    python::run(&shelf.house, "imap_parts.py", &[ALICE, path(&folder)]);
    let read = files(&folder);
    shelf.assert_all_read(read);
}

#[test]
fn poplib_reads_at_995_and_110() {
    let shelf = Shelf::new();
    for port in ["995", "110"] {
        let folder = shelf.house.folder(port);
        python::run(&shelf.house, "pop3_read.py", &[port, ALICE, path(&folder)]);
        let names: BTreeSet<_> =
            fs::read_dir(&folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names.len(), shelf.letters.len());
        if port == "110" {
            shelf.assert_all_read(files(&folder));
            return;
        }
    }
}

#[test]
fn curl_reads_by_imap_at_993_and_143() {
    for (scheme, port) in [("imaps", 993), ("imap", 143)] {
        let shelf = Shelf::new();
        let read = (1..=shelf.letters.len())
            .map(|uid| curl(&shelf.house, scheme, port, &format!("INBOX;UID={uid}")))
            .collect();
        shelf.assert_all_read(read);
    }
}

#[test]
fn curl_reads_by_pop3_at_995_and_110() {
    for (scheme, port) in [("pop3s", 995), ("pop3", 110)] {
        let shelf = Shelf::new();
        let read = (1..=shelf.letters.len())
            .map(|number| curl(&shelf.house, scheme, port, &number.to_string()))
            .collect();
        shelf.assert_all_read(read);
    }
}

fn curl(house: &House, scheme: &str, port: u16, what: &str) -> Vec<u8> {
    let mut curl = judge("curl", "/usr/bin/curl");
    curl.args(["--silent", "--show-error", "--ssl-reqd", "--cacert"]).arg(house.authority());
    curl.args(["--user", &format!("{ALICE}:{ALICE_PASSWORD}")]);
    curl.arg(format!("{scheme}://localhost:{}/{what}", house.port(port)));
    program::run(curl).out
}

#[test]
fn mbsync_reads_at_993_and_143() {
    for (tls, port) in [("IMAPS", 993), ("STARTTLS", 143)] {
        let shelf = Shelf::new();
        let folder = shelf.house.folder("mbsync");
        mbsync(&shelf.house, &folder, tls, port);
        // A mark of mbsync's own, by which it finds a message again.
        let read = maildir(&folder.join("INBOX")).iter().map(|text| without_field(text, "X-TUID:")).collect();
        shelf.assert_all_read(read);
    }
}

/// One two-way run of mbsync between alice's mailboxes and maildirs below `folder`.
pub fn mbsync(house: &House, folder: &Path, tls: &str, port: u16) {
    let near = folder.display();
    let config = format!(
        "IMAPAccount house\nHost localhost\nPort {}\nUser {ALICE}\nPass {ALICE_PASSWORD}\n\
         SSLType {tls}\nSystemCertificates no\nCertificateFile {}\n\n\
         IMAPStore far\nAccount house\n\n\
         MaildirStore near\nPath {near}/\nInbox {near}/INBOX\nSubFolders Verbatim\n\n\
         Channel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\nSyncState *\n",
        house.port(port),
        house.authority().display(),
    );
    let config = house.file("mbsyncrc", config);
    let mut mbsync = judge("isync", "/usr/bin/mbsync");
    mbsync.arg("--config").arg(config).arg("--all").env("HOME", folder);
    program::run(mbsync);
}

#[test]
fn offlineimap_reads_at_993_and_143() {
    for (tls, port) in [("ssl = yes\nstarttls = no", 993), ("ssl = no\nstarttls = yes", 143)] {
        let shelf = Shelf::new();
        let folder = shelf.house.folder("offlineimap");
        let config = format!(
            "[general]\naccounts = a\nmetadata = {folder}/state\nui = basic\n\
             [Account a]\nlocalrepository = near\nremoterepository = far\n\
             [Repository near]\ntype = Maildir\nlocalfolders = {folder}/mail\n\
             [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\n\
             remoteuser = {ALICE}\nremotepass = {ALICE_PASSWORD}\n{tls}\nsslcacertfile = {authority}\n",
            folder = folder.display(),
            port = shelf.house.port(port),
            authority = shelf.house.authority().display(),
        );
        let config = shelf.house.file("offlineimaprc", config);
        let mut offlineimap = judge("offlineimap3", "/usr/bin/offlineimap");
        offlineimap.arg("-o").arg("-c").arg(config).env("HOME", &folder);
        program::run(offlineimap);
        let read = maildir(&folder.join("mail/INBOX"));
        shelf.assert_all_read(read);
    }
}

#[test]
fn getmail_reads_by_imap_and_by_pop3() {
    for (retriever, port) in [("SimpleIMAPSSLRetriever", 993), ("SimplePOP3SSLRetriever", 995)] {
        let shelf = Shelf::new();
        let folder = shelf.house.folder("getmail");
        for part in ["", "mail", "mail/cur", "mail/new", "mail/tmp"] {
            if !part.is_empty() {
                fs::create_dir(folder.join(part)).expect("a folder");
            }
        }
        let config = format!(
            "[retriever]\ntype = {retriever}\nserver = localhost\nport = {port}\nusername = {ALICE}\n\
             password = {ALICE_PASSWORD}\nca_certs = {authority}\nssl_cert_hostname = localhost\n\
             [destination]\ntype = Maildir\npath = {folder}/mail/\n\
             [options]\ndelete = false\nread_all = true\ndelivered_to = false\nreceived = false\n",
            port = shelf.house.port(port),
            authority = shelf.house.authority().display(),
            folder = folder.display(),
        );
        let config = shelf.house.file("getmailrc", config);
        let mut getmail = judge("getmail6", "/usr/bin/getmail");
        getmail.arg("--getmaildir").arg(&folder).arg("--rcfile").arg(config).env("HOME", &folder);
        program::run(getmail);
        let read = maildir(&folder.join("mail"));
        shelf.assert_all_read(read);
    }
}

#[test]
fn fetchmail_reads_by_imap_and_by_pop3() {
    let ways = [
        ("imap", 993, "ssl"),
        ("imap", 143, "sslproto tls1.2+"),
        ("pop3", 995, "ssl"),
        ("pop3", 110, "sslproto tls1.2+"),
    ];
    for (protocol, port, tls) in ways {
        let shelf = Shelf::new();
        let folder = shelf.house.folder("fetchmail");
        let config = format!(
            "set no syslog\nset invisible\npoll localhost protocol {protocol} service {port} no dns:\n\
             user \"{ALICE}\" password \"{ALICE_PASSWORD}\" {tls} sslcertck sslcertfile \"{authority}\"\n\
             keep fetchall no rewrite no mimedecode no dropstatus\n\
             mda \"cat > $(mktemp {folder}/mail.XXXXXXXX)\"\n",
            port = shelf.house.port(port),
            authority = shelf.house.authority().display(),
            folder = folder.display(),
        );
        let config = shelf.house.file("fetchmailrc", config);
        let mut fetchmail = judge("fetchmail", "/usr/bin/fetchmail");
        fetchmail.arg("--fetchmailrc").arg(config).args(["--nodetach", "--verbose", "--pidfile"]);
        fetchmail.arg(folder.join("pid")).arg("--idfile").arg(folder.join("ids"));
        fetchmail.env("HOME", &folder).env("FETCHMAILHOME", &folder);
        program::run(fetchmail);
        let read = fs::read_dir(&folder)
            .expect("the folder")
            .map(|file| file.expect("an entry").path())
            .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("mail.")))
            .map(|path| lf_to_crlf(&fs::read(path).expect("a message")))
            .collect();
        shelf.assert_all_read(read);
    }
}

#[test]
fn mutt_copies_at_993_and_143() {
    for (scheme, port) in [("imaps", 993), ("imap", 143)] {
        let shelf = Shelf::new();
        let folder = shelf.house.folder("mutt");
        let config = format!(
            "set imap_user=\"{ALICE}\"\nset imap_pass=\"{ALICE_PASSWORD}\"\nset ssl_usesystemcerts=no\n\
             set certificate_file=\"{authority}\"\nset ssl_force_tls=yes\nset ssl_starttls=yes\n\
             set mbox_type=Maildir\nset confirmcreate=no\nset confirmappend=no\nset copy=no\nset mail_check=0\n\
             set wait_key=no\nset quit=yes\nset delete=no\nset folder=\"{folder}\"\n\
             push \"<tag-pattern>~A<enter><tag-prefix><copy-message>{folder}/mail<enter><quit>\"\n",
            authority = shelf.house.authority().display(),
            folder = folder.display(),
        );
        let config = shelf.house.file("muttrc", config);
        // mutt wants a terminal even where nobody sits at it; `script` is one.
        let mut mutt = judge("bsdutils", "/usr/bin/script");
        assert!(Path::new("/usr/bin/mutt").exists(), "mutt is missing: `cargo xtask judges` installs it");
        mutt.args(["--quiet", "--return", "--command"]);
        mutt.arg(format!(
            "/usr/bin/mutt -n -F {} -f {scheme}://localhost:{}/INBOX",
            config.display(),
            shelf.house.port(port)
        ));
        mutt.arg("/dev/null").env("TERM", "xterm").env("HOME", &folder);
        let ran = program::run(mutt);
        assert!(folder.join("mail/cur").exists(), "nothing was copied: {ran}");
        let read = maildir(&folder.join("mail"));
        shelf.assert_all_read(read);
    }
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("a path in UTF-8")
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder");
    entries.map(|file| fs::read(file.expect("an entry").path()).expect("a message")).collect()
}
