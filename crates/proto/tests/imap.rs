//! The IMAP server session: its transcripts, and what a transcript cannot show.

#[path = "support/imap.rs"]
mod imap;
#[path = "support/messages.rs"]
mod messages;
#[path = "support/transcript.rs"]
mod transcript;

use std::sync::Arc;

use bytes::Bytes;
use imap::{ACCOUNT, Imap, empty_info, options};
use mail::{Flags, MessageRow, ModSeq, Moment, Selected, Uid, UidValidity};
use proto::imap::Server;
use proto::imap::ask::{Answer, Ask, Code};
use proto::imap::limits;
use proto::login::{LoggedIn, LoginAnswer};
use proto::{Action, Input, Session, TlsInfo};
use transcript::play_folder;

#[test]
fn transcripts() {
    play_folder(&Imap, "imap");
}

const NOW: Moment = Moment(1_000_000);

/// A session and what it has done.
struct Run {
    session: Server,
    actions: Vec<Action<Ask>>,
}

impl Run {
    fn new() -> Run {
        let mut run = Run { session: Server::new(options()), actions: Vec::new() };
        run.give(Input::Opened(Some(TlsInfo::default())));
        run
    }

    fn logged_in() -> Run {
        let mut run = Run::new();
        run.say(b"0 LOGIN fred secret\r\n");
        let who = LoggedIn { account: ACCOUNT, address: "fred@example.test".into() };
        run.give(Input::Answer(Answer::Login(LoginAnswer::Welcome(who))));
        run.actions.clear();
        run
    }

    fn selected(uids: Vec<Uid>) -> Run {
        let mut run = Run::logged_in();
        run.say(b"1 SELECT INBOX\r\n");
        run.give(Input::Answer(Answer::Selected(Box::new(Selected {
            info: empty_info("INBOX"),
            uids,
            first_unseen: None,
            recent_from: Uid(u32::MAX),
            keywords: Vec::new(),
        }))));
        run.actions.clear();
        run
    }

    fn give(&mut self, input: Input<'_, Answer>) {
        self.session.handle(NOW, input);
        while let Some(action) = self.session.next() {
            self.actions.push(action);
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        self.give(Input::Bytes(bytes));
    }

    /// What was written since the last look.
    fn written(&mut self) -> String {
        let mut text = String::new();
        for action in self.actions.drain(..) {
            if let Action::Write(bytes) = action {
                text.push_str(std::str::from_utf8(&bytes).expect("text"));
            }
        }
        text
    }
}

fn row(uid: Uid) -> MessageRow {
    let message = messages::find("minutes").expect("known");
    MessageRow {
        uid,
        flags: Flags { system: mail::SystemFlags::SEEN, keywords: Vec::new() },
        modseq: ModSeq(5),
        date: message.date,
        size: message.text.len() as u64,
        blob: message.blob,
        summary: Some(Arc::new(message.summary)),
    }
}

fn begin_append(size: usize) -> Run {
    let mut run = Run::logged_in();
    run.say(format!("a APPEND INBOX {{{size}}}\r\n").as_bytes());
    assert!(!run.session.hungry(), "an ask is open");
    run.give(Input::Answer(Answer::Done));
    assert!(run.session.hungry() && run.written() == "+ Send the message\r\n");
    run
}

/// Pieces are handed on as they arrive; the socket is not read while too much of them is unwritten.
#[test]
fn a_slow_disk_holds_the_client_back() {
    let mut run = begin_append(900_000);
    let mut kept = 0;
    let mut unkept = 0;
    while kept < 900_000 {
        assert!(run.session.hungry());
        while run.session.hungry() && kept + unkept < 900_000 {
            let most = (900_000 - kept - unkept).min(100_000);
            run.say(&vec![b'x'; most]);
            for action in run.actions.drain(..) {
                let Action::Keep { bytes, .. } = action else { panic!("{action:?}") };
                assert!(bytes.len() <= limits::KEEP_PIECE);
                unkept += bytes.len();
            }
        }
        assert!(unkept < limits::UNKEPT_MAX + 100_000);
        while unkept > 0 {
            // The last piece of 100,000 octets is the smaller part of it.
            let piece = if (kept / 100_000) * 100_000 == kept {
                limits::KEEP_PIECE
            } else {
                100_000 - limits::KEEP_PIECE
            };
            run.give(Input::Kept(mail::BodyId(1)));
            kept += piece.min(unkept);
            unkept -= piece.min(unkept);
        }
    }
    run.say(b"\r\n");
    assert!(matches!(run.actions.pop(), Some(Action::Ask(Ask::Append { .. }))));
}

fn abandons(run: &Run) -> usize {
    run.actions.iter().filter(|action| matches!(action, Action::Abandon(_))).count()
}

/// A body in flight that comes to nothing is given up, once.
#[test]
fn a_message_that_fails_is_abandoned() {
    let mut run = begin_append(10);
    run.say(b"hello");
    run.say(b"\0orld\r\n");
    assert_eq!(abandons(&run), 1);
    assert!(run.written().ends_with("a BAD A message must not hold NUL\r\n"));

    let mut run = begin_append(10);
    run.say(b"hello");
    run.give(Input::PeerClosed);
    assert_eq!(abandons(&run), 1);
    assert!(matches!(run.actions.last(), Some(Action::Close)));

    let mut run = begin_append(5);
    run.say(b"hello, world\r\n");
    assert_eq!(abandons(&run), 1);

    let mut run = begin_append(5);
    run.give(Input::PeerClosed);
    assert_eq!(abandons(&run), 0, "nothing was kept");
}

/// A line that is too long is dropped as it comes, and one that does not end is not listened to.
#[test]
fn an_endless_line_in_an_exchange_is_not_held() {
    for (pieces, end) in [
        (50, "a BAD That is too long\r\nb OK NOOP done\r\n"),
        (100, "* BYE too much was sent after a refusal\r\n"),
    ] {
        let mut run = Run::new();
        run.say(b"a AUTHENTICATE PLAIN\r\n");
        for _ in 0..pieces {
            run.say(&[b'A'; 1000]);
        }
        run.say(b"\r\nb NOOP\r\n");
        let text = run.written();
        assert!(text.ends_with(end), "{text}");
    }
}

/// RFC 3501 §7.1: a response is one line.
#[test]
fn the_text_of_an_answer_cannot_end_the_line() {
    let mut run = Run::logged_in();
    run.say(b"a DELETE x\r\n");
    run.give(Input::Answer(Answer::No { code: Code::None, text: "no\r\n* 1 EXISTS".into() }));
    assert_eq!(run.written(), "a NO no  * 1 EXISTS\r\n");
}

/// An answer that nobody asked for changes nothing.
#[test]
fn an_answer_without_a_question_is_passed_over() {
    let mut run = Run::logged_in();
    run.give(Input::Answer(Answer::Done));
    run.say(b"a DELETE x\r\n");
    assert!(matches!(run.actions.pop(), Some(Action::Ask(Ask::Delete { .. }))));
}

/// 20,000 messages: what is made is bounded by what has been pulled, whatever the size of the mailbox.
#[test]
fn a_long_fetch_is_made_as_it_is_pulled() {
    let all: Vec<Uid> = (1..=20_000).map(|n| Uid(n * 3)).collect();
    let mut run = Run::selected(all.clone());
    run.session.handle(NOW, Input::Bytes(b"a FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE BODYSTRUCTURE)\r\n"));
    let (mut written, mut lines, mut asks) = (0, 0, 0);
    let mut last = Bytes::new();
    while let Some(action) = run.session.next() {
        match action {
            Action::Write(bytes) => {
                assert!(bytes.len() <= 32 * 1024, "{}", bytes.len());
                written += bytes.len();
                lines += bytes.iter().filter(|octet| **octet == b'\n').count();
                last = bytes;
                assert!(!run.session.hungry() || lines == 20_001, "commands wait");
            }
            Action::Ask(Ask::Rows { uids, summaries, .. }) => {
                asks += 1;
                assert!(summaries && uids.len() <= 1000);
                // As the store does: fewer rows than asked for.
                let rows: Vec<MessageRow> = uids.iter().take(300).map(row).collect();
                let next = (uids.len() > 300).then(|| rows[299].uid);
                run.session.handle(NOW, Input::Answer(Answer::Rows { rows, next }));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((lines, asks), (20_001, 80));
    assert!(written > 20_000 * 300 && last.ends_with(b"a OK FETCH done\r\n"));
}

/// The same for what nobody asked for: 20,000 messages go, and 20,000 flags change.
#[test]
fn much_news_is_told_a_page_at_a_time() {
    let mut run = Run::selected((1..=40_000).map(Uid).collect());
    run.say(b"a NOOP\r\n");
    let changes = mail::MailboxChanges {
        head: ModSeq(9),
        gone: (1..=20_000).map(Uid).collect(),
        rows: (20_001..=40_000).map(|n| row(Uid(n))).collect(),
        ..mail::MailboxChanges::default()
    };
    run.actions.clear();
    run.session.handle(NOW, Input::Answer(Answer::Changes(changes)));
    let mut text = Vec::new();
    while let Some(action) = run.session.next() {
        let Action::Write(bytes) = action else { panic!("{action:?}") };
        assert!(bytes.len() <= 32 * 1024, "{}", bytes.len());
        text.extend_from_slice(&bytes);
    }
    let text = String::from_utf8(text).expect("text");
    assert_eq!(text.lines().filter(|line| *line == "* 1 EXPUNGE").count(), 20_000);
    assert!(text.contains("* 1 FETCH (UID 20001 FLAGS (\\Seen))\r\n"));
    assert!(text.ends_with("* 20000 FETCH (UID 40000 FLAGS (\\Seen))\r\na OK NOOP done\r\n"));
}

/// SEARCH of everything is one line, in pages.
#[test]
fn a_long_search_is_one_line_in_pages() {
    let mut run = Run::selected((1..=20_000).map(Uid).collect());
    run.say(b"a SEARCH ALL\r\n");
    run.actions.clear();
    let hits = (1..=20_000).map(|n| (Uid(n), ModSeq(1))).collect();
    run.give(Input::Answer(Answer::Found { hits, next: None }));
    assert!(run.actions.len() > 5, "in pages");
    let text = run.written();
    assert_eq!(text.lines().count(), 2);
    assert!(text.starts_with("* SEARCH 1 2 3 ") && text.contains(" 19999 20000\r\na OK"));
}

/// Bodies are streamed one message at a time, and \Seen is set for few messages at once.
#[test]
fn bodies_are_streamed_as_they_are_pulled() {
    let mut run = Run::selected((1..=200).map(Uid).collect());
    run.session.handle(NOW, Input::Bytes(b"a FETCH 1:* BODY[]\r\n"));
    let (mut streams, mut stores) = (0, 0);
    while let Some(action) = run.session.next() {
        match action {
            Action::Stream { range, .. } => {
                assert_eq!(range, 0..3370);
                streams += 1;
            }
            Action::Ask(Ask::Rows { uids, .. }) => {
                assert!(uids.len() <= 64);
                let unseen = |uid| MessageRow { flags: Flags::default(), ..row(uid) };
                let rows = uids.iter().map(unseen).collect();
                run.session.handle(NOW, Input::Answer(Answer::Rows { rows, next: None }));
            }
            Action::Ask(Ask::Store { uids, .. }) => {
                stores += 1;
                let rows = uids.iter().map(row).collect();
                let stored =
                    Answer::Stored { rows, modified: mail::UidSet::default(), commit: Some(ModSeq(9)) };
                run.session.handle(NOW, Input::Answer(stored));
            }
            Action::Ask(Ask::Since { .. }) => {
                let changes = mail::MailboxChanges { head: ModSeq(9), ..mail::MailboxChanges::default() };
                run.session.handle(NOW, Input::Answer(Answer::Changes(changes)));
            }
            _ => {}
        }
    }
    assert_eq!((streams, stores), (200, 4));
}

/// Few names can have very many levels; what LIST holds is limited all the same.
#[test]
fn deep_names_do_not_make_list_hold_more_than_it_may() {
    let mut run = Run::logged_in();
    run.say(b"a LIST \"\" *\r\n");
    run.actions.clear();
    let list = (0..300).map(|n| empty_info(&format!("{n}/{}x", "y/".repeat(450)))).collect();
    run.give(Input::Answer(Answer::Mailboxes { list, more: false }));
    assert_eq!(run.written(), "a NO [LIMIT] There are too many mailboxes to list\r\n");
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).expect("small")
    }
}

/// An answer to anything: sometimes the right kind, sometimes not.
fn any_answer(ask: &Ask, dice: &mut Dice) -> Answer {
    let row = |uid| row(Uid(uid));
    match (dice.roll(8), ask) {
        (0, _) => Answer::No { code: Code::Unavailable, text: "not now".into() },
        (1, _) => Answer::Rows { rows: vec![row(2)], next: Some(Uid(2)) },
        (_, Ask::Login(_)) => Answer::Login(LoginAnswer::Welcome(LoggedIn {
            account: ACCOUNT,
            address: "fred@example.test".into(),
        })),
        (_, Ask::Mailboxes { .. }) => {
            Answer::Mailboxes { list: ["a", "a/b", "INBOX"].map(empty_info).into(), more: dice.roll(9) == 0 }
        }
        (_, Ask::Mailbox { name, .. }) => Answer::Mailbox(Box::new(empty_info(name))),
        (_, Ask::Select { name, .. }) => Answer::Selected(Box::new(Selected {
            info: empty_info(name),
            uids: vec![Uid(1), Uid(2), Uid(5), Uid(9)],
            first_unseen: Some(Uid(5)),
            recent_from: Uid(9),
            keywords: Vec::new(),
        })),
        (_, Ask::Since { after, .. }) => Answer::Changes(mail::MailboxChanges {
            head: ModSeq(after.0 + 1),
            gone: [2, 77].map(Uid).into_iter().collect(),
            rows: vec![row(1), row(30)],
            deleted: dice.roll(9) == 0,
            keywords: None,
        }),
        (_, Ask::Rows { uids, .. }) => {
            Answer::Rows { rows: uids.iter().map(|uid| row(uid.0)).collect(), next: None }
        }
        (_, Ask::Octets { ranges, .. }) => Answer::Octets(
            ranges.iter().skip(dice.roll(2)).map(|_| Bytes::from_static(b"A: b\r\n\r\n")).collect(),
        ),
        (_, Ask::Store { uids, .. }) => Answer::Stored {
            rows: uids.iter().map(|uid| row(uid.0)).collect(),
            modified: uids.iter().take(dice.roll(2)).collect(),
            commit: Some(ModSeq(50)),
        },
        (_, Ask::Expunge { .. }) => {
            Answer::Expunged { uids: [1, 5, 99].map(Uid).into_iter().collect(), modseq: ModSeq(60) }
        }
        (_, Ask::Copy { uids, .. }) => Answer::Copied {
            uid_validity: UidValidity(3),
            pairs: uids.iter().map(|uid| (uid, Uid(uid.0 + 7))).collect(),
            modseq: ModSeq(61),
        },
        (_, Ask::Append { .. }) => Answer::Appended { uid_validity: UidValidity(3), uid: Uid(4) },
        (_, Ask::Search { .. }) => {
            Answer::Found { hits: vec![(Uid(1), ModSeq(2)), (Uid(70), ModSeq(3))], next: None }
        }
        _ => Answer::Done,
    }
}

/// Whatever comes in, in whatever order: no panic, no second ask, nothing after the close, no endless loop.
#[test]
fn nothing_that_comes_in_confuses_the_session() {
    const SAID: [&str; 40] = [
        "a SELECT INBOX",
        "a EXAMINE x",
        "a FETCH 1:* (FLAGS BODY[HEADER.FIELDS (A)] BODY[]<1.5>)",
        "a UID FETCH 1:9 FULL",
        "a STORE 1:2 +FLAGS (\\Seen $X)",
        "a UID STORE 1:* FLAGS.SILENT ()",
        "a EXPUNGE",
        "a UID EXPUNGE 1:5",
        "a CLOSE",
        "a UNSELECT",
        "a IDLE",
        "DONE",
        "a NOOP",
        "a CHECK",
        "a SEARCH RETURN (ALL) 1:2 UNSEEN",
        "a UID SEARCH MODSEQ 4",
        "a COPY 1 INBOX",
        "a MOVE 1:* x",
        "a LIST \"\" *",
        "a LSUB \"\" %",
        "a LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %",
        "a STATUS INBOX (MESSAGES HIGHESTMODSEQ)",
        "a APPEND INBOX {4+}",
        "Mail",
        "a APPEND INBOX (\\Seen) {3}",
        "",
        "a AUTHENTICATE PLAIN",
        "AGEAYg==",
        "*",
        "a LOGIN a b",
        "a CAPABILITY",
        "a ID NIL",
        "a ENABLE CONDSTORE",
        "a NAMESPACE",
        "a RENAME INBOX y",
        "a DELETE INBOX2",
        "a CREATE {5}",
        "a STORE 1 (UNCHANGEDSINCE 3) FLAGS ()",
        "a FETCH 1:* (MODSEQ) (CHANGEDSINCE 3)",
        "a SUBSCRIBE x",
    ];
    for seed in 1..1500 {
        let mut dice = Dice(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15) | 1);
        let mut run = if dice.roll(5) == 0 { Run::new() } else { Run::logged_in() };
        let mut open = None;
        let mut closed = false;
        for _ in 0..60 {
            match dice.roll(16) {
                0 => run.session.handle(NOW, Input::Changed { source: ACCOUNT.ledger(), head: ModSeq(99) }),
                1 => run.session.handle(NOW, Input::Kept(mail::BodyId(1))),
                2 => run.session.handle(Moment(NOW.0 + dice.roll(4_000_000) as u64), Input::Tick),
                3 if dice.roll(9) == 0 => run.session.handle(NOW, Input::Drain),
                3 if dice.roll(9) == 0 => run.session.handle(NOW, Input::PeerClosed),
                4 => run.session.handle(NOW, Input::Bytes(&[dice.roll(256) as u8, b'\n'])),
                5..=9 => {
                    let line = format!("{}\r\n", SAID[dice.roll(SAID.len())]);
                    let cut = dice.roll(line.len() + 1);
                    run.session.handle(NOW, Input::Bytes(&line.as_bytes()[..cut]));
                    run.session.handle(NOW, Input::Bytes(&line.as_bytes()[cut..]));
                }
                _ => {
                    if let Some(ask) = open.take() {
                        let answer = any_answer(&ask, &mut dice);
                        run.session.handle(NOW, Input::Answer(answer));
                    }
                }
            }
            let mut actions = 0;
            while let Some(action) = run.session.next() {
                actions += 1;
                assert!(actions < 10_000, "seed {seed}: it does not end");
                assert!(!closed, "seed {seed}: {action:?} after the close");
                match action {
                    Action::Ask(ask) => assert!(open.replace(ask).is_none(), "seed {seed}: a second ask"),
                    Action::Close => {
                        closed = true;
                        open = None;
                    }
                    _ => {}
                }
            }
            assert!(!(closed && run.session.hungry()));
        }
    }
}
