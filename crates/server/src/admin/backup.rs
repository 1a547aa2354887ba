//! A copy of a data folder, made while it is in use, and the way back.
//!
//! ```text
//! ledger/   the log; its index is built again when it is first opened
//! tls/      our own authority, certificates, keys
//! ```

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::desk::{Desk, Outcome};
use crate::cert::write_private;
use crate::office;

/// Where a copy is made before it is whole.
const PART: &str = "restore.part";
/// Octets copied at once.
const STEP: usize = 1024 * 1024;
/// Octets of a file beside the ledger: certificates and keys are far smaller.
const SMALL: u64 = 1024 * 1024;

impl Desk {
    pub(super) async fn backup(&mut self, target: &Path, incremental: bool) -> Outcome {
        let maintenance = self.office.ledger.maintenance();
        let maintenance = maintenance.ok_or_else(|| "this data is not kept in a folder".to_owned())?;
        let (data, folder) = (self.office.data.clone(), target.to_owned());
        aside(move || {
            begin(&data, &folder)?;
            copy_small(&office::tls_folder(&data), &office::tls_folder(&folder))
        })
        .await?;
        let done = maintenance.backup(&office::ledger_folder(target), incremental).await;
        let done = done.map_err(|error| advised(target, &error.to_string()))?;
        Ok(json!({
            "segments": done.segments, "copied_octets": done.copied, "linked_segments": done.linked,
            "kept_segments": done.kept, "last_record": done.seq,
        }))
    }
}

/// Does work that waits for the disk where it holds up nobody.
async fn aside(work: impl FnOnce() -> Result<(), String> + Send + 'static) -> Result<(), String> {
    tokio::task::spawn_blocking(work).await.map_err(|_| "the copy was broken off inside".to_owned())?
}

/// Makes the target, which lies outside the data.
fn begin(data: &Path, target: &Path) -> Result<(), String> {
    if !target.is_absolute() {
        return Err(format!("{}: a copy is wanted at an absolute path", target.display()));
    }
    make_folder(target).map_err(|error| advised(target, &error.to_string()))?;
    let real = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    match real(target)?.starts_with(real(data)?) {
        true => Err(format!("{} lies in the data itself: copy to another disk", target.display())),
        false => Ok(()),
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Where a service may write is set in its unit, which is not what one thinks of first.
fn advised(target: &Path, why: &str) -> String {
    let mut text = format!("{}: {why}", target.display());
    if why.contains("ermission denied") || why.contains("ead-only") {
        text.push_str(
            "; the server itself writes the copy, so its user needs that folder (and a service of systemd \
             ReadWritePaths= for it)",
        );
    }
    text
}

/// Copies the files of a folder, if there is one.
fn copy_small(from: &Path, to: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(from) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", from.display())),
    };
    make_folder(to).map_err(|error| advised(to, &error.to_string()))?;
    for entry in entries {
        let path = entry.map_err(|error| format!("{}: {error}", from.display()))?.path();
        let Some(name) = path.file_name().filter(|_| path.is_file()) else { continue };
        let fail = |error: io::Error| format!("{}: {error}", path.display());
        let mut octets = Vec::new();
        File::open(&path).and_then(|file| file.take(SMALL).read_to_end(&mut octets)).map_err(fail)?;
        write_private(&to.join(name), &octets)?;
    }
    Ok(())
}

/// What was restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Files.
    pub files: u64,
    /// Octets in them.
    pub octets: u64,
}

/// Makes a data folder of a backup: all that was in it, so that UIDs, flags, modseqs and bodies are the same.
/// `data` must be empty or missing. `progress` is told octets done and in all.
///
/// The folder is whole or holds nothing that could be opened: the copy gets its name at the end.
pub fn restore(backup: &Path, data: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Restored, String> {
    let source = office::ledger_folder(backup);
    if !source.join("format").is_file() {
        return Err(format!(
            "{} is no backup: one holds the folder ledger, and has been made by `packetboat backup`",
            backup.display()
        ));
    }
    be_empty(data)?;
    office::make_private(data)?;
    let part = data.join(PART);
    let fail = |error: io::Error| format!("{}: {error}", part.display());
    remove_all(&part).map_err(fail)?;
    let files = listed(backup)?;
    let total = files.iter().map(|(_, size)| size).sum();
    let mut done = Restored::default();
    for (file, _) in &files {
        copy(&backup.join(file), &part.join(file), |octets| {
            done.octets += octets;
            progress(done.octets, total);
        })?;
        done.files += 1;
    }
    settle(data, &part).map_err(fail)?;
    Ok(done)
}

fn be_empty(data: &Path) -> Result<(), String> {
    let entries = match fs::read_dir(data) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{}: {error}", data.display())),
    };
    for entry in entries {
        let name = entry.map_err(|error| format!("{}: {error}", data.display()))?.file_name();
        // What is left of an earlier attempt is in nobody's way.
        if name != PART {
            return Err(format!(
                "{} is not empty: restore into a new folder, and move that one away first",
                data.display()
            ));
        }
    }
    Ok(())
}

fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The files of a backup that belong to it, by their path in it, with their sizes.
fn listed(backup: &Path) -> Result<Vec<(PathBuf, u64)>, String> {
    let mut files = Vec::new();
    for folder in ["ledger", "ledger/log", "tls"] {
        let path = backup.join(folder);
        let fail = |error: io::Error| format!("{}: {error}", path.display());
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder == "tls" => continue,
            Err(error) => return Err(fail(error)),
        };
        for entry in entries {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name();
            let found = entry.path().metadata().map_err(fail)?;
            let unfinished = Path::new(&name).extension().is_some_and(|end| end == "part" || end == "new");
            if found.is_file() && name != "lock" && name != "reserve" && !unfinished {
                files.push((Path::new(folder).join(name), found.len()));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn copy(from: &Path, to: &Path, mut step: impl FnMut(u64)) -> Result<(), String> {
    let reading = |error: io::Error| format!("{}: {error}", from.display());
    let writing = |error: io::Error| format!("{}: {error}", to.display());
    if let Some(folder) = to.parent() {
        make_folder(folder).map_err(writing)?;
    }
    let mut source = File::open(from).map_err(reading)?;
    let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(writing)?;
    let mut octets = vec![0; STEP];
    loop {
        let got = source.read(&mut octets).map_err(reading)?;
        if got == 0 {
            return copy.sync_all().map_err(writing);
        }
        copy.write_all(&octets[..got]).map_err(writing)?;
        step(got as u64);
    }
}

/// The copy takes its place, the ledger last: a folder without one is no data.
fn settle(data: &Path, part: &Path) -> io::Result<()> {
    sync_folders(part)?;
    for folder in ["tls", "ledger"] {
        match fs::rename(part.join(folder), data.join(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && folder == "tls" => {}
            other => other?,
        }
        File::open(data)?.sync_all()?;
    }
    fs::remove_dir(part)?;
    File::open(data)?.sync_all()
}

fn sync_folders(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_folders(&path)?;
        }
    }
    File::open(folder)?.sync_all()
}
