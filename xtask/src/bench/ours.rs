//! Packetboat as the benches run it: the release build, with durability as shipped.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::load::Target;
use super::process::Server;
use crate::step::{self, Failed};

/// The password of every account.
pub const PASSWORD: &str = "bench-Passw0rd";
const STEP: &str = "packetboat";

/// A running Packetboat.
#[derive(Debug)]
pub struct Ours {
    /// Where to reach it.
    pub target: Target,
    /// From its start to the line `ready`.
    pub started_in: Duration,
    server: Server,
}

/// The binary: the one named, or one built now.
pub fn binary(named: Option<&str>) -> Result<PathBuf, Failed> {
    if let Some(named) = named {
        return Ok(PathBuf::from(named));
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(step::root()).args(["build", "--release", "--package", "packetboat"]);
    step::run("packetboat: release build", &mut cargo)?;
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| step::root().join("target"), PathBuf::from);
    Ok(target.join("release/packetboat"))
}

/// Starts `binary` on the data in `folder` (made if there is none) and waits until it is ready.
pub fn start(binary: &Path, folder: &Path, offset: u16, accounts: &[String]) -> Result<Ours, Failed> {
    let failed = |error: std::io::Error| Failed::new(STEP, error);
    let lines: String = accounts.iter().map(|account| format!("{account}:{PASSWORD}\n")).collect();
    let list = folder.join("accounts");
    fs::write(&list, lines).map_err(failed)?;
    let log = fs::File::options().append(true).create(true).open(folder.join("log")).map_err(failed)?;
    let mut command = Command::new(binary);
    command.arg("up").arg("--data").arg(folder.join("data")).arg("--account-file").arg(&list);
    command.args(["--domain", "example.test", "--listen", "127.0.0.1", "--plain-login"]);
    command.args(["--port-offset", &offset.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let start = Instant::now();
    let mut server = Server::start(STEP, &mut command)?;
    wait_until_ready(&mut server, folder)?;
    let target = Target { name: STEP, smtp: offset + 25, imap: offset + 143, pids: vec![server.pid()] };
    Ok(Ours { target, started_in: start.elapsed(), server })
}

/// Reads what it prints up to `ready`; the rest is read by nobody, and there is none.
fn wait_until_ready(server: &mut Server, folder: &Path) -> Result<(), Failed> {
    let Some(out) = server.child().stdout.take() else { return Err(Failed::new(STEP, "has no output")) };
    for line in BufReader::new(out).lines() {
        if line.map_err(|error| Failed::new(STEP, error))? == "ready" {
            return Ok(());
        }
    }
    let mut log = String::new();
    // Only to say more: a log that cannot be read says nothing.
    let _ = fs::File::open(folder.join("log")).and_then(|mut file| file.read_to_string(&mut log));
    let tail: Vec<&str> = log.lines().rev().take(5).collect();
    Err(Failed::new(STEP, format!("ended before it was ready: {}", tail.join(" | "))))
}

impl Ours {
    /// The process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Ends it with no chance to finish anything.
    pub fn kill(self) -> Result<(), Failed> {
        self.server.kill()
    }
}
