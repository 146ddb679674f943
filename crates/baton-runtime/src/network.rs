//! The network of the machine, as variables of the process set it up.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use baton_connector::http::{TransportSettings, TrustedFiles};
use baton_flags::Environment;

/// A PEM file with the only authorities to trust, as for Go programs and OpenSSL.
const CERTIFICATE_FILE: &str = "SSL_CERT_FILE";
/// Folders of such files, separated as in `PATH`.
const CERTIFICATE_FOLDERS: &str = "SSL_CERT_DIR";

/// The settings that the variables of `env` make. Relative paths start in `cwd`; a
/// variable without a value is not set.
pub(crate) fn settings(env: &Environment, cwd: &Path) -> TransportSettings {
    let value = |name: &str| {
        env.get(&OsString::from(name))
            .filter(|value| !value.is_empty())
    };
    let file = value(CERTIFICATE_FILE).map(|file| TrustedFiles {
        setting: CERTIFICATE_FILE,
        paths: vec![cwd.join(file)],
    });
    let folders = value(CERTIFICATE_FOLDERS).map(|folders| TrustedFiles {
        setting: CERTIFICATE_FOLDERS,
        paths: std::env::split_paths(folders)
            .filter(|folder| *folder != PathBuf::new())
            .map(|folder| cwd.join(folder))
            .collect(),
    });
    TransportSettings {
        trusted: file.into_iter().chain(folders).collect(),
        ..TransportSettings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_come_from_the_variables_of_go_and_openssl() {
        let trusted = |variables: &[(&str, &str)]| {
            let variables = variables
                .iter()
                .map(|(name, value)| (name.into(), value.into()));
            settings(&variables.collect(), Path::new("/work")).trusted
        };
        let paths = |setting, paths: &[&str]| TrustedFiles {
            setting,
            paths: paths.iter().map(PathBuf::from).collect(),
        };
        assert_eq!(trusted(&[]), []);
        assert_eq!(
            trusted(&[(CERTIFICATE_FILE, ""), (CERTIFICATE_FOLDERS, "")]),
            []
        );
        let file = paths(CERTIFICATE_FILE, &["/work/ca.pem"]);
        assert_eq!(
            trusted(&[(CERTIFICATE_FILE, "ca.pem")]),
            std::slice::from_ref(&file)
        );
        let folders = std::env::join_paths(["/a", "", "b"]).unwrap();
        let both = trusted(&[
            (CERTIFICATE_FOLDERS, folders.to_str().unwrap()),
            (CERTIFICATE_FILE, "/work/ca.pem"),
        ]);
        assert_eq!(both, [file, paths(CERTIFICATE_FOLDERS, &["/a", "/work/b"])]);
    }
}
