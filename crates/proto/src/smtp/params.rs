//! The parameters of MAIL and RCPT. RFC 5321 §4.1.2, RFC 1870, RFC 6152, RFC 6531, RFC 4954 §5.
//!
//! What never lives here: what a parameter leads to.

use super::ask::Reply;

/// What MAIL may say beside the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailParams {
    /// `SIZE=`. RFC 1870 §6.
    pub size: Option<u64>,
    /// `BODY=8BITMIME`.
    pub eight_bit: bool,
    /// `SMTPUTF8`. RFC 6531 §3.4.
    pub smtputf8: bool,
}

/// Which parameters this session knows.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// EHLO was used; without it there are no parameters.
    pub esmtp: bool,
    /// AUTH is offered at this door, and with it `AUTH=`.
    pub auth: bool,
}

/// Reads what follows the path of MAIL.
///
/// # Errors
/// The reply to give: 501 for a malformed or doubled one, 504 for a known one with a value we do not do, 555 for
/// an unknown one. RFC 5321 §4.1.1.11.
pub fn mail(rest: &str, offered: Offered) -> Result<MailParams, Reply> {
    let mut found = MailParams::default();
    let mut seen: Vec<&str> = Vec::new();
    for word in words(rest)? {
        let (keyword, value) = split(word, offered)?;
        if seen.iter().any(|before| before.eq_ignore_ascii_case(keyword)) {
            return Err(malformed("A parameter is given twice"));
        }
        seen.push(keyword);
        match keyword.to_ascii_uppercase().as_str() {
            "SIZE" => found.size = Some(size(value)?),
            "BODY" => found.eight_bit = body(value)?,
            "SMTPUTF8" if value.is_none() => found.smtputf8 = true,
            "SMTPUTF8" => return Err(malformed("SMTPUTF8 takes no value")),
            "AUTH" if offered.auth => auth(value)?,
            _ => return Err(unknown(keyword)),
        }
    }
    Ok(found)
}

/// Reads what follows the path of RCPT; there is no parameter that we know.
///
/// # Errors
/// The reply to give.
pub fn rcpt(rest: &str, offered: Offered) -> Result<(), Reply> {
    match words(rest)?.next() {
        None => Ok(()),
        Some(word) => Err(unknown(split(word, offered)?.0)),
    }
}

/// The words after the path; a space must stand before the first.
fn words(rest: &str) -> Result<impl Iterator<Item = &str>, Reply> {
    if rest.is_empty() || rest.starts_with(' ') {
        Ok(rest.split(' ').filter(|word| !word.is_empty()))
    } else {
        Err(malformed("After the address a space must come before parameters"))
    }
}

fn split(word: &str, offered: Offered) -> Result<(&str, Option<&str>), Reply> {
    let (keyword, value) = match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    };
    let name = keyword.starts_with(|letter: char| letter.is_ascii_alphanumeric())
        && keyword.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-');
    let good = |text: &str| !text.is_empty() && !text.contains('=');
    if !name || !value.is_none_or(good) {
        return Err(malformed("A parameter is KEYWORD or KEYWORD=VALUE"));
    }
    if !offered.esmtp {
        return Err(Reply::new(555, "5.5.4", "Parameters need EHLO, not HELO"));
    }
    Ok((keyword, value))
}

/// 1*20DIGIT. RFC 1870 §3; a number beyond 64 bits is larger than any message.
fn size(value: Option<&str>) -> Result<u64, Reply> {
    match value {
        Some(digits) if digits.len() <= 20 && digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            Ok(digits.parse().unwrap_or(u64::MAX))
        }
        _ => Err(malformed("SIZE must be a number of at most 20 digits")),
    }
}

fn body(value: Option<&str>) -> Result<bool, Reply> {
    match value.map(str::to_ascii_uppercase).as_deref() {
        Some("7BIT") => Ok(false),
        Some("8BITMIME") => Ok(true),
        Some("BINARYMIME") => Err(Reply::new(504, "5.5.4", "BODY=BINARYMIME is not done here")),
        _ => Err(malformed("BODY must be 7BIT or 8BITMIME")),
    }
}

/// Who sent it first, by the word of who hands it in: read, and then ignored, as from one who is not trusted to
/// say so. RFC 4954 §5.
fn auth(value: Option<&str>) -> Result<(), Reply> {
    match value {
        Some(text) if text == "<>" || is_xtext(text) => Ok(()),
        _ => Err(malformed("AUTH must be <> or an address as xtext")),
    }
}

/// RFC 3461 §4.
fn is_xtext(text: &str) -> bool {
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        let hex = |octet: Option<u8>| octet.is_some_and(|digit| matches!(digit, b'0'..=b'9' | b'A'..=b'F'));
        match octet {
            b'+' if hex(octets.next()) && hex(octets.next()) => {}
            b'!'..=b'~' if octet != b'+' => {}
            _ => return false,
        }
    }
    true
}

fn malformed(text: &str) -> Reply {
    Reply::new(501, "5.5.4", text)
}

fn unknown(keyword: &str) -> Reply {
    // The keyword was checked to be letters, digits and hyphens.
    let shown: String = keyword.chars().take(40).collect();
    Reply::new(555, "5.5.4", format!("Parameter {shown} is not known here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Offered = Offered { esmtp: true, auth: true };

    fn good(rest: &str) -> MailParams {
        mail(rest, ALL).unwrap_or_else(|reply| panic!("{rest}: {reply:?}"))
    }

    #[test]
    fn what_mail_may_say() {
        assert_eq!(good(""), MailParams::default());
        assert_eq!(good("  "), MailParams::default());
        assert_eq!(good(" SIZE=1000").size, Some(1000));
        assert_eq!(good(" size=00000000000000000001").size, Some(1));
        assert_eq!(good(" SIZE=99999999999999999999").size, Some(u64::MAX));
        assert!(good(" BODY=8BITMIME").eight_bit);
        assert!(!good(" body=7bit").eight_bit);
        assert!(good(" SMTPUTF8").smtputf8);
        assert_eq!(good(" AUTH=<>"), MailParams::default());
        assert_eq!(good(" AUTH=e+3Dmc2@example.com"), MailParams::default());
        let all = good(" SIZE=5  BODY=8BITMIME SMTPUTF8 AUTH=<>");
        assert_eq!(all, MailParams { size: Some(5), eight_bit: true, smtputf8: true });
    }

    #[test]
    fn what_it_may_not() {
        for (rest, code) in [
            ("SIZE=1", 501),
            (" SIZE", 501),
            (" SIZE=", 501),
            (" SIZE=x", 501),
            (" SIZE=-1", 501),
            (" SIZE=100000000000000000000", 501),
            (" SIZE=1 SIZE=1", 501),
            (" SIZE=1=2", 501),
            (" BODY", 501),
            (" BODY=9BIT", 501),
            (" BODY=BINARYMIME", 504),
            (" SMTPUTF8=1", 501),
            (" SMTPUTF8 smtputf8", 501),
            (" AUTH=a+3", 501),
            (" AUTH=a+zz", 501),
            (" =x", 501),
            (" -A=x", 501),
            (" A_B=x", 501),
            (" RET=HDRS", 555),
            (" ENVID=1", 555),
            (" REQUIRETLS", 555),
        ] {
            assert_eq!(mail(rest, ALL).map_err(|reply| reply.code), Err(code), "{rest}");
        }
        let helo = Offered { esmtp: false, auth: false };
        assert_eq!(mail(" SIZE=1", helo).map_err(|reply| reply.code), Err(555));
        assert_eq!(mail("", helo), Ok(MailParams::default()));
        let relay = Offered { esmtp: true, auth: false };
        assert_eq!(mail(" AUTH=<>", relay).map_err(|reply| reply.code), Err(555));
    }

    #[test]
    fn rcpt_has_none() {
        assert_eq!(rcpt("", ALL), Ok(()));
        assert_eq!(rcpt(" NOTIFY=NEVER", ALL).map_err(|reply| reply.code), Err(555));
        assert_eq!(rcpt(" =", ALL).map_err(|reply| reply.code), Err(501));
        assert_eq!(rcpt("x", ALL).map_err(|reply| reply.code), Err(501));
    }
}
