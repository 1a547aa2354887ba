//! Address fields of a header, read as IMAP shows them. RFC 5322 §3.4, §4.4, RFC 9051 §7.5.2.
//!
//! Anything is read as something: the rules for broken lists are those of RFC 7103 §7.1, and an address that
//! lacks a half gets [`MISSING_MAILBOX`] or [`MISSING_DOMAIN`], because NIL would make it a group mark.
//! What never lives here: the addresses of SMTP; those are `Address`.

use crate::EnvelopeAddress;

/// Octets in which a domain literal must close: more than any, and little enough to look for often.
const LITERAL_MAX: usize = 256;

/// Shown where an address has no local part.
pub const MISSING_MAILBOX: &[u8] = b"MISSING_MAILBOX";
/// Shown where an address has no domain.
pub const MISSING_DOMAIN: &[u8] = b"MISSING_DOMAIN";

/// Reads an unfolded value; at most about `most` addresses and group marks.
pub fn parse(value: &[u8], most: usize) -> Vec<EnvelopeAddress> {
    let mut list = List {
        rest: value,
        found: Vec::new(),
        in_group: false,
        comments_broken: false,
        quotes_broken: false,
    };
    while !list.rest.is_empty() && list.found.len() < most {
        list.one();
    }
    list.end_group();
    list.found
}

struct List<'a> {
    rest: &'a [u8],
    found: Vec<EnvelopeAddress>,
    in_group: bool,
    /// A parenthesis that is never closed has been seen.
    comments_broken: bool,
    /// A quote that is never closed has been seen.
    quotes_broken: bool,
}

/// What has been read of one address so far.
#[derive(Default)]
struct Pieces {
    /// All words so far with single spaces where there were blanks: the display name if an angle follows.
    phrase: Vec<u8>,
    /// The last run of words without a blank between: the address if no angle follows.
    run: Vec<u8>,
    /// Where in `phrase` the run begins.
    run_from: usize,
    /// The last `@` of the run that was not quoted.
    at: Option<usize>,
    /// The run is a whole address and a further word has followed.
    closed: bool,
    /// The last comment.
    comment: Vec<u8>,
    /// A blank or comment came after the last word.
    gap: bool,
    /// Quotes or more than one word: a lone phrase is a name rather than a mailbox.
    name_like: bool,
}

impl Pieces {
    /// Adds a word. Around a dot or an at sign blanks do not matter. RFC 5322 §4.4.
    fn word(&mut self, word: &[u8], quoted: bool) {
        let joins = self.run.last().is_some_and(|octet| matches!(octet, b'.' | b'@'))
            || (!quoted && word.first().is_some_and(|octet| matches!(octet, b'.' | b'@')));
        if self.gap && !self.phrase.is_empty() {
            self.phrase.push(b' ');
        }
        if self.gap && !joins {
            if self.at.is_some() {
                self.closed = true;
            } else {
                self.name_like |= !self.run.is_empty();
                self.run.clear();
                self.run_from = self.phrase.len();
            }
        }
        self.gap = false;
        self.name_like |= quoted;
        self.phrase.extend_from_slice(word);
        if self.closed {
            return;
        }
        if word == b"@" && !quoted {
            self.at = Some(self.run.len());
        }
        self.run.extend_from_slice(word);
    }
}

impl<'a> List<'a> {
    /// Reads up to and with the next comma or semicolon, or the end of a group's name.
    fn one(&mut self) {
        let mut pieces = Pieces::default();
        while let [first, rest @ ..] = self.rest {
            match first {
                b',' => {
                    self.rest = rest;
                    break;
                }
                b';' => {
                    self.rest = rest;
                    self.bare(&pieces);
                    self.end_group();
                    return;
                }
                b':' if !self.in_group => {
                    self.rest = rest;
                    self.start_group(&pieces);
                    return;
                }
                b'<' => {
                    self.angle(&pieces);
                    return;
                }
                b' ' | b'\t' => {
                    self.rest = rest;
                    pieces.gap = true;
                }
                b'>' => self.rest = rest,
                b'(' => match self.comment() {
                    Some(comment) => {
                        pieces.comment = comment;
                        pieces.gap = true;
                    }
                    None => pieces.word(self.take(1), false),
                },
                b'"' => {
                    if let Some(word) = self.quoted() {
                        pieces.word(&word, true);
                    }
                }
                b'[' => pieces.word(self.literal(), false),
                b'@' => pieces.word(self.take(1), false),
                _ => pieces.word(self.atom(b" \t,;:<>(\"[@"), false),
            }
        }
        self.bare(&pieces);
    }

    /// An address without angles: `user@domain (Name)`, `user`, or a name alone.
    fn bare(&mut self, pieces: &Pieces) {
        if pieces.phrase.is_empty() {
            return;
        }
        let phrase = pieces.phrase.trim_ascii();
        match pieces.at {
            Some(at) => {
                let (mailbox, host) = (&pieces.run[..at], &pieces.run[at + 1..]);
                let before = pieces.phrase[..pieces.run_from].trim_ascii();
                self.push(first_not_empty(before, &pieces.comment), mailbox, host);
            }
            None if pieces.name_like => self.push(phrase, b"", b""),
            None => self.push(&pieces.comment, &pieces.run, b""),
        }
    }

    /// `<…>` after a display name, and whatever stands between it and the next comma.
    fn angle(&mut self, pieces: &Pieces) {
        // More than one opening angle says no more than one. RFC 7103 §7.1.2.
        while let [b'<' | b' ' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
        let mut inner = Pieces::default();
        let mut comment = pieces.comment.clone();
        // A comma belongs to a source route, or ends an address whose angle is not closed (RFC 7103 §7.1.5).
        let mut route = self.rest.first() == Some(&b'@');
        while let [first, rest @ ..] = self.rest {
            match first {
                b'>' => break,
                b',' | b';' if !route => break,
                b':' if route => {
                    self.rest = rest;
                    route = false;
                    inner = Pieces::default();
                }
                // Blanks inside angles separate nothing.
                b' ' | b'\t' => self.rest = rest,
                b'(' => match self.comment() {
                    Some(found) => comment = found,
                    None => inner.word(self.take(1), false),
                },
                b'"' => {
                    if let Some(word) = self.quoted() {
                        inner.word(&word, true);
                    }
                }
                b'[' => inner.word(self.literal(), false),
                b'@' => inner.word(self.take(1), false),
                _ => inner.word(self.atom(b" \t,;:>(\"[@"), false),
            }
        }
        let after = self.after_angle();
        let name = first_not_empty(pieces.phrase.trim_ascii(), first_not_empty(&after, &comment));
        match inner.at {
            Some(at) => self.push(name, &inner.run[..at], &inner.run[at + 1..]),
            None => self.push(name, &inner.run, b""),
        }
    }

    /// Goes to the next comma, over it; into the end of a group, but not over that. Gives the last comment.
    fn after_angle(&mut self) -> Vec<u8> {
        let mut comment = Vec::new();
        while let [first, rest @ ..] = self.rest {
            match first {
                b',' => {
                    self.rest = rest;
                    break;
                }
                b';' => break,
                // The comma is missing: another address begins.
                b'<' => break,
                b'(' => match self.comment() {
                    Some(found) => comment = found,
                    None => self.rest = rest,
                },
                b'"' => drop(self.quoted()),
                _ => self.rest = rest,
            }
        }
        comment
    }

    fn push(&mut self, name: &[u8], mailbox: &[u8], host: &[u8]) {
        self.found.push(EnvelopeAddress {
            name: (!name.is_empty()).then(|| name.to_vec()),
            mailbox: Some(first_not_empty(mailbox, MISSING_MAILBOX).to_vec()),
            host: Some(first_not_empty(host, MISSING_DOMAIN).to_vec()),
        });
    }

    fn start_group(&mut self, pieces: &Pieces) {
        let name = first_not_empty(pieces.phrase.trim_ascii(), &pieces.comment);
        self.found.push(EnvelopeAddress { name: None, mailbox: Some(name.to_vec()), host: None });
        self.in_group = true;
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            self.found.push(EnvelopeAddress::default());
        }
    }

    /// Octets up to the next of `ends`, at least one.
    fn atom(&mut self, ends: &[u8]) -> &'a [u8] {
        let end =
            self.rest[1..].iter().position(|octet| ends.contains(octet)).map_or(self.rest.len(), |at| at + 1);
        self.take(end)
    }

    /// A comment without its parentheses and backslashes, whose end may be missing: then the parenthesis, and all
    /// after it, are ordinary octets, so that the value is searched only once. RFC 7103 §7.1.4.
    fn comment(&mut self) -> Option<Vec<u8>> {
        if self.comments_broken {
            return None;
        }
        let mut depth = 0_usize;
        let mut comment = Vec::new();
        let mut octets = self.rest[1..].iter().enumerate();
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'\\' => {
                    comment.extend(octets.next().map(|(_, octet)| *octet));
                    continue;
                }
                b'(' => depth += 1,
                b')' if depth == 0 => {
                    self.rest = &self.rest[at + 2..];
                    return Some(comment.trim_ascii().to_vec());
                }
                b')' => depth -= 1,
                _ => {}
            }
            comment.push(*octet);
        }
        self.comments_broken = true;
        None
    }

    /// A quoted string without its quotes and backslashes. Where its end is missing the quote is passed over.
    /// RFC 7103 §7.1.6.
    fn quoted(&mut self) -> Option<Vec<u8>> {
        if !self.quotes_broken {
            let mut word = Vec::new();
            let mut octets = self.rest[1..].iter().enumerate();
            while let Some((at, octet)) = octets.next() {
                match octet {
                    b'"' => {
                        self.rest = &self.rest[at + 2..];
                        return Some(word);
                    }
                    b'\\' => word.extend(octets.next().map(|(_, octet)| *octet)),
                    _ => word.push(*octet),
                }
            }
            self.quotes_broken = true;
        }
        self.take(1);
        None
    }

    /// A domain literal with its brackets, or the bracket alone.
    fn literal(&mut self) -> &'a [u8] {
        let end = self.rest.iter().take(LITERAL_MAX).position(|octet| *octet == b']');
        self.take(end.map_or(1, |at| at + 1))
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

fn first_not_empty<'a>(one: &'a [u8], other: &'a [u8]) -> &'a [u8] {
    if one.is_empty() { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name|mailbox|host`, `-` for none, separated by spaces.
    fn shown(value: &str) -> String {
        let field = |field: &Option<Vec<u8>>| match field {
            Some(octets) => String::from_utf8(octets.clone()).unwrap().replace("MISSING_", "?"),
            None => "-".to_owned(),
        };
        let addresses = parse(value.as_bytes(), 100);
        let shown = addresses.iter().map(|a| [field(&a.name), field(&a.mailbox), field(&a.host)].join("|"));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(cases: &[(&str, &str)]) {
        for (value, wanted) in cases {
            assert_eq!(shown(value), *wanted, "{value}");
        }
    }

    /// RFC 5322 §A.1, §A.5, §A.6.1.
    #[test]
    fn examples_of_rfc5322() {
        check(&[
            ("John Doe <jdoe@machine.example>", "John Doe|jdoe|machine.example"),
            ("\"Joe Q. Public\" <john.q.public@example.com>", "Joe Q. Public|john.q.public|example.com"),
            (
                "Mary Smith <mary@x.test>, jdoe@example.org, Who? <one@y.test>",
                "Mary Smith|mary|x.test -|jdoe|example.org Who?|one|y.test",
            ),
            (
                "<boss@nil.test>, \"Giant; \\\"Big\\\" Box\" <sysservices@example.net>",
                "-|boss|nil.test Giant; \"Big\" Box|sysservices|example.net",
            ),
            (
                "A Group:Ed Jones <c@a.test>,joe@where.test,John <jdoe@one.test>;",
                "-|A Group|- Ed Jones|c|a.test -|joe|where.test John|jdoe|one.test -|-|-",
            ),
            ("Undisclosed recipients:;", "-|Undisclosed recipients|- -|-|-"),
            (
                "(Empty list)(start)Hidden recipients  :(nobody(that I know))  ;",
                "-|Hidden recipients|- -|-|-",
            ),
            ("Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|pete|silly.test"),
            (
                "A Group(Some people)  :Chris Jones <c@(Chris's host.)public.example>,  joe@example.org,\
                 \tJohn <jdoe@one.test> (my dear friend); (the end of the group)",
                "-|A Group|- Chris Jones|c|public.example -|joe|example.org John|jdoe|one.test -|-|-",
            ),
            (
                "Mary Smith <@node.test:mary@example.net>, , jdoe@test  . example",
                "Mary Smith|mary|example.net -|jdoe|test.example",
            ),
            ("<@a.test,@b.test:c@d.test>, e@f.test", "-|c|d.test -|e|f.test"),
            ("Joe Q. Public <john . q . public @ example . com>", "Joe Q. Public|john.q.public|example.com"),
        ]);
    }

    /// RFC 7103 §7.1.
    #[test]
    fn broken_lists_of_rfc7103() {
        check(&[
            ("<@example.net:fran@example.com>", "-|fran|example.com"),
            ("<<<user2@example.org>>>", "-|user2|example.org"),
            ("<another@example.net", "-|another|example.net"),
            ("second@example.org>", "-|second|example.org"),
            ("(Testing <fran@example.com>", "(Testing|fran|example.com"),
            ("Testing) <sam@example.com>", "Testing)|sam|example.com"),
            ("<third@example.net, fourth@example.net>", "-|third|example.net -|fourth|example.net"),
            ("\"Joe <joe@example.com>", "Joe|joe|example.com"),
            ("Joe", "-|Joe|?DOMAIN"),
        ]);
    }

    #[test]
    fn names_in_comments_and_other_habits() {
        check(&[
            ("pete@silly.test (Pete (the \\( one))", "Pete (the ( one)|pete|silly.test"),
            ("(first) pete@silly.test (last)", "last|pete|silly.test"),
            ("root (Cron Daemon)", "Cron Daemon|root|?DOMAIN"),
            ("bob@x.test <bob@y.test>", "bob@x.test|bob|y.test"),
            ("John Doe bob@x.test", "John Doe|bob|x.test"),
            ("bob@x.test John", "-|bob|x.test"),
            ("a@b@c", "-|a@b|c"),
            ("\"a@b\"@c", "-|a@b|c"),
            ("\"John Doe\"@c", "-|John Doe|c"),
            ("John Doe", "John Doe|?MAILBOX|?DOMAIN"),
            ("\"John\"", "John|?MAILBOX|?DOMAIN"),
            ("@domain", "-|?MAILBOX|domain"),
            ("Name <>", "Name|?MAILBOX|?DOMAIN"),
            ("Name <local>", "Name|local|?DOMAIN"),
            ("\"\" <a@b>", "-|a|b"),
            ("a@b; c@d", "-|a|b -|c|d"),
            ("<a@b> <c@d> junk, e@f", "-|a|b -|c|d -|e|f"),
            ("a@[IPv6:::1], b@[192.0.2.1]", "-|a|[IPv6:::1] -|b|[192.0.2.1]"),
            ("G: a@b, H: c@d", "-|G|- -|a|b H:|c|d -|-|-"),
            ("G: <a@b>; c@d", "-|G|- -|a|b -|-|- -|c|d"),
            ("G:\"x", "-|G|- -|x|?DOMAIN -|-|-"),
            ("=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?M?= <j@x>", "=?utf-8?q?J=C3=BCrgen?= =?utf-8?q?M?=|j|x"),
            ("Jürgen <jürgen@müller.example>", "Jürgen|jürgen|müller.example"),
            ("", ""),
            (" , ,, (nothing)", ""),
            (":", "-||- -|-|-"),
            (">", ""),
        ]);
    }

    #[test]
    fn a_list_is_cut_at_its_limit_and_groups_are_closed() {
        let many = "g:".to_owned() + &"a@b,".repeat(50);
        let found = parse(many.as_bytes(), 10);
        assert_eq!(found.len(), 11);
        assert_eq!(found.last(), Some(&EnvelopeAddress::default()));
    }

    /// Each of these would be slow, or deep, if anything were searched twice.
    #[test]
    fn hostile_values_take_linear_time() {
        for piece in ["(", "\"", "<", "[", "\\", "(a)", "<@", "@", "a ", "g:", ">", "a@b "] {
            let value = piece.repeat(1_000_000 / piece.len());
            let start = std::time::Instant::now();
            parse(value.as_bytes(), crate::limits::ADDRESSES_MAX);
            assert!(start.elapsed().as_secs() < 2, "{piece}");
        }
        let nested = "(".repeat(100_000) + &")".repeat(100_000) + "a@b";
        assert_eq!(parse(nested.as_bytes(), 10).len(), 1);
    }
}
