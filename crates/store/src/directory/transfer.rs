//! The whole directory as plain values, to be written down and read again elsewhere.
//!
//! What never lives here: the form it is written in, and the mail.

use mail::Moment;
use serde::{Deserialize, Serialize};

use super::Directory;
use super::person::NewAccount;
use crate::Error;
use crate::credential::Verifiers;

/// All of a directory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// Domains.
    #[serde(default, rename = "domain", skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<ExportedDomain>,
    /// People, in the order in which they came.
    #[serde(default, rename = "account", skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<ExportedAccount>,
    /// Aliases.
    #[serde(default, rename = "alias", skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<ExportedAlias>,
}

/// A domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedDomain {
    /// Its name.
    pub name: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmaster: Option<String>,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedAccount {
    /// The address.
    pub address: String,
    /// The name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// May log in and receive mail.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What is kept of the password: whoever has these can try passwords at leisure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verifiers: Vec<String>,
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportedAlias {
    /// The address, or `@domain`.
    pub address: String,
    /// Where it leads.
    pub targets: Vec<String>,
}

/// How many were new and how many changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Made.
    pub added: usize,
    /// There already, and now as in the import.
    pub changed: usize,
}

fn yes() -> bool {
    true
}

impl Directory {
    /// The whole directory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn export(&self) -> Result<Export, Error> {
        let mut export = Export::default();
        for domain in self.domains().await? {
            let postmaster = match domain.postmaster {
                Some(id) => match self.account_of(id).await {
                    Ok(account) => Some(account.address),
                    Err(Error::NonExistent) => None,
                    Err(error) => return Err(error),
                },
                None => None,
            };
            export.domains.push(ExportedDomain { name: domain.name, postmaster });
        }
        let mut after = None;
        loop {
            let page = self.accounts(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for account in page {
                let verifiers = self.verifiers(account.id).await?;
                export.accounts.push(ExportedAccount {
                    address: account.address,
                    name: account.name,
                    enabled: account.enabled,
                    verifiers: verifiers.map_or_else(Vec::new, |verifiers| verifiers.to_text()),
                });
            }
        }
        let aliases = self.aliases().await?.into_iter();
        export.aliases =
            aliases.map(|alias| ExportedAlias { address: alias.address, targets: alias.targets }).collect();
        Ok(export)
    }

    /// Makes what is missing and changes what differs; removes nothing. One commit for each thing: after an error
    /// it may be done again, and goes on where it stopped.
    ///
    /// # Errors
    /// Those of the functions that make and change; the thing it happened with is named.
    pub async fn import(&self, import: &Export, now: Moment) -> Result<Census, (String, Error)> {
        let mut census = Census::default();
        for domain in &import.domains {
            let done = self.add_domain(&domain.name, now).await.map(drop);
            census.count(done).map_err(|error| (domain.name.clone(), error))?;
        }
        for account in &import.accounts {
            let done = self.import_account(account, now).await;
            census.count(done).map_err(|error| (account.address.clone(), error))?;
        }
        for domain in &import.domains {
            if let Some(postmaster) = &domain.postmaster {
                let done = self.set_postmaster(&domain.name, postmaster).await;
                done.map_err(|error| (domain.name.clone(), error))?;
            }
        }
        for alias in &import.aliases {
            let done = match self.set_alias(&alias.address, &alias.targets, false).await {
                Err(Error::AlreadyExists) => match self.set_alias(&alias.address, &alias.targets, true).await
                {
                    Ok(_) => Err(Error::AlreadyExists),
                    Err(error) => Err(error),
                },
                done => done.map(drop),
            };
            census.count(done).map_err(|error| (alias.address.clone(), error))?;
        }
        Ok(census)
    }

    /// `AlreadyExists` when it was there, and is now as it shall be.
    async fn import_account(&self, account: &ExportedAccount, now: Moment) -> Result<(), Error> {
        let verifiers = match account.verifiers.is_empty() {
            true => None,
            false => Some(Verifiers::from_text(&account.verifiers)?),
        };
        let new = NewAccount { address: account.address.clone(), name: account.name.clone(), verifiers };
        let known = match self.add_account(&new, now).await {
            Err(Error::AlreadyExists) => {
                self.set_name(&new.address, &new.name).await?;
                self.set_verifiers(&new.address, new.verifiers.as_ref()).await?;
                true
            }
            made => made.map(|_| false)?,
        };
        self.set_enabled(&new.address, account.enabled).await?;
        if known { Err(Error::AlreadyExists) } else { Ok(()) }
    }
}

impl Census {
    fn count(&mut self, done: Result<(), Error>) -> Result<(), Error> {
        match done {
            Ok(()) => self.added += 1,
            Err(Error::AlreadyExists) => self.changed += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
