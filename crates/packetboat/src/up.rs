//! `packetboat up`: makes what is missing, then serves.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args as Clap;
use mail::Secret;
use server::config::{Config, Limits, standard_doors};
use server::founding::Founding;
use server::house::Plan;

use crate::serve;

const EXAMPLES: &str = "\
Examples:
  Try it out, without root, on ports moved by 10000 (993 becomes 10993):
    packetboat up --domain example.test --account alice@example.test --port-offset 10000

  A real server; the passwords are printed once:
    packetboat up --hostname mail.example.org --domain example.org --account you@example.org

What is there already is left as it is, so the same command starts it again.";

/// Make what is missing (data, certificate, domains, accounts), then serve.
#[derive(Clap, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Our name, as other servers and mail programs know it [default: this machine's, or mail.DOMAIN]
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// A domain whose mail is ours; may be given again
    #[arg(long = "domain", value_name = "NAME")]
    domains: Vec<String>,
    /// An account; the password is all that follows the first `:` after the `@`, or one is made and printed once
    #[arg(long = "account", value_name = "ADDRESS[:PASSWORD]")]
    accounts: Vec<String>,
    /// A file of such accounts, one a line
    #[arg(long, value_name = "FILE")]
    account_file: Option<PathBuf>,
    /// Where to listen; may be given again [default: everywhere]
    #[arg(long, value_name = "IP")]
    listen: Vec<IpAddr>,
    /// Moves every standard port, so that no root is needed: 10000 turns 25 into 10025
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_offset: u16,
    /// Take passwords without TLS too (for tests)
    #[arg(long)]
    plain_login: bool,
}

/// Runs the command.
pub fn run(data: &Path, args: Args) -> ExitCode {
    match plan(data, args) {
        Ok(plan) => serve::house(plan),
        Err(why) => {
            eprintln!("packetboat: {why}");
            ExitCode::from(2)
        }
    }
}

fn plan(data: &Path, args: Args) -> Result<Plan, String> {
    let lenient = args.listen.is_empty();
    let listen = match lenient {
        true => vec![IpAddr::from([0, 0, 0, 0]), IpAddr::from([0u16; 8])],
        false => args.listen,
    };
    let mut accounts = Vec::new();
    for line in &args.accounts {
        accounts.extend(account(line)?);
    }
    if let Some(file) = &args.account_file {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        for line in text.lines() {
            accounts.extend(account(line)?);
        }
    }
    let hostname = args
        .hostname
        .or_else(server::privilege::hostname)
        .or_else(|| args.domains.first().map(|domain| format!("mail.{domain}")))
        .unwrap_or_else(|| "localhost".into());
    Ok(Plan {
        config: Config {
            hostname,
            data: data.to_owned(),
            doors: standard_doors(&listen, args.port_offset)?,
            standard: lenient,
            certificates: Vec::new(),
            plain_login: args.plain_login,
            user: None,
            limits: Limits::default(),
        },
        config_file: None,
        founding: Founding { domains: args.domains, accounts },
    })
}

/// `ADDRESS` or `ADDRESS:PASSWORD`; nothing for an empty line or a remark.
fn account(line: &str) -> Result<Option<(String, Option<Secret>)>, String> {
    let line = line.trim_end_matches(['\r', '\n']);
    if line.trim().is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    // A quoted local part may hold a colon; the domain cannot.
    let at = line.rfind('@').and_then(|last| line[..last].find('@').or(Some(last)));
    let at = at.ok_or_else(|| format!("{line} is no address: write NAME@DOMAIN or NAME@DOMAIN:PASSWORD"))?;
    Ok(Some(match line[at..].find(':') {
        Some(colon) => {
            let (address, password) = line.split_at(at + colon);
            (address.to_owned(), Some(Secret::new(password.as_bytes()[1..].to_vec())))
        }
        None => (line.to_owned(), None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_all_after_the_first_colon_behind_the_at() {
        let read = |line| {
            account(line).unwrap().map(|(address, password)| {
                (address, password.map(|p| String::from_utf8(p.expose().to_vec()).unwrap()))
            })
        };
        assert_eq!(read("a@b.c"), Some(("a@b.c".into(), None)));
        assert_eq!(read("a@b.c:x:y@z "), Some(("a@b.c".into(), Some("x:y@z ".into()))));
        assert_eq!(read("a@b.c:"), Some(("a@b.c".into(), Some(String::new()))));
        assert_eq!(read("# remark"), None);
        assert!(account("nobody").is_err());
    }
}
