//! `packetboat restore`: a data folder from a backup.

use std::path::{Path, PathBuf};

use clap::Args as Clap;
use serde_json::json;

use crate::{Outcome, progress, show};

/// Make a data folder of a backup: the same mail, UIDs, flags, accounts and certificates
#[derive(Clap, Debug)]
#[command(after_help = "Example:\n  packetboat restore /backup/mail --data /var/lib/packetboat\n  \
                        packetboat verify --data /var/lib/packetboat")]
pub struct Args {
    /// What `packetboat backup` has made
    #[arg(value_name = "BACKUP")]
    backup: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command. Where to must be said: nothing is put into a folder that was only guessed.
pub fn run(data: Option<&Path>, args: &Args) -> Outcome {
    let set = std::env::var_os("PACKETBOAT_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let Some(data) = data.map(Path::to_owned).or(set) else {
        return Err("say into which folder, a new or an empty one: --data DIR".to_owned());
    };
    let bar = progress::octets(0);
    let done = server::admin::restore(&args.backup, &data, progress::follow_octets(&bar));
    bar.finish_and_clear();
    let done = done?;
    if args.json {
        return show::json(&json!({ "files": done.files, "octets": done.octets }));
    }
    show::text(&format!(
        "{}: restored, {} in {} files. Look at it with: packetboat verify --data {}",
        data.display(),
        show::octets(done.octets),
        done.files,
        data.display()
    ))
}
