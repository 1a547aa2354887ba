//! IMAP: RFC 3501, the base of RFC 9051 and their extensions.

pub mod ask;
pub mod types;
