//! What a sync reports while it runs: log lines, and whether it still moves.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use baton_sync::{Event, Observer};
use tokio::time::{Instant, sleep_until};

/// Logs the events of a sync, and knows when the last one came.
#[derive(Debug)]
pub(super) struct Watch {
    last: Mutex<Instant>,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self {
            last: Mutex::new(Instant::now()),
        }
    }

    fn last(&self) -> Instant {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no event came for so long.
    pub(super) async fn stalled(&self, limit: Duration) {
        loop {
            let end = self.last() + limit;
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        match event {
            Event::Started {
                sync_id,
                resumed_pages,
            } => tracing::info!(sync_id, resumed_pages, "the sync began"),
            Event::PhaseFinished { phase, rows } => {
                tracing::info!(phase = phase.name(), rows, "a phase of the sync is done");
            }
            Event::Damaged { reason } | Event::SetAside { reason } => {
                tracing::warn!(reason, "earlier work of the sync is not used");
            }
            Event::ListSkipped(list) => tracing::warn!(
                what = list.what,
                resource = list.resource,
                resource_type = list.resource_type,
                reason = list.reason,
                "a list was skipped"
            ),
            Event::ListRestarted { what, reason } => {
                tracing::info!(what, reason, "a list starts over");
            }
            Event::Note { message } => tracing::info!(message, "note on the sync"),
            Event::Warning { message } => tracing::warn!(message, "warning about the sync"),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sync_stalls_when_no_event_comes() {
        let watch = Watch::new();
        let began = Instant::now();
        let limit = Duration::from_hours(1);
        let events = async {
            tokio::time::sleep(Duration::from_mins(59)).await;
            watch.event(&Event::Note {
                message: "still here".to_owned(),
            });
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = watch.stalled(limit) => {}
            () = events => {}
        }
        assert_eq!(began.elapsed(), Duration::from_mins(119));
    }
}
