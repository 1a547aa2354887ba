//! The configuration file: text with positions first, then meaning. All problems are told at once, each with its
//! line and what to do.
//!
//! Domains, people and aliases are not here: they are rows, changed while the server runs.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use crate::door::{Door, STANDARD, Security, Service};
use crate::tls::CertFiles;

/// What the file means.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The name we call ourselves by.
    pub hostname: String,
    /// The data folder.
    pub data: PathBuf,
    /// Where we listen.
    pub doors: Vec<Door>,
    /// Nothing was said about it: the standard doors, wherever this machine has an address.
    pub standard: bool,
    /// Certificates; none means the house's own authority.
    pub certificates: Vec<CertFiles>,
    /// Passwords are taken without TLS.
    pub plain_login: bool,
    /// The user to become after the ports are bound.
    pub user: Option<String>,
    /// Limits.
    pub limits: Limits,
}

/// What may be asked of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one message: SIZE and APPENDLIMIT.
    pub message_size: u64,
    /// Connections open from one address.
    pub connections_per_address: u32,
    /// Sessions open of one account.
    pub sessions_per_account: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { message_size: 50 << 20, connections_per_address: 1_000, sessions_per_account: 100 }
    }
}

/// One thing that is wrong with the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub advice: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.advice)
    }
}

const KEYS: [&str; 7] = ["hostname", "data", "listen", "user", "plain-login", "certificate", "limits"];
const LISTENER_KEYS: [&str; 3] = ["service", "tls", "address"];
const CERTIFICATE_KEYS: [&str; 2] = ["chain", "key"];
const LIMIT_KEYS: [&str; 3] = ["message-size", "connections-per-address", "sessions-per-account"];

/// Reads a file's text.
pub fn parse(text: &str) -> Result<Config, Vec<Problem>> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![Problem { line: line_of(text, at), advice: format!("not TOML: {}", error.message()) }]
    })?;
    let mut reader = Reader { text, problems: Vec::new() };
    let config = reader.config(table.get_ref());
    match reader.problems.is_empty() {
        true => Ok(config),
        false => {
            reader.problems.sort_by_key(|p| p.line);
            Err(reader.problems)
        }
    }
}

/// The seven standard doors on these addresses, every port moved by `offset`.
pub fn standard_doors(addresses: &[IpAddr], offset: u16) -> Result<Vec<Door>, String> {
    let mut doors = Vec::new();
    for (service, security, port) in STANDARD {
        let port =
            port.checked_add(offset).ok_or(format!("a port offset of {offset} moves {port} beyond 65535"))?;
        doors.extend(addresses.iter().map(|ip| Door {
            service,
            security,
            address: SocketAddr::new(*ip, port),
        }));
    }
    Ok(doors)
}

struct Reader<'t> {
    text: &'t str,
    problems: Vec<Problem>,
}

type Value<'t> = toml::Spanned<DeValue<'t>>;

impl Reader<'_> {
    fn problem(&mut self, at: usize, advice: impl Into<String>) {
        let line = line_of(self.text, at);
        self.problems.push(Problem { line, advice: advice.into() });
    }

    fn config(&mut self, table: &DeTable<'_>) -> Config {
        self.known(table, &KEYS, "");
        let mut config = Config {
            hostname: String::new(),
            data: PathBuf::from("/var/lib/packetboat"),
            doors: Vec::new(),
            standard: false,
            certificates: Vec::new(),
            plain_login: false,
            user: None,
            limits: Limits::default(),
        };
        match table.get("hostname") {
            Some(value) => config.hostname = self.string(value, "hostname"),
            None => self.problem(0, "hostname is missing: write hostname = \"mail.example.org\""),
        }
        if let Some(value) = table.get("data") {
            config.data = PathBuf::from(self.string(value, "data"));
        }
        config.user = table.get("user").map(|value| self.string(value, "user"));
        config.plain_login = table.get("plain-login").is_some_and(|value| self.flag(value, "plain-login"));
        if let Some(value) = table.get("listen") {
            self.each(value, "listen", |reader, t, at| {
                let door = reader.door(t, at);
                config.doors.extend(door);
            });
        } else {
            let any = [IpAddr::from([0, 0, 0, 0]), IpAddr::from([0u16; 8])];
            config.doors = standard_doors(&any, 0).unwrap_or_default();
            config.standard = true;
        }
        if let Some(value) = table.get("certificate") {
            self.each(value, "certificate", |reader, t, at| {
                let files = reader.certificate(t, at);
                config.certificates.extend(files);
            });
        }
        if let Some(value) = table.get("limits") {
            self.limits(value, &mut config.limits);
        }
        config
    }

    fn door(&mut self, table: &DeTable<'_>, at: usize) -> Option<Door> {
        self.known(table, &LISTENER_KEYS, "a listener");
        let service = match table.get("service") {
            Some(value) => self.one_of(
                value,
                "service",
                &[
                    ("smtp", Service::Smtp),
                    ("submission", Service::Submission),
                    ("imap", Service::Imap),
                    ("pop3", Service::Pop3),
                ],
            ),
            None => {
                self.problem(at, "this listener needs a service: smtp, submission, imap or pop3");
                None
            }
        };
        let security = match table.get("tls") {
            Some(value) => self.one_of(
                value,
                "tls",
                &[
                    ("implicit", Security::Implicit),
                    ("starttls", Security::StartTls),
                    ("none", Security::None),
                    ("auto", Security::Auto),
                ],
            ),
            None => Some(Security::Auto),
        };
        let address = match table.get("address") {
            Some(value) => {
                let text = self.string(value, "address");
                let parsed = text.parse::<SocketAddr>().ok();
                if parsed.is_none() {
                    self.problem(
                        value.span().start,
                        format!("\"{text}\" is no address: write \"0.0.0.0:993\" or \"[::]:993\""),
                    );
                }
                parsed
            }
            None => {
                self.problem(at, "this listener needs an address, such as \"0.0.0.0:993\"");
                None
            }
        };
        Some(Door { service: service?, security: security?, address: address? })
    }

    fn certificate(&mut self, table: &DeTable<'_>, at: usize) -> Option<CertFiles> {
        self.known(table, &CERTIFICATE_KEYS, "a certificate");
        match (table.get("chain"), table.get("key")) {
            (Some(chain), Some(key)) => Some(CertFiles {
                chain: self.string(chain, "chain").into(),
                key: self.string(key, "key").into(),
            }),
            _ => {
                self.problem(
                    at,
                    "a certificate needs both: chain = \"…/fullchain.pem\" and key = \"…/privkey.pem\"",
                );
                None
            }
        }
    }

    fn limits(&mut self, value: &Value<'_>, limits: &mut Limits) {
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(value.span().start, "limits is a section: write [limits] on a line of its own");
            return;
        };
        self.known(table, &LIMIT_KEYS, "limits");
        let mut set = |key: &str, least: u64, most: u64| {
            table.get(key).and_then(|value| self.number(value, key, least, most))
        };
        if let Some(n) = set("message-size", 64 << 10, 1 << 30) {
            limits.message_size = n;
        }
        if let Some(n) = set("connections-per-address", 1, 1_000_000) {
            limits.connections_per_address = u32::try_from(n).unwrap_or(u32::MAX);
        }
        if let Some(n) = set("sessions-per-account", 1, 1_000_000) {
            limits.sessions_per_account = u32::try_from(n).unwrap_or(u32::MAX);
        }
    }

    fn each(&mut self, value: &Value<'_>, key: &str, mut with: impl FnMut(&mut Self, &DeTable<'_>, usize)) {
        let start = value.span().start;
        let DeValue::Array(items) = value.get_ref() else {
            self.problem(start, format!("{key} is a list of sections: write [[{key}]] on a line of its own"));
            return;
        };
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(table) => with(self, table, item.span().start),
                _ => self.problem(item.span().start, format!("write [[{key}]] on a line of its own")),
            }
        }
    }

    fn known(&mut self, table: &DeTable<'_>, keys: &[&str], place: &str) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if keys.contains(&name) {
                continue;
            }
            let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
            let advice = match nearest(name, keys) {
                Some(near) => format!("\"{name}\" is not known{place}; did you mean \"{near}\"?"),
                None => format!("\"{name}\" is not known{place}; known are {}", keys.join(", ")),
            };
            self.problem(key.span().start, advice);
        }
    }

    fn string(&mut self, value: &Value<'_>, key: &str) -> String {
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => text.to_string(),
            _ => {
                self.problem(value.span().start, format!("{key} is a text: write {key} = \"…\""));
                String::new()
            }
        }
    }

    fn flag(&mut self, value: &Value<'_>, key: &str) -> bool {
        match value.get_ref() {
            DeValue::Boolean(flag) => *flag,
            _ => {
                self.problem(value.span().start, format!("{key} is true or false, without quotes"));
                false
            }
        }
    }

    fn number(&mut self, value: &Value<'_>, key: &str, least: u64, most: u64) -> Option<u64> {
        let number = match value.get_ref() {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).ok(),
            _ => None,
        };
        let fits = number.filter(|n| (least..=most).contains(n));
        if fits.is_none() {
            self.problem(value.span().start, format!("{key} is a whole number from {least} to {most}"));
        }
        fits
    }

    fn one_of<T: Copy>(&mut self, value: &Value<'_>, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let text = self.string(value, key);
        let found = choices.iter().find(|(name, _)| *name == text).map(|(_, choice)| *choice);
        if found.is_none() && !text.is_empty() {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            let hint = nearest(&text, &names).map(|n| format!("; did you mean \"{n}\"?")).unwrap_or_default();
            self.problem(
                value.span().start,
                format!("{key} is one of {}, not \"{text}\"{hint}", names.join(", ")),
            );
        }
        found
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|b| **b == b'\n').count() + 1
}

/// The known word that differs least, if it differs little.
fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    known.iter().map(|k| (distance(word, k), *k)).filter(|(d, _)| *d <= 2).min().map(|(_, k)| k)
}

/// Edits between two words; words here are short.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().take(64).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let best = (row[j + 1] + 1).min(row[j] + 1).min(diagonal + usize::from(x != *y));
            diagonal = std::mem::replace(&mut row[j + 1], best);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file() {
        let config = parse(
            "hostname = \"mail.example.org\"\ndata = \"/srv/mail\"\n\n[[listen]]\nservice = \"imap\"\ntls = \"implicit\"\n\
             address = \"0.0.0.0:993\"\n\n[[certificate]]\nchain = \"c.pem\"\nkey = \"k.pem\"\n\n[limits]\nmessage-size = 1_000_000\n",
        )
        .unwrap();
        assert_eq!(config.doors.len(), 1);
        assert_eq!(config.doors[0].security, Security::Implicit);
        assert_eq!(config.limits.message_size, 1_000_000);
        assert_eq!(config.certificates.len(), 1);
    }

    #[test]
    fn without_listeners_the_standard_doors_are_meant() {
        assert_eq!(parse("hostname = \"m.example.org\"").unwrap().doors.len(), 14);
    }

    #[test]
    fn all_problems_are_told_at_once_with_line_and_advice() {
        let problems = parse(
            "hostnam = \"x\"\n[[listen]]\nservice = \"imapp\"\naddress = \"993\"\n[limits]\nmessage-size = \"big\"\n",
        )
        .unwrap_err();
        let told: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert_eq!(
            told,
            [
                "line 1: \"hostnam\" is not known; did you mean \"hostname\"?",
                "line 1: hostname is missing: write hostname = \"mail.example.org\"",
                "line 3: service is one of smtp, submission, imap, pop3, not \"imapp\"; did you mean \"imap\"?",
                "line 4: \"993\" is no address: write \"0.0.0.0:993\" or \"[::]:993\"",
                "line 6: message-size is a whole number from 65536 to 1073741824",
            ]
        );
    }

    #[test]
    fn what_is_not_toml_is_told_with_its_line() {
        let problems = parse("hostname = \"x\"\n[[listen\n").unwrap_err();
        assert_eq!(problems[0].line, 2);
    }
}
