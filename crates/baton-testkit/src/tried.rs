//! One grant or revoke, and what its recorder was given.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_connector::{
    Any, Call, ChangeSettings, Code, Connector, Error, Plan, Provisioning, Recorder, Report,
    Result, async_trait, v2,
};

/// What came of a change.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    /// Why it was not made.
    pub error: Option<Error>,
    /// The grants of the answer.
    pub grants: Vec<v2::Grant>,
    /// The annotations of the answer.
    pub annotations: Vec<Any>,
    /// How often writes were announced.
    pub intents: u32,
    /// Writes that were described.
    pub planned: usize,
    /// Ids of grants that it was to add.
    pub adds: Vec<String>,
    /// Ids of grants that it was to remove.
    pub removes: Vec<String>,
}

impl Tried {
    pub(crate) async fn grant(
        connector: &dyn Connector,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
        dry_run: bool,
    ) -> Self {
        let notes = Arc::new(Notes::default());
        let call = notes.call(dry_run);
        let granted = match provisioning(connector) {
            Ok(provisioning) => provisioning.grant(&call, entitlement, principal).await,
            Err(error) => Err(error),
        };
        notes.with(granted.map(|granted| (granted.grants, granted.annotations)))
    }

    pub(crate) async fn revoke(
        connector: &dyn Connector,
        grant: &v2::Grant,
        dry_run: bool,
    ) -> Self {
        let notes = Arc::new(Notes::default());
        let call = notes.call(dry_run);
        let revoked = match provisioning(connector) {
            Ok(provisioning) => provisioning.revoke(&call, grant).await,
            Err(error) => Err(error),
        };
        notes.with(revoked.map(|revoked| (Vec::new(), revoked.annotations)))
    }
}

fn provisioning(connector: &dyn Connector) -> Result<&dyn Provisioning> {
    let provisioning = connector.provisioning();
    provisioning.ok_or_else(|| Error::stated(Code::Unimplemented, "there is no provisioner"))
}

#[derive(Debug, Default)]
struct Notes(Mutex<Tried>);

impl Notes {
    fn lock(&self) -> MutexGuard<'_, Tried> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(self: &Arc<Self>, dry_run: bool) -> Call {
        Call::alone().with_changes(ChangeSettings {
            dry_run,
            recorder: Some(Arc::clone(self) as _),
            ..ChangeSettings::default()
        })
    }

    fn with(&self, answer: Result<(Vec<v2::Grant>, Vec<Any>)>) -> Tried {
        let mut tried = std::mem::take(&mut *self.lock());
        match answer {
            Ok((grants, annotations)) => (tried.grants, tried.annotations) = (grants, annotations),
            Err(error) => tried.error = Some(error),
        }
        tried
    }
}

#[async_trait]
impl Recorder for Notes {
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let mut tried = self.lock();
        tried.planned = plan.writes.len();
        tried.adds.clone_from(&plan.adds);
        tried.removes.clone_from(&plan.removes);
        Ok(())
    }

    async fn intended(&self, _plan: &Plan<'_>) -> Result<()> {
        self.lock().intents += 1;
        Ok(())
    }

    async fn finished(&self, _report: &Report<'_>) -> Result<()> {
        Ok(())
    }
}
