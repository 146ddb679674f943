//! All metrics of a program, as one value.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, UNIX_EPOCH};

use baton_connector::Clock;
use baton_proto::Code;
use baton_service::TaskKind;
use baton_sync::{Completeness, Report};
use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::describe::{self, Description, PREFIX};
use crate::family::{Family, Label};
use crate::text::TextForm;

/// A gauge of times and spans.
pub(crate) type Seconds = Gauge<f64, AtomicU64>;
/// A counter of spans.
pub(crate) type SecondsCounter = Counter<f64, AtomicU64>;

/// Upper bounds of the durations of full syncs, in seconds.
const SYNC_BUCKETS: [f64; 12] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0, 28_800.0, 86_400.0,
];
/// Those of tasks.
const TASK_BUCKETS: [f64; 11] = [
    0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 5_400.0,
];
/// Those of requests.
const REQUEST_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Results of full syncs.
pub(crate) const COMPLETE: &str = "complete";
pub(crate) const PARTIAL: &str = "partial";
pub(crate) const FAILED: &str = "failed";
pub(crate) const SYNC_RESULTS: [&str; 3] = [COMPLETE, PARTIAL, FAILED];

/// Results of tasks.
pub(crate) const SUCCESS: &str = "success";
pub(crate) const FAILURE: &str = "failure";

/// The label that keeps the metrics of several files apart.
const FILE_LABEL: &str = "metrics_file";

/// What metrics are made with.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The name of the program.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The version of the compiler.
    pub rust_version: String,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// The folder of this process in `/proc`, where there is one.
    pub process: Option<PathBuf>,
}

/// Metrics of a program. See the [crate].
pub struct Metrics {
    registry: Registry,
    clock: Arc<dyn Clock>,
    pub(crate) syncs: Syncs,
    pub(crate) http: Http,
    pub(crate) tasks: Tasks,
    pub(crate) runs: Runs,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Metrics of full syncs.
pub(crate) struct Syncs {
    ended: Family<Counter>,
    took: Family<Histogram>,
    failures: Family<Counter>,
    last_end: Family<Seconds>,
    last_took: Family<Seconds>,
    last_rows: Family<Gauge>,
}

/// Metrics of requests to the application.
pub(crate) struct Http {
    pub(crate) requests: Family<Counter>,
    pub(crate) retries: Family<Counter>,
    pub(crate) took: Family<Histogram>,
    pub(crate) waits: Family<Counter>,
    pub(crate) waited: Family<SecondsCounter>,
}

/// Metrics of tasks.
pub(crate) struct Tasks {
    pub(crate) accepted: Family<Gauge>,
    pub(crate) ended: Family<Counter>,
    pub(crate) failures: Family<Counter>,
    pub(crate) took: Family<Histogram>,
    pub(crate) running: Family<Gauge>,
    pub(crate) last_success: Family<Seconds>,
    pub(crate) reports_lost: Family<Counter>,
    pub(crate) poll_failures: Family<Counter>,
    pub(crate) heartbeats_missed: Family<Counter>,
    pub(crate) uploads: Family<Counter>,
    pub(crate) uploaded: Family<Counter>,
}

/// Metrics of one run.
pub(crate) struct Runs {
    pub(crate) end: Family<Seconds>,
    pub(crate) took: Family<Seconds>,
    pub(crate) succeeded: Family<Gauge>,
}

/// A registry that is being filled.
struct Builder<'r>(&'r mut Registry);

impl Builder<'_> {
    fn register(
        &mut self,
        of: &Description,
        metric: impl EncodeMetric + fmt::Debug + Send + Sync + 'static,
    ) {
        match of.unit {
            None => self.0.register(of.base, of.meaning, metric),
            Some(unit) => {
                let unit = Unit::Other(unit.to_owned());
                self.0.register_with_unit(of.base, of.meaning, unit, metric);
            }
        }
    }

    fn family<M>(&mut self, of: &Description, make: fn() -> M) -> Family<M>
    where
        M: Clone + EncodeMetric + TypedMetric + Send + Sync + 'static,
    {
        let family = Family::new(of.labels, make);
        self.register(of, family.clone());
        family
    }
}

impl Metrics {
    /// Those of a service.
    pub fn of_service(parts: Parts) -> Self {
        let process = parts.process.clone();
        let metrics = Self::new(parts, Registry::default(), process);
        metrics.tasks.accepted.of([]).set(0);
        // A counter that is there from the start shows the first increase.
        for kind in TaskKind::ALL {
            for result in [SUCCESS, FAILURE] {
                metrics.tasks.ended.of([kind.name().into(), result.into()]);
            }
        }
        for result in SYNC_RESULTS {
            metrics.syncs.ended.of([result.into()]);
        }
        metrics
    }

    /// Those of one run, for a file with this name. The name is a label, so that one
    /// reader can have several such files. Figures of the process are left out: the process
    /// has ended when they are read, and the reader has its own under these names.
    pub fn of_run(parts: Parts, metrics_file: &str) -> Self {
        let label = (FILE_LABEL.into(), metrics_file.to_owned().into());
        let registry = Registry::with_labels(std::iter::once(label));
        Self::new(parts, registry, None)
    }

    fn new(parts: Parts, mut registry: Registry, process: Option<PathBuf>) -> Self {
        let mut ours = Builder(registry.sub_registry_with_prefix(PREFIX));
        let build = [parts.program, parts.version, parts.rust_version];
        let build: Vec<_> = describe::BUILD.labels.iter().copied().zip(build).collect();
        ours.register(&describe::BUILD, Info::new(build));
        let syncs = Syncs::new(&mut ours);
        let http = Http::new(&mut ours);
        let tasks = Tasks::new(&mut ours);
        let runs = Runs::new(&mut ours);
        if let Some(folder) = process {
            let start = Seconds::default();
            start.set(unix_seconds(&*parts.clock));
            Builder(&mut registry).register(&describe::START, start);
            register_process(&mut registry, folder);
        }
        Self {
            registry,
            clock: parts.clock,
            syncs,
            http,
            tasks,
            runs,
        }
    }

    /// The text of all metrics. Whatever is counted at the same time is not held up.
    pub fn render(&self, form: TextForm) -> String {
        form.write(&self.registry)
    }

    pub(crate) fn now(&self) -> f64 {
        unix_seconds(&*self.clock)
    }

    /// A full sync ended, with a report or the gRPC code of its failure.
    pub fn sync_ended(&self, took: Duration, result: Result<&Report, Code>) {
        let syncs = &self.syncs;
        let name = match result {
            Ok(report) => match report.completeness {
                Completeness::Complete => COMPLETE,
                Completeness::Partial => PARTIAL,
            },
            Err(_) => FAILED,
        };
        let labels = || [Label::from(name)];
        syncs.ended.of(labels()).inc();
        syncs.took.of(labels()).observe(took.as_secs_f64());
        syncs.last_end.of(labels()).set(self.now());
        match result {
            Ok(report) => {
                syncs.last_took.of([]).set(took.as_secs_f64());
                let stats = &report.stats;
                for (kind, rows) in [
                    ("resource_types", stats.resource_types),
                    ("resources", stats.resources),
                    ("entitlements", stats.entitlements),
                    ("grants", stats.grants),
                ] {
                    syncs.last_rows.of([kind.into()]).set(rows);
                }
            }
            Err(code) => {
                syncs.failures.of([code.name().into()]).inc();
            }
        }
    }

    /// When a sync ended with this result before this program began.
    pub(crate) fn set_last_end(&self, result: &'static str, at: f64) {
        self.syncs.last_end.of([result.into()]).set(at);
    }
}

impl Syncs {
    fn new(ours: &mut Builder<'_>) -> Self {
        Self {
            ended: ours.family(&describe::SYNCS, Counter::default),
            took: ours.family(&describe::SYNC_DURATION, || Histogram::new(SYNC_BUCKETS)),
            failures: ours.family(&describe::SYNC_FAILURES, Counter::default),
            last_end: ours.family(&describe::SYNC_LAST_END, Seconds::default),
            last_took: ours.family(&describe::SYNC_LAST_DURATION, Seconds::default),
            last_rows: ours.family(&describe::SYNC_LAST_ROWS, Gauge::default),
        }
    }
}

impl Http {
    fn new(ours: &mut Builder<'_>) -> Self {
        Self {
            requests: ours.family(&describe::REQUESTS, Counter::default),
            retries: ours.family(&describe::REPETITIONS, Counter::default),
            took: ours.family(&describe::REQUEST_DURATION, || {
                Histogram::new(REQUEST_BUCKETS)
            }),
            waits: ours.family(&describe::WAITS, Counter::default),
            waited: ours.family(&describe::WAITED, SecondsCounter::default),
        }
    }
}

impl Tasks {
    fn new(ours: &mut Builder<'_>) -> Self {
        Self {
            accepted: ours.family(&describe::ACCEPTED, Gauge::default),
            ended: ours.family(&describe::TASKS, Counter::default),
            failures: ours.family(&describe::TASK_FAILURES, Counter::default),
            took: ours.family(&describe::TASK_DURATION, || Histogram::new(TASK_BUCKETS)),
            running: ours.family(&describe::TASKS_RUNNING, Gauge::default),
            last_success: ours.family(&describe::TASK_LAST_SUCCESS, Seconds::default),
            reports_lost: ours.family(&describe::REPORTS_LOST, Counter::default),
            poll_failures: ours.family(&describe::POLL_FAILURES, Counter::default),
            heartbeats_missed: ours.family(&describe::HEARTBEATS_MISSED, Counter::default),
            uploads: ours.family(&describe::UPLOADS, Counter::default),
            uploaded: ours.family(&describe::UPLOADED, Counter::default),
        }
    }
}

impl Runs {
    fn new(ours: &mut Builder<'_>) -> Self {
        Self {
            end: ours.family(&describe::RUN_END, Seconds::default),
            took: ours.family(&describe::RUN_DURATION, Seconds::default),
            succeeded: ours.family(&describe::RUN_SUCCEEDED, Gauge::default),
        }
    }
}

fn unix_seconds(clock: &dyn Clock) -> f64 {
    let since = clock.now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(target_os = "linux")]
fn register_process(registry: &mut Registry, folder: PathBuf) {
    let figures = crate::process::ProcessFigures::of(folder);
    registry.register_collector(Box::new(figures));
}

#[cfg(not(target_os = "linux"))]
fn register_process(_: &mut Registry, _: PathBuf) {}
