//! The world: listeners, TLS and certificates, the driver, configuration, reload and drain.
//!
//! What never lives here: decisions that a test would want to make; those are the postmaster's.

pub mod admin;
pub mod cert;
pub mod clock;
pub mod config;
mod conversation;
pub mod door;
mod dots;
pub mod driver;
pub mod founding;
pub mod house;
pub mod listen;
pub mod office;
pub mod privilege;
pub mod stream;
pub mod tls;
