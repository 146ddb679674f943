//! What all services of a connector share.

use std::sync::Arc;

use baton_connector::session::SessionStore;
use baton_connector::{Any, Call, ClientSecret, Connector};

use super::Sessions;
use super::runs::Runs;
use crate::{Context, SessionUsage};

/// The connector, and the runs that are under way.
pub(crate) struct Shared {
    pub(crate) connector: Arc<dyn Connector>,
    sessions: Arc<dyn Sessions>,
    client_secret: Option<Arc<ClientSecret>>,
    pub(crate) runs: Runs,
}

/// Which page of which sync a request asks for.
pub(crate) struct Asked<'r> {
    pub(crate) sync_id: &'r str,
    pub(crate) token: &'r str,
    pub(crate) page_size: u32,
    pub(crate) annotations: Vec<Any>,
}

impl Shared {
    pub(crate) fn new(
        connector: Arc<dyn Connector>,
        sessions: Arc<dyn Sessions>,
        client_secret: Option<Arc<ClientSecret>>,
    ) -> Self {
        Self {
            connector,
            sessions,
            client_secret,
            runs: Runs::default(),
        }
    }

    /// A call outside a sync.
    pub(crate) fn call(context: &Context, annotations: Vec<Any>) -> Call {
        Call::alone()
            .stopped_by(context.stop.clone())
            .with_changes(context.changes.clone())
            .with_annotations(annotations)
    }

    /// A call whose request can carry encrypted passwords.
    pub(crate) fn call_with_secrets(&self, context: &Context) -> Call {
        let mut changes = context.changes.clone();
        if changes.client_secret.is_none() {
            changes.client_secret.clone_from(&self.client_secret);
        }
        Self::call(context, Vec::new()).with_changes(changes)
    }

    /// A call of the sync that a request names, or of none, and how it uses its
    /// session store.
    pub(crate) fn counted_call(&self, context: &Context, asked: Asked<'_>) -> (Call, SessionUsage) {
        let usage = SessionUsage::new();
        let call = self.call_with(context, asked, |store| usage.counting(store));
        (call, usage)
    }

    /// A call of the sync that a request names, or of none.
    pub(crate) fn call_of(&self, context: &Context, asked: Asked<'_>) -> Call {
        self.call_with(context, asked, |store| store)
    }

    fn call_with(
        &self,
        context: &Context,
        asked: Asked<'_>,
        counted: impl FnOnce(Arc<dyn SessionStore>) -> Arc<dyn SessionStore>,
    ) -> Call {
        let call = if asked.sync_id.is_empty() {
            Call::alone()
        } else {
            let store = counted(self.sessions.of_sync(asked.sync_id));
            self.runs.call(asked.sync_id).in_sync(asked.sync_id, store)
        };
        call.stopped_by(context.stop.clone())
            .with_annotations(asked.annotations)
            .with_page_size(asked.page_size)
            .at(asked.token)
    }
}
