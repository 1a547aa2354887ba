//! A sender that knows which of its messages were acknowledged. smtp-source does not say, and what a kill loses
//! can only be told by name.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

/// The header that names a message.
pub const NAME: &str = "X-Bench-Name";
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends messages to `to`, a new connection each, until the server is gone; the names of those it took. A refusal
/// is an error: a server that takes nothing loses nothing, and would pass.
pub fn until_gone(port: u16, to: &str, prefix: &str) -> Result<BTreeSet<String>> {
    let mut taken = BTreeSet::new();
    loop {
        let name = format!("{prefix}.{}", taken.len());
        match send(port, to, &name) {
            Ok(()) => taken.insert(name),
            Err(refused) if refused.kind() == ErrorKind::InvalidData => return Err(refused),
            Err(_) => return Ok(taken),
        };
    }
}

/// Sends one message of about 4 KB; `Ok` only once it was acknowledged.
fn send(port: u16, to: &str, name: &str) -> Result<()> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    expect(&mut stream, '2')?;
    for (command, reply) in [
        ("EHLO bench.example.org".to_owned(), '2'),
        ("MAIL FROM:<sender@example.org>".to_owned(), '2'),
        (format!("RCPT TO:<{to}>"), '2'),
        ("DATA".to_owned(), '3'),
        (format!("{}.", text(name)), '2'),
    ] {
        stream.get_mut().write_all(format!("{command}\r\n").as_bytes())?;
        expect(&mut stream, reply)?;
    }
    // It is acknowledged: what becomes of the farewell does not matter.
    let _ = stream.get_mut().write_all(b"QUIT\r\n");
    let _ = expect(&mut stream, '2');
    Ok(())
}

fn text(name: &str) -> String {
    let line = "The same line again and again, so that the message has the size of a usual one.\r\n";
    format!("From: sender@example.org\r\nSubject: {name}\r\n{NAME}: {name}\r\n\r\n{}", line.repeat(48))
}

/// Reads one reply, of any number of lines, which must begin with `digit`.
fn expect(stream: &mut impl BufRead, digit: char) -> Result<()> {
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if !line.starts_with(digit) {
            return Err(Error::new(ErrorKind::InvalidData, line));
        }
        if line.as_bytes().get(3) != Some(&b'-') {
            return Ok(());
        }
    }
}
