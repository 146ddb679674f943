//! The network as a trait.
//!
//! A transport sends one request once and returns what came of it. It knows no
//! retries, no limits and no status codes; everything that can be tested with
//! a scripted transport lives above it.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;

use crate::transport_error::TransportError;

/// A body that arrives piece by piece. Dropping it closes the exchange.
pub type BodyStream =
    Pin<Box<dyn Stream<Item = std::result::Result<Bytes, TransportError>> + Send>>;

/// A whole body as a stream of one piece.
pub fn whole_body(bytes: impl Into<Bytes>) -> BodyStream {
    let bytes = bytes.into();
    Box::pin(stream::iter((!bytes.is_empty()).then_some(Ok(bytes))))
}

/// Sends requests.
///
/// Implementations follow no redirects and repeat nothing that may have
/// reached the server.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends one request; returns once the head of the answer is there.
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> std::result::Result<http::Response<BodyStream>, TransportError>;
}
