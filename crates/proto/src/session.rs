//! The shape of every conversation: one trait, its inputs and its actions.

use std::ops::Range;

use bytes::Bytes;
use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};

/// One conversation, without socket, clock or store.
///
/// The driver feeds `handle`, then pulls `next` until `None`. There are no errors at this border: bad input is
/// something to reply to. At most one `Ask` is open at a time; the session asks nothing more until its
/// answer has come. Cutting the input into other chunks never changes the conversation.
pub trait Session {
    /// What this protocol wants to know or have done.
    type Ask;
    /// What it is told.
    type Answer;

    /// Takes one input at the time `now`.
    fn handle(&mut self, now: Moment, input: Input<'_, Self::Answer>);
    /// The next thing to do, or `None` when the session waits.
    fn next(&mut self) -> Option<Action<Self::Ask>>;
    /// When `Input::Tick` is due.
    fn deadline(&self) -> Option<Moment>;
    /// False: stop reading the socket (an Ask is open, or kept bytes are not yet written). The session still
    /// accepts bytes that were read before.
    fn hungry(&self) -> bool;
}

/// What can happen to a session.
#[derive(Debug)]
pub enum Input<'a, A> {
    /// The first input: the connection is open (and secured, if `Some`). The server side greets now.
    Opened(Option<TlsInfo>),
    /// Bytes from the peer, in order, any chunking.
    Bytes(&'a [u8]),
    /// The peer will send no more.
    PeerClosed,
    /// The handshake asked for by `StartTls` is done.
    TlsReady(TlsInfo),
    /// It failed; the connection is of no more use.
    TlsFailed(TlsFailure),
    /// The answer to the one open Ask.
    Answer(A),
    /// A watched ledger has reached at least `head`. May come late, twice, or merged.
    Changed {
        /// Which ledger.
        source: LedgerId,
        /// How far it has come.
        head: ModSeq,
    },
    /// The bytes kept so far for this body are written; more may come.
    Kept(BodyId),
    /// The deadline has passed.
    Tick,
    /// The house closes: finish what is in flight, say goodbye.
    Drain,
}

/// What a session wants done, in order.
#[derive(Debug)]
pub enum Action<Q> {
    /// Send these bytes.
    Write(Bytes),
    /// Send a range of a stored body.
    Stream {
        /// Which body.
        blob: BlobId,
        /// Octets of the stored form.
        range: Range<u64>,
        /// How to write them.
        coding: Coding,
    },
    /// Append bytes to a body in flight; the first opens it. `Input::Kept(id)` acknowledges each.
    Keep {
        /// Chosen by the session, unique within it.
        id: BodyId,
        /// The octets.
        bytes: Bytes,
    },
    /// The body in flight will not be used.
    Abandon(BodyId),
    /// Ring `Input::Changed` when this ledger grows.
    Watch(LedgerId),
    /// No longer.
    Unwatch(LedgerId),
    /// After all writes so far are sent, shake hands. Whatever was received before the handshake is dropped,
    /// by the driver and by the session.
    StartTls(TlsPolicy),
    /// From here on both directions are DEFLATE streams. RFC 4978.
    StartDeflate,
    /// A question; no other follows before its answer.
    Ask(Q),
    /// For the log and the counters.
    Note(Note),
    /// Send what is unsent, then close.
    Close,
}

/// How a stored body goes onto the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// As stored.
    Raw,
    /// A full stop at the start of a line is doubled, and a body whose last line is not ended gets a CR LF, so
    /// that the end-of-data line, which is not written here, stands on its own. An empty body stays empty.
    /// RFC 5321 §4.5.2, RFC 1939 §3.
    DotStuffed,
}

/// What to verify of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// We are the server: present our certificate.
    Serve,
    /// We are the client: verify nothing (opportunistic).
    Opportunistic,
    /// We are the client: the name must match and chain to a root.
    Verify(String),
}

/// What is known of the secured connection.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct TlsInfo {
    /// "TLSv1.3".
    pub version: String,
    /// "TLS13_AES_256_GCM_SHA384".
    pub cipher: String,
    /// The server name the client asked for.
    pub server_name: Option<String>,
    /// RFC 9266 tls-exporter channel binding; empty on TLS 1.2.
    pub exporter: Vec<u8>,
    /// RFC 5929 tls-server-end-point channel binding.
    pub server_end_point: Vec<u8>,
}

/// Why a handshake failed, in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFailure(pub String);

/// A line for the operator. Never holds message content or a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// A stable, lower-case name with hyphens: `login-failed`, `message-accepted`.
    pub event: &'static str,
    /// What happened, values escaped by the logger.
    pub detail: String,
}
