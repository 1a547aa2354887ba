//! Checks passwords: a bounded number at once, with the same answer and the same work whether the user is unknown,
//! disabled, or the password is wrong.
//!
//! What never lives here: counting failures and making guessers wait; that is policy.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::{AccountId, ModSeq, Moment, Secret};
use tokio::sync::Semaphore;

use super::scram::hmac_sha256;
use super::{Hash, Salts, Scram, Strength, Verifiers};
use crate::Error;
use crate::directory::Directory;

/// Checks that may wait for their turn, for each one that runs: about a second's worth.
const WAITING: usize = 50;
/// How long a right password is remembered.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Right passwords remembered at most.
const MEMORY: usize = 10_000;

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this person.
    Right {
        /// The account.
        account: AccountId,
        /// Its address, spelt as in the directory.
        address: String,
    },
    /// Unknown, disabled, without a password, or the password is wrong: nobody learns which.
    Wrong,
    /// Too many checks at once, or the directory cannot be read.
    Unavailable,
}

/// Who somebody may be.
pub(crate) struct Candidate {
    pub(crate) account: AccountId,
    pub(crate) address: String,
    /// May log in.
    pub(crate) enabled: bool,
    /// The commit that set the password: another password is another generation.
    pub(crate) generation: ModSeq,
    pub(crate) verifiers: Verifiers,
}

/// Checks passwords. Cheap to clone.
#[derive(Clone)]
pub struct Checker {
    inner: Arc<Inner>,
}

struct Inner {
    directory: Directory,
    strength: Strength,
    turns: Arc<Semaphore>,
    at_once: usize,
    waiting: AtomicUsize,
    /// Known only to this process, so that nobody can aim at the table below.
    key: [u8; 32],
    /// Right passwords, as a keyed hash over account, generation and password, and until when.
    right: Mutex<HashMap<[u8; 32], Moment>>,
    /// Passwords hashed so far.
    hashed: AtomicU64,
}

impl fmt::Debug for Checker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Checker(…)")
    }
}

/// One more waits, until this is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Checker {
    /// `at_once` passwords are hashed at the same time, one a core; `key` is random, for this process only.
    pub fn new(directory: Directory, strength: Strength, at_once: usize, key: [u8; 32]) -> Checker {
        let at_once = at_once.max(1);
        let inner = Inner {
            directory,
            strength,
            turns: Arc::new(Semaphore::new(at_once)),
            at_once,
            waiting: AtomicUsize::new(0),
            key,
            right: Mutex::default(),
            hashed: AtomicU64::new(0),
        };
        Checker { inner: Arc::new(inner) }
    }

    /// How hard new passwords are made.
    pub fn strength(&self) -> Strength {
        self.inner.strength
    }

    /// Passwords hashed so far: the work that checks have cost.
    pub fn hashed(&self) -> u64 {
        self.inner.hashed.load(Ordering::Relaxed)
    }

    /// Whether `user` has this password. Whatever the reason for `Wrong`, the same rows are asked for and one
    /// password is hashed.
    pub async fn verify(&self, user: &str, password: &Secret, now: Moment) -> Verdict {
        match self.judge(user, password, now).await {
            Ok(verdict) => verdict,
            Err(error) => {
                tracing::warn!(%error, "a password could not be checked");
                Verdict::Unavailable
            }
        }
    }

    async fn judge(&self, user: &str, password: &Secret, now: Moment) -> Result<Verdict, Error> {
        let inner = &*self.inner;
        let seed = inner.directory.false_seed(user).await?;
        let candidate = inner.directory.candidate(user).await?;
        let (account, generation) =
            candidate.as_ref().map_or((AccountId(0), ModSeq(0)), |known| (known.account, known.generation));
        let mark = inner.mark(account, generation, password);
        // A disabled account's password is hashed each time, as a wrong one is.
        let enabled = candidate.as_ref().is_some_and(|known| known.enabled);
        if !enabled || !inner.remembered(&mark, now) {
            let Some(turn) = inner.turn().await else { return Ok(Verdict::Unavailable) };
            // Somebody with the same password may have been before us in the queue.
            if !enabled || !inner.remembered(&mark, now) {
                let verifiers = match &candidate {
                    Some(known) => known.verifiers.clone(),
                    None => Verifiers::dummy(&inner.strength, &seed),
                };
                let password = password.clone();
                inner.hashed.fetch_add(1, Ordering::Relaxed);
                // The turn goes along: a caller who leaves does not make room before the work is done.
                let check = tokio::task::spawn_blocking(move || (verifiers.check(&password), turn));
                // It fails only when the house is closing. The turn ends after the right one is remembered.
                let Ok((right, _turn)) = check.await else { return Ok(Verdict::Unavailable) };
                if !right {
                    return Ok(Verdict::Wrong);
                }
                if enabled {
                    inner.remember(mark, now);
                }
            }
        }
        Ok(match candidate {
            Some(known) if known.enabled => Verdict::Right { account, address: known.address },
            _ => Verdict::Wrong,
        })
    }

    /// The keys for SCRAM; an unknown user has some too, always the same. `None`: the keys for this hash were not
    /// made, for anybody (by the setting) or for this one.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub async fn scram(&self, user: &str, hash: Hash) -> Result<Option<Scram>, Error> {
        let inner = &*self.inner;
        let seed = inner.directory.false_seed(user).await?;
        let found = inner.directory.candidate(user).await?.filter(|known| known.enabled);
        Ok(match found {
            Some(known) => known.verifiers.scram(hash).cloned(),
            None if hash == Hash::Sha1 && !inner.strength.scram_sha1 => None,
            None => Some(Scram::unknown(hash, &seed, inner.strength.scram_rounds)),
        })
    }

    /// Makes verifiers where blocking is allowed.
    ///
    /// # Errors
    /// `Cannot` for a password that is empty or too long, `Busy` when too many wait.
    pub async fn make(&self, password: Secret, salts: Salts) -> Result<Verifiers, Error> {
        let turn = self.inner.turn().await.ok_or(Error::Busy)?;
        let strength = self.inner.strength;
        let make = tokio::task::spawn_blocking(move || {
            let made = Verifiers::make(&password, &strength, &salts);
            drop(turn);
            made
        });
        make.await.map_err(|_| Error::Busy)?
    }
}

impl Inner {
    /// Waits for one of the turns, unless too many wait already.
    async fn turn(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.at_once * WAITING {
            return None;
        }
        // The semaphore is never closed.
        self.turns.clone().acquire_owned().await.ok()
    }

    fn mark(&self, account: AccountId, generation: ModSeq, password: &Secret) -> [u8; 32] {
        let (account, generation) = (account.0.to_be_bytes(), generation.0.to_be_bytes());
        hmac_sha256(&self.key, &[&account, &generation, password.expose()])
    }

    fn remembered(&self, mark: &[u8; 32], now: Moment) -> bool {
        self.right().get(mark).is_some_and(|until| now < *until)
    }

    fn remember(&self, mark: [u8; 32], now: Moment) {
        let mut right = self.right();
        if right.len() >= MEMORY {
            right.retain(|_, until| now < *until);
        }
        if right.len() >= MEMORY {
            // Hashing again costs 20 ms; keeping an order among ten thousand would cost more code than that.
            right.clear();
        }
        right.insert(mark, now.after(REMEMBERED));
    }

    fn right(&self) -> MutexGuard<'_, HashMap<[u8; 32], Moment>> {
        self.right.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
