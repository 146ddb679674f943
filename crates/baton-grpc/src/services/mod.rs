//! The services of a connector, as a Go connector registers them: the same
//! defaults, the same refusals, the same texts around errors
//! (`service-mode.md` §4.3, §4.4).

mod accounts;
mod actions;
mod added;
mod changes;
mod events;
mod lists;
mod meta;
mod runs;
mod shared;
mod texts;
mod tickets;

use std::sync::Arc;

use baton_connector::session::SessionStore;
use baton_connector::{ClientSecret, Connector};

use crate::Router;
use crate::limiter::Limiter;
use shared::Shared;

/// Where the values are that a connector keeps between the calls of a sync.
pub trait Sessions: Send + Sync {
    /// The store of one sync.
    fn of_sync(&self, sync_id: &str) -> Arc<dyn SessionStore>;
}

/// What a server of a connector offers.
pub struct ConnectorSettings {
    /// Serve calls that change access; without it they are refused.
    pub provisioning: bool,
    /// Serve tickets; without it they are refused.
    pub ticketing: bool,
    /// What `RateLimiterService` answers.
    pub limiter: Limiter,
    /// Where values of syncs are kept.
    pub sessions: Arc<dyn Sessions>,
    /// Opens the passwords that requests carry encrypted.
    pub client_secret: Option<Arc<ClientSecret>>,
}

impl std::fmt::Debug for ConnectorSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectorSettings")
            .field("provisioning", &self.provisioning)
            .field("ticketing", &self.ticketing)
            .finish_non_exhaustive()
    }
}

/// The services of a connector.
pub fn connector_services(connector: Arc<dyn Connector>, settings: ConnectorSettings) -> Router {
    let ConnectorSettings {
        provisioning,
        ticketing,
        limiter,
        sessions,
        client_secret,
    } = settings;
    let shared = Arc::new(Shared::new(connector, sessions, client_secret));
    let mut router = Router::new();
    meta::add(&mut router, &shared);
    meta::add_limiter(&mut router, limiter);
    lists::add(&mut router, &shared);
    added::add(&mut router, &shared);
    events::add(&mut router, &shared);
    actions::add(&mut router, &shared);
    if provisioning {
        changes::add(&mut router, &shared);
        accounts::add(&mut router, &shared);
    } else {
        changes::refuse(&mut router);
        accounts::refuse(&mut router);
    }
    if ticketing {
        tickets::add(&mut router, &shared);
    } else {
        tickets::refuse(&mut router);
    }
    router
}
