//! Single pieces of the house, timed in this process: what a message costs before any network is involved.
//!
//! `cargo run --release -p packetboat-bench [PIECE]`. The whole house beside other servers is measured by
//! `cargo xtask bench`; this says where its time goes.
//!
//! What never lives here: anything that the house needs, and any bar. These figures are for comparing a change
//! with what was before it, on one machine.

mod commits;
mod indexing;
mod meter;
mod session;

use std::process::ExitCode;

const HELP: &str = "\
Usage: packetboat-bench [PIECE]

Pieces (all of them if none is named):
  index    read a message's structure while it arrives
  smtp     a whole SMTP conversation with one message, without network or store
  commits  durable commits of one message each, with 1, 10 and 50 writers

The folder for commits is made under the current one, so that it is on the disk that matters.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let all = match words.as_slice() {
        [] => true,
        ["index" | "smtp" | "commits"] => false,
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    let wants = |piece: &str| all || words.contains(&piece);
    if wants("index") {
        indexing::run();
    }
    if wants("smtp") {
        session::run();
    }
    if wants("commits")
        && let Err(why) = commits::run()
    {
        eprintln!("commits: {why}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
