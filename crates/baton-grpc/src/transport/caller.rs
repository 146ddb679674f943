//! Typed calls of any service over a channel.

use std::time::Duration;

use baton_proto::Code;
use bytes::Bytes;
use futures_util::Stream;
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderValue};
use prost::Message;

use super::channel::Channel;
use super::exchange::{BoxError, Exchanges, Stopped};
use super::failure::{Broken, Failure, Reach};
use crate::{MAX_MESSAGE_BYTES, Method, Status};

/// Settings of a [`Caller`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CallerSettings {
    /// How messages name the peer.
    pub peer: String,
    /// How requests name it.
    pub authority: Authority,
    /// `https` where the channel uses TLS.
    pub scheme: Scheme,
    /// How requests name their sender.
    pub user_agent: HeaderValue,
    /// Largest answer, in bytes.
    pub max_bytes: usize,
}

impl CallerSettings {
    /// Settings for a peer that is called over TLS and answers as Go programs do.
    pub fn new(peer: impl Into<String>, authority: Authority, user_agent: HeaderValue) -> Self {
        Self {
            peer: peer.into(),
            authority,
            scheme: Scheme::HTTPS,
            user_agent,
            max_bytes: MAX_MESSAGE_BYTES,
        }
    }
}

/// Makes typed calls of any service. Clones share the channel.
#[derive(Debug, Clone)]
pub struct Caller {
    peer: String,
    exchanges: Exchanges,
}

/// How far a failed call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallErrorKind {
    /// The peer answered with this status, or something between answered with an HTTP
    /// status that has the same meaning.
    Answered,
    /// The peer processed nothing of it: there is no connection, or it was refused.
    NotSent,
    /// The connection or the call broke, or the answer cannot be read: the call may have
    /// had its effect.
    Broken,
    /// The time limit passed: the call may have had its effect.
    TimedOut,
    /// The stream of messages failed, and the call was canceled. The source of the
    /// error is that of the stream.
    Local,
}

/// A call that has no answer.
#[derive(Debug, thiserror::Error)]
#[error("{status}")]
#[non_exhaustive]
pub struct CallError {
    /// The code, what happened, and details for programs.
    pub status: Status,
    /// How far the call came.
    pub kind: CallErrorKind,
    /// Why the stream of messages failed.
    source: Option<BoxError>,
}

impl CallError {
    /// The gRPC code.
    pub fn code(&self) -> Code {
        self.status.code
    }

    fn new(failure: Failure, peer: &str) -> Self {
        let (status, kind) = match failure {
            Failure::Answered(status) => (status, CallErrorKind::Answered),
            Failure::Broken(broken) => {
                let kind = match broken.reach {
                    Reach::NotSent | Reach::Refused => CallErrorKind::NotSent,
                    Reach::Sent => CallErrorKind::Broken,
                    Reach::TimedOut => CallErrorKind::TimedOut,
                    Reach::Http => CallErrorKind::Answered,
                };
                (broken.into_status_of(peer), kind)
            }
        };
        Self {
            status,
            kind,
            source: None,
        }
    }
}

impl Caller {
    /// Calls over `channel`.
    pub fn new(channel: Channel, settings: CallerSettings) -> Self {
        let CallerSettings {
            peer,
            authority,
            scheme,
            user_agent,
            max_bytes,
        } = settings;
        let exchanges = Exchanges::new(channel, max_bytes, (scheme, authority), user_agent);
        Self { peer, exchanges }
    }

    /// Sends one message with `headers`, and waits for one. A call that the peer refused
    /// to process (`REFUSED_STREAM`) is repeated once. Dropping the future cancels the
    /// call.
    ///
    /// # Errors
    /// Any other status than success, and any answer that is not one.
    pub async fn unary<Q: Message, A: Message + Default>(
        &self,
        method: Method<Q, A>,
        request: &Q,
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<A, CallError> {
        let message = request.encode_to_vec();
        let path = method.path();
        let answered = self.exchanges.unary(path, &message, headers, limit).await;
        let answered = answered.map_err(|failure| CallError::new(failure, &self.peer))?;
        self.decoded(method, answered)
    }

    /// Sends messages as fast as the peer takes them, and waits for one answer. The
    /// answer of a peer that needs no further messages ends the call. An error of
    /// `messages` cancels it, and so does dropping the future.
    ///
    /// It is never repeated: the messages that were sent cannot be had again.
    ///
    /// # Errors
    /// Any other status than success, any answer that is not one, and errors of
    /// `messages`.
    pub async fn client_stream<Q, A, S>(
        &self,
        method: Method<Q, A>,
        messages: S,
        headers: &HeaderMap,
        limit: Duration,
    ) -> Result<A, CallError>
    where
        Q: Message,
        A: Message + Default,
        S: Stream<Item = Result<Q, BoxError>>,
    {
        let path = method.path();
        let sent = self.exchanges.client_stream(path, messages, headers, limit);
        match sent.await {
            Ok(answered) => self.decoded(method, answered),
            Err(Stopped::Failed(failure)) => Err(CallError::new(failure, &self.peer)),
            Err(Stopped::Messages(error)) => Err(CallError {
                status: Status::new(
                    Code::Unknown,
                    format!("cannot make a message for {}", self.peer),
                ),
                kind: CallErrorKind::Local,
                source: Some(error),
            }),
        }
    }

    fn decoded<Q, A: Message + Default>(
        &self,
        method: Method<Q, A>,
        answered: Bytes,
    ) -> Result<A, CallError> {
        A::decode(answered).map_err(|error| {
            let (service, name) = method.parts();
            let what = format!("gave an answer to {service}/{name} that cannot be read");
            let mut broken = Broken::new(Code::Internal, what);
            broken.cause = Some(error.to_string());
            CallError::new(broken.into(), &self.peer)
        })
    }
}

#[cfg(test)]
mod stream_tests;
#[cfg(test)]
mod tests;
