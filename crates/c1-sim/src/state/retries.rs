//! How soon a client calls again after a call that failed.

use std::time::Duration;

use baton_proto::Code;

use super::State;
use crate::Call;

/// The longest wait between polls that fail.
const MAX_POLL_WAIT: Duration = Duration::from_mins(1);
/// The longest wait between Hellos that fail.
const MAX_HELLO_WAIT: Duration = Duration::from_mins(5);
/// How much earlier a retry may arrive.
const SLACK: Duration = Duration::from_millis(10);
/// After these a client does not send the Hello of its start again.
const FINAL: [Code; 5] = [
    Code::PermissionDenied,
    Code::InvalidArgument,
    Code::Unimplemented,
    Code::FailedPrecondition,
    Code::NotFound,
];

/// How a call ended, as far as a client waits after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With an answer.
    Success,
    /// With a status.
    Status(Code),
    /// With an answer of HTTP that is not one of gRPC.
    Http,
    /// The stream or the connection broke, or the client left: libraries may try again at once.
    Broken,
}

/// Calls of one kind that failed one after another.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: u32,
    at: Duration,
    code: Option<Code>,
    /// A refused token allows one retry at once.
    refused: bool,
}

impl Failures {
    fn add(&mut self, ended: Ended, now: Duration) {
        let code = match ended {
            Ended::Success => {
                *self = Self::default();
                return;
            }
            Ended::Broken => return,
            Ended::Http => None,
            Ended::Status(code) => Some(code),
        };
        self.count += 1;
        self.at = now;
        self.code = code;
        self.refused |= code == Some(Code::Unauthenticated);
    }

    /// How much before `wait` after the last failure a call at `now` is.
    fn early(&self, wait: Duration, now: Duration) -> Option<Duration> {
        let earliest = self.at.checked_add(wait)?;
        let early = earliest.checked_sub(now)?;
        (early > SLACK).then_some(early)
    }
}

impl State {
    /// A call arrives: does it come too soon after one that failed?
    pub(crate) fn note_retry(&mut self, number: u64) {
        let now = self.elapsed();
        let text = match self.live(number).map(|live| live.call) {
            Some(Call::GetTask) => self.early_poll(now),
            Some(Call::Hello) => self.wrong_hello(now),
            Some(Call::Token) => {
                // A client that starts again asks for a token first.
                self.failed_polls = Failures::default();
                self.failed_hellos = Failures::default();
                None
            }
            _ => None,
        };
        if let Some(text) = text {
            self.complain(number, text);
        }
    }

    fn early_poll(&self, now: Duration) -> Option<String> {
        let failures = &self.failed_polls;
        let count = failures.count.saturating_sub(u32::from(failures.refused));
        // Several hosts fail independently of each other.
        if count == 0 || self.hosts.len() > 1 {
            return None;
        }
        let wait = Duration::from_secs(u64::from(count).pow(2)).min(MAX_POLL_WAIT);
        let early = failures.early(wait, now)?.as_millis();
        let failed = failures.count;
        Some(format!(
            "the poll comes {early} ms too early after {failed} that failed"
        ))
    }

    fn wrong_hello(&self, now: Duration) -> Option<String> {
        let failures = &self.failed_hellos;
        if let Some(code) = failures.code.filter(|code| FINAL.contains(code)) {
            return Some(format!("Hello is sent again after {}", code.name()));
        }
        let count = failures.count.checked_sub(1)?;
        let wait = Duration::from_secs(2_u64.saturating_pow(count)).min(MAX_HELLO_WAIT);
        let early = failures.early(wait, now)?.as_millis();
        let failed = failures.count;
        Some(format!(
            "Hello comes {early} ms too early after {failed} that failed"
        ))
    }

    /// A call has ended.
    pub(super) fn note_end(&mut self, number: u64, ended: Ended) {
        let now = self.elapsed();
        let Some(live) = self.live(number) else {
            return;
        };
        // The Hello of a task is not sent again.
        let of_task = live.task.is_some();
        match live.call {
            Call::GetTask => self.failed_polls.add(ended, now),
            Call::Hello if !of_task => self.failed_hellos.add(ended, now),
            _ => {}
        }
    }
}
