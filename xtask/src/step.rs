//! One step of a chore: a named command that succeeds or ends the chore.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Which step failed, and how.
#[derive(Debug)]
pub struct Failed {
    step: String,
    why: String,
}

impl Failed {
    /// The step `step` failed because of `why`.
    pub fn new(step: impl Into<String>, why: impl fmt::Display) -> Failed {
        Failed { step: step.into(), why: why.to_string() }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.why)
    }
}

/// The root of the repository: the parent of this crate's folder.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Runs `command` to its end with its output shown, and says how long it took.
pub fn run(step: &str, command: &mut Command) -> Result<(), Failed> {
    println!("== {step}");
    let start = Instant::now();
    let status = command.status().map_err(|error| {
        Failed::new(step, format!("{} does not start: {error}", command.get_program().display()))
    })?;
    if !status.success() {
        return Err(Failed::new(step, status));
    }
    println!("   {step}: {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// A command's standard output, or the step's failure.
pub fn output(step: &str, command: &mut Command) -> Result<String, Failed> {
    let made = command.output().map_err(|error| {
        Failed::new(step, format!("{} does not start: {error}", command.get_program().display()))
    })?;
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stderr);
        return Err(Failed::new(step, format!("{}: {}", made.status, said.trim())));
    }
    Ok(String::from_utf8_lossy(&made.stdout).into_owned())
}
