//! The structure of a message, found in one pass over its octets without decoding any. RFC 2045, RFC 2046.
//!
//! `indexer` cuts the message into parts and lines, `delimiter` tells which lines part them, `fields` reads the
//! few header fields that a `Summary` holds.
//! What never lives here: transfer encodings and charsets; the text of a part is in `body`.

mod delimiter;
mod fields;
mod indexer;

pub use indexer::Indexer;
