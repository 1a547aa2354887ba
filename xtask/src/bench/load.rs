//! The load: Postfix's smtp-source, and the wait until all it sent is in the mailboxes.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::cpu;
use super::imap::Imap;
use super::peers;
use crate::step::Failed;

/// The pause between two looks at the mailboxes.
const POLL: Duration = Duration::from_millis(30);
/// A run that is not over by then is a failure, not a figure.
const PATIENCE: Duration = Duration::from_secs(600);
/// Octets of a mail's text.
const LENGTH: usize = 4096;

/// A server as the load sees it.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name in failures.
    pub name: &'static str,
    /// Where mail goes in.
    pub smtp: u16,
    /// Where mailboxes are counted.
    pub imap: u16,
    /// Its processes; those that they started are found.
    pub pids: Vec<u32>,
}

/// What a run came to; rates in messages a second.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    /// Until the last was acknowledged.
    pub accepted: f64,
    /// Until IMAP counted the last in its mailbox.
    pub delivered: f64,
    /// The server's processor time in milliseconds a message.
    pub cpu: f64,
}

/// Sends `messages` mails to `users`, shared out evenly, one session a user and a new connection a message,
/// and waits until they are all in the mailboxes, which must be empty before.
pub fn run(target: &Target, users: &[String], messages: usize, password: &str) -> Result<Rates, Failed> {
    let failed = |error: std::io::Error| Failed::new(target.name, error);
    let each = messages / users.len();
    let mut mailboxes = Vec::new();
    for user in users {
        mailboxes.push(Imap::login(target.imap, user, password).map_err(failed)?);
    }
    let used = cpu::used(&target.pids);
    let start = Instant::now();
    let senders: Result<Vec<Child>, Failed> = users.iter().map(|user| send(target, user, each)).collect();
    for mut sender in senders? {
        let status = sender.wait().map_err(failed)?;
        if !status.success() {
            return Err(Failed::new(target.name, format!("smtp-source: {status}")));
        }
    }
    let accepted = start.elapsed();
    wait(target, mailboxes, each, start)?;
    let delivered = start.elapsed();
    let used = cpu::used(&target.pids) - used;
    let sent = (each * users.len()) as f64;
    Ok(Rates {
        accepted: sent / accepted.as_secs_f64(),
        delivered: sent / delivered.as_secs_f64(),
        cpu: used * 1e3 / sent,
    })
}

fn send(target: &Target, user: &str, messages: usize) -> Result<Child, Failed> {
    peers::smtp_source()
        .args(["-s", "1", "-m", &messages.to_string(), "-l", &LENGTH.to_string()])
        .args(["-f", "sender@example.org", "-t", user])
        .arg(format!("127.0.0.1:{}", target.smtp))
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| Failed::new(target.name, format!("smtp-source does not start: {error}")))
}

/// Looks again and again, at all that are not there yet at once.
fn wait(target: &Target, mut waiting: Vec<Imap>, each: usize, start: Instant) -> Result<(), Failed> {
    let failed = |error: std::io::Error| Failed::new(target.name, error);
    loop {
        let mut tags = Vec::new();
        for mailbox in &mut waiting {
            tags.push(mailbox.count().map_err(failed)?);
        }
        let mut left = Vec::new();
        for (mut mailbox, tag) in waiting.into_iter().zip(tags) {
            let found = mailbox.counted(&tag).map_err(failed)?;
            if found > each {
                return Err(Failed::new(target.name, format!("{found} messages where {each} were sent")));
            }
            if found < each {
                left.push(mailbox);
            }
        }
        if left.is_empty() {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            return Err(Failed::new(target.name, format!("{} mailboxes still wait for mail", left.len())));
        }
        waiting = left;
        std::thread::sleep(POLL);
    }
}
