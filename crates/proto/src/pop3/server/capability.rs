//! CAPA and LANG. RFC 2449, RFC 6856 §3.

use super::maildrop::Transaction;
use super::{Server, State};
use crate::sasl;

/// The languages we speak, and what they call themselves. RFC 6856 §3.2.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("i-default", "Default language, English")];

impl Server {
    /// CAPA; what differs after the log-in is taken from the maildrop. RFC 2449 §5.
    pub(super) fn capabilities(&mut self, open: Option<&Transaction>) {
        self.errors = 0;
        self.ok(format_args!("Capability list follows"));
        for word in ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "UTF8 USER", "LANG"] {
            self.capability(word);
        }
        if open.is_none() && self.may_log_in() {
            self.capability("USER");
            let mechanisms = format!("SASL {}", sasl::MECHANISMS.join(" "));
            self.capability(&mechanisms);
        }
        if open.is_none() && self.options.stls && !self.secured {
            self.capability("STLS");
        }
        // RFC 2449 §6.5 and §6.7: USER says that the account may know better.
        if let Some(seconds) = self.options.login_delay {
            self.capability(&format!("LOGIN-DELAY {seconds}"));
        }
        let expire = match (open.map(Transaction::expire_days), self.options.expire_days) {
            (Some(Some(days)), _) => format!("EXPIRE {days}"),
            (Some(None), _) | (None, None) => "EXPIRE NEVER".to_owned(),
            (None, Some(days)) => format!("EXPIRE {days} USER"),
        };
        self.capability(&expire);
        self.capability("IMPLEMENTATION Packetboat");
        self.capability(".");
    }

    fn capability(&mut self, word: &str) {
        self.out.extend_from_slice(word.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// RFC 6856 §3.2. There is one language, so nothing is remembered.
    pub(super) fn lang(&mut self, state: State, range: Option<&str>) -> State {
        let Some(range) = range else {
            self.ok(format_args!("Language listing follows"));
            for (tag, name) in LANGUAGES {
                self.capability(&format!("{tag} {name}"));
            }
            self.capability(".");
            return state;
        };
        let found = LANGUAGES.iter().find(|(tag, _)| range == "*" || range.eq_ignore_ascii_case(tag));
        match found {
            Some((tag, _)) => self.accept(state, format_args!("{tag} English it is")),
            None => self.refuse(state, format_args!("That language is not spoken here")),
        }
    }
}
