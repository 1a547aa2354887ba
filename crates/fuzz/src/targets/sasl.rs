//! SASL exchanges.

use proto::sasl::{Exchange, Fault, LINE_LIMIT, Step, VALUE_LIMIT};

use crate::{Target, mark};

/// The target.
pub const TARGET: Target = Target {
    name: "sasl",
    run: sasl,
    seeds: || {
        [
            "PLAIN AGFsaWNlAHBhc3M=\n",
            "PLAIN\nAGFsaWNlAHBhc3M=\n",
            "PLAIN\nYWRtaW4AYWxpY2UAcGFzcw==\n",
            "LOGIN\nYWxpY2U=\ncGFzcw==\n",
            "LOGIN YWxpY2U=\ncGFzcw==\n",
            "LOGIN =\n=\n",
            "plain =\n",
            "PLAIN\n*\n",
            "LOGIN\n*\n",
            "XOAUTH2\n",
        ]
        .map(|text| text.as_bytes().to_vec())
        .into()
    },
    words: &["PLAIN", "LOGIN", "*", "=", "AGEAYg==", "YQ==", "AAAA", "\n", "/+", "//8="],
    must_reach: &["done PLAIN", "done LOGIN", "Cancelled", "NotBase64", "TooLong", "Malformed"],
};

/// The first line is mechanism and initial response, the others are the client's lines.
pub fn sasl(data: &[u8]) {
    let mut lines = data.split(|octet| *octet == b'\n');
    let mut first = lines.next().unwrap_or_default().splitn(2, |octet| *octet == b' ');
    let Some(mut exchange) = Exchange::new(first.next().unwrap_or_default()) else { return };
    let mut step = exchange.start(first.next());
    let mut challenges = 0;
    while goes_on(&step) {
        challenges += 1;
        assert!(challenges <= 2, "no mechanism here takes more than two lines");
        let Some(line) = lines.next() else { return };
        step = exchange.line(line);
    }
}

fn goes_on(step: &Step) -> bool {
    match step {
        Step::Challenge(challenge) => {
            let base64 = |octet: u8| octet.is_ascii_alphanumeric() || b"+/=".contains(&octet);
            assert!(challenge.len() <= LINE_LIMIT && challenge.bytes().all(base64));
            true
        }
        Step::Done(credentials) => {
            mark::reached(format!("done {}", credentials.mechanism));
            for name in [&credentials.user, &credentials.authzid] {
                assert!(name.len() <= VALUE_LIMIT && !name.chars().any(char::is_control), "{name:?}");
            }
            assert!(!credentials.user.is_empty());
            let password = credentials.password.expose();
            assert!((1..=VALUE_LIMIT).contains(&password.len()) && !password.contains(&0));
            false
        }
        Step::Failed(fault) => {
            mark::reached(match fault {
                Fault::Cancelled => "Cancelled",
                Fault::NotBase64 => "NotBase64",
                Fault::TooLong => "TooLong",
                Fault::Malformed(_) => "Malformed",
            });
            false
        }
    }
}
