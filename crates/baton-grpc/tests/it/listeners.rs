//! Where a server listens, and with which certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_grpc::serve::{
    Address, CertificateFiles, FileIdentity, Identity, Listener, ServeError, accept,
};
use rcgen::{CertificateParams, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

/// Writes back what comes.
async fn echo(mut stream: Box<dyn baton_grpc::serve::Stream>) {
    let mut bytes = [0; 16];
    while let Ok(got @ 1..) = stream.read(&mut bytes).await {
        if stream.write_all(&bytes[..got]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// An accepting listener that ends with the value.
struct Running {
    at: Address,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn start(at: &str, identity: Option<Arc<dyn Identity>>) -> Self {
        let listener = Listener::bind(address(at)).await.unwrap();
        let at = listener.address().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            accept(&listener, identity, &stopped, echo).await;
        });
        Self { at, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    fn port(&self) -> std::net::SocketAddr {
        match &self.at {
            Address::Tcp(address) => *address,
            Address::Unix(_) => panic!("not TCP"),
        }
    }
}

async fn echoes(mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) -> bool {
    let mut answer = [0; 4];
    stream.write_all(b"ping").await.is_ok()
        && stream.flush().await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && &answer == b"ping"
}

#[tokio::test]
async fn a_port_in_use_is_refused_with_the_address() {
    let first = Listener::bind(address("127.0.0.1:0")).await.unwrap();
    let error = Listener::bind(first.address().clone()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("cannot listen on {}", first.address())
    );
    let error = Listener::bind(address("192.0.2.1:1")).await.unwrap_err();
    assert!(matches!(error, ServeError::Listen { .. }), "{error:?}");
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::PermissionsExt as _;

    use tokio::net::UnixStream;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn a_socket_file_is_for_its_user_only_and_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let running = Running::start(&format!("unix:{}", path.display()), None).await;
        assert_eq!(mode(&path), 0o600);
        assert!(echoes(UnixStream::connect(&path).await.unwrap()).await);
        running.end().await;
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_stale_file_is_replaced_and_a_used_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        // Its process is gone.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let text = format!("unix:{}", path.display());
        let running = Running::start(&text, None).await;
        assert!(echoes(UnixStream::connect(&path).await.unwrap()).await);
        let error = Listener::bind(address(&text)).await.unwrap_err();
        assert!(matches!(error, ServeError::Answered { .. }), "{error:?}");
        assert!(echoes(UnixStream::connect(&path).await.unwrap()).await);
        running.end().await;
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_not_a_socket_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, "data").unwrap();
        let at = address(&format!("unix:{}", path.display()));
        let error = Listener::bind(at).await.unwrap_err();
        assert!(matches!(error, ServeError::NotASocket { .. }), "{error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), b"data");
        let below = address(&format!("unix:{}/missing/s.sock", folder.path().display()));
        let error = Listener::bind(below).await.unwrap_err();
        assert!(matches!(error, ServeError::Listen { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn the_file_of_a_later_server_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sock");
        let text = format!("unix:{}", path.display());
        let first = Running::start(&text, None).await;
        std::fs::remove_file(&path).unwrap();
        let second = Running::start(&text, None).await;
        first.end().await;
        assert!(echoes(UnixStream::connect(&path).await.unwrap()).await);
        second.end().await;
        assert!(!path.exists());
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;

    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// An authority for tests.
struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate: certificate.der().clone(),
            pem: pem("CERTIFICATE", certificate.der()),
            issuer: Issuer::new(params, key),
        }
    }

    /// Certificate and key in PEM form.
    fn leaf(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (
            pem("CERTIFICATE", certificate.der()),
            pem("PRIVATE KEY", &key.serialize_der()),
        )
    }

    fn client(&self, own: Option<(String, String)>) -> ClientConfig {
        use rustls::pki_types::PrivateKeyDer;
        use rustls::pki_types::pem::PemObject as _;

        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
                    PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
                )
                .unwrap(),
        }
    }
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new((certificate, key): &(String, String), client_ca: Option<&str>) -> Self {
        let files = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        files.write("cert.pem", certificate);
        files.write("key.pem", key);
        if let Some(pem) = client_ca {
            files.write("ca.pem", pem);
        }
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn files(&self) -> CertificateFiles {
        let ca = self.path("ca.pem");
        CertificateFiles {
            certificate: self.path("cert.pem"),
            key: self.path("key.pem"),
            client_ca: ca.exists().then_some(ca),
        }
    }
}

/// The certificate that a server shows, if it speaks to this client.
async fn shown(at: std::net::SocketAddr, client: ClientConfig) -> Option<Vec<u8>> {
    let stream = TcpStream::connect(at).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await;
    let stream = connected.ok()?;
    let certificate = stream.get_ref().1.peer_certificates()?[0].to_vec();
    echoes(stream).await.then_some(certificate)
}

fn der(pem: &str) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes())
        .unwrap()
        .to_vec()
}

#[tokio::test]
async fn changed_certificates_are_read_and_bad_ones_are_not() {
    let authority = Authority::new();
    let first = authority.leaf();
    let files = Files::new(&first, None);
    let identity = Arc::new(FileIdentity::read(files.files()).unwrap());
    let running = Running::start("127.0.0.1:0", Some(identity)).await;
    let at = running.port();
    let now = |wanted: Vec<u8>| {
        let client = authority.client(None);
        async move {
            for _ in 0..40 {
                if shown(at, client.clone()).await.as_ref() == Some(&wanted) {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            false
        }
    };
    assert!(now(der(&first.0)).await);
    let second = authority.leaf();
    // The pair does not fit while only one of the files has changed.
    files.write("cert.pem", &second.0);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(shown(at, authority.client(None)).await, Some(der(&first.0)));
    files.write("key.pem", &second.1);
    assert!(now(der(&second.0)).await);
    files.write("key.pem", "garbage");
    std::fs::remove_file(files.path("cert.pem")).unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(
        shown(at, authority.client(None)).await,
        Some(der(&second.0))
    );
    running.end().await;
}

#[tokio::test]
async fn with_client_authorities_every_client_shows_a_certificate_of_one() {
    let authority = Authority::new();
    let clients = Authority::new();
    let pair = authority.leaf();
    let files = Files::new(&pair, Some(&clients.pem));
    let identity = Arc::new(FileIdentity::read(files.files()).unwrap());
    let running = Running::start("127.0.0.1:0", Some(identity)).await;
    let at = running.port();
    assert!(shown(at, authority.client(None)).await.is_none());
    let other = authority.leaf();
    assert!(shown(at, authority.client(Some(other))).await.is_none());
    let good = clients.leaf();
    assert!(shown(at, authority.client(Some(good))).await.is_some());
    // Without TLS there is no answer.
    let mut plain = TcpStream::connect(at).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    running.end().await;
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let authority = Authority::new();
    let pair = authority.leaf();
    let refused = |change: &dyn Fn(&Files)| {
        let files = Files::new(&pair, Some(&authority.pem));
        change(&files);
        let wanted = CertificateFiles {
            client_ca: Some(files.path("ca.pem")),
            ..files.files()
        };
        FileIdentity::read(wanted).unwrap_err().to_string()
    };
    let text = refused(&|files| std::fs::remove_file(files.path("cert.pem")).unwrap());
    assert!(
        text.starts_with("cannot read the certificate file "),
        "{text}"
    );
    let text = refused(&|files| std::fs::remove_file(files.path("ca.pem")).unwrap());
    assert!(
        text.starts_with("cannot read the file of client authorities "),
        "{text}"
    );
    let text = refused(&|files| files.write("cert.pem", "nothing"));
    assert!(text.contains("holds no certificate"), "{text}");
    let text = refused(&|files| files.write("key.pem", &pair.0));
    assert!(text.contains("holds no private key"), "{text}");
    let text = refused(&|files| files.write("key.pem", &authority.leaf().1));
    assert!(
        text.contains("does not belong to the certificate"),
        "{text}"
    );
    let text = refused(&|files| files.write("ca.pem", &pair.1));
    assert!(text.contains("holds no certificate"), "{text}");
    let text = refused(&|files| files.write("key.pem", &"x".repeat(5 << 20)));
    assert!(text.contains("larger than 4 MiB"), "{text}");
}

#[tokio::test]
async fn a_handshake_that_hangs_holds_up_no_other_connection() {
    let authority = Authority::new();
    let files = Files::new(&authority.leaf(), None);
    let identity = Arc::new(FileIdentity::read(files.files()).unwrap());
    let running = Running::start("127.0.0.1:0", Some(identity)).await;
    let mut silent = Vec::new();
    for _ in 0..10 {
        silent.push(TcpStream::connect(running.port()).await.unwrap());
    }
    assert!(
        shown(running.port(), authority.client(None))
            .await
            .is_some()
    );
    running.end().await;
}
