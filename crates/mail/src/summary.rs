//! What is worked out about a message once, when it arrives, and stored beside it: its ENVELOPE, its
//! BODYSTRUCTURE and the offsets of its parts, so that most FETCHes never open the message.

use std::ops::Range;

/// Envelope and structure of one message. Field values are raw: unfolded, but neither decoded nor corrected,
/// because IMAP wants them so (RFC 9051 §7.5.2); they may hold any octet but CR, LF and NUL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// RFC 9051 §7.5.2 ENVELOPE.
    pub envelope: Envelope,
    /// The message itself as a part; `header` starts at 0 and `body` ends at the size.
    pub root: Part,
}

/// Raw header values. RFC 5322 §3.6; `None` where the field is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date, as written.
    pub date: Option<Vec<u8>>,
    /// Subject, as written, unfolded.
    pub subject: Option<Vec<u8>>,
    /// From.
    pub from: Vec<EnvelopeAddress>,
    /// Sender; the caller prints `from` where it is empty.
    pub sender: Vec<EnvelopeAddress>,
    /// Reply-To; the caller prints `from` where it is empty.
    pub reply_to: Vec<EnvelopeAddress>,
    /// To.
    pub to: Vec<EnvelopeAddress>,
    /// Cc.
    pub cc: Vec<EnvelopeAddress>,
    /// Bcc.
    pub bcc: Vec<EnvelopeAddress>,
    /// In-Reply-To.
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID.
    pub message_id: Option<Vec<u8>>,
}

/// One IMAP address structure; a group starts with (mailbox = name, host = None) and ends with all `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvelopeAddress {
    /// Display name, quotes removed, encoded words left alone.
    pub name: Option<Vec<u8>>,
    /// Local part.
    pub mailbox: Option<Vec<u8>>,
    /// Domain.
    pub host: Option<Vec<u8>>,
}

/// One MIME part. RFC 2045, RFC 2046, RFC 9051 §7.5.2 BODYSTRUCTURE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Octets of its header in the stored message, with the empty line.
    pub header: Range<u64>,
    /// Octets of its body; the CRLF before a boundary belongs to the boundary.
    pub body: Range<u64>,
    /// Lines in the body (count of CRLF or LF, an unfinished last line counts).
    pub lines: u64,
    /// Media type as written, "text" when absent or unreadable.
    pub media: Vec<u8>,
    /// Subtype as written, "plain" when absent or unreadable.
    pub subtype: Vec<u8>,
    /// Content-Type parameters, raw, in order, quotes removed; RFC 2231 pieces are left as they are.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding; `None` is 7BIT.
    pub encoding: Option<Vec<u8>>,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition with its parameters.
    pub disposition: Option<Disposition>,
    /// Content-Language.
    pub language: Vec<Vec<u8>>,
    /// Content-Location.
    pub location: Option<Vec<u8>>,
    /// What is inside.
    pub content: Content,
}

/// Content-Disposition. RFC 2183.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disposition {
    /// "attachment", as written.
    pub kind: Vec<u8>,
    /// Its parameters, raw, in order.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What a part holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// Neither of the others.
    #[default]
    Leaf,
    /// multipart/*: its parts; never empty (a multipart without any part found gets one empty text/plain part).
    Multipart(Vec<Part>),
    /// message/rfc822 and message/global: the message inside, with its own envelope.
    Message(Box<Summary>),
}
