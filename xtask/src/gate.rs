//! `cargo xtask test`: what must hold before anything lands.

use std::process::Command;
use std::time::Instant;

use crate::judges;
use crate::step::{self, Failed};

/// Runs every step in order; the first that fails ends the gate.
pub fn run() -> Result<(), Failed> {
    let start = Instant::now();
    judges::install()?;
    step::run("format", cargo().args(["fmt", "--all", "--check"]))?;
    step::run(
        "lints",
        cargo().args(["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    )?;
    // The tidy checks are ordinary tests of this crate and run first: they take no time, and what they find
    // should not wait for the rest.
    step::run("tidy", cargo().args(["test", "--quiet", "--package", "xtask"]))?;
    step::run("tests", cargo().args(["test", "--workspace", "--exclude", "xtask"]))?;
    println!("== all passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// The cargo that started us, at the root of the repository.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(step::root());
    command
}
