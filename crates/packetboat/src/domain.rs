//! `packetboat domain`: the domains whose mail is ours.

use std::path::Path;

use clap::{Args as Clap, Subcommand};
use serde_json::Value;
use server::admin::Request;

use crate::{Outcome, reach, show};

/// The domains whose mail is ours
#[derive(Clap, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Show them
    #[command(after_help = "Example:\n  packetboat domain list --json")]
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take mail for a domain from now on
    #[command(after_help = "Example:\n  packetboat domain add example.org")]
    Add {
        /// The domain
        name: String,
    },
    /// Take no more mail for a domain; its accounts must be removed before, its aliases go with it
    #[command(after_help = "Example:\n  packetboat domain remove example.org")]
    Remove {
        /// The domain
        name: String,
    },
    /// Say who gets mail to postmaster@ and abuse@ of a domain where no alias does
    #[command(after_help = "Example:\n  packetboat domain postmaster example.org alice@example.org")]
    Postmaster {
        /// The domain
        name: String,
        /// An account
        address: String,
    },
}

/// Runs the command.
pub fn run(data: &Path, args: Args) -> Outcome {
    match args.what {
        What::List { json } => list(data, json),
        What::Add { name } => {
            let request = Request::AddDomain(name);
            let answer = reach::talk(data, async |client| client.call(&request).await)?;
            show::text(&format!("domain {}: added", show::string(&answer.done, "name")))
        }
        What::Remove { name } => {
            let request = Request::RemoveDomain(name.clone());
            reach::talk(data, async |client| client.call(&request).await)?;
            show::text(&format!("domain {name}: removed"))
        }
        What::Postmaster { name, address } => {
            let request = Request::Postmaster { domain: name.clone(), address: address.clone() };
            reach::talk(data, async |client| client.call(&request).await)?;
            show::text(&format!("domain {name}: {address} answers for it"))
        }
    }
}

fn list(data: &Path, json: bool) -> Outcome {
    let answer = reach::talk(data, async |client| client.call(&Request::Domains).await)?;
    if json {
        return show::json(&Value::Array(answer.items));
    }
    let mut table = show::table(&["Domain", "Postmaster", "Since (UTC)"]);
    for domain in &answer.items {
        let postmaster = domain["postmaster"].as_str().unwrap_or("-");
        table.add_row([
            show::string(domain, "name"),
            postmaster,
            &show::date(show::number(domain, "created")),
        ]);
    }
    show::rows(&table, "There are no domains; add one with: packetboat domain add NAME")
}
