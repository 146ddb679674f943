//! What an engine sees of a connector.
//!
//! The trait is the same for a connector in this process and for one behind
//! gRPC, so it speaks in wire types and page tokens. It knows nothing of
//! files, phases or HTTP.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;
use prost_types::Any;

use crate::account::Accounts;
use crate::action::Actions;
use crate::call::Call;
use crate::change::{Creating, Deleting, Provisioning};
use crate::credential::Credentials;
use crate::error::{Error, Result};
use crate::event_feed::EventFeeds;
use crate::local::LocalHooks;
use crate::page::{Page, Row};
use crate::ticket::Tickets;

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
    ) -> Result<Option<Row<v2::Resource>>>;

    /// The entitlement `slug` of `resource`, which a page of grants includes
    /// ([`Page::added`]). `resource` is the listed one where a list has it, and
    /// otherwise that of the page. `None`: nothing is added.
    async fn added_entitlement(
        &self,
        call: &Call,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        let _ = (call, resource, slug);
        Ok(None)
    }

    /// Called once after a sync was sealed. What a run owns is dropped with
    /// the run, so nothing of it needs to be cleaned up here.
    async fn cleanup(&self, call: &Call) -> Result<()>;

    /// Grants and revokes, if any type has them.
    fn provisioning(&self) -> Option<&dyn Provisioning> {
        None
    }

    /// Deletion of resources, if any type has it.
    fn deleting(&self) -> Option<&dyn Deleting> {
        None
    }

    /// Creation of resources, if any type has it.
    fn creating(&self) -> Option<&dyn Creating> {
        None
    }

    /// Creation of accounts, if any type has it.
    fn accounts(&self) -> Option<&dyn Accounts> {
        None
    }

    /// Rotation and issue of credentials, if any type has them.
    fn credentials(&self) -> Option<&dyn Credentials> {
        None
    }

    /// Event feeds, if there are any.
    fn event_feeds(&self) -> Option<&dyn EventFeeds> {
        None
    }

    /// Tickets, if the application has them.
    fn tickets(&self) -> Option<&dyn Tickets> {
        None
    }

    /// Actions, if the connector has any.
    fn actions(&self) -> Option<&dyn Actions> {
        None
    }

    /// What the connector can tell besides, where it is in this process.
    fn local(&self) -> Option<&dyn LocalHooks> {
        None
    }
}
