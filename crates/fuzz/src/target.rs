//! A target: a function, what to begin with, and what it must at least come to.

/// One grammar under test.
pub struct Target {
    /// By which it is called.
    pub name: &'static str,
    /// Panics when a promise is broken.
    pub run: fn(&[u8]),
    /// Inputs to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that mean something here, to be thrown in.
    pub words: &'static [&'static str],
    /// Marks that a run of the test's length must leave, or it has not tested what it says.
    pub must_reach: &'static [&'static str],
}

/// The target of that name.
pub fn find(name: &str) -> Option<&'static Target> {
    crate::targets::ALL.iter().copied().find(|target| target.name == name)
}
