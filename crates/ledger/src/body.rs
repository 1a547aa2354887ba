//! A body on its way in: hashed while it arrives, in memory up to 256 KiB, beyond that with the engine.

use bytes::{Bytes, BytesMut};
use mail::BlobId;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

use crate::engine::{Any, Engine};
use crate::error::{CommitError, Error};
use crate::limits::INLINE_LIMIT;
use crate::tx::{Body, Held};

/// A body on its way in: at most 256 KiB are held in memory, the rest is with the engine.
pub struct BodyWriter {
    engine: Any,
    hash: Sha256,
    size: u64,
    /// What has not gone to the engine.
    waiting: BytesMut,
    /// Set once the body has outgrown memory.
    open: Option<Abandon>,
    /// A write failed or was dropped half way, so that hash and octets may differ.
    broken: bool,
}

impl BodyWriter {
    pub(crate) fn new(engine: Any) -> BodyWriter {
        let hash = Sha256::new();
        BodyWriter { engine, hash, size: 0, waiting: BytesMut::new(), open: None, broken: false }
    }

    /// Octets written so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends octets. Dropping the writer abandons the body; so does dropping this future.
    pub async fn write(&mut self, chunk: Bytes) -> Result<(), CommitError> {
        self.usable()?;
        self.broken = true;
        self.hash.update(&chunk);
        self.size += chunk.len() as u64;
        let mut rest = chunk;
        // A body of exactly `INLINE_LIMIT` stays in memory: the engine hears of it with the octet after that.
        while self.waiting.len() + rest.len() > INLINE_LIMIT {
            let piece = rest.split_to(INLINE_LIMIT - self.waiting.len());
            self.waiting.extend_from_slice(&piece);
            self.hand_over().await?;
        }
        self.waiting.extend_from_slice(&rest);
        self.broken = false;
        Ok(())
    }

    /// The body is whole: hashed, and ready for `Tx::hold`. Not durable before that commit.
    pub async fn finish(mut self) -> Result<Body, CommitError> {
        self.usable()?;
        if self.open.is_some() && !self.waiting.is_empty() {
            self.hand_over().await?;
        }
        let id = BlobId(self.hash.finalize().into());
        let Some(open) = self.open else {
            debug_assert_eq!(self.waiting.len() as u64, self.size);
            let held = Held::Inline(self.waiting.freeze());
            return Ok(Body { id, size: self.size, held, guard: None });
        };
        self.engine.body_finish(open.number, Some((id, self.size))).await?;
        let held = Held::Chunked(open.number);
        Ok(Body { id, size: self.size, held, guard: Some(Arc::new(open)) })
    }

    fn usable(&self) -> Result<(), Error> {
        match self.broken {
            true => Err(Error::Refused("a body whose writing had failed was used again".into())),
            false => Ok(()),
        }
    }

    async fn hand_over(&mut self) -> Result<(), CommitError> {
        let number = match &self.open {
            Some(open) => open.number,
            None => {
                let number = self.engine.body_open().await?;
                self.open = Some(Abandon { engine: self.engine.clone(), number });
                number
            }
        };
        self.engine.body_append(number, self.waiting.split().freeze()).await
    }
}

impl fmt::Debug for BodyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BodyWriter").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Tells the engine when a body it has begun to keep will not be used.
pub(crate) struct Abandon {
    engine: Any,
    number: u64,
}

impl Drop for Abandon {
    fn drop(&mut self) {
        self.engine.abandon(self.number);
    }
}

impl fmt::Debug for Abandon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Abandon({})", self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ledger;

    /// What is at most `INLINE_LIMIT` long costs the engine nothing before its commit, however it arrived.
    #[tokio::test]
    async fn the_engine_hears_of_a_body_with_the_octet_after_the_limit() {
        for piece in [1000, INLINE_LIMIT, usize::MAX] {
            for (size, inline) in [(0, true), (INLINE_LIMIT, true), (INLINE_LIMIT + 1, false)] {
                let mut writer = Ledger::memory().body();
                let mut rest = Bytes::from(vec![7; size]);
                while !rest.is_empty() {
                    writer.write(rest.split_to(piece.min(rest.len()))).await.unwrap();
                    assert!(writer.waiting.len() <= INLINE_LIMIT);
                }
                let body = writer.finish().await.unwrap();
                assert_eq!(matches!(body.held, Held::Inline(_)), inline, "{size} in pieces of {piece}");
                assert_eq!(body.guard.is_some(), !inline);
            }
        }
    }
}
