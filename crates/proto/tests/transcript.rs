//! The player of transcripts is itself played: an echo that must pass, and conversations that must fail.

#[path = "support/transcript.rs"]
mod transcript;

use bytes::Bytes;
use mail::{BodyId, LedgerId, Moment};
use proto::line::{Endings, Line, Lines};
use proto::{Action, Input, Note, Session, TlsPolicy};
use transcript::{Play, Settings, play_text};

/// Answers each line with itself; `ask`, `keep`, `tls`, `wait`, `watch` and `quit` do what they say.
struct Echo {
    lines: Lines,
    actions: Vec<Action<String>>,
    deadline: Option<Moment>,
    asking: bool,
    /// A fault on purpose: the reply depends on how the input was cut.
    torn: bool,
}

impl Echo {
    fn say(&mut self, text: &str) {
        self.actions.push(Action::Write(Bytes::from(format!("{text}\r\n"))));
    }

    fn run(&mut self, now: Moment) {
        while !self.asking {
            let Some(Line::Whole(line)) = self.lines.next_line() else { return };
            match &line[..] {
                b"ask" => {
                    self.asking = true;
                    self.actions.push(Action::Ask("how".into()));
                }
                b"keep" => self.actions.push(Action::Keep { id: BodyId(1), bytes: line }),
                b"tls" => self.actions.push(Action::StartTls(TlsPolicy::Serve)),
                b"wait" => self.deadline = Some(Moment(now.0 + 5000)),
                b"watch" => self.actions.push(Action::Watch(LedgerId(7))),
                b"quit" => self.actions.push(Action::Close),
                _ => self.say(&String::from_utf8_lossy(&line)),
            }
        }
    }
}

impl Session for Echo {
    type Ask = String;
    type Answer = String;

    fn handle(&mut self, now: Moment, input: Input<'_, String>) {
        match input {
            Input::Opened(tls) => self.say(if tls.is_some() { "hello, secretly" } else { "hello" }),
            Input::Bytes(bytes) => {
                if self.torn && bytes.len() == 1 {
                    self.say("torn");
                }
                self.lines.push(bytes);
            }
            Input::PeerClosed => self.actions.push(Action::Close),
            Input::TlsReady(_) => self.say("now secretly"),
            Input::TlsFailed(_) => self.actions.push(Action::Close),
            Input::Answer(text) => {
                self.asking = false;
                self.say(&text);
            }
            Input::Changed { head, .. } => self.say(&format!("changed {}", head.0)),
            Input::Kept(_) => self.actions.push(Action::Note(Note { event: "kept", detail: String::new() })),
            Input::Tick => {
                self.deadline = None;
                self.say("tick");
            }
            Input::Drain => self.actions.push(Action::Close),
        }
        self.run(now);
    }

    fn next(&mut self) -> Option<Action<String>> {
        (!self.actions.is_empty()).then(|| self.actions.remove(0))
    }

    fn deadline(&self) -> Option<Moment> {
        self.deadline
    }

    fn hungry(&self) -> bool {
        !self.asking
    }
}

struct Echoes;

impl Play for Echoes {
    type Session = Echo;

    fn session(&self, settings: &Settings) -> Echo {
        Echo {
            lines: Lines::new(100, Endings::Strict),
            actions: Vec::new(),
            deadline: None,
            asking: false,
            torn: settings.contains_key("torn"),
        }
    }

    fn ask(&self, ask: &String) -> String {
        ask.clone()
    }

    fn answer(&self, _: &String, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }
}

#[test]
fn a_true_transcript_passes() {
    play_text(
        &Echoes,
        "true",
        "\
== every kind of line
# comment
S: hello
C: one
C: two
S: one
S: two
C- thr
C- ee\\r\\n
S- three\\r\\n
C: ask
C: after
?: how
!: so
S: so
S: after
C: keep
N: kept
C: ask
K- keep
?: how
!: well
S: well
C: wait
T: 4
T: 1
S: tick
C: tls
TLS
S: now secretly
C: watch
W: watch 7
B: 7 3
S: changed 3
PEER: closed
X: close

== secured from the start
% tls yes
S: hello, secretly
DRAIN
X: close
",
    );
}

fn failure(text: &str) -> String {
    let text = text.to_owned();
    let error =
        std::panic::catch_unwind(move || play_text(&Echoes, "false", &text)).expect_err("it must fail");
    error.downcast_ref::<String>().expect("a message").clone()
}

#[test]
fn a_false_one_fails_with_a_diff() {
    let message = failure("== wrong\nS: hello\nC: one\nC: two\nS: one\nS: three\n");
    assert!(message.contains("- S: three") && message.contains("+ S: two"), "{message}");
    assert!(message.contains("  S: one"), "what agrees is shown too: {message}");
}

#[test]
fn silence_where_words_were_expected_fails() {
    assert!(failure("== wrong\nS: hello\nC: wait\nS: tick\n").contains("- S: tick"));
    assert!(failure("== wrong\nC: one\nS: one\n").contains("+ S: hello"));
}

#[test]
fn a_session_that_depends_on_the_cutting_fails() {
    let message = failure("== cut\n% torn yes\nS: hello\nC: one\nS: one\n");
    assert!(message.contains("(Octets)") && message.contains("+ S: torn"), "{message}");
}

#[test]
fn an_unanswered_ask_and_an_unasked_handshake_fail() {
    assert!(failure("== open\nS: hello\nC: ask\n?: how\n").contains("an ask is open"));
    assert!(failure("== tls\nS: hello\nTLS\n").contains("not asked for a handshake"));
}
