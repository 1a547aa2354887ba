//! The reserve: disk space that is given up when the disk is full, so that commits that make room still get
//! through. It is taken back once there is plenty again.

use std::io;
use std::sync::Arc;

use super::disk::{Disk, How};

const PATH: &str = "reserve";

/// The reserve of a data folder.
pub(crate) struct Reserve {
    disk: Arc<dyn Disk>,
    size: u64,
}

impl Reserve {
    pub(crate) fn new(disk: Arc<dyn Disk>, size: u64) -> Reserve {
        Reserve { disk, size }
    }

    /// Whether space is held. Makes it whole where it is missing and there is room for twice as much.
    pub(crate) fn fill(&self) -> io::Result<bool> {
        let there = match self.disk.open(PATH, How::Read) {
            Ok(file) => file.length()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        if there >= self.size {
            return Ok(true);
        }
        if self.disk.free()? < self.size.saturating_mul(2) {
            return Ok(false);
        }
        let file = self.disk.open(PATH, How::Create)?;
        match file.allocate(self.size).and_then(|()| file.sync()) {
            Ok(()) => Ok(true),
            Err(error) if super::disk::is_full(&error) => {
                self.release()?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Gives the space up.
    pub(crate) fn release(&self) -> io::Result<()> {
        match self.disk.remove(PATH) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}
