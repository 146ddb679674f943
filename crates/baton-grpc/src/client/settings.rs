//! Settings of a client.

use std::sync::Arc;
use std::time::Duration;

use baton_connector::Clock;

use crate::TraceContext;
use crate::session::SyncStores;

/// Longest wait of a well-behaved connector inside one call, with room: ours waits up
/// to 15 min for a stated end of a period, and Go's child retries the schemas of
/// tickets for 9 min. A longer call hangs.
const CALL_TIMEOUT: Duration = Duration::from_mins(30);
/// Pages of other connectors may be larger than the 4 MiB that Go accepts.
const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;

/// How a connector in another process is called.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientSettings {
    /// The connector's address for messages, as in `127.0.0.1:9000`.
    pub peer: String,
    /// Time limit of each call. The default is 30 minutes.
    pub call_timeout: Duration,
    /// Largest answer that is accepted. The default is 64 MiB.
    pub max_message_bytes: usize,
    /// Where the session stores of syncs are served to the connector. Without it they
    /// are not.
    pub sessions: Option<SyncStores>,
    /// Calls wait for the rate limiter of the connector. Only for a connector that was
    /// given a configuration of one: each call costs three.
    pub limits: Option<Limits>,
    /// Continues traces in the connector.
    pub traces: Option<Arc<dyn TraceContext>>,
}

/// How calls wait for the rate limiter of the connector.
#[derive(Clone)]
pub struct Limits {
    /// Descriptors of each call, besides its method and its resource type.
    pub descriptors: Vec<(String, String)>,
    /// Now, for the ends of periods.
    pub clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits")
            .field("descriptors", &self.descriptors)
            .finish_non_exhaustive()
    }
}

impl ClientSettings {
    /// The defaults, for the connector at `peer`.
    pub fn new(peer: impl Into<String>) -> Self {
        Self {
            peer: peer.into(),
            call_timeout: CALL_TIMEOUT,
            max_message_bytes: MAX_MESSAGE_BYTES,
            sessions: None,
            limits: None,
            traces: None,
        }
    }
}
