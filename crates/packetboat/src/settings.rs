//! `packetboat settings`: what to type into a mail program.

use std::path::Path;

use clap::Args as Clap;
use serde_json::{Value, json};
use server::admin::{Client, Request};
use server::cert::Authority;
use server::door::STANDARD;
use server::office;

use crate::{Outcome, reach, show};

/// What to type into a mail program
#[derive(Clap, Debug)]
#[command(after_help = "Example:\n  packetboat settings alice@example.org")]
pub struct Args {
    /// Of this account
    address: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// One way to reach the mail.
struct Way {
    service: String,
    port: u64,
    security: String,
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    let (address, status) = reach::wait(async {
        let mut client = Client::connect(data).await?;
        let found = client.call(&Request::Account(args.address.clone())).await?;
        client.close().await?;
        let status = match Client::running(data).await? {
            Some(mut running) => Some(running.call(&Request::Status).await?.done),
            None => None,
        };
        Ok((show::string(&found.done, "address").to_owned(), status))
    })?;
    let ways = status.as_ref().map_or_else(standard, ways);
    let hostname = match &status {
        Some(status) => show::string(status, "hostname").to_owned(),
        None => hostname(data, &address),
    };
    match args.json {
        true => show::json(&as_json(&address, &hostname, status.is_some(), &ways)),
        false => show::text(&as_text(&address, &hostname, status.as_ref(), &ways)),
    }
}

/// The doors that are open to people, each port once, the better ones first.
fn ways(status: &Value) -> Vec<Way> {
    let doors = status["doors"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut ways: Vec<Way> = Vec::new();
    for door in doors.iter().filter(|door| door["open"] == true) {
        let port = show::string(door, "address").rsplit(':').next().and_then(|port| port.parse().ok());
        let Some(port) = port else { continue };
        if ways.iter().all(|known| known.port != port) {
            let (service, security) = (show::string(door, "service"), show::string(door, "security"));
            ways.push(Way { service: service.to_owned(), port, security: security.to_owned() });
        }
    }
    sorted(ways)
}

/// With no server to ask.
fn standard() -> Vec<Way> {
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    let ways = STANDARD.into_iter().map(|(service, security, port)| Way {
        service: text(json!(service)),
        port: port.into(),
        security: text(json!(security)),
    });
    sorted(ways.collect())
}

fn sorted(mut ways: Vec<Way>) -> Vec<Way> {
    let services = ["imap", "pop3", "submission"];
    ways.retain(|way| services.contains(&way.service.as_str()));
    let securities = ["implicit", "auto", "starttls", "none"];
    ways.sort_by_key(|way| {
        let place = |list: &[&str], name: &str| list.iter().position(|known| *known == name);
        (place(&services, &way.service), place(&securities, &way.security), way.port)
    });
    ways
}

/// The name in our own certificate, which is that of the last start.
fn hostname(data: &Path, address: &str) -> String {
    let issued = Authority::issued(&office::tls_folder(data));
    let first = issued.and_then(|issued| issued.names.into_iter().next());
    first.unwrap_or_else(|| format!("mail.{}", address.rsplit('@').next().unwrap_or_default()))
}

/// As mail programs name it.
fn named(security: &str) -> &'static str {
    match security {
        "implicit" | "auto" => "SSL/TLS",
        "starttls" => "STARTTLS",
        _ => "none",
    }
}

fn as_json(address: &str, hostname: &str, running: bool, ways: &[Way]) -> Value {
    let of = |wanted: &str| -> Vec<Value> {
        let ours = ways.iter().filter(|way| way.service == wanted);
        ours.map(|way| json!({ "host": hostname, "port": way.port, "security": way.security })).collect()
    };
    json!({
        "address": address, "user": address, "running": running,
        "imap": of("imap"), "pop3": of("pop3"), "smtp": of("submission"),
    })
}

fn as_text(address: &str, hostname: &str, status: Option<&Value>, ways: &[Way]) -> String {
    let mut table = show::table(&["For", "Server", "Port", "Security"]);
    for way in ways {
        let what = match way.service.as_str() {
            "imap" => "reading: IMAP",
            "pop3" => "reading: POP3",
            _ => "sending: SMTP",
        };
        table.add_row([what, hostname, &way.port.to_string(), named(&way.security)]);
    }
    let mut text = format!(
        "{}\n\nUser name: {address} (the whole address)\nPassword:  the account's, as a normal password\n\
         Where a program lets you choose, take IMAP, and SSL/TLS.\n",
        table.trim_fmt()
    );
    match status {
        None => text.push_str("\nNo server runs on this data now; these are the standard ports.\n"),
        Some(status) if status["own_authority"] == true => text.push_str(
            "\nThe certificate is by the server's own authority. A program trusts it once it has the file that\n  \
             packetboat cert ca\nprints.\n",
        ),
        Some(_) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_of_a_status_become_ways_the_best_first() {
        let door = |service: &str, security: &str, address: &str| json!({ "service": service, "security": security, "address": address, "open": true });
        let status = json!({ "doors": [
            door("smtp", "starttls", "0.0.0.0:25"),
            door("submission", "starttls", "0.0.0.0:587"),
            door("submission", "implicit", "[::]:465"),
            door("imap", "starttls", "0.0.0.0:143"),
            door("imap", "implicit", "0.0.0.0:993"),
            door("imap", "implicit", "[::]:993"),
            { "service": "pop3", "security": "implicit", "address": "0.0.0.0:995", "open": false },
        ]});
        let found: Vec<(String, u64)> =
            ways(&status).into_iter().map(|way| (way.service, way.port)).collect();
        let wanted = [("imap", 993), ("imap", 143), ("submission", 465), ("submission", 587)];
        assert_eq!(found, wanted.map(|(service, port)| (service.to_owned(), port)));
        assert_eq!(standard().len(), 6);
    }
}
