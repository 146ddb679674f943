//! Plays a plan from beginning to end, and has judged what comes of it.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use atlassian_sim::{Config, Simulator};
use baton_atlassian::Settings;
use baton_c1z::{C1zFile, Filter, ReadOptions, Table, View};
use baton_connector::http::{HttpParts, HttpSettings};
use baton_connector::{Secret, SplitMix};
use baton_proto::bid::{ResourceBid, TypedId};
use baton_proto::causes;
use baton_sync::{Blocking, Completeness, Error, Report, Silent, SyncHost, SyncRequest};

use crate::disk::Disk;
use crate::finding::Finding;

use crate::network::{Network, SimulatedClock};
use crate::plan::{Extent, Mishap, Plan};
use crate::random::Dice;

/// When every simulation begins: 1 November 2026, 12:00 UTC.
pub(crate) const BEGIN: Duration = Duration::from_hours(498_204);
/// Undisturbed runs after which a sync must be complete.
const CALM_RUNS: usize = 2;
/// No attempt takes longer, in simulated time.
pub(crate) const PATIENCE: Duration = Duration::from_hours(72);

/// What must not happen, and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(crate) type Judged<T> = Result<T, Violation>;

pub(crate) fn violated<T>(what: impl Into<String>) -> Judged<T> {
    Err(Violation(what.into()))
}

/// What came of a simulation. Equal for equal seeds, but for the failure that
/// an ending names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// How each attempt ended, the undisturbed ones last.
    pub endings: Vec<String>,
    /// Number and checksum of the rows of the newest sync in the end. Times
    /// do not count: they depend on which of several requests in flight draws
    /// its delay first.
    pub rows: (u64, u32),
    /// Requests and operations on the disk, of all attempts but those that
    /// failed: how many of the requests in flight were sent before the one that
    /// failed differs.
    pub work: (u64, u64),
}

/// How an attempt ended.
pub(crate) enum Ending {
    Killed,
    Ended(Box<Result<Report, Error>>),
}

impl Ending {
    fn is_failure(&self) -> bool {
        matches!(self, Self::Ended(result) if result.is_err())
    }
}

pub(crate) struct Simulation<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) folder: PathBuf,
    pub(crate) target: PathBuf,
    /// Where working files may lie.
    pub(crate) work: PathBuf,
    /// The resources that a targeted sync is about.
    pub(crate) targets: Vec<ResourceBid>,
    simulator: Simulator,
    clock: SimulatedClock,
    disk: Disk,
    pub(crate) network: Network,
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
pub(crate) fn folder() -> std::io::Result<tempfile::TempDir> {
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
    let simulation = Simulation {
        plan,
        targets: match plan.extent {
            Extent::Named => targets(&simulator, Dice::new(plan.seed, 4)),
            _ => Vec::new(),
        },
        folder: folder.path().to_owned(),
        target: folder.path().join("sync.c1z"),
        work,
        network: Network::to(simulator.clone(), clock, disk.clone(), plan.delay, dice),
        simulator,
        clock,
        disk,
    };
    simulation.play().await
}

/// A few users and groups, and one user that does not exist.
fn targets(simulator: &Simulator, mut dice: Dice) -> Vec<ResourceBid> {
    let truth = simulator.truth();
    let mut named = vec![("user", "unknown".to_owned())];
    for _ in 0..dice.between(1, 3) {
        let user = dice.pick(&truth.users).map(|user| user.account_id.clone());
        named.extend(user.map(|id| ("user", id)));
        let group = dice.pick(&truth.groups).map(|group| group.id.clone());
        named.extend(group.map(|id| ("group", id)));
    }
    let bids = named.into_iter().map(|(kind, id)| ResourceBid {
        id: TypedId {
            resource_type: kind.to_owned(),
            resource: id,
        },
        parent: None,
    });
    bids.collect()
}

impl Simulation<'_> {
    async fn play(&self) -> Judged<Played> {
        let mut played = Played {
            endings: Vec::new(),
            rows: (0, 0),
            work: (0, 0),
        };
        let mut dice = Dice::new(self.plan.seed, 3);
        if let Some(format) = self.plan.old {
            let mut request = self.request();
            request.format = Some(format);
            request.targets.clear();
            let ending = self.attempt(&[], false, request, 1000).await?;
            self.judge(&ending, &[], None)?;
            tokio::time::sleep(Duration::from_hours(1)).await;
        }
        for (attempt, number) in self.plan.attempts.iter().zip(0u64..) {
            let before = self.target_bytes();
            let ending = self
                .attempt(&attempt.mishaps, attempt.in_seal, self.request(), number)
                .await?;
            if !ending.is_failure() {
                played.work.0 += self.network.requests();
                played.work.1 += self.disk.changes();
            }
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
            let ending_text =
                judged.map_err(|violation| Violation(format!("undisturbed run: {violation}")))?;
            played.endings.push(ending_text);
            match &ending {
                Ending::Ended(result) => match result.as_ref() {
                    Ok(report) if report.completeness == Completeness::Complete => break,
                    // What an earlier attempt was refused stays marked in its work.
                    Ok(_) if run == 0 => {}
                    Ok(_) => return violated("an undisturbed run of its own is partial"),
                    Err(error) => {
                        return violated(format!(
                            "an undisturbed run fails: {}",
                            causes::one_line(error)
                        ));
                    }
                },
                Ending::Killed => return violated("an undisturbed run died"),
            }
        }
        played.rows = self.rows()?;
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
            Extent::Types(types) => {
                let types = types.iter().map(|id| (*id).to_owned());
                request.resource_type_filter = types.collect();
            }
            Extent::Named => request.targets.clone_from(&self.targets),
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

    /// Number and checksum of the rows of the newest finished sync.
    fn rows(&self) -> Judged<(u64, u32)> {
        let unreadable = |e: baton_c1z::Error| Violation(format!("the file is damaged: {e}"));
        if !self.target.exists() {
            return Ok((0, 0));
        }
        let file = C1zFile::open(&self.target, &ReadOptions::default()).map_err(unreadable)?;
        let Some(run) = file.latest_finished(None).cloned() else {
            return Ok((0, 0));
        };
        let view = file.view(View::Sync(&run.id)).map_err(unreadable)?;
        let (mut rows, mut checksum) = (0, crc32fast::Hasher::new());
        for table in Table::ALL {
            view.scan(table, &Filter::default(), &mut |row| {
                rows += 1;
                checksum.update(row.id.as_bytes());
                checksum.update(row.data);
                Ok(ControlFlow::Continue(()))
            })
            .map_err(unreadable)?;
        }
        Ok((rows, checksum.finalize()))
    }

    pub(crate) fn target_bytes(&self) -> Option<Vec<u8>> {
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
        let host = SyncHost {
            clock: Arc::new(self.clock),
            random: Arc::new(SplitMix::seeded(random)),
            cancel,
            observer: Arc::new(Silent),
        };
        let run = baton_sync::run(Arc::new(Finding(connector)), request, host);
        let ended = tokio::select! {
            biased;
            () = self.disk.until_killed() => return Ok(Ending::Killed),
            () = tokio::time::sleep(PATIENCE) => {
                return violated("the sync neither ends nor fails within days");
            }
            ended = run => ended,
        };
        Ok(if self.disk.is_killed() {
            // The result of a dead process is not visible.
            Ending::Killed
        } else {
            Ending::Ended(Box::new(ended))
        })
    }
}
