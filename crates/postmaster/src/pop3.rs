//! POP3 maildrops: one session at a time, unique-ids, and removal at the end.
//!
//! What never lives here: which messages there are; that is the store's.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mail::{AccountId, Moment, Uid, UidSet, UidValidity};
use proto::pop3::ask::{Answer, Ask, Entry, Maildrop};
use store::Error;

use crate::visit::Visit;
use crate::{limits, refusal};

/// When accounts were opened last. RFC 2449 §6.5.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    at: Mutex<HashMap<AccountId, Moment>>,
}

impl Opened {
    /// Whether the account may be opened again; if so, it counts as opened now.
    fn again(&self, account: AccountId, delay: Duration, now: Moment) -> bool {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.get(&account).is_some_and(|last| now < last.after(delay)) {
            return false;
        }
        if at.len() >= limits::POP_LOGINS {
            at.retain(|_, last| now < last.after(delay));
        }
        if at.len() < limits::POP_LOGINS {
            at.insert(account, now);
        }
        true
    }
}

impl Visit {
    /// Answers a POP3 session.
    pub async fn pop3(&mut self, now: Moment, ask: Ask) -> Answer {
        let (Ask::Open(account) | Ask::Top { account, .. } | Ask::Update { account, .. }) = &ask else {
            let Ask::Login(credentials) = ask else { return Answer::Failed("Local confusion".into()) };
            return Answer::Login(self.log_in(now, &credentials, true).await);
        };
        if self.account() != Some(*account) {
            return Answer::Failed("That account is not logged in here".into());
        }
        let answer = match ask {
            Ask::Open(account) => self.open(account, now).await,
            Ask::Top { account, uid, lines } => {
                self.postmaster().store().top(account, uid, lines).await.map(Answer::TopEnd)
            }
            Ask::Update { account, delete, retrieved } => {
                self.update(account, &delete, &retrieved, now).await
            }
            // Answered above.
            Ask::Login(_) => Ok(Answer::Failed("Local confusion".into())),
        };
        answer.unwrap_or_else(|error| Answer::Failed(refusal::pop3(&error)))
    }

    async fn open(&mut self, account: AccountId, now: Moment) -> Result<Answer, Error> {
        self.maildrop = None;
        let inner = self.postmaster().inner();
        let Some(lock) = inner.maildrops.take(account, 1) else { return Ok(Answer::InUse) };
        if let Some(seconds) = inner.policy.pop_login_delay
            && !inner.opened.again(account, Duration::from_secs(seconds.into()), now)
        {
            return Ok(Answer::LoginDelay);
        }
        let store = self.postmaster().store();
        let mut drop = store.maildrop(account).await?;
        if drop.pop_days.is_some() && store.expire_maildrop(account, now).await? > 0 {
            drop = store.maildrop(account).await?;
        }
        let entry = |(uid, size, blob)| Entry { uid, uidl: unique_id(drop.uid_validity, uid), size, blob };
        let entries = drop.entries.iter().copied().map(entry).collect();
        self.maildrop = Some(lock);
        Ok(Answer::Maildrop(Maildrop { entries, expire_days: drop.pop_days }))
    }

    async fn update(
        &mut self,
        account: AccountId,
        delete: &[Uid],
        retrieved: &[Uid],
        now: Moment,
    ) -> Result<Answer, Error> {
        if self.maildrop.is_none() {
            return Ok(Answer::Failed("The maildrop is not open".into()));
        }
        let set = |uids: &[Uid]| uids.iter().copied().collect::<UidSet>();
        self.postmaster().store().update_maildrop(account, &set(delete), &set(retrieved), now).await?;
        // The next session may come before this one has said goodbye.
        self.maildrop = None;
        Ok(Answer::Updated)
    }
}

/// Never the same for two messages of an account, and never another for one. RFC 1939 §7.
fn unique_id(uid_validity: UidValidity, uid: Uid) -> String {
    format!("{:08x}{:08x}", uid_validity.0, uid.0)
}
