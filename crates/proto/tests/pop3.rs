//! The POP3 session: its transcripts, and what does not fit in a transcript.

#[path = "support/transcript.rs"]
mod transcript;

use std::ops::Range;
use std::time::Duration;

use mail::{AccountId, BlobId, Moment, Secret, Uid};
use proto::login::{LoggedIn, LoginAnswer, LoginRefusal};
use proto::pop3::ask::{Answer, Ask, Entry, Maildrop};
use proto::pop3::{Options, Server, limits};
use proto::{Action, Coding, Input, Session};
use transcript::{Play, START, Settings, play_folder};

/// The bodies that transcripts speak of, by number from 1.
const BODIES: [&str; 4] = [
    // 120 octets.
    "Subject: one\r\nFrom: mrose@dbc.mtview.ca.us\r\n\r\nThis is the first message.\r\nIt has 120 octets, as in the law.\r\nThe end..\r\n",
    // 200 octets.
    "Subject: two\r\nFrom: mrose@dbc.mtview.ca.us\r\nTo: you\r\n\r\nThis is the second message. It has 200 octets,\r\nwhich is what the example in RFC 1939 says.\r\nSome of them say nothing at all, but they sum too.\r\n",
    // Full stops, and no line end at the end.
    ".\r\n..\r\nX: y\r\n\r\n.hidden\r\nno end",
    "",
];

struct Pop3;

fn uids(uids: &[Uid]) -> String {
    let numbers: Vec<String> = uids.iter().map(|uid| uid.0.to_string()).collect();
    format!("[{}]", numbers.join(" "))
}

fn shown(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

fn entry(number: usize) -> Entry {
    Entry {
        uid: Uid(10 + u32::try_from(number).unwrap()),
        uidl: ["whqtswO00WBw418f9t5JxYwZ", "QhdPYR:00WBw1Ph7x7", "third", "fourth"][number - 1].to_owned(),
        size: BODIES[number - 1].len() as u64,
        blob: BlobId([u8::try_from(number).unwrap(); 32]),
    }
}

fn login_answer(words: &[&str]) -> Option<LoginAnswer> {
    let reason = match *words.first()? {
        "welcome" => {
            return Some(LoginAnswer::Welcome(LoggedIn {
                account: AccountId(1024),
                address: "mrose@x.test".into(),
            }));
        }
        "wrong" => LoginRefusal::Wrong,
        "too-many" => LoginRefusal::TooMany,
        "too-many-sessions" => LoginRefusal::TooManySessions,
        "unavailable" => LoginRefusal::Unavailable,
        _ => return None,
    };
    let wait = words.get(1).map_or(0, |seconds| seconds.parse().unwrap());
    Some(LoginAnswer::Refused { reason, wait: Duration::from_secs(wait) })
}

fn stuffed(body: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for line in body.split_inclusive("\r\n") {
        if line.starts_with('.') {
            out.push(b'.');
        }
        out.extend_from_slice(line.as_bytes());
    }
    if !out.is_empty() && !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

impl Play for Pop3 {
    type Session = Server;

    fn session(&self, settings: &Settings) -> Server {
        let text = |name: &str| settings.get(name).map(String::as_str);
        let mut options = Options::new(text("hostname").unwrap_or("pop.example.test"));
        options.plain_login = text("plain-login") == Some("yes");
        options.stls = text("stls") != Some("no");
        options.login_delay = text("login-delay").map(|seconds| seconds.parse().unwrap());
        options.expire_days = text("expire").map(|days| days.parse().unwrap());
        Server::new(options)
    }

    fn ask(&self, ask: &Ask) -> String {
        match ask {
            Ask::Login(who) => {
                let password = shown(&who.password);
                format!("login {} as <{}> with {password} by {}", who.user, who.authzid, who.mechanism)
            }
            Ask::Open(account) => format!("open {}", account.0),
            Ask::Top { account, uid, lines } => format!("top {} uid {} lines {lines}", account.0, uid.0),
            Ask::Update { account, delete, retrieved } => {
                format!("update {} delete {} retrieved {}", account.0, uids(delete), uids(retrieved))
            }
        }
    }

    fn answer(&self, _: &Ask, text: &str) -> Result<Answer, String> {
        let words: Vec<&str> = text.split(' ').collect();
        if let Some(answer) = login_answer(&words) {
            return Ok(Answer::Login(answer));
        }
        Ok(match words[0] {
            // `maildrop 1 2 expire 30`
            "maildrop" => {
                let numbers = words[1..].iter().map_while(|word| word.parse().ok());
                let expire = words.iter().position(|word| *word == "expire");
                Answer::Maildrop(Maildrop {
                    entries: numbers.map(entry).collect(),
                    expire_days: expire.map(|at| words[at + 1].parse().unwrap()),
                })
            }
            "in-use" => Answer::InUse,
            "login-delay" => Answer::LoginDelay,
            "end" => Answer::TopEnd(words[1].parse().map_err(|_| "end OCTET")?),
            "updated" => Answer::Updated,
            "failed" => Answer::Failed(words[1..].join(" ")),
            _ => return Err(format!("no such answer: {text}")),
        })
    }

    fn stream(&self, blob: BlobId, range: Range<u64>, coding: Coding) -> Vec<u8> {
        assert_eq!(coding, Coding::DotStuffed);
        let body = BODIES[usize::from(blob.0[0]) - 1];
        let at = |octet: u64| usize::try_from(octet).unwrap();
        stuffed(&body[at(range.start)..at(range.end)])
    }
}

#[test]
fn transcripts() {
    assert_eq!((BODIES[0].len(), BODIES[1].len()), (120, 200));
    play_folder(&Pop3, "pop3");
}

/// A session with a driver that takes everything, and answers every ask so that all goes well.
struct House {
    session: Server,
    now: Moment,
    entries: Vec<Entry>,
    out: Vec<u8>,
    asked: Vec<String>,
    closed: bool,
}

impl House {
    fn new(entries: Vec<Entry>) -> House {
        let mut options = Options::new("pop.example.test");
        options.plain_login = true;
        let session = Server::new(options);
        let mut house =
            House { session, now: START, entries, out: Vec::new(), asked: Vec::new(), closed: false };
        house.input(Input::Opened(None));
        house
    }

    fn logged_in(entries: Vec<Entry>) -> House {
        let mut house = House::new(entries);
        house.say(b"USER a\r\nPASS b\r\n");
        assert!(house.text().ends_with(" octets)\r\n"), "{}", house.text());
        house.out.clear();
        house
    }

    fn say(&mut self, bytes: &[u8]) {
        self.input(Input::Bytes(bytes));
    }

    fn input(&mut self, input: Input<'_, Answer>) {
        if !self.closed {
            self.session.handle(self.now, input);
            while let Some(action) = self.session.next() {
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action<Ask>) {
        match action {
            Action::Write(bytes) => self.out.extend_from_slice(&bytes),
            Action::Stream { .. } => self.out.extend_from_slice(b"body\r\n"),
            Action::Ask(ask) => {
                self.asked.push(Pop3.ask(&ask));
                let answer = match ask {
                    Ask::Login(_) => Pop3.answer(&ask, "welcome").unwrap(),
                    Ask::Open(_) => {
                        Answer::Maildrop(Maildrop { entries: self.entries.clone(), expire_days: None })
                    }
                    Ask::Top { .. } => Answer::TopEnd(4),
                    Ask::Update { .. } => Answer::Updated,
                };
                self.session.handle(self.now, Input::Answer(answer));
            }
            Action::Close => self.closed = true,
            _ => {}
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }
}

fn many(count: u32) -> Vec<Entry> {
    (0..count)
        .map(|n| Entry { uid: Uid(n + 1), uidl: format!("{n:070}"), size: 1000, blob: BlobId([1; 32]) })
        .collect()
}

/// A client that sends commands and takes no answers costs one page, not all answers.
#[test]
fn answers_wait_for_the_reader() {
    let mut house = House::logged_in(many(50_000));
    house.session.handle(START, Input::Bytes(&b"UIDL\r\nLIST\r\n".repeat(1000)));
    let mut written = 0;
    let mut pages = 0;
    for _ in 0..50 {
        let Some(Action::Write(bytes)) = house.session.next() else { panic!("a page was expected") };
        assert!(bytes.len() <= limits::PAGE + 100, "{} octets in one page", bytes.len());
        written += bytes.len();
        pages += 1;
    }
    assert!(written > 40 * limits::PAGE, "{written} octets in {pages} pages");
    // What the client sends on top is not wanted until then.
    house.session.handle(START, Input::Bytes(&vec![b'x'; limits::INPUT_HELD]));
    assert!(!house.session.hungry());
}

/// RFC 1939 §5: a listing of many pages is whole and in order, and leaves out the deleted.
#[test]
fn long_listings_are_whole() {
    let mut house = House::logged_in(many(3000));
    house.say(b"DELE 1500\r\nLIST\r\n");
    let text = house.text();
    let mut lines = text.lines().skip(2);
    for number in (1..=3000).filter(|number| *number != 1500) {
        assert_eq!(lines.next(), Some(format!("{number} 1000").as_str()));
    }
    assert_eq!((lines.next(), lines.next()), (Some("."), None));
}

/// RFC 1939 §3: ten minutes without a command, and nothing is removed. A trickle of octets is no command.
#[test]
fn a_trickle_does_not_hold_the_session() {
    let mut house = House::logged_in(many(2));
    house.say(b"DELE 1\r\n");
    let due = house.session.deadline().unwrap();
    assert_eq!(due, START.after(limits::IDLE));
    house.now = START.after(Duration::from_secs(500));
    house.say(b"QUI");
    assert_eq!(house.session.deadline(), Some(due));
    house.now = due;
    house.input(Input::Tick);
    assert!(house.closed);
    assert!(!house.asked.iter().any(|ask| ask.starts_with("update")), "{:?}", house.asked);
}

/// A client that has read a long message for longer than the idle time is not idle.
#[test]
fn a_long_download_is_not_idleness() {
    let mut house = House::logged_in(many(2));
    house.say(b"RETR 1\r\n");
    house.now = house.session.deadline().unwrap();
    house.input(Input::Tick);
    assert!(!house.closed);
    let due = house.session.deadline().unwrap();
    assert_eq!(due, house.now.after(limits::IDLE));
    house.now = due;
    house.input(Input::Tick);
    assert!(house.closed);
}

#[test]
fn errors_and_commands_are_limited() {
    let mut house = House::logged_in(many(2));
    house.say(&b"XYZZY\r\n".repeat(1000));
    assert!(house.closed);
    assert_eq!(house.text().lines().count(), limits::ERRORS as usize);
    // Something good in between, and the count begins anew.
    let mut house = House::logged_in(many(2));
    house.say(&b"XYZZY\r\nNOOP\r\nRETR 7\r\nLIST 1\r\n".repeat(100));
    assert!(!house.closed);
    // Nobody may go on for ever without logging in.
    let mut house = House::new(Vec::new());
    house.say(&b"NOOP\r\n".repeat(1000));
    assert!(house.closed);
    assert_eq!(house.text().lines().count(), limits::COMMANDS_BEFORE_LOGIN as usize + 2);
}

/// An endless line is refused once, and holds no memory.
#[test]
fn an_endless_line() {
    let mut house = House::logged_in(many(2));
    for _ in 0..1000 {
        house.say(&[b'x'; 1000]);
    }
    house.say(b"\r\nNOOP\r\n");
    assert_eq!(house.text(), "-ERR That line is too long\r\n+OK Nothing done\r\n");
    house.out.clear();
    house.say(&[&b"USER "[..], &[b'x'; 3000], b"\r\nSTAT\r\n"].concat());
    assert_eq!(house.text(), "-ERR That line is too long\r\n+OK 2 2000\r\n");
}

/// Attack I14, and all the rest: noise never panics, and any cutting gives the same conversation.
#[test]
fn any_cutting_gives_the_same_conversation() {
    let words: Vec<&[u8]> = b"USER a|PASS b|AUTH PLAIN|AUTH PLAIN AGEAYg==|AGEAYg==|*|AUTH LOGIN|STAT|LIST|LIST 2|UIDL|UIDL 1|RETR 1|RETR 9|TOP 1 2147483648|TOP 1 -1|DELE 1|DELE 2|RSET|NOOP|CAPA|LANG|LANG *|UTF8|\xff\0|FOO||APOP x y|USER a|PASS b"
        .split(|octet| *octet == b'|')
        .collect();
    let ends: [&[u8]; 4] = [b"\r\n", b"\r\n", b"\n", b"\r"];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut dice = |sides: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % sides
    };
    let mut quits = 0;
    for _ in 0..3000 {
        let mut octets = Vec::new();
        for _ in 0..dice(25) {
            octets.extend_from_slice(words[dice(words.len())]);
            octets.extend_from_slice(ends[dice(ends.len())]);
        }
        octets.extend_from_slice([b"QUIT\r\n".as_slice(), b"", b"QUIT"][dice(3)]);
        let play = |sizes: &mut dyn FnMut() -> usize| {
            let mut house = House::new(many(2));
            let mut rest = octets.as_slice();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(sizes().clamp(1, rest.len()));
                house.say(now);
                rest = later;
            }
            house.input(Input::PeerClosed);
            assert!(house.closed, "the client has gone");
            (house.text(), house.asked)
        };
        let whole = play(&mut || usize::MAX);
        assert_eq!(play(&mut || 1), whole, "{}", octets.escape_ascii());
        assert_eq!(play(&mut || 1 + dice(9)), whole, "{}", octets.escape_ascii());
        quits += usize::from(whole.1.iter().any(|ask| ask.starts_with("update")));
    }
    assert!(quits > 50, "{quits} sessions came to an update");
}
