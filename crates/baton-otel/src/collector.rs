//! The connection to a collector.

use baton_grpc::dial::{DialError, Peer, PeerTls};
use baton_grpc::{Caller, CallerSettings, Channel, channel_within};
use http::HeaderValue;
use http::uri::{Authority, Scheme};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::time::Duration;

use crate::endpoint::Endpoint;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Whose certificate a collector must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// None: everything is sent unencrypted.
    Unencrypted,
    /// One of an authority that these settings trust, such as those of the machine.
    Settings(PeerTls),
    /// One of these authorities, in PEM form.
    Pem(Vec<u8>),
}

/// A collector that cannot be called with these settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectorError {
    /// The authorities cannot be used.
    #[error("the trusted certificates of the collector are not usable: {reason}")]
    Authorities {
        /// What is wrong with them.
        reason: String,
    },
    /// The address cannot be used.
    #[error(transparent)]
    Dial(#[from] DialError),
}

/// A collector. It is connected to when there is something to send.
#[derive(Debug, Clone)]
pub struct Collector {
    pub(crate) caller: Caller,
    pub(crate) name: String,
}

impl Collector {
    /// The collector at `endpoint`.
    ///
    /// # Errors
    /// Certificates or an address that cannot be used.
    pub fn new(endpoint: &Endpoint, trust: &Trust) -> Result<Self, CollectorError> {
        let address = endpoint.address.clone();
        let name = address.to_string();
        let peer = match trust {
            Trust::Unencrypted => Peer::new(address, None)?,
            Trust::Settings(tls) => Peer::new(address, Some(tls))?,
            Trust::Pem(pem) => Peer::with_authorities(address, authorities(pem)?)?,
        };
        let scheme = match trust {
            Trust::Unencrypted => Scheme::HTTP,
            Trust::Settings(_) | Trust::Pem(_) => Scheme::HTTPS,
        };
        let channel = channel_within(CONNECT_LIMIT, move || {
            let peer = peer.clone();
            async move { peer.dial().await }
        });
        Ok(Self::over(channel, &name, scheme))
    }

    /// The collector behind `channel`; `name` is its address in messages.
    pub fn over(channel: Channel, name: &str, scheme: Scheme) -> Self {
        // A socket file has no name that a request could carry.
        let authority = Authority::try_from(name);
        let authority = authority.unwrap_or_else(|_| Authority::from_static("localhost"));
        let agent = HeaderValue::from_static(concat!("baton-rust/", env!("CARGO_PKG_VERSION")));
        let mut settings = CallerSettings::new("the collector", authority, agent);
        settings.scheme = scheme;
        Self {
            caller: Caller::new(channel, settings),
            name: name.to_owned(),
        }
    }
}

fn authorities(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CollectorError> {
    let unusable = |reason: String| CollectorError::Authorities { reason };
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(error.to_string()))?;
    if found.is_empty() {
        return Err(unusable("there is no certificate in PEM form".to_owned()));
    }
    Ok(found)
}
