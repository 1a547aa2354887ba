//! The people: one account each.

use ledger::{CommitError, Tx};
use mail::{AccountId, LedgerId, Moment};

use super::address::Address;
use super::alias::Entry;
use super::domain::{self, Domain};
use super::{Directory, NAME, PAGE};
use crate::Error;
use crate::codec::{Reader, Writer};
use crate::credential::Verifiers;
use crate::retry::Retry;
use crate::rows::directory as rows;

/// A person's account, as the directory knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number; never used for another, even after it is removed.
    pub id: AccountId,
    /// Its address.
    pub address: String,
    /// The person's name, or nothing.
    pub name: String,
    /// May log in and receive mail.
    pub enabled: bool,
    /// Since when.
    pub created: Moment,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its address, in a domain of ours.
    pub address: String,
    /// The person's name, or nothing.
    pub name: String,
    /// How it logs in; `None`: not at all, until a password is set.
    pub verifiers: Option<Verifiers>,
}

/// A person's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) address: String,
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) created: Moment,
}

impl Person {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(1);
        writer.byte(u8::from(self.enabled));
        writer.bytes(self.address.as_bytes());
        writer.bytes(self.name.as_bytes());
        writer.num(self.created.0);
        writer.done()
    }

    pub(super) fn decode(value: &[u8]) -> Result<Person, Error> {
        let read = || {
            let mut reader = Reader::new(value);
            (reader.byte()? == 1).then_some(())?;
            let enabled = reader.byte()? != 0;
            let (address, name, created) = (reader.text()?, reader.text()?, Moment(reader.num()?));
            reader.end().map(|()| Person { address, name, enabled, created })
        };
        read().ok_or_else(|| rows::damaged("an account"))
    }

    fn account(self, id: AccountId) -> Account {
        let Person { address, name, enabled, created } = self;
        Account { id, address, name, enabled, created }
    }
}

fn named(name: &str) -> Result<String, Error> {
    if name.len() > NAME || name.chars().any(char::is_control) {
        return Err(Error::Cannot(format!(
            "a person's name has at most {NAME} octets and no control characters"
        )));
    }
    Ok(name.to_owned())
}

/// The account that has this address of its own.
async fn owner(tx: &Tx, address: &Address) -> Result<AccountId, Error> {
    let value = tx.get(&rows::address(&address.local, &address.domain)).await?;
    match value.map(|value| Entry::decode(&value)).transpose()? {
        Some(Entry::Account(account)) => Ok(account),
        Some(Entry::Targets(_)) | None => Err(Error::NonExistent),
    }
}

async fn person(tx: &Tx, account: AccountId) -> Result<Person, Error> {
    match tx.get(&rows::person(account)).await? {
        Some(value) => Person::decode(&value),
        None => Err(Error::NonExistent),
    }
}

/// The number for the next account, and its successor written.
async fn next_account(tx: &mut Tx) -> Result<AccountId, Error> {
    let read = |value: &[u8]| {
        let mut reader = Reader::new(value);
        (reader.byte()? == 1).then_some(())?;
        let next = reader.num()?;
        reader.end().map(|()| next)
    };
    let next = match tx.get(rows::NEXT_ACCOUNT).await? {
        Some(value) => read(&value).ok_or_else(|| rows::damaged("the next account's number"))?,
        None => LedgerId::FIRST_ACCOUNT.0,
    };
    let mut writer = Writer::default();
    writer.byte(1);
    writer.num(next + 1);
    tx.put(rows::NEXT_ACCOUNT, writer.done());
    Ok(AccountId(next))
}

impl Directory {
    /// The account with this address of its own (an alias is none).
    ///
    /// # Errors
    /// `NonExistent`; and when the directory cannot be read; the same for all functions here.
    pub async fn account(&self, address: &str) -> Result<Account, Error> {
        let address = Address::read(address).ok_or(Error::NonExistent)?;
        let [entry] = self.rows([rows::address(&address.local, &address.domain)]).await?;
        match entry.map(|value| Entry::decode(&value)).transpose()? {
            Some(Entry::Account(id)) => self.account_of(id).await,
            Some(Entry::Targets(_)) | None => Err(Error::NonExistent),
        }
    }

    /// The account with this number.
    ///
    /// # Errors
    /// `NonExistent`.
    pub async fn account_of(&self, id: AccountId) -> Result<Account, Error> {
        let [row] = self.rows([rows::person(id)]).await?;
        Ok(Person::decode(&row.ok_or(Error::NonExistent)?)?.account(id))
    }

    /// Accounts in the order in which they were made, at most 1,000 after this one.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn accounts(&self, after: Option<AccountId>) -> Result<Vec<Account>, Error> {
        let (start, end) = rows::PEOPLE;
        let from = after.map_or_else(|| start.to_vec(), |last| rows::person(AccountId(last.0 + 1)));
        let page = self.ledger.scan(LedgerId::DIRECTORY, &from, end, PAGE).await?;
        page.iter()
            .map(|row| {
                let id = rows::person_of(&row.key).ok_or_else(|| rows::damaged("an account"))?;
                Ok(Person::decode(&row.value)?.account(id))
            })
            .collect()
    }

    /// What is kept of an account's password.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn verifiers(&self, id: AccountId) -> Result<Option<Verifiers>, Error> {
        let [row] = self.rows([rows::credential(id)]).await?;
        row.map(|value| Verifiers::decode(&value).ok_or_else(|| rows::damaged("a credential"))).transpose()
    }

    /// Makes an account: its rows here and the first rows of its own ledger (INBOX, Drafts, Sent, Junk, Trash,
    /// Archive), in one commit.
    ///
    /// # Errors
    /// `AlreadyExists` if the address is taken, by an alias too; `Cannot` if it is none or not in a domain of ours.
    pub async fn add_account(&self, new: &NewAccount, now: Moment) -> Result<Account, Error> {
        let address = Address::typed(&new.address)?;
        let made =
            Person { address: address.to_string(), name: named(&new.name)?, enabled: true, created: now };
        let key = rows::address(&address.local, &address.domain);
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            let domain = match domain::read(&tx, &address.domain).await {
                Err(Error::NonExistent) => {
                    return Err(Error::Cannot(format!("{} is not a domain of ours", address.domain)));
                }
                domain => domain?,
            };
            if tx.get(&key).await?.is_some() {
                return Err(Error::AlreadyExists);
            }
            let id = next_account(&mut tx).await?;
            tx.put(key.clone(), Entry::Account(id).encode());
            tx.put(rows::person(id), made.encode());
            if let Some(verifiers) = &new.verifiers {
                tx.put(rows::credential(id), verifiers.encode());
            }
            if domain.postmaster.is_none() {
                let domain = Domain { postmaster: Some(id), ..domain };
                tx.put(rows::domain(&domain.name), domain.encode());
            }
            let mut own = self.ledger.begin(id.ledger()).await?;
            crate::account::found(&mut own, now)?;
            match self.ledger.commit(vec![tx, own]).await {
                Ok(_) => return Ok(made.account(id)),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Removes an account. Nobody can log in or write to it from here on; its number is not given again. Its
    /// mail is left to `Store::sweep`.
    ///
    /// # Errors
    /// `NonExistent`.
    pub async fn remove_account(&self, address: &str) -> Result<AccountId, Error> {
        let address = Address::read(address).ok_or(Error::NonExistent)?;
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            let id = owner(&tx, &address).await?;
            tx.delete(rows::address(&address.local, &address.domain));
            tx.delete(rows::person(id));
            tx.delete(rows::credential(id));
            tx.put(rows::gone(id), vec![1]);
            let domain = domain::read(&tx, &address.domain).await?;
            if domain.postmaster == Some(id) {
                let postmaster = successor(&tx, &address.domain).await?;
                tx.put(rows::domain(&domain.name), Domain { postmaster, ..domain }.encode());
            }
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(id),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Accounts that are gone and whose mail is not, at most 1,000.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn gone(&self) -> Result<Vec<AccountId>, Error> {
        let (start, end) = rows::GONE;
        let page = self.ledger.scan(LedgerId::DIRECTORY, start, end, PAGE).await?;
        page.iter()
            .map(|row| rows::gone_of(&row.key).ok_or_else(|| rows::damaged("a gone account")))
            .collect()
    }

    /// The mail of this account is gone too.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn forget(&self, id: AccountId) -> Result<(), Error> {
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            tx.delete(rows::gone(id));
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives the person another name.
    ///
    /// # Errors
    /// `NonExistent`; `Cannot` for a name that is too long.
    pub async fn set_name(&self, address: &str, name: &str) -> Result<(), Error> {
        let name = named(name)?;
        self.change(address, |tx, id, person| {
            tx.put(rows::person(id), Person { name: name.clone(), ..person }.encode());
        })
        .await
    }

    /// Lets the account log in and receive mail, or not.
    ///
    /// # Errors
    /// `NonExistent`.
    pub async fn set_enabled(&self, address: &str, enabled: bool) -> Result<(), Error> {
        self.change(address, |tx, id, person| {
            tx.put(rows::person(id), Person { enabled, ..person }.encode());
        })
        .await
    }

    /// Gives the account another password, or (`None`) none: then nobody can log in to it.
    ///
    /// # Errors
    /// `NonExistent`.
    pub async fn set_verifiers(&self, address: &str, verifiers: Option<&Verifiers>) -> Result<(), Error> {
        let value = verifiers.map(Verifiers::encode);
        self.change(address, |tx, id, _| match &value {
            Some(value) => tx.put(rows::credential(id), value.clone()),
            None => tx.delete(rows::credential(id)),
        })
        .await
    }

    async fn change(&self, address: &str, change: impl Fn(&mut Tx, AccountId, Person)) -> Result<(), Error> {
        let address = Address::read(address).ok_or(Error::NonExistent)?;
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            let id = owner(&tx, &address).await?;
            let person = person(&tx, id).await?;
            change(&mut tx, id, person);
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The oldest account that is left in a domain.
async fn successor(tx: &Tx, domain: &str) -> Result<Option<AccountId>, Error> {
    let (start, end) = rows::addresses_of(domain);
    let mut oldest: Option<AccountId> = None;
    for row in tx.scan(&start, &end, usize::MAX).await? {
        if let Entry::Account(id) = Entry::decode(&row.value)? {
            oldest = Some(oldest.map_or(id, |known| known.min(id)));
        }
    }
    Ok(oldest)
}
