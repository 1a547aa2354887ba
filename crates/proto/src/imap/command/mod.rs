//! The commands, one file for each word that a client can say.
//!
//! What never lives here: the grammar (`parse`, `print`), and what is true of mailboxes (that is asked).
//!
//! A command is either over at once (`Begin::Now`) or a `Task`: a small machine that is stepped with what has
//! happened, and says what it needs next. A task is written for the state it needs, and the session hands it that
//! state. A command to come is a file here, an arm in `begin`, and a word in `capability`.
//!
//! Where the extensions still to come belong: QRESYNC in `select` and `super::pending` (VANISHED), SEARCHRES, WITHIN,
//! PARTIAL and FUZZY in `search`, SORT and THREAD in files of their own beside it, MULTIAPPEND, CATENATE and REPLACE
//! in `append`, BINARY, PREVIEW, OBJECTID and SAVEDATE in `fetch`, QUOTA, ACL, METADATA, NOTIFY, COMPRESS and
//! UNAUTHENTICATE in files of their own.

mod append;
mod authenticate;
mod capability;
mod close;
mod condstore;
mod copy;
mod create;
mod delete;
mod enable;
mod expunge;
pub(crate) mod fetch;
mod id;
mod idle;
pub(crate) mod list;
mod login;
mod logout;
mod lsub;
mod namespace;
mod noop;
mod rename;
mod search;
mod select;
mod starttls;
mod status;
mod store;
mod subscribe;

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use mail::{BodyId, Moment};

use super::ask::{Answer, Ask, Code};
use super::out::Out;
use super::pending::News;
use super::seqmap::Picked;
use super::session::Options;
use super::state::{Authenticated, NotAuthenticated, Selected, State};
use super::types::{CommandBody, SequenceSet};
use super::view::View;
use crate::login::LoggedIn;

/// What a task may use besides its state.
pub(crate) struct Around<'a> {
    /// The settings of the door.
    pub(crate) options: &'a Options,
    /// The way out.
    pub(crate) out: &'a mut Out,
    /// The time of the last input.
    pub(crate) now: Moment,
    /// Of the command.
    pub(crate) tag: &'a str,
    /// Bodies begun so far.
    pub(crate) bodies: &'a mut u64,
}

impl Around<'_> {
    /// A name for a body about to arrive.
    fn body(&mut self) -> BodyId {
        *self.bodies += 1;
        BodyId(*self.bodies)
    }
}

/// What a printer of responses writes, as a response code.
fn code(print: impl FnOnce(&mut BytesMut)) -> String {
    let mut text = BytesMut::new();
    print(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

/// Why a task is stepped.
#[derive(Debug)]
pub(crate) enum Event {
    /// It has begun, or may go on, or something has happened that it does not name.
    Go,
    /// Its question is answered.
    Answer(Answer),
    /// A line that it waited for, without its ending.
    Line(Bytes),
    /// A line that it waited for was longer than the limit.
    LineTooLong,
    /// Some octets of the literal it waited for.
    Octets(Bytes),
    /// The literal, and the command, have ended. If not well, the text says how.
    End(Option<String>),
}

/// What a task needs next.
#[derive(Debug)]
pub(crate) enum Step {
    /// It has written a page: step it again once there is room.
    Again,
    /// An answer.
    Ask(Ask),
    /// The news of the mailbox, to be learnt and told now.
    Refresh(News),
    /// Something from outside.
    Wait(Want),
    /// Nothing; this is how it ended.
    Done(Outcome),
}

/// What a waiting task waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// A line of the client; any other input steps it too.
    Line,
    /// The octets of its literal.
    Literal,
    /// The time.
    Until(Moment),
}

/// A command at work in a state that it needs.
pub(crate) trait Task<S>: Send {
    /// Goes on with what has happened.
    fn step(&mut self, state: &mut S, around: &mut Around<'_>, event: Event) -> Step;

    /// The session ends before the command does.
    fn abandon(&mut self, _out: &mut Out) {}
}

/// A task with the state that it is written for.
pub(crate) enum Job {
    /// Before the log-in.
    Entry(Box<dyn Task<NotAuthenticated>>),
    /// After it, mailbox or not.
    User(Box<dyn Task<Authenticated>>),
    /// With a mailbox.
    Mailbox(Box<dyn Task<Selected>>),
}

/// OK, NO, BAD. RFC 3501 §7.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// OK
    Ok,
    /// NO
    No,
    /// BAD
    Bad,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: Status,
    /// Response code, without brackets.
    pub(crate) code: Option<Cow<'static, str>>,
    /// For people.
    pub(crate) text: Cow<'static, str>,
    /// What else follows from it.
    pub(crate) then: Then,
}

/// What a command changes in the session.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing.
    Nothing,
    /// Somebody is logged in.
    LoggedIn(LoggedIn),
    /// A mailbox is open.
    Selected(Box<View>),
    /// None is.
    Unselected,
    /// This mailbox has got something; if it is the open one, the client is told.
    Touched(String),
    /// This one is deleted.
    Deleted(String),
    /// This one has another name.
    Renamed(String, String),
    /// The handshake follows the tagged response.
    StartTls,
    /// Goodbye follows it.
    Logout,
}

impl Outcome {
    pub(crate) fn new(status: Status, text: impl Into<Cow<'static, str>>) -> Outcome {
        Outcome { status, code: None, text: text.into(), then: Then::Nothing }
    }

    pub(crate) fn ok(text: impl Into<Cow<'static, str>>) -> Outcome {
        Outcome::new(Status::Ok, text)
    }

    pub(crate) fn no(text: impl Into<Cow<'static, str>>) -> Outcome {
        Outcome::new(Status::No, text)
    }

    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Outcome {
        Outcome::new(Status::Bad, text)
    }

    pub(crate) fn code(mut self, code: impl Into<Cow<'static, str>>) -> Outcome {
        self.code = Some(code.into());
        self
    }

    pub(crate) fn then(mut self, then: Then) -> Outcome {
        self.then = then;
        self
    }

    /// The postmaster says no.
    pub(crate) fn refused(code: Code, text: String) -> Outcome {
        Outcome { code: code_name(code).map(Cow::Borrowed), ..Outcome::no(text) }
    }

    /// The answer does not fit the question: a fault of the house, which the client cannot mend.
    pub(crate) fn muddled() -> Outcome {
        Outcome::no("The house has lost the thread; please try again").code("SERVERBUG")
    }
}

/// What an answer that is not the expected one comes to.
pub(crate) fn otherwise(answer: Answer) -> Step {
    Step::Done(match answer {
        Answer::No { code, text } => Outcome::refused(code, text),
        _ => Outcome::muddled(),
    })
}

/// RFC 5530 §3, RFC 7889 §4.
fn code_name(code: Code) -> Option<&'static str> {
    match code {
        Code::None => None,
        Code::TryCreate => Some("TRYCREATE"),
        Code::NonExistent => Some("NONEXISTENT"),
        Code::AlreadyExists => Some("ALREADYEXISTS"),
        Code::HasChildren => Some("HASCHILDREN"),
        Code::Cannot => Some("CANNOT"),
        Code::OverQuota => Some("OVERQUOTA"),
        Code::Limit => Some("LIMIT"),
        Code::TooBig => Some("TOOBIG"),
        Code::Unavailable => Some("UNAVAILABLE"),
        Code::NoPerm => Some("NOPERM"),
        Code::Corruption => Some("CORRUPTION"),
    }
}

/// A command begun.
pub(crate) enum Begin {
    /// And over.
    Now(Outcome),
    /// And at work.
    Job(Job),
}

impl Begin {
    fn entry(task: impl Task<NotAuthenticated> + 'static) -> Begin {
        Begin::Job(Job::Entry(Box::new(task)))
    }

    fn user(task: impl Task<Authenticated> + 'static) -> Begin {
        Begin::Job(Job::User(Box::new(task)))
    }

    fn mailbox(task: impl Task<Selected> + 'static) -> Begin {
        Begin::Job(Job::Mailbox(Box::new(task)))
    }
}

/// Begins a command, and says what may be announced before its tagged response.
pub(crate) fn begin(body: CommandBody, state: &mut State, around: &mut Around<'_>) -> (News, Begin) {
    condstore::notice(&body, state, around.out);
    let body = match anywhere(body, state, around) {
        Ok(begun) => return begun,
        Err(body) => body,
    };
    if let State::NotAuthenticated(entry) = state {
        return (News::Nothing, before_login(body, entry, around));
    }
    let body = match with_user(body, state, around) {
        Ok(begun) => return begun,
        Err(body) => body,
    };
    match state {
        State::Selected(selected) => with_mailbox(body, selected),
        _ => (News::Nothing, Begin::Now(misplaced(&body, "No mailbox is selected"))),
    }
}

fn misplaced(body: &CommandBody, why: &'static str) -> Outcome {
    match body {
        CommandBody::Login { .. } | CommandBody::Authenticate { .. } => {
            Outcome::bad("Somebody is logged in already")
        }
        CommandBody::StartTls => Outcome::bad("STARTTLS is for the time before the log-in"),
        _ => Outcome::bad(why),
    }
}

/// RFC 3501 §6.1, RFC 2971: any state.
fn anywhere(
    body: CommandBody,
    state: &mut State,
    around: &mut Around<'_>,
) -> Result<(News, Begin), CommandBody> {
    let (news, outcome) = match body {
        CommandBody::Capability => (News::All, capability::run(state, around)),
        CommandBody::Noop => (News::All, noop::run("NOOP", state)),
        CommandBody::Logout => (News::Nothing, logout::run(around)),
        CommandBody::Id(_) => (News::All, id::run(around)),
        other => return Err(other),
    };
    Ok((news, Begin::Now(outcome)))
}

/// RFC 3501 §6.2.
fn before_login(body: CommandBody, entry: &NotAuthenticated, around: &mut Around<'_>) -> Begin {
    match body {
        CommandBody::StartTls => Begin::Now(starttls::run(entry, around)),
        CommandBody::Login { user, password } => login::begin(user, password, entry, around),
        CommandBody::Authenticate { mechanism, initial } => {
            authenticate::begin(&mechanism, initial, entry, around)
        }
        _ => Begin::Now(Outcome::bad("Please log in first")),
    }
}

/// RFC 3501 §6.3: with or without a mailbox.
fn with_user(
    body: CommandBody,
    state: &mut State,
    around: &mut Around<'_>,
) -> Result<(News, Begin), CommandBody> {
    let begun = match body {
        CommandBody::Enable(names) => Begin::Now(enable::run(&names, around)),
        CommandBody::Select { mailbox, read_only, .. } => {
            return Ok((News::Nothing, select::begin(mailbox, read_only)));
        }
        CommandBody::Create { mailbox, special_use } => create::begin(mailbox, &special_use),
        CommandBody::Delete(mailbox) => delete::begin(mailbox),
        CommandBody::Rename { from, to } => rename::begin(from, to),
        CommandBody::Subscribe(name) => subscribe::begin(name, true),
        CommandBody::Unsubscribe(name) => subscribe::begin(name, false),
        CommandBody::List(list) => list::begin(list),
        CommandBody::Lsub { reference, pattern } => lsub::begin(reference, pattern),
        CommandBody::Namespace => Begin::Now(namespace::run(around)),
        CommandBody::Status { mailbox, items } => status::begin(mailbox, items),
        CommandBody::Append { mailbox, flags, date, size, synchronizing, binary } => {
            let wanted = append::Wanted { mailbox, flags, date, size, synchronizing, binary };
            append::begin(wanted, around)
        }
        CommandBody::Idle => idle::begin(state),
        other => return Err(other),
    };
    Ok((News::All, begun))
}

/// RFC 3501 §6.4.
fn with_mailbox(body: CommandBody, selected: &mut Selected) -> (News, Begin) {
    let (news, begun) = match body {
        CommandBody::Close => return (News::Nothing, close::begin(selected)),
        CommandBody::Unselect => return (News::Nothing, close::unselect()),
        CommandBody::Check => (News::All, Ok(noop::check(selected))),
        CommandBody::Expunge(set) => (News::All, expunge::begin(set.as_ref(), selected)),
        CommandBody::Search(wanted) => (counting(wanted.uid), search::begin(wanted, selected)),
        CommandBody::Fetch { uid, set, items, changed_since } => {
            (counting(uid), fetch::begin(uid, &set, items, changed_since, selected))
        }
        CommandBody::Store { uid, set, action, silent, flags, unchanged_since } => {
            let wanted = store::Wanted { uid, action, silent, flags, unchanged_since };
            (counting(uid), store::begin(wanted, &set, selected))
        }
        CommandBody::Copy { uid, set, to } => (News::All, copy::begin(uid, &set, to, false, selected)),
        CommandBody::Move { uid, set, to } => (News::All, copy::begin(uid, &set, to, true, selected)),
        other => {
            let outcome = misplaced(&other, "This cannot be said here");
            return (News::Nothing, Begin::Now(outcome));
        }
    };
    if selected.view.deleted {
        let outcome = Outcome::no("The selected mailbox was deleted").code("NONEXISTENT");
        return (news, Begin::Now(outcome));
    }
    (news, begun.unwrap_or_else(Begin::Now))
}

/// RFC 3501 §7.4.1: no EXPUNGE while a command counts in sequence numbers; the UID forms do not.
fn counting(uid: bool) -> News {
    if uid { News::All } else { News::NoExpunge }
}

/// The messages a command names, or how it is refused.
fn pick(view: &View, uid: bool, set: &SequenceSet) -> Result<Picked, Outcome> {
    if uid {
        return Ok(view.map.pick_uids(set));
    }
    view.map.pick_numbers(set).map_err(|wrong| Outcome::bad(format!("There is no message {}", wrong.0)))
}
