//! `packetboat cert`: the house's own authority and certificate.

use std::path::Path;

use clap::{Args as Clap, Subcommand};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use server::cert::Authority;
use server::office;
use sha2::{Digest, Sha256};

use crate::{Outcome, show};

/// The house's own authority and certificate
#[derive(Clap, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Print the certificate that mail programs must trust (PEM)
    #[command(after_help = "Examples:\n  packetboat cert ca > ca.pem\n  \
                            curl --cacert ca.pem imaps://mail.example.org/ --user alice@example.org")]
    Ca,
    /// Show names, end and fingerprints
    #[command(after_help = "Example:\n  packetboat cert show --json")]
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(data: &Path, args: &Args) -> Outcome {
    match &args.what {
        What::Ca => show::text(&read(&office::tls_folder(data).join("ca.pem"))?),
        What::Show { json } => shown(&office::tls_folder(data), *json),
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::NotFound => {
                "; `packetboat up` makes one, and with certificates of your own there is none"
            }
            std::io::ErrorKind::PermissionDenied => "; run this as root, or as the user of the server",
            _ => "",
        };
        format!("{}: {error}{advice}", file.display())
    })
}

/// SHA-256 of the first certificate in a file, as mail programs show it.
fn fingerprint(file: &Path) -> Result<String, String> {
    let fail = |why: String| format!("{}: {why}", file.display());
    let der = CertificateDer::from_pem_slice(read(file)?.as_bytes()).map_err(|e| fail(e.to_string()))?;
    let octets: Vec<String> = Sha256::digest(&der).iter().map(|octet| format!("{octet:02X}")).collect();
    Ok(octets.join(":"))
}

fn shown(folder: &Path, json: bool) -> Outcome {
    let (ca, house) = (folder.join("ca.pem"), folder.join("house.pem"));
    let (authority, certificate) = (fingerprint(&ca)?, fingerprint(&house)?);
    let issued = Authority::issued(folder).ok_or_else(|| {
        format!(
            "{}: what the certificate is for cannot be read; the next start makes it anew",
            folder.display()
        )
    })?;
    if json {
        return show::json(&json!({
            "names": issued.names, "until": issued.until,
            "certificate": house, "certificate_sha256": certificate,
            "authority": ca, "authority_sha256": authority,
        }));
    }
    let mut table = show::table(&[]);
    table.add_row(["Certificate", &house.display().to_string()]);
    table.add_row(["  for", &issued.names.join(", ")]);
    table.add_row(["  until (UTC)", &show::date(issued.until)]);
    table.add_row(["  SHA-256", &certificate]);
    table.add_row(["Authority", &ca.display().to_string()]);
    table.add_row(["  SHA-256", &authority]);
    show::text(&table.trim_fmt())
}
