//! One run of a command: its settings, its streams, and how to sync.
//!
//! This is the only module that calls the sync engine. The root command and extra commands such
//! as a demo go through the same [`CommandContext::sync`], so progress, summary and exit codes are alike.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use baton_connector::http::HttpObserver;
use baton_connector::v2::{ConnectorCapabilities, ConnectorMetadata};
use baton_connector::{Call, WaitReason};
use baton_grpc::Channel;
use baton_metrics::Metrics;
use baton_otel::Meter;
use baton_sync::{Completeness, Provenance, Report, SyncHost, SyncRequest, Workers};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::connector_env::{Announce, Built, ConnectorEnv, SharedConnect};
use crate::display::{Display, REDRAW_EVERY};
use crate::error::{Error, Result};
use crate::exit::ExitStatus;
use crate::flags;
use crate::inherited::Inherited;
use crate::log::{DebugTee, PROGRESS_TARGET};
use crate::output;
use crate::panics;
use crate::preflight;
use crate::process::Engine;
use crate::progress::{self, Progress, Rate};
use crate::resettle::Resettle;
use crate::run_files::{self, Inputs, Output};
use crate::service_env::ServiceEnv;
use crate::settings::max_grants;
use crate::sibling::{self, ProgramPlace};
use crate::storage_env::StorageEnv;
use crate::summary::{self, SummaryContext};
use crate::terminal::Stderr;
use crate::waits;
use baton_flags::{Config, Field, Setting};

/// Time between two log lines about what keeps requests back.
const EXPLAIN_EVERY: Duration = Duration::from_secs(30);

/// What a running command has.
#[derive(Clone)]
pub struct CommandContext {
    pub(crate) program: &'static str,
    pub(crate) version: &'static str,
    /// The writer that the file names.
    pub(crate) tool: String,
    pub(crate) config: Config,
    pub(crate) storage: Arc<StorageEnv>,
    /// The files that the settings came from.
    pub(crate) inputs: Inputs,
    pub(crate) cwd: PathBuf,
    pub(crate) stderr: Stderr,
    pub(crate) cancel: CancellationToken,
    pub(crate) connector_env: ConnectorEnv,
    /// Whether the program has the flags that steer requests.
    pub(crate) sends_requests: bool,
    pub(crate) engine: Engine,
    pub(crate) place: ProgramPlace,
    pub(crate) connect: SharedConnect,
    pub(crate) announce: Option<Announce>,
    pub(crate) asks_connector: bool,
    /// The switch under which files do not name their writer.
    pub(crate) unsigned_when: Option<Field<bool>>,
    pub(crate) positionals: Vec<OsString>,
    pub(crate) stdout: Arc<Mutex<Box<dyn Write + Send>>>,
    pub(crate) stdin: Arc<Mutex<Box<dyn Read + Send>>>,
    /// What the parent process passed; taken once.
    pub(crate) inherited: Arc<Mutex<Inherited>>,
    /// Whether a person can be asked.
    pub(crate) asks: bool,
    /// Whether the summary is only in the log, since a program reads the log as JSON.
    pub(crate) summary_in_log: bool,
    /// Whether the summary is its last line only.
    pub(crate) brief: bool,
    pub(crate) service_env: ServiceEnv,
    /// The way to ConductorOne; `None` for the network of the machine.
    pub(crate) service_channel: Option<Channel>,
    /// Makes metrics for a collector, if there is one.
    pub(crate) meter: Option<Meter>,
    /// Reads the settings again.
    pub(crate) resettle: Resettle,
    pub(crate) debug_log: DebugTee,
    /// Who counts what the run does.
    pub(crate) metrics: Option<Arc<Metrics>>,
    /// Notified when the settings are to be read again.
    pub(crate) reload: Arc<Notify>,
}

/// What was synced, and how the program should end for it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Synced {
    /// The engine's report.
    pub report: Report,
    /// Success, or partial.
    pub status: ExitStatus,
}

impl CommandContext {
    /// The settled values.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The words after the command that are not flags, for a command that takes some.
    pub fn positionals(&self) -> &[OsString] {
        &self.positionals
    }

    /// Makes the connector from the settled values; for the root command, and for commands that
    /// have the connector's flags.
    ///
    /// # Errors
    ///
    /// The connector refuses its settings.
    pub fn connect(&self) -> Result<Built> {
        panics::guard("setting up the connector", || {
            Ok((self.connect)(&self.config, &self.connector_env)?)
        })
    }

    /// What the program registers of its connector.
    pub(crate) fn announced(&self) -> Result<Option<ConnectorCapabilities>> {
        panics::guard("reading the connector's capabilities", || {
            let announce = self.announce.as_ref();
            Ok(announce
                .map(|announce| announce(&self.config))
                .transpose()?)
        })
    }

    /// Refuses a connector whose capabilities differ from those of its program.
    pub(crate) async fn check_announced(&self, built: &Built) -> Result<()> {
        let Some(announced) = self.announced()? else {
            return Ok(());
        };
        match self.metadata(built).await?.capabilities {
            Some(connected) if connected != announced => Err(Error::OtherCapabilities),
            _ => Ok(()),
        }
    }

    /// What the connector announces about itself.
    pub(crate) async fn metadata(&self, built: &Built) -> Result<ConnectorMetadata> {
        panics::guard_async("reading the connector's metadata", async {
            Ok(built.connector.metadata(&Call::alone()).await?)
        })
        .await
    }

    /// Writes the result of the command to standard output. A reader that closes the pipe early is not a
    /// failure.
    ///
    /// # Errors
    ///
    /// Standard output cannot be written.
    pub fn print(&self, text: &[u8]) -> Result<()> {
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        output::print(&mut **stdout, text)
    }

    /// As [`CommandContext::print`]; true if nothing reads standard output now.
    pub(crate) fn print_open(&self, text: &[u8]) -> Result<bool> {
        let mut stdout = self.stdout.lock().unwrap_or_else(PoisonError::into_inner);
        output::print_open(&mut **stdout, text)
    }

    /// The listening socket that the parent process passed, which must have this port.
    pub(crate) fn inherited_listener(&self, port: u16) -> Result<tokio::net::TcpListener> {
        let mut inherited = self
            .inherited
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut *inherited).listener(port)?)
    }

    /// The current folder of the program.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Clock, randomness and user agent, for connectors that the command makes by itself.
    pub fn connector_env(&self) -> &ConnectorEnv {
        &self.connector_env
    }

    /// Cancelled by the first SIGINT or SIGTERM.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }

    /// Names another tool as the file's writer, such as `baton-example demo`.
    #[must_use]
    pub fn as_tool(mut self, tool: impl Into<String>) -> Self {
        self.tool = tool.into();
        self
    }

    /// The same run with other settings.
    #[must_use]
    pub(crate) fn with_config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// The same run, counted from now on.
    #[must_use]
    pub(crate) fn with_metrics(mut self, metrics: Arc<Metrics>) -> Self {
        self.connector_env.http_observer = Arc::clone(&metrics) as Arc<dyn HttpObserver>;
        self.metrics = Some(metrics);
        self
    }

    /// Reduces the summary to its last line, for a command with an output of its own.
    #[must_use]
    pub fn brief(mut self) -> Self {
        self.brief = true;
        self
    }

    /// Writes a line for people, on standard error.
    pub fn print_status(&self, line: &str) {
        self.stderr.line(line);
    }

    /// The beginning of a command line that starts the program `name` of the package `package`
    /// from the current folder; `None` if it is not on this machine.
    pub fn sibling_command(&self, name: &str, package: &str) -> Option<String> {
        sibling::command(name, package, &self.place)
    }

    /// A text as one word of a shell.
    pub fn shell_word(text: &str) -> String {
        sibling::shell_word(text)
    }

    /// Refuses a run that is known to fail: the output folder is missing or not writable, the
    /// target is not a sync file, the temp folder is missing. It sends no request.
    pub fn preflight(&self, target: &Path) -> Result<()> {
        self.check_settings()?;
        preflight::check_target(target, self.storage.in_container)?;
        let temp_dir = self.temp_dir()?;
        let output = Output::Sync {
            target,
            temp_dir: temp_dir.as_deref(),
        };
        run_files::compare(&self.config, &self.cwd, &self.inputs, output)?;
        baton_c1z::clear_leftovers(target, temp_dir.as_deref());
        Ok(())
    }

    /// The part of [`CommandContext::preflight`] that is the same for every mode.
    pub(crate) fn check_settings(&self) -> Result<()> {
        preflight::check_values(&self.config)?;
        preflight::targets(&self.config)?;
        self.temp_dir()?;
        preflight::external(&self.config).map(drop)
    }

    pub(crate) fn temp_dir(&self) -> Result<Option<PathBuf>> {
        preflight::temp_dir(&self.config, self.storage.temp_dir.as_deref(), &self.cwd)
    }

    /// Syncs into `target` with the settings of the flags, shows progress, and ends with the
    /// summary.
    ///
    /// # Errors
    ///
    /// What [`CommandContext::preflight`] refuses, and whatever ends the engine.
    pub async fn sync(&self, built: Built, target: &Path) -> Result<Synced> {
        self.preflight(target)?;
        if self.config.get(&flags::SKIP_FULL_SYNC) {
            tracing::warn!("--skip-full-sync concerns services only: this run syncs");
        }
        let from_file = self.config.has(&flags::EXTERNAL_RESOURCE_C1Z);
        for (flag, is_given) in [
            flag_and_presence(&self.config, &flags::EXTERNAL_RESOURCE_FILTER),
            flag_and_presence(&self.config, &flags::EXTERNAL_RESOURCE_TRAITS),
        ] {
            if is_given && !from_file {
                tracing::warn!("--{flag} has no effect without --external-resource-c1z");
            }
        }
        let started = Instant::now();
        let request = self.request(&built, target)?;
        let progress = Arc::new(Progress::new(started));
        let host = SyncHost {
            clock: Arc::clone(&self.connector_env.clock),
            random: Arc::clone(&self.connector_env.random),
            cancel: self.cancel.clone(),
            observer: Arc::clone(&progress) as Arc<dyn baton_sync::Observer>,
        };
        let run = (self.engine)(Arc::clone(&built.connector), request, host);
        let ended = if self.stderr.is_terminal() {
            self.run_with_display(run, &progress, &built).await
        } else {
            run_with_log(run, &progress, &built).await
        };
        if let Some(metrics) = &self.metrics {
            let result = ended.as_ref().map_err(baton_sync::Error::code);
            metrics.sync_ended(started.elapsed(), result);
        }
        let report = ended?;
        if self.sends_requests && report.traffic.is_none() {
            tracing::warn!(
                "the flags that limit requests have no effect: the connector's requests are not \
                 counted"
            );
        }
        self.report_end(&report, target, started);
        let status = match report.completeness {
            Completeness::Complete => ExitStatus::Success,
            Completeness::Partial if self.config.get(&flags::ALLOW_PARTIAL) => ExitStatus::Success,
            Completeness::Partial => ExitStatus::Partial,
        };
        Ok(Synced { report, status })
    }

    /// Drives the engine and redraws the display in between.
    async fn run_with_display(
        &self,
        run: impl Future<Output = baton_sync::Result<Report>>,
        progress: &Progress,
        built: &Built,
    ) -> baton_sync::Result<Report> {
        let display = Display::show(&self.stderr);
        let mut rate = Rate::default();
        let mut ticks = tokio::time::interval(REDRAW_EVERY);
        tokio::pin!(run);
        loop {
            tokio::select! {
                biased;
                done = &mut run => return done,
                now = ticks.tick() => {
                    let traffic = progress.traffic(built.connector.as_ref());
                    let total = traffic.as_ref().map_or(0, |traffic| traffic.total().requests);
                    let per_second = rate.note(now, total);
                    display.draw(progress::lines(
                        &progress.snapshot(),
                        traffic.as_ref(),
                        per_second,
                        now,
                    ));
                }
            }
        }
    }

    /// Whether the file names its writer.
    fn signs(&self) -> bool {
        let switch = self.unsigned_when.as_ref();
        switch.is_none_or(|switch| self.config.find(switch) != Some(true))
    }

    pub(crate) fn request(&self, built: &Built, target: &Path) -> Result<SyncRequest> {
        let config = &self.config;
        let mut facts = built.content_facts.clone();
        facts.insert("connector".to_owned(), self.program.to_owned());
        let mut request = SyncRequest::new(target);
        request.temp_dir = self.temp_dir()?;
        request.format = preflight::format(config);
        request.workers = workers(
            config.get(&flags::WORKERS),
            config.get(&flags::PARALLEL_SYNC),
        );
        request.skip_entitlements_and_grants = config.get(&flags::SKIP_ENTITLEMENTS_AND_GRANTS);
        request.skip_grants = config.get(&flags::SKIP_GRANTS);
        request.targets = preflight::targets(config)?;
        request.resource_type_filter = config.get(&flags::SYNC_RESOURCE_TYPES).to_vec();
        request.external = preflight::external(config)?;
        request.max_derived_grants = max_grants(config);
        request.allow_partial = config.get(&flags::ALLOW_PARTIAL);
        request.allow_empty = config.get(&flags::ALLOW_EMPTY);
        request.fresh = config.get(&flags::FRESH);
        request.provenance = self.signs().then(|| Provenance {
            tool: self.tool.clone(),
            version: self.version.to_owned(),
        });
        request.content_facts = facts;
        request.keep_syncs = self.storage.keep_syncs;
        request.skip_cleanup = self.storage.skip_cleanup;
        request.limits = self.storage.limits.clone();
        Ok(request)
    }

    /// The end of a sync, as a log line and as text.
    fn report_end(&self, report: &Report, target: &Path, started: Instant) {
        let elapsed = started.elapsed();
        let total = report
            .traffic
            .as_ref()
            .map(|traffic| traffic.total().requests);
        let waited = report.traffic.as_ref().map(|traffic| &traffic.waited);
        let for_limits = waits::sum([
            waits::seconds(waited, WaitReason::QuotaSpent),
            waits::seconds(waited, WaitReason::Paced),
        ]);
        tracing::info!(
            target: PROGRESS_TARGET,
            sync_id = report.sync_id,
            path = %report.path.display(),
            complete = report.completeness == Completeness::Complete,
            resources = report.stats.resources,
            entitlements = report.stats.entitlements,
            grants = report.stats.grants,
            unreadable = report.unreadable,
            vanished = report.vanished,
            resumed = report.resumed,
            requests = total,
            waited = waited.map(|waited| Duration::from_millis(waited.total_ms).as_secs_f64()),
            waited_for_limits = for_limits,
            waited_after_refusals = waits::seconds(waited, WaitReason::RateLimited),
            waited_for_server = waits::seconds(waited, WaitReason::ServerBusy),
            waited_before_retries = waits::seconds(waited, WaitReason::Retry),
            waited_for_own_cap = waits::seconds(waited, WaitReason::Capped),
            duration = elapsed.as_secs_f64(),
            "Sync complete."
        );
        let summary_context = SummaryContext {
            target,
            cwd: &self.cwd,
            elapsed,
        };
        if self.summary_in_log {
            tracing::info!("{}", summary::verdict(report, summary_context));
        } else if self.brief {
            self.stderr.line(&summary::verdict(report, summary_context));
        } else {
            self.stderr.print(&summary::render(report, summary_context));
        }
    }
}

/// A flag's name, and whether it has a value.
fn flag_and_presence<T: Setting>(config: &Config, flag: &Field<T>) -> (&'static str, bool) {
    (flag.name(), config.has(flag))
}

/// Drives the engine, and logs now and then what keeps it waiting.
async fn run_with_log(
    run: impl Future<Output = baton_sync::Result<Report>>,
    progress: &Progress,
    built: &Built,
) -> baton_sync::Result<Report> {
    let mut ticks = tokio::time::interval(EXPLAIN_EVERY);
    ticks.tick().await;
    tokio::pin!(run);
    loop {
        tokio::select! {
            biased;
            done = &mut run => return done,
            _ = ticks.tick() => {
                let traffic = progress.traffic(built.connector.as_ref());
                if let Some(reason) = traffic.as_ref().and_then(waits::held_back) {
                    tracing::info!(target: PROGRESS_TARGET, reason, "requests are held back");
                }
            }
        }
    }
}

/// `--workers`: -1 is auto, 0 sequential, N at most N. `--parallel-sync` turns 0 into auto.
fn workers(flag: i64, parallel: bool) -> Workers {
    match flag {
        ..0 => Workers::Auto,
        0 if parallel => Workers::Auto,
        0 => Workers::Sequential,
        most => Workers::AtMost(u32::try_from(most).unwrap_or(u32::MAX)),
    }
}

impl std::fmt::Debug for CommandContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommandContext")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_follow_the_flag() {
        assert_eq!(workers(-1, false), Workers::Auto);
        assert_eq!(workers(0, false), Workers::Sequential);
        assert_eq!(workers(7, false), Workers::AtMost(7));
        assert_eq!(workers(-1, true), Workers::Auto);
        assert_eq!(workers(0, true), Workers::Auto);
        assert_eq!(workers(7, true), Workers::AtMost(7));
    }
}
