//! One connection: who is logged in, which bodies are on their way, and the answers to its session's asks.
//!
//! What never lives here: what a protocol's asks mean; that is in the file of the protocol.

use std::future;
use std::net::IpAddr;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use mail::{AccountId, BlobId, BodyId, LedgerId, ModSeq, Moment};
use proto::Note;
use proto::login::{Credentials, LoggedIn, LoginAnswer, LoginRefusal};
use store::credential::Verdict;

use crate::body::Bodies;
use crate::login::Place;
use crate::smtp::Transaction;
use crate::{Postmaster, limits};

/// One connection's place at the desk. Dropping it ends the session: its place among the account's sessions and a
/// locked maildrop are free again, bodies in flight are abandoned.
pub struct Visit {
    postmaster: Postmaster,
    peer: IpAddr,
    login: Option<LoggedIn>,
    /// Among the sessions of the account.
    place: Option<Place>,
    /// The only one at the account's maildrop.
    pub(crate) maildrop: Option<Place>,
    pub(crate) bodies: Bodies,
    pub(crate) mail: Transaction,
}

impl Visit {
    pub(crate) fn new(postmaster: Postmaster, peer: IpAddr) -> Visit {
        Visit {
            postmaster,
            peer,
            login: None,
            place: None,
            maildrop: None,
            bodies: Bodies::default(),
            mail: Transaction::default(),
        }
    }

    pub(crate) fn postmaster(&self) -> &Postmaster {
        &self.postmaster
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    /// Whose account is logged in.
    pub(crate) fn account(&self) -> Option<AccountId> {
        self.login.as_ref().map(|login| login.account)
    }

    /// Answers a log-in. `stays`: the session takes one of the account's places.
    pub(crate) async fn log_in(
        &mut self,
        now: Moment,
        credentials: &Credentials,
        stays: bool,
    ) -> LoginAnswer {
        // Who logs in again is another, or nobody.
        (self.login, self.place, self.maildrop) = (None, None, None);
        match self.judge(now, credentials, stays).await {
            Ok((login, place)) => {
                (self.login, self.place) = (Some(login.clone()), place);
                LoginAnswer::Welcome(login)
            }
            Err((reason, wait)) => {
                // What is no address may be a password in the wrong place.
                let user = mail::Address::parse(&credentials.user, true).ok().map(|user| user.to_string());
                tracing::info!(
                    event = "login-refused",
                    peer = %self.peer,
                    user = %user.unwrap_or_default().escape_debug(),
                    mechanism = credentials.mechanism,
                    reason = ?reason,
                    wait = wait.as_secs(),
                );
                LoginAnswer::Refused { reason, wait }
            }
        }
    }

    async fn judge(
        &self,
        now: Moment,
        credentials: &Credentials,
        stays: bool,
    ) -> Result<(LoggedIn, Option<Place>), (LoginRefusal, Duration)> {
        let inner = self.postmaster.inner();
        let attempt = inner.guard.attempt(self.peer, &credentials.user, &credentials.password);
        let _turn = inner.guard.turn(&attempt).await;
        if !inner.guard.admits(&attempt, now) {
            return Err((LoginRefusal::TooMany, limits::LONGEST_WAIT));
        }
        let checker = self.postmaster.checker();
        let (account, address) = match checker.verify(&credentials.user, &credentials.password, now).await {
            // Nobody acts for another here. RFC 4616 §2: who asks for it hears no more than a guesser.
            Verdict::Right { account, address } if acts_for_self(credentials, &address) => (account, address),
            Verdict::Right { .. } | Verdict::Wrong => {
                return Err((LoginRefusal::Wrong, inner.guard.failed(&attempt, now)));
            }
            Verdict::Unavailable => return Err((LoginRefusal::Unavailable, Duration::ZERO)),
        };
        inner.guard.succeeded(&attempt, now);
        let place = match stays {
            true => Some(self.place_of(account).ok_or((LoginRefusal::TooManySessions, Duration::ZERO))?),
            false => None,
        };
        Ok((LoggedIn { account, address }, place))
    }

    fn place_of(&self, account: AccountId) -> Option<Place> {
        self.postmaster.inner().sessions.take(account, self.postmaster.policy().sessions_per_account)
    }

    /// Appends to a body in flight; a failure is remembered and told when the body is used.
    pub async fn keep(&mut self, id: BodyId, bytes: Bytes) {
        let most = self.postmaster.policy().message_size.saturating_add(limits::TRACE);
        self.bodies.keep(self.postmaster.store().ledger(), id, bytes, most).await;
    }

    /// Drops a body in flight.
    pub fn abandon(&mut self, id: BodyId) {
        self.bodies.abandon(id);
    }

    /// Octets of a stored body of the account that is logged in.
    pub async fn read(&self, blob: BlobId, range: Range<u64>) -> Result<Bytes, String> {
        let account = self.account().ok_or("nobody is logged in")?;
        let read = self.postmaster.store().octets(account, blob, range).await;
        read.map_err(|error| error.to_string())
    }

    /// Waits until the ledger is above `after`. One that is not the account's own never grows.
    pub fn ring(
        &self,
        ledger: LedgerId,
        after: ModSeq,
    ) -> impl Future<Output = ModSeq> + Send + 'static + use<> {
        let own = self.account().is_some_and(|account| account.ledger() == ledger);
        let bell = own.then(|| self.postmaster.store().ledger().bell(ledger));
        async move {
            match bell {
                Some(mut bell) => bell.after(after).await,
                None => future::pending().await,
            }
        }
    }

    /// A line for the log.
    pub fn note(&self, note: &Note) {
        let account = self.login.as_ref().map_or("", |login| login.address.as_str());
        tracing::info!(
            event = note.event,
            peer = %self.peer,
            account = %account.escape_debug(),
            detail = %note.detail.escape_debug(),
        );
    }
}

/// RFC 4616 §2: the authorization identity is empty, or says the same again.
fn acts_for_self(credentials: &Credentials, address: &str) -> bool {
    let Credentials { authzid, user, .. } = credentials;
    authzid.is_empty() || authzid == user || authzid.eq_ignore_ascii_case(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server carries conversations from thread to thread.
    #[test]
    fn answers_may_be_sent_between_threads() {
        fn sent<T: Send>(_: impl FnOnce(&'static mut Visit) -> T) {}
        sent(|visit| visit.smtp(Moment(0), smtp_ask()));
        sent(|visit| visit.imap(Moment(0), imap_ask()));
        sent(|visit| visit.pop3(Moment(0), proto::pop3::ask::Ask::Open(AccountId(1024))));
        sent(|visit| visit.keep(BodyId(1), Bytes::new()));
        sent(|visit| visit.read(BlobId([0; 32]), 0..1));
        sent(|visit| visit.ring(LedgerId(1), ModSeq(0)));
    }

    fn imap_ask() -> proto::imap::ask::Ask {
        proto::imap::ask::Ask::Mailboxes { account: AccountId(1024), after: None }
    }

    fn smtp_ask() -> proto::smtp::ask::Ask {
        proto::smtp::ask::Ask::Login(Credentials {
            user: String::new(),
            authzid: String::new(),
            password: mail::Secret::new(Vec::new()),
            mechanism: "PLAIN",
        })
    }
}
