//! The commands of POP3: octets of a line to a `Command`. RFC 1939 §9, RFC 2449 §4.
//!
//! What never lives here: whether a command is allowed now.

use mail::Secret;

use crate::sasl;

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// RFC 1939 §7
    User(String),
    /// RFC 1939 §7
    Pass(Secret),
    /// RFC 5034 §4; without a mechanism it asks for the list of them.
    Auth(Option<Auth>),
    /// RFC 1939 §5
    Stat,
    /// RFC 1939 §5
    List(Option<u32>),
    /// RFC 1939 §7
    Uidl(Option<u32>),
    /// RFC 1939 §5
    Retr(u32),
    /// RFC 1939 §7: message, lines of its body.
    Top(u32, u32),
    /// RFC 1939 §5
    Dele(u32),
    /// RFC 1939 §5
    Rset,
    /// RFC 1939 §5
    Noop,
    /// RFC 1939 §4, §6
    Quit,
    /// RFC 2449 §5
    Capa,
    /// RFC 2595 §4
    Stls,
    /// RFC 6856 §2.1
    Utf8,
    /// RFC 6856 §3.2
    Lang(Option<String>),
}

/// What follows AUTH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Auth {
    /// As given.
    pub(super) mechanism: String,
    /// In base64, `=` if it is empty.
    pub(super) initial: Option<Secret>,
}

/// Why a line is no command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing known here.
    Unknown,
    /// Longer than any command.
    TooLong,
    /// Known, but with arguments it does not take; in words what it takes.
    Arguments(&'static str),
}

/// Whether this line is how a web browser begins. Pages on the web can be made to send such a request to any port,
/// with commands of ours in its body.
pub(super) fn is_http(line: &[u8]) -> bool {
    const VERBS: [&[u8]; 9] =
        [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH", b"TRACE"];
    let verb = line.split(|octet| *octet == b' ').next().unwrap_or_default();
    VERBS.contains(&verb) && verb.len() < line.len()
}

/// Reads a line, its ending removed. Spaces at the end are ignored, except after PASS, where they may be meant.
pub(super) fn parse(line: &[u8]) -> Result<Command, Fault> {
    let end = line.iter().position(|octet| *octet == b' ');
    let (word, rest) = match end {
        Some(end) => (&line[..end], Some(&line[end + 1..])),
        None => (line, None),
    };
    let trimmed = rest.map(<[u8]>::trim_ascii).filter(|rest| !rest.is_empty());
    match word.to_ascii_uppercase().as_slice() {
        b"USER" => user(trimmed).map(Command::User),
        b"PASS" => pass(rest).map(Command::Pass),
        b"AUTH" => auth(trimmed),
        b"STAT" => nothing(trimmed, Command::Stat),
        b"LIST" => optional(trimmed).map(Command::List),
        b"UIDL" => optional(trimmed).map(Command::Uidl),
        b"RETR" => message(trimmed).map(Command::Retr),
        b"DELE" => message(trimmed).map(Command::Dele),
        b"TOP" => top(trimmed),
        b"RSET" => nothing(trimmed, Command::Rset),
        b"NOOP" => nothing(trimmed, Command::Noop),
        b"QUIT" => nothing(trimmed, Command::Quit),
        b"CAPA" => nothing(trimmed, Command::Capa),
        b"STLS" => nothing(trimmed, Command::Stls),
        b"UTF8" => nothing(trimmed, Command::Utf8),
        b"LANG" => lang(trimmed),
        _ => Err(Fault::Unknown),
    }
}

fn nothing(rest: Option<&[u8]>, command: Command) -> Result<Command, Fault> {
    if rest.is_some() { Err(Fault::Arguments("no argument")) } else { Ok(command) }
}

/// Names may hold spaces: an address with a quoted local part does.
fn user(rest: Option<&[u8]>) -> Result<String, Fault> {
    let name = rest.and_then(|rest| std::str::from_utf8(rest).ok());
    match name {
        Some(name) if name.len() <= sasl::VALUE_LIMIT && !name.chars().any(char::is_control) => {
            Ok(name.to_owned())
        }
        _ => Err(Fault::Arguments("a user name in UTF-8")),
    }
}

/// All that follows the one space is the password. RFC 1939 §7.
fn pass(rest: Option<&[u8]>) -> Result<Secret, Fault> {
    match rest {
        Some(password)
            if !password.is_empty() && password.len() <= sasl::VALUE_LIMIT && !password.contains(&0) =>
        {
            Ok(Secret::new(password.to_vec()))
        }
        _ => Err(Fault::Arguments("a password")),
    }
}

fn auth(rest: Option<&[u8]>) -> Result<Command, Fault> {
    let Some(rest) = rest else { return Ok(Command::Auth(None)) };
    let mut words = rest.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let mechanism = words.next().and_then(|word| std::str::from_utf8(word).ok());
    let initial = words.next().map(|word| Secret::new(word.to_vec()));
    match (mechanism, words.next()) {
        (Some(mechanism), None) => Ok(Command::Auth(Some(Auth { mechanism: mechanism.to_owned(), initial }))),
        _ => Err(Fault::Arguments("a mechanism and at most one initial response")),
    }
}

fn optional(rest: Option<&[u8]>) -> Result<Option<u32>, Fault> {
    match rest {
        None => Ok(None),
        Some(rest) => number(rest).map(Some).ok_or(Fault::Arguments("at most a message number")),
    }
}

fn message(rest: Option<&[u8]>) -> Result<u32, Fault> {
    rest.and_then(number).ok_or(Fault::Arguments("a message number"))
}

fn top(rest: Option<&[u8]>) -> Result<Command, Fault> {
    let words = rest.unwrap_or_default().split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let numbers: Vec<Option<u32>> = words.take(3).map(number).collect();
    match numbers[..] {
        [Some(message), Some(lines)] => Ok(Command::Top(message, lines)),
        _ => Err(Fault::Arguments("a message number and a number of lines")),
    }
}

fn lang(rest: Option<&[u8]>) -> Result<Command, Fault> {
    let range = rest.map(|rest| std::str::from_utf8(rest).ok().filter(|range| !range.contains(' ')));
    match range {
        None => Ok(Command::Lang(None)),
        Some(Some(range)) => Ok(Command::Lang(Some(range.to_owned()))),
        Some(None) => Err(Fault::Arguments("at most one language")),
    }
}

/// Digits alone; a number beyond all messages is the largest one, which no message has.
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        digits
            .iter()
            .fold(0, |number: u32, digit| number.saturating_mul(10).saturating_add(u32::from(digit - b'0'))),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.as_bytes().to_vec())
    }

    /// RFC 1939 §9, RFC 2449 §4, RFC 5034 §4, RFC 6856.
    #[test]
    fn commands() {
        let auth = |mechanism: &str, initial: Option<&str>| {
            Command::Auth(Some(Auth { mechanism: mechanism.into(), initial: initial.map(secret) }))
        };
        for (line, wanted) in [
            ("USER mrose", Command::User("mrose".into())),
            ("user  a b@c ", Command::User("a b@c".into())),
            ("USER ü", Command::User("ü".into())),
            ("PASS tanstaaf", Command::Pass(secret("tanstaaf"))),
            ("PASS  a b ", Command::Pass(secret(" a b "))),
            ("AUTH", Command::Auth(None)),
            ("AUTH PLAIN", auth("PLAIN", None)),
            ("AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=", auth("PLAIN", Some("dGVzdAB0ZXN0AHRlc3Q="))),
            ("AUTH PLAIN =", auth("PLAIN", Some("="))),
            ("STAT", Command::Stat),
            ("Stat ", Command::Stat),
            ("LIST", Command::List(None)),
            ("LIST 2", Command::List(Some(2))),
            ("UIDL 007", Command::Uidl(Some(7))),
            ("RETR 4294967295", Command::Retr(u32::MAX)),
            ("RETR 99999999999999999999", Command::Retr(u32::MAX)),
            ("DELE 1", Command::Dele(1)),
            ("TOP 1 10", Command::Top(1, 10)),
            ("TOP 1  2147483648", Command::Top(1, 1 << 31)),
            ("TOP 1 4294967296", Command::Top(1, u32::MAX)),
            ("RSET", Command::Rset),
            ("NOOP", Command::Noop),
            ("QUIT", Command::Quit),
            ("capa", Command::Capa),
            ("STLS", Command::Stls),
            ("UTF8", Command::Utf8),
            ("LANG", Command::Lang(None)),
            ("LANG *", Command::Lang(Some("*".into()))),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(wanted), "{line}");
        }
    }

    #[test]
    fn what_is_no_command() {
        for line in [
            "",
            " ",
            "FOO",
            "STATE",
            "APOP mrose c4c9334bac560ecc979e58001b3e22fb",
            "\u{e4}",
            "NOOP\r",
            "NOOP\tx",
        ] {
            assert_eq!(parse(line.as_bytes()), Err(Fault::Unknown), "{line}");
        }
        for line in [
            "USER",
            "USER ",
            "USER \u{1}",
            "PASS",
            "PASS ",
            "STAT 1",
            "LIST x",
            "LIST 1 2",
            "LIST -1",
            "UIDL +1",
            "RETR",
            "RETR 1x",
            "DELE",
            "TOP",
            "TOP 1",
            "TOP 1 -1",
            "TOP 1 2 3",
            "TOP x 1",
            "QUIT now",
            "AUTH PLAIN a b",
            "LANG a b",
        ] {
            assert!(matches!(parse(line.as_bytes()), Err(Fault::Arguments(_))), "{line}");
        }
        assert!(matches!(parse(b"USER \xff"), Err(Fault::Arguments(_))));
        assert!(matches!(parse(&[b"PASS ", &[b'x'; 1025][..]].concat()), Err(Fault::Arguments(_))));
        assert!(parse(&[b"PASS ", &[b'x'; 1024][..]].concat()).is_ok());
    }

    #[test]
    fn requests_of_browsers() {
        for line in ["GET / HTTP/1.1", "POST /x HTTP/1.0", "OPTIONS * HTTP/1.1"] {
            assert!(is_http(line.as_bytes()), "{line}");
        }
        for line in ["GET", "get / HTTP/1.1", "GETX /", "", "USER GET"] {
            assert!(!is_http(line.as_bytes()), "{line}");
        }
    }
}
