//! `packetboat status`: does it run, and is it well?

use std::path::Path;
use std::process::ExitCode;

use clap::Args as Clap;
use serde_json::{Value, json};
use server::admin::{Client, Request};

use crate::{Outcome, reach, show};

/// Does the server run, and is it well?
#[derive(Clap, Debug)]
#[command(
    after_help = "Example:\n  packetboat status --json\n\nExit code 0: it runs and is well. 1: it is not."
)]
pub struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let status = reach::wait(async {
        match Client::running(data).await? {
            Some(mut client) => Ok(Some(client.call(&Request::Status).await?.done)),
            None => Ok(None),
        }
    })?;
    let Some(status) = status else {
        let folder = data.display();
        match args.json {
            true => show::json(&json!({ "running": false, "well": false }))?,
            false => {
                show::text(&format!("Not running: nobody serves {folder} (another folder? --data DIR)"))?
            }
        };
        return Ok(ExitCode::FAILURE);
    };
    match args.json {
        true => {
            let mut whole = status.clone();
            whole["running"] = true.into();
            show::json(&whole)?;
        }
        false => {
            show::text(&told(&status))?;
        }
    }
    Ok(if status["well"] == true { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn told(status: &Value) -> String {
    let mut text = format!(
        "packetboat {} as {}, process {}, {}; {} connections\n",
        show::string(status, "version"),
        show::string(status, "hostname"),
        show::number(status, "process"),
        up_for(show::number(status, "uptime_seconds")),
        show::number(status, "connections"),
    );
    let ledger = &status["ledger"];
    if ledger.is_object() {
        text.push_str(&format!(
            "{} of log in {} segments, {} free on the disk\n",
            show::octets(show::number(ledger, "octets")),
            show::number(ledger, "segments"),
            show::octets(show::number(ledger, "disk_free")),
        ));
    }
    let mut table = show::table(&["Service", "Address", "Security", "State"]);
    for door in status["doors"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let state = if door["open"] == true { "open" } else { "closed" };
        let word = |name| show::string(door, name);
        table.add_row([word("service"), word("address"), word("security"), state]);
    }
    text.push_str(&format!("\n{}\n\n", table.trim_fmt()));
    let problems = status["problems"].as_array().map(Vec::as_slice).unwrap_or_default();
    for problem in problems.iter().filter_map(Value::as_str) {
        text.push_str(&format!("Problem: {problem}\n"));
    }
    text.push_str(if status["well"] == true { "All is well.\n" } else { "Not all is well.\n" });
    text
}

fn up_for(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("up for {minutes} min {} s", seconds % 60),
        (0, _) => format!("up for {hours} h {minutes} min"),
        _ => format!("up for {days} d {hours} h"),
    }
}
