//! NOOP and CHECK. RFC 3501 §6.1.2, §6.4.1.

use super::{Begin, Outcome};
use crate::imap::state::{Selected, State};

/// A client that says NOOP wants the news, whether or not the bell has rung here yet.
pub(super) fn run(name: &'static str, state: &mut State) -> Outcome {
    if let Some(view) = state.view_mut() {
        view.doubt();
    }
    Outcome::ok(format!("{name} done"))
}

/// Everything is durable before it is acknowledged, so there is nothing to write out.
pub(super) fn check(selected: &mut Selected) -> Begin {
    selected.view.doubt();
    Begin::Now(Outcome::ok("CHECK done"))
}
