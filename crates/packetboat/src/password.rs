//! Where a password comes from: never from the command line, which others may read.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args as Clap;
use mail::Secret;
use serde_json::Value;
use server::admin::Password;

use crate::show;

/// Octets that are read of a file; no password is as long.
const MOST: u64 = 4096;

/// Options about a password.
#[derive(Clap, Debug)]
pub struct Args {
    /// Read the password from the first line of this file, `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "generate")]
    password_file: Option<PathBuf>,
    /// Make a password, do not ask for one
    #[arg(long)]
    generate: bool,
}

impl Args {
    /// The password, from the file, or typed on a terminal; `None`: one is to be made.
    pub fn password(&self, address: &str) -> Result<Option<Password>, String> {
        match &self.password_file {
            Some(file) => from_file(file).map(|secret| Some(Password(secret))),
            None if self.generate || !io::stdin().is_terminal() => Ok(None),
            None => Ok(typed(address)?.map(Password)),
        }
    }
}

fn from_file(file: &PathBuf) -> Result<Secret, String> {
    let mut octets = Vec::new();
    let read = match file.as_os_str() == "-" {
        true => io::stdin().lock().take(MOST).read_to_end(&mut octets),
        false => File::open(file).and_then(|file| file.take(MOST).read_to_end(&mut octets)),
    };
    // Held so that it is wiped, whatever comes of it.
    let octets = Secret::new(octets);
    read.map_err(|error| format!("{}: {error}", file.display()))?;
    let line = octets.expose().split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.is_empty() {
        true => Err(format!("{}: the first line is empty, and a password is not", file.display())),
        false => Ok(Secret::new(line.to_vec())),
    }
}

fn typed(address: &str) -> Result<Option<Secret>, String> {
    let ask = |prompt: String| {
        let typed = rpassword::prompt_password(prompt);
        typed.map(|text| Secret::new(text.into_bytes())).map_err(|error| format!("no password: {error}"))
    };
    let first = ask(format!("Password for {address} (Enter: one is made): "))?;
    if first.expose().is_empty() {
        return Ok(None);
    }
    match ask("Once more: ".to_owned())? == first {
        true => Ok(Some(first)),
        false => Err("the two differ; nothing was changed".to_owned()),
    }
}

/// What is said when an account has a new password.
pub fn told(done: &Value, what: &str) -> String {
    let address = show::string(done, "address");
    if done["weak"] == true {
        show::remark(
            "packetboat: the password is easy to guess; longer is better, and the address is no password",
        );
    }
    match done["password"].as_str() {
        Some(password) => format!("account {address}: {what}, password {password}  (shown this once)"),
        None => format!("account {address}: {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (written, read) in [
            ("a b\n", Some("a b")),
            ("a b\r\nrest", Some("a b")),
            ("ab", Some("ab")),
            ("", None),
            ("\nab", None),
        ] {
            std::fs::write(&file, written).unwrap();
            let found = from_file(&file).ok().map(|secret| secret.expose().to_vec());
            assert_eq!(found.as_deref(), read.map(str::as_bytes), "{written:?}");
        }
    }
}
