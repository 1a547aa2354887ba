//! SASL, the server side: how names and passwords come over the wire, one file per mechanism.
//!
//! What never lives here: whether a password is right, and how a protocol frames a challenge (`334 `, `+ `).
//!
//! A protocol starts an `Exchange` by the mechanism's name, gives it the initial response if there was one, then
//! each line of the client, and sends what comes back until it is `Done` or `Failed`. A mechanism to come
//! (SCRAM, OAUTHBEARER) is a file beside `plain` and one more arm here.

mod login;
mod plain;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::Secret;

use crate::login::Credentials;

/// The mechanisms, strongest first, as they are announced.
pub const MECHANISMS: [&str; 2] = ["PLAIN", "LOGIN"];

/// The longest line of an exchange, in octets of base64, that a protocol must let through. RFC 4954 §4.
pub const LINE_LIMIT: usize = 12_288;

/// The longest name or password, in octets. RFC 4616 §2 wants 255 at least; tokens used as passwords are longer.
pub const VALUE_LIMIT: usize = 1024;

/// What an exchange wants next.
#[derive(Debug)]
pub enum Step {
    /// Send this challenge, base64 already (and possibly empty), and feed the client's next line.
    Challenge(String),
    /// All is said: ask whether it is right.
    Done(Credentials),
    /// The exchange is over; nothing was learned.
    Failed(Fault),
}

/// Why an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client sent `*`.
    Cancelled,
    /// The line is not base64.
    NotBase64,
    /// The line or a value in it is longer than we take.
    TooLong,
    /// It is base64 but not what the mechanism says; the text names what is wrong.
    Malformed(&'static str),
}

/// One exchange, from the mechanism's name to the credentials.
#[derive(Debug)]
pub struct Exchange(Mechanism);

#[derive(Debug)]
enum Mechanism {
    Plain,
    Login(login::Login),
}

impl Exchange {
    /// Begins with the mechanism of this name, in any case; `None` if there is none.
    pub fn new(mechanism: &[u8]) -> Option<Exchange> {
        if mechanism.eq_ignore_ascii_case(b"PLAIN") {
            Some(Exchange(Mechanism::Plain))
        } else if mechanism.eq_ignore_ascii_case(b"LOGIN") {
            Some(Exchange(Mechanism::Login(login::Login::default())))
        } else {
            None
        }
    }

    /// The first step. `initial` is the initial response as it stood on the command line: base64, or `=` for an
    /// empty one. RFC 4954 §4, RFC 4959 §3, RFC 5034 §4.
    pub fn start(&mut self, initial: Option<&[u8]>) -> Step {
        match initial {
            None => Step::Challenge(match &self.0 {
                Mechanism::Plain => String::new(),
                Mechanism::Login(_) => login::Login::first_challenge(),
            }),
            Some(b"=") => self.respond(&Secret::new(Vec::new())),
            Some(text) => self.line(text),
        }
    }

    /// A line of the client, without its ending.
    pub fn line(&mut self, line: &[u8]) -> Step {
        if line == b"*" {
            return Step::Failed(Fault::Cancelled);
        }
        if line.len() > LINE_LIMIT {
            return Step::Failed(Fault::TooLong);
        }
        match STANDARD.decode(line) {
            Ok(response) => self.respond(&Secret::new(response)),
            Err(_) => Step::Failed(Fault::NotBase64),
        }
    }

    fn respond(&mut self, response: &Secret) -> Step {
        match &mut self.0 {
            Mechanism::Plain => plain::respond(response.expose()),
            Mechanism::Login(login) => login.respond(response.expose()),
        }
    }
}

/// A name as text, within the limit and not empty.
fn name(octets: &[u8]) -> Result<String, Fault> {
    if octets.len() > VALUE_LIMIT {
        return Err(Fault::TooLong);
    }
    let text = std::str::from_utf8(octets).map_err(|_| Fault::Malformed("the name is not UTF-8"))?;
    if text.is_empty() {
        return Err(Fault::Malformed("the name is empty"));
    }
    if text.chars().any(char::is_control) {
        return Err(Fault::Malformed("the name holds a control character"));
    }
    Ok(text.to_owned())
}

/// A password within the limit and not empty.
fn password(octets: &[u8]) -> Result<Secret, Fault> {
    match octets.len() {
        0 => Err(Fault::Malformed("the password is empty")),
        length if length > VALUE_LIMIT => Err(Fault::TooLong),
        _ if octets.contains(&0) => Err(Fault::Malformed("the password holds NUL")),
        _ => Ok(Secret::new(octets.to_vec())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(mechanism: &str) -> Exchange {
        Exchange::new(mechanism.as_bytes()).expect("a known mechanism")
    }

    fn encoded(text: &[u8]) -> Vec<u8> {
        STANDARD.encode(text).into_bytes()
    }

    fn fault(step: Step) -> Fault {
        match step {
            Step::Failed(fault) => fault,
            other => panic!("not a failure: {other:?}"),
        }
    }

    fn done(step: Step) -> (String, String, Vec<u8>, &'static str) {
        match step {
            Step::Done(found) => {
                (found.authzid, found.user, found.password.expose().to_vec(), found.mechanism)
            }
            other => panic!("not done: {other:?}"),
        }
    }

    /// RFC 4616 §4: the examples.
    #[test]
    fn plain_examples() {
        let mut plain = exchange("plain");
        assert!(matches!(plain.start(None), Step::Challenge(text) if text.is_empty()));
        assert_eq!(
            done(plain.line(&encoded(b"\0tim\0tanstaaftanstaaf"))),
            (String::new(), "tim".into(), b"tanstaaftanstaaf".to_vec(), "PLAIN")
        );
        assert_eq!(
            done(exchange("PLAIN").start(Some(&encoded(b"Ursel\0Kurt\0xipj3plmq")))),
            ("Ursel".into(), "Kurt".into(), b"xipj3plmq".to_vec(), "PLAIN")
        );
    }

    #[test]
    fn plain_refuses_what_is_not_plain() {
        let cases: [(&[u8], &str); 10] = [
            (b"", "two NULs"),
            (b"tim", "two NULs"),
            (b"\0tim", "two NULs"),
            (b"\0\0secret", "the name is empty"),
            (b"\0tim\0", "the password is empty"),
            (b"\0tim\0a\0b", "the password holds NUL"),
            (b"\0ti\xffm\0secret", "the name is not UTF-8"),
            (b"a\xff\0tim\0secret", "the authorization identity is not UTF-8"),
            (b"a\x01\0tim\0secret", "the authorization identity holds a control character"),
            (b"\0ti\nm\0secret", "the name holds a control character"),
        ];
        for (message, reason) in cases {
            match fault(exchange("PLAIN").start(Some(&encoded(message)))) {
                Fault::Malformed(text) => assert!(text.contains(reason), "{message:?}: {text}"),
                other => panic!("{message:?}: {other:?}"),
            }
        }
        assert!(matches!(fault(exchange("PLAIN").start(Some(b"="))), Fault::Malformed(_)));
    }

    /// draft-murchison-sasl-login-00: two prompts, whatever words they use.
    #[test]
    fn login_asks_for_name_and_password() {
        let mut login = exchange("Login");
        assert!(matches!(login.start(None), Step::Challenge(text) if text == "VXNlcm5hbWU6"));
        assert!(matches!(login.line(&encoded(b"tim")), Step::Challenge(text) if text == "UGFzc3dvcmQ6"));
        assert_eq!(
            done(login.line(&encoded(b"p\xc3\xa4ss"))),
            (String::new(), "tim".into(), b"p\xc3\xa4ss".to_vec(), "LOGIN")
        );
    }

    #[test]
    fn login_takes_the_name_as_initial_response() {
        let mut login = exchange("LOGIN");
        assert!(
            matches!(login.start(Some(&encoded(b"tim"))), Step::Challenge(text) if text == "UGFzc3dvcmQ6")
        );
        assert_eq!(done(login.line(&encoded(b"secret"))).1, "tim");
    }

    #[test]
    fn a_star_cancels_at_every_step() {
        assert_eq!(fault(exchange("PLAIN").line(b"*")), Fault::Cancelled);
        assert_eq!(fault(exchange("LOGIN").line(b"*")), Fault::Cancelled);
        let mut login = exchange("LOGIN");
        login.line(&encoded(b"tim"));
        assert_eq!(fault(login.line(b"*")), Fault::Cancelled);
    }

    #[test]
    fn what_is_not_base64_fails() {
        for line in ["?", "YQ", "YQ=", "YR==", "Y Q=", "YQ==YQ==", " YQ==", "====", "\u{e4}"] {
            assert_eq!(fault(exchange("PLAIN").line(line.as_bytes())), Fault::NotBase64, "{line}");
        }
    }

    #[test]
    fn sizes_are_limited() {
        let long = vec![b'x'; VALUE_LIMIT + 1];
        let message = [b"\0tim\0", &long[..]].concat();
        assert_eq!(fault(exchange("PLAIN").line(&encoded(&message))), Fault::TooLong);
        let message = [b"\0", &long[..], b"\0secret"].concat();
        assert_eq!(fault(exchange("PLAIN").line(&encoded(&message))), Fault::TooLong);
        assert_eq!(fault(exchange("LOGIN").line(&encoded(&long))), Fault::TooLong);
        assert_eq!(fault(exchange("PLAIN").line(&vec![b'A'; LINE_LIMIT + 4])), Fault::TooLong);
        let most = [b"\0tim\0", &long[1..]].concat();
        assert_eq!(done(exchange("PLAIN").line(&encoded(&most))).2.len(), VALUE_LIMIT);
    }

    #[test]
    fn an_unknown_mechanism_is_none() {
        for mechanism in ["", "PLAI", "PLAINX", "CRAM-MD5", "GSSAPI"] {
            assert!(Exchange::new(mechanism.as_bytes()).is_none());
        }
    }
}
