//! Certificates in files, which are read again when they change.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::time::Instant;

use super::accept::Identity;
use super::error::ServeError;
use crate::pem::{PemError, certificates, key, pair, read, unusable};

/// Between two looks at the files.
const CHECK_EVERY: Duration = Duration::from_secs(1);

const CERTIFICATE: &str = "the certificate file";
const KEY: &str = "the key file";
const CLIENT_CA: &str = "the file of client authorities";

/// The files of a server with TLS, in PEM form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate and those between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities of clients; without it, clients show no certificate.
    pub client_ca: Option<PathBuf>,
}

/// What was read from the files.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
    client_ca: Option<Vec<u8>>,
}

impl CertificateFiles {
    fn read(&self) -> Result<Contents, PemError> {
        Ok(Contents {
            certificate: read(CERTIFICATE, &self.certificate)?,
            key: read(KEY, &self.key)?.into(),
            client_ca: match &self.client_ca {
                Some(path) => Some(read(CLIENT_CA, path)?),
                None => None,
            },
        })
    }

    fn config(&self, contents: &Contents) -> Result<ServerConfig, PemError> {
        let chain = certificates(CERTIFICATE, &self.certificate, &contents.certificate)?;
        let key = key(KEY, &self.key, &contents.key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(CERTIFICATE, &self.certificate, &error))?;
        let builder = match (&self.client_ca, &contents.client_ca) {
            (Some(path), Some(pem)) => {
                let unusable = |reason: &dyn std::fmt::Display| unusable(CLIENT_CA, path, reason);
                let mut roots = RootCertStore::empty();
                for root in certificates(CLIENT_CA, path, pem)? {
                    roots.add(root).map_err(|error| unusable(&error))?;
                }
                let clients =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .map_err(|error| unusable(&error))?;
                builder.with_client_cert_verifier(clients)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder
            .with_single_cert(chain, key)
            .map_err(|error| pair(CERTIFICATE, &self.certificate, &self.key, &error))?;
        config.alpn_protocols = vec![crate::child::ALPN.to_vec()];
        Ok(config)
    }
}

/// The identity in files. New connections get what the files hold: they are
/// looked at once a second at most, and files that cannot be used leave the earlier
/// certificates in place, with a warning.
pub struct FileIdentity {
    files: CertificateFiles,
    state: Mutex<State>,
}

struct State {
    checked: Instant,
    contents: Contents,
    config: Arc<ServerConfig>,
    /// The last warning, which is not repeated.
    warned: Option<String>,
}

impl std::fmt::Debug for FileIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileIdentity")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

impl FileIdentity {
    /// Reads the files.
    ///
    /// # Errors
    ///
    /// A file cannot be read or used, or the key does not fit.
    pub fn read(files: CertificateFiles) -> Result<Self, ServeError> {
        let contents = files.read()?;
        let config = Arc::new(files.config(&contents)?);
        Ok(Self {
            files,
            state: Mutex::new(State {
                checked: Instant::now(),
                contents,
                config,
                warned: None,
            }),
        })
    }
}

impl State {
    fn refresh(&mut self, files: &CertificateFiles) -> Result<(), PemError> {
        let contents = files.read()?;
        if contents == self.contents {
            return Ok(());
        }
        self.config = Arc::new(files.config(&contents)?);
        self.contents = contents;
        tracing::info!(path = %files.certificate.display(), "read the changed certificates");
        Ok(())
    }
}

impl Identity for FileIdentity {
    fn config(&self) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now.duration_since(state.checked) >= CHECK_EVERY {
            state.checked = now;
            match state.refresh(&self.files) {
                Ok(()) => state.warned = None,
                Err(error) => {
                    let text = baton_proto::causes::one_line(&error);
                    if state.warned.as_ref() != Some(&text) {
                        tracing::warn!(error = text, "keeping the earlier certificates");
                        state.warned = Some(text);
                    }
                }
            }
        }
        Arc::clone(&state.config)
    }
}
