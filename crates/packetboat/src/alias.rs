//! `packetboat alias`: addresses that lead to others.

use std::path::Path;

use clap::{Args as Clap, Subcommand};
use serde_json::Value;
use server::admin::Request;

use crate::{Outcome, reach, show};

/// Addresses that lead to others
#[derive(Clap, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Show them
    #[command(after_help = "Example:\n  packetboat alias list")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let an address lead to others; `@example.org` is all of a domain that has no address of its own
    #[command(
        visible_alias = "add",
        after_help = "Examples:\n  packetboat alias set sales@example.org alice@example.org bob@example.org\n  \
                      packetboat alias set @example.org alice@example.org --replace"
    )]
    Set {
        /// The address, or @DOMAIN
        address: String,
        /// Where its mail goes
        #[arg(required = true, value_name = "TARGET")]
        targets: Vec<String>,
        /// It may be there already: then it leads to these instead
        #[arg(long)]
        replace: bool,
    },
    /// Remove an alias
    #[command(after_help = "Example:\n  packetboat alias remove sales@example.org")]
    Remove {
        /// The address, or @DOMAIN
        address: String,
    },
}

/// Runs the command.
pub fn run(data: &Path, args: Args) -> Outcome {
    match args.what {
        What::List { json } => list(data, json),
        What::Set { address, targets, replace } => {
            let request = Request::SetAlias { address, targets, replace };
            let answer = reach::talk(data, async |client| client.call(&request).await)?;
            show::text(&format!(
                "alias {}: leads to {}",
                show::string(&answer.done, "address"),
                targets_of(&answer.done)
            ))
        }
        What::Remove { address } => {
            let request = Request::RemoveAlias(address.clone());
            reach::talk(data, async |client| client.call(&request).await)?;
            show::text(&format!("alias {address}: removed"))
        }
    }
}

fn list(data: &Path, json: bool) -> Outcome {
    let answer = reach::talk(data, async |client| client.call(&Request::Aliases).await)?;
    if json {
        return show::json(&Value::Array(answer.items));
    }
    let mut table = show::table(&["Address", "Leads to"]);
    for alias in &answer.items {
        table.add_row([show::string(alias, "address"), &targets_of(alias)]);
    }
    show::rows(&table, "There are no aliases; make one with: packetboat alias set ADDRESS TARGET")
}

fn targets_of(alias: &Value) -> String {
    let targets = alias["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
    targets.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}
