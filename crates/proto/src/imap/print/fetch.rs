//! The items of a FETCH response. RFC 9051 §7.5.2.

use bytes::{BufMut, BytesMut};
use mail::{Flags, Moment, SystemFlags};

use super::string::{number, string};
use crate::imap::date;
use crate::imap::types::{Section, SectionText};

/// `(\Seen $Forwarded)`, with \Recent if this is the first session to see the message.
pub fn flags(out: &mut BytesMut, flags: &Flags, recent: bool) {
    let mut gap = b'(';
    let mut put = |name: &str| {
        out.put_u8(gap);
        out.put_slice(name.as_bytes());
        gap = b' ';
    };
    SystemFlags::ALL.iter().filter(|(flag, _)| flags.system.contains(*flag)).for_each(|(_, name)| put(name));
    if recent {
        put("\\Recent");
    }
    flags.keywords.iter().for_each(|keyword| put(keyword));
    if gap == b'(' {
        out.put_u8(b'(');
    }
    out.put_u8(b')');
}

/// `"17-Jul-1996 09:44:25 +0000"`.
pub fn internal_date(out: &mut BytesMut, moment: Moment) {
    out.put_u8(b'"');
    date::print(out, moment);
    out.put_u8(b'"');
}

/// `BODY[1.HEADER.FIELDS (To Cc)]<0>`: the name under which a section is returned; `origin` is the first octet
/// that was asked for. BODY.PEEK is returned as BODY.
pub fn section(out: &mut BytesMut, section: &Section, origin: Option<u32>) {
    out.put_slice(b"BODY[");
    for (i, part) in section.path.iter().enumerate() {
        if i > 0 {
            out.put_u8(b'.');
        }
        number(out, u64::from(*part));
    }
    if !section.path.is_empty() && section.text != SectionText::Whole {
        out.put_u8(b'.');
    }
    match &section.text {
        SectionText::Whole => {}
        SectionText::Header => out.put_slice(b"HEADER"),
        SectionText::HeaderFields(names) => fields(out, b"HEADER.FIELDS", names),
        SectionText::HeaderFieldsNot(names) => fields(out, b"HEADER.FIELDS.NOT", names),
        SectionText::Text => out.put_slice(b"TEXT"),
        SectionText::Mime => out.put_slice(b"MIME"),
    }
    out.put_u8(b']');
    if let Some(origin) = origin {
        out.put_u8(b'<');
        number(out, u64::from(origin));
        out.put_u8(b'>');
    }
}

/// `{310}` and CRLF: so many octets follow.
pub fn literal_head(out: &mut BytesMut, size: u64) {
    out.put_u8(b'{');
    number(out, size);
    out.put_slice(b"}\r\n");
}

fn fields(out: &mut BytesMut, what: &[u8], names: &[String]) {
    out.put_slice(what);
    for (i, name) in names.iter().enumerate() {
        out.put_slice(if i == 0 { b" (" } else { b" " });
        if !name.is_empty() && name.bytes().all(crate::imap::parse::is_atom) {
            out.put_slice(name.as_bytes());
        } else {
            string(out, name.as_bytes());
        }
    }
    out.put_u8(b')');
}
