//! Connections, and what breaks them.

use h2::Reason;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::body::Body;
use super::{Ending, body, grpc, token_over_http};
use crate::simulator::Simulator;
use crate::token;

/// Calls at once on one connection.
const MAX_STREAMS: u32 = 1024;
/// Largest list of headers.
const MAX_HEADER_BYTES: u32 = 1 << 20;

/// The version of HTTP that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    /// The token path only.
    Http1,
    /// Everything.
    Http2,
}

/// Serves one connection until the client closes it or `broken` is cancelled.
pub(crate) async fn serve<I>(
    simulator: &Simulator,
    io: I,
    version: Version,
    broken: CancellationToken,
) where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let goaway = CancellationToken::new();
    let service = service_fn(|request| {
        let (simulator, broken, goaway) = (simulator.clone(), broken.clone(), goaway.clone());
        async move { answer(&simulator, request, &broken, &goaway).await }
    });
    let io = TokioIo::new(io);
    // How a connection ends is the client's matter: what counts is recorded by call.
    match version {
        Version::Http1 => {
            let connection = http1::Builder::new().serve_connection(io, service);
            tokio::select! {
                _ = connection => {}
                () = broken.cancelled() => {}
            }
        }
        Version::Http2 => {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder
                .timer(TokioTimer::new())
                .max_concurrent_streams(MAX_STREAMS)
                .max_header_list_size(MAX_HEADER_BYTES);
            let connection = builder.serve_connection(io, service);
            let mut connection = std::pin::pin!(connection);
            tokio::select! {
                _ = &mut connection => return,
                () = broken.cancelled() => return,
                () = goaway.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            tokio::select! {
                _ = connection => {}
                () = broken.cancelled() => {}
            }
        }
    }
}

/// Why a request is not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    /// The library resets the stream with the code in the cause.
    #[error("the stream is reset")]
    Reset(#[source] h2::Error),
    #[error("the connection breaks")]
    Broken,
}

async fn answer(
    simulator: &Simulator,
    request: Request<Incoming>,
    broken: &CancellationToken,
    goaway: &CancellationToken,
) -> Result<Response<Body>, Unanswered> {
    let path = request.uri().path();
    let ending = if path == token::PATH {
        token_over_http(simulator, request, broken).await
    } else if let Some(call) = grpc::call_of(path) {
        grpc::serve(simulator, call, request, broken, goaway).await
    } else {
        let text = "no such path\n";
        Ending::Answer(body::page(StatusCode::NOT_FOUND, "text/plain", text))
    };
    match ending {
        Ending::Answer(response) => Ok(response),
        Ending::Reset(code) => Err(Unanswered::Reset(h2::Error::from(Reason::from(code)))),
        Ending::Broken => {
            broken.cancel();
            Err(Unanswered::Broken)
        }
    }
}
