//! Bodies and log-ins that the answering houses share.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mail::{AccountId, BlobId, Indexer, Summary};
use proto::login::{LoggedIn, LoginAnswer, LoginRefusal};

use crate::dice::Dice;
use crate::seeds;

/// Whose mail it is.
pub const ACCOUNT: AccountId = AccountId(1024);

/// A stored message.
pub struct Stored {
    pub octets: Vec<u8>,
    pub summary: Arc<Summary>,
}

/// All there are; the blob of the first is all zeros.
pub static STORED: LazyLock<Vec<Stored>> = LazyLock::new(|| {
    let mut all = seeds::messages();
    all.push(Vec::new());
    all.push(b"Subject: long\r\n\r\n".iter().copied().chain(b"line\r\n".repeat(500)).collect());
    all.into_iter().map(stored).collect()
});

fn stored(octets: Vec<u8>) -> Stored {
    let mut indexer = Indexer::new();
    indexer.push(&octets);
    Stored { summary: Arc::new(indexer.finish()), octets }
}

pub fn blob(number: usize) -> BlobId {
    BlobId([u8::try_from(number % STORED.len()).unwrap_or(0); 32])
}

pub fn of(blob: BlobId) -> &'static Stored {
    &STORED[usize::from(blob.0[0])]
}

/// A range of a body; one past the end is cut.
pub fn octets(blob: BlobId, range: std::ops::Range<u64>) -> &'static [u8] {
    let octets = &of(blob).octets;
    let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(octets.len());
    assert!(range.start <= range.end, "a range runs backwards: {range:?}");
    &octets[at(range.start)..at(range.end)]
}

/// Mostly yes.
pub fn login(dice: &mut Dice) -> LoginAnswer {
    let reason = match dice.roll(12) {
        0 => LoginRefusal::Wrong,
        1 => LoginRefusal::TooMany,
        2 => LoginRefusal::TooManySessions,
        3 => LoginRefusal::Unavailable,
        _ => {
            return LoginAnswer::Welcome(LoggedIn { account: ACCOUNT, address: "alice@example.test".into() });
        }
    };
    LoginAnswer::Refused { reason, wait: Duration::from_secs(dice.roll(3) as u64) }
}
