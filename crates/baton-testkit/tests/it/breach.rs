//! A connector that does as it should, but for one thing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use baton_connector::{
    Actions, Any, Call, Code, Connector, Error, EventFeeds, LocalHooks, Page, Provisioning, Result,
    Row, Tickets, async_trait, v2,
};
use v2::Capability;

use crate::parts;
use crate::toy::{self, Flaw};

/// What it does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    Nothing,
    // What it announces.
    NoMetadata,
    NoCapabilities,
    HidesType,
    HidesCapability,
    NoProvisioning,
    NoAccountSchema,
    NoPreferredOption,
    NoCredentialDetails,
    NoOptions,
    NoIssueOptions,
    NoFeeds,
    FeedTwice,
    HidesFeeds,
    NoSchemaOfAction,
    ActionOfNoType,
    ActionOfOtherType,
    /// Refuses feeds, actions and tickets, as a server without these services does.
    NoParts,
    TicketsUnimplemented,
    TicketsDisabled,
    OtherTicketSchema,
    // What it reads.
    GetsNothing,
    GetsAnything,
    GetsUnannounced,
    HidesExistence,
    UnmarkedGrants,
    // What it refuses.
    AnyType,
    AnyFeed,
    AnyAction,
    AnswersNothing,
    PanicsOnNothing,
    // How it behaves.
    TokensOnce,
    StopIsUnknown,
    NeverStops,
    Jams,
    Overloaded,
    CleansOnce,
    SyncOnly,
    HangsOutside,
}

/// How long a request to the application takes.
const REQUEST: Duration = Duration::from_millis(20);

pub struct Breaching {
    inner: Arc<dyn Connector>,
    breach: Breach,
    parts: parts::Parts,
    busy: AtomicBool,
    at_once: AtomicU64,
    cleanups: AtomicU64,
    tokens: AtomicU64,
}

impl Breaching {
    pub fn connector(breach: Breach) -> Arc<dyn Connector> {
        let inner = toy::connector(Flaw::Nothing, &Arc::default()).unwrap();
        Arc::new(Self {
            inner: Arc::new(inner),
            breach,
            parts: parts::Parts(breach),
            busy: AtomicBool::new(false),
            at_once: AtomicU64::new(0),
            cleanups: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
        })
    }
}

fn outside(call: &Call) -> bool {
    call.sync_id().is_empty()
}

fn is_known(type_id: &str) -> bool {
    ["user", "team"].contains(&type_id)
}

/// Counts a call for as long as it lasts.
struct Counted<'a>(&'a AtomicU64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl Connector for Breaching {
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata> {
        if self.breach == Breach::NoMetadata && self.busy.load(Ordering::Relaxed) {
            return Err(Error::stated(Code::Internal, "no metadata today"));
        }
        let mut metadata = self.inner.metadata(call).await?;
        parts::announce(self.breach, &mut metadata);
        Ok(metadata)
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        self.inner.validate(call).await
    }

    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>> {
        if self.breach == Breach::Overloaded {
            let at_once = self.at_once.fetch_add(1, Ordering::Relaxed);
            let _counted = Counted(&self.at_once);
            tokio::time::sleep(REQUEST).await;
            if at_once > 100 {
                return Err(Error::stated(Code::Internal, "too many at once"));
            }
        }
        self.inner.list_resource_types(call).await
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        match self.breach {
            Breach::AnyType if type_id.starts_with("baton") => return Ok(Page::empty()),
            Breach::AnswersNothing if type_id.is_empty() => return Ok(Page::empty()),
            Breach::PanicsOnNothing if type_id.is_empty() => panic!("no type, as a bug would"),
            Breach::SyncOnly if outside(call) && is_known(type_id) => {
                let text = "values of a sync are missing";
                return Err(Error::stated(Code::FailedPrecondition, text));
            }
            Breach::TokensOnce
                if outside(call)
                    && !call.token().is_empty()
                    && self.tokens.fetch_add(1, Ordering::Relaxed) > 0 =>
            {
                return Err(Error::stated(Code::InvalidArgument, "a used token"));
            }
            Breach::StopIsUnknown if call.stop().is_cancelled() => {
                return Err(Error::stated(Code::Unknown, "context canceled"));
            }
            Breach::HangsOutside if outside(call) => std::future::pending().await,
            Breach::NeverStops if call.stop().is_cancelled() => std::future::pending().await,
            // An engine reads the metadata as well, before any list.
            Breach::NoMetadata if outside(call) => self.busy.store(true, Ordering::Relaxed),
            Breach::Jams if outside(call) => {
                if self.busy.swap(true, Ordering::Relaxed) {
                    return Err(Error::stated(Code::Internal, "another call is under way"));
                }
                tokio::time::sleep(REQUEST).await;
                self.busy.store(false, Ordering::Relaxed);
            }
            _ => {}
        }
        self.inner.list_resources(call, type_id, parent).await
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.inner.list_static_entitlements(call, type_id).await
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        self.inner.list_entitlements(call, resource).await
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        self.inner.list_grants(call, resource).await
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        self.inner.list_entitlements_of_type(call, type_id).await
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        if self.breach == Breach::UnmarkedGrants && type_id == "team" {
            return Ok(Page::last(vec![v2::Grant::default()]));
        }
        self.inner.list_grants_of_type(call, type_id).await
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<Row<v2::Resource>>> {
        let any = v2::Resource {
            id: Some(id.clone()),
            ..v2::Resource::default()
        };
        let is_known = id.resource.parse::<u64>().is_ok();
        match self.breach {
            Breach::GetsNothing if id.resource_type == "user" => Ok(None),
            Breach::GetsAnything if id.resource_type == "user" => Ok(Some(any.into())),
            Breach::GetsUnannounced if id.resource_type == "team" => Ok(Some(any.into())),
            Breach::HidesExistence if id.resource_type == "user" && !is_known => {
                Err(Error::stated(Code::PermissionDenied, "not for you"))
            }
            _ => self.inner.get_resource(call, id, parent).await,
        }
    }

    async fn added_entitlement(
        &self,
        call: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        self.inner.added_entitlement(call, resource, slug).await
    }

    async fn cleanup(&self, call: &Call) -> Result<()> {
        let times = if outside(call) {
            self.cleanups.fetch_add(1, Ordering::Relaxed)
        } else {
            0
        };
        if self.breach == Breach::CleansOnce && times > 0 {
            return Err(Error::stated(Code::Internal, "nothing to clean up"));
        }
        self.inner.cleanup(call).await
    }

    fn provisioning(&self) -> Option<&dyn Provisioning> {
        match self.breach {
            Breach::NoProvisioning => None,
            _ => self.inner.provisioning(),
        }
    }

    fn accounts(&self) -> Option<&dyn baton_connector::Accounts> {
        self.inner.accounts()
    }

    fn credentials(&self) -> Option<&dyn baton_connector::Credentials> {
        self.inner.credentials()
    }

    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        Some(&self.parts)
    }

    fn tickets(&self) -> Option<&dyn Tickets> {
        Some(&self.parts)
    }

    fn actions(&self) -> Option<&dyn Actions> {
        Some(&self.parts)
    }

    fn local(&self) -> Option<&dyn LocalHooks> {
        self.inner.local()
    }
}

/// Capabilities of the connector besides those of its types.
pub const FURTHER: [Capability; 6] = [
    Capability::Provision,
    Capability::AccountProvisioning,
    Capability::CredentialRotation,
    Capability::EventFeedV2,
    Capability::Ticketing,
    Capability::Actions,
];
