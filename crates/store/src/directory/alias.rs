//! Addresses that lead to other addresses.

use ledger::{CommitError, Tx};
use mail::{AccountId, LedgerId};

use super::address::Address;
use super::{Directory, PAGE, TARGETS};
use crate::Error;
use crate::codec::{Reader, Writer};
use crate::retry::Retry;
use crate::rows::directory as rows;

/// What an address row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// It is an account's own address.
    Account(AccountId),
    /// It leads to these.
    Targets(Vec<String>),
}

impl Entry {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(1);
        match self {
            Entry::Account(account) => {
                writer.byte(1);
                writer.num(account.0);
            }
            Entry::Targets(targets) => {
                writer.byte(2);
                writer.num(targets.len() as u64);
                targets.iter().for_each(|target| writer.bytes(target.as_bytes()));
            }
        }
        writer.done()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Entry, Error> {
        let read = || {
            let mut reader = Reader::new(value);
            (reader.byte()? == 1).then_some(())?;
            let entry = match reader.byte()? {
                1 => Entry::Account(AccountId(reader.num()?)),
                2 => Entry::Targets((0..reader.num()?).map(|_| reader.text()).collect::<Option<_>>()?),
                _ => return None,
            };
            reader.end().map(|()| entry)
        };
        read().ok_or_else(|| rows::damaged("an address"))
    }
}

/// An alias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The address, or `@domain` for everything in the domain that has no address of its own.
    pub address: String,
    /// Where its mail goes: addresses of domains that are ours.
    pub targets: Vec<String>,
}

impl Directory {
    /// All aliases, by domain, then by local part.
    ///
    /// # Errors
    /// When the directory cannot be read; the same for all functions here.
    pub async fn aliases(&self) -> Result<Vec<Alias>, Error> {
        let (start, end) = rows::ADDRESSES;
        let mut from = start.to_vec();
        let mut aliases = Vec::new();
        loop {
            let page = self.ledger.scan(LedgerId::DIRECTORY, &from, end, PAGE).await?;
            for row in &page {
                if let Entry::Targets(targets) = Entry::decode(&row.value)? {
                    let (local, domain) =
                        rows::address_of(&row.key).ok_or_else(|| rows::damaged("an address"))?;
                    aliases.push(Alias { address: Address::new(local, domain).to_string(), targets });
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => from = [&last.key[..], b"\0"].concat(),
                _ => return Ok(aliases),
            }
        }
    }

    /// Makes an alias, or `@domain` a catch-all; with `replace` an existing alias gets these targets instead.
    ///
    /// # Errors
    /// `AlreadyExists`; `Cannot` when the domain is not ours, for what is no address, for an account's address, for a target at a foreign domain (mail cannot be sent on yet), for none or more than
    /// [`TARGETS`] targets.
    pub async fn set_alias(&self, alias: &str, targets: &[String], replace: bool) -> Result<Alias, Error> {
        let address = typed(alias)?;
        if targets.is_empty() || targets.len() > TARGETS {
            return Err(Error::Cannot(format!("an alias has 1 to {TARGETS} targets")));
        }
        let mut kept: Vec<Address> = Vec::new();
        for target in targets {
            let target = Address::typed(target)?;
            if target == address {
                return Err(Error::Cannot(format!("{address} cannot lead to itself")));
            }
            if !kept.contains(&target) {
                kept.push(target);
            }
        }
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            judge(&tx, &address, &kept, replace).await?;
            let targets: Vec<String> = kept.iter().map(Address::as_typed).collect();
            let entry = Entry::Targets(targets.clone());
            tx.put(rows::address(&address.local, &address.domain), entry.encode());
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(Alias { address: address.to_string(), targets }),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// `NonExistent` if it is none.
    pub async fn remove_alias(&self, alias: &str) -> Result<(), Error> {
        let address = typed(alias)?;
        let key = rows::address(&address.local, &address.domain);
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            let entry = tx.get(&key).await?.map(|value| Entry::decode(&value)).transpose()?;
            if !matches!(entry, Some(Entry::Targets(_))) {
                return Err(Error::NonExistent);
            }
            tx.delete(key.clone());
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn typed(alias: &str) -> Result<Address, Error> {
    Address::read_or_catch_all(alias)
        .ok_or_else(|| Error::Cannot(format!("{alias} is neither an address nor @domain")))
}

async fn judge(tx: &Tx, address: &Address, targets: &[Address], replace: bool) -> Result<(), Error> {
    if tx.get(&rows::domain(&address.domain)).await?.is_none() {
        return Err(Error::Cannot(format!("{} is not a domain of ours", address.domain)));
    }
    let key = rows::address(&address.local, &address.domain);
    match tx.get(&key).await?.map(|value| Entry::decode(&value)).transpose()? {
        Some(Entry::Account(_)) => {
            return Err(Error::Cannot(format!("{address} is an account's address and cannot be an alias")));
        }
        Some(Entry::Targets(_)) if !replace => {
            return Err(Error::AlreadyExists);
        }
        Some(Entry::Targets(_)) | None => {}
    }
    for target in targets {
        if tx.get(&rows::domain(&target.domain)).await?.is_none() {
            let text =
                format!("{target} is not in a domain of ours, and this server cannot send mail on yet");
            return Err(Error::Cannot(text));
        }
    }
    Ok(())
}
