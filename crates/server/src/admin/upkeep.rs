//! How the house and its data are.

use serde_json::{Value, json};

use super::desk::{Desk, Outcome};

/// Octets of disk below which an administrator should know.
const LOW: u64 = 256 * 1024 * 1024;

impl Desk {
    /// Everything that is kept is read, then every account is counted.
    pub(super) async fn verify(&mut self, repair: bool) -> Outcome {
        let (mut damage, mut report) = (0, json!({}));
        if let Some(maintenance) = self.office.ledger.maintenance() {
            let found = maintenance.verify().await?;
            for one in &found.damage {
                self.item(json!({ "file": one.file, "what": one.to_string() })).await?;
            }
            damage = found.damage.len();
            report = json!({
                "octets": found.octets, "records": found.records, "bodies": found.bodies, "rows": found.rows,
            });
        }
        let (accounts, miscounts) = self.recount(repair).await?;
        report["damage"] = damage.into();
        report["accounts"] = accounts.into();
        report["miscounts"] = miscounts.into();
        report["repaired"] = (repair && miscounts > 0).into();
        Ok(report)
    }

    /// Accounts looked at, and things found that do not add up.
    async fn recount(&mut self, repair: bool) -> Result<(u64, u64), super::desk::Failure> {
        let directory = self.directory();
        let total = {
            let (mut after, mut total) = (None, 0);
            loop {
                let page = directory.accounts(after).await?;
                let Some(last) = page.last() else { break total };
                after = Some(last.id);
                total += page.len() as u64;
            }
        };
        let (mut after, mut seen, mut found) = (None, 0, 0);
        loop {
            let page = directory.accounts(after).await?;
            let Some(last) = page.last() else { return Ok((seen, found)) };
            after = Some(last.id);
            for account in page {
                self.progress(seen, total, "accounts").await?;
                let lines = match self.store().recount(account.id, repair).await {
                    Ok(lines) => lines,
                    // Removed while we looked.
                    Err(store::Error::NonExistent) => Vec::new(),
                    Err(error) => vec![format!("it cannot be counted: {error}")],
                };
                found += lines.len() as u64;
                for line in lines {
                    self.item(json!({ "account": account.address, "what": line })).await?;
                }
                seen += 1;
            }
        }
    }

    pub(super) async fn status(&self) -> Outcome {
        let Some(control) = &self.control else {
            return Err("no server runs on this data".to_owned().into());
        };
        let mut status = control.status();
        let mut problems: Vec<String> = closed_doors(&status);
        if let Some(maintenance) = self.office.ledger.maintenance() {
            let stats = maintenance.stats().await?;
            problems.extend(
                stats.findings.iter().map(|found| format!("damaged data, see `packetboat verify`: {found}")),
            );
            if stats.disk_free < LOW {
                problems.push(format!("only {} MiB are free on the disk", stats.disk_free >> 20));
            }
            let octets: u64 = stats.segments.iter().map(|(_, octets, _)| octets).sum();
            status["ledger"] = json!({
                "octets": octets, "segments": stats.segments.len(), "behind": stats.behind,
                "commits": stats.commits, "syncs": stats.syncs, "disk_free": stats.disk_free,
                // Ends of the log that a crash left torn: kept aside, and no harm.
                "tails": stats.tails,
            });
        }
        status["well"] = problems.is_empty().into();
        status["problems"] = problems.into();
        Ok(status)
    }

    pub(super) fn reload(&self) -> Outcome {
        let Some(control) = &self.control else {
            return Err("no server runs on this data, so there is nothing to reload".to_owned().into());
        };
        match control.reload() {
            Ok(changes) => Ok(json!({ "changes": changes })),
            Err(problems) => {
                Err(format!("not reloaded, all stays as it was: {}", problems.join("; ")).into())
            }
        }
    }
}

fn closed_doors(status: &Value) -> Vec<String> {
    let doors = status["doors"].as_array().map(Vec::as_slice).unwrap_or_default();
    doors
        .iter()
        .filter(|door| door["open"] == false)
        .map(|door| {
            let text = |name: &str| door[name].as_str().unwrap_or_default().to_owned();
            format!("the {} door at {} is closed", text("service"), text("address"))
        })
        .collect()
}
