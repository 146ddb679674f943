//! Where the numbers about a connector's requests come from.

use crate::call::RunView;
use crate::traffic::TrafficSnapshot;

/// What counts a connector's requests; [`crate::http::HttpClient`] is the usual
/// one.
pub trait TrafficSource: Send + Sync {
    /// Requests, retries and waits of a run so far.
    fn traffic(&self, run: &RunView) -> TrafficSnapshot;
}
