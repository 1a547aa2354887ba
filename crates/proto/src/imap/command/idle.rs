//! IDLE. RFC 2177.

use super::{Around, Begin, Event, Outcome, Step, Task, Want};
use crate::imap::pending::News;
use crate::imap::state::{Authenticated, State};

pub(super) fn begin(state: &mut State) -> Begin {
    if let Some(view) = state.view_mut() {
        view.doubt();
    }
    Begin::user(Idle::Start)
}

enum Idle {
    Start,
    /// Something has happened; the news have not been asked for.
    Woken,
    /// The client knows everything.
    Told,
}

impl Task<Authenticated> for Idle {
    fn step(&mut self, _: &mut Authenticated, around: &mut Around<'_>, event: Event) -> Step {
        match event {
            Event::Line(line) if line.eq_ignore_ascii_case(b"DONE") => {
                return Step::Done(Outcome::ok("IDLE done"));
            }
            Event::Line(_) | Event::LineTooLong => {
                return Step::Done(Outcome::bad("IDLE ends with the line DONE and nothing else"));
            }
            _ => {}
        }
        match self {
            Idle::Start => {
                around.out.put("+ idling\r\n");
                *self = Idle::Told;
                Step::Refresh(News::All)
            }
            Idle::Woken => {
                *self = Idle::Told;
                Step::Refresh(News::All)
            }
            Idle::Told => {
                *self = Idle::Woken;
                Step::Wait(Want::Line)
            }
        }
    }
}
