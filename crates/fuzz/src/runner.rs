//! Runs a target on mutants of its seeds, within bounds, and catches what breaks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Once, OnceLock};
use std::time::{Duration, Instant};

use crate::dice::Dice;
use crate::mark;
use crate::mutate;
use crate::target::Target;

/// When to stop, at the latest.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Mutants, the seeds not counted.
    pub runs: u64,
    /// Time; where it is not given the run depends on nothing but the seed.
    pub time: Option<Duration>,
}

/// One input may take so long. It is far above what any takes, because the machine may be busy with other things.
pub const SLOW: Duration = Duration::from_secs(20);

/// Inputs kept for their marks.
const CORPUS_MAX: usize = 4096;

/// What came out.
#[derive(Debug)]
pub struct Report {
    /// How often the target ran.
    pub runs: u64,
    /// How long that took.
    pub elapsed: Duration,
    /// The slowest input.
    pub slowest: Duration,
    /// All that was reached.
    pub marks: BTreeSet<String>,
    /// Inputs at the end.
    pub corpus: usize,
    /// The first input that broke a promise; the run stops there.
    pub failure: Option<Failure>,
}

/// A broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The input, made smaller while it still fails.
    pub input: Vec<u8>,
    /// What the target said of it.
    pub message: String,
}

static LAST: OnceLock<PathBuf> = OnceLock::new();

/// From now on every input is written to this file before it is run: for faults that end the process, such as an
/// overflown stack, and for those that never end.
pub fn write_last(path: PathBuf) {
    LAST.get_or_init(|| path);
}

/// Runs the seeds, then mutants.
pub fn run(target: &Target, seed: u64, bounds: Bounds) -> Report {
    let started = Instant::now();
    let mut dice = Dice::new(seed);
    let mut report = Report {
        runs: 0,
        elapsed: Duration::ZERO,
        slowest: Duration::ZERO,
        marks: BTreeSet::new(),
        corpus: 0,
        failure: None,
    };
    let mut corpus = (target.seeds)();
    corpus.push(Vec::new());
    mark::take();
    for input in corpus.clone() {
        one(target, &input, &mut report);
    }
    let mut mutants = 0;
    while report.failure.is_none() && mutants < bounds.runs {
        // Asking for the time is not free.
        if mutants % 16 == 0 && bounds.time.is_some_and(|most| started.elapsed() >= most) {
            break;
        }
        mutants += 1;
        let input = mutate::mutate(&mut dice, &corpus, target.words);
        if one(target, &input, &mut report) && corpus.len() < CORPUS_MAX {
            corpus.push(input);
        }
    }
    report.corpus = corpus.len();
    report.elapsed = started.elapsed();
    report
}

/// Runs one input; true if it has come to something new.
fn one(target: &Target, input: &[u8], report: &mut Report) -> bool {
    if report.failure.is_some() {
        return false;
    }
    report.runs += 1;
    if let Some(path) = LAST.get() {
        // A convenience of whoever looks for a fault; without it the run goes on.
        let _ = std::fs::write(path, input);
    }
    let started = Instant::now();
    let outcome = attempt(target.run, input);
    let took = started.elapsed();
    report.slowest = report.slowest.max(took);
    match outcome {
        Err(message) => report.failure = Some(smaller(target, Failure { input: input.to_vec(), message })),
        Ok(()) if took > SLOW => {
            let message = format!("took {took:?}");
            report.failure = Some(Failure { input: input.to_vec(), message });
        }
        Ok(()) => {}
    }
    let before = report.marks.len();
    report.marks.append(&mut mark::take());
    report.marks.len() > before
}

/// Drops pieces of the input, halves first, as long as it fails in the same place.
fn smaller(target: &Target, mut failure: Failure) -> Failure {
    /// Attempts, so that a slow target still comes back.
    const TRIES: usize = 3000;
    let place = place(&failure.message);
    let mut tries = 0;
    let mut piece = failure.input.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        let mut shrunk = false;
        while at < failure.input.len() && tries < TRIES {
            tries += 1;
            let mut input = failure.input.clone();
            input.drain(at..(at + piece).min(input.len()));
            match attempt(target.run, &input) {
                Err(message) if self::place(&message) == place => {
                    failure = Failure { input, message };
                    shrunk = true;
                }
                _ => at += piece,
            }
        }
        piece = if shrunk && piece == 1 { 1 } else { piece / 2 };
    }
    mark::take();
    failure
}

/// `file:line` of a message made by the hook.
fn place(message: &str) -> String {
    message.split_once(' ').map_or(message, |(place, _)| place).to_owned()
}

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Calls the target; a panic becomes its message.
///
/// # Errors
/// `file:line message` of the panic.
pub fn attempt(run: fn(&[u8]), input: &[u8]) -> Result<(), String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.get() {
                return before(info);
            }
            let place = info.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
            let text = info.payload_as_str().unwrap_or("panicked without words");
            SAID.replace(format!("{place} {text}"));
        }));
    });
    QUIET.set(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(|| run(input)));
    QUIET.set(false);
    outcome.map_err(|_| SAID.take())
}

/// As hexadecimal digits.
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// From hexadecimal digits; `None` for anything else.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().as_bytes();
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |octet: u8| (octet as char).to_digit(16);
    text.chunks_exact(2).map(|pair| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { runs: 200_000, time: None };

    fn target(run: fn(&[u8])) -> Target {
        Target {
            name: "test",
            run,
            seeds: || vec![b"one two\r\nthree 4\r\n".to_vec()],
            words: &["magic"],
            must_reach: &[],
        }
    }

    /// A fault that needs a word, a number and an order of them is found and made small.
    #[test]
    fn faults_are_found_and_made_small() {
        let faulty = target(|data| {
            let Some(at) = data.windows(5).position(|five| five == b"magic") else { return };
            mark::reached("magic");
            assert!(!data[at..].ends_with(b"4294967296\r\n"), "boom");
        });
        let report = run(&faulty, 1, BOUNDS);
        let failure = report.failure.expect("a failure");
        assert_eq!(failure.input, b"magic4294967296\r\n", "{}", failure.input.escape_ascii());
        assert!(failure.message.ends_with(" boom"), "{}", failure.message);
        assert!(report.marks.contains("magic"));
    }

    /// The same seed, the same run; another seed, another.
    #[test]
    fn a_run_is_its_seed() {
        thread_local!(static SUM: Cell<u64> = const { Cell::new(0) });
        let summing = target(|data| SUM.set(SUM.get().rotate_left(5) ^ Dice::of(data).any()));
        let sum = |seed| {
            SUM.set(0);
            assert!(run(&summing, seed, Bounds { runs: 500, time: None }).failure.is_none());
            SUM.get()
        };
        assert_eq!(sum(1), sum(1));
        assert_ne!(sum(1), sum(2));
    }

    #[test]
    fn hexadecimal_there_and_back() {
        assert_eq!(from_hex(&hex(b"\0\xffa")).as_deref(), Some(&b"\0\xffa"[..]));
        assert_eq!(from_hex("0"), None);
        assert_eq!(from_hex("zz"), None);
    }
}
