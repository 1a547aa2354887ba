//! The index in memory, for tests that open the same data thousands of times. It is as durable as `apply` says.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex};

use super::{Batch, Index, Snapshot};
use crate::error::Error;

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// Rows that survive as long as somebody holds a clone.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    rows: Arc<Mutex<Arc<Rows>>>,
}

impl Index for Memory {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        Ok(Arc::new(At(self.rows.lock().unwrap().clone())))
    }

    fn apply(&self, batch: &Batch) -> Result<(), Error> {
        let mut rows = self.rows.lock().unwrap();
        let next = Arc::make_mut(&mut rows);
        for (key, value) in batch {
            match value {
                Some(value) => next.insert(key.clone(), value.clone()),
                None => next.remove(key),
            };
        }
        Ok(())
    }
}

struct At(Arc<Rows>);

impl Snapshot for At {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        if start < end {
            let range = (Bound::Included(start), Bound::Excluded(end));
            for (key, value) in self.0.range::<[u8], _>(range) {
                if !each(key, value) {
                    break;
                }
            }
        }
        Ok(())
    }
}
