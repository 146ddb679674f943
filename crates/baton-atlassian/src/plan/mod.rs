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
//! Neither plan shows in the rows, and a list is either skipped (one page) or
//! asked plainly from its first page to its last, so work begun under one plan
//! goes on under another. In the sync's session store are the number that
//! decides who is checked, the overview once it was checked, and why the plan
//! was given up; they are written before the first page that depends on them.
//! Where the overview is missing there, it is taken anew.

mod check;
pub(crate) mod counts;
mod facts;
mod overview;
mod sample;

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::session::Session;
use baton_connector::{Error, Planner, Planning, Random, Remarks, Result, stopping};
use baton_proto::Code;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::api::{Api, DIRECTORY_PAGE};
use facts::Facts;
use overview::{Overview, Stage, Taking};

/// Objects that are asked about plainly before the overview is taken, where no
/// list has shown that there are more: so many are asked about in less time
/// than an overview and its check take.
const ASKED_FIRST: u64 = 100;

/// Where the session keeps the [`Kept`].
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

impl FromStr for RequestPlan {
    type Err = ();

    fn from_str(word: &str) -> std::result::Result<Self, ()> {
        match word {
            "auto" => Ok(Self::Auto),
            "plain" => Ok(Self::Plain),
            _ => Err(()),
        }
    }
}

/// What outlives an interruption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
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

impl Kept {
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
enum Verdict {
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

/// The plan of a connector's requests.
#[derive(Debug)]
pub(crate) struct Plan {
    wanted: RequestPlan,
    session: Session,
    random: Arc<dyn Random>,
    /// Grants will be asked for, so the overview is taken early.
    grants_follow: bool,
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

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    pub fn new(
        wanted: RequestPlan,
        grants_follow: bool,
        session: &Session,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            wanted,
            session: session.prefixed("request-plan/"),
            random,
            grants_follow,
            asked: AtomicU64::new(0),
            spent: Arc::new(AtomicU64::new(0)),
            avoided: AtomicU64::new(0),
            overview: Mutex::new(None),
            drawing: tokio::sync::Mutex::new(()),
            counted_once: tokio::sync::Mutex::new(BTreeSet::new()),
            uncounted: Mutex::new(BTreeMap::new()),
        }
    }

    /// A list of users or groups goes over several pages, so it is time for
    /// the overview: it is taken while the rest of the list is read.
    pub async fn begin(&self, api: &Arc<Api>) -> Result<()> {
        if self.wanted == RequestPlan::Auto && self.grants_follow {
            self.begun(api, true).await?;
        }
        Ok(())
    }

    /// Whether the user need not be asked about, since there are no roles.
    pub async fn is_quiet_user(&self, api: &Arc<Api>, id: &str) -> Result<bool> {
        let holds = |facts: &Facts, whole: bool| {
            if whole {
                !facts.is_quiet_user(id)
            } else {
                facts.is_busy_user(id)
            }
        };
        let Some(facts) = self.facts(api, holds).await? else {
            return Ok(false);
        };
        let quiet = facts.is_quiet_user(id);
        self.avoid(u64::from(quiet));
        Ok(quiet)
    }

    /// Whether the group's roles need not be asked for, since there are none.
    pub async fn is_quiet_group(&self, api: &Arc<Api>, id: &str) -> Result<bool> {
        let holds = |facts: &Facts, whole: bool| {
            if whole {
                !facts.is_quiet_group(id)
            } else {
                facts.is_busy_group(id)
            }
        };
        let Some(facts) = self.facts(api, holds).await? else {
            return Ok(false);
        };
        let quiet = facts.is_quiet_group(id);
        self.avoid(u64::from(quiet));
        Ok(quiet)
    }

    /// What need not be asked about a group. Roles that are known to be none
    /// count only together with the members: else they are their own question.
    pub async fn group(&self, api: &Arc<Api>, id: &str) -> Result<KnownGroup> {
        let unknown = |facts: &Facts, whole: bool| whole && facts.members(id).is_none();
        let Some(facts) = self.facts(api, unknown).await? else {
            return Ok(KnownGroup::default());
        };
        let Some(members) = facts.members(id) else {
            return Ok(KnownGroup::default());
        };
        let quiet = facts.is_quiet_group(id);
        let pages = members.len().div_ceil(DIRECTORY_PAGE as usize).max(1);
        self.avoid(pages as u64 + u64::from(quiet));
        Ok(KnownGroup {
            members: Some(members.map(str::to_owned).collect()),
            quiet,
        })
    }

    fn avoid(&self, requests: u64) {
        self.avoided.fetch_add(requests, Ordering::Relaxed);
    }

    /// The overview, if the run goes by it. `None` comes as soon as
    /// `asked_anyway` says so of what is known: of a part of the facts, or of
    /// all of them while they are checked.
    async fn facts(
        &self,
        api: &Arc<Api>,
        asked_anyway: impl Fn(&Facts, bool) -> bool + Send,
    ) -> Result<Option<Arc<Facts>>> {
        if self.wanted == RequestPlan::Plain {
            return Ok(None);
        }
        let Some(mut stage) = self.begun(api, false).await? else {
            return Ok(None);
        };
        loop {
            match &*stage.borrow_and_update() {
                Stage::Gathering(facts) if asked_anyway(facts, false) => return Ok(None),
                Stage::Checking(facts) if asked_anyway(facts, true) => return Ok(None),
                Stage::Gathering(_) | Stage::Checking(_) => {}
                Stage::Settled(Verdict::By(facts)) => return Ok(Some(Arc::clone(facts))),
                Stage::Settled(Verdict::Plain(_)) => return Ok(None),
                Stage::Failed(error, code, text) => {
                    return Err(overview::failure(error, *code, text));
                }
            }
            if stopping::unless_stopped(stage.changed()).await?.is_err() {
                let detail = "the overview of users and groups ended early";
                return Err(Error::stated(Code::Internal, detail));
            }
        }
    }

    /// The overview of this sync, which is begun if it pays: `many` says that
    /// it does.
    async fn begun(&self, api: &Arc<Api>, many: bool) -> Result<Option<watch::Receiver<Stage>>> {
        let kept = self.kept().await?;
        let mut held = locked(&self.overview);
        let known = held.as_ref();
        if let Some(known) = known.filter(|known| known.salt == kept.salt && !known.has_failed()) {
            return Ok(Some(known.stage.clone()));
        }
        let pays =
            many || kept.is_decided() || self.asked.fetch_add(1, Ordering::Relaxed) >= ASKED_FIRST;
        if !pays {
            return Ok(None);
        }
        let taking = Taking {
            api: Arc::clone(api),
            session: self.session.clone(),
            kept,
            spent: Arc::clone(&self.spent),
        };
        let overview = taking.start();
        let stage = overview.stage.clone();
        *held = Some(overview);
        Ok(Some(stage))
    }

    /// What the sync keeps, made when it begins. Without a store (a call
    /// outside a sync) there is nothing to keep.
    async fn kept(&self) -> Result<Kept> {
        let _drawing = self.drawing.lock().await;
        match self.session.get_json(KEY).await {
            Ok(Some(kept)) => Ok(kept),
            Ok(None) => {
                let kept = Kept::new(self.random.next_u64());
                self.session.set_json(KEY, &kept).await?;
                Ok(kept)
            }
            Err(error) if error.code() == Code::FailedPrecondition => Ok(Kept::new(0)),
            Err(error) => Err(error),
        }
    }

    /// Why the plan was given up, if it was.
    fn reason(&self) -> Option<String> {
        let held = locked(&self.overview);
        match &*held.as_ref()?.stage.borrow() {
            Stage::Settled(Verdict::Plain(reason)) => Some(reason.clone()),
            _ => None,
        }
    }
}

impl Planner for Plan {
    fn remarks(&self) -> Remarks {
        if self.wanted == RequestPlan::Plain {
            return Remarks::default();
        }
        let given_up = self.reason();
        Remarks {
            warnings: given_up
                .map(|reason| format!("every user and group was asked about, since {reason}"))
                .into_iter()
                .collect(),
            planning: Some(Planning {
                spent: self.spent.load(Ordering::Relaxed),
                avoided: self.avoided.load(Ordering::Relaxed),
            }),
        }
    }

    fn end_run(&self) {
        // The task of an overview ends here, so that it counts no more.
        *locked(&self.overview) = None;
        for counter in [&self.asked, &*self.spent, &self.avoided] {
            counter.store(0, Ordering::Relaxed);
        }
        locked(&self.uncounted).clear();
        // A call that holds the lock is of a run that has ended.
        if let Ok(mut counted) = self.counted_once.try_lock() {
            counted.clear();
        }
    }
}
