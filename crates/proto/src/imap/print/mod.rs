//! The pieces of responses: values to octets, appended to a buffer. RFC 9051 §7 and §9.
//!
//! What never lives here: tagged responses and their texts, and the question whether a response is due.
//!
//! Strings are quoted where that is possible and short, and literals otherwise; nothing is stripped or corrected.

mod envelope;
mod fetch;
mod list;
mod search;
mod string;
mod structure;

pub use envelope::envelope;
pub use fetch::{flags, internal_date, literal_head, section};
pub use list::{ListEntry, list, lsub, status};
pub use search::{Esearch, append_uid, copy_uid, esearch, search, sequence_set};
pub use string::{mailbox, nstring, number, string};
pub use structure::body_structure;
