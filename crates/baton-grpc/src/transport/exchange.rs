//! One exchange with a peer: the request, its time limit, and the answer.
//!
//! The exchange is read here and not by `tonic::client::Grpc`: that panics on
//! `grpc-status-details-bin` that is not base64, answers `OutOfRange` where the
//! contract is `ResourceExhausted`, and does not show why a stream was reset.

use std::borrow::Cow;
use std::pin::pin;
use std::time::Duration;

use baton_proto::Code;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use prost::Message;
use tokio::time::Instant;
use tracing::{Instrument as _, Span};

use super::answer;
use super::body::{Body, Frames};
use super::channel::Channel;
use super::failure::{Broken, Failure, Reach};
use crate::trace::{self, Carrier};

/// Largest number in a `grpc-timeout` header, which has at most eight digits.
const MAX_TIMEOUT_NUMBER: u128 = 99_999_999;

/// The error of a stream of messages.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call with a stream of messages has no answer.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The exchange failed.
    Failed(Failure),
    /// The stream of messages failed.
    Messages(BoxError),
}

/// Exchanges with one peer.
#[derive(Debug, Clone)]
pub(super) struct Exchanges {
    channel: Channel,
    max_bytes: usize,
    scheme: Scheme,
    authority: Authority,
    /// Those that each request has.
    headers: HeaderMap,
    /// Continues traces at the peer.
    carrier: Carrier,
}

impl Exchanges {
    pub(super) fn new(
        channel: Channel,
        max_bytes: usize,
        (scheme, authority): (Scheme, Authority),
        user_agent: HeaderValue,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/grpc"),
        );
        headers.insert(header::USER_AGENT, user_agent);
        headers.insert("grpc-accept-encoding", HeaderValue::from_static("gzip"));
        Self {
            channel,
            max_bytes,
            scheme,
            authority,
            headers,
            carrier: None,
        }
    }

    /// The same, whose requests carry the trace that they belong to.
    #[must_use]
    pub(super) fn with_carrier(mut self, carrier: Carrier) -> Self {
        self.carrier = carrier;
        self
    }

    /// The same, whose requests have one more header.
    #[must_use]
    pub(super) fn with_header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Sends one message. A request that the peer refused to process is repeated once.
    pub(super) async fn unary(
        &self,
        path: &'static str,
        message: &[u8],
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<Bytes, Failure> {
        let span = trace::client_span(path);
        let headers = &self.carried(&span, headers);
        let sent = self.unary_in_span(path, message, headers, limit);
        let answered = sent.instrument(span.clone()).await;
        trace::ended(
            &span,
            answered.as_ref().err().map_or(Code::Ok, Failure::code),
        );
        answered
    }

    /// The headers, with the trace of a call if traces are carried.
    fn carried<'h>(&self, span: &Span, headers: &'h HeaderMap) -> Cow<'h, HeaderMap> {
        let mut headers = Cow::Borrowed(headers);
        if let Some(carrier) = &self.carrier {
            carrier.inject(span, headers.to_mut());
        }
        headers
    }

    async fn unary_in_span(
        &self,
        path: &'static str,
        message: &[u8],
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<Bytes, Failure> {
        let frame = frame(message.len(), |frame| frame.put_slice(message));
        self.within(limit, async {
            let request = || self.request(path, Body::whole(frame.clone()), headers, limit);
            match self.exchange(request()).await {
                Err(Failure::Broken(broken)) if broken.reach == Reach::Refused => {
                    self.exchange(request()).await
                }
                answered => answered,
            }
        })
        .await
    }

    /// Sends messages as the peer takes them, until the stream ends or the peer answers.
    pub(super) async fn client_stream<Q: Message>(
        &self,
        path: &'static str,
        messages: impl Stream<Item = Result<Q, BoxError>>,
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<Bytes, Stopped> {
        let span = trace::client_span(path);
        let headers = &self.carried(&span, headers);
        let sent = self.client_stream_in_span(path, messages, headers, limit);
        let answered = sent.instrument(span.clone()).await;
        let code = match &answered {
            Ok(_) => Code::Ok,
            Err(Stopped::Failed(failure)) => failure.code(),
            Err(Stopped::Messages(_)) => Code::Canceled,
        };
        trace::ended(&span, code);
        answered
    }

    async fn client_stream_in_span<Q: Message>(
        &self,
        path: &'static str,
        messages: impl Stream<Item = Result<Q, BoxError>>,
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<Bytes, Stopped> {
        let (frames, body) = Body::streamed();
        let request = self.request(path, body, headers, limit);
        let mut exchange = pin!(self.within(limit, self.exchange(request)));
        {
            let mut feeding = pin!(feed(messages, frames));
            tokio::select! {
                // An answer counts even if the stream fails at the same time.
                biased;
                answered = &mut exchange => return answered.map_err(Stopped::Failed),
                fed = &mut feeding => fed.map_err(Stopped::Messages)?,
            }
        }
        exchange.await.map_err(Stopped::Failed)
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Bytes, Failure> {
        let response = self.channel.send(request).await?;
        answer::read(response, self.max_bytes).await
    }

    async fn within(
        &self,
        limit: Duration,
        exchange: impl Future<Output = Result<Bytes, Failure>>,
    ) -> Result<Bytes, Failure> {
        let began = Instant::now();
        let attempts = self.channel.attempts();
        let late = || {
            let what = format!("did not answer within {}", shown(limit));
            Broken {
                reach: Reach::TimedOut,
                ..Broken::new(Code::DeadlineExceeded, what)
            }
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
            Err(_) => {
                self.channel.give_up(attempts);
                Err(late().into())
            }
        }
    }

    fn request(
        &self,
        path: &'static str,
        body: Body,
        headers: &HeaderMap,
        limit: Duration,
    ) -> Request<Body> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri(path);
        let sent = request.headers_mut();
        sent.clone_from(&self.headers);
        for (name, value) in headers {
            sent.append(name, value.clone());
        }
        if let Ok(limit) = HeaderValue::try_from(timeout(limit)) {
            sent.insert("grpc-timeout", limit);
        }
        request
    }

    /// The URI of a method. Paths are constants that a URI can have.
    fn uri(&self, path: &'static str) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(PathAndQuery::from_static(path));
        Uri::from_parts(parts).unwrap_or_default()
    }
}

/// Encodes messages one by one. Returns early if the peer takes no more of them.
async fn feed<Q: Message>(
    messages: impl Stream<Item = Result<Q, BoxError>>,
    frames: Frames,
) -> Result<(), BoxError> {
    let mut messages = pin!(messages);
    while let Some(message) = messages.next().await {
        let message = message?;
        let frame = frame(message.encoded_len(), |frame| {
            // The buffer grows, so a message always fits.
            message.encode_raw(frame);
        });
        if frames.send(Some(frame)).await.is_err() {
            return Ok(());
        }
    }
    // Without a receiver the peer has ended the call.
    let _ = frames.send(None).await;
    Ok(())
}

/// A message with its header, uncompressed.
fn frame(bytes: usize, put: impl FnOnce(&mut BytesMut)) -> Bytes {
    let mut frame = BytesMut::with_capacity(answer::HEADER_BYTES + bytes);
    frame.put_u8(0);
    // A message is made in memory, so it is far below 4 GiB.
    frame.put_u32(u32::try_from(bytes).unwrap_or(u32::MAX));
    put(&mut frame);
    frame.freeze()
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
