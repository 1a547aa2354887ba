//! LIST patterns: `*` is anything, `%` anything within one level. RFC 3501 §6.3.8.
//!
//! What never lives here: attributes of mailboxes.
//!
//! A pattern is a small automaton with one bit for each of its elements, run over the name once. So a hundred stars
//! cost what one costs, and nobody can buy time with a clever pattern.

use std::collections::HashMap;

/// A pattern ready to be matched.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// For each character of the pattern, the elements that it is.
    literals: HashMap<char, Vec<u64>>,
    /// Elements that are `*` or `%`.
    wild: Vec<u64>,
    /// Elements that are `*`.
    star: Vec<u64>,
    /// The bit past the last element.
    end: usize,
    /// INBOX is meant in any case.
    inbox: bool,
    /// Used again for each name.
    words: usize,
}

const INBOX: &str = "INBOX";

impl Pattern {
    /// The reference and the pattern are one text here: there is one namespace, without a prefix.
    pub(crate) fn new(reference: &str, pattern: &str) -> Pattern {
        let elements = elements(reference.chars().chain(pattern.chars()));
        let words = elements.len() / 64 + 1;
        let mut made = Pattern {
            literals: HashMap::new(),
            wild: vec![0; words],
            star: vec![0; words],
            end: elements.len(),
            inbox: false,
            words,
        };
        for (i, element) in elements.iter().enumerate() {
            let (word, bit) = (i / 64, 1 << (i % 64));
            match element {
                '*' => {
                    made.wild[word] |= bit;
                    made.star[word] |= bit;
                }
                '%' => made.wild[word] |= bit,
                other => made.literals.entry(*other).or_insert_with(|| vec![0; words])[word] |= bit,
            }
        }
        // RFC 3501 §5.1: INBOX is one name in every case.
        let upper: String = elements.iter().map(char::to_ascii_uppercase).collect();
        made.inbox = if upper.chars().eq(elements.iter().copied()) {
            made.run(INBOX)
        } else {
            Pattern::new("", &upper).inbox
        };
        made
    }

    /// Whether this name is meant.
    pub(crate) fn matches(&self, name: &str) -> bool {
        if name == INBOX { self.inbox } else { self.run(name) }
    }

    fn run(&self, name: &str) -> bool {
        let mut alive = vec![0_u64; self.words];
        alive[0] = 1;
        self.pass_wild(&mut alive);
        for character in name.chars() {
            let stay = if character == '/' { &self.star } else { &self.wild };
            let literal = self.literals.get(&character);
            let mut carry = 0;
            let mut any = 0;
            for (i, word) in alive.iter_mut().enumerate() {
                let step = *word & literal.map_or(0, |bits| bits[i]);
                *word = (*word & stay[i]) | step << 1 | carry;
                carry = step >> 63;
                any |= *word;
            }
            if any == 0 {
                return false;
            }
            self.pass_wild(&mut alive);
        }
        alive[self.end / 64] >> (self.end % 64) & 1 == 1
    }

    /// A wildcard may stand for nothing. No two are neighbours, so one step is enough.
    fn pass_wild(&self, alive: &mut [u64]) {
        let mut carry = 0;
        for (word, wild) in alive.iter_mut().zip(&self.wild) {
            let step = *word & wild;
            *word |= step << 1 | carry;
            carry = step >> 63;
        }
    }
}

/// Neighbouring wildcards are one: `*` if any of them is.
fn elements(pattern: impl Iterator<Item = char>) -> Vec<char> {
    let mut elements: Vec<char> = Vec::new();
    for character in pattern {
        match (elements.last_mut(), character) {
            (Some(last @ ('*' | '%')), '*') => *last = '*',
            (Some('*' | '%'), '%') => {}
            _ => elements.push(character),
        }
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new("", pattern).matches(name)
    }

    /// RFC 3501 §6.3.8
    #[test]
    fn wildcards_mean_what_they_should() {
        for (pattern, name, meant) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a/%", "a/", true),
            ("a/%", "a/b/c", false),
            ("a/*", "a/b/c", true),
            ("a*", "a", true),
            ("%/%", "a/b", true),
            ("*%", "a/b", true),
            ("%*%", "a/b", true),
            ("a%c*e", "abc/de", true),
            ("a%c*e", "a/c/de", false),
            ("", "a", false),
            ("a", "a", true),
            ("a", "ab", false),
            ("ab", "a", false),
            ("b\u{fc}cher/%", "b\u{fc}cher/\u{e4}", true),
        ] {
            assert_eq!(matches(pattern, name), meant, "{pattern} {name}");
        }
    }

    #[test]
    fn inbox_is_meant_in_any_case() {
        for pattern in ["inbox", "INBOX", "In%", "*x", "i*X", "%"] {
            assert!(matches(pattern, "INBOX"), "{pattern}");
        }
        assert!(!matches("inbox/a", "INBOX/a") && matches("INBOX/a", "INBOX/a"));
        assert!(!matches("archive", "ARCHIVE"));
        assert!(Pattern::new("IN", "box").matches("INBOX"));
    }

    /// The plain recursive definition, for short texts.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                plainly(rest, name) || (!name.is_empty() && plainly(pattern, &name[1..]))
            }
            ([b'%', rest @ ..], _) => {
                plainly(rest, name)
                    || (name.first().is_some_and(|c| *c != b'/') && plainly(pattern, &name[1..]))
            }
            ([a, rest @ ..], [b, after @ ..]) => a == b && plainly(rest, after),
            _ => false,
        }
    }

    #[test]
    fn all_short_patterns_agree_with_the_definition() {
        let texts = |letters: &'static [u8], most: u32| {
            let base = letters.len();
            (0..=most).flat_map(move |length| {
                (0..base.pow(length)).map(move |mut n| {
                    let mut text = String::new();
                    for _ in 0..length {
                        text.push(char::from(letters[n % base]));
                        n /= base;
                    }
                    text
                })
            })
        };
        let names: Vec<String> = texts(b"ab/", 4).collect();
        for pattern in texts(b"a/*%", 5) {
            let made = Pattern::new("", &pattern);
            for name in &names {
                assert_eq!(
                    made.matches(name),
                    plainly(pattern.as_bytes(), name.as_bytes()),
                    "{pattern} {name}"
                );
            }
        }
    }

    #[test]
    fn long_patterns_cross_word_borders() {
        let name = "x".repeat(200);
        assert!(matches(&name, &name));
        assert!(matches(&format!("{}*", "x".repeat(63)), &name));
        assert!(matches(&format!("{}%{}", "x".repeat(64), "x".repeat(100)), &name));
        assert!(!matches(&format!("{}%y", "x".repeat(127)), &name));
    }

    /// A hundred stars over a deep name: exponential for a naive matcher, nothing here.
    #[test]
    fn a_hundred_stars_are_cheap() {
        let pattern = "*a/%".repeat(100) + "b";
        let name = "a/".repeat(500);
        let made = Pattern::new("", &pattern);
        for _ in 0..200 {
            assert!(!made.matches(&name));
        }
    }
}
