//! What a connector's requests go through, as the connector sees it.

use crate::call::RunView;
use crate::traffic::TrafficSnapshot;

/// What counts a connector's requests; [`crate::http::HttpClient`] is the usual
/// one.
pub trait Upstream: Send + Sync {
    /// Requests, retries and waits of a run so far.
    fn traffic(&self, run: &RunView) -> TrafficSnapshot;
}
