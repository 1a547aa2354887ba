//! `packetboat-fuzz [TARGET] [--seconds N] [--runs N] [--seed S] [--input HEX] [--last FILE]`: runs one target, or
//! all of them. The input that is running is always to be found in FILE.
//!
//! What never lives here: targets and the search for failures, which are in the library.
//!
//! Exit codes: 0 nothing found, 1 a failure (its input is printed as hexadecimal digits), 2 wrong usage.

use std::process::ExitCode;
use std::time::Duration;

use packetboat_fuzz::{Bounds, Target, find, run, runner, targets};

const USAGE: &str =
    "usage: packetboat-fuzz [TARGET] [--seconds N] [--runs N] [--seed S] [--input HEX] [--last FILE]";

struct Wanted {
    targets: Vec<&'static Target>,
    bounds: Bounds,
    seed: u64,
    input: Option<Vec<u8>>,
}

fn main() -> ExitCode {
    let wanted = match wanted(std::env::args().skip(1)) {
        Ok(wanted) => wanted,
        Err(problem) => {
            eprintln!("{problem}\n{USAGE}\ntargets:");
            targets::ALL.iter().for_each(|target| eprintln!("  {}", target.name));
            return ExitCode::from(2);
        }
    };
    let failed = wanted.targets.iter().filter(|target| !go(target, &wanted)).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn wanted(mut words: impl Iterator<Item = String>) -> Result<Wanted, String> {
    let mut wanted = Wanted {
        targets: Vec::new(),
        bounds: Bounds { runs: u64::MAX, time: Some(Duration::from_secs(10)) },
        seed: 1,
        input: None,
    };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let number = |text: String| text.parse::<u64>().map_err(|_| format!("not a number: {text}"));
        match word.as_str() {
            "--seconds" => wanted.bounds.time = Some(Duration::from_secs(number(value()?)?)),
            "--runs" => wanted.bounds = Bounds { runs: number(value()?)?, time: None },
            "--seed" => wanted.seed = number(value()?)?,
            "--input" => wanted.input = Some(runner::from_hex(&value()?).ok_or("not hexadecimal digits")?),
            "--last" => runner::write_last(value()?.into()),
            name => wanted.targets.push(find(name).ok_or(format!("no such target: {name}"))?),
        }
    }
    if wanted.targets.is_empty() {
        wanted.targets = targets::ALL.to_vec();
    }
    Ok(wanted)
}

/// True if nothing was found.
fn go(target: &Target, wanted: &Wanted) -> bool {
    if let Some(input) = &wanted.input {
        let outcome = runner::attempt(target.run, input);
        println!("{}: {}", target.name, outcome.as_ref().err().map_or("nothing found", String::as_str));
        return outcome.is_ok();
    }
    let report = run(target, wanted.seed, wanted.bounds);
    println!(
        "{:<16} seed {} runs {} in {:.1} s, {:.0} a second, slowest {:.1} ms, {} marks, {} inputs kept",
        target.name,
        wanted.seed,
        report.runs,
        report.elapsed.as_secs_f64(),
        report.runs as f64 / report.elapsed.as_secs_f64().max(1e-9),
        report.slowest.as_secs_f64() * 1e3,
        report.marks.len(),
        report.corpus,
    );
    let Some(failure) = report.failure else { return true };
    println!("  FAILED {}", failure.message);
    println!("  input \"{}\"", failure.input.escape_ascii());
    println!("  again: packetboat-fuzz {} --input {}", target.name, runner::hex(&failure.input));
    false
}
