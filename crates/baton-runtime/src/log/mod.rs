//! Log lines: who may log, where lines go, and a `tracing` layer that writes them.
//!
//! The two forms are those of the Go programs (connector CLI specification, §6); standard output
//! is never written unless `--log-path` names it. Events of other packages are logged from `warn` up
//! only: at `debug` an HTTP library may print what it sends, credentials included.

mod debug_log;
mod export;
mod filter;
mod line;
mod plain;
mod span_ids;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use baton_connector::Clock;
use baton_otel::{LogQueue, Otel};
use baton_term::TextGate;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record as Values};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use baton_term::StandardOutput;

use crate::error::{Error, Result};
use crate::flags::{self, LogFormat};
use crate::preflight;
use crate::terminal::Stderr;
use baton_flags::Config;
pub(crate) use debug_log::DebugTee;
use export::Export;
use filter::LogFilter;
use line::Record;
use plain::PlainLines;

/// Target of lines that are the result of a command: shown on terminals, too.
pub(crate) const RESULT_TARGET: &str = "baton_runtime::result";
/// Target of the lines that repeat what a progress display shows.
pub(crate) const PROGRESS_TARGET: &str = "baton_runtime::progress_line";

/// Settled log settings.
pub(crate) struct Logging {
    level: LevelFilter,
    level_word: String,
    format: LogFormat,
    sinks: Vec<Sink>,
    failure: Failure,
    clock: Arc<dyn Clock>,
    /// Name of the program's own package, whose code may log everything.
    own_package: String,
    /// What every line passes.
    gate: TextGate,
    /// Whether a progress display replaces the progress lines on standard error.
    display: bool,
    /// Set if standard error shows plain sentences instead of log lines.
    plain: Option<PlainLines>,
    debug_log: DebugTee,
    /// Where lines go besides.
    export: Option<Export>,
}

enum Sink {
    Stderr(Stderr),
    Stdout(Mutex<Stdout>),
    File(Mutex<File>),
}

/// Standard output, which must not fail without a trace.
struct Stdout {
    writer: StandardOutput,
    failure: Failure,
}

impl Stdout {
    fn write(&mut self, line: &str) {
        // One write per line keeps lines whole when processes share a file.
        if let Err(error) = self.writer.write_all(format!("{line}\n").as_bytes()) {
            self.failure.note(error);
        }
    }
}

/// The first failure to write log lines to standard output. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failure(Arc<Mutex<Option<std::io::Error>>>);

impl Failure {
    fn note(&self, error: std::io::Error) {
        self.lock().get_or_insert(error);
    }

    /// The failure, if there was one.
    pub(crate) fn take(&self) -> Option<std::io::Error> {
        self.lock().take()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<std::io::Error>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    fn write(&self, line: &str) {
        // Other destinations that fail have nowhere to report to.
        match self {
            Self::Stderr(stderr) => stderr.log_line(line),
            Self::Stdout(out) => {
                out.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .write(line);
            }
            Self::File(file) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                // One write per line keeps lines whole when processes share a file.
                let _ = file.write_all(format!("{line}\n").as_bytes());
            }
        }
    }
}

/// The level that a word of `--log-level` means; the upper levels of the Go logger are quieter
/// than anything that is logged here.
pub(crate) fn level(word: &str) -> Option<LevelFilter> {
    match word.to_ascii_lowercase().as_str() {
        "debug" => Some(LevelFilter::DEBUG),
        "" | "info" => Some(LevelFilter::INFO),
        "warn" | "warning" => Some(LevelFilter::WARN),
        "error" => Some(LevelFilter::ERROR),
        "dpanic" | "panic" | "fatal" => Some(LevelFilter::OFF),
        _ => None,
    }
}

impl Logging {
    /// Settles the log flags and opens the destinations; standard error without paths.
    pub(crate) fn new(
        config: &Config,
        paths: &[String],
        cwd: &Path,
        stderr: &Stderr,
        clock: Arc<dyn Clock>,
        program: &str,
    ) -> Result<Self> {
        let word = config.get(&flags::LOG_LEVEL);
        let level = level(word).ok_or_else(|| {
            preflight::invalid(format!(
                "field {}: value must be one of [debug info warn error] but got '{word}'",
                flags::LOG_LEVEL.name()
            ))
        })?;
        let format = config.get(&flags::LOG_FORMAT);
        let failure = Failure::default();
        let mut sinks = paths
            .iter()
            .map(|path| open(path, cwd, stderr, &failure))
            .collect::<Result<Vec<_>>>()?;
        if sinks.is_empty() {
            sinks.push(Sink::Stderr(stderr.clone()));
        }
        Ok(Self {
            level,
            level_word: if word.is_empty() {
                "info".to_owned()
            } else {
                word.to_ascii_lowercase()
            },
            format,
            sinks,
            failure,
            clock,
            own_package: program.replace('-', "_"),
            gate: stderr.gate(),
            display: false,
            plain: None,
            debug_log: DebugTee::default(),
            export: None,
        })
    }

    /// Leaves progress lines out on standard error, because a display shows the same.
    #[must_use]
    pub(crate) fn with_display(mut self, display: bool) -> Self {
        self.display = display;
        self
    }

    /// Shows warnings and results as plain sentences on standard error instead of log lines: for a
    /// terminal without a requested log.
    #[must_use]
    pub(crate) fn with_plain_lines(mut self, plain_lines: bool) -> Self {
        self.plain = plain_lines.then(PlainLines::default);
        self
    }

    /// Writes to this log too, while it is on.
    #[must_use]
    pub(crate) fn with_debug_log(mut self, debug_log: &DebugTee) -> Self {
        self.debug_log = debug_log.clone();
        self
    }

    /// Exports the lines, too.
    #[must_use]
    pub(crate) fn with_export(mut self, queue: Option<LogQueue>) -> Self {
        self.export = queue.map(Export::new);
        self
    }

    /// Whether log lines for standard output were lost, now and later.
    pub(crate) fn stdout_failure(&self) -> Failure {
        self.failure.clone()
    }

    /// The subscriber, which makes spans of traces if they are exported.
    pub(crate) fn dispatch(self, otel: Option<&Otel>) -> Dispatch {
        let word = self.level_word.clone();
        let filter = LogFilter {
            level: self.level,
            own_package: self.own_package.clone(),
            debug_log: self.debug_log.clone(),
            all_spans: self.export.is_some(),
        };
        let own_package = self.own_package.clone();
        let log = tracing_subscriber::registry().with(self.with_filter(filter));
        let spans = otel.and_then(|otel| otel.span_layer(&own_package));
        let dispatch = match spans {
            Some(spans) => Dispatch::new(log.with(spans)),
            None => Dispatch::new(log),
        };
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::debug!(log_level = word, "Logger created!");
        });
        dispatch
    }
}

fn open(path: &str, cwd: &Path, stderr: &Stderr, failure: &Failure) -> Result<Sink> {
    match path {
        "stderr" => Ok(Sink::Stderr(stderr.clone())),
        "stdout" => Ok(Sink::Stdout(Mutex::new(Stdout {
            writer: StandardOutput::of_process(),
            failure: failure.clone(),
        }))),
        _ => match baton_c1z::open_log(&cwd.join(path)) {
            Ok(file) => Ok(Sink::File(Mutex::new(file))),
            Err(baton_c1z::Error::Io { source, .. }) => Err(Error::LogSink {
                path: path.to_owned(),
                source,
            }),
            Err(other) => Err(other.into()),
        },
    }
}

impl<S> Layer<S> for Logging
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        if let Some(export) = &self.export {
            export.set_dispatch(dispatch);
        }
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        span_ids::keep_new(attributes, id, &cx, &self.gate);
    }

    fn on_record(&self, id: &Id, values: &Values<'_>, cx: Context<'_, S>) {
        span_ids::keep_more(values, id, &cx, &self.gate);
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let ids = span_ids::around(event, &cx);
        let record = Record::of(event, ids, self.clock.now(), &self.gate);
        if self.debug_log.is_on() {
            self.debug_log.write(&record.json());
            if *event.metadata().level() > self.level {
                return;
            }
        }
        if let Some(export) = &self.export {
            export.add(event, &record, &cx);
        }
        let plain = match self.format {
            LogFormat::Json => record.json(),
            LogFormat::Console => record.console(false),
        };
        let shown_elsewhere = self.display && event.metadata().target() == PROGRESS_TARGET;
        for sink in &self.sinks {
            match (sink, &self.plain) {
                (Sink::Stderr(stderr), Some(plain)) => plain.show(stderr, event, &record),
                (Sink::Stderr(_), None) if shown_elsewhere => {}
                (Sink::Stderr(stderr), None)
                    if stderr.colours() && self.format == LogFormat::Console =>
                {
                    stderr.log_line(&record.console(true));
                }
                (other, _) => other.write(&plain),
            }
        }
    }
}
