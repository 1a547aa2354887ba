//! Where a command's requests are answered, one after the other.

use std::io;
use std::sync::Arc;

use mail::Secret;
use serde_json::Value;
use store::directory::{Account, Directory};
use store::{Error, Store};

use super::frame::{Frame, Reader, Writer};
use super::request::{Reply, Request};
use crate::office::{Control, Office};

/// One conversation.
pub(super) struct Desk {
    pub(super) reader: Reader,
    pub(super) writer: Writer,
    pub(super) office: Office,
    pub(super) control: Option<Arc<dyn Control>>,
}

/// Why a request was not done.
pub(super) enum Failure {
    /// In words for whoever asked.
    Refused(String),
    /// They are gone.
    Line(io::Error),
}

/// What a request comes to.
pub(super) type Outcome = Result<Value, Failure>;

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Line(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Refused(error.to_string())
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Failure {
        Failure::Refused(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(why: String) -> Failure {
        Failure::Refused(why)
    }
}

impl Desk {
    /// Answers until the other side has ended.
    pub(super) async fn attend(&mut self) -> io::Result<()> {
        while let Some(frame) = self.reader.next().await? {
            let request = match frame {
                Frame::Say(octets) => read(octets),
                _ => Err("a request was expected".to_owned()),
            };
            let outcome = match request {
                Ok(request) => self.answer(request).await,
                Err(why) => Err(Failure::Refused(why)),
            };
            let refused = match outcome {
                Ok(done) => {
                    self.say(&Reply::Done(done)).await?;
                    false
                }
                Err(Failure::Refused(why)) => {
                    self.say(&Reply::Refused(why)).await?;
                    true
                }
                Err(Failure::Line(error)) => return Err(error),
            };
            self.writer.flush().await?;
            if refused {
                // What may still follow it belongs to what was refused.
                return Ok(());
            }
        }
        Ok(())
    }

    async fn answer(&mut self, request: Request) -> Outcome {
        match request {
            Request::Domains => self.domains().await,
            Request::AddDomain(name) => self.add_domain(&name).await,
            Request::RemoveDomain(name) => self.remove_domain(&name).await,
            Request::Postmaster { domain, address } => self.set_postmaster(&domain, &address).await,
            Request::Accounts => self.accounts().await,
            Request::Account(address) => self.account(&address).await,
            Request::AddAccount { address, name, password } => {
                self.add_account(address, name, password).await
            }
            Request::RemoveAccount(address) => self.remove_account(&address).await,
            Request::SetPassword { address, password } => self.set_password(&address, password).await,
            Request::Enable { address, enabled } => self.enable(&address, enabled).await,
            Request::Quota { address, storage, messages } => self.quota(&address, storage, messages).await,
            Request::PopDays { address, days } => self.pop_days(&address, days).await,
            Request::Aliases => self.aliases().await,
            Request::SetAlias { address, targets, replace } => {
                self.set_alias(&address, &targets, replace).await
            }
            Request::RemoveAlias(address) => self.remove_alias(&address).await,
            Request::ExportDirectory => self.export_directory().await,
            Request::ImportDirectory => self.import_directory().await,
            Request::Import { address } => self.import(&address).await,
            Request::Export { address, mailbox } => self.export(&address, mailbox.as_deref()).await,
            Request::Backup { target, incremental } => self.backup(&target, incremental).await,
            Request::Verify { repair } => self.verify(repair).await,
            Request::Status => self.status().await,
            Request::Reload => self.reload(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.office.postmaster.store()
    }

    pub(super) fn directory(&self) -> Directory {
        self.store().directory()
    }

    /// The account of this address.
    pub(super) async fn person(&self, address: &str) -> Result<Account, Failure> {
        self.directory().account(address).await.map_err(|error| no_account(address, error))
    }

    pub(super) async fn say(&mut self, reply: &Reply) -> io::Result<()> {
        let octets = serde_json::to_vec(reply)?;
        self.writer.send(&Frame::Say(octets)).await
    }

    pub(super) async fn item(&mut self, item: Value) -> io::Result<()> {
        self.say(&Reply::Item(item)).await
    }

    pub(super) async fn progress(&mut self, done: u64, total: u64, what: &str) -> io::Result<()> {
        self.say(&Reply::Progress { done, total, what: what.to_owned() }).await?;
        self.writer.flush().await
    }

    /// The next frame of a request that has several.
    pub(super) async fn more(&mut self) -> Result<Frame, Failure> {
        Ok(self.reader.next().await?.ok_or(io::ErrorKind::UnexpectedEof)?)
    }
}

impl From<io::ErrorKind> for Failure {
    fn from(kind: io::ErrorKind) -> Failure {
        Failure::Line(kind.into())
    }
}

fn read(octets: Vec<u8>) -> Result<Request, String> {
    let request = serde_json::from_slice(&octets);
    // Wiped: there may be a password in it. Nor may an error repeat what was read.
    drop(Secret::new(octets));
    request
        .map_err(|_| "the request does not read; is the server of another version than the command?".into())
}

/// Why there is no such account.
#[allow(clippy::needless_pass_by_value)] // It stands in `map_err`.
pub(super) fn no_account(address: &str, error: Error) -> Failure {
    Failure::Refused(match error {
        Error::NonExistent => {
            format!("there is no account {address}; `packetboat account list` shows those there are")
        }
        error => format!("{address}: {error}"),
    })
}
