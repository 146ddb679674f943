//! The overview while it is taken and checked: in a task of its own, beside
//! the lists, so that they do not wait for it.
//!
//! Who asks about an object waits only as long as it may turn out that the
//! object need not be asked about. What the sync keeps is stored before the
//! verdict is given, so before any page that depends on it. The task ends with
//! the value that owns it.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_connector::session::Session;
use baton_connector::{Error, Result};
use baton_proto::Code;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::facts::Facts;
use super::{Decision, KEY, PlanState, check, locked};
use crate::api::{Api, is_unwilling};

/// Bytes of the overview in one session value.
const PIECE: usize = 1 << 20;
/// Most bytes of an overview that is kept; the run that resumes takes a larger
/// one again.
const MOST_KEPT: usize = 64 << 20;

/// How far the overview is.
#[derive(Debug)]
pub(super) enum Progress {
    /// Pages arrive.
    Gathering(Facts),
    /// All are there, and the sample is asked.
    Checking(Arc<Facts>),
    /// What the run goes by.
    Decided(Decision),
    /// It could not be taken. The first who hears of it gets the error.
    Failed(Mutex<Option<Error>>, Code, String),
}

/// An overview that is being taken, or was.
#[derive(Debug)]
pub(super) struct Overview {
    /// The number of the sync that it belongs to.
    pub salt: u64,
    pub stage: watch::Receiver<Progress>,
    task: JoinHandle<()>,
}

impl Drop for Overview {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Overview {
    /// It could not be taken, so another try may be made.
    pub fn has_failed(&self) -> bool {
        matches!(&*self.stage.borrow(), Progress::Failed(..))
    }
}

/// What the task works with.
pub(super) struct OverviewTask {
    pub api: Api,
    pub session: Session,
    pub kept: PlanState,
    /// Requests that the plan has made.
    pub spent: Arc<AtomicU64>,
}

impl OverviewTask {
    /// Starts the task.
    pub fn start(self) -> Overview {
        let salt = self.kept.salt;
        let (sender, stage) = watch::channel(Progress::Gathering(Facts::default()));
        let task = tokio::spawn(async move {
            let last = match self.judge(&sender).await {
                Ok(verdict) => Progress::Decided(verdict),
                Err(error) => {
                    let (code, text) = (error.code(), error.to_string());
                    Progress::Failed(Mutex::new(Some(error)), code, text)
                }
            };
            sender.send_replace(last);
        });
        Overview { salt, stage, task }
    }

    /// Takes the overview and checks it, if an earlier run has not.
    async fn judge(&self, stage: &watch::Sender<Progress>) -> Result<Decision> {
        if let Some(reason) = &self.kept.given_up {
            return Ok(Decision::Plain(reason.clone()));
        }
        if let Some(facts) = self.recall().await? {
            return Ok(Decision::By(Arc::new(facts)));
        }
        let begun = PlanState {
            begun: true,
            ..self.kept.clone()
        };
        self.keep(&begun).await?;
        let during = |error: Error| error.during("cannot take the overview of users and groups");
        let mut gathered = self.gather(stage).await;
        if matches!(&gathered, Err(error) if error.status() == Some(400)) {
            // The cursor of a long list can die on the way: once more from its beginning.
            gathered = self.gather(stage).await;
        }
        let facts = match gathered {
            Ok(facts) => Arc::new(facts),
            Err(error) if is_unwilling(&error) => {
                return self
                    .give_up(format!("the searches give no overview: {error}"))
                    .await;
            }
            Err(error) => return Err(during(error)),
        };
        stage.send_replace(Progress::Checking(Arc::clone(&facts)));
        let checked = check::check(&self.api, &facts, self.kept.salt).await;
        let checked = checked.map_err(during)?;
        self.spent.fetch_add(checked.requests, Ordering::Relaxed);
        if let Some(reason) = checked.mismatch {
            return self.give_up(reason).await;
        }
        tracing::info!(
            users_without_roles = facts.users_without_roles().count(),
            groups_without_roles = facts.groups_without_roles().count(),
            whole_groups = facts.whole_groups().count(),
            checked = checked.requests,
            "the overview of users and groups agrees with plain requests"
        );
        self.remember(&facts).await?;
        Ok(Decision::By(facts))
    }

    async fn gather(&self, stage: &watch::Sender<Progress>) -> Result<Facts> {
        stage.send_replace(Progress::Gathering(Facts::default()));
        let note = |take: &mut dyn FnMut(&mut Facts)| {
            stage.send_modify(|stage| {
                if let Progress::Gathering(facts) = stage {
                    take(facts);
                }
            });
        };
        let groups = self.api.overview_groups(|group| {
            let mut group = Some(group);
            note(&mut |facts| group.take().into_iter().for_each(|g| facts.note_group(g)));
        });
        let groups = groups.await?;
        let users = self.api.overview_users(|user| {
            let mut user = Some(user);
            note(&mut |facts| user.take().into_iter().for_each(|u| facts.note_user(u)));
        });
        let users = users.await?;
        self.spent.fetch_add(groups + users, Ordering::Relaxed);
        match stage.send_replace(Progress::Gathering(Facts::default())) {
            Progress::Gathering(facts) => Ok(facts.finish()),
            _ => Ok(Facts::default()),
        }
    }

    /// The rest of the sync goes by the plain plan, also after an interruption.
    async fn give_up(&self, reason: String) -> Result<Decision> {
        tracing::warn!(
            reason,
            "the overview cannot be relied on: asking about every user and group instead"
        );
        let kept = PlanState {
            given_up: Some(reason.clone()),
            ..PlanState::new(self.kept.salt)
        };
        self.keep(&kept).await?;
        Ok(Decision::Plain(reason))
    }

    /// Without a store (a call outside a sync) there is nothing to keep.
    async fn keep(&self, kept: &PlanState) -> Result<()> {
        match self.session.set_json(KEY, kept).await {
            Err(error) if error.code() != Code::FailedPrecondition => Err(error),
            _ => Ok(()),
        }
    }

    /// Keeps a checked overview, so that a run that resumes need not take it
    /// again.
    async fn remember(&self, facts: &Facts) -> Result<()> {
        let bytes = facts.pack();
        if bytes.len() > MOST_KEPT {
            return Ok(());
        }
        let pieces = bytes.chunks(PIECE).enumerate();
        let pieces: Vec<(String, Vec<u8>)> = pieces
            .map(|(place, piece)| (format!("overview/{place}"), piece.to_vec()))
            .collect();
        let kept = PlanState {
            pieces: pieces.len(),
            ..PlanState::new(self.kept.salt)
        };
        let items = pieces
            .iter()
            .map(|(key, piece)| (key.as_str(), piece.clone()));
        match self.session.set_many(items).await {
            Ok(()) => self.keep(&kept).await,
            Err(error) if error.code() == Code::FailedPrecondition => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The overview that was kept, if it is whole.
    async fn recall(&self) -> Result<Option<Facts>> {
        let mut bytes = Vec::new();
        for place in 0..self.kept.pieces {
            match self.session.get(&format!("overview/{place}")).await? {
                Some(piece) => bytes.extend(piece),
                None => return Ok(None),
            }
        }
        Ok(Facts::unpack(&bytes))
    }
}

/// The error of an overview that failed, once; then its words.
pub(super) fn failure(error: &Mutex<Option<Error>>, code: Code, text: &str) -> Error {
    let first = locked(error).take();
    first.unwrap_or_else(|| Error::stated(code, text))
}
