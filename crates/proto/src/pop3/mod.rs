//! POP3: RFC 1939 and its extensions.

pub mod ask;
mod command;
pub mod limits;
mod server;

pub use server::{Options, Server};
