//! Which events are logged, and which spans matter to log lines.

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing_subscriber::layer::{Context, Filter};

use super::DebugTee;
use super::span_ids;

/// The filter of the log. Other layers of the subscriber have their own.
pub(super) struct LogFilter {
    pub(super) level: LevelFilter,
    /// Name of the program's own package, whose code may log everything.
    pub(super) own_package: String,
    pub(super) debug_log: DebugTee,
    /// Lines name the span that they were logged in, whichever it is.
    pub(super) all_spans: bool,
}

impl LogFilter {
    fn hears(&self, metadata: &Metadata<'_>) -> bool {
        let package = metadata.target().split("::").next().unwrap_or_default();
        let ours = package.starts_with("baton_") || package == self.own_package;
        if metadata.is_span() {
            return ours && (self.all_spans || span_ids::has_some(metadata));
        }
        let level = if self.debug_log.is_on() {
            LevelFilter::DEBUG.max(self.level)
        } else {
            self.level
        };
        let ceiling = if ours {
            level
        } else {
            level.min(LevelFilter::WARN)
        };
        *metadata.level() <= ceiling
    }
}

impl<S> Filter<S> for LogFilter {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        self.hears(metadata)
    }

    /// The answer is kept until the debug log is switched, which asks again.
    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.hears(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let level = if self.debug_log.is_on() {
            LevelFilter::DEBUG
        } else {
            LevelFilter::WARN
        };
        Some(self.level.max(level))
    }
}
