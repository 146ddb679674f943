//! One unary call: sends a message, and waits for its answer within a time limit.
//!
//! The exchange is read here and not by `tonic::client::Grpc`: that panics on
//! `grpc-status-details-bin` that is not base64, answers `OutOfRange` where the
//! contract is `ResourceExhausted`, and does not show why a stream was reset.

use std::time::Duration;

use async_trait::async_trait;
use baton_proto::Code;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use tokio::time::Instant;

use super::answer;
use super::channel::Channel;
use super::failure::{Broken, Failure};
use crate::notes;

/// Largest number in a `grpc-timeout` header, which has at most eight digits.
const MAX_TIMEOUT_NUMBER: u128 = 99_999_999;

/// How this client names itself.
const USER_AGENT: &str = concat!("baton-rust/", env!("CARGO_PKG_VERSION"));
/// The name of the peer in requests. It is not looked up, and no certificate has it:
/// the channel knows the peer.
const AUTHORITY: &str = "localhost";

/// Sends unary calls.
///
/// What stands between a client and its connection, as a rate limiter does,
/// implements it over another.
#[async_trait]
pub(crate) trait Unary: Send + Sync {
    /// The encoded answer to an encoded message. Dropping the future resets the
    /// call.
    async fn call(
        &self,
        path: &'static str,
        message: Bytes,
        limit: Duration,
    ) -> Result<Bytes, Failure>;
}

/// Unary calls over a channel.
#[derive(Debug)]
pub(crate) struct Wire {
    channel: Channel,
    max_bytes: usize,
}

impl Wire {
    pub(crate) fn new(channel: Channel, max_bytes: usize) -> Self {
        Self { channel, max_bytes }
    }
}

#[async_trait]
impl Unary for Wire {
    async fn call(
        &self,
        path: &'static str,
        message: Bytes,
        limit: Duration,
    ) -> Result<Bytes, Failure> {
        let began = Instant::now();
        let exchange = async {
            let response = self.channel.send(request(path, &message, limit)).await?;
            answer::read(response, self.max_bytes).await
        };
        let late = || {
            let waited = shown(limit);
            Broken::new(
                Code::DeadlineExceeded,
                format!("did not answer within {waited}"),
            )
        };
        match tokio::time::timeout(limit, exchange).await {
            // A server whose clock ends the call too resets it, without a status.
            Ok(Err(Failure::Broken(broken)))
                if broken.code == Code::Canceled && began.elapsed() >= limit =>
            {
                Err(late().into())
            }
            Ok(Err(Failure::Broken(broken))) => Err(self.channel.explained(broken).await.into()),
            Ok(answered) => answered,
            Err(_) => Err(late().into()),
        }
    }
}

/// A gRPC request with one message, uncompressed.
fn request(path: &'static str, message: &[u8], limit: Duration) -> Request<Full<Bytes>> {
    let mut frame = BytesMut::with_capacity(answer::HEADER_BYTES + message.len());
    frame.put_u8(0);
    // A request is made in memory, so it is far below 4 GiB.
    frame.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    frame.put_slice(message);
    let mut request = Request::new(Full::new(frame.freeze()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri(path);
    let headers = request.headers_mut();
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
    headers.insert(notes::HEADER, HeaderValue::from_static(notes::VERSION));
    if let Ok(limit) = HeaderValue::try_from(timeout(limit)) {
        headers.insert("grpc-timeout", limit);
    }
    request
}

/// The URI of a method. Paths are constants that a URI can have.
fn uri(path: &'static str) -> Uri {
    let parts = Uri::builder().scheme("http").authority(AUTHORITY);
    parts.path_and_query(path).build().unwrap_or_default()
}

/// A time limit for the server, never shorter than ours.
fn timeout(limit: Duration) -> String {
    let millis = limit.as_micros().div_ceil(1_000);
    if millis <= MAX_TIMEOUT_NUMBER {
        return format!("{millis}m");
    }
    let seconds = millis.div_ceil(1_000).min(MAX_TIMEOUT_NUMBER);
    format!("{seconds}S")
}

/// A time for people.
fn shown(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds >= 60 && seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        seconds if seconds > 0 => format!("{seconds} s"),
        _ => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_with_one_unit() {
        assert_eq!(shown(Duration::from_mins(30)), "30 min");
        assert_eq!(shown(Duration::from_secs(90)), "90 s");
        assert_eq!(shown(Duration::from_millis(250)), "250 ms");
    }

    #[test]
    fn a_limit_for_the_server_has_eight_digits_and_is_not_shorter() {
        assert_eq!(timeout(Duration::from_micros(1)), "1m");
        assert_eq!(timeout(Duration::from_mins(30)), "1800000m");
        assert_eq!(timeout(Duration::from_millis(100_000_001)), "100001S");
        assert_eq!(timeout(Duration::MAX), "99999999S");
    }
}
