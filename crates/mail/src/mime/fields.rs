//! The header fields that a summary holds. RFC 5322 §3.6, RFC 2045 §3.

use crate::header;
use crate::limits::{ADDRESSES_MAX, LANGUAGES_MAX};
use crate::parameter::{self, Parameters};
use crate::{Disposition, Envelope, EnvelopeAddress, Part, address_list};

/// A field that is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of the envelope, as text.
    Text(Text),
    /// Of the envelope, with addresses.
    Addresses(Addresses),
    /// Of a part.
    Content(Content),
}

/// Envelope fields that are kept as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    Date,
    Subject,
    InReplyTo,
    MessageId,
}

/// Envelope fields with addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
}

/// The fields of MIME.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    Type,
    Id,
    Description,
    Encoding,
    Md5,
    Disposition,
    Language,
    Location,
}

/// Names in lower case, grouped by what owns them.
const ENVELOPE: [(&str, Kind); 10] = [
    ("date", Kind::Text(Text::Date)),
    ("subject", Kind::Text(Text::Subject)),
    ("in-reply-to", Kind::Text(Text::InReplyTo)),
    ("message-id", Kind::Text(Text::MessageId)),
    ("from", Kind::Addresses(Addresses::From)),
    ("sender", Kind::Addresses(Addresses::Sender)),
    ("reply-to", Kind::Addresses(Addresses::ReplyTo)),
    ("to", Kind::Addresses(Addresses::To)),
    ("cc", Kind::Addresses(Addresses::Cc)),
    ("bcc", Kind::Addresses(Addresses::Bcc)),
];

/// After `content-`.
const CONTENT: [(&str, Kind); 8] = [
    ("type", Kind::Content(Content::Type)),
    ("id", Kind::Content(Content::Id)),
    ("description", Kind::Content(Content::Description)),
    ("transfer-encoding", Kind::Content(Content::Encoding)),
    ("md5", Kind::Content(Content::Md5)),
    ("disposition", Kind::Content(Content::Disposition)),
    ("language", Kind::Content(Content::Language)),
    ("location", Kind::Content(Content::Location)),
];

/// Which field bears this name; envelope fields only where there is an envelope.
pub fn kind(name: &[u8], envelope: bool) -> Option<Kind> {
    let named = |table: &[(&str, Kind)], name: &[u8]| {
        table.iter().find(|(n, _)| name.eq_ignore_ascii_case(n.as_bytes())).map(|(_, kind)| *kind)
    };
    match name.split_at_checked(8) {
        Some((prefix, rest)) if prefix.eq_ignore_ascii_case(b"content-") => named(&CONTENT, rest),
        _ if envelope => named(&ENVELOPE, name),
        _ => None,
    }
}

/// What the values of one summary may still take.
#[derive(Debug)]
pub struct Budget(pub usize);

/// Memory that an address, a parameter or a value takes beside its octets: three, two and one vector.
const ADDRESS_COST: usize = 144;
const PARAMETER_COST: usize = 96;
const VALUE_COST: usize = 48;

impl Budget {
    /// Takes `cost`, or nothing if there is too little.
    fn take(&mut self, cost: usize) -> bool {
        let left = self.0.checked_sub(cost);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    fn take_parameters(&mut self, parameters: &Parameters) -> bool {
        self.take(parameters.iter().map(|(n, v)| n.len() + v.len() + PARAMETER_COST).sum())
    }
}

/// Keeps one field of the envelope. Of texts the first counts; address fields that are repeated count as one list,
/// so that nobody can show one From to a filter and another to a reader.
pub fn text(envelope: &mut Envelope, which: Text, raw: &[u8], budget: &mut Budget) {
    let field = match which {
        Text::Date => &mut envelope.date,
        Text::Subject => &mut envelope.subject,
        Text::InReplyTo => &mut envelope.in_reply_to,
        Text::MessageId => &mut envelope.message_id,
    };
    let value = header::unfold(raw);
    if field.is_none() && budget.take(value.len() + VALUE_COST) {
        *field = Some(value);
    }
}

/// Whether a further field of this kind could still add to the envelope.
pub fn wants_text(envelope: &Envelope, which: Text) -> bool {
    match which {
        Text::Date => envelope.date.is_none(),
        Text::Subject => envelope.subject.is_none(),
        Text::InReplyTo => envelope.in_reply_to.is_none(),
        Text::MessageId => envelope.message_id.is_none(),
    }
}

/// See [`text`].
pub fn addresses(envelope: &mut Envelope, which: Addresses, raw: &[u8], budget: &mut Budget) {
    let list = match which {
        Addresses::From => &mut envelope.from,
        Addresses::Sender => &mut envelope.sender,
        Addresses::ReplyTo => &mut envelope.reply_to,
        Addresses::To => &mut envelope.to,
        Addresses::Cc => &mut envelope.cc,
        Addresses::Bcc => &mut envelope.bcc,
    };
    let room = (ADDRESSES_MAX.saturating_sub(list.len())).min(budget.0 / ADDRESS_COST);
    if room == 0 {
        return;
    }
    let octets = |field: &Option<Vec<u8>>| field.as_ref().map_or(0, Vec::len);
    for address in address_list::parse(&header::unfold(raw), room) {
        let cost = octets(&address.name) + octets(&address.mailbox) + octets(&address.host) + ADDRESS_COST;
        // A group's end is kept in any case, so that no list ends inside of one; there are fewer than addresses.
        if budget.take(cost) || address == EnvelopeAddress::default() {
            list.push(address);
        }
    }
}

/// Whether a further field of this kind could still add to the envelope.
pub fn wants_addresses(envelope: &Envelope, which: Addresses) -> bool {
    let list = match which {
        Addresses::From => &envelope.from,
        Addresses::Sender => &envelope.sender,
        Addresses::ReplyTo => &envelope.reply_to,
        Addresses::To => &envelope.to,
        Addresses::Cc => &envelope.cc,
        Addresses::Bcc => &envelope.bcc,
    };
    list.len() < ADDRESSES_MAX
}

/// Keeps one MIME field; the first of a kind counts.
pub fn content(part: &mut Part, which: Content, raw: &[u8], budget: &mut Budget) {
    match which {
        Content::Type => content_type(part, raw, budget),
        Content::Id => part.id = part.id.take().or_else(|| line(raw, budget)),
        Content::Description => {
            part.description = part.description.take().or_else(|| line(raw, budget));
        }
        Content::Md5 => part.md5 = part.md5.take().or_else(|| line(raw, budget)),
        Content::Location => part.location = part.location.take().or_else(|| line(raw, budget)),
        Content::Encoding if part.encoding.is_none() => {
            let (word, _) = parameter::word(&header::unfold(raw));
            part.encoding = kept(word, budget);
        }
        Content::Disposition if part.disposition.is_none() => {
            let (kind, parameters) = parameter::word(&header::unfold(raw));
            if !kind.is_empty() && budget.take(kind.len() + VALUE_COST) && budget.take_parameters(&parameters)
            {
                part.disposition = Some(Disposition { kind, parameters });
            }
        }
        Content::Language if part.language.is_empty() => {
            let words = parameter::words(&header::unfold(raw), LANGUAGES_MAX);
            if budget.take(words.iter().map(|word| word.len() + VALUE_COST).sum()) {
                part.language = words;
            }
        }
        Content::Encoding | Content::Disposition | Content::Language => {}
    }
}

/// An unreadable type is left empty, which `default_type` makes text/plain. RFC 2045 §5.2.
fn content_type(part: &mut Part, raw: &[u8], budget: &mut Budget) {
    let Some((media, subtype, parameters)) = parameter::content_type(&header::unfold(raw)) else { return };
    if budget.take(media.len() + subtype.len() + 2 * VALUE_COST) && budget.take_parameters(&parameters) {
        part.media = media;
        part.subtype = subtype;
        part.parameters = parameters;
    }
}

/// The value on one line, if there is anything in it.
fn line(raw: &[u8], budget: &mut Budget) -> Option<Vec<u8>> {
    kept(header::unfold(raw), budget)
}

fn kept(value: Vec<u8>, budget: &mut Budget) -> Option<Vec<u8>> {
    (!value.is_empty() && budget.take(value.len() + VALUE_COST)).then_some(value)
}
