//! Fewer requests for the same facts.
//!
//! The plain plan asks about every user and every group. The automatic plan
//! first takes an overview: both searches with all their expansions, 100
//! objects per request. Whoever is known to hold nothing is then not asked
//! about, and members of groups come from the overview. Before anything is
//! skipped, a sample of what would be is asked plainly; one answer that
//! differs, and the whole run goes by the plain plan.
//!
//! Neither plan shows in the rows, and a list is either skipped (one page) or
//! asked plainly from its first page to its last, so work begun under one plan
//! goes on under another. In the sync's session store are the number that
//! decides who is checked, the overview once it was checked, and why the plan
//! was given up; they are written before the first page that depends on them.
//! Where the overview is missing there, it is taken anew.

mod check;
mod counts;
mod facts;
mod sample;

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::session::Session;
use baton_connector::{Error, Planner, Planning, Random, Remarks, Result};
use baton_proto::Code;
use serde::{Deserialize, Serialize};

use crate::api::{Api, DIRECTORY_PAGE, is_unwilling};
use facts::Facts;

/// Objects that are asked about plainly before the overview is taken: a sync
/// of a few named objects needs none.
const ASKED_FIRST: u64 = 20;

/// Bytes of the overview in one session value.
const PIECE: usize = 1 << 20;
/// Most bytes of an overview that is kept; a larger one is taken anew by whoever
/// resumes.
const MOST_KEPT: usize = 64 << 20;

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
}

/// What the run goes by.
#[derive(Debug, Clone)]
enum Verdict {
    Plain,
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
    asked: AtomicU64,
    spent: AtomicU64,
    avoided: AtomicU64,
    /// The verdict of the sync whose salt stands beside it. Locked while it is
    /// found, so that it is found once.
    verdict: tokio::sync::Mutex<Option<(u64, Verdict)>>,
    given_up: Mutex<Option<String>>,
    /// How the first count of a group's members that failed did so.
    members_uncounted: Mutex<Option<(Code, String)>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Plan {
    pub fn new(wanted: RequestPlan, session: &Session, random: Arc<dyn Random>) -> Self {
        Self {
            wanted,
            session: session.prefixed("request-plan/"),
            random,
            asked: AtomicU64::new(0),
            spent: AtomicU64::new(0),
            avoided: AtomicU64::new(0),
            verdict: tokio::sync::Mutex::new(None),
            given_up: Mutex::new(None),
            members_uncounted: Mutex::new(None),
        }
    }

    /// Whether the user need not be asked about, since there are no roles.
    pub async fn is_quiet_user(&self, api: &Api, id: &str) -> Result<bool> {
        let Some(facts) = self.facts(api).await? else {
            return Ok(false);
        };
        let quiet = facts.is_quiet_user(id);
        self.avoid(u64::from(quiet));
        Ok(quiet)
    }

    /// Whether the group's roles need not be asked for, since there are none.
    pub async fn is_quiet_group(&self, api: &Api, id: &str) -> Result<bool> {
        let Some(facts) = self.facts(api).await? else {
            return Ok(false);
        };
        let quiet = facts.is_quiet_group(id);
        self.avoid(u64::from(quiet));
        Ok(quiet)
    }

    /// What need not be asked about a group. Roles that are known to be none
    /// count only together with the members: else they are their own question.
    pub async fn group(&self, api: &Api, id: &str) -> Result<KnownGroup> {
        let Some(facts) = self.facts(api).await? else {
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

    /// The overview, if the run goes by it.
    async fn facts(&self, api: &Api) -> Result<Option<Arc<Facts>>> {
        if self.wanted == RequestPlan::Plain
            || self.asked.fetch_add(1, Ordering::Relaxed) < ASKED_FIRST
        {
            return Ok(None);
        }
        let mut held = self.verdict.lock().await;
        let kept = self.kept().await?;
        let verdict = match &*held {
            Some((salt, verdict)) if *salt == kept.salt => verdict.clone(),
            _ => {
                let verdict = self.judge(api, &kept).await?;
                *held = Some((kept.salt, verdict.clone()));
                verdict
            }
        };
        drop(held);
        Ok(match verdict {
            Verdict::Plain => None,
            Verdict::By(facts) => Some(facts),
        })
    }

    /// What the sync keeps, made when it begins. Without a store (a call
    /// outside a sync) there is nothing to keep.
    async fn kept(&self) -> Result<Kept> {
        let fresh = |salt| Kept {
            salt,
            given_up: None,
            pieces: 0,
        };
        match self.session.get_json(KEY).await {
            Ok(Some(kept)) => Ok(kept),
            Ok(None) => {
                let kept = fresh(self.random.next_u64());
                self.session.set_json(KEY, &kept).await?;
                Ok(kept)
            }
            Err(error) if error.code() == Code::FailedPrecondition => Ok(fresh(0)),
            Err(error) => Err(error),
        }
    }

    /// Takes the overview and checks it.
    async fn judge(&self, api: &Api, kept: &Kept) -> Result<Verdict> {
        if let Some(reason) = &kept.given_up {
            *self.reason() = Some(reason.clone());
            return Ok(Verdict::Plain);
        }
        if let Some(facts) = self.recall(kept.pieces).await? {
            return Ok(Verdict::By(Arc::new(facts)));
        }
        let during = |error: Error| error.during("cannot take the overview of users and groups");
        let mut overview = self.overview(api).await;
        if matches!(&overview, Err(error) if error.status() == Some(400)) {
            // The cursor of a long list can die on the way: once more from its beginning.
            overview = self.overview(api).await;
        }
        let facts = match overview {
            Ok(facts) => facts,
            Err(error) if is_unwilling(&error) => {
                let reason = format!("the searches give no overview: {error}");
                return self.give_up(kept.salt, reason).await;
            }
            Err(error) => return Err(during(error)),
        };
        let checked = check::check(api, &facts, kept.salt).await.map_err(during)?;
        self.spent.fetch_add(checked.requests, Ordering::Relaxed);
        match checked.mismatch {
            Some(reason) => self.give_up(kept.salt, reason).await,
            None => {
                tracing::info!(
                    quiet_users = facts.quiet_users().count(),
                    quiet_groups = facts.quiet_groups().count(),
                    whole_groups = facts.whole_groups().count(),
                    checked = checked.requests,
                    "the overview of users and groups agrees with plain requests"
                );
                self.remember(kept.salt, &facts).await?;
                Ok(Verdict::By(Arc::new(facts)))
            }
        }
    }

    /// Keeps a checked overview, so that whoever resumes need not take it again.
    async fn remember(&self, salt: u64, facts: &Facts) -> Result<()> {
        let bytes = facts.pack();
        if bytes.len() > MOST_KEPT {
            return Ok(());
        }
        let pieces = bytes.chunks(PIECE).enumerate();
        let pieces: Vec<(String, Vec<u8>)> = pieces
            .map(|(place, piece)| (format!("overview/{place}"), piece.to_vec()))
            .collect();
        let kept = Kept {
            salt,
            given_up: None,
            pieces: pieces.len(),
        };
        let items = pieces
            .iter()
            .map(|(key, piece)| (key.as_str(), piece.clone()));
        let stored = match self.session.set_many(items).await {
            Ok(()) => self.session.set_json(KEY, &kept).await,
            refused => refused,
        };
        match stored {
            Err(error) if error.code() != Code::FailedPrecondition => Err(error),
            _ => Ok(()),
        }
    }

    /// The overview that was kept, if it is whole.
    async fn recall(&self, pieces: usize) -> Result<Option<Facts>> {
        let mut bytes = Vec::new();
        for place in 0..pieces {
            match self.session.get(&format!("overview/{place}")).await? {
                Some(piece) => bytes.extend(piece),
                None => return Ok(None),
            }
        }
        Ok(Facts::unpack(&bytes))
    }

    async fn overview(&self, api: &Api) -> Result<Facts> {
        let mut facts = Facts::default();
        let groups = api.survey_groups(|group| facts.note_group(group)).await?;
        let users = api.survey_users(|user| facts.note_user(user)).await?;
        self.spent.fetch_add(groups + users, Ordering::Relaxed);
        Ok(facts.finish())
    }

    /// The rest of the sync goes by the plain plan, also after an interruption.
    async fn give_up(&self, salt: u64, reason: String) -> Result<Verdict> {
        tracing::warn!(
            reason,
            "the overview cannot be relied on: asking about every user and group instead"
        );
        let kept = Kept {
            salt,
            given_up: Some(reason.clone()),
            pieces: 0,
        };
        match self.session.set_json(KEY, &kept).await {
            Err(error) if error.code() != Code::FailedPrecondition => return Err(error),
            _ => *self.reason() = Some(reason),
        }
        Ok(Verdict::Plain)
    }

    fn reason(&self) -> MutexGuard<'_, Option<String>> {
        locked(&self.given_up)
    }
}

impl Planner for Plan {
    fn remarks(&self) -> Remarks {
        if self.wanted == RequestPlan::Plain {
            return Remarks::default();
        }
        let given_up = self.reason().clone();
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
        for counter in [&self.asked, &self.spent, &self.avoided] {
            counter.store(0, Ordering::Relaxed);
        }
        *self.reason() = None;
        *locked(&self.members_uncounted) = None;
        // Whoever holds the lock is a call of a run that has ended.
        if let Ok(mut verdict) = self.verdict.try_lock() {
            *verdict = None;
        }
    }
}
