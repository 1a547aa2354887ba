//! The benches: Packetboat beside the servers that people run today, on one machine, by one method.
//!
//! What never lives here: a claim. Every number is measured in the same run as the one it is compared with,
//! and absolute numbers say nothing about another machine.

mod cpu;
mod figures;
mod imap;
mod load;
mod mbox;
mod ours;
mod peers;
mod place;
mod process;
mod sender;
mod smtp;

use crate::step::Failed;

/// What `cargo xtask bench --help` prints.
pub const HELP: &str = "\
Usage: cargo xtask bench smtp [OPTIONS]
       cargo xtask bench figures [OPTIONS]

smtp: the same 4 KB mails through Debian's Postfix and Dovecot (maildir) and through Packetboat, with 1, 10
and 50 sessions at once: messages a second that are durable in the mailbox. Needs root (Postfix does); the
two run from unpacked packages in a mount namespace of their own, on ports of their own. Fails under the bar.
  --messages N        mails in a run (default 3000)
  --runs N            runs of each kind, interleaved; the median counts (default 3)
  --sessions N,N,...  (default 1,10,50)
  --only ours|theirs  run one side alone
  --binary FILE       this Packetboat, instead of building one

figures: Packetboat alone: start to ready, memory, a listing of 20,000 messages, and what 20 kills lose.
  --messages N        messages in the listing (default 20000)
  --kills N           (default 20)
  --only start|memory|listing|kills
  --binary FILE       this Packetboat, instead of building one
";

/// A bench, with what was asked of it.
#[derive(Debug)]
pub enum Bench {
    /// `bench smtp`
    Smtp(smtp::Plan),
    /// `bench figures`
    Figures(figures::Plan),
}

impl Bench {
    /// Reads the words after `cargo xtask bench`; the error says what is wrong with them.
    pub fn read(words: &[&str]) -> Result<Bench, String> {
        match words {
            ["smtp", words @ ..] => Ok(Bench::Smtp(smtp::Plan::read(words)?)),
            ["figures", words @ ..] => Ok(Bench::Figures(figures::Plan::read(words)?)),
            [other, ..] => Err(format!("there is no bench {other}")),
            [] => Err("name a bench: smtp or figures".to_owned()),
        }
    }

    /// Measures and prints.
    pub fn run(&self) -> Result<(), Failed> {
        match self {
            Bench::Smtp(plan) => smtp::run(plan),
            Bench::Figures(plan) => figures::run(plan),
        }
    }
}

/// The words after a bench's name, as options that each take one value.
fn options<'w>(words: &[&'w str]) -> Result<Vec<(&'w str, &'w str)>, String> {
    let mut pairs = words.chunks_exact(2);
    let found = pairs.by_ref().map(|pair| (pair[0], pair[1])).collect();
    match pairs.remainder() {
        [] => Ok(found),
        [lone, ..] => Err(format!("{lone} wants a value")),
    }
}

/// A value that must be a number above zero.
fn number(name: &str, value: &str) -> Result<usize, String> {
    match value.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("{name} wants a number above zero, not {value}")),
    }
}

/// The median; the mean of the middle two where their number is even. None of nothing.
fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        n if n % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// One line on the machine, to stand above every table.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{cores} cores, load {load} before; generator and server share them")
}

#[cfg(test)]
mod tests {
    use super::{median, number, options};

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn options_come_in_pairs() {
        assert_eq!(options(&["--runs", "2"]).ok(), Some(vec![("--runs", "2")]));
        assert!(options(&["--runs"]).is_err());
        assert!(number("--runs", "0").is_err());
    }
}
