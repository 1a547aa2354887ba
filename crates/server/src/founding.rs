//! What `up` makes before it opens: domains and accounts that are asked for and not there.

use mail::Secret;
use store::Error;
use store::directory::NewAccount;

use crate::office::Office;

/// Letters of a password that we make: none that is taken for another.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// Groups of letters in it, and letters in a group: 100 bits.
const GROUPS: usize = 5;
/// See `GROUPS`.
const GROUP: usize = 4;
/// A password with fewer octets is called weak.
const WEAK: usize = 8;

/// What is to be there.
#[derive(Clone, Debug, Default)]
pub struct Founding {
    /// Domains.
    pub domains: Vec<String>,
    /// Accounts, with a password if one was given.
    pub accounts: Vec<(String, Option<Secret>)>,
}

/// What became of an account that was asked for.
#[derive(Clone, Debug)]
pub enum Founded {
    /// It was there, and was left as it is.
    Known(String),
    /// It was made with the password that was given.
    Given {
        /// Its address.
        address: String,
        /// The password is easy to guess.
        weak: bool,
    },
    /// It was made with a password of ours, to be shown once.
    Made {
        /// Its address.
        address: String,
        /// Its password.
        password: Secret,
    },
}

/// Makes what is missing.
pub async fn found(office: &Office, wanted: &Founding) -> Result<Vec<Founded>, String> {
    let directory = office.postmaster.store().directory();
    for domain in &wanted.domains {
        match directory.add_domain(domain, office.clock.now()).await {
            Ok(_) | Err(Error::AlreadyExists) => {}
            Err(error) => return Err(format!("domain {domain}: {error}")),
        }
    }
    let mut founded = Vec::new();
    for (address, given) in &wanted.accounts {
        let done = account(office, address, given.as_ref()).await;
        founded.push(done.map_err(|error| format!("account {address}: {}", explain(&error)))?);
    }
    Ok(founded)
}

fn explain(error: &Error) -> String {
    match error {
        Error::NonExistent => "its domain is not here; name it with --domain".into(),
        other => other.to_string(),
    }
}

async fn account(office: &Office, address: &str, given: Option<&Secret>) -> Result<Founded, Error> {
    let directory = office.postmaster.store().directory();
    // Looked up first: hashing a password for somebody who is there already would be for nothing.
    match directory.account(address).await {
        Ok(known) => return Ok(Founded::Known(known.address)),
        Err(Error::NonExistent) => {}
        Err(error) => return Err(error),
    }
    let password = match given {
        Some(password) => password.clone(),
        None => password()?,
    };
    let mut salts = [0; 48];
    getrandom::fill(&mut salts).map_err(|error| Error::Unavailable(format!("no randomness: {error}")))?;
    let verifiers = office.postmaster.checker().make(password.clone(), salts).await?;
    let new = NewAccount { address: address.to_owned(), name: String::new(), verifiers: Some(verifiers) };
    let made = directory.add_account(&new, office.clock.now()).await?;
    Ok(match given {
        Some(given) => Founded::Given { weak: is_weak(given, &made.address), address: made.address },
        None => Founded::Made { address: made.address, password },
    })
}

/// A password that nobody guesses and everybody can type.
pub fn password() -> Result<Secret, Error> {
    let mut random = [0u8; GROUPS * GROUP];
    getrandom::fill(&mut random).map_err(|error| Error::Unavailable(format!("no randomness: {error}")))?;
    let mut text = Vec::with_capacity(GROUPS * (GROUP + 1));
    for group in random.chunks(GROUP) {
        if !text.is_empty() {
            text.push(b'-');
        }
        // 32 letters, so each octet picks one without favour.
        text.extend(group.iter().map(|octet| LETTERS[usize::from(octet % 32)]));
    }
    Ok(Secret::new(text))
}

/// Whether a password is easy to guess for somebody who knows the address.
pub fn is_weak(password: &Secret, address: &str) -> bool {
    let password = password.expose();
    let local = address.split('@').next().unwrap_or_default();
    password.len() < WEAK
        || password.eq_ignore_ascii_case(address.as_bytes())
        || password.eq_ignore_ascii_case(local.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (password().unwrap(), password().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 24);
        assert!(!is_weak(&one, "alice@example.test"));
        assert!(is_weak(&Secret::new(b"Alice@example.test".to_vec()), "alice@example.test"));
        assert!(is_weak(&Secret::new(b"secret".to_vec()), "alice@example.test"));
    }
}
