//! What is said on the wire: grammar and session machines for SMTP, IMAP and POP3, and SASL.
//!
//! What never lives here: sockets, TLS, the clock, the store, policy. A session is a value; bytes and the
//! time come in, actions go out, and what it wants to know it asks.

pub mod imap;
pub mod line;
pub mod login;
pub mod pop3;
pub mod sasl;
pub mod session;
pub mod smtp;

pub use session::{Action, Coding, Input, Note, Session, TlsFailure, TlsInfo, TlsPolicy};
