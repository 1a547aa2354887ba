//! Port offsets at which all seven doors are free.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// The doors that `up` opens, before the offset.
pub const STANDARD: [u16; 7] = [25, 110, 143, 465, 587, 993, 995];

/// Offsets are taken from here: above what other tests and a try-out use, below where the kernel takes ports for
/// outgoing connections, which could otherwise be in the way.
const FIRST: u16 = 11_000;
const LAST: u16 = 31_000;
/// The standard ports (and 80 and 443) all differ modulo this, so no two multiples of it share a port.
const STEP: u16 = 26;

/// Counts the offsets this process has tried.
static TRIED: AtomicU16 = AtomicU16::new(0);

/// An offset at which nobody listens. No two calls in this process give the same.
pub fn free_offset() -> u16 {
    let room = (LAST - FIRST) / STEP;
    // Processes that run at the same time begin at different places.
    let start = std::process::id().wrapping_mul(211) as u16;
    for _ in 0..room {
        let step = start.wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed)) % room;
        let offset = FIRST + step * STEP;
        if STANDARD.iter().all(|port| is_free(offset + port)) {
            return offset;
        }
    }
    panic!("no port offset from {FIRST} to {LAST} has all of {STANDARD:?} free");
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

#[test]
fn no_two_offsets_share_a_port() {
    for (n, low) in STANDARD.iter().enumerate() {
        for high in &STANDARD[n + 1..] {
            assert_ne!(low % STEP, high % STEP, "{low} and {high}");
        }
    }
}
