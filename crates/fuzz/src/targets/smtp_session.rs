//! The SMTP server session.

use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use mail::{BlobId, BodyId};
use proto::Coding;
use proto::smtp::ask::{Answer, Ask, Reply, Target as Place};
use proto::smtp::{Door, Options, Server, limits};

use super::mail_world::{self, ACCOUNT};
use super::talk::{Did, House, Talk, twice};
use crate::dice::Dice;
use crate::{Target, mark, seeds};

/// The target.
pub const TARGET: Target = Target {
    name: "smtp_session",
    run: smtp_session,
    seeds: || {
        let mut all = seeds::transcripts("smtp");
        all.push(
            b"EHLO a\r\nMAIL FROM:<a@b.test> SIZE=30\r\nRCPT TO:<c@d.test>\r\nDATA\r\nSubject: x\r\n\r\n..y\r\n.\r\n\
              MAIL FROM:<>\r\nRCPT TO:<c@d.test>\r\nBDAT 5\r\nX: y\nBDAT 4 LAST\r\n\r\n\r\nRSET\r\nQUIT\r\n"
                .to_vec(),
        );
        all
    },
    words: &[
        "EHLO a\r\n",
        "HELO a\r\n",
        "MAIL FROM:<a@b>\r\n",
        "RCPT TO:<c@d>\r\n",
        "DATA\r\n",
        "\r\n.\r\n",
        "\n.\n",
        "\r\n..",
        "BDAT 4 LAST\r\n",
        "BDAT 3\r\n",
        "BDAT 0 LAST\r\n",
        "RSET\r\n",
        "QUIT\r\n",
        "NOOP\r\n",
        "VRFY a\r\n",
        "HELP\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "AUTH LOGIN\r\n",
        "YQ==\r\n",
        "*\r\n",
        "STARTTLS\r\n",
        "Subject: x\r\n\r\n",
        "\r\n",
        " SIZE=",
        " SMTPUTF8",
        " BODY=8BITMIME",
        "EXPN a\r\n",
        "GET / HTTP/1.0\r\n",
    ],
    must_reach: &[
        "220",
        "221",
        "250",
        "334",
        "235",
        "354",
        "421",
        "500",
        "501",
        "502",
        "503",
        "550",
        "552",
        "554",
        "delivered",
        "abandoned",
        "login",
        "sender",
        "recipient",
        "header",
    ],
};

const MAX_SIZE: u64 = 4000;

struct Smtp {
    dice: Dice,
    /// What was delivered.
    delivered: Vec<BodyId>,
}

impl House<Server> for Smtp {
    fn answer(&mut self, ask: Ask) -> Answer {
        if self.dice.once_in(16) {
            let code = [421, 450, 451, 452, 550, 552, 554][self.dice.roll(7)];
            return Answer::Refuse(Reply::new(code, "4.0.0", "No, sorry\nnot now"));
        }
        if self.dice.once_in(64) {
            return Answer::Delivered { id: "of something else".into() };
        }
        match ask {
            Ask::Login(_) => Answer::Login(mail_world::login(&mut self.dice)),
            Ask::Sender(envelope) => {
                assert!(envelope.recipients.is_empty());
                Answer::SenderOk
            }
            Ask::Recipient { envelope, recipient } => {
                assert!(envelope.recipients.is_empty() && !recipient.is_empty());
                Answer::RecipientOk(vec![Place { account: ACCOUNT, mailbox: None }])
            }
            Ask::Header { envelope, header } => {
                assert!(
                    !envelope.recipients.is_empty() && header.len() <= limits::HEADER + limits::TEXT_LINE
                );
                let prepend = if self.dice.once_in(4) { &b""[..] } else { b"Received: by us\r\n" };
                Answer::HeaderOk { prepend: Bytes::from_static(prepend) }
            }
            Ask::Deliver { envelope, body } => {
                assert!((1..=10).contains(&envelope.recipients.len()));
                self.delivered.push(body);
                Answer::Delivered { id: body.0.to_string() }
            }
        }
    }

    fn show(&self, ask: &Ask) -> String {
        match ask {
            Ask::Login(who) => format!("login {} {} {:?}", who.user, who.authzid, who.password.expose()),
            other => format!("{other:?}"),
        }
    }

    fn stream(&self, _: BlobId, _: std::ops::Range<u64>, _: Coding) -> Vec<u8> {
        panic!("an SMTP server streams nothing")
    }
}

/// Octets and events of a client.
pub fn smtp_session(data: &[u8]) {
    let talk = twice(data, || {
        let mut dice = Dice::of(data);
        let door = if dice.once_in(2) { Door::Relay } else { Door::Submission };
        let mut options = Options::new("mx.example.test", door);
        options.plain_login = dice.once_in(2);
        options.starttls = !dice.once_in(4);
        options.max_size = MAX_SIZE;
        options.max_recipients = 10;
        (Server::new(options, IpAddr::V4(Ipv4Addr::LOCALHOST)), Smtp { dice, delivered: Vec::new() })
    });
    replies(&talk.wrote_all());
    bodies(&talk);
    for did in &talk.did {
        if let Did::Asked(ask) = did {
            let end = ask.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(ask.len());
            mark::reached(ask[..end].to_ascii_lowercase());
        }
    }
}

/// RFC 5321 §4.2: every line has a code; the lines of a reply have the same.
fn replies(mut rest: &[u8]) {
    let mut open: Option<&[u8]> = None;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a line end");
        let line = &rest[..end];
        assert!(line.len() <= 510, "a reply line of {} octets", line.len());
        assert!(line.iter().all(|octet| matches!(octet, b' '..=b'~')), "\"{}\"", line.escape_ascii());
        let (code, text) = line.split_at_checked(3).expect("a code");
        assert!(
            matches!(code[0], b'2'..=b'5') && code.iter().all(u8::is_ascii_digit),
            "{}",
            line.escape_ascii()
        );
        assert!(open.is_none_or(|before| before == code), "two codes in one reply");
        open = match text.first() {
            Some(b'-') => Some(code),
            Some(b' ') => None,
            _ => panic!("neither a space nor a hyphen: {}", line.escape_ascii()),
        };
        mark::reached(String::from_utf8_lossy(code));
        if let Some(enhanced) = text.get(1..6) {
            mark::reached(format!("{} {}", String::from_utf8_lossy(code), String::from_utf8_lossy(enhanced)));
        }
        rest = &rest[end + 2..];
    }
    assert!(open.is_none(), "a reply is not ended");
}

/// What was kept is delivered or abandoned, and not both; nothing delivered is over the limit.
fn bodies(talk: &Talk<Server, Smtp>) {
    let mut open: Option<(BodyId, usize)> = None;
    let mut asked = None;
    for did in &talk.did {
        match did {
            Did::Kept(id, octets) => {
                let before = open.filter(|(body, _)| body == id).map_or(0, |(_, size)| size);
                assert!(open.is_none_or(|(body, _)| body == *id), "two bodies at once");
                open = Some((*id, before + octets.len()));
            }
            Did::Asked(text) if text.starts_with("Deliver") => {
                let (id, size) = open.take().expect("a body to deliver");
                assert!(size as u64 <= MAX_SIZE + 1000, "{size} octets were taken");
                asked = Some(id);
            }
            Did::Abandoned(id) => {
                mark::reached("abandoned");
                assert!(
                    open.is_some_and(|(body, _)| body == *id) || asked == Some(*id),
                    "{id:?} was not open"
                );
                assert!(!talk.house.delivered.contains(id), "{id:?} was delivered and is abandoned");
                (open, asked) = (None, None);
            }
            _ => {}
        }
    }
    assert!(open.is_none(), "{open:?} is neither delivered nor abandoned");
    if !talk.house.delivered.is_empty() {
        mark::reached("delivered");
    }
}
