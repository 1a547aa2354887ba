//! STATUS. RFC 3501 §6.3.10, RFC 8438, RFC 7889 §3.1, RFC 7162 §3.1.7.

use mail::MailboxInfo;

use super::{Around, Begin, Event, Outcome, Step, Task, otherwise};
use crate::imap::ask::{Answer, Ask};
use crate::imap::out::Out;
use crate::imap::print;
use crate::imap::session::Options;
use crate::imap::state::Authenticated;
use crate::imap::types::StatusItem;

pub(super) fn begin(name: String, items: Vec<StatusItem>) -> Begin {
    Begin::user(Status { name: Some(name), items })
}

struct Status {
    name: Option<String>,
    items: Vec<StatusItem>,
}

impl Task<Authenticated> for Status {
    fn step(&mut self, user: &mut Authenticated, around: &mut Around<'_>, event: Event) -> Step {
        if let Some(name) = self.name.take() {
            return Step::Ask(Ask::Mailbox { account: user.account, name });
        }
        match event {
            Event::Answer(Answer::Mailbox(info)) if info.id.is_some() => {
                put(&info, &self.items, around.options, around.out);
                Step::Done(Outcome::ok("STATUS done"))
            }
            Event::Answer(Answer::Mailbox(_)) => {
                Step::Done(Outcome::no("This name is only a level of others").code("NONEXISTENT"))
            }
            Event::Answer(other) => otherwise(other),
            _ => Step::Done(Outcome::muddled()),
        }
    }
}

/// One STATUS response; LIST-STATUS says the same. RFC 5819.
pub(super) fn put(info: &MailboxInfo, items: &[StatusItem], options: &Options, out: &mut Out) {
    let values: Vec<(StatusItem, u64)> =
        items.iter().map(|item| (*item, value(*item, info, options))).collect();
    print::status(out.text(), &info.name, &values, false);
}

fn value(item: StatusItem, info: &MailboxInfo, options: &Options) -> u64 {
    match item {
        StatusItem::Messages => u64::from(info.messages),
        StatusItem::Recent => u64::from(info.recent),
        StatusItem::UidNext => u64::from(info.uid_next.0),
        StatusItem::UidValidity => u64::from(info.uid_validity.0),
        StatusItem::Unseen => u64::from(info.unseen),
        StatusItem::Deleted => u64::from(info.deleted),
        StatusItem::Size => info.size,
        StatusItem::HighestModSeq => info.highest_modseq.0.max(1),
        StatusItem::AppendLimit => options.append_limit,
    }
}
