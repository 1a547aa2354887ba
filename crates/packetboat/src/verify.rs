//! `packetboat verify`: is all as it was written?

use std::path::Path;
use std::process::ExitCode;

use clap::Args as Clap;
use serde_json::Value;
use server::admin::{self, Answer, Client, Request, Way};

use crate::{Outcome, progress, reach, show};

/// Read everything that is kept, and name what is not as it was written
#[derive(Clap, Debug)]
#[command(after_help = "Examples:\n  packetboat verify\n  packetboat verify --repair\n\n\
                        Exit code 0: all is well, or was set right. 1: there is damage.")]
pub struct Args {
    /// Set counters right; with no server running, build a damaged index anew
    #[arg(long)]
    repair: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let bar = progress::alive("reading everything");
    let request = Request::Verify { repair: args.repair };
    let look = async || {
        let mut client = Client::connect(data).await?;
        let way = client.way();
        let answer = client.call_with(&request, progress::follow(&bar)).await;
        client.close().await?;
        Ok::<_, String>((answer?, way))
    };
    let found = reach::wait(async {
        let (answer, way) = look().await?;
        if args.repair && index_is_damaged(&answer) {
            if way == Way::Running {
                show::remark("The index is damaged: stop the server, then run this again to build it anew.");
            } else {
                bar.set_message("building the index anew");
                admin::rebuild_index(data).await?;
                return Ok(look().await?.0);
            }
        }
        Ok(answer)
    });
    bar.finish_and_clear();
    told(&found?, args)
}

fn index_is_damaged(answer: &Answer) -> bool {
    answer.items.iter().any(|item| item["file"] == "index")
}

fn told(answer: &Answer, args: &Args) -> Outcome {
    let done = &answer.done;
    let (damage, miscounts) = (show::number(done, "damage"), show::number(done, "miscounts"));
    if args.json {
        let mut whole = done.clone();
        whole["findings"] = Value::Array(answer.items.clone());
        show::json(&whole)?;
    } else {
        let mut text = String::new();
        for item in &answer.items {
            let (account, what) = (show::string(item, "account"), show::string(item, "what"));
            let whose = if account.is_empty() { String::new() } else { format!("{account}: ") };
            text.push_str(&format!("{whose}{what}\n"));
        }
        text.push_str(&format!(
            "{} of log, {} records, {} bodies, {} rows, {} accounts: {}\n",
            show::octets(show::number(done, "octets")),
            show::number(done, "records"),
            show::number(done, "bodies"),
            show::number(done, "rows"),
            show::number(done, "accounts"),
            verdict(damage, miscounts, args.repair)
        ));
        show::text(&text)?;
    }
    let well = damage == 0 && (miscounts == 0 || args.repair);
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn verdict(damage: u64, miscounts: u64, repair: bool) -> String {
    let mut parts = Vec::new();
    if damage > 0 {
        parts.push(format!("{damage} damaged places; what was there is in a backup, if there is one"));
    }
    match (miscounts, repair) {
        (0, _) => {}
        (some, true) => parts.push(format!("{some} counters set right")),
        (some, false) => parts.push(format!("{some} counters are wrong; set them right with --repair")),
    }
    if parts.is_empty() { "all is well".to_owned() } else { parts.join("; ") }
}
