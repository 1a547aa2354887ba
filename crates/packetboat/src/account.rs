//! `packetboat account`: the people.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args as Clap, Subcommand};
use serde_json::Value;
use server::admin::{Limit, Request};

use crate::{Outcome, password, reach, show};

/// The people who have mail here
#[derive(Clap, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Show them with what they hold
    #[command(after_help = "Example:\n  packetboat account list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make an account; the password is asked for on a terminal, else made and printed once
    #[command(
        after_help = "Examples:\n  packetboat account add carol@example.org --name \"Carol Smith\"\n  \
                      packetboat account add carol@example.org --password-file carol.txt"
    )]
    Add {
        /// Its address
        address: String,
        /// The person's name
        #[arg(long, default_value = "")]
        name: String,
        #[command(flatten)]
        password: password::Args,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an account and all its mail
    #[command(after_help = "Example:\n  packetboat account remove carol@example.org --yes")]
    Remove {
        /// Its address
        address: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Give an account another password
    #[command(after_help = "Examples:\n  packetboat account password carol@example.org\n  \
                      pass show mail/carol | packetboat account password carol@example.org --password-file -")]
    Password {
        /// Its address
        address: String,
        #[command(flatten)]
        password: password::Args,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let an account log in and receive mail again
    #[command(after_help = "Example:\n  packetboat account enable carol@example.org")]
    Enable {
        /// Its address
        address: String,
    },
    /// Let an account neither log in nor receive mail; what it has stays
    #[command(after_help = "Example:\n  packetboat account disable carol@example.org")]
    Disable {
        /// Its address
        address: String,
    },
    /// Say how much an account may hold, or (without options) show it
    #[command(after_help = "Examples:\n  packetboat account quota carol@example.org --storage 2G\n  \
                            packetboat account quota carol@example.org --storage none --messages 100000")]
    Quota {
        /// Its address
        address: String,
        /// Octets of all messages: 500M, 2G, none
        #[arg(long, value_name = "SIZE", value_parser = size)]
        storage: Option<Amount>,
        /// Messages: a number, or none
        #[arg(long, value_name = "N", value_parser = count)]
        messages: Option<Amount>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say for how many days mail that POP3 has fetched is kept (EXPIRE)
    #[command(after_help = "Examples:\n  packetboat account pop-days carol@example.org 30\n  \
                            packetboat account pop-days carol@example.org forever")]
    PopDays {
        /// Its address
        address: String,
        /// A number of days, or `forever`
        days: Days,
    },
    /// Show an account with its mailboxes
    #[command(after_help = "Example:\n  packetboat account show carol@example.org")]
    Show {
        /// Its address
        address: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// A limit as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Amount(Limit);

/// Days as typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days(Option<u32>);

impl FromStr for Days {
    type Err = String;

    fn from_str(text: &str) -> Result<Days, String> {
        match text {
            "forever" => Ok(Days(None)),
            text => {
                text.parse().map(|days| Days(Some(days))).map_err(|_| "write a number, or forever".into())
            }
        }
    }
}

fn size(text: &str) -> Result<Amount, String> {
    if text == "none" {
        return Ok(Amount(Limit::None));
    }
    let upper = text.to_ascii_uppercase();
    let plain = upper.trim_end_matches("IB").trim_end_matches('B');
    let units = [("K", 1_u64 << 10), ("M", 1 << 20), ("G", 1 << 30), ("T", 1 << 40)];
    let (digits, unit) = units
        .iter()
        .find_map(|(letter, unit)| Some((plain.strip_suffix(letter)?, *unit)))
        .unwrap_or((plain, 1));
    let number = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number
        .map(|number| Amount(Limit::Of(number)))
        .ok_or_else(|| "write a size like 500M or 2G, or none".into())
}

fn count(text: &str) -> Result<Amount, String> {
    match text {
        "none" => Ok(Amount(Limit::None)),
        text => {
            text.parse().map(|number| Amount(Limit::Of(number))).map_err(|_| "write a number, or none".into())
        }
    }
}

/// Runs the command.
pub fn run(data: &Path, args: Args) -> Outcome {
    let ask = |request: Request| reach::talk(data, async |client| client.call(&request).await);
    match args.what {
        What::List { json } => list(ask(Request::Accounts)?.items, json),
        What::Add { address, name, password, json } => {
            let password = password.password(&address)?;
            let done = ask(Request::AddAccount { address, name, password })?.done;
            given(&done, "made", json)
        }
        What::Remove { address, yes } => {
            if !yes && !agreed(&address, &ask(Request::Account(address.clone()))?.done)? {
                show::remark("Nothing was removed.");
                return Ok(ExitCode::FAILURE);
            }
            ask(Request::RemoveAccount(address.clone()))?;
            show::text(&format!("account {address}: removed"))
        }
        What::Password { address, password, json } => {
            let password = password.password(&address)?;
            let done = ask(Request::SetPassword { address, password })?.done;
            given(&done, "has a new password now", json)
        }
        What::Enable { address } => {
            ask(Request::Enable { address: address.clone(), enabled: true })?;
            show::text(&format!("account {address}: enabled"))
        }
        What::Disable { address } => {
            ask(Request::Enable { address: address.clone(), enabled: false })?;
            show::text(&format!("account {address}: disabled"))
        }
        What::Quota { address, storage, messages, json } => {
            let (storage, messages) = (storage.map(|amount| amount.0), messages.map(|amount| amount.0));
            quota(&ask(Request::Quota { address, storage, messages })?.done, json)
        }
        What::PopDays { address, days: Days(days) } => {
            ask(Request::PopDays { address: address.clone(), days })?;
            let kept = days.map_or("for ever".to_owned(), |days| format!("for {days} days"));
            show::text(&format!("account {address}: mail that POP3 has fetched is kept {kept}"))
        }
        What::Show { address, json } => {
            let answer = ask(Request::Account(address))?;
            one(&answer.done, answer.items, json)
        }
    }
}

fn list(accounts: Vec<Value>, json: bool) -> Outcome {
    if json {
        return show::json(&Value::Array(accounts));
    }
    let mut table = show::table(&["Address", "Name", "Messages", "Storage", "Quota", "State"]);
    for account in &accounts {
        table.add_row([
            show::string(account, "address").to_owned(),
            show::string(account, "name").to_owned(),
            show::number(account, "messages").to_string(),
            show::octets(show::number(account, "storage")),
            account["quota_storage"].as_u64().map_or("-".to_owned(), show::octets),
            state(account).to_owned(),
        ]);
    }
    right(&mut table, &[2, 3, 4]);
    show::rows(&table, "There are no accounts; make one with: packetboat account add ADDRESS")
}

fn right(table: &mut comfy_table::Table, columns: &[usize]) {
    for column in columns {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(comfy_table::CellAlignment::Right);
        }
    }
}

fn state(account: &Value) -> &'static str {
    if account["enabled"] == true { "enabled" } else { "disabled" }
}

fn given(done: &Value, what: &str, json: bool) -> Outcome {
    match json {
        true => show::json(done),
        false => show::text(&password::told(done, what)),
    }
}

/// Whether a person says yes. A script that says nothing means what it says.
fn agreed(address: &str, account: &Value) -> Result<bool, String> {
    if !io::stdin().is_terminal() {
        return Ok(true);
    }
    let messages = show::number(account, "messages");
    eprint!("Remove {address} and its {messages} messages for good? Type yes: ");
    io::stderr().flush().map_err(|error| error.to_string())?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|error| error.to_string())?;
    Ok(line.trim() == "yes")
}

fn quota(account: &Value, json: bool) -> Outcome {
    if json {
        let names = ["address", "storage", "messages", "quota_storage", "quota_messages"];
        return show::json(&names.iter().map(|name| ((*name).to_owned(), account[*name].clone())).collect());
    }
    let mut table = show::table(&["", "Holds", "May hold"]);
    let limit = |name: &str| account[name].as_u64();
    table.add_row([
        "Storage".to_owned(),
        show::octets(show::number(account, "storage")),
        limit("quota_storage").map_or("any".to_owned(), show::octets),
    ]);
    table.add_row([
        "Messages".to_owned(),
        show::number(account, "messages").to_string(),
        limit("quota_messages").map_or("any".to_owned(), |number| number.to_string()),
    ]);
    show::rows(&table, "")
}

fn one(account: &Value, mailboxes: Vec<Value>, json: bool) -> Outcome {
    if json {
        let mut whole = account.clone();
        whole["mailboxes"] = Value::Array(mailboxes);
        return show::json(&whole);
    }
    let mut facts = show::table(&[]);
    let name = show::string(account, "name");
    let limit = |name: &str| account[name].as_u64();
    let mut fact = |what: &str, is: String| {
        facts.add_row([what.to_owned(), is]);
    };
    fact("Address", show::string(account, "address").to_owned());
    if !name.is_empty() {
        fact("Name", name.to_owned());
    }
    fact("State", state(account).to_owned());
    fact("Since (UTC)", show::date(show::number(account, "created")));
    let of = |limit: Option<String>| limit.map(|limit| format!(" of {limit}")).unwrap_or_default();
    fact(
        "Messages",
        format!(
            "{}{}",
            show::number(account, "messages"),
            of(limit("quota_messages").map(|number| number.to_string()))
        ),
    );
    fact(
        "Storage",
        format!(
            "{}{}",
            show::octets(show::number(account, "storage")),
            of(limit("quota_storage").map(show::octets))
        ),
    );
    let days = limit("pop_days").map_or("for ever".to_owned(), |days| format!("{days} days"));
    fact("Fetched by POP3, kept", days);
    let mut table = show::table(&["Mailbox", "Use", "Messages", "Unseen", "Size"]);
    for mailbox in &mailboxes {
        table.add_row([
            show::string(mailbox, "name").to_owned(),
            show::string(mailbox, "special_use").to_owned(),
            show::number(mailbox, "messages").to_string(),
            show::number(mailbox, "unseen").to_string(),
            show::octets(show::number(mailbox, "size")),
        ]);
    }
    right(&mut table, &[2, 3, 4]);
    show::text(&format!("{}\n\n{}", facts.trim_fmt(), table.trim_fmt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_typed() {
        for (text, octets) in [
            ("0", 0),
            ("1500", 1500),
            ("1K", 1024),
            ("500M", 500 << 20),
            ("2g", 2 << 30),
            ("2GiB", 2 << 30),
            ("1 TB", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(Amount(Limit::Of(octets))), "{text}");
        }
        assert_eq!(size("none"), Ok(Amount(Limit::None)));
        for text in ["", "G", "-1", "1.5G", "99999999T", "many"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!("forever".parse(), Ok(Days(None)));
        assert_eq!("30".parse(), Ok(Days(Some(30))));
        assert!("-1".parse::<Days>().is_err());
    }
}
