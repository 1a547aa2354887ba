//! SEARCH: keys over rows, summaries and bodies, a bounded number of messages at a time. RFC 9051 §6.4.4.
//!
//! Each message is judged by its row, then with its summary, then with its header, then with its text, and only
//! as far as that is undecided.

mod key;
mod text;

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use mail::{AccountId, MailboxId, ModSeq, Part, SearchKey, Summary, Uid, UidSet};

use self::key::{Facts, Plan};
use self::text::{Decoder, Field, Piece};
use crate::view::{Item, Place, State, batch};
use crate::{Error, Store, limits};

/// Messages looked into before others get a turn: an engine may have all they take at hand, and then nothing waits.
const TURN: usize = 32;

/// Messages that match or are undecided yet, ascending; the second says which.
type Sifted = Vec<(Item, bool)>;

impl Store {
    /// Messages after `after` that match, ascending, with their modseq; `Some`: ask again from there. `NonExistent`:
    /// the mailbox is gone. `Limit`: the key is too large.
    pub async fn search(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        key: &SearchKey<UidSet>,
        recent_from: Uid,
        after: Option<Uid>,
    ) -> Result<(Vec<(Uid, ModSeq)>, Option<Uid>), Error> {
        let view = self.view(account, mailbox).await?;
        let (plan, sifted, next) = view.read(|state| {
            if state.removed {
                return Err(Error::NonExistent);
            }
            let plan = Plan::new(key, &state.keywords, recent_from)?;
            let (sifted, next) = sift(&plan, state, after);
            Ok((plan, sifted, next))
        })?;
        let (mut hits, mut summaries, mut octets, mut looked) = (Vec::new(), VecDeque::new(), 0, 0);
        for (at, (item, open)) in sifted.iter().enumerate() {
            let mut matches = true;
            if *open {
                if summaries.is_empty() {
                    summaries = self.next_summaries(account, mailbox, &sifted[at..]).await?.into();
                }
                let encoded = summaries.pop_front().flatten();
                let place = Place { account, mailbox, uid: item.uid, blob: item.blob, size: item.size };
                matches = self.decide(&plan, item, &place, encoded, &mut octets).await?;
                looked += 1;
                if looked % TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            if matches {
                hits.push((item.uid, item.modseq));
            }
            if octets > limits::SEARCHED_OCTETS && at + 1 < sifted.len() {
                return Ok((hits, Some(item.uid)));
            }
        }
        Ok((hits, next))
    }

    /// Encoded summaries of the next undecided messages.
    async fn next_summaries(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        sifted: &[(Item, bool)],
    ) -> Result<Vec<Option<Bytes>>, Error> {
        let open = || sifted.iter().filter(|(_, open)| *open).map(|(item, _)| (item.uid, item.pieces));
        let wanted: Vec<(Uid, u8)> = open().take(batch(open().map(|(_, pieces)| pieces))).collect();
        self.read_summaries(account, mailbox, &wanted).await
    }

    /// Whether a message matches that its row alone does not decide.
    async fn decide(
        &self,
        plan: &Plan<'_>,
        item: &Item,
        place: &Place,
        encoded: Option<Bytes>,
        octets: &mut u64,
    ) -> Result<bool, Error> {
        let look = async {
            let Some(summary) = self.summary(place, encoded).await? else { return Ok(false) };
            let mut look = Look { store: self, account: place.account, item, whole: None, octets };
            look.decide(plan, &summary).await
        };
        match look.await {
            // It was removed while it was looked at.
            Err(Error::NonExistent) => Ok(false),
            // One damaged message must not hide all others.
            Err(Error::Corrupt(what)) => {
                let (account, uid) = (place.account.0, place.uid.0);
                tracing::warn!(account, uid, what, "a message could not be searched");
                Ok(false)
            }
            outcome => outcome,
        }
    }
}

/// Judges by rows alone. The second says after which message there are more.
fn sift(plan: &Plan<'_>, state: &State, after: Option<Uid>) -> (Sifted, Option<Uid>) {
    let (mut sifted, mut open, rows) = (Vec::new(), 0, plan.rows());
    let mut items = state.after(after).enumerate().peekable();
    while let Some((number, item)) = items.next() {
        let verdict = plan.judge(&Facts { item, summary: None, fields: None, found: &[] });
        if verdict != Some(false) {
            sifted.push((*item, verdict.is_none()));
            open += usize::from(verdict.is_none());
        }
        let enough = number + 1 == rows || open == limits::SEARCHED_MESSAGES;
        if enough && items.peek().is_some() {
            return (sifted, Some(item.uid));
        }
    }
    (sifted, None)
}

/// A message that is being looked into.
struct Look<'a> {
    store: &'a Store,
    account: AccountId,
    item: &'a Item,
    /// All of it, if it is small and its text is sought.
    whole: Option<Bytes>,
    /// Read for this search so far.
    octets: &'a mut u64,
}

impl Look<'_> {
    async fn decide(&mut self, plan: &Plan<'_>, summary: &Summary) -> Result<bool, Error> {
        let item = self.item;
        let facts = Facts { item, summary: Some(summary), fields: None, found: &[] };
        if let Some(decided) = plan.judge(&facts) {
            return Ok(decided);
        }
        if !plan.needles.is_empty() && item.size <= limits::OCTETS {
            self.whole = Some(self.read(0..item.size).await?);
        }
        let mut found = vec![None; plan.needles.len()];
        let fields = match plan.headers {
            true => Some(text::fields(&self.header(&summary.root.header).await?)),
            false => None,
        };
        if let Some(fields) = &fields {
            seek(plan, &mut found, true, false, &text::of_fields(fields));
        }
        let judge = |found: &[Option<bool>]| {
            plan.judge(&Facts { item, summary: Some(summary), fields: fields.as_deref(), found })
        };
        for piece in text::pieces(summary) {
            if let Some(decided) = judge(&found) {
                return Ok(decided);
            }
            self.seek_in(plan, &mut found, piece).await?;
        }
        // What was not found by now is not there.
        found.iter_mut().for_each(|found| *found = Some(*found == Some(true)));
        Ok(judge(&found).unwrap_or(false))
    }

    async fn seek_in(
        &mut self,
        plan: &Plan<'_>,
        found: &mut [Option<bool>],
        piece: Piece<'_>,
    ) -> Result<(), Error> {
        let text = |fields: Vec<Field>| text::of_fields(&fields);
        match piece {
            Piece::PartHeader(part) if plan.headers => {
                let fields = text::fields(&self.header(&part.header).await?);
                seek(plan, found, true, false, &text(fields));
            }
            Piece::PartHeader(_) => {}
            Piece::InnerHeader(part) => {
                let fields = text::fields(&self.header(&part.header).await?);
                seek(plan, found, true, true, &text(fields));
            }
            Piece::Text(part) => {
                let end = part.body.end.min(part.body.start.saturating_add(limits::SEARCHED_PART));
                if end - part.body.start > limits::LARGE_TEXT {
                    return self.seek_in_large(plan, found, part, part.body.start..end).await;
                }
                let octets = self.octets(part.body.start..end).await?;
                let text = Decoder::of(part).decode(&octets);
                seek(plan, found, true, true, &text);
            }
        }
        Ok(())
    }

    /// So that neither time nor memory runs out when many seek in large messages at once.
    async fn seek_in_large(
        &mut self,
        plan: &Plan<'_>,
        found: &mut [Option<bool>],
        part: &Part,
        range: Range<u64>,
    ) -> Result<(), Error> {
        let _turn = self.store.large_texts().acquire().await;
        let octets = self.octets(range).await?;
        let decoder = Decoder::of(part);
        let open = plan.needles.iter().zip(&*found).enumerate().filter(|(_, (_, found))| found.is_none());
        let needles: Vec<(usize, String)> =
            open.map(|(number, (needle, _))| (number, needle.folded.clone())).collect();
        let seek = move || {
            let text = decoder.decode(&octets);
            let there = needles.into_iter().filter(|(_, needle)| text.contains(needle));
            there.map(|(number, _)| number).collect::<Vec<usize>>()
        };
        let there = tokio::task::spawn_blocking(seek).await;
        for number in there.map_err(|error| Error::Unavailable(error.to_string()))? {
            found[number] = Some(true);
        }
        Ok(())
    }

    async fn header(&mut self, range: &Range<u64>) -> Result<Bytes, Error> {
        let end = range.end.min(range.start.saturating_add(limits::SEARCHED_HEADER));
        self.octets(range.start..end).await
    }

    async fn octets(&mut self, range: Range<u64>) -> Result<Bytes, Error> {
        let Some(whole) = &self.whole else { return self.read(range).await };
        let within = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(whole.len());
        Ok(whole.slice(within(range.start)..within(range.end.max(range.start))))
    }

    /// Reads a piece at a time, so that no engine has to hold more.
    async fn read(&mut self, range: Range<u64>) -> Result<Bytes, Error> {
        let mut octets = Vec::new();
        let mut at = range.start;
        while at < range.end {
            let piece = self.store.octets(self.account, self.item.blob, at..range.end).await?;
            if piece.is_empty() {
                break;
            }
            at += piece.len() as u64;
            *self.octets += piece.len() as u64;
            if octets.is_empty() && at >= range.end {
                return Ok(piece);
            }
            octets.extend_from_slice(&piece);
        }
        Ok(octets.into())
    }
}

/// Seeks what has not been found; `headers` and `bodies` say for which kinds of keys this text counts.
fn seek(plan: &Plan<'_>, found: &mut [Option<bool>], headers: bool, bodies: bool, text: &str) {
    for (needle, found) in plan.needles.iter().zip(found) {
        let counts = if needle.headers { headers } else { bodies };
        if counts && found.is_none() && text.contains(&needle.folded) {
            *found = Some(true);
        }
    }
}

#[cfg(test)]
mod tests;
