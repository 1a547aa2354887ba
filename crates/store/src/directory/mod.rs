//! Domains, people, aliases: who has an address here, and where mail for it goes.
//!
//! What never lives here: what to say to somebody who wrote to an address that is not here; that is policy.

mod address;
mod alias;
mod domain;
mod person;
mod punycode;
mod resolve;
mod transfer;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use ledger::Ledger;
use mail::{AccountId, LedgerId};
use tokio::sync::OnceCell;

use self::address::Address;
use self::alias::Entry;
use self::person::Person;
use crate::Error;
use crate::codec::{Reader, Writer};
use crate::credential::{Candidate, Verifiers, hmac_sha256};
use crate::retry::Retry;
use crate::rows::directory as rows;

pub use alias::Alias;
pub use domain::Domain;
pub use person::{Account, NewAccount};
pub use resolve::Resolution;
pub use transfer::{Census, Export, ExportedAccount, ExportedAlias, ExportedDomain};

/// Targets of one alias, and accounts that one address may reach: a commit's worth of ledgers. More is a
/// mailing list, which wants a queue.
pub const TARGETS: usize = 64;
/// Aliases that may lead to aliases.
pub const DEPTH: usize = 10;
/// Addresses looked up for one recipient.
const LOOKUPS: usize = 256;
/// Rows read at once.
const PAGE: usize = 1000;
/// Longest display name in octets.
const NAME: usize = 256;
/// Where false salts come from: octets of the secret.
const SECRET: usize = 32;

/// The directory. Cheap to clone.
#[derive(Clone)]
pub struct Directory {
    ledger: Ledger,
    secret: Arc<OnceCell<[u8; SECRET]>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Directory(…)")
    }
}

impl Directory {
    pub(crate) fn new(ledger: Ledger) -> Directory {
        Directory { ledger, secret: Arc::default() }
    }

    /// Rows by key, in the order asked.
    async fn rows<const N: usize>(&self, keys: [Vec<u8>; N]) -> Result<[Option<Bytes>; N], Error> {
        let keys = keys.map(Bytes::from);
        let found = self.ledger.get_many(LedgerId::DIRECTORY, &keys).await?;
        let mut values = found.into_iter().map(|row| row.map(|row| row.value));
        Ok(std::array::from_fn(|_| values.next().flatten()))
    }

    /// The secret that false salts are made from; drawn the first time it is wanted, and the same ever after.
    async fn secret(&self) -> Result<&[u8; SECRET], Error> {
        self.secret.get_or_try_init(|| self.stored_secret()).await
    }

    async fn stored_secret(&self) -> Result<[u8; SECRET], Error> {
        let mut retry = Retry::default();
        loop {
            let mut tx = self.ledger.begin(LedgerId::DIRECTORY).await?;
            if let Some(value) = tx.get(rows::SECRET).await? {
                return secret_of(&value).ok_or_else(|| rows::damaged("the secret"));
            }
            let mut secret = [0; SECRET];
            getrandom::fill(&mut secret)
                .map_err(|error| Error::Unavailable(format!("no randomness: {error}")))?;
            let mut writer = Writer::default();
            writer.byte(1);
            writer.bytes(&secret);
            tx.put(rows::SECRET, writer.done());
            match self.ledger.commit(vec![tx]).await {
                Ok(_) => return Ok(secret),
                Err(ledger::CommitError::Conflict(_)) if retry.again().await => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What stands for a user who is not there: always the same for the same name, and not to be guessed.
    pub(crate) async fn false_seed(&self, user: &str) -> Result<[u8; 32], Error> {
        Ok(hmac_sha256(self.secret().await?, &[b"user", user.to_lowercase().as_bytes()]))
    }

    /// Who may be logging in. The same rows are read whether there is such a user or not.
    pub(crate) async fn candidate(&self, user: &str) -> Result<Option<Candidate>, Error> {
        let address = match user.contains('@') {
            true => Address::read(user),
            false => self.only_domain().await?.and_then(|domain| Address::read(&format!("{user}@{domain}"))),
        };
        let key = address
            .as_ref()
            .map_or_else(|| rows::address("", ""), |address| rows::address(&address.local, &address.domain));
        let [entry] = self.rows([key]).await?;
        let account = match entry.map(|value| Entry::decode(&value)).transpose()? {
            Some(Entry::Account(account)) => account,
            // An alias is nobody: a password belongs to one account.
            Some(Entry::Targets(_)) | None => AccountId(0),
        };
        let keys = [rows::person(account), rows::credential(account)].map(Bytes::from);
        let mut found = self.ledger.get_many(LedgerId::DIRECTORY, &keys).await?;
        let (credential, person) = (found.pop().flatten(), found.pop().flatten());
        let (Some(credential), Some(person)) = (credential, person) else { return Ok(None) };
        let person = Person::decode(&person.value)?;
        let verifiers = Verifiers::decode(&credential.value).ok_or_else(|| rows::damaged("a credential"))?;
        Ok(Some(Candidate {
            account,
            address: person.address,
            enabled: person.enabled,
            generation: credential.modseq,
            verifiers,
        }))
    }

    /// The domain that a name without one is meant in: the only one there is.
    async fn only_domain(&self) -> Result<Option<String>, Error> {
        let (start, end) = rows::DOMAINS;
        let found = self.ledger.scan(LedgerId::DIRECTORY, start, end, 2).await?;
        Ok(match found.as_slice() {
            [only] => rows::domain_of(&only.key),
            _ => None,
        })
    }
}

fn secret_of(value: &[u8]) -> Option<[u8; SECRET]> {
    let mut reader = Reader::new(value);
    (reader.byte()? == 1).then_some(())?;
    let secret = reader.bytes()?.try_into().ok()?;
    reader.end().map(|()| secret)
}

#[cfg(test)]
mod tests;
