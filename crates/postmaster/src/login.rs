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
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits;

/// Counts what fails. Names and passwords are kept as keyed hashes only.
#[derive(Debug)]
pub(crate) struct Guard {
    random: RandomState,
    counts: Mutex<Counts>,
    /// Addresses share them by number.
    turns: [Semaphore; limits::TURNS],
}

impl Default for Guard {
    fn default() -> Guard {
        let turns = std::array::from_fn(|_| Semaphore::new(limits::ADDRESS_FAILURES as usize));
        Guard { random: RandomState::default(), counts: Mutex::default(), turns }
    }
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
    last: Last,
}

/// The password that failed last: a program that repeats an old one all day is not guessing.
#[derive(Clone, Copy, Debug)]
struct Last {
    password: u64,
    at: Moment,
    /// It has been repeated so often since `minute` began: each costs a hash, guess or not.
    times: u32,
    minute: Moment,
}

impl Default for Bucket {
    fn default() -> Bucket {
        let last = Last { password: 0, at: Moment(0), times: 0, minute: Moment(0) };
        Bucket { empty_at: Moment(0), last }
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

    /// One more; says how many there are now. Beyond `limits::LEVEL` none are added, so that the end stays in sight.
    fn add(&mut self, forgets: Duration, now: Moment) -> u32 {
        if self.level(forgets, now) < limits::LEVEL {
            self.empty_at = self.empty_at.max(now).after(forgets);
        }
        self.level(forgets, now)
    }

    /// Whether it is the same password as the last, and not too often; from now on it is the last.
    fn repeats(&mut self, attempt: &Attempt, now: Moment) -> bool {
        let Last { password, at, times, minute } = self.last;
        let known = password == attempt.password && now < at.after(limits::PASSWORD_REMEMBERED);
        let fresh = !known || now >= minute.after(Duration::from_secs(60));
        let (times, minute) = if fresh { (1, now) } else { (times.saturating_add(1), minute) };
        self.last = Last { password: attempt.password, at: now, times, minute };
        known && times <= limits::REPEATS
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

    /// Waits until few enough attempts of this address are being judged. Whoever sends a thousand at once is told of
    /// the first failures before the rest are looked at.
    pub(crate) async fn turn(&self, attempt: &Attempt) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.turns[(attempt.address % limits::TURNS as u64) as usize].acquire().await.ok()
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
            let failures = &mut familiar.failures;
            let repeated = failures.repeats(attempt, now);
            return wait_after(count(failures, repeated, limits::ADDRESS_FORGETS, now));
        }
        make_room(&mut counts.addresses, now, |bucket| bucket.empty_at);
        make_room(&mut counts.names, now, |bucket| bucket.empty_at);
        let name = counts.names.entry(attempt.name).or_default();
        let repeated = name.repeats(attempt, now);
        let by_name = count(name, repeated, limits::NAME_FORGETS, now);
        let address = counts.addresses.entry(attempt.address).or_default();
        let by_address = count(address, repeated, limits::ADDRESS_FORGETS, now);
        wait_after(by_name.max(by_address))
    }

    /// The password was right. A name that comes from a new address clears itself; what the address did to other names
    /// stays, and so does what strangers do to a name while its owner is at home.
    pub(crate) fn succeeded(&self, attempt: &Attempt, now: Moment) {
        let mut counts = self.lock();
        let until = now.after(limits::FAMILIAR);
        if let Some(familiar) = counts.familiar.get_mut(&attempt.pair).filter(|known| now < known.until) {
            familiar.until = until;
            return;
        }
        counts.names.remove(&attempt.name);
        make_room(&mut counts.familiar, now, |familiar| familiar.until);
        counts.familiar.insert(attempt.pair, Familiar { until, failures: Bucket::default() });
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts one more, unless it is the same password over again.
fn count(bucket: &mut Bucket, repeated: bool, forgets: Duration, now: Moment) -> u32 {
    if repeated { bucket.level(forgets, now) } else { bucket.add(forgets, now) }
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

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Moment = Moment(1_800_000_000_000);

    fn peer(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    /// One wrong log-in; `None` if it was not even looked at.
    fn wrong(guard: &Guard, from: &str, user: &str, password: &str, now: Moment) -> Option<u64> {
        let attempt = guard.attempt(peer(from), user, &Secret::new(password.as_bytes().to_vec()));
        guard.admits(&attempt, now).then(|| guard.failed(&attempt, now).as_secs())
    }

    /// Whether a right one would have been looked at; if so, it succeeds.
    fn right(guard: &Guard, from: &str, user: &str, now: Moment) -> bool {
        let attempt = guard.attempt(peer(from), user, &Secret::new(b"right".to_vec()));
        let admitted = guard.admits(&attempt, now);
        if admitted {
            guard.succeeded(&attempt, now);
        }
        admitted
    }

    fn later(minutes: u64) -> Moment {
        NOW.after(Duration::from_secs(60 * minutes))
    }

    #[test]
    fn waits_grow_after_the_second_failure_and_then_nothing_is_heard() {
        let guard = Guard::default();
        let waits: Vec<_> =
            (0..12).map(|n| wrong(&guard, "192.0.2.1", "alice@x.test", &format!("{n}"), NOW)).collect();
        let told = [0, 0, 1, 2, 4, 8, 15, 15, 15, 15].map(Some);
        assert_eq!(waits[..10], told);
        assert_eq!(waits[10..], [None, None]);
        // It ends by itself, one guess at a time.
        assert_eq!(wrong(&guard, "192.0.2.1", "alice@x.test", "a", later(35)), None);
        assert_eq!(wrong(&guard, "192.0.2.1", "alice@x.test", "a", later(37)), Some(15));
        assert_eq!(wrong(&guard, "192.0.2.1", "alice@x.test", "b", later(37)), None);
        assert_eq!(wrong(&guard, "192.0.2.1", "alice@x.test", "c", later(24 * 60)), Some(0));
    }

    #[test]
    fn an_address_may_guess_no_more_than_so_often_a_day() {
        let guard = Guard::default();
        let guesses = |day: u64| {
            let minutes = day * 24 * 60..(day + 1) * 24 * 60;
            let looked_at = |minute: &u64| {
                wrong(&guard, "192.0.2.1", &format!("user{minute}@x.test"), "1234", later(*minute)).is_some()
            };
            minutes.filter(looked_at).count()
        };
        assert_eq!(guesses(0), 49);
        assert_eq!(guesses(1), 40);
    }

    #[test]
    fn a_network_counts_as_one() {
        let guard = Guard::default();
        for n in 0..10 {
            assert!(wrong(&guard, &format!("2001:db8::{n}"), "a@x.test", &format!("{n}"), NOW).is_some());
            assert!(wrong(&guard, "::ffff:192.0.2.1", "b@x.test", &format!("{n}"), NOW).is_some());
        }
        assert_eq!(wrong(&guard, "2001:db8::ffff:1:2:3", "c@x.test", "x", NOW), None);
        assert_eq!(wrong(&guard, "192.0.2.1", "c@x.test", "x", NOW), None);
        assert_eq!(wrong(&guard, "2001:db8:0:1::1", "c@x.test", "x", NOW), Some(0));
        assert_eq!(wrong(&guard, "192.0.2.2", "c@x.test", "x", NOW), Some(0));
    }

    #[test]
    fn spellings_of_a_name_count_together() {
        let guard = Guard::default();
        let spellings = ["alice@x.test", "ALICE@X.test", " alice@x.test", "\"alice\"@x.test"];
        let waits: Vec<_> = (0..)
            .zip(spellings)
            .map(|(n, user)| wrong(&guard, &format!("192.0.2.{n}"), user, &format!("{n}"), NOW))
            .collect();
        assert_eq!(waits, [0, 0, 1, 2].map(Some));
    }

    #[test]
    fn a_crowd_closes_a_name_to_strangers_but_not_to_its_owner() {
        let guard = Guard::default();
        assert!(right(&guard, "198.51.100.1", "alice@x.test", NOW));
        for n in 0..u64::from(limits::NAME_FAILURES) {
            let from = format!("2001:db8:0:{n:x}::1");
            assert!(wrong(&guard, &from, "alice@x.test", &format!("{n}"), NOW).is_some());
        }
        assert_eq!(wrong(&guard, "203.0.113.9", "alice@x.test", "x", NOW), None);
        assert_eq!(wrong(&guard, "203.0.113.9", "bob@x.test", "x", NOW), Some(0));
        assert!(right(&guard, "198.51.100.1", "alice@x.test", NOW));
    }

    #[test]
    fn a_neighbour_behind_the_same_address_locks_nobody_out() {
        let guard = Guard::default();
        assert!(right(&guard, "198.51.100.1", "alice@x.test", NOW));
        for n in 0..10 {
            assert!(wrong(&guard, "198.51.100.1", "bob@x.test", &format!("{n}"), NOW).is_some());
        }
        assert!(!right(&guard, "198.51.100.1", "carol@x.test", NOW));
        assert!(right(&guard, "198.51.100.1", "alice@x.test", NOW));
        // Being familiar is no licence to guess.
        for n in 0..10 {
            assert!(wrong(&guard, "198.51.100.1", "alice@x.test", &format!("{n}"), NOW).is_some());
        }
        assert!(!right(&guard, "198.51.100.1", "alice@x.test", NOW));
        assert!(right(&guard, "198.51.100.1", "alice@x.test", later(37)));
    }

    #[test]
    fn guessers_gain_nothing_while_the_owner_comes_and_goes() {
        let guard = Guard::default();
        let (mut neighbour, mut crowd) = (0, 0);
        for n in 0..500 {
            right(&guard, "198.51.100.1", "alice@x.test", NOW);
            let from = format!("2001:db8:0:{n:x}::1");
            neighbour += wrong(&guard, "198.51.100.1", "alice@x.test", &format!("{n}"), NOW).iter().count();
            crowd += wrong(&guard, &from, "alice@x.test", &format!("{n}"), NOW).iter().count();
        }
        assert_eq!(neighbour, limits::ADDRESS_FAILURES as usize);
        assert_eq!(crowd, limits::NAME_FAILURES as usize);
    }

    #[test]
    fn success_clears_the_name_and_not_the_address() {
        let guard = Guard::default();
        for n in 0..6 {
            assert!(wrong(&guard, "192.0.2.1", "alice@x.test", &format!("{n}"), NOW).is_some());
        }
        assert!(right(&guard, "192.0.2.1", "alice@x.test", NOW));
        assert_eq!(wrong(&guard, "192.0.2.2", "alice@x.test", "x", NOW), Some(0));
        assert_eq!(wrong(&guard, "192.0.2.1", "bob@x.test", "x", NOW), Some(15));
    }

    #[test]
    fn a_program_with_an_old_password_is_not_guessing() {
        let guard = Guard::default();
        for minute in 0..1000 {
            assert_eq!(wrong(&guard, "192.0.2.1", "alice@x.test", "old", later(minute)), Some(0));
        }
        // But to send it all the time is work, and the same password for many names is guessing.
        let tries = (0..100).map(|_| wrong(&guard, "192.0.2.3", "bob@x.test", "old", NOW));
        assert_eq!(tries.flatten().count(), 19);
        let tries = (0..20).map(|n| wrong(&guard, "192.0.2.2", &format!("u{n}@x.test"), "1234", NOW));
        assert_eq!(tries.flatten().count(), 10);
    }

    #[test]
    fn tables_have_an_end_and_the_worst_are_remembered() {
        let guard = Guard::default();
        for n in 0..10 {
            wrong(&guard, "192.0.2.1", "alice@x.test", &format!("{n}"), NOW);
        }
        for n in 0..limits::REMEMBERED + 10 {
            let from = format!("2001:db8:{:x}:{:x}::1", n >> 16, n & 0xffff);
            wrong(&guard, &from, &format!("u{n}@x.test"), "x", NOW);
            right(&guard, &from, &format!("v{n}@x.test"), NOW);
        }
        let counts = guard.lock();
        assert!(counts.addresses.len() <= limits::REMEMBERED);
        assert!(counts.names.len() <= limits::REMEMBERED);
        assert!(counts.familiar.len() <= limits::REMEMBERED);
        drop(counts);
        assert_eq!(wrong(&guard, "192.0.2.1", "alice@x.test", "x", NOW), None);
    }

    #[test]
    fn places_are_given_back() {
        let places = Places::default();
        let first = places.take(AccountId(1), 2).expect("a place");
        let second = places.take(AccountId(1), 2).expect("a place");
        assert!(places.take(AccountId(1), 2).is_none());
        assert!(places.take(AccountId(2), 2).is_some());
        drop(first);
        assert!(places.take(AccountId(1), 2).is_some());
        drop(second);
        assert!(places.lock().is_empty());
        assert!(places.take(AccountId(1), 0).is_none());
    }
}
