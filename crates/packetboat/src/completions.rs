//! `packetboat completions`: for shells.

use clap::{Args as Clap, CommandFactory};
use clap_complete::Shell;

use crate::{Cli, Outcome, show};

/// Print completions for a shell
#[derive(Clap, Debug)]
#[command(after_help = "Examples:\n  packetboat completions bash > /etc/bash_completion.d/packetboat\n  \
                        packetboat completions fish > ~/.config/fish/completions/packetboat.fish")]
pub struct Args {
    /// Which shell
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "packetboat", &mut script);
    show::text(&String::from_utf8_lossy(&script))
}
