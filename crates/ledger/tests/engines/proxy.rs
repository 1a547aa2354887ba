//! Stands between the ledger and the database, and cuts a connection where it hurts.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// Where the next COMMIT's connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The database never hears of it.
    BeforeCommit,
    /// The database does it, and its answer is lost.
    AfterCommit,
}

/// A unix socket that leads to another one.
pub struct Proxy {
    folder: TempDir,
    next: Arc<Mutex<Option<Cut>>>,
}

impl Proxy {
    pub fn start(server: &Path) -> Proxy {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).expect("bind");
        let next = Arc::new(Mutex::new(None));
        let (server, plan) = (server.to_owned(), next.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.expect("the database accepts");
                tokio::spawn(carry(client, server, plan.clone()));
            }
        });
        Proxy { folder, next }
    }

    pub fn url(&self, database: &str) -> String {
        format!("host={} user=packetboat dbname={database}", self.folder.path().display())
    }

    pub fn cut_next(&self, cut: Cut) {
        *self.next.lock().unwrap() = Some(cut);
    }

    pub fn has_cut(&self) -> bool {
        self.next.lock().unwrap().is_none()
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, plan: Arc<Mutex<Option<Cut>>>) {
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(1..) = read else { return };
                let said = &asked[..read.unwrap_or(0)];
                // A simple query is `Q`, a length and the words; pieces of the body of the pool's own
                // appends say COMMIT too, but those are not committed while a cut is planned.
                let commit = said.windows(7).position(|words| words == b"COMMIT\0");
                let cut = commit.and_then(|_| plan.lock().unwrap().take());
                match (cut, commit) {
                    (Some(Cut::BeforeCommit), Some(at)) => {
                        // All that came before it is done, as far as its own transaction can tell.
                        let _ = server.write_all(&said[..at - 5]).await;
                        return;
                    }
                    (Some(Cut::AfterCommit), _) => {
                        let _ = server.write_all(said).await;
                        // Until the database has answered, so that it is done.
                        let _ = server.read(&mut answered).await;
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                        return;
                    }
                    _ => {}
                }
                if server.write_all(said).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(1..) = read else { return };
                if client.write_all(&answered[..read.unwrap_or(0)]).await.is_err() {
                    return;
                }
            }
        }
    }
}
