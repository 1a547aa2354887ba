//! What an IMAP client may send at most. Every number that bounds memory or work on a client's behalf is here.

use std::time::Duration;

/// Octets of one line, its ending counted. A UID set over ten thousand scattered messages still fits.
pub const LINE_MAX: usize = 64 * 1024;
/// Octets of one command with its literals, once logged in. The literal of APPEND is not counted: it is never
/// held, but handed on as it arrives.
pub const COMMAND_MAX: usize = 1024 * 1024;
/// The same before log-in, when nobody has vouched for the peer.
pub const COMMAND_MAX_BEFORE_LOGIN: usize = 8 * 1024;
/// Octets of a literal that is an argument.
pub const LITERAL_MAX: usize = 128 * 1024;
/// Octets of a refused command that are read and dropped, so that the connection can go on. A client that has
/// announced or sent more than this is beyond talking to: the connection closes.
pub const SKIP_MAX: u64 = 64 * 1024;
/// Octets of a tag.
pub const TAG_MAX: usize = 128;
/// How deep anything may nest: NOT, OR and parentheses of SEARCH, part numbers of a section.
pub const NESTING_MAX: usize = 50;
/// Ranges in one sequence set.
pub const SET_RANGES_MAX: usize = 16 * 1024;
/// Keys in one SEARCH, all depths together.
pub const SEARCH_KEYS_MAX: usize = 1000;
/// Items of one FETCH.
pub const FETCH_ITEMS_MAX: usize = 200;
/// Field names in one HEADER.FIELDS.
pub const HEADER_FIELDS_MAX: usize = 200;
/// Flags and keywords in one STORE or APPEND.
pub const FLAGS_MAX: usize = 100;
/// Octets of a keyword.
pub const KEYWORD_MAX: usize = 128;
/// Patterns of one LIST.
pub const PATTERNS_MAX: usize = 50;
/// Options, STATUS items and capability names in one list.
pub const OPTIONS_MAX: usize = 50;
/// Octets of a mailbox name or LIST pattern as sent.
pub const MAILBOX_MAX: usize = 4096;
/// Pairs in one ID. RFC 2971 §3.3.
pub const ID_PAIRS_MAX: usize = 30;
/// Octets of the name of an ID field. RFC 2971 §3.3.
pub const ID_NAME_MAX: usize = 30;
/// Octets of the value of an ID field. RFC 2971 §3.3.
pub const ID_VALUE_MAX: usize = 1024;
/// Octets of a string that is printed quoted; longer ones are literals.
pub const QUOTED_MAX: usize = 1000;
/// Faulty commands in a row before the connection is closed.
pub const FAULTS_MAX: u32 = 20;
/// The same before log-in, in all.
pub const FAULTS_MAX_BEFORE_LOGIN: u32 = 3;
/// From the greeting to the log-in.
pub const BEFORE_LOGIN: Duration = Duration::from_secs(60);
/// Without a word from a client that is logged in, IDLE or not. RFC 3501 §5.4 wants 30 minutes at least.
pub const SILENCE: Duration = Duration::from_secs(30 * 60);
/// Without an octet in the middle of a command.
pub const STALL: Duration = Duration::from_secs(5 * 60);
/// Octets of a message handed on to be kept and not yet written: more are not read.
pub const UNKEPT_MAX: usize = 256 * 1024;
/// Octets of a message handed on at once.
pub const KEEP_PIECE: usize = 64 * 1024;
/// Octets of a refused message that are read and dropped for a client that did not wait to be invited.
pub const APPEND_SKIP_MAX: u64 = 1024 * 1024 * 1024;
/// Octets of a line that is no command: DONE.
pub const REPLY_LINE_MAX: usize = crate::sasl::LINE_LIMIT;
