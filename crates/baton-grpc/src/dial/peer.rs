//! Connections to a connector, with or without TLS.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use baton_connector::http::{TransportSettings, TrustedFiles, client_tls, look_up};
use rustls::client::WantsClientCert;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::address::PeerAddress;
use super::error::DialError;
use crate::buffered::buffered;
use crate::child::ALPN;
use crate::pem;
use crate::serve::Stream;

/// How long a connection may take, look-up and handshake included.
const LIMIT: Duration = Duration::from_secs(20);

const AUTHORITY: &str = "the file of authorities";
const CERTIFICATE: &str = "the certificate file";
const KEY: &str = "the key file";

/// How TLS is spoken with a connector.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PeerTls {
    /// The only authorities that are trusted, in PEM form; without it those of this
    /// machine.
    pub authority: Option<PathBuf>,
    /// The authorities in the place of those of this machine; see
    /// [`TransportSettings::trusted`].
    pub trusted: Vec<TrustedFiles>,
    /// The client's own certificate and its key, in PEM form.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The name in the server's certificate, if it is not that of the address.
    pub server_name: Option<String>,
}

/// A connector that serves somewhere.
#[derive(Clone)]
pub struct Peer {
    address: PeerAddress,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("address", &self.address)
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl Peer {
    /// The connector at `address`; without `tls` everything is sent unencrypted. Reads
    /// the files.
    ///
    /// # Errors
    /// A file that cannot be used, or a name that no certificate can have.
    pub fn new(address: PeerAddress, tls: Option<&PeerTls>) -> Result<Self, DialError> {
        let tls = tls.map(|tls| {
            let name = tls.server_name.as_deref();
            let server = server_name(name.unwrap_or_else(|| address.server_name()))?;
            let connector = TlsConnector::from(Arc::new(config(tls)?));
            Ok::<_, DialError>((connector, server))
        });
        Ok(Self {
            address,
            tls: tls.transpose()?,
        })
    }

    /// The server at `address`, with TLS that trusts these authorities alone.
    ///
    /// # Errors
    /// A certificate that cannot be that of an authority, or a name that no certificate
    /// can have.
    pub fn with_authorities(
        address: PeerAddress,
        authorities: Vec<CertificateDer<'static>>,
    ) -> Result<Self, DialError> {
        let builder = trusting(authorities).map_err(|source| DialError::Authority { source })?;
        let mut config = builder.with_no_client_auth();
        config.alpn_protocols = vec![ALPN.to_vec()];
        let server = server_name(address.server_name())?;
        let tls = Some((TlsConnector::from(Arc::new(config)), server));
        Ok(Self { address, tls })
    }

    /// Connects to it.
    ///
    /// # Errors
    /// It cannot be reached, or it is not the server that is trusted.
    pub async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        let dialled = timeout(LIMIT, self.connect()).await;
        dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream: Box<dyn Stream> = match &self.address {
            PeerAddress::Tcp { host, port } => {
                let stream = TcpStream::connect(look_up(host, *port).await?.as_slice()).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            #[cfg(unix)]
            PeerAddress::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
            #[cfg(not(unix))]
            PeerAddress::Unix(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let Some((tls, name)) = &self.tls else {
            return Ok(stream);
        };
        let stream = tls.connect(name.clone(), buffered(stream)).await?;
        if stream.get_ref().1.alpn_protocol() != Some(ALPN) {
            let text = "the server does not offer HTTP/2";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(Box::new(stream))
    }
}

fn server_name(name: &str) -> Result<ServerName<'static>, DialError> {
    ServerName::try_from(name.to_owned()).map_err(|_| DialError::ServerName {
        name: name.to_owned(),
    })
}

/// Trusts these authorities alone.
fn trusting(
    authorities: Vec<CertificateDer<'static>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots))
}

fn config(tls: &PeerTls) -> Result<ClientConfig, DialError> {
    let builder = match &tls.authority {
        None => client_tls(&TransportSettings {
            trusted: tls.trusted.clone(),
            ..TransportSettings::default()
        })?,
        Some(path) => {
            let found = pem::certificates(AUTHORITY, path, &pem::read(AUTHORITY, path)?)?;
            trusting(found).map_err(|error| pem::unusable(AUTHORITY, path, &error))?
        }
    };
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let content = pem::read(CERTIFICATE, certificate)?;
            let chain = pem::certificates(CERTIFICATE, certificate, &content)?;
            let content = zeroize::Zeroizing::new(pem::read(KEY, key)?);
            let private = pem::key(KEY, key, &content)?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|error| pem::pair(CERTIFICATE, certificate, key, &error))?
        }
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
