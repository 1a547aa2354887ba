//! Chores of the house: the one gate, the judges it needs, and the benches against rivals.
//!
//! What never lives here: anything that the mail server itself needs. Standard library only, so that the
//! gate starts at once.

mod bench;
mod gate;
mod imap;
mod judges;
mod rivals;
mod step;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  test      Install what judges the house, then check format, lints and tests. The one gate.
  judges    Only install the judges: the programs of other people that the tests use.
  bench smtp [--rounds N] [--messages N] [--only packetboat|postfix-dovecot]
            Mail durable in the mailbox per second, against Debian's Postfix and Dovecot, which it installs
            but does not start as services. Needs root. Fails when we are under the bar.
  help      Print this.

Exit codes: 0 done, 1 a step failed (it is named), 2 wrong usage.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => gate::run(),
        ["judges"] => judges::install(),
        ["bench", "smtp", options @ ..] => match bench_options(options) {
            Some(options) => bench::smtp(&options),
            None => return usage(),
        },
        ["help" | "--help" | "-h"] | ["test" | "judges", "--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => return usage(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("\nFAILED: {failed}");
            ExitCode::FAILURE
        }
    }
}

/// As told, or enough for a figure that does not jump.
fn bench_options(words: &[&str]) -> Option<bench::Options> {
    let mut options = bench::Options { rounds: 3, messages: 2_000, only: None };
    for pair in words.chunks(2) {
        let [name, value] = pair else { return None };
        let number = || value.parse().ok().filter(|number| *number > 0);
        match *name {
            "--rounds" => options.rounds = number()?,
            "--messages" => options.messages = number()?,
            "--only" if ["packetboat", "postfix-dovecot"].contains(value) => {
                options.only = Some((*value).to_owned());
            }
            _ => return None,
        }
    }
    Some(options)
}

fn usage() -> ExitCode {
    eprint!("{HELP}");
    ExitCode::from(2)
}
