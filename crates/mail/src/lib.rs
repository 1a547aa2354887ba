//! The nouns of the house: addresses, headers, MIME structure, dates, encoded
//! words, flags, UIDs, mailbox names.
//!
//! What never lives here: I/O, async, the time of day, protocol verbs.

pub mod address;
pub mod address_list;
mod base64;
pub mod body;
mod charset;
pub mod date;
mod flag;
pub mod header;
mod id;
pub mod limits;
mod mailbox;
pub mod mailbox_name;
mod mime;
mod moment;
pub mod parameter;
mod secret;
mod summary;
mod summary_code;
mod uid_set;
pub mod words;

pub use address::{Address, AddressError};
pub use flag::{Flags, SystemFlags};
pub use id::{AccountId, BlobId, BodyId, LedgerId, MailboxId, ModSeq, Uid, UidValidity};
pub use mailbox::{FlagChange, MailboxChanges, MailboxInfo, MessageRow, SearchKey, Selected, SpecialUse};
pub use mime::Indexer;
pub use moment::Moment;
pub use secret::Secret;
pub use summary::{Content, Disposition, Envelope, EnvelopeAddress, Part, Summary};
pub use uid_set::UidSet;
