//! Unary calls of a client: a message is sent, and its answer comes back within a time
//! limit.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue};

use super::channel::Channel;
use super::exchange::Exchanges;
use super::failure::Failure;
use crate::notes;
use crate::trace::Carrier;

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
pub(crate) struct Wire(Exchanges);

impl Wire {
    pub(crate) fn new(channel: Channel, max_bytes: usize, carrier: Carrier) -> Self {
        let peer = (Scheme::HTTP, Authority::from_static(AUTHORITY));
        let user_agent = HeaderValue::from_static(USER_AGENT);
        let exchanges = Exchanges::new(channel, max_bytes, peer, user_agent);
        let version = HeaderValue::from_static(notes::VERSION);
        let exchanges = exchanges.with_header(notes::HEADER, version);
        Self(exchanges.with_carrier(carrier))
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
        self.0.unary(path, &message, &HeaderMap::new(), limit).await
    }
}
