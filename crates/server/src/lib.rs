//! The world: listeners, TLS and certificates, the driver, configuration, reload and drain.
//!
//! What never lives here: decisions that a test would want to make; those are the postmaster's.

pub mod cert;
pub mod clock;
pub mod config;
pub mod door;
mod dots;
pub mod driver;
pub mod listen;
pub mod stream;
pub mod tls;
