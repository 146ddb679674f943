//! The end of one run, and the metrics of the run before.

use std::time::Duration;

use crate::earlier;
use crate::metrics::Metrics;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunEnd {
    /// What it did: `sync`, `grant` and so on.
    pub mode: &'static str,
    /// How long it took.
    pub took: Duration,
    /// It ended with exit code 0.
    pub succeeded: bool,
}

impl Metrics {
    /// The run ended.
    pub fn run_ended(&self, end: RunEnd) {
        let mode = || [end.mode.into()];
        self.runs.end.of(mode()).set(self.now());
        self.runs.took.of(mode()).set(end.took.as_secs_f64());
        self.runs.succeeded.of(mode()).set(i64::from(end.succeeded));
    }

    /// Takes over from the text of an earlier run when syncs last ended, since a run that
    /// fails must not hide when the last complete one was. Times in the future and what is
    /// not such a text are ignored. Call it before anything else is counted.
    pub fn continue_from(&self, text: &str) {
        for (result, at) in earlier::last_ends(text) {
            if at > 0.0 && at <= self.now() {
                self.set_last_end(result, at);
            }
        }
    }
}
