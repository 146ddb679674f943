//! A recorder of changes that notes when it was asked.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use atlassian_sim::Simulator;
use baton_connector::{Call, ChangeSettings, Outcome, Plan, Recorder, Report, Result as Connected};
use baton_proto::Code;
use tokio_util::sync::CancellationToken;

/// What one recorder was given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted {
    /// Plans, and whether each was refused.
    pub plans: Vec<bool>,
    /// For each intent, how many writes the server had seen.
    pub intents: Vec<usize>,
    /// Outcomes, with their codes and the grants that were added or removed.
    pub ends: Vec<(Outcome, Code, usize)>,
}

/// See the module's header.
pub(crate) struct Notes {
    simulator: Simulator,
    noted: Mutex<Noted>,
}

impl Notes {
    pub(crate) fn new(simulator: &Simulator) -> Arc<Self> {
        Arc::new(Self {
            simulator: simulator.clone(),
            noted: Mutex::default(),
        })
    }

    pub(crate) fn call(self: &Arc<Self>, dry_run: bool, stop: &CancellationToken) -> Call {
        let settings = ChangeSettings {
            dry_run,
            recorder: Some(Arc::clone(self) as _),
            ..ChangeSettings::default()
        };
        Call::alone()
            .with_changes(settings)
            .stopped_by(stop.clone())
    }

    pub(crate) fn noted(&self) -> Noted {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Recorder for Notes {
    async fn planned(&self, plan: &Plan<'_>) -> Connected<()> {
        self.lock().plans.push(plan.refusal.is_some());
        Ok(())
    }

    async fn intended(&self, _plan: &Plan<'_>) -> Connected<()> {
        let sent = self.simulator.writes().len();
        self.lock().intents.push(sent);
        Ok(())
    }

    async fn finished(&self, report: &Report<'_>) -> Connected<()> {
        let grants = report.added.len() + report.removed.len();
        let end = (report.outcome, report.code, grants);
        self.lock().ends.push(end);
        Ok(())
    }
}
