//! POP3: RFC 1939 and its extensions.

pub mod ask;
