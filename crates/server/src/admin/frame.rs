//! Frames: a length, a kind, octets. Both sides speak them, and neither believes a length.
//!
//! ```text
//! length   4 octets, most significant first, of what follows the kind
//! kind     J a request or a reply, H the head of a message, B octets of it, E it is whole,
//!          X it cannot be had whole, L there are no more
//! ```

use std::io;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::limits;

/// What precedes a message's octets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The mailbox, `/` between levels.
    pub mailbox: String,
    /// Flags by their IMAP names.
    #[serde(default)]
    pub flags: Vec<String>,
    /// INTERNALDATE in milliseconds since 1970; `None`: nobody knows.
    #[serde(default)]
    pub date: Option<u64>,
    /// Octets, where they are known before they come.
    #[serde(default)]
    pub size: Option<u64>,
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A request or a reply, as JSON.
    Say(Vec<u8>),
    /// A message begins.
    Head(Head),
    /// Octets of it, or of a long text.
    Body(Bytes),
    /// The message is whole.
    End,
    /// The rest of the message cannot be had: what came of it is to be forgotten.
    Broken,
    /// There are no more messages, or the text is whole.
    Last,
}

/// The side that hears.
pub struct Reader<R = OwnedReadHalf>(BufReader<R>);

/// The side that speaks.
pub struct Writer<W = OwnedWriteHalf>(BufWriter<W>);

/// Both sides of a stream.
pub fn sides(stream: UnixStream) -> (Reader, Writer) {
    let (read, write) = stream.into_split();
    (Reader::new(read), Writer::new(write))
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// Hears from here.
    pub fn new(from: R) -> Reader<R> {
        Reader(BufReader::with_capacity(64 * 1024, from))
    }

    /// The next frame; `None` when the other side has ended between two frames.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut start = [0; 5];
        if self.0.read(&mut start[..1]).await? == 0 {
            return Ok(None);
        }
        self.0.read_exact(&mut start[1..]).await?;
        let [a, b, c, d, kind] = start;
        let length = u32::from_be_bytes([a, b, c, d]) as usize;
        if length > limits::FRAME {
            return Err(strange("a frame is too long"));
        }
        // Grown as octets come, not as the length promises.
        let mut octets = Vec::new();
        let got = (&mut self.0).take(length as u64).read_to_end(&mut octets).await?;
        if got != length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(match kind {
            b'J' => Frame::Say(octets),
            b'H' => Frame::Head(
                serde_json::from_slice(&octets)
                    .map_err(|_| strange("the head of a message does not read"))?,
            ),
            b'B' => Frame::Body(octets.into()),
            b'E' => Frame::End,
            b'X' => Frame::Broken,
            b'L' => Frame::Last,
            _ => return Err(strange("a frame is of an unknown kind")),
        }))
    }
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// Speaks to here.
    pub fn new(to: W) -> Writer<W> {
        Writer(BufWriter::with_capacity(64 * 1024, to))
    }

    /// Sends a frame; it leaves with `flush` at the latest. A body longer than a frame becomes several.
    pub async fn send(&mut self, frame: &Frame) -> io::Result<()> {
        match frame {
            Frame::Say(octets) => self.frame(b'J', octets).await,
            Frame::Head(head) => self.frame(b'H', &serde_json::to_vec(head)?).await,
            Frame::Body(octets) => {
                for piece in octets.chunks(limits::FRAME) {
                    self.frame(b'B', piece).await?;
                }
                Ok(())
            }
            Frame::End => self.frame(b'E', &[]).await,
            Frame::Broken => self.frame(b'X', &[]).await,
            Frame::Last => self.frame(b'L', &[]).await,
        }
    }

    /// Makes all leave.
    pub async fn flush(&mut self) -> io::Result<()> {
        self.0.flush().await
    }

    async fn frame(&mut self, kind: u8, octets: &[u8]) -> io::Result<()> {
        let length = u32::try_from(octets.len()).ok().filter(|_| octets.len() <= limits::FRAME);
        self.0.write_u32(length.ok_or_else(|| strange("a frame is too long"))?).await?;
        self.0.write_u8(kind).await?;
        self.0.write_all(octets).await
    }
}

fn strange(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn written(frames: &[Frame]) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        for frame in frames {
            writer.send(frame).await.unwrap();
        }
        writer.flush().await.unwrap();
        writer.0.into_inner()
    }

    fn frames() -> Vec<Frame> {
        let head = Head {
            mailbox: "Ä/b".into(),
            flags: vec!["\\Seen".into(), "$Forwarded".into()],
            date: Some(7),
            size: None,
        };
        vec![
            Frame::Say(b"{}".to_vec()),
            Frame::Head(head),
            Frame::Body(Bytes::from(vec![0xff; limits::PIECE])),
            Frame::Body(Bytes::from_static(b"\0\r\n")),
            Frame::End,
            Frame::Broken,
            Frame::Last,
        ]
    }

    #[tokio::test]
    async fn frames_come_back() {
        let octets = written(&frames()).await;
        let mut reader = Reader::new(&octets[..]);
        for frame in frames() {
            assert_eq!(reader.next().await.unwrap(), Some(frame));
        }
        assert_eq!(reader.next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_long_body_becomes_several_frames() {
        let body = Bytes::from(vec![1; limits::FRAME + 1]);
        let octets = written(&[Frame::Body(body)]).await;
        let mut reader = Reader::new(&octets[..]);
        let mut lengths = Vec::new();
        while let Some(Frame::Body(octets)) = reader.next().await.unwrap() {
            lengths.push(octets.len());
        }
        assert_eq!(lengths, [limits::FRAME, 1]);
    }

    #[tokio::test]
    async fn what_breaks_off_or_is_strange_is_an_error() {
        let whole = written(&[Frame::Say(b"{}".to_vec())]).await;
        for cut in 1..whole.len() {
            assert!(Reader::new(&whole[..cut]).next().await.is_err(), "cut at {cut}");
        }
        let long = (limits::FRAME as u32 + 1).to_be_bytes();
        for octets in [&[&long[..], b"J"].concat()[..], &[0, 0, 0, 0, b'?'], b"\0\0\0\x02H{]"] {
            assert!(Reader::new(octets).next().await.is_err(), "{octets:?}");
        }
        let mut writer = Writer::new(Vec::new());
        assert!(writer.send(&Frame::Say(vec![b' '; limits::FRAME + 1])).await.is_err());
    }
}
