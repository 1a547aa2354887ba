//! ID. RFC 2971.
//!
//! What the client says of itself changes nothing: RFC 2971 §2 forbids to behave by it.

use super::{Around, Outcome};
use crate::imap::print;

pub(super) fn run(around: &mut Around<'_>) -> Outcome {
    let fields = &around.options.id;
    if fields.is_empty() {
        around.out.put("* ID NIL\r\n");
        return Outcome::ok("ID done");
    }
    around.out.put("* ID (");
    for (i, (name, value)) in fields.iter().enumerate() {
        around.out.put(if i == 0 { "" } else { " " });
        print::string(around.out.text(), name.as_bytes());
        around.out.put(" ");
        print::string(around.out.text(), value.as_bytes());
    }
    around.out.put(")\r\n");
    Outcome::ok("ID done")
}
