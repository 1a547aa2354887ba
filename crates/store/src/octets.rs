//! Values as octets: numbers big-endian, strings with their length before them. Reading never panics and never
//! allocates more than is there; a value that does not read is damage, and is told as such.

use ledger::Error;

/// Writes the fields of a value, in order.
#[derive(Default)]
pub(crate) struct Pen(Vec<u8>);

impl Pen {
    pub(crate) fn u8(mut self, value: u8) -> Pen {
        self.0.push(value);
        self
    }

    pub(crate) fn u32(mut self, value: u32) -> Pen {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub(crate) fn u64(mut self, value: u64) -> Pen {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    /// At most 4 GiB; every caller's strings are bounded by the ledger's limit of a value.
    pub(crate) fn bytes(self, value: &[u8]) -> Pen {
        let length = u32::try_from(value.len()).unwrap_or(u32::MAX);
        let mut pen = self.u32(length);
        pen.0.extend_from_slice(value);
        pen
    }

    pub(crate) fn text(self, value: &str) -> Pen {
        self.bytes(value.as_bytes())
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.0
    }
}

/// Reads the fields of a value, in order. `None` means damage.
pub(crate) struct Eye<'a>(&'a [u8]);

impl<'a> Eye<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Eye<'a> {
        Eye(value)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|taken| taken[0])
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take(8)?.try_into().ok().map(u64::from_be_bytes)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    /// Nothing is left over.
    pub(crate) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// The error for a row that does not read.
pub(crate) fn damaged(what: &str) -> Error {
    Error::Damaged(format!("a row of {what} does not read"))
}
