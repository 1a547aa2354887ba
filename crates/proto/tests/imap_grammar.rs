//! Commands as the RFCs write them, and what they mean.

use mail::{Flags, ModSeq, Moment, SearchKey, Secret};
use proto::imap::parse::{Event, Reader};
use proto::imap::types::{
    Command, CommandBody, FetchItem, List, Rfc822, Search, SearchReturns, Section, SectionText, SequenceSet,
    StatusItem, StoreAction, WrittenSet,
};

fn events(reader: &mut Reader, octets: &[u8]) -> Vec<Event> {
    reader.push(octets);
    std::iter::from_fn(|| reader.next_event()).collect()
}

fn event_of(octets: &[u8], utf8: bool) -> Event {
    let mut reader = Reader::new();
    reader.set_utf8(utf8);
    let mut found = events(&mut reader, octets);
    found.retain(|event| *event != Event::Invite);
    assert_eq!(found.len(), 1, "{:?}: {found:?}", octets.escape_ascii().to_string());
    found.remove(0)
}

/// The one command in the line, tagged `a`.
fn body(line: &str) -> CommandBody {
    match event_of(format!("a {line}\r\n").as_bytes(), false) {
        Event::Command(Command { tag, body }) => {
            assert_eq!(tag, "a");
            body
        }
        other => panic!("{line}: {other:?}"),
    }
}

/// The text of the BAD that the line gets.
fn bad(line: &str) -> String {
    match event_of(format!("a {line}\r\n").as_bytes(), false) {
        Event::Bad { tag, text } => {
            assert_eq!(tag.as_deref(), Some("a"), "{line}");
            assert!(text.bytes().all(|c| (b' '..0x7f).contains(&c)), "{text:?}");
            text
        }
        other => panic!("{line}: {other:?}"),
    }
}

fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let star = |n: u32| (n != 0).then_some(n);
    SequenceSet(ranges.iter().map(|(a, b)| (star(*a), star(*b))).collect())
}

fn flags(names: &[&str]) -> Flags {
    let mut flags = Flags::default();
    names.iter().for_each(|name| assert!(flags.insert(name)));
    flags
}

fn section(path: &[u32], text: SectionText) -> Section {
    Section { path: path.to_vec(), text }
}

fn fetch(item: &str) -> Vec<FetchItem> {
    match body(&format!("FETCH 1 {item}")) {
        CommandBody::Fetch { items, .. } => items,
        other => panic!("{other:?}"),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// RFC 9051 §6.1, §6.2.1, §6.3.13, §6.4.1; RFC 2177, RFC 2342, RFC 3691.
#[test]
fn commands_without_arguments() {
    for (line, wanted) in [
        ("CAPABILITY", CommandBody::Capability),
        ("noop", CommandBody::Noop),
        ("LogOut", CommandBody::Logout),
        ("STARTTLS", CommandBody::StartTls),
        ("NAMESPACE", CommandBody::Namespace),
        ("IDLE", CommandBody::Idle),
        ("CHECK", CommandBody::Check),
        ("CLOSE", CommandBody::Close),
        ("UNSELECT", CommandBody::Unselect),
        ("EXPUNGE", CommandBody::Expunge(None)),
        ("NOOP  ", CommandBody::Noop),
        (" NOOP", CommandBody::Noop),
    ] {
        assert_eq!(body(line), wanted);
    }
    assert_eq!(bad("NOOP x"), "NOOP: expected the end of the command at \"x\"");
    assert_eq!(bad("XYZZY"), "unknown command at \"XYZZY\"");
    assert_eq!(bad("BLURDYBLOOP foo"), "unknown command at \"BLURDYBLOOP foo\"");
    assert_eq!(bad(""), "expected a command at the end");
    assert_eq!(bad("UID NOOP"), "UID: expected COPY, EXPUNGE, FETCH, MOVE, SEARCH or STORE at \"UID NOOP\"");
}

/// RFC 9051 §6.2.3 and §9 astring.
#[test]
fn login() {
    let login = |user: &str, password: &str| CommandBody::Login {
        user: user.to_owned(),
        password: Secret::new(password.as_bytes().to_vec()),
    };
    assert_eq!(body("LOGIN SMITH SESAME"), login("SMITH", "SESAME"));
    assert_eq!(body("LOGIN \"a b\" \"c\\\"d\\\\\""), login("a b", "c\"d\\"));
    assert_eq!(body("LOGIN {7+}\r\nFRED FO {7+}\r\nfat man"), login("FRED FO", "fat man"));
    assert_eq!(body("LOGIN {0+}\r\n \"\""), login("", ""));
    // What a literal holds is never looked at for its shape.
    assert_eq!(body("LOGIN u {6+}\r\n{3+}\r\n"), login("u", "{3+}\r\n"));
    assert_eq!(body("LOGIN u x%y*(\\)]"), login("u", "x%y*(\\)]"));
    assert_eq!(body("LOGIN ü ü"), login("ü", "ü"));
    assert_eq!(body("LOGIN \"u {5}\" x"), login("u {5}", "x"));
    // No excerpt: it could be the password.
    assert_eq!(bad("LOGIN user secret more"), "LOGIN: expected the end of the command");
    assert_eq!(bad("LOGIN \"user secret"), "LOGIN: the quotes are not closed");
    assert_eq!(bad("LOGIN user \"sec\\ret\""), "LOGIN: expected \\\" or \\\\ in the quoted string");
    let not_utf8 = event_of(b"a LOGIN \"\xff\" \"\xff\"\r\n", false);
    assert_eq!(
        not_utf8,
        Event::Bad { tag: Some("a".into()), text: "LOGIN: this string is not UTF-8".into() }
    );
    let Event::Command(Command { body: CommandBody::Login { password, .. }, .. }) =
        event_of(b"a LOGIN u \"\xff\"\r\n", false)
    else {
        panic!("a password is octets");
    };
    assert_eq!(password.expose(), b"\xff");
}

/// RFC 9051 §6.2.2, RFC 4959 §3.
#[test]
fn authenticate() {
    let authenticate = |mechanism: &str, initial: Option<&str>| CommandBody::Authenticate {
        mechanism: mechanism.to_owned(),
        initial: initial.map(|initial| Secret::new(initial.as_bytes().to_vec())),
    };
    assert_eq!(body("AUTHENTICATE gssapi"), authenticate("GSSAPI", None));
    assert_eq!(
        body("AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q="),
        authenticate("PLAIN", Some("dGVzdAB0ZXN0AHRlc3Q="))
    );
    assert_eq!(body("AUTHENTICATE EXTERNAL ="), authenticate("EXTERNAL", Some("=")));
    assert_eq!(body("AUTHENTICATE SCRAM-SHA-256 "), authenticate("SCRAM-SHA-256", None));
    assert_eq!(bad("AUTHENTICATE PLAIN *"), "AUTHENTICATE: expected an initial response in base64");
    assert_eq!(bad("AUTHENTICATE"), "AUTHENTICATE: expected a space");
}

/// RFC 2971 §3.1, §3.3.
#[test]
fn id() {
    assert_eq!(body("ID NIL"), CommandBody::Id(Vec::new()));
    assert_eq!(
        body("ID (\"name\" \"sodr\" \"version\" \"19.34\" \"vendor\" NIL)"),
        CommandBody::Id(vec![
            ("name".into(), Some("sodr".into())),
            ("version".into(), Some("19.34".into())),
            ("vendor".into(), None),
        ])
    );
    let pairs = |n: usize| "\"a\" \"b\" ".repeat(n);
    assert!(matches!(body(&format!("ID ({})", pairs(30))), CommandBody::Id(p) if p.len() == 30));
    assert!(bad(&format!("ID ({})", pairs(31))).starts_with("ID: too many elements in the list"));
    assert!(bad(&format!("ID (\"{}\" NIL)", "n".repeat(31))).contains("30 octets"));
    assert!(bad(&format!("ID (\"n\" \"{}\")", "n".repeat(1025))).contains("30 octets"));
}

/// RFC 5161 §3.1.
#[test]
fn enable() {
    assert_eq!(
        body("ENABLE CONDSTORE x-good-idea"),
        CommandBody::Enable(names(&["CONDSTORE", "X-GOOD-IDEA"]))
    );
    assert_eq!(body("ENABLE UTF8=ACCEPT "), CommandBody::Enable(names(&["UTF8=ACCEPT"])));
    assert_eq!(bad("ENABLE"), "ENABLE: expected a space at the end");
}

/// RFC 9051 §5.1, §6.3; RFC 3501 §5.1.3.
#[test]
fn mailbox_names() {
    let name = |line: &str| match body(&format!("DELETE {line}")) {
        CommandBody::Delete(name) => name,
        other => panic!("{other:?}"),
    };
    assert_eq!(name("blurdybloop"), "blurdybloop");
    assert_eq!(name("iNbOx"), "INBOX");
    assert_eq!(name("\"inbox/a b\""), "INBOX/a b");
    assert_eq!(name("{7+}\r\nfoo bar"), "foo bar");
    assert_eq!(name("~peter/mail/&U,BTFw-/&ZeVnLIqe-"), "~peter/mail/台北/日本語");
    assert_eq!(name("a]b"), "a]b");
    assert_eq!(bad("DELETE &Jjo!"), "DELETE: the mailbox name is not in modified UTF-7 at \"&Jjo!\"");
    assert!(
        bad("DELETE \"ü\"").starts_with("DELETE: the mailbox name is not in modified UTF-7, and UTF8=ACCEPT")
    );
    assert!(bad(&format!("DELETE {}", "x".repeat(4097))).starts_with("DELETE: the mailbox name is too long"));
    assert_eq!(bad("DELETE a b"), "DELETE: expected the end of the command at \"b\"");
    assert_eq!(bad("DELETE a*"), "DELETE: expected the end of the command at \"*\"");
    // RFC 6855 §3: after ENABLE UTF8=ACCEPT names are what they look like.
    for (line, wanted) in [("\"Entwürfe\"", "Entwürfe"), ("R&D", "R&D"), ("{7+}\r\n&AOQ-ü", "&AOQ-ü")] {
        let event = event_of(format!("a DELETE {line}\r\n").as_bytes(), true);
        assert_eq!(
            event,
            Event::Command(Command { tag: "a".into(), body: CommandBody::Delete(wanted.into()) })
        );
    }
    assert!(matches!(event_of(b"a DELETE \"\xc3\"\r\n", true), Event::Bad { .. }));
}

/// RFC 9051 §6.3.2 to §6.3.8, RFC 7162 §3.1.8, RFC 6154 §5.
#[test]
fn mailboxes() {
    let select = |mailbox: &str, read_only, condstore| CommandBody::Select {
        mailbox: mailbox.into(),
        read_only,
        condstore,
    };
    assert_eq!(body("SELECT INBOX"), select("INBOX", false, false));
    assert_eq!(body("EXAMINE blurdybloop"), select("blurdybloop", true, false));
    assert_eq!(body("SELECT INBOX (CONDSTORE)"), select("INBOX", false, true));
    assert_eq!(
        bad("SELECT INBOX (QRESYNC (67890007 20050715194045000))"),
        "SELECT: the only parameter known here is CONDSTORE at \"QRESYNC (67890007 200507\""
    );
    let create = |mailbox: &str, special_use: &[&str]| CommandBody::Create {
        mailbox: mailbox.into(),
        special_use: names(special_use),
    };
    assert_eq!(body("CREATE owatagusiam/"), create("owatagusiam", &[]));
    assert_eq!(
        body("CREATE MySpecial (USE (\\Drafts \\Sent))"),
        create("MySpecial", &["\\Drafts", "\\Sent"])
    );
    assert!(bad("CREATE \"\"").starts_with("CREATE: the mailbox name is empty"));
    assert!(bad("CREATE /").starts_with("CREATE: the mailbox name is empty"));
    assert!(bad("CREATE x (USE (Drafts))").starts_with("CREATE: expected a special use"));
    assert_eq!(
        body("RENAME blurdybloop sarasoop"),
        CommandBody::Rename { from: "blurdybloop".into(), to: "sarasoop".into() }
    );
    assert_eq!(body("SUBSCRIBE #news.comp.mail.mime"), CommandBody::Subscribe("#news.comp.mail.mime".into()));
    assert_eq!(body("UNSUBSCRIBE inbox"), CommandBody::Unsubscribe("INBOX".into()));
}

/// RFC 9051 §6.3.11, RFC 7162 §3.1.7, RFC 7889 §4.
#[test]
fn status() {
    use StatusItem::{
        AppendLimit, Deleted, HighestModSeq, Messages, Recent, Size, UidNext, UidValidity, Unseen,
    };
    let status =
        |items: &[StatusItem]| CommandBody::Status { mailbox: "blurdybloop".into(), items: items.to_vec() };
    assert_eq!(body("STATUS blurdybloop (UIDNEXT MESSAGES)"), status(&[UidNext, Messages]));
    assert_eq!(
        body("STATUS blurdybloop (recent uidvalidity unseen deleted size highestmodseq appendlimit recent)"),
        status(&[Recent, UidValidity, Unseen, Deleted, Size, HighestModSeq, AppendLimit])
    );
    assert_eq!(bad("STATUS a ()"), "STATUS: expected a STATUS item at the end");
    assert_eq!(bad("STATUS a (FOO)"), "STATUS: expected a STATUS item at \"FOO)\"");
    assert_eq!(bad("STATUS a MESSAGES"), "STATUS: expected a parenthesis at \"MESSAGES\"");
}

/// RFC 9051 §6.3.9 and its examples, RFC 5258 §5, RFC 5819 §3, RFC 6154 §5.2; RFC 3501 §6.3.9 for LSUB.
#[test]
fn list() {
    let list = |reference: &str, patterns: &[&str]| List {
        reference: reference.into(),
        patterns: names(patterns),
        ..List::default()
    };
    let found = |line: &str| match body(line) {
        CommandBody::List(list) => list,
        other => panic!("{other:?}"),
    };
    assert_eq!(found("LIST \"\" \"\""), list("", &[""]));
    assert_eq!(found("LIST #news.comp.mail.misc \"\""), list("#news.comp.mail.misc", &[""]));
    assert_eq!(found("LIST ~/Mail/ %"), list("~/Mail/", &["%"]));
    assert_eq!(found("LIST \"\" inbox"), list("", &["INBOX"]));
    assert_eq!(found("LIST \"\" Entw&APw-rfe/*"), list("", &["Entwürfe/*"]));
    assert_eq!(found("LIST \"\" &*"), list("", &["&*"]));
    let extended = |reference: &str, patterns: &[&str]| List { extended: true, ..list(reference, patterns) };
    assert_eq!(
        found("LIST (SUBSCRIBED) \"\" \"*\""),
        List { subscribed: true, return_subscribed: true, ..extended("", &["*"]) }
    );
    assert_eq!(
        found("LIST () \"\" \"%\" RETURN (CHILDREN)"),
        List { return_children: true, ..extended("", &["%"]) }
    );
    assert_eq!(
        found("LIST (REMOTE) \"\" \"%\" RETURN (CHILDREN)"),
        List { remote: true, return_children: true, ..extended("", &["%"]) }
    );
    assert_eq!(
        found("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" \"*\" RETURN (CHILDREN)"),
        List {
            subscribed: true,
            recursive_match: true,
            return_subscribed: true,
            return_children: true,
            ..extended("", &["*"])
        }
    );
    assert_eq!(
        found("LIST \"\" (\"INBOX\" \"Drafts\" \"Sent/%\")"),
        extended("", &["INBOX", "Drafts", "Sent/%"])
    );
    assert_eq!(
        found("LIST (SPECIAL-USE) \"\" \"*\""),
        List { special_use: true, return_special_use: true, ..extended("", &["*"]) }
    );
    assert_eq!(
        found("LIST \"\" % RETURN (STATUS (MESSAGES UNSEEN) SPECIAL-USE)"),
        List {
            return_status: Some(vec![StatusItem::Messages, StatusItem::Unseen]),
            return_special_use: true,
            ..extended("", &["%"])
        }
    );
    assert!(bad("LIST (RECURSIVEMATCH) \"\" \"*\"").starts_with("LIST: RECURSIVEMATCH needs SUBSCRIBED"));
    assert!(
        bad("LIST (RECURSIVEMATCH REMOTE) \"\" \"*\"").starts_with("LIST: RECURSIVEMATCH needs SUBSCRIBED")
    );
    assert_eq!(bad("LIST (FOO) \"\" \"*\""), "LIST: unknown selection option at \"FOO) \"\" \"*\"\"");
    assert_eq!(bad("LIST \"\" % RETURN (FOO)"), "LIST: unknown return option at \"FOO)\"");
    assert_eq!(bad("LIST \"\""), "LIST: expected a space at the end");
    assert_eq!(
        body("LSUB \"#news.\" \"comp.mail.*\""),
        CommandBody::Lsub { reference: "#news.".into(), pattern: "comp.mail.*".into() }
    );
}

/// RFC 9051 §6.3.12, RFC 3516 §4.4, RFC 6855 §4, RFC 7888.
#[test]
fn append() {
    let append = CommandBody::Append {
        mailbox: "saved-messages".into(),
        flags: flags(&["\\Seen"]),
        date: None,
        size: 326,
        synchronizing: true,
        binary: false,
    };
    assert_eq!(body("APPEND saved-messages (\\Seen) {326}"), append);
    let with = |line: &str| match body(&format!("APPEND {line}")) {
        CommandBody::Append { mailbox, flags, date, size, synchronizing, binary } => {
            (mailbox, flags.to_string(), date, size, synchronizing, binary)
        }
        other => panic!("{other:?}"),
    };
    let date = Some(Moment(837_596_665_000));
    assert_eq!(
        with("inbox (\\flagged $Fun \\Recent \\New) \"17-Jul-1996 02:44:25 -0700\" {5+}"),
        ("INBOX".into(), "\\Flagged $Fun".into(), date, 5, false, false)
    );
    assert_eq!(
        with("\"a b\" \"17-Jul-1996 02:44:25 -0700\" ~{5}"),
        ("a b".into(), String::new(), date, 5, true, true)
    );
    assert_eq!(with("{3+}\r\na b () {5}"), ("a b".into(), String::new(), None, 5, true, false));
    assert_eq!(with("a UTF8 (~{5+}"), ("a".into(), String::new(), None, 5, false, true));
    assert_eq!(with("a {9223372036854775807}").3, i64::MAX as u64);
    assert!(bad("APPEND a {18446744073709551616}").starts_with("APPEND: the number is too large"));
    assert!(bad("APPEND a \"yesterday\" {5}").starts_with("APPEND: expected a date-time such as"));
    assert!(bad("APPEND a (\\Seen {5}").starts_with("APPEND: expected a flag"));
    assert!(bad("APPEND a UTF8 ({5}").starts_with("APPEND: expected a literal that begins with ~"));
    assert!(bad("APPEND a").starts_with("APPEND: expected a space"));
    assert!(bad("APPEND a hello").starts_with("APPEND: expected a literal"));
}

/// RFC 9051 §6.4.5 and §9 fetch-att, section.
#[test]
fn fetch_items() {
    use FetchItem::{Body, BodyStructure, Envelope, Flags, InternalDate, ModSeq, Size, Uid};
    assert_eq!(fetch("FAST"), [Flags, InternalDate, Size]);
    assert_eq!(fetch("all"), [Flags, InternalDate, Size, Envelope]);
    assert_eq!(fetch("FULL"), [Flags, InternalDate, Size, Envelope, Body]);
    assert_eq!(fetch("(UID FLAGS MODSEQ BODYSTRUCTURE)"), [Uid, Flags, ModSeq, BodyStructure]);
    assert_eq!(
        fetch("(RFC822 RFC822.HEADER RFC822.TEXT RFC822.SIZE )"),
        [
            FetchItem::Rfc822(Rfc822::Whole),
            FetchItem::Rfc822(Rfc822::Header),
            FetchItem::Rfc822(Rfc822::Text),
            Size
        ]
    );
    let one = |peek, section, partial| vec![FetchItem::Section { peek, section, partial }];
    let fields = |list: &[&str]| SectionText::HeaderFields(names(list));
    assert_eq!(fetch("BODY[]"), one(false, section(&[], SectionText::Whole), None));
    assert_eq!(fetch("body.peek[header]"), one(true, section(&[], SectionText::Header), None));
    assert_eq!(fetch("BODY[]<0.2048>"), one(false, section(&[], SectionText::Whole), Some((0, 2048))));
    assert_eq!(
        fetch("BODY.PEEK[HEADER.FIELDS (To \"Cc\" {4+}\r\nDate)]"),
        one(true, section(&[], fields(&["To", "Cc", "Date"])), None)
    );
    assert_eq!(
        fetch("BODY[4.2.HEADER.FIELDS.NOT (X)]<4294967295.4294967295>"),
        one(false, section(&[4, 2], SectionText::HeaderFieldsNot(names(&["X"]))), Some((u32::MAX, u32::MAX)))
    );
    assert_eq!(fetch("BODY[1.MIME]"), one(false, section(&[1], SectionText::Mime), None));
    assert_eq!(fetch("BODY[3.TEXT]"), one(false, section(&[3], SectionText::Text), None));
    assert_eq!(fetch("BODY[4.2.2.1]"), one(false, section(&[4, 2, 2, 1], SectionText::Whole), None));
    for wrong in [
        "BODY[MIME]",
        "BODY[0]",
        "BODY[1.]",
        "BODY[1.FOO]",
        "BODY[HEADER.FIELDS ()]",
        "BODY[HEADER.FIELDS (a",
        "BODY[]<0>",
        "BODY[]<0.0>",
        "BODY[]<4294967296.1>",
        "BODY[",
        "BODY[4294967296]",
        "()",
        "FOO",
        "(FLAGS",
        "(ALL)",
        "FLAGS UID",
        "BODY[HEADER.FIELDS (ü)]",
        "BODYSTRUCTURE[1]",
        "",
    ] {
        assert!(bad(&format!("FETCH 1 {wrong}")).starts_with("FETCH: "), "{wrong}");
    }
    let deep = |n: usize| format!("FETCH 1 BODY[{}]", vec!["1"; n].join("."));
    assert!(matches!(body(&deep(50)), CommandBody::Fetch { .. }));
    assert!(bad(&deep(51)).starts_with("FETCH: this part number cannot be"));
    assert!(bad(&deep(2000)).starts_with("FETCH: this part number cannot be"));
}

/// RFC 9051 §6.4.5, §6.4.9, §9 sequence-set; RFC 7162 §3.1.4.1.
#[test]
fn fetch_of_messages() {
    let wanted = |uid, ranges: &[(u32, u32)], changed_since| CommandBody::Fetch {
        uid,
        set: set(ranges),
        items: vec![FetchItem::Flags],
        changed_since,
    };
    assert_eq!(body("FETCH 2:4,7:*,*:3,* FLAGS"), wanted(false, &[(2, 4), (7, 0), (0, 3), (0, 0)], None));
    assert_eq!(body("UID FETCH 4827313:4828442 FLAGS"), wanted(true, &[(4_827_313, 4_828_442)], None));
    assert_eq!(
        body("UID FETCH 5:1 flags (changedsince 12345)"),
        wanted(true, &[(5, 1)], Some(ModSeq(12345)))
    );
    let most = Some(ModSeq(i64::MAX as u64));
    assert_eq!(body("FETCH 1 (FLAGS) (CHANGEDSINCE 9223372036854775807)"), wanted(false, &[(1, 1)], most));
    assert!(bad("FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)").contains("too large"));
    assert!(bad("UID FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)").starts_with("UID FETCH: the only modifier"));
    assert_eq!(bad("FETCH abc FLAGS"), "FETCH: expected a sequence set at \"abc FLAGS\"");
    assert_eq!(bad("FETCH 0 FLAGS"), "FETCH: 0 is in no sequence set at \"0 FLAGS\"");
    assert_eq!(bad("FETCH 1:0 FLAGS"), "FETCH: 0 is in no sequence set at \"0 FLAGS\"");
    assert_eq!(bad("FETCH 4294967296 FLAGS"), "FETCH: the number is too large at \"4294967296 FLAGS\"");
    assert_eq!(bad("FETCH 1,, FLAGS"), "FETCH: expected a sequence set at \", FLAGS\"");
    assert_eq!(bad("FETCH $ FLAGS"), "FETCH: expected a sequence set at \"$ FLAGS\"");
}

/// RFC 9051 §6.4.6, RFC 7162 §3.1.3.
#[test]
fn store() {
    let wanted = |uid, action, silent, names: &[&str], unchanged_since| CommandBody::Store {
        uid,
        set: set(&[(2, 4)]),
        action,
        silent,
        flags: flags(names),
        unchanged_since,
    };
    assert_eq!(
        body("STORE 2:4 +FLAGS (\\Deleted)"),
        wanted(false, StoreAction::Add, false, &["\\Deleted"], None)
    );
    assert_eq!(
        body("uid store 2:4 -flags.silent \\seen"),
        wanted(true, StoreAction::Remove, true, &["\\Seen"], None)
    );
    assert_eq!(body("STORE 2:4 FLAGS ()"), wanted(false, StoreAction::Replace, false, &[], None));
    assert_eq!(
        body("STORE 2:4 FLAGS \\Answered $Junk \\Recent"),
        wanted(false, StoreAction::Replace, false, &["\\Answered", "$Junk"], None)
    );
    assert_eq!(
        body("STORE 2:4 (UNCHANGEDSINCE 0) +FLAGS.SILENT ($MDNSent)"),
        wanted(false, StoreAction::Add, true, &["$MDNSent"], Some(ModSeq(0)))
    );
    for wrong in [
        "STORE 1 FLAGS",
        "STORE 1 +FLAG (\\Seen)",
        "STORE 1 +-FLAGS (\\Seen)",
        "STORE 1 FLAGS (\\Seen",
        "STORE 1 FLAGS (a%)",
        "STORE 1 (CHANGEDSINCE 1) FLAGS ()",
        "STORE 1 FLAGS ()x",
        "STORE 1",
    ] {
        assert!(bad(wrong).starts_with("STORE: "), "{wrong}");
    }
    assert!(bad(&format!("STORE 1 FLAGS ({})", "x ".repeat(101))).contains("too many"));
    assert!(bad(&format!("STORE 1 FLAGS {}", "x ".repeat(101))).contains("too many"));
    assert!(bad(&format!("STORE 1 FLAGS ({})", "x".repeat(129))).contains("keyword is too long"));
}

/// RFC 9051 §6.4.7, RFC 6851 §3.3, RFC 4315 §2.1.
#[test]
fn copy_move_and_uid_expunge() {
    let set = set(&[(2, 4)]);
    assert_eq!(
        body("COPY 2:4 MEETING"),
        CommandBody::Copy { uid: false, set: set.clone(), to: "MEETING".into() }
    );
    assert_eq!(
        body("UID COPY 2:4 inbox"),
        CommandBody::Copy { uid: true, set: set.clone(), to: "INBOX".into() }
    );
    assert_eq!(body("UID MOVE 2:4 foo"), CommandBody::Move { uid: true, set: set.clone(), to: "foo".into() });
    assert_eq!(body("MOVE 2:4 foo"), CommandBody::Move { uid: false, set: set.clone(), to: "foo".into() });
    assert_eq!(body("UID EXPUNGE 2:4"), CommandBody::Expunge(Some(set)));
    assert!(bad("EXPUNGE 2:4").starts_with("EXPUNGE: expected the end"));
}

fn key(text: &str) -> SearchKey<WrittenSet> {
    match body(&format!("SEARCH {text}")) {
        CommandBody::Search(search) => search.key,
        other => panic!("{other:?}"),
    }
}

fn not(key: SearchKey<WrittenSet>) -> SearchKey<WrittenSet> {
    SearchKey::Not(Box::new(key))
}

fn flag(name: &str) -> SearchKey<WrittenSet> {
    SearchKey::Flag(name.to_owned())
}

/// RFC 9051 §6.4.4, RFC 3501 §6.4.4.
#[test]
fn search_keys() {
    use SearchKey::{And, Header, Or, Set};
    let header = |name: &str, text: &str| Header(name.to_owned(), text.to_owned());
    let sequence = |ranges: &[(u32, u32)]| Set(WrittenSet::Sequence(set(ranges)));
    assert_eq!(
        key("FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\""),
        And(vec![flag("\\Flagged"), SearchKey::Since(8797), not(header("From", "Smith"))])
    );
    assert_eq!(key("ALL"), SearchKey::All);
    assert_eq!(key("1,3:*"), sequence(&[(1, 1), (3, 0)]));
    assert_eq!(key("UID 5:9"), Set(WrittenSet::Uid(set(&[(5, 9)]))));
    assert_eq!(key("NEW"), And(vec![SearchKey::Recent, not(flag("\\Seen"))]));
    assert_eq!(key("old"), not(SearchKey::Recent));
    for name in ["Answered", "Deleted", "Draft", "Flagged", "Seen"] {
        assert_eq!(key(name), flag(&format!("\\{name}")));
        assert_eq!(key(&format!("UN{name}")), not(flag(&format!("\\{name}"))));
    }
    assert_eq!(key("KEYWORD $Junk UNKEYWORD b"), And(vec![flag("$Junk"), not(flag("b"))]));
    assert_eq!(
        key("OR SEEN (TO a CC b)"),
        Or(Box::new(flag("\\Seen")), Box::new(And(vec![header("To", "a"), header("Cc", "b")])))
    );
    assert_eq!(key("((SEEN))"), flag("\\Seen"));
    assert_eq!(key("( SEEN  RECENT )"), And(vec![flag("\\Seen"), SearchKey::Recent]));
    assert_eq!(key("NOT NOT 7"), not(not(sequence(&[(7, 7)]))));
    assert_eq!(key("BCC x SUBJECT {3+}\r\na b"), And(vec![header("Bcc", "x"), header("Subject", "a b")]));
    assert_eq!(key("HEADER Message-ID <a@b>"), header("Message-ID", "<a@b>"));
    assert_eq!(key("HEADER X-Spam \"\""), header("X-Spam", ""));
    assert_eq!(key("BODY x TEXT y"), And(vec![SearchKey::Body("x".into()), SearchKey::Text("y".into())]));
    assert_eq!(
        key("LARGER 10 SMALLER 4294967296"),
        And(vec![SearchKey::Larger(10), SearchKey::Smaller(1 << 32)])
    );
    assert_eq!(
        key(
            "BEFORE \"2-Jan-1970\" ON 3-jan-1970 SENTBEFORE 1-JAN-1970 SENTON 02-Jan-1970 SENTSINCE 31-Dec-1969"
        ),
        And(vec![
            SearchKey::Before(1),
            SearchKey::On(2),
            SearchKey::SentBefore(0),
            SearchKey::SentOn(1),
            SearchKey::SentSince(-1)
        ])
    );
    // RFC 7162 §3.1.5.
    assert_eq!(key("MODSEQ 620162338"), SearchKey::ModSeq(ModSeq(620_162_338)));
    assert_eq!(key("MODSEQ \"/flags/\\\\draft\" all 620162338"), SearchKey::ModSeq(ModSeq(620_162_338)));
    for wrong in [
        "",
        "FOO",
        "FROM",
        "NOT",
        "OR SEEN",
        "(SEEN",
        "()",
        "SEEN)",
        "SINCE yesterday",
        "SINCE 30-Feb-2000",
        "UID x",
        "KEYWORD \\Seen",
        "LARGER -1",
        "MODSEQ \"/x\" all 1",
        "MODSEQ \"/flags/x\" foo 1",
        "SINCE \"1-Feb-1994",
        "SEEN,DELETED",
    ] {
        assert!(bad(&format!("SEARCH {wrong}")).starts_with("SEARCH: "), "{wrong}");
    }
}

/// RFC 9051 §6.4.4, RFC 4731 §3.1, §4.
#[test]
fn search_returns_and_charset() {
    let found = |line: &str| match body(line) {
        CommandBody::Search(Search { uid, returns, .. }) => (uid, returns),
        other => panic!("{other:?}"),
    };
    let none = SearchReturns::default();
    assert_eq!(found("SEARCH ALL"), (false, None));
    assert_eq!(found("SEARCH RETURN () ALL"), (false, Some(none)));
    assert_eq!(
        found("UID SEARCH RETURN (MIN COUNT) FLAGGED SINCE 1-Feb-1994"),
        (true, Some(SearchReturns { min: true, count: true, ..none }))
    );
    assert_eq!(
        found("SEARCH return (all max) 1"),
        (false, Some(SearchReturns { all: true, max: true, ..none }))
    );
    assert!(bad("SEARCH RETURN (SAVE) ALL").starts_with("SEARCH: expected MIN, MAX, ALL or COUNT"));
    for charset in ["UTF-8", "utf-8", "US-ASCII", "\"UTF-8\""] {
        let line = format!("a SEARCH CHARSET {charset} SUBJECT {{6}}\r\nдом\r\n");
        let Event::Command(Command { body: CommandBody::Search(search), .. }) =
            event_of(line.as_bytes(), false)
        else {
            panic!("{charset}");
        };
        assert_eq!(search.key, SearchKey::Header("Subject".into(), "дом".into()));
    }
    let other = event_of(b"a SEARCH CHARSET KOI8-R TEXT {6+}\r\nXXXXXX\r\n", false);
    assert_eq!(other, Event::BadCharset { tag: "a".into() });
    let not_utf8 = event_of(b"a SEARCH TEXT \"\xe4\"\r\n", false);
    assert!(
        matches!(not_utf8, Event::Bad { text, .. } if text.starts_with("SEARCH: this string is not UTF-8"))
    );
}

/// RFC 9051 §9: depth and number of keys are bounded (attack I3).
#[test]
fn search_is_bounded() {
    assert!(matches!(key(&format!("{}SEEN", "NOT ".repeat(50))), SearchKey::Not(_)));
    for (pattern, count) in
        [("NOT ", 51), ("NOT ", 1900), ("OR SEEN ", 51), ("OR ", 51), ("(", 51), ("(", 7000)]
    {
        let text = bad(&format!("SEARCH {}SEEN", pattern.repeat(count)));
        assert!(text.starts_with("SEARCH: the search is nested too deeply"), "{pattern}: {text}");
    }
    let keys = |n: usize| format!("SEARCH {}", vec!["1"; n].join(" "));
    assert!(matches!(body(&keys(1000)), CommandBody::Search(_)));
    assert!(bad(&keys(1001)).starts_with("SEARCH: too many search keys"));
}
