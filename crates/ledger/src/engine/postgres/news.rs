//! The bell between hosts, and the broom.
//!
//! Heads are told by NOTIFY after the commit, many in one; inside a commit NOTIFY would take a lock that all
//! commits of the database share. What gets lost is found by a slow look at the heads somebody waits for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mail::{LedgerId, ModSeq};
use tokio::sync::Notify;
use tokio_postgres::{AsyncMessage, Config, NoTls};

use super::Inner;
use super::pool::describe;
use super::schema::Sql;
use crate::error::Error;

/// A payload must be shorter than 8000 octets.
const PAYLOAD: usize = 7_900;
/// How often the heads are looked at though nobody rang.
const LOOK: Duration = Duration::from_secs(15);
/// How often what nobody refers to is swept out.
const SWEEP: Duration = Duration::from_secs(60);
/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long one telling waits for others.
const MERGE: Duration = Duration::from_millis(2);

/// What this process has committed and not yet told the others.
#[derive(Default)]
pub(super) struct News {
    heads: Mutex<HashMap<LedgerId, ModSeq>>,
    some: Notify,
}

impl News {
    /// To be told, soon.
    pub(super) fn tell(&self, ledger: LedgerId, head: ModSeq) {
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        let known = heads.entry(ledger).or_default();
        *known = head.max(*known);
        drop(heads);
        self.some.notify_one();
    }

    fn take(&self) -> HashMap<LedgerId, ModSeq> {
        std::mem::take(&mut self.heads.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Tells the other hosts, for ever.
pub(super) async fn tell(inner: Arc<Inner>) {
    loop {
        inner.news.some.notified().await;
        tokio::time::sleep(MERGE).await;
        for payload in payloads(inner.news.take()) {
            if let Err(error) = notify(&inner, &payload).await {
                tracing::debug!(%error, "other hosts were not told; they will look by themselves");
            }
        }
    }
}

async fn notify(inner: &Inner, payload: &str) -> Result<(), Error> {
    let connection = inner.reading.lease().await?;
    connection.query(Sql::Notify, &[&payload]).await?;
    Ok(())
}

/// `ledger:modseq`, with spaces between.
fn payloads(heads: HashMap<LedgerId, ModSeq>) -> Vec<String> {
    let mut payloads: Vec<String> = Vec::new();
    for (ledger, head) in heads {
        let word = format!("{}:{} ", ledger.0, head.0);
        match payloads.last_mut() {
            Some(last) if last.len() + word.len() <= PAYLOAD => last.push_str(&word),
            _ => payloads.push(word),
        }
    }
    payloads
}

fn heads(payload: &str) -> impl Iterator<Item = (LedgerId, ModSeq)> {
    payload.split(' ').filter_map(|word| {
        let (ledger, head) = word.split_once(':')?;
        Some((LedgerId(ledger.parse().ok()?), ModSeq(head.parse().ok()?)))
    })
}

/// Listens to the other hosts, for ever, on a connection of its own.
pub(super) async fn listen(inner: Arc<Inner>, config: Config) {
    loop {
        if let Err(error) = listen_once(&inner, &config).await {
            tracing::debug!(error = describe(&error), "the bell between hosts is down");
        }
        tokio::time::sleep(AGAIN).await;
    }
}

async fn listen_once(inner: &Inner, config: &Config) -> Result<(), tokio_postgres::Error> {
    let (client, mut connection) = config.connect(NoTls).await?;
    let ears = async {
        loop {
            match std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                Some(Ok(AsyncMessage::Notification(news))) => {
                    heads(news.payload()).for_each(|(ledger, head)| inner.bells.ring(ledger, head));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            }
        }
    };
    let mouth = async {
        client.batch_execute("LISTEN packetboat").await?;
        // From here on nothing is missed; what came before is looked up.
        let _ = look(inner).await;
        std::future::pending::<Result<(), tokio_postgres::Error>>().await
    };
    tokio::select! {
        ended = ears => ended,
        ended = mouth => ended,
    }
}

/// Looks at the heads somebody waits for, for ever.
pub(super) async fn watch(inner: Arc<Inner>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = look(&inner).await {
            tracing::debug!(%error, "the heads could not be looked at");
        }
    }
}

async fn look(inner: &Inner) -> Result<(), Error> {
    let ledgers: Vec<i64> = inner.bells.listened().into_iter().map(|ledger| ledger.0 as i64).collect();
    if ledgers.is_empty() {
        return Ok(());
    }
    let connection = inner.reading.lease().await?;
    for some in ledgers.chunks(4096) {
        for row in connection.query(Sql::Heads, &[&some]).await? {
            let (ledger, head): (i64, i64) = (row.get(0), row.get(1));
            inner.bells.ring(LedgerId(ledger as u64), ModSeq(head as u64));
        }
    }
    Ok(())
}

/// Removes bodies nobody refers to, and commit ids nobody will ask for, for ever.
pub(super) async fn sweep(inner: Arc<Inner>) {
    loop {
        tokio::time::sleep(SWEEP).await;
        if let Err(error) = sweep_once(&inner).await {
            tracing::warn!(%error, "dead bodies could not be removed from the database");
        }
    }
}

/// Everything that can be removed now; says how many bodies went.
pub(super) async fn sweep_once(inner: &Inner) -> Result<u64, Error> {
    let connection = inner.writing.lease().await?;
    connection.execute(Sql::SweepCommits, &[]).await?;
    let mut removed = 0;
    loop {
        let some = connection.execute(Sql::Sweep, &[]).await?;
        removed += some;
        if some == 0 {
            return Ok(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_survive_the_way() {
        let told: HashMap<_, _> = (0..2000).map(|n| (LedgerId(u64::MAX - n), ModSeq(n * n))).collect();
        let payloads = payloads(told.clone());
        assert!(payloads.len() > 1 && payloads.iter().all(|payload| payload.len() < 8000));
        let heard: HashMap<_, _> = payloads.iter().flat_map(|payload| heads(payload)).collect();
        assert_eq!(heard, told);
        assert_eq!(heads("x 1 2: :3 -1:2 4:5").collect::<Vec<_>>(), [(LedgerId(4), ModSeq(5))]);
    }
}
