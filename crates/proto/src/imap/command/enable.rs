//! ENABLE. RFC 5161.

use super::{Around, Outcome};

/// What can be enabled; anything else is passed over in silence. RFC 5161 §3.1. That it takes effect is seen to
/// where all CONDSTORE enabling commands are noticed.
const KNOWN: [&str; 1] = ["CONDSTORE"];

pub(super) fn run(names: &[String], around: &mut Around<'_>) -> Outcome {
    around.out.put("* ENABLED");
    for known in KNOWN.iter().filter(|known| names.iter().any(|name| name.eq_ignore_ascii_case(known))) {
        around.out.put(" ");
        around.out.put(known);
    }
    around.out.put("\r\n");
    Outcome::ok("ENABLE done")
}
