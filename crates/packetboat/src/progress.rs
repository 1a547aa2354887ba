//! Bars on standard error, where somebody watches it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

const TICK: Duration = Duration::from_millis(100);

/// How a bar over octets looks.
const OCTETS: &str = "{wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} {msg}";
/// How a bar over things that are counted looks.
const COUNT: &str = "{wide_bar} {pos}/{len} {msg} {eta}";

/// A bar over octets; without a total, a sign of life.
pub fn octets(total: u64) -> ProgressBar {
    bar(total, OCTETS, "{spinner} {bytes} {msg}")
}

/// A sign of life for work whose length nobody knows.
pub fn alive(what: &str) -> ProgressBar {
    let bar = bar(0, "", "{spinner} {msg} {elapsed}");
    bar.set_message(what.to_owned());
    bar
}

fn bar(total: u64, measured: &str, unmeasured: &str) -> ProgressBar {
    let (bar, template) = match total {
        0 => (ProgressBar::new_spinner(), unmeasured),
        total => (ProgressBar::new(total), measured),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// What `Client::call_with` tells goes to the bar.
pub fn follow(bar: &ProgressBar) -> impl FnMut(u64, u64, &str) + use<> {
    let bar = bar.clone();
    move |done, total, what| {
        measure(&bar, total, COUNT);
        bar.set_position(done);
        bar.set_message(what.to_owned());
    }
}

/// Octets done and in all go to the bar.
pub fn follow_octets(bar: &ProgressBar) -> impl FnMut(u64, u64) + use<> {
    let bar = bar.clone();
    move |done, total| {
        measure(&bar, total, OCTETS);
        bar.set_position(done);
    }
}

/// Now that the total is known, there is something to measure by.
fn measure(bar: &ProgressBar, total: u64, template: &str) {
    if total > 0 && bar.length() != Some(total) {
        bar.set_length(total);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
    }
}
