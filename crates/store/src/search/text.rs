//! The text of a message, as a search sees it: header fields and text parts, decoded and without regard to case.
//!
//! What never lives here: which of it is wanted.

use mail::{Content, Part, Summary, body, header, parameter, words};

/// A header field, decoded.
pub(super) struct Field {
    pub(super) name: String,
    /// Folded.
    pub(super) value: String,
}

/// Without regard to case: every character by itself, so that what is sought inside of a word is found.
pub(super) fn fold(text: &str) -> String {
    match text.is_ascii() {
        true => text.to_ascii_lowercase(),
        false => text.chars().flat_map(char::to_lowercase).collect(),
    }
}

/// The fields of a header section.
pub(super) fn fields(section: &[u8]) -> Vec<Field> {
    let field = |field: header::Field<'_>| Field {
        name: String::from_utf8_lossy(field.name).into_owned(),
        value: fold(&words::decode(field.raw_value)),
    };
    header::fields(section).map(field).collect()
}

/// A header section as text, one line for each field.
pub(super) fn of_fields(fields: &[Field]) -> String {
    let mut text = String::new();
    for field in fields {
        text.push_str(&fold(&field.name));
        text.push_str(": ");
        text.push_str(&field.value);
        text.push('\n');
    }
    text
}

/// How the octets of a part become text.
pub(super) struct Decoder {
    encoding: Option<Vec<u8>>,
    charset: Option<Vec<u8>>,
}

impl Decoder {
    pub(super) fn of(part: &Part) -> Decoder {
        Decoder { encoding: part.encoding.clone(), charset: parameter::joined(&part.parameters, "charset") }
    }

    pub(super) fn decode(&self, octets: &[u8]) -> String {
        fold(&body::text(octets, self.encoding.as_deref(), self.charset.as_deref()))
    }
}

/// Something of a message that text is in.
#[derive(Clone, Copy)]
pub(super) enum Piece<'a> {
    /// The header of a part of a multipart: no text of the body.
    PartHeader(&'a Part),
    /// The header of a message inside of the message, which is text of the body as well.
    InnerHeader(&'a Part),
    /// A part with text.
    Text(&'a Part),
}

/// All of the message but its own header, in order.
pub(super) fn pieces(summary: &Summary) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    collect(&summary.root, &mut pieces);
    pieces
}

/// The indexer limits how deep parts nest.
fn collect<'a>(part: &'a Part, pieces: &mut Vec<Piece<'a>>) {
    match &part.content {
        // RFC 9051 §6.4.4: other media need not be looked into.
        Content::Leaf if is_text(part) => pieces.push(Piece::Text(part)),
        Content::Leaf => {}
        Content::Multipart(parts) => {
            for part in parts {
                pieces.push(Piece::PartHeader(part));
                collect(part, pieces);
            }
        }
        Content::Message(inner) => {
            pieces.push(Piece::InnerHeader(&inner.root));
            collect(&inner.root, pieces);
        }
    }
}

fn is_text(part: &Part) -> bool {
    part.media.eq_ignore_ascii_case(b"text") || part.media.eq_ignore_ascii_case(b"message")
}
