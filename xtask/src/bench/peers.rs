//! The peers: Debian's Postfix handing over by LMTP to Debian's Dovecot, maildir, both durable as shipped.
//!
//! Their packages are unpacked, not installed: no machine is changed for a bench. Both have paths compiled in, so
//! they run in a mount namespace of their own in which the unpacked `/usr` lies over the machine's.
//! Beyond paths, ports, users and Dovecot's limits on processes (raised, so that none is met), nothing is changed
//! from what Debian ships; in particular not how they sync.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::load::Target;
use super::process::Server;
use crate::judges;
use crate::step::{self, Failed};

/// The password of everybody at Dovecot.
pub const PASSWORD: &str = "bench-Passw0rd";
const PACKAGES: &[&str] = &["postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd"];
/// Proof that all are unpacked: one file of each.
const PROOFS: &[&str] = &["sbin/smtp-source", "sbin/dovecot", "lib/dovecot/imap", "lib/dovecot/lmtp"];

/// Users and groups that every Debian has, each for one role, so that no user need be made.
const POSTFIX_USER: &str = "uucp";
const POSTFIX_GROUP: &str = "news";
const DOVECOT_USER: &str = "daemon";
const LOGIN_USER: &str = "proxy";
const MAIL_USER: &str = "games";

/// Ports, to be added to the bench's offset.
const LMTP: u16 = 24;
const SMTP: u16 = 26;
const IMAP: u16 = 144;

const STEP: &str = "peers";

/// Postfix and Dovecot, running.
#[derive(Debug)]
pub struct Peers {
    /// Where to reach them.
    pub target: Target,
    // Dropped in this order: what sends ends before what receives.
    _postfix: Server,
    _dovecot: Server,
}

/// smtp-source, with the libraries that were unpacked with it.
pub fn smtp_source() -> Command {
    let mut command = Command::new(usr().join("sbin/smtp-source"));
    command.env("LD_LIBRARY_PATH", usr().join("lib/postfix"));
    command
}

/// Fetches and unpacks what is missing.
pub fn install() -> Result<(), Failed> {
    let missing = || PROOFS.iter().find(|proof| !usr().join(proof).exists());
    if missing().is_none() {
        return Ok(());
    }
    let failed = |error: io::Error| Failed::new(STEP, error);
    let fetched = root().join("fetched");
    if fetched.exists() {
        fs::remove_dir_all(&fetched).map_err(failed)?;
    }
    fs::create_dir_all(&fetched).map_err(failed)?;
    let mut fetch = Command::new("apt-get");
    step::run(
        "peers: fetch",
        fetch.args(["download", "-qq"]).args(PACKAGES).current_dir(&fetched).stderr(Stdio::null()),
    )?;
    for package in fs::read_dir(&fetched).map_err(failed)? {
        let package = package.map_err(failed)?.path();
        step::output(STEP, Command::new("dpkg").arg("-x").arg(&package).arg(root()))?;
    }
    match missing() {
        None => Ok(()),
        Some(proof) => Err(Failed::new(STEP, format!("unpacked, but {proof} is missing"))),
    }
}

/// Starts both in `folder`, their ports moved by `offset`.
pub fn start(folder: &Path, offset: u16) -> Result<Peers, Failed> {
    if !fs::metadata("/proc/self").is_ok_and(|here| here.uid() == 0) {
        return Err(Failed::new(STEP, "Postfix runs only when root starts it; --only ours needs no root"));
    }
    let failed = |error: io::Error| Failed::new(STEP, error);
    let (lmtp, smtp, imap) = (offset + LMTP, offset + SMTP, offset + IMAP);
    let (dovecot, postfix) = (folder.join("dovecot"), folder.join("postfix"));
    let dovecot_config = lay_out_dovecot(&dovecot, lmtp, imap).map_err(failed)?;
    lay_out_postfix(&postfix, smtp, lmtp).map_err(failed)?;
    let mut dovecot = Server::start(
        "dovecot",
        in_namespace("/usr/sbin/dovecot", &dovecot).args(["-F", "-c"]).arg(dovecot_config),
    )?;
    dovecot.wait_for(imap)?;
    dovecot.wait_for(lmtp)?;
    let mut postfix = Server::start(
        "postfix",
        in_namespace("/usr/lib/postfix/sbin/master", &postfix).args(["-d", "-c"]).arg(postfix.join("etc")),
    )?;
    postfix.wait_for(smtp)?;
    let target = Target { name: "Postfix and Dovecot", smtp, imap, pids: vec![dovecot.pid(), postfix.pid()] };
    Ok(Peers { target, _postfix: postfix, _dovecot: dovecot })
}

/// Where the packages are unpacked, all over one another as Debian would.
fn root() -> PathBuf {
    judges::folder().join("peers")
}

fn usr() -> PathBuf {
    root().join("usr")
}

/// `program` with the unpacked packages laid over `/usr`, for it and its children alone.
fn in_namespace(program: &str, folder: &Path) -> Command {
    const ENTER: &str = "usr=$1; shift; mount -t overlay peers -o lowerdir=\"$usr\":/usr /usr && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(usr()).arg(program);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // What goes wrong before a log is open is said here.
    command.stderr(fs::File::create(folder.join("stderr")).map_or(Stdio::null(), Stdio::from));
    command
}

/// Folders and configuration of Dovecot; where the configuration is.
fn lay_out_dovecot(home: &Path, lmtp: u16, imap: u16) -> io::Result<PathBuf> {
    let mail = home.join("mail");
    fs::create_dir_all(&mail)?;
    let (uid, gid) = ids(MAIL_USER)?;
    chown(&mail, Some(uid), Some(gid))?;
    let file = home.join("dovecot.conf");
    let home = home.display();
    let config = format!(
        "protocols = imap lmtp
listen = 127.0.0.1
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
instance_name = bench
default_internal_user = {DOVECOT_USER}
default_internal_group = {DOVECOT_USER}
default_login_user = {LOGIN_USER}
first_valid_uid = 1
first_valid_gid = 1
ssl = no
disable_plaintext_auth = no
default_process_limit = 500
default_client_limit = 5000
mail_location = maildir:~/Maildir
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%n allow_all_users=yes
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"
    );
    fs::write(&file, config)?;
    Ok(file)
}

/// Folders and configuration of Postfix.
fn lay_out_postfix(home: &Path, smtp: u16, lmtp: u16) -> io::Result<()> {
    let etc = home.join("etc");
    let queue = home.join("queue");
    fs::create_dir_all(&etc)?;
    fs::create_dir_all(queue.join("pid"))?;
    let (owner, _) = ids(POSTFIX_USER)?;
    let (_, group) = ids(POSTFIX_GROUP)?;
    let private = [
        "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
        "trace",
    ];
    for (path, mode) in
        private.iter().map(|name| (queue.join(name), 0o700)).chain([(home.join("data"), 0o755)])
    {
        fs::create_dir(&path)?;
        chown(&path, Some(owner), None)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    for (name, mode) in [("public", 0o710), ("maildrop", 0o1730)] {
        let path = queue.join(name);
        fs::create_dir(&path)?;
        chown(&path, Some(owner), Some(group))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    let main = format!(
        "compatibility_level = 3.7
queue_directory = {queue}
data_directory = {home}/data
meta_directory = {home}/etc
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
mail_owner = {POSTFIX_USER}
setgid_group = {POSTFIX_GROUP}
maillog_file = {home}/log
maillog_file_prefixes = {home}
myhostname = bench.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = example.test
virtual_mailbox_maps = static:all
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
smtp_dns_support_level = disabled
",
        home = home.display(),
        queue = queue.display(),
    );
    fs::write(etc.join("main.cf"), main)?;
    fs::write(etc.join("master.cf"), master(smtp))
}

/// The services as Debian lists them (without those for programs that are not there), outside a chroot, which
/// would want files copied into it. Columns: service, type, private, unprivileged, chroot, wake-up, limit, command.
fn master(smtp: u16) -> String {
    format!(
        "127.0.0.1:{smtp} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"
    )
}

/// User and group number of a user of this machine.
fn ids(user: &str) -> io::Result<(u32, u32)> {
    let table = fs::read_to_string("/etc/passwd")?;
    let found = table.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let mut numbers = fields.skip(1).map(str::parse);
        (name == user).then(|| Some((numbers.next()?.ok()?, numbers.next()?.ok()?))).flatten()
    });
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no user {user} in /etc/passwd")))
}
