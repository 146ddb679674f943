//! Accepts connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::listener::{Listener, Stream};
use crate::buffered::buffered;

/// How long a peer may take for the TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// The certificates of a server, as they are now.
pub trait Identity: Send + Sync {
    /// How the next connection speaks TLS. It may read files.
    fn config(&self) -> Arc<ServerConfig>;
}

/// Certificates that stay.
impl Identity for Arc<ServerConfig> {
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(self)
    }
}

/// Accepts connections until `stop`, and has each served by `serve`, with TLS if
/// there is an identity. Connections that are open at the end are left to `serve`.
pub async fn accept<S, R>(
    listener: &Listener,
    identity: Option<Arc<dyn Identity>>,
    stop: &CancellationToken,
    serve: S,
) where
    S: Fn(Box<dyn Stream>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok(stream) => {
                let identity = identity.clone();
                let serve = serve.clone();
                let stop = stop.clone();
                tokio::spawn(async move {
                    let stream = tokio::select! {
                        biased;
                        stream = secured(stream, identity) => stream,
                        () = stop.cancelled() => return,
                    };
                    match stream {
                        Ok(stream) => serve(stream).await,
                        Err(error) => tracing::info!(%error, "refused a connection"),
                    }
                });
            }
            Err(error) if is_of_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether only the one connection has failed.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}

async fn secured(
    stream: Box<dyn Stream>,
    identity: Option<Arc<dyn Identity>>,
) -> io::Result<Box<dyn Stream>> {
    let Some(identity) = identity else {
        return Ok(stream);
    };
    let config = tokio::task::spawn_blocking(move || identity.config())
        .await
        .map_err(io::Error::other)?;
    let accepted = timeout(
        HANDSHAKE,
        TlsAcceptor::from(config).accept(buffered(stream)),
    );
    match accepted.await {
        Ok(accepted) => Ok(Box::new(accepted?)),
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the TLS handshake took too long",
        )),
    }
}
