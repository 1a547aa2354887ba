//! The index in fjall: a log-structured merge tree in a folder.

use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode, Readable};

use super::{Batch, Index, Snapshot};
use crate::error::Error;

/// Octets of blocks kept in memory.
const CACHE: u64 = 64 << 20;

/// An open index.
pub(crate) struct Fjall {
    rows: Keyspace,
    database: Database,
}

impl Fjall {
    pub(crate) fn open(folder: &Path) -> Result<Fjall, Error> {
        let database =
            Database::builder(folder).cache_size(CACHE).worker_threads(1).open().map_err(|e| wrong(&e))?;
        let rows = database.keyspace("rows", KeyspaceCreateOptions::default).map_err(|e| wrong(&e))?;
        Ok(Fjall { rows, database })
    }
}

impl Index for Fjall {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        Ok(Arc::new(Rows { rows: self.rows.clone(), at: self.database.snapshot() }))
    }

    fn apply(&self, batch: &Batch) -> Result<(), Error> {
        let mut write = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in batch {
            match value {
                Some(value) => write.insert(&self.rows, key.as_slice(), value.as_slice()),
                None => write.remove(&self.rows, key.as_slice()),
            }
        }
        write.commit().map_err(|e| wrong(&e))
    }
}

struct Rows {
    rows: Keyspace,
    at: fjall::Snapshot,
}

impl Snapshot for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let value = self.at.get(&self.rows, key).map_err(|e| wrong(&e))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        start: &[u8],
        end: &[u8],
        each: &mut dyn FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), Error> {
        if start >= end {
            return Ok(());
        }
        for row in self.at.range(&self.rows, start..end) {
            let (key, value) = row.into_inner().map_err(|e| wrong(&e))?;
            if !each(&key, &value) {
                break;
            }
        }
        Ok(())
    }
}

fn wrong(error: &fjall::Error) -> Error {
    match error {
        fjall::Error::Io(error) => Error::Io(format!("index: {error}")),
        other => Error::Damaged(format!("index: {other}")),
    }
}
