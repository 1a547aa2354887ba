//! What was sent is read back byte for byte by every program that reads mail, and all of them read the same.

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
    fn assert_all_read(&self, read: Vec<Vec<u8>>) {
        self.assert_all_read_as(read, <[u8]>::to_vec);
    }

    /// The same for a client that spells what it reads in its own way, which `spelled` does to what lies here.
    #[track_caller]
    fn assert_all_read_as(&self, mut read: Vec<Vec<u8>>, spelled: impl Fn(&[u8]) -> Vec<u8>) {
        assert_eq!(read.len(), self.letters.len(), "messages that the client has read");
        for letter in &self.letters {
            let text = take(&mut self.texts.clone(), letter);
            assert_arrived(&text, letter);
            assert_same(&take(&mut read, letter), &spelled(&text));
        }
    }
}

/// Takes out the message that has this letter's Message-ID.
#[track_caller]
fn take(messages: &mut Vec<Vec<u8>>, letter: &Letter) -> Vec<u8> {
    let id = letter.id.as_bytes();
    let found = messages.iter().position(|message| message.windows(id.len()).any(|window| window == id));
    messages.swap_remove(found.unwrap_or_else(|| panic!("{} was not read", letter.id)))
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

/// The header passed through `change` line by line, for what a client itself adds or writes differently.
fn with_header(text: &[u8], change: impl Fn(&str) -> Option<String>) -> Vec<u8> {
    let end = text.windows(4).position(|four| four == b"\r\n\r\n").expect("the end of the header") + 2;
    let header = String::from_utf8(text[..end].to_vec()).expect("a header in UTF-8");
    let header: String = header.split_inclusive("\r\n").filter_map(change).collect();
    [header.as_bytes(), &text[end..]].concat()
}

/// The message without fields that the client itself adds.
fn without_fields(text: &[u8], names: &[&str]) -> Vec<u8> {
    with_header(text, |line| (!names.iter().any(|name| line.starts_with(name))).then(|| line.to_owned()))
}

/// The header as Python's email package writes it, through which two clients pass it: an empty field gets a space.
fn rewritten(text: &[u8]) -> Vec<u8> {
    with_header(text, |line| Some(line.replace("X-Empty:\r\n", "X-Empty: \r\n")))
}

#[test]
fn imaplib_reads_at_993_and_143() {
    let shelf = Shelf::new();
    let folder = shelf.house.folder("read");
    python::run(&shelf.house, "imap_parts.py", &[ALICE, path(&folder)]);
    shelf.assert_all_read(files(&folder));
    shelf.server.stop();
}

#[test]
fn poplib_reads_at_995_and_110() {
    let shelf = Shelf::new();
    for port in ["995", "110"] {
        let folder = shelf.house.folder(port);
        python::run(&shelf.house, "pop3_read.py", &[port, ALICE, path(&folder)]);
        shelf.assert_all_read(files(&folder));
    }
    shelf.server.stop();
}

#[test]
fn curl_reads_by_imap_and_by_pop3() {
    let shelf = Shelf::new();
    for (scheme, port) in [("imaps", 993), ("imap", 143), ("pop3s", 995), ("pop3", 110)] {
        let read = (1..=shelf.letters.len()).map(|number| {
            let what =
                if scheme.starts_with("imap") { format!("INBOX;UID={number}") } else { number.to_string() };
            let mut curl = judge("curl", "/usr/bin/curl");
            curl.args(["--silent", "--show-error", "--ssl-reqd", "--cacert"]).arg(shelf.house.authority());
            // One of the two versions of TLS at each protocol, by turns.
            curl.args(if port < 200 {
                ["--tlsv1.3", "--tls-max", "1.3"]
            } else {
                ["--tlsv1.2", "--tls-max", "1.2"]
            });
            curl.args(["--user", &format!("{ALICE}:{ALICE_PASSWORD}")]);
            curl.arg(format!("{scheme}://localhost:{}/{what}", shelf.house.port(port)));
            program::run(curl).out
        });
        shelf.assert_all_read(read.collect());
    }
    shelf.server.stop();
}

#[test]
fn mbsync_reads_at_993_and_143() {
    let shelf = Shelf::new();
    for (tls, port) in [("IMAPS", 993), ("STARTTLS", 143)] {
        let folder = shelf.house.folder(tls);
        mbsync(&shelf.house, &folder, tls, port);
        // A mark of mbsync's own, by which it finds a message again.
        let read =
            maildir(&folder.join("INBOX")).iter().map(|text| without_fields(text, &["X-TUID:"])).collect();
        shelf.assert_all_read(read);
    }
    shelf.server.stop();
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

/// Only at 993: its library starts TLS at 143 with a race of its own, and then waits for ever about once in six
/// times, at Dovecot too.
#[test]
fn offlineimap_reads_at_993() {
    let shelf = Shelf::new();
    let folder = shelf.house.folder("offlineimap");
    let config = format!(
        "[general]\naccounts = a\nmetadata = {folder}/state\nui = basic\n\
         [Account a]\nlocalrepository = near\nremoterepository = far\n\
         [Repository near]\ntype = Maildir\nlocalfolders = {folder}/mail\n\
         [Repository far]\ntype = IMAP\nremotehost = localhost\nremoteport = {port}\nremoteuser = {ALICE}\n\
         remotepass = {ALICE_PASSWORD}\nssl = yes\nstarttls = no\nsslcacertfile = {authority}\n",
        folder = folder.display(),
        port = shelf.house.port(993),
        authority = shelf.house.authority().display(),
    );
    let config = shelf.house.file("offlineimaprc", config);
    let mut offlineimap = judge("offlineimap3", "/usr/bin/offlineimap");
    offlineimap.arg("-o").arg("-c").arg(config).env("HOME", &folder);
    program::run(offlineimap);
    shelf.assert_all_read_as(maildir(&folder.join("mail/INBOX")), rewritten);
    shelf.server.stop();
}

/// A shell command that keeps its input as a file `mail.*` in this folder: what getmail and fetchmail hand on to.
fn keep_in(folder: &Path) -> String {
    format!("cat > $(mktemp {}/mail.XXXXXXXX)", folder.display())
}

/// What was kept so, with the line ends that mail has on the wire.
fn kept_in(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder").map(|file| file.expect("an entry").path());
    let kept = entries.filter(|path| path.file_stem().is_some_and(|stem| stem == "mail"));
    kept.map(|path| lf_to_crlf(&fs::read(path).expect("a message"))).collect()
}

#[test]
fn getmail_reads_by_imap_and_by_pop3() {
    let shelf = Shelf::new();
    for (retriever, port) in [("SimpleIMAPSSLRetriever", 993), ("SimplePOP3SSLRetriever", 995)] {
        let folder = shelf.house.folder(retriever);
        // Its maildirs are not for root, and the gate may well be root.
        let config = format!(
            "[retriever]\ntype = {retriever}\nserver = localhost\nport = {port}\nusername = {ALICE}\n\
             password = {ALICE_PASSWORD}\nca_certs = {authority}\nssl_cert_hostname = localhost\n\
             [destination]\ntype = MDA_external\npath = /bin/sh\narguments = (\"-c\", \"{keep}\")\n\
             allow_root_commands = true\n\
             [options]\ndelete = false\nread_all = true\ndelivered_to = false\nreceived = false\n",
            port = shelf.house.port(port),
            authority = shelf.house.authority().display(),
            keep = keep_in(&folder),
        );
        let config = shelf.house.file("getmailrc", config);
        let mut getmail = judge("getmail6", "/usr/bin/getmail");
        getmail.arg("--getmaildir").arg(&folder).arg("--rcfile").arg(config).env("HOME", &folder);
        program::run(getmail);
        let added = ["X-getmail-retrieved-from-mailbox:"];
        let read = kept_in(&folder).iter().map(|text| without_fields(text, &added)).collect();
        shelf.assert_all_read_as(read, |text| {
            // It drops spaces at the end of a field besides.
            with_header(&rewritten(text), |line| Some(line.replace("spaces \r\n", "spaces\r\n")))
        });
    }
    shelf.server.stop();
}

#[test]
fn fetchmail_reads_by_imap_and_by_pop3() {
    const UPGRADE: &str = "sslproto tls1.2+";
    let shelf = Shelf::new();
    for (protocol, port, tls) in
        [("imap", 993, "ssl"), ("imap", 143, UPGRADE), ("pop3", 995, "ssl"), ("pop3", 110, UPGRADE)]
    {
        let folder = shelf.house.folder(&format!("fetchmail-{port}"));
        let config = format!(
            "set no syslog\nset invisible\npoll localhost protocol {protocol} service {port} no dns:\n\
             user \"{ALICE}\" password \"{ALICE_PASSWORD}\" {tls} sslcertck sslcertfile \"{authority}\"\n\
             keep fetchall no rewrite no mimedecode no dropstatus\nmda \"{keep}\"\n",
            port = shelf.house.port(port),
            authority = shelf.house.authority().display(),
            keep = keep_in(&folder),
        );
        let config = shelf.house.file("fetchmailrc", config);
        let mut fetchmail = judge("fetchmail", "/usr/bin/fetchmail");
        fetchmail.arg("--fetchmailrc").arg(config).args(["--nodetach", "--verbose", "--pidfile"]);
        fetchmail.arg(folder.join("pid")).arg("--idfile").arg(folder.join("ids"));
        fetchmail.env("HOME", &folder).env("FETCHMAILHOME", &folder);
        program::run(fetchmail);
        shelf.assert_all_read(kept_in(&folder));
    }
    shelf.server.stop();
}

#[test]
fn mutt_copies_at_993_and_143() {
    let shelf = Shelf::new();
    for (scheme, port) in [("imaps", 993), ("imap", 143)] {
        let folder = shelf.house.folder(scheme);
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
        // What it writes into every message that it files.
        let added = ["Content-Length:", "Lines:", "Status:", "X-Status:"];
        let read = maildir(&folder.join("mail")).iter().map(|text| without_fields(text, &added)).collect();
        shelf.assert_all_read(read);
    }
    shelf.server.stop();
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("a path in UTF-8")
}

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder");
    entries.map(|file| fs::read(file.expect("an entry").path()).expect("a message")).collect()
}
