//! APPEND up to its literal. RFC 9051 §6.3.12, RFC 3516 §4.4, RFC 6855 §4.

use mail::Flags;

use super::{Cursor, Fault};
use crate::imap::types::CommandBody;

/// `mailbox [(flags)] ["date-time"] literal`, the octets of the literal not included.
pub(super) fn append(cursor: &mut Cursor<'_>) -> Result<CommandBody, Fault> {
    let mailbox = cursor.mailbox()?;
    cursor.space()?;
    let mut flags = Flags::default();
    if cursor.peek() == Some(b'(') {
        flags = cursor.flag_list()?;
        cursor.space()?;
    }
    let mut date = None;
    if cursor.peek() == Some(b'"') {
        date = Some(cursor.date_time()?);
        cursor.space()?;
    }
    let utf8 = cursor.take_word("UTF8");
    if utf8 {
        cursor.space()?;
        cursor.expect(b'(', "expected a literal in parentheses")?;
    }
    let binary = cursor.take(b'~');
    if utf8 && !binary {
        return cursor.fault("expected a literal that begins with ~");
    }
    let (size, synchronizing) = cursor.announcement()?;
    cursor.end()?;
    Ok(CommandBody::Append { mailbox, flags, date, size, synchronizing, binary })
}
