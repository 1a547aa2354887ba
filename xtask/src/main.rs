//! Chores of the house: the one gate, the judges it needs, and the benches against rivals.
//!
//! What never lives here: anything that the mail server itself needs. Standard library only, so that the
//! gate starts at once.

mod bench;
mod gate;
mod judges;
mod step;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

Commands:
  test      Install what judges the house, then check format, lints and tests. The one gate.
  judges    Only install the judges: the programs of other people that the tests use.
  bench     Measure us, beside others and alone; `cargo xtask bench --help` says what.
  help      Print this.

Exit codes: 0 done, 1 a step failed (it is named), 2 wrong usage.
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => gate::run(),
        ["judges"] => judges::install(),
        ["bench", "--help" | "-h"] => {
            print!("{}", bench::HELP);
            return ExitCode::SUCCESS;
        }
        ["bench", words @ ..] => match bench::Bench::read(words) {
            Ok(bench) => bench.run(),
            Err(why) => {
                eprintln!("{why}\n\n{}", bench::HELP);
                return ExitCode::from(2);
            }
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

fn usage() -> ExitCode {
    eprint!("{HELP}");
    ExitCode::from(2)
}
