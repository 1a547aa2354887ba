//! As much of an IMAP client as counting and timing need. It trusts the server: both are ours to start.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// Long enough for any server that works, short enough to end a bench of one that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection, greeted.
#[derive(Debug)]
pub struct Imap {
    stream: BufReader<TcpStream>,
    commands: u32,
}

impl Imap {
    /// Connects to `port` of loopback and reads the greeting.
    pub fn connect(port: u16) -> Result<Imap> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut imap = Imap { stream: BufReader::with_capacity(1 << 16, stream), commands: 0 };
        let greeting = imap.response()?;
        if greeting.starts_with(b"* OK") { Ok(imap) } else { Err(unexpected(&greeting)) }
    }

    /// Connects and logs in.
    pub fn login(port: u16, user: &str, password: &str) -> Result<Imap> {
        let mut imap = Imap::connect(port)?;
        imap.run(&format!("LOGIN {user} {password}"))?;
        Ok(imap)
    }

    /// Sends a command without waiting for what comes back; its tag.
    pub fn send(&mut self, command: &str) -> Result<String> {
        self.commands += 1;
        let tag = format!("a{}", self.commands);
        self.stream.get_mut().write_all(format!("{tag} {command}\r\n").as_bytes())?;
        Ok(tag)
    }

    /// Reads responses until the one with `tag`, which must be OK; calls `each` with those before it.
    pub fn finish(&mut self, tag: &str, mut each: impl FnMut(&[u8])) -> Result<()> {
        loop {
            let response = self.response()?;
            match response.strip_prefix(tag.as_bytes()) {
                Some(rest) if rest.starts_with(b" OK") => return Ok(()),
                Some(_) => return Err(unexpected(&response)),
                None => each(&response),
            }
        }
    }

    /// A command and its responses, which are dropped.
    pub fn run(&mut self, command: &str) -> Result<()> {
        let tag = self.send(command)?;
        self.finish(&tag, |_| {})
    }

    /// Begins to idle: returns when the server says that it waits.
    pub fn idle(&mut self) -> Result<()> {
        self.send("IDLE")?;
        loop {
            let response = self.response()?;
            if response.starts_with(b"+") {
                return Ok(());
            }
            if !response.starts_with(b"*") {
                return Err(unexpected(&response));
            }
        }
    }

    /// Asks how many messages the inbox holds; [`Imap::counted`] reads the answer.
    pub fn count(&mut self) -> Result<String> {
        self.send("STATUS INBOX (MESSAGES)")
    }

    /// The answer to [`Imap::count`].
    pub fn counted(&mut self, tag: &str) -> Result<usize> {
        let mut found = None;
        self.finish(tag, |response| found = found.or_else(|| messages(response)))?;
        found.ok_or_else(|| Error::new(ErrorKind::InvalidData, "no STATUS in the answer to STATUS"))
    }

    /// One response with its literals, up to and with the last line end.
    fn response(&mut self) -> Result<Vec<u8>> {
        let mut response = Vec::new();
        loop {
            if self.stream.read_until(b'\n', &mut response)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let Some(octets) = literal(&response) else { return Ok(response) };
            let read = (&mut self.stream).take(octets).read_to_end(&mut response)?;
            if (read as u64) < octets {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// The size of the literal that a line announces at its end.
fn literal(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"}\r\n")?;
    let digits = line.rsplit(|octet| *octet == b'{').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The number in `* STATUS INBOX (MESSAGES 17)`.
fn messages(response: &[u8]) -> Option<usize> {
    let response = std::str::from_utf8(response).ok()?.strip_prefix("* STATUS ")?;
    let (_, count) = response.split_once("(MESSAGES ")?;
    count.split(')').next()?.parse().ok()
}

fn unexpected(response: &[u8]) -> Error {
    Error::new(ErrorKind::InvalidData, format!("answered: {}", String::from_utf8_lossy(response).trim_end()))
}

#[cfg(test)]
mod tests {
    use super::{literal, messages};

    #[test]
    fn literals_are_seen_at_the_end_of_lines_only() {
        assert_eq!(literal(b"* 1 FETCH (BODY[] {12}\r\n"), Some(12));
        assert_eq!(literal(b"* 1 FETCH (BODY[] {12} x\r\n"), None);
        assert_eq!(literal(b"* OK {x}\r\n"), None);
    }

    #[test]
    fn the_count_is_read() {
        assert_eq!(messages(b"* STATUS INBOX (MESSAGES 17)\r\n"), Some(17));
        assert_eq!(messages(b"* 17 EXISTS\r\n"), None);
    }
}
