//! A connector in another process, whose calls are retried.
//!
//! The engine retries nothing: a connector in this process retries its own
//! requests, and knows which. One in another process may not, so the code that
//! connects to it wraps it in this. Only reads are repeated, only after an
//! error that can pass, and never beyond a number of tries and a time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost_types::Any;
use tokio::time::Instant;

use crate::account::Accounts;
use crate::action::Actions;
use crate::call::{Call, RunLocal};
use crate::change::{Creating, Deleting, Provisioning};
use crate::clock::{Clock, Random};
use crate::connector::Connector;
use crate::credential::Credentials;
use crate::error::Result;
use crate::event_feed::EventFeeds;
use crate::local::LocalHooks;
use crate::page::{Page, Row};
use crate::ticket::Tickets;

/// How often and how long a call is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallRetryPolicy {
    /// Tries of a call, the first included. Those after which the other side
    /// stated a wait do not count.
    pub tries: u32,
    /// Tries before any call of the run has succeeded.
    pub unproven_tries: u32,
    /// Largest wait before the second try; it doubles with each further one.
    /// The wait is drawn from zero to it.
    pub base_delay: Duration,
    /// Largest wait of our own.
    pub max_delay: Duration,
    /// A stated wait is cut to this, and the call tried again after it.
    pub longest_stated_wait: Duration,
    /// Time after which a call is not tried again.
    pub give_up_after: Duration,
}

impl Default for CallRetryPolicy {
    fn default() -> Self {
        Self {
            tries: 5,
            unproven_tries: 3,
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            longest_stated_wait: Duration::from_mins(15),
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
    /// Whether any call of the run has succeeded.
    proven: RunLocal<AtomicBool>,
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
            proven: RunLocal::new(),
        }
    }

    async fn repeated<T, F>(&self, call: &Call, ask: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
        T: Send,
    {
        let proven = self.proven.of(call, AtomicBool::default);
        let began = Instant::now();
        let mut counted = 0;
        loop {
            let error = match ask().await {
                Ok(answer) => {
                    proven.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(error) => error,
            };
            if !can_pass(error.code()) {
                return Err(error);
            }
            let stated = error.stated_wait(self.clock.now());
            let wait = match stated {
                Some(wait) => wait.min(self.policy.longest_stated_wait),
                None => {
                    counted += 1;
                    let most = if proven.load(Ordering::Relaxed) {
                        self.policy.tries
                    } else {
                        self.policy.unproven_tries
                    };
                    if counted >= most {
                        return Err(error);
                    }
                    self.jittered(counted)
                }
            };
            if began.elapsed() + wait >= self.policy.give_up_after {
                return Err(error);
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

    /// The wait after so many tries that count.
    fn jittered(&self, tries: u32) -> Duration {
        let doubled = 1_u32.checked_shl(tries - 1).unwrap_or(u32::MAX);
        let most = self.policy.base_delay.saturating_mul(doubled);
        let most = most.min(self.policy.max_delay);
        let millis = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        Duration::from_millis(self.random.next_u64() % millis.saturating_add(1))
    }
}

/// Whether the same call may succeed later. `ResourceExhausted` is how limits
/// are refused; the other two are what Go's engine repeats.
fn can_pass(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted
    )
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
        self.inner.event_feeds()
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        self.inner.tickets()
    }

    fn actions(&self) -> Option<&dyn Actions> {
        self.inner.actions()
    }

    fn local(&self) -> Option<&dyn LocalHooks> {
        self.inner.local()
    }
}
