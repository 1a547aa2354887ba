//! How a `Summary` is stored: a version, then its fields in order. Numbers are LEB128, a string is its length and
//! its octets, common words are one octet, offsets are relative to what contains the part.
//!
//! What never lives here: checksums; the ledger has them. Decoding only promises never to misbehave.

use std::ops::Range;

use crate::limits::DEPTH_MAX;
use crate::{Content, Disposition, Envelope, EnvelopeAddress, Part, Summary};

/// The first octet. Anything that changes what follows, `WORDS` too, needs a new one.
const VERSION: u8 = 1;

/// Words that are stored as their place in this list. Appending to it is a new version as well, because older
/// programs would not know the word.
const WORDS: [&[u8]; 30] = [
    b"text",
    b"plain",
    b"html",
    b"multipart",
    b"mixed",
    b"alternative",
    b"related",
    b"signed",
    b"report",
    b"message",
    b"rfc822",
    b"application",
    b"octet-stream",
    b"pdf",
    b"image",
    b"png",
    b"jpeg",
    b"charset",
    b"utf-8",
    b"UTF-8",
    b"us-ascii",
    b"iso-8859-1",
    b"boundary",
    b"name",
    b"filename",
    b"attachment",
    b"inline",
    b"7bit",
    b"quoted-printable",
    b"base64",
];

const LEAF: u8 = 0;
const MULTIPART: u8 = 1;
const MESSAGE: u8 = 2;

impl Summary {
    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer { octets: Vec::with_capacity(512) };
        out.octets.push(VERSION);
        out.summary(self, 0);
        out.octets
    }

    /// The inverse of [`Summary::encode`]. `None` for damaged octets and for versions from the future. Whatever is
    /// decoded, its parts have their ranges in order and inside of the message.
    pub fn decode(octets: &[u8]) -> Option<Summary> {
        let (&version, rest) = octets.split_first()?;
        let mut reader = Reader { rest, end: u64::MAX, depth: 0 };
        let summary = (version == VERSION).then(|| reader.summary(0))??;
        reader.rest.is_empty().then_some(summary)
    }
}

struct Writer {
    octets: Vec<u8>,
}

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.octets.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.octets.push(number as u8);
    }

    /// A number that is most often a little above `base`.
    fn offset(&mut self, number: u64, base: u64) {
        let difference = number.wrapping_sub(base).cast_signed();
        self.number((difference << 1 ^ difference >> 63).cast_unsigned());
    }

    fn string(&mut self, string: &[u8]) {
        self.number(string.len() as u64);
        self.octets.extend_from_slice(string);
    }

    /// 0 for none, else one more than the length.
    fn optional(&mut self, string: Option<&[u8]>) {
        match string {
            None => self.number(0),
            Some(string) => {
                self.number(string.len() as u64 + 1);
                self.octets.extend_from_slice(string);
            }
        }
    }

    /// 0 for none, then the places of `WORDS`, then lengths.
    fn word(&mut self, word: Option<&[u8]>) {
        let Some(word) = word else { return self.number(0) };
        match WORDS.iter().position(|known| *known == word) {
            Some(place) => self.number(place as u64 + 1),
            None => {
                self.number(word.len() as u64 + WORDS.len() as u64 + 1);
                self.octets.extend_from_slice(word);
            }
        }
    }

    fn summary(&mut self, summary: &Summary, base: u64) {
        self.envelope(&summary.envelope);
        self.part(&summary.root, base);
    }

    fn envelope(&mut self, envelope: &Envelope) {
        for text in [&envelope.date, &envelope.subject, &envelope.in_reply_to, &envelope.message_id] {
            self.optional(text.as_deref());
        }
        let Envelope { from, sender, reply_to, to, cc, bcc, .. } = envelope;
        for list in [from, sender, reply_to, to, cc, bcc] {
            self.number(list.len() as u64);
            for address in list {
                self.optional(address.name.as_deref());
                self.optional(address.mailbox.as_deref());
                self.optional(address.host.as_deref());
            }
        }
    }

    fn part(&mut self, part: &Part, base: u64) {
        self.offset(part.header.start, base);
        self.offset(part.header.end, part.header.start);
        self.offset(part.body.start, part.header.end);
        self.offset(part.body.end, part.body.start);
        self.number(part.lines);
        self.word(Some(&part.media));
        self.word(Some(&part.subtype));
        self.parameters(&part.parameters);
        self.word(part.encoding.as_deref());
        for text in [&part.id, &part.description, &part.md5, &part.location] {
            self.optional(text.as_deref());
        }
        self.word(part.disposition.as_ref().map(|disposition| disposition.kind.as_slice()));
        if let Some(disposition) = &part.disposition {
            self.parameters(&disposition.parameters);
        }
        self.number(part.language.len() as u64);
        part.language.iter().for_each(|language| self.string(language));
        match &part.content {
            Content::Leaf => self.octets.push(LEAF),
            Content::Multipart(parts) => {
                self.octets.push(MULTIPART);
                self.number(parts.len() as u64);
                // Each part is found from where the one before it ends.
                let mut base = part.body.start;
                for inner in parts {
                    self.part(inner, base);
                    base = inner.body.end;
                }
            }
            Content::Message(inner) => {
                self.octets.push(MESSAGE);
                self.summary(inner, part.body.start);
            }
        }
    }

    fn parameters(&mut self, parameters: &[(Vec<u8>, Vec<u8>)]) {
        self.number(parameters.len() as u64);
        for (name, value) in parameters {
            self.word(Some(name));
            self.word(Some(value));
        }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    /// Where the part that contains the next one ends.
    end: u64,
    depth: usize,
}

impl Reader<'_> {
    fn octet(&mut self) -> Option<u8> {
        let (&octet, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(octet)
    }

    /// The shortest form only, so that one summary has one stored form.
    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for place in 0..10 {
            let octet = self.octet()?;
            let bits = u64::from(octet & 0x7f);
            if place == 9 && bits > 1 {
                return None;
            }
            number |= bits << (7 * place);
            if octet < 0x80 {
                return (octet != 0 || place == 0).then_some(number);
            }
        }
        None
    }

    fn offset(&mut self, base: u64) -> Option<u64> {
        let number = self.number()?;
        let difference = (number >> 1).cast_signed() ^ -(number & 1).cast_signed();
        Some(base.wrapping_add(difference.cast_unsigned()))
    }

    /// How many things follow, each of which takes at least `least` octets.
    fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.rest.len() / least).then_some(count)
    }

    fn octets(&mut self, length: u64) -> Option<Vec<u8>> {
        let (octets, rest) = self.rest.split_at_checked(usize::try_from(length).ok()?)?;
        self.rest = rest;
        Some(octets.to_vec())
    }

    fn string(&mut self) -> Option<Vec<u8>> {
        let length = self.number()?;
        self.octets(length)
    }

    fn optional(&mut self) -> Option<Option<Vec<u8>>> {
        match self.number()? {
            0 => Some(None),
            length => self.octets(length - 1).map(Some),
        }
    }

    fn optional_word(&mut self) -> Option<Option<Vec<u8>>> {
        let number = self.number()?;
        let Some(place) = number.checked_sub(1) else { return Some(None) };
        match WORDS.get(usize::try_from(place).ok()?) {
            Some(word) => Some(Some(word.to_vec())),
            None => {
                let word = self.octets(place - WORDS.len() as u64)?;
                // A known word has a shorter form.
                (!WORDS.contains(&word.as_slice())).then_some(Some(word))
            }
        }
    }

    fn word(&mut self) -> Option<Vec<u8>> {
        self.optional_word()?
    }

    fn summary(&mut self, base: u64) -> Option<Summary> {
        Some(Summary { envelope: self.envelope()?, root: self.part(base)? })
    }

    fn envelope(&mut self) -> Option<Envelope> {
        Some(Envelope {
            date: self.optional()?,
            subject: self.optional()?,
            in_reply_to: self.optional()?,
            message_id: self.optional()?,
            from: self.addresses()?,
            sender: self.addresses()?,
            reply_to: self.addresses()?,
            to: self.addresses()?,
            cc: self.addresses()?,
            bcc: self.addresses()?,
        })
    }

    fn addresses(&mut self) -> Option<Vec<EnvelopeAddress>> {
        let count = self.count(3)?;
        let address = |_| {
            let (name, mailbox, host) = (self.optional()?, self.optional()?, self.optional()?);
            Some(EnvelopeAddress { name, mailbox, host })
        };
        (0..count).map(address).collect()
    }

    fn part(&mut self, base: u64) -> Option<Part> {
        // The depth of what is stored bounds that of these calls.
        if self.depth >= DEPTH_MAX {
            return None;
        }
        let header = self.range(base)?;
        let body = self.range(header.end)?;
        if header.start < base || body.start < header.end || body.end > self.end {
            return None;
        }
        let mut part = Part {
            header,
            body,
            lines: self.number()?,
            media: self.word()?,
            subtype: self.word()?,
            parameters: self.parameters()?,
            encoding: self.optional_word()?,
            id: self.optional()?,
            description: self.optional()?,
            md5: self.optional()?,
            location: self.optional()?,
            disposition: self.disposition()?,
            language: self.languages()?,
            content: Content::Leaf,
        };
        part.content = self.content(&part.body)?;
        Some(part)
    }

    fn range(&mut self, base: u64) -> Option<Range<u64>> {
        let start = self.offset(base)?;
        let end = self.offset(start)?;
        (start <= end).then_some(start..end)
    }

    fn content(&mut self, body: &Range<u64>) -> Option<Content> {
        let outer = std::mem::replace(&mut self.end, body.end);
        self.depth += 1;
        let content = match self.octet()? {
            LEAF => Content::Leaf,
            MULTIPART => Content::Multipart(self.parts(body.start)?),
            MESSAGE => Content::Message(Box::new(self.summary(body.start)?)),
            _ => return None,
        };
        self.depth -= 1;
        self.end = outer;
        Some(content)
    }

    fn parts(&mut self, mut base: u64) -> Option<Vec<Part>> {
        /// Octets of a part in which everything is absent or empty.
        const LEAST: usize = 16;
        let count = self.count(LEAST)?;
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            let part = self.part(base)?;
            base = part.body.end;
            parts.push(part);
        }
        (!parts.is_empty()).then_some(parts)
    }

    fn parameters(&mut self) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let count = self.count(2)?;
        (0..count).map(|_| Some((self.word()?, self.word()?))).collect()
    }

    fn disposition(&mut self) -> Option<Option<Disposition>> {
        let Some(kind) = self.optional_word()? else { return Some(None) };
        Some(Some(Disposition { kind, parameters: self.parameters()? }))
    }

    fn languages(&mut self) -> Option<Vec<Vec<u8>>> {
        let count = self.count(1)?;
        (0..count).map(|_| self.string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Indexer;

    fn index(message: &str) -> Summary {
        let mut indexer = Indexer::new();
        indexer.push(message.as_bytes());
        indexer.finish()
    }

    /// What is stored stays readable: if this fails, `VERSION` has to change.
    #[test]
    fn the_stored_form() {
        let summary = index(
            "Subject: s\r\nFrom: N <m@h>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\
             Content-Type: x/y\r\nContent-Disposition: inline\r\nContent-Language: en\r\n\r\nz\r\n--b--\r\n",
        );
        let mut wanted = vec![VERSION, 0, 2, b's', 0, 0, 1, 2, b'N', 2, b'm', 2, b'h', 0, 0, 0, 0, 0];
        // Ranges, lines, media and subtype, parameters, encoding, texts, disposition, languages.
        wanted.extend([0, 144, 1, 0, 174, 1, 7, 4, 5, 1, 23, 32, b'b', 0, 0, 0, 0, 0, 0, 0, MULTIPART, 1]);
        wanted.extend([
            10, 144, 1, 0, 2, 1, 32, b'x', 32, b'y', 0, 0, 0, 0, 0, 0, 27, 0, 1, 2, b'e', b'n', LEAF,
        ]);
        let stored = summary.encode();
        assert_eq!(stored, wanted);
        assert_eq!(Summary::decode(&stored), Some(summary));
    }

    #[test]
    fn other_octets_are_refused() {
        let stored = index("Subject: s\r\n\r\nbody").encode();
        assert!(Summary::decode(&stored).is_some());
        for cut in 0..stored.len() {
            assert_eq!(Summary::decode(&stored[..cut]), None, "{cut}");
        }
        let mut longer = stored.clone();
        longer.push(0);
        assert_eq!(Summary::decode(&longer), None);
        let mut newer = stored;
        newer[0] = VERSION + 1;
        assert_eq!(Summary::decode(&newer), None);
    }

    /// Counts that promise more than there is, and depth that would exhaust the stack.
    #[test]
    fn hostile_octets_cost_nothing() {
        let mut counts = vec![VERSION, 0, 0, 0, 0];
        counts.extend([0xff, 0xff, 0xff, 0xff, 0x0f]);
        assert_eq!(Summary::decode(&counts), None);
        let part = [0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        let nested = |levels: usize| {
            let mut stored = vec![VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            (1..levels).for_each(|_| stored.extend(part.iter().chain(&[MULTIPART, 1])));
            stored.extend(part.iter().chain(&[LEAF]));
            Summary::decode(&stored)
        };
        assert!(nested(DEPTH_MAX).is_some());
        assert_eq!(nested(DEPTH_MAX + 1), None);
        assert_eq!(nested(1_000_000), None);
    }

    #[test]
    fn numbers_and_offsets_of_any_size() {
        for (number, base) in
            [(0, 0), (127, 0), (128, 5), (5, 128), (u64::MAX, 0), (0, u64::MAX), (u64::MAX / 2, 7)]
        {
            let mut writer = Writer { octets: Vec::new() };
            writer.number(number);
            writer.offset(number, base);
            let mut reader = Reader { rest: &writer.octets, end: 0, depth: 0 };
            assert_eq!((reader.number(), reader.offset(base)), (Some(number), Some(number)));
            assert!(reader.rest.is_empty());
        }
        for bad in
            [&[0x80, 0][..], &[0xff; 9], &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2], &[]]
        {
            assert_eq!(Reader { rest: bad, end: 0, depth: 0 }.number(), None);
        }
    }
}
