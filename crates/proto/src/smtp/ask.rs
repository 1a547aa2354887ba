//! What an SMTP server session asks, and what it is told.

use std::net::IpAddr;

use bytes::Bytes;
use mail::{AccountId, BodyId};

use crate::TlsInfo;
use crate::login::{Credentials, LoggedIn, LoginAnswer};

/// A question of the SMTP server.
#[derive(Clone, Debug)]
pub enum Ask {
    /// May this user in?
    Login(Credentials),
    /// MAIL FROM: is this sender welcome, is there room? `envelope.recipients` is empty.
    Sender(Box<Envelope>),
    /// RCPT TO: will we take mail for this recipient?
    Recipient {
        /// What is known so far. Its `recipients` stay empty, so that a thousand recipients do not cost a
        /// thousand copies of themselves.
        envelope: Box<Envelope>,
        /// The address, as given, without brackets: `local@domain`, or `postmaster`.
        recipient: String,
    },
    /// The header section has arrived whole (with its closing empty line if it had one). May the message go
    /// on, and what is to be written before it?
    Header {
        /// The envelope, complete.
        envelope: Box<Envelope>,
        /// The octets of the header section.
        header: Bytes,
    },
    /// The body is whole: make it durable in every recipient's account.
    Deliver {
        /// The envelope, complete.
        envelope: Box<Envelope>,
        /// The body that was kept: `prepend` first, then what the peer sent.
        body: BodyId,
    },
}

/// The answer to an `Ask` of the same name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// To `Login`.
    Login(LoginAnswer),
    /// To `Sender`: go on.
    SenderOk,
    /// To `Recipient`: we will take it, and it goes there.
    RecipientOk(Vec<Target>),
    /// To `Header`: go on, after writing these octets before the header.
    HeaderOk {
        /// Return-Path, Received, and what a submission lacked.
        prepend: Bytes,
    },
    /// To `Deliver`: it is durable.
    Delivered {
        /// Our name for it, for the reply and the log.
        id: String,
    },
    /// To any: refuse with this.
    Refuse(Reply),
}

/// An SMTP reply. RFC 5321 §4.2, RFC 2034.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 250, 452, 550…
    pub code: u16,
    /// "5.1.1"; empty for none (220, 354, EHLO's 250).
    pub enhanced: &'static str,
    /// One line, or several separated by `\n`.
    pub text: String,
}

/// All that is known of one transaction. RFC 5321 §3.3.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// Where the peer connects from.
    pub peer: IpAddr,
    /// What it calls itself in HELO or EHLO.
    pub helo: String,
    /// EHLO was used.
    pub esmtp: bool,
    /// This is a door for submission (587, 465).
    pub submission: bool,
    /// Set when the connection is secured.
    pub tls: Option<TlsInfo>,
    /// Who is logged in.
    pub login: Option<LoggedIn>,
    /// MAIL FROM without brackets; empty for the null sender.
    pub sender: String,
    /// SIZE= if given. RFC 1870.
    pub size: Option<u64>,
    /// BODY=8BITMIME was given.
    pub eight_bit: bool,
    /// SMTPUTF8 was given. RFC 6531.
    pub smtputf8: bool,
    /// The accepted recipients.
    pub recipients: Vec<Recipient>,
}

/// One accepted recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// As given in RCPT TO.
    pub address: String,
    /// Where the message goes.
    pub targets: Vec<Target>,
}

/// A place in the house where a message is put.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Target {
    /// Whose account.
    pub account: AccountId,
    /// Which mailbox; `None` means INBOX.
    pub mailbox: Option<String>,
}
