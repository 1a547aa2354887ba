//! What an IMAP server may write, read as a strict client reads it. RFC 9051 §9 response.

/// A response: its first word, and its text with every literal replaced by `~`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// `*`, `+` or a tag.
    pub tag: String,
    /// The rest of it.
    pub text: String,
}

/// Takes apart what was written.
///
/// # Panics
/// If it is no sequence of whole responses.
pub fn responses(mut rest: &[u8]) -> Vec<Response> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (text, after) = one(rest);
        let (tag, text) = text.split_once(' ').unwrap_or_else(|| panic!("no word after the tag: {text}"));
        assert!(!tag.is_empty(), "no tag: {text}");
        assert!(!text.is_empty() || tag == "+", "nothing after the tag {tag}");
        found.push(Response { tag: tag.to_owned(), text: text.to_owned() });
        rest = after;
    }
    found
}

/// One response, and what follows it.
fn one(mut rest: &[u8]) -> (String, &[u8]) {
    let mut text = String::new();
    loop {
        let end = rest.iter().position(|octet| *octet == b'\n').unwrap_or_else(|| {
            panic!("a response without end: {}", rest.escape_ascii());
        });
        let line = rest[..end].strip_suffix(b"\r").unwrap_or_else(|| panic!("LF without CR"));
        // TEXT-CHAR is anything of US-ASCII but NUL, CR and LF.
        let text_char = |octet: &u8| matches!(octet, 1..=0x7f) && *octet != b'\r';
        assert!(line.iter().all(text_char), "not text: {}", line.escape_ascii());
        let line = String::from_utf8_lossy(line);
        rest = &rest[end + 1..];
        let Some((before, size)) = literal(&line) else {
            text.push_str(&line);
            data_is_balanced(&text);
            return (text, rest);
        };
        assert!(size <= rest.len(), "a literal of {size} has {} octets: {line}", rest.len());
        assert!(!rest[..size].contains(&0), "NUL in a literal");
        text.push_str(before);
        text.push('~');
        rest = &rest[size..];
    }
}

fn literal(line: &str) -> Option<(&str, usize)> {
    let (before, size) = line.strip_suffix('}')?.rsplit_once('{')?;
    Some((before, size.parse().ok()?))
}

/// In responses that are data and not words for people, quotes and parentheses are closed.
fn data_is_balanced(text: &str) {
    let Some(data) = text.strip_prefix("* ") else { return };
    let word = data.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == ' ');
    if !["FETCH ", "LIST ", "LSUB ", "STATUS ", "ESEARCH", "FLAGS ", "NAMESPACE ", "ID "]
        .iter()
        .any(|kind| word.starts_with(kind))
    {
        return;
    }
    let mut depth = 0_i32;
    let mut quoted = false;
    let mut letters = data.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => quoted = !quoted,
            '\\' if quoted => assert!(matches!(letters.next(), Some('"' | '\\')), "a wrong escape: {text}"),
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        assert!(depth >= 0, "closed before opened: {text}");
    }
    assert!(depth == 0 && !quoted, "left open: {text}");
    assert!(!data.contains("  ") || quoted_blanks(data), "two spaces: {text}");
}

/// Two spaces may stand within quotes alone.
fn quoted_blanks(data: &str) -> bool {
    let mut quoted = false;
    let mut before = 'x';
    for letter in data.chars() {
        if letter == '"' && before != '\\' {
            quoted = !quoted;
        }
        if letter == ' ' && before == ' ' && !quoted {
            return false;
        }
        before = if before == '\\' && letter == '\\' { 'x' } else { letter };
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_output_is_taken_apart() {
        let found = responses(b"* 1 FETCH (BODY[] {4}\r\n(\r\n\" FLAGS ())\r\n+ \r\na OK done (\r\n");
        let texts: Vec<&str> = found.iter().map(|response| response.text.as_str()).collect();
        assert_eq!(texts, ["1 FETCH (BODY[] ~ FLAGS ())", "", "OK done ("]);
    }

    #[test]
    fn bad_output_is_noticed() {
        for bad in [
            &b"* OK\n"[..],
            b"* OK",
            b"x\r\n",
            b" x\r\n",
            b"* 1 FETCH (\r\n",
            b"* 1 FETCH (X \"))\r\n",
            b"* 1 FETCH (X {9}\r\n)\r\n",
            b"* LIST () \"\\/\" x\r\n",
            b"* 1 FETCH (X  Y)\r\n",
            b"* OK \xff\r\n",
        ] {
            let bad = bad.to_vec();
            assert!(std::panic::catch_unwind(|| responses(&bad)).is_err(), "{}", bad.escape_ascii());
        }
    }
}
