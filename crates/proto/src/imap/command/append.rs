//! APPEND. RFC 3501 §6.3.11, RFC 4315 §3, RFC 7888, RFC 7889.
//!
//! The message is never held here: each piece is handed on to be kept as it arrives. MULTIAPPEND (RFC 3502) will
//! be a second literal in this task.

use bytes::Bytes;
use mail::{BodyId, Flags, Moment};

use super::{Around, Begin, Event, Outcome, Step, Task, Then, Want, code, otherwise};
use crate::Action;
use crate::imap::ask::{Answer, Ask};
use crate::imap::out::Out;
use crate::imap::print;
use crate::imap::state::Authenticated;

/// APPEND as said, without the message.
pub(super) struct Wanted {
    pub(super) mailbox: String,
    pub(super) flags: Flags,
    pub(super) date: Option<Moment>,
    pub(super) size: u64,
    pub(super) synchronizing: bool,
    pub(super) binary: bool,
}

/// What is wrong whatever the mailbox is said before the message is invited. When the command is over before its
/// literal is, the session has the rest of it dropped.
pub(super) fn begin(wanted: Wanted, around: &mut Around<'_>) -> Begin {
    if wanted.size > around.options.append_limit {
        let limit = around.options.append_limit;
        let text = format!("Messages of more than {limit} octets are not taken");
        return Begin::Now(Outcome::no(text).code("TOOBIG"));
    }
    if wanted.size == 0 {
        return Begin::Now(Outcome::no("An empty message cannot be kept"));
    }
    if wanted.binary {
        // RFC 3516 belongs to a later day; until it is announced, nobody has reason to send this.
        return Begin::Now(Outcome::no("Binary literals are not taken").code("UNKNOWN-CTE"));
    }
    let body = around.body();
    Begin::user(Append { wanted, body, stage: Stage::Begun, kept: false })
}

struct Append {
    wanted: Wanted,
    body: BodyId,
    stage: Stage,
    /// Some of the body is in the keeping of others.
    kept: bool,
}

#[derive(Clone, Copy)]
enum Stage {
    Begun,
    MayI,
    Reading,
    Filing,
}

impl Task<Authenticated> for Append {
    fn step(&mut self, user: &mut Authenticated, around: &mut Around<'_>, event: Event) -> Step {
        match (self.stage, event) {
            (Stage::Begun, _) => {
                self.stage = Stage::MayI;
                let (mailbox, size) = (self.wanted.mailbox.clone(), self.wanted.size);
                Step::Ask(Ask::MayAppend { account: user.account, mailbox, size })
            }
            (Stage::MayI, Event::Answer(Answer::Done)) => {
                self.stage = Stage::Reading;
                if self.wanted.synchronizing {
                    around.out.put("+ Send the message\r\n");
                }
                Step::Wait(Want::Literal)
            }
            (Stage::Reading, Event::Octets(octets)) => self.keep(octets, around.out),
            (Stage::Reading, Event::End(None)) => {
                self.stage = Stage::Filing;
                self.kept = false;
                Step::Ask(Ask::Append {
                    account: user.account,
                    mailbox: self.wanted.mailbox.clone(),
                    body: self.body,
                    flags: std::mem::take(&mut self.wanted.flags),
                    date: self.wanted.date,
                })
            }
            (Stage::Reading, Event::End(Some(fault))) => {
                self.abandon(around.out);
                Step::Done(Outcome::bad(fault))
            }
            (Stage::Reading, _) => Step::Wait(Want::Literal),
            (Stage::Filing, Event::Answer(Answer::Appended { uid_validity, uid })) => {
                let mailbox = std::mem::take(&mut self.wanted.mailbox);
                let code = code(|text| print::append_uid(text, uid_validity, uid));
                Step::Done(Outcome::ok("APPEND done").code(code).then(Then::Touched(mailbox)))
            }
            (_, Event::Answer(other)) => otherwise(other),
            _ => Step::Done(Outcome::muddled()),
        }
    }

    fn abandon(&mut self, out: &mut Out) {
        if std::mem::take(&mut self.kept) {
            out.act(Action::Abandon(self.body));
        }
    }
}

impl Append {
    /// RFC 3501 §4.3.1, §9 CHAR8: no NUL in a literal that is not a binary one.
    fn keep(&mut self, octets: Bytes, out: &mut Out) -> Step {
        if octets.contains(&0) {
            self.abandon(out);
            return Step::Done(Outcome::bad("A message must not hold NUL"));
        }
        self.kept = true;
        out.act(Action::Keep { id: self.body, bytes: octets });
        Step::Wait(Want::Literal)
    }
}
