//! Where a bench works: a folder that is emptied first, and ports of loopback that nobody has.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use crate::step::{self, Failed};

/// Every port, less the offset, that a bench's servers take: Packetboat's own, and Postfix and Dovecot beside.
const PORTS: &[u16] = &[24, 25, 26, 80, 110, 143, 144, 443, 465, 587, 993, 995, 4190];
/// Offsets start here and go up by [`STEP`]: above what needs root, below what the kernel gives to callers.
const FIRST: u16 = 10_000;
const STEP: u16 = 1_000;
const OFFSETS: u16 = 18;

/// A folder of the bench's own under `target/bench`, empty. On the file system of the repository.
pub fn folder(name: &str) -> Result<PathBuf, Failed> {
    let folder = step::root().join("target/bench").join(name);
    let failed = |error: std::io::Error| Failed::new("bench", format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;
    Ok(folder)
}

/// A number to add to every port such that all of them are free. Tried in an order that differs from process to
/// process, so that two benches seldom meet.
pub fn offset() -> Result<u16, Failed> {
    let start = u16::try_from(std::process::id() % u32::from(OFFSETS)).unwrap_or(0);
    (0..OFFSETS)
        .map(|i| FIRST + (start + i) % OFFSETS * STEP)
        .find(|offset| PORTS.iter().all(|port| free(offset + port)))
        .ok_or_else(|| Failed::new("bench", "no free ports on 127.0.0.1"))
}

fn free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}
