//! `packetboat reload`: configuration and certificates are read again.

use std::path::Path;

use clap::Args as Clap;
use serde_json::Value;
use server::admin::Request;

use crate::{Outcome, reach, show};

/// Let the running server read its configuration and certificates again; nobody is thrown out
#[derive(Clap, Debug)]
#[command(after_help = "Example:\n  packetboat reload")]
pub struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let done = reach::talk(data, async |client| client.call(&Request::Reload).await)?.done;
    if args.json {
        return show::json(&done);
    }
    let changes: Vec<&str> =
        done["changes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match changes.is_empty() {
        true => show::text("Reloaded; nothing has changed."),
        false => show::text(&changes.join("\n")),
    }
}
