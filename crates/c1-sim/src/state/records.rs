//! A task that was handed out.

use std::time::Duration;

use super::heartbeats::HeartbeatRecord;
use crate::tasks::PlannedTask;

/// A task, and what became of it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) plan: PlannedTask,
    pub(super) host: String,
    pub(super) heartbeats: Vec<HeartbeatRecord>,
    /// When the client last tried to send a heartbeat, or got the task.
    pub(super) last_sign: Duration,
    /// Whether it has tried.
    pub(super) has_sign: bool,
    /// How long after that the next heartbeat is expected.
    pub(super) interval: Duration,
    pub(super) cancelled: Option<Cancelled>,
    /// Checksums of the files that were uploaded whole, and the same file again once.
    pub(super) files: Vec<[u8; 32]>,
    /// Uploads that were begun.
    pub(super) attempts: usize,
    /// Place among the finished.
    pub(super) finished: Option<usize>,
    pub(super) finished_at: Duration,
    /// Its process has ended: another one has sent a Hello for the host.
    pub(super) orphan: bool,
    /// Whether a Hello named the task.
    pub(super) greeted: bool,
}

/// A task that a heartbeat cancelled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cancelled {
    pub(super) at: Duration,
    /// The first heartbeat did: the task had not begun.
    pub(super) before_start: bool,
}

impl Held {
    pub(super) fn new(plan: PlannedTask, host: &str, now: Duration) -> Self {
        Self {
            plan,
            host: host.to_owned(),
            heartbeats: Vec::new(),
            last_sign: now,
            has_sign: false,
            interval: super::heartbeats::DEFAULT_INTERVAL,
            cancelled: None,
            files: Vec::new(),
            attempts: 0,
            finished: None,
            finished_at: Duration::ZERO,
            orphan: false,
            greeted: false,
        }
    }
}
