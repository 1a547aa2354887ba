//! The least IMAP client that can count: LOGIN and STATUS, nothing that sends literals.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// A logged-in connection.
pub struct Imap {
    stream: BufReader<TcpStream>,
}

impl Imap {
    /// Connects to a port of this machine and logs in.
    pub fn login(port: u16, user: &str, password: &str) -> Result<Imap, String> {
        let stream =
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).map_err(|error| format!("IMAP: {error}"))?;
        let _ = stream.set_nodelay(true);
        let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
        let mut imap = Imap { stream: BufReader::new(stream) };
        let greeting = imap.line()?;
        if !greeting.starts_with("* OK") {
            return Err(format!("IMAP greets with {greeting}"));
        }
        imap.command(&format!("LOGIN {user} {password}"))?;
        Ok(imap)
    }

    /// How many messages are in a mailbox.
    pub fn count(&mut self, mailbox: &str) -> Result<usize, String> {
        let answers = self.command(&format!("STATUS {mailbox} (MESSAGES)"))?;
        answers
            .iter()
            .find_map(|line| line.split_once("(MESSAGES ")?.1.split_once(')')?.0.parse().ok())
            .ok_or(format!("STATUS gave {answers:?}"))
    }

    fn command(&mut self, words: &str) -> Result<Vec<String>, String> {
        let sent = self.stream.get_mut().write_all(format!("t {words}\r\n").as_bytes());
        sent.map_err(|error| format!("IMAP: {error}"))?;
        let mut answers = Vec::new();
        loop {
            let line = self.line()?;
            let last = line.starts_with("t ");
            if last && !line.starts_with("t OK") {
                return Err(format!("{words}: {line}"));
            }
            answers.push(line);
            if last {
                return Ok(answers);
            }
        }
    }

    fn line(&mut self) -> Result<String, String> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Err("IMAP: closed".to_owned()),
            Ok(_) => Ok(line.trim_end().to_owned()),
            Err(error) => Err(format!("IMAP: {error}")),
        }
    }
}
