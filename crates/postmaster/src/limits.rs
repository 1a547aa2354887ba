//! How much a stranger may try, and how much one connection may hold. Every number of this crate is here.

use std::time::Duration;

/// Failed log-ins that cost nothing: a mistyped password is no attack.
pub const FREE_FAILURES: u32 = 2;
/// The wait after the first failure that costs something; it doubles with each further one.
pub const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Failures after which an address is heard no more for a while.
pub const ADDRESS_FAILURES: u32 = 10;
/// One failure of an address is forgotten in this time. With `ADDRESS_FAILURES` that makes less than 50 guesses
/// in a first day, and 40 in each that follows.
pub const ADDRESS_FORGETS: Duration = Duration::from_secs(36 * 60);
/// Failures after which a name is closed to addresses it has not logged in from, wherever they came from.
pub const NAME_FAILURES: u32 = 50;
/// One failure for a name is forgotten in this time.
pub const NAME_FORGETS: Duration = Duration::from_secs(10 * 60);
/// How long a wrong password is known again, so that repeating it does not count.
pub const PASSWORD_REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// How often in a minute a wrong password may be repeated without counting.
pub const REPEATS: u32 = 10;
/// Failures that are counted at most.
pub const LEVEL: u32 = 60;
/// Queues in which the attempts of one address wait while as many of it as may fail are being judged.
pub const TURNS: usize = 256;
/// A name and an address that belong together are remembered for so long after a log-in.
pub const FAMILIAR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Addresses, names, and pairs of both that are remembered: each at most this many.
pub const REMEMBERED: usize = 50_000;

/// Octets by which a kept body may be longer than a message: what is written before it.
pub const TRACE: u64 = 64 * 1024;
/// Octets that are written before a message, as a rule.
pub const TRACE_USUAL: u64 = 512;
/// Bodies on their way at once in one connection; a session needs one, and a second may overlap with its end.
pub const BODIES: usize = 2;

/// `Received` fields in a message that is still taken. RFC 5321 §6.3.
pub const HOPS: usize = 100;
/// Addresses in one field that says who has written a message.
pub const AUTHORS: usize = 100;
/// Mailboxes looked through for one that differs from an address's detail in case only.
pub const DETAIL_SCAN: usize = 1000;
/// Octets answered to one `Octets` of IMAP.
pub const OCTETS: u64 = 1024 * 1024;
/// Accounts whose last POP3 log-in is remembered.
pub const POP_LOGINS: usize = 50_000;
