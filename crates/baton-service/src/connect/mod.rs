//! Connections to the service for gRPC: directly or through the proxy of the HTTP
//! client, with TLS as every client of ours speaks it (`service-mode.md` §1.4).

mod error;
#[cfg(test)]
mod tests;
mod tunnel;

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use baton_connector::http::{
    Proxy, ProxyRules, TransportSettings, client_tls, connection_error, look_up,
};
use baton_grpc::{Channel, channel_within};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::endpoint::Endpoint;

pub use error::{ConnectError, Step};

/// How long all steps to a connection may take.
const LIMIT: Duration = Duration::from_secs(30);
/// The channel's own limit, which leaves the report of a late step to this module.
const CHANNEL_LIMIT: Duration = Duration::from_secs(31);
/// A connection that was idle for so long is probed, and again after as long.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const ALPN: &[u8] = b"h2";

/// A connection to a server, whatever is below it.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Makes connections to the service.
#[derive(Debug)]
struct Dialer {
    host: String,
    port: u16,
    name: ServerName<'static>,
    tls: TlsConfigs,
    proxies: ProxyRules,
    limit: Duration,
}

#[derive(Debug)]
struct TlsConfigs {
    service: Arc<ClientConfig>,
    proxy: Arc<ClientConfig>,
}

/// The step that is under way.
struct Progress(Mutex<Step>);

impl Progress {
    fn begin(&self, step: Step) {
        // No code panics while it holds this lock.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    fn step(&self) -> Step {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn failed(&self, error: &(dyn std::error::Error + 'static)) -> ConnectError {
        ConnectError::Failed {
            step: self.step(),
            cause: connection_error(error),
        }
    }
}

/// A channel to the service at `endpoint`, with the TLS and the proxies of `settings`.
/// An attempt to connect ends within 30 s, and names the step that failed.
///
/// # Errors
/// Settings that cannot be used.
pub fn service_channel(
    endpoint: &Endpoint,
    settings: &TransportSettings,
) -> Result<Channel, ConnectError> {
    let dialer = Arc::new(Dialer::new(endpoint, settings)?);
    Ok(channel_within(CHANNEL_LIMIT, move || {
        let dialer = Arc::clone(&dialer);
        async move { dialer.dial().await.map_err(io::Error::other) }
    }))
}

/// Host and port in the form of URLs.
fn target(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, ConnectError> {
    ServerName::try_from(host.to_owned()).map_err(|_| ConnectError::ServerName {
        host: host.to_owned(),
    })
}

impl Dialer {
    fn new(endpoint: &Endpoint, settings: &TransportSettings) -> Result<Self, ConnectError> {
        let proxy = client_tls(settings)?.with_no_client_auth();
        let mut service = proxy.clone();
        service.alpn_protocols = vec![ALPN.to_vec()];
        Ok(Self {
            host: endpoint.host().to_owned(),
            port: endpoint.port(),
            name: server_name(endpoint.host())?,
            tls: TlsConfigs {
                service: Arc::new(service),
                proxy: Arc::new(proxy),
            },
            proxies: settings.proxies.rules()?,
            limit: LIMIT,
        })
    }

    /// Makes a connection; an error names the step that failed.
    async fn dial(&self) -> Result<TlsStream<Box<dyn Stream>>, ConnectError> {
        let progress = Progress(Mutex::new(Step::LookUp(self.host.clone())));
        let dialled = timeout(self.limit, self.steps(&progress)).await;
        dialled.unwrap_or_else(|_| {
            Err(ConnectError::Late {
                step: progress.step(),
                limit: self.limit,
            })
        })
    }

    async fn steps(&self, progress: &Progress) -> Result<TlsStream<Box<dyn Stream>>, ConnectError> {
        let target = target(&self.host, self.port);
        let stream = match self.proxies.proxy_of(&self.host, self.port) {
            None => Box::new(connect(&self.host, self.port, progress).await?),
            Some(proxy) => self.through(&proxy, &target, progress).await?,
        };
        progress.begin(Step::Tls(target.clone()));
        let tls = TlsConnector::from(Arc::clone(&self.tls.service));
        let stream = tls.connect(self.name.clone(), stream).await;
        let stream = stream.map_err(|error| progress.failed(&error))?;
        match stream.get_ref().1.alpn_protocol() {
            Some(ALPN) => Ok(stream),
            _ => Err(ConnectError::NoHttp2 { target }),
        }
    }

    /// A tunnel to the service. The proxy looks its name up.
    async fn through(
        &self,
        proxy: &Proxy,
        to: &str,
        progress: &Progress,
    ) -> Result<Box<dyn Stream>, ConnectError> {
        let host = proxy.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let scheme = proxy.uri.scheme_str().unwrap_or_default();
        let default_port = if scheme == "https" { 443 } else { 80 };
        let port = proxy.uri.port_u16().unwrap_or(default_port);
        let name = target(host, port);
        if !matches!(scheme, "http" | "https") {
            return Err(ConnectError::ProxyScheme {
                proxy: name,
                scheme: scheme.to_owned(),
            });
        }
        let stream = connect(host, port, progress).await?;
        let stream: Box<dyn Stream> = if scheme == "https" {
            progress.begin(Step::Tls(name.clone()));
            let tls = TlsConnector::from(Arc::clone(&self.tls.proxy));
            let stream = tls.connect(server_name(host)?, stream).await;
            Box::new(stream.map_err(|error| progress.failed(&error))?)
        } else {
            Box::new(stream)
        };
        progress.begin(Step::Tunnel(name.clone()));
        let opened = tunnel::open(stream, to, proxy.authorization.as_ref()).await;
        match opened.map_err(|error| progress.failed(&*error))? {
            Ok(stream) => Ok(Box::new(stream)),
            Err(status) => Err(ConnectError::ProxyRefused {
                proxy: name,
                target: to.to_owned(),
                status: status.as_u16(),
            }),
        }
    }
}

/// A TCP connection to the first address that answers.
async fn connect(host: &str, port: u16, progress: &Progress) -> Result<TcpStream, ConnectError> {
    progress.begin(Step::LookUp(host.to_owned()));
    let addresses = look_up(host, port).await;
    let addresses = addresses.map_err(|error| progress.failed(&error))?;
    progress.begin(Step::Connect(target(host, port)));
    let stream = TcpStream::connect(addresses.as_slice()).await;
    let stream = stream.map_err(|error| progress.failed(&error))?;
    stream
        .set_nodelay(true)
        .and_then(|()| keep_alive(&stream))
        .map_err(|error| progress.failed(&error))?;
    Ok(stream)
}

/// Has the system probe a connection that is idle. The service is asked for tasks every
/// few minutes, and what is on the way may forget a connection in that time.
fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let probes = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&probes)
}
