//! The command line, and nothing else.
mod serve;
mod up;
use clap::{Parser, Subcommand};
use std::path::PathBuf;
#[derive(Parser)]
struct Cli {
    #[arg(long, global = true, default_value = "packetboat-data")]
    data: PathBuf,
    #[command(subcommand)]
    command: Command,
}
#[derive(Subcommand)]
enum Command {
    Up(up::Args),
    Serve(serve::Args),
}
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() -> std::process::ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let cli = Cli::parse();
    match cli.command {
        Command::Up(args) => up::run(&cli.data, args),
        Command::Serve(args) => serve::run(&args),
    }
}
