//! How an administrator's commands reach the data: one conversation over a Unix stream, whether a house is running
//! (then over its socket) or not (then with an office opened for the one command, in the same process).
//!
//! What never lives here: what a command prints, formats of files, mail protocols.

mod backup;
mod client;
mod desk;
mod export;
mod frame;
mod import;
pub mod limits;
mod people;
mod request;
mod upkeep;

pub use backup::{Restored, restore};
pub use client::{Answer, Client, Ear, Heard, Mouth, Way, rebuild_index};
pub use frame::{Frame, Head, Reader, Writer};
pub use request::{Limit, Password, Reply, Request};

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

use crate::office::{Control, Office};
use desk::Desk;

/// After a command that could not be accepted: the cause, too many open files, does not pass at once.
const BREATH: Duration = Duration::from_millis(100);

/// Answers commands until the house closes. Those begun by then go on for as long as the process does.
pub async fn serve(
    listener: UnixListener,
    office: Office,
    control: Option<Arc<dyn Control>>,
    mut drain: watch::Receiver<bool>,
) {
    let desks = Arc::new(Semaphore::new(limits::DESKS));
    loop {
        let accepted = tokio::select! {
            _ = drain.wait_for(|closing| *closing) => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) if is_ours(&stream) => stream,
            Ok(_) => {
                tracing::warn!("somebody else's process asked at the admin socket, and was turned away");
                continue;
            }
            Err(error) => {
                tracing::warn!(%error, "a command could not be accepted");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        // With all desks taken, further commands wait in the listener's queue.
        let Ok(place) = desks.clone().acquire_owned().await else { return };
        let (office, control) = (office.clone(), control.clone());
        tokio::spawn(async move {
            attend(stream, office, control).await;
            drop(place);
        });
    }
}

/// The socket's mode keeps others out; this does too, should somebody change the mode.
fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == ours)
}

/// Answers the requests of one command.
async fn attend(stream: UnixStream, office: Office, control: Option<Arc<dyn Control>>) {
    let (reader, writer) = frame::sides(stream);
    if let Err(error) = (Desk { reader, writer, office, control }).attend().await {
        tracing::debug!(%error, "a command left in the middle");
    }
}
