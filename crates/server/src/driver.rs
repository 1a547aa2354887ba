//! Joins one socket and one session: bytes in, actions out. Written once, for every protocol.
//!
//! What never lives here: protocol words, policy. The driver holds at most `UNSENT` octets that the peer has not
//! taken, reads only while the session is hungry, and lends every session the same scratch buffer, so an idle
//! connection owns no buffer at all.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};
use proto::{Action, Coding, Input, Session, TlsFailure, TlsPolicy};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::dots::DotStuffer;
use crate::stream::{Securer, Stream};

/// Actions are pulled only while fewer octets than this are unsent.
const UNSENT: usize = 64 * 1024;
/// How much of a stored body is read at once.
const BODY_CHUNK: u64 = 256 * 1024;
/// A stretch of a body up to this size is copied behind what is unsent, to spare a write of its own.
const SMALL: usize = 16 * 1024;
/// What one read may bring.
const SCRATCH: usize = 64 * 1024;
/// A peer that takes nothing for so long is gone.
const WRITE_STALL: Duration = Duration::from_secs(300);
/// A handshake takes no longer. research: total deadline per phase.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(30);
/// How long we listen to a peer after our last word, so that it reads it before a reset.
const LINGER: Duration = Duration::from_secs(2);

thread_local! {
    static READ: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// Who answers the session: the postmaster, for one connection.
pub trait Answerer<S: Session>: Send {
    /// Answers one Ask.
    fn answer(&mut self, now: Moment, ask: S::Ask) -> impl Future<Output = S::Answer> + Send;
    /// Appends to a body in flight; a failure is remembered and told when the body is used.
    fn keep(&mut self, id: BodyId, bytes: Bytes) -> impl Future<Output = ()> + Send;
    /// Drops a body in flight.
    fn abandon(&mut self, id: BodyId);
    /// Reads a stored body.
    fn read(
        &self,
        blob: BlobId,
        range: std::ops::Range<u64>,
    ) -> impl Future<Output = Result<Bytes, String>> + Send;
    /// Waits until the ledger is above `after`.
    fn ring(&self, ledger: LedgerId, after: ModSeq) -> impl Future<Output = ModSeq> + Send + 'static;
    /// A line for the log.
    fn note(&self, note: &proto::Note);
}

/// Why a conversation ended before the session closed it.
#[derive(Debug)]
pub enum Ended {
    /// The session said its last word.
    Closed,
    /// The socket failed.
    Socket(io::Error),
    /// The peer took nothing for too long.
    Stalled,
    /// A stored body could not be read back in the middle of a reply.
    Unreadable(String),
}

type Watching = Pin<Box<dyn Future<Output = (LedgerId, ModSeq)> + Send>>;

struct Drive<'a, S: Session, A> {
    stream: Stream,
    session: S,
    answerer: &'a mut A,
    clock: Clock,
    securer: Arc<dyn Securer>,
    unsent: BytesMut,
    watching: Vec<(LedgerId, Watching)>,
    peer_closed: bool,
}

/// Carries one conversation to its end.
pub async fn drive<S, A>(
    stream: Stream,
    session: S,
    answerer: &mut A,
    clock: Clock,
    securer: Arc<dyn Securer>,
    mut drain: watch::Receiver<bool>,
) -> Ended
where
    S: Session + Send,
    S::Ask: Send,
    S::Answer: Send,
    A: Answerer<S>,
{
    let secured = stream.info();
    let mut drive = Drive {
        stream,
        session,
        answerer,
        clock,
        securer,
        unsent: BytesMut::new(),
        watching: Vec::new(),
        peer_closed: false,
    };
    let now = drive.clock.now();
    drive.session.handle(now, Input::Opened(secured));
    let mut draining = false;
    loop {
        match drive.act().await {
            Ok(true) => {}
            Ok(false) => return drive.close().await,
            Err(ended) => return ended,
        }
        if *drain.borrow() && !draining {
            draining = true;
            let now = drive.clock.now();
            drive.session.handle(now, Input::Drain);
            continue;
        }
        match drive.wait(&mut drain, draining).await {
            Ok(()) => {}
            Err(ended) => return ended,
        }
    }
}

impl<S, A> Drive<'_, S, A>
where
    S: Session + Send,
    S::Ask: Send,
    S::Answer: Send,
    A: Answerer<S>,
{
    /// Does what the session wants until it waits; `false` when it wants to close.
    async fn act(&mut self) -> Result<bool, Ended> {
        loop {
            if self.unsent.len() >= UNSENT {
                self.flush().await?;
            }
            let Some(action) = self.session.next() else { break };
            match action {
                Action::Write(bytes) => self.unsent.extend_from_slice(&bytes),
                Action::Stream { blob, range, coding } => self.stream_body(blob, range, coding).await?,
                Action::Keep { id, bytes } => {
                    self.answerer.keep(id, bytes).await;
                    let now = self.clock.now();
                    self.session.handle(now, Input::Kept(id));
                }
                Action::Abandon(id) => self.answerer.abandon(id),
                Action::Watch(ledger) => self.watch(ledger, ModSeq(0)),
                Action::Unwatch(ledger) => self.watching.retain(|(id, _)| *id != ledger),
                Action::StartTls(policy) => self.start_tls(policy).await?,
                Action::StartDeflate => return Err(Ended::Unreadable("compression is not offered".into())),
                Action::Ask(ask) => {
                    if self.unsent.len() >= SMALL {
                        self.flush().await?;
                    }
                    let now = self.clock.now();
                    let answer = self.answerer.answer(now, ask).await;
                    let now = self.clock.now();
                    self.session.handle(now, Input::Answer(answer));
                }
                Action::Note(note) => self.answerer.note(&note),
                Action::Close => return Ok(false),
            }
        }
        self.flush().await?;
        Ok(true)
    }

    fn watch(&mut self, ledger: LedgerId, after: ModSeq) {
        let ring = self.answerer.ring(ledger, after);
        self.watching.retain(|(id, _)| *id != ledger);
        self.watching.push((ledger, Box::pin(async move { (ledger, ring.await) })));
    }

    /// Waits for the next thing that can happen and hands it to the session.
    async fn wait(&mut self, drain: &mut watch::Receiver<bool>, draining: bool) -> Result<(), Ended> {
        let deadline = self.session.deadline();
        let clock = self.clock;
        let sleep = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(Instant::now() + clock.now().until(at)).await,
                None => std::future::pending().await,
            }
        };
        let told = async {
            match draining {
                false if drain.wait_for(|d| *d).await.is_ok() => {}
                _ => std::future::pending().await,
            }
        };
        let hungry = self.session.hungry() && !self.peer_closed;
        let (session, stream, watching) = (&mut self.session, &mut self.stream, &mut self.watching);
        enum Event {
            Read(io::Result<usize>),
            Rang(LedgerId, ModSeq),
            Tick,
            Drain,
        }
        let read = poll_fn(|cx| match hungry {
            true => poll_read(stream, session, clock, cx),
            false => Poll::Pending,
        });
        let rang = poll_fn(|cx| {
            for (_, ring) in watching.iter_mut() {
                if let Poll::Ready(rang) = ring.as_mut().poll(cx) {
                    return Poll::Ready(rang);
                }
            }
            Poll::Pending
        });
        let event = tokio::select! {
            biased;
            read = read => Event::Read(read),
            (ledger, head) = rang => Event::Rang(ledger, head),
            () = pin!(sleep) => Event::Tick,
            () = pin!(told) => Event::Drain,
        };
        let now = self.clock.now();
        match event {
            Event::Read(Ok(0)) => {
                self.peer_closed = true;
                self.session.handle(now, Input::PeerClosed);
            }
            Event::Read(Ok(_)) | Event::Drain => {}
            Event::Read(Err(error)) => return Err(Ended::Socket(error)),
            Event::Rang(source, head) => {
                self.watch(source, head);
                self.session.handle(now, Input::Changed { source, head });
            }
            Event::Tick => self.session.handle(now, Input::Tick),
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Ended> {
        if !self.unsent.is_empty() {
            let bytes = self.unsent.split();
            write(&mut self.stream, &bytes).await?;
            // An idle session keeps no buffer; a busy one gets the same allocation back.
            drop(bytes);
        }
        within(WRITE_STALL, self.stream.flush()).await
    }

    async fn stream_body(
        &mut self,
        blob: BlobId,
        range: std::ops::Range<u64>,
        coding: Coding,
    ) -> Result<(), Ended> {
        let mut at = range.start;
        let mut stuffer = DotStuffer::default();
        while at < range.end {
            let end = range.end.min(at + BODY_CHUNK);
            let bytes = self.answerer.read(blob, at..end).await.map_err(Ended::Unreadable)?;
            if bytes.len() as u64 != end - at {
                return Err(Ended::Unreadable(format!("body {blob} is shorter than its row says")));
            }
            at = end;
            match coding {
                Coding::Raw if bytes.len() > SMALL => {
                    self.flush().await?;
                    write(&mut self.stream, &bytes).await?;
                }
                Coding::Raw => self.unsent.extend_from_slice(&bytes),
                Coding::DotStuffed => stuffer.push(&bytes, &mut self.unsent),
            }
            if self.unsent.len() >= UNSENT {
                self.flush().await?;
            }
        }
        if coding == Coding::DotStuffed {
            stuffer.finish(&mut self.unsent);
        }
        Ok(())
    }

    async fn start_tls(&mut self, policy: TlsPolicy) -> Result<(), Ended> {
        self.flush().await?;
        let plain = std::mem::replace(&mut self.stream, Stream::Gone);
        let outcome = timeout(HANDSHAKE, self.securer.secure(plain, policy)).await;
        let now = self.clock.now();
        match outcome {
            Ok(Ok(stream)) => {
                self.stream = stream;
                let info = self.stream.info().unwrap_or_default();
                self.session.handle(now, Input::TlsReady(info));
            }
            Ok(Err(why)) => self.session.handle(now, Input::TlsFailed(TlsFailure(why))),
            Err(_) => self.session.handle(now, Input::TlsFailed(TlsFailure("no handshake in time".into()))),
        }
        Ok(())
    }

    /// The last word is out: let the peer read it. Closing with octets unread would reset the connection and
    /// could take the reply back.
    async fn close(mut self) -> Ended {
        if let Err(ended) = self.flush().await {
            return ended;
        }
        let _ = timeout(LINGER, self.stream.shutdown()).await;
        if !self.peer_closed {
            let stream = &mut self.stream;
            let hush = async {
                for _ in 0..64 {
                    let read = poll_fn(|cx| poll_discard(stream, cx)).await;
                    if !matches!(read, Ok(n) if n > 0) {
                        break;
                    }
                }
            };
            let _ = timeout(LINGER, hush).await;
        }
        Ended::Closed
    }
}

fn poll_read<S: Session>(
    stream: &mut Stream,
    session: &mut S,
    clock: Clock,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    READ.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        match Pin::new(stream).poll_read(cx, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                let bytes = buffer.filled();
                if !bytes.is_empty() {
                    session.handle(clock.now(), Input::Bytes(bytes));
                }
                Poll::Ready(Ok(bytes.len()))
            }
        }
    })
}

fn poll_discard(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    READ.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        Pin::new(stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
    })
}

async fn write(stream: &mut Stream, mut bytes: &[u8]) -> Result<(), Ended> {
    while !bytes.is_empty() {
        let n = match timeout(WRITE_STALL, poll_fn(|cx| Pin::new(&mut *stream).poll_write(cx, bytes))).await {
            Ok(Ok(0)) => return Err(Ended::Socket(io::ErrorKind::WriteZero.into())),
            Ok(Ok(n)) => n,
            Ok(Err(error)) => return Err(Ended::Socket(error)),
            Err(_) => return Err(Ended::Stalled),
        };
        bytes = &bytes[n..];
    }
    Ok(())
}

async fn within(limit: Duration, work: impl Future<Output = io::Result<()>>) -> Result<(), Ended> {
    match timeout(limit, work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Ended::Socket(error)),
        Err(_) => Err(Ended::Stalled),
    }
}
