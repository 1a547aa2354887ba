//! Hostile input for every grammar of the house: a target per grammar, mutated seeds, and a runner that needs
//! nothing but stable Rust.
//!
//! A target is a plain function of octets that panics when a promise is broken. What never lives here: examples
//! with expected results (they stand beside the code), and anything that needs a socket, a clock or a disk.
//!
//! Targets leave *marks* of what they have seen (a reply's code, a kind of question). An input that leaves a new
//! mark is kept and mutated further, which leads the mutations inwards without instrumented code.

pub mod dice;
pub mod mark;
pub mod mutate;
pub mod runner;
pub mod seeds;
mod target;
pub mod targets;

pub use runner::{Bounds, Failure, Report, run};
pub use target::{Target, find};
