//! The house's own authority: made at the first start, so that every door has TLS before anybody has bought or
//! fetched a certificate. Its public half is handed to clients with `packetboat cert ca`.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use mail::Moment;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType,
};

use crate::tls::CertFiles;

/// Days a certificate of ours is good for. Apple's clients refuse more than 825 from a private authority.
const LEAF_DAYS: i64 = 397;
/// It is renewed when fewer are left.
const RENEW_DAYS: i64 = 60;
/// Days the authority is good for: a client installs it once.
const CA_DAYS: i64 = 3650;

/// The files of the house's own authority.
pub struct Authority {
    folder: PathBuf,
}

/// What the house's own certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The names in it, the hostname first.
    pub names: Vec<String>,
    /// Until when it is good, in seconds since 1970.
    pub until: u64,
}

impl Authority {
    /// Opens the authority in this folder, making what is missing.
    pub fn open(folder: &Path, now: Moment) -> Result<Authority, String> {
        let authority = Authority { folder: folder.to_owned() };
        if !authority.ca_file().exists() {
            authority.found(now)?;
        }
        Ok(authority)
    }

    /// What a client must trust.
    pub fn ca_file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// What the certificate in this folder is for, if there is one.
    pub fn issued(folder: &Path) -> Option<Issued> {
        let text = fs::read_to_string(folder.join("house.names")).ok()?;
        let (names, until) = text.split_once('\n')?;
        let names = names.split(' ').map(str::to_owned).collect();
        Some(Issued { names, until: until.trim().parse().ok()? })
    }

    /// A certificate for these names, made anew when one is missing from it or it soon ends.
    pub fn certificate(&self, names: &[String], now: Moment) -> Result<CertFiles, String> {
        let files = CertFiles { chain: self.folder.join("house.pem"), key: self.folder.join("house.key") };
        let wanted = format!("{}\n", names.join(" "));
        let note = self.folder.join("house.names");
        let good = fs::read_to_string(&note).is_ok_and(|text| {
            let (had, until) = text.split_once('\n').unwrap_or(("", ""));
            let until: i64 = until.trim().parse().unwrap_or(0);
            had == wanted.trim_end() && until - seconds(now) > RENEW_DAYS * 86_400
        });
        if !good || !files.chain.exists() || !files.key.exists() {
            let until = self.issue(names, &files, now)?;
            write_private(&note, format!("{wanted}{until}\n").as_bytes())?;
        }
        Ok(files)
    }

    fn found(&self, now: Moment) -> Result<(), String> {
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let params = authority(now);
        let cert = params.self_signed(&key).map_err(|e| e.to_string())?;
        write_private(&self.folder.join("ca.key"), key.serialize_pem().as_bytes())?;
        write_private(&self.ca_file(), cert.pem().as_bytes())
    }

    fn issue(&self, names: &[String], files: &CertFiles, now: Moment) -> Result<i64, String> {
        let read = |path: PathBuf| fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()));
        let ca_key = KeyPair::from_pem(&read(self.folder.join("ca.key"))?).map_err(|e| e.to_string())?;
        let ca_pem = read(self.ca_file())?;
        // Name and key make the issuer; its dates do not go into what it signs.
        let issuer = Issuer::new(authority(now), ca_key);
        let key = KeyPair::generate().map_err(|e| e.to_string())?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named(names.first().map_or("localhost", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        for name in names {
            let name =
                name.as_str().try_into().map_err(|e| format!("{name} cannot stand in a certificate: {e}"))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        for ip in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
            params.subject_alt_names.push(SanType::IpAddress(ip));
        }
        let until = lifetime(&mut params, now, LEAF_DAYS);
        let cert = params.signed_by(&key, &issuer).map_err(|e| e.to_string())?;
        // The key goes first: a reader that meets the new chain with the old key keeps what it has.
        write_private(&files.key, key.serialize_pem().as_bytes())?;
        write_private(&files.chain, format!("{}{ca_pem}", cert.pem()).as_bytes())?;
        Ok(until)
    }
}

fn authority(now: Moment) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name = named("Packetboat local authority");
    lifetime(&mut params, now, CA_DAYS);
    params
}

fn named(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common);
    name.push(DnType::OrganizationName, "Packetboat");
    name
}

fn seconds(now: Moment) -> i64 {
    i64::try_from(now.seconds()).unwrap_or(i64::MAX)
}

/// Valid from yesterday (clocks differ) for so many days; says until when, in seconds since the epoch.
fn lifetime(params: &mut CertificateParams, now: Moment, days: i64) -> i64 {
    let date = |seconds: i64| {
        let (year, month, day) = civil(seconds.div_euclid(86_400));
        rcgen::date_time_ymd(year, month, day)
    };
    params.not_before = date(seconds(now) - 86_400);
    let until = (seconds(now) / 86_400 + days) * 86_400;
    params.not_after = date(until);
    until
}

/// Year, month and day of a day number counted from 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i32, u8, u8) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (
        i32::try_from(year).unwrap_or(i32::MAX),
        u8::try_from(month).unwrap_or(1),
        u8::try_from(day).unwrap_or(1),
    )
}

/// Writes a file that only its owner reads: whole or not at all, also over a power cut.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let fail = |e: std::io::Error| format!("{}: {e}", path.display());
    let next = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&next)
        .map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    file.sync_all().map_err(fail)?;
    fs::rename(&next, path).map_err(fail)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|f| f.sync_all()).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_turn_into_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_781), (2026, 11, 24));
    }
}
