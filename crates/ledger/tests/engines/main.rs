//! Every engine passes one suite, `contract`, and agrees with one model, `model`.

mod contract;
mod embedded;
mod house;
mod memory;
mod model;
mod postgres;
mod proxy;
#[path = "../support/postgres.rs"]
mod server;
