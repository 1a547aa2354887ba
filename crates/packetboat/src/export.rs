//! `packetboat export`: mail into files, and the directory as TOML.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::{Args as Clap, Subcommand};
use serde_json::Value;
use server::admin::{Client, Head, Heard, Request};

use crate::line_ends::ToLf;
use crate::{Outcome, progress, reach, show};

const EXAMPLES: &str = "\
Examples:
  packetboat export mbox OUT --account you@example.org        (one file a mailbox)
  packetboat export maildir OUT --account you@example.org
  packetboat export directory > people.toml

OUT is a folder, made by this; it must not be there.";

/// Take mail away into files, or domains and accounts as TOML
#[derive(Clap, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// One file for each mailbox, each message behind a `From ` line
    #[command(
        after_help = "Example:\n  packetboat export mbox OUT --account you@example.org --mailbox Archive"
    )]
    Mbox(Mail),
    /// A maildir with a folder for each mailbox
    #[command(after_help = "Example:\n  packetboat export maildir OUT --account you@example.org")]
    Maildir(Mail),
    /// Domains, accounts (with their password verifiers) and aliases, on standard output
    #[command(after_help = "Example:\n  packetboat export directory > people.toml")]
    Directory,
}

#[derive(Clap, Debug)]
struct Mail {
    /// The folder to make
    to: PathBuf,
    /// Whose mail
    #[arg(long, value_name = "ADDRESS")]
    account: String,
    /// Only this mailbox
    #[arg(long, value_name = "NAME")]
    mailbox: Option<String>,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let (mail, maildir) = match &args.what {
        What::Directory => {
            let text = reach::talk(data, async |client| directory(client).await)?;
            return show::text(text.trim_end());
        }
        What::Mbox(mail) => (mail, false),
        What::Maildir(mail) => (mail, true),
    };
    private_folder(&mail.to)?;
    let mut files = Files { root: mail.to.clone(), maildir, open: BTreeMap::new(), count: 0 };
    let bar = progress::alive("exporting");
    let done = reach::talk(data, async |client| messages(client, mail, &mut files).await);
    bar.finish_and_clear();
    done?;
    show::text(&format!("{} messages in {}", files.count, mail.to.display()))
}

async fn directory(client: &mut Client) -> Result<String, String> {
    let (ear, mouth) = client.halves();
    mouth.ask(&Request::ExportDirectory).await?;
    let mut text = Vec::new();
    loop {
        match ear.hear().await? {
            Heard::Body(octets) => text.extend_from_slice(&octets),
            Heard::Done(_) => return String::from_utf8(text).map_err(|error| error.to_string()),
            _ => {}
        }
    }
}

async fn messages(client: &mut Client, mail: &Mail, files: &mut Files) -> Result<Value, String> {
    let (ear, mouth) = client.halves();
    let request = Request::Export { address: mail.account.clone(), mailbox: mail.mailbox.clone() };
    mouth.ask(&request).await?;
    let mut current: Option<(Head, Vec<u8>)> = None;
    loop {
        match ear.hear().await? {
            Heard::Head(head) => current = Some((head, Vec::new())),
            Heard::Body(octets) => {
                if let Some((_, message)) = &mut current {
                    message.extend_from_slice(&octets);
                }
            }
            Heard::End => {
                if let Some((head, message)) = current.take() {
                    files.put(&head, &message)?;
                }
            }
            Heard::Broken => {
                if let Some((head, _)) = current.take() {
                    eprintln!("packetboat: a message of {} cannot be read and is left out", head.mailbox);
                }
            }
            Heard::Done(value) => {
                files.finish()?;
                return Ok(value);
            }
            Heard::Progress { .. } | Heard::Item(_) => {}
        }
    }
}

/// Where messages are put.
struct Files {
    root: PathBuf,
    maildir: bool,
    /// Open mbox files.
    open: BTreeMap<String, BufWriter<File>>,
    count: u64,
}

impl Files {
    fn put(&mut self, head: &Head, message: &[u8]) -> Result<(), String> {
        self.count += 1;
        let mut ends = ToLf::default();
        let mut octets = Vec::with_capacity(message.len());
        ends.push(message, &mut octets);
        ends.finish(&mut octets);
        match self.maildir {
            true => self.put_file(head, &octets),
            false => self.append(head, &octets),
        }
    }

    fn put_file(&self, head: &Head, octets: &[u8]) -> Result<(), String> {
        let folder = match head.mailbox.as_str() {
            "INBOX" => self.root.clone(),
            name => self.root.join(format!(".{}", file_name(&name.replace('/', ".")))),
        };
        for part in ["cur", "new", "tmp"] {
            private_folder_if_missing(&folder.join(part))?;
        }
        let letters: String =
            [("\\Draft", 'D'), ("\\Flagged", 'F'), ("\\Answered", 'R'), ("\\Seen", 'S'), ("\\Deleted", 'T')]
                .iter()
                .filter(|(flag, _)| head.flags.iter().any(|has| has.eq_ignore_ascii_case(flag)))
                .map(|(_, letter)| *letter)
                .collect();
        let seconds = head.date.unwrap_or_default() / 1000;
        let path = folder.join("cur").join(format!("{seconds}.{}.packetboat:2,{letters}", self.count));
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut file = private_file(&path).map_err(fail)?;
        file.write_all(octets).map_err(fail)?;
        let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        file.set_modified(date).map_err(fail)
    }

    fn append(&mut self, head: &Head, octets: &[u8]) -> Result<(), String> {
        let path = self.root.join(format!("{}.mbox", file_name(&head.mailbox.replace('/', "."))));
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        if !self.open.contains_key(&head.mailbox) {
            let file = BufWriter::new(private_file(&path).map_err(fail)?);
            self.open.insert(head.mailbox.clone(), file);
        }
        let Some(file) = self.open.get_mut(&head.mailbox) else { return Ok(()) };
        mbox_message(file, head, octets).map_err(fail)
    }

    fn finish(&mut self) -> Result<(), String> {
        for (name, file) in &mut self.open {
            file.flush().map_err(|error| format!("{name}: {error}"))?;
        }
        Ok(())
    }
}

/// A message with its `From ` line; lines that look like one are quoted, so that all can be undone.
fn mbox_message(to: &mut impl Write, head: &Head, octets: &[u8]) -> std::io::Result<()> {
    let date = mail::date::format_rfc5322(mail::Moment(head.date.unwrap_or_default()));
    writeln!(to, "From MAILER-DAEMON {date}")?;
    for line in octets.split_inclusive(|octet| *octet == b'\n') {
        let quotes = line.iter().position(|octet| *octet != b'>').unwrap_or(0);
        if line[quotes..].starts_with(b"From ") {
            to.write_all(b">")?;
        }
        to.write_all(line)?;
    }
    if octets.last().is_some_and(|last| *last != b'\n') {
        to.write_all(b"\n")?;
    }
    to.write_all(b"\n")
}

/// A mailbox's name as a file's: nothing that leads elsewhere.
fn file_name(name: &str) -> String {
    mail::mailbox_name::to_utf7(name).trim_start_matches('.').to_owned()
}

fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn private_folder(path: &Path) -> Result<(), String> {
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("{}: {error}; name a folder that is not there yet", path.display()))
}

fn private_folder_if_missing(path: &Path) -> Result<(), String> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| format!("{}: {error}", path.display()))
}
