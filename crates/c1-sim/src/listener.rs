//! A TLS port with a certificate of its own authority.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Error;
use crate::front::{self, Version};
use crate::simulator::Simulator;

/// A socket that listens, and its certificate.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    authority: String,
    tls: Arc<ServerConfig>,
}

impl Listener {
    /// Listens at `address`; the certificate is valid for `localhost`, the loopback
    /// addresses, that address, and `names`.
    ///
    /// # Errors
    /// The address is in use, or a name cannot be in a certificate.
    pub async fn bind(address: SocketAddr, names: &[String]) -> Result<Self, Error> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let mut all = vec!["localhost".to_owned()];
        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let addresses: [IpAddr; 3] = [loopback[0], loopback[1], address.ip()];
        all.extend(addresses.map(|address| address.to_string()));
        all.extend_from_slice(names);
        let (authority, tls) = certificate(all)?;
        Ok(Self {
            socket,
            address,
            authority,
            tls,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate of the authority as PEM, for `SSL_CERT_FILE`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(crate) fn serve(self, simulator: Simulator) -> ServerHandle {
        let stop = CancellationToken::new();
        let address = self.address;
        let task = tokio::spawn(self.accept(simulator, stop.clone()));
        ServerHandle {
            address,
            stop,
            task,
        }
    }

    async fn accept(self, simulator: Simulator, stop: CancellationToken) {
        let acceptor = TlsAcceptor::from(self.tls);
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                () = stop.cancelled() => break,
            };
            // A connection that ends before it is accepted, or too many files: the next one may work.
            let Ok((stream, _)) = accepted else {
                tokio::task::yield_now().await;
                continue;
            };
            let (acceptor, simulator) = (acceptor.clone(), simulator.clone());
            let broken = simulator.shared.connection();
            connections.spawn(connection(
                acceptor,
                simulator,
                stream,
                broken,
                stop.clone(),
            ));
        }
        connections.close();
        connections.wait().await;
    }
}

async fn connection(
    acceptor: TlsAcceptor,
    simulator: Simulator,
    stream: TcpStream,
    broken: CancellationToken,
    stop: CancellationToken,
) {
    // Without it answers wait to fill a packet.
    let _ = stream.set_nodelay(true);
    let stream = Breakable {
        stream,
        broken: broken.clone(),
    };
    let accepted = tokio::select! {
        accepted = acceptor.accept(stream) => accepted,
        () = broken.cancelled() => return,
        () = stop.cancelled() => return,
    };
    // A client that does not trust the certificate ends here.
    let Ok(stream) = accepted else { return };
    let version = match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => Version::Http2,
        _ => Version::Http1,
    };
    tokio::select! {
        () = front::serve(&simulator, stream, version, broken) => {}
        () = stop.cancelled() => {}
    }
}

/// A running server. It ends when the handle is dropped.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl ServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and breaks those that are open.
    pub async fn shutdown(mut self) {
        self.stop.cancel();
        // The task does not panic; if it does, it has ended too.
        let _ = (&mut self.task).await;
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A socket that ends with a reset if its connection was broken on purpose.
#[derive(Debug)]
struct Breakable {
    stream: TcpStream,
    broken: CancellationToken,
}

impl Drop for Breakable {
    fn drop(&mut self) {
        if self.broken.is_cancelled() {
            // Without lingering, closing sends a reset. A socket that is closed cannot be set.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Breakable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Breakable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The authority as PEM, and how the server speaks TLS.
fn certificate(names: Vec<String>) -> Result<(String, Arc<ServerConfig>), Error> {
    let failed = |error: rcgen::Error| Error::Certificate {
        what: error.to_string(),
    };
    let unusable = |error: rustls::Error| Error::Certificate {
        what: error.to_string(),
    };
    let mut authority = CertificateParams::new(Vec::new()).map_err(failed)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority
        .distinguished_name
        .push(DnType::CommonName, "c1-sim");
    let key = KeyPair::generate().map_err(failed)?;
    let authority = CertifiedIssuer::self_signed(authority, key).map_err(failed)?;
    let key = KeyPair::generate().map_err(failed)?;
    let leaf = CertificateParams::new(names).map_err(failed)?;
    let leaf = leaf.signed_by(&key, &authority).map_err(failed)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok((pem(authority.der()), Arc::new(config)))
}

/// A certificate as text.
fn pem(der: &[u8]) -> String {
    /// Characters in a line.
    const LINE: usize = 64;
    let encoded = STANDARD.encode(der);
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII.
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END CERTIFICATE-----\n");
    text
}
