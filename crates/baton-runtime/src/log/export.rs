//! Log lines on their way to a collector.

use std::sync::OnceLock;

use baton_otel::{LogQueue, Severity, trace_ids};
use tracing::dispatcher::WeakDispatch;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::line::Record;

/// The package whose lines are about the export itself: if they were exported, each
/// failure would make more to export.
const EXPORTER: &str = "baton_otel";

/// Adds log lines to the queue of the export.
pub(super) struct Export {
    queue: LogQueue,
    /// The subscriber that the log is a part of.
    dispatch: OnceLock<WeakDispatch>,
}

impl Export {
    pub(super) fn new(queue: LogQueue) -> Self {
        Self {
            queue,
            dispatch: OnceLock::new(),
        }
    }

    pub(super) fn set_dispatch(&self, dispatch: &Dispatch) {
        // It is set once, when the subscriber is made.
        let _ = self.dispatch.set(dispatch.downgrade());
    }

    /// Adds the line of an event.
    pub(super) fn add<S>(&self, event: &Event<'_>, record: &Record, cx: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let metadata = event.metadata();
        if metadata.target().split("::").next() == Some(EXPORTER) {
            return;
        }
        let span = cx.event_span(event).map(|span| span.id());
        let span = span.and_then(|id| trace_ids(&id, &self.dispatch));
        let severity = match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warn,
            Level::INFO => Severity::Info,
            Level::DEBUG | Level::TRACE => Severity::Debug,
        };
        self.queue.add(record.exported(severity, span));
    }
}
