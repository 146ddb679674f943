//! An HTTP/1 server of a few small pages.
//!
//! It holds a bounded number of connections; more wait in the queue of the system. A
//! connection ends when its client does not finish the head of a request in time, and at
//! a certain age, so that no client can keep its place.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::pages::{Answer, Pages};

/// The most bytes of the head of a request.
const LARGEST_HEAD: usize = 16 * 1024;
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// The content type of plain answers, as Go spells it.
const PLAIN: &str = "text/plain; charset=utf-8";

/// What clients may use.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at the same time.
    pub connections: usize,
    /// How long a client may take for the head of a request; also between two requests.
    pub head: Duration,
    /// The age at which a connection is closed, after the request that is being answered.
    pub age: Duration,
    /// How long requests that have arrived may still take when the server stops.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            head: Duration::from_secs(10),
            age: Duration::from_mins(5),
            drain: Duration::from_secs(5),
        }
    }
}

/// A bound port.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Binds the first of these addresses that can be bound; port 0 is any that is free.
    ///
    /// # Errors
    /// The port is in use, or the address is not one of this machine.
    pub async fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let listener = TcpListener::bind(addresses).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `stop`. Then the port is closed, and requests that have
    /// arrived get the time that the limits name.
    pub async fn serve(self, pages: Pages, limits: Limits, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < limits.connections => {
                    match accepted {
                        Ok((stream, _)) => {
                            let work = connection(stream, pages.clone(), limits, stop.clone());
                            connections.spawn(work);
                        }
                        Err(error) if is_of_peer(&error) => {}
                        Err(error) => {
                            tracing::warn!(%error, "the server of probes cannot accept a connection");
                            sleep(PAUSE).await;
                        }
                    }
                }
            }
        }
        drop(self.listener);
        let ended = async { while connections.join_next().await.is_some() {} };
        // What is left ends with the set.
        let _ = timeout(limits.drain, ended).await;
    }
}

/// Whether only the one connection has failed.
fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionReset)
}

async fn connection(stream: TcpStream, pages: Pages, limits: Limits, stop: CancellationToken) {
    // Answers are one small write; without it, they are only slower.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let pages = pages.clone();
        async move { Ok::<_, Infallible>(respond(&pages, &request).await) }
    });
    let mut served = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(LARGEST_HEAD)
            // Simple clients close their side after the request, and read the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ends = async {
        let _ = timeout(limits.age, stop.cancelled()).await;
    };
    tokio::select! {
        biased;
        ended = served.as_mut() => return note(ended),
        () = ends => {}
    }
    served.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(limits.drain, served).await {
        note(ended);
    }
}

fn note(ended: hyper::Result<()>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection of a probe ended early");
    }
}

/// The media types of all headers `Accept`.
fn accepted<B>(request: &Request<B>) -> String {
    let values = request.headers().get_all(ACCEPT).iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    values.join(",")
}

async fn respond<B>(pages: &Pages, request: &Request<B>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let Some(page) = pages.find(path) else {
        let mut response = response(plain(StatusCode::NOT_FOUND, "404 page not found\n"));
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        return response;
    };
    let accept = accepted(request);
    let answer = AssertUnwindSafe(page.answer(&accept)).catch_unwind().await;
    response(answer.unwrap_or_else(|_| {
        tracing::error!(path, "a page of the server of probes panicked");
        plain(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
    }))
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    Answer {
        status,
        content_type: PLAIN,
        body: Bytes::from_static(text.as_bytes()),
    }
}

fn response(answer: Answer) -> Response<Full<Bytes>> {
    let length = answer.body.len();
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    // An answer to HEAD has the length of what it leaves out.
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
