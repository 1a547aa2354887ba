//! Which octets of a message a section names. RFC 9051 §6.4.5.
//!
//! What never lives here: fetching them.

use std::collections::HashSet;
use std::ops::Range;

use mail::{Content, Part, Summary};

use super::types::{Section, SectionText};

/// Where a section lies in the stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// These octets are the section.
    Octets(Range<u64>),
    /// These octets are a header; the section is what `filter_fields` leaves of them.
    Fields(Range<u64>),
}

impl Extent {
    /// The octets to be read.
    pub fn range(&self) -> &Range<u64> {
        match self {
            Extent::Octets(range) | Extent::Fields(range) => range,
        }
    }
}

/// Finds a section; `None` if the message has no such part, or the part no such section: it is then NIL.
pub fn locate(summary: &Summary, section: &Section) -> Option<Extent> {
    let found = Found::at(summary, &section.path)?;
    let octets = |range: &Range<u64>| Some(Extent::Octets(range.clone()));
    match &section.text {
        SectionText::Whole => match found {
            // BODY[] is the message with its header; a part number names a body. RFC 9051 §6.4.5.
            Found::Message(message) if section.path.is_empty() => octets(&(0..message.root.body.end)),
            found => octets(&found.part().body),
        },
        // Only parts have a MIME header; that of the one part of a message that is no multipart is its own.
        SectionText::Mime if section.path.is_empty() => None,
        SectionText::Mime => octets(&found.part().header),
        SectionText::Header => octets(&found.message()?.root.header),
        SectionText::Text => octets(&found.message()?.root.body),
        SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_) => {
            Some(Extent::Fields(found.message()?.root.header.clone()))
        }
    }
}

/// What a part number names: the message itself, or a part of it.
enum Found<'a> {
    Message(&'a Summary),
    Part(&'a Part),
}

impl<'a> Found<'a> {
    fn at(summary: &'a Summary, path: &[u32]) -> Option<Found<'a>> {
        let mut found = Found::Message(summary);
        for &number in path {
            let index = usize::try_from(number).ok()?.checked_sub(1)?;
            // Part numbers of a message count the parts of its root, whose own number is nowhere said.
            let (scope, is_message) = match &found {
                Found::Message(message) => (&message.root, true),
                Found::Part(Part { content: Content::Message(inner), .. }) => (&inner.root, true),
                Found::Part(part) => (*part, false),
            };
            found = Found::Part(match &scope.content {
                Content::Multipart(parts) => parts.get(index)?,
                // A message that is no multipart has one part, its body.
                _ if is_message && index == 0 => scope,
                _ => return None,
            });
        }
        Some(found)
    }

    fn part(&self) -> &'a Part {
        match self {
            Found::Message(summary) => &summary.root,
            Found::Part(part) => part,
        }
    }

    /// The message whose header and text are meant: the whole one, or the one inside the part.
    fn message(&self) -> Option<&'a Summary> {
        match self {
            Found::Message(summary) => Some(summary),
            Found::Part(Part { content: Content::Message(inner), .. }) => Some(inner),
            Found::Part(_) => None,
        }
    }
}

/// The fields of a header whose names are among `names` (or, if `not`, are not), as they stand, folded lines and
/// all, and the empty line at the end. Names are compared without regard to case. A line that is no field counts
/// as one without a name.
pub fn filter_fields(header: &[u8], names: &[String], not: bool) -> Vec<u8> {
    let wanted: HashSet<String> = names.iter().map(|name| name.to_ascii_lowercase()).collect();
    let mut kept = Vec::new();
    let mut keep = false;
    for line in header.split_inclusive(|octet| *octet == b'\n') {
        if line.trim_ascii_end().is_empty() && !matches!(line[0], b' ' | b'\t') {
            break;
        }
        if !matches!(line[0], b' ' | b'\t') {
            keep = is_named(line, &wanted) != not;
        }
        if keep {
            kept.extend_from_slice(line);
        }
    }
    // A header may end without its last line end, the next field must not run into it.
    if !kept.is_empty() && !kept.ends_with(b"\n") {
        kept.extend_from_slice(b"\r\n");
    }
    kept.extend_from_slice(b"\r\n");
    kept
}

/// Whether the line begins a field with one of these names, which are in lower case.
fn is_named(line: &[u8], names: &HashSet<String>) -> bool {
    let Some(colon) = line.iter().position(|octet| *octet == b':') else { return false };
    // RFC 5322 §4.5.1 allows blanks before the colon.
    let name = line[..colon].trim_ascii_end().to_ascii_lowercase();
    std::str::from_utf8(&name).is_ok_and(|name| names.contains(name))
}
