//! What a commit may weigh. Whoever builds rows keeps below these; the ledger refuses what is above.

/// Ledgers in one commit.
pub const LEDGERS_PER_COMMIT: usize = 64;
/// Octets of a key. Not empty.
pub const KEY: usize = 1024;
/// Octets of a value.
pub const VALUE: usize = 1024 * 1024;
/// Octets of a commit's entry in one ledger's log.
pub const LOG_ENTRY: usize = 1024 * 1024;
/// Octets of one commit: keys, values, log entries, and the bodies written inside it, each counted once.
pub const COMMIT: usize = 64 * 1024 * 1024;
/// Octets of a body that is kept in memory and written inside its commit. Larger ones reach the engine in
/// pieces of exactly this size while they arrive; the last piece may be shorter.
pub const INLINE_LIMIT: usize = 256 * 1024;
/// Rows of one page when a reader asks for more.
pub const SCAN: usize = 1_000_000;
