//! TLS between parent and child: both sides show a certificate, and accept only
//! those of their common authority.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;

use super::ALPN;
use super::credential::Credential;
use super::error::ChildError;

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable(error: impl std::fmt::Display) -> ChildError {
    ChildError::Credential {
        what: error.to_string(),
    }
}

/// The authority of the credential, as the only one.
fn roots(credential: &Credential) -> Result<RootCertStore, ChildError> {
    let mut roots = RootCertStore::empty();
    roots
        .add(credential.authority().clone())
        .map_err(unusable)?;
    Ok(roots)
}

/// How a server with this credential speaks TLS: 1.2 or later, `h2`, and every
/// client shows a certificate of the same authority.
///
/// # Errors
///
/// A certificate or the key cannot be used.
pub fn server_config(credential: &Credential) -> Result<rustls::ServerConfig, ChildError> {
    let clients =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots(credential)?), provider())
            .build()
            .map_err(unusable)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![credential.certificate().clone()],
            credential.private_key(),
        )
        .map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

/// How a client with this credential speaks TLS: it trusts the authority of its own
/// certificate only.
///
/// # Errors
///
/// A certificate or the key cannot be used.
pub fn client_config(credential: &Credential) -> Result<rustls::ClientConfig, ChildError> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_root_certificates(roots(credential)?)
        .with_client_auth_cert(
            vec![credential.certificate().clone()],
            credential.private_key(),
        )
        .map_err(unusable)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}
