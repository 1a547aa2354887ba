//! Domains, accounts and aliases.

use std::io;

use bytes::Bytes;
use mail::{Secret, SpecialUse};
use serde_json::{Value, json};
use store::credential::Verifiers;
use store::directory::{Account, Export, NewAccount};
use store::{Error, Quota, Usage};

use super::desk::{Desk, Failure, Outcome, no_account};
use super::frame::Frame;
use super::limits;
use super::request::{Limit, Password};
use crate::founding;

impl Desk {
    pub(super) async fn domains(&mut self) -> Outcome {
        let directory = self.directory();
        for domain in directory.domains().await? {
            let postmaster = match domain.postmaster {
                Some(id) => directory.account_of(id).await.ok().map(|account| account.address),
                None => None,
            };
            let since = domain.created.seconds();
            self.item(json!({ "name": domain.name, "postmaster": postmaster, "created": since })).await?;
        }
        Ok(Value::Null)
    }

    pub(super) async fn add_domain(&self, name: &str) -> Outcome {
        let added = self.directory().add_domain(name, self.office.clock.now()).await;
        let domain = added.map_err(|error| no_domain(name, error))?;
        Ok(json!({ "name": domain.name }))
    }

    pub(super) async fn remove_domain(&self, name: &str) -> Outcome {
        self.directory().remove_domain(name).await.map_err(|error| no_domain(name, error))?;
        Ok(Value::Null)
    }

    pub(super) async fn set_postmaster(&self, domain: &str, address: &str) -> Outcome {
        self.person(address).await?;
        let set = self.directory().set_postmaster(domain, address).await;
        set.map_err(|error| no_domain(domain, error))?;
        Ok(Value::Null)
    }

    pub(super) async fn accounts(&mut self) -> Outcome {
        let directory = self.directory();
        let mut after = None;
        loop {
            let page = directory.accounts(after).await?;
            let Some(last) = page.last() else { return Ok(Value::Null) };
            after = Some(last.id);
            for account in page {
                match self.store().usage(account.id).await {
                    Ok(usage) => self.item(described(&account, &usage)).await?,
                    // Removed while we looked.
                    Err(Error::NonExistent) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }

    pub(super) async fn account(&mut self, address: &str) -> Outcome {
        let account = self.person(address).await?;
        let usage = self.store().usage(account.id).await?;
        let mut after: Option<String> = None;
        loop {
            let (page, more) = self.store().mailboxes(account.id, after.as_deref()).await?;
            after = page.last().map(|info| info.name.clone());
            for info in page.iter().filter(|info| info.id.is_some()) {
                self.item(json!({
                    "name": info.name, "special_use": info.special_use.map(use_name),
                    "subscribed": info.subscribed, "messages": info.messages, "unseen": info.unseen,
                    "size": info.size, "uid_validity": info.uid_validity.0, "uid_next": info.uid_next.0,
                    "highest_modseq": info.highest_modseq.0,
                }))
                .await?;
            }
            if !more || after.is_none() {
                return Ok(described(&account, &usage));
            }
        }
    }

    pub(super) async fn add_account(
        &self,
        address: String,
        name: String,
        password: Option<Password>,
    ) -> Outcome {
        // Looked up first: hashing a password for somebody who is there already would be for nothing.
        match self.directory().account(&address).await {
            Ok(known) => return Err(exists(&known.address)),
            Err(Error::NonExistent) => {}
            Err(error) => return Err(error.into()),
        }
        let (password, made) = given_or_made(password)?;
        let verifiers = Some(self.verifiers(&password).await?);
        let new = NewAccount { address, name, verifiers };
        let added = self.directory().add_account(&new, self.office.clock.now()).await;
        let account = added.map_err(|error| match error {
            Error::AlreadyExists => exists(&new.address),
            Error::Cannot(why) if why.ends_with("not a domain of ours") => {
                let domain = new.address.rsplit('@').next().unwrap_or_default();
                Failure::Refused(format!("{why}; add it first: packetboat domain add {domain}"))
            }
            other => Failure::Refused(format!("{}: {other}", new.address)),
        })?;
        Ok(told(&account.address, &password, made))
    }

    pub(super) async fn remove_account(&self, address: &str) -> Outcome {
        let removed = self.directory().remove_account(address).await;
        let id = removed.map_err(|error| no_account(address, error))?;
        // Nobody can reach it any more. Should this be broken off, a running house goes on with it.
        self.store().clear(id).await?;
        Ok(Value::Null)
    }

    pub(super) async fn set_password(&self, address: &str, password: Option<Password>) -> Outcome {
        let account = self.person(address).await?;
        let (password, made) = given_or_made(password)?;
        let verifiers = self.verifiers(&password).await?;
        let set = self.directory().set_verifiers(&account.address, Some(&verifiers)).await;
        set.map_err(|error| no_account(address, error))?;
        Ok(told(&account.address, &password, made))
    }

    async fn verifiers(&self, password: &Secret) -> Result<Verifiers, Failure> {
        let mut salts = [0; 48];
        getrandom::fill(&mut salts).map_err(|error| format!("no randomness: {error}"))?;
        Ok(self.office.postmaster.checker().make(password.clone(), salts).await?)
    }

    pub(super) async fn enable(&self, address: &str, enabled: bool) -> Outcome {
        let set = self.directory().set_enabled(address, enabled).await;
        set.map_err(|error| no_account(address, error))?;
        Ok(Value::Null)
    }

    pub(super) async fn quota(
        &self,
        address: &str,
        storage: Option<Limit>,
        messages: Option<Limit>,
    ) -> Outcome {
        let account = self.person(address).await?;
        let before = self.store().usage(account.id).await?;
        let quota = Quota {
            storage: storage.map_or(before.quota.storage, Limit::number),
            messages: messages.map_or(before.quota.messages, Limit::number),
        };
        if quota != before.quota {
            self.store().set_quota(account.id, quota).await?;
        }
        Ok(described(&account, &Usage { quota, ..before }))
    }

    pub(super) async fn pop_days(&self, address: &str, days: Option<u32>) -> Outcome {
        let account = self.person(address).await?;
        self.store().set_pop_days(account.id, days).await?;
        Ok(Value::Null)
    }

    pub(super) async fn aliases(&mut self) -> Outcome {
        for alias in self.directory().aliases().await? {
            self.item(json!({ "address": alias.address, "targets": alias.targets })).await?;
        }
        Ok(Value::Null)
    }

    pub(super) async fn set_alias(&self, address: &str, targets: &[String], replace: bool) -> Outcome {
        let set = self.directory().set_alias(address, targets, replace).await;
        let alias = set.map_err(|error| match error {
            Error::AlreadyExists => Failure::Refused(format!(
                "{address} is an alias already; give it these targets instead with --replace"
            )),
            other => other.into(),
        })?;
        Ok(json!({ "address": alias.address, "targets": alias.targets }))
    }

    pub(super) async fn remove_alias(&self, address: &str) -> Outcome {
        self.directory().remove_alias(address).await.map_err(|error| match error {
            Error::NonExistent => Failure::Refused(format!(
                "there is no alias {address}; `packetboat alias list` shows those there are"
            )),
            other => other.into(),
        })?;
        Ok(Value::Null)
    }

    pub(super) async fn export_directory(&mut self) -> Outcome {
        let export = self.directory().export().await?;
        let text = toml::to_string_pretty(&export).map_err(|error| error.to_string())?;
        for piece in Pieces(Bytes::from(text)) {
            self.writer.send(&Frame::Body(piece)).await?;
        }
        Ok(json!({
            "domains": export.domains.len(), "accounts": export.accounts.len(), "aliases": export.aliases.len(),
        }))
    }

    pub(super) async fn import_directory(&mut self) -> Outcome {
        let mut octets = Vec::new();
        loop {
            match self.more().await? {
                Frame::Body(piece) if octets.len() + piece.len() <= limits::DIRECTORY => {
                    octets.extend_from_slice(&piece);
                }
                Frame::Body(_) => {
                    return Err(format!("a directory has at most {} octets", limits::DIRECTORY).into());
                }
                Frame::Last => break,
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let text = String::from_utf8(octets).map_err(|_| "the file is not UTF-8".to_owned())?;
        let import: Export = toml::from_str(&text).map_err(|error| format!("not a directory: {error}"))?;
        let done = self.directory().import(&import, self.office.clock.now()).await;
        let census = done.map_err(|(what, error)| {
            format!("{what}: {error}; what stands before it was done, and doing it again does no harm")
        })?;
        Ok(json!({ "added": census.added, "changed": census.changed }))
    }
}

/// A long text, a frame's worth at a time.
struct Pieces(Bytes);

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let piece = self.0.split_to(self.0.len().min(limits::PIECE));
        (!piece.is_empty()).then_some(piece)
    }
}

fn described(account: &Account, usage: &Usage) -> Value {
    json!({
        "address": account.address, "name": account.name, "enabled": account.enabled,
        "created": account.created.seconds(), "messages": usage.messages, "storage": usage.storage,
        "quota_messages": usage.quota.messages, "quota_storage": usage.quota.storage,
        "pop_days": usage.pop_days,
    })
}

fn use_name(special: SpecialUse) -> &'static str {
    match special {
        SpecialUse::All => "\\All",
        SpecialUse::Archive => "\\Archive",
        SpecialUse::Drafts => "\\Drafts",
        SpecialUse::Flagged => "\\Flagged",
        SpecialUse::Junk => "\\Junk",
        SpecialUse::Sent => "\\Sent",
        SpecialUse::Trash => "\\Trash",
    }
}

/// The password to be set, and whether it is one of ours.
fn given_or_made(password: Option<Password>) -> Result<(Secret, bool), Failure> {
    match password {
        Some(Password(password)) => Ok((password, false)),
        None => Ok((founding::password()?, true)),
    }
}

/// A password of ours is told this once; one that was given is known to whoever gave it.
fn told(address: &str, password: &Secret, made: bool) -> Value {
    let shown = made.then(|| String::from_utf8_lossy(password.expose()).into_owned());
    json!({ "address": address, "password": shown, "weak": founding::is_weak(password, address) })
}

fn exists(address: &str) -> Failure {
    Failure::Refused(format!(
        "{address} is there already; give it another password with: packetboat account password {address}"
    ))
}

#[allow(clippy::needless_pass_by_value)] // It stands in `map_err`.
fn no_domain(name: &str, error: Error) -> Failure {
    Failure::Refused(match error {
        Error::NonExistent => {
            format!("{name} is not a domain of ours; `packetboat domain list` shows those there are")
        }
        Error::AlreadyExists => format!("{name} is a domain of ours already"),
        error => error.to_string(),
    })
}
