//! Servers to measure, each in a folder of its own on ports of its own: ours, and Debian's Postfix with Dovecot.
//!
//! The rivals run as Debian ships them but for what a private folder needs: paths, ports, users, and limits on
//! processes and clients raised so that they limit nothing here. Their durability is as shipped.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::step::{self, Failed};
use crate::{bench, judges};

/// The domain of every account.
pub const DOMAIN: &str = "example.test";
/// The password of every account.
pub const PASSWORD: &str = "bench-password-1";

const STEP: &str = "bench: start";
/// How long a start may take.
const START: Duration = Duration::from_secs(60);

/// A way to serve mail.
pub trait Kind {
    /// A short name, also of its folder.
    fn name(&self) -> &'static str;
    /// Builds or installs it.
    fn prepare(&self) -> Result<(), Failed>;
    /// Starts it in an empty folder with these accounts.
    fn start(&self, folder: &Path, users: &[String]) -> Result<Server, Failed>;
}

/// A running server. Dropping it ends all its processes.
pub struct Server {
    /// The port for SMTP.
    pub smtp: u16,
    /// The port for IMAP.
    pub imap: u16,
    groups: Vec<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        for leader in &mut self.groups {
            // Each leads a process group of its own, so that its children end with it.
            let group = format!("-{}", leader.id());
            let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
            let end = Instant::now() + Duration::from_secs(40);
            while Instant::now() < end && !matches!(leader.try_wait(), Ok(Some(_))) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
            let _ = leader.wait();
        }
    }
}

/// Our own release build.
pub struct House;

impl Kind for House {
    fn name(&self) -> &'static str {
        "packetboat"
    }

    fn prepare(&self) -> Result<(), Failed> {
        let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        build.args(["build", "--quiet", "--release", "--package", "packetboat"]).current_dir(step::root());
        step::run("bench: release build", &mut build)
    }

    fn start(&self, folder: &Path, users: &[String]) -> Result<Server, Failed> {
        let offset = free_offset()?;
        let mut command = Command::new(bench::packetboat());
        command.arg("up").arg("--data").arg(folder.join("data"));
        command.args([
            "--hostname",
            "localhost",
            "--domain",
            DOMAIN,
            "--listen",
            "127.0.0.1",
            "--plain-login",
        ]);
        command.args(["--port-offset", &offset.to_string()]);
        for user in users {
            command.arg("--account").arg(format!("{user}:{PASSWORD}"));
        }
        let (smtp, imap) = (25 + offset, 143 + offset);
        let groups = vec![spawn(&mut command, folder, "packetboat")?];
        wait_until_open(Server { smtp, imap, groups }, folder)
    }
}

/// Debian's Postfix, handing over to Debian's Dovecot by LMTP, kept in maildirs.
pub struct PostfixDovecot;

impl Kind for PostfixDovecot {
    fn name(&self) -> &'static str {
        "postfix-dovecot"
    }

    fn prepare(&self) -> Result<(), Failed> {
        judges::install_rivals()
    }

    fn start(&self, folder: &Path, users: &[String]) -> Result<Server, Failed> {
        let failed = |error: std::io::Error| Failed::new(STEP, error);
        let ports = free_ports(3).map_err(failed)?;
        let (smtp, imap, lmtp) = (ports[0], ports[1], ports[2]);
        let dovecot = dovecot(folder, users, imap, lmtp).map_err(failed)?;
        let postfix = postfix(folder, smtp, lmtp).map_err(failed)?;
        let mut server = Server { smtp, imap, groups: Vec::new() };
        for (mut command, name) in [(dovecot, "dovecot"), (postfix, "postfix")] {
            server.groups.push(spawn(&mut command, folder, name)?);
        }
        wait_until_open(server, folder)
    }
}

/// Users of Debian's base system that own no process: Postfix wants one, and a group of another.
const POSTFIX_USER: &str = "uucp";
const POSTFIX_GROUP: &str = "games";
/// Owner of the maildirs.
const MAIL_USER: &str = "mail";

fn dovecot(folder: &Path, users: &[String], imap: u16, lmtp: u16) -> std::io::Result<Command> {
    let home = folder.join("dovecot");
    let mail = folder.join("mail");
    fs::create_dir_all(&home)?;
    fs::create_dir_all(&mail)?;
    let (uid, gid) = ids(MAIL_USER)?;
    chown(&mail, Some(uid), Some(gid))?;
    let people: String = users.iter().map(|user| format!("{user}:{{PLAIN}}{PASSWORD}\n")).collect();
    fs::write(home.join("people"), people)?;
    fs::set_permissions(home.join("people"), fs::Permissions::from_mode(0o644))?;
    let (home, mail) = (home.display(), mail.display());
    let config = format!(
        "base_dir = {home}/run\nstate_dir = {home}/state\nlog_path = {home}/log\nprotocols = imap lmtp\nssl = no\n\
         disable_plaintext_auth = no\nlisten = 127.0.0.1\nmail_location = maildir:{mail}/%u\nfirst_valid_uid = 1\n\
         first_valid_gid = 1\nmail_uid = {uid}\nmail_gid = {gid}\nmail_fsync = optimized\nauth_mechanisms = plain\n\
         default_process_limit = 500\ndefault_client_limit = 5000\nmail_max_userip_connections = 1000\n\
         passdb {{\n  driver = passwd-file\n  args = scheme=PLAIN username_format=%u {home}/people\n}}\n\
         userdb {{\n  driver = static\n  args = uid={uid} gid={gid} home={mail}/%u\n}}\n\
         service imap-login {{\n  inet_listener imap {{\n    port = {imap}\n  }}\n  inet_listener imaps {{\n    port = 0\n  }}\n}}\n\
         service lmtp {{\n  inet_listener lmtp {{\n    address = 127.0.0.1\n    port = {lmtp}\n  }}\n}}\n"
    );
    let file = folder.join("dovecot/dovecot.conf");
    fs::write(&file, config)?;
    let mut command = Command::new("/usr/sbin/dovecot");
    command.arg("-F").arg("-c").arg(file);
    Ok(command)
}

fn postfix(folder: &Path, smtp: u16, lmtp: u16) -> std::io::Result<Command> {
    let unpacked = judges::folder().join("postfix");
    let home = folder.join("postfix");
    let queue = home.join("queue");
    let owner = ids(POSTFIX_USER)?;
    let group = ids(POSTFIX_GROUP)?.1;
    fs::create_dir_all(queue.join("pid"))?;
    fs::create_dir_all(home.join("etc"))?;
    for name in [
        "../data", "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming",
        "maildrop", "private", "public", "saved", "trace",
    ] {
        let path = queue.join(name);
        fs::create_dir_all(&path)?;
        let gid = matches!(name, "maildrop" | "public").then_some(group);
        chown(&path, Some(owner.0), gid)?;
        let mode = if gid.is_some() { 0o730 } else { 0o700 };
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    let libraries = unpacked.join("usr/lib/postfix");
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {home}/data\n\
         daemon_directory = {libraries}/sbin\ncommand_directory = {unpacked}/usr/sbin\n\
         shlib_directory = {libraries}\nmeta_directory = {home}/etc\nmail_owner = {POSTFIX_USER}\n\
         setgid_group = {POSTFIX_GROUP}\nimport_environment = MAIL_CONFIG LD_LIBRARY_PATH={libraries}\n\
         export_environment = MAIL_CONFIG LD_LIBRARY_PATH={libraries}\nmyhostname = localhost.localdomain\n\
         mydestination =\nmynetworks = 127.0.0.0/8\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
         alias_maps =\nalias_database =\nlocal_recipient_maps =\ndisable_dns_lookups = yes\n\
         smtpd_peername_lookup = no\nsmtp_host_lookup = native\nlmtp_host_lookup = native\n\
         virtual_mailbox_domains = {DOMAIN}\nvirtual_mailbox_maps = static:all\n\
         virtual_transport = lmtp:inet:127.0.0.1:{lmtp}\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
         maillog_file = {home}/log\nmaillog_file_prefixes = {home}\n",
        queue = queue.display(),
        home = home.display(),
        libraries = libraries.display(),
        unpacked = unpacked.display(),
    );
    fs::write(home.join("etc/main.cf"), main)?;
    // As Debian ships it, with no chroot; service, type, private, unprivileged, chroot, wake-up, limit, command.
    let master = format!(
        "127.0.0.1:{smtp} inet n - n - - smtpd\npickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\ntlsmgr unix - - n 1000? 1 tlsmgr\nrewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\ndefer unix - - n - 0 bounce\ntrace unix - - n - 0 bounce\n\
         verify unix - - n - 1 verify\nflush unix n - n 1000? 0 flush\nproxymap unix - - n - - proxymap\n\
         proxywrite unix - - n - 1 proxymap\nsmtp unix - - n - - smtp\nrelay unix - - n - - smtp\n\
         showq unix n - n - - showq\nerror unix - - n - - error\nretry unix - - n - - error\n\
         discard unix - - n - - discard\nlocal unix - n n - - local\nvirtual unix - n n - - virtual\n\
         lmtp unix - - n - - lmtp\nanvil unix - - n - 1 anvil\nscache unix - - n - 1 scache\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    );
    fs::write(home.join("etc/master.cf"), master)?;
    let mut command = Command::new(libraries.join("sbin/master"));
    command.arg("-c").arg(home.join("etc")).arg("-d").env("LD_LIBRARY_PATH", &libraries);
    Ok(command)
}

/// Starts a server that leads a process group; what it says goes to a file.
fn spawn(command: &mut Command, folder: &Path, name: &str) -> Result<Child, Failed> {
    let failed = |error: std::io::Error| Failed::new(STEP, format!("{name}: {error}"));
    let log = fs::File::create(folder.join(format!("{name}.out"))).map_err(failed)?;
    let errors = log.try_clone().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0).spawn().map_err(failed)
}

/// Waits until both doors greet.
fn wait_until_open(server: Server, folder: &Path) -> Result<Server, Failed> {
    let end = Instant::now() + START;
    for (port, greeting) in [(server.smtp, "220"), (server.imap, "* OK")] {
        while !greets(port, greeting) {
            if Instant::now() > end {
                return Err(Failed::new(
                    STEP,
                    format!("port {port} does not greet; see {}", folder.display()),
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    Ok(server)
}

fn greets(port: u16, greeting: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut start = vec![0; greeting.len()];
    stream.read_exact(&mut start).is_ok() && start == greeting.as_bytes()
}

/// User and group number of a user of this system.
fn ids(user: &str) -> std::io::Result<(u32, u32)> {
    let table = fs::read_to_string("/etc/passwd")?;
    let wanted = format!("{user}:");
    let line = table.lines().find(|line| line.starts_with(&wanted));
    let mut fields = line.unwrap_or_default().split(':').skip(2);
    let mut number = || fields.next().and_then(|field| field.parse().ok());
    match (number(), number()) {
        (Some(uid), Some(gid)) => Ok((uid, gid)),
        _ => Err(std::io::Error::other(format!("no user {user} in /etc/passwd"))),
    }
}

fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let held: Vec<TcpListener> =
        (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    held.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

/// An offset at which all seven doors are free, away from those that the tests use.
fn free_offset() -> Result<u16, Failed> {
    let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    (9_100..10_000)
        .step_by(100)
        .find(|offset| [25, 110, 143, 465, 587, 993, 995].into_iter().all(|port| free(port + offset)))
        .ok_or(Failed::new(STEP, "no free ports"))
}

/// Fails early where the rivals cannot run at all.
pub fn check() -> Result<(), Failed> {
    let id = step::output(STEP, Command::new("id").arg("-u"))?;
    if id.trim() == "0" { Ok(()) } else { Err(Failed::new(STEP, "Postfix and Dovecot start only as root")) }
}
