//! A server of a test's own: a data folder that goes with it, seven free ports, a log that is shown when it fails.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{ports, program};

pub const HOSTNAME: &str = "mail.example.test";
pub const ALICE: &str = "alice@example.test";
pub const ALICE_PASSWORD: &str = "alice-Passw0rd";
pub const BOB: &str = "bob@example.test";
/// With what command lines, quoted strings and configuration files trip over.
pub const BOB_PASSWORD: &str = "b0b:p@ss \"quoted\\word";

/// What a start, and an end after SIGTERM, may take on a machine that is busy with other tests. Nothing waits this
/// long unless it is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place where a server can run, and run again: the folder, the ports, the options.
pub struct House {
    home: TempDir,
    offset: u16,
    options: Vec<&'static str>,
    authority: OnceLock<PathBuf>,
}

impl House {
    /// A house for alice and bob, as `up` makes it.
    pub fn new() -> House {
        House::with(&[])
    }

    /// The same, with further words for `up`.
    pub fn with(options: &[&'static str]) -> House {
        let home = tempfile::Builder::new()
            .prefix("packetboat-")
            // A server that gives up root must still reach its data.
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()
            .expect("a folder");
        House { home, offset: ports::free_offset(), options: options.to_vec(), authority: OnceLock::new() }
    }

    /// The data folder of the server.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A new, empty folder for a client.
    pub fn folder(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir(&folder).expect("a new folder");
        folder
    }

    /// Writes a file for a client: its configuration, a letter.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).expect("a file");
        // Some clients refuse configuration that others may read, for the password in it.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its mode");
        path
    }

    /// How far the ports are moved.
    pub fn offset(&self) -> u16 {
        self.offset
    }

    /// Where the door of this standard port is.
    pub fn port(&self, standard: u16) -> u16 {
        self.offset + standard
    }

    /// The same as an address.
    pub fn address(&self, standard: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port(standard)).into()
    }

    /// The binary under test, with nothing of our environment that could steer it.
    pub fn binary(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
        command.current_dir(self.home.path()).env("HOME", self.home.path()).env_remove("RUST_LOG");
        command.stdin(Stdio::null());
        command
    }

    /// `packetboat WORDS --data DIR`, run to its end.
    pub fn tell(&self, words: &[&str]) -> program::Ran {
        let mut command = self.binary();
        command.args(words).arg("--data").arg(self.data());
        program::finish(command)
    }

    /// The `up` of this house, at this offset.
    pub fn up(&self, offset: u16) -> Command {
        let mut command = self.binary();
        command.args(["up", "--hostname", HOSTNAME, "--domain", "example.test", "--listen", "127.0.0.1"]);
        command.arg("--data").arg(self.data());
        command.arg("--account").arg(format!("{ALICE}:{ALICE_PASSWORD}"));
        command.arg("--account").arg(format!("{BOB}:{BOB_PASSWORD}"));
        command.arg("--port-offset").arg(offset.to_string()).args(&self.options);
        command
    }

    /// Starts the server and waits for `ready`.
    pub fn start(&self) -> Server {
        let log = self.home.path().join("log");
        let file = File::options().create(true).append(true).open(&log).expect("a log file");
        let mut command = self.up(self.offset);
        let mut child =
            command.stdout(Stdio::piped()).stderr(file).spawn().expect("the binary under test starts");
        let said = listen(&mut child);
        let mut server = Server { child, log, doors: String::new(), said };
        server.wait_until_ready();
        server
    }

    /// The file of the authority that clients are to trust, as `cert ca` prints it.
    pub fn authority(&self) -> &Path {
        self.authority.get_or_init(|| {
            let ran = self.tell(&["cert", "ca"]);
            assert!(ran.status.success(), "packetboat cert ca: {ran}");
            assert!(ran.out.starts_with(b"-----BEGIN CERTIFICATE-----"), "packetboat cert ca: {ran}");
            self.file("authority.pem", &ran.out)
        })
    }
}

/// Lines of standard output, until it is closed.
fn listen(child: &mut Child) -> Receiver<String> {
    let out = BufReader::new(child.stdout.take().expect("standard output is piped"));
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A running server. Dropped by a failing test, it shows its log; it never outlives the test.
pub struct Server {
    child: Child,
    log: PathBuf,
    doors: String,
    said: Receiver<String>,
}

impl Server {
    /// What was printed before `ready`.
    pub fn doors(&self) -> &str {
        &self.doors
    }

    /// All that it and its forerunners in this house have logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// SIGTERM, as a service manager ends it.
    pub fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("a signal to our own child");
    }

    /// The same, and it is done. Nothing more was said on standard output after `ready`.
    pub fn stop(mut self) {
        self.ask_to_stop();
        let rest: Vec<String> = std::iter::from_fn(|| self.line()).collect();
        let status = self.child.wait().expect("its status");
        assert!(status.success(), "after SIGTERM: {status}");
        assert!(rest.is_empty(), "on standard output after `ready`: {rest:?}");
    }

    /// SIGKILL: as a power cut, as far as a process can tell.
    pub fn kill(mut self) -> ExitStatus {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("its status")
    }

    fn wait_until_ready(&mut self) {
        while let Some(line) = self.line() {
            if line == "ready" {
                return;
            }
            self.doors.push_str(&line);
            self.doors.push('\n');
        }
        let status = self.child.wait().expect("its status");
        panic!("the server ended before `ready`: {status}; it had printed:\n{}", self.doors);
    }

    /// The next line of standard output; `None` at its end.
    fn line(&mut self) -> Option<String> {
        match self.said.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the server neither speaks nor ends for {PATIENCE:?}"),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then both have nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("---- what the server logged ({}):\n{}----", self.log.display(), tail(&self.log()));
        }
    }
}

/// The end of a log: a failing test should be readable.
fn tail(log: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = log.lines().collect();
    let start = lines.len().saturating_sub(LINES);
    lines[start..].iter().map(|line| format!("{line}\n")).collect()
}
