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

#[cfg(test)]
mod tests {
    use mail::AccountId;

    use super::*;

    const SECRET: &str = "the words for the operator";

    fn all() -> [Error; 11] {
        [
            Error::NonExistent,
            Error::AlreadyExists,
            Error::HasChildren,
            Error::Cannot("so".into()),
            Error::OverQuota(AccountId(1024)),
            Error::Limit("so many".into()),
            Error::TooBig,
            Error::Full,
            Error::Unavailable(SECRET.into()),
            Error::Corrupt(SECRET.into()),
            Error::Busy,
        ]
    }

    /// RFC 3463: 4 in front of both, or 5; whatever is not the peer's fault is temporary.
    #[test]
    fn smtp_replies() {
        for error in all() {
            let reply = smtp(&error, Some("a@x.test"));
            assert_eq!(reply.code / 100, u16::from(reply.enhanced.as_bytes()[0] - b'0'), "{error:?}");
            assert_eq!(reply.code >= 500, error == Error::TooBig, "{error:?}");
            assert!(!reply.text.contains(SECRET) && !reply.text.is_empty(), "{reply:?}");
        }
        let reply = smtp(&Error::OverQuota(AccountId(1)), Some("a@x.test"));
        assert_eq!((reply.code, reply.enhanced), (452, "4.2.2"));
        assert!(reply.text.contains("<a@x.test>"));
        assert_eq!(smtp(&Error::Full, None).enhanced, "4.3.1");
    }

    #[test]
    fn imap_codes() {
        let code = |answer| match answer {
            imap::ask::Answer::No { code, text } => {
                assert!(!text.contains(SECRET) && !text.is_empty(), "{text}");
                code
            }
            other => panic!("{other:?}"),
        };
        let codes = all().map(|error| code(imap(error)));
        let wanted = [
            Code::NonExistent,
            Code::AlreadyExists,
            Code::HasChildren,
            Code::Cannot,
            Code::OverQuota,
            Code::Limit,
            Code::TooBig,
            Code::Unavailable,
            Code::Unavailable,
            Code::Corruption,
            Code::Unavailable,
        ];
        assert_eq!(codes, wanted);
        assert_eq!(code(imap_target(Error::NonExistent)), Code::TryCreate);
        assert_eq!(code(imap_message(Error::NonExistent)), Code::None);
        assert_eq!(code(imap_target(Error::Full)), Code::Unavailable);
    }

    #[test]
    fn pop3_words() {
        for error in all() {
            let words = pop3(&error);
            assert!(!words.contains(SECRET) && !words.is_empty(), "{words}");
        }
    }
}
