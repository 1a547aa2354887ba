//! A house in memory, and conversations with it: the real session machines, asked and answered without a socket.
#![allow(dead_code)]

use std::net::IpAddr;
use std::time::Duration;

use ledger::Ledger;
use mail::{AccountId, LedgerId, Moment, Secret};
use postmaster::{Policy, Postmaster, Visit};
use proto::{Action, Coding, Input, Note, Session};
use proto::{imap, pop3, smtp};
use store::Store;
use store::credential::{Strength, Verifiers};
use store::directory::NewAccount;

pub const NOW: Moment = Moment(1_800_000_000_000);
/// Everybody's password.
pub const PASSWORD: &str = "correct horse";

pub struct House {
    pub postmaster: Postmaster,
}

pub fn policy() -> Policy {
    Policy {
        hostname: "mail.example.test".into(),
        message_size: 1_000_000,
        sessions_per_account: 3,
        separator: Some('+'),
        pop_login_delay: None,
    }
}

impl House {
    /// Domains example.test and second.test; alice, bob, carol (disabled) and, at the second, dave; aliases.
    pub async fn new() -> House {
        House::with(policy()).await
    }

    pub async fn with(policy: Policy) -> House {
        House::over(Ledger::memory(), policy).await
    }

    pub async fn over(ledger: Ledger, policy: Policy) -> House {
        let store = Store::new(ledger);
        let directory = store.directory();
        directory.add_domain("example.test", NOW).await.expect("domain");
        directory.add_domain("second.test", NOW.after(Duration::from_secs(1))).await.expect("domain");
        let postmaster = Postmaster::new(store, policy, Strength::weak(), 2, [7; 32]);
        let house = House { postmaster };
        for address in ["alice@example.test", "bob@example.test", "carol@example.test", "dave@second.test"] {
            house.person(address).await;
        }
        directory.set_enabled("carol@example.test", false).await.expect("carol");
        house.alias("sales@example.test", &["alice@example.test"]).await;
        house.alias("all@example.test", &["alice@example.test", "bob@example.test"]).await;
        house
    }

    pub async fn person(&self, address: &str) -> AccountId {
        let password = Secret::new(PASSWORD.as_bytes().to_vec());
        let verifiers = Verifiers::make(&password, &Strength::weak(), &[9; 48]).expect("a password");
        let new = NewAccount { address: address.into(), name: String::new(), verifiers: Some(verifiers) };
        self.store().directory().add_account(&new, NOW).await.expect(address).id
    }

    pub async fn alias(&self, address: &str, targets: &[&str]) {
        let targets: Vec<String> = targets.iter().map(|target| (*target).into()).collect();
        self.store().directory().set_alias(address, &targets, false).await.expect(address);
    }

    pub fn store(&self) -> &Store {
        self.postmaster.store()
    }

    pub async fn id(&self, address: &str) -> AccountId {
        self.store().directory().account(address).await.expect(address).id
    }

    /// A peer at the door of other servers.
    pub async fn relay(&self, peer: &str) -> Talk<smtp::Server> {
        self.smtp(peer, smtp::Door::Relay).await
    }

    /// A client at the door of our own people, not yet logged in.
    pub async fn submission(&self, peer: &str) -> Talk<smtp::Server> {
        self.smtp(peer, smtp::Door::Submission).await
    }

    async fn smtp(&self, peer: &str, door: smtp::Door) -> Talk<smtp::Server> {
        let peer: IpAddr = peer.parse().expect(peer);
        let mut options = smtp::Options::new("mail.example.test", door);
        options.plain_login = true;
        options.max_size = self.postmaster.policy().message_size;
        let mut talk = Talk::new(smtp::Server::new(options, peer), self.postmaster.visit(peer)).await;
        talk.says("EHLO client.test").await;
        talk
    }

    /// A client of this account at the submission door.
    pub async fn submitter(&self, address: &str) -> Talk<smtp::Server> {
        let mut talk = self.submission("198.51.100.7").await;
        let reply = talk.says(&format!("AUTH PLAIN {}", plain("", address, PASSWORD))).await;
        assert!(reply.starts_with("235"), "{reply}");
        talk
    }

    pub async fn imap(&self) -> Talk<imap::Server> {
        let options = imap::Options {
            hostname: "mail.example.test".into(),
            starttls: true,
            plain_login: true,
            append_limit: self.postmaster.policy().message_size,
            id: Vec::new(),
        };
        let peer = "198.51.100.7".parse().expect("an address");
        Talk::new(imap::Server::new(options), self.postmaster.visit(peer)).await
    }

    pub async fn imap_as(&self, address: &str) -> Talk<imap::Server> {
        let mut talk = self.imap().await;
        let reply = talk.says(&format!("l LOGIN {address} \"{PASSWORD}\"")).await;
        assert!(reply.contains("l OK"), "{reply}");
        talk
    }

    pub async fn pop3(&self) -> Talk<pop3::Server> {
        let mut options = pop3::Options::new("mail.example.test");
        options.plain_login = true;
        let peer = "198.51.100.7".parse().expect("an address");
        Talk::new(pop3::Server::new(options), self.postmaster.visit(peer)).await
    }

    /// A client that has sent its password, and what it heard.
    pub async fn pop3_as(&self, address: &str) -> (Talk<pop3::Server>, String) {
        let mut talk = self.pop3().await;
        talk.says(&format!("USER {address}")).await;
        let reply = talk.says(&format!("PASS {PASSWORD}")).await;
        (talk, reply)
    }

    /// A message from outside to these; the reply to its end.
    pub async fn deliver(&self, recipients: &[&str], message: &str) -> String {
        let mut talk = self.relay("192.0.2.1").await;
        talk.says("MAIL FROM:<stranger@other.test>").await;
        for recipient in recipients {
            let reply = talk.says(&format!("RCPT TO:<{recipient}>")).await;
            assert!(reply.starts_with("250"), "{recipient}: {reply}");
        }
        talk.text(message).await
    }

    /// Names and numbers of messages of the mailboxes that hold some.
    pub async fn contents(&self, address: &str) -> Vec<(String, u32)> {
        let (list, _) = self.store().mailboxes(self.id(address).await, None).await.expect("mailboxes");
        list.into_iter().filter(|info| info.messages > 0).map(|info| (info.name, info.messages)).collect()
    }
}

pub fn plain(authzid: &str, user: &str, password: &str) -> String {
    base64(format!("{authzid}\0{user}\0{password}").as_bytes())
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in octets.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, octet| bits << 8 | u32::from(*octet)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// A session machine whose asks a visit answers.
pub trait Speaks: Session {
    fn answered(visit: &mut Visit, now: Moment, ask: Self::Ask) -> impl Future<Output = Self::Answer>;
}

impl Speaks for smtp::Server {
    async fn answered(visit: &mut Visit, now: Moment, ask: smtp::ask::Ask) -> smtp::ask::Answer {
        visit.smtp(now, ask).await
    }
}

impl Speaks for imap::Server {
    async fn answered(visit: &mut Visit, now: Moment, ask: imap::ask::Ask) -> imap::ask::Answer {
        visit.imap(now, ask).await
    }
}

impl Speaks for pop3::Server {
    async fn answered(visit: &mut Visit, now: Moment, ask: pop3::ask::Ask) -> pop3::ask::Answer {
        visit.pop3(now, ask).await
    }
}

/// One connection.
pub struct Talk<S> {
    pub session: S,
    pub visit: Visit,
    pub now: Moment,
    pub closed: bool,
    pub notes: Vec<Note>,
    pub watched: Option<LedgerId>,
    out: Vec<u8>,
}

impl<S: Speaks> Talk<S> {
    async fn new(session: S, visit: Visit) -> Talk<S> {
        let mut talk = Talk {
            session,
            visit,
            now: NOW,
            closed: false,
            notes: Vec::new(),
            watched: None,
            out: Vec::new(),
        };
        talk.session.handle(NOW, Input::Opened(None));
        talk.run().await;
        talk.out.clear();
        talk
    }

    /// Sends a line and returns what is heard, waiting as long as it takes.
    pub async fn says(&mut self, line: &str) -> String {
        self.sends(format!("{line}\r\n").as_bytes()).await
    }

    pub async fn sends(&mut self, octets: &[u8]) -> String {
        self.session.handle(self.now, Input::Bytes(octets));
        self.run().await;
        String::from_utf8_lossy(&std::mem::take(&mut self.out)).into_owned()
    }

    /// Does what the session wants until it wants octets. Where it waits for a time, the time comes.
    async fn run(&mut self) {
        loop {
            while let Some(action) = self.session.next() {
                self.act(action).await;
            }
            match self.session.deadline() {
                Some(due) if !self.closed && !self.session.hungry() => {
                    self.now = due;
                    self.session.handle(self.now, Input::Tick);
                }
                _ => return,
            }
        }
    }

    async fn act(&mut self, action: Action<S::Ask>) {
        match action {
            Action::Write(octets) => self.out.extend_from_slice(&octets),
            Action::Stream { blob, range, coding } => {
                let octets = self.visit.read(blob, range).await.expect("a body");
                match coding {
                    Coding::Raw => self.out.extend_from_slice(&octets),
                    Coding::DotStuffed => {
                        let text = String::from_utf8_lossy(&octets).replace("\r\n.", "\r\n..");
                        self.out.extend_from_slice(text.as_bytes());
                        if !text.is_empty() && !text.ends_with("\r\n") {
                            self.out.extend_from_slice(b"\r\n");
                        }
                    }
                }
            }
            Action::Keep { id, bytes } => {
                self.visit.keep(id, bytes).await;
                self.session.handle(self.now, Input::Kept(id));
            }
            Action::Abandon(id) => self.visit.abandon(id),
            Action::Ask(ask) => {
                let answer = S::answered(&mut self.visit, self.now, ask).await;
                self.session.handle(self.now, Input::Answer(answer));
            }
            Action::Note(note) => {
                self.visit.note(&note);
                self.notes.push(note);
            }
            Action::Watch(ledger) => self.watched = Some(ledger),
            Action::Unwatch(_) => self.watched = None,
            Action::Close => self.closed = true,
            Action::StartTls(_) | Action::StartDeflate => panic!("not in these conversations"),
        }
    }
}

impl Talk<smtp::Server> {
    /// DATA and the message; the reply to its end.
    pub async fn text(&mut self, message: &str) -> String {
        let reply = self.says("DATA").await;
        assert!(reply.starts_with("354"), "{reply}");
        // RFC 5321 §4.5.2.
        let message = message.replace("\r\n.", "\r\n..");
        self.sends(format!("{message}\r\n.\r\n").as_bytes()).await
    }

    /// One message from MAIL to its end: the reply that refused it first, or the last.
    pub async fn mails(&mut self, sender: &str, recipients: &[&str], message: &str) -> String {
        let reply = self.says(&format!("MAIL FROM:<{sender}>")).await;
        if !reply.starts_with("250") {
            return reply;
        }
        for recipient in recipients {
            let reply = self.says(&format!("RCPT TO:<{recipient}>")).await;
            if !reply.starts_with("250") {
                self.says("RSET").await;
                return reply;
            }
        }
        self.text(message).await
    }
}
