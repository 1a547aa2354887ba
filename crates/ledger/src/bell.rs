//! The bell: "the head is at least n". May ring late, twice, or merged; never carries data.

use mail::{LedgerId, ModSeq};

/// Waits for one ledger to grow.
#[derive(Clone, Debug)]
pub struct Bell {
    pub(crate) ledger: LedgerId,
}

impl Bell {
    /// Waits until the durable head is above `after`, and says how far it has come.
    pub async fn after(&mut self, after: ModSeq) -> ModSeq {
        let _ = (self.ledger, after);
        std::future::pending().await
    }
}

/// All bells of an engine.
#[derive(Debug, Default)]
pub(crate) struct Bells {}
