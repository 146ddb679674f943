//! Tests a connector against its application: is what it gives the same each
//! time, whatever runs at once and wherever it is stopped, and do its rows fit
//! together? It only reads the application, and writes nothing but scratch files.

mod content;
mod recorder;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use baton_connector::{Code, Connector, RunView};
use baton_sync::{Completeness, Event, Observer, Report, SyncHost, SyncRequest, Workers};
use baton_term::Block;
use tokio_util::sync::CancellationToken;

use crate::connector_env::Built;
use crate::context::CommandContext;
use crate::error::{Error, Result};
use crate::figures::counted;
use recorder::Asked;
pub use recorder::{Recorded, Recorder};
use rows::Rows;

/// Findings of one check that are shown.
const SHOWN_FINDINGS: usize = 3;
/// Times that a sync is stopped and resumed.
const STOPS: u32 = 3;
/// Page tokens that are passed to other lists, at most.
const TOKENS: usize = 20;
/// Lists that each of them is passed to, at most.
const LISTS_PER_TOKEN: usize = 2;
/// Requests in flight of the second sync.
const MANY_WORKERS: u32 = 32;
/// What a sync may take beyond its limit before it is left alone.
const GRACE: Duration = Duration::from_mins(1);

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    /// What was found, one line each.
    Fail(Vec<String>),
    /// What was found that may be as the application has it, one line each.
    Note(Vec<String>),
    /// Why it could not be made.
    Skip(&'static str),
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Check {
    pub name: &'static str,
    pub verdict: Verdict,
}

impl Check {
    fn failed(&self) -> bool {
        matches!(self.verdict, Verdict::Fail(_))
    }
}

const RUNS: &str = "a sync ends";
const READABLE: &str = "every list can be read";
const COUNTED: &str = "requests are counted";
const WORKERS: &str = "1 and 32 workers give the same rows";
const RESUMED: &str = "stopped and resumed syncs give the same rows";
const TOKENS_BOUND: &str = "page tokens of other lists are refused";

/// Stops the run after some pages, and counts them.
struct Pages {
    seen: AtomicU64,
    stop_after: u64,
    stop: CancellationToken,
}

impl Observer for Pages {
    fn event(&self, event: &Event) {
        if matches!(event, Event::Page { .. })
            && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.stop_after
        {
            self.stop.cancel();
        }
    }

    fn run_began(&self, _run: RunView) {}
}

/// A test under way.
pub(crate) struct SelfTest<'a> {
    context: &'a CommandContext,
    built: &'a Built,
    folder: &'a Path,
    limit: Duration,
    checks: Vec<Check>,
}

impl<'a> SelfTest<'a> {
    pub(crate) fn new(
        context: &'a CommandContext,
        built: &'a Built,
        folder: &'a Path,
        limit: Duration,
    ) -> Self {
        Self {
            context,
            built,
            folder,
            limit,
            checks: Vec::new(),
        }
    }

    /// Makes all checks.
    ///
    /// # Errors
    /// Only if the test itself cannot continue, such as after a signal.
    pub(crate) async fn run(mut self) -> Result<Vec<Check>> {
        let recorder = Arc::new(Recorder::new(Arc::clone(&self.built.connector)));
        let connector = Arc::clone(&recorder) as Arc<dyn Connector>;
        let first = self.sync("first", connector, Workers::Sequential, 0).await;
        let (report, pages) = match self.unless_stopped(first)? {
            Ok(done) => done,
            Err(found) => {
                self.note(RUNS, Verdict::Fail(vec![found]));
                let local = self.built.connector.local();
                let recorded = recorder.take();
                self.checks.extend(content::found_in_part(&recorded, local));
                return Ok(self.checks);
            }
        };
        self.note(RUNS, Verdict::Pass);
        self.readable(&report);
        self.tell_costs(&report);
        let recorded = recorder.take();
        let first = self.rows(&report.path).await?;
        let connector = || Arc::clone(&self.built.connector);
        let many = Workers::AtMost(MANY_WORKERS);
        let second = self.sync("second", connector(), many, 0).await;
        let verdict = match self.unless_stopped(second)? {
            Ok((report, _)) => self.rows(&report.path).await?.compare(&first),
            Err(found) => Verdict::Fail(vec![found]),
        };
        self.note(WORKERS, verdict);
        let verdict = self.resumed(&first, pages).await?;
        self.note(RESUMED, verdict);
        let verdict = self.tokens(&recorded).await?;
        self.note(TOKENS_BOUND, verdict);
        let local = self.built.connector.local();
        self.checks.extend(content::checks(&recorded, local));
        Ok(self.checks)
    }

    fn note(&mut self, name: &'static str, verdict: Verdict) {
        self.checks.push(Check { name, verdict });
    }

    /// Passes a failed sync on to its check, unless the user ended it.
    fn unless_stopped<T>(
        &self,
        outcome: baton_sync::Result<T>,
    ) -> Result<std::result::Result<T, String>> {
        match outcome {
            Err(error) if self.context.cancel().is_cancelled() => Err(error.into()),
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
            Completeness::Partial if !found.is_empty() => Verdict::Fail(found),
            _ => Verdict::Pass,
        };
        self.note(READABLE, verdict);
        if self.context.sends_requests {
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
    fn tell_costs(&self, report: &Report) {
        let Some(traffic) = &report.traffic else {
            return;
        };
        let requests = traffic.total().requests;
        self.context.print_status(&format!(
            "the first sync took {}; the other checks take about {} more",
            counted(requests, "request", "requests"),
            counted(requests.saturating_mul(2), "request", "requests"),
        ));
    }

    async fn rows(&self, path: &Path) -> Result<Rows> {
        let now = self.context.connector_env().clock.now();
        Rows::read(path.to_owned(), now).await
    }

    fn target(&self, name: &str) -> PathBuf {
        self.folder.join(name).with_extension("c1z")
    }

    /// One sync into the file of that name, which resumes what an earlier
    /// one left. It is stopped after `stop_after` pages; 0 is never.
    async fn sync(
        &self,
        name: &str,
        connector: Arc<dyn Connector>,
        workers: Workers,
        stop_after: u64,
    ) -> baton_sync::Result<(Report, u64)> {
        let mut request = SyncRequest::new(self.target(name));
        request.workers = workers;
        request.allow_partial = true;
        request.max_duration = Some(self.limit);
        request.content_facts.clone_from(&self.built.content_facts);
        let stop = self.context.cancel().child_token();
        let pages = Arc::new(Pages {
            seen: AtomicU64::new(0),
            stop_after,
            stop: stop.clone(),
        });
        let env = self.context.connector_env();
        let host = SyncHost {
            clock: Arc::clone(&env.clock),
            random: Arc::clone(&env.random),
            cancel: stop,
            observer: Arc::clone(&pages) as Arc<dyn Observer>,
        };
        let run = (self.context.engine)(connector, request, host);
        match tokio::time::timeout(self.limit.saturating_add(GRACE), run).await {
            Ok(report) => Ok((report?, pages.seen.load(Ordering::Relaxed))),
            Err(_) => Err(baton_sync::Error::Connector {
                doing: "sync within the time limit".to_owned(),
                source: baton_connector::Error::stated(
                    Code::DeadlineExceeded,
                    "a call to the connector does not end",
                ),
            }),
        }
    }

    /// Stops a sync after random pages and resumes it.
    async fn resumed(&self, first: &Rows, pages: u64) -> Result<Verdict> {
        if pages < 2 {
            return Ok(Verdict::Skip("there is only one page"));
        }
        let many = Workers::AtMost(MANY_WORKERS);
        let mut stopped = 0;
        loop {
            let random = self.context.connector_env().random.next_u64();
            let stop_after = match stopped {
                STOPS => 0,
                _ => 1 + random % (pages / u64::from(STOPS)).max(1),
            };
            let connector = Arc::clone(&self.built.connector);
            let outcome = self.sync("resumed", connector, many, stop_after).await;
            match self.unless_stopped_here(outcome)? {
                Stopped::Done(_) if stopped == 0 => {
                    return Ok(Verdict::Skip("a sync ends before it can be stopped"));
                }
                Stopped::Done(report) => {
                    return Ok(self.rows(&report.path).await?.compare(first));
                }
                Stopped::Early => stopped += 1,
                Stopped::Failed(found) => return Ok(Verdict::Fail(vec![found])),
            }
        }
    }

    fn unless_stopped_here(&self, outcome: baton_sync::Result<(Report, u64)>) -> Result<Stopped> {
        let early = matches!(&outcome, Err(error) if error.code() == Code::Canceled);
        Ok(match self.unless_stopped(outcome)? {
            Ok((report, _)) => Stopped::Done(Box::new(report)),
            Err(_) if early => Stopped::Early,
            Err(found) => Stopped::Failed(found),
        })
    }

    /// Passes page tokens to lists that they do not belong to.
    async fn tokens(&self, recorded: &Recorded) -> Result<Verdict> {
        let mut found = Vec::new();
        let mut tried = 0;
        let run = baton_connector::Run::begin(None);
        for (owner, token, other) in misplaced(recorded) {
            tried += 1;
            let call = run
                .call()
                .at(token)
                .stopped_by(self.context.cancel().clone());
            let asked = other.again(self.built.connector.as_ref(), &call);
            let asked = crate::panics::guard_async("passing a page token to another list", async {
                Ok(tokio::time::timeout(self.limit, asked).await)
            });
            let accepted = match asked.await {
                Ok(Ok(outcome)) => outcome.is_ok(),
                Ok(Err(_)) => true,
                Err(error) => {
                    found.push(format!("{}: {error}", other.name()));
                    continue;
                }
            };
            if self.context.cancel().is_cancelled() {
                return Err(Error::from(baton_connector::Call::stopped_error()));
            }
            if accepted {
                let (owner, other) = (owner.name(), other.name());
                found.push(format!("a token of {owner} was accepted for {other}"));
            }
        }
        Ok(match (found.is_empty(), tried) {
            (true, 0) => Verdict::Skip("no list has two pages"),
            (true, _) => Verdict::Pass,
            (false, _) => Verdict::Fail(found),
        })
    }
}

/// How a sync that was to be stopped ended.
enum Stopped {
    Done(Box<Report>),
    Early,
    Failed(String),
}

/// Page tokens with their lists, and lists that they do not belong to.
fn misplaced(recorded: &Recorded) -> Vec<(&Asked, &str, &Asked)> {
    let mut all = Vec::new();
    for (number, (owner, token)) in recorded.tokens.iter().take(TOKENS).enumerate() {
        for other in other_lists(recorded, owner, number) {
            all.push((owner, token.as_str(), other));
        }
    }
    all
}

/// Lists other than `owner`, different ones for each number, that have page
/// tokens or are of the same kind as `owner`. A list that has one page only may
/// ignore tokens.
fn other_lists<'a>(recorded: &'a Recorded, owner: &Asked, number: usize) -> Vec<&'a Asked> {
    let with_tokens = recorded.tokens.iter().map(|(list, _)| list);
    let alike = recorded.lists.iter().filter(|list| list.is_like(owner));
    let mut all: Vec<&Asked> = with_tokens
        .chain(alike)
        .filter(|list| *list != owner)
        .collect();
    if !all.is_empty() {
        let first = number % all.len();
        all.rotate_left(first);
    }
    all.truncate(LISTS_PER_TOKEN);
    all
}

/// The table, and whether no check failed.
pub(crate) fn table(checks: &[Check]) -> (Block, bool) {
    let mut block = Block::new();
    for check in checks {
        match &check.verdict {
            Verdict::Pass => drop(block.line(format!("pass  {}", check.name))),
            Verdict::Skip(reason) => {
                block.line(format!("skip  {}: {reason}", check.name));
            }
            Verdict::Fail(found) => list(&mut block, "FAIL", check.name, found),
            Verdict::Note(found) => list(&mut block, "note", check.name, found),
        }
    }
    (block, !checks.iter().any(Check::failed))
}

fn list(block: &mut Block, word: &str, name: &str, found: &[String]) {
    block.line(format!("{word}  {name}"));
    for line in found.iter().take(SHOWN_FINDINGS) {
        block.indented(6, line.as_str());
    }
    if let more @ 1.. = found.len().saturating_sub(SHOWN_FINDINGS) {
        block.indented(6, format!("and {more} more"));
    }
}
