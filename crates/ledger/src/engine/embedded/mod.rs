//! The embedded engine: the log is the truth, rows are an index over it.
//!
//! A commit is one checksummed record in a segment file (`record`, `change`, `segment`). One thread writes and
//! syncs them for all (`committer`); another brings the index up behind (`indexer`, `index`). What the index does
//! not have yet is in memory (`overlay`). `recover` opens a data folder, `verify`, `compact` and `backup` look
//! after it.
//!
//! ```text
//! format    the number of the data's format
//! lock      held while it is open
//! log/      00000001.seg and so on; *.tail are ends that were cut off
//! index/    can be rebuilt from the log
//! reserve   disk space for a full disk
//! ```

mod backup;
mod change;
mod committer;
mod compact;
mod disk;
mod format;
mod index;
mod indexer;
mod lock;
mod overlay;
mod record;
mod recover;
mod reserve;
mod segment;
mod shared;
#[cfg(test)]
mod tests;
mod verify;

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use mail::{BlobId, LedgerId, ModSeq};

pub use self::backup::Backup;
pub use self::compact::Compacted;
pub use self::index::IndexKind;
pub use self::verify::{Damage, Report};

use self::change::{Change, Inline, Part, Piece, Place, RowChange, inner};
use self::committer::{Refused, Request, Told};
use self::shared::Shared;
use super::{Engine, View};
use crate::bell::Bells;
use crate::error::{CommitError, Error};
use crate::ledger::Changes;
use crate::tx::{Held, Row, Tx};

/// How a data folder is opened. The default is for everyone; tests and measurements change it.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Which engine keeps the index. Another one than before rebuilds it.
    pub index: IndexKind,
    /// Octets after which a segment is ended; a larger record gets one of its own.
    pub segment_size: u64,
    /// Octets of log after which the index is brought up to it.
    pub checkpoint_octets: u64,
    /// How long the index may be behind.
    pub checkpoint_age: Duration,
    /// Octets of log the index may be behind before commits wait for it: what a start after a kill replays.
    pub replay_limit: u64,
    /// Zeros written ahead of the log's end.
    pub zeros_ahead: u64,
    /// Octets of disk held for a full disk.
    pub reserve: u64,
    /// Entries of a ledger's log that are kept at least.
    pub log_kept: u64,
    /// How often segments are looked over for dead octets; `None`: only when asked to.
    pub compact_every: Option<Duration>,
}

impl Default for OpenOptions {
    fn default() -> OpenOptions {
        OpenOptions {
            index: IndexKind::Fjall,
            segment_size: 64 << 20,
            checkpoint_octets: 16 << 20,
            checkpoint_age: Duration::from_secs(5),
            replay_limit: 48 << 20,
            zeros_ahead: 4 << 20,
            reserve: 64 << 20,
            log_kept: 100_000,
            compact_every: Some(Duration::from_secs(600)),
        }
    }
}

/// Numbers since the data was opened.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    writes: AtomicU64,
    syncs: AtomicU64,
    checkpoints: AtomicU64,
    replayed: AtomicU64,
    rebuilt: AtomicU64,
}

/// How a data folder is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stats {
    /// Segments of the log: number, octets, octets known to be dead.
    pub segments: Vec<(u32, u64, u64)>,
    /// Ends of the log that were cut off and kept: file names.
    pub tails: Vec<String>,
    /// What opening found wrong.
    pub findings: Vec<Damage>,
    /// Octets of log the index does not have yet.
    pub behind: u64,
    /// Times the index was brought up to the log since the data was opened.
    pub checkpoints: u64,
    /// Octets of log read when the data was opened.
    pub replayed: u64,
    /// The index was built from nothing when the data was opened.
    pub rebuilt: bool,
    /// Commits made durable.
    pub commits: u64,
    /// Syncs of segments.
    pub syncs: u64,
    /// Octets free on the disk.
    pub disk_free: u64,
}

/// The engine: shared state and its threads. Dropping it ends them, with the index up to date.
pub(crate) struct Embedded {
    shared: Arc<Shared>,
    committer: Option<JoinHandle<()>>,
    indexer: Option<JoinHandle<()>>,
    keeper: Option<compact::Keeper>,
    _lock: Option<lock::Lock>,
}

impl Embedded {
    /// Opens a data folder, made if missing.
    pub(crate) async fn open(folder: &Path, options: OpenOptions) -> Result<Arc<Embedded>, Error> {
        let folder = folder.to_owned();
        blocking(move || Embedded::open_now(&folder, options)).await
    }

    fn open_now(folder: &Path, options: OpenOptions) -> Result<Arc<Embedded>, Error> {
        let disk: Arc<dyn disk::Disk> = Arc::new(disk::Folder::new(folder));
        let io = |error: std::io::Error| Error::Io(format!("{}: {error}", folder.display()));
        disk.make_folder("").map_err(io)?;
        let lock = lock::take(folder)?;
        let known = format::read(disk.as_ref())?;
        let indexes = recover::RealIndex { folder: folder.join("index") };
        let opened = recover::open(folder, disk, &indexes, known, options)?;
        Ok(Arc::new(Embedded::start(opened, Some(lock))))
    }

    fn start(opened: recover::Opened, lock: Option<lock::Lock>) -> Embedded {
        let recover::Opened { shared, committer } = opened;
        let behind = shared.clone();
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new().name(name.into()).spawn(work).ok()
        };
        let committer = spawn("log", Box::new(move || committer.run()));
        let indexer = spawn("index", Box::new(move || indexer::run(&behind)));
        if committer.is_none() || indexer.is_none() {
            shared.gate().stopped = Some("no thread can be started".to_owned());
        }
        let keeper = compact::Keeper::start(&shared);
        Embedded { shared, committer, indexer, keeper, _lock: lock }
    }

    /// What `Drop` of a body writer calls.
    pub(crate) fn abandon(&self, number: u64) {
        let pieces = self.shared.gate().abandon(number);
        let mut behind = self.shared.behind();
        for Piece { segment, length, .. } in pieces {
            behind.lose(segment, u64::from(length));
        }
    }

    /// Looks after the data folder.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.keeper.take());
        self.shared.gate().close();
        self.shared.work.notify_all();
        let ended = self.committer.take().map(JoinHandle::join);
        self.shared.close_index();
        let indexed = self.indexer.take().map(JoinHandle::join);
        if matches!((ended, indexed), (Some(Err(_)), _) | (_, Some(Err(_)))) {
            tracing::error!("a thread of the ledger panicked");
        }
    }
}

/// Runs work that waits for the disk where it holds up nobody.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Error::Io(format!("work on the data folder was broken off: {error}"))),
    }
}

/// Rows asked for at once that are read in place: a page or two of the index, mostly in memory.
const IN_PLACE: usize = 64;

/// What a body becomes for one ledger in a commit.
#[derive(Default)]
struct Held1 {
    more: u64,
    less: u64,
    place: Option<Place>,
}

impl Shared {
    /// Reads what a commit has to be compared with, and puts it together.
    fn prepare(&self, txs: &[Tx]) -> Result<Request, CommitError> {
        let seen = self.indexed().applied;
        let mut metas = Vec::new();
        for tx in txs {
            let (head, floor) = self.meta(tx.ledger, View::Accepted)?;
            if head != tx.base {
                return Err(CommitError::Conflict(tx.ledger));
            }
            metas.push(floor);
        }
        let mut change = Change::default();
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| Error::Io(format!("no random number: {error}")))?;
        change.id = id;
        let mut numbers = Vec::new();
        for (tx, floor) in txs.iter().zip(metas) {
            let part = self.part(tx, floor, &mut change.bodies, &mut numbers)?;
            change.parts.push(part);
        }
        let brings = !change.bodies.is_empty() || !numbers.is_empty();
        let lets_go = |tx: &Tx| !tx.released.is_empty() || tx.writes.values().any(Option::is_none);
        let frees = !brings && txs.iter().any(lets_go);
        Ok(Request { change, carry: false, frees, numbers, seen })
    }

    fn part(
        &self,
        tx: &Tx,
        floor: ModSeq,
        inline: &mut Vec<Inline>,
        numbers: &mut Vec<u64>,
    ) -> Result<Part, CommitError> {
        let head = tx.modseq();
        let mut rows = Vec::with_capacity(tx.writes.len() + 1 + 2 * tx.bodies.len());
        if !tx.entry.is_empty() {
            let key = inner(change::LOG, &head.0.to_be_bytes());
            let value = Some(Bytes::copy_from_slice(&tx.entry));
            rows.push(RowChange { key, modseq: head, value, origin: 0 });
        }
        for (key, value) in &tx.writes {
            let key = inner(change::ROW, key);
            rows.push(RowChange { key, modseq: head, value: value.clone(), origin: 0 });
        }
        self.bodies(tx, inline, numbers, &mut rows)?;
        // Trimmed in steps, so that not every commit has to.
        let kept = self.options.log_kept;
        let floor = match head.0 - floor.0 > kept + kept / 10 {
            true => ModSeq(head.0 - kept),
            false => floor,
        };
        Ok(Part { ledger: tx.ledger, base: tx.base, head, floor, rows })
    }

    /// The rows that count references, and say where bodies lie.
    fn bodies(
        &self,
        tx: &Tx,
        inline: &mut Vec<Inline>,
        numbers: &mut Vec<u64>,
        rows: &mut Vec<RowChange>,
    ) -> Result<(), CommitError> {
        if tx.bodies.is_empty() && tx.released.is_empty() {
            return Ok(());
        }
        let mut held: std::collections::BTreeMap<[u8; 32], Held1> = Default::default();
        for body in &tx.bodies {
            let entry = held.entry(body.id.0).or_default();
            entry.more += 1;
        }
        for blob in &tx.released {
            held.entry(blob.0).or_default().less += 1;
        }
        let keys: Vec<Bytes> = held.keys().map(|blob| inner(change::REFS, blob)).collect();
        let found = self.look(tx.ledger, &keys, View::Accepted)?;
        let counts: Vec<u64> =
            found.iter().map(|row| row.as_ref().map_or(0, |(_, value)| change::decode_refs(value))).collect();
        for body in &tx.bodies {
            if let Held::Chunked(number) = body.held {
                // Named, it is taken, whether its octets are needed or not.
                let pieces = self.gate().pieces(number, body.id).ok_or(Error::NoBody)?;
                numbers.push(number);
                if let Some(entry) = held.get_mut(&body.id.0) {
                    entry.place = Some(Place { pieces });
                }
            }
        }
        let head = tx.modseq();
        for ((blob, entry), before) in held.iter_mut().zip(counts) {
            let same = |body: &&crate::tx::Body| body.id.0 == *blob;
            let comes = tx.bodies.iter().filter(same).any(|body| !matches!(body.held, Held::Stored));
            if before == 0 && entry.more > 0 && !comes {
                return Err(Error::NoBody.into());
            }
            let after = (before + entry.more).checked_sub(entry.less).ok_or(Error::NoBody)?;
            let row = |tag, value| RowChange { key: inner(tag, blob), modseq: head, value, origin: 0 };
            match (before, after) {
                (0, 0) => (),
                (_, 0) => rows.extend([row(change::REFS, None), row(change::PLACE, None)]),
                (0, _) => {
                    let place = match entry.place.take() {
                        Some(place) => place,
                        None => inside(tx.bodies.iter().find(same), inline)?,
                    };
                    rows.push(row(change::REFS, Some(change::encode_refs(after))));
                    rows.push(row(change::PLACE, Some(place.encode())));
                }
                (_, _) => rows.push(row(change::REFS, Some(change::encode_refs(after)))),
            }
        }
        Ok(())
    }

    /// Prepares and accepts, again where the ground moved.
    fn submit(&self, txs: &[Tx]) -> Result<Told, CommitError> {
        loop {
            match self.accept(self.prepare(txs)?) {
                Ok(told) => return Ok(told),
                Err(Refused::Again) => (),
                Err(Refused::No(error)) => return Err(error),
            }
        }
    }

    /// A change that is no commit: `build` says what it is, or `None` where nothing is to be done. The heads it
    /// names are compared, and read again where another commit came first.
    fn carry(
        &self,
        frees: bool,
        mut build: impl FnMut() -> Result<Option<Change>, Error>,
    ) -> Result<Option<Told>, CommitError> {
        loop {
            let seen = self.indexed().applied;
            let Some(change) = build()? else { return Ok(None) };
            let request = Request { change, carry: true, frees, numbers: Vec::new(), seen };
            match self.accept(request) {
                Ok(told) => return Ok(Some(told)),
                Err(Refused::Again | Refused::No(CommitError::Conflict(_))) => (),
                Err(Refused::No(error)) => return Err(error),
            }
        }
    }

    fn raise_floor(&self, ledger: LedgerId, up_to: ModSeq) -> Result<Option<Told>, CommitError> {
        self.carry(true, || {
            let (durable, _) = self.meta(ledger, View::Durable)?;
            let (head, floor) = self.meta(ledger, View::Accepted)?;
            // Never above what is durable: a floor above the head would hide what comes next.
            let raised = up_to.min(durable);
            let part = Part { ledger, base: head, head, floor: raised, rows: Vec::new() };
            Ok((raised > floor).then(|| Change { parts: vec![part], ..Change::default() }))
        })
    }

    fn log_after(&self, ledger: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        let (head, floor) = self.meta(ledger, View::Durable)?;
        if after < floor {
            return Ok(Changes::Forgotten { floor });
        }
        let key = |modseq: u64| inner(change::LOG, &modseq.to_be_bytes());
        let (start, end) = (key(after.0.saturating_add(1)), key(head.0.saturating_add(1)));
        let rows = self.scan(ledger, &start, &end, limit, View::Durable)?;
        let (_, floor) = self.meta(ledger, View::Durable)?;
        // It was forgotten while it was read.
        if after < floor {
            return Ok(Changes::Forgotten { floor });
        }
        let entries: Vec<_> = rows.into_iter().map(|(_, modseq, entry)| (modseq, entry)).collect();
        let seen = match entries.last() {
            Some((last, _)) if entries.len() == limit => *last,
            _ => head.max(after),
        };
        Ok(Changes::Log { entries, seen })
    }
}

/// A place for a body inside the record, shared by all ledgers of the commit.
fn inside(body: Option<&crate::tx::Body>, inline: &mut Vec<Inline>) -> Result<Place, CommitError> {
    let Some((body, Held::Inline(bytes))) = body.map(|body| (body, &body.held)) else {
        return Err(Error::NoBody.into());
    };
    let at = inline.iter().position(|known| known.blob == body.id).unwrap_or_else(|| {
        inline.push(Inline { blob: body.id, bytes: bytes.clone(), at: 0 });
        inline.len() - 1
    });
    // At most `limits::COMMIT` octets of bodies, and one body of no octets.
    let length = bytes.len() as u32;
    Ok(Place { pieces: vec![Piece { segment: 0, record: at as u32, at: 0, length }] })
}

async fn told(told: Told) -> Result<(), CommitError> {
    match told.await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Stopped("the thread of the log is gone".into()).into()),
    }
}

fn row(key: Bytes, (modseq, value): (ModSeq, Bytes)) -> Row {
    Row { key, value, modseq }
}

impl Engine for Embedded {
    async fn head(&self, ledger: LedgerId, view: View) -> Result<ModSeq, Error> {
        Ok(self.shared.meta(ledger, view)?.0)
    }

    async fn get_many(
        &self,
        ledger: LedgerId,
        keys: &[Bytes],
        view: View,
    ) -> Result<Vec<Option<Row>>, Error> {
        let inner_keys: Vec<Bytes> = keys.iter().map(|key| inner(change::ROW, key)).collect();
        let found = match keys.len() <= IN_PLACE {
            true => self.shared.look(ledger, &inner_keys, view)?,
            false => {
                let shared = self.shared.clone();
                blocking(move || shared.look(ledger, &inner_keys, view)).await?
            }
        };
        Ok(found.into_iter().zip(keys).map(|(found, key)| Some(row(key.clone(), found?))).collect())
    }

    async fn scan(
        &self,
        ledger: LedgerId,
        start: &[u8],
        end: &[u8],
        limit: usize,
        view: View,
    ) -> Result<Vec<Row>, Error> {
        let (start, end) = (inner(change::ROW, start), inner(change::ROW, end));
        let found = match limit <= IN_PLACE {
            true => self.shared.scan(ledger, &start, &end, limit, view)?,
            false => {
                let shared = self.shared.clone();
                blocking(move || shared.scan(ledger, &start, &end, limit, view)).await?
            }
        };
        Ok(found.into_iter().map(|(key, modseq, value)| row(key.slice(1..), (modseq, value))).collect())
    }

    async fn log_after(&self, ledger: LedgerId, after: ModSeq, limit: usize) -> Result<Changes, Error> {
        if limit <= IN_PLACE {
            return self.shared.log_after(ledger, after, limit);
        }
        let shared = self.shared.clone();
        blocking(move || shared.log_after(ledger, after, limit)).await
    }

    async fn commit(&self, txs: Vec<Tx>) -> Result<Vec<ModSeq>, CommitError> {
        let reached = txs.iter().map(Tx::modseq).collect();
        let outcome = self.shared.submit(&txs)?;
        // The bodies stay with us until the outcome is known: a refused commit may be tried again with them.
        let outcome = told(outcome).await;
        drop(txs);
        outcome.map(|()| reached)
    }

    async fn body_open(&self) -> Result<u64, Error> {
        Ok(self.shared.gate().open_body())
    }

    async fn body_append(&self, number: u64, chunk: Bytes) -> Result<(), CommitError> {
        told(self.shared.append(number, chunk)?).await
    }

    async fn body_finish(&self, number: u64, whole: Option<(BlobId, u64)>) -> Result<(), CommitError> {
        match whole {
            Some((blob, _)) => Ok(self.shared.gate().finish_body(number, blob)?),
            None => {
                self.abandon(number);
                Ok(())
            }
        }
    }

    async fn body_read(&self, ledger: LedgerId, blob: BlobId, range: Range<u64>) -> Result<Bytes, Error> {
        let shared = self.shared.clone();
        blocking(move || shared.body(ledger, blob, &range)).await
    }

    async fn forget(&self, ledger: LedgerId, up_to: ModSeq) -> Result<(), Error> {
        let outcome = match self.shared.raise_floor(ledger, up_to) {
            Ok(Some(waiting)) => told(waiting).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => Ok(()),
            Err(CommitError::Failed(error)) => Err(error),
            Err(other) => Err(Error::Io(other.to_string())),
        }
    }

    fn bells(&self) -> &Bells {
        &self.shared.bells
    }
}

/// What looks after a data folder while it is in use. Cheap to clone.
#[derive(Clone)]
pub struct Maintenance {
    engine: Arc<Embedded>,
}

impl Maintenance {
    pub(crate) fn new(engine: Arc<Embedded>) -> Maintenance {
        Maintenance { engine }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let engine = self.engine.clone();
        blocking(move || work(engine.shared())).await
    }

    /// Reads everything that is durable, and names whatever is not as it was written.
    pub async fn verify(&self) -> Result<Report, Error> {
        self.work(verify::verify).await
    }

    /// Moves what lives out of segments that are mostly dead, and removes them.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        self.work(compact::compact).await
    }

    /// Copies the log to another folder, consistent to a moment after the call began. With `incremental`, what
    /// that folder has already is kept. Opening the copy restores everything.
    pub async fn backup(&self, target: &Path, incremental: bool) -> Result<Backup, Error> {
        let target = target.to_owned();
        self.work(move |shared| backup::backup(shared, &target, incremental)).await
    }

    /// Brings the index up to the log.
    pub async fn checkpoint(&self) -> Result<(), Error> {
        self.work(Shared::flush).await
    }

    /// How it is doing.
    pub async fn stats(&self) -> Result<Stats, Error> {
        self.work(stats).await
    }

    /// Octets that can be written.
    pub fn disk_free(&self) -> Result<u64, Error> {
        self.engine.shared.disk.free().map_err(|error| Error::Io(error.to_string()))
    }
}

impl std::fmt::Debug for Maintenance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Maintenance({})", self.engine.shared.folder.display())
    }
}

/// Removes the index of a folder nobody has open: opening it then builds one from the log.
pub async fn rebuild_index(folder: &Path) -> Result<(), Error> {
    let folder = folder.to_owned();
    blocking(move || {
        let _lock = lock::take(&folder)?;
        match std::fs::remove_dir_all(folder.join("index")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::Io(error.to_string())),
            _ => Ok(()),
        }
    })
    .await
}

fn stats(shared: &Shared) -> Result<Stats, Error> {
    let io = |error: std::io::Error| Error::Io(error.to_string());
    let (behind, dead) = {
        let behind = shared.behind();
        (behind.octets, behind.dead.clone())
    };
    let mut segments = Vec::new();
    for number in shared.segments.numbers().map_err(io)? {
        let length = shared.segments.file(number).and_then(|file| file.length()).map_err(io)?;
        segments.push((number, length, dead.get(&number).copied().unwrap_or(0)));
    }
    let names = shared.disk.list(segment::FOLDER).map_err(io)?;
    let counters = &shared.counters;
    Ok(Stats {
        segments,
        tails: names.into_iter().filter(|name| name.ends_with(".tail")).collect(),
        findings: shared.findings.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone(),
        behind,
        checkpoints: counters.checkpoints.load(Ordering::Relaxed),
        replayed: counters.replayed.load(Ordering::Relaxed),
        rebuilt: counters.rebuilt.load(Ordering::Relaxed) != 0,
        commits: counters.commits.load(Ordering::Relaxed),
        syncs: counters.syncs.load(Ordering::Relaxed),
        disk_free: shared.disk.free().map_err(io)?,
    })
}
