//! What an engine sees of a connector.
//!
//! The trait is the same for a connector in this process and for one behind
//! gRPC, so it speaks in wire types and page tokens. It knows nothing of
//! files, phases or HTTP.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use prost_types::Any;

use crate::added::Added;
use crate::call::Call;
use crate::counted::Counted;
use crate::error::{Error, Result};
use crate::local::Local;

/// Where a list goes on. Opaque to everybody but the connector; empty means
/// that there is no further page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageToken(String);

impl PageToken {
    /// The token after the last page.
    pub const fn last() -> Self {
        Self(String::new())
    }

    /// True when no page follows.
    pub fn is_last(&self) -> bool {
        self.0.is_empty()
    }

    /// The token's text; empty after the last page.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The token's text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl From<String> for PageToken {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for PageToken {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The rows, in upstream order.
    pub items: Vec<T>,
    /// Where the list goes on.
    pub next: PageToken,
    /// Annotations of the response, not of a row.
    pub annotations: Vec<Any>,
    /// The application's own count of the list. It may be on any page, and on
    /// several: then the largest holds, so that a total which sinks while the
    /// list is read is noticed. Resources are counted by their ids, all other
    /// rows as they come.
    pub counted: Counted,
    /// What was counted ends with this page, though the list goes on.
    pub ends_counted: bool,
    /// The last page is as full as pages get, and no count of the list is
    /// known: there may be more.
    pub full_end: bool,
    /// Entitlements that the page's grants are on and that no list may have.
    /// Pages of other lists have none.
    pub added: Vec<Added>,
}

impl<T> Page<T> {
    /// A page with more to come, unless `next` is the empty token.
    pub fn new(items: Vec<T>, next: impl Into<PageToken>) -> Self {
        Self {
            items,
            next: next.into(),
            annotations: Vec::new(),
            counted: Counted::Untold,
            ends_counted: false,
            full_end: false,
            added: Vec::new(),
        }
    }

    /// The page with the application's own count of its list.
    #[must_use]
    pub fn counted(mut self, counted: Counted) -> Self {
        self.counted = counted;
        self
    }

    /// The only or last page of a list.
    pub fn last(items: Vec<T>) -> Self {
        Self::new(items, PageToken::last())
    }

    /// A list without rows.
    pub fn empty() -> Self {
        Self::last(Vec::new())
    }
}

/// A connector, as an engine drives it: the calls that another process could
/// serve as well.
///
/// Calls may run concurrently, and belong to any number of runs at once.
/// Dropping a returned future is a valid way to cancel a call: a listing call
/// leaves nothing behind.
#[async_trait]
pub trait Connector: Send + Sync {
    /// Name, description and capabilities.
    async fn metadata(&self, call: &Call) -> Result<v2::ConnectorMetadata>;

    /// Checks settings and credentials with real calls; returns the
    /// annotations of the response.
    async fn validate(&self, call: &Call) -> Result<Vec<Any>>;

    /// The resource types.
    async fn list_resource_types(&self, call: &Call) -> Result<Page<v2::ResourceType>>;

    /// Resources of one type, below `parent` if one is given.
    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>>;

    /// Entitlement templates that every resource of the type gets.
    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>>;

    /// Entitlements of one resource.
    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>>;

    /// Grants found by asking about one resource; their entitlements may
    /// belong to others.
    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>>;

    /// Entitlements of all resources of a type, which is marked as
    /// `TypeScopedEntitlements`.
    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let _ = call;
        Err(Error::Unimplemented {
            call: "list entitlements of a type",
            type_id: type_id.to_owned(),
        })
    }

    /// Grants found by asking about all resources of a type, which is marked
    /// as `TypeScopedGrants`.
    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        let _ = call;
        Err(Error::Unimplemented {
            call: "list grants of a type",
            type_id: type_id.to_owned(),
        })
    }

    /// One resource by id; `None` when it does not exist.
    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>>;

    /// Called once after a sync was sealed. What a run owns is dropped with
    /// the run, so nothing of it needs to be cleaned up here.
    async fn cleanup(&self, call: &Call) -> Result<()>;

    /// What the connector can tell besides, where it is in this process.
    fn local(&self) -> Option<&dyn Local> {
        None
    }
}
