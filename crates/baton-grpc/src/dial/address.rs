//! Where a connector serves.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::error::DialError;

const UNIX: &str = "unix:";

/// Where a connector serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerAddress {
    /// A host, by name or address, and its port.
    Tcp {
        /// Without the brackets of an IPv6 address.
        host: String,
        /// The port.
        port: u16,
    },
    /// A socket file.
    Unix(PathBuf),
}

impl PeerAddress {
    /// Reads `connector.example:9000`, `127.0.0.1:9000`, `[::1]:9000` or
    /// `unix:/run/x.sock`.
    ///
    /// # Errors
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, DialError> {
        let unknown = || DialError::Address {
            text: text.to_owned(),
        };
        if let Some(path) = text.strip_prefix(UNIX) {
            if path.is_empty() || path.contains('\0') || cfg!(not(unix)) {
                return Err(unknown());
            }
            return Ok(Self::Unix(path.into()));
        }
        let (host, port) = text.rsplit_once(':').ok_or_else(unknown)?;
        let port = port.parse().map_err(|_| unknown())?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let is_fine = match bare {
            Some(bare) => bare.parse::<std::net::Ipv6Addr>().is_ok(),
            None => {
                let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                !host.is_empty() && host.chars().all(allowed)
            }
        };
        if !is_fine || port == 0 {
            return Err(unknown());
        }
        let host = bare.unwrap_or(host).to_owned();
        Ok(Self::Tcp { host, port })
    }

    /// The address with a relative path below `folder`.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(folder.join(path)),
            tcp @ Self::Tcp { .. } => tcp,
        }
    }

    /// Whether what is sent there stays on this machine.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                let address = host.parse::<IpAddr>();
                let loopback = address.map(|address| address.to_canonical().is_loopback());
                loopback.unwrap_or(host == "localhost")
            }
        }
    }

    /// The name that a certificate of the server must have.
    pub(crate) fn server_name(&self) -> &str {
        match self {
            Self::Tcp { host, .. } => host,
            Self::Unix(_) => "localhost",
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_in_the_same_form() {
        for text in [
            "127.0.0.1:9000",
            "[::1]:9000",
            "a-b.example:1",
            "unix:/run/x.sock",
        ] {
            assert_eq!(PeerAddress::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ":9000",
            "9000",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "unix:",
            "::1:9000",
            "[::1]",
            "[host]:1",
            "https://host:1",
            "a b:1",
            "a/b:1",
            "unix:a\0b",
        ] {
            let error = PeerAddress::parse(text).unwrap_err();
            assert!(
                error.to_string().contains("expected <host>:<port>"),
                "{text}"
            );
        }
    }

    #[test]
    fn only_loopback_and_socket_files_are_local() {
        let is_local = |text| PeerAddress::parse(text).unwrap().is_local();
        assert!(is_local("127.8.0.1:1"));
        assert!(is_local("[::1]:1"));
        assert!(is_local("localhost:1"));
        assert!(is_local("unix:x"));
        assert!(!is_local("connector.example:1"));
        assert!(!is_local("192.0.2.1:1"));
    }
}
