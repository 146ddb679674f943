//! Where work runs that blocks: files, sorting, sealing.

use baton_c1z::Stop;

use crate::error::{Error, Result};
use crate::stopping;

/// Where blocking work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Blocking {
    /// On the runtime's threads for it, so that everything else goes on.
    #[default]
    Pool,
    /// At once, in the task that asks for it. Everything else stands still
    /// meanwhile, and what happens next does not depend on the scheduling of
    /// threads: for simulations that must be the same each time.
    Inline,
}

impl Blocking {
    /// Runs `work`; `doing` ("reading the file") says what it is, should it panic. When the run is
    /// to stop, loops that sort, merge, write and compress end at their next
    /// step; what is appended to the log is not cut short.
    pub(crate) async fn run<R: Send + 'static>(
        self,
        doing: &'static str,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R> {
        match self {
            Self::Inline => Ok(work()),
            Self::Pool => {
                let stop = Stop::default();
                let inner = stop.clone();
                let mut working = tokio::task::spawn_blocking(move || inner.scope(work));
                let ended = tokio::select! {
                    biased;
                    ended = &mut working => ended,
                    () = stopping::stopped() => {
                        stop.request();
                        working.await
                    }
                };
                ended.map_err(|ended| Error::ended(doing, ended))
            }
        }
    }
}
