//! Stub until the admin room lands.
use crate::office::{Control, Office};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::sync::watch;
/// Serves.
pub async fn serve(
    listener: UnixListener,
    office: Office,
    control: Option<Arc<dyn Control>>,
    mut drain: watch::Receiver<bool>,
) {
    let _ = (office, control);
    let _ = drain.wait_for(|d| *d).await;
    drop(listener);
}
