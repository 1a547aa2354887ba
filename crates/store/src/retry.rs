//! What happens after a conflict: every writer's loop asks here whether to go round again.

use std::time::Duration;

/// Rounds before giving up. Each conflict means that somebody else got through, so this is reached only under
/// a load that the machine cannot carry anyway.
const ROUNDS: u32 = 200;
/// Rounds that start again at once.
const AT_ONCE: u32 = 20;
/// The wait after that.
const WAIT: Duration = Duration::from_millis(2);

/// Counts the rounds of one change.
#[derive(Default)]
pub(crate) struct Retry(u32);

impl Retry {
    /// Lets others run first; `false` when it is enough.
    pub(crate) async fn again(&mut self) -> bool {
        self.0 += 1;
        match self.0 {
            0..=AT_ONCE => tokio::task::yield_now().await,
            _ => tokio::time::sleep(WAIT).await,
        }
        self.0 < ROUNDS
    }
}
