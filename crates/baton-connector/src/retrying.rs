//! A connector in another process, whose calls are retried.
//!
//! The engine retries nothing: a connector in this process retries its own
//! requests, and knows which. One in another process may not, so the code that
//! connects to it wraps it in this. Only reads are repeated, only after an error
//! that can pass, and no longer than a time without any success.

mod parts;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_proto::figures::counted;
use prost_types::Any;
use tokio::time::Instant;

use crate::account::Accounts;
use crate::action::Actions;
use crate::call::{Call, RunLocal};
use crate::change::{Creating, Deleting, Provisioning};
use crate::clock::{Clock, Random};
use crate::connector::Connector;
use crate::credential::Credentials;
use crate::error::{Error, Result};
use crate::event_feed::EventFeeds;
use crate::local::LocalHooks;
use crate::page::{Page, Row};
use crate::ticket::Tickets;

/// How long reads are retried. The waits are those of the Go SDK's engine, which has no
/// end of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRetryPolicy {
    /// Tries of a call before any call of the run has succeeded. Those after which the
    /// other side stated a wait do not count.
    pub unproven_tries: u32,
    /// Wait before the second try; before the third it is twice as long, and so on. The
    /// second half of it is drawn at random, so that calls do not return together.
    pub base_delay: Duration,
    /// Longest wait, also of those that the other side states: it is asked again then.
    pub max_delay: Duration,
    /// Time of failures without a success of any call of the run, after which a call
    /// ends with code `Unavailable`, and the run with it.
    pub give_up_after: Duration,
}

impl Default for CallRetryPolicy {
    fn default() -> Self {
        Self {
            unproven_tries: 3,
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_mins(1),
            give_up_after: Duration::from_mins(30),
        }
    }
}

/// See the module's header.
pub struct Retrying<C> {
    inner: C,
    policy: CallRetryPolicy,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    /// The last success of a run.
    last_success: RunLocal<Mutex<Option<Instant>>>,
}

impl<C> std::fmt::Debug for Retrying<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retrying")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<C: Connector> Retrying<C> {
    /// Puts repetition around `inner`. The clock is for ends of periods, the
    /// random numbers are for waits.
    pub fn new(
        inner: C,
        policy: CallRetryPolicy,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            inner,
            policy,
            clock,
            random,
            last_success: RunLocal::new(),
        }
    }

    async fn repeated<T, F>(&self, call: &Call, ask: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let last_success = self.last_success.of(call, Mutex::default);
        // Whole whatever happened to a thread that held it.
        let last_success = || last_success.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let (mut tries, mut own) = (0, 0);
        loop {
            let error = match ask().await {
                Ok(answer) => {
                    *last_success() = Some(Instant::now());
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let stated = error.stated_wait(self.clock.now());
            if !can_pass(error.code(), stated.is_some()) {
                return Err(error);
            }
            let last = *last_success();
            tries += 1;
            own += u32::from(stated.is_none());
            if last.is_none() && own >= self.policy.unproven_tries {
                return Err(error);
            }
            let wait = match stated {
                Some(wait) => wait.min(self.policy.max_delay),
                None => self.jittered(tries),
            };
            // A run can be idle for long, as between looks at an event feed.
            let failing = last.map_or(began, |last| last.max(began)).elapsed();
            if failing + wait >= self.policy.give_up_after {
                return Err(given_up(self.policy.give_up_after, error));
            }
            tracing::info!(
                code = error.code().name(),
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                stated = stated.is_some(),
                "a call to the connector is repeated"
            );
            call.unless_stopped(tokio::time::sleep(wait)).await?;
        }
    }

    /// The wait after so many tries.
    fn jittered(&self, tries: u32) -> Duration {
        let most = self.policy.base_delay.saturating_mul(tries);
        let half = most.min(self.policy.max_delay) / 2;
        let millis = u64::try_from(half.as_millis()).unwrap_or(u64::MAX);
        half + Duration::from_millis(self.random.next_u64() % millis.saturating_add(1))
    }
}

/// Whether the same call may succeed later. A limit that states when it is renewed
/// passes; other ones, as of the size of a message, do not.
fn can_pass(code: Code, is_stated: bool) -> bool {
    match code {
        Code::Unavailable | Code::DeadlineExceeded => true,
        Code::ResourceExhausted => is_stated,
        _ => false,
    }
}

fn given_up(after: Duration, error: Error) -> Error {
    let minutes = counted(after.as_secs() / 60, "minute", "minutes");
    let text = format!("no call to the connector has succeeded for {minutes}");
    Error::caused(Code::Unavailable, text, error)
}

#[async_trait]
impl<C: Connector> Connector for Retrying<C> {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        self.repeated(call, || self.inner.metadata(call)).await
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        self.repeated(call, || self.inner.validate(call)).await
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        self.repeated(call, || self.inner.list_resource_types(call))
            .await
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        self.repeated(call, || self.inner.list_resources(call, type_id, parent))
            .await
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.repeated(call, || self.inner.list_static_entitlements(call, type_id))
            .await
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        self.repeated(call, || self.inner.list_entitlements(call, resource))
            .await
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        self.repeated(call, || self.inner.list_grants(call, resource))
            .await
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.repeated(call, || self.inner.list_entitlements_of_type(call, type_id))
            .await
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        self.repeated(call, || self.inner.list_grants_of_type(call, type_id))
            .await
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        self.repeated(call, || self.inner.get_resource(call, id, parent))
            .await
    }

    async fn added_entitlement(
        &self,
        call: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        self.repeated(call, || self.inner.added_entitlement(call, resource, slug))
            .await
    }

    /// Not a read: what it has begun is not begun twice.
    async fn cleanup(&self, call: &Call) -> Result<()> {
        self.inner.cleanup(call).await
    }

    // Only where its requests are it is known whether a write may be repeated.
    fn provisioning(&self) -> Option<&dyn Provisioning> {
        self.inner.provisioning()
    }

    fn deleting(&self) -> Option<&dyn Deleting> {
        self.inner.deleting()
    }

    fn creating(&self) -> Option<&dyn Creating> {
        self.inner.creating()
    }

    fn accounts(&self) -> Option<&dyn Accounts> {
        self.inner.accounts()
    }

    fn credentials(&self) -> Option<&dyn Credentials> {
        self.inner.credentials()
    }

    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        self.inner.event_feeds().map(|_| self as _)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        self.inner.tickets().map(|_| self as _)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        self.inner.actions().map(|_| self as _)
    }

    fn local(&self) -> Option<&dyn LocalHooks> {
        self.inner.local()
    }
}
