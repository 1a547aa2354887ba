//! Certificates and handshakes: which certificate a name gets, re-reading files that changed, and what is noted
//! of a finished handshake.

use std::collections::HashMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use proto::{TlsInfo, TlsPolicy};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, ServerSessionMemoryCache};
use rustls::sign::CertifiedKey;
use rustls::{ProtocolVersion, ServerConfig};
use tokio_rustls::TlsAcceptor;

use crate::door::Service;
use crate::stream::{Securer, Stream};

/// Sessions that TLS 1.2 clients may resume by id; TLS 1.3 and ticket holders need none of it.
const RESUMABLE: usize = 4096;

/// A pair of files: the certificate with its chain, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertFiles {
    /// PEM, leaf first.
    pub chain: PathBuf,
    /// PEM.
    pub key: PathBuf,
}

/// The certificates in use. Swapped whole: a handshake sees either the old set or the new one.
pub struct Keeper {
    files: ArcSwap<Vec<CertFiles>>,
    current: ArcSwap<Certificates>,
}

#[derive(Debug)]
struct Certificates {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// For clients that name nobody, or somebody we do not know: SMTP clients often do.
    default: Arc<CertifiedKey>,
    read: Vec<(SystemTime, SystemTime)>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keeper")
    }
}

impl Keeper {
    /// Reads the files; all must be readable, and every key must fit its certificate.
    pub fn read(files: Vec<CertFiles>) -> Result<Arc<Keeper>, String> {
        let current = read_all(&files)?;
        Ok(Arc::new(Keeper { files: ArcSwap::from_pointee(files), current: ArcSwap::from_pointee(current) }))
    }

    /// Reads the files again if any has changed. On a fault the old certificates stay in use.
    pub fn refresh(&self) -> Result<bool, String> {
        let files = self.files.load();
        if files.iter().map(stamps).collect::<Vec<_>>() == self.current.load().read {
            return Ok(false);
        }
        self.current.store(Arc::new(read_all(&files)?));
        Ok(true)
    }

    /// Uses other files from now on.
    pub fn replace(&self, files: Vec<CertFiles>) -> Result<(), String> {
        let fresh = read_all(&files)?;
        self.files.store(Arc::new(files));
        self.current.store(Arc::new(fresh));
        Ok(())
    }
}

impl ResolvesServerCert for Keeper {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self.current.load();
        let named = hello.server_name().and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            current.by_name.get(&name).or_else(|| current.by_name.get(&wildcard?)).cloned()
        });
        Some(named.unwrap_or_else(|| current.default.clone()))
    }
}

fn stamps(files: &CertFiles) -> (SystemTime, SystemTime) {
    let changed =
        |path: &Path| std::fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    (changed(&files.chain), changed(&files.key))
}

fn read_all(files: &[CertFiles]) -> Result<Certificates, String> {
    let mut by_name = HashMap::new();
    let mut default = None;
    // Stamps first: a file that changes while it is read is read once more, never missed.
    let read = files.iter().map(stamps).collect();
    for pair in files {
        let key = Arc::new(read_pair(pair)?);
        for name in names(&key)? {
            by_name.entry(name).or_insert_with(|| key.clone());
        }
        default.get_or_insert(key);
    }
    let default = default.ok_or("no certificate is configured")?;
    Ok(Certificates { by_name, default, read })
}

fn read_pair(files: &CertFiles) -> Result<CertifiedKey, String> {
    let open = |path: &Path| {
        std::fs::File::open(path).map(BufReader::new).map_err(|e| format!("{}: {e}", path.display()))
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_reader_iter(open(&files.chain)?)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("{}: not a PEM certificate: {e}", files.chain.display()))?;
    if chain.is_empty() {
        return Err(format!("{}: holds no certificate", files.chain.display()));
    }
    let key = PrivateKeyDer::from_pem_reader(open(&files.key)?)
        .map_err(|e| format!("{}: not a PEM private key: {e}", files.key.display()))?;
    CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider()).map_err(|e| {
        format!("{} and {} do not fit together: {e}", files.chain.display(), files.key.display())
    })
}

/// The DNS names a certificate is for, lower-cased.
fn names(key: &CertifiedKey) -> Result<Vec<String>, String> {
    let leaf = key.end_entity_cert().map_err(|e| e.to_string())?;
    let cert = webpki::EndEntityCert::try_from(leaf).map_err(|e| format!("unreadable certificate: {e}"))?;
    Ok(cert.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// Handshakes for one service.
pub struct Handshaker {
    acceptor: TlsAcceptor,
    keeper: Arc<Keeper>,
}

impl Handshaker {
    /// TLS 1.2 and 1.3 with the post-quantum hybrid first. A client that offers ALPN must offer this protocol
    /// (RFC 7301 §3.2: `no_application_protocol` otherwise), so no other protocol's client can be steered here.
    pub fn new(keeper: Arc<Keeper>, service: Service) -> Result<Handshaker, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(keeper.clone());
        config.alpn_protocols = vec![service.alpn().to_vec()];
        config.session_storage = ServerSessionMemoryCache::new(RESUMABLE);
        config.ticketer = aws_lc_rs::Ticketer::new()?;
        config.max_early_data_size = 0;
        Ok(Handshaker { acceptor: TlsAcceptor::from(Arc::new(config)), keeper })
    }
}

impl Securer for Handshaker {
    fn secure(
        &self,
        stream: Stream,
        policy: TlsPolicy,
    ) -> Pin<Box<dyn Future<Output = Result<Stream, String>> + Send + '_>> {
        Box::pin(async move {
            let Stream::Plain(tcp) = stream else { return Err("the connection is secured already".into()) };
            if policy != TlsPolicy::Serve {
                return Err("this side of the connection serves".into());
            }
            let tls = self.acceptor.accept(tcp).await.map_err(|e| e.to_string())?;
            let info = describe(tls.get_ref().1, &self.keeper);
            Ok(Stream::Secure(Box::new((tls, info))))
        })
    }
}

fn describe(tls: &rustls::ServerConnection, keeper: &Keeper) -> TlsInfo {
    let version = match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
        _ => "TLS",
    };
    let suite = tls.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default();
    // RFC 9266 §4.2: with TLS 1.2 the exporter binds nothing unless extended_master_secret was used.
    let exporter = match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => tls
            .export_keying_material([0u8; 32], b"EXPORTER-Channel-Binding", None)
            .map(|k| k.to_vec())
            .unwrap_or_default(),
        _ => Vec::new(),
    };
    let _ = keeper;
    TlsInfo {
        version: version.into(),
        cipher: suite,
        server_name: tls.server_name().map(str::to_owned),
        exporter,
        server_end_point: Vec::new(),
    }
}
