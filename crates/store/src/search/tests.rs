//! Searches on the memory engine, and against an oracle that knows what the messages were made of.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::{Flags, MailboxId, Moment};

use super::*;
use crate::rows::account::INBOX;
use crate::scene::{ACCOUNT, Letter, Scene, flags, uids};

type Search = SearchKey<UidSet>;

/// All hits, asking again as often as needed; and how often that was.
async fn all(scene: &Scene, key: &Search, recent_from: Uid) -> (Vec<u32>, usize) {
    let (mut hits, mut after, mut calls) = (Vec::new(), None, 0);
    loop {
        let (page, next) = scene.store.search(ACCOUNT, INBOX, key, recent_from, after).await.unwrap();
        hits.extend(page.iter().map(|(uid, _)| uid.0));
        calls += 1;
        assert!(hits.is_sorted() && next.is_none_or(|next| after.is_none_or(|after| next > after)));
        let Some(next) = next else { return (hits, calls) };
        assert!(hits.last().is_none_or(|last| *last <= next.0));
        after = Some(next);
    }
}

async fn check(scene: &Scene, cases: &[(Search, &[u32])]) {
    for (key, expected) in cases {
        assert_eq!(all(scene, key, Uid(1)).await.0, *expected, "{key:?}");
    }
}

fn header(name: &str, text: &str) -> Search {
    Search::Header(name.into(), text.into())
}

fn body(text: &str) -> Search {
    Search::Body(text.into())
}

fn text(text: &str) -> Search {
    Search::Text(text.into())
}

fn not(key: Search) -> Search {
    Search::Not(Box::new(key))
}

/// RFC 9051 §6.4.4, the keys that rows decide.
#[tokio::test]
async fn keys_over_rows() {
    const DAY: u64 = 86_400_000;
    let scene = Scene::new().await;
    let letter =
        |size: usize, names: &str, date| Letter::new(&"x".repeat(size)).flags(names).date(Moment(date));
    scene
        .file(
            INBOX,
            &[
                letter(10, "\\Seen $Done", 3 * DAY),
                letter(20, "\\Answered", 4 * DAY - 1),
                letter(30, "\\Seen \\Flagged other", 4 * DAY),
                letter(40, "", 9 * DAY),
            ],
        )
        .await;
    let late = scene.add_flags(INBOX, &uids(&[2..=2]), "\\Draft").await.unwrap();
    let flag = |name: &str| Search::Flag(name.into());
    check(
        &scene,
        &[
            (Search::All, &[1, 2, 3, 4]),
            (flag("\\seen"), &[1, 3]),
            (flag("\\Draft"), &[2]),
            (not(flag("\\Seen")), &[2, 4]),
            (flag("$done"), &[1]),
            (flag("OTHER"), &[3]),
            (flag("never"), &[]),
            (not(flag("never")), &[1, 2, 3, 4]),
            (flag("\\Unknown"), &[]),
            (Search::Before(3), &[]),
            (Search::Before(4), &[1, 2]),
            (Search::On(3), &[1, 2]),
            (Search::On(4), &[3]),
            (Search::Since(4), &[3, 4]),
            (Search::Since(i64::MAX), &[]),
            (Search::On(i64::MAX), &[]),
            (Search::Larger(20), &[3, 4]),
            (Search::Smaller(20), &[1]),
            (Search::ModSeq(late), &[2]),
            (Search::ModSeq(ModSeq(0)), &[1, 2, 3, 4]),
            (Search::Set(uids(&[2..=3, 9..=u32::MAX])), &[2, 3]),
            (Search::And(vec![]), &[1, 2, 3, 4]),
            (Search::And(vec![flag("\\Seen"), Search::Larger(15)]), &[3]),
            (Search::Or(Box::new(flag("$Done")), Box::new(Search::Larger(35))), &[1, 4]),
        ],
    )
    .await;
    assert_eq!(all(&scene, &Search::Recent, Uid(3)).await.0, [3, 4]);
    assert_eq!(all(&scene, &not(Search::Recent), Uid(3)).await.0, [1, 2]);
    let (hits, _) = scene.store.search(ACCOUNT, INBOX, &Search::All, Uid(1), Some(Uid(1))).await.unwrap();
    assert_eq!((hits[0], hits.len()), ((Uid(2), late), 3));
}

/// RFC 9051 §6.4.4: the calendar day that the Date field names, whatever its time and zone.
#[tokio::test]
async fn sent_dates() {
    let scene = Scene::new().await;
    let dates = ["Thu, 01 Jan 1970 23:59:59 -1200", "2 Jan 1970 00:00:01 +1400", "no date", ""];
    let mut letters: Vec<Letter> =
        dates.iter().map(|date| Letter::new(&format!("Date: {date}\r\n\r\n"))).collect();
    letters.push(Letter::new("Subject: none\r\n\r\n"));
    scene.file(INBOX, &letters).await;
    check(
        &scene,
        &[
            (Search::SentOn(0), &[1]),
            (Search::SentOn(1), &[2]),
            (Search::SentBefore(1), &[1]),
            (Search::SentSince(0), &[1, 2]),
            (Search::SentSince(1), &[2]),
            (not(Search::SentSince(0)), &[3, 4, 5]),
            (header("date", ""), &[1, 2, 3, 4]),
        ],
    )
    .await;
}

#[tokio::test]
async fn header_fields() {
    let scene = Scene::new().await;
    let texts = [
        "From: \"Doe, Jane\" <jane@example.test>, Bob (the builder) <bob@other.test>\r\nTo: a@b.test\r\n\
         To: c@d.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe_aus?=\r\n =?utf-8?b?IEvDtmxu?=\r\n\r\nx",
        "From: jane@example.test\r\nSubject:\r\nX-Spam-Flag: YES\r\nX-Spam-Flag: no\r\n\r\nFrom: inside",
        "cc: Friends: ann@x.test, \"Kurt G=?utf-8?q?=C3=B6?=del\" <k@x.test>;\r\nMessage-ID: <1@x>\r\n\r\n",
        "Subject: one\r\nSubject: two\r\n\r\n",
    ];
    scene.file(INBOX, &texts.map(Letter::new)).await;
    check(
        &scene,
        &[
            (header("FROM", "jane"), &[1, 2]),
            (header("from", "Doe, JANE"), &[1]),
            (header("from", "jane@example.test>, bob"), &[1]),
            (header("from", "<jane"), &[1]),
            (header("from", "nobody"), &[]),
            (header("from", ""), &[1, 2]),
            (header("to", "d.test"), &[1]),
            (header("to", "b.test"), &[1]),
            (header("subject", "GRÜßE AUS KÖLN"), &[1]),
            (header("subject", "utf-8"), &[]),
            (header("subject", ""), &[1, 2, 4]),
            (not(header("subject", "")), &[3]),
            (header("x-spam-flag", "yes"), &[2]),
            (header("X-Spam-Flag", "NO"), &[2]),
            (header("x-spam", ""), &[]),
            (header("cc", "gödel"), &[3]),
            (header("cc", "friends"), &[3]),
            (header("message-id", "1@X"), &[3]),
            (header("subject", "one"), &[4]),
            (header("inside", ""), &[]),
            (text("from: inside"), &[2]),
            (text("subject: one"), &[4]),
            (text("two"), &[4]),
            (body("two"), &[]),
            (body(""), &[1, 2, 3, 4]),
        ],
    )
    .await;
}

/// TEXT sees every header, BODY those of messages inside of the message.
#[tokio::test]
async fn parts_and_what_is_in_them() {
    let scene = Scene::new().await;
    let message = "Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npreamble\r\n\
        --b\r\nContent-Description: first part\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
        Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=\r\n=DFe\r\n\
        --b\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?utf-8?q?inn=C3=A9r?=\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nc2VjcmV0IHdvcmQ=\r\n\
        --b\r\nContent-Type: application/octet-stream; name=tool.exe\r\n\
        Content-Transfer-Encoding: base64\r\n\r\naGlkZGVu\r\n\
        --b\r\nContent-Type: text/html\r\n\r\nplain hidden\r\n--b--\r\n";
    scene
        .file(INBOX, &[Letter::new(message), Letter::new(&message.replace("plain hidden", "nothing"))])
        .await;
    check(
        &scene,
        &[
            (body("GRÜSSE"), &[]),
            (body("grüße"), &[1, 2]),
            (body("secret WORD"), &[1, 2]),
            (body("c2VjcmV0"), &[]),
            (body("subject: innér"), &[1, 2]),
            (body("hidden"), &[1]),
            (body("outer"), &[]),
            (body("first part"), &[]),
            (body("tool.exe"), &[]),
            (text("outer"), &[1, 2]),
            (text("first part"), &[1, 2]),
            (text("tool.exe"), &[1, 2]),
            (text("innér"), &[1, 2]),
            (text("plain hidden"), &[1]),
            (header("subject", "innér"), &[]),
            (Search::And(vec![body("grüße"), not(text("plain"))]), &[]),
            (Search::And(vec![body("grüße"), not(body("plain hidden"))]), &[2]),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_search_is_bounded() {
    let scene = Scene::new().await;
    scene.fill(INBOX, 1200).await;
    // Only those whose row says so are looked into.
    let few = Search::And(vec![Search::Set(uids(&[1000..=1010])), header("subject", "100")]);
    assert_eq!(all(&scene, &few, Uid(1)).await, ((1001..=1010).collect(), 1));
    let (hits, calls) = all(&scene, &header("subject", "119"), Uid(1)).await;
    assert_eq!((hits, calls), ([120, 1120].into_iter().chain(1191..=1200).collect(), 3));
    let (hits, calls) = all(&scene, &not(body("y")), Uid(1)).await;
    assert_eq!((hits.len(), calls), (1200, 3));
    let mut key = Search::All;
    for _ in 0..limits::NESTING {
        key = not(key);
    }
    assert_eq!(all(&scene, &key, Uid(1)).await.0.len(), 1200);
    let refused = scene.store.search(ACCOUNT, INBOX, &not(key), Uid(1), None).await;
    assert!(matches!(refused, Err(Error::Limit(_))));
    let texts = |count| Search::And((0..count).map(|n| text(&format!("{}", n % 1000))).collect());
    assert!(scene.store.search(ACCOUNT, INBOX, &texts(limits::NEEDLES), Uid(1), None).await.is_ok());
    let refused = scene.store.search(ACCOUNT, INBOX, &texts(limits::NEEDLES + 1), Uid(1), None).await;
    assert!(matches!(refused, Err(Error::Limit(_))));
    let same = Search::And((0..100).map(|_| text("x")).collect());
    assert!(scene.store.search(ACCOUNT, INBOX, &same, Uid(1), None).await.is_ok(), "counted once");
}

#[tokio::test]
async fn rows_alone_are_bounded_too() {
    let scene = Scene::new().await;
    scene.fill(INBOX, limits::SEARCHED_ROWS + 10).await;
    let (hits, calls) = all(&scene, &Search::All, Uid(1)).await;
    assert_eq!((hits.len(), calls), (limits::SEARCHED_ROWS + 10, 2));
    let (hits, calls) = all(&scene, &Search::Set(uids(&[50_009..=50_009])), Uid(1)).await;
    assert_eq!((hits, calls), (vec![50_009], 2));
}

/// What is cheap decides first, in whatever order the keys were said.
#[tokio::test]
async fn nothing_is_read_that_is_not_needed() {
    let scene = Scene::new().await;
    scene.fill(INBOX, 1200).await;
    let nothing = || Search::Set(uids(&[5000..=5000]));
    let or = |a, b| Search::Or(Box::new(a), Box::new(b));
    for key in [
        Search::And(vec![body("x"), nothing()]),
        Search::And(vec![text("x"), header("subject", "1"), not(Search::All)]),
        not(or(header("to", ""), Search::All)),
        Search::And(vec![or(body("x"), nothing()), nothing()]),
    ] {
        assert_eq!(all(&scene, &key, Uid(1)).await, (vec![], 1), "{key:?}");
    }
    // With the summaries read nothing matches, so no body has to be.
    let big = "x".repeat(3 * limits::OCTETS as usize);
    scene.file(INBOX, &vec![Letter::new(&format!("Subject: big\r\n\r\n{big}")); 4]).await;
    let late = || Search::Set(uids(&[1201..=5000]));
    let key = Search::And(vec![body("y"), late(), header("subject", "small")]);
    assert_eq!(all(&scene, &key, Uid(1)).await, (vec![], 1));
    let key = Search::And(vec![body("x"), late(), header("subject", "big")]);
    assert_eq!(all(&scene, &key, Uid(1)).await, ((1201..=1204).collect(), 2));
}

#[tokio::test]
async fn a_search_of_many_keys_looks_at_fewer_rows() {
    let scene = Scene::new().await;
    scene.fill(INBOX, 1000).await;
    let many = Search::And(vec![not(Search::Larger(1_000_000)); 2500]);
    let (hits, calls) = all(&scene, &many, Uid(1)).await;
    assert_eq!((hits.len(), calls), (1000, 6), "199 rows a call");
}

/// Bodies are read a piece at a time, and a call ends when it has read enough.
#[tokio::test]
async fn large_bodies() {
    let scene = Scene::new().await;
    let piece = limits::OCTETS as usize;
    let filler = "0123456789abcde\n".repeat(3 * piece / 16);
    let start = "Subject: big\r\n\r\n";
    for at in [piece - 3, 2 * piece - 20, 3 * piece - 7] {
        let mut letter = format!("{start}{filler}");
        letter.replace_range(at..at + 6, "NEEDLE");
        scene.file(INBOX, &[Letter::new(&letter)]).await;
    }
    scene.file(INBOX, &vec![Letter::new(&format!("{start}{filler}")); 5]).await;
    let (hits, calls) = all(&scene, &body("needle"), Uid(1)).await;
    assert_eq!(hits, [1, 2, 3]);
    assert_eq!(calls, 3, "24 MiB at more than 8 MiB a call");
    assert_eq!(all(&scene, &header("subject", "big"), Uid(1)).await.1, 1, "no body was read");
    let past = format!("{start}{}NEEDLE", "x".repeat(limits::SEARCHED_PART as usize));
    scene.file(INBOX, &[Letter::new(&past)]).await;
    assert_eq!(all(&scene, &body("needle"), Uid(1)).await.0, [1, 2, 3]);
}

/// A message that goes while a search is on is not found, and does no harm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_go_meanwhile() {
    let scene = std::sync::Arc::new(Scene::new().await);
    scene.fill(INBOX, 400).await;
    let other = scene.clone();
    let remover = tokio::spawn(async move {
        for uid in (1..=400).filter(|uid| uid % 2 == 0) {
            let one = uids(&[uid..=uid]);
            other.add_flags(INBOX, &one, "\\Deleted").await;
            other.store.expunge(ACCOUNT, INBOX, Some(&one)).await.unwrap();
        }
    });
    while !remover.is_finished() {
        let (hits, _) = all(&scene, &body("x"), Uid(1)).await;
        assert_eq!(hits.iter().filter(|uid| *uid % 2 == 1).count(), 200);
    }
    remover.await.unwrap();
    assert_eq!(all(&scene, &body("x"), Uid(1)).await.0.len(), 200);
}

/// What a message was made of.
struct Made {
    uid: u32,
    flags: Flags,
    date: Moment,
    sent: Option<i64>,
    octets: String,
    /// Names and decoded values of its own header.
    fields: Vec<(&'static str, String)>,
    /// Decoded lines of the headers of its parts.
    mime: Vec<String>,
    /// Decoded text of its body, headers of messages in it included.
    body: Vec<String>,
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn words(&mut self) -> String {
        (0..=self.below(4)).map(|_| self.pick(&WORDS)).collect::<Vec<_>>().join(" ")
    }

    /// Some of a text, in another case perhaps.
    fn needle(&mut self) -> String {
        let words: Vec<char> = format!("{} {}", self.pick(&WORDS), self.pick(&WORDS)).chars().collect();
        let from = self.below(words.len());
        let to = (from + 1 + self.below(6)).min(words.len());
        let upper = self.below(3) == 0;
        words[from..to].iter().map(|char| if upper { simple_upper(*char) } else { *char }).collect()
    }
}

const WORDS: [&str; 12] = [
    "report",
    "Grüße",
    "отпуск",
    "quarterly",
    "Köln",
    "ΣΙΣΥΦΟΣ",
    "a",
    "日本語",
    "Re:",
    "naïve",
    "end.",
    "Report",
];

fn simple_upper(char: char) -> char {
    let mut upper = char.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) if one.to_lowercase().eq([char]) => one,
        _ => char,
    }
}

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

fn quoted(octets: &[u8], space: char) -> String {
    let code = |octet: &u8| match octet {
        b' ' => space.to_string(),
        octet if octet.is_ascii_alphanumeric() => char::from(*octet).to_string(),
        octet => format!("={octet:02X}"),
    };
    octets.iter().map(code).collect()
}

fn encoded_word(dice: &mut Dice, text: &str) -> String {
    match dice.below(2) {
        0 => format!("=?utf-8?B?{}?=", STANDARD.encode(text)),
        _ => format!("=?UTF-8?q?{}?=", quoted(text.as_bytes(), '_')),
    }
}

/// Content-Type and encoding of a text, and its octets.
fn coded(dice: &mut Dice, text: &str) -> (Vec<(&'static str, String)>, String) {
    let kind = |charset: &str| ("Content-Type", format!("text/plain; charset={charset}"));
    let latin: Option<Vec<u8>> = text.chars().map(|char| u8::try_from(u32::from(char)).ok()).collect();
    let encoding = |name: &str| ("Content-Transfer-Encoding", name.to_owned());
    match (dice.below(3), latin) {
        (0, Some(latin)) => {
            let soft: Vec<String> =
                latin.chunks(7).map(|line| quoted(line, ' ').replace(' ', "=20")).collect();
            (vec![kind("iso-8859-1"), encoding("quoted-printable")], soft.join("=\r\n"))
        }
        (1, _) => {
            let code = STANDARD.encode(text);
            let lines: Vec<&str> =
                code.as_bytes().chunks(10).map(|l| std::str::from_utf8(l).unwrap()).collect();
            (vec![kind("utf-8"), encoding("base64")], lines.join("\r\n"))
        }
        _ => (vec![kind("utf-8"), encoding("8bit")], text.to_owned()),
    }
}

fn lines(fields: &[(&'static str, String)]) -> Vec<String> {
    fields.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

fn section(fields: &[(&'static str, String)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

fn make(dice: &mut Dice, uid: u32) -> Made {
    let (mut fields, mut raw) = (Vec::new(), String::new());
    let mut add = |name: &'static str, value: String, written: String| {
        raw.push_str(&format!("{name}: {written}\r\n"));
        fields.push((name, value));
    };
    let subject = dice.words();
    let written = encoded_word(dice, &subject);
    add("Subject", subject, written);
    let name = dice.words();
    let written = format!("{} <ann@example.test>, bob@other.test", encoded_word(dice, &name));
    add("From", format!("{name} <ann@example.test>, bob@other.test"), written);
    let sent = (dice.below(3) > 0).then(|| dice.below(9));
    if let Some(day) = sent {
        let date = format!("{} Jan 1970 00:30:00 {}", day + 1, dice.pick(&["+0200", "-0700"]));
        add("Date", date.clone(), date);
    }
    let value = dice.words();
    let written = encoded_word(dice, &value);
    add("X-Note", value, written);
    let (mut mime, mut body) = (Vec::new(), Vec::new());
    let first = dice.words();
    let octets = match dice.below(3) {
        0 => {
            let (kind, coded) = coded(dice, &first);
            fields.extend(kind.clone());
            body.push(first);
            format!("{raw}{}\r\n{coded}", section(&kind))
        }
        many => {
            let kind = ("Content-Type", format!("multipart/mixed; boundary=B{uid}"));
            fields.push(kind.clone());
            let mut octets = format!("{raw}{}\r\n", section(&[kind]));
            for _ in 0..=many {
                octets.push_str(&part(dice, uid, &mut mime, &mut body));
            }
            format!("{octets}\r\n--B{uid}--\r\n")
        }
    };
    let names = ["\\Seen", "Fun", "\\Flagged fun", "", "\\Deleted Work"];
    let date = Moment(dice.below(9) as u64 * 86_400_000 + dice.below(86_400_000) as u64);
    let sent = sent.map(|day| day as i64);
    Made { uid, flags: flags(dice.pick(&names)), date, sent, octets, fields, mime, body }
}

fn part(dice: &mut Dice, uid: u32, mime: &mut Vec<String>, body: &mut Vec<String>) -> String {
    let text = dice.words();
    let (kind, coded) = coded(dice, &text);
    match dice.below(3) {
        0 => {
            mime.extend(lines(&[("Content-Type", "message/rfc822".to_owned())]));
            let subject = dice.words();
            let written = encoded_word(dice, &subject);
            body.extend(lines(&[("Subject", subject)]));
            body.extend(lines(&kind));
            body.push(text);
            let inner = format!("Subject: {written}\r\n{}\r\n{coded}", section(&kind));
            format!("\r\n--B{uid}\r\nContent-Type: message/rfc822\r\n\r\n{inner}")
        }
        1 => {
            let kind = [("Content-Type", "image/png".to_owned())];
            mime.extend(lines(&kind));
            format!("\r\n--B{uid}\r\n{}\r\n{text}", section(&kind))
        }
        _ => {
            mime.extend(lines(&kind));
            body.push(text);
            format!("\r\n--B{uid}\r\n{}\r\n{coded}", section(&kind))
        }
    }
}

fn key(dice: &mut Dice, depth: usize) -> Search {
    let boxed = |dice: &mut Dice| Box::new(key(dice, depth - 1));
    let day = dice.below(10) as i64;
    match dice.below(if depth > 0 { 21 } else { 17 }) {
        0 => Search::All,
        1 => Search::Set(uids(&[dice.below(30) as u32 + 1..=dice.below(30) as u32 + 1])),
        2 => Search::Flag(dice.pick(&["\\Seen", "\\Deleted", "FUN", "work", "none", "\\Draft"]).into()),
        3 => Search::Recent,
        4 => Search::Before(day),
        5 => Search::On(day),
        6 => Search::Since(day),
        7 => Search::SentBefore(day),
        8 => Search::SentOn(day),
        9 => Search::SentSince(day),
        10 => Search::Larger(dice.below(900) as u64),
        11 => Search::Smaller(dice.below(900) as u64),
        12 => Search::Header(dice.pick(&["subject", "From", "X-NOTE", "to"]).into(), dice.needle()),
        13 => Search::Header(
            dice.pick(&["From", "Date", "Content-Type"]).into(),
            dice.pick(&["ann", "@EXA", "", "> , ", ", bob", "<", "multi", "jan 1970"]).into(),
        ),
        14 | 15 => Search::Body(dice.needle()),
        16 => Search::Text(dice.needle()),
        17 => Search::Not(boxed(dice)),
        18 => Search::Or(boxed(dice), boxed(dice)),
        _ => Search::And((0..=dice.below(3)).map(|_| *boxed(dice)).collect()),
    }
}

/// What the words of RFC 9051 §6.4.4 say of one message.
fn matches(key: &Search, made: &Made, recent_from: Uid) -> bool {
    let day = (made.date.0 / 86_400_000) as i64;
    let has = |text: &str, needle: &str| lower(text).contains(&lower(needle));
    match key {
        Search::All => true,
        Search::And(keys) => keys.iter().all(|key| matches(key, made, recent_from)),
        Search::Or(a, b) => matches(a, made, recent_from) || matches(b, made, recent_from),
        Search::Not(key) => !matches(key, made, recent_from),
        Search::Set(set) => set.contains(Uid(made.uid)),
        Search::Flag(name) if name.starts_with('\\') => {
            let wanted = flags(name).system;
            made.flags.system.contains(wanted)
        }
        Search::Flag(name) => made.flags.has_keyword(name),
        Search::Recent => made.uid >= recent_from.0,
        Search::Before(than) => day < *than,
        Search::On(on) => day == *on,
        Search::Since(since) => day >= *since,
        Search::SentBefore(than) => made.sent.is_some_and(|day| day < *than),
        Search::SentOn(on) => made.sent == Some(*on),
        Search::SentSince(since) => made.sent.is_some_and(|day| day >= *since),
        Search::Larger(size) => made.octets.len() as u64 > *size,
        Search::Smaller(size) => (made.octets.len() as u64) < *size,
        Search::Header(name, text) => {
            made.fields.iter().any(|(known, value)| known.eq_ignore_ascii_case(name) && has(value, text))
        }
        Search::Body(text) => made.body.iter().any(|part| has(part, text)),
        Search::Text(text) => {
            let headers = lines(&made.fields);
            headers.iter().chain(&made.mime).chain(&made.body).any(|part| has(part, text))
        }
        Search::ModSeq(_) => unreachable!("not made by `key`"),
    }
}

#[tokio::test]
async fn any_search_finds_what_the_oracle_finds() {
    let mut matched = [0, 0];
    for seed in 1..=8u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let scene = Scene::new().await;
        let made: Vec<Made> = (1..=30).map(|uid| make(&mut dice, uid)).collect();
        let letter =
            |made: &Made| Letter { flags: made.flags.clone(), ..Letter::new(&made.octets).date(made.date) };
        scene.file(INBOX, &made.iter().map(letter).collect::<Vec<_>>()).await;
        for _ in 0..250 {
            let key = key(&mut dice, 3);
            let recent_from = Uid(dice.below(32) as u32);
            let expected: Vec<u32> =
                made.iter().filter(|made| matches(&key, made, recent_from)).map(|made| made.uid).collect();
            let (hits, _) = all(&scene, &key, recent_from).await;
            assert_eq!(hits, expected, "seed {seed}: {key:?} from {recent_from:?}");
            matched[usize::from(!hits.is_empty() && hits.len() < 30)] += 1;
        }
    }
    assert!(matched[1] > matched[0] / 2, "keys that tell messages apart: {matched:?}");
}

#[tokio::test]
async fn mailboxes_that_are_not_there() {
    let scene = Scene::new().await;
    let nowhere = scene.store.search(ACCOUNT, MailboxId(99), &Search::All, Uid(1), None).await;
    assert_eq!(nowhere, Err(Error::NonExistent));
}
