//! `bench figures`: Packetboat alone. Start, memory, a long listing, and what it keeps when it is killed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::imap::Imap;
use super::mbox::{self, Numbers};
use super::ours::{self, PASSWORD};
use super::{machine, median, number, options, place, sender};
use crate::step::{self, Failed};

const STEP: &str = "bench figures";
/// Starts of each kind.
const STARTS: usize = 5;
/// Sessions that idle, and the accounts that they are shared over.
const IDLERS: usize = 500;
const IDLE_ACCOUNTS: usize = 50;
/// Until memory is looked at, after the last thing happened.
const SETTLE: Duration = Duration::from_secs(2);
const LISTING: &str = "FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE BODYSTRUCTURE)";
/// Senders at once while the server is killed again and again, each with a mailbox of its own.
const SENDERS: usize = 10;
/// The shortest and the longest time between `ready` and a kill, in milliseconds.
const KILL_AFTER: (usize, usize) = (100, 1_200);
const SEED: u64 = 24;

/// The figures there are.
const ALL: &[&str] = &["start", "memory", "listing", "kills"];

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    messages: usize,
    kills: usize,
    only: Option<String>,
    binary: Option<String>,
}

impl Plan {
    /// Reads the options.
    pub fn read(words: &[&str]) -> Result<Plan, String> {
        let mut plan = Plan { messages: 20_000, kills: 20, only: None, binary: None };
        for (name, value) in options(words)? {
            match name {
                "--messages" => plan.messages = number(name, value)?,
                "--kills" => plan.kills = number(name, value)?,
                "--only" if ALL.contains(&value) => plan.only = Some(value.to_owned()),
                "--binary" => plan.binary = Some(value.to_owned()),
                _ => return Err(format!("there is no {name} {value}")),
            }
        }
        Ok(plan)
    }

    fn wants(&self, figure: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == figure)
    }
}

/// A binary, and ports that are free for it.
struct Bench {
    binary: PathBuf,
    offset: u16,
}

impl Bench {
    fn start(&self, folder: &Path, accounts: &[String]) -> Result<ours::Ours, Failed> {
        ours::start(&self.binary, folder, self.offset, accounts)
    }
}

/// Measures and prints.
pub fn run(plan: &Plan) -> Result<(), Failed> {
    let bench = Bench { binary: ours::binary(plan.binary.as_deref())?, offset: place::offset()? };
    println!("{}", machine());
    if plan.wants("start") {
        start(&bench)?;
    }
    if plan.wants("memory") {
        memory(&bench)?;
    }
    if plan.wants("listing") {
        listing(&bench, plan.messages)?;
    }
    if plan.wants("kills") {
        kills(&bench, plan.kills)?;
    }
    Ok(())
}

fn start(bench: &Bench) -> Result<(), Failed> {
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let folder = place::folder("start")?;
        let account = accounts("start", 1);
        first.push(millis(bench.start(&folder, &account)?.started_in));
        again.push(millis(bench.start(&folder, &account)?.started_in));
    }
    println!(
        "start to ready: {} ms first ever (makes keys, certificate, one account), {} ms again; median of {STARTS}",
        shown(&first),
        shown(&again)
    );
    Ok(())
}

fn memory(bench: &Bench) -> Result<(), Failed> {
    let folder = place::folder("memory")?;
    let users = accounts("idle", IDLE_ACCOUNTS);
    // Started again, so that making the accounts is not counted.
    drop(bench.start(&folder, &users)?);
    let ours = bench.start(&folder, &users)?;
    thread::sleep(SETTLE);
    let before = resident(ours.pid())?;
    let mut idlers = Vec::new();
    for n in 0..IDLERS {
        let idler = idle(ours.target.imap, &users[n % users.len()]);
        idlers.push(idler.map_err(|error| Failed::new(STEP, format!("session {n}: {error}")))?);
    }
    thread::sleep(SETTLE);
    let after = resident(ours.pid())?;
    println!(
        "resident memory: {:.1} MB idle, {:.1} MB with {IDLERS} IDLE sessions of {IDLE_ACCOUNTS} accounts: {:.1} KB a session",
        before / 1e3,
        after / 1e3,
        (after - before) / IDLERS as f64
    );
    Ok(())
}

fn idle(port: u16, user: &str) -> io::Result<Imap> {
    let mut imap = Imap::login(port, user, PASSWORD)?;
    imap.run("SELECT INBOX")?;
    imap.idle()?;
    Ok(imap)
}

fn listing(bench: &Bench, messages: usize) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed::new(STEP, error);
    let folder = place::folder("listing")?;
    let file = folder.join("made.mbox");
    let octets = mbox::write(&file, messages, SEED).map_err(failed)?;
    let users = accounts("reader", 1);
    let ours = bench.start(&folder, &users)?;
    let begun = Instant::now();
    let mut import = Command::new(&bench.binary);
    import.args(["import", "mbox", "--account", &users[0], "--data"]).arg(folder.join("data")).arg(&file);
    step::output(STEP, &mut import)?;
    let took = begun.elapsed();
    println!(
        "import of {messages} messages, {:.0} MB: {:.1} s, {:.0}/s",
        octets as f64 / 1e6,
        took.as_secs_f64(),
        messages as f64 / took.as_secs_f64()
    );
    drop(ours);
    let ours = bench.start(&folder, &users)?;
    let mut imap = Imap::login(ours.target.imap, &users[0], PASSWORD).map_err(failed)?;
    let begun = Instant::now();
    imap.run("SELECT INBOX").map_err(failed)?;
    let select = millis(begun.elapsed());
    let first = list(&mut imap, messages)?;
    let mut warm = Vec::new();
    for _ in 0..STARTS {
        warm.push(list(&mut imap, messages)?);
    }
    let middle = median(&warm).unwrap_or_default();
    println!(
        "{LISTING} of {messages}: {first:.0} ms first after a restart (SELECT {select:.0} ms), {} ms warm, {:.1} µs a row",
        shown(&warm),
        middle * 1e3 / messages as f64
    );
    Ok(())
}

/// Milliseconds of one listing, which must have every row.
fn list(imap: &mut Imap, messages: usize) -> Result<f64, Failed> {
    let failed = |error: io::Error| Failed::new(STEP, error);
    let begun = Instant::now();
    let tag = imap.send(LISTING).map_err(failed)?;
    let mut rows = 0;
    imap.finish(&tag, |row| rows += usize::from(contains(row, b" FETCH (") && contains(row, b"ENVELOPE")))
        .map_err(failed)?;
    if rows == messages {
        Ok(millis(begun.elapsed()))
    } else {
        Err(Failed::new(STEP, format!("{rows} rows of {messages}")))
    }
}

fn kills(bench: &Bench, kills: usize) -> Result<(), Failed> {
    let folder = place::folder("kills")?;
    let users = accounts("kept", SENDERS);
    let mut numbers = Numbers::new(SEED);
    let mut taken = BTreeSet::new();
    let mut restarts = Vec::new();
    for round in 0..kills {
        let ours = bench.start(&folder, &users)?;
        if round > 0 {
            restarts.push(millis(ours.started_in));
        }
        let port = ours.target.smtp;
        let senders: Vec<_> = users
            .iter()
            .cloned()
            .enumerate()
            .map(|(n, user)| thread::spawn(move || sender::until_gone(port, &user, &format!("{round}.{n}"))))
            .collect();
        let pause = KILL_AFTER.0 + numbers.below(KILL_AFTER.1 - KILL_AFTER.0);
        thread::sleep(Duration::from_millis(pause as u64));
        ours.kill()?;
        for sender in senders {
            let sender = sender.join().map_err(|_| Failed::new(STEP, "a sender panicked"))?;
            taken.extend(sender.map_err(|refused| Failed::new(STEP, format!("refused: {refused}")))?);
        }
    }
    let ours = bench.start(&folder, &users)?;
    restarts.push(millis(ours.started_in));
    let found = names(ours.target.imap, &users)?;
    let kept: BTreeSet<&String> = found.iter().collect();
    let lost = taken.iter().filter(|name| !kept.contains(name)).count();
    println!(
        "{kills} kills under load: {} acknowledged, {lost} lost, {} twice, {} kept whose acknowledgement was cut off; \
         start after a kill {} ms",
        taken.len(),
        found.len() - kept.len(),
        kept.iter().filter(|name| !taken.contains(**name)).count(),
        shown(&restarts)
    );
    drop(ours);
    let mut verify = Command::new(&bench.binary);
    verify.arg("verify").arg("--data").arg(folder.join("data"));
    println!("verify afterwards: {}", step::output(STEP, &mut verify)?.trim());
    match (lost, taken.len()) {
        (0, 1..) => Ok(()),
        (0, _) => Err(Failed::new(STEP, "nothing was acknowledged, so nothing was tested")),
        _ => Err(Failed::new(STEP, format!("{lost} acknowledged messages are lost"))),
    }
}

/// The names of all messages in the inboxes of `users`.
fn names(port: u16, users: &[String]) -> Result<Vec<String>, Failed> {
    let failed = |error: io::Error| Failed::new(STEP, error);
    let mut found = Vec::new();
    for user in users {
        let mut imap = Imap::login(port, user, PASSWORD).map_err(failed)?;
        imap.run("SELECT INBOX").map_err(failed)?;
        let tag =
            imap.send(&format!("FETCH 1:* (BODY.PEEK[HEADER.FIELDS ({})])", sender::NAME)).map_err(failed)?;
        imap.finish(&tag, |row| found.extend(name(row))).map_err(failed)?;
    }
    Ok(found)
}

/// The name in a row of the answer. The row's own words name the field too, in brackets.
fn name(row: &[u8]) -> Option<String> {
    let row = String::from_utf8_lossy(row);
    let header = row.lines().find_map(|line| line.strip_prefix(sender::NAME)?.strip_prefix(": "))?;
    Some(header.trim().to_owned())
}

fn accounts(name: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{name}{n}@example.test")).collect()
}

fn contains(text: &[u8], words: &[u8]) -> bool {
    text.windows(words.len()).any(|window| window == words)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn shown(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(0.0, f64::max);
    format!("{:.0} ({least:.0}-{most:.0})", median(values).unwrap_or_default())
}

/// Resident memory of a process in kB.
fn resident(pid: u32) -> Result<f64, Failed> {
    let failed = |why: &str| Failed::new(STEP, format!("memory of {pid}: {why}"));
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))
        .map_err(|error| failed(&error.to_string()))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Rss:")).ok_or_else(|| failed("no Rss"))?;
    line.trim().trim_end_matches(" kB").parse().map_err(|_| failed(line))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn the_name_is_the_header_not_the_question() {
        let row = b"* 1 FETCH (BODY[HEADER.FIELDS (X-Bench-Name)] {24}\r\nX-Bench-Name: 3.1.7\r\n\r\n)\r\n";
        assert_eq!(name(row).as_deref(), Some("3.1.7"));
        assert_eq!(name(b"* 1 EXISTS\r\n"), None);
    }
}
