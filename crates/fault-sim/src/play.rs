//! Plays a plan from beginning to end, and judges what comes of it.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use atlassian_sim::{Config, Simulator};
use baton_atlassian::Settings;
use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{Secret, SplitMix};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Blocking, Completeness, Error, Host, Report, Silent, SyncRequest};
use prost::Message;

use crate::disk::{Disk, DiskFault};
use crate::history::Facts;
use crate::losses::Losses;
use crate::network::{Network, SimulatedClock};
use crate::plan::{Extent, Mishap, Plan};
use crate::random::Dice;

/// When every simulation begins: 1 November 2026, 12:00 UTC.
const BEGIN: Duration = Duration::from_hours(498_204);
/// Undisturbed runs after which a sync must be complete.
const CALM_RUNS: usize = 2;
/// No attempt takes longer, in simulated time.
const PATIENCE: Duration = Duration::from_hours(72);

/// What must not happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

type Judged<T> = Result<T, Violation>;

fn violated<T>(what: impl Into<String>) -> Judged<T> {
    Err(Violation(what.into()))
}

/// What came of a simulation. Equal for equal seeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// How each attempt ended, the undisturbed ones last.
    pub endings: Vec<String>,
    /// Length and checksum of the file in the end.
    pub file: (u64, u32),
    /// Requests and operations on the disk, of all attempts.
    pub work: (u64, u64),
}

/// How an attempt ended.
enum Ending {
    Killed,
    Ended(Box<Result<Report, Error>>),
}

struct World<'a> {
    plan: &'a Plan,
    folder: PathBuf,
    target: PathBuf,
    /// Where working files may lie.
    work: PathBuf,
    simulator: Simulator,
    clock: SimulatedClock,
    disk: Disk,
    network: Network,
}

/// Plays a plan in a runtime of its own, whose time is simulated.
///
/// # Errors
/// The first thing that must not happen.
pub fn play(plan: &Plan) -> Judged<Played> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    let runtime = runtime.map_err(|e| Violation(format!("no runtime: {e}")))?;
    runtime.block_on(play_all(plan))
}

/// A folder in memory where there is one: nothing is to survive the test.
fn folder() -> std::io::Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir())
}

async fn play_all(plan: &Plan) -> Judged<Played> {
    let io = |e: std::io::Error| Violation(format!("the test's own disk: {e}"));
    let folder = folder().map_err(io)?;
    let begin = UNIX_EPOCH + BEGIN;
    let clock = SimulatedClock::starting_at(begin);
    let base = jiff::Timestamp::try_from(begin).unwrap_or_default();
    let simulator = Simulator::new(Config {
        organization: plan.organization.clone(),
        clock: atlassian_sim::Clock::starting_at(base),
        limits: plan.limits.clone(),
        paging: plan.paging,
        answers: plan.answers,
        ..Config::default()
    });
    let simulator = simulator.map_err(|e| Violation(format!("no simulator: {e}")))?;
    let work = folder.path().join("work");
    std::fs::create_dir(&work).map_err(io)?;
    let disk = Disk::default();
    let dice = Dice::new(plan.seed, 2);
    let world = World {
        plan,
        folder: folder.path().to_owned(),
        target: folder.path().join("sync.c1z"),
        work,
        network: Network::to(simulator.clone(), clock, disk.clone(), plan.delay, dice),
        simulator,
        clock,
        disk,
    };
    world.play().await
}

impl World<'_> {
    async fn play(&self) -> Judged<Played> {
        let mut played = Played {
            endings: Vec::new(),
            file: (0, 0),
            work: (0, 0),
        };
        let mut dice = Dice::new(self.plan.seed, 3);
        if let Some(format) = self.plan.old {
            let mut request = self.request();
            request.format = Some(format);
            let ending = self.attempt(&[], false, request, 1000).await?;
            self.judge(&ending, &[], None)?;
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        for (attempt, number) in self.plan.attempts.iter().zip(0u64..) {
            let before = self.target_bytes();
            let ending = self
                .attempt(&attempt.mishaps, attempt.in_seal, self.request(), number)
                .await?;
            played.work.0 += self.network.requests();
            played.work.1 += self.disk.changes();
            self.disk.settle(&mut dice);
            let judged = self.judge(&ending, &attempt.mishaps, before.as_deref());
            played.endings.push(
                judged.map_err(|violation| {
                    Violation(format!("attempt {}: {violation}", number + 1))
                })?,
            );
            tokio::time::sleep(attempt.pause).await;
        }
        for run in 0..CALM_RUNS {
            let before = self.target_bytes();
            let number = 100 + run as u64;
            let ending = self
                .attempt(&[], false, self.calm_request(), number)
                .await?;
            let judged = self.judge(&ending, &[], before.as_deref());
            let told =
                judged.map_err(|violation| Violation(format!("undisturbed run: {violation}")))?;
            played.endings.push(told);
            match &ending {
                Ending::Ended(result) => match result.as_ref() {
                    Ok(report) if report.completeness == Completeness::Complete => break,
                    // What an earlier attempt was refused stays marked in its work.
                    Ok(_) if run == 0 => {}
                    Ok(_) => return violated("an undisturbed run of its own is partial"),
                    Err(error) => {
                        return violated(format!("an undisturbed run fails: {}", chain(error)));
                    }
                },
                Ending::Killed => return violated("an undisturbed run died"),
            }
        }
        let bytes = self.target_bytes().unwrap_or_default();
        played.file = (bytes.len() as u64, crc32fast::hash(&bytes));
        self.check_folder()?;
        Ok(played)
    }

    fn request(&self) -> SyncRequest {
        let mut request = SyncRequest::new(&self.target);
        request.format = Some(self.plan.format);
        request.workers = self.plan.workers;
        match self.plan.extent {
            Extent::Full => {}
            Extent::ResourcesOnly => request.skip_entitlements_and_grants = true,
            Extent::WithoutGrants => request.skip_grants = true,
        }
        request.temp_dir = self.plan.elsewhere.then(|| self.work.clone());
        request.files = Arc::new(self.disk.clone());
        request.blocking = Blocking::Inline;
        request
    }

    /// As the one who knows that what was deleted is gone.
    fn calm_request(&self) -> SyncRequest {
        let mut request = self.request();
        request.allow_empty = true;
        request
    }

    fn target_bytes(&self) -> Option<Vec<u8>> {
        std::fs::read(&self.target).ok()
    }

    async fn attempt(
        &self,
        mishaps: &[Mishap],
        in_seal: bool,
        mut request: SyncRequest,
        number: u64,
    ) -> Judged<Ending> {
        let cancel = self.network.start(mishaps);
        let disk = mishaps.iter().filter_map(|mishap| match mishap {
            Mishap::Disk(fault) => Some(*fault),
            _ => None,
        });
        self.disk.start(disk.collect(), in_seal);
        request.max_duration = mishaps.iter().find_map(|mishap| match mishap {
            Mishap::Deadline(limit) => Some(*limit),
            _ => None,
        });
        let settings = Settings::new(
            Secret::new(self.simulator.access_token()),
            self.simulator.organization_id(),
            "http://simulated.test/admin",
        );
        let mut settings = settings.map_err(|e| Violation(e.to_string()))?;
        settings.go_compatible = self.plan.go_compatible;
        let random = self.plan.seed.wrapping_mul(1000).wrapping_add(number);
        let parts = HttpParts {
            clock: Arc::new(self.clock),
            ..HttpParts::new(Arc::new(self.network.clone()), random)
        };
        let connector = baton_atlassian::connector(&settings, parts, HttpSettings::default());
        let connector = connector.map_err(|e| Violation(e.to_string()))?;
        request.content_facts = settings.content_facts();
        let host = Host {
            clock: Arc::new(self.clock),
            random: Arc::new(SplitMix::seeded(random)),
            cancel,
            observer: Arc::new(Silent),
        };
        let run = baton_sync::run(Arc::new(connector), request, host);
        let ended = tokio::select! {
            biased;
            () = self.disk.until_killed() => return Ok(Ending::Killed),
            () = tokio::time::sleep(PATIENCE) => {
                return violated("the sync neither ends nor fails within days");
            }
            ended = run => ended,
        };
        Ok(if self.disk.is_killed() {
            // What a dead process would have returned, nobody sees.
            Ending::Killed
        } else {
            Ending::Ended(Box::new(ended))
        })
    }

    /// Checks an ending, and tells it in a word.
    fn judge(&self, ending: &Ending, mishaps: &[Mishap], before: Option<&[u8]>) -> Judged<String> {
        let now = self.target_bytes();
        let untouched = now.as_deref() == before;
        match ending {
            Ending::Killed => {
                if untouched {
                    return Ok("killed".to_owned());
                }
                self.check_newest(&self.target, None)?;
                Ok("killed after the last step".to_owned())
            }
            Ending::Ended(result) => match result.as_ref() {
                Ok(report) if report.completeness == Completeness::Complete => {
                    if report.path != self.target.canonicalize().unwrap_or_default() {
                        return violated("a complete sync lies elsewhere");
                    }
                    self.check_newest(&report.path, Some(report))?;
                    Ok("complete".to_owned())
                }
                Ok(report) => {
                    if !untouched {
                        return violated("a partial sync has touched the target");
                    }
                    if report.skipped.is_empty() || report.unreadable == 0 {
                        return violated("a partial sync does not say what it lacks");
                    }
                    self.check_newest(&report.path, Some(report))?;
                    Ok("partial".to_owned())
                }
                Err(error) => {
                    self.judge_error(error, mishaps, untouched)?;
                    let told = self.without_folders(&error.to_string());
                    Ok(format!("{:?}: {told}", error.code()))
                }
            },
        }
    }

    fn judge_error(&self, error: &Error, mishaps: &[Mishap], untouched: bool) -> Judged<()> {
        let told = chain(error);
        if matches!(error, Error::Crashed { .. } | Error::Journal { .. }) {
            return violated(format!("the engine broke: {told}"));
        }
        if !untouched {
            // The one failure after the last step: see the seal's documentation.
            if !told.contains("make the rename durable") {
                return violated(format!("a failed sync has touched the target: {told}"));
            }
            self.check_newest(&self.target, None)?;
        }
        if matches!(error, Error::Empty { .. }) {
            // The only group may have been deleted: not to be believed at once.
            return Ok(());
        }
        if mishaps.is_empty() {
            return violated(format!("nothing happened, and yet: {told}"));
        }
        let stopped = mishaps.iter().any(|m| matches!(m, Mishap::StopAt(_)));
        if error.code() == Code::Canceled && !stopped {
            return violated(format!("nobody asked it to stop: {told}"));
        }
        let disk_only = mishaps
            .iter()
            .all(|m| matches!(m, Mishap::Disk(DiskFault::FullFrom(_)) | Mishap::Change(..)));
        if disk_only && error.code() != Code::ResourceExhausted {
            return violated(format!("a full disk is told as {:?}: {told}", error.code()));
        }
        Ok(())
    }

    /// Compares the newest sync of a file with what was true.
    fn check_newest(&self, path: &Path, report: Option<&Report>) -> Judged<()> {
        let unreadable = |e: baton_c1z::Error| Violation(format!("the file is damaged: {e}"));
        let file = C1zFile::open(path, &ReadOptions::default()).map_err(unreadable)?;
        let newest = file.latest_finished(None).map_err(unreadable)?;
        let Some(run) = newest else {
            return violated("the file holds no finished sync");
        };
        if report.is_some_and(|report| report.sync_id != run.id) {
            return violated("the newest sync is not the reported one");
        }
        let began = run.started_at.and_then(|at| SystemTime::try_from(at).ok());
        let ended = run.ended_at.and_then(|at| SystemTime::try_from(at).ok());
        let (Some(began), Some(ended)) = (began, ended) else {
            return violated("the sync has no times");
        };
        let view = file.view(View::Sync(&run.id)).map_err(unreadable)?;
        let mut found = Facts::default();
        view.scan(Table::Resources, &Filter::default(), &mut |row| {
            found.resources.insert(row.id.to_owned());
            let resource = v2::Resource::decode(row.data).unwrap_or_default();
            found.names.insert(row.id.to_owned(), resource.display_name);
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        view.scan(Table::Grants, &Filter::default(), &mut |row| {
            found.grants.insert(row.id.to_owned());
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        let mut members = BTreeSet::new();
        view.scan(Table::Entitlements, &Filter::default(), &mut |row| {
            if let Some(group) = row.id.strip_suffix(":member") {
                members.insert(group.to_owned());
            }
            Ok(ControlFlow::Continue(()))
        })
        .map_err(unreadable)?;
        self.network.history(|history| {
            let moments = history.between(began, ended + Duration::from_secs(1));
            if let Some(untrue) = found.untrue(&moments) {
                return violated(untrue);
            }
            if let Some(id) = members.difference(&found.resources).next() {
                return violated(format!("an entitlement is on {id}, which is not there"));
            }
            match report {
                Some(report) if report.completeness == Completeness::Complete => {
                    self.check_nothing_lost(&found, &members, &moments, report)
                }
                _ => Ok(()),
            }
        })
    }

    fn check_nothing_lost(
        &self,
        found: &Facts,
        members: &BTreeSet<String>,
        moments: &[&Facts],
        report: &Report,
    ) -> Judged<()> {
        let without_members = found
            .resources
            .iter()
            .find(|id| id.starts_with("group:") && !members.contains(*id));
        let extent = self.plan.extent;
        if let Some(id) = without_members.filter(|_| extent != Extent::ResourcesOnly) {
            return violated(format!("{id} has no entitlement"));
        }
        // A list that its server says is gone is left out, and that is told.
        let told = |id: &str| {
            report
                .skipped
                .iter()
                .map(|skipped| &skipped.resource)
                .any(|of| {
                    !of.is_empty()
                        && (id.ends_with(&format!(":{of}")) || id.starts_with(&format!("{of}:")))
                })
        };
        let losses = Losses::new(self.plan, found, moments, report);
        if let Some(alarm) = losses.false_alarm() {
            return violated(alarm);
        }
        let (resources, mut grants) = found.lost(moments);
        grants.retain(|id| extent == Extent::Full && !told(id));
        match losses.unexplained(&resources, &grants) {
            Some(lost) => violated(lost),
            None => Ok(()),
        }
    }

    /// A text without the test's folder, which has another name each time, and
    /// without the working folder's, which is made from it.
    fn without_folders(&self, text: &str) -> String {
        const PREFIX: &str = "baton-work-";
        let mut text = text.replace(&*self.folder.to_string_lossy(), "");
        if let Some(at) = text.find(PREFIX).map(|at| at + PREFIX.len()) {
            let end = text[at..].find('/').map_or(text.len(), |len| at + len);
            text.replace_range(at..end, "");
        }
        text
    }

    /// Nothing of the work is left once a sync is complete.
    fn check_folder(&self) -> Judged<()> {
        let entries = std::fs::read_dir(&self.folder).map_err(|e| Violation(e.to_string()))?;
        let names: BTreeSet<String> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        let in_work = std::fs::read_dir(&self.work).map_err(|e| Violation(e.to_string()))?;
        if in_work.count() > 0 {
            return violated("a working folder is left behind");
        }
        let known = ["sync.c1z", "sync.partial.c1z", "work"];
        match names.iter().find(|name| !known.contains(&name.as_str())) {
            Some(rest) => violated(format!("{rest} is left behind")),
            None => Ok(()),
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
