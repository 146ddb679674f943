//! A client of the server: one request, straight to the address, whatever proxy is set.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use baton_proto::Code;
use bytes::Bytes;
use http::header::HOST;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// There is no connection.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The connection ended before the answer.
    #[error("the connection ended before the answer")]
    Broken {
        /// How.
        source: hyper::Error,
    },
    /// The answer is not HTTP.
    #[error("the answer is not HTTP")]
    NotHttp {
        /// What is wrong with it.
        source: hyper::Error,
    },
    /// The host or path cannot be part of a request.
    #[error("{address} is not the address of a server")]
    Address {
        /// Host and port.
        address: String,
        /// What is wrong with it.
        source: http::Error,
    },
}

impl ProbeError {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        match self {
            Self::Connect { source, .. } if source.kind() == io::ErrorKind::TimedOut => {
                Code::DeadlineExceeded
            }
            Self::Connect { .. } | Self::Broken { .. } => Code::Unavailable,
            Self::NotHttp { .. } | Self::Address { .. } => Code::Unknown,
        }
    }

    fn of_exchange(source: hyper::Error) -> Self {
        if source.is_parse() {
            Self::NotHttp { source }
        } else {
            Self::Broken { source }
        }
    }
}

/// A host without the brackets that an IPv6 address has in URLs.
pub fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(host)
}

/// The host at which a client of this machine reaches a server that is bound to `host`:
/// loopback if that is every address.
pub fn client_host(host: &str) -> String {
    let host = without_brackets(host);
    match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) if address.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Ok(IpAddr::V6(address)) if address.is_unspecified() => Ipv6Addr::LOCALHOST.to_string(),
        _ => host.to_owned(),
    }
}

/// Host and port, with brackets around an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    let host = without_brackets(host);
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

/// Sends a GET request to the first of these addresses that accepts a connection, and
/// returns the status of the answer. `authority` names the server in the request. It has
/// no time limit of its own; dropping it ends the request.
///
/// # Errors
/// No server answers in HTTP.
pub async fn get(
    addresses: &[SocketAddr],
    authority: &str,
    path: &str,
) -> Result<StatusCode, ProbeError> {
    let address = authority.to_owned();
    let request = Request::get(path)
        .header(HOST, &address)
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|source| ProbeError::Address {
        address: address.clone(),
        source,
    })?;
    let stream = TcpStream::connect(addresses).await;
    let stream = stream.map_err(|source| ProbeError::Connect { address, source })?;
    let handshake = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(ProbeError::of_exchange)?;
    let answer = sender.send_request(request);
    tokio::pin!(answer, connection);
    let answer = tokio::select! {
        answer = &mut answer => answer,
        // An error of the connection reaches the request as well.
        _ = &mut connection => answer.await,
    };
    Ok(answer.map_err(ProbeError::of_exchange)?.status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_means_loopback_for_a_client() {
        for (bound, client) in [
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
            ("::", "::1"),
            ("[::]", "::1"),
            ("[::1]", "::1"),
            ("10.1.2.3", "10.1.2.3"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(client_host(bound), client, "{bound}");
        }
    }

    #[test]
    fn an_ipv6_address_has_brackets_before_a_port() {
        assert_eq!(authority("::1", 8081), "[::1]:8081");
        assert_eq!(authority("[::1]", 8081), "[::1]:8081");
        assert_eq!(authority("localhost", 1), "localhost:1");
    }
}
