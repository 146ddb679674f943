//! TLS as every client of ours speaks it.

use std::sync::Arc;

use rustls::client::WantsClientCert;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ConfigBuilder};

use super::reqwest_transport::TransportSettings;
use crate::error::{Error, Result};

/// Platform roots and the extra ones of the settings, checked by ring; the caller
/// decides about a certificate of its own and the protocols. A machine without any
/// root can still talk to itself: TLS fails then, plain HTTP works.
///
/// # Errors
/// Certificates in the settings that cannot be read.
pub fn client_tls(
    settings: &TransportSettings,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let extra = extra_roots(settings.extra_roots_pem.as_deref())?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| setting("TLS", &error))?;
    let verifier =
        rustls_platform_verifier::Verifier::new_with_extra_roots(extra.clone(), provider);
    match verifier {
        Ok(verifier) => Ok(config
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))),
        Err(error) => {
            tracing::debug!(%error, "no trusted certificates on this machine");
            let mut roots = rustls::RootCertStore::empty();
            for root in extra {
                roots
                    .add(root)
                    .map_err(|error| setting("the extra certificates", &error))?;
            }
            Ok(config.with_root_certificates(roots))
        }
    }
}

fn extra_roots(pem: Option<&[u8]>) -> Result<Vec<CertificateDer<'static>>> {
    let Some(pem) = pem else {
        return Ok(Vec::new());
    };
    let roots = CertificateDer::pem_slice_iter(pem)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| setting("the extra certificates", &error))?;
    if roots.is_empty() {
        return Err(Error::Setting {
            setting: "the extra certificates",
            reason: "the file holds no certificate in PEM form".to_owned(),
        });
    }
    Ok(roots)
}

fn setting(setting: &'static str, error: &dyn std::fmt::Display) -> Error {
    Error::Setting {
        setting,
        reason: error.to_string(),
    }
}
