//! The grammar: octets from the client to commands. RFC 9051 §9, RFC 3501 §9 and those of the extensions.
//!
//! What never lives here: state of the session (whether a command is allowed now), and replies.
//!
//! `Reader` gathers one command with its literals; the rest of this folder turns the gathered octets into a
//! `Command`, one file per family of commands. Every octet is gathered once and parsed once, except that the
//! head of APPEND is looked at again when its second literal is announced.

mod append;
mod command;
mod cursor;
mod fetch;
mod list;
mod reader;
mod search;

pub use reader::{Event, LineTooLong, Reader};

pub(crate) use cursor::{Cursor, Fault, is_atom};
