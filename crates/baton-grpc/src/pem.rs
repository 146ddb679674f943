//! Certificates and keys in files, in PEM form.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Largest file of certificates.
const MAX_BYTES: u64 = 4 << 20;

/// A file of certificates or keys that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// It cannot be read.
    #[error("cannot read {what} {}", .path.display())]
    Unreadable {
        /// Which file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It has nothing of what it is for.
    #[error("{what} {} is not usable: {reason}", .path.display())]
    Unusable {
        /// Which file.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not that of the certificate.
    #[error("the key {} does not belong to the certificate {}", .key.display(), .certificate.display())]
    OtherKey {
        /// The file of the key.
        key: PathBuf,
        /// The file of the certificate.
        certificate: PathBuf,
    },
}

pub(crate) fn unusable(
    what: &'static str,
    path: &Path,
    reason: &dyn std::fmt::Display,
) -> PemError {
    PemError::Unusable {
        what,
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// The content of a file; `what` names it in errors, as in "the key file".
pub(crate) fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, PemError> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| PemError::Unreadable {
            what,
            path: path.to_owned(),
            source,
        })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(unusable(what, path, &"it is larger than 4 MiB"));
    }
    Ok(bytes)
}

/// The certificates in a file, at least one.
pub(crate) fn certificates(
    what: &'static str,
    path: &Path,
    content: &[u8],
) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found = CertificateDer::pem_slice_iter(content)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(what, path, &reason(&error, "certificate")))?;
    if found.is_empty() {
        return Err(unusable(what, path, &"it holds no certificate in PEM form"));
    }
    Ok(found)
}

/// The first private key in a file.
pub(crate) fn key(
    what: &'static str,
    path: &Path,
    content: &[u8],
) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(content)
        .map_err(|error| unusable(what, path, &reason(&error, "private key")))
}

fn reason(error: &pem::Error, wanted: &str) -> String {
    match error {
        pem::Error::NoItemsFound => format!("it holds no {wanted} in PEM form"),
        other => other.to_string(),
    }
}

/// The error of a certificate and a key that cannot be used together.
pub(crate) fn pair(
    what: &'static str,
    certificate: &Path,
    key: &Path,
    error: &rustls::Error,
) -> PemError {
    match error {
        rustls::Error::InconsistentKeys(_) => PemError::OtherKey {
            key: key.to_owned(),
            certificate: certificate.to_owned(),
        },
        other => unusable(what, certificate, other),
    }
}
