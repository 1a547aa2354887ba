//! The judges: mail programs of other people, from Debian's packages.
//!
//! Most are installed where missing. Packages that exclude one another are only fetched and unpacked under
//! `target/judges`, so that no machine is changed more than it must be. No service is left running.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{self, Failed};

/// Installed by apt. Each is named with a file that proves it is there.
const INSTALLED: &[(&str, &str)] = &[
    ("isync", "/usr/bin/mbsync"),
    ("offlineimap3", "/usr/bin/offlineimap"),
    ("getmail6", "/usr/bin/getmail"),
    ("fetchmail", "/usr/bin/fetchmail"),
    ("mutt", "/usr/bin/mutt"),
    ("msmtp", "/usr/bin/msmtp"),
    ("swaks", "/usr/bin/swaks"),
    // What swaks needs to speak TLS.
    ("libnet-ssleay-perl", "/usr/share/doc/libnet-ssleay-perl"),
    ("curl", "/usr/bin/curl"),
    ("postgresql", "/usr/lib/postgresql"),
    ("python3", "/usr/bin/python3"),
    ("ca-certificates", "/etc/ssl/certs/ca-certificates.crt"),
];

/// Unpacked, not installed. Each is named with a file that proves it is there, below its own folder.
const UNPACKED: &[(&str, &str)] = &[("postfix", "usr/sbin/smtp-source")];

const STEP: &str = "judges";

/// Where the unpacked judges live: one folder a package.
pub fn folder() -> PathBuf {
    step::root().join("target/judges")
}

/// Installs and unpacks what is missing. A judge that is missing afterwards is a failure.
pub fn install() -> Result<(), Failed> {
    let missing = missing(INSTALLED);
    let folded: Vec<&str> = UNPACKED
        .iter()
        .filter(|(name, proof)| !folder().join(name).join(proof).exists())
        .map(|(name, _)| *name)
        .collect();
    if missing.is_empty() && folded.is_empty() {
        return Ok(());
    }
    step::run("judges: package lists", apt()?.args(["update", "-qq"]))?;
    if !missing.is_empty() {
        install_quietly(&missing)?;
    }
    for name in folded {
        unpack(name)?;
    }
    prove()
}

fn missing(list: &[(&'static str, &str)]) -> Vec<&'static str> {
    list.iter().filter(|(_, proof)| !Path::new(proof).exists()).map(|(name, _)| *name).collect()
}

/// Installs `names` while a policy of ours keeps their services from being started.
fn install_quietly(names: &[&str]) -> Result<(), Failed> {
    let _policy = Policy::set()?;
    step::run(
        "judges: install",
        apt()?
            .args(["install", "-y", "-qq", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"])
            .args(names),
    )
}

/// Fetches Debian's package `name` and unpacks it in its own folder, without running anything of it.
fn unpack(name: &str) -> Result<(), Failed> {
    let failed = |error: std::io::Error| Failed::new(STEP, format!("{name}: {error}"));
    let fetched = folder().join("fetched").join(name);
    if fetched.exists() {
        fs::remove_dir_all(&fetched).map_err(failed)?;
    }
    fs::create_dir_all(&fetched).map_err(failed)?;
    let mut download = Command::new("apt-get");
    download.args(["download", "-qq", name]).current_dir(&fetched);
    step::run(&format!("judges: fetch {name}"), &mut download)?;
    for file in fs::read_dir(&fetched).map_err(failed)? {
        let file = file.map_err(failed)?.path();
        let mut dpkg = Command::new("dpkg");
        dpkg.arg("-x").arg(&file).arg(folder().join(name));
        step::run(&format!("judges: unpack {name}"), &mut dpkg)?;
    }
    Ok(())
}

/// Fails if any judge is still missing.
fn prove() -> Result<(), Failed> {
    let installed = INSTALLED.iter().map(|(name, proof)| (*name, PathBuf::from(proof)));
    let unpacked = UNPACKED.iter().map(|(name, proof)| (*name, folder().join(name).join(proof)));
    for (name, proof) in installed.chain(unpacked) {
        if !proof.exists() {
            return Err(Failed::new(
                STEP,
                format!("{name} is installed, but {} is missing", proof.display()),
            ));
        }
    }
    Ok(())
}

/// apt-get as root: directly, or by sudo where that asks nothing.
fn apt() -> Result<Command, Failed> {
    let mut command;
    if is_root() {
        command = Command::new("apt-get");
    } else {
        let names: Vec<&str> = INSTALLED.iter().map(|(name, _)| *name).collect();
        step::output(STEP, Command::new("sudo").args(["-n", "true"])).map_err(|_| {
            Failed::new(STEP, format!("not root; run: sudo apt-get install -y {}", names.join(" ")))
        })?;
        command = Command::new("sudo");
        command.args(["-n", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    }
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|here| here.uid() == 0)
}

/// Debian's word for "start no service", in force while it lives; what was there before comes back after.
struct Policy {
    restore: bool,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";
const KEPT: &str = "/usr/sbin/policy-rc.d.before-packetboat";

impl Policy {
    /// Without root the packages' own scripts decide; sudo has no way to put the file back for sure.
    fn set() -> Result<Policy, Failed> {
        if !is_root() {
            return Ok(Policy { restore: false });
        }
        let failed = |error: std::io::Error| Failed::new(STEP, format!("{POLICY}: {error}"));
        // A kept file that is already there was left by a run that was killed, and is the true one.
        if Path::new(POLICY).exists() && !Path::new(KEPT).exists() {
            fs::rename(POLICY, KEPT).map_err(failed)?;
        }
        let policy = Policy { restore: true };
        fs::write(POLICY, "#!/bin/sh\nexit 101\n").map_err(failed)?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).map_err(failed)?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if !self.restore {
            return;
        }
        let put_back =
            if Path::new(KEPT).exists() { fs::rename(KEPT, POLICY) } else { fs::remove_file(POLICY) };
        if let Err(error) = put_back {
            eprintln!("{POLICY}: {error}: put it back by hand");
        }
    }
}
