//! What the rows mean: accounts, mailboxes, messages, flags, quota, search, the directory of domains and people.
//!
//! What never lives here: wire formats, the names of engines, policy.

pub mod credential;
pub mod directory;
mod error;
#[allow(dead_code)]
mod octets;
#[allow(dead_code)]
mod retry;
#[allow(dead_code)]
mod rows;
mod store;

pub use error::Error;
pub use store::Store;
