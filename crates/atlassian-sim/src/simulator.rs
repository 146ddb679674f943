//! The simulator as callers hold it: router, server, organization, truth, log.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use tokio::net::TcpListener;

use crate::api::event_objects::EventView;
use crate::audit::{NewEvent, TruthEvent};
use crate::config::{AccessKey, Config};
use crate::cursor::CursorSeal;
use crate::endpoint::{self, Life};
use crate::error::Error;
use crate::faults::{Fault, FaultPlan};
use crate::limits::RateLimiter;
use crate::log::{RequestLog, RequestRecord};
use crate::model::Organization;
use crate::model::audit::Growth;
use crate::model::keys::KeyRecord;
use crate::organization::{Delays, OrganizationHandle, SharedOrganization};
use crate::random::draw;
use crate::server::{self, ServerHandle};
use crate::service::{Shared, lock};
use crate::truth::Truth;

/// Purposes of the draws of events that are added while the simulator runs; growths count on from the second.
const BURST_DRAWS: u64 = 0xb1e0;
const GROWTH_DRAWS: u64 = 0xb1e1;

/// Sets the log's date and what is added to it by itself.
fn start_log(organization: &mut Organization, config: &Config) -> Result<(), Error> {
    if config.audit.dated_by_clock {
        let elapsed = i64::try_from(config.clock.elapsed().as_millis()).unwrap_or(0);
        // Never before what is in the log.
        let base = config.clock.now().as_millisecond() - elapsed;
        organization.log_base_millis = base.max(organization.log_base_millis);
    }
    for (purpose, rate) in (GROWTH_DRAWS..).zip(&config.audit.growth) {
        if !rate.is_usable() {
            let text = format!("{} every {:?}", rate.count, rate.every);
            return Err(Error::EventRateSyntax(text));
        }
        organization.grow(Growth {
            count: rate.count,
            every: rate.every,
            late_every: config.audit.late_every,
            purpose,
        });
    }
    Ok(())
}

/// A simulated organization with its APIs. Clones share everything.
#[derive(Clone, Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
}

impl Simulator {
    /// Invents the organization and makes it ready to be asked. A million users take a few seconds.
    pub fn new(mut config: Config) -> Result<Self, Error> {
        config.organization.check()?;
        let unknown = |name: &&String| endpoint::all().all(|e| e.name != name.as_str());
        if let Some(name) = config.writes.not_enabled.iter().find(unknown) {
            return Err(Error::UnknownEndpoint(name.clone()));
        }
        let seed = config.organization.seed;
        if config.keys.is_empty() {
            config.keys.push(AccessKey::unscoped(format!(
                "sim-key-{:016x}",
                draw(seed, 0x4e4, 0)
            )));
        }
        let mut organization = Organization::new(&config.organization);
        let keys = config.keys.iter().cloned().enumerate();
        organization.keys = keys.map(|(n, k)| KeyRecord::configured(n, k)).collect();
        organization.default_licence_limit = config.writes.licence_limit;
        start_log(&mut organization, &config)?;
        let general = config.visibility_delay;
        let delays = Delays {
            general,
            organization_roles: config
                .writes
                .organization_role_delay
                .unwrap_or(general)
                .max(general),
        };
        Ok(Self {
            shared: Arc::new(Shared {
                organization_id: organization.id.clone(),
                organization: SharedOrganization::new(organization, delays),
                seal: CursorSeal::new(seed, config.paging.cursors_need_escaping),
                log: Mutex::new(RequestLog::default()),
                limiter: Mutex::new(RateLimiter::new(&config.limits)),
                faults: Mutex::new(FaultPlan::new(std::mem::take(&mut config.faults), seed)),
                forgotten: AtomicU32::new(0),
                config,
            }),
        })
    }

    /// The APIs as a router: call it in process, or serve it. See [`TransportFault`](crate::TransportFault) for broken connections.
    pub fn router(&self) -> Router {
        let shared = Arc::clone(&self.shared);
        Router::new().fallback(move |request: Request| {
            let shared = Arc::clone(&shared);
            async move { shared.handle(request).await }
        })
    }

    /// Serves the APIs on a socket, on a task of the current runtime.
    pub fn serve(&self, listener: TcpListener) -> Result<ServerHandle, Error> {
        Ok(server::serve(self.router(), listener)?)
    }

    /// The bearer token that does everything (the first key).
    pub fn access_token(&self) -> &str {
        self.shared
            .config
            .keys
            .first()
            .map_or("", |k| k.token.as_str())
    }

    /// The bearer token of the identity provider of a directory.
    pub fn scim_token(&self, directory_id: &str) -> String {
        let elapsed = self.shared.config.clock.elapsed();
        let organization = self.shared.organization.read(elapsed);
        self.shared.scim_token(&organization, directory_id)
    }

    /// The path of the identity provider API of a directory, at the root of the server.
    pub fn scim_path(directory_id: &str) -> String {
        format!("/scim/directory/{directory_id}")
    }

    /// The organization's id.
    pub fn organization_id(&self) -> &str {
        &self.shared.organization_id
    }

    /// The base URL of the admin APIs for a server at `address`.
    pub fn base_url(address: SocketAddr) -> String {
        format!("http://{address}/admin")
    }

    /// Looks at or changes the organization while it is served.
    pub fn organization(&self) -> OrganizationHandle<'_> {
        OrganizationHandle {
            shared: &self.shared.organization,
            clock: &self.shared.config.clock,
        }
    }

    /// What a complete sync should find now.
    pub fn truth(&self) -> Truth {
        Truth::of(
            &self
                .shared
                .organization
                .read(self.shared.config.clock.elapsed()),
        )
    }

    /// What a complete sync will find once every accepted change is visible.
    pub fn settled_truth(&self) -> Truth {
        let elapsed = self.shared.config.clock.elapsed();
        self.shared.organization.latest(elapsed, Truth::of)
    }

    /// The whole audit log, in the order of the stream. What an event shows depends on [`Config::audit`] and
    /// [`Writes::role_event_context`](crate::Writes::role_event_context), as it does in answers.
    pub fn audit_log(&self) -> Vec<TruthEvent> {
        let config = &self.shared.config;
        let organization = self.shared.organization.read(config.clock.elapsed());
        let view = EventView {
            org: &organization,
            role_context: config.writes.role_event_context,
            flaws: &config.audit.flaws,
        };
        let all = (0..).zip(&organization.events);
        all.map(|(number, event)| view.truth(number, event))
            .collect()
    }

    /// Adds events to the end of the audit log, in their order; gives their ids.
    pub fn add_events(&self, events: impl IntoIterator<Item = NewEvent>) -> Vec<String> {
        let events: Vec<NewEvent> = events.into_iter().collect();
        let now = self.shared.config.clock.elapsed();
        self.shared
            .organization
            .add_events(now, |org| org.add_events(&events, now))
    }

    /// Adds this many events of all kinds to the end of the audit log, at once; gives their ids.
    pub fn invent_events(&self, count: u32) -> Vec<String> {
        let now = self.shared.config.clock.elapsed();
        let growth = Growth {
            count,
            every: Duration::ZERO,
            late_every: self.shared.config.audit.late_every,
            purpose: BURST_DRAWS,
        };
        self.shared.organization.add_events(now, |org| {
            org.invent_events(growth, org.events.len() as u64, now);
        })
    }

    /// Forgets the cursors of the event stream that were given so far: they are refused with 400 `ADMIN-400-1`.
    pub fn forget_event_cursors(&self) {
        self.shared.forgotten.fetch_add(1, Ordering::Relaxed);
    }

    /// Replaces the fault rules; their counters start from 0.
    pub fn set_faults(&self, faults: Vec<Fault>) {
        *lock(&self.shared.faults) = FaultPlan::new(faults, self.shared.config.organization.seed);
    }

    /// How many requests each fault rule has counted, whether it hit them or not.
    pub fn fault_counts(&self) -> Vec<u64> {
        lock(&self.shared.faults).seen()
    }

    /// All logged requests, in order of arrival.
    pub fn requests(&self) -> Vec<RequestRecord> {
        lock(&self.shared.log).records().to_vec()
    }

    /// Names of the endpoints that change something and are not retired.
    pub fn write_endpoints(&self) -> Vec<&'static str> {
        endpoint::all()
            .filter(|e| e.writes() && e.life == Life::Current)
            .map(|e| e.name)
            .collect()
    }

    /// All logged requests that were meant to change something, whether or not they did.
    pub fn writes(&self) -> Vec<RequestRecord> {
        let log = lock(&self.shared.log);
        log.records().iter().filter(|r| r.write).cloned().collect()
    }

    /// Number of requests for an endpoint, by name (`GET v2/users`).
    pub fn count(&self, endpoint: &str) -> u64 {
        lock(&self.shared.log)
            .counts()
            .get(endpoint)
            .copied()
            .unwrap_or(0)
    }

    /// Number of requests per endpoint; unknown paths are in [`Simulator::strays`] only.
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        lock(&self.shared.log).counts().clone()
    }

    /// Number of all requests.
    pub fn total(&self) -> u64 {
        lock(&self.shared.log).total()
    }

    /// Requests for paths that are retired or unknown, or with a method that the path lacks: a client should make none.
    pub fn strays(&self) -> Vec<RequestRecord> {
        lock(&self.shared.log).strays().to_vec()
    }

    /// Requests that a client must never send, whatever became of them: those that revoke the API tokens of everybody.
    pub fn alarms(&self) -> Vec<RequestRecord> {
        lock(&self.shared.log).alarms().to_vec()
    }

    /// Empties the log and sets all counters to 0.
    pub fn reset_log(&self) {
        lock(&self.shared.log).reset();
    }
}
