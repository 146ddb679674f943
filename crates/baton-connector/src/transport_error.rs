//! Why a request got no answer: the classes on which retries and error codes
//! depend.

use std::fmt;

use baton_proto::advice::Limit;
use baton_proto::{Advice, Code};

/// Why there was no (whole) answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct TransportError {
    /// The class, on which retries depend.
    pub kind: TransportErrorKind,
    /// The transport's own words, without credentials.
    pub detail: String,
}

impl TransportError {
    /// An error of a class.
    pub fn new(kind: TransportErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

/// The classes of transport failures.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransportErrorKind {
    /// The name of the host does not exist.
    UnknownHost,
    /// The name could not be looked up now.
    NameLookup,
    /// The host refused the connection.
    Refused,
    /// The host cannot be reached.
    Unreachable,
    /// No connection within the time allowed.
    ConnectTimeout,
    /// No trust: certificate, name or protocol version.
    Tls,
    /// The proxy rejected the credentials.
    ProxyAuth,
    /// The proxy could not connect.
    Proxy,
    /// This process may not open another connection.
    OpenFiles,
    /// The connection was lost before an answer came.
    Reset,
    /// The answer broke off in its body.
    Truncated,
    /// The answer took longer than allowed.
    Timeout,
    /// What came was not HTTP.
    Protocol,
    /// Anything else.
    Other,
}

impl TransportErrorKind {
    /// The stable name, for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownHost => "unknown_host",
            Self::NameLookup => "name_lookup",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::ConnectTimeout => "connect_timeout",
            Self::Tls => "tls",
            Self::ProxyAuth => "proxy_auth",
            Self::Proxy => "proxy",
            Self::OpenFiles => "open_files",
            Self::Reset => "reset",
            Self::Truncated => "truncated",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::Other => "other_failure",
        }
    }

    /// The gRPC code (`sync-runtime.md` §6.1).
    pub const fn code(self) -> Code {
        match self {
            Self::UnknownHost | Self::ProxyAuth => Code::InvalidArgument,
            Self::ConnectTimeout | Self::Timeout => Code::DeadlineExceeded,
            Self::NameLookup
            | Self::Refused
            | Self::Unreachable
            | Self::Proxy
            | Self::Reset
            | Self::Truncated => Code::Unavailable,
            Self::OpenFiles => Code::ResourceExhausted,
            Self::Tls | Self::Protocol | Self::Other => Code::Unknown,
        }
    }

    /// True when not one byte of the request reached the server.
    pub const fn never_sent(self) -> bool {
        matches!(
            self,
            Self::UnknownHost
                | Self::NameLookup
                | Self::Refused
                | Self::Unreachable
                | Self::ConnectTimeout
                | Self::Tls
                | Self::ProxyAuth
                | Self::Proxy
                | Self::OpenFiles
        )
    }

    /// What the user can do about it.
    pub fn advice(self) -> Option<Advice> {
        Some(match self {
            Self::UnknownHost => Advice::CheckHost,
            Self::NameLookup => Advice::CheckNameService,
            Self::Tls => Advice::TrustCertificate,
            Self::ProxyAuth => Advice::GiveProxyCredentials,
            Self::Refused | Self::Unreachable | Self::ConnectTimeout | Self::Proxy => {
                Advice::CheckNetwork
            }
            Self::OpenFiles => Advice::RaiseLimit(Limit::OpenFiles),
            Self::Reset | Self::Truncated | Self::Timeout | Self::Protocol | Self::Other => {
                return None;
            }
        })
    }

    /// False when a repetition would meet the same.
    pub const fn may_pass(self) -> bool {
        !matches!(self, Self::UnknownHost | Self::Tls | Self::ProxyAuth)
    }
}

impl fmt::Display for TransportErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownHost => "unknown host",
            Self::NameLookup => "host name lookup failed",
            Self::Refused => "connection refused",
            Self::Unreachable => "host unreachable",
            Self::ConnectTimeout => "connection timed out",
            Self::Tls => "TLS failed",
            Self::ProxyAuth => "the proxy rejected the credentials",
            Self::Proxy => "the proxy could not connect",
            Self::OpenFiles => "no handle for another connection",
            Self::Reset => "connection lost",
            Self::Truncated => "response was cut off",
            Self::Timeout => "timeout",
            Self::Protocol => "not a valid HTTP answer",
            Self::Other => "transport failure",
        })
    }
}
