//! Calls of a connector outside a sync: each ends within a time limit, and a
//! panic is an outcome.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use baton_connector::{Call, Code, Connector, Error};
use baton_proto::causes;
use tokio_util::sync::CancellationToken;

use crate::panics;

/// Why a call has no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// The connector refused it.
    Refused(Error),
    /// It did not end within the time limit.
    Late,
    /// Not asked: an earlier call did not end.
    NotAsked,
    /// The connector crashed.
    Crashed(String),
}

impl Fault {
    /// The code of the refusal.
    pub(super) fn code(&self) -> Option<Code> {
        match self {
            Self::Refused(error) => Some(error.code()),
            _ => None,
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => {
                let (code, text) = (error.code().name(), causes::one_line(error));
                write!(f, "{code}: {text}")
            }
            Self::Late => f.write_str("the call does not end"),
            Self::NotAsked => f.write_str("not asked, since an earlier call does not end"),
            Self::Crashed(text) => f.write_str(text),
        }
    }
}

/// The result of a call.
pub(super) type Answer<T> = std::result::Result<T, Fault>;

/// Calls a connector.
pub(super) struct Caller {
    connector: Arc<dyn Connector>,
    limit: Duration,
    stop: CancellationToken,
    late: AtomicBool,
}

impl Caller {
    pub(super) fn new(
        connector: Arc<dyn Connector>,
        limit: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self {
            connector,
            limit,
            stop,
            late: AtomicBool::new(false),
        }
    }

    pub(super) fn connector(&self) -> &dyn Connector {
        self.connector.as_ref()
    }

    /// A call outside a sync, in a run of its own.
    pub(super) fn call(&self) -> Call {
        Call::alone().stopped_by(self.stop.clone())
    }

    /// What stops the calls, for some that are stopped earlier.
    pub(super) fn child_stop(&self) -> CancellationToken {
        self.stop.child_token()
    }

    /// Waits for an answer. After one that did not come, no further call is made,
    /// so that all of them take the time limit once.
    pub(super) async fn ask<T>(
        &self,
        asked: impl Future<Output = baton_connector::Result<T>>,
    ) -> Answer<T> {
        if self.late.load(Ordering::Relaxed) {
            return Err(Fault::NotAsked);
        }
        let answer = self.ask_within(self.limit, asked).await;
        if matches!(answer, Err(Fault::Late)) {
            self.late.store(true, Ordering::Relaxed);
        }
        answer
    }

    /// As [`Caller::ask`], with another limit and without effect on other calls.
    pub(super) async fn ask_within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = baton_connector::Result<T>>,
    ) -> Answer<T> {
        let guarded = panics::guard_async("calling the connector outside a sync", async {
            Ok(tokio::time::timeout(limit, asked).await)
        });
        match guarded.await {
            Ok(Ok(Ok(answer))) => Ok(answer),
            Ok(Ok(Err(error))) => Err(Fault::Refused(error)),
            Ok(Err(_)) => Err(Fault::Late),
            Err(crash) => Err(Fault::Crashed(causes::one_line(&crash))),
        }
    }
}
