//! CREATE. RFC 3501 §6.3.3, RFC 6154 §3.

use mail::SpecialUse;

use super::{Around, Begin, Event, Outcome, Step, Task, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::state::Authenticated;

/// The special uses by name. RFC 6154 §2.
const USES: [(SpecialUse, &str); 7] = [
    (SpecialUse::All, "\\All"),
    (SpecialUse::Archive, "\\Archive"),
    (SpecialUse::Drafts, "\\Drafts"),
    (SpecialUse::Flagged, "\\Flagged"),
    (SpecialUse::Junk, "\\Junk"),
    (SpecialUse::Sent, "\\Sent"),
    (SpecialUse::Trash, "\\Trash"),
];

pub(super) fn begin(name: String, uses: &[String]) -> Begin {
    let special_use = match uses {
        [] => None,
        [one] => match USES.iter().find(|(_, known)| known.eq_ignore_ascii_case(one)) {
            Some((special_use, _)) => Some(*special_use),
            None => return Begin::Now(unusable("This special use is not known here")),
        },
        _ => return Begin::Now(unusable("A mailbox has one special use at most here")),
    };
    match name.as_str() {
        "" => Begin::Now(Outcome::no("A mailbox must have a name").code("CANNOT")),
        "INBOX" => Begin::Now(Outcome::no("INBOX is always there").code("ALREADYEXISTS")),
        _ => Begin::user(Create(Some((name, special_use)))),
    }
}

/// RFC 6154 §3 USEATTR
fn unusable(text: &'static str) -> Outcome {
    Outcome::no(text).code("USEATTR")
}

struct Create(Option<(String, Option<SpecialUse>)>);

impl Task<Authenticated> for Create {
    fn step(&mut self, user: &mut Authenticated, _: &mut Around<'_>, event: Event) -> Step {
        if let Some((name, special_use)) = self.0.take() {
            return Step::Ask(Ask::Create { account: user.account, name, special_use });
        }
        match event {
            Event::Answer(Answer::Done) => Step::Done(Outcome::ok("CREATE done")),
            Event::Answer(other) => otherwise(other),
            _ => Step::Done(Outcome::muddled()),
        }
    }
}
