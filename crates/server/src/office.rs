//! What a data folder holds, open: the ledger, and the postmaster over it. One process at a time has it.

use std::path::{Path, PathBuf};

use ledger::Ledger;
use postmaster::{Policy, Postmaster};
use store::Store;
use store::credential::Strength;

use crate::clock::Clock;

/// The folder of the ledger in the data folder.
const LEDGER: &str = "ledger";
/// The folder of certificates and keys in it.
const TLS: &str = "tls";
/// The socket by which a running house is asked, in it.
const SOCKET: &str = "admin.sock";

/// What a data folder holds, open. Cheap to clone.
#[derive(Clone)]
pub struct Office {
    /// Answers, and reaches everything that is kept.
    pub postmaster: Postmaster,
    /// The rows themselves.
    pub ledger: Ledger,
    /// Where all of it is.
    pub data: PathBuf,
    /// The time.
    pub clock: Clock,
}

/// What only a running house can do.
pub trait Control: Send + Sync {
    /// How it is: what `packetboat status` shows.
    fn status(&self) -> serde_json::Value;
    /// Reads configuration and certificates again: what changed, or what is wrong.
    fn reload(&self) -> Result<Vec<String>, Vec<String>>;
}

impl Office {
    /// Opens a data folder, made if missing. The error says what to do.
    pub async fn open(data: &Path, policy: Policy) -> Result<Office, String> {
        make_private(data)?;
        let ledger = Ledger::open(&data.join(LEDGER)).await.map_err(|error| match error {
            ledger::Error::Locked(_) => format!(
                "{} is in use by another packetboat; stop it first, or give this one another folder with --data",
                data.display()
            ),
            other => format!("{}: {other}", data.display()),
        })?;
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| format!("no randomness: {error}"))?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let store = Store::new(ledger.clone());
        let postmaster = Postmaster::new(store, policy, Strength::default(), cores, key);
        Ok(Office { postmaster, ledger, data: data.to_owned(), clock: Clock })
    }
}

/// Where certificates and keys are.
pub fn tls_folder(data: &Path) -> PathBuf {
    data.join(TLS)
}

/// Where the ledger is.
pub fn ledger_folder(data: &Path) -> PathBuf {
    data.join(LEDGER)
}

/// Where a running house is asked.
pub fn socket(data: &Path) -> PathBuf {
    data.join(SOCKET)
}

/// Makes a folder that only its owner reads, with those above it.
pub fn make_private(folder: &Path) -> Result<(), String> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(fail)
}
