//! From an address to the accounts that its mail is put into.

use std::collections::{HashSet, VecDeque};

use bytes::Bytes;
use mail::{AccountId, LedgerId};

use super::address::Address;
use super::alias::Entry;
use super::domain::Domain;
use super::person::Person;
use super::{DEPTH, Directory, LOOKUPS, PAGE, TARGETS};
use crate::Error;
use crate::rows::directory as rows;

/// Where mail for an address goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Into these accounts, each once; with the detail that stood behind the separator, which may name a mailbox.
    Accounts(Vec<(AccountId, Option<String>)>),
    /// The domain is ours, and there is no such address in it.
    NoSuchUser,
    /// The domain is not ours, or the address is none.
    NotLocal,
    /// All accounts that it leads to are disabled.
    Disabled,
    /// Aliases lead deeper than [`DEPTH`] or wider than [`TARGETS`] accounts: an administrator must look.
    Tangled,
}

/// An address still to be looked up.
struct Step {
    address: Address,
    depth: usize,
    detail: Option<String>,
}

/// The walk from one address to its accounts.
struct Walk<'a> {
    directory: &'a Directory,
    separator: Option<char>,
    /// So that aliases may go in circles.
    seen: HashSet<Address>,
    steps: VecDeque<Step>,
    found: Vec<(AccountId, Option<String>)>,
    lookups: usize,
    tangled: bool,
}

impl Directory {
    /// Where mail for this address goes. `separator` divides a name from a detail: with `+`, mail for
    /// `alice+lists@` goes to `alice@` unless there is such an address. `postmaster` may stand without a domain.
    ///
    /// An address of the directory itself comes before one with a detail, that before a catch-all. postmaster@
    /// and abuse@ of a domain of ours always reach somebody as long as there is an account at all.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn resolve(&self, address: &str, separator: Option<char>) -> Result<Resolution, Error> {
        let address = match address.eq_ignore_ascii_case("postmaster") {
            true => self.bare_postmaster().await?,
            false => Address::read(address),
        };
        let Some(address) = address else { return Ok(Resolution::NotLocal) };
        let [domain] = self.rows([rows::domain(&address.domain)]).await?;
        let Some(domain) = domain else { return Ok(Resolution::NotLocal) };
        let domain = Domain::decode(&address.domain, &domain)?;
        let mut walk = Walk {
            directory: self,
            separator,
            seen: HashSet::new(),
            steps: VecDeque::new(),
            found: Vec::new(),
            lookups: 0,
            tangled: false,
        };
        let base = address.detail(separator).map(|(base, _)| base);
        let reserved = address.is_reserved() || base.is_some_and(|base| base.is_reserved());
        walk.steps.push_back(Step { address, depth: 0, detail: None });
        walk.run().await?;
        let outcome = self.outcome(&walk).await?;
        if reserved && !matches!(outcome, Resolution::Accounts(_)) {
            return Ok(match self.somebody(&domain).await? {
                Some(account) => Resolution::Accounts(vec![(account, None)]),
                None => Resolution::NoSuchUser,
            });
        }
        Ok(outcome)
    }

    /// Whether mail for `address` reaches this account, so that it may send under that name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn is_address_of(
        &self,
        account: AccountId,
        address: &str,
        separator: Option<char>,
    ) -> Result<bool, Error> {
        // `postmaster` without a domain is a recipient, not a name to send under.
        if !address.contains('@') {
            return Ok(false);
        }
        Ok(match self.resolve(address, separator).await? {
            Resolution::Accounts(accounts) => accounts.iter().any(|(id, _)| *id == account),
            _ => false,
        })
    }

    /// `postmaster` of the oldest domain. RFC 5321 §4.1.1.3.
    async fn bare_postmaster(&self) -> Result<Option<Address>, Error> {
        let domains = self.domains().await?;
        let oldest = domains.into_iter().min_by_key(|domain| domain.created);
        Ok(oldest.map(|domain| Address::new("postmaster".into(), domain.name)))
    }

    async fn people(&self, ids: impl Iterator<Item = AccountId>) -> Result<Vec<Option<Person>>, Error> {
        let keys: Vec<Bytes> = ids.map(|id| rows::person(id).into()).collect();
        let found = self.ledger.get_many(LedgerId::DIRECTORY, &keys).await?;
        found.into_iter().map(|row| row.map(|row| Person::decode(&row.value)).transpose()).collect()
    }

    async fn outcome(&self, walk: &Walk<'_>) -> Result<Resolution, Error> {
        if walk.tangled {
            return Ok(Resolution::Tangled);
        }
        let people = self.people(walk.found.iter().map(|(id, _)| *id)).await?;
        let mut enabled = Vec::new();
        let mut disabled = false;
        for (found, person) in walk.found.iter().zip(people) {
            match person {
                Some(person) if person.enabled => enabled.push(found.clone()),
                Some(_) => disabled = true,
                // Removed since.
                None => {}
            }
        }
        Ok(match (enabled.is_empty(), disabled) {
            (false, _) => Resolution::Accounts(enabled),
            (true, true) => Resolution::Disabled,
            (true, false) => Resolution::NoSuchUser,
        })
    }

    /// Who answers for a domain when nobody was named: its postmaster, else the oldest enabled account of the
    /// domain, else the oldest enabled account, else any. RFC 5321 §4.5.1.
    async fn somebody(&self, domain: &Domain) -> Result<Option<AccountId>, Error> {
        if let Some(account) = domain.postmaster
            && self.people([account].into_iter()).await?.iter().flatten().any(|person| person.enabled)
        {
            return Ok(Some(account));
        }
        let (start, end) = rows::PEOPLE;
        let page = self.ledger.scan(LedgerId::DIRECTORY, start, end, PAGE).await?;
        let mut best: Option<(u8, AccountId)> = None;
        for row in &page {
            let id = rows::person_of(&row.key).ok_or_else(|| rows::damaged("an account"))?;
            let person = Person::decode(&row.value)?;
            let here = person.address.rsplit_once('@').is_some_and(|(_, name)| name == domain.name);
            let rank = match (person.enabled, here) {
                (true, true) => 0,
                (true, false) => 1,
                (false, true) => 2,
                (false, false) => 3,
            };
            best = Some(best.map_or((rank, id), |known| known.min((rank, id))));
        }
        Ok(best.map(|(_, id)| id))
    }
}

impl Walk<'_> {
    async fn run(&mut self) -> Result<(), Error> {
        while let Some(step) = self.steps.pop_front() {
            if !self.seen.insert(step.address.clone()) {
                continue;
            }
            self.lookups += 1;
            if self.lookups > LOOKUPS || step.depth > DEPTH {
                self.tangled = true;
                return Ok(());
            }
            self.step(step).await?;
            if self.found.len() > TARGETS {
                self.tangled = true;
                return Ok(());
            }
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<(), Error> {
        let Address { local, domain, .. } = &step.address;
        let divided = step.address.detail(self.separator);
        let base = divided.as_ref().map_or(local, |(base, _)| &base.local);
        let [owned, whole, base, rest] = self
            .directory
            .rows([
                rows::domain(domain),
                rows::address(local, domain),
                rows::address(base, domain),
                rows::address("", domain),
            ])
            .await?;
        if owned.is_none() {
            // A target whose domain has left us.
            return Ok(());
        }
        let inherited = step.detail;
        let (entry, detail) = match (whole, base, divided) {
            (Some(whole), ..) => (Some(whole), inherited),
            (None, Some(base), Some((_, detail))) => (Some(base), Some(detail)),
            _ => (rest, inherited),
        };
        match entry.map(|value| Entry::decode(&value)).transpose()? {
            None => {}
            Some(Entry::Account(account)) => self.reach(account, detail),
            Some(Entry::Targets(targets)) => {
                for target in targets {
                    // What does not read any more leads nowhere.
                    if let Some(address) = Address::read(&target) {
                        let (depth, detail) = (step.depth + 1, detail.clone());
                        self.steps.push_back(Step { address, depth, detail });
                    }
                }
            }
        }
        Ok(())
    }

    fn reach(&mut self, account: AccountId, detail: Option<String>) {
        if !self.found.iter().any(|(known, _)| *known == account) {
            self.found.push((account, detail));
        }
    }
}
