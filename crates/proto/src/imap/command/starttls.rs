//! STARTTLS. RFC 3501 §6.2.1.

use super::{Around, Outcome, Then};
use crate::imap::state::NotAuthenticated;

pub(super) fn run(entry: &NotAuthenticated, around: &Around<'_>) -> Outcome {
    if entry.secured {
        return Outcome::bad("This connection is secured already");
    }
    if !around.options.starttls {
        return Outcome::bad("STARTTLS is not offered at this door");
    }
    Outcome::ok("Begin the handshake now").then(Then::StartTls)
}
