//! Which lines separate the parts of a multipart. RFC 2046 §5.1.1.

/// How a line agrees with a boundary; later is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    /// The boundary has this many octets, and the line goes on after it.
    Prefix(usize),
    /// Nothing but blanks follows the boundary or its closing dashes.
    Exact,
}

/// Which boundary a line shows, by its index, and whether the line closes that multipart. `boundaries` come from
/// the innermost outwards. `head` is the line without its line end; `cut` if it goes on after that.
///
/// A line that merely begins with a boundary is a delimiter by the RFC. Boundaries that begin with one another are
/// told apart by preferring a whole line, then the longest boundary, then the innermost part.
pub fn find<'a>(
    head: &[u8],
    cut: bool,
    boundaries: impl Iterator<Item = (usize, &'a [u8])>,
) -> Option<(usize, bool)> {
    let line = head.strip_prefix(b"--")?;
    let mut best: Option<(Fit, usize, bool)> = None;
    for (index, boundary) in boundaries {
        let Some(rest) = line.strip_prefix(boundary) else { continue };
        let (closes, rest) = match rest.strip_prefix(b"--") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let fit = match !cut && rest.trim_ascii().is_empty() {
            true => Fit::Exact,
            false => Fit::Prefix(boundary.len()),
        };
        if best.is_none_or(|(so_far, _, _)| so_far < fit) {
            best = Some((fit, index, closes));
        }
        if fit == Fit::Exact {
            break;
        }
    }
    best.map(|(_, index, closes)| (index, closes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_line_wins_then_the_longest_then_the_innermost() {
        // From the innermost outwards.
        let boundaries: [&[u8]; 4] = [b"ab", b"a", b"a--", b"ab"];
        let found = |line: &str| find(line.as_bytes(), false, boundaries.iter().copied().enumerate());
        for (line, wanted) in [
            ("--ab", Some((0, false))),
            ("--ab--", Some((0, true))),
            ("--ab \t ", Some((0, false))),
            ("--ab-- ", Some((0, true))),
            ("--a", Some((1, false))),
            ("--a--", Some((1, true))),
            ("--a----", Some((2, true))),
            ("--abc", Some((0, false))),
            ("--ac", Some((1, false))),
            ("--a--c", Some((2, false))),
            ("--b", None),
            ("-ab", None),
            ("--", None),
            ("", None),
            ("a", None),
        ] {
            assert_eq!(found(line), wanted, "{line}");
        }
    }
}
