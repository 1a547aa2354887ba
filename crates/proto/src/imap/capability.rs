//! What the server says it can do, by state. RFC 3501 §7.2.1.
//!
//! What never lives here: the doing. A word is added when its command works whole.

use std::fmt::Write as _;

use super::session::Options;
use super::state::State;
use crate::sasl;

/// True in every state.
const ALWAYS: &str = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE";

/// Once somebody is logged in.
const WITH_USER: &str = "NAMESPACE CHILDREN UIDPLUS MOVE UNSELECT SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED \
                         LIST-STATUS CONDSTORE ESEARCH STATUS=SIZE";

/// The words, separated by spaces.
pub(crate) fn words(state: &State, options: &Options) -> String {
    let mut text = ALWAYS.to_owned();
    // Writing to a string does not fail.
    let _ = match state {
        State::NotAuthenticated(entry) => {
            if options.starttls && !entry.secured {
                text.push_str(" STARTTLS");
            }
            if may_log_in(entry.secured, options) {
                sasl::MECHANISMS.iter().try_for_each(|name| write!(text, " AUTH={name}"))
            } else {
                write!(text, " LOGINDISABLED")
            }
        }
        State::Authenticated(_) | State::Selected(_) => with_user(&mut text, options),
    };
    text
}

/// The words that hold from the log-in on, for the response that says it is done.
pub(crate) fn words_after_login(options: &Options) -> String {
    let mut text = ALWAYS.to_owned();
    // Writing to a string does not fail.
    let _ = with_user(&mut text, options);
    text
}

fn with_user(text: &mut String, options: &Options) -> std::fmt::Result {
    write!(text, " {WITH_USER} APPENDLIMIT={}", options.append_limit)
}

/// Passwords travel only inside TLS, unless the door says otherwise. RFC 3501 §6.2.3.
pub(crate) fn may_log_in(secured: bool, options: &Options) -> bool {
    secured || options.plain_login
}
