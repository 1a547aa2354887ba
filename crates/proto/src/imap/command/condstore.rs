//! The commands that turn CONDSTORE on. RFC 7162 §3.1.

use crate::imap::out::Out;
use crate::imap::state::State;
use crate::imap::types::{CommandBody, FetchItem, StatusItem};
use mail::SearchKey;

/// Looks at every command before it begins. From the first that enables CONDSTORE on, FETCH responses that nobody
/// asked for have MODSEQ, and if a mailbox is open the client learns how far it has come.
pub(super) fn notice(body: &CommandBody, state: &mut State, out: &mut Out) {
    if !enables(body) || state.user().is_none_or(|user| user.condstore) {
        return;
    }
    if let Some(user) = state.user_mut() {
        user.condstore = true;
    }
    let leaves = matches!(body, CommandBody::Select { .. });
    if let Some(view) = state.view_mut().filter(|_| !leaves) {
        let highest = view.seen().0.max(1);
        out.line(format_args!("* OK [HIGHESTMODSEQ {highest}] Changes are numbered, up to here so far"));
    }
}

fn enables(body: &CommandBody) -> bool {
    match body {
        CommandBody::Enable(names) => names.iter().any(|name| name.eq_ignore_ascii_case("CONDSTORE")),
        CommandBody::Select { condstore, .. } => *condstore,
        CommandBody::Status { items, .. } => items.contains(&StatusItem::HighestModSeq),
        CommandBody::Fetch { items, changed_since, .. } => {
            changed_since.is_some() || items.contains(&FetchItem::ModSeq)
        }
        CommandBody::Store { unchanged_since, .. } => unchanged_since.is_some(),
        CommandBody::Search(search) => asks_modseq(&search.key),
        CommandBody::List(list) => {
            list.return_status.as_ref().is_some_and(|items| items.contains(&StatusItem::HighestModSeq))
        }
        _ => false,
    }
}

/// Whether MODSEQ is among the keys. The grammar limits how deep they nest.
pub(super) fn asks_modseq<S>(key: &SearchKey<S>) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::And(keys) => keys.iter().any(asks_modseq),
        SearchKey::Or(left, right) => asks_modseq(left) || asks_modseq(right),
        SearchKey::Not(key) => asks_modseq(key),
        _ => false,
    }
}
