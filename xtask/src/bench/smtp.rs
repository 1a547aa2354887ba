//! `bench smtp`: messages a second that are durable in the mailbox, beside Postfix and Dovecot.

use std::process::Command;

use super::load::{self, Rates, Target};
use super::{machine, median, number, options, ours, peers, place};
use crate::step::Failed;

/// Sessions and how many times the peers' rate is the bar.
const BARS: &[(usize, f64)] = &[(1, 3.0), (10, 8.0), (50, 8.0)];

/// Which sides run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Only {
    Ours,
    Theirs,
}

/// What to measure.
#[derive(Debug)]
pub struct Plan {
    messages: usize,
    runs: usize,
    sessions: Vec<usize>,
    only: Option<Only>,
    binary: Option<String>,
}

impl Plan {
    /// Reads the options.
    pub fn read(words: &[&str]) -> Result<Plan, String> {
        let mut plan = Plan {
            messages: 3000,
            runs: 3,
            sessions: BARS.iter().map(|(sessions, _)| *sessions).collect(),
            only: None,
            binary: None,
        };
        for (name, value) in options(words)? {
            match name {
                "--messages" => plan.messages = number(name, value)?,
                "--runs" => plan.runs = number(name, value)?,
                "--sessions" => {
                    plan.sessions = value.split(',').map(|n| number(name, n)).collect::<Result<_, _>>()?;
                }
                "--only" if value == "ours" => plan.only = Some(Only::Ours),
                "--only" if value == "theirs" => plan.only = Some(Only::Theirs),
                "--binary" => plan.binary = Some(value.to_owned()),
                _ => return Err(format!("there is no {name} {value}")),
            }
        }
        match plan.sessions.iter().find(|sessions| **sessions > plan.messages) {
            Some(most) => Err(format!("{} mails are too few for {most} sessions", plan.messages)),
            None => Ok(plan),
        }
    }

    /// The mailboxes of a run: used by it alone, since a mailbox that ages slows some servers.
    fn users(sessions: usize, run: usize) -> Vec<String> {
        (1..=sessions).map(|k| format!("s{sessions}r{run}u{k}@example.test")).collect()
    }

    fn every_user(&self) -> Vec<String> {
        let runs = self.sessions.iter().flat_map(|s| (1..=self.runs).map(move |run| (*s, run)));
        runs.flat_map(|(sessions, run)| Plan::users(sessions, run)).collect()
    }
}

/// The rates of all runs with a number of sessions.
struct Row {
    sessions: usize,
    theirs: Vec<Rates>,
    ours: Vec<Rates>,
}

/// Measures and prints.
pub fn run(plan: &Plan) -> Result<(), Failed> {
    peers::install()?;
    let folder = place::folder("smtp")?;
    let offset = place::offset()?;
    let ours = match plan.only {
        Some(Only::Theirs) => None,
        _ => {
            let binary = ours::binary(plan.binary.as_deref())?;
            Some(ours::start(&binary, &folder, offset, &plan.every_user())?)
        }
    };
    let theirs = match plan.only {
        Some(Only::Ours) => None,
        _ => Some(peers::start(&folder, offset)?),
    };
    println!("{}", machine());
    let mut rows: Vec<Row> = plan
        .sessions
        .iter()
        .map(|sessions| Row { sessions: *sessions, theirs: Vec::new(), ours: Vec::new() })
        .collect();
    // Interleaved, so that what else the machine does falls on all alike.
    for run in 1..=plan.runs {
        for row in &mut rows {
            let users = Plan::users(row.sessions, run);
            if let Some(theirs) = &theirs {
                row.theirs.push(one(plan, &theirs.target, &users, peers::PASSWORD, run)?);
            }
            if let Some(ours) = &ours {
                row.ours.push(one(plan, &ours.target, &users, ours::PASSWORD, run)?);
            }
        }
    }
    print(&rows, plan)
}

/// One run; on the way it prints what it found, since a whole bench takes minutes.
fn one(plan: &Plan, target: &Target, users: &[String], password: &str, run: usize) -> Result<Rates, Failed> {
    // What an earlier run left to be written is not this one's to pay.
    let _ = Command::new("sync").status();
    let rates = load::run(target, users, plan.messages, password)?;
    println!(
        "  run {run}, {:2} sessions, {}: accepted {:.0}/s, in mailbox {:.0}/s, {:.2} ms CPU",
        users.len(),
        target.name,
        rates.accepted,
        rates.delivered,
        rates.cpu
    );
    Ok(rates)
}

/// Prints the table; fails if a bar was missed.
fn print(rows: &[Row], plan: &Plan) -> Result<(), Failed> {
    println!(
        "\n4 KB messages a second, a new connection each, one mailbox a session; median of {} (least-most).\n\
         CPU: milliseconds of the server a message, the load's not counted.\n",
        plan.runs
    );
    println!("{:8}   {:^35}   {:^35}", "", "Postfix and Dovecot", "Packetboat");
    println!(
        "{:>8}   {:>8} {:>19} {:>6}   {:>8} {:>19} {:>6}   ratio   bar",
        "sessions", "accepted", "in mailbox", "CPU", "accepted", "in mailbox", "CPU"
    );
    let mut missed = Vec::new();
    for row in rows {
        let bar = BARS.iter().find(|(sessions, _)| *sessions == row.sessions).map(|(_, bar)| *bar);
        let ratio = middle(&row.ours, |r| r.delivered)
            .and_then(|ours| middle(&row.theirs, |r| r.delivered).map(|theirs| ours / theirs));
        println!(
            "{:>8}   {:>8} {:>19} {:>6}   {:>8} {:>19} {:>6}   {:>5} {:>5}",
            row.sessions,
            rate(middle(&row.theirs, |r| r.accepted)),
            range(&row.theirs),
            cpu(&row.theirs),
            rate(middle(&row.ours, |r| r.accepted)),
            range(&row.ours),
            cpu(&row.ours),
            ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.1}")),
            bar.map_or("-".to_owned(), |bar| format!("{bar:.0}")),
        );
        match (ratio, bar) {
            (Some(ratio), Some(bar)) if ratio < bar => {
                missed.push(format!("{} sessions {ratio:.1} of {bar:.0}", row.sessions));
            }
            _ => {}
        }
    }
    match missed.as_slice() {
        [] => Ok(()),
        missed => Err(Failed::new("bench smtp", format!("under the bar: {}", missed.join(", ")))),
    }
}

fn middle(rates: &[Rates], which: impl Fn(&Rates) -> f64) -> Option<f64> {
    median(&rates.iter().map(which).collect::<Vec<_>>())
}

fn rate(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{rate:.0}"))
}

fn cpu(rates: &[Rates]) -> String {
    middle(rates, |r| r.cpu).map_or("-".to_owned(), |cpu| format!("{cpu:.2}"))
}

fn range(rates: &[Rates]) -> String {
    let Some(middle) = middle(rates, |r| r.delivered) else { return "-".to_owned() };
    let least = rates.iter().map(|r| r.delivered).fold(f64::INFINITY, f64::min);
    let most = rates.iter().map(|r| r.delivered).fold(0.0, f64::max);
    format!("{middle:.0} ({least:.0}-{most:.0})")
}

#[cfg(test)]
mod tests {
    use super::Plan;

    #[test]
    fn no_two_runs_share_a_mailbox() {
        let plan = Plan::read(&["--runs", "2", "--sessions", "1,10"]).unwrap();
        let mut users = plan.every_user();
        assert_eq!(users.len(), 22);
        users.sort();
        users.dedup();
        assert_eq!(users.len(), 22);
    }

    #[test]
    fn every_session_has_a_message() {
        assert!(Plan::read(&["--messages", "9", "--sessions", "10"]).is_err());
    }
}
