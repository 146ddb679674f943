//! What a service reports about its own work, for metrics. Events are facts: nothing in
//! the service depends on what an observer does with them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_sync::Report;

use crate::finish::Outcome;
use crate::kind::TaskKind;

/// Why a task failed, without its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskFailure {
    /// The gRPC code.
    pub code: Code,
    /// The application refused requests because there were too many.
    pub rate_limited: bool,
    /// The service must not send the task again.
    pub non_retryable: bool,
}

impl TaskFailure {
    /// The failure of an outcome; none if it is a success.
    pub(crate) fn of(outcome: Option<&Outcome>) -> Option<Self> {
        let Some(Outcome::Failure(failure)) = outcome else {
            return None;
        };
        let Status { code, details, .. } = &failure.status;
        let error = baton_connector::Error::remote(*code, "", details.clone());
        Some(Self {
            code: *code,
            rate_limited: error.is_rate_limited(),
            non_retryable: failure.non_retryable,
        })
    }
}

/// A file that a service uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UploadKind {
    /// The file of a full sync.
    SyncFile,
    /// The debug log of a full sync.
    DebugLog,
}

impl UploadKind {
    /// The stable name: `sync_file` or `debug_log`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyncFile => "sync_file",
            Self::DebugLog => "debug_log",
        }
    }
}

/// One fact about a running service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ServiceEvent<'e> {
    /// The service of ConductorOne accepted the first call of this program.
    Accepted,
    /// A task began. Each one ends with [`ServiceEvent::TaskEnded`].
    TaskBegan {
        /// Its kind.
        kind: TaskKind,
    },
    /// A task ended. Its outcome has not been reported yet.
    TaskEnded {
        /// Its kind.
        kind: TaskKind,
        /// How long it took.
        took: Duration,
        /// Why it failed; none for a success.
        failure: Option<TaskFailure>,
    },
    /// The service did not accept the outcome of a task.
    ReportLost {
        /// The kind of the task.
        kind: TaskKind,
        /// The gRPC code of the last attempt.
        code: Code,
    },
    /// A full sync ended, also one whose task ended before.
    SyncEnded {
        /// How long it took, without the upload.
        took: Duration,
        /// The report of the engine, or the gRPC code of its failure.
        result: Result<&'e Report, Code>,
    },
    /// Bytes of a file were handed to the connection.
    Uploading {
        /// The file.
        kind: UploadKind,
        /// How many since the last such event.
        bytes: u64,
    },
    /// An attempt of an upload ended.
    UploadEnded {
        /// The file.
        kind: UploadKind,
        /// The gRPC code; [`Code::Ok`] for a success.
        code: Code,
    },
    /// A request for tasks failed.
    PollFailed {
        /// The gRPC code.
        code: Code,
    },
    /// A heartbeat failed.
    HeartbeatMissed {
        /// The gRPC code.
        code: Code,
    },
}

/// Receives events. Called from the service's own tasks: be quick.
pub trait ServiceObserver: Send + Sync {
    /// Takes note of one event.
    fn event(&self, event: &ServiceEvent<'_>) {
        let _ = event;
    }
}

/// The observers of a service. An observer that panics does not stop the service.
#[derive(Clone, Default)]
pub(crate) struct Observers(Arc<[Arc<dyn ServiceObserver>]>);

impl fmt::Debug for Observers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observers").field(&self.0.len()).finish()
    }
}

impl Observers {
    pub(crate) fn new(observers: Vec<Arc<dyn ServiceObserver>>) -> Self {
        Self(observers.into())
    }

    pub(crate) fn notify(&self, event: &ServiceEvent<'_>) {
        for observer in self.0.iter() {
            if catch_unwind(AssertUnwindSafe(|| observer.event(event))).is_err() {
                tracing::error!("an observer of the service panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::finish::Failure;

    #[derive(Default)]
    struct Counting(AtomicU32);

    impl ServiceObserver for Counting {
        fn event(&self, _: &ServiceEvent<'_>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    struct Panicking;

    impl ServiceObserver for Panicking {
        fn event(&self, _: &ServiceEvent<'_>) {
            panic!("as planned");
        }
    }

    #[test]
    fn an_observer_that_panics_keeps_no_event_from_others() {
        let counting = Arc::new(Counting::default());
        let observers = Observers::new(vec![
            Arc::new(Panicking),
            Arc::clone(&counting) as Arc<dyn ServiceObserver>,
        ]);
        observers.notify(&ServiceEvent::Accepted);
        observers.notify(&ServiceEvent::Accepted);
        assert_eq!(counting.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_success_has_no_failure_and_a_failure_keeps_its_code() {
        assert_eq!(TaskFailure::of(None), None);
        assert_eq!(TaskFailure::of(Some(&Outcome::done())), None);
        let failure = Failure::retryable(Code::NotFound, "x").for_good();
        let expected = TaskFailure {
            code: Code::NotFound,
            rate_limited: false,
            non_retryable: true,
        };
        assert_eq!(TaskFailure::of(Some(&failure.into())), Some(expected));
    }
}
