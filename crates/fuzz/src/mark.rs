//! Marks: what an input has led to, by name.

use std::cell::RefCell;
use std::collections::BTreeSet;

thread_local! {
    static MARKS: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Octets of a mark's name; what is longer is cut, so that marks stay few.
const NAME_MAX: usize = 48;

/// Notes that this point has been reached.
pub fn reached(what: impl AsRef<str>) {
    let what = what.as_ref();
    let end = (0..=NAME_MAX.min(what.len())).rev().find(|at| what.is_char_boundary(*at)).unwrap_or(0);
    MARKS.with_borrow_mut(|marks| {
        if !marks.contains(&what[..end]) {
            marks.insert(what[..end].to_owned());
        }
    });
}

/// Takes all marks since the last call.
pub fn take() -> BTreeSet<String> {
    MARKS.take()
}
