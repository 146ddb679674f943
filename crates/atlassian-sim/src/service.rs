//! The way of a request: log, latency, quota, fault, key, endpoint, and back with headers.
//!
//! No lock is held across an await; the organization is read once per request, so an answer is consistent in itself.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;

use crate::call::Call;
use crate::clock::iso_seconds;
use crate::config::{Config, Generation, ScopeRefusal};
use crate::cursor::CursorSeal;
use crate::endpoint::{Endpoint, Handler, Life, Params, Route, route};
use crate::errors::{self, ApiError, ErrorContext, Family};
use crate::faults::{Action, FaultPlan, ListPosition, TransportFault, apply};
use crate::incoming::Incoming;
use crate::limits::{Decision, RateLimiter};
use crate::log::{RequestLog, Routing};
use crate::model::Organization;
use crate::organization::SharedOrganization;
use crate::query::Query;
use crate::server::ConnectionControl;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Everything that requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub config: Config,
    pub organization: SharedOrganization,
    pub organization_id: String,
    pub seal: CursorSeal,
    pub log: Mutex<RequestLog>,
    pub limiter: Mutex<RateLimiter>,
    pub faults: Mutex<FaultPlan>,
    /// How often cursors of the event stream were forgotten.
    pub forgotten: AtomicU32,
}

/// Locks, also after another thread's panic: counters stay counters.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A successful answer of an endpoint.
struct Served {
    status: StatusCode,
    /// JSON, or empty.
    body: Vec<u8>,
    /// Whether the organization is different from before.
    changed: bool,
}

impl Served {
    fn read(body: Vec<u8>) -> Self {
        Self {
            status: StatusCode::OK,
            body,
            changed: false,
        }
    }

    fn response(self) -> Response {
        if self.body.is_empty() {
            errors::empty_response(self.status)
        } else {
            errors::json_response(self.status, self.body)
        }
    }
}

impl Shared {
    /// Answers one request.
    pub(crate) async fn handle(&self, request: Request) -> Response {
        let control = request
            .extensions()
            .get::<ConnectInfo<ConnectionControl>>()
            .map(|c| c.0.clone());
        let mut incoming = Incoming::read(request).await;
        let found = route(incoming.method.as_str(), &incoming.path);
        let (endpoint, routing) = self.classify(&found);
        let at_millis = u64::try_from(self.config.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        let sequence = lock(&self.log).begin(
            incoming.record(at_millis, endpoint, routing),
            endpoint.is_some_and(|e| e.alarming),
        );
        let action = self.fault(&incoming, endpoint.map(|e| e.name));
        if action == Some(Action::IgnoreFilters) {
            incoming.drop_filters();
        }
        if !self.config.latency.is_zero() {
            tokio::time::sleep(self.config.latency).await;
        }
        if let Some(Action::Delay(time)) = &action {
            tokio::time::sleep(*time).await;
        }
        let response = self
            .answer(&incoming, found, routing, action.as_ref(), sequence)
            .await;
        let reset = response.extensions().get() == Some(&TransportFault::ConnectionReset);
        if let (true, Some(control)) = (reset, control) {
            control.reset();
        }
        lock(&self.log).finish(sequence, if reset { 0 } else { response.status().as_u16() });
        response
    }

    /// What the fault rules do to a request.
    fn fault(&self, incoming: &Incoming, endpoint: Option<&str>) -> Option<Action> {
        let method = incoming.method.as_str();
        let (concerned, by_end) = lock(&self.faults).looks_at(method, endpoint);
        if !concerned {
            return None;
        }
        let place = ListPosition {
            later: incoming.paging().0.is_some(),
            last: by_end && self.would_be_last(incoming),
        };
        lock(&self.faults).next(method, endpoint, place)
    }

    /// Whether the answer would be a success that names no next page.
    fn would_be_last(&self, incoming: &Incoming) -> bool {
        let found = route(incoming.method.as_str(), &incoming.path);
        let (_, routing) = self.classify(&found);
        let key = self.key_of(&incoming.headers);
        let now = self.config.clock.now();
        if matches!(&found, Route::Found(endpoint, _) if endpoint.writes()) {
            // Its answer is not a page of a list, and asking for it would change something.
            return true;
        }
        let Ok(served) = self.serve(incoming, found, routing, key, now) else {
            return false;
        };
        let page: Value = serde_json::from_slice(&served.body).unwrap_or_default();
        let links = page.get("links").and_then(|links| links.get("next"));
        links.and_then(Value::as_str).is_none_or(str::is_empty)
    }

    /// The endpoint that a request counts for, and where it leads.
    fn classify(&self, found: &Route) -> (Option<&'static Endpoint>, Routing) {
        match found {
            Route::Found(endpoint, _) if self.generation(endpoint) == Generation::Alive => {
                (Some(endpoint), Routing::Served)
            }
            Route::Found(endpoint, _) => (Some(endpoint), Routing::Retired),
            Route::WrongMethod(endpoint) if endpoint.life == Life::RetiredV1 => {
                (Some(endpoint), Routing::Retired)
            }
            Route::WrongMethod(_) => (None, Routing::WrongMethod),
            Route::Unknown => (None, Routing::Unknown),
        }
    }

    fn generation(&self, endpoint: &Endpoint) -> Generation {
        let answers = &self.config.answers;
        match endpoint.life {
            Life::Current => Generation::Alive,
            Life::GetList => answers.get_lists,
            Life::Search => answers.searches,
            Life::RetiredV1 => answers.retired_v1,
        }
    }

    async fn answer(
        &self,
        incoming: &Incoming,
        found: Route,
        routing: Routing,
        action: Option<&Action>,
        sequence: u64,
    ) -> Response {
        let now = self.config.clock.now();
        let family = match &found {
            Route::Found(endpoint, _) | Route::WrongMethod(endpoint) => endpoint.family,
            Route::Unknown => Family::Admin,
        };
        let context = ErrorContext {
            family,
            path: &incoming.path,
            now,
            request_id: format!(
                "{:08x}",
                crate::random::draw(self.config.organization.seed, 0x1d, sequence) >> 32
            ),
            numeric_status: self.config.answers.numeric_error_status,
        };
        let (cursor, page_size) = if action.is_some() {
            incoming.paging()
        } else {
            (None, None)
        };
        let key = self.key_of(&incoming.headers);
        let decision = match (&found, routing) {
            (Route::Found(endpoint, _), Routing::Served) => {
                lock(&self.limiter).count((key, endpoint.name), endpoint.per_minute, now)
            }
            _ => None,
        };
        if let Some(response) =
            action.and_then(|a| apply::instead(a, cursor.as_deref(), page_size, &context))
        {
            return match action {
                Some(
                    Action::TooManyRequests(_) | Action::HtmlPage(_) | Action::ConnectionReset,
                ) => response,
                _ => self.with_quota(response, decision),
            };
        }
        if let Some(refused) = decision.filter(|d| !d.allowed) {
            return self.refuse_for_quota(refused, &context);
        }
        let result = self.serve(incoming, found, routing, key, now);
        let response = match result {
            Ok(served) => {
                if served.changed {
                    lock(&self.log).changed(sequence);
                }
                served.response()
            }
            Err(error) => errors::response(&error, &context),
        };
        let response = self.with_quota(response, decision);
        if let Some(lost) = match action {
            Some(action) => apply::afterwards(action, &context).await,
            None => None,
        } {
            return lost;
        }
        match action {
            Some(action) => apply::damage(action, cursor.as_deref(), &self.seal, response).await,
            None => response,
        }
    }

    fn serve(
        &self,
        incoming: &Incoming,
        found: Route,
        routing: Routing,
        key: Option<usize>,
        now: Timestamp,
    ) -> Result<Served, ApiError> {
        let (endpoint, params) = match (found, routing) {
            (Route::Found(endpoint, params), Routing::Served) => (endpoint, params),
            (Route::Found(endpoint, _), _) | (Route::WrongMethod(endpoint), Routing::Retired) => {
                return Err(self.retired(endpoint));
            }
            (Route::WrongMethod(_), _) => {
                return Err(ApiError::wrong_method(incoming.method.as_str()));
            }
            (Route::Unknown, _) => return Err(ApiError::gateway_not_found("No route")),
        };
        let foreign = if endpoint.family == Family::Scim {
            self.authorize_scim(&params, &incoming.headers)?;
            false
        } else {
            self.authorize(endpoint, &params, key, now)?
        };
        if self
            .config
            .writes
            .not_enabled
            .iter()
            .any(|n| n == endpoint.name)
        {
            return Err(ApiError::not_enabled());
        }
        let body = body_of(incoming, endpoint)?;
        let elapsed = self.config.clock.elapsed();
        let call = Call {
            endpoint,
            params: &params,
            query: Query::parse(&incoming.query),
            body,
            now,
            elapsed,
            seed: self.config.organization.seed,
            seal: &self.seal,
            paging: &self.config.paging,
            answers: &self.config.answers,
            writes: &self.config.writes,
            audit: &self.config.audit,
            forgotten: self.forgotten.load(Ordering::Relaxed),
            scim_account_id: self.config.scim_account_id,
            foreign,
            url: incoming.url.clone(),
        };
        match endpoint.handler {
            Handler::Read(handler) => {
                let organization = self.organization.read(elapsed);
                handler(&call, &organization).map(Served::read)
            }
            Handler::Write(handler) => {
                let decide = |org: &Organization| handler(&call, org);
                let (outcome, changed) = self.organization.carry_out(elapsed, decide)?;
                Ok(Served {
                    status: outcome.status,
                    body: outcome.body,
                    changed,
                })
            }
        }
    }

    fn retired(&self, endpoint: &Endpoint) -> ApiError {
        match self.generation(endpoint) {
            Generation::Gone => ApiError::retired(),
            Generation::Alive | Generation::NotFound => ApiError::gateway_not_found("No route"),
        }
    }

    /// ListPosition of the request's key among the known ones.
    fn key_of(&self, headers: &HeaderMap) -> Option<usize> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let token = token.trim();
        let organization = self.organization.read(self.config.clock.elapsed());
        organization.key_with_token(token)
    }

    /// Checks key, organization and scope; returns whether the key is another organization's.
    fn authorize(
        &self,
        endpoint: &Endpoint,
        params: &Params,
        key: Option<usize>,
        now: Timestamp,
    ) -> Result<bool, ApiError> {
        let living = self.organization.read(self.config.clock.elapsed());
        let key = key
            .and_then(|n| living.keys.get(n))
            .map(|k| &k.key)
            .ok_or_else(ApiError::unauthorized)?;
        if key.expires_at.is_some_and(|at| at <= now) {
            return Err(ApiError::unauthorized());
        }
        let organization = params
            .iter()
            .find(|(name, _)| *name == "org")
            .map(|(_, id)| id);
        if organization.is_some_and(|id| key.foreign || *id != self.organization_id) {
            return Err(ApiError::gateway_not_found("TCS validation failed"));
        }
        let lacking = key
            .scopes
            .as_ref()
            .is_some_and(|held| !endpoint.scopes.iter().any(|s| held.iter().any(|h| h == s)));
        if lacking {
            if endpoint.family == Family::Lifecycle {
                // The refusal names a scope that no key can have.
                return Err(ApiError::scope_forbidden(Some("manage:org")));
            }
            let scope = endpoint.scopes.first().copied();
            return Err(match self.config.answers.scope_refusal {
                ScopeRefusal::Unauthorized => ApiError::scope_unauthorized(scope),
                ScopeRefusal::Forbidden => ApiError::scope_forbidden(scope),
            });
        }
        Ok(key.foreign)
    }

    /// Checks that the token is the one of the path's directory.
    fn authorize_scim(&self, params: &Params, headers: &HeaderMap) -> Result<(), ApiError> {
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.strip_prefix("Bearer "))
            .unwrap_or_default();
        let directory = params.iter().find(|(name, _)| *name == "directory");
        let id = directory.map_or("", |(_, id)| id.as_str());
        let organization = self.organization.read(self.config.clock.elapsed());
        let mut all = organization.directories.iter();
        if !all.any(|d| given == self.scim_token(&organization, &d.id)) {
            return Err(ApiError::unauthorized());
        }
        if organization.find_directory(id).is_none() {
            let detail = format!("no directory {id}");
            return Err(ApiError::scim(StatusCode::NOT_FOUND, "", detail));
        }
        if given == self.scim_token(&organization, id) {
            Ok(())
        } else {
            Err(ApiError::forbidden("the token is of another directory"))
        }
    }

    /// The token of the identity provider of a directory.
    pub(crate) fn scim_token(&self, organization: &Organization, directory_id: &str) -> String {
        let is_first = organization.find_directory(directory_id) == Some(0);
        if let (true, Some(token)) = (is_first, &self.config.scim_token) {
            return token.clone();
        }
        let word = directory_id.bytes().fold(organization.seed, |word, byte| {
            crate::random::draw(word, 0x5c1, u64::from(byte))
        });
        format!("sim-scim-token-{word:016x}")
    }

    fn refuse_for_quota(&self, decision: Decision, context: &ErrorContext<'_>) -> Response {
        let response = errors::response(&ApiError::too_many(), context);
        if self.config.limits.bare_refusals {
            return response;
        }
        let mut response = self.with_quota(response, Some(decision));
        response.headers_mut().insert(
            header::RETRY_AFTER,
            HeaderValue::from(decision.retry_after_seconds),
        );
        response
    }

    fn with_quota(&self, mut response: Response, decision: Option<Decision>) -> Response {
        let Some(decision) = decision.filter(|_| self.config.limits.headers) else {
            return response;
        };
        let reset = if self.config.limits.reset_without_seconds {
            decision.reset.strftime("%Y-%m-%dT%H:%MZ").to_string()
        } else {
            iso_seconds(decision.reset)
        };
        let headers = response.headers_mut();
        headers.insert(LIMIT, HeaderValue::from(decision.limit));
        headers.insert(REMAINING, HeaderValue::from(decision.remaining));
        if let Ok(reset) = HeaderValue::from_str(&reset) {
            headers.insert(RESET, reset);
        }
        response
    }
}

/// The body of a request, if the endpoint understands its kind.
fn body_of<'a>(incoming: &'a Incoming, endpoint: &Endpoint) -> Result<&'a [u8], ApiError> {
    let body = incoming
        .body
        .as_deref()
        .ok_or_else(ApiError::body_too_large)?;
    let media = incoming
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    // Identity providers have a media type of their own.
    let expected = match endpoint.family {
        Family::Scim => "application/",
        _ => "application/json",
    };
    let fits = media
        .trim_start()
        .to_ascii_lowercase()
        .starts_with(expected);
    if body.is_empty() || fits {
        Ok(body)
    } else {
        Err(ApiError::media_type())
    }
}
