//! What went wrong, said in each protocol's own words.
//!
//! What never lives here: when something is refused. What only an operator can act upon goes to the log; a peer
//! hears that it may try again.

use proto::imap;
use proto::imap::ask::Code;
use proto::smtp::ask::Reply;
use store::Error;

const LATER: &str = "Storage is not available at present; try again later";
const FULL: &str = "There is no room at present; try again later";
const UNREADABLE: &str = "What is stored here cannot be read; the administrator has been told";

/// Tells the operator, if it is for the operator.
fn report(error: &Error) {
    match error {
        Error::Unavailable(_) | Error::Full => tracing::error!(%error, "storage refused"),
        Error::Corrupt(_) => tracing::error!(%error, "storage is damaged"),
        Error::Busy => tracing::warn!(%error, "storage refused"),
        _ => {}
    }
}

/// An SMTP reply about this recipient, or about the message if there is none. RFC 3463.
pub(crate) fn smtp(error: &Error, recipient: Option<&str>) -> Reply {
    report(error);
    let whose = |text: &str| recipient.map_or_else(|| text.to_owned(), |who| format!("<{who}>: {text}"));
    match error {
        Error::OverQuota(_) => Reply::new(452, "4.2.2", whose("this mailbox is full; try again later")),
        Error::Limit(why) => Reply::new(452, "4.2.2", whose(why)),
        Error::TooBig => Reply::new(552, "5.3.4", "The message is too large"),
        Error::Full => Reply::new(452, "4.3.1", FULL),
        // The account was there when the recipient was accepted: when it is tried again, the truth will be told.
        Error::NonExistent => {
            Reply::new(451, "4.2.1", whose("this mailbox is not available; try again later"))
        }
        Error::Busy
        | Error::Unavailable(_)
        | Error::Corrupt(_)
        | Error::AlreadyExists
        | Error::HasChildren
        | Error::Cannot(_) => Reply::new(451, "4.3.0", LATER),
    }
}

/// An IMAP NO. RFC 5530 §3.
pub(crate) fn imap(error: Error) -> imap::ask::Answer {
    report(&error);
    let (code, text) = match error {
        Error::NonExistent => (Code::NonExistent, "There is no such mailbox".to_owned()),
        Error::AlreadyExists => (Code::AlreadyExists, "There is a mailbox of that name already".to_owned()),
        Error::HasChildren => (Code::HasChildren, "There are mailboxes below it".to_owned()),
        Error::Cannot(why) => (Code::Cannot, why),
        Error::OverQuota(_) => (Code::OverQuota, "The quota is reached".to_owned()),
        Error::Limit(why) => (Code::Limit, why),
        Error::TooBig => (Code::TooBig, "The message is too large".to_owned()),
        Error::Full => (Code::Unavailable, FULL.to_owned()),
        Error::Unavailable(_) | Error::Busy => (Code::Unavailable, LATER.to_owned()),
        Error::Corrupt(_) => (Code::Corruption, UNREADABLE.to_owned()),
    };
    imap::ask::Answer::No { code, text }
}

/// The same where a missing mailbox is the target, which CREATE would make. RFC 9051 §6.3.12, §6.4.7.
pub(crate) fn imap_target(error: Error) -> imap::ask::Answer {
    match error {
        Error::NonExistent => {
            imap::ask::Answer::No { code: Code::TryCreate, text: "There is no such mailbox".into() }
        }
        other => imap(other),
    }
}

/// The same where a message was wanted.
pub(crate) fn imap_message(error: Error) -> imap::ask::Answer {
    match error {
        Error::NonExistent => {
            imap::ask::Answer::No { code: Code::None, text: "The message no longer exists".into() }
        }
        other => imap(other),
    }
}

/// The words behind POP3's `[SYS/TEMP]`. RFC 3206 §4.
pub(crate) fn pop3(error: &Error) -> String {
    report(error);
    match error {
        Error::NonExistent => "The message no longer exists".into(),
        Error::Full => FULL.into(),
        Error::Corrupt(_) => UNREADABLE.into(),
        Error::OverQuota(_) | Error::TooBig => error.to_string(),
        Error::Limit(why) | Error::Cannot(why) => why.clone(),
        Error::Unavailable(_) | Error::Busy | Error::AlreadyExists | Error::HasChildren => LATER.into(),
    }
}
