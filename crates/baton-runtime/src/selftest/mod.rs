//! Tests a connector against its application: is what it gives the same each
//! time, whatever runs at once and wherever it is stopped, do its rows fit
//! together, and does it keep what it announces? It only reads the application,
//! and writes nothing but scratch files.

mod announced;
mod caller;
mod canonical;
mod content;
mod duplicates;
mod endings;
mod recorder;
mod refusals;
mod repeats;
mod rows;
mod single;
mod syncs;
mod table;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use baton_connector::{Clock, Connector, Random};
use baton_sync::{Completeness, Report, Workers};
use tokio_util::sync::CancellationToken;

use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::figures::counted;
use crate::process::{Engine, engine};
use announced::Announced;
use caller::Caller;
pub use recorder::{Recorded, Recorder};
use rows::Rows;
pub(crate) use table::table;

/// Requests in flight of the second sync.
const MANY_WORKERS: u32 = 32;
/// What each sync may take where no limit is set.
const TIME_LIMIT: Duration = Duration::from_mins(30);

/// The id of a type, a resource, a feed and an action that no connector has.
const NO_SUCH_ID: &str = "baton-selftest-no-such-id";
/// The verdict of a check that needs capabilities, where there are none.
const UNKNOWN: Verdict = Verdict::Skip("the metadata have no capabilities");
/// Calls outside a sync, at most: the bounds of all checks, in round numbers.
const SINGLE_CALLS: u64 = 600;

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The connector does as required.
    Pass,
    /// What was found, one line each.
    Fail(Vec<String>),
    /// What was found that may be as the application has it, one line each.
    Note(Vec<String>),
    /// Why it could not be made.
    Skip(&'static str),
}

impl Verdict {
    /// A failure if anything was found.
    fn of(found: Vec<String>) -> Self {
        if found.is_empty() {
            Self::Pass
        } else {
            Self::Fail(found)
        }
    }
}

/// A check of a connector, and its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// What must hold, as a sentence.
    pub name: &'static str,
    /// Whether it does.
    pub verdict: Verdict,
}

impl CheckResult {
    /// Whether the connector does not do as required.
    pub fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Fail(_))
    }
}

const RUNS: &str = "a sync ends";
const READABLE: &str = "every list can be read";
const COUNTED: &str = "requests are counted";
const WORKERS: &str = "1 and 32 workers give the same rows";
const RESUMED: &str = "stopped and resumed syncs give the same rows";
const TOKENS_BOUND: &str = "page tokens of other lists are refused";

/// Shows a line to the user.
type Status = Box<dyn Fn(&str) + Send + Sync>;

/// A test of a connector, in any process that has one.
#[must_use]
pub struct SelfTest {
    connector: Arc<dyn Connector>,
    content_facts: BTreeMap<String, String>,
    /// Whether the connector sends its requests through our client.
    sends_requests: bool,
    engine: Engine,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    cancel: CancellationToken,
    folder: PathBuf,
    limit: Duration,
    status: Option<Status>,
    checks: Vec<CheckResult>,
}

impl std::fmt::Debug for SelfTest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelfTest")
            .field("folder", &self.folder)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl SelfTest {
    /// A test of `connector`, with scratch files in `folder`, which exists.
    pub fn new(
        connector: Arc<dyn Connector>,
        folder: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            connector,
            content_facts: BTreeMap::new(),
            sends_requests: false,
            engine: engine(),
            clock,
            random,
            cancel: CancellationToken::new(),
            folder: folder.into(),
            limit: TIME_LIMIT,
            status: None,
            checks: Vec::new(),
        }
    }

    /// Limits the time of each sync, and of each call outside a sync.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// A test of the connector of a program.
    pub(crate) fn of_program(context: &CommandContext, built: &Built, folder: &Path) -> Self {
        let env = context.connector_env();
        let (clock, random) = (Arc::clone(&env.clock), Arc::clone(&env.random));
        let shown = context.clone();
        Self {
            content_facts: built.content_facts.clone(),
            sends_requests: context.sends_requests,
            engine: Arc::clone(&context.engine),
            cancel: context.cancel().clone(),
            status: Some(Box::new(move |line| shown.print_status(line))),
            ..Self::new(Arc::clone(&built.connector), folder, clock, random)
        }
    }

    /// Makes all checks.
    ///
    /// # Errors
    /// Only if the test itself cannot continue, such as after a signal.
    pub async fn run(mut self) -> Result<Vec<CheckResult>> {
        let recorder = Arc::new(Recorder::new(Arc::clone(&self.connector)));
        let connector = Arc::clone(&recorder) as Arc<dyn Connector>;
        let first = self.sync("first", connector, Workers::Sequential, 0).await;
        let (report, pages) = match self.unless_stopped(first)? {
            Ok(done) => done,
            Err(found) => {
                self.note(RUNS, Verdict::Fail(vec![found]));
                let recorded = recorder.take();
                let found = content::found_in_part(&recorded, self.connector.local());
                self.checks.extend(found);
                return Ok(self.checks);
            }
        };
        self.note(RUNS, Verdict::Pass);
        self.readable(&report);
        self.report_costs(&report);
        let recorded = recorder.take();
        let first = self.rows(&report.path).await?;
        let connector = || Arc::clone(&self.connector);
        let many = Workers::AtMost(MANY_WORKERS);
        let second = self.sync("second", connector(), many, 0).await;
        let verdict = match self.unless_stopped(second)? {
            Ok((report, _)) => self.rows(&report.path).await?.compare(&first),
            Err(found) => Verdict::Fail(vec![found]),
        };
        self.note(WORKERS, verdict);
        let verdict = self.resumed(&first, pages).await?;
        self.note(RESUMED, verdict);
        self.calls(&recorded).await?;
        Ok(self.checks)
    }

    /// The checks of rows, and those that call the connector outside a sync.
    async fn calls(&mut self, recorded: &Recorded) -> Result<()> {
        let connector = Arc::clone(&self.connector);
        let caller = Caller::new(connector, self.limit, self.cancel.clone());
        let verdict = tokens::check(&caller, recorded).await;
        self.add(vec![CheckResult {
            name: TOKENS_BOUND,
            verdict,
        }])?;
        self.add(content::checks(recorded, self.connector.local()))?;
        let announced = Announced::read(&caller).await;
        self.add(announced::checks(&caller, &announced, recorded).await)?;
        let announced = announced.ok().flatten();
        self.add(single::checks(&caller, announced.as_ref(), recorded).await)?;
        self.add(refusals::checks(&caller).await)?;
        self.add(vec![repeats::lists(&caller, recorded).await])?;
        self.add(endings::checks(&caller, recorded).await)?;
        self.add(vec![repeats::ends(&caller).await])
    }

    /// Adds results, unless the user ended the test: calls then had no answers.
    fn add(&mut self, results: Vec<CheckResult>) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::from(baton_connector::Call::stopped_error()));
        }
        self.checks.extend(results);
        Ok(())
    }

    fn note(&mut self, name: &'static str, verdict: Verdict) {
        self.checks.push(CheckResult { name, verdict });
    }

    /// Passes a failed sync on to its check, unless the user ended it.
    fn unless_stopped<T>(
        &self,
        outcome: baton_sync::Result<T>,
    ) -> Result<std::result::Result<T, String>> {
        match outcome {
            Err(error) if self.cancel.is_cancelled() => Err(error.into()),
            Err(error) => Ok(Err(baton_proto::causes::one_line(&error))),
            Ok(done) => Ok(Ok(done)),
        }
    }

    fn readable(&mut self, report: &Report) {
        let skipped = report.skipped.iter();
        let found: Vec<String> = skipped
            .filter(|skipped| skipped.kind != baton_sync::SkipKind::Vanished)
            .map(|skipped| format!("{}: {}", skipped.resource, skipped.reason))
            .collect();
        let verdict = match report.completeness {
            Completeness::Partial => Verdict::of(found),
            Completeness::Complete => Verdict::Pass,
        };
        self.note(READABLE, verdict);
        if self.sends_requests {
            let verdict = match report.traffic {
                Some(_) => Verdict::Pass,
                None => Verdict::Fail(vec![
                    "pass the client to the builder of the connector: without it, flags that \
                     limit requests have no effect"
                        .to_owned(),
                ]),
            };
            self.note(COUNTED, verdict);
        }
    }

    /// Reports how many requests the other checks take, before they are sent.
    fn report_costs(&self, report: &Report) {
        let (Some(traffic), Some(status)) = (&report.traffic, &self.status) else {
            return;
        };
        let requests = traffic.total().requests;
        status(&format!(
            "the first sync took {}; the other checks take about {} more, and up to {}",
            counted(requests, "request", "requests"),
            counted(requests.saturating_mul(2), "request", "requests"),
            counted(SINGLE_CALLS, "single call", "single calls"),
        ));
    }

    async fn rows(&self, path: &Path) -> Result<Rows> {
        Rows::read(path.to_owned(), self.clock.now()).await
    }
}
