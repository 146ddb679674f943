//! Full syncs: heartbeats, the sync itself, the upload of its file
//! (`service-mode.md` §2.7).

mod folder;
mod heartbeat;
mod observe;
mod options;
mod running;

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use baton_connector::{Clock, Connector, Random};
use baton_grpc::Status;
use baton_proto::c1::connectorapi::baton::v1::task::SyncFullTask;
use baton_proto::{Code, causes};
use baton_sync::{Completeness, Report, SkipKind, SyncHost, SyncRequest};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::api::Api;
use crate::error::ApiError;
use crate::finish::{Failure, Outcome};
use crate::observe::{Observers, ServiceEvent, UploadKind};
use crate::slots::Slot;
use folder::{Folder, Lock, free_bytes, remove};
use heartbeat::Heartbeats;
use observe::Watch;
use running::Measured;

/// A sync that gets nothing from its connector for so long is given up.
const STALL_LIMIT: Duration = Duration::from_hours(1);
/// How long a sync gets to end after it was cancelled.
const TO_END: Duration = Duration::from_mins(1);
/// Attempts of an upload, and the waits between them.
const UPLOAD_WAITS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(1)];
/// Lists that the text of a partial sync names.
const NAMED: usize = 5;

/// The sync engine: [`baton_sync::run`], or a substitute in tests.
pub type Engine = Arc<
    dyn Fn(
            Arc<dyn Connector>,
            SyncRequest,
            SyncHost,
        ) -> Pin<Box<dyn Future<Output = baton_sync::Result<Report>> + Send>>
        + Send
        + Sync,
>;

/// Writes what is logged to a file as well, at level debug, until the guard is dropped.
pub trait DebugLog: Send + Sync {
    /// Begins the file, which is empty then.
    ///
    /// # Errors
    /// The file cannot be made.
    fn begin(&self, path: &Path) -> std::io::Result<Box<dyn Send>>;
}

/// What full syncs are made with.
#[derive(Clone)]
pub struct SyncSettings {
    /// Everything about a sync that the task does not decide. Its target is not used.
    pub request: SyncRequest,
    /// What runs it.
    pub engine: Engine,
    /// Wall clock.
    pub clock: Arc<dyn Clock>,
    /// Random source of ids.
    pub random: Arc<dyn Random>,
    /// Where the service has its folder.
    pub temp_dir: PathBuf,
    /// The log of tasks that ask for one.
    pub debug_log: Arc<dyn DebugLog>,
}

impl std::fmt::Debug for SyncSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncSettings")
            .field("request", &self.request)
            .field("temp_dir", &self.temp_dir)
            .finish_non_exhaustive()
    }
}

/// Full syncs of a service, one at a time.
pub(crate) struct FullSyncs {
    settings: SyncSettings,
    folder: Folder,
    /// Who holds it uses the folder.
    turn: Arc<Mutex<()>>,
    /// Syncs that have not ended, also those whose task has.
    running: TaskTracker,
    observers: Observers,
}

/// What a sync is of.
pub(crate) struct Order<'t> {
    pub(crate) task_id: &'t str,
    pub(crate) task: &'t SyncFullTask,
    pub(crate) debug: bool,
}

/// The right to use the folder, among the tasks of this process and among processes.
type Turn = (OwnedMutexGuard<()>, Lock);

impl FullSyncs {
    pub(crate) fn new(settings: SyncSettings, client_id: &str, observers: Observers) -> Self {
        let folder = Folder::of(&settings.temp_dir, client_id, free_bytes);
        Self {
            settings,
            folder,
            turn: Arc::default(),
            running: TaskTracker::new(),
            observers,
        }
    }

    /// Makes the folder, so that a program that cannot work ends at its start.
    pub(crate) fn make_folder(&self) -> Result<(), crate::Error> {
        self.folder.make().map_err(|source| crate::Error::Folder {
            path: self.folder.path().to_owned(),
            source,
        })
    }

    /// Carries a task out, until it is done, cancelled, or the service stops.
    pub(crate) async fn carry_out(
        &self,
        api: &Api,
        connector: Arc<dyn Connector>,
        order: Order<'_>,
        slot: &mut Slot,
        stop: &CancellationToken,
    ) -> Outcome {
        let heartbeats = match Heartbeats::begin(api, order.task_id, &self.observers).await {
            Ok(heartbeats) => heartbeats,
            Err(failure) => return failure.into(),
        };
        // Dropping the work cancels it.
        let failure = tokio::select! {
            biased;
            done = self.sync_and_upload(api, connector, order, slot) => {
                match done {
                    Ok(()) => return Outcome::done(),
                    Err(failure) => failure,
                }
            }
            ended = heartbeats.ended() => ended.failure(),
            () = stop.cancelled() => stopping(),
        };
        failure.into()
    }

    /// Waits until syncs that were cancelled have ended.
    pub(crate) async fn ended(&self) {
        self.running.close();
        self.running.wait().await;
    }

    async fn sync_and_upload(
        &self,
        api: &Api,
        connector: Arc<dyn Connector>,
        order: Order<'_>,
        slot: &mut Slot,
    ) -> Result<(), Failure> {
        let Order {
            task_id,
            task,
            debug,
        } = order;
        let mut request = self.settings.request.clone();
        options::apply(task, &mut request)?;
        let guard = self.turn(task_id, slot).await;
        let folder = self.folder.clone();
        let prepared = tokio::task::spawn_blocking(move || folder.prepare()).await;
        let lock = prepared
            .unwrap_or_else(|_| Err(Failure::retryable(Code::Internal, "cannot prepare")))?;
        let log = self.begin_log(debug)?;
        request.target = self.folder.target();
        request.temp_dir = Some(self.folder.path().to_owned());
        let allow_partial = request.allow_partial;
        let (turn, report) = self.run(connector, request, (guard, lock)).await?;
        if report.completeness == Completeness::Partial && !allow_partial {
            self.clear();
            return Err(partial(&report));
        }
        let size = tokio::fs::metadata(&report.path).await;
        let size = size.map_or(0, |metadata| metadata.len());
        self.upload(api, task_id, UploadKind::SyncFile, &report.path)
            .await?;
        self.folder.keep_size(size);
        drop(log);
        if debug {
            let path = self.folder.debug_log();
            self.upload(api, task_id, UploadKind::DebugLog, &path)
                .await?;
        }
        self.clear();
        drop(turn);
        Ok(())
    }

    /// Waits for the turn of a sync, without a slot if another sync is under way.
    async fn turn(&self, task_id: &str, slot: &mut Slot) -> OwnedMutexGuard<()> {
        if let Ok(turn) = Arc::clone(&self.turn).try_lock_owned() {
            return turn;
        }
        tracing::info!(task_id, "the sync waits for the one before");
        slot.give_back();
        let turn = Arc::clone(&self.turn).lock_owned().await;
        slot.take().await;
        turn
    }

    fn begin_log(&self, debug: bool) -> Result<Option<Box<dyn Send>>, Failure> {
        let path = self.folder.debug_log();
        // What another task left behind is not of this one.
        let log = remove(&path).and_then(|()| {
            if debug {
                self.settings.debug_log.begin(&path).map(Some)
            } else {
                Ok(None)
            }
        });
        log.map_err(|error| {
            let text = format!("cannot begin the debug log {}: {error}", path.display());
            Failure::retryable(Code::Unknown, text)
        })
    }

    /// Runs the engine in a task of its own, which holds the turn until it has ended.
    async fn run(
        &self,
        connector: Arc<dyn Connector>,
        request: SyncRequest,
        turn: Turn,
    ) -> Result<(Turn, Report), Failure> {
        let cancel = CancellationToken::new();
        let _cancelled_when_dropped = cancel.clone().drop_guard();
        let watch = Arc::new(Watch::new());
        let host = SyncHost {
            clock: Arc::clone(&self.settings.clock),
            random: Arc::clone(&self.settings.random),
            cancel: cancel.clone(),
            observer: Arc::clone(&watch) as Arc<dyn baton_sync::Observer>,
        };
        let work = (self.settings.engine)(connector, request, host);
        let mut measured = Measured::begin(self.observers.clone());
        let work = async move {
            let ended = tokio::select! {
                biased;
                ended = work => Some(ended),
                () = overdue(&cancel) => None,
            };
            if let Some(ended) = &ended {
                measured.end(ended);
            }
            (turn, ended)
        };
        let mut running = self.running.spawn(work.in_current_span());
        let ended = tokio::select! {
            biased;
            ended = &mut running => ended,
            () = watch.stalled(STALL_LIMIT) => {
                let minutes = STALL_LIMIT.as_secs() / 60;
                let text = format!("the connector gave nothing for {minutes} min");
                return Err(Failure::retryable(Code::DeadlineExceeded, text));
            }
        };
        match ended {
            Ok((turn, Some(Ok(report)))) => Ok((turn, report)),
            Ok((_, Some(Err(error)))) => Err(failed(&error)),
            // Only a panic of the engine ends it here: who cancels it does not wait.
            Ok((_, None)) | Err(_) => {
                Err(Failure::retryable(Code::Internal, "Internal Server Error"))
            }
        }
    }

    /// Uploads a file in up to three attempts.
    async fn upload(
        &self,
        api: &Api,
        task_id: &str,
        kind: UploadKind,
        path: &Path,
    ) -> Result<(), Failure> {
        let mut waits = UPLOAD_WAITS.iter();
        loop {
            let observers = self.observers.clone();
            let uploading = move |bytes| observers.notify(&ServiceEvent::Uploading { kind, bytes });
            let span = tracing::info_span!("upload", file = kind.name());
            let uploaded = api.upload(task_id, path, uploading).instrument(span).await;
            let code = uploaded.as_ref().map_or_else(ApiError::code, |()| Code::Ok);
            self.observers
                .notify(&ServiceEvent::UploadEnded { kind, code });
            let error = match uploaded {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            tracing::warn!(task_id, error = %causes::one_line(&error), "an upload failed");
            match waits.next() {
                Some(wait) => sleep(*wait).await,
                None => return Err(Failure::of(status_of(error))),
            }
        }
    }

    fn clear(&self) {
        let log = remove(&self.folder.debug_log());
        if let Err(error) = self.folder.clear().and(log) {
            tracing::warn!(%error, "the files of the sync cannot be removed");
        }
    }
}

async fn overdue(cancel: &CancellationToken) {
    cancel.cancelled().await;
    sleep(TO_END).await;
}

/// The service's own status, or the text of the failure.
fn status_of(error: ApiError) -> Status {
    match error {
        ApiError::Call(error) => error.status,
        error => Status::new(error.code(), causes::one_line(&error)),
    }
}

/// The service stops: the next task of the kind resumes the work.
pub(crate) fn stopping() -> Failure {
    Failure::retryable(Code::Canceled, "the service is stopping")
}

fn failed(error: &baton_sync::Error) -> Failure {
    let mut status = Status::new(error.code(), causes::one_line(error));
    if let baton_sync::Error::Connector { source, .. } | baton_sync::Error::Validation(source) =
        error
    {
        status.details = source.details();
    }
    let failure = Failure::of(status);
    match error {
        baton_sync::Error::Invariant { .. } | baton_sync::Error::ExclusionGroup { .. } => {
            failure.for_good()
        }
        _ => failure,
    }
}

/// A sync that lacks something is a failed task.
fn partial(report: &Report) -> Failure {
    let lists = report.skipped.iter();
    let lists = lists.filter(|list| list.kind != SkipKind::Vanished);
    let named = lists.take(NAMED).map(|list| {
        let of = match list.resource.as_str() {
            "" => &list.resource_type,
            resource => resource,
        };
        format!("{} of `{of}` ({})", list.what, list.reason)
    });
    let types = report.unknown_types.iter().take(NAMED);
    let missing: Vec<String> = named.chain(types.map(ToString::to_string)).collect();
    let more = match report.unreadable.saturating_sub(NAMED as u64) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let text = format!(
        "the sync is partial and was not uploaded; it lacks {}{more}; --allow-partial uploads \
         such syncs",
        missing.join(", ")
    );
    Failure::retryable(Code::PermissionDenied, text)
}
