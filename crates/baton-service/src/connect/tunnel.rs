//! Tunnels through HTTP proxies.
//!
//! `Tunnel` of hyper-util does not show with which status a proxy refuses.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Asks the proxy behind `stream` for a tunnel to `target`. The status of an answer
/// that refuses it is not an error.
pub(super) async fn open(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<
    Result<TokioIo<hyper::upgrade::Upgraded>, StatusCode>,
    Box<dyn std::error::Error + Send + Sync>,
> {
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = target.parse::<Uri>()?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, HeaderValue::from_str(target)?);
    if let Some(authorization) = authorization {
        headers.insert(header::PROXY_AUTHORIZATION, authorization.clone());
    }
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the tunnel, or with the sender.
    tokio::spawn(connection.with_upgrades());
    let answer = sender.send_request(request).await?;
    if !answer.status().is_success() {
        return Ok(Err(answer.status()));
    }
    Ok(Ok(TokioIo::new(hyper::upgrade::on(answer).await?)))
}
