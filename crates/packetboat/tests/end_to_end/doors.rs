//! No wrong door: seven ports, three ways to begin, twenty-one outcomes that are all defined.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::thread;

use rustls::ClientConfig;

use crate::support::line::{self, Line, Plain};
use crate::support::{ALICE, ALICE_PASSWORD, House};

/// What a port speaks. The ports of one protocol differ in what they allow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Speaks {
    Smtp,
    Submission,
    Imap,
    Pop3,
}

/// How a client begins.
#[derive(Clone, Copy, Debug)]
enum Begins {
    Plain,
    StartTls,
    TlsAtOnce,
}

/// What must come of it.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// Greeted and served, without a way to log in.
    ServedWithoutLogin,
    /// Upgraded, then served.
    Upgraded,
    /// Served inside TLS.
    ServedInsideTls,
    /// A refusal in the words of the protocol that names the right choice, at once after the first command.
    RefusedAtFirstWord,
    /// The same, after 5 s in which the client waited for a greeting.
    RefusedAfterSilence,
}

use Begins::{Plain as Clear, StartTls, TlsAtOnce};
use Outcome::{RefusedAfterSilence, RefusedAtFirstWord, ServedInsideTls, ServedWithoutLogin, Upgraded};
use Speaks::{Imap, Pop3, Smtp, Submission};

const MATRIX: [(u16, Speaks, Begins, Outcome); 21] = [
    (25, Smtp, Clear, ServedWithoutLogin),
    (25, Smtp, StartTls, Upgraded),
    (25, Smtp, TlsAtOnce, ServedInsideTls),
    (587, Submission, Clear, ServedWithoutLogin),
    (587, Submission, StartTls, Upgraded),
    (587, Submission, TlsAtOnce, ServedInsideTls),
    (465, Submission, Clear, RefusedAtFirstWord),
    (465, Submission, StartTls, RefusedAfterSilence),
    (465, Submission, TlsAtOnce, ServedInsideTls),
    (143, Imap, Clear, ServedWithoutLogin),
    (143, Imap, StartTls, Upgraded),
    (143, Imap, TlsAtOnce, ServedInsideTls),
    (993, Imap, Clear, RefusedAtFirstWord),
    (993, Imap, StartTls, RefusedAfterSilence),
    (993, Imap, TlsAtOnce, ServedInsideTls),
    (110, Pop3, Clear, ServedWithoutLogin),
    (110, Pop3, StartTls, Upgraded),
    (110, Pop3, TlsAtOnce, ServedInsideTls),
    (995, Pop3, Clear, RefusedAtFirstWord),
    (995, Pop3, StartTls, RefusedAfterSilence),
    (995, Pop3, TlsAtOnce, ServedInsideTls),
];

#[test]
fn every_way_to_begin_has_its_outcome_at_every_port() {
    let house = House::new();
    let server = house.start();
    let trust = line::trust(house.authority(), &[]);
    // All at once: three of them wait for 5 s.
    let failed: Vec<_> = thread::scope(|scope| {
        let cells = MATRIX.map(|cell| {
            let (house, trust) = (&house, &trust);
            let name = format!("{:?} at {}", cell.2, cell.0);
            let cell = move || judge(house, cell, trust);
            (name.clone(), thread::Builder::new().name(name).spawn_scoped(scope, cell).expect("a thread"))
        });
        cells.into_iter().filter_map(|(name, cell)| cell.join().is_err().then_some(name)).collect()
    });
    assert!(failed.is_empty(), "these cells failed, the reasons are above: {failed:?}");
    server.stop();
}

fn judge(
    house: &House,
    (port, speaks, _, outcome): (u16, Speaks, Begins, Outcome),
    trust: &Arc<ClientConfig>,
) {
    let mut line = line::connect(house.address(port));
    match outcome {
        ServedWithoutLogin => {
            greeting(&mut line, speaks);
            no_login(&mut line, speaks);
            goodbye(&mut line, speaks);
        }
        Upgraded => {
            greeting(&mut line, speaks);
            match speaks {
                Smtp | Submission => {
                    line.smtp("EHLO client.example.test", 250);
                    line.smtp("STARTTLS", 220);
                }
                Imap => drop(line.imap("STARTTLS", "OK")),
                Pop3 => drop(line.ask("STLS", "+OK")),
            }
            served(house, line.secure(trust).expect("a handshake"), speaks);
        }
        ServedInsideTls => {
            let mut line = line.secure(trust).expect("a handshake");
            greeting(&mut line, speaks);
            served(house, line, speaks);
        }
        RefusedAtFirstWord => {
            line.send(match speaks {
                Smtp | Submission => "EHLO client.example.test\r\n",
                Imap => "T CAPABILITY\r\n",
                Pop3 => "CAPA\r\n",
            });
            refusal(house, &mut line, speaks, port);
        }
        RefusedAfterSilence => refusal(house, &mut line, speaks, port),
    }
}

fn greeting<S: std::io::Read + std::io::Write>(line: &mut Line<S>, speaks: Speaks) {
    line.expect(match speaks {
        Smtp | Submission => "220 mail.example.test ",
        Imap => "* OK",
        Pop3 => "+OK",
    });
}

/// In the clear the upgrade is offered, a log-in is neither offered nor taken.
fn no_login<S: std::io::Read + std::io::Write>(line: &mut Line<S>, speaks: Speaks) {
    match speaks {
        Smtp => {
            let offered = line.smtp("EHLO client.example.test", 250);
            assert!(offered.contains("STARTTLS") && !offered.contains("AUTH"), "{offered}");
            line.smtp("NOOP", 250);
        }
        Submission => {
            let offered = line.smtp("EHLO client.example.test", 250);
            assert!(offered.contains("STARTTLS") && !offered.contains("AUTH"), "{offered}");
            // RFC 3207 §4: 530 wants STARTTLS first.
            let said = line.smtp(&format!("MAIL FROM:<{ALICE}>"), 530);
            assert!(said.contains("STARTTLS"), "{said}");
        }
        Imap => {
            let offered = line.imap("CAPABILITY", "OK");
            assert!(offered.contains("STARTTLS") && offered.contains("LOGINDISABLED"), "{offered}");
            assert!(!offered.contains("AUTH="), "{offered}");
            // RFC 9051 §6.2.3: the server that advertises LOGINDISABLED refuses.
            line.imap(&format!("LOGIN {ALICE} {ALICE_PASSWORD}"), "NO");
        }
        Pop3 => {
            let offered = line.pop3_list("CAPA");
            assert!(offered.iter().any(|word| word == "STLS"), "{offered:?}");
            assert!(
                !offered.iter().any(|word| word.starts_with("USER") || word.starts_with("SASL")),
                "{offered:?}"
            );
            line.ask(&format!("USER {ALICE}"), "-ERR");
        }
    }
}

/// Inside TLS everything is there that belongs to the port, and the upgrade is not offered again.
fn served<S: std::io::Read + std::io::Write>(house: &House, mut line: Line<S>, speaks: Speaks) {
    match speaks {
        Smtp => {
            let offered = line.smtp("EHLO client.example.test", 250);
            assert!(!offered.contains("STARTTLS") && !offered.contains("AUTH"), "{offered}");
            // Who tries all the same is told where.
            line.send("AUTH PLAIN\r\n");
            let said = line.read();
            assert!(said.starts_with('5'), "{said}");
            for port in [587, 465] {
                assert!(said.contains(&house.port(port).to_string()), "{port} is not named: {said}");
            }
        }
        Submission => {
            let offered = line.smtp("EHLO client.example.test", 250);
            assert!(!offered.contains("STARTTLS"), "{offered}");
            let auth = offered.lines().find(|line| line.contains("AUTH ")).unwrap_or_default();
            assert!(auth.contains("PLAIN") && auth.contains("LOGIN"), "{offered}");
            line.smtp(&format!("MAIL FROM:<{ALICE}>"), 530);
            line.send("STARTTLS\r\n");
            let said = line.read();
            assert!(said.starts_with('5'), "STARTTLS inside TLS: {said}");
        }
        Imap => {
            let offered = line.imap("CAPABILITY", "OK");
            assert!(!offered.contains("STARTTLS") && !offered.contains("LOGINDISABLED"), "{offered}");
            assert!(offered.contains("AUTH=PLAIN"), "{offered}");
            line.imap(&format!("LOGIN {ALICE} {ALICE_PASSWORD}"), "OK");
            line.imap("SELECT INBOX", "OK");
        }
        Pop3 => {
            let offered = line.pop3_list("CAPA");
            assert!(!offered.iter().any(|word| word == "STLS"), "{offered:?}");
            assert!(offered.iter().any(|word| word == "USER"), "{offered:?}");
            // One maildrop takes one session at a time, and other cells are here too: no log-in to the end.
            line.ask(&format!("USER {ALICE}"), "+OK");
        }
    }
    goodbye(&mut line, speaks);
}

fn goodbye<S: std::io::Read + std::io::Write>(line: &mut Line<S>, speaks: Speaks) {
    match speaks {
        Smtp | Submission => drop(line.smtp("QUIT", 221)),
        Imap => drop(line.imap("LOGOUT", "OK")),
        Pop3 => drop(line.ask("QUIT", "+OK")),
    }
    assert_eq!(line.rest(), "", "after the goodbye");
}

/// A person reads this in an error box: it says what the port wants and what to choose.
fn refusal(house: &House, line: &mut Plain, speaks: Speaks, port: u16) {
    let said = line.expect(match speaks {
        Smtp | Submission => "554 ",
        Imap => "* BYE ",
        Pop3 => "-ERR ",
    });
    assert!(said.contains("SSL/TLS") && said.contains("STARTTLS"), "{said}");
    // Both ports as they are here: a person who tries the house out follows the advice.
    let plain = match port {
        465 => 587,
        993 => 143,
        _ => 110,
    };
    for port in [port, plain] {
        assert!(said.contains(&house.port(port).to_string()), "{} is not named: {said}", house.port(port));
    }
    assert_eq!(line.rest(), "", "after the refusal");
}

#[test]
fn an_application_protocol_that_does_not_belong_here_is_refused() {
    let house = House::new();
    let server = house.start();
    for (port, right) in [(465, "smtp"), (993, "imap"), (995, "pop3")] {
        let good = line::trust(house.authority(), &[right]);
        line::connect(house.address(port)).secure(&good).expect("its own protocol");
        for wrong in ["http/1.1", "h2", if right == "imap" { "pop3" } else { "imap" }] {
            let bad = line::trust(house.authority(), &[wrong]);
            // RFC 7301 §3.2: no_application_protocol.
            let refused = line::connect(house.address(port)).secure(&bad);
            assert!(refused.is_err(), "{wrong} at {port} was let in");
        }
    }
    server.stop();
}

#[test]
fn the_table_of_doors_names_all_seven() {
    let house = House::new();
    let server = house.start();
    for port in crate::support::ports::STANDARD {
        let port = house.port(port).to_string();
        assert!(server.doors().contains(&port), "{port} is not in:\n{}", server.doors());
    }
    // Passwords that were given are not printed.
    assert!(!server.doors().contains(ALICE_PASSWORD), "{}", server.doors());
    assert!(!server.log().contains(ALICE_PASSWORD));
    server.stop();
}

#[test]
fn plain_login_opens_the_plain_doors_and_nothing_else_does() {
    let house = House::with(&["--plain-login"]);
    let server = house.start();
    let mut imap = line::connect(house.address(143));
    greeting(&mut imap, Imap);
    imap.imap(&format!("LOGIN {ALICE} {ALICE_PASSWORD}"), "OK");
    let mut pop3 = line::connect(house.address(110));
    greeting(&mut pop3, Pop3);
    pop3.ask(&format!("USER {ALICE}"), "+OK");
    pop3.ask(&format!("PASS {ALICE_PASSWORD}"), "+OK");
    let mut smtp = line::connect(house.address(587));
    greeting(&mut smtp, Submission);
    let offered = smtp.smtp("EHLO client.example.test", 250);
    assert!(offered.contains("AUTH "), "{offered}");
    // 25 logs nobody in, whatever the option.
    let mut relay = line::connect(house.address(25));
    greeting(&mut relay, Smtp);
    let offered = relay.smtp("EHLO client.example.test", 250);
    assert!(!offered.contains("AUTH"), "{offered}");
    drop((imap, pop3, smtp, relay));
    server.stop();
}

#[test]
fn ipv6_has_the_same_doors_at_the_same_ports() {
    let house = House::with(&["--listen", "::1"]);
    let server = house.start();
    for (port, speaks) in [(25, Smtp), (587, Submission), (143, Imap), (110, Pop3)] {
        for address in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let mut line = line::connect((address, house.port(port)).into());
            greeting(&mut line, speaks);
            goodbye(&mut line, speaks);
        }
    }
    server.stop();
}
