//! `cargo xtask bench smtp`: mail durable in the mailbox, per second, against Postfix handing over to Dovecot.
//!
//! Both take the same mail from the same load in one run, on one file system, each with mailboxes that were made
//! for that run: a mailbox that ages slows some servers more than others. Counted is what IMAP says is in the
//! mailboxes, not what SMTP accepted. The load takes its share of the processor, so read ratios, not absolutes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::imap::Imap;
use crate::rivals::{House, PostfixDovecot, Server};
use crate::step::{self, Failed};
use crate::{judges, rivals};

const STEP: &str = "bench";
/// Sessions at once, each a process with a mailbox of its own; and how many times theirs ours must be.
const LOADS: [(usize, f64); 3] = [(1, 3.0), (10, 8.0), (50, 8.0)];
/// Octets of a message.
const SIZE: usize = 4096;
/// Between two questions of how much is there.
const POLL: Duration = Duration::from_millis(10);
/// After which a run has failed.
const LIMIT: Duration = Duration::from_secs(300);

/// What to run.
pub struct Options {
    /// Runs of each load.
    pub rounds: usize,
    /// Messages in each run.
    pub messages: usize,
    /// Only the server of this name, without comparing.
    pub only: Option<String>,
}

/// Runs each load on both servers and compares.
pub fn smtp(options: &Options) -> Result<(), Failed> {
    rivals::check()?;
    judges::install()?;
    let kinds: Vec<&dyn rivals::Kind> = [&PostfixDovecot as &dyn rivals::Kind, &House]
        .into_iter()
        .filter(|kind| options.only.as_deref().is_none_or(|name| name == kind.name()))
        .collect();
    for kind in &kinds {
        kind.prepare()?;
    }
    println!(
        "{} messages of {SIZE} octets, one connection each: messages a second until durable in the mailbox,\n\
         median of {} runs on fresh mailboxes (least to most)",
        options.messages, options.rounds
    );
    let names: String = kinds.iter().map(|kind| format!("{:>26}", kind.name())).collect();
    println!("{:>8}{names}{:>8}{:>6}", "sessions", "ratio", "bar");
    let mut short = Vec::new();
    for (sessions, bar) in LOADS {
        let mut rates = vec![Vec::new(); kinds.len()];
        for round in 0..options.rounds {
            // Turn by turn, so that what else the machine does hits both.
            for (kind, rates) in kinds.iter().zip(&mut rates) {
                rates.push(measure(*kind, &format!("{sessions}-{round}"), sessions, options.messages)?);
            }
        }
        let columns: String = rates.iter_mut().map(|rates| format!("{:>26}", shown(rates))).collect();
        let [theirs, ours] = rates.as_mut_slice() else {
            println!("{sessions:>8}{columns}");
            continue;
        };
        let ratio = median(ours) / median(theirs);
        println!("{sessions:>8}{columns}{ratio:>8.1}{bar:>6}");
        if ratio < bar {
            short.push(format!("{sessions} sessions: {ratio:.1} of {bar}"));
        }
    }
    if short.is_empty() {
        Ok(())
    } else {
        Err(Failed::new(STEP, format!("under the bar: {}", short.join(", "))))
    }
}

/// One run on a server of its own: messages a second from the first connection to the last message being there.
fn measure(kind: &dyn rivals::Kind, name: &str, sessions: usize, messages: usize) -> Result<f64, Failed> {
    let folder = step::root().join("target/bench").join(format!("{}-{name}", kind.name()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(|error| Failed::new(STEP, error))?;
    let users: Vec<String> = (1..=sessions).map(|number| format!("u{number}@{}", rivals::DOMAIN)).collect();
    let server = kind.start(&folder, &users)?;
    let rate = load(&server, &users, messages)
        .map_err(|why| Failed::new(STEP, format!("{} with {sessions} sessions: {why}", kind.name())))?;
    drop(server);
    let _ = fs::remove_dir_all(&folder);
    Ok(rate)
}

fn load(server: &Server, users: &[String], messages: usize) -> Result<f64, String> {
    let each = (messages / users.len()).max(1);
    let total = each * users.len();
    let mut boxes = Vec::new();
    for user in users {
        boxes.push(Imap::login(server.imap, user, rivals::PASSWORD)?);
    }
    let start = Instant::now();
    let mut senders: Vec<Child> =
        users.iter().map(|user| source(server.smtp, user, each)).collect::<Result<_, _>>()?;
    let mut there = vec![0; users.len()];
    while there.iter().sum::<usize>() < total {
        if start.elapsed() > LIMIT {
            return Err(format!("{there:?} of {total} messages after {LIMIT:?}"));
        }
        for (mailbox, count) in boxes.iter_mut().zip(&mut there) {
            // A mailbox that is full is not asked again: asking costs the server.
            if *count < each {
                *count = mailbox.count("INBOX")?;
            }
        }
        std::thread::sleep(POLL);
    }
    let took = start.elapsed();
    for sender in &mut senders {
        let status = sender.wait().map_err(|error| error.to_string())?;
        if !status.success() {
            return Err(format!("smtp-source: {status}"));
        }
    }
    Ok(total as f64 / took.as_secs_f64())
}

/// One session that sends `count` messages to `user`, a connection each.
fn source(port: u16, user: &str, count: usize) -> Result<Child, String> {
    let postfix = judges::folder().join("postfix");
    Command::new(postfix.join("usr/sbin/smtp-source"))
        .env("LD_LIBRARY_PATH", postfix.join("usr/lib/postfix"))
        .args(["-s", "1", "-m", &count.to_string(), "-l", &SIZE.to_string()])
        .args(["-f", "sender@elsewhere.test", "-t", user, &format!("inet:127.0.0.1:{port}")])
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| format!("smtp-source: {error}"))
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn shown(rates: &mut [f64]) -> String {
    let middle = median(rates);
    format!("{middle:.0} ({:.0}-{:.0})", rates[0], rates[rates.len() - 1])
}

/// Where the release build is.
pub fn packetboat() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| step::root().join("target"), PathBuf::from);
    Path::new(&target).join("release/packetboat")
}
