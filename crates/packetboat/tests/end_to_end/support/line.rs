//! A plain or TLS socket on which a test says lines and reads them: for what no decent client would do.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::HOSTNAME;

/// How long an answer may take. Long beside every defined wait of the server (5 s at most).
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection, read line by line.
pub struct Line<S: Read + Write> {
    stream: BufReader<S>,
}

/// In the clear.
pub type Plain = Line<TcpStream>;
/// Inside TLS, the server's certificate checked.
pub type Tls = Line<StreamOwned<ClientConnection, TcpStream>>;

/// Connects without a word.
pub fn connect(address: SocketAddr) -> Plain {
    let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
    stream.set_nodelay(true).expect("no delay");
    Line { stream: BufReader::new(stream) }
}

/// TLS with one of the application protocols, or none.
pub fn trust(authority: &Path, alpn: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(authority).expect("a certificate");
    roots.add(certificate).expect("an authority");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl Plain {
    /// Goes on inside TLS; the handshake is done and the certificate is for `HOSTNAME`.
    pub fn secure(self, config: &Arc<ClientConfig>) -> io::Result<Tls> {
        assert!(self.stream.buffer().is_empty(), "unread: {:?}", self.stream.buffer().escape_ascii());
        let mut socket = self.stream.into_inner();
        let name = ServerName::try_from(HOSTNAME).expect("a name");
        let mut client = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        while client.is_handshaking() {
            client.complete_io(&mut socket)?;
        }
        Ok(Line { stream: BufReader::new(StreamOwned::new(client, socket)) })
    }
}

impl<S: Read + Write> Line<S> {
    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let stream = self.stream.get_mut();
        stream.write_all(bytes.as_ref()).expect("the server takes it");
        stream.flush().expect("the server takes it");
    }

    /// The next line without its CR LF; a line end that is none, or silence, fails the test.
    #[track_caller]
    pub fn read(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap_or_else(|error| panic!("no answer: {error}"));
        let text = String::from_utf8_lossy(&line).into_owned();
        assert!(!line.is_empty(), "closed instead of an answer");
        text.strip_suffix("\r\n").unwrap_or_else(|| panic!("no CR LF: {text:?}")).to_owned()
    }

    /// The next line, which begins so.
    #[track_caller]
    pub fn expect(&mut self, start: &str) -> String {
        let line = self.read();
        assert!(line.starts_with(start), "wanted {start:?}, got {line:?}");
        line
    }

    /// A command, and the first line of its answer.
    #[track_caller]
    pub fn ask(&mut self, command: &str, start: &str) -> String {
        self.send(format!("{command}\r\n"));
        let line = self.read();
        assert!(line.starts_with(start), "after {command:?}: wanted {start:?}, got {line:?}");
        line
    }

    /// A command of SMTP, and all lines of its reply, which has this code. RFC 5321 §4.2.1.
    #[track_caller]
    pub fn smtp(&mut self, command: &str, code: u16) -> String {
        self.send(format!("{command}\r\n"));
        self.reply(&format!("{command:?}"), code)
    }

    /// A reply of SMTP with this code.
    #[track_caller]
    pub fn reply(&mut self, to: &str, code: u16) -> String {
        let mut whole = String::new();
        loop {
            let line = self.read();
            whole += &line;
            whole.push('\n');
            assert!(line.starts_with(&code.to_string()), "after {to}: wanted {code}, got {whole}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return whole;
            }
        }
    }

    /// A command of IMAP with a tag, and all lines up to the tagged one, which says this.
    #[track_caller]
    pub fn imap(&mut self, command: &str, verdict: &str) -> String {
        self.send(format!("T {command}\r\n"));
        let mut whole = String::new();
        loop {
            let line = self.read();
            whole += &line;
            whole.push('\n');
            if let Some(said) = line.strip_prefix("T ") {
                assert!(said.starts_with(verdict), "after {command:?}: wanted {verdict}, got {whole}");
                return whole;
            }
        }
    }

    /// A command of POP3 whose good answer has many lines. RFC 1939 §3.
    #[track_caller]
    pub fn pop3_list(&mut self, command: &str) -> Vec<String> {
        self.ask(command, "+OK");
        let mut lines = Vec::new();
        loop {
            let line = self.read();
            if line == "." {
                return lines;
            }
            lines.push(line);
        }
    }

    /// All that still comes until the server closes. A reset counts as closing.
    pub fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            // TLS without close_notify: the connection is gone all the same.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => panic!("still open after {PATIENCE:?}: {error}; it said {:?}", rest.escape_ascii()),
        }
        String::from_utf8_lossy(&rest).into_owned()
    }
}
