//! One connection from its acceptance to its end: how it begins, which session speaks, who answers.
//!
//! What never lives here: what is said (`proto`), and what is answered (`postmaster`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};
use postmaster::Visit;
use proto::{Note, TlsPolicy, imap, pop3, smtp};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::door::{Door, Security, Service};
use crate::driver::{Answerer, Ended, HANDSHAKE, drive};
use crate::listen::{Opening, Streaks, opening, turn_away};
use crate::stream::{Securer, Stream};

/// What every conversation at one door has in common.
pub struct Manner {
    /// The door.
    pub door: Door,
    /// Who shakes hands.
    pub securer: Arc<dyn Securer>,
    /// What the sessions are told.
    pub settings: Settings,
    /// Who came how, lately.
    pub streaks: Arc<Streaks>,
    /// The time.
    pub clock: Clock,
    /// True once the house closes.
    pub drain: watch::Receiver<bool>,
}

/// What the administrator decided, as far as a session says it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name.
    pub hostname: String,
    /// Octets of one message at most.
    pub message_size: u64,
    /// Passwords are taken without TLS.
    pub plain_login: bool,
    /// Where mail is handed in, in words.
    pub submission_doors: String,
    /// Where each service has STARTTLS.
    pub starttls: BTreeMap<Service, u16>,
    /// Where POP3 has TLS at once.
    pub pop3_tls: u16,
    /// Seconds between POP3 log-ins of one account.
    pub pop_login_delay: Option<u32>,
}

/// The postmaster's answers to one session.
struct Desk(Visit);

macro_rules! answers {
    ($session:ty, $ask:ty, $answer:ty, $method:ident) => {
        impl Answerer<$session> for Desk {
            async fn answer(&mut self, now: Moment, ask: $ask) -> $answer {
                self.0.$method(now, ask).await
            }

            async fn keep(&mut self, id: BodyId, bytes: Bytes) {
                self.0.keep(id, bytes).await;
            }

            fn abandon(&mut self, id: BodyId) {
                self.0.abandon(id);
            }

            async fn read(&self, blob: BlobId, range: Range<u64>) -> Result<Bytes, String> {
                self.0.read(blob, range).await
            }

            fn ring(&self, ledger: LedgerId, after: ModSeq) -> impl Future<Output = ModSeq> + Send + 'static {
                self.0.ring(ledger, after)
            }

            fn note(&self, note: &Note) {
                self.0.note(note);
            }
        }
    };
}

answers!(smtp::Server, smtp::ask::Ask, smtp::ask::Answer, smtp);
answers!(imap::Server, imap::ask::Ask, imap::ask::Answer, imap);
answers!(pop3::Server, pop3::ask::Ask, pop3::ask::Answer, pop3);

/// Carries one connection to its end.
pub async fn converse(manner: Arc<Manner>, tcp: TcpStream, peer: IpAddr, visit: Visit) {
    // Replies are written whole, so waiting for more to send would only delay them.
    let _ = tcp.set_nodelay(true);
    let begins = opening(&tcp, &manner.door, &manner.streaks, manner.clock.now()).await;
    let stream = match (begins, manner.door.security) {
        (Opening::Gone, _) => return,
        (Opening::Plain, Security::Implicit) => {
            let Door { service, address, .. } = manner.door;
            let starttls = manner.settings.starttls.get(&service).copied();
            turn_away(tcp, &service.wants_tls(address.port(), starttls)).await;
            return;
        }
        (Opening::Plain, _) => Stream::Plain(tcp),
        (Opening::Tls, _) => match shake_hands(&manner, tcp).await {
            Ok(stream) => stream,
            Err(why) => {
                tracing::info!(%peer, door = %manner.door.address, %why, "tls-failed");
                return;
            }
        },
    };
    if let Err(ended) = speak(&manner, stream, peer, visit).await {
        tracing::debug!(%peer, door = %manner.door.address, ?ended, "connection-ended");
    }
}

async fn shake_hands(manner: &Manner, tcp: TcpStream) -> Result<Stream, String> {
    match timeout(HANDSHAKE, manner.securer.secure(Stream::Plain(tcp), TlsPolicy::Serve)).await {
        Ok(done) => done,
        Err(_) => Err("no handshake in time".into()),
    }
}

/// Boxed, each by its own protocol, so that an idle connection costs what its own session needs and not what the
/// largest of the three would.
async fn speak(manner: &Manner, stream: Stream, peer: IpAddr, visit: Visit) -> Result<(), Ended> {
    let mut desk = Desk(visit);
    let (clock, securer, drain) = (manner.clock, manner.securer.clone(), manner.drain.clone());
    let ended = match manner.door.service {
        Service::Smtp => {
            let session = manner.smtp(smtp::Door::Relay, peer);
            Box::pin(drive(stream, session, &mut desk, clock, securer, drain)).await
        }
        Service::Submission => {
            let session = manner.smtp(smtp::Door::Submission, peer);
            Box::pin(drive(stream, session, &mut desk, clock, securer, drain)).await
        }
        Service::Imap => Box::pin(drive(stream, manner.imap(), &mut desk, clock, securer, drain)).await,
        Service::Pop3 => Box::pin(drive(stream, manner.pop3(), &mut desk, clock, securer, drain)).await,
    };
    match ended {
        Ended::Closed => Ok(()),
        other => Err(other),
    }
}

impl Manner {
    fn offers_starttls(&self) -> bool {
        matches!(self.door.security, Security::StartTls | Security::Auto)
    }

    /// A door without any TLS is one where the administrator wants passwords in the clear.
    fn plain_login(&self) -> bool {
        self.settings.plain_login || self.door.security == Security::None
    }

    fn smtp(&self, door: smtp::Door, peer: IpAddr) -> smtp::Server {
        let options = smtp::Options {
            starttls: self.offers_starttls(),
            plain_login: self.plain_login(),
            max_size: self.settings.message_size,
            submission_doors: self.settings.submission_doors.clone(),
            ..smtp::Options::new(self.settings.hostname.clone(), door)
        };
        smtp::Server::new(options, peer)
    }

    fn imap(&self) -> imap::Server {
        imap::Server::new(imap::Options {
            hostname: self.settings.hostname.clone(),
            starttls: self.offers_starttls(),
            plain_login: self.plain_login(),
            append_limit: self.settings.message_size,
            // RFC 2971 §3.3; a version number would only help those who look for old ones.
            id: vec![("name".into(), "Packetboat".into())],
        })
    }

    fn pop3(&self) -> pop3::Server {
        pop3::Server::new(pop3::Options {
            stls: self.offers_starttls(),
            plain_login: self.plain_login(),
            tls_port: self.settings.pop3_tls,
            login_delay: self.settings.pop_login_delay,
            ..pop3::Options::new(self.settings.hostname.clone())
        })
    }
}
