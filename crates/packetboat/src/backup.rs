//! `packetboat backup`: a copy of everything, made while the server works.

use std::path::{Path, PathBuf};

use clap::Args as Clap;
use server::admin::Request;

use crate::{Outcome, progress, reach, show};

/// Copy everything to another folder, while the server works
#[derive(Clap, Debug)]
#[command(after_help = "Examples:\n  packetboat backup /backup/mail\n  \
                        packetboat backup /backup/mail --incremental    (later: only what is new)\n\n\
                        Back again: packetboat restore /backup/mail --data NEW-FOLDER")]
pub struct Args {
    /// The folder, made if missing; best on another disk
    #[arg(value_name = "DIR")]
    target: PathBuf,
    /// Add what is new to the copy that is there
    #[arg(long)]
    incremental: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let fail = |error: std::io::Error| format!("{}: {error}", args.target.display());
    let target = std::path::absolute(&args.target).map_err(fail)?;
    let request = Request::Backup { target, incremental: args.incremental };
    let bar = progress::alive("copying");
    let done = reach::talk(data, async |client| client.call(&request).await);
    bar.finish_and_clear();
    let done = done?.done;
    if args.json {
        return show::json(&done);
    }
    show::text(&format!(
        "{}: whole; {} segments, {} copied, {} shared with the original, {} there before",
        args.target.display(),
        show::number(&done, "segments"),
        show::octets(show::number(&done, "copied_octets")),
        show::number(&done, "linked_segments"),
        show::number(&done, "kept_segments"),
    ))
}
