//! Where the service is: one host for tokens and for gRPC (`service-mode.md` §1.3,
//! §1.4).

use std::fmt;

use baton_crypto::ClientId;
use baton_proto::{Advice, Advise, Code};
use http::Uri;
use http::uri::Authority;

/// The path at which tokens are given.
const TOKEN_PATH: &str = "/auth/v1/token";
/// The port of a host without one.
const DEFAULT_PORT: u16 = 443;

/// The host of the service, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    authority: Authority,
}

/// A host that cannot be the service's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The client id names no host that can be reached.
    #[error("`{host}` in the client id is not a host name")]
    ClientId {
        /// As the client id has it.
        host: String,
    },
    /// The host that replaces the one of the client id is empty.
    #[error("the host that replaces the one of the client id is empty")]
    EmptyReplacement,
    /// The host that replaces the one of the client id is not one.
    #[error("`{host}`, which replaces the host of the client id, is not a host name")]
    Replacement {
        /// As it was given.
        host: String,
    },
}

impl EndpointError {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        Code::InvalidArgument
    }
}

impl Advise for EndpointError {
    fn advice(&self) -> Vec<Advice> {
        match self {
            Self::ClientId { .. } => vec![Advice::CheckClientCredentials],
            Self::EmptyReplacement | Self::Replacement { .. } => Vec::new(),
        }
    }
}

impl Endpoint {
    /// The host of the client id, or the one that replaces it: `<host>` or
    /// `<host>:<port>`.
    ///
    /// # Errors
    /// A host that is empty or not one.
    pub fn new(id: &ClientId, replacement: Option<&str>) -> Result<Self, EndpointError> {
        match replacement {
            Some("") => Err(EndpointError::EmptyReplacement),
            Some(host) => Self::parse(host).ok_or_else(|| EndpointError::Replacement {
                host: host.to_owned(),
            }),
            None => Self::parse(id.token_host()).ok_or_else(|| EndpointError::ClientId {
                host: id.token_host().to_owned(),
            }),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let authority: Authority = text.parse().ok()?;
        let host = authority.host();
        let rest = text.strip_prefix(host)?;
        let has_fine_port = match rest.strip_prefix(':') {
            None => rest.is_empty(),
            Some(_) => authority.port_u16().is_some_and(|port| port != 0),
        };
        (has_fine_port && !host.is_empty()).then_some(Self { authority })
    }

    /// The host: a name or an address, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        let host = self.authority.host();
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        bare.unwrap_or(host)
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.authority.port_u16().unwrap_or(DEFAULT_PORT)
    }

    /// Host and port, as calls name them.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where tokens are given.
    pub(crate) fn token_uri(&self) -> Uri {
        let parts = Uri::builder().scheme("https");
        let parts = parts.authority(self.authority.clone());
        // An authority and a constant path make a URI.
        parts.path_and_query(TOKEN_PATH).build().unwrap_or_default()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.authority.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(host: &str) -> ClientId {
        ClientId::parse(&format!("kim@{host}/valet")).unwrap()
    }

    #[test]
    fn the_host_is_that_of_the_client_id_unless_it_is_replaced() {
        let cases = [
            ("acme.test", None, "acme.test", 443),
            ("acme.test:8443", None, "acme.test", 8443),
            ("[::1]:8443", None, "::1", 8443),
            ("acme.test", Some("localhost:9000"), "localhost", 9000),
            ("not a host", Some("10.0.0.1"), "10.0.0.1", 443),
        ];
        for (host, replacement, expected, port) in cases {
            let endpoint = Endpoint::new(&id(host), replacement).unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (expected, port));
            let given = replacement.unwrap_or(host);
            assert_eq!(endpoint.to_string(), given);
            let uri = format!("https://{given}/auth/v1/token");
            assert_eq!(endpoint.token_uri().to_string(), uri);
        }
    }

    #[test]
    fn what_is_not_a_host_is_refused_by_its_origin() {
        for wrong in [
            ":443",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "a b",
            "u@host",
            "h/x",
            "[::1",
            "höst",
        ] {
            let error = Endpoint::new(&id("acme.test"), Some(wrong)).unwrap_err();
            assert!(
                matches!(error, EndpointError::Replacement { .. }),
                "{wrong}"
            );
            assert!(error.advice().is_empty());
        }
        let empty = Endpoint::new(&id("acme.test"), Some("")).unwrap_err();
        assert_eq!(empty, EndpointError::EmptyReplacement);
        let error = Endpoint::new(&id(""), None).unwrap_err();
        assert!(matches!(error, EndpointError::ClientId { .. }));
        let error = Endpoint::new(&id("a b"), None).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`a b` in the client id is not a host name"
        );
        assert_eq!(error.code(), Code::InvalidArgument);
        assert_eq!(error.advice(), [Advice::CheckClientCredentials]);
    }
}
