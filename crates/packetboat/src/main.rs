//! The command line: one file for each command, and for each form of file that mail comes from or goes to.
//!
//! What never lives here: what a command does; that is the server's admin room, or the house.

mod account;
mod alias;
mod backup;
mod cert;
mod completions;
mod domain;
mod export;
mod import;
mod line_ends;
mod password;
mod progress;
mod reach;
mod reload;
mod restore;
mod serve;
mod settings;
mod show;
mod status;
mod up;
mod verify;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command comes to: its exit code, or why it was not done and what to do.
type Outcome = Result<ExitCode, String>;

/// Where the data is, if nobody says otherwise: here while trying it out, …
const HERE: &str = "packetboat-data";
/// … else where a service has it.
const SYSTEM: &str = "/var/lib/packetboat";

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "\
Examples:
  Try it out, without root, on ports moved by 10000 (993 becomes 10993):
    packetboat up --domain example.test --account alice@example.test --port-offset 10000

  Then, in another window:
    packetboat status
    packetboat settings alice@example.test
    packetboat import mbox old-mail.mbox --account alice@example.test

Exit codes: 0 done, 1 the answer is no, 2 wrong usage.";

/// A mail server: SMTP, IMAP and POP3 in one program.
#[derive(Parser)]
#[command(name = "packetboat", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    /// The data folder [default: $PACKETBOAT_DATA, else packetboat-data here, else /var/lib/packetboat]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Up(up::Args),
    Serve(serve::Args),
    Status(status::Args),
    Domain(domain::Args),
    Account(account::Args),
    Alias(alias::Args),
    Settings(settings::Args),
    Cert(cert::Args),
    Import(import::Args),
    Export(export::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Verify(verify::Args),
    Reload(reload::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let data = data(cli.data.clone(), matches!(cli.command, Command::Up(_)));
    match run(cli, &data) {
        Ok(code) => code,
        Err(why) => {
            // With nobody to read it, there is nothing else to do.
            let _ = writeln!(std::io::stderr(), "packetboat: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli, data: &Path) -> Outcome {
    match cli.command {
        Command::Up(args) => {
            log();
            Ok(up::run(data, args))
        }
        Command::Serve(args) => {
            log();
            Ok(serve::run(&args))
        }
        Command::Status(args) => status::run(data, &args),
        Command::Domain(args) => domain::run(data, args),
        Command::Account(args) => account::run(data, args),
        Command::Alias(args) => alias::run(data, args),
        Command::Settings(args) => settings::run(data, &args),
        Command::Cert(args) => cert::run(data, &args),
        Command::Import(args) => import::run(data, &args),
        Command::Export(args) => export::run(data, &args),
        Command::Backup(args) => backup::run(data, &args),
        Command::Restore(args) => restore::run(cli.data.as_deref(), &args),
        Command::Verify(args) => verify::run(data, &args),
        Command::Reload(args) => reload::run(data, &args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// What a house has to say while it runs goes to standard error.
fn log() {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
}

/// The data folder. What is to be made and is nowhere yet is made here.
fn data(given: Option<PathBuf>, made: bool) -> PathBuf {
    let set = std::env::var_os("PACKETBOAT_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    given.or(set).unwrap_or_else(|| {
        let here = Path::new(HERE).is_dir();
        let system = Path::new(SYSTEM).join("ledger").is_dir();
        PathBuf::from(if here || (made && !system) { HERE } else { SYSTEM })
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound_and_every_command_has_an_example() {
        let command = Cli::command();
        command.clone().debug_assert();
        fn look(command: &clap::Command, path: &str) {
            let leaves: Vec<_> = command.get_subcommands().collect();
            if leaves.is_empty() {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("packetboat "), "{path} has no example");
                assert!(command.get_about().is_some(), "{path} says nothing of itself");
            }
            for leaf in leaves {
                look(leaf, &format!("{path} {}", leaf.get_name()));
            }
        }
        look(&command, "packetboat");
    }
}
