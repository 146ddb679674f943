//! What each metric is: its name, type, labels and meaning. The registry and the
//! documentation are made from these.

/// The prefix of all metrics but those of the process.
pub(crate) const PREFIX: &str = "baton";

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A number that only grows while the program runs.
    Counter,
    /// A number that can fall.
    Gauge,
    /// Observations, counted by size.
    Histogram,
    /// Always 1; its labels have the content.
    Info,
}

impl Kind {
    /// The name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge | Self::Info => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// The name without prefix, unit and the suffix of its type.
    pub(crate) base: &'static str,
    /// The unit, which is a part of the name.
    pub(crate) unit: Option<&'static str>,
    /// The type.
    pub kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// What it is, without a full stop.
    pub meaning: &'static str,
    /// It has the standard name that programs of all kinds use.
    pub(crate) is_standard: bool,
}

impl Description {
    /// The whole name, as samples have it; of a histogram without `_bucket` and the like.
    pub fn name(&self) -> String {
        let mut name = String::new();
        if !self.is_standard {
            name.push_str(PREFIX);
            name.push('_');
        }
        name.push_str(self.base);
        if let Some(unit) = self.unit {
            name.push('_');
            name.push_str(unit);
        }
        match self.kind {
            Kind::Counter => name.push_str("_total"),
            Kind::Info => name.push_str("_info"),
            Kind::Gauge | Kind::Histogram => {}
        }
        name
    }
}

const fn ours(
    kind: Kind,
    base: &'static str,
    unit: Option<&'static str>,
    labels: &'static [&'static str],
    meaning: &'static str,
) -> Description {
    Description {
        base,
        unit,
        kind,
        labels,
        meaning,
        is_standard: false,
    }
}

const fn of_process(
    kind: Kind,
    base: &'static str,
    unit: Option<&'static str>,
    meaning: &'static str,
) -> Description {
    Description {
        base,
        unit,
        kind,
        labels: &[],
        meaning,
        is_standard: true,
    }
}

const SECONDS: Option<&str> = Some("seconds");
const BYTES: Option<&str> = Some("bytes");

pub(crate) const BUILD: Description = ours(
    Kind::Info,
    "build",
    None,
    &["program", "version", "rust_version"],
    "The program; the value is always 1",
);
pub(crate) const ACCEPTED: Description = ours(
    Kind::Gauge,
    "service_accepted",
    None,
    &[],
    "1 once ConductorOne has accepted the program, 0 before",
);
pub(crate) const TASKS: Description = ours(
    Kind::Counter,
    "tasks",
    None,
    &["type", "result"],
    "Tasks that ended, by `success` and `failure`",
);
pub(crate) const TASK_FAILURES: Description = ours(
    Kind::Counter,
    "task_failures",
    None,
    &["type", "code", "rate_limited", "retryable"],
    "Tasks that failed, by gRPC code, by whether the application had refused requests because \
     there were too many, and by whether ConductorOne may send the task again",
);
pub(crate) const TASK_DURATION: Description = ours(
    Kind::Histogram,
    "task_duration",
    SECONDS,
    &["type", "result"],
    "How long tasks took, until their report",
);
pub(crate) const TASKS_RUNNING: Description = ours(
    Kind::Gauge,
    "tasks_running",
    None,
    &["type"],
    "Tasks under way",
);
pub(crate) const TASK_LAST_SUCCESS: Description = ours(
    Kind::Gauge,
    "task_last_success_timestamp",
    SECONDS,
    &[],
    "When a task last succeeded, as Unix time; absent before the first",
);
pub(crate) const REPORTS_LOST: Description = ours(
    Kind::Counter,
    "task_reports_lost",
    None,
    &["code"],
    "Outcomes of tasks that ConductorOne did not accept, by gRPC code",
);
pub(crate) const POLL_FAILURES: Description = ours(
    Kind::Counter,
    "poll_failures",
    None,
    &["code"],
    "Requests for tasks that failed, by gRPC code",
);
pub(crate) const HEARTBEATS_MISSED: Description = ours(
    Kind::Counter,
    "heartbeats_missed",
    None,
    &["code"],
    "Heartbeats of full syncs that failed, by gRPC code",
);
pub(crate) const UPLOADS: Description = ours(
    Kind::Counter,
    "uploads",
    None,
    &["file", "code"],
    "Attempts of uploads that ended, by file (`sync_file` or `debug_log`) and gRPC code",
);
pub(crate) const UPLOADED: Description = ours(
    Kind::Counter,
    "upload",
    BYTES,
    &["file"],
    "Bytes of files that were handed to the connection, counted while an upload runs",
);
pub(crate) const SYNCS: Description = ours(
    Kind::Counter,
    "syncs",
    None,
    &["result"],
    "Full syncs that ended: `complete`, `partial` or `failed`",
);
pub(crate) const SYNC_DURATION: Description = ours(
    Kind::Histogram,
    "sync_duration",
    SECONDS,
    &["result"],
    "How long full syncs took, without the upload",
);
pub(crate) const SYNC_FAILURES: Description = ours(
    Kind::Counter,
    "sync_failures",
    None,
    &["code"],
    "Full syncs that failed, by gRPC code",
);
pub(crate) const SYNC_LAST_END: Description = ours(
    Kind::Gauge,
    "sync_last_end_timestamp",
    SECONDS,
    &["result"],
    "When a full sync last ended with this result, as Unix time; absent before the first",
);
pub(crate) const SYNC_LAST_DURATION: Description = ours(
    Kind::Gauge,
    "sync_last_duration",
    SECONDS,
    &[],
    "How long the last complete or partial sync took",
);
pub(crate) const SYNC_LAST_ROWS: Description = ours(
    Kind::Gauge,
    "sync_last_rows",
    None,
    &["kind"],
    "Rows of the last complete or partial sync: `resource_types`, `resources`, `entitlements` \
     and `grants`",
);
pub(crate) const REQUESTS: Description = ours(
    Kind::Counter,
    "http_requests",
    None,
    &["endpoint", "status"],
    "Requests to the application that ended, by endpoint template and by HTTP status or kind of \
     failure, such as `timeout`",
);
pub(crate) const REPETITIONS: Description = ours(
    Kind::Counter,
    "http_request_retries",
    None,
    &["endpoint"],
    "Those of them that repeated an earlier request",
);
pub(crate) const REQUEST_DURATION: Description = ours(
    Kind::Histogram,
    "http_request_duration",
    SECONDS,
    &["endpoint"],
    "How long requests to the application took, until their whole answer was there",
);
pub(crate) const WAITS: Description = ours(
    Kind::Counter,
    "http_waits",
    None,
    &["reason"],
    "Waits of requests before they were sent: `rate_limited` (after status 429), `quota_spent`, \
     `server_busy`, `retry`, `paced` or `capped`",
);
pub(crate) const WAITED: Description = ours(
    Kind::Counter,
    "http_wait",
    SECONDS,
    &["reason"],
    "How long requests waited; those of requests that waited at the same time are added up",
);
pub(crate) const RUN_END: Description = ours(
    Kind::Gauge,
    "run_end_timestamp",
    SECONDS,
    &["mode"],
    "When the run ended, as Unix time (only in a file)",
);
pub(crate) const RUN_DURATION: Description = ours(
    Kind::Gauge,
    "run_duration",
    SECONDS,
    &["mode"],
    "How long the run took (only in a file)",
);
pub(crate) const RUN_SUCCEEDED: Description = ours(
    Kind::Gauge,
    "run_succeeded",
    None,
    &["mode"],
    "1 if the run ended with exit code 0, else 0 (only in a file)",
);
pub(crate) const START: Description = of_process(
    Kind::Gauge,
    "process_start_time",
    SECONDS,
    "When the program started, as Unix time",
);
pub(crate) const CPU: Description = of_process(
    Kind::Counter,
    "process_cpu",
    SECONDS,
    "Processor time, of user and system (Linux)",
);
pub(crate) const RESIDENT: Description = of_process(
    Kind::Gauge,
    "process_resident_memory",
    BYTES,
    "Memory that is in RAM (Linux)",
);
pub(crate) const OPEN_FILES: Description =
    of_process(Kind::Gauge, "process_open_fds", None, "Open files (Linux)");
pub(crate) const MAX_FILES: Description = of_process(
    Kind::Gauge,
    "process_max_fds",
    None,
    "How many files may be open (Linux)",
);

/// All metrics, in the order of the text.
pub const fn descriptions() -> &'static [Description] {
    &[
        BUILD,
        SYNCS,
        SYNC_DURATION,
        SYNC_FAILURES,
        SYNC_LAST_END,
        SYNC_LAST_DURATION,
        SYNC_LAST_ROWS,
        REQUESTS,
        REPETITIONS,
        REQUEST_DURATION,
        WAITS,
        WAITED,
        ACCEPTED,
        TASKS,
        TASK_FAILURES,
        TASK_DURATION,
        TASKS_RUNNING,
        TASK_LAST_SUCCESS,
        REPORTS_LOST,
        POLL_FAILURES,
        HEARTBEATS_MISSED,
        UPLOADS,
        UPLOADED,
        RUN_END,
        RUN_DURATION,
        RUN_SUCCEEDED,
        START,
        CPU,
        RESIDENT,
        OPEN_FILES,
        MAX_FILES,
    ]
}
