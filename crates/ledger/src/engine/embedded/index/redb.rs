//! The index in redb: a copy-on-write B-tree in one file.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, TableDefinition};

use super::{Batch, Index, Snapshot};
use crate::error::Error;

const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");
/// Octets of pages kept in memory.
const CACHE: usize = 64 << 20;

/// An open index.
pub(crate) struct Redb {
    database: Database,
}

impl Redb {
    pub(crate) fn open(file: &Path) -> Result<Redb, Error> {
        let database = Database::builder().set_cache_size(CACHE).create(file).map_err(wrong)?;
        let redb = Redb { database };
        redb.apply(&Batch::new())?;
        Ok(redb)
    }
}

impl Index for Redb {
    fn snapshot(&self) -> Result<Arc<dyn Snapshot>, Error> {
        let read = self.database.begin_read().map_err(wrong)?;
        Ok(Arc::new(Rows(read.open_table(ROWS).map_err(wrong)?)))
    }

    fn apply(&self, batch: &Batch) -> Result<(), Error> {
        let mut write = self.database.begin_write().map_err(wrong)?;
        write.set_durability(Durability::Immediate).map_err(wrong)?;
        // Otherwise opening after a kill walks over every page.
        write.set_quick_repair(true);
        {
            let mut table = write.open_table(ROWS).map_err(wrong)?;
            for (key, value) in batch {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice()).map_err(wrong)?,
                    None => table.remove(key.as_slice()).map_err(wrong)?,
                };
            }
        }
        write.commit().map_err(wrong)
    }
}

struct Rows(ReadOnlyTable<&'static [u8], &'static [u8]>);

impl Snapshot for Rows {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.0.get(key).map_err(wrong)?.map(|value| value.value().to_vec()))
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
        for row in self.0.range(start..end).map_err(wrong)? {
            let (key, value) = row.map_err(wrong)?;
            if !each(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }
}

fn wrong(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Corrupted(what) => Error::Damaged(format!("index: {what}")),
        other => Error::Io(format!("index: {other}")),
    }
}
