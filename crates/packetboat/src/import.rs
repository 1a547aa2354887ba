//! `packetboat import`: mail from files, and a directory from TOML.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Args as Clap, Subcommand};
use indicatif::ProgressBar;
use serde_json::Value;
use server::admin::{Client, Frame, Head, Heard, Mouth, Request};

use crate::line_ends::ToCrlf;
use crate::{Outcome, progress, reach, show};

/// Octets of a message sent at once.
const PIECE: usize = 128 * 1024;

const EXAMPLES: &str = "\
Examples:
  packetboat import mbox old.mbox --account you@example.org
  packetboat import maildir ~/Maildir --account you@example.org
  packetboat import directory people.toml

It works with the server running or not. Messages that were imported before are imported again.";

/// Bring mail along from files, or domains and accounts from TOML
#[derive(Clap, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    what: What,
    /// As JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum What {
    /// One file of many messages, each behind a `From ` line
    #[command(
        after_help = "Example:\n  packetboat import mbox old.mbox --account you@example.org --mailbox Old"
    )]
    Mbox(Mail),
    /// A folder with cur and new, and folders below it (`.Name.Sub`)
    #[command(after_help = "Example:\n  packetboat import maildir ~/Maildir --account you@example.org")]
    Maildir(Mail),
    /// Domains, accounts and aliases, as `packetboat export directory` writes them
    #[command(after_help = "Example:\n  packetboat import directory people.toml")]
    Directory {
        /// The file
        file: PathBuf,
    },
}

#[derive(Clap, Debug)]
struct Mail {
    /// The file or folder
    from: PathBuf,
    /// Whose mail it becomes
    #[arg(long, value_name = "ADDRESS")]
    account: String,
    /// Into which mailbox; made if it is missing
    #[arg(long, value_name = "NAME", default_value = "INBOX")]
    mailbox: String,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let bar = progress::octets(0);
    let done = reach::talk(data, async |client| match &args.what {
        What::Mbox(mail) => messages(client, mail, &bar, mbox(mail)?).await,
        What::Maildir(mail) => messages(client, mail, &bar, maildir(mail)?).await,
        What::Directory { file } => directory(client, file).await,
    });
    bar.finish_and_clear();
    let done = done?;
    if args.json {
        return show::json(&done);
    }
    show::text(&match &args.what {
        What::Directory { .. } => {
            format!("{} added, {} changed", show::number(&done, "added"), show::number(&done, "changed"))
        }
        What::Mbox(_) | What::Maildir(_) => format!("{} messages imported", show::number(&done, "messages")),
    })
}

/// INTERNALDATE in milliseconds, and octets with whatever line ends.
type Dated = (Option<u64>, Vec<u8>);

/// A message in a file: what is known of it, and its octets with whatever line ends.
type Messages = Box<dyn Iterator<Item = Result<(Head, Vec<u8>), String>> + Send>;

async fn messages(
    client: &mut Client,
    mail: &Mail,
    bar: &ProgressBar,
    messages: Messages,
) -> Result<Value, String> {
    let (ear, mouth) = client.halves();
    mouth.ask(&Request::Import { address: mail.account.clone() }).await?;
    let speak = async {
        for message in messages {
            let (head, octets) = message?;
            bar.inc(octets.len() as u64);
            send(mouth, head, &octets).await?;
        }
        mouth.send(&Frame::Last).await?;
        mouth.flush().await
    };
    let hear = async {
        loop {
            match ear.hear().await? {
                Heard::Done(value) => return Ok(value),
                Heard::Progress { done, .. } => bar.set_message(format!("{done} messages")),
                _ => {}
            }
        }
    };
    // A refusal comes while messages are still on their way, and says more than a stream that breaks.
    let (spoken, heard) = tokio::join!(speak, hear);
    match (heard, spoken) {
        (Ok(value), Ok(())) => Ok(value),
        (Err(why), _) | (Ok(_), Err(why)) => Err(why),
    }
}

async fn send(mouth: &mut Mouth, head: Head, octets: &[u8]) -> Result<(), String> {
    mouth.send(&Frame::Head(head)).await?;
    let mut ends = ToCrlf::default();
    for piece in octets.chunks(PIECE) {
        let mut out = Vec::with_capacity(piece.len() + piece.len() / 16);
        ends.push(piece, &mut out);
        mouth.send(&Frame::Body(Bytes::from(out))).await?;
    }
    mouth.send(&Frame::End).await
}

async fn directory(client: &mut Client, file: &Path) -> Result<Value, String> {
    let text = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (ear, mouth) = client.halves();
    mouth.ask(&Request::ImportDirectory).await?;
    for piece in text.chunks(PIECE) {
        mouth.send(&Frame::Body(Bytes::copy_from_slice(piece))).await?;
    }
    mouth.send(&Frame::Last).await?;
    mouth.flush().await?;
    loop {
        if let Heard::Done(value) = ear.hear().await? {
            return Ok(value);
        }
    }
}

fn mbox(mail: &Mail) -> Result<Messages, String> {
    let name = mail.from.display().to_string();
    let file = File::open(&mail.from).map_err(|error| format!("{name}: {error}"))?;
    let messages = Mbox { lines: BufReader::with_capacity(PIECE, file), began: false, ended: false };
    let mailbox = mail.mailbox.clone();
    Ok(Box::new(messages.map(move |message| {
        let (date, octets) = message.map_err(|error| format!("{name}: {error}"))?;
        let flags = status_flags(&octets);
        Ok((Head { mailbox: mailbox.clone(), flags, date, size: None }, octets))
    })))
}

/// Messages of an mbox file, one in memory at a time. RFC 4155 and the common quoting of `From ` lines.
struct Mbox<R> {
    lines: R,
    /// The `From ` line of the next message has been read.
    began: bool,
    ended: bool,
}

impl<R: BufRead> Iterator for Mbox<R> {
    type Item = Result<Dated, String>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.message() {
            Ok(message) => message.map(Ok),
            Err(error) => {
                self.ended = true;
                Some(Err(error))
            }
        }
    }
}

impl<R: BufRead> Mbox<R> {
    fn message(&mut self) -> Result<Option<Dated>, String> {
        if self.ended {
            return Ok(None);
        }
        let mut line = Vec::new();
        while !self.began {
            line.clear();
            if self.read(&mut line)? == 0 {
                self.ended = true;
                return Ok(None);
            }
            if line.starts_with(b"From ") {
                self.began = true;
            } else if !line.iter().all(u8::is_ascii_whitespace) {
                return Err("it does not begin with a `From ` line, so it is no mbox file".into());
            }
        }
        let mut octets = Vec::new();
        // An empty line before a `From ` line belongs to the file and not to the message.
        let mut blank: Option<Vec<u8>> = None;
        loop {
            line.clear();
            if self.read(&mut line)? == 0 {
                (self.began, self.ended) = (false, true);
                break;
            }
            if line.starts_with(b"From ") && (blank.is_some() || octets.is_empty()) {
                break;
            }
            octets.extend(blank.take().unwrap_or_default());
            if line == b"\n" || line == b"\r\n" {
                blank = Some(line.clone());
            } else {
                let quoted = line.iter().position(|octet| *octet != b'>').unwrap_or(0);
                let unquote = quoted > 0 && line[quoted..].starts_with(b"From ");
                octets.extend_from_slice(&line[usize::from(unquote)..]);
            }
        }
        // The header's end is never the file's empty line.
        if let Some(blank) = blank
            && !octets.windows(2).any(|two| two == b"\n\n")
            && !octets.windows(4).any(|four| four == b"\r\n\r\n")
        {
            octets.extend(blank);
        }
        Ok(Some((date_field(&octets), octets)))
    }

    fn read(&mut self, line: &mut Vec<u8>) -> Result<usize, String> {
        self.lines.read_until(b'\n', line).map_err(|error| error.to_string())
    }
}

fn header(octets: &[u8]) -> Vec<u8> {
    // Fields are read with CRLF; a header section is small.
    let mut section = Vec::new();
    ToCrlf::default().push(&octets[..octets.len().min(PIECE)], &mut section);
    section
}

fn date_field(octets: &[u8]) -> Option<u64> {
    let section = header(octets);
    let field = mail::header::find(&section, "Date")?;
    mail::date::parse(&field.unfolded()).map(|moment| moment.0)
}

/// Flags as mbox programs keep them: Status and X-Status.
fn status_flags(octets: &[u8]) -> Vec<String> {
    let section = header(octets);
    let mut flags = Vec::new();
    for name in ["Status", "X-Status"] {
        let Some(field) = mail::header::find(&section, name) else { continue };
        for letter in field.unfolded() {
            flags.extend(match letter {
                b'R' => Some("\\Seen".to_owned()),
                b'A' => Some("\\Answered".to_owned()),
                b'F' => Some("\\Flagged".to_owned()),
                b'D' => Some("\\Deleted".to_owned()),
                b'T' => Some("\\Draft".to_owned()),
                _ => None,
            });
        }
    }
    flags
}

fn maildir(mail: &Mail) -> Result<Messages, String> {
    let mut files = Vec::new();
    folder(&mail.from, &mail.mailbox, &mut files)?;
    if files.is_empty() && !mail.from.join("cur").is_dir() {
        return Err(format!("{} has no cur folder, so it is no maildir", mail.from.display()));
    }
    let below = std::fs::read_dir(&mail.from).map_err(|error| format!("{}: {error}", mail.from.display()))?;
    for entry in below.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_prefix('.').filter(|name| !name.is_empty())
            && entry.path().join("cur").is_dir()
        {
            let decoded = mail::mailbox_name::from_utf7(name).unwrap_or_else(|| name.to_owned());
            folder(&entry.path(), &decoded.replace('.', "/"), &mut files)?;
        }
    }
    Ok(Box::new(files.into_iter().map(|(mailbox, path)| {
        let fail = |error: std::io::Error| format!("{}: {error}", path.display());
        let mut octets = Vec::new();
        let mut file = File::open(&path).map_err(fail)?;
        file.read_to_end(&mut octets).map_err(fail)?;
        let arrived = file.metadata().and_then(|data| data.modified()).ok();
        let date = arrived
            .and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok())
            .and_then(|since| u64::try_from(since.as_millis()).ok());
        let flags = maildir_flags(&path.file_name().unwrap_or_default().to_string_lossy());
        Ok((Head { mailbox, flags, date, size: Some(octets.len() as u64) }, octets))
    })))
}

/// The files of one maildir folder, in the order of their names, which begin with the time of delivery.
fn folder(path: &Path, mailbox: &str, files: &mut Vec<(String, PathBuf)>) -> Result<(), String> {
    let mut found = Vec::new();
    for part in ["cur", "new"] {
        let Ok(entries) = std::fs::read_dir(path.join(part)) else { continue };
        for entry in entries {
            let entry = entry.map_err(|error| format!("{}: {error}", path.display()))?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                found.push((entry.file_name(), entry.path()));
            }
        }
    }
    found.sort();
    files.extend(found.into_iter().map(|(_, path)| (mailbox.to_owned(), path)));
    Ok(())
}

fn maildir_flags(name: &str) -> Vec<String> {
    let letters = name.rsplit_once(":2,").map_or("", |(_, letters)| letters);
    letters
        .chars()
        .filter_map(|letter| match letter {
            'S' => Some("\\Seen"),
            'R' => Some("\\Answered"),
            'F' => Some("\\Flagged"),
            'T' => Some("\\Deleted"),
            'D' => Some("\\Draft"),
            _ => None,
        })
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Vec<Vec<u8>> {
        let messages = Mbox { lines: file, began: false, ended: false };
        messages.map(|message| message.unwrap().1).collect()
    }

    #[test]
    fn messages_are_parted_at_from_lines_behind_an_empty_line() {
        assert_eq!(
            read(b"From a\nA: 1\n\nx\nFrom here on\n>From y\n>>From z\n\nFrom b\nB: 2\n\ny\n\n"),
            [&b"A: 1\n\nx\nFrom here on\nFrom y\n>From z\n"[..], b"B: 2\n\ny\n"]
        );
        assert_eq!(
            read(b"From a\r\nA: 1\r\n\r\nx\r\n\r\nFrom b\r\nB: 2\r\n\r\n"),
            [&b"A: 1\r\n\r\nx\r\n"[..], b"B: 2\r\n\r\n"]
        );
        assert_eq!(read(b"From a\nA: 1\n\nno end"), [&b"A: 1\n\nno end"[..]]);
        assert_eq!(read(b"From a\nA: \0\xff\n\n\xe4\0\n"), [&b"A: \0\xff\n\n\xe4\0\n"[..]]);
        assert_eq!(read(b""), Vec::<Vec<u8>>::new());
        assert_eq!(read(b"\n\n"), Vec::<Vec<u8>>::new());
        let mut strange = Mbox { lines: &b"To: x\n"[..], began: false, ended: false };
        assert!(strange.next().unwrap().is_err() && strange.next().is_none());
    }

    #[test]
    fn flags_are_read() {
        assert_eq!(
            status_flags(b"Status: RO\nX-Status: AF\n\nStatus: D"),
            ["\\Seen", "\\Answered", "\\Flagged"]
        );
        assert_eq!(maildir_flags("17.x:2,FS"), ["\\Flagged", "\\Seen"]);
        assert!(maildir_flags("17.x").is_empty());
    }
}
