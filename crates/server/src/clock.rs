//! The one place that reads the clock.

use std::time::{SystemTime, UNIX_EPOCH};

use mail::Moment;

/// The wall clock. Deadlines are reckoned in it and slept in monotonic time from the moment they are set, so a
/// step of the wall clock moves at most the deadlines then pending.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock;

impl Clock {
    /// Now.
    pub fn now(self) -> Moment {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}
