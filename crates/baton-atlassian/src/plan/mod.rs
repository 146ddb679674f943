//! Fewer requests for the same facts.
//!
//! The plain plan asks about every user and every group. The automatic plan
//! takes an overview: both searches with all their expansions, 100 objects per
//! request. Who is known to hold nothing is then not asked about, and members
//! of groups come from the overview. Before anything is skipped, a sample of
//! what would be is asked plainly; one answer that differs, and the whole run
//! goes by the plain plan.
//!
//! The overview is taken beside the lists of users and groups (`overview`),
//! and only where there are many objects: few are asked about sooner.
//!
//! The rows do not depend on the plan, and a list is either skipped (one page) or
//! queried plainly from its first page to its last. So work begun under one plan
//! continues under another. The sync's session store has the number that decides
//! who is checked, the overview once it was checked, and why the plan was given
//! up. They are written before the first page that depends on them. If the
//! overview is missing there, it is taken again.

mod check;
pub(crate) mod counts;
mod facts;
mod overview;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::session::Session;
use baton_connector::{Call, Error, Planning, Random, Result, RunLocal, RunNotes, RunView};
use baton_proto::Code;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::api::{Api, DIRECTORY_PAGE};
use baton_runtime::Choice;
use facts::Facts;
use overview::{Overview, OverviewTask, Progress};

/// Objects that are asked about plainly before the overview is taken, where no
/// list has shown that there are more: so many are asked about in less time
/// than an overview and its check take.
const ASKED_FIRST: u64 = 100;

/// Where the session keeps the [`PlanState`].
const KEY: &str = "state";

/// How the facts of an organization are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RequestPlan {
    /// With as few requests as is safe.
    #[default]
    Auto,
    /// About every user and every group.
    Plain,
}

impl Choice for RequestPlan {
    const WORDS: &'static [&'static str] = &["", "auto", "plain"];

    fn of_word(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// What outlives an interruption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct PlanState {
    /// Decides who is checked.
    salt: u64,
    /// Why the plan was given up.
    given_up: Option<String>,
    /// Pieces of the checked overview.
    #[serde(default)]
    pieces: usize,
    /// An overview was begun, so there are many objects.
    #[serde(default)]
    begun: bool,
}

impl PlanState {
    fn new(salt: u64) -> Self {
        Self {
            salt,
            given_up: None,
            pieces: 0,
            begun: false,
        }
    }

    /// An earlier run has found that an overview pays.
    fn is_decided(&self) -> bool {
        self.begun || self.given_up.is_some() || self.pieces > 0
    }
}

/// What the run goes by.
#[derive(Debug, Clone)]
enum Decision {
    /// About everything, for this reason.
    Plain(String),
    By(Arc<Facts>),
}

/// What is known of a group's grants.
#[derive(Debug, Default)]
pub(crate) struct KnownGroup {
    /// Account ids of the members.
    pub members: Option<Vec<String>>,
    /// It holds no role.
    pub quiet: bool,
}

/// How the requests of a connector are planned: what all runs have in common.
#[derive(Debug)]
pub(crate) struct Planner {
    wanted: RequestPlan,
    random: Arc<dyn Random>,
    /// Grants will be asked for, so the overview is taken early.
    grants_follow: bool,
    runs: RunLocal<RunPlan>,
}

/// What a run has planned and found out. It goes with the run, and the task of
/// an overview with it.
#[derive(Debug, Default)]
struct RunPlan {
    asked: AtomicU64,
    spent: Arc<AtomicU64>,
    avoided: AtomicU64,
    overview: Mutex<Option<Overview>>,
    /// Locked while the number of the sync is drawn, so that it is drawn once.
    drawing: tokio::sync::Mutex<()>,
    /// Endpoints that have counted something. Locked while one is tried for the
    /// first time.
    counted_once: tokio::sync::Mutex<BTreeSet<&'static str>>,
    /// How the first count of each endpoint that failed did so.
    uncounted: Mutex<BTreeMap<&'static str, (Code, String)>>,
}

/// The plan of the run that a call belongs to.
#[derive(Debug)]
pub(crate) struct Plan {
    planner: Arc<Planner>,
    session: Session,
    run: Arc<RunPlan>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Planner {
    pub fn new(wanted: RequestPlan, grants_follow: bool, random: Arc<dyn Random>) -> Self {
        Self {
            wanted,
            random,
            grants_follow,
            runs: RunLocal::new(),
        }
    }

    /// The plan as it concerns one call.
    pub fn on(self: &Arc<Self>, call: &Call) -> Plan {
        Plan {
            planner: Arc::clone(self),
            session: call.session().prefixed("request-plan/"),
            run: self.runs.of(call, RunPlan::default),
        }
    }

    /// What there is to say of a run's plan.
    pub fn run_notes(&self, run: &RunView) -> RunNotes {
        if self.wanted == RequestPlan::Plain {
            return RunNotes::default();
        }
        let planned = self.runs.in_run(run);
        let given_up = planned.as_ref().and_then(|planned| planned.reason());
        let count = |of: fn(&RunPlan) -> &AtomicU64| {
            let planned = planned.as_ref();
            planned.map_or(0, |planned| of(planned).load(Ordering::Relaxed))
        };
        RunNotes {
            warnings: given_up
                .map(|reason| format!("queried every user and group: {reason}"))
                .into_iter()
                .collect(),
            planning: Some(Planning {
                spent: count(|planned| &planned.spent),
                avoided: count(|planned| &planned.avoided),
            }),
        }
    }
}

impl RunPlan {
    /// Why the plan was given up, if it was.
    fn reason(&self) -> Option<String> {
        let held = locked(&self.overview);
        match &*held.as_ref()?.stage.borrow() {
            Progress::Decided(Decision::Plain(reason)) => Some(reason.clone()),
            _ => None,
        }
    }
}

impl Plan {
    /// A list of users or groups goes over several pages, so it is time for
    /// the overview: it is taken while the rest of the list is read.
    pub async fn begin(&self, api: &Api) -> Result<()> {
        if self.planner.wanted == RequestPlan::Auto && self.planner.grants_follow {
            self.begun(api, true).await?;
        }
        Ok(())
    }

    /// Whether the user need not be asked about, since there are no roles.
    pub async fn user_has_no_role(&self, api: &Api, id: &str) -> Result<bool> {
        let holds = |facts: &Facts, whole: bool| {
            if whole {
                !facts.user_has_no_role(id)
            } else {
                facts.user_has_roles(id)
            }
        };
        let Some(facts) = self.facts(api, holds).await? else {
            return Ok(false);
        };
        let quiet = facts.user_has_no_role(id);
        self.avoid(u64::from(quiet));
        Ok(quiet)
    }

    /// Whether the group's roles need not be asked for, since there are none.
    pub async fn group_has_no_role(&self, api: &Api, id: &str) -> Result<bool> {
        let holds = |facts: &Facts, whole: bool| {
            if whole {
                !facts.group_has_no_role(id)
            } else {
                facts.group_has_roles(id)
            }
        };
        let Some(facts) = self.facts(api, holds).await? else {
            return Ok(false);
        };
        let quiet = facts.group_has_no_role(id);
        self.avoid(u64::from(quiet));
        Ok(quiet)
    }

    /// What need not be asked about a group. Roles that are known to be none
    /// count only together with the members: else they are their own question.
    pub async fn group(&self, api: &Api, id: &str) -> Result<KnownGroup> {
        let unknown = |facts: &Facts, whole: bool| whole && facts.members(id).is_none();
        let Some(facts) = self.facts(api, unknown).await? else {
            return Ok(KnownGroup::default());
        };
        let Some(members) = facts.members(id) else {
            return Ok(KnownGroup::default());
        };
        let quiet = facts.group_has_no_role(id);
        let pages = members.len().div_ceil(DIRECTORY_PAGE as usize).max(1);
        self.avoid(pages as u64 + u64::from(quiet));
        Ok(KnownGroup {
            members: Some(members.map(str::to_owned).collect()),
            quiet,
        })
    }

    fn avoid(&self, requests: u64) {
        self.run.avoided.fetch_add(requests, Ordering::Relaxed);
    }

    /// The overview, if the run uses it. `None` as soon as `asked_anyway` holds for
    /// the known facts: a part of them, or all of them while they are checked.
    async fn facts(
        &self,
        api: &Api,
        asked_anyway: impl Fn(&Facts, bool) -> bool + Send,
    ) -> Result<Option<Arc<Facts>>> {
        if self.planner.wanted == RequestPlan::Plain {
            return Ok(None);
        }
        let Some(mut stage) = self.begun(api, false).await? else {
            return Ok(None);
        };
        loop {
            match &*stage.borrow_and_update() {
                Progress::Gathering(facts) if asked_anyway(facts, false) => return Ok(None),
                Progress::Checking(facts) if asked_anyway(facts, true) => return Ok(None),
                Progress::Gathering(_) | Progress::Checking(_) => {}
                Progress::Decided(Decision::By(facts)) => return Ok(Some(Arc::clone(facts))),
                Progress::Decided(Decision::Plain(_)) => return Ok(None),
                Progress::Failed(error, code, text) => {
                    return Err(overview::failure(error, *code, text));
                }
            }
            if api.unless_stopped(stage.changed()).await?.is_err() {
                let detail = "the overview of users and groups ended early";
                return Err(Error::stated(Code::Internal, detail));
            }
        }
    }

    /// The overview of this sync. It is begun if `many`, since only then it saves
    /// requests.
    async fn begun(&self, api: &Api, many: bool) -> Result<Option<watch::Receiver<Progress>>> {
        let kept = self.kept().await?;
        let mut held = locked(&self.run.overview);
        let known = held.as_ref();
        if let Some(known) = known.filter(|known| known.salt == kept.salt && !known.has_failed()) {
            return Ok(Some(known.stage.clone()));
        }
        let pays = many
            || kept.is_decided()
            || self.run.asked.fetch_add(1, Ordering::Relaxed) >= ASKED_FIRST;
        if !pays {
            return Ok(None);
        }
        let task = OverviewTask {
            api: api.clone(),
            session: self.session.clone(),
            kept,
            spent: Arc::clone(&self.run.spent),
        };
        let overview = task.start();
        let stage = overview.stage.clone();
        *held = Some(overview);
        Ok(Some(stage))
    }

    /// What the sync keeps, made when it begins. Without a store (a call
    /// outside a sync) there is nothing to keep.
    async fn kept(&self) -> Result<PlanState> {
        let _drawing = self.run.drawing.lock().await;
        match self.session.get_json(KEY).await {
            Ok(Some(kept)) => Ok(kept),
            Ok(None) => {
                let kept = PlanState::new(self.planner.random.next_u64());
                self.session.set_json(KEY, &kept).await?;
                Ok(kept)
            }
            Err(error) if error.code() == Code::FailedPrecondition => Ok(PlanState::new(0)),
            Err(error) => Err(error),
        }
    }
}
