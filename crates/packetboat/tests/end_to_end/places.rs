//! One folder, one server; one port, one program: who is in the way is named, and nothing is harmed.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;

use crate::support::{ALICE, House, Letter, ports, program, python};

#[test]
fn a_second_server_on_the_same_folder_is_refused() {
    let house = House::new();
    let server = house.start();
    let refused = program::finish(house.up(ports::free_offset()));
    assert_eq!(refused.status.code(), Some(1), "{refused}");
    assert!(!refused.text().lines().any(|line| line == "ready"), "{refused}");
    // The one who reads this wants to know which folder, and what is the matter with it.
    let folder = house.data();
    assert!(refused.err.contains(&*folder.to_string_lossy()), "the folder is not named: {refused}");
    assert!(refused.err.contains("in use"), "{refused}");
    assert!(!refused.err.contains("panicked"), "{refused}");
    // The first is not harmed.
    python::submit(&house, ALICE, ALICE, &[Letter::short(ALICE, ALICE)]);
    assert_eq!(python::read(&house, ALICE, "INBOX").messages.len(), 1);
    server.stop();
}

#[test]
fn a_port_that_is_taken_names_the_program_that_holds_it() {
    let house = House::new();
    let taken = house.port(143);
    let _holder = TcpListener::bind((Ipv4Addr::LOCALHOST, taken)).expect("the port is free");
    let refused = program::finish(house.up(house.offset()));
    assert_eq!(refused.status.code(), Some(1), "{refused}");
    assert!(refused.err.contains(&taken.to_string()), "the port is not named: {refused}");
    assert!(refused.err.contains(&std::process::id().to_string()), "the holder is not named: {refused}");
    assert!(!refused.text().lines().any(|line| line == "ready"), "{refused}");
    assert!(!refused.err.contains("panicked"), "{refused}");
}

#[test]
fn the_data_folder_is_for_its_owner_alone() {
    let house = House::new();
    let server = house.start();
    let mode = std::fs::metadata(house.data()).expect("the data folder").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "{mode:o}");
    server.stop();
}
