//! A server of the bench: started by us, known by its process id, ended by it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::step::Failed;

/// How long a server may take to accept, and to end after it was asked to.
const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);

/// A running server. Dropped, it is asked to end; one that does not is killed.
#[derive(Debug)]
pub struct Server {
    name: &'static str,
    child: Child,
}

impl Server {
    /// Starts `command`, which must stay in the foreground.
    pub fn start(name: &'static str, command: &mut Command) -> Result<Server, Failed> {
        let child = command.spawn().map_err(|error| {
            Failed::new(name, format!("{} does not start: {error}", command.get_program().display()))
        })?;
        Ok(Server { name, child })
    }

    /// The process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until something accepts on `port`; fails if the server ended before.
    pub fn wait_for(&mut self, port: u16) -> Result<(), Failed> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let until = Instant::now() + START;
        while TcpStream::connect_timeout(&address, START).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(Failed::new(self.name, format!("ended at its start: {status}")));
            }
            if Instant::now() > until {
                return Err(Failed::new(self.name, format!("does not accept on port {port}")));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Kills it as a power cut would, as far as a process can tell.
    pub fn kill(mut self) -> Result<(), Failed> {
        let name = self.name;
        let failed = |error: std::io::Error| Failed::new(name, error);
        self.child.kill().map_err(failed)?;
        self.child.wait().map_err(failed)?;
        Ok(())
    }

    fn ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.ended() {
            return;
        }
        let asked = Command::new("kill").arg(self.pid().to_string()).status();
        let until = Instant::now() + END;
        while asked.is_ok() && !self.ended() && Instant::now() < until {
            std::thread::sleep(PAUSE);
        }
        if !self.ended() {
            eprintln!("{}: did not end when asked; killed", self.name);
            // Nothing is left to do for a process that cannot even be killed.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
