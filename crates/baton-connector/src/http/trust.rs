//! Which authorities a server's certificate may come from.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Result};

/// Certificates that are trusted in the place of the platform's: PEM files, and folders
/// of such files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedFiles {
    /// What sets the paths; errors name it.
    pub setting: &'static str,
    /// Files and folders. A path that cannot be read is an error if no other has a
    /// certificate.
    pub paths: Vec<PathBuf>,
}

impl TrustedFiles {
    fn read(&self) -> Result<Vec<CertificateDer<'static>>> {
        let mut found = Vec::new();
        let mut failures = Vec::new();
        for path in &self.paths {
            let (certificates, errors) = read(path);
            found.extend(certificates);
            failures.extend(errors);
        }
        let reason = match (found.is_empty(), failures.into_iter().next()) {
            (false, failure) => {
                if let Some(failure) = failure {
                    tracing::debug!(
                        setting = self.setting,
                        "some certificates are not used: {failure}"
                    );
                }
                return Ok(found);
            }
            (true, Some(failure)) => failure,
            (true, None) => {
                let paths: Vec<_> = self
                    .paths
                    .iter()
                    .map(|path| path.display().to_string())
                    .collect();
                format!("no certificate in PEM form in {}", paths.join(", "))
            }
        };
        Err(Error::Setting {
            setting: self.setting,
            reason,
        })
    }
}

/// The certificates of a file or of the files in a folder, and what could not be read.
fn read(path: &Path) -> (Vec<CertificateDer<'static>>, Vec<String>) {
    let result = if path.is_dir() {
        rustls_native_certs::load_certs_from_paths(None, Some(path))
    } else {
        rustls_native_certs::load_certs_from_paths(Some(path), None)
    };
    let errors = result.errors.iter().map(ToString::to_string).collect();
    (result.certs, errors)
}

/// Where the certificates of a client come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Settings,
    #[cfg(not(any(windows, target_vendor = "apple")))]
    Platform,
    Program,
}

/// The authorities of `files`, without duplicates.
pub(super) fn of_files(files: &[TrustedFiles]) -> Result<RootCertStore> {
    let read = files.iter().map(TrustedFiles::read);
    let found: Vec<_> = read.collect::<Result<Vec<_>>>()?.concat();
    let store = store(found);
    if store.is_empty() {
        let setting = files
            .first()
            .map_or("the trusted certificates", |files| files.setting);
        let reason = "no certificate can be used".to_owned();
        return Err(Error::Setting { setting, reason });
    }
    report(Source::Settings, &store);
    Ok(store)
}

/// The authorities of this machine, or those of this program if the machine has none.
#[cfg(not(any(windows, target_vendor = "apple")))]
pub(super) fn of_platform() -> RootCertStore {
    let places = openssl_probe::probe();
    let paths = places.cert_file.into_iter().chain(places.cert_dir);
    let found = paths.flat_map(|path| {
        let (found, errors) = read(&path);
        for error in errors {
            tracing::debug!("a certificate of this machine is not used: {error}");
        }
        found
    });
    or_of_program(found.collect())
}

/// The authorities of this program: the system's own check is not usable.
#[cfg(any(windows, target_vendor = "apple"))]
pub(super) fn of_platform() -> RootCertStore {
    of_program()
}

#[cfg(not(any(windows, target_vendor = "apple")))]
fn or_of_program(of_platform: Vec<CertificateDer<'static>>) -> RootCertStore {
    let store = store(of_platform);
    if store.is_empty() {
        return of_program();
    }
    report(Source::Platform, &store);
    store
}

/// The authorities that Mozilla trusts, as of the build of this program.
fn of_program() -> RootCertStore {
    let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    report(Source::Program, &roots);
    roots
}

/// What can be parsed of the certificates, without duplicates: a bundle and the files
/// that it was made of lie side by side on most machines.
fn store(certificates: Vec<CertificateDer<'static>>) -> RootCertStore {
    let mut seen = BTreeSet::new();
    let first = certificates
        .into_iter()
        .filter(|one| seen.insert(one.to_vec()));
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(first);
    store
}

fn report(source: Source, store: &RootCertStore) {
    let count = store.len();
    match source {
        Source::Settings => tracing::debug!(count, "trusted certificates: of the settings"),
        #[cfg(not(any(windows, target_vendor = "apple")))]
        Source::Platform => tracing::debug!(count, "trusted certificates: of this machine"),
        Source::Program => tracing::info!(
            count,
            "trusted certificates: of this program, since this machine has none"
        ),
    }
}

/// Adds certificates, each of which must be usable.
pub(super) fn add(store: &mut RootCertStore, roots: Vec<CertificateDer<'static>>) -> Result<()> {
    for root in roots {
        store.add(root).map_err(|error| extra(error.to_string()))?;
    }
    Ok(())
}

/// The certificates of a PEM text; there must be one.
pub(super) fn of_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>> {
    let roots = CertificateDer::pem_slice_iter(pem)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| extra(error.to_string()))?;
    if roots.is_empty() {
        return Err(extra(
            "the file holds no certificate in PEM form".to_owned(),
        ));
    }
    Ok(roots)
}

fn extra(reason: String) -> Error {
    Error::Setting {
        setting: "the extra certificates",
        reason,
    }
}

#[cfg(all(test, not(any(windows, target_vendor = "apple"))))]
mod tests {
    use super::*;

    fn certificate() -> Vec<u8> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read(package.join("tests/fixtures/loopback-cert.pem")).unwrap()
    }

    fn files(paths: &[&Path]) -> TrustedFiles {
        TrustedFiles {
            setting: "X_CERTIFICATES",
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
        }
    }

    fn failure(paths: &[&Path]) -> String {
        of_files(&[files(paths)]).unwrap_err().to_string()
    }

    #[test]
    fn files_replace_the_certificates_of_the_platform() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.pem");
        std::fs::write(&file, certificate()).unwrap();
        std::fs::write(folder.path().join("README"), "text").unwrap();
        let missing = folder.path().join("missing");
        for paths in [
            vec![file.as_path()],
            vec![folder.path()],
            vec![&file, folder.path()],
            vec![&missing, &file],
        ] {
            assert_eq!(of_files(&[files(&paths)]).unwrap().len(), 1, "{paths:?}");
        }
        // Each setting must have one.
        let both = [files(&[&file]), files(&[&missing])];
        assert!(of_files(&both).is_err());
    }

    #[test]
    fn files_without_a_certificate_are_an_error_that_names_setting_and_path() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("missing.pem");
        let text = failure(&[&missing]);
        assert!(text.starts_with("cannot use X_CERTIFICATES: "), "{text}");
        assert!(
            text.contains("missing.pem") && text.contains("No such file"),
            "{text}"
        );

        let text = failure(&[folder.path()]);
        assert!(text.contains("no certificate in PEM form in /"), "{text}");

        let plain = folder.path().join("plain.pem");
        std::fs::write(&plain, "no certificate").unwrap();
        let text = failure(&[&plain]);
        assert!(text.contains("no certificate in PEM form in /"), "{text}");
        assert!(text.ends_with("plain.pem"), "{text}");

        let damaged = String::from_utf8_lossy(&certificate()).replacen("MII", "???", 1);
        std::fs::write(&plain, damaged).unwrap();
        assert!(failure(&[&plain]).starts_with("cannot use X_CERTIFICATES: "));

        let other = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        std::fs::write(&plain, other).unwrap();
        assert!(failure(&[&plain]).ends_with("no certificate can be used"));
    }

    #[test]
    fn a_machine_without_certificates_uses_those_of_the_program() {
        assert!(or_of_program(Vec::new()).len() > 50);
        let own = of_pem(&certificate()).unwrap();
        assert_eq!(or_of_program([own.clone(), own].concat()).len(), 1);
    }
}
