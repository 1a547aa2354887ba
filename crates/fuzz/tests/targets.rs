//! Every target, on a fixed number of mutants from fixed seeds, so that a failure here is a failure everywhere.
//! For more: `cargo run -p packetboat-fuzz -- TARGET --seconds N --seed S`.

use packetboat_fuzz::{Bounds, find, run, runner, targets};

/// Runs a target and requires that it has come to what it is about.
fn check(name: &str, runs: u64) {
    let target = find(name).expect("a target");
    let report = run(target, 1, Bounds { runs, time: None });
    if let Some(failure) = report.failure {
        let (input, hex) = (failure.input.escape_ascii(), runner::hex(&failure.input));
        panic!("{name}: {}\ninput \"{input}\"\n--input {hex}", failure.message);
    }
    let missed: Vec<_> = target.must_reach.iter().filter(|mark| !report.marks.contains(**mark)).collect();
    assert!(missed.is_empty(), "{name} never came to {missed:?}, but to {:?}", report.marks);
}

macro_rules! targets {
    ($($name:ident: $runs:literal,)*) => {
        $(#[test] fn $name() { check(stringify!($name), $runs); })*

        #[test]
        fn every_target_has_a_test() {
            let tested = [$(stringify!($name)),*];
            let all: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
            assert_eq!(all, tested);
        }
    };
}

targets! {
    imap_reader: 20_000,
    imap_session: 5_000,
    smtp_session: 10_000,
    pop3_session: 10_000,
    smtp_words: 50_000,
    sasl: 20_000,
    lines: 20_000,
    index: 10_000,
    summary: 20_000,
    header: 10_000,
    mailbox_name: 50_000,
    words: 20_000,
    body: 50_000,
    address: 50_000,
}
