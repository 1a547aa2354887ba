//! The first rows of an account.

use ledger::Tx;
use mail::Moment;

use crate::Error;

/// Puts the first rows of an account: INBOX and the mailboxes with special uses, subscribed.
pub(crate) fn found(_tx: &mut Tx, _now: Moment) -> Result<(), Error> {
    Ok(())
}
