//! SMTP: RFC 5321 and its extensions.
//!
//! What never lives here: who may send what to whom. The server asks.

pub mod ask;
pub mod command;
pub mod limits;
pub mod params;
pub mod path;

mod data;
mod receiving;
mod reply;
mod server;

pub use server::{Door, Options, Server};
