//! `packetboat serve`: serves as a configuration file says.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args as Clap;
use comfy_table::{Table, presets};
use server::config::{self, Config};
use server::door::Door;
use server::founding::{Founded, Founding};
use server::house::{self, Opened, Plan};

const EXAMPLES: &str = "\
Example:
  packetboat serve --config /etc/packetboat.toml

The smallest file:
  hostname = \"mail.example.org\"

With other ports and a certificate of your own:
  hostname = \"mail.example.org\"
  data = \"/var/lib/packetboat\"

  [[listen]]
  service = \"imap\"          # smtp, submission, imap or pop3
  tls = \"implicit\"          # implicit, starttls, none or auto
  address = \"0.0.0.0:993\"

  [[certificate]]
  chain = \"/etc/ssl/mail/fullchain.pem\"
  key = \"/etc/ssl/mail/privkey.pem\"

  [limits]
  message-size = 52_428_800
  connections-per-address = 1000
  sessions-per-account = 100

SIGHUP reads file and certificates again; SIGTERM lets open sessions finish, 30 s at most.";

/// Serve as a configuration file says.
#[derive(Clap, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/packetboat.toml")]
    config: PathBuf,
    /// Only read the file and say what is wrong with it
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> ExitCode {
    let config = match read(args) {
        Ok(config) => config,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("packetboat: {problem}"));
            return ExitCode::from(2);
        }
    };
    if args.check {
        println!(
            "{} is fine: {} doors, data in {}",
            args.config.display(),
            config.doors.len(),
            config.data.display()
        );
        return ExitCode::SUCCESS;
    }
    let config_file = std::path::absolute(&args.config).unwrap_or_else(|_| args.config.clone());
    house(Plan { config, config_file: Some(config_file), founding: Founding::default() })
}

fn read(args: &Args) -> Result<Config, Vec<String>> {
    let name = args.config.display();
    let text = std::fs::read_to_string(&args.config).map_err(|error| {
        vec![format!("{name}: {error}; see `packetboat serve --help` for an example, or use `packetboat up`")]
    })?;
    config::parse(&text)
        .map_err(|problems| problems.iter().map(|problem| format!("{name}, {problem}")).collect())
}

/// Runs a house and tells what stands.
pub fn house(plan: Plan) -> ExitCode {
    // A script may read nothing of it and close; that must not end the house.
    let told = |opened: &Opened| drop(tell(opened));
    match house::run(plan, told) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("packetboat: {problem}"));
            ExitCode::FAILURE
        }
    }
}

fn tell(opened: &Opened) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for account in &opened.founded {
        match account {
            Founded::Known(address) => writeln!(out, "account {address}: there already, left as it is")?,
            Founded::Given { address, weak } => {
                let remark = if *weak { "; the password is easy to guess" } else { "" };
                writeln!(out, "account {address}: made{remark}")?;
            }
            Founded::Made { address, password } => {
                let password = String::from_utf8_lossy(password.expose());
                writeln!(out, "account {address}: made, password {password}  (shown this once)")?;
            }
        }
    }
    if !opened.founded.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "{}", doors(&opened.doors).trim_fmt())?;
    if opened.authority.is_some() {
        writeln!(out, "\nCertificate by our own authority; programs trust it after `packetboat cert ca`.")?;
    }
    writeln!(out, "ready")?;
    out.flush()
}

/// The table of doors; one row for each service and port, whatever its addresses.
fn doors(doors: &[Door]) -> Table {
    let mut rows: Vec<(String, u16, String, String, Vec<String>)> = Vec::new();
    let mut sorted = doors.to_vec();
    sorted.sort_by_key(|door| (door.service, door.address.port(), door.address));
    for door in sorted {
        let port = door.address.port();
        let address = door.address.ip().to_string();
        match rows.last_mut().filter(|row| row.1 == port && row.2 == door.security.to_string()) {
            Some(row) => row.4.push(address),
            None => rows.push((
                door.service.to_string(),
                port,
                door.security.to_string(),
                door.service.audience().to_owned(),
                vec![address],
            )),
        }
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["Service", "Port", "Security", "For", "Address"]);
    for (service, port, security, audience, addresses) in rows {
        table.add_row([service, port.to_string(), security, audience, addresses.join(", ")]);
    }
    table
}
