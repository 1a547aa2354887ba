//! Making a new input of old ones.

use crate::dice::Dice;

/// Octets of an input at most.
pub const LENGTH_MAX: usize = 32 * 1024;

/// Numbers at which arithmetic breaks.
const NUMBERS: [&str; 18] = [
    "0",
    "1",
    "2",
    "9",
    "10",
    "00000000000000000000001",
    "63",
    "64",
    "127",
    "255",
    "65535",
    "65536",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "99999999999999999999999",
];

/// What ends lines, and what does not.
const ENDS: [&[u8]; 8] = [b"\r\n", b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\r\n", b"\0", b""];

/// What breaks parsers of any kind.
const OCTETS: [&[u8]; 16] = [
    b"\0",
    b"\xff",
    b"\x80",
    b"\xc3\xa9",
    b"\xc3",
    b"\xe2\x82\xac",
    b"\xf0\x9f\x98\x80",
    b"\xed\xa0\x80",
    b"\"",
    b"\\",
    b"(",
    b")",
    b" ",
    b"\t",
    b".",
    b"\r\n.\r\n",
];

/// Makes a mutant of one of `corpus`, with one to six changes.
pub fn mutate(dice: &mut Dice, corpus: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut input = dice.pick(corpus).cloned().unwrap_or_default();
    for _ in 0..=dice.roll(6) {
        change(dice, &mut input, corpus, words);
        input.truncate(LENGTH_MAX);
    }
    input
}

fn change(dice: &mut Dice, input: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[&str]) {
    match dice.roll(17) {
        0 => flip(dice, input),
        1 => {
            let octet = dice.any() as u8;
            put(dice, input, &[octet]);
        }
        2 => remove(dice, input),
        3 => input.truncate(dice.roll(input.len() + 1)),
        4 => copy(dice, input, 1),
        5 if dice.once_in(8) => {
            let times = 1 << dice.roll(12);
            copy(dice, input, times);
        }
        5 | 6 => splice(dice, input, corpus),
        7..=9 => {
            let word = dice.pick(words).map_or(&b" "[..], |word| word.as_bytes());
            put(dice, input, word);
        }
        10 => {
            let octets = dice.pick(&OCTETS).copied().unwrap_or_default();
            put(dice, input, octets);
        }
        11 => number(dice, input),
        12 => line_end(dice, input),
        13 => lines(dice, input),
        14 => case(dice, input),
        15 => {
            let at = dice.roll(input.len() + 1);
            let long = dice.pick(b"a0 (\"\\.<{*\xc3").copied().unwrap_or(b'a');
            let length = 1 << dice.roll(13);
            input.splice(at..at, std::iter::repeat_n(long, length));
        }
        _ => swap_word(dice, input, words),
    }
}

/// A range of at most so many octets, often a short one.
fn range(dice: &mut Dice, input: &[u8]) -> std::ops::Range<usize> {
    let start = dice.roll(input.len() + 1);
    let most = if dice.once_in(4) { input.len() } else { 12 };
    start..(start + dice.roll(most + 1)).min(input.len())
}

fn put(dice: &mut Dice, input: &mut Vec<u8>, octets: &[u8]) {
    let start = dice.roll(input.len() + 1);
    // Half of the time it takes the place of something.
    let end = if dice.once_in(2) { (start + octets.len()).min(input.len()) } else { start };
    input.splice(start..end, octets.iter().copied());
}

fn flip(dice: &mut Dice, input: &mut [u8]) {
    let at = dice.roll(input.len());
    if let Some(octet) = input.get_mut(at) {
        *octet ^= 1 << dice.roll(8);
    }
}

fn remove(dice: &mut Dice, input: &mut Vec<u8>) {
    let range = range(dice, input);
    input.drain(range);
}

/// Puts a piece of the input in again, somewhere.
fn copy(dice: &mut Dice, input: &mut Vec<u8>, times: usize) {
    let piece = input[range(dice, input)].to_vec();
    let times = times.min(LENGTH_MAX / piece.len().max(1));
    let at = dice.roll(input.len() + 1);
    input.splice(at..at, piece.repeat(times));
}

/// The start of this, then the end of another.
fn splice(dice: &mut Dice, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let Some(other) = dice.pick(corpus) else { return };
    if dice.once_in(2) {
        input.truncate(dice.roll(input.len() + 1));
        input.extend_from_slice(&other[dice.roll(other.len() + 1)..]);
    } else {
        let piece = range(dice, other);
        put(dice, input, &other[piece]);
    }
}

/// Another number where there is one.
fn number(dice: &mut Dice, input: &mut Vec<u8>) {
    let from = dice.roll(input.len() + 1);
    let Some(start) = input[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else { return };
    let end =
        input[start..].iter().position(|octet| !octet.is_ascii_digit()).map_or(input.len(), |at| start + at);
    let number = dice.pick(&NUMBERS).copied().unwrap_or_default();
    input.splice(start..end, number.bytes());
}

/// Another line end where there is one.
fn line_end(dice: &mut Dice, input: &mut Vec<u8>) {
    let from = dice.roll(input.len() + 1);
    let Some(at) = input[from..].iter().position(|octet| *octet == b'\n').map(|at| from + at) else { return };
    let start = if at > 0 && input[at - 1] == b'\r' { at - 1 } else { at };
    let end = dice.pick(&ENDS).copied().unwrap_or_default();
    input.splice(start..=at, end.iter().copied());
}

/// Swaps, doubles or drops whole lines.
fn lines(dice: &mut Dice, input: &mut Vec<u8>) {
    let mut lines: Vec<&[u8]> = input.split_inclusive(|octet| *octet == b'\n').collect();
    let (one, other) = (dice.roll(lines.len()), dice.roll(lines.len()));
    if lines.is_empty() {
        return;
    }
    match dice.roll(3) {
        0 => lines.swap(one, other),
        1 => lines.insert(one, lines[other]),
        _ => _ = lines.remove(one),
    }
    *input = lines.concat();
}

fn case(dice: &mut Dice, input: &mut [u8]) {
    let range = range(dice, input);
    let upper = dice.once_in(2);
    let piece = &mut input[range];
    if upper { piece.make_ascii_uppercase() } else { piece.make_ascii_lowercase() }
}

/// A word of the grammar in the place of a word of the input.
fn swap_word(dice: &mut Dice, input: &mut Vec<u8>, words: &[&str]) {
    let from = dice.roll(input.len() + 1);
    let Some(start) = input[from..].iter().position(u8::is_ascii_alphanumeric).map(|at| from + at) else {
        return;
    };
    let end = input[start..]
        .iter()
        .position(|octet| !octet.is_ascii_alphanumeric())
        .map_or(input.len(), |at| start + at);
    let word = dice.pick(words).copied().unwrap_or_default();
    input.splice(start..end, word.bytes());
}
