//! ENVELOPE. RFC 9051 §7.5.2.

use bytes::{BufMut, BytesMut};
use mail::{Envelope, EnvelopeAddress};

use super::string::nstring;

/// `("date" "subject" from sender reply-to to cc bcc "in-reply-to" "message-id")`. Sender and Reply-To are From
/// where the message has none.
pub fn envelope(out: &mut BytesMut, envelope: &Envelope) {
    let sender = if envelope.sender.is_empty() { &envelope.from } else { &envelope.sender };
    let reply_to = if envelope.reply_to.is_empty() { &envelope.from } else { &envelope.reply_to };
    out.put_u8(b'(');
    nstring(out, envelope.date.as_deref());
    out.put_u8(b' ');
    nstring(out, envelope.subject.as_deref());
    for list in [&envelope.from, sender, reply_to, &envelope.to, &envelope.cc, &envelope.bcc] {
        out.put_u8(b' ');
        addresses(out, list);
    }
    out.put_u8(b' ');
    nstring(out, envelope.in_reply_to.as_deref());
    out.put_u8(b' ');
    nstring(out, envelope.message_id.as_deref());
    out.put_u8(b')');
}

/// `((name NIL mailbox host)...)`; the second element, the source route, is always NIL. NIL if there are none.
fn addresses(out: &mut BytesMut, list: &[EnvelopeAddress]) {
    if list.is_empty() {
        out.put_slice(b"NIL");
        return;
    }
    out.put_u8(b'(');
    for address in list {
        out.put_u8(b'(');
        nstring(out, address.name.as_deref());
        out.put_slice(b" NIL ");
        nstring(out, address.mailbox.as_deref());
        out.put_u8(b' ');
        nstring(out, address.host.as_deref());
        out.put_u8(b')');
    }
    out.put_u8(b')');
}
