//! The file system as the log needs it: a border, so that tests can let any step of it fail.
//!
//! Paths are relative to the data folder.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It has to exist.
    Read,
    /// It has to exist.
    Write,
    /// Made empty; cut if it exists.
    Create,
}

/// A folder.
pub(crate) trait Disk: Send + Sync + 'static {
    /// Names in a folder, ascending.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;
    /// Opens a file, mode 0600.
    fn open(&self, path: &str, how: How) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes a folder if it is missing, mode 0700.
    fn make_folder(&self, path: &str) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Renames a file over another.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Names made, changed and removed in a folder survive power loss after this.
    fn sync_folder(&self, folder: &str) -> io::Result<()>;
    /// Octets that can be written.
    fn free(&self) -> io::Result<u64>;
}

/// A file.
pub(crate) trait DiskFile: Send + Sync {
    /// Reads until `into` is full or the file ends.
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize>;
    /// Writes all, or fails having written any part of it.
    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()>;
    /// What was written survives power loss after this.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file, or makes it longer with zeros.
    fn truncate(&self, length: u64) -> io::Result<()>;
    /// Makes the file this long and holds the space for it.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Octets.
    fn length(&self) -> io::Result<u64>;
}

/// The real one.
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: &Path) -> Folder {
        Folder { root: root.to_owned() }
    }
}

impl Disk for Folder {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(self.root.join(folder))? {
            // No name of ours is anything but ASCII; others do not concern us.
            names.extend(entry?.file_name().into_string().ok());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &str, how: How) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).mode(0o600);
        match how {
            How::Read => &mut options,
            How::Write => options.write(true),
            How::Create => options.write(true).create(true).truncate(true),
        };
        Ok(Arc::new(options.open(self.root.join(path))?))
    }

    fn make_folder(&self, path: &str) -> io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(self.root.join(path))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(self.root.join(path))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.root.join(from), self.root.join(to))
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        File::open(self.root.join(folder))?.sync_all()
    }

    fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

impl DiskFile for File {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match FileExt::read_at(self, &mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&self, octets: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(octets, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, length) {
            // A file system without it gets zeros written, which holds the space as well.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let zeros = vec![0; 1 << 20];
                let mut at = 0;
                while at < length {
                    let step = (length - at).min(zeros.len() as u64);
                    self.write_all_at(&zeros[..step as usize], at)?;
                    at += step;
                }
                Ok(())
            }
            other => Ok(other?),
        }
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }
}

/// There is no room: the disk's or the account's.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
