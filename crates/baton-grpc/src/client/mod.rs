//! A connector behind a gRPC channel, as a [`Connector`] like any other.
//!
//! ```text
//! RemoteConnector ─► Unary (the wire, perhaps behind a rate limiter) ─► channel
//! ```
//!
//! Lists keep the bytes of each row, so fields that this program does not know
//! survive. Reads end at once when their call is to stop. Writes are sent once, and
//! go through the life cycle of changes: in a dry run nothing is sent, and a write
//! whose answer was lost leaves the outcome open.

mod limited;
mod list;
mod reads;
mod services;
mod settings;
mod writes;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use baton_connector::{Call, Error, Result, RunLocal};
use baton_proto::Code;
use prost::Message;

use crate::method::Method;
use crate::session::Registration;
use crate::transport::{Channel, Unary, Wire};

use limited::Limited;

pub use settings::{ClientSettings, Limits};

/// A connector in another process.
///
/// Every part of it is offered ([`Connector::provisioning`] and the others): whether
/// the connector has it, only its answer shows.
///
/// [`Connector::provisioning`]: baton_connector::Connector::provisioning
pub struct RemoteConnector {
    unary: Arc<dyn Unary>,
    settings: ClientSettings,
    /// The session stores of a run's syncs.
    registered: RunLocal<Mutex<HashMap<String, Registration>>>,
}

impl RemoteConnector {
    /// The connector at the other end of `channel`.
    pub fn new(channel: Channel, settings: ClientSettings) -> Self {
        let carrier = settings.traces.clone();
        let wire = Wire::new(channel, settings.max_message_bytes, carrier);
        let mut unary: Arc<dyn Unary> = Arc::new(wire);
        if let Some(limits) = settings.limits.clone() {
            unary = Arc::new(Limited::new(unary, settings.call_timeout, limits));
        }
        Self {
            unary,
            settings,
            registered: RunLocal::new(),
        }
    }

    /// Offers the connector the store of the call's sync, until the run ends.
    fn offer_session(&self, call: &Call) {
        let (Some(stores), Some(store)) = (&self.settings.sessions, call.session_store()) else {
            return;
        };
        let registered = self.registered.of(call, Mutex::default);
        // Whole whatever happened to a thread that held it.
        let mut registered = registered.lock().unwrap_or_else(PoisonError::into_inner);
        registered
            .entry(call.sync_id().to_owned())
            .or_insert_with(|| stores.register(call.sync_id(), Arc::clone(store)));
    }

    /// Reads: a request whose end does not matter.
    async fn read_bytes<Q: Message, A>(
        &self,
        call: &Call,
        method: Method<Q, A>,
        request: &Q,
    ) -> Result<bytes::Bytes> {
        self.offer_session(call);
        let message = request.encode_to_vec().into();
        let answer = self
            .unary
            .call(method.path(), message, self.settings.call_timeout);
        let answer = call.unless_stopped(answer).await?;
        answer.map_err(|failure| failure.into_error(&self.settings.peer))
    }

    async fn read<Q: Message, A: Message + Default>(
        &self,
        call: &Call,
        method: Method<Q, A>,
        request: &Q,
    ) -> Result<A> {
        let answer = self.read_bytes(call, method, request).await?;
        decoded(&answer, method.path())
    }
}

impl std::fmt::Debug for RemoteConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteConnector")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// The message of an answer.
fn decoded<A: Message + Default>(bytes: &[u8], path: &str) -> Result<A> {
    A::decode(bytes).map_err(|error| unreadable(path, error))
}

/// The error of an answer that is not the expected message.
fn unreadable(path: &str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let text = format!("cannot read the answer to {}", path.trim_start_matches('/'));
    Error::caused(Code::Internal, text, cause)
}

#[cfg(test)]
pub(crate) mod tests;
