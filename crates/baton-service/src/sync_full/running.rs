//! How long a sync took and how it ended, for the observers of the service.

use baton_proto::Code;
use baton_sync::Report;
use tokio::time::Instant;

use crate::observe::{Observers, ServiceEvent};

/// A sync that runs. If it is dropped before its end is known, the engine panicked or was
/// abandoned, and the sync has failed.
#[derive(Debug)]
pub(super) struct Measured {
    observers: Observers,
    began: Instant,
    ended: bool,
}

impl Measured {
    pub(super) fn begin(observers: Observers) -> Self {
        Self {
            observers,
            began: Instant::now(),
            ended: false,
        }
    }

    /// The engine has ended.
    pub(super) fn end(&mut self, result: &baton_sync::Result<Report>) {
        self.notify(result.as_ref().map_err(baton_sync::Error::code));
    }

    fn notify(&mut self, result: Result<&Report, Code>) {
        self.ended = true;
        self.observers.notify(&ServiceEvent::SyncEnded {
            took: self.began.elapsed(),
            result,
        });
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        if !self.ended {
            self.notify(Err(Code::Internal));
        }
    }
}
