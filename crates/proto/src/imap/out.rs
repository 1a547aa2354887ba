//! What goes out: one buffer for text, and the actions in their order.
//!
//! What never lives here: what is said.

use std::collections::VecDeque;
use std::fmt;

use bytes::{BufMut as _, BytesMut};

use super::ask::Ask;
use super::print;
use crate::Action;

/// So much text makes one `Write`; a command that has written this much lets the driver send it before it goes on.
pub(crate) const PAGE: usize = 16 * 1024;

/// The way out of a session.
#[derive(Debug, Default)]
pub(crate) struct Out {
    text: BytesMut,
    actions: VecDeque<Action<Ask>>,
}

impl Out {
    /// The text buffer, for the printers.
    pub(crate) fn text(&mut self) -> &mut BytesMut {
        &mut self.text
    }

    /// Text as it is.
    pub(crate) fn put(&mut self, text: &str) {
        self.text.put_slice(text.as_bytes());
    }

    /// A decimal number, without the machinery of `format!`, since FETCH prints several a row.
    pub(crate) fn number(&mut self, number: u64) {
        print::number(&mut self.text, number);
    }

    /// Formatted text and CRLF.
    pub(crate) fn line(&mut self, line: fmt::Arguments<'_>) {
        // Writing to a growing buffer does not fail.
        let _ = fmt::Write::write_fmt(&mut self.text, line);
        self.text.put_slice(b"\r\n");
    }

    /// There is a page to be sent.
    pub(crate) fn full(&self) -> bool {
        self.text.len() >= PAGE
    }

    /// Everything said so far, then this.
    pub(crate) fn act(&mut self, action: Action<Ask>) {
        self.flush();
        self.actions.push_back(action);
    }

    /// Turns the text into a `Write`.
    pub(crate) fn flush(&mut self) {
        if !self.text.is_empty() {
            self.actions.push_back(Action::Write(self.text.split().freeze()));
        }
    }

    /// The next action in order.
    pub(crate) fn pop(&mut self) -> Option<Action<Ask>> {
        self.actions.pop_front()
    }

    /// Nothing waits to be pulled but perhaps an unfinished page.
    pub(crate) fn drained(&self) -> bool {
        self.actions.is_empty()
    }
}
