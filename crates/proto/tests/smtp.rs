//! The SMTP server session, by transcripts and by what a transcript cannot show.

#[path = "support/transcript.rs"]
mod transcript;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use bytes::Bytes;
use mail::{AccountId, BodyId, Moment};
use proto::login::{LoggedIn, LoginAnswer, LoginRefusal};
use proto::smtp::ask::{Answer, Ask, Reply, Target};
use proto::smtp::{Door, Options, Server, limits};
use proto::{Action, Input, Session};
use transcript::{Play, START, Settings, escape, play_folder, unescape};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

struct Smtp;

impl Play for Smtp {
    type Session = Server;

    fn session(&self, settings: &Settings) -> Server {
        let setting = |name: &str| settings.get(name).map(String::as_str);
        let door = match setting("door") {
            Some("submission") => Door::Submission,
            None | Some("relay") => Door::Relay,
            other => panic!("no such door: {other:?}"),
        };
        let mut options = Options::new(setting("hostname").unwrap_or("mx.example.test"), door);
        options.starttls = setting("starttls") != Some("no");
        options.plain_login = setting("plain-login") == Some("yes");
        if let Some(size) = setting("max-size") {
            options.max_size = size.parse().expect("a size");
        }
        if let Some(count) = setting("max-recipients") {
            options.max_recipients = count.parse().expect("a count");
        }
        Server::new(options, PEER)
    }

    fn ask(&self, ask: &Ask) -> String {
        match ask {
            Ask::Login(found) => {
                let password = escape(found.password.expose());
                let authzid =
                    if found.authzid.is_empty() { String::new() } else { format!(" as {}", found.authzid) };
                format!("login {} {} {password}{authzid}", found.mechanism, found.user)
            }
            Ask::Sender(envelope) => {
                assert!(envelope.recipients.is_empty() && envelope.peer == PEER);
                let mut text = format!("sender <{}> from {}", envelope.sender, envelope.helo);
                let mut add = |given: bool, word: &str| {
                    if given {
                        text.push(' ');
                        text.push_str(word);
                    }
                };
                add(!envelope.esmtp, "helo");
                add(envelope.submission, "submission");
                add(envelope.tls.is_some(), "tls");
                add(envelope.eight_bit, "8bit");
                add(envelope.smtputf8, "utf8");
                if let Some(size) = envelope.size {
                    add(true, &format!("size={size}"));
                }
                if let Some(login) = &envelope.login {
                    add(true, &format!("login={}", login.address));
                }
                text
            }
            Ask::Recipient { recipient, envelope } => {
                assert!(envelope.recipients.is_empty());
                format!("recipient <{recipient}>")
            }
            Ask::Header { header, .. } => format!("header {}", escape(header)).trim_end().to_owned(),
            Ask::Deliver { envelope, .. } => {
                let to: Vec<&str> = envelope.recipients.iter().map(|found| found.address.as_str()).collect();
                format!("deliver <{}> to {}", envelope.sender, to.join(", "))
            }
        }
    }

    fn answer(&self, ask: &Ask, text: &str) -> Result<Answer, String> {
        if let Some(rest) = text.strip_prefix("refuse ") {
            let mut parts = rest.splitn(3, ' ');
            let (Some(code), Some(enhanced), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
                return Err("a refusal is `refuse CODE ENHANCED TEXT`".into());
            };
            let code = code.parse().map_err(|_| "not a code")?;
            // A test may leak; replies name their codes for ever.
            let enhanced: &'static str = Box::leak(enhanced.to_owned().into_boxed_str());
            return Ok(Answer::Refuse(Reply::new(code, enhanced, text)));
        }
        let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
        match (ask, word) {
            (Ask::Login(_), _) => login_answer(word, rest).map(Answer::Login),
            (Ask::Sender(_), "ok") => Ok(Answer::SenderOk),
            (Ask::Recipient { .. }, "ok") => {
                Ok(Answer::RecipientOk(vec![Target { account: AccountId(1024), mailbox: None }]))
            }
            (Ask::Header { .. }, "ok") => Ok(Answer::HeaderOk { prepend: Bytes::from(unescape(rest)?) }),
            (Ask::Deliver { .. }, "kept") => Ok(Answer::Delivered { id: rest.into() }),
            // A fault of the house, for the test of it.
            (_, "confused") => Ok(Answer::Delivered { id: "confused".into() }),
            _ => Err(format!("no such answer to {}", self.ask(ask))),
        }
    }
}

fn login_answer(word: &str, rest: &str) -> Result<LoginAnswer, String> {
    let reason = match word {
        "welcome" => {
            return Ok(LoginAnswer::Welcome(LoggedIn { account: AccountId(1024), address: rest.into() }));
        }
        "wrong" => LoginRefusal::Wrong,
        "too-many" => LoginRefusal::TooMany,
        "too-many-sessions" => LoginRefusal::TooManySessions,
        "unavailable" => LoginRefusal::Unavailable,
        _ => return Err("no such log-in".into()),
    };
    let seconds = if rest.is_empty() { 0 } else { rest.parse().map_err(|_| "not a number")? };
    Ok(LoginAnswer::Refused { reason, wait: Duration::from_secs(seconds) })
}

#[test]
fn transcripts() {
    play_folder(&Smtp, "smtp");
}

/// A session whose asks are all answered with yes.
struct Willing {
    session: Server,
    now: Moment,
    wrote: Vec<u8>,
    /// Bodies delivered, with their senders.
    delivered: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    abandoned: usize,
    senders: Vec<String>,
    closed: bool,
    /// Octets of the largest `Keep`.
    largest: usize,
    keeps: usize,
    /// Kept and not acknowledged, when acknowledging by hand.
    hold: Option<Vec<BodyId>>,
}

impl Willing {
    fn new(options: Options) -> Willing {
        let mut willing = Willing {
            session: Server::new(options, PEER),
            now: START,
            wrote: Vec::new(),
            delivered: Vec::new(),
            body: Vec::new(),
            abandoned: 0,
            senders: Vec::new(),
            closed: false,
            largest: 0,
            keeps: 0,
            hold: None,
        };
        willing.input(Input::Opened(None));
        willing
    }

    fn relay() -> Willing {
        Willing::new(Options::new("mx.example.test", Door::Relay))
    }

    fn say(&mut self, bytes: &[u8]) {
        if !self.closed {
            self.input(Input::Bytes(bytes));
        }
    }

    fn input(&mut self, input: Input<'_, Answer>) {
        self.session.handle(self.now, input);
        loop {
            let mut answers = Vec::new();
            while let Some(action) = self.session.next() {
                self.act(action, &mut answers);
            }
            if answers.is_empty() {
                return;
            }
            answers.into_iter().for_each(|input| self.session.handle(self.now, input));
        }
    }

    fn act(&mut self, action: Action<Ask>, answers: &mut Vec<Input<'static, Answer>>) {
        assert!(!self.closed, "it acts after its close");
        match action {
            Action::Write(bytes) => self.wrote.extend_from_slice(&bytes),
            Action::Keep { id, bytes } => {
                self.keeps += 1;
                self.largest = self.largest.max(bytes.len());
                self.body.extend_from_slice(&bytes);
                match &mut self.hold {
                    Some(held) => held.push(id),
                    None => answers.push(Input::Kept(id)),
                }
            }
            Action::Abandon(_) => {
                self.abandoned += 1;
                self.body.clear();
            }
            Action::Ask(ask) => {
                if let Ask::Sender(envelope) = &ask {
                    self.senders.push(envelope.sender.clone());
                }
                answers.push(Input::Answer(self.answer(ask)));
            }
            Action::Close => self.closed = true,
            Action::Note(_) | Action::StartTls(_) => {}
            other => panic!("SMTP does no such thing: {other:?}"),
        }
    }

    fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Login(_) => Answer::Login(LoginAnswer::Welcome(LoggedIn {
                account: AccountId(1024),
                address: "alice@example.test".into(),
            })),
            Ask::Sender(_) => Answer::SenderOk,
            Ask::Recipient { .. } => Answer::RecipientOk(Vec::new()),
            Ask::Header { .. } => Answer::HeaderOk { prepend: Bytes::new() },
            Ask::Deliver { envelope, .. } => {
                self.delivered.push((envelope.sender.clone(), std::mem::take(&mut self.body)));
                Answer::Delivered { id: self.delivered.len().to_string() }
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8(self.wrote.clone()).expect("replies are ASCII")
    }

    fn last_code(&self) -> u16 {
        let text = self.text();
        let line = text.lines().last().expect("a reply");
        line[..3].parse().expect("a code")
    }
}

const ENVELOPE: &[u8] = b"EHLO a.test\r\nMAIL FROM:<good@a.test>\r\nRCPT TO:<b@b.test>\r\nDATA\r\n";
const SECOND: &[u8] = b"MAIL FROM:<evil@a.test>\r\nRCPT TO:<v@b.test>\r\nDATA\r\nX: y\r\n\r\nevil\r\n.\r\n";

/// RFC 5321 §2.3.8 and §4.1.1.4: of all endings, only CR LF . CR LF is one.
#[test]
fn nothing_is_smuggled() {
    const ENDS: [&[u8]; 13] = [
        b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n", b"\r\n\0", b"\0", b"\r\0\n", b"\0\n", b"\n\0",
        b"\r\r", b"\n\n",
    ];
    let mut true_ends = 0;
    for before in ENDS {
        for after in ENDS {
            let text = [b"S: x\r\n\r\ntext", before, b".", after, SECOND].concat();
            // What the law says, found without the machine: the first CR LF . CR LF, and what stands alone before it.
            let end =
                text.windows(5).position(|five| five == b"\r\n.\r\n").expect("the second message has one")
                    + 2;
            let plain = String::from_utf8_lossy(&text[..end]).replace("\r\n", "");
            let bare = plain.contains(['\r', '\n']);
            let evil = text[end..].starts_with(b".\r\nMAIL") && !bare;
            true_ends += usize::from(evil);
            let input = [ENVELOPE, &text[..]].concat();
            for cut in ENVELOPE.len()..input.len() {
                let mut peer = Willing::relay();
                peer.say(&input[..cut]);
                peer.say(&input[cut..]);
                judge(&peer, &text[..end], bare, evil, &format!("{} . {}", escape(before), escape(after)));
            }
            let mut peer = Willing::relay();
            input.chunks(1).for_each(|octet| peer.say(octet));
            judge(&peer, &text[..end], bare, evil, "octet by octet");
        }
    }
    // CR LF or NUL CR LF before, and CR LF after.
    assert_eq!(true_ends, 2);
}

fn judge(peer: &Willing, text: &[u8], bare: bool, evil: bool, case: &str) {
    if bare {
        assert!(peer.delivered.is_empty(), "{case}: a bare CR or LF was taken");
        assert_eq!(peer.senders, ["good@a.test"], "{case}: a second envelope was read");
        assert_eq!(peer.last_code(), 554, "{case}");
        assert!(peer.closed, "{case}");
    } else {
        let first = &peer.delivered[0];
        // A dot line's dot is stuffing when more follows; the oracle undoes it the plain way.
        let unstuffed = String::from_utf8_lossy(text).replace("\r\n.", "\r\n");
        assert_eq!(
            (first.0.as_str(), String::from_utf8_lossy(&first.1)),
            ("good@a.test", unstuffed.into()),
            "{case}"
        );
        assert_eq!(peer.senders.iter().any(|sender| sender.starts_with("evil")), evil, "{case}");
    }
}

/// Bare line ends among commands end the session before anything behind them is read.
#[test]
fn commands_end_with_crlf_only() {
    for end in ["\n", "\r", "\r\r\n", "\n\r"] {
        let mut peer = Willing::relay();
        peer.say(format!("EHLO a.test{end}MAIL FROM:<a@b>\r\n").as_bytes());
        assert!(peer.closed && peer.senders.is_empty(), "{}", escape(end.as_bytes()));
        assert_eq!(peer.last_code(), 500);
    }
}

/// A large message arrives unchanged, in large pieces, whatever the portions.
#[test]
fn a_large_message_is_kept_in_large_pieces() {
    let mut text = b"Subject: large\r\n\r\n".to_vec();
    let mut stuffed = text.clone();
    for number in 0..40_000 {
        let line = if number % 7 == 0 { format!(".{number}\r\n") } else { format!("line {number}\r\n") };
        text.extend_from_slice(line.as_bytes());
        if line.starts_with('.') {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line.as_bytes());
    }
    stuffed.extend_from_slice(b".\r\n");
    for width in [1000, 16_384, stuffed.len()] {
        let mut peer = Willing::relay();
        peer.say(ENVELOPE);
        stuffed.chunks(width).for_each(|portion| peer.say(portion));
        assert_eq!(peer.delivered.len(), 1);
        assert!(peer.delivered[0].1 == text, "the body differs at width {width}");
        assert!(peer.keeps <= 2 + text.len() / limits::KEEP, "{} pieces", peer.keeps);
        assert!(peer.largest <= limits::KEEP + width);
    }
}

/// Back-pressure: with so much unwritten, the session wants no more until the pieces are acknowledged.
#[test]
fn unwritten_text_stops_the_reading() {
    let mut peer = Willing::relay();
    peer.hold = Some(Vec::new());
    peer.say(ENVELOPE);
    peer.say(b"Subject: x\r\n\r\n");
    let line = [b"x".repeat(998), b"\r\n".to_vec()].concat();
    let mut sent = 0;
    while peer.session.hungry() {
        peer.say(&line);
        sent += line.len();
        assert!(sent < 2 * limits::UNWRITTEN);
    }
    assert!(sent >= limits::UNWRITTEN);
    // What was read before is still taken.
    peer.say(&line);
    let held = peer.hold.replace(Vec::new()).expect("held pieces");
    peer.input(Input::Kept(BodyId(u64::MAX)));
    assert!(!peer.session.hungry(), "the acknowledgement of another body counts for nothing");
    held.into_iter().for_each(|id| peer.input(Input::Kept(id)));
    assert!(peer.session.hungry());
    peer.say(b".\r\n");
    assert_eq!(peer.last_code(), 250);
}

/// RFC 1870 §6.3: a message over the limit is refused at its end, and is held nowhere meanwhile.
#[test]
fn an_over_large_message_is_not_held() {
    let mut options = Options::new("mx.example.test", Door::Relay);
    options.max_size = 100_000;
    let mut peer = Willing::new(options);
    peer.say(ENVELOPE);
    peer.say(b"Subject: x\r\n\r\n");
    let line = [b"x".repeat(998), b"\r\n".to_vec()].concat();
    (0..500).for_each(|_| peer.say(&line));
    assert!(peer.body.len() <= 100_000 && peer.session.hungry() && !peer.closed);
    peer.say(b".\r\nNOOP\r\n");
    assert_eq!(peer.abandoned, 1);
    assert!(peer.text().contains("\r\n552 5.3.4 "), "{}", peer.text());
    assert_eq!(peer.last_code(), 250);
    assert!(peer.delivered.is_empty());
}

/// What is refused and never ends is cut off.
#[test]
fn an_endless_message_ends() {
    let mut options = Options::new("mx.example.test", Door::Relay);
    options.max_size = 1000;
    let mut peer = Willing::new(options);
    peer.say(ENVELOPE);
    let block = [b"x".repeat(998), b"\r\n".to_vec()].concat().repeat(1000);
    let mut sent = 0_u64;
    while !peer.closed {
        peer.say(&block);
        sent += block.len() as u64;
        assert!(sent < 2 * limits::DRAIN);
    }
    assert!(sent >= limits::DRAIN);
    assert_eq!(peer.last_code(), 552);
}

/// The header section has a limit of its own, with line ends in it or without.
#[test]
fn an_over_long_header_is_refused() {
    for line in ["X: y\r\n".to_owned(), "X".repeat(1000)] {
        let mut peer = Willing::relay();
        peer.say(ENVELOPE);
        (0..=limits::HEADER / line.len()).for_each(|_| peer.say(line.as_bytes()));
        peer.say(b"\r\n\r\ntext\r\n.\r\n");
        assert_eq!(peer.last_code(), 552);
        assert!(peer.delivered.is_empty() && !peer.closed);
    }
}

#[test]
fn limits_end_the_session_with_421() {
    let flood = |line: &str, count: u32| {
        let mut peer = Willing::relay();
        peer.say(b"EHLO a.test\r\n");
        (1..count).for_each(|_| peer.say(line.as_bytes()));
        assert!(!peer.closed, "{line} {}", peer.text());
        peer.say(line.as_bytes());
        peer.say(line.as_bytes());
        assert!(peer.closed, "{line}");
        assert_eq!(peer.last_code(), 421);
    };
    flood("XYZZY\r\n", limits::ERRORS);
    flood("DATA\r\n", limits::ERRORS);
    flood("NOOP\r\n", limits::IDLE_COMMANDS - 1);
    flood("RSET\r\n", limits::IDLE_COMMANDS - 1);
    // All in one piece: nothing behind the limit is answered.
    let mut peer = Willing::relay();
    peer.say("NOOP\r\n".repeat(100_000).as_bytes());
    assert!(peer.closed && peer.text().lines().count() < 200);
}

/// An accepted message wipes the slate clean: a long-lived connection between busy servers is no attack.
#[test]
fn accepted_mail_resets_the_counts() {
    let mut peer = Willing::relay();
    peer.say(b"EHLO a.test\r\n");
    for _ in 0..50 {
        peer.say(b"XYZZY\r\n");
        (0..5).for_each(|_| peer.say(b"NOOP\r\n"));
        peer.say(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\nA: b\r\n\r\nc\r\n.\r\n");
    }
    assert!(!peer.closed);
    assert_eq!(peer.delivered.len(), 50);
}

/// RFC 5321 §4.5.3.1.8: a thousand recipients, then 452 and no harm done.
#[test]
fn a_thousand_recipients() {
    let mut peer = Willing::relay();
    peer.say(b"EHLO a.test\r\nMAIL FROM:<a@b>\r\n");
    (0..limits::RECIPIENTS).for_each(|number| peer.say(format!("RCPT TO:<{number}@b.test>\r\n").as_bytes()));
    assert_eq!(peer.last_code(), 250);
    (0..50).for_each(|_| peer.say(b"RCPT TO:<more@b.test>\r\n"));
    assert_eq!(peer.last_code(), 452);
    peer.say(b"DATA\r\nA: b\r\n\r\nc\r\n.\r\n");
    assert_eq!((peer.last_code(), peer.delivered.len()), (250, 1));
}

/// A line without end is refused once and costs no memory; the session goes on behind it.
#[test]
fn an_endless_command_line() {
    let mut peer = Willing::relay();
    (0..1000).for_each(|_| peer.say(&[b'x'; 1024]));
    peer.say(b"\r\nNOOP\r\n");
    let text = peer.text();
    let codes: Vec<&str> = text.lines().map(|line| &line[..3]).collect();
    assert_eq!(codes, ["220", "500", "250"]);
}

/// RFC 5321 §4.5.3.2: a trickle of octets does not extend the time for a command, nor for ever that of a message.
#[test]
fn a_trickle_does_not_hold_the_session() {
    let mut peer = Willing::relay();
    let due = peer.session.deadline().expect("a deadline");
    assert_eq!(due, START.after(limits::COMMAND_WAIT));
    peer.now = START.after(Duration::from_secs(200));
    peer.say(b"EHL");
    assert_eq!(peer.session.deadline(), Some(due));
    peer.say(ENVELOPE.strip_prefix(b"EHL").expect("it begins so"));
    assert_eq!(peer.session.deadline(), Some(peer.now.after(limits::BODY_SILENCE)));
    let begin = peer.now;
    while !peer.closed {
        peer.now = peer.now.after(Duration::from_secs(300));
        peer.say(b"x");
        if peer.session.deadline().is_some_and(|due| due <= peer.now) {
            peer.input(Input::Tick);
        }
        assert!(begin.until(peer.now) < limits::BODY_WAIT * 2);
    }
    assert!(begin.until(peer.now) >= limits::BODY_WAIT);
    assert_eq!(peer.last_code(), 421);
    assert!(peer.delivered.is_empty());
}

/// RFC 3030 §2: chunks of any size, cut anywhere, give the same message; nothing of them is a command.
#[test]
fn chunks_of_any_size() {
    let text: &[u8] = b"Subject: x\r\n\r\n.\r\nQUIT\r\n..\r\nRSET\r\nend";
    for size in 1..=text.len() {
        let mut input = b"EHLO a.test\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n".to_vec();
        for chunk in text.chunks(size) {
            input.extend_from_slice(format!("BDAT {}\r\n", chunk.len()).as_bytes());
            input.extend_from_slice(chunk);
        }
        input.extend_from_slice(b"BDAT 0 LAST\r\n");
        for width in [1, 2, 3, 7, input.len()] {
            let mut peer = Willing::relay();
            input.chunks(width).for_each(|portion| peer.say(portion));
            assert_eq!(peer.delivered, [("a@b".to_owned(), text.to_vec())], "chunks of {size} by {width}");
            assert!(!peer.closed);
        }
    }
}

/// Numbers that look random and are the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).expect("64 bits") % sides
    }
}

/// Whatever is said, in whatever order and however it is cut: the conversation is the same, and nothing panics.
#[test]
fn any_cutting_gives_the_same_conversation() {
    const WORDS: [&[u8]; 36] = [
        b"EHLO a.test\r\n",
        b"HELO a.test\r\n",
        b"MAIL FROM:<a@b.test>\r\n",
        b"MAIL FROM:<> SIZE=9\r\n",
        b"RCPT TO:<c@d.test>\r\n",
        b"RCPT TO:<x>\r\n",
        b"DATA\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\n",
        b"BDAT 0 LAST\r\n",
        b"BDAT 12 LAST\r\n",
        b"BDAT 70\r\n",
        b"BDAT x\r\n",
        b"RSET\r\n",
        b"NOOP\r\n",
        b"STARTTLS\r\n",
        b"QUIT\r\n",
        b"AUTH PLAIN AHRpbQBz\r\n",
        b"AUTH LOGIN\r\n",
        b"dGlt\r\n",
        b"*\r\n",
        b".\r\n",
        b".\r\n",
        b".\r\n",
        b"..\r\n",
        b".a\r\n",
        b"\r\n",
        b"Subject: x\r\n",
        b" folded\r\n",
        b"text\r\n",
        b"\xff\0\r\n",
        b"\n",
        b"\r",
        b"x",
        b"MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA\r\n",
        b"Subject: x\r\n\r\ntext\r\n.\r\n",
    ];
    let mut dice = Dice(0x5eed_1234_abcd_9876);
    let (mut delivered, mut refused) = (0, 0);
    for round in 0..8000 {
        let mut options = Options::new("mx.example.test", Door::Relay);
        options.max_size = 60;
        if round % 4 == 0 {
            options.door = Door::Submission;
            options.plain_login = true;
        }
        let mut input = b"EHLO a.test\r\n".to_vec();
        if round % 4 == 0 {
            input.extend_from_slice(b"AUTH PLAIN AHRpbQBz\r\n");
        }
        for _ in 0..dice.roll(30) {
            input.extend_from_slice(WORDS[dice.roll(WORDS.len())]);
        }
        let mut whole = Willing::new(options.clone());
        whole.say(&input);
        delivered += whole.delivered.len();
        refused += usize::from(whole.text().contains("\r\n55"));
        for most in [1, 3, 17] {
            let mut cut = Willing::new(options.clone());
            let mut rest = &input[..];
            while !rest.is_empty() {
                let (portion, after) = rest.split_at(rest.len().min(1 + dice.roll(most)));
                cut.say(portion);
                rest = after;
            }
            let same =
                cut.text() == whole.text() && cut.delivered == whole.delivered && cut.closed == whole.closed;
            assert!(same, "{}\n{}\n--\n{}", escape(&input), whole.text(), cut.text());
        }
        whole.now = whole.now.after(limits::BODY_WAIT);
        if !whole.closed {
            whole.input(Input::Tick);
            whole.input(Input::PeerClosed);
            assert!(whole.closed, "{}", escape(&input));
        }
        assert!(
            whole.body.is_empty(),
            "text was kept and neither delivered nor abandoned: {}",
            escape(&input)
        );
    }
    // The dice do reach the interesting places.
    assert!(delivered > 300 && refused > 300, "{delivered} {refused}");
}
