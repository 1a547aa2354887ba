//! The driver, the handshake and the doors, with a toy session of five words and a real TLS client.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use mail::{BlobId, BodyId, LedgerId, ModSeq, Moment};
use proto::{Action, Coding, Input, Note, Session, TlsPolicy};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use server::cert::Authority;
use server::clock::Clock;
use server::door::{Door, Security, Service};
use server::driver::{Answerer, Ended, drive};
use server::listen::{Opening, Streaks, bind, opening};
use server::stream::{Securer, Stream};
use server::tls::{CertFiles, Handshaker, Keeper};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;

const LIMIT: Duration = Duration::from_secs(20);
const BODY: &[u8] = b".one\r\n..two\r\nthree";

/// Understands TLS, BODY, ASK, WATCH and QUIT.
#[derive(Default)]
struct Toy {
    line: Vec<u8>,
    actions: VecDeque<Action<u64>>,
    asked: bool,
}

impl Toy {
    fn say(&mut self, words: &str) {
        self.actions.push_back(Action::Write(Bytes::from(format!("{words}\r\n"))));
    }

    fn command(&mut self) {
        let line = std::mem::take(&mut self.line);
        match line.as_slice() {
            b"TLS" => {
                self.say("go");
                self.actions.push_back(Action::StartTls(TlsPolicy::Serve));
            }
            b"BODY" => {
                let range = 0..BODY.len() as u64;
                self.actions.push_back(Action::Stream {
                    blob: BlobId([7; 32]),
                    range,
                    coding: Coding::DotStuffed,
                });
                self.say(".");
            }
            b"ASK" => {
                self.asked = true;
                self.actions.push_back(Action::Ask(21));
            }
            b"WATCH" => self.actions.push_back(Action::Watch(LedgerId(1024))),
            b"QUIT" => {
                self.say("bye");
                self.actions.push_back(Action::Close);
            }
            other => self.say(&format!("what? {}", String::from_utf8_lossy(other))),
        }
    }
}

impl Session for Toy {
    type Ask = u64;
    type Answer = u64;

    fn handle(&mut self, _: Moment, input: Input<'_, u64>) {
        match input {
            Input::Opened(tls) => self.say(if tls.is_some() { "hello, secure" } else { "hello" }),
            Input::Bytes(bytes) => {
                for byte in bytes {
                    match byte {
                        b'\n' => self.command(),
                        b'\r' => {}
                        _ => self.line.push(*byte),
                    }
                }
            }
            Input::TlsReady(info) => {
                self.line.clear();
                self.say(&format!("secured by {}", info.version));
            }
            Input::Answer(answer) => {
                self.asked = false;
                self.say(&answer.to_string());
            }
            Input::Changed { source, head } => self.say(&format!("ledger {} is at {}", source.0, head.0)),
            Input::Drain => {
                self.say("closing");
                self.actions.push_back(Action::Close);
            }
            Input::TlsFailed(_) | Input::PeerClosed => self.actions.push_back(Action::Close),
            Input::Kept(_) | Input::Tick => {}
        }
    }

    fn next(&mut self) -> Option<Action<u64>> {
        self.actions.pop_front()
    }

    fn deadline(&self) -> Option<Moment> {
        None
    }

    fn hungry(&self) -> bool {
        !self.asked
    }
}

/// Doubles what it is asked, and has one body and one ledger.
struct Desk;

impl Answerer<Toy> for Desk {
    async fn answer(&mut self, _: Moment, ask: u64) -> u64 {
        ask * 2
    }

    async fn keep(&mut self, _: BodyId, _: Bytes) {}

    fn abandon(&mut self, _: BodyId) {}

    async fn read(&self, _: BlobId, range: Range<u64>) -> Result<Bytes, String> {
        Ok(Bytes::from_static(BODY).slice(range.start as usize..range.end as usize))
    }

    fn ring(&self, _: LedgerId, after: ModSeq) -> impl Future<Output = ModSeq> + Send + 'static {
        let news = after < ModSeq(5);
        async move {
            match news {
                true => ModSeq(5),
                false => std::future::pending().await,
            }
        }
    }

    fn note(&self, _: &Note) {}
}

struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("packetboat-carrying-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn certificate(folder: &Path, names: &[&str]) -> (Authority, CertFiles) {
    let authority = Authority::open(folder, Clock.now()).unwrap();
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let files = authority.certificate(&names, Clock.now()).unwrap();
    (authority, files)
}

/// A house of one plain door.
struct House {
    address: SocketAddr,
    drain: watch::Sender<bool>,
    folder: Folder,
    keeper: Arc<Keeper>,
}

async fn house() -> House {
    let folder = Folder::new();
    let (_, files) = certificate(&folder.0, &["mail.example.test", "localhost"]);
    let keeper = Keeper::read(vec![files]).unwrap();
    let handshaker = Arc::new(Handshaker::new(keeper.clone(), Service::Imap).unwrap());
    let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let drain = watch::Sender::new(false);
    tokio::spawn(serve(listener, address, handshaker, drain.clone()));
    House { address, drain, folder, keeper }
}

async fn serve(
    listener: tokio::net::TcpListener,
    address: SocketAddr,
    handshaker: Arc<Handshaker>,
    drain: watch::Sender<bool>,
) {
    let door = Door { service: Service::Imap, security: Security::StartTls, address };
    let streaks = Arc::new(Streaks::default());
    while let Ok((stream, _)) = listener.accept().await {
        let (handshaker, drain, streaks) = (handshaker.clone(), drain.subscribe(), streaks.clone());
        tokio::spawn(async move {
            let stream = match opening(&stream, &door, &streaks, Clock.now()).await {
                Opening::Tls => handshaker.secure(Stream::Plain(stream), TlsPolicy::Serve).await.unwrap(),
                _ => Stream::Plain(stream),
            };
            let ended = drive(stream, Toy::default(), &mut Desk, Clock, handshaker, drain).await;
            assert!(matches!(ended, Ended::Closed | Ended::Socket(_)), "{ended:?}");
        });
    }
}

fn client(folder: &Path, alpn: &[&[u8]]) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

fn name() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

async fn line<S: tokio::io::AsyncRead + Unpin>(stream: &mut BufReader<S>) -> String {
    let mut line = String::new();
    tokio::time::timeout(LIMIT, stream.read_line(&mut line)).await.expect("a line in time").unwrap();
    line.trim_end().to_owned()
}

async fn greeted(house: &House) -> BufReader<TcpStream> {
    let mut stream = BufReader::new(TcpStream::connect(house.address).await.unwrap());
    assert_eq!(line(&mut stream).await, "hello");
    stream
}

#[tokio::test]
async fn words_go_both_ways_and_a_body_is_dot_stuffed() {
    let house = house().await;
    let mut stream = greeted(&house).await;
    stream.write_all(b"ASK\r\nBODY\r\nQUIT\r\n").await.unwrap();
    let mut rest = String::new();
    tokio::time::timeout(LIMIT, stream.read_to_string(&mut rest)).await.unwrap().unwrap();
    // The toy pulls no rein while its question is open, so the answer comes behind what was said already.
    assert!(rest.contains("..one\r\n...two\r\nthree\r\n.\r\n"), "{rest}");
    assert!(rest.contains("bye\r\n"), "{rest}");
}

#[tokio::test]
async fn a_watched_ledger_rings() {
    let house = house().await;
    let mut stream = greeted(&house).await;
    stream.write_all(b"WATCH\r\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "ledger 1024 is at 5");
}

#[tokio::test]
async fn starttls_secures_and_drops_what_came_before_it() {
    let house = house().await;
    let mut stream = greeted(&house).await;
    stream.write_all(b"TLS\r\ninjec").await.unwrap();
    assert_eq!(line(&mut stream).await, "go");
    let tls = client(&house.folder.0, &[b"imap"]).connect(name(), stream.into_inner()).await.unwrap();
    let mut tls = BufReader::new(tls);
    assert_eq!(line(&mut tls).await, "secured by TLSv1.3");
    tls.write_all(b"ASK\r\n").await.unwrap();
    assert_eq!(line(&mut tls).await, "42");
}

#[tokio::test]
async fn a_tls_hello_on_a_plain_door_is_served() {
    let house = house().await;
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let mut tls = BufReader::new(client(&house.folder.0, &[]).connect(name(), tcp).await.unwrap());
    assert_eq!(line(&mut tls).await, "hello, secure");
}

/// RFC 7301 §3.2: a client that speaks another protocol is stopped in the handshake.
#[tokio::test]
async fn another_protocol_is_refused_in_the_handshake() {
    let house = house().await;
    let mut stream = greeted(&house).await;
    stream.write_all(b"TLS\r\n").await.unwrap();
    assert_eq!(line(&mut stream).await, "go");
    let refused = client(&house.folder.0, &[b"h2"]).connect(name(), stream.into_inner()).await.unwrap_err();
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn the_post_quantum_hybrid_is_used() {
    let house = house().await;
    let tcp = TcpStream::connect(house.address).await.unwrap();
    let tls = client(&house.folder.0, &[]).connect(name(), tcp).await.unwrap();
    let group = tls.get_ref().1.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, rustls::NamedGroup::X25519MLKEM768);
}

#[tokio::test]
async fn a_draining_house_says_so_in_the_words_of_the_protocol() {
    let house = house().await;
    let mut stream = greeted(&house).await;
    house.drain.send_replace(true);
    assert_eq!(line(&mut stream).await, "closing");
    assert_eq!(line(&mut stream).await, "");
}

#[tokio::test]
async fn changed_certificate_files_are_used_and_unfit_ones_are_not() {
    let house = house().await;
    let seen = async || {
        let tcp = TcpStream::connect(house.address).await.unwrap();
        let tls = client(&house.folder.0, &[]).connect(name(), tcp).await.unwrap();
        tls.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = seen().await;
    assert!(!house.keeper.refresh().unwrap());

    let (_, files) = certificate(&house.folder.0, &["mail.example.test", "localhost", "more.example.test"]);
    assert!(house.keeper.refresh().unwrap());
    let second = seen().await;
    assert_ne!(first, second);

    let elsewhere = Folder::new();
    let (_, foreign) = certificate(&elsewhere.0, &["localhost"]);
    std::fs::copy(&foreign.key, &files.key).unwrap();
    let why = house.keeper.refresh().unwrap_err();
    assert!(why.contains("do not fit together"), "{why}");
    assert_eq!(seen().await, second);
}

#[test]
fn a_good_certificate_is_kept_over_a_start() {
    let folder = Folder::new();
    let (authority, files) = certificate(&folder.0, &["mail.example.test"]);
    let first = std::fs::read(&files.chain).unwrap();
    let names = ["mail.example.test".to_owned()];
    authority.certificate(&names, Clock.now()).unwrap();
    assert_eq!(std::fs::read(&files.chain).unwrap(), first);
    let in_a_year = Clock.now().after(Duration::from_secs(360 * 86_400));
    authority.certificate(&names, in_a_year).unwrap();
    assert_ne!(std::fs::read(&files.chain).unwrap(), first);
}
