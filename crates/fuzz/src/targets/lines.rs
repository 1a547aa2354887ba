//! The line buffer, against a plain reading of what it promises.

use proto::line::{Endings, Line, Lines};

use super::cut::Cut;
use crate::{Target, mark, seeds};

/// The target.
pub const TARGET: Target = Target {
    name: "lines",
    run: lines,
    seeds: || {
        let mut all = vec![b"a\r\nb\nc\rd\r\n\r\n".to_vec(), b"\n".to_vec(), b"\r".to_vec(), vec![b'x'; 80]];
        all.extend(seeds::transcripts("smtp"));
        all
    },
    words: &["\r\n", "\r", "\n", "\r\r\n"],
    must_reach: &["whole", "too long", "bare"],
};

const LIMITS: [usize; 5] = [0, 1, 7, 64, 1000];

/// The first octet chooses limit and policy, the rest is cut into lines.
pub fn lines(data: &[u8]) {
    let (choice, data) = data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest));
    let limit = LIMITS[choice % LIMITS.len()];
    let endings = if choice & 0x80 == 0 { Endings::Strict } else { Endings::Tolerant };
    let expected = plainly(data, limit, endings);
    for cut in [Cut::Whole, Cut::other(data)] {
        let shown = format!("{endings:?} {limit} {cut:?}");
        let mut lines = Lines::new(limit, endings);
        let mut found = Vec::new();
        for chunk in cut.chunks(data) {
            lines.push(chunk);
            while let Some(line) = lines.next_line() {
                found.push(line);
            }
            assert!(lines.len() <= limit + 1, "{shown}: {} octets are held", lines.len());
        }
        assert_eq!(found, expected, "{shown}");
    }
    for line in expected {
        mark::reached(match line {
            Line::Whole(_) => "whole",
            Line::TooLong => "too long",
            Line::Bare(_) => "bare",
        });
    }
}

/// The same in a way that is slow and plain: from the start of a line look for its end.
fn plainly(data: &[u8], limit: usize, endings: Endings) -> Vec<Line> {
    let mut found = Vec::new();
    let mut rest = data;
    loop {
        let ends = |at: usize| match endings {
            Endings::Strict => rest[at..].starts_with(b"\r\n").then_some(2),
            Endings::Tolerant if rest[at..].starts_with(b"\r\n") => Some(2),
            Endings::Tolerant => (rest[at] == b'\n').then_some(1),
        };
        let bare = |at: usize| endings == Endings::Strict && matches!(rest[at], b'\r' | b'\n');
        // A last CR may still become an ending.
        let whole = if rest.last() == Some(&b'\r') { rest.len() - 1 } else { rest.len() };
        let Some(at) = (0..whole).find(|at| ends(*at).is_some() || bare(*at)) else {
            if whole > limit {
                found.push(Line::TooLong);
            }
            return found;
        };
        let Some(length) = ends(at).filter(|_| at <= limit) else {
            if at <= limit {
                found.push(Line::Bare(rest[at]));
                rest = &rest[at + 1..];
                continue;
            }
            found.push(Line::TooLong);
            let Some(end) = (limit..rest.len()).find(|at| ends(*at).is_some()) else { return found };
            rest = &rest[end + ends(end).unwrap_or(0)..];
            continue;
        };
        found.push(Line::Whole(rest[..at].to_vec().into()));
        rest = &rest[at + length..];
    }
}
