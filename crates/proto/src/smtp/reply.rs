//! How replies are written. RFC 5321 §4.2, RFC 2034 §4.
//!
//! What never lives here: which reply is given.

use bytes::{BufMut, BytesMut};

use super::ask::Reply;

/// Longest reply line, without CR LF. RFC 5321 §4.5.3.1.5.
const LINE: usize = 510;

impl Reply {
    /// A reply; `text` is one line, or several separated by `\n`.
    pub fn new(code: u16, enhanced: &'static str, text: impl Into<String>) -> Reply {
        Reply { code, enhanced, text: text.into() }
    }

    /// Appends the reply as it goes over the wire. Whatever the text holds, it stays inside its lines: control
    /// characters and what is not ASCII become `?`, long lines are broken.
    pub fn write_to(&self, out: &mut BytesMut) {
        let lead = if self.enhanced.is_empty() { 4 } else { 5 + self.enhanced.len() };
        let width = LINE - lead;
        // A text is ours or the postmaster's and short; gathering the lines costs nothing.
        let lines: Vec<Vec<u8>> = self.text.split('\n').flat_map(|line| pieces(line, width)).collect();
        for (index, line) in lines.iter().enumerate() {
            let last = index + 1 == lines.len();
            out.put_slice(&digits(self.code));
            out.put_u8(if last { b' ' } else { b'-' });
            if !self.enhanced.is_empty() {
                out.put_slice(self.enhanced.as_bytes());
                out.put_u8(b' ');
            }
            out.put_slice(line);
            out.put_slice(b"\r\n");
        }
    }
}

fn pieces(line: &str, width: usize) -> Vec<Vec<u8>> {
    let plain: Vec<u8> =
        line.chars().map(|letter| if matches!(letter, ' '..='~') { letter as u8 } else { b'?' }).collect();
    if plain.is_empty() { vec![plain] } else { plain.chunks(width).map(<[u8]>::to_vec).collect() }
}

/// A code outside 200 to 599 would be no reply at all; it becomes a temporary failure.
fn digits(code: u16) -> [u8; 3] {
    let code = if (200..600).contains(&code) { code } else { 451 };
    let digit = |value: u16| b'0' + (value % 10) as u8;
    [digit(code / 100), digit(code / 10), digit(code)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = BytesMut::new();
        reply.write_to(&mut out);
        String::from_utf8(out.to_vec()).expect("ASCII")
    }

    #[test]
    fn one_line_and_several() {
        assert_eq!(written(&Reply::new(354, "", "Go on")), "354 Go on\r\n");
        assert_eq!(written(&Reply::new(250, "2.1.0", "OK")), "250 2.1.0 OK\r\n");
        assert_eq!(written(&Reply::new(250, "", "a\nb\nc")), "250-a\r\n250-b\r\n250 c\r\n");
        assert_eq!(written(&Reply::new(550, "5.1.1", "a\nb")), "550-5.1.1 a\r\n550 5.1.1 b\r\n");
        assert_eq!(written(&Reply::new(250, "", "")), "250 \r\n");
    }

    #[test]
    fn text_cannot_leave_its_line() {
        assert_eq!(written(&Reply::new(550, "5.0.0", "a\r250 b\0\u{fc}")), "550 5.0.0 a?250 b??\r\n");
        assert_eq!(written(&Reply::new(7, "", "x")), "451 x\r\n");
        let long = written(&Reply::new(550, "5.7.1", "x".repeat(1200)));
        assert!(long.lines().all(|line| line.len() <= LINE), "{long}");
        assert_eq!(long.lines().count(), 3);
        assert_eq!(long.matches('x').count(), 1200);
    }
}
