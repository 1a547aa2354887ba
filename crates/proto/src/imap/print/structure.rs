//! BODY and BODYSTRUCTURE. RFC 9051 §7.5.2.

use bytes::{BufMut, BytesMut};
use mail::{Content, Part, Summary};

use super::envelope::envelope;
use super::string::{nstring, number, string};

/// Parts nested deeper than this are shown as octets. What indexes messages stops far earlier; this is the second
/// of the two checks.
const DEPTH_MAX: usize = 200;

/// The structure of a message; `extensible` is BODYSTRUCTURE, without it is BODY.
pub fn body_structure(out: &mut BytesMut, part: &Part, extensible: bool) {
    body(out, part, extensible, 0);
}

fn body(out: &mut BytesMut, part: &Part, extensible: bool, depth: usize) {
    match &part.content {
        _ if depth >= DEPTH_MAX => leaf(out, part, extensible),
        Content::Multipart(parts) if !parts.is_empty() => multipart(out, part, parts, extensible, depth),
        Content::Message(inner) => message(out, part, Some(inner), extensible, depth),
        _ if is_message(part) => message(out, part, None, extensible, depth),
        _ => leaf(out, part, extensible),
    }
}

/// RFC 9051 §9 body-type-mpart.
fn multipart(out: &mut BytesMut, part: &Part, parts: &[Part], extensible: bool, depth: usize) {
    out.put_u8(b'(');
    for inner in parts {
        body(out, inner, extensible, depth + 1);
    }
    out.put_u8(b' ');
    string(out, &part.subtype);
    if extensible {
        out.put_u8(b' ');
        parameters(out, &part.parameters);
        extension(out, part);
    }
    out.put_u8(b')');
}

/// RFC 9051 §9 body-type-msg. A message inside that was not looked into is shown as an empty one, because clients
/// expect an envelope and a structure behind this media type.
fn message(out: &mut BytesMut, part: &Part, inner: Option<&Summary>, extensible: bool, depth: usize) {
    out.put_u8(b'(');
    basic(out, &part.media, &part.subtype, part);
    out.put_u8(b' ');
    match inner {
        Some(inner) => {
            envelope(out, &inner.envelope);
            out.put_u8(b' ');
            body(out, &inner.root, extensible, depth + 1);
        }
        None => out.put_slice(
            b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) (\"text\" \"plain\" NIL NIL NIL \"7BIT\" 0 0)",
        ),
    }
    lines(out, part);
    single_extension(out, part, extensible);
}

/// RFC 9051 §9 body-type-text and body-type-basic.
fn leaf(out: &mut BytesMut, part: &Part, extensible: bool) {
    out.put_u8(b'(');
    if part.media.eq_ignore_ascii_case(b"multipart") || is_message(part) {
        // Its inside is not known, and other types promise one.
        basic(out, b"application", b"octet-stream", part);
    } else {
        basic(out, &part.media, &part.subtype, part);
        if part.media.eq_ignore_ascii_case(b"text") {
            lines(out, part);
        }
    }
    single_extension(out, part, extensible);
}

/// RFC 9051 §9 media-message.
fn is_message(part: &Part) -> bool {
    part.media.eq_ignore_ascii_case(b"message")
        && (part.subtype.eq_ignore_ascii_case(b"rfc822") || part.subtype.eq_ignore_ascii_case(b"global"))
}

/// Media type and RFC 9051 §9 body-fields.
fn basic(out: &mut BytesMut, media: &[u8], subtype: &[u8], part: &Part) {
    string(out, media);
    out.put_u8(b' ');
    string(out, subtype);
    out.put_u8(b' ');
    parameters(out, &part.parameters);
    out.put_u8(b' ');
    nstring(out, part.id.as_deref());
    out.put_u8(b' ');
    nstring(out, part.description.as_deref());
    out.put_u8(b' ');
    string(out, part.encoding.as_deref().unwrap_or(b"7BIT"));
    out.put_u8(b' ');
    number(out, part.body.end.saturating_sub(part.body.start));
}

fn lines(out: &mut BytesMut, part: &Part) {
    out.put_u8(b' ');
    number(out, part.lines);
}

/// RFC 9051 §9 body-ext-1part and the closing parenthesis.
fn single_extension(out: &mut BytesMut, part: &Part, extensible: bool) {
    if extensible {
        out.put_u8(b' ');
        nstring(out, part.md5.as_deref());
        extension(out, part);
    }
    out.put_u8(b')');
}

/// Disposition, language and location.
fn extension(out: &mut BytesMut, part: &Part) {
    out.put_u8(b' ');
    match &part.disposition {
        Some(disposition) => {
            out.put_u8(b'(');
            string(out, &disposition.kind);
            out.put_u8(b' ');
            parameters(out, &disposition.parameters);
            out.put_u8(b')');
        }
        None => out.put_slice(b"NIL"),
    }
    out.put_u8(b' ');
    match part.language.as_slice() {
        [] => out.put_slice(b"NIL"),
        [one] => string(out, one),
        several => {
            for (i, language) in several.iter().enumerate() {
                out.put_u8(if i == 0 { b'(' } else { b' ' });
                string(out, language);
            }
            out.put_u8(b')');
        }
    }
    out.put_u8(b' ');
    nstring(out, part.location.as_deref());
}

/// RFC 9051 §9 body-fld-param.
fn parameters(out: &mut BytesMut, parameters: &[(Vec<u8>, Vec<u8>)]) {
    if parameters.is_empty() {
        out.put_slice(b"NIL");
        return;
    }
    for (i, (name, value)) in parameters.iter().enumerate() {
        out.put_u8(if i == 0 { b'(' } else { b' ' });
        string(out, name);
        out.put_u8(b' ');
        string(out, value);
    }
    out.put_u8(b')');
}
