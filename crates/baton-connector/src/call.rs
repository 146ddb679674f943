//! What belongs to one call travels with the call; what belongs to one run is
//! owned by the run.
//!
//! A connector object holds no state of either, so any number of syncs can use
//! it at once. The engine begins a [`Run`], makes [`Call`]s of it, and drops it at
//! any end: success, failure or panic. A part of a connector that wants
//! to remember something for as long as a run lasts keeps it in a [`RunLocal`].

use std::any::Any as AnyValue;
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use baton_proto::Code;
use prost_types::Any;
use tokio_util::sync::CancellationToken;

use crate::change_settings::ChangeSettings;
use crate::error::{Error, Result};
use crate::in_flight::InFlight;
use crate::session::{Session, SessionStore};

/// The values of one run, by the address of their [`RunLocal`]'s key. The key
/// is kept, so that no other gets its address while the run lasts.
type Parts = HashMap<usize, (Arc<()>, Arc<dyn AnyValue + Send + Sync>)>;

/// What a run owns.
struct State {
    in_flight: Option<InFlight>,
    /// `None` once the run has ended.
    parts: Mutex<Option<Parts>>,
}

impl State {
    fn new(in_flight: Option<InFlight>) -> Arc<Self> {
        Arc::new(Self {
            in_flight,
            parts: Mutex::new(Some(Parts::new())),
        })
    }

    fn parts(&self) -> MutexGuard<'_, Option<Parts>> {
        // The map is whole whatever happened to a thread that held it.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One run of an engine, a validation or another task, from its beginning to
/// its end. Dropping it ends the run: what the connector kept for it is gone,
/// tasks that worked for it included, and calls that are still under way keep
/// nothing for later ones.
#[must_use = "the run ends when this is dropped"]
pub struct Run {
    state: Arc<State>,
}

impl Run {
    /// Begins a run with at most `in_flight` requests on the wire at once;
    /// `None` leaves that to the connector's clients.
    pub fn begin(in_flight: Option<InFlight>) -> Self {
        Self {
            state: State::new(in_flight),
        }
    }

    /// A call of this run: outside a sync, for the first page.
    pub fn call(&self) -> Call {
        Call::of(Arc::clone(&self.state))
    }

    /// The run, to be looked at while it lasts.
    pub fn view(&self) -> RunView {
        RunView(Arc::downgrade(&self.state))
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // Dropped without the lock: a part may end a task.
        let parts = self.state.parts().take();
        drop(parts);
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

/// A run, seen from outside without keeping it alive, as a display of its traffic
/// does.
#[derive(Clone)]
pub struct RunView(Weak<State>);

impl Default for RunView {
    /// A run that has ended.
    fn default() -> Self {
        Self(Weak::new())
    }
}

impl fmt::Debug for RunView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunView").finish_non_exhaustive()
    }
}

/// A value that a part of a connector has once in each run. It is made when a
/// call of the run first wants it, and dropped with the run.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use baton_connector::{Run, RunLocal};
///
/// let asked: RunLocal<AtomicU64> = RunLocal::new();
/// let (one, other) = (Run::begin(None), Run::begin(None));
/// for _ in 0..3 {
///     let mine = asked.of(&one.call(), AtomicU64::default);
///     mine.fetch_add(1, Ordering::Relaxed);
/// }
/// let count = |run: &Run| asked.of(&run.call(), AtomicU64::default).load(Ordering::Relaxed);
/// assert_eq!((count(&one), count(&other)), (3, 0));
/// ```
pub struct RunLocal<T> {
    key: Arc<()>,
    holds: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> RunLocal<T> {
    /// A value that no run has yet.
    pub fn new() -> Self {
        Self {
            key: Arc::new(()),
            holds: PhantomData,
        }
    }

    /// The value of the call's run, made now if this is the first time. After
    /// the end of the run each call gets one of its own. `make` must not ask
    /// for values of the run.
    pub fn of(&self, call: &Call, make: impl FnOnce() -> T) -> Arc<T> {
        let mut parts = call.run.parts();
        let Some(parts) = &mut *parts else {
            return Arc::new(make());
        };
        let held = parts.get(&self.address());
        if let Some(value) = held.and_then(|(_, held)| Arc::clone(held).downcast().ok()) {
            return value;
        }
        let value = Arc::new(make());
        let held = (Arc::clone(&self.key), Arc::clone(&value) as _);
        parts.insert(self.address(), held);
        value
    }

    /// The value of a run; `None` if no call has wanted it, or the run has
    /// ended.
    pub fn in_run(&self, run: &RunView) -> Option<Arc<T>> {
        let state = run.0.upgrade()?;
        let parts = state.parts();
        let (_, held) = parts.as_ref()?.get(&self.address())?;
        Arc::clone(held).downcast().ok()
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.key).addr()
    }
}

impl<T: Send + Sync + 'static> Default for RunLocal<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> fmt::Debug for RunLocal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunLocal").finish_non_exhaustive()
    }
}

/// One call of a connector: everything that it needs besides what is asked
/// for.
#[derive(Clone)]
pub struct Call {
    run: Arc<State>,
    sync_id: Arc<str>,
    store: Option<Arc<dyn SessionStore>>,
    token: String,
    page_size: u32,
    annotations: Vec<Any>,
    changes: Arc<ChangeSettings>,
    stop: CancellationToken,
}

impl Call {
    fn of(run: Arc<State>) -> Self {
        Self {
            run,
            sync_id: Arc::from(""),
            store: None,
            token: String::new(),
            page_size: 0,
            annotations: Vec::new(),
            changes: Arc::default(),
            stop: CancellationToken::new(),
        }
    }

    /// A call that is a run of its own, outside a sync. Its copies belong to
    /// the same run.
    pub fn alone() -> Self {
        Self::of(State::new(None))
    }

    /// The same call as one of a sync, which keeps session values in `store`.
    #[must_use]
    pub fn in_sync(mut self, sync_id: &str, store: Arc<dyn SessionStore>) -> Self {
        self.sync_id = Arc::from(sync_id);
        self.store = Some(store);
        self
    }

    /// The same call, ended by `stop`: what waits inside then ends with
    /// [`Call::stopped_error`], and a request on the wire is brought to its end.
    #[must_use]
    pub fn stopped_by(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// The same call for another page.
    #[must_use]
    pub fn at(&self, token: impl Into<String>) -> Self {
        Self {
            token: token.into(),
            ..self.clone()
        }
    }

    /// The same call, asking for so many rows per page.
    #[must_use]
    pub fn with_page_size(mut self, rows: u32) -> Self {
        self.page_size = rows;
        self
    }

    /// The same call with annotations of the request.
    #[must_use]
    pub fn with_annotations(mut self, annotations: Vec<Any>) -> Self {
        self.annotations = annotations;
        self
    }

    /// The same call, whose changes are made and recorded as the settings say.
    #[must_use]
    pub fn with_changes(mut self, settings: ChangeSettings) -> Self {
        self.changes = Arc::new(settings);
        self
    }

    /// The same call, which nothing asks to end: for what must be brought to
    /// its end once it has begun.
    #[must_use]
    pub(crate) fn unstoppable(&self) -> Self {
        self.clone().stopped_by(CancellationToken::new())
    }

    /// How changes are made.
    pub fn changes(&self) -> &ChangeSettings {
        &self.changes
    }

    /// The sync that the call belongs to; empty outside a sync.
    pub fn sync_id(&self) -> &str {
        &self.sync_id
    }

    /// The page asked for; empty for the first.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Rows per page that the caller wishes for; 0 leaves it to the connector.
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Annotations of the request.
    pub fn annotations(&self) -> &[Any] {
        &self.annotations
    }

    /// The values that the connector keeps between the calls of this sync.
    pub fn session(&self) -> Session {
        Session::of(self.store.clone())
    }

    /// Where these values are kept; `None` outside a sync. For those who give the
    /// store to a connector in another process.
    pub fn session_store(&self) -> Option<&Arc<dyn SessionStore>> {
        self.store.as_ref()
    }

    /// The run that the call belongs to.
    pub fn run(&self) -> RunView {
        RunView(Arc::downgrade(&self.run))
    }

    /// What asks the call to end.
    pub fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Waits for `wait`, unless the call is to end first.
    ///
    /// # Errors
    /// [`Call::stopped_error`] then.
    pub async fn unless_stopped<F: Future>(&self, wait: F) -> Result<F::Output> {
        unless_stopped(&self.stop, wait).await
    }

    /// What a call ends with when it was waiting while it was to end.
    pub fn stopped_error() -> Error {
        Error::stated(Code::Canceled, "the run is to stop")
    }

    /// The cap of the call's run.
    pub(crate) fn in_flight(&self) -> Option<InFlight> {
        self.run.in_flight
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("sync_id", &self.sync_id)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

/// Waits for `wait`, or ends with an error when `stop` is cancelled.
pub(crate) async fn unless_stopped<F: Future>(
    stop: &CancellationToken,
    wait: F,
) -> Result<F::Output> {
    tokio::select! {
        biased;
        () = stop.cancelled() => Err(Call::stopped_error()),
        done = wait => Ok(done),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    struct Dropped(Arc<AtomicBool>);

    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[test]
    fn what_a_run_owns_goes_with_it_though_a_call_lives_on() {
        let gone = Arc::new(AtomicBool::new(false));
        let local = RunLocal::new();
        let run = Run::begin(None);
        let (call, view) = (run.call(), run.view());
        assert!(local.in_run(&view).is_none());
        drop(local.of(&call, || Dropped(Arc::clone(&gone))));
        assert!(local.in_run(&view).is_some());
        drop(run);
        assert!(gone.load(Ordering::Relaxed));
        assert!(local.in_run(&view).is_none());
        let late = Arc::new(AtomicBool::new(false));
        drop(local.of(&call, || Dropped(Arc::clone(&late))));
        assert!(late.load(Ordering::Relaxed), "nothing is kept any more");
        assert!(local.in_run(&call.run()).is_none());
    }

    #[test]
    fn a_run_ends_with_a_panic_too() {
        let local: RunLocal<u8> = RunLocal::new();
        let run = Run::begin(None);
        let view = run.view();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let run = run;
            local.of(&run.call(), || 1);
            std::panic::resume_unwind(Box::new("as a bug would"));
        }));
        assert!(ended.is_err());
        assert!(local.in_run(&view).is_none());
    }

    #[test]
    fn two_values_of_one_type_are_not_mixed_up() {
        let run = Run::begin(None);
        let (one, other) = (RunLocal::new(), RunLocal::new());
        assert_eq!(*one.of(&run.call(), || 1), 1);
        assert_eq!(*other.of(&run.call(), || 2), 2);
        assert_eq!(*one.of(&run.call().at("p2"), || 3), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_its_call_and_with_no_other() {
        let (mine, other) = (CancellationToken::new(), CancellationToken::new());
        let run = Run::begin(None);
        let wait = |stop: &CancellationToken| {
            let call = run.call().stopped_by(stop.clone());
            async move {
                let wait = tokio::time::sleep(Duration::from_hours(1));
                call.unless_stopped(wait).await
            }
        };
        let (stopped, goes_on, ()) = tokio::join!(wait(&mine), wait(&other), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            mine.cancel();
        });
        assert_eq!(stopped.map_err(|error| error.code()), Err(Code::Canceled));
        assert!(goes_on.is_ok());
    }
}
