//! Why there is no connection to the service.

use std::fmt;
use std::time::Duration;

use baton_connector::http::TransportError;
use baton_proto::{Advice, Advise, Code};

/// Why there is no connection to the service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The settings of TLS or of the proxy cannot be used.
    #[error(transparent)]
    Settings(#[from] baton_connector::Error),
    /// The host cannot be the name of a TLS server.
    #[error("`{host}` cannot be the name of a TLS server")]
    ServerName {
        /// The host.
        host: String,
    },
    /// A step failed.
    #[error("{step} failed: {cause}")]
    Failed {
        /// What failed.
        step: Step,
        /// Why.
        cause: TransportError,
    },
    /// A step took too long.
    #[error("{step} did not end within {} s", .limit.as_secs())]
    Late {
        /// What took too long.
        step: Step,
        /// The time limit of all steps together.
        limit: Duration,
    },
    /// The proxy opened no tunnel.
    #[error("the proxy {proxy} answered status {status} to a request for a tunnel to {target}")]
    ProxyRefused {
        /// Host and port of the proxy.
        proxy: String,
        /// Host and port of the service.
        target: String,
        /// The HTTP status.
        status: u16,
    },
    /// The proxy speaks another protocol than HTTP.
    #[error("the proxy {proxy} has the scheme `{scheme}`; expected `http` or `https`")]
    ProxyScheme {
        /// Host and port of the proxy.
        proxy: String,
        /// The scheme.
        scheme: String,
    },
    /// The server, or what intercepts TLS before it, has no HTTP/2.
    #[error("{target} does not offer HTTP/2")]
    NoHttp2 {
        /// Host and port of the service.
        target: String,
    },
}

/// A step on the way to a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// The address of this host is looked up.
    LookUp(String),
    /// A connection to this host and port is made.
    Connect(String),
    /// TLS is agreed with this host and port.
    Tls(String),
    /// The proxy at this host and port opens a tunnel.
    Tunnel(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LookUp(host) => write!(f, "the look-up of {host}"),
            Self::Connect(target) => write!(f, "the connection to {target}"),
            Self::Tls(target) => write!(f, "the TLS handshake with {target}"),
            Self::Tunnel(proxy) => write!(f, "the tunnel through the proxy {proxy}"),
        }
    }
}

impl ConnectError {
    /// The gRPC code: `InvalidArgument` for settings, else `Unavailable`.
    pub fn code(&self) -> Code {
        match self {
            Self::Settings(error) => error.code(),
            Self::ServerName { .. } | Self::ProxyScheme { .. } => Code::InvalidArgument,
            Self::Failed { .. }
            | Self::Late { .. }
            | Self::ProxyRefused { .. }
            | Self::NoHttp2 { .. } => Code::Unavailable,
        }
    }
}

impl Advise for ConnectError {
    fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Settings(error) => error.advice(),
            Self::ServerName { .. } => vec![Advice::CheckClientCredentials],
            // The host is a part of the client id, if it is not that of the proxy.
            Self::Failed { cause, .. } => match cause.kind.advice() {
                Some(Advice::CheckHost) => vec![Advice::CheckClientCredentials],
                advice => advice.into_iter().collect(),
            },
            Self::ProxyRefused { status: 407, .. } => vec![Advice::GiveProxyCredentials],
            Self::Late { .. }
            | Self::ProxyRefused { .. }
            | Self::ProxyScheme { .. }
            | Self::NoHttp2 { .. } => vec![Advice::CheckNetwork],
        }
    }
}
