//! Runs actions: each in a task of its own, which outlives the call that began
//! it. The connector owns the tasks and cancels them when it is dropped.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use baton_proto::{Code, causes, panic_text};
use futures_util::FutureExt as _;
use prost_types::Struct;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::arguments::Arguments;
use super::engine::{ActionState, Actions, Invoke};
use super::registry::{Registered, Registry, not_found};
use super::table::{Outcome, Table};
use crate::call::{Call, Run};
use crate::change;
use crate::clock::{Clock, Random};
use crate::error::{Error, Result};
use crate::held::Operation;
use crate::ksuid::new_ksuid;

/// How long a call waits for the end if it does not ask for a time.
const DEFAULT_WAIT: Duration = Duration::from_secs(1);
/// How long an action may take, and a call may wait.
const LONGEST: Duration = Duration::from_hours(1);
/// How long an action may take for what it has begun, once it was asked to end: a
/// request with its time limit, and reading back.
const TO_END: Duration = Duration::from_mins(10);

/// The state of an action whose caller is gone.
const CALLER_GONE: &str = "the call was canceled; the action continues";

/// Where the ids of actions come from.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
}

/// The actions of a connector, served.
pub(crate) struct ServedActions {
    registry: Registry,
    ids: Option<Ids>,
    table: Arc<Mutex<Table>>,
    /// Ended when this is dropped.
    tasks: Mutex<JoinSet<()>>,
    /// Asks all actions to end.
    stop: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole whatever happened to a thread that held it.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ServedActions {
    /// Actions whose ids come from `ids`.
    ///
    /// # Errors
    /// Actions without ids.
    pub(crate) fn new(registry: Registry, ids: Option<Ids>) -> Result<Self> {
        if ids.is_none() && !registry.is_empty() {
            return Err(Error::Build {
                what: "a connector with actions".to_owned(),
                reason: "the ids of actions need random numbers",
            });
        }
        Ok(Self {
            registry,
            ids,
            table: Arc::default(),
            tasks: Mutex::default(),
            stop: CancellationToken::new(),
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.registry.is_empty()
    }

    /// Asks all actions to end, and waits until they have. What was sent is
    /// brought to its end.
    pub(crate) async fn end(&self) {
        self.stop.cancel();
        let mut tasks = std::mem::take(&mut *lock(&self.tasks));
        while tasks.join_next().await.is_some() {}
    }

    /// Begins an action; gives its id, and what shows its end.
    fn begin(
        &self,
        call: &Call,
        action: &Registered,
        arguments: Arguments,
    ) -> Result<(String, CancellationToken)> {
        let Some(ids) = &self.ids else {
            return Err(not_found(format!(
                "handler for action {} not found",
                action.name()
            )));
        };
        let id = new_ksuid(ids.clock.now(), ids.random.as_ref());
        if !lock(&self.table).begin(&id, action.name()) {
            let text = "too many actions are under way";
            return Err(Error::stated(Code::ResourceExhausted, text));
        }
        let stop = self.stop.child_token();
        let run = Run::begin(None);
        let own = run
            .call()
            .with_annotations(call.annotations().to_vec())
            .with_changes(call.changes().clone())
            .stopped_by(stop.clone());
        let ended = CancellationToken::new();
        let (table, action) = (Arc::clone(&self.table), action.action());
        let (task_id, shows_end) = (id.clone(), ended.clone());
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move {
            lock(&table).running(&task_id);
            let work = async {
                let creation = action.describe(&own, &arguments).await?;
                let answer =
                    change::create(&own, Operation::Action, creation, |_| Vec::new()).await?;
                Ok(answer.filter(|answer| !answer.fields.is_empty()))
            };
            let outcome = within_limit(work, &stop).await;
            drop(run);
            lock(&table).finish(&task_id, outcome);
            shows_end.cancel();
        });
        Ok((id, ended))
    }
}

/// Drives an action to its end. After the longest time it is asked to end; if it
/// does not, once it was asked, it is dropped.
async fn within_limit(
    work: impl Future<Output = Result<Option<Struct>>>,
    stop: &CancellationToken,
) -> Outcome {
    let work = AssertUnwindSafe(work).catch_unwind();
    tokio::pin!(work);
    let asked_because = tokio::select! {
        biased;
        // First, since the work ends at the same moment.
        () = stop.cancelled() => "the connector is to stop",
        () = sleep(LONGEST) => "time limit of 1 h reached",
        done = &mut work => return outcome(done),
    };
    stop.cancel();
    match timeout(TO_END, work).await {
        Ok(done) => outcome(done).map_err(|failure| format!("{asked_because}: {failure}")),
        Err(_) => Err(format!("{asked_because}; the action did not end")),
    }
}

fn outcome(done: std::thread::Result<Result<Option<Struct>>>) -> Outcome {
    match done {
        Ok(answered) => answered.map_err(|error| causes::one_line(&error)),
        Err(panic) => Err(format!("panic in action handler: {}", panic_text(&*panic))),
    }
}

/// A call that waits for the end of its action. If it ends earlier, the action
/// counts as failed for now.
struct Waiting<'a> {
    table: &'a Mutex<Table>,
    id: &'a str,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered {
            lock(self.table).fail_for_now(self.id, CALLER_GONE);
        }
    }
}

#[async_trait]
impl Actions for ServedActions {
    async fn schemas(
        &self,
        _call: &Call,
        type_id: Option<&str>,
    ) -> Result<Vec<v2::BatonActionSchema>> {
        Ok(self.registry.schemas(type_id))
    }

    async fn schema(&self, _call: &Call, name: &str) -> Result<v2::BatonActionSchema> {
        self.registry.schema(name)
    }

    async fn invoke(&self, call: &Call, wanted: Invoke<'_>) -> Result<ActionState> {
        let action = self.registry.find(wanted.type_id, wanted.name)?;
        let arguments = action.checked(wanted.arguments)?;
        if call.stop().is_cancelled() {
            return Err(Call::stopped_error());
        }
        let (id, ended) = self.begin(call, action, arguments)?;
        let mut waiting = Waiting {
            table: &self.table,
            id: &id,
            answered: false,
        };
        let wait = match wanted.inline_wait {
            Duration::ZERO => DEFAULT_WAIT,
            wait => wait.min(LONGEST),
        };
        // Over is over: either the action has ended, or it is still under way.
        let _ = call
            .unless_stopped(timeout(wait, ended.cancelled()))
            .await?;
        waiting.answered = true;
        self.status(call, &id).await
    }

    async fn status(&self, _call: &Call, id: &str) -> Result<ActionState> {
        let state = lock(&self.table).state(id);
        state.ok_or_else(|| not_found(format!("action id {id} not found")))
    }
}
