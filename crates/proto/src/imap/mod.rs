//! IMAP: RFC 3501, the base of RFC 9051 and their extensions.

//!
//! `Server` is the session. Its rooms: `parse` and `print` (grammar), `command` (one file a command), `state` and `view`
//! (where the session stands), `seqmap` and `pending` (what the client has been told).
//!
//! What never lives here: mailboxes and messages; they are asked for.

pub mod ask;
mod capability;
mod command;
pub mod date;
pub mod limits;
pub mod mailbox;
mod out;
pub mod parse;
mod pattern;
mod pending;
pub mod print;
pub mod section;
pub mod seqmap;
mod session;
mod state;
pub mod types;
mod view;

pub use session::{Options, Server};
