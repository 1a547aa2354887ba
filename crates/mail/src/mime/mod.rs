//! The structure of a message, found in one pass over its octets without decoding any. RFC 2045, RFC 2046.
//!
//! `indexer` cuts the message into parts and lines, `delimiter` tells which lines part them, `fields` reads the
//! few header fields that a `Summary` holds.
//! Where the RFCs leave a choice, or a message breaks them:
//!
//! | found | taken as | others |
//! |---|---|---|
//! | a line that begins with a boundary and goes on | a delimiter (RFC 2046 §5.1.1); a whole line, then the longest boundary, wins | Python wants a whole line |
//! | an inner part with the boundary of the outer one | delimiters are of the inner one until it is closed | Python: of the outer |
//! | delimiters without anything between | an empty part each | Python joins them |
//! | no boundary, or none found | one empty text/plain part, because IMAP has no empty multipart | Python: one text |
//! | a line in a header that is no field | of the field before it, if an empty line or a field follows; else the body begins there (RFC 7103 §7.2) | Python: the body begins there |
//! | a section that does not begin with a field | body, without header; indented lines may come first | – |
//! | no Content-Type in a digest; an unreadable one anywhere | message/rfc822; text/plain (RFC 2045 §5.2) | – |
//! | no MIME-Version | MIME all the same (RFC 7103 §8.1) | – |
//! | base64 around a multipart or a message, against RFC 2045 §6.4 | not undone | – |
//! | fields that are repeated | the first; address fields are joined | – |
//!
//! What never lives here: transfer encodings and charsets; the text of a part is in `body`.

mod delimiter;
mod fields;
mod indexer;

pub use indexer::Indexer;
