//! Where work runs that blocks: files, sorting, sealing.

use std::sync::{Arc, Mutex, PoisonError};

use baton_c1z::Stop;
use tracing::Span;

use crate::error::{Error, Result};
use crate::stopping;

/// Where blocking work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blocking {
    /// On the runtime's threads for it, so that everything else continues.
    #[default]
    Pool,
    /// At once, in the task that asks for it. Everything else waits
    /// for it, and what happens next does not depend on the scheduling of
    /// threads: for simulations that must be the same each time.
    Inline,
}

/// What blocking work is busy with ("sorting rows"): completes "internal error
/// while …", should it panic. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Doing(Arc<Mutex<&'static str>>);

impl Doing {
    pub(crate) fn new(step: &'static str) -> Self {
        Self(Arc::new(Mutex::new(step)))
    }

    /// The work has reached another step.
    pub(crate) fn set(&self, step: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    fn get(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&'static str> for Doing {
    fn from(step: &'static str) -> Self {
        Self::new(step)
    }
}

impl Blocking {
    /// Runs `work`; `doing` names it, should it panic. When the run is
    /// to stop, loops that sort, merge, write and compress end at their next
    /// step; what is appended to the log is not cut short.
    pub(crate) async fn run<R: Send + 'static>(
        self,
        doing: impl Into<Doing>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R> {
        match self {
            Self::Inline => Ok(work()),
            Self::Pool => {
                let stop = Stop::default();
                let inner = stop.clone();
                let span = Span::current();
                let work = move || span.in_scope(|| inner.scope(work));
                let mut working = tokio::task::spawn_blocking(work);
                let ended = tokio::select! {
                    biased;
                    ended = &mut working => ended,
                    () = stopping::stopped() => {
                        stop.request();
                        working.await
                    }
                };
                ended.map_err(|ended| Error::ended(doing.into().get(), ended))
            }
        }
    }
}
