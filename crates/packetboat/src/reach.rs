//! The way from a command to whoever has the data.

use std::future::Future;
use std::path::Path;

use server::admin::Client;

/// Runs what waits for something.
pub fn wait<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| format!("no threads can be started: {error}"))?;
    runtime.block_on(work)
}

/// Talks with the running house, or with an office opened for this.
pub fn talk<T>(data: &Path, work: impl AsyncFnOnce(&mut Client) -> Result<T, String>) -> Result<T, String> {
    wait(async {
        let mut client = Client::connect(data).await?;
        let done = work(&mut client).await;
        let closed = client.close().await;
        let value = done?;
        closed?;
        Ok(value)
    })
}
