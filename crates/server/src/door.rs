//! The doors: which service listens where, and with what security.

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// What is spoken behind a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Mail from other servers. RFC 5321.
    Smtp,
    /// Mail from our users. RFC 6409.
    Submission,
    /// RFC 9051.
    Imap,
    /// RFC 1939.
    Pop3,
}

/// When a connection becomes secure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS from the first octet.
    Implicit,
    /// Plain, with an upgrade offered; a client that begins with TLS is served all the same.
    StartTls,
    /// Plain for good.
    None,
    /// Whichever the client begins with.
    Auto,
}

/// One listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Door {
    /// What is spoken.
    pub service: Service,
    /// How it is secured.
    pub security: Security,
    /// Where.
    pub address: SocketAddr,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 4] = [Service::Smtp, Service::Submission, Service::Imap, Service::Pop3];

    /// Application-layer protocol names. RFC 7301; IANA lists `imap` and `pop3`, SMTP has none.
    pub fn alpn(self) -> &'static [u8] {
        match self {
            Service::Smtp | Service::Submission => b"smtp",
            Service::Imap => b"imap",
            Service::Pop3 => b"pop3",
        }
    }

    /// Who comes here.
    pub fn audience(self) -> &'static str {
        match self {
            Service::Smtp => "other mail servers",
            Service::Submission => "your mail program, to send",
            Service::Imap => "your mail program, to read",
            Service::Pop3 => "older mail programs, to fetch",
        }
    }

    /// A refusal that a person can read, in the words of this protocol, and the right choice in it. `starttls` is the
    /// port where this service has STARTTLS, if there is one.
    pub fn wants_tls(self, port: u16, starttls: Option<u16>) -> String {
        let service = match self {
            Service::Smtp => "SMTP",
            Service::Submission => "mail submission",
            Service::Imap => "IMAP",
            Service::Pop3 => "POP3",
        };
        let other = starttls.map(|port| format!(", or port {port} with STARTTLS")).unwrap_or_default();
        let text = format!(
            "Port {port} speaks {service} inside TLS from the first byte, and your program did not begin with TLS. \
             Choose \"SSL/TLS\" for this port{other}"
        );
        match self {
            Service::Smtp | Service::Submission => format!("554 5.7.0 {text}\r\n"),
            Service::Imap => format!("* BYE {text}\r\n"),
            Service::Pop3 => format!("-ERR {text}\r\n"),
        }
    }

    /// A refusal for a peer that has too many connections open.
    pub fn too_many(self) -> &'static str {
        match self {
            Service::Smtp | Service::Submission => {
                "421 4.7.0 Too many connections from your address; try again later\r\n"
            }
            Service::Imap => "* BYE [LIMIT] Too many connections from your address; try again later\r\n",
            Service::Pop3 => "-ERR [SYS/TEMP] Too many connections from your address; try again later\r\n",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Smtp => "SMTP",
            Service::Submission => "Submission",
            Service::Imap => "IMAP",
            Service::Pop3 => "POP3",
        })
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Security::Implicit => "TLS at once",
            Security::StartTls => "STARTTLS",
            Security::None => "none",
            Security::Auto => "TLS at once or STARTTLS",
        })
    }
}

/// The seven standard doors as (service, security, port).
pub const STANDARD: [(Service, Security, u16); 7] = [
    (Service::Smtp, Security::StartTls, 25),
    (Service::Submission, Security::Implicit, 465),
    (Service::Submission, Security::StartTls, 587),
    (Service::Imap, Security::StartTls, 143),
    (Service::Imap, Security::Implicit, 993),
    (Service::Pop3, Security::StartTls, 110),
    (Service::Pop3, Security::Implicit, 995),
];
