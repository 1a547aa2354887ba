//! The command's side of the conversation.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use mail::Secret;
use postmaster::Policy;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::task::JoinHandle;

use super::frame::{self, Frame, Head, Reader, Writer};
use super::request::{Reply, Request};
use crate::config::Limits;
use crate::office::{self, Office};

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The house that runs on the data.
    Running,
    /// An office opened for this, as no house runs.
    Alone,
}

/// A conversation with whoever has the data folder.
pub struct Client {
    ear: Ear,
    mouth: Mouth,
    way: Way,
    /// The office that answers, if it was opened for this.
    attending: Option<JoinHandle<()>>,
    data: PathBuf,
}

/// The half that hears.
pub struct Ear(Reader);

/// The half that speaks.
pub struct Mouth(Writer);

/// What is heard.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// It goes on.
    Progress {
        /// So far.
        done: u64,
        /// In all; 0 if that is not known.
        total: u64,
        /// What is counted.
        what: String,
    },
    /// One of what was asked for.
    Item(Value),
    /// A message begins.
    Head(Head),
    /// Octets of it, or of a long text.
    Body(Bytes),
    /// The message is whole.
    End,
    /// The message cannot be had whole.
    Broken,
    /// It is done.
    Done(Value),
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// What was asked for.
    pub items: Vec<Value>,
    /// What was done.
    pub done: Value,
}

impl Client {
    /// Reaches the running house, or opens the data folder itself. The error says what to do.
    pub async fn connect(data: &Path) -> Result<Client, String> {
        if let Some(client) = Client::running(data).await? {
            return Ok(client);
        }
        let ledger = office::ledger_folder(data);
        if !ledger.try_exists().map_err(|error| format!("{}: {error}", ledger.display()))? {
            return Err(format!(
                "{} holds no mail of Packetboat: name its folder with --data, or make one with `packetboat up`",
                data.display()
            ));
        }
        let office = Office::open(data, alone()).await?;
        Client::with(office)
    }

    /// Reaches the running house, if there is one.
    pub async fn running(data: &Path) -> Result<Option<Client>, String> {
        let socket = office::socket(data);
        match UnixStream::connect(&socket).await {
            Ok(stream) => Ok(Some(Client::over(stream, Way::Running, None, data))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(format!("{}: {error}; run this as root, or as the user of the server", socket.display()))
            }
            // Nobody listens: no house runs, whatever is left of the socket.
            Err(_) => Ok(None),
        }
    }

    /// Asks this office, in this process.
    pub fn with(office: Office) -> Result<Client, String> {
        let data = office.data.clone();
        let (ours, theirs) = UnixStream::pair().map_err(|error| error.to_string())?;
        let attending = tokio::spawn(super::attend(theirs, office, None));
        Ok(Client::over(ours, Way::Alone, Some(attending), &data))
    }

    fn over(stream: UnixStream, way: Way, attending: Option<JoinHandle<()>>, data: &Path) -> Client {
        let (reader, writer) = frame::sides(stream);
        Client { ear: Ear(reader), mouth: Mouth(writer), way, attending, data: data.to_owned() }
    }

    /// Who answers.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Asks, and hears to the end.
    pub async fn call(&mut self, request: &Request) -> Result<Answer, String> {
        self.call_with(request, |_, _, _| ()).await
    }

    /// The same; `progress` is told how many are done, of how many, and what they are.
    pub async fn call_with(
        &mut self,
        request: &Request,
        mut progress: impl FnMut(u64, u64, &str),
    ) -> Result<Answer, String> {
        self.mouth.ask(request).await?;
        let mut items = Vec::new();
        loop {
            match self.ear.hear().await? {
                Heard::Item(item) => items.push(item),
                Heard::Progress { done, total, what } => progress(done, total, &what),
                Heard::Done(done) => return Ok(Answer { items, done }),
                Heard::Head(_) | Heard::Body(_) | Heard::End | Heard::Broken => {
                    return Err("the server sent what nobody had asked for".into());
                }
            }
        }
    }

    /// Both halves, for who speaks while replies come.
    pub fn halves(&mut self) -> (&mut Ear, &mut Mouth) {
        (&mut self.ear, &mut self.mouth)
    }

    /// Ends, and waits until the data is closed if it was opened for this.
    pub async fn close(self) -> Result<(), String> {
        drop((self.ear, self.mouth));
        if let Some(attending) = self.attending {
            attending.await.map_err(|_| "the command was broken off inside".to_owned())?;
            leave_as_found(&self.data).map_err(|error| format!("{}: {error}", self.data.display()))?;
        }
        Ok(())
    }
}

impl Mouth {
    /// Sends a request.
    pub async fn ask(&mut self, request: &Request) -> Result<(), String> {
        let octets = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        let frame = Frame::Say(octets);
        self.send(&frame).await?;
        if let Frame::Say(octets) = frame {
            // Wiped: there may be a password in it.
            drop(Secret::new(octets));
        }
        self.flush().await
    }

    /// Sends a frame; it leaves with `flush` at the latest.
    pub async fn send(&mut self, frame: &Frame) -> Result<(), String> {
        self.0.send(frame).await.map_err(|error| broken(&error))
    }

    /// Makes all leave.
    pub async fn flush(&mut self) -> Result<(), String> {
        self.0.flush().await.map_err(|error| broken(&error))
    }
}

impl Ear {
    /// The next thing; a refusal is the error.
    pub async fn hear(&mut self) -> Result<Heard, String> {
        let frame = self.0.next().await.map_err(|error| broken(&error))?;
        let octets = match frame.ok_or("the server went away before it was done")? {
            Frame::Say(octets) => octets,
            Frame::Head(head) => return Ok(Heard::Head(head)),
            Frame::Body(octets) => return Ok(Heard::Body(octets)),
            Frame::End => return Ok(Heard::End),
            Frame::Broken => return Ok(Heard::Broken),
            Frame::Last => return Err("the server sent what nobody had asked for".into()),
        };
        let reply = serde_json::from_slice(&octets)
            .map_err(|error| format!("a reply does not read; is the server of another version? {error}"))?;
        match reply {
            Reply::Progress { done, total, what } => Ok(Heard::Progress { done, total, what }),
            Reply::Item(item) => Ok(Heard::Item(item)),
            Reply::Done(value) => Ok(Heard::Done(value)),
            Reply::Refused(why) => Err(why),
        }
    }
}

fn broken(error: &io::Error) -> String {
    format!("the conversation with the server broke off: {error}")
}

/// No session is answered by this postmaster, so its policy is of no consequence.
fn alone() -> Policy {
    let limits = Limits::default();
    Policy {
        hostname: "localhost".into(),
        message_size: limits.message_size,
        sessions_per_account: limits.sessions_per_account,
        separator: Some('+'),
        pop_login_delay: None,
    }
}

/// What root's command made in a folder that is another user's goes to that user, or their server could not open it.
fn leave_as_found(data: &Path) -> io::Result<()> {
    let found = data.metadata()?;
    match rustix::process::geteuid().is_root() && found.uid() != 0 {
        true => give(data, found.uid(), found.gid()),
        false => Ok(()),
    }
}

fn give(path: &Path, uid: u32, gid: u32) -> io::Result<()> {
    let found = path.symlink_metadata()?;
    if found.uid() == 0 {
        // Never through a link: what lies elsewhere is not ours to give.
        std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
    }
    if found.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), uid, gid)?;
        }
    }
    Ok(())
}

/// Builds the index of a data folder anew from its log. No house may be running on it.
pub async fn rebuild_index(data: &Path) -> Result<(), String> {
    ledger::rebuild_index(&office::ledger_folder(data)).await.map_err(|error| error.to_string())
}
