//! The POP3 server session.

use std::ops::Range;

use mail::{BlobId, Uid};
use proto::Coding;
use proto::pop3::ask::{Answer, Ask, Entry, Maildrop};
use proto::pop3::{Options, Server};

use super::mail_world::{self, STORED, blob};
use super::talk::{Did, House, twice};
use crate::dice::Dice;
use crate::{Target, mark, seeds};

/// The target.
pub const TARGET: Target = Target {
    name: "pop3_session",
    run: pop3_session,
    seeds: || {
        let mut all = seeds::transcripts("pop3");
        all.push(
            b"USER a\r\nPASS b\r\nSTAT\r\nLIST\r\nUIDL 2\r\nRETR 1\r\nTOP 2 3\r\nDELE 1\r\nRSET\r\nDELE 2\r\nQUIT\r\n"
                .to_vec(),
        );
        all
    },
    words: &[
        "USER a\r\n",
        "PASS b\r\n",
        "STAT\r\n",
        "LIST\r\n",
        "LIST 1\r\n",
        "UIDL\r\n",
        "RETR 1\r\n",
        "TOP 1 2\r\n",
        "DELE 1\r\n",
        "RSET\r\n",
        "QUIT\r\n",
        "CAPA\r\n",
        "NOOP\r\n",
        "STLS\r\n",
        "AUTH PLAIN AGEAYg==\r\n",
        "AUTH PLAIN\r\n",
        "AGEAYg==\r\n",
        "*\r\n",
        "LANG *\r\n",
        "LANG\r\n",
        "UTF8\r\n",
        "\r\n",
        " ",
        "4294967295",
        "APOP a b\r\n",
    ],
    must_reach: &[
        "login",
        "open",
        "top",
        "update",
        "listing",
        "streamed",
        "[SYS/TEMP]",
        "[AUTH]",
        "[IN-USE]",
        "challenge",
    ],
};

/// Messages in the maildrop.
const MESSAGES: usize = 9;

struct Pop3 {
    dice: Dice,
}

impl House<Server> for Pop3 {
    fn answer(&mut self, ask: Ask) -> Answer {
        if self.dice.once_in(16) {
            return Answer::Failed("the disk is on holiday\r\n+OK not really".into());
        }
        if self.dice.once_in(64) {
            return Answer::TopEnd(7);
        }
        match ask {
            Ask::Login(_) => Answer::Login(mail_world::login(&mut self.dice)),
            Ask::Open(_) => match self.dice.roll(10) {
                0 => Answer::InUse,
                1 => Answer::LoginDelay,
                _ => Answer::Maildrop(Maildrop {
                    entries: (0..MESSAGES).map(entry).collect(),
                    expire_days: None,
                }),
            },
            Ask::Top { uid, lines, .. } => {
                let octets = &STORED[uid.0 as usize - 10].octets;
                let header =
                    octets.windows(4).position(|four| four == b"\r\n\r\n").map_or(octets.len(), |at| at + 4);
                let lines = octets[header..].split_inclusive(|octet| *octet == b'\n').take(lines as usize);
                Answer::TopEnd((header + lines.map(<[u8]>::len).sum::<usize>()) as u64)
            }
            Ask::Update { delete, retrieved, .. } => {
                for uids in [&delete, &retrieved] {
                    assert!(uids.windows(2).all(|pair| pair[0] < pair[1]), "not ascending: {uids:?}");
                    assert!(uids.iter().all(|uid| (10..10 + MESSAGES).contains(&(uid.0 as usize))));
                }
                Answer::Updated
            }
        }
    }

    fn show(&self, ask: &Ask) -> String {
        match ask {
            Ask::Login(who) => format!("Login {} {} {:?}", who.user, who.authzid, who.password.expose()),
            other => format!("{other:?}"),
        }
    }

    fn stream(&self, blob: BlobId, range: Range<u64>, coding: Coding) -> Vec<u8> {
        assert_eq!(coding, Coding::DotStuffed);
        mark::reached("streamed");
        let mut out = Vec::new();
        for line in mail_world::octets(blob, range).split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                out.push(b'.');
            }
            out.extend_from_slice(line);
        }
        if !out.is_empty() && !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

fn entry(number: usize) -> Entry {
    Entry {
        uid: Uid(10 + u32::try_from(number).unwrap_or(0)),
        uidl: format!("u{number}"),
        size: STORED[number].octets.len() as u64,
        blob: blob(number),
    }
}

/// Octets and events of a client.
pub fn pop3_session(data: &[u8]) {
    let talk = twice(data, || {
        let mut dice = Dice::of(data);
        let mut options = Options::new("pop.example.test");
        options.plain_login = !dice.once_in(4);
        options.stls = !dice.once_in(4);
        options.login_delay = dice.once_in(2).then_some(60);
        options.expire_days = dice.once_in(2).then_some(30);
        (Server::new(options), Pop3 { dice })
    });
    responses(&talk.wrote_all());
    for did in &talk.did {
        if let Did::Asked(ask) = did {
            let end = ask.find(|letter: char| !letter.is_ascii_alphabetic()).unwrap_or(ask.len());
            mark::reached(ask[..end].to_ascii_lowercase());
        }
    }
    // RFC 1939 §6: only QUIT removes, and only once.
    let updates =
        talk.did.iter().filter(|did| matches!(did, Did::Asked(ask) if ask.starts_with("Update"))).count();
    assert!(updates <= 1, "{updates} updates");
}

/// RFC 1939 §3: status lines, and listings that end in a full stop. Lines of stored messages may hold anything.
fn responses(octets: &[u8]) {
    let (mut listing, mut good) = (false, false);
    let mut rest = octets;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap_or_else(|| {
            panic!("no line end: {}", rest.escape_ascii());
        });
        let line = &rest[..end];
        rest = &rest[end + 2..];
        let status = line.starts_with(b"+OK ") || line.starts_with(b"-ERR ");
        match line {
            b"." => {
                assert!(listing || good, "a full stop without a listing");
                listing = false;
                mark::reached("listing");
            }
            // A message may hold a line that looks like one.
            _ if status => {
                assert!(line.len() <= 510, "a response of {} octets", line.len());
                mark_response(line);
            }
            [b'+', b' ', ..] => mark::reached("challenge"),
            _ => listing = true,
        }
        good = line.starts_with(b"+OK ");
    }
    assert!(!listing, "a listing is not ended: {}", octets.escape_ascii());
}

fn mark_response(line: &[u8]) {
    assert!(!line.iter().any(|octet| octet.is_ascii_control()), "\"{}\"", line.escape_ascii());
    let text = String::from_utf8_lossy(line);
    let code = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    mark::reached(code.map_or(text.clone().into_owned(), |(code, _)| format!("[{code}]")));
}
