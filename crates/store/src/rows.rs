//! Every key and value of every ledger: those of the directory in `directory`, those of an account in `account`.

pub(crate) mod account;
pub(crate) mod directory;
