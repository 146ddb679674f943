//! The real network: reqwest with rustls.
//!
//! Settings are values; the one thing read from the machine is its store of
//! trusted certificates, and its proxy variables under [`Proxies::System`].
//! Redirects are never followed: a credential must not reach another server.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt;
use url::Url;

use super::classify::{classify, classify_body};
use super::proxies::{Proxies, unreadable};
use super::resolver::Resolver;
use super::tls::client_tls;
use super::transport::{BodyStream, Transport};
use super::trust::TrustedFiles;
use crate::error::{Error, Result};
use crate::transport_error::{TransportError, TransportErrorKind};

/// Default of [`TransportSettings::connect_timeout`]: below 10 s, so that a
/// host that does not answer is reported within that time.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Idle connections are kept for the next request of a burst, not longer.
const POOL_IDLE: Duration = Duration::from_secs(30);
const POOL_MAX_IDLE_PER_HOST: usize = 100;

const TCP_KEEPALIVE: Duration = Duration::from_secs(30);

/// A silent HTTP/2 connection is probed after this, and given up after as
/// long again.
const HTTP2_PING: Duration = Duration::from_secs(15);

/// Settings of a [`ReqwestTransport`].
#[derive(Debug, Clone)]
pub struct TransportSettings {
    /// Limit of looking up, connecting and the TLS handshake together.
    pub connect_timeout: Duration,
    /// Which proxies to use.
    pub proxies: Proxies,
    /// Certificates to trust in the place of the platform's; none: those of the
    /// platform, or of this program where the platform has none.
    pub trusted: Vec<TrustedFiles>,
    /// Further certificates (PEM) to trust.
    pub extra_roots_pem: Option<Vec<u8>>,
}

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            proxies: Proxies::default(),
            trusted: Vec::new(),
            extra_roots_pem: None,
        }
    }
}

/// Sends requests over the real network, HTTP/2 where the server has it.
#[derive(Debug, Clone)]
pub struct ReqwestTransport {
    client: reqwest::Client,
}

impl ReqwestTransport {
    /// A transport; refused when a certificate or the proxy's URL cannot be
    /// read.
    pub fn new(settings: &TransportSettings) -> Result<Self> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config(settings)?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(settings.connect_timeout)
            .dns_resolver(Resolver)
            .referer(false)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_MAX_IDLE_PER_HOST)
            .tcp_keepalive(TCP_KEEPALIVE)
            .http2_keep_alive_interval(HTTP2_PING)
            .http2_keep_alive_timeout(HTTP2_PING)
            // Lists come with pages of hundreds of kilobytes.
            .http2_adaptive_window(true);
        let client = with_proxies(builder, &settings.proxies)?
            .build()
            .map_err(|error| setting("HTTP client", &error))?;
        Ok(Self { client })
    }
}

fn tls_config(settings: &TransportSettings) -> Result<rustls::ClientConfig> {
    let mut config = client_tls(settings)?.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

fn with_proxies(
    builder: reqwest::ClientBuilder,
    proxies: &Proxies,
) -> Result<reqwest::ClientBuilder> {
    match proxies {
        Proxies::System => Ok(builder),
        Proxies::None => Ok(builder.no_proxy()),
        Proxies::All { url, except } => {
            let parsed = Url::parse(url.expose()).map_err(|_| unreadable())?;
            let proxy = reqwest::Proxy::all(parsed)
                .map_err(|_| unreadable())?
                .no_proxy(reqwest::NoProxy::from_string(except));
            Ok(builder.no_proxy().proxy(proxy))
        }
    }
}

fn setting(setting: &'static str, error: &dyn std::fmt::Display) -> Error {
    Error::Setting {
        setting,
        reason: error.to_string(),
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<BodyStream>, TransportError> {
        let asked = request.uri().clone();
        let request = reqwest::Request::try_from(request)
            .map_err(|error| TransportError::new(TransportErrorKind::Other, error.to_string()))?;
        // The conversion parses the URL once more.
        if request.url().path() != asked.path() || request.url().query() != asked.query() {
            let detail = "the URL library changes the target of the request";
            return Err(TransportError::new(TransportErrorKind::Other, detail));
        }
        let answer = self
            .client
            .execute(request)
            .await
            .map_err(|error| classify(&error))?;
        let mut response = http::Response::new(());
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        let body = answer
            .bytes_stream()
            .map(|piece| piece.map_err(|error| classify_body(&error)));
        Ok(response.map(|()| Box::pin(body) as BodyStream))
    }
}
