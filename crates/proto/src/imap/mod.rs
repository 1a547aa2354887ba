//! IMAP: RFC 3501, the base of RFC 9051 and their extensions.

pub mod ask;
pub mod date;
pub mod limits;
pub mod mailbox;
pub mod parse;
pub mod print;
pub mod section;
pub mod types;
