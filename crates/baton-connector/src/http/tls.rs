//! TLS as every client of ours speaks it.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::{ClientConfig, ConfigBuilder};

use super::reqwest_transport::TransportSettings;
use super::trust;
use crate::error::{Error, Result};

/// TLS checked by ring. A server's certificate must come from an authority of the
/// settings' files; without them of the platform, or, if the platform has none, of this
/// program. The caller decides about a certificate of its own and the protocols.
///
/// # Errors
/// Certificates in the settings that cannot be read.
pub fn client_tls(
    settings: &TransportSettings,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setting {
            setting: "TLS",
            reason: error.to_string(),
        })?;
    let extra = match &settings.extra_roots_pem {
        Some(pem) => trust::of_pem(pem)?,
        None => Vec::new(),
    };
    let mut store = match settings.trusted.as_slice() {
        [] => {
            #[cfg(any(windows, target_vendor = "apple"))]
            if let Some(verifier) = of_system(&config, &extra) {
                return Ok(config
                    .dangerous()
                    .with_custom_certificate_verifier(verifier));
            }
            trust::of_platform()
        }
        files => trust::of_files(files)?,
    };
    trust::add(&mut store, extra)?;
    Ok(config.with_root_certificates(store))
}

/// The system's own check, which knows of authorities that it has not loaded yet, and of
/// those that were withdrawn.
#[cfg(any(windows, target_vendor = "apple"))]
fn of_system(
    config: &ConfigBuilder<ClientConfig, rustls::WantsVerifier>,
    extra: &[rustls::pki_types::CertificateDer<'static>],
) -> Option<Arc<rustls_platform_verifier::Verifier>> {
    let provider = Arc::clone(config.crypto_provider());
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(extra.to_vec(), provider);
    match verifier {
        Ok(verifier) => {
            tracing::debug!("trusted certificates: the check of the system");
            Some(Arc::new(verifier))
        }
        Err(error) => {
            tracing::debug!(%error, "the check of the system is not usable");
            None
        }
    }
}
