//! What every test needs: a server of its own, programs of other people with a time limit, letters that are easy to
//! get wrong, and a plain socket.

pub mod house;
pub mod letter;
pub mod line;
pub mod ports;
pub mod program;
pub mod python;

pub use house::{ALICE, ALICE_PASSWORD, BOB, BOB_PASSWORD, HOSTNAME, House, Server};
pub use letter::{Letter, assert_arrived, below_trace, lf_to_crlf};
pub use program::judge;
