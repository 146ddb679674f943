//! Where a server listens.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use super::error::ServeError;

const UNIX: &str = "unix:";
const LOCALHOST: &str = "localhost:";

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A TCP port of one address, or of all.
    Tcp(SocketAddr),
    /// A socket file.
    Unix(PathBuf),
}

impl Address {
    /// Reads `127.0.0.1:9000`, `[::1]:9000`, `localhost:9000` or `unix:/run/x.sock`.
    ///
    /// # Errors
    ///
    /// The text has another form.
    pub fn parse(text: &str) -> Result<Self, ServeError> {
        let unknown = || ServeError::Address {
            text: text.to_owned(),
        };
        if let Some(path) = text.strip_prefix(UNIX) {
            if path.is_empty() || path.contains('\0') || cfg!(not(unix)) {
                return Err(unknown());
            }
            return Ok(Self::Unix(path.into()));
        }
        if let Some(port) = text.strip_prefix(LOCALHOST) {
            let port = port.parse().map_err(|_| unknown())?;
            return Ok(Self::Tcp((Ipv4Addr::LOCALHOST, port).into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| unknown())
    }

    /// The address with a relative path below `folder`.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::Unix(path) => Self::Unix(folder.join(path)),
            tcp @ Self::Tcp(_) => tcp,
        }
    }

    /// Whether only processes of this machine can connect.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
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
            "0.0.0.0:0",
            "unix:/run/x.sock",
        ] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        let named = Address::parse("localhost:9000").unwrap();
        assert_eq!(named.to_string(), "127.0.0.1:9000");
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            ":9000",
            "9000",
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:65536",
            "host:9000",
            "localhost:x",
            "unix:",
            "tcp://127.0.0.1:9000",
            "::1:9000",
            "[::1]",
            "unix:a\0b",
        ] {
            let error = Address::parse(text).unwrap_err();
            assert!(
                error.to_string().contains("expected <ip address>:<port>"),
                "{text}"
            );
        }
    }

    #[test]
    fn only_loopback_and_socket_files_are_local() {
        let is_local = |text| Address::parse(text).unwrap().is_local();
        assert!(is_local("127.8.0.1:1"));
        assert!(is_local("[::1]:1"));
        assert!(is_local("[::ffff:127.0.0.1]:1"));
        assert!(is_local("unix:x"));
        assert!(!is_local("0.0.0.0:1"));
        assert!(!is_local("[::]:1"));
        assert!(!is_local("192.0.2.1:1"));
    }
}
