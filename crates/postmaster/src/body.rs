//! Bodies on their way in: hashed and taken apart while they arrive.
//!
//! What never lives here: where a body goes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use ledger::{Body, BodyWriter, Ledger};
use mail::{BodyId, Indexer, Summary};
use store::Error;

use crate::limits;

/// The bodies of one connection.
#[derive(Default)]
pub(crate) struct Bodies {
    open: HashMap<BodyId, Flight>,
}

/// One body on its way. What has failed holds nothing any more, and tells why when it is asked for.
enum Flight {
    Arriving(Box<Arriving>),
    Failed(Error),
}

struct Arriving {
    writer: BodyWriter,
    indexer: Indexer,
}

/// A body that is whole, and what was found in it.
pub(crate) struct Whole {
    pub(crate) body: Body,
    pub(crate) summary: Arc<Summary>,
}

impl Bodies {
    /// Appends octets; the first open the body. More than `most` octets are not kept.
    pub(crate) async fn keep(&mut self, ledger: &Ledger, id: BodyId, bytes: Bytes, most: u64) {
        if !self.open.contains_key(&id) {
            let flight = self.begin(ledger);
            self.open.insert(id, flight);
        }
        let Some(flight) = self.open.get_mut(&id) else { return };
        let Flight::Arriving(arriving) = flight else { return };
        if arriving.writer.size().saturating_add(bytes.len() as u64) > most {
            *flight = Flight::Failed(Error::TooBig);
            return;
        }
        arriving.indexer.push(&bytes);
        if let Err(error) = arriving.writer.write(bytes).await {
            *flight = Flight::Failed(error.into());
        }
    }

    fn begin(&self, ledger: &Ledger) -> Flight {
        if self.open.len() >= limits::BODIES {
            return Flight::Failed(Error::Limit("too many messages on their way at once".into()));
        }
        Flight::Arriving(Box::new(Arriving { writer: ledger.body(), indexer: Indexer::new() }))
    }

    pub(crate) fn abandon(&mut self, id: BodyId) {
        self.open.remove(&id);
    }

    /// Octets kept so far.
    pub(crate) fn size(&self, id: BodyId) -> Option<u64> {
        match self.open.get(&id)? {
            Flight::Arriving(arriving) => Some(arriving.writer.size()),
            Flight::Failed(_) => None,
        }
    }

    /// The body is whole, and no more on its way.
    pub(crate) async fn finish(&mut self, id: BodyId) -> Result<Whole, Error> {
        let flight = self.open.remove(&id);
        match flight {
            Some(Flight::Arriving(arriving)) => {
                let Arriving { writer, indexer } = *arriving;
                let body = writer.finish().await?;
                Ok(Whole { body, summary: Arc::new(indexer.finish()) })
            }
            Some(Flight::Failed(error)) => Err(error),
            None => Err(Error::Unavailable("a body that nobody had kept was to be filed".into())),
        }
    }
}
