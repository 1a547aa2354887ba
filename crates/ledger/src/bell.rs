//! The bell: "the head is at least n". May ring late, twice, or merged; never carries data.
//!
//! A ledger nobody listens to has no entry here, and ringing for it costs one read of a counter.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::{LedgerId, ModSeq};
use tokio::sync::watch;

use crate::engine::{Any, Engine, View};

/// How long to wait before the head is asked for again after the engine did not tell it.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// Waits for one ledger to grow.
pub struct Bell {
    ledger: LedgerId,
    engine: Any,
    bells: Bells,
    heard: watch::Receiver<ModSeq>,
    /// The head was asked for once after this bell was hung up; whatever comes later rings.
    primed: bool,
}

impl Bell {
    /// A bell of `engine`'s `bells`.
    pub(crate) fn hang(engine: Any, ledger: LedgerId) -> Bell {
        let bells = engine.bells().clone();
        let heard = bells.join(ledger);
        Bell { ledger, engine, bells, heard, primed: false }
    }

    /// Whose bell it is.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// Waits until the durable head is above `after`, and says how far it has come. Dropping the future
    /// loses nothing.
    pub async fn after(&mut self, after: ModSeq) -> ModSeq {
        loop {
            let head = *self.heard.borrow_and_update();
            if head > after {
                return head;
            }
            if self.primed {
                // The sender lives as long as the entry, and the entry as long as this bell.
                let _ = self.heard.changed().await;
                continue;
            }
            match self.engine.head(self.ledger, View::Durable).await {
                Ok(head) => {
                    self.bells.raise(self.ledger, head);
                    self.primed = true;
                }
                Err(error) => {
                    tracing::debug!(ledger = self.ledger.0, %error, "a bell could not learn the head");
                    let _ = tokio::time::timeout(ASK_AGAIN, self.heard.changed()).await;
                }
            }
        }
    }
}

impl Clone for Bell {
    fn clone(&self) -> Bell {
        let heard = self.bells.join(self.ledger);
        Bell {
            ledger: self.ledger,
            engine: self.engine.clone(),
            bells: self.bells.clone(),
            heard,
            primed: self.primed,
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.bells.leave(self.ledger);
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bell").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// All bells of an engine. Cheap to clone: clones are the same bells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bells {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bells in `hung`, so that a commit nobody waits for takes no lock.
    listening: AtomicUsize,
    hung: Mutex<HashMap<LedgerId, Hung>>,
}

/// The bells of one ledger.
#[derive(Debug)]
struct Hung {
    rope: watch::Sender<ModSeq>,
    bells: usize,
}

impl Bells {
    /// `ledger` is durable up to `head`. To be called after the commit is durable, never before; from any
    /// thread, in any order.
    pub(crate) fn ring(&self, ledger: LedgerId, head: ModSeq) {
        // A bell that is hung up just now asks for the head afterwards, so it cannot miss this ring.
        if self.shared.listening.load(Ordering::SeqCst) != 0 {
            self.raise(ledger, head);
        }
    }

    /// The ledgers somebody listens to: what an engine with distant writers has to watch.
    #[allow(dead_code)]
    pub(crate) fn listened(&self) -> Vec<LedgerId> {
        self.lock().keys().copied().collect()
    }

    fn raise(&self, ledger: LedgerId, head: ModSeq) {
        if let Some(hung) = self.lock().get(&ledger) {
            hung.rope.send_if_modified(|known| {
                let news = head > *known;
                *known = (*known).max(head);
                news
            });
        }
    }

    fn join(&self, ledger: LedgerId) -> watch::Receiver<ModSeq> {
        let mut hung = self.lock();
        let entry =
            hung.entry(ledger).or_insert_with(|| Hung { rope: watch::Sender::new(ModSeq(0)), bells: 0 });
        entry.bells += 1;
        self.shared.listening.fetch_add(1, Ordering::SeqCst);
        entry.rope.subscribe()
    }

    fn leave(&self, ledger: LedgerId) {
        let mut hung = self.lock();
        self.shared.listening.fetch_sub(1, Ordering::SeqCst);
        if let Some(entry) = hung.get_mut(&ledger) {
            entry.bells -= 1;
            if entry.bells == 0 {
                hung.remove(&ledger);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LedgerId, Hung>> {
        self.shared.hung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_live_as_long_as_their_bells() {
        let bells = Bells::default();
        let first = bells.join(LedgerId(7));
        let second = bells.join(LedgerId(7));
        assert_eq!(bells.listened(), [LedgerId(7)]);
        bells.ring(LedgerId(7), ModSeq(5));
        bells.ring(LedgerId(7), ModSeq(3));
        bells.ring(LedgerId(8), ModSeq(9));
        assert_eq!((*first.borrow(), *second.borrow()), (ModSeq(5), ModSeq(5)));
        bells.leave(LedgerId(7));
        assert_eq!(bells.listened(), [LedgerId(7)]);
        bells.leave(LedgerId(7));
        assert!(bells.listened().is_empty());
        assert_eq!(bells.shared.listening.load(Ordering::SeqCst), 0);
    }
}
