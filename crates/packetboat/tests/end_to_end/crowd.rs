//! Many who wait: a delivery reaches every session in IDLE.

use crate::support::{House, python};

#[test]
fn a_hundred_idle_sessions_are_told_of_a_delivery() {
    let house = House::new();
    let server = house.start();
    // Fifty each for alice and bob: an account has a cap of a hundred.
    let ran = python::run(&house, "imap_crowd.py", &["50"]);
    print!("{}", ran.text());
    server.stop();
}
