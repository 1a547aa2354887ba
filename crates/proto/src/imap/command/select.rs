//! SELECT and EXAMINE. RFC 3501 §6.3.1, §6.3.2, RFC 7162 §3.1.2.

use mail::Selected as Found;

use super::{Around, Begin, Event, Outcome, Step, Task, Then, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::out::Out;
use crate::imap::state::Authenticated;
use crate::imap::view::View;

pub(super) fn begin(name: String, read_only: bool) -> Begin {
    Begin::user(Select { name: Some(name), read_only })
}

struct Select {
    name: Option<String>,
    read_only: bool,
}

impl Task<Authenticated> for Select {
    fn step(&mut self, user: &mut Authenticated, around: &mut Around<'_>, event: Event) -> Step {
        if let Some(name) = self.name.take() {
            let read_only = self.read_only;
            return Step::Ask(Ask::Select { account: user.account, name, read_only });
        }
        match event {
            Event::Answer(Answer::Selected(found)) => Step::Done(self.open(*found, around.out)),
            // RFC 3501 §6.3.1: a failed SELECT leaves no mailbox selected.
            Event::Answer(other) => match otherwise(other) {
                Step::Done(outcome) => Step::Done(outcome.then(Then::Unselected)),
                step => step,
            },
            _ => Step::Done(Outcome::muddled().then(Then::Unselected)),
        }
    }
}

impl Select {
    fn open(&self, found: Found, out: &mut Out) -> Outcome {
        let (info, first_unseen) = (found.info.clone(), found.first_unseen);
        let Some(view) = View::new(found, self.read_only) else {
            return Outcome::no("This name is only a level of others").code("CANNOT").then(Then::Unselected);
        };
        view.put_flags(out);
        out.line(format_args!("* {} EXISTS", view.map.count()));
        out.line(format_args!("* {} RECENT", view.map.count_from(view.recent_from)));
        if let Some(position) = first_unseen.and_then(|uid| view.map.position(uid, 0)) {
            out.line(format_args!("* OK [UNSEEN {}] The first message not yet seen", position + 1));
        }
        out.line(format_args!("* OK [UIDVALIDITY {}] The generation of UIDs", info.uid_validity.0));
        out.line(format_args!("* OK [UIDNEXT {}] The next UID", info.uid_next.0));
        // Mod-sequences are positive numbers. RFC 7162 §3.1.
        let highest = info.highest_modseq.0.max(1);
        out.line(format_args!("* OK [HIGHESTMODSEQ {highest}] Changes are numbered, up to here so far"));
        let (code, command) =
            if self.read_only { ("READ-ONLY", "EXAMINE") } else { ("READ-WRITE", "SELECT") };
        Outcome::ok(format!("{command} done")).code(code).then(Then::Selected(Box::new(view)))
    }
}
