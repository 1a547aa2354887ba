//! LSUB. RFC 3501 §6.3.9.

use mail::MailboxInfo;

use super::list::{Gathering, Marks, mark};
use super::{Around, Begin, Event, Outcome, Step, Task};
use crate::imap::print;
use crate::imap::state::Authenticated;
use crate::imap::types::List as Wanted;

/// LSUB is the selection of subscribed names, but for one rule: when "foo/bar" is subscribed and "foo" is not,
/// `LSUB "" %` says `(\Noselect) foo`.
pub(super) fn begin(reference: String, pattern: String) -> Begin {
    let levels = pattern.contains('%');
    let wanted = Wanted { subscribed: true, reference, patterns: vec![pattern], ..Wanted::default() };
    Begin::user(Lsub { wanted, levels, stage: Stage::Gathering(Gathering::default()) })
}

struct Lsub {
    wanted: Wanted,
    /// The pattern has `%`.
    levels: bool,
    stage: Stage,
}

enum Stage {
    Gathering(Gathering),
    Saying(std::iter::Zip<std::vec::IntoIter<MailboxInfo>, std::vec::IntoIter<Marks>>),
}

impl Task<Authenticated> for Lsub {
    fn step(&mut self, user: &mut Authenticated, around: &mut Around<'_>, event: Event) -> Step {
        if let Stage::Gathering(gathering) = &mut self.stage {
            let names = match gathering.step(user.account, event) {
                Ok(names) => names,
                Err(step) => return step,
            };
            let marks = mark(&names, &self.wanted);
            self.stage = Stage::Saying(names.into_iter().zip(marks));
        }
        if let Stage::Saying(left) = &mut self.stage {
            for (info, marks) in left.by_ref() {
                if marks.matches && (marks.chosen || (self.levels && marks.hidden_below)) {
                    let entry = print::ListEntry {
                        name: &info.name,
                        no_select: !marks.chosen,
                        ..print::ListEntry::default()
                    };
                    print::lsub(around.out.text(), &entry, false);
                }
                if around.out.full() {
                    return Step::Again;
                }
            }
        }
        Step::Done(Outcome::ok("LSUB done"))
    }
}
