//! Who may log in, how long guessing takes, and how many sessions an account has.
//!
//! What never lives here: how a password is checked.
//!
//! Failures are counted by address (IPv6 by /64, which is what one customer gets) and by name, known or not, in
//! buckets that leak: whatever was counted ends by itself. An address that a name has logged in from before is
//! familiar to it and is judged by the failures of just these two, so that neither a neighbour behind the same
//! address nor a guesser far away shuts an owner out.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::{AccountId, Moment, Secret};

use crate::limits;

/// Counts what fails. Names and passwords are kept as keyed hashes only.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    random: RandomState,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    addresses: HashMap<u64, Bucket>,
    names: HashMap<u64, Bucket>,
    familiar: HashMap<u64, Familiar>,
}

/// Failures that leak away.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// When all of them will be forgotten.
    empty_at: Moment,
    /// The password that failed last: a program that repeats an old one all day is not guessing.
    last: u64,
}

impl Default for Bucket {
    fn default() -> Bucket {
        Bucket { empty_at: Moment(0), last: 0 }
    }
}

/// A name and an address that have logged in together.
#[derive(Clone, Copy, Debug)]
struct Familiar {
    until: Moment,
    failures: Bucket,
}

/// Who tries, as keyed hashes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempt {
    address: u64,
    name: u64,
    pair: u64,
    password: u64,
}

impl Bucket {
    fn level(&self, forgets: Duration, now: Moment) -> u32 {
        let left = now.until(self.empty_at).as_millis();
        u32::try_from(left.div_ceil(forgets.as_millis().max(1))).unwrap_or(u32::MAX)
    }

    /// One more; says how many there are now.
    fn add(&mut self, forgets: Duration, now: Moment) -> u32 {
        self.empty_at = self.empty_at.max(now).after(forgets);
        self.level(forgets, now)
    }
}

impl Guard {
    /// What is counted of this attempt.
    pub(crate) fn attempt(&self, peer: IpAddr, user: &str, password: &Secret) -> Attempt {
        let (network, name) = (network(peer), one_spelling(user));
        Attempt {
            address: self.random.hash_one(network),
            name: self.random.hash_one(&name),
            pair: self.random.hash_one((network, &name)),
            password: self.keyed(&name, password),
        }
    }

    fn keyed(&self, name: &str, password: &Secret) -> u64 {
        self.random.hash_one((name, password.expose()))
    }

    /// Whether the password is to be looked at: else too many have failed.
    pub(crate) fn admits(&self, attempt: &Attempt, now: Moment) -> bool {
        let counts = self.lock();
        if let Some(familiar) = counts.familiar.get(&attempt.pair).filter(|known| now < known.until) {
            return familiar.failures.level(limits::ADDRESS_FORGETS, now) < limits::ADDRESS_FAILURES;
        }
        let level = |of: Option<&Bucket>, forgets| of.map_or(0, |bucket| bucket.level(forgets, now));
        level(counts.addresses.get(&attempt.address), limits::ADDRESS_FORGETS) < limits::ADDRESS_FAILURES
            && level(counts.names.get(&attempt.name), limits::NAME_FORGETS) < limits::NAME_FAILURES
    }

    /// The password was wrong: how long its sender waits to hear so.
    pub(crate) fn failed(&self, attempt: &Attempt, now: Moment) -> Duration {
        let mut counts = self.lock();
        let counts = &mut *counts;
        if let Some(familiar) = counts.familiar.get_mut(&attempt.pair).filter(|known| now < known.until) {
            return wait_after(count(&mut familiar.failures, attempt, limits::ADDRESS_FORGETS, now));
        }
        make_room(&mut counts.addresses, now, |bucket| bucket.empty_at);
        make_room(&mut counts.names, now, |bucket| bucket.empty_at);
        let name = counts.names.entry(attempt.name).or_default();
        let repeated = name.last == attempt.password && name.empty_at > now;
        let by_name = count(name, attempt, limits::NAME_FORGETS, now);
        let address = counts.addresses.entry(attempt.address).or_default();
        let by_address = match repeated {
            true => address.level(limits::ADDRESS_FORGETS, now),
            false => address.add(limits::ADDRESS_FORGETS, now),
        };
        wait_after(by_name.max(by_address))
    }

    /// The password was right: what was counted against the name is forgotten. What the address did to other names
    /// is not.
    pub(crate) fn succeeded(&self, attempt: &Attempt, now: Moment) {
        let mut counts = self.lock();
        counts.names.remove(&attempt.name);
        make_room(&mut counts.familiar, now, |familiar| familiar.until);
        let familiar = Familiar { until: now.after(limits::FAMILIAR), failures: Bucket::default() };
        counts.familiar.insert(attempt.pair, familiar);
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one more, unless it is the same password over again.
fn count(bucket: &mut Bucket, attempt: &Attempt, forgets: Duration, now: Moment) -> u32 {
    if bucket.last == attempt.password && bucket.empty_at > now {
        return bucket.level(forgets, now);
    }
    bucket.last = attempt.password;
    bucket.add(forgets, now)
}

fn wait_after(failures: u32) -> Duration {
    match failures.checked_sub(limits::FREE_FAILURES + 1) {
        None => Duration::ZERO,
        Some(doublings) => {
            (limits::FIRST_WAIT * 2_u32.saturating_pow(doublings.min(16))).min(limits::LONGEST_WAIT)
        }
    }
}

/// In a full table what is over goes, then the quarter that would be over first: those who have done least.
fn make_room<T>(table: &mut HashMap<u64, T>, now: Moment, over: impl Fn(&T) -> Moment) {
    if table.len() < limits::REMEMBERED {
        return;
    }
    table.retain(|_, entry| over(entry) > now);
    if table.len() < limits::REMEMBERED / 4 * 3 {
        return;
    }
    let mut ends: Vec<Moment> = table.values().map(&over).collect();
    let (_, bar, _) = ends.select_nth_unstable(table.len() / 4);
    let bar = *bar;
    table.retain(|_, entry| over(entry) > bar);
}

/// What one customer has: an IPv4 address, or a /64. Mapped addresses are IPv4.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address => address,
    }
}

/// Spellings of one name are one name, so that a guesser does not count from zero with each.
fn one_spelling(user: &str) -> String {
    match mail::Address::parse(user.trim(), true) {
        Ok(address) => address.folded().to_string(),
        Err(_) => user.trim().to_lowercase(),
    }
}

/// Who is here: counts for each key, given back when the place is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Places<K> {
    taken: Arc<Mutex<HashMap<K, u32>>>,
}

impl<K> Default for Places<K> {
    fn default() -> Places<K> {
        Places { taken: Arc::default() }
    }
}

/// One of an account's places.
#[derive(Debug)]
pub(crate) struct Place<K: Copy + Eq + Hash = AccountId> {
    key: K,
    places: Places<K>,
}

impl<K: Copy + Eq + Hash> Places<K> {
    /// A place, unless `most` are taken.
    pub(crate) fn take(&self, key: K, most: u32) -> Option<Place<K>> {
        let mut taken = self.lock();
        let count = taken.get(&key).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        taken.insert(key, count + 1);
        drop(taken);
        Some(Place { key, places: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(count) = taken.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.key);
            }
        }
    }
}
