//! The client: sends a request until it has an answer that counts.
//!
//! A request belongs to a call ([`HttpClient::on`]), so it is counted in the
//! call's run, keeps to the run's cap, and is judged by what the run has seen of
//! the server. Rate limits and connections are shared by all runs.
//!
//! Invariant: a request holds a place on the wire only while it is being
//! exchanged, never while it waits. Dropping a future at any point gives
//! everything back: place, bucket count, shown wait. A request that waits ends
//! as soon as its call is to stop.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::attempts::{Attempts, summary};
use super::credential::{AuthHeader, Kind};
use super::exchange::{Answer, ExchangeError, exchange};
use super::health::Health;
use super::limiter::{Admission, Answered, BucketKey, Limiter};
use super::meter::{Meter, Wait};
use super::rate_headers::RateHeaders;
use super::request::{Request, header_value};
use super::response::Response;
use super::retry::{AttemptState, Failure, Next};
use super::settings::{HttpParts, HttpSettings};
use super::trace;
use crate::Secret;
use crate::call::{Call, RunLocal, RunView, unless_stopped};
use crate::error::{Error, RequestError, RequestErrorKind, Result};
use crate::in_flight::{InFlightLimit, Permit};
use crate::traffic::{TrafficSnapshot, WaitReason};
use crate::traffic_source::TrafficSource;

/// The usual distance between requests is no wait that needs to be shown.
const SHOWN_PACING: Duration = Duration::from_millis(500);

/// What all runs share; cheap to clone, clones share everything. It sends on
/// behalf of a call: see [`HttpClient::on`].
#[derive(Clone)]
pub struct HttpClient {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HttpSettings,
    parts: HttpParts,
    user_agent: HeaderValue,
    limiter: Limiter,
    runs: RunLocal<HttpRun>,
}

/// What a run owns of its requests.
struct HttpRun {
    in_flight: InFlightLimit,
    meter: Arc<Meter>,
    health: Health,
}

/// Sends the requests of one call; cheap to clone.
#[derive(Clone)]
pub struct CallClient {
    inner: Arc<Inner>,
    run: Arc<HttpRun>,
    stop: CancellationToken,
}

/// A try that did not bring a success.
struct Failed {
    failure: Failure,
    announced: RateHeaders,
    error: Box<RequestError>,
}

impl std::fmt::Debug for HttpClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpClient")
            .field("settings", &self.inner.settings)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CallClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallClient").finish_non_exhaustive()
    }
}

impl HttpClient {
    /// A client; refused when the user agent cannot be sent.
    pub fn new(parts: HttpParts, settings: HttpSettings) -> Result<Self> {
        let user_agent = header_value(&settings.user_agent).ok_or_else(|| Error::Setting {
            setting: "the header `user-agent`",
            reason: "it has a control character".to_owned(),
        })?;
        Ok(Self {
            inner: Arc::new(Inner {
                user_agent,
                limiter: Limiter::new(settings.rate),
                runs: RunLocal::new(),
                settings,
                parts,
            }),
        })
    }

    /// The client of one call.
    pub fn on(&self, call: &Call) -> CallClient {
        let inner = Arc::clone(&self.inner);
        let run = inner.runs.of(call, || HttpRun {
            in_flight: InFlightLimit::new(call.in_flight().unwrap_or(inner.settings.in_flight)),
            meter: Arc::new(Meter::new(Arc::clone(&inner.parts.observer))),
            health: Health::default(),
        });
        CallClient {
            inner,
            run,
            stop: call.stop().clone(),
        }
    }
}

impl TrafficSource for HttpClient {
    fn traffic(&self, run: &RunView) -> TrafficSnapshot {
        let Some(run) = self.inner.runs.in_run(run) else {
            return TrafficSnapshot::default();
        };
        let mut traffic = run.meter.snapshot(run.in_flight.taken());
        for (endpoint, limit) in self.inner.limiter.announced() {
            if let Some(counters) = traffic.endpoints.get_mut(endpoint) {
                counters.limit = Some(limit);
            }
        }
        let mut throttles = self.inner.limiter.throttles(Instant::now());
        // What keeps only other runs waiting is not this one's figure.
        throttles.retain(|throttle| traffic.concerns(&throttle.endpoint));
        traffic.throttles = throttles;
        traffic
    }
}

impl CallClient {
    /// Sends a request and reads the answer as JSON.
    pub async fn json<T: DeserializeOwned>(&self, request: &Request) -> Result<T> {
        self.send(request).await?.json()
    }

    /// Waits for `wait`, unless the call is to end first.
    ///
    /// # Errors
    /// [`Call::stopped_error`] then.
    pub async fn unless_stopped<F: Future>(&self, wait: F) -> Result<F::Output> {
        unless_stopped(&self.stop, wait).await
    }

    /// Sends a request, repeatedly if need be, until it has a success (2xx)
    /// or a failure that counts.
    ///
    /// A token that ends ([`super::Credential::renewed`]) is renewed once if the
    /// server refuses it.
    pub async fn send(&self, request: &Request) -> Result<Response> {
        let span = trace::span(request);
        let mut attempts = Attempts::new(request);
        let sent = self.send_in_span(request, &mut attempts);
        let outcome = sent.instrument(span.clone()).await;
        trace::ended(&span, attempts.sent, &outcome);
        outcome
    }

    async fn send_in_span(
        &self,
        request: &Request,
        attempts: &mut Attempts<'_>,
    ) -> Result<Response> {
        let (mut auth_header, mut token) = self.auth_header(request, None).await?;
        let mut renewed = false;
        loop {
            let Some(wire) = request.to_http(&self.inner.user_agent, auth_header.as_ref()) else {
                let detail = "its URL is not valid".to_owned();
                return Err(attempts
                    .error(RequestErrorKind::Unsendable { detail })
                    .into());
            };
            match self.deliver(attempts, &wire).await {
                Err(error) if error.status() == Some(401) && token.is_some() && !renewed => {
                    (auth_header, token) = self.auth_header(request, token).await?;
                    attempts.uncount_try();
                    renewed = true;
                }
                outcome => return outcome,
            }
        }
    }

    /// What the request is sent with, and the number of its token where tokens
    /// end; `refused` is one that did not do.
    async fn auth_header(
        &self,
        request: &Request,
        refused: Option<u64>,
    ) -> Result<(Option<AuthHeader>, Option<u64>)> {
        match request.credential.as_ref().map(|known| &known.kind) {
            None => Ok((None, None)),
            Some(Kind::Fixed(auth_header)) => Ok((Some(auth_header.clone()), None)),
            Some(Kind::Renewed(held)) => {
                let numbered = held.auth_header(self, refused).await?;
                Ok((Some(numbered.auth_header), Some(numbered.number)))
            }
        }
    }

    /// Hides a token from now on.
    pub(super) fn register(&self, secret: &Secret) {
        self.inner.parts.secrets.register(secret);
    }

    async fn deliver(
        &self,
        attempts: &mut Attempts<'_>,
        wire: &http::Request<Bytes>,
    ) -> Result<Response> {
        let request = attempts.request;
        loop {
            let (place, ticket) = self.admitted(attempts).await?;
            attempts.begin_try();
            let repeated = attempts.sent > 1;
            self.run.meter.sent(request.endpoint, repeated);
            let began = Instant::now();
            let outcome = exchange(
                self.inner.parts.transport.as_ref(),
                &self.inner.settings,
                wire,
            )
            .await;
            drop(place);
            let now = Instant::now();
            let meter = &self.run.meter;
            meter.exchanged(request.endpoint, repeated, now - began, &outcome);
            let judged = outcome.map(|answer| {
                let answered = Answered {
                    number: ticket.number,
                    now,
                    status: answer.status,
                    took: now - began,
                };
                self.judge(attempts, answered, answer)
            });
            let failed = match judged {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(failed)) => failed,
                Err(ExchangeError::Transport(cause)) => Failed {
                    failure: Failure::Transport(cause.kind),
                    announced: RateHeaders::default(),
                    error: Box::new(attempts.transport_error(&cause)),
                },
                Err(ExchangeError::TooLarge { status, headers }) => {
                    self.run.health.succeeded(&attempts.key);
                    let limit_bytes = self.inner.settings.max_response_bytes;
                    let mut error = attempts.error(RequestErrorKind::TooLarge { limit_bytes });
                    error.status = Some(status);
                    error.request_id = self.request_id(&headers);
                    return Err(error.into());
                }
            };
            let pause = self.after(attempts, failed)?;
            // Dropping the ticket wakes waiting requests. The limiter must know
            // the answer by then.
            drop(ticket);
            if let Some(until) = pause {
                self.wait(attempts, until, WaitReason::Retry).await?;
            }
        }
    }

    /// Waits till the limiter lets the request through and there is a place
    /// on the wire.
    async fn admitted(&self, attempts: &Attempts<'_>) -> Result<(Permit, Ticket<'_>)> {
        let over = self.inner.limiter.over(&attempts.key);
        loop {
            let place = self.unless_stopped(self.run.in_flight.enter()).await?;
            let one_is_over = over.notified();
            match self.inner.limiter.admit(&attempts.key, Instant::now()) {
                Admission::Go(number) => {
                    let ticket = Ticket {
                        limiter: &self.inner.limiter,
                        key: attempts.key.clone(),
                        number,
                    };
                    return Ok((place, ticket));
                }
                Admission::NotBefore(until, reason) => {
                    drop(place);
                    self.wait(attempts, until, reason).await?;
                }
                Admission::AfterAnAnswer => {
                    drop(place);
                    self.unless_stopped(one_is_over).await?;
                }
            }
        }
    }

    /// Sorts an answer: a success, or a failure with its error ready.
    fn judge(
        &self,
        attempts: &Attempts<'_>,
        answered: Answered,
        answer: Answer,
    ) -> std::result::Result<Response, Failed> {
        let announced = RateHeaders::read(&answer.headers, self.inner.parts.clock.now());
        self.inner
            .limiter
            .learn(&attempts.key, answered, &announced);
        let request_id = self.request_id(&answer.headers);
        attempts.log_answer(&answer, &announced, request_id.as_deref());
        if (200..300).contains(&answer.status) {
            self.run.health.succeeded(&attempts.key);
            let mut context = attempts.error(RequestErrorKind::Status);
            context.status = Some(answer.status);
            context.request_id = request_id;
            return Ok(Response {
                url: attempts.request.url.clone(),
                status: answer.status,
                headers: answer.headers,
                body: answer.body,
                error_context: Box::new(context),
            });
        }
        if answer.status == 429 {
            self.run.meter.rate_limited(attempts.key.endpoint);
        }
        let mut error = attempts.status_error(&answer, self.inner.parts.api_errors.as_ref());
        error.request_id = request_id.or(error.request_id);
        error.retry_after = announced.refusal_wait();
        Err(Failed {
            failure: Failure::Status(answer.status),
            announced,
            error: Box::new(error),
        })
    }

    /// Ends the request with its error, or gives the time of the next try, unless
    /// the limiter decides it.
    fn after(&self, attempts: &mut Attempts<'_>, failed: Failed) -> Result<Option<Instant>> {
        let Failed {
            failure,
            announced,
            error,
        } = failed;
        let state = AttemptState {
            proven: self.run.health.proven(),
            idempotent: attempts.request.idempotent,
            tries: attempts.counted,
            elapsed: attempts.began.elapsed(),
            resent: attempts.resent,
        };
        let policy = &self.inner.settings.retry;
        let next = policy.next(state, failure, &announced, self.inner.parts.random.as_ref());
        let now = Instant::now();
        if next == Next::GiveUp && matches!(failure, Failure::Status(300..=499 | 501)) {
            // The endpoint works; it just does not give us this.
            self.run.health.answered(&attempts.key);
            return Err(Error::Request(error));
        }
        self.run.health.failed(&attempts.key, now, summary(&error));
        self.check_deadline(attempts)?;
        match next {
            Next::GiveUp => return Err(Error::Request(error)),
            Next::ResendNow => attempts.resend(),
            Next::Stated(wait, reason) => {
                attempts.uncount_try();
                self.inner.limiter.pause(&attempts.key, now + wait, reason);
            }
            Next::Pause(delay) => return Ok(Some(now + delay)),
        }
        Ok(None)
    }

    /// Sleeps till `until`, or till the run has no hope left.
    async fn wait(
        &self,
        attempts: &Attempts<'_>,
        until: Instant,
        reason: WaitReason,
    ) -> Result<()> {
        let duration = until.saturating_duration_since(Instant::now());
        let wait = Wait {
            endpoint: attempts.key.endpoint,
            reason,
            duration,
        };
        if matches!(reason, WaitReason::Paced | WaitReason::Capped) && duration < SHOWN_PACING {
            let _counted = self.run.meter.waiting_quietly(wait);
            return self.unless_stopped(sleep_until(until)).await;
        }
        let ends = self.inner.parts.clock.now().checked_add(duration);
        attempts.log_wait(&wait, ends, self.run.meter.is_known(&wait));
        let _shown = self.run.meter.waiting(wait);
        loop {
            let deadline = self
                .run
                .health
                .deadline(&attempts.key, self.inner.settings.retry.give_up_after);
            match deadline.filter(|deadline| *deadline < until) {
                None => return self.unless_stopped(sleep_until(until)).await,
                Some(deadline) => {
                    self.unless_stopped(sleep_until(deadline)).await?;
                    // A success since then has moved the deadline.
                    self.check_deadline(attempts)?;
                }
            }
        }
    }

    fn check_deadline(&self, attempts: &Attempts<'_>) -> Result<()> {
        let limit = self.inner.settings.retry.give_up_after;
        let now = Instant::now();
        match self.run.health.failing_for(&attempts.key, now, limit) {
            None => Ok(()),
            Some(failing) => {
                let since: Duration = now.duration_since(failing.since);
                let last = failing.last;
                Err(attempts
                    .error(RequestErrorKind::NeverSucceeded { since, last })
                    .into())
            }
        }
    }

    fn request_id(&self, headers: &http::HeaderMap) -> Option<String> {
        self.inner
            .settings
            .request_id_headers
            .iter()
            .find_map(|name| headers.get(name)?.to_str().ok())
            .map(super::redact::quoted)
    }
}

/// A request under way in its bucket.
struct Ticket<'a> {
    limiter: &'a Limiter,
    key: BucketKey,
    number: u64,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.limiter.finished(&self.key);
    }
}
