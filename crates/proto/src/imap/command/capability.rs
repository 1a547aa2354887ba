//! CAPABILITY. RFC 3501 §6.1.1.

use super::{Around, Outcome};
use crate::imap::capability;
use crate::imap::state::State;

pub(super) fn run(state: &State, around: &mut Around<'_>) -> Outcome {
    let words = capability::words(state, around.options);
    around.out.line(format_args!("* CAPABILITY {words}"));
    Outcome::ok("CAPABILITY done")
}
