//! Warnings about exports: few, however many exports fail.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Between two warnings.
const BETWEEN: Duration = Duration::from_mins(5);

/// What was reported last. All kinds of data share it: they fail together.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    warned: Option<Instant>,
    /// What was lost since the last warning.
    lost: u64,
}

impl Complaints {
    /// Notes that something was not exported, and warns if the last warning is old enough.
    pub(crate) fn note(&self, collector: &str, what: &'static str, lost: u64, reason: &str) {
        let lost = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.lost = state.lost.saturating_add(lost);
            let now = Instant::now();
            if state.warned.is_some_and(|warned| now < warned + BETWEEN) {
                return;
            }
            state.warned = Some(now);
            std::mem::take(&mut state.lost)
        };
        tracing::warn!(
            collector,
            what,
            lost,
            reason,
            "cannot export to the OpenTelemetry collector"
        );
    }
}
