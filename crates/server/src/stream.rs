//! A connection that may become secure on the way.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use proto::{TlsInfo, TlsPolicy};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// A socket, plain or secured.
pub enum Stream {
    /// As accepted.
    Plain(TcpStream),
    /// After the handshake, with what is known of it.
    Secure(Box<(TlsStream<TcpStream>, TlsInfo)>),
    /// Given away to a handshake that failed.
    Gone,
}

/// Shakes hands.
pub trait Securer: Send + Sync {
    /// Turns a plain stream into a secure one, or says why not.
    fn secure(
        &self,
        stream: Stream,
        policy: TlsPolicy,
    ) -> Pin<Box<dyn Future<Output = Result<Stream, String>> + Send + '_>>;
}

impl Stream {
    /// What is known of the handshake.
    pub fn info(&self) -> Option<TlsInfo> {
        match self {
            Stream::Secure(secure) => Some(secure.1.clone()),
            _ => None,
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Stream::Secure(secure) => Pin::new(&mut secure.0).poll_read(cx, buf),
            Stream::Gone => Poll::Ready(Err(gone())),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Secure(secure) => Pin::new(&mut secure.0).poll_write(cx, bytes),
            Stream::Gone => Poll::Ready(Err(gone())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Secure(secure) => Pin::new(&mut secure.0).poll_flush(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Secure(secure) => Pin::new(&mut secure.0).poll_shutdown(cx),
            Stream::Gone => Poll::Ready(Ok(())),
        }
    }
}
