//! LOGOUT. RFC 3501 §6.1.3.

use super::{Around, Outcome, Then};

pub(super) fn run(around: &mut Around<'_>) -> Outcome {
    around.out.put("* BYE Goodbye\r\n");
    Outcome::ok("LOGOUT done").then(Then::Logout)
}
