//! Mail on its way in: which senders and recipients are taken, what is written before a message, and its delivery.
//!
//! What never lives here: the dialogue. Mail leaves for no other host from here, whoever asks: there is no queue yet.

use std::collections::HashSet;

use bytes::Bytes;
use mail::{AccountId, BodyId, Flags, Moment};
use proto::login::LoggedIn;
use proto::smtp::ask::{Answer, Ask, Envelope, Reply, Target};
use store::directory::Resolution;
use store::{Arrival, Error};

use crate::author::{self, Fault};
use crate::visit::Visit;
use crate::{limits, received, refusal};

/// What is remembered from one MAIL to the next.
#[derive(Default)]
pub(crate) struct Transaction {
    /// The accounts that the accepted recipients lead to.
    accounts: HashSet<AccountId>,
    /// The name of the message in Received, in the reply and in the log.
    id: Option<String>,
    /// The header of a submission lacked its closing line: only a message that ends there is clear, so this is how
    /// many octets there must be.
    whole_at: Option<u64>,
}

impl Visit {
    /// Answers an SMTP session.
    pub async fn smtp(&mut self, now: Moment, ask: Ask) -> Answer {
        let answer = match ask {
            Ask::Login(credentials) => return Answer::Login(self.log_in(now, &credentials, false).await),
            Ask::Sender(envelope) => self.sender(&envelope).await,
            Ask::Recipient { envelope, recipient } => self.recipient(&envelope, &recipient).await,
            Ask::Header { envelope, header } => self.header(now, &envelope, &header).await,
            Ask::Deliver { envelope, body } => self.deliver(now, &envelope, body).await,
        };
        answer.unwrap_or_else(Answer::Refuse)
    }

    /// MAIL FROM.
    async fn sender(&mut self, envelope: &Envelope) -> Result<Answer, Reply> {
        self.mail = Transaction::default();
        let most = self.postmaster().policy().message_size;
        if envelope.size.is_some_and(|size| size > most) {
            return Err(Reply::new(552, "5.3.4", format!("The message is larger than {most} octets")));
        }
        // The null sender is that of a disposition notification. RFC 6409 §5.1, RFC 8098 §3.
        if envelope.submission {
            let login = self.submitter(envelope)?;
            if !envelope.sender.is_empty() {
                self.owned(login, &envelope.sender, "MAIL FROM").await?;
            }
        }
        Ok(Answer::SenderOk)
    }

    /// Who submits. The session has asked for it before; a promise to relay for nobody is worth asking twice.
    fn submitter<'e>(&self, envelope: &'e Envelope) -> Result<&'e LoggedIn, Reply> {
        match &envelope.login {
            Some(login) if self.account() == Some(login.account) => Ok(login),
            _ => Err(Reply::new(530, "5.7.0", "Authentication required")),
        }
    }

    /// Whether mail for this address reaches the one who sends under it.
    async fn owned(&self, login: &LoggedIn, address: &str, place: &str) -> Result<(), Reply> {
        let directory = self.postmaster().store().directory();
        let separator = self.postmaster().policy().separator;
        let owned = directory.is_address_of(login.account, address, separator).await;
        match owned.map_err(|error| refusal::smtp(&error, None))? {
            true => Ok(()),
            false => {
                let text = format!(
                    "{place} has <{address}>, which is no address of yours; \
                     you may send as <{}> and as what else leads to your mailbox",
                    login.address
                );
                Err(Reply::new(550, "5.7.1", text))
            }
        }
    }

    /// RCPT TO.
    async fn recipient(&mut self, envelope: &Envelope, recipient: &str) -> Result<Answer, Reply> {
        if envelope.submission {
            self.submitter(envelope)?;
        }
        let directory = self.postmaster().store().directory();
        let resolution = directory.resolve(recipient, self.postmaster().policy().separator).await;
        let found = match resolution.map_err(|error| refusal::smtp(&error, Some(recipient)))? {
            Resolution::Accounts(found) => found,
            other => return Err(unreachable(&other, recipient, envelope.submission)),
        };
        self.has_place(&found)?;
        let mut targets = Vec::with_capacity(found.len());
        for (account, detail) in &found {
            let mailbox = match detail {
                Some(detail) => self.mailbox_of(*account, detail).await,
                None => Ok(None),
            };
            let mailbox = mailbox.map_err(|error| refusal::smtp(&error, Some(recipient)))?;
            // What is written before the message takes room too; else the mailbox that is all but full would be found
            // so only when the whole message has come, and each time again.
            let size = envelope.size.unwrap_or(0).saturating_add(limits::TRACE_USUAL);
            let room = self.postmaster().store().may_file(*account, None, size).await;
            room.map_err(|error| refusal::smtp(&error, Some(recipient)))?;
            targets.push(Target { account: *account, mailbox });
        }
        self.mail.accounts.extend(found.iter().map(|(account, _)| *account));
        Ok(Answer::RecipientOk(targets))
    }

    /// One commit reaches so many accounts. The peer sends the rest in another transaction. RFC 5321 §4.5.3.1.10.
    fn has_place(&self, found: &[(AccountId, Option<String>)]) -> Result<(), Reply> {
        let new = found.iter().filter(|(account, _)| !self.mail.accounts.contains(account)).count();
        match self.mail.accounts.len() + new > store::limits::TARGETS {
            true => Err(Reply::new(
                452,
                "4.5.3",
                "Too many recipients for one message; send it to the rest again",
            )),
            false => Ok(()),
        }
    }

    /// The mailbox that the detail of an address names, in any case; `None` where there is none.
    async fn mailbox_of(&self, account: AccountId, detail: &str) -> Result<Option<String>, Error> {
        let store = self.postmaster().store();
        match store.mailbox(account, detail).await {
            Ok(info) if info.id.is_some() => return Ok(Some(info.name)),
            // What cannot be a name of a mailbox is none.
            Ok(_) | Err(Error::NonExistent | Error::Cannot(_) | Error::Limit(_)) => {}
            Err(error) => return Err(error),
        }
        let wanted = detail.to_lowercase();
        let (list, _) = store.mailboxes(account, None).await?;
        let found = list
            .into_iter()
            .take(limits::DETAIL_SCAN)
            .find(|info| info.id.is_some() && info.name.to_lowercase() == wanted);
        Ok(found.map(|info| info.name))
    }

    /// The header section is here.
    async fn header(&mut self, now: Moment, envelope: &Envelope, header: &[u8]) -> Result<Answer, Reply> {
        if author::hops(header) > limits::HOPS {
            let text = format!("The message has come through more than {} servers: a loop", limits::HOPS);
            return Err(Reply::new(554, "5.4.6", text));
        }
        let hostname = self.postmaster().policy().hostname.clone();
        let id = received::message_id(now);
        let mut prepend = received::trace(envelope, &hostname, &id, now);
        let mut closed = true;
        if envelope.submission {
            let login = self.submitter(envelope)?;
            let claims = author::read(header).map_err(unclear)?;
            for (field, address) in &claims.authors {
                self.owned(login, &address.to_string(), field).await?;
            }
            prepend.push_str(&received::lacking(claims.has_date, claims.has_id, &hostname, &id, now));
            closed = claims.closed;
        }
        let prepend = Bytes::from(prepend);
        self.mail.whole_at = (!closed).then_some((prepend.len() + header.len()) as u64);
        self.mail.id = Some(id);
        Ok(Answer::HeaderOk { prepend })
    }

    /// The message is here.
    async fn deliver(&mut self, now: Moment, envelope: &Envelope, body: BodyId) -> Result<Answer, Reply> {
        let transaction = std::mem::take(&mut self.mail);
        if transaction.whole_at.is_some() && transaction.whole_at != self.bodies.size(body) {
            return Err(unclear(Fault::NoField));
        }
        let targets = targets(envelope);
        let id = transaction.id.unwrap_or_else(|| received::message_id(now));
        let whole = self.bodies.finish(body).await.map_err(|error| refusal::smtp(&error, None))?;
        let size = whole.body.size;
        let arrival =
            Arrival { body: whole.body, summary: whole.summary, flags: Flags::default(), date: now };
        let filed = self.postmaster().store().deliver(&targets, &arrival, now).await;
        let filed = filed.map_err(|error| refusal::smtp(&error, recipient_of(&error, envelope)))?;
        tracing::info!(
            event = "message-delivered",
            peer = %self.peer(),
            id,
            sender = %envelope.sender.escape_debug(),
            recipients = envelope.recipients.len(),
            accounts = filed.len(),
            size,
        );
        Ok(Answer::Delivered { id })
    }
}

/// Every account once: who is reached in two ways gets one message, where the first way leads.
fn targets(envelope: &Envelope) -> Vec<(AccountId, Option<String>)> {
    let mut seen = HashSet::new();
    let all = envelope.recipients.iter().flat_map(|recipient| &recipient.targets);
    all.filter(|target| seen.insert(target.account))
        .map(|target| (target.account, target.mailbox.clone()))
        .collect()
}

/// The recipient on whose account a delivery failed.
fn recipient_of<'e>(error: &Error, envelope: &'e Envelope) -> Option<&'e str> {
    let Error::OverQuota(account) = error else { return None };
    let leads = |target: &Target| target.account == *account;
    let recipient = envelope.recipients.iter().find(|recipient| recipient.targets.iter().any(leads))?;
    Some(&recipient.address)
}

fn unclear(fault: Fault) -> Reply {
    Reply::new(550, "5.6.0", fault.to_string())
}

/// Why there is nobody to put mail for this address to.
fn unreachable(resolution: &Resolution, recipient: &str, submission: bool) -> Reply {
    match resolution {
        Resolution::NotLocal if submission => {
            let text = format!("<{recipient}>: this server does not yet send mail to other domains");
            Reply::new(550, "5.3.2", text)
        }
        Resolution::NotLocal => {
            let text =
                format!("<{recipient}>: relaying denied; this server takes mail for its own domains only");
            Reply::new(550, "5.7.1", text)
        }
        Resolution::NoSuchUser => Reply::new(550, "5.1.1", format!("<{recipient}>: no such user here")),
        Resolution::Disabled => {
            Reply::new(550, "5.2.1", format!("<{recipient}>: this mailbox is disabled and takes no mail"))
        }
        Resolution::Tangled => {
            tracing::error!(recipient = %recipient.escape_debug(), "aliases lead too deep or too wide");
            let text = format!("<{recipient}>: its aliases are in disorder; the administrator has been told");
            Reply::new(451, "4.3.5", text)
        }
        // Never asked about.
        Resolution::Accounts(_) => Reply::new(451, "4.3.0", "Local confusion; try again"),
    }
}
