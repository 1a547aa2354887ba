//! What the rows mean: accounts, mailboxes, messages, flags, quota, search, the directory of domains and people.
//!
//! What never lives here: wire formats, the names of engines, policy.

mod account;
#[allow(dead_code)]
mod change;
#[allow(dead_code)]
mod codec;
pub mod credential;
pub mod directory;
#[allow(dead_code)]
mod draft;
mod error;
pub mod limits;
#[allow(dead_code)]
mod name;
mod retry;
mod rows;
mod store;

pub use draft::Draft;
pub use error::Error;
pub use store::{Committed, Store};
