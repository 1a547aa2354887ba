//! Mail made up for the benches: an mbox file of messages as varied as a listing needs, the same for the same seed.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// A sequence of numbers that looks like chance and is the same every time. Good enough to vary mail with.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The sequence of `seed`.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed)
    }

    /// The next number below `end`, which is above zero.
    pub fn below(&mut self, end: usize) -> usize {
        // Knuth's multiplier for 64 bits; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }

    fn one_of<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.below(words.len())]
    }
}

const NAMES: &[&str] =
    &["Anna Berg", "Ben Okafor", "=?utf-8?q?Chlo=C3=A9_Martin?=", "\"Dr. D. Ito\"", "Eva", "Farid Nasser"];
const HOSTS: &[&str] = &["example.org", "mail.example.net", "lists.example.com", "example.test"];
const WORDS: &[&str] = &[
    "minutes",
    "of",
    "the",
    "harbour",
    "meeting",
    "invoice",
    "for",
    "June",
    "two",
    "boats",
    "late",
    "again",
    "lunch",
    "on",
    "Friday",
    "=?utf-8?b?R3LDvMOfZQ==?=",
    "please",
    "read",
    "before",
    "noon",
];
const MONTHS: &[&str] = &["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Writes `messages` messages, a few KB each: half plain text, a third with an HTML alternative, the rest with a file
/// attached. Its size in octets.
pub fn write(path: &Path, messages: usize, seed: u64) -> Result<u64> {
    let mut numbers = Numbers::new(seed);
    let mut out = BufWriter::new(File::create(path)?);
    for n in 0..messages {
        message(&mut out, n, &mut numbers)?;
    }
    out.flush()?;
    Ok(out.get_ref().metadata()?.len())
}

fn message(out: &mut impl Write, n: usize, numbers: &mut Numbers) -> Result<()> {
    let day = 1 + numbers.below(28);
    let month = numbers.one_of(MONTHS);
    let (hour, minute, second) = (numbers.below(24), numbers.below(60), numbers.below(60));
    writeln!(out, "From sender@example.org Mon {month} {day:2} {hour:02}:{minute:02}:{second:02} 2025")?;
    for hop in 0..1 + numbers.below(4) {
        writeln!(out, "Received: from relay{hop}.{} by mx.example.test with ESMTPS", numbers.one_of(HOSTS))?;
        writeln!(out, "\tid {n:08x}{hop}; {day} {month} 2025 {hour:02}:{minute:02}:{second:02} +0000")?;
    }
    writeln!(out, "Date: {day} {month} 2025 {hour:02}:{minute:02}:{second:02} +0000")?;
    writeln!(out, "Message-ID: <{n}.{}@example.org>", numbers.below(1 << 30))?;
    for (field, most) in [("From", 1), ("To", 3), ("Cc", 2)] {
        let count = if most == 1 { 1 } else { numbers.below(most + 1) };
        let people: Vec<String> = (0..count).map(|_| person(numbers)).collect();
        if !people.is_empty() {
            writeln!(out, "{field}: {}", people.join(",\n\t"))?;
        }
    }
    writeln!(out, "Subject: {}", words(numbers, 7))?;
    if n > 0 && numbers.below(3) == 0 {
        writeln!(out, "In-Reply-To: <{}@example.org>", numbers.below(n))?;
    }
    writeln!(out, "MIME-Version: 1.0")?;
    body(out, n, numbers)?;
    writeln!(out)
}

fn body(out: &mut impl Write, n: usize, numbers: &mut Numbers) -> Result<()> {
    let edge = format!("edge-{n}");
    match numbers.below(6) {
        0..3 => {
            writeln!(out, "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n")?;
            text(out, numbers, 40)
        }
        3..5 => {
            writeln!(out, "Content-Type: multipart/alternative; boundary=\"{edge}\"\n\n--{edge}")?;
            writeln!(out, "Content-Type: text/plain; charset=utf-8\n")?;
            text(out, numbers, 20)?;
            writeln!(out, "--{edge}\nContent-Type: text/html; charset=utf-8\n\n<html><body><p>")?;
            text(out, numbers, 20)?;
            writeln!(out, "</p></body></html>\n--{edge}--")
        }
        _ => {
            writeln!(out, "Content-Type: multipart/mixed; boundary=\"{edge}\"\n\n--{edge}")?;
            writeln!(out, "Content-Type: text/plain; charset=us-ascii\n")?;
            text(out, numbers, 10)?;
            writeln!(out, "--{edge}\nContent-Type: application/pdf; name=\"chart-{n}.pdf\"")?;
            writeln!(out, "Content-Disposition: attachment; filename=\"chart-{n}.pdf\"")?;
            writeln!(out, "Content-Transfer-Encoding: base64\n")?;
            for _ in 0..20 + numbers.below(100) {
                let line: String = (0..19).map(|_| format!("{:04x}", numbers.below(1 << 16))).collect();
                writeln!(out, "{line}")?;
            }
            writeln!(out, "--{edge}--")
        }
    }
}

fn person(numbers: &mut Numbers) -> String {
    format!("{} <p{}@{}>", numbers.one_of(NAMES), numbers.below(300), numbers.one_of(HOSTS))
}

fn words(numbers: &mut Numbers, most: usize) -> String {
    let count = 1 + numbers.below(most);
    (0..count).map(|_| numbers.one_of(WORDS)).collect::<Vec<_>>().join(" ")
}

fn text(out: &mut impl Write, numbers: &mut Numbers, most: usize) -> Result<()> {
    for _ in 0..1 + numbers.below(most) {
        // Indented, so that no line looks like the start of the next message.
        writeln!(out, " {}", words(numbers, 12))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Numbers, message};

    #[test]
    fn every_message_begins_once_and_differs() {
        let mut numbers = Numbers::new(1);
        let mut made = Vec::new();
        for n in 0..200 {
            message(&mut made, n, &mut numbers).unwrap();
        }
        let made = String::from_utf8(made).unwrap();
        assert_eq!(made.lines().filter(|line| line.starts_with("From ")).count(), 200);
        assert!(made.contains("multipart/mixed") && made.contains("multipart/alternative"));
    }
}
