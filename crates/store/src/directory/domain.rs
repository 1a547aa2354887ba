//! The domains that are ours.

use ledger::{CommitError, Tx};
use mail::{AccountId, LedgerId, Moment};

use super::address::domain_name;
use super::alias::Entry;
use super::{Directory, PAGE};
use crate::Error;
use crate::codec::{Reader, Writer};
use crate::retry::Retry;
use crate::rows::directory as rows;

/// A domain of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// In lower case and ASCII.
    pub name: String,
    /// Since when.
    pub created: Moment,
    /// Whom postmaster@ and abuse@ reach when no alias says otherwise: its first account, unless set.
    pub postmaster: Option<AccountId>,
}

impl Domain {
    pub(super) fn encode(&self) -> Vec<u8> {
        let postmaster = self.postmaster.map_or(0, |account| account.0);
        let mut writer = Writer::default();
        writer.byte(1);
        writer.num(self.created.0);
        writer.num(postmaster);
        writer.done()
    }

    pub(super) fn decode(name: &str, value: &[u8]) -> Result<Domain, Error> {
        let read = || {
            let mut reader = Reader::new(value);
            (reader.byte()? == 1).then_some(())?;
            let (created, postmaster) = (Moment(reader.num()?), reader.num()?);
            reader.end()?;
            let postmaster = (postmaster != 0).then_some(AccountId(postmaster));
            Some(Domain { name: name.to_owned(), created, postmaster })
        };
        read().ok_or_else(|| rows::damaged("a domain"))
    }
}

/// The domain as this transaction sees it.
pub(super) async fn read(tx: &Tx, name: &str) -> Result<Domain, Error> {
    match tx.get(&rows::domain(name)).await? {
        Some(value) => Domain::decode(name, &value),
        None => Err(Error::NonExistent),
    }
}

fn typed(name: &str) -> Result<String, Error> {
    domain_name(name).ok_or_else(|| Error::Cannot(format!("{name} is no domain name")))
}

impl Directory {
    /// All domains, by name.
    ///
    /// # Errors
    /// When the directory cannot be read; the same for all functions here.
    pub async fn domains(&self) -> Result<Vec<Domain>, Error> {
        let (start, end) = rows::DOMAINS;
        let mut from = start.to_vec();
        let mut domains = Vec::new();
        loop {
            let page = self.ledger.scan(LedgerId::DIRECTORY, &from, end, PAGE).await?;
            for row in &page {
                let name = rows::domain_of(&row.key).ok_or_else(|| rows::damaged("a domain"))?;
                domains.push(Domain::decode(&name, &row.value)?);
            }
            match page.last() {
                Some(last) if page.len() == PAGE => from = [&last.key[..], b"\0"].concat(),
                _ => return Ok(domains),
            }
        }
    }

    /// Whether mail for this domain is ours.
    pub async fn is_local(&self, domain: &str) -> Result<bool, Error> {
        let Some(name) = domain_name(domain) else { return Ok(false) };
        let [row] = self.rows([rows::domain(&name)]).await?;
        Ok(row.is_some())
    }

    /// Adds a domain.
    ///
    /// # Errors
    /// `AlreadyExists`; `Cannot` if it is no domain name.
    pub async fn add_domain(&self, name: &str, now: Moment) -> Result<Domain, Error> {
        let domain = Domain { name: typed(name)?, created: now, postmaster: None };
        let key = rows::domain(&domain.name);
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            if tx.get(&key).await?.is_some() {
                return Err(Error::AlreadyExists);
            }
            tx.put(key.clone(), domain.encode());
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(domain),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Says whom postmaster@ and abuse@ of a domain reach where no alias says it.
    ///
    /// # Errors
    /// `NonExistent`.
    pub async fn set_postmaster(&self, domain: &str, address: &str) -> Result<(), Error> {
        let account = self.account(address).await?;
        let name = typed(domain)?;
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            let changed = Domain { postmaster: Some(account.id), ..read(&tx, &name).await? };
            tx.put(rows::domain(&name), changed.encode());
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes a domain and its aliases.
    ///
    /// # Errors
    /// `NonExistent`; `Cannot` while it has accounts.
    pub async fn remove_domain(&self, name: &str) -> Result<(), Error> {
        let name = typed(name)?;
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            read(&tx, &name).await?;
            let (start, end) = rows::addresses_of(&name);
            // One commit takes them all: an alias of a domain that is gone would be found by nobody.
            for row in tx.scan(&start, &end, usize::MAX).await? {
                match Entry::decode(&row.value)? {
                    Entry::Account(_) => {
                        return Err(Error::Cannot(format!("{name} has accounts; remove them first")));
                    }
                    Entry::Targets(_) => tx.delete(row.key),
                }
            }
            tx.delete(rows::domain(&name));
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
