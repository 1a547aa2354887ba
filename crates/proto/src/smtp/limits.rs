//! Every limit of the SMTP server, with the reason for its size.

use std::time::Duration;

use crate::sasl;

/// Longest command line, CR LF not counted. RFC 5321 §4.5.3.1.4 wants 512, and every extension adds: SIZE 26,
/// AUTH= 500, the longest path 256 of possibly quoted UTF-8.
pub const COMMAND_LINE: usize = 2048;

/// Longest line the buffer lets through: AUTH with an initial response. RFC 4954 §4.
pub const INPUT_LINE: usize = sasl::LINE_LIMIT + 64;

/// Longest line of message text, CR LF not counted. RFC 5321 §4.5.3.1.6 wants 1000 at least; real mail has whole
/// HTML pages in one line, and a refused newsletter helps nobody. A line beyond this is not text.
pub const TEXT_LINE: usize = 1024 * 1024;

/// Longest header section: it is held in memory until the house has seen it.
pub const HEADER: usize = 256 * 1024;

/// Octets gathered before they are handed on as one `Keep`.
pub const KEEP: usize = 32 * 1024;

/// Kept octets not yet written at which the session stops reading.
pub const UNWRITTEN: usize = 256 * 1024;

/// What a refused message may still send before the connection is closed instead of waiting for its end.
pub const DRAIN: u64 = 64 * 1024 * 1024;

/// Largest message where the options name no other.
pub const MESSAGE: u64 = 50 * 1024 * 1024;

/// Recipients of one message. RFC 5321 §4.5.3.1.8 wants 100 at least.
pub const RECIPIENTS: usize = 1000;

/// Errors of the peer since the last accepted message, then 421.
pub const ERRORS: u32 = 20;

/// Recipients refused for good since the last accepted message, then 421: an old mailing list has many, a guesser
/// of addresses has more.
pub const REFUSED_RECIPIENTS: u32 = 100;

/// Commands that bring no message nearer (NOOP, RSET, HELP, VRFY, EHLO) since the last accepted one, then 421.
pub const IDLE_COMMANDS: u32 = 100;

/// Failed log-ins in one session, then 421.
pub const FAILED_LOGINS: u32 = 5;

/// Longest name in EHLO. RFC 5321 §4.5.3.1.2.
pub const DOMAIN: usize = 255;

/// Longest local part. RFC 5321 §4.5.3.1.1.
pub const LOCAL_PART: usize = 64;

/// Longest label of a domain. RFC 1035 §2.3.4.
pub const LABEL: usize = 63;

/// From our reply to the end of the next command. RFC 5321 §4.5.3.2.7.
pub const COMMAND_WAIT: Duration = Duration::from_secs(5 * 60);

/// For the TLS handshake.
pub const HANDSHAKE_WAIT: Duration = Duration::from_secs(60);

/// Silence within message text. RFC 5321 §4.5.3.2.5 gives the sender three minutes, §4.5.3.2.6 ten.
pub const BODY_SILENCE: Duration = Duration::from_secs(10 * 60);

/// For a whole message, so that a trickle cannot hold a session for ever.
pub const BODY_WAIT: Duration = Duration::from_secs(2 * 60 * 60);
