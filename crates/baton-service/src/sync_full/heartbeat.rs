//! Heartbeats of a full sync (`service-mode.md` §2.4).

use std::time::Duration;

use baton_proto::Code;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;

use crate::api::{Api, wait};
use crate::finish::Failure;
use crate::observe::{Observers, ServiceEvent};

/// The interval where the service names none.
const USUAL: Duration = Duration::from_secs(30);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_mins(5);
/// Misses in a row that end the task.
const MAX_MISSES: u32 = 9;
/// The first heartbeat gets so many attempts in this time.
const FIRST_ATTEMPTS: u32 = 3;
const FIRST_LIMIT: Duration = Duration::from_secs(10);
const BETWEEN_FIRST: Duration = Duration::from_secs(2);

/// Why a task ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The service cancelled it.
    Cancelled,
    /// The service did not answer heartbeats.
    Missed,
}

impl Ended {
    pub(crate) fn failure(self) -> Failure {
        match self {
            Self::Cancelled => Failure::retryable(Code::Canceled, "task was cancelled"),
            Self::Missed => Failure::retryable(Code::Canceled, "task failed heartbeat"),
        }
    }
}

/// Sends heartbeats until it is dropped.
#[derive(Debug)]
pub(crate) struct Heartbeats {
    ended: watch::Receiver<Option<Ended>>,
    sender: tokio::task::JoinHandle<()>,
}

impl Drop for Heartbeats {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Heartbeats {
    /// Sends the first heartbeat and waits for its answer.
    pub(crate) async fn begin(
        api: &Api,
        task_id: &str,
        observers: &Observers,
    ) -> Result<Self, Failure> {
        let interval = first(api, task_id, observers).await?;
        let (report, ended) = watch::channel(None);
        let (api, task_id) = (api.clone(), task_id.to_owned());
        let observers = observers.clone();
        let beating = async move {
            report.send_replace(Some(beat(&api, &task_id, &observers, interval).await));
        };
        let sender = tokio::spawn(beating.in_current_span());
        Ok(Self { ended, sender })
    }

    /// Waits until the task has to end.
    pub(crate) async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await;
        let ended = ended.map(|ended| *ended);
        match ended {
            Ok(ended) => ended.unwrap_or(Ended::Missed),
            // The sender ends only with a reason, or with this value.
            Err(_) => std::future::pending().await,
        }
    }
}

async fn first(api: &Api, task_id: &str, observers: &Observers) -> Result<Duration, Failure> {
    let end = Instant::now() + FIRST_LIMIT;
    let mut attempt = 1;
    loop {
        let answered = timeout_at(end, api.heartbeat(task_id)).await;
        let (code, cause) = match answered {
            Ok(Ok(answer)) if answer.cancelled => return Err(Ended::Cancelled.failure()),
            Ok(Ok(answer)) => return Ok(interval(answer.next_heartbeat)),
            Ok(Err(error)) => (error.code(), error.to_string()),
            Err(_) => (Code::DeadlineExceeded, "no answer in time".to_owned()),
        };
        observers.notify(&ServiceEvent::HeartbeatMissed { code });
        tracing::warn!(
            task_id,
            attempt,
            error = cause,
            "the first heartbeat failed"
        );
        if attempt == FIRST_ATTEMPTS || Instant::now() + BETWEEN_FIRST >= end {
            return Err(Failure::retryable(Code::Unknown, "task failed heartbeat"));
        }
        attempt += 1;
        sleep(BETWEEN_FIRST).await;
    }
}

/// Heartbeats after the first, until the task has to end.
async fn beat(
    api: &Api,
    task_id: &str,
    observers: &Observers,
    mut interval_now: Duration,
) -> Ended {
    let mut misses = 0;
    loop {
        sleep(interval_now).await;
        match api.heartbeat(task_id).await {
            Ok(answer) if answer.cancelled => return Ended::Cancelled,
            Ok(answer) => {
                misses = 0;
                interval_now = interval(answer.next_heartbeat);
            }
            Err(error) => {
                misses += 1;
                let code = error.code();
                observers.notify(&ServiceEvent::HeartbeatMissed { code });
                tracing::warn!(task_id, misses, error = %error, "a heartbeat failed");
                if misses >= MAX_MISSES {
                    return Ended::Missed;
                }
            }
        }
    }
}

fn interval(next: Option<prost_types::Duration>) -> Duration {
    match next {
        None
        | Some(prost_types::Duration {
            seconds: 0,
            nanos: 0,
        }) => USUAL,
        next => wait(next).clamp(SHORTEST, LONGEST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_decides_the_interval_within_bounds() {
        let given = |seconds, nanos| interval(Some(prost_types::Duration { seconds, nanos }));
        assert_eq!(interval(None), USUAL);
        assert_eq!(given(0, 0), USUAL);
        assert_eq!(given(0, 1), SHORTEST);
        assert_eq!(given(-5, 0), SHORTEST);
        assert_eq!(given(7, 0), Duration::from_secs(7));
        assert_eq!(given(600, 0), LONGEST);
    }
}
