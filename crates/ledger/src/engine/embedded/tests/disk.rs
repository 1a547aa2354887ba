//! A disk in memory. What is not synced may be lost or torn at a power cut; any step may fail; octets may flip.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use super::super::disk::{Disk, DiskFile, How};

/// What is written at once by a real disk.
const SECTOR: usize = 512;

#[derive(Default)]
struct State {
    files: BTreeMap<String, Arc<TestFile>>,
    /// Files by name, as of the last sync of their folder.
    durable: BTreeMap<String, Arc<TestFile>>,
    plan: Plan,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Plan {
    steps: u64,
    /// This step and all after it fail.
    fails_at: Option<u64>,
    /// No more octets fit.
    full: bool,
}

/// The disk.
#[derive(Default)]
pub struct TestDisk(Arc<Mutex<State>>);

struct TestFile {
    state: Arc<Mutex<State>>,
    /// As read now, and as it would be after a power cut.
    octets: Mutex<(Vec<u8>, Vec<u8>)>,
}

impl TestDisk {
    /// Steps that have changed or synced something so far.
    pub fn steps(&self) -> u64 {
        self.0.lock().unwrap().plan.steps
    }

    /// From now on, the `nth` step fails and every one after it.
    pub fn fail_at(&self, nth: u64) {
        let mut state = self.0.lock().unwrap();
        state.plan.fails_at = Some(state.plan.steps + nth);
    }

    /// Whether octets still fit.
    pub fn set_full(&self, full: bool) {
        self.0.lock().unwrap().plan.full = full;
    }

    /// The disk after a power cut: of what was not synced, each sector is old or new, as `random` says.
    pub fn after_power_cut(&self, mut random: impl FnMut() -> bool) -> Arc<TestDisk> {
        let state = self.0.lock().unwrap();
        let fresh = TestDisk::default();
        let names = if random() { &state.files } else { &state.durable };
        for (name, file) in names {
            let (now, durable) = &*file.octets.lock().unwrap();
            let mut left = durable.clone();
            if random() {
                left.resize(now.len().max(left.len()), 0);
            }
            for at in (0..now.len().min(left.len())).step_by(SECTOR) {
                let end = (at + SECTOR).min(now.len()).min(left.len());
                if random() {
                    left[at..end].copy_from_slice(&now[at..end]);
                }
            }
            fresh.put(name, left);
        }
        Arc::new(fresh)
    }

    /// The same disk once more, whole.
    pub fn copy(&self) -> Arc<TestDisk> {
        let fresh = TestDisk::default();
        for (name, file) in &self.0.lock().unwrap().files {
            fresh.put(name, file.octets.lock().unwrap().0.clone());
        }
        Arc::new(fresh)
    }

    /// Every file with its octets.
    pub fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let state = self.0.lock().unwrap();
        state.files.iter().map(|(name, file)| (name.clone(), file.octets.lock().unwrap().0.clone())).collect()
    }

    /// Puts a file there, durable.
    pub fn put(&self, name: &str, octets: Vec<u8>) {
        let state = self.0.clone();
        let file = Arc::new(TestFile { state, octets: Mutex::new((octets.clone(), octets)) });
        let mut state = self.0.lock().unwrap();
        state.files.insert(name.to_owned(), file.clone());
        state.durable.insert(name.to_owned(), file);
    }

    fn step(&self) -> io::Result<()> {
        step(&self.0)
    }
}

fn step(state: &Mutex<State>) -> io::Result<()> {
    let plan = &mut state.lock().unwrap().plan;
    plan.steps += 1;
    match plan.fails_at {
        Some(at) if plan.steps >= at => Err(io::Error::other("the disk failed, as planned")),
        _ => Ok(()),
    }
}

impl Disk for TestDisk {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let state = self.0.lock().unwrap();
        let below = state.files.keys().filter_map(|name| name.strip_prefix(&prefix));
        Ok(below.filter(|name| !name.contains('/')).map(str::to_owned).collect())
    }

    fn open(&self, path: &str, how: How) -> io::Result<Arc<dyn DiskFile>> {
        if how == How::Create {
            self.step()?;
            let file = Arc::new(TestFile { state: self.0.clone(), octets: Mutex::default() });
            self.0.lock().unwrap().files.insert(path.to_owned(), file.clone());
            return Ok(file);
        }
        match self.0.lock().unwrap().files.get(path) {
            Some(file) => Ok(file.clone()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn make_folder(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.step()?;
        match self.0.lock().unwrap().files.remove(path) {
            Some(_) => Ok(()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.lock().unwrap();
        let file = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn sync_folder(&self, folder: &str) -> io::Result<()> {
        self.step()?;
        let mut state = self.0.lock().unwrap();
        let within = |name: &str| name.rsplit_once('/').map_or("", |(above, _)| above) == folder;
        let now: Vec<_> = state
            .files
            .iter()
            .filter(|(name, _)| within(name))
            .map(|(n, f)| (n.clone(), f.clone()))
            .collect();
        state.durable.retain(|name, _| !within(name));
        state.durable.extend(now);
        Ok(())
    }

    fn free(&self) -> io::Result<u64> {
        Ok(if self.0.lock().unwrap().plan.full { 0 } else { 1 << 40 })
    }
}

impl TestFile {
    fn room(&self, grows: bool) -> io::Result<()> {
        match grows && self.state.lock().unwrap().plan.full {
            true => Err(io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl DiskFile for TestFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> io::Result<usize> {
        let octets = &self.octets.lock().unwrap().0;
        let from = octets.len().min(offset as usize);
        let count = into.len().min(octets.len() - from);
        into[..count].copy_from_slice(&octets[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        step(&self.state)?;
        let end = offset as usize + new.len();
        let octets = &mut self.octets.lock().unwrap().0;
        self.room(end > octets.len())?;
        let length = octets.len().max(end);
        octets.resize(length, 0);
        octets[offset as usize..end].copy_from_slice(new);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        step(&self.state)?;
        let octets = &mut *self.octets.lock().unwrap();
        octets.1.clone_from(&octets.0);
        Ok(())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        step(&self.state)?;
        self.octets.lock().unwrap().0.resize(length as usize, 0);
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        step(&self.state)?;
        let octets = &mut self.octets.lock().unwrap().0;
        self.room(length as usize > octets.len())?;
        let length = octets.len().max(length as usize);
        octets.resize(length, 0);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.octets.lock().unwrap().0.len() as u64)
    }
}
