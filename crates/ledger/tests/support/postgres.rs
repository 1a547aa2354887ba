//! A PostgreSQL server of a test's own: Debian's binaries, a folder that goes with it, no port.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// A running server. Dropping it stops it and removes its folder.
pub struct Server {
    folder: TempDir,
    binaries: PathBuf,
    process: Option<Child>,
}

impl Server {
    /// Makes a cluster and starts it.
    ///
    /// # Panics
    /// If Debian's package `postgresql` is not installed.
    pub fn start() -> Server {
        let folder = tempfile::Builder::new().prefix("ledger-pg-").tempdir().expect("a folder");
        let mut server = Server { folder, binaries: binaries(), process: None };
        // PostgreSQL does not run as root.
        for part in ["data", "socket"] {
            fs::DirBuilder::new().mode(0o700).create(server.path(part)).expect("a folder");
        }
        if geteuid().is_root() {
            let user = user();
            for path in [server.folder.path().to_owned(), server.path("data"), server.path("socket")] {
                chown(path, Some(user), None).expect("chown");
            }
        }
        let data = server.path("data");
        let made = server
            .command("initdb")
            .args([
                "--username=packetboat",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(data)
            .output()
            .expect("initdb");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.run();
        server
    }

    /// How to connect to one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("host={} user=packetboat dbname={database}", self.path("socket").display())
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        self.path("socket").join(".s.PGSQL.5432")
    }

    /// A client for what the tests look at past the ledger.
    pub async fn client(&self, database: &str) -> tokio_postgres::Client {
        let url = self.url(database);
        let (client, driver) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connect");
        tokio::spawn(driver);
        client
    }

    /// An empty database.
    pub async fn database(&self, name: &str) -> String {
        let client = self.client("postgres").await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("create database");
        self.url(name)
    }

    /// It ends as if the power failed, without writing anything down, and starts again.
    pub fn crash(&mut self) {
        self.stop(Signal::QUIT);
        self.run();
    }

    fn run(&mut self) {
        let log = fs::File::create(self.path("log")).expect("a log file");
        let process = self
            .command("postgres")
            .arg("-D")
            .arg(self.path("data"))
            .arg("-k")
            .arg(self.path("socket"))
            .args(["-c", "listen_addresses=", "-c", "max_connections=200", "-c", "shared_buffers=32MB"])
            // Tests kill the server and never the machine, so what the kernel has is safe.
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres");
        self.process = Some(process);
        let patience = Instant::now() + Duration::from_secs(30);
        while !self.ready() {
            assert!(
                Instant::now() < patience,
                "{}",
                fs::read_to_string(self.path("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn ready(&self) -> bool {
        let pid = fs::read_to_string(self.path("data").join("postmaster.pid")).unwrap_or_default();
        pid.lines().last().is_some_and(|state| state.trim() == "ready")
    }

    fn stop(&mut self, signal: Signal) {
        let Some(mut process) = self.process.take() else { return };
        let pid = Pid::from_child(&process);
        let _ = kill_process(pid, signal);
        for _ in 0..500 {
            if let Ok(Some(_)) = process.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
    }

    /// One of its programs, under a user that may run it; it ends with the thread that started it.
    fn command(&self, name: &str) -> Command {
        let program = self.binaries.join(name);
        let mut command = Command::new("setpriv");
        if geteuid().is_root() {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg("--pdeathsig=INT").arg("--").arg(program).current_dir(self.folder.path());
        command
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Signal::INT);
    }
}

/// The newest of Debian's.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found = versions.map(|version| version.path().join("bin")).filter(|bin| bin.join("initdb").exists());
    let number = |bin: &PathBuf| {
        let version = bin.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    };
    found.max_by_key(number).expect("no PostgreSQL found: install Debian's package `postgresql`")
}

fn user() -> u32 {
    let id = Command::new("id").args(["-u", "postgres"]).output().expect("id");
    let id = String::from_utf8_lossy(&id.stdout).trim().parse();
    id.expect("no user `postgres` found: install Debian's package `postgresql`")
}
