//! What the rows mean: accounts, mailboxes, messages, flags, quota, search, the directory of domains and people.
//!
//! What never lives here: wire formats, the names of engines, policy.

mod account;
mod change;
mod changing;
mod codec;
pub mod credential;
pub mod directory;
mod draft;
mod error;
mod filing;
pub mod limits;
mod mailboxes;
mod maildrop;
mod name;
mod recount;
mod removing;
mod renaming;
mod retry;
mod rows;
#[cfg(test)]
mod scene;
mod search;
mod store;
mod view;

pub use account::Usage;
pub use changing::{Copied, Flagged};
pub use draft::Draft;
pub use error::Error;
pub use filing::{Arrival, Filed};
pub use maildrop::Maildrop;
pub use rows::account::{INBOX, Quota};
pub use store::{Committed, Store};
