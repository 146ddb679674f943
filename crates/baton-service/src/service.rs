//! The loop over tasks (`service-mode.md` §2.3), and its end.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_connector::{ChangeSettings, Connector};
use baton_grpc::methods::connector_v2::connector_service::VALIDATE;
use baton_grpc::{CallOptions, InProcess, Status};
use baton_proto::c1::connector::v2::ConnectorServiceValidateRequest;
use baton_proto::c1::connectorapi::baton::v1::task::TaskType;
use baton_proto::c1::connectorapi::baton::v1::{BatonServiceHelloRequest as Hello, Task};
use baton_proto::{Code, panic_text};
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span, field};

use crate::activity::Activity;
use crate::api::{Api, Polled};
use crate::batch::{Batch, Step};
use crate::connected::{Connected, Connectors};
use crate::deliver::{Undelivered, deliver};
use crate::error::{ApiError, Error};
use crate::finish::{Failure, Outcome, is_finishable};
use crate::hello::{hello, hello_until_accepted};
use crate::kind::TaskKind;
use crate::observe::{Observers, ServiceEvent, ServiceObserver, TaskFailure};
use crate::slots::{Slot, Slots};
use crate::sync_full::{FullSyncs, Order, SyncSettings, stopping};
use crate::tasks;

/// The longest wait that the service can ask for.
const LONGEST_POLL: Duration = Duration::from_mins(5);
/// The shortest wait when there is nothing to do.
const SHORTEST_POLL: Duration = Duration::from_millis(100);
/// The longest wait after errors.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(1);
/// A task other than a sync that takes longer is given up.
const TASK_LIMIT: Duration = Duration::from_mins(90);
/// How long writes on the wire may take when the service stops.
const TO_END: Duration = Duration::from_secs(25);
/// How long reports may take after that.
const TO_REPORT: Duration = Duration::from_millis(3500);
/// How long an answer with tasks is awaited when the service stops.
const TO_POLL: Duration = Duration::from_secs(2);

/// How the changes of a task are made, and who records them.
pub type ChangesOf = Arc<dyn Fn(&Task) -> ChangeSettings + Send + Sync>;

/// Settings of a service.
pub struct Settings {
    /// Names the folder of the service.
    pub client_id: String,
    /// How the program introduces itself; without metadata and ids.
    pub hello: Hello,
    /// Tasks at once, at least 1.
    pub slots: usize,
    /// Ask for several tasks at a time.
    pub batch: bool,
    /// How full syncs are made.
    pub syncs: SyncSettings,
    /// How the changes of a task are made.
    pub changes: ChangesOf,
    /// Who is notified of what the service does.
    pub observers: Vec<Arc<dyn ServiceObserver>>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("client_id", &self.client_id)
            .field("slots", &self.slots)
            .field("batch", &self.batch)
            .field("syncs", &self.syncs)
            .finish_non_exhaustive()
    }
}

/// A connector as a service of ConductorOne. Clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

struct Inner {
    api: Api,
    hello: Hello,
    batch: bool,
    slots: Slots,
    connectors: Mutex<Connectors>,
    syncs: FullSyncs,
    changes: ChangesOf,
    observers: Observers,
    state: Mutex<State>,
    tasks: TaskTracker,
    /// Polling ends, and so does what can be repeated.
    stop: CancellationToken,
    /// Nothing is awaited but reports.
    abandon: CancellationToken,
    accepted: tokio::sync::watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    /// Ids of tasks that have not been reported.
    running: BTreeSet<String>,
    undelivered: Undelivered,
}

impl Service {
    /// A service that has not begun. `calls` are the services of the connector in this
    /// process.
    pub fn new(
        api: Api,
        connector: Arc<dyn Connector>,
        calls: InProcess,
        settings: Settings,
    ) -> Self {
        let observers = Observers::new(settings.observers);
        Self(Arc::new(Inner {
            api,
            hello: settings.hello,
            batch: settings.batch,
            slots: Slots::new(settings.slots.max(1)),
            connectors: Mutex::new(Connectors::new(connector, calls)),
            syncs: FullSyncs::new(settings.syncs, &settings.client_id, observers.clone()),
            changes: settings.changes,
            observers,
            state: Mutex::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            abandon: CancellationToken::new(),
            accepted: tokio::sync::watch::channel(false).0,
        }))
    }

    /// Whether the service has accepted this program, and it does not stop.
    pub fn is_ready(&self) -> bool {
        *self.0.accepted.borrow() && !self.0.stop.is_cancelled()
    }

    /// What the service does now.
    pub fn activity(&self) -> Activity {
        if self.0.stop.is_cancelled() {
            return Activity::Stopping;
        }
        if !*self.0.accepted.borrow() {
            return Activity::Calling;
        }
        match self.0.state().running.len() {
            0 => Activity::Asking,
            tasks => Activity::Running(tasks),
        }
    }

    /// Whether the connector of tasks that begin now accepts its settings and credentials.
    ///
    /// # Errors
    /// Why not; `DeadlineExceeded` after `limit`.
    pub async fn validate(&self, limit: Duration) -> Result<(), Status> {
        let connected = self.0.connected();
        let request = ConnectorServiceValidateRequest::default();
        let options = CallOptions {
            deadline: Some(Instant::now() + limit),
            ..CallOptions::default()
        };
        connected.calls.call(VALIDATE, &request, options).await?;
        Ok(())
    }

    /// The connector of tasks that begin now, and those before it whose actions may still
    /// run.
    pub fn connectors(&self) -> Vec<Arc<dyn Connector>> {
        let all = self.0.all_connected();
        all.iter().map(|one| Arc::clone(&one.connector)).collect()
    }

    /// Carries later tasks out with another connector, such as one with new
    /// credentials. Tasks under way keep theirs, and so do actions; the oldest of several
    /// connectors gives way.
    pub fn replace_connector(&self, connector: Arc<dyn Connector>, calls: InProcess) {
        self.0.lock_connectors().replace(connector, calls);
    }

    /// Introduces the program and carries out tasks until `stop`. Then it asks for no
    /// more tasks, cancels what can be repeated, gives writes on the wire up to 25 s,
    /// reports the outcomes, and ends.
    ///
    /// # Errors
    /// The service refuses the program, or the folder for syncs cannot be made.
    pub async fn run(&self, stop: CancellationToken) -> Result<(), Error> {
        let inner = &self.0;
        inner.syncs.make_folder()?;
        let connected = inner.connected();
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            accepted = hello_until_accepted(&inner.api, &connected, &inner.hello) => accepted?,
        }
        drop(connected);
        inner.accepted.send_replace(true);
        inner.observers.notify(&ServiceEvent::Accepted);
        tracing::info!("the service accepted this program: asking for tasks");
        Inner::poll(inner, &stop).await;
        inner.end().await;
        Ok(())
    }
}

/// What an answer means for the loop.
struct Next {
    task: Option<Task>,
    wait: Duration,
}

impl Inner {
    fn lock_connectors(&self) -> MutexGuard<'_, Connectors> {
        // They are whole whatever happened to a thread that held them.
        self.connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// All connectors, the one of new tasks first.
    fn all_connected(&self) -> Vec<Arc<Connected>> {
        let connectors = self.lock_connectors();
        let mut all = vec![connectors.current()];
        all.extend(connectors.earlier());
        all
    }

    fn connected(&self) -> Arc<Connected> {
        self.lock_connectors().current()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Both parts are whole whatever happened to a thread that held them.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn poll(self: &Arc<Self>, stop: &CancellationToken) {
        let mut batch = self.batch.then(Batch::default);
        let mut wait = Duration::ZERO;
        let mut errors: u32 = 0;
        loop {
            let free = async {
                sleep(wait).await;
                self.slots.take().await
            };
            let slot = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                slot = free => slot,
            };
            let polling = tracing::info_span!(parent: None, "poll");
            let asked = self.next(batch.as_mut()).instrument(polling);
            let next = tokio::select! {
                biased;
                next = asked => next,
                // Tasks that are handed out now would stay open.
                () = late(stop) => break,
            };
            match next {
                Ok(next) => {
                    errors = 0;
                    wait = next.wait;
                    if let Some(task) = next.task {
                        self.start(task, slot);
                    }
                }
                Err(error) => {
                    self.poll_failed(&error);
                    errors = errors.saturating_add(1);
                    let seconds = u64::from(errors).saturating_mul(u64::from(errors));
                    wait = Duration::from_secs(seconds).min(LONGEST_BACK_OFF);
                    tracing::warn!(
                        error = %baton_proto::causes::one_line(&error),
                        wait_seconds = wait.as_secs(),
                        "asking for tasks failed"
                    );
                }
            }
        }
        self.stop.cancel();
        // Tasks that were handed out and have not begun.
        for task in batch.map(Batch::into_tasks).unwrap_or_default() {
            let slot = self.slots.none();
            self.start(task, slot);
        }
    }

    /// Asks for the next task.
    async fn next(&self, batch: Option<&mut Batch>) -> Result<Next, ApiError> {
        let Some(batch) = batch else {
            let Polled { tasks, next_poll } = self.api.task().await?;
            let task = tasks.into_iter().find(is_something);
            let wait = next_poll.min(LONGEST_POLL);
            let wait = match task {
                Some(_) => wait,
                None => wait.max(SHORTEST_POLL),
            };
            return Ok(Next { task, wait });
        };
        let running: Vec<String> = self.state().running.iter().cloned().collect();
        let step = match batch.step(self.slots.count(), &running, Instant::now()) {
            Step::Ask {
                ready,
                count,
                known,
            } => {
                match self.api.tasks(count, known.clone()).await {
                    Ok(Polled { tasks, next_poll }) => {
                        let wait = next_poll.min(LONGEST_POLL);
                        batch.answered(tasks, &known, wait, Instant::now());
                    }
                    Err(error) if ready.is_none() => return Err(error),
                    Err(error) => {
                        self.poll_failed(&error);
                        tracing::warn!(error = %error, "asking for tasks failed");
                    }
                }
                batch.after(ready, Instant::now())
            }
            step => step,
        };
        Ok(match step {
            Step::Task(task) => Next {
                task: Some(task),
                wait: Duration::ZERO,
            },
            Step::Wait(wait) => Next { task: None, wait },
            // `after` never asks.
            Step::Ask { ready, .. } => Next {
                task: ready,
                wait: SHORTEST_POLL,
            },
        })
    }

    fn poll_failed(&self, error: &ApiError) {
        let code = error.code();
        self.observers.notify(&ServiceEvent::PollFailed { code });
    }

    /// Carries a task out in the background.
    fn start(self: &Arc<Self>, task: Task, slot: Slot) {
        let kind = TaskKind::of(task.task_type.as_ref());
        let task_id = task.id.as_str();
        if !is_finishable(task_id) {
            tracing::error!(
                task_id,
                task_type = kind.name(),
                "a task is dropped: its id is not one that can be reported"
            );
            return;
        }
        if !self.state().running.insert(task.id.clone()) {
            tracing::warn!(task_id, "a task came again while it is carried out");
            return;
        }
        // Log lines take the fields from it, whatever their level is.
        let span = tracing::error_span!(
            parent: None,
            "task",
            otel.status_code = field::Empty,
            task_id,
            task_type = kind.name(),
            error.type = field::Empty,
        );
        let inner = Arc::clone(self);
        let work = async move { inner.carry_out_and_report(task, kind, slot).await };
        self.tasks.spawn(work.instrument(span));
    }

    async fn carry_out_and_report(&self, task: Task, kind: TaskKind, mut slot: Slot) {
        let task_id = task.id.as_str();
        let began = Instant::now();
        tracing::info!(task_id, task_type = kind.name(), "a task began");
        let kept = self.state().undelivered.take(task_id);
        let report = match kept {
            Some(report) => Some(report),
            None => {
                self.observers.notify(&ServiceEvent::TaskBegan { kind });
                let work = AssertUnwindSafe(self.carry_out(&task, &mut slot)).catch_unwind();
                let outcome = tokio::select! {
                    biased;
                    outcome = work => outcome.unwrap_or_else(|panic| {
                        tracing::error!(task_id, panic = panic_text(&*panic), "a task panicked");
                        let text = "Internal Server Error";
                        Some(Failure::retryable(Code::Internal, text).for_good().into())
                    }),
                    () = self.abandon.cancelled() => Some(abandoned().into()),
                };
                let took = began.elapsed();
                self.observers.notify(&ServiceEvent::TaskEnded {
                    kind,
                    took,
                    failure: TaskFailure::of(outcome.as_ref()),
                });
                outcome.map(|outcome| {
                    log(&outcome, task_id, kind, took);
                    outcome.into_report(self.api.host_id(), task_id)
                })
            }
        };
        let Some(report) = report else {
            self.state().running.remove(task_id);
            return;
        };
        let delivered = deliver(&self.api, &report).await;
        if let Err(error) = &delivered {
            let code = error.code();
            let lost = ServiceEvent::ReportLost { kind, code };
            self.observers.notify(&lost);
        }
        let mut state = self.state();
        state.running.remove(task_id);
        if let Err(error) = delivered {
            tracing::error!(
                task_id,
                task_type = kind.name(),
                error = %baton_proto::causes::one_line(&error),
                "the service did not accept the report of a task"
            );
            state.undelivered.keep(report);
        }
    }

    /// The outcome of a task; none if there is nothing to report.
    async fn carry_out(&self, task: &Task, slot: &mut Slot) -> Option<Outcome> {
        if self.stop.is_cancelled() {
            return Some(stopping().into());
        }
        let connected = self.connected();
        match &task.task_type {
            Some(TaskType::None(_)) => None,
            Some(TaskType::Hello(_)) => {
                // The call itself carries the id of the task.
                let greeted = hello(&self.api, &connected, &self.hello, &task.id).await;
                let error = greeted.err()?;
                let text = baton_proto::causes::one_line(&error);
                Some(Failure::retryable(error.code(), text).into())
            }
            Some(TaskType::SyncFull(sync)) => {
                let order = Order {
                    task_id: &task.id,
                    task: sync,
                    debug: task.debug,
                };
                let connector = Arc::clone(&connected.connector);
                let outcome = self
                    .syncs
                    .carry_out(&self.api, connector, order, slot, &self.stop);
                Some(outcome.await)
            }
            _ => {
                let options = CallOptions {
                    deadline: Some(Instant::now() + TASK_LIMIT),
                    cancel: self.stop.clone(),
                    changes: (self.changes)(task),
                };
                let mut outcome = tasks::carry_out(task, &connected.calls, options.clone()).await;
                if matches!(task.task_type, Some(TaskType::ActionStatus(_))) {
                    // An action belongs to the connector that began it.
                    let earlier = self.lock_connectors().earlier();
                    for earlier in earlier {
                        if !is_not_found(&outcome) {
                            break;
                        }
                        outcome = tasks::carry_out(task, &earlier.calls, options.clone()).await;
                    }
                }
                Some(match outcome {
                    // It ended before anything was changed, and can come again.
                    Outcome::Failure(failure)
                        if self.stop.is_cancelled() && failure.status.code == Code::Canceled =>
                    {
                        stopping().into()
                    }
                    outcome => outcome,
                })
            }
        }
    }

    /// Waits for tasks, within the time that a stop may take.
    async fn end(&self) {
        self.tasks.close();
        let connected = self.all_connected();
        let calls = join_all(connected.iter().map(|one| one.calls.stop(TO_END)));
        let ended = async {
            tokio::join!(self.tasks.wait(), self.syncs.ended(), calls);
        };
        if timeout(TO_END, ended).await.is_err() {
            tracing::warn!("tasks did not end in time");
            self.abandon.cancel();
            if timeout(TO_REPORT, self.tasks.wait()).await.is_err() {
                tracing::error!("the outcomes of some tasks were not reported");
            }
        }
    }
}

fn is_not_found(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failure(failure) if failure.status.code == Code::NotFound)
}

/// Some time after the service was asked to stop.
async fn late(stop: &CancellationToken) {
    stop.cancelled().await;
    sleep(TO_POLL).await;
}

fn is_something(task: &Task) -> bool {
    !matches!(task.task_type, Some(TaskType::None(_)))
}

fn abandoned() -> Failure {
    let text = "the service stopped before the task ended; whether a change was made is not known";
    Failure::retryable(Code::Canceled, text)
}

fn log(outcome: &Outcome, task_id: &str, kind: TaskKind, took: Duration) {
    let duration = took.as_secs_f64();
    match outcome {
        Outcome::Success { .. } => {
            tracing::info!(task_id, task_type = kind.name(), duration, "a task is done");
        }
        Outcome::Failure(failure) => {
            let code = failure.status.code.name();
            let span = Span::current();
            span.record("otel.status_code", "ERROR");
            span.record("error.type", code);
            tracing::error!(
                task_id,
                task_type = kind.name(),
                duration,
                code,
                error = failure.status.message,
                non_retryable = failure.non_retryable,
                "a task failed"
            );
        }
    }
}
