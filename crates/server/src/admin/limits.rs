//! How much one command may hold in memory, and how much it may ask for.

/// Octets of one frame.
pub const FRAME: usize = 1024 * 1024;
/// Octets of a message, or of a long text, that are put in one frame.
pub const PIECE: usize = 256 * 1024;
/// Commands answered at once.
pub const DESKS: usize = 32;
/// Messages that one commit of an import takes.
pub const BATCH: usize = store::limits::IMPORTED_PER_COMMIT;
/// Octets that a batch holds in memory before it is committed; far below what a commit may weigh, since the last
/// message may be as large as one can be.
pub const BATCH_OCTETS: u64 = 16 * 1024 * 1024;
/// Octets of one message of an import. More than any door takes, so that old mail can be brought along.
pub const MESSAGE: u64 = 1 << 30;
/// Octets of a directory as text.
pub const DIRECTORY: usize = 64 * 1024 * 1024;
/// Messages that an import leaves out and names; of more there is only the number.
pub const NAMED: u64 = 1000;
/// Messages of an export after which progress is told.
pub const PROGRESS: u64 = 100;
