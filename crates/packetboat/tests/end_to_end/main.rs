//! End to end: the built binary, and mail programs that nobody here wrote.
//!
//! One file a promise. What never lives here: anything that knows the inside of the house; these tests have a
//! command line, seven ports and a data folder, as a stranger has. A judge that is missing is a failed test that
//! says how to get it, never a skipped one.

mod support;

mod crowd;
mod doors;
mod mailbox;
mod places;
mod reading;
mod refusals;
mod restart;
mod sending;
mod together;
