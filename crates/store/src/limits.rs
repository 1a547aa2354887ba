//! What an account may hold and what one call may do. Every number that bounds memory or work in this crate is here.

/// Octets of a mailbox name in UTF-8. With its tag it must fit `ledger::limits::KEY`.
pub const NAME: usize = 900;
/// Octets of one level of a name.
pub const LEVEL: usize = 255;
/// Levels of a name. CREATE makes the missing ones in one commit.
pub const LEVELS: usize = 64;
/// Mailboxes of one account.
pub const MAILBOXES: u32 = 10_000;
/// Subscribed names of one account, those of its mailboxes included.
pub const SUBSCRIPTIONS: u32 = 20_000;
/// Names on one page of `Store::mailboxes`.
pub const NAMES_PAGE: usize = 1000;
/// Keywords ever used in one mailbox: a message keeps its own as a set of so many bits.
pub const KEYWORDS: usize = 128;
/// Octets of one keyword.
pub const KEYWORD: usize = 255;

/// Attempts at a commit before a caller is told that the ledger is busy.
pub const ATTEMPTS: u32 = 64;
/// Accounts that one message is delivered to in one commit.
pub const TARGETS: usize = ledger::limits::LEDGERS_PER_COMMIT;
/// Messages whose flags change in one commit.
pub const FLAGS_PER_COMMIT: usize = 10_000;
/// Messages removed in one commit; more take several.
pub const REMOVED_PER_COMMIT: usize = 20_000;
/// Messages copied or moved in one commit.
pub const COPIED_PER_COMMIT: usize = 50_000;
/// Octets of rows written by one COPY, well below `ledger::limits::COMMIT`.
pub const COPIED_OCTETS: usize = 48 * 1024 * 1024;
/// Octets of summaries written by one delivery to all its targets.
pub const FILED_OCTETS: usize = 48 * 1024 * 1024;
/// Octets that the rows of a message take besides its summary, and a little more.
pub const MESSAGE_ROW: u64 = 256;
/// Messages filed by one `Store::import`.
pub const IMPORTED_PER_COMMIT: usize = 1000;
/// Octets of rows and small bodies filed by one `Store::import`.
pub const IMPORTED_OCTETS: u64 = 48 * 1024 * 1024;

/// Lines that `Store::recount` answers; what is beyond is only counted.
pub const FINDINGS: usize = 1000;

/// Rows read at once.
pub const SCAN: usize = 4096;
/// Log entries read first by a view that is nearly current, few enough that an engine has them at hand.
pub const NEWS: usize = 64;
/// Log entries read at once.
pub const LOG: usize = 1024;
/// Messages on one page of `Store::rows`.
pub const ROWS_PAGE: usize = 1000;
/// The same, with summaries.
pub const SUMMARIES_PAGE: usize = 250;
/// Summaries read at once.
pub const SUMMARIES: usize = 50;
/// Octets of encoded summaries on one page; the first message always fits.
pub const SUMMARY_OCTETS: usize = 4 * 1024 * 1024;
/// Octets of one row of a summary, below `ledger::limits::VALUE`.
pub const SUMMARY_PIECE: usize = 512 * 1024;
/// Octets of a whole summary. A message with a larger one is kept with an outline of it.
pub const SUMMARY: usize = 4 * 1024 * 1024;
/// Octets of bodies answered by one `Store::octets`, and read at once anywhere.
pub const OCTETS: u64 = 1024 * 1024;
/// Mailboxes open at once; those not used for longest are closed.
pub const VIEWS: usize = 4096;
/// Messages in all of them together, at 80 octets each.
pub const VIEWED: usize = 2_000_000;
/// News kept in an open view, counted in ranges of UIDs; whoever has seen less is served by comparing everything.
pub const HISTORY: usize = 4096;
/// Rounds in which a view looks for a state that no commit is changing just then.
pub const SETTLE: u32 = 64;

/// Messages whose row alone decides, looked at by one `Store::search`.
pub const SEARCHED_ROWS: usize = 50_000;
/// Judgements of one key about one row, by one `Store::search`: a search of many keys looks at fewer messages.
pub const SEARCHED_KEYS: usize = 1_000_000;
/// Messages whose summary or octets were read by one `Store::search`.
pub const SEARCHED_MESSAGES: usize = 500;
/// Octets of bodies read by one `Store::search` before it stops; it always finishes a message.
pub const SEARCHED_OCTETS: u64 = 8 * 1024 * 1024;
/// Octets of one header section looked at by a search.
pub const SEARCHED_HEADER: u64 = 1024 * 1024;
/// Octets of one text part looked at by a search; what is beyond is not found.
pub const SEARCHED_PART: u64 = 16 * 1024 * 1024;
/// A text part of more octets is decoded aside, and few of them at a time.
pub const LARGE_TEXT: u64 = 128 * 1024;
/// So many.
pub const LARGE_TEXTS: usize = 4;
/// Different BODY and TEXT strings in one search.
pub const NEEDLES: usize = 64;
/// Nesting of search keys.
pub const NESTING: usize = 100;
