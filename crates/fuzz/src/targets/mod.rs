//! The targets, one file per grammar.

mod address;
pub mod cut;
mod imap_output;
mod imap_reader;
mod imap_session;
mod index;
mod lines;
mod mail_world;
mod names;
mod pop3_session;
mod sasl;
mod smtp_session;
mod smtp_words;
pub mod talk;
mod text;

pub use address::address;
pub use imap_reader::imap_reader;
pub use imap_session::imap_session;
pub use index::{index, summary};
pub use lines::lines;
pub use names::{header, names};
pub use pop3_session::pop3_session;
pub use sasl::sasl;
pub use smtp_session::smtp_session;
pub use smtp_words::smtp_words;
pub use text::{body_text, encoded_words};

use crate::Target;

/// All of them.
pub const ALL: &[&Target] = &[
    &imap_reader::TARGET,
    &imap_session::TARGET,
    &smtp_session::TARGET,
    &pop3_session::TARGET,
    &smtp_words::TARGET,
    &sasl::TARGET,
    &lines::TARGET,
    &index::INDEX,
    &index::SUMMARY,
    &names::HEADER,
    &names::MAILBOX_NAME,
    &text::WORDS,
    &text::BODY,
    &address::TARGET,
];
