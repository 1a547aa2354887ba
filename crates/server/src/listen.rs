//! Listening: binding the doors, counting who comes in, and finding out how a client begins before the session
//! greets it, so that there is no wrong door.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mail::Moment;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::door::{Door, Security};

/// How long a plain door waits for the first octet of a TLS hello before it greets. The hello follows the
/// connection at once; what it costs a plain client is this and no more.
pub const HELLO_WAIT: Duration = Duration::from_millis(50);
/// How long a TLS door waits for the first octet before it explains itself.
pub const SILENCE: Duration = Duration::from_secs(5);
/// Kept by the kernel until we accept.
const BACKLOG: i32 = 1024;
/// A peer that came so often within `STREAK_MEMORY`, always without TLS, is greeted at once: a mail server that
/// hands over a thousand messages should not wait a thousand times.
const STREAK: u32 = 4;
/// How long a streak is remembered without a new connection, in milliseconds.
const STREAK_MEMORY: u64 = 10_000;
/// Addresses remembered; beyond it all are forgotten, which costs each of them `HELLO_WAIT` a few times.
const STREAKS: usize = 10_000;
/// First octet of a TLS record that carries a handshake. RFC 8446 §5.1.
const TLS_HANDSHAKE: u8 = 0x16;

/// Binds one door.
///
/// No runtime is needed: the ports are taken before root is given up, and root before threads are made.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // IPv4 has a listener of its own; without this the two would collide.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// How a client begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// With a TLS hello.
    Tls,
    /// With something else, or by waiting for our greeting.
    Plain,
    /// It is gone already.
    Gone,
}

/// Finds out how the client begins, without taking an octet.
pub async fn opening(stream: &TcpStream, door: &Door, streaks: &Streaks, now: Moment) -> Opening {
    let peer = stream.peer_addr().map(|a| a.ip().to_canonical());
    let Ok(peer) = peer else { return Opening::Gone };
    let wait = match door.security {
        Security::None => return Opening::Plain,
        Security::Implicit => SILENCE,
        Security::StartTls | Security::Auto if streaks.is_long(peer, now) => Duration::ZERO,
        Security::StartTls | Security::Auto => HELLO_WAIT,
    };
    let mut first = [0u8; 1];
    let opening = match timeout(wait, stream.peek(&mut first)).await {
        Ok(Ok(0)) | Ok(Err(_)) => Opening::Gone,
        Ok(Ok(_)) if first[0] == TLS_HANDSHAKE => Opening::Tls,
        Ok(Ok(_)) | Err(_) => Opening::Plain,
    };
    streaks.note(peer, opening, now);
    opening
}

/// How often each address has come without TLS lately.
#[derive(Debug, Default)]
pub struct Streaks(Mutex<HashMap<IpAddr, (u32, Moment)>>);

impl Streaks {
    fn is_long(&self, peer: IpAddr, now: Moment) -> bool {
        let streaks = lock(&self.0);
        streaks
            .get(&peer)
            .is_some_and(|(n, last)| *n >= STREAK && now.0.saturating_sub(last.0) < STREAK_MEMORY)
    }

    fn note(&self, peer: IpAddr, opening: Opening, now: Moment) {
        let mut streaks = lock(&self.0);
        if opening == Opening::Tls {
            streaks.remove(&peer);
            return;
        }
        if streaks.len() >= STREAKS {
            streaks.clear();
        }
        let (n, last) = streaks.entry(peer).or_insert((0, now));
        *n = if now.0.saturating_sub(last.0) < STREAK_MEMORY { n.saturating_add(1) } else { 1 };
        *last = now;
    }
}

/// Open connections by address and in all.
#[derive(Debug, Default)]
pub struct Crowd(Mutex<HashMap<IpAddr, u32>>);

/// One place in the crowd; left when dropped.
#[derive(Debug)]
pub struct Place {
    crowd: Arc<Crowd>,
    peer: IpAddr,
}

impl Crowd {
    /// A place for a connection from here, unless the address has `most` already.
    pub fn enter(self: &Arc<Crowd>, peer: IpAddr, most: u32) -> Option<Place> {
        let mut counts = lock(&self.0);
        let count = counts.entry(peer).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Place { crowd: self.clone(), peer })
    }

    /// Connections open now.
    pub fn len(&self) -> u32 {
        lock(&self.0).values().sum()
    }

    /// Nobody is here.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = lock(&self.crowd.0);
        if let Some(count) = counts.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

/// Counters survive a panic elsewhere: each change to them is one step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says one line and closes; bounded, for peers that are turned away.
pub async fn turn_away(mut stream: TcpStream, words: &str) {
    let _ = timeout(SILENCE, async {
        stream.write_all(words.as_bytes()).await?;
        stream.shutdown().await?;
        // Octets left unread would turn the close into a reset, and the words might be lost.
        let mut rest = [0u8; 1024];
        for _ in 0..16 {
            stream.readable().await?;
            match stream.try_read(&mut rest) {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok::<(), io::Error>(())
    })
    .await;
}

/// The program that holds a port, where the system tells: its name and process id.
pub fn holder(address: SocketAddr) -> Option<String> {
    let inode = listening_inode("/proc/net/tcp", address.port())
        .or_else(|| listening_inode("/proc/net/tcp6", address.port()))?;
    let wanted = format!("socket:[{inode}]");
    for process in std::fs::read_dir("/proc").ok()?.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().filter(|n| n.bytes().all(|b| b.is_ascii_digit())) else { continue };
        let Ok(files) = std::fs::read_dir(process.path().join("fd")) else { continue };
        if files
            .flatten()
            .any(|f| std::fs::read_link(f.path()).is_ok_and(|l| l.as_os_str() == wanted.as_str()))
        {
            let command = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", command.trim()));
        }
    }
    None
}

/// The inode of the socket that listens on this port. Columns: proc_pid_net(5).
fn listening_inode(table: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let table = std::fs::read_to_string(table).ok()?;
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let local = columns.get(1)?.rsplit_once(':')?.1;
        let matches = u16::from_str_radix(local, 16) == Ok(port) && *columns.get(3)? == LISTEN;
        matches.then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streak_needs_recent_plain_connections() {
        let (streaks, peer) = (Streaks::default(), IpAddr::from([192, 0, 2, 1]));
        for n in 0..u64::from(STREAK) {
            assert!(!streaks.is_long(peer, Moment(n)));
            streaks.note(peer, Opening::Plain, Moment(n));
        }
        assert!(streaks.is_long(peer, Moment(100)));
        assert!(!streaks.is_long(peer, Moment(100 + STREAK_MEMORY)));
        streaks.note(peer, Opening::Tls, Moment(101));
        assert!(!streaks.is_long(peer, Moment(102)));
    }

    #[test]
    fn a_place_is_given_back() {
        let (crowd, peer) = (Arc::new(Crowd::default()), IpAddr::from([192, 0, 2, 1]));
        let first = crowd.enter(peer, 1);
        assert!(first.is_some() && crowd.enter(peer, 1).is_none());
        drop(first);
        assert!(crowd.enter(peer, 1).is_some());
    }

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let told = holder(listener.local_addr().unwrap()).expect("this process holds it");
        assert!(told.contains(&format!("(process {})", std::process::id())), "{told}");
    }
}
