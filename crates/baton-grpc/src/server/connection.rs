//! Connections: each is served until its peer closes it or the server stops.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::body::ResponseBody;
use super::call::Calls;
use super::http::answer;
use super::router::Router;

/// Calls at once on one connection. The library's own limit is 200.
const MAX_STREAMS: u32 = 1024;
/// Largest list of headers: a Go error with details can be larger than the 16 KiB
/// of the library.
const MAX_HEADER_BYTES: u32 = 1 << 20;
/// What is buffered of one answer: with the 400 KiB of the library, a page waits for the
/// peer several times.
const SEND_BUFFER_BYTES: usize = 4 << 20;
/// How long connections get to close once their calls have ended.
const TO_CLOSE: Duration = Duration::from_secs(1);

/// A server of gRPC services. Clones are the same server.
#[derive(Debug, Clone)]
pub struct Server(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    router: Router,
    calls: Calls,
    ping: Option<Duration>,
    /// Ends connections whose calls have ended.
    drain: CancellationToken,
    connections: TaskTracker,
}

impl Server {
    /// A server of the services of `router`.
    pub fn new(router: Router) -> Self {
        Self::with_pings(router, None)
    }

    /// A server that pings its peers so often, and closes the connection when no
    /// answer comes within the same time.
    pub fn with_pings(router: Router, ping: Option<Duration>) -> Self {
        Self(Arc::new(Inner {
            router,
            calls: Calls::default(),
            ping,
            drain: CancellationToken::new(),
            connections: TaskTracker::new(),
        }))
    }

    /// Serves one connection until the peer closes it or the server stops. What a
    /// peer does wrong ends its connection and is logged.
    pub async fn serve<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let inner = Arc::clone(&self.0);
        let connection = inner.connections.track_future(self.connection(io));
        connection.await;
    }

    /// Answers one request of a connection that another HTTP server serves.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<ResponseBody> {
        answer(&self.0.router, &self.0.calls, request).await
    }

    async fn connection<I>(&self, io: I)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let inner = &self.0;
        let service = service_fn(|request| {
            let inner = Arc::clone(&self.0);
            async move { Ok::<_, Infallible>(answer(&inner.router, &inner.calls, request).await) }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_BYTES)
            .max_send_buf_size(SEND_BUFFER_BYTES);
        if let Some(ping) = inner.ping {
            builder.keep_alive_interval(ping).keep_alive_timeout(ping);
        }
        let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(io), service));
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = inner.drain.cancelled() => {
                connection.as_mut().graceful_shutdown();
                timeout(TO_CLOSE, connection).await.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a gRPC connection ended with an error");
        }
    }

    /// Stops: no new calls; reads are cancelled at once; writes are asked to end and
    /// get up to `limit`. Returns when connections are closed.
    pub async fn stop(&self, limit: Duration) {
        let inner = &self.0;
        inner.calls.stop.cancel();
        inner.calls.writes.close();
        if timeout(limit, inner.calls.writes.wait()).await.is_err() {
            tracing::warn!("calls that change something did not end in time");
        }
        inner.drain.cancel();
        inner.connections.close();
        inner.connections.wait().await;
    }
}
