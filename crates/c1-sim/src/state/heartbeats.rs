//! Heartbeats: which are expected, and which come late.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHeartbeatResponse;

use super::State;
use super::polls::duration;
use super::records::{Cancelled, Held};
use crate::tasks::TaskKind;

/// The interval while no answer gives one.
pub(super) const DEFAULT_INTERVAL: Duration = Duration::from_secs(30);
const MIN_INTERVAL: Duration = Duration::from_secs(1);
const MAX_INTERVAL: Duration = Duration::from_mins(5);
/// How long a heartbeat may be on its way.
const SLACK: Duration = Duration::from_secs(1);

/// A heartbeat that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatRecord {
    /// When, since the start of the simulator.
    pub at: Duration,
    /// Whether it was answered, and not refused.
    pub answered: bool,
    /// Whether the answer cancelled the task.
    pub cancelled: bool,
}

impl State {
    pub(crate) fn heartbeat(
        &mut self,
        number: u64,
        host: &str,
        id: &str,
    ) -> Result<BatonServiceHeartbeatResponse, Status> {
        let now = self.elapsed();
        self.held(number, host, id)?;
        self.note_late(number, id);
        let default = self.config.next_heartbeat.map(duration);
        let task = self.held(number, host, id)?;
        let mut wrong = Vec::new();
        if task.plan.kind != Some(TaskKind::SyncFull) {
            wrong.push(format!(
                "task {id} is not a full sync and has no heartbeats"
            ));
        }
        if task.finished.is_some() {
            if now > task.finished_at + SLACK {
                let text = format!("task {id} was finished before");
                self.complain(number, text);
            }
            return Err(Status::new(Code::NotFound, "the task is finished"));
        }
        if let Some(cancelled) = task.cancelled
            && now > cancelled.at + SLACK
        {
            wrong.push(format!("task {id} was cancelled before"));
        }
        let answered = task.heartbeats.iter().filter(|beat| beat.answered).count();
        let nth = answered as u64 + 1;
        let cancelled = task.plan.cancel_at_heartbeat.is_some_and(|at| at <= nth);
        if cancelled && task.cancelled.is_none() {
            task.cancelled = Some(Cancelled {
                at: now,
                before_start: nth == 1,
            });
        }
        let next = task.plan.next_heartbeats.get(&nth).copied().or(default);
        task.interval = interval(next);
        task.signed(now);
        task.heartbeats.push(HeartbeatRecord {
            at: now,
            answered: true,
            cancelled,
        });
        for text in wrong {
            self.complain(number, text);
        }
        Ok(BatonServiceHeartbeatResponse {
            next_heartbeat: next,
            cancelled,
            ..BatonServiceHeartbeatResponse::default()
        })
    }

    /// A heartbeat that a fault refuses was sent all the same.
    pub(crate) fn heartbeat_refused(&mut self, number: u64, id: &str) {
        self.note_late(number, id);
        let now = self.elapsed();
        if let Some(task) = self.tasks.get_mut(id) {
            task.refused(now);
        }
    }

    /// A heartbeat that a fault hit before it was read: any of the tasks is meant.
    pub(crate) fn heartbeat_unread(&mut self) {
        let now = self.elapsed();
        for task in self.tasks.values_mut() {
            task.signed(now);
        }
    }

    /// An answer that a fault gives instead: the client reads that interval.
    pub(crate) fn heartbeat_answered(&mut self, id: &str, answer: &BatonServiceHeartbeatResponse) {
        let now = self.elapsed();
        let Some(task) = self.tasks.get_mut(id) else {
            return;
        };
        task.interval = interval(answer.next_heartbeat);
        if let Some(beat) = task.heartbeats.last_mut() {
            beat.cancelled = answer.cancelled;
        }
        if answer.cancelled && task.cancelled.is_none() {
            let before_start = task.heartbeats.len() == 1;
            let at = now;
            task.cancelled = Some(Cancelled { at, before_start });
        }
    }

    /// Complains if the heartbeat, or the result instead of it, comes late.
    pub(super) fn note_late(&mut self, number: u64, id: &str) {
        let now = self.elapsed();
        let late = self.tasks.get(id).and_then(|task| task.late_by(now));
        if let Some(text) = late {
            self.complain(number, text);
        }
    }
}

impl Held {
    fn signed(&mut self, now: Duration) {
        self.last_sign = now;
        self.has_sign = true;
    }

    fn refused(&mut self, now: Duration) {
        self.signed(now);
        self.heartbeats.push(HeartbeatRecord {
            at: now,
            answered: false,
            cancelled: false,
        });
    }

    /// What to complain of if no heartbeat came for twice the interval.
    pub(super) fn late_by(&self, now: Duration) -> Option<String> {
        let expected = self.plan.kind == Some(TaskKind::SyncFull)
            && self.finished.is_none()
            && self.cancelled.is_none()
            && !self.plan.foreign;
        let silent = now.saturating_sub(self.last_sign);
        (expected && silent > self.interval * 2 + SLACK).then(|| {
            format!(
                "no heartbeat of task {} for {:.1} s; the interval is {:.1} s",
                self.plan.id,
                silent.as_secs_f64(),
                self.interval.as_secs_f64()
            )
        })
    }
}

/// The interval that a client makes of an answer.
fn interval(next: Option<prost_types::Duration>) -> Duration {
    match next {
        None => DEFAULT_INTERVAL,
        Some(next) if next.seconds == 0 && next.nanos == 0 => DEFAULT_INTERVAL,
        Some(next) => Duration::try_from(next)
            .unwrap_or_default()
            .clamp(MIN_INTERVAL, MAX_INTERVAL),
    }
}
