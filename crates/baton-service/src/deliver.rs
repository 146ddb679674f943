//! Sends the report of a task, and keeps those that could not be sent.

use std::collections::VecDeque;
use std::time::Duration;

use baton_proto::c1::connectorapi::baton::v1::BatonServiceFinishTaskRequest as FinishTask;
use prost::Message;
use tokio::time::{Instant, sleep};

use crate::api::Api;
use crate::error::ApiError;

/// All attempts together.
const LIMIT: Duration = Duration::from_secs(30);
/// One attempt: an answer that was lost does not use up the time.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(10);
const WAITS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Sends the report, again where it is not known whether it arrived.
pub(crate) async fn deliver(api: &Api, report: &FinishTask) -> Result<(), ApiError> {
    let end = Instant::now() + LIMIT;
    let mut waits = WAITS.iter();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let error = match api.finish(report, left.min(ATTEMPT_LIMIT)).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let wait = waits.next().filter(|wait| Instant::now() + **wait < end);
        let Some(wait) = wait.filter(|_| error.is_undecided()) else {
            return Err(error);
        };
        tracing::warn!(task_id = report.task_id, error = %error, "a report failed and is repeated");
        sleep(*wait).await;
    }
}

/// Reports that did not reach the service. A task that comes again is not carried out
/// again: its report is.
#[derive(Debug, Default)]
pub(crate) struct Undelivered(VecDeque<FinishTask>);

impl Undelivered {
    const MOST: usize = 100;
    const MOST_BYTES: usize = 64 * 1024;

    /// Keeps a report; the oldest one gives way.
    pub(crate) fn keep(&mut self, report: FinishTask) {
        if report.encoded_len() > Self::MOST_BYTES {
            return;
        }
        if self.0.len() == Self::MOST {
            self.0.pop_front();
        }
        self.0.push_back(report);
    }

    /// The report of a task, if there is one.
    pub(crate) fn take(&mut self, task_id: &str) -> Option<FinishTask> {
        let place = self.0.iter().position(|report| report.task_id == task_id)?;
        self.0.remove(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    #[test]
    fn reports_are_kept_until_their_task_comes_again() {
        let mut kept = Undelivered::default();
        for n in 0..=Undelivered::MOST {
            kept.keep(Outcome::done().into_report("h", &n.to_string()));
        }
        assert_eq!(kept.take("0"), None);
        assert_eq!(kept.take("1").unwrap().task_id, "1");
        assert_eq!(kept.take("1"), None);
        assert_eq!(kept.0.len(), Undelivered::MOST - 1);
    }
}
