//! The reader of commands: literals, limits, and that the cutting of the input makes no difference.

use proto::imap::limits;
use proto::imap::parse::{Event, LineTooLong, Reader};
use proto::imap::types::CommandBody;

/// What a session sees, in one word for each event. An APPEND is accepted unless its mailbox is `no`.
fn seen(octets: &[u8], logged_in: bool, cut: impl FnMut() -> usize) -> Vec<String> {
    let mut reader = Reader::new();
    if logged_in {
        reader.set_command_max(limits::COMMAND_MAX);
    }
    let mut seen = Vec::new();
    let mut literal = Vec::new();
    for chunk in chunks(octets, cut) {
        reader.push(chunk);
        drain(&mut reader, &mut literal, &mut seen);
    }
    seen
}

fn chunks(mut octets: &[u8], mut cut: impl FnMut() -> usize) -> Vec<&[u8]> {
    let mut chunks = Vec::new();
    while !octets.is_empty() {
        let (chunk, rest) = octets.split_at(cut().clamp(1, octets.len()));
        chunks.push(chunk);
        octets = rest;
    }
    chunks
}

fn drain(reader: &mut Reader, literal: &mut Vec<u8>, seen: &mut Vec<String>) {
    loop {
        while let Some(octets) = reader.take_literal(7) {
            literal.extend_from_slice(&octets);
        }
        let Some(event) = reader.next_event() else { return };
        let end = event == Event::AppendEnd;
        seen.push(match event {
            Event::Command(command) => {
                if let CommandBody::Append { mailbox, .. } = &command.body {
                    literal.clear();
                    if mailbox == "no" { reader.refuse_append(100) } else { reader.accept_append() }
                }
                format!("{command:?}")
            }
            Event::Invite => "+".to_owned(),
            Event::AppendEnd => "end".to_owned(),
            other => format!("{other:?}"),
        });
        if end {
            seen.push(String::from_utf8_lossy(literal).into_owned());
        }
    }
}

fn whole(octets: &[u8]) -> Vec<String> {
    seen(octets, true, || usize::MAX)
}

/// A small generator with a long period, so that a failure can be repeated.
fn random(mut state: u64) -> impl FnMut() -> usize {
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize
    }
}

/// Everything the reader does, with all its ways to refuse.
const CONVERSATION: &[&[u8]] = &[
    b"a1 NOOP\r\n",
    b"a2 LOGIN {4}\r\nfred {3+}\r\nx\r\n\r\n",
    b"\r\n  \r\n",
    b"a3 APPEND inbox (\\Seen) {12}\r\nSubject: x\r\n\r\n",
    b"a4 APPEND {5+}\r\ninbox {3+}\r\nabc\r\n",
    b"a5 APPEND no {3+}\r\nabc more {2+}\r\nxy\r\n",
    b"a6 APPEND no {3}\r\n",
    b"a7 APPEND a {0}\r\n\r\n",
    b"a8 APPEND a UTF8 (~{3+}\r\n{1})\r\n",
    b"a9 APPEND a {3+}\r\nabc def\r\n",
    b"a10 APPEND &bad {3+}\r\nabc\r\n",
    b"a11 APPEND a {3+}\r\nabc {2+}\r\n\r\n \r\n",
    b"b1 SEARCH SUBJECT \"x {5}\r\n",
    b"b2 SEARCH SUBJECT \"x\\\"{5+}\" FROM \"{1+}\r\n",
    b"b3 SEARCH HEADER {131073}\r\n",
    b"b4 SEARCH HEADER {131073+}\r\n",
];

/// Without the last, after which nothing is read.
fn conversation() -> Vec<u8> {
    CONVERSATION[..CONVERSATION.len() - 1].concat()
}

#[test]
fn a_conversation_is_read() {
    let seen = whole(&conversation());
    let tags: Vec<&str> = seen
        .iter()
        .map(|event| match event.split_once("tag: ") {
            Some((kind, rest)) => {
                let tag = rest.trim_start_matches("Some(").split('"').nth(1).unwrap();
                match kind.split([' ', '(']).next().unwrap() {
                    "Command" => tag,
                    other => &event[..other.len() + usize::from(other.is_empty())],
                }
            }
            None => event,
        })
        .collect();
    let wanted = [
        "a1",
        "+",
        "a2",
        "a3",
        "end",
        "Subject: x\r\n",
        "a4",
        "end",
        "abc",
        "a5",
        "a6",
        "a7",
        "end",
        "",
        "a8",
        "end",
        "{1}",
        "a9",
        "Bad",
        "Bad",
        "a11",
        "Bad",
        "Bad",
        "Bad",
        "TooBig",
    ];
    assert_eq!(tags, wanted, "{seen:#?}");
}

/// Any way of cutting the input into chunks gives the same events.
#[test]
fn chunks_make_no_difference() {
    let octets = conversation();
    let wanted = whole(&octets);
    assert_eq!(seen(&octets, true, || 1), wanted, "octet by octet");
    for at in 1..octets.len() {
        let mut first = Some(at);
        assert_eq!(seen(&octets, true, || first.take().unwrap_or(usize::MAX)), wanted, "cut at {at}");
    }
    for seed in 1..300 {
        let mut next = random(seed);
        assert_eq!(seen(&octets, true, || next() % 40), wanted, "seed {seed}");
    }
}

/// The same where limits are passed, before and after log-in.
#[test]
fn chunks_make_no_difference_at_the_limits() {
    let long = |n: usize| vec![b'x'; n];
    let mut inputs = vec![
        [b"t ".to_vec(), long(limits::LINE_MAX), b"\r\nu NOOP\r\n".to_vec()].concat(),
        [long(limits::LINE_MAX), b"{7+}\r\nv NOOP\r\nu NOOP\r\n".to_vec()].concat(),
        [b"t ".to_vec(), long(limits::LINE_MAX), b"{7}\r\nu NOOP\r\n".to_vec()].concat(),
        [long(200_000), b"\r\nu NOOP\r\n".to_vec()].concat(),
        [b"t FETCH ".to_vec(), b"1,".repeat(32_762), b"1 FLAGS\r\nu NOOP\r\n".to_vec()].concat(),
    ];
    for size in [8_000, 8_170, 8_180, 8_192, 9_000, 65_535, 65_536, 65_537, 131_072, 131_073] {
        let announced = format!("t LOGIN u {{{size}+}}\r\n").into_bytes();
        inputs.push([announced, long(size), b" p\r\nu NOOP\r\n".to_vec()].concat());
    }
    for (i, octets) in inputs.iter().enumerate() {
        for logged_in in [false, true] {
            let wanted = seen(octets, logged_in, || usize::MAX);
            for seed in 1..6 {
                let mut next = random(seed);
                let size = [1, 10, 1_000, 70_000, 3][seed as usize - 1];
                assert_eq!(seen(octets, logged_in, || 1 + next() % size), wanted, "input {i}, seed {seed}");
            }
        }
    }
}

/// Attack I1: claims of size, before log-in and after. A claim costs nothing and is answered at once.
#[test]
fn claims_of_size() {
    for logged_in in [false, true] {
        for size in ["4294967295", "18446744073709551616", "99999999999999999999", "131073"] {
            let waits =
                seen(format!("t LOGIN {{{size}}}\r\nu NOOP\r\n").as_bytes(), logged_in, || usize::MAX);
            assert!(waits[0].starts_with("TooBig { tag: Some(\"t\")"), "{waits:?}");
            assert!(waits[1].starts_with("Command { tag: \"u\""), "{waits:?}");
            let sends =
                seen(format!("t LOGIN {{{size}+}}\r\nu NOOP\r\n").as_bytes(), logged_in, || usize::MAX);
            assert!(sends[0].starts_with("TooBig { tag: Some(\"t\")"), "{sends:?}");
            assert!(sends[1].starts_with("Overrun"), "{sends:?}");
            assert_eq!(sends.len(), 2);
        }
        for wrong in ["{-1}", "{}", "{+}", "{1x}", "{999999999999999999999999999999}", "{ 5}", "{5 }"] {
            let found = seen(format!("t LOGIN {wrong}\r\nu NOOP\r\n").as_bytes(), logged_in, || usize::MAX);
            assert!(found[0].starts_with("Bad { tag: Some(\"t\")"), "{wrong} {found:?}");
            assert!(found[1].starts_with("Command { tag: \"u\""), "{wrong} {found:?}");
        }
    }
    // Before log-in 8 KiB is the most; that much and not more is skipped after log-in's literals are known.
    let claim = |logged_in| seen(b"t LOGIN {8200}\r\n", logged_in, || usize::MAX);
    assert!(claim(false)[0].starts_with("TooBig"));
    assert_eq!(claim(true), ["+"]);
}

/// RFC 7888 §4: the octets of a refused non-synchronizing literal are read and dropped, never taken for commands.
#[test]
fn refused_literals_are_not_commands() {
    let evil = "x DELETE INBOX\r\n";
    for start in [
        format!("t LOGIN {{{}+}}\r\n{}", 60_000, evil.repeat(3750)),
        format!("t XYZZY {{16+}}\r\n{evil}"),
        format!("t APPEND no {{16+}}\r\n{evil}"),
        format!("t APPEND &bad {{16+}}\r\n{evil}"),
        format!("t SEARCH SINCE {{16+}}\r\n{evil}"),
    ] {
        let found = seen(format!("{start}\r\nu NOOP\r\n").as_bytes(), false, || usize::MAX);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(!found[0].contains("Delete"), "{found:?}");
        assert!(found[1].contains("Noop"), "{found:?}");
    }
}

/// Attack I2: many literals. The whole command is bounded, and nothing is held above the bound.
#[test]
fn a_command_is_bounded_as_a_whole() {
    let mut reader = Reader::new();
    reader.set_command_max(limits::COMMAND_MAX);
    reader.push(b"t SEARCH");
    let mut invited = 0;
    for round in 0.. {
        assert!(round < 12, "no end to it");
        reader.push(b" TEXT {102400}\r\n");
        match reader.next_event() {
            Some(Event::Invite) => invited += 1,
            Some(Event::TooBig { tag, .. }) => {
                assert_eq!(tag.as_deref(), Some("t"));
                break;
            }
            other => panic!("{other:?}"),
        }
        reader.push(&vec![b'x'; 102_400]);
    }
    assert_eq!(invited, 10);
    reader.push(b"u NOOP\r\n");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
}

/// After a refusal only so much is dropped: no endless line, and no chain of literals.
#[test]
fn patience_ends() {
    let mut reader = Reader::new();
    let mut events = Vec::new();
    for _ in 0..1000 {
        reader.push(&[b'x'; 1000]);
        events.extend(std::iter::from_fn(|| reader.next_event()));
        if events.len() == 2 {
            break;
        }
        assert!(reader.buffered() <= limits::COMMAND_MAX_BEFORE_LOGIN);
    }
    assert!(matches!(&events[..], [Event::TooBig { tag: None, .. }, Event::Overrun { .. }]), "{events:?}");
    let chain = "{30000+}\r\n".to_owned() + &"y".repeat(30_000);
    let found = seen(format!("t {}{}", "x".repeat(9000), chain.repeat(3)).as_bytes(), false, || usize::MAX);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[1].starts_with("Overrun"));
}

/// Attack I4: tags and lines.
#[test]
fn tags_and_lines() {
    let no_tag = r#"Bad { tag: None, text: "expected a tag, a space and a command" }"#;
    for line in [
        "* NOOP",
        "+ NOOP",
        "a+b NOOP",
        "ü NOOP",
        "\u{1} NOOP",
        "{5 NOOP",
        "\" NOOP",
        "( NOOP",
        "\\ NOOP",
        "% NOOP",
    ] {
        assert_eq!(whole(format!("{line}\r\n").as_bytes()), [no_tag], "{line}");
    }
    let tag = |n: usize| whole(format!("{} NOOP\r\n", "t".repeat(n)).as_bytes());
    assert!(tag(limits::TAG_MAX)[0].starts_with("Command"));
    assert_eq!(tag(limits::TAG_MAX + 1), [no_tag]);
    assert_eq!(tag(70_000)[0], r#"TooBig { tag: None, text: "the command line is too long" }"#);
    for (line, at) in
        [("a\r\n", "at the end"), ("a NOOP\rNOOP\r\n", "at \"?NOOP\""), ("a NOOP\0\r\n", "at \"?\"")]
    {
        let found = whole(line.as_bytes());
        assert!(found.len() == 1 && found[0].contains(at.replace('"', "\\\"").as_str()), "{found:?}");
    }
    // Alone, LF ends a line too: people type into a terminal.
    assert!(whole(b"a NOOP\nb LOGIN {1+}\nx y\n").iter().all(|event| event.starts_with("Command")));
    assert!(whole(b"a LOGIN {3+}\r\nx\0y z\r\n")[0].contains("NUL in a literal"));
}

/// Attack I6: long sets.
#[test]
fn sets_are_bounded() {
    let fetch = |n: usize| whole(format!("t FETCH {} FLAGS\r\n", vec!["1"; n].join(",")).as_bytes());
    assert!(fetch(limits::SET_RANGES_MAX)[0].starts_with("Command"));
    assert!(fetch(limits::SET_RANGES_MAX + 1)[0].contains("too many ranges"));
    assert!(fetch(1_000_000)[0].starts_with("TooBig"));
}

/// A line that is no command: SASL, IDLE.
#[test]
fn lines_between_commands() {
    let mut reader = Reader::new();
    reader.push(b"a IDLE\r\nDO");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    assert_eq!(reader.take_line(10), None);
    reader.push(b"NE\r\n0123456789\r\n0123456789a\r\nxx{5+}");
    assert_eq!(reader.take_line(10).unwrap().unwrap(), "DONE");
    assert_eq!(reader.take_line(10).unwrap().unwrap(), "0123456789");
    assert_eq!(reader.take_line(10), Some(Err(LineTooLong)));
    assert_eq!(reader.take_line(10), None);
    reader.push(b"\nb NOOP\r\n");
    assert_eq!(reader.take_line(10).unwrap().unwrap(), "xx{5+}");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    // The rest of a line that is too long is dropped before anything else is read.
    reader.push(b"0123456789abcdef");
    assert_eq!(reader.take_line(10), Some(Err(LineTooLong)));
    reader.push(b"rest\r\nnext\r\nc NOOP\r\n");
    assert_eq!(reader.take_line(10).unwrap().unwrap(), "next");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    assert!(!reader.in_command());
    reader.push(b"d ");
    assert!(reader.in_command());
}

/// RFC 9051 §6.2.1: nothing sent before the handshake is taken for something sent after it.
#[test]
fn clearing_forgets() {
    let mut reader = Reader::new();
    reader.push(b"a STARTTLS\r\nb LOGIN {4}\r\nfr");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    assert_eq!(reader.next_event(), Some(Event::Invite));
    assert_eq!(reader.next_event(), None);
    reader.clear();
    assert!(!reader.in_command());
    reader.push(b"c NOOP\r\n");
    assert!(matches!(reader.next_event(), Some(Event::Command(command)) if command.tag == "c"));
}

/// The literal of APPEND is handed on piece by piece, and can be given up half-way.
#[test]
fn append_literals_are_handed_on() {
    let mut reader = Reader::new();
    reader.push(b"a APPEND x {10}\r\n");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    assert_eq!((reader.next_event(), reader.literal_left(), reader.take_literal(99)), (None, 0, None));
    reader.accept_append();
    reader.push(b"01234");
    assert_eq!(reader.literal_left(), 10);
    assert_eq!(reader.take_literal(3).unwrap(), "012");
    assert_eq!(reader.take_literal(99).unwrap(), "34");
    assert_eq!((reader.take_literal(99), reader.literal_left(), reader.next_event()), (None, 5, None));
    reader.push(b"56789\r\nb NOOP\r\n");
    assert_eq!(reader.take_literal(99).unwrap(), "56789");
    assert_eq!(reader.next_event(), Some(Event::AppendEnd));
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));

    reader.push(b"c APPEND x {10}\r\n0123");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    reader.accept_append();
    assert_eq!(reader.take_literal(2).unwrap(), "01");
    reader.refuse_append(8);
    reader.push(b"456789\r\nd NOOP\r\n");
    assert!(matches!(reader.next_event(), Some(Event::Command(command)) if command.tag == "d"));

    reader.push(b"e APPEND x {10+}\r\n0123");
    assert!(matches!(reader.next_event(), Some(Event::Command(_))));
    reader.refuse_append(9);
    assert!(matches!(reader.next_event(), Some(Event::Overrun { .. })));
    reader.push(b"456789\r\nd NOOP\r\n");
    assert_eq!(reader.next_event(), None);
}

/// Noise of every kind is answered, never with a panic, and always the same however it is cut.
#[test]
fn noise() {
    let words: Vec<&[u8]> = b"a |FETCH |STORE |SEARCH |LIST |APPEND |LOGIN |UID |(|)|\"|\\|{3}\r\n|{3+}\r\n|~{4+}\r\n|{99999999+}\r\n|\r\n|\n|\r|\0|\xff|1:*|,|[|]|<0.1>|BODY[|HEADER.FIELDS |NOT |OR |&|&AOQ-|RETURN |CHARSET |INBOX |\"17-Jul-1996 02:44:25 -0700\" |\\Seen |FLAGS |ID |CREATE |(USE (|NIL |MODSEQ |STATUS |+|-|*|%| "
        .split(|c| *c == b'|')
        .collect();
    for seed in 1..3000 {
        let mut next = random(seed * 7919);
        let octets: Vec<u8> = (0..next() % 30).flat_map(|_| words[next() % words.len()].to_vec()).collect();
        let wanted = seen(&octets, true, || usize::MAX);
        assert_eq!(seen(&octets, true, || 1), wanted, "{}", octets.escape_ascii());
    }
}
