//! The states of a session as types. RFC 3501 §3.
//!
//! What never lives here: what a command does in a state; commands are written for the state they need, so a FETCH
//! without a mailbox cannot be expressed.

use mail::AccountId;

use super::view::View;
use crate::login::LoggedIn;

/// Where the session stands.
#[derive(Debug)]
pub(crate) enum State {
    /// RFC 3501 §3.1
    NotAuthenticated(NotAuthenticated),
    /// RFC 3501 §3.2
    Authenticated(Authenticated),
    /// RFC 3501 §3.3
    Selected(Box<Selected>),
}

/// Nobody is logged in.
#[derive(Debug, Default)]
pub(crate) struct NotAuthenticated {
    /// Inside TLS.
    pub(crate) secured: bool,
}

/// Somebody is.
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// Who.
    pub(crate) account: AccountId,
    /// A CONDSTORE enabling command was given. RFC 7162 §3.1.
    pub(crate) condstore: bool,
}

/// And has a mailbox open.
#[derive(Debug)]
pub(crate) struct Selected {
    /// Who.
    pub(crate) user: Authenticated,
    /// Which.
    pub(crate) view: View,
}

impl NotAuthenticated {
    /// The log-in was right.
    pub(crate) fn welcome(self, who: &LoggedIn) -> Authenticated {
        Authenticated { account: who.account, condstore: false }
    }
}

impl Authenticated {
    /// A mailbox is opened.
    pub(crate) fn select(self, view: View) -> Selected {
        Selected { user: self, view }
    }
}

impl Selected {
    /// It is closed.
    pub(crate) fn unselect(self) -> Authenticated {
        self.user
    }
}

impl State {
    /// Who is logged in, if anybody.
    pub(crate) fn user(&self) -> Option<&Authenticated> {
        match self {
            State::NotAuthenticated(_) => None,
            State::Authenticated(user) => Some(user),
            State::Selected(selected) => Some(&selected.user),
        }
    }

    /// The same, to be changed.
    pub(crate) fn user_mut(&mut self) -> Option<&mut Authenticated> {
        match self {
            State::NotAuthenticated(_) => None,
            State::Authenticated(user) => Some(user),
            State::Selected(selected) => Some(&mut selected.user),
        }
    }

    /// The selected mailbox, if any.
    pub(crate) fn view_mut(&mut self) -> Option<&mut View> {
        match self {
            State::Selected(selected) => Some(&mut selected.view),
            _ => None,
        }
    }

    /// Without a selected mailbox.
    pub(crate) fn unselect(self) -> State {
        match self {
            State::Selected(selected) => State::Authenticated(selected.unselect()),
            other => other,
        }
    }

    /// With this one, if somebody is logged in.
    pub(crate) fn select(self, view: View) -> State {
        match self.unselect() {
            State::Authenticated(user) => State::Selected(Box::new(user.select(view))),
            other => other,
        }
    }
}
