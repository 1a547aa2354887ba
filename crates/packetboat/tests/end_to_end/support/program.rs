//! Programs of other people: found or named as missing, run with a time limit, their words kept for a failure.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// Seconds a client may take. One that hangs fails its test and not the whole gate.
const LIMIT: &str = "60";

/// How a program ended, and what it said.
pub struct Ran {
    pub line: String,
    pub status: ExitStatus,
    pub out: Vec<u8>,
    pub err: String,
}

impl Ran {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ran { line, status, err, .. } = self;
        write!(f, "{line}\n{status}\n---- stdout:\n{}\n---- stderr:\n{err}\n----", self.text())
    }
}

/// A judge that lives at this path, in a clean environment, under a time limit.
///
/// # Panics
/// If it is missing: `package` and the command that installs it are named.
pub fn judge(package: &str, path: impl AsRef<Path>) -> Command {
    let path = path.as_ref();
    assert!(
        path.exists(),
        "the judge {package} is missing ({} is not there): `cargo xtask judges` installs it",
        path.display()
    );
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", LIMIT]).arg(path);
    command.stdin(Stdio::null()).env("LC_ALL", "C.UTF-8").env_remove("http_proxy").env_remove("https_proxy");
    command
}

/// A judge whose package is unpacked, not installed.
pub fn unpacked(package: &str, path: &str) -> Command {
    judge(package, workspace().join("target/judges").join(package).join(path))
}

/// Runs to the end, which must be a good one.
#[track_caller]
pub fn run(command: Command) -> Ran {
    let ran = finish(command);
    assert!(ran.status.success(), "{ran}");
    ran
}

/// Runs to the end, whatever that is.
pub fn finish(mut command: Command) -> Ran {
    let line = format!("{command:?}");
    let made = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
    let err = String::from_utf8_lossy(&made.stderr).into_owned();
    Ran { line, status: made.status, out: made.stdout, err }
}

/// The root of the repository.
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
