//! NAMESPACE. RFC 2342: one personal namespace without a prefix.

use super::{Around, Outcome};

pub(super) fn run(around: &mut Around<'_>) -> Outcome {
    around.out.put("* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
    Outcome::ok("NAMESPACE done")
}
