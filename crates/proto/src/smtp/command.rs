//! The grammar of command lines. RFC 5321 §4.1.1.
//!
//! What never lives here: whether a command fits the moment.

use super::ask::Reply;
use super::limits::{COMMAND_LINE, DOMAIN};
use super::path::{self, Path};

/// A command, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<'l> {
    /// RFC 5321 §4.1.1.1, with the client's name.
    Ehlo(&'l str),
    /// The same of old.
    Helo(&'l str),
    /// RFC 5321 §4.1.1.2.
    Mail {
        /// Reverse path.
        path: Path,
        /// What follows it.
        params: &'l str,
    },
    /// RFC 5321 §4.1.1.3.
    Rcpt {
        /// Forward path.
        path: Path,
        /// What follows it.
        params: &'l str,
    },
    /// RFC 5321 §4.1.1.4.
    Data,
    /// RFC 3030 §2.
    Bdat {
        /// Octets that follow the line.
        size: u64,
        /// They are the last.
        last: bool,
    },
    /// BDAT whose size cannot be read: nobody knows where commands go on.
    BdatLost,
    /// RFC 4954 §4.
    Auth {
        /// Its name, in any case.
        mechanism: &'l str,
        /// As given.
        initial: Option<&'l str>,
    },
    /// RFC 3207 §4.
    StartTls,
    /// RFC 5321 §4.1.1.5.
    Rset,
    /// RFC 5321 §4.1.1.9.
    Noop,
    /// RFC 5321 §4.1.1.10.
    Quit,
    /// RFC 5321 §4.1.1.8.
    Help,
    /// RFC 5321 §4.1.1.6.
    Vrfy,
    /// RFC 5321 §4.1.1.7.
    Expn,
    /// Another protocol: a browser is being used to talk to us.
    Http,
}

/// Reads a line, its ending removed.
///
/// # Errors
/// The reply to give.
pub fn parse(line: &[u8]) -> Result<Command<'_>, Reply> {
    let (verb, rest) = split(line);
    let verb = verb.to_ascii_uppercase();
    if verb == b"BDAT" {
        return Ok(bdat(rest));
    }
    if is_http(&verb) {
        return Ok(Command::Http);
    }
    if verb != b"AUTH" && line.len() > COMMAND_LINE {
        return Err(Reply::new(500, "5.5.2", "The command line is too long"));
    }
    let text = std::str::from_utf8(rest).map_err(|_| syntax("The command is not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err(syntax("The command holds a control character"));
    }
    // White space before the ending is tolerated. RFC 5321 §4.1.1.
    let argument = text.trim_matches(' ');
    match verb.as_slice() {
        b"EHLO" => client_name(argument).map(Command::Ehlo),
        b"HELO" => client_name(argument).map(Command::Helo),
        b"MAIL" => {
            let (path, params) = path::reverse_path(after(argument, "FROM:")?)
                .map_err(|fault| Reply::new(501, "5.1.7", fault))?;
            Ok(Command::Mail { path, params })
        }
        b"RCPT" => {
            let (path, params) = path::forward_path(after(argument, "TO:")?)
                .map_err(|fault| Reply::new(501, "5.1.3", fault))?;
            Ok(Command::Rcpt { path, params })
        }
        b"AUTH" => auth(argument),
        b"NOOP" => Ok(Command::Noop),
        b"HELP" => Ok(Command::Help),
        b"DATA" => alone(argument, Command::Data),
        b"RSET" => alone(argument, Command::Rset),
        b"QUIT" => alone(argument, Command::Quit),
        b"STARTTLS" => alone(argument, Command::StartTls),
        b"VRFY" => with_argument(argument, Command::Vrfy),
        b"EXPN" => with_argument(argument, Command::Expn),
        b"ETRN" | b"ATRN" | b"TURN" | b"SEND" | b"SOML" | b"SAML" | b"BURL" | b"XCLIENT" | b"XFORWARD" => {
            Err(Reply::new(502, "5.5.1", "That command is not done here"))
        }
        _ => Err(Reply::new(500, "5.5.2", "That is no command; HELP names those there are")),
    }
}

fn split(line: &[u8]) -> (&[u8], &[u8]) {
    match line.iter().position(|octet| matches!(octet, b' ' | b'\t')) {
        Some(at) => (&line[..at], &line[at + 1..]),
        None => (line, b""),
    }
}

fn is_http(verb: &[u8]) -> bool {
    const VERBS: [&[u8]; 9] =
        [b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"DELETE", b"PATCH", b"PRI"];
    VERBS.contains(&verb)
}

/// The name goes into Received fields and logs, so what would break out of a comment there is refused; otherwise
/// clients call themselves all sorts of things, and a wrong name is no reason to refuse mail. RFC 5321 §4.1.4.
fn client_name(argument: &str) -> Result<&str, Reply> {
    if argument.is_empty() {
        return Err(parameter("The name of your host must follow"));
    }
    let good = |octet: u8| octet.is_ascii_graphic() && !b"()<>@,;\\\"".contains(&octet);
    if argument.len() > DOMAIN || !argument.bytes().all(good) {
        return Err(parameter("That is no host name or address literal"));
    }
    Ok(argument)
}

/// What follows `FROM:` or `TO:`. Spaces after the colon are an old and harmless mistake. RFC 5321 §3.3.
fn after<'l>(argument: &'l str, keyword: &str) -> Result<&'l str, Reply> {
    match argument.split_at_checked(keyword.len()) {
        Some((found, rest)) if found.eq_ignore_ascii_case(keyword) => Ok(rest.trim_start_matches(' ')),
        _ => Err(Reply::new(501, "5.5.4", format!("{keyword}<address> must follow"))),
    }
}

fn bdat(rest: &[u8]) -> Command<'_> {
    let words: Vec<&[u8]> =
        rest.split(|&octet| octet == b' ').filter(|word| !word.is_empty()).take(3).collect();
    let (digits, last) = match words[..] {
        [digits] => (digits, false),
        [digits, word] if word.eq_ignore_ascii_case(b"LAST") => (digits, true),
        _ => return Command::BdatLost,
    };
    let number = |digits: &[u8]| {
        let plain = digits.len() <= 20 && digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
    };
    number(digits).map_or(Command::BdatLost, |size| Command::Bdat { size, last })
}

fn auth(argument: &str) -> Result<Command<'_>, Reply> {
    let mut words = argument.split(' ').filter(|word| !word.is_empty());
    match (words.next(), words.next(), words.next()) {
        (Some(mechanism), initial, None) => Ok(Command::Auth { mechanism, initial }),
        _ => Err(parameter("AUTH takes a mechanism and at most one response")),
    }
}

fn alone<'l>(argument: &str, command: Command<'l>) -> Result<Command<'l>, Reply> {
    if argument.is_empty() { Ok(command) } else { Err(parameter("This command takes no parameter")) }
}

fn with_argument<'l>(argument: &str, command: Command<'l>) -> Result<Command<'l>, Reply> {
    if argument.is_empty() { Err(parameter("A name must follow")) } else { Ok(command) }
}

fn parameter(text: &str) -> Reply {
    Reply::new(501, "5.5.4", text)
}

fn syntax(text: &str) -> Reply {
    Reply::new(501, "5.5.2", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> u16 {
        match parse(line.as_bytes()) {
            Ok(command) => panic!("{line:?} was taken for {command:?}"),
            Err(reply) => reply.code,
        }
    }

    #[test]
    fn commands_in_any_case() {
        for (line, command) in [
            ("EHLO a.b", Command::Ehlo("a.b")),
            ("ehlo  [192.0.2.1] ", Command::Ehlo("[192.0.2.1]")),
            ("HeLo my_pc", Command::Helo("my_pc")),
            ("data", Command::Data),
            ("DATA  ", Command::Data),
            ("RSET", Command::Rset),
            ("NOOP anything", Command::Noop),
            ("QUIT", Command::Quit),
            ("HELP MAIL", Command::Help),
            ("VRFY x", Command::Vrfy),
            ("EXPN x", Command::Expn),
            ("StartTLS", Command::StartTls),
            ("AUTH PLAIN", Command::Auth { mechanism: "PLAIN", initial: None }),
            ("AUTH plain =", Command::Auth { mechanism: "plain", initial: Some("=") }),
            ("BDAT 0", Command::Bdat { size: 0, last: false }),
            ("bdat 86 last", Command::Bdat { size: 86, last: true }),
            ("BDAT 18446744073709551615", Command::Bdat { size: u64::MAX, last: false }),
            ("GET / HTTP/1.1", Command::Http),
            ("post /", Command::Http),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn mail_and_rcpt() {
        let path = |address: &str| Path { address: address.into(), utf8: false };
        assert_eq!(
            parse(b"MAIL FROM:<a@b> SIZE=1"),
            Ok(Command::Mail { path: path("a@b"), params: " SIZE=1" })
        );
        assert_eq!(parse(b"mail from: <>"), Ok(Command::Mail { path: path(""), params: "" }));
        assert_eq!(
            parse(b"rcpt to:<Postmaster>"),
            Ok(Command::Rcpt { path: path("Postmaster"), params: "" })
        );
    }

    #[test]
    fn what_is_refused() {
        for (line, expected) in [
            ("", 500),
            (" ", 500),
            ("XYZZY", 500),
            ("MAILFROM:<a@b>", 500),
            ("EHLO", 501),
            ("EHLO ", 501),
            ("EHLO a b", 501),
            ("EHLO a(b", 501),
            ("EHLO b\u{fc}cher", 501),
            ("EHLO a\tb", 501),
            ("EHLO a\0", 501),
            ("MAIL", 501),
            ("MAIL FROM", 501),
            ("MAIL FROM:", 501),
            ("MAIL FROM:a@b", 501),
            ("MAIL TO:<a@b>", 501),
            ("MAIL FROM <a@b>", 501),
            ("MAIL FROM:<a\0@b>", 501),
            ("RCPT FROM:<a@b>", 501),
            ("RCPT TO:<>", 501),
            ("RCPT TO:<a@b", 501),
            ("DATA now", 501),
            ("RSET x", 501),
            ("QUIT x", 501),
            ("STARTTLS x", 501),
            ("VRFY", 501),
            ("EXPN", 501),
            ("AUTH", 501),
            ("AUTH PLAIN a b", 501),
            ("ETRN x", 502),
            ("TURN", 502),
        ] {
            assert_eq!(code(line), expected, "{line:?}");
        }
        assert_eq!(parse(b"MAIL FROM:<\xff@b>").map_err(|reply| reply.code), Err(501));
        assert_eq!(code(&format!("NOOP {}", "x".repeat(COMMAND_LINE))), 500);
        assert!(parse(format!("AUTH PLAIN {}", "x".repeat(9000)).as_bytes()).is_ok());
    }

    /// RFC 3030 §2: where the size cannot be read, the octets that follow must never be taken for commands.
    #[test]
    fn lost_bdat() {
        for line in [
            "BDAT",
            "BDAT ",
            "BDAT x",
            "BDAT -1",
            "BDAT +1",
            "BDAT 1x",
            "BDAT 0x10",
            "BDAT LAST",
            "BDAT 1 FIRST",
            "BDAT 1 LAST x",
            "BDAT 1\tLAST",
            "BDAT 18446744073709551616",
            "BDAT 99999999999999999999999999",
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(Command::BdatLost), "{line}");
        }
        let long = format!("BDAT {}", "0".repeat(COMMAND_LINE));
        assert_eq!(parse(long.as_bytes()), Ok(Command::BdatLost));
    }
}
