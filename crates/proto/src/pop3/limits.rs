//! Every limit of the POP3 server, with the reason for its size.

use std::time::Duration;

use crate::sasl;

/// Longest command line, CR LF not counted. RFC 2449 §4 wants 253; UTF-8 names and long passwords need more.
pub const COMMAND_LINE: usize = 2048;

/// Longest line the buffer lets through: an answer to a SASL challenge, or AUTH with an initial response.
pub const INPUT_LINE: usize = sasl::LINE_LIMIT + 64;

/// Octets received and not yet acted upon at which the session stops reading.
pub const INPUT_HELD: usize = 64 * 1024;

/// A listing is written in pages of about this many octets, so that a slow reader of a long list costs little.
pub const PAGE: usize = 16 * 1024;

/// Without a command for so long, the session ends. RFC 1939 §3 wants ten minutes at least.
pub const IDLE: Duration = Duration::from_secs(600);

/// For the TLS handshake.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(30);

/// Errors without anything good between them, then the session ends.
pub const ERRORS: u32 = 20;

/// Commands before the log-in, good or bad, then the session ends: nobody needs more.
pub const COMMANDS_BEFORE_LOGIN: u32 = 100;

/// Failed log-ins in one session, then it ends.
pub const FAILED_LOGINS: u32 = 5;
