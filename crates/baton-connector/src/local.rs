//! What a connector in this process can tell an engine, and one behind gRPC
//! cannot. An engine works without it: it then shows no traffic and no reasons
//! for duplicates, and cannot wait until a change is visible.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;

use crate::call::{Call, RunView};
use crate::error::Result;
use crate::held::Held;
use crate::run_notes::RunNotes;
use crate::syncer::ExpectedDuplicates;
use crate::traffic::TrafficSnapshot;

/// See [`Connector::local`](crate::Connector::local).
#[async_trait]
pub trait LocalHooks: Send + Sync {
    /// Requests, retries and waits of a run so far; `None` when the connector
    /// makes no requests of its own or cannot tell.
    fn traffic(&self, run: &RunView) -> Option<TrafficSnapshot> {
        let _ = run;
        None
    }

    /// What there is to say about a run besides rows and traffic.
    fn run_notes(&self, run: &RunView) -> RunNotes {
        let _ = run;
        RunNotes::default()
    }

    /// Why lists of a type bring rows more than once, where they should.
    fn expected_duplicates(&self, type_id: &str) -> ExpectedDuplicates {
        let _ = type_id;
        ExpectedDuplicates::default()
    }

    /// Whether `principal` holds `entitlement` now, as
    /// [`Provisioner::holds`](crate::Provisioner::holds) reads it. `None`: the
    /// connector cannot know.
    ///
    /// # Errors
    /// Those of the provisioner, and that there is none.
    async fn holds(
        &self,
        call: &Call,
        entitlement: &v2::Entitlement,
        principal: &v2::Resource,
    ) -> Result<Option<Held>> {
        let _ = (call, entitlement, principal);
        Ok(None)
    }

    /// Asks all actions to end, and waits until they have: before the end of the
    /// process, which would end them anywhere. What was sent is brought to its
    /// end.
    async fn end_actions(&self) {}
}
