//! Time on the clock and time of the processor.

use std::fs;
use std::time::{Duration, Instant};

/// The kernel counts in these for programs: USER_HZ, 100 on every machine we know.
const TICKS_A_SECOND: f64 = 100.0;

/// Runs since it was made.
#[derive(Debug)]
pub struct Meter {
    start: Instant,
    cpu: f64,
}

/// What a number of turns came to.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Turns a second.
    pub rate: f64,
    /// Microseconds of the processor a turn, all threads.
    pub cpu: f64,
}

impl Meter {
    /// Starts.
    pub fn start() -> Meter {
        Meter { start: Instant::now(), cpu: processor() }
    }

    /// Time on the clock so far.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Divides by the turns that were done.
    pub fn read(&self, turns: usize) -> Reading {
        let turns = turns.max(1) as f64;
        Reading { rate: turns / self.elapsed().as_secs_f64(), cpu: (processor() - self.cpu) * 1e6 / turns }
    }
}

/// Seconds of the processor that this process has used. proc(5), fields 14 and 15.
fn processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = fields.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    ticks / TICKS_A_SECOND
}
