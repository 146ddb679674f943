//! What the author of a connector writes: one syncer per resource type.
//!
//! One method that lists resources; the others have defaults. What only some
//! types can do is a trait of its own, registered with the type
//! ([`TypeSpec`](crate::TypeSpec)). A syncer has no
//! memory: the page token has everything that a list needs to continue, and the
//! [`Call`] brings what is kept for a sync or a run.

use async_trait::async_trait;
use baton_proto::c1::connector::v2;

use crate::call::Call;
use crate::error::Result;
use crate::page::Page;

/// Lists what there is of one resource type.
#[async_trait]
pub trait ResourceSyncer: Send + Sync {
    /// One page of the resources, below `parent` if one is given.
    async fn list(
        &self,
        call: &Call,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>>;

    /// One page of the entitlements of `resource`.
    async fn entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let _ = (call, resource);
        Ok(Page::empty())
    }

    /// One page of the grants found by asking about `resource`.
    async fn grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let _ = (call, resource);
        Ok(Page::empty())
    }

    /// One page of entitlement templates for all resources of the type.
    async fn static_entitlements(&self, call: &Call) -> Result<Page<v2::Entitlement>> {
        let _ = call;
        Ok(Page::empty())
    }

    /// The entitlement `slug` of `resource`, for grants on it that no list of
    /// entitlements has ([`Page::added`]). Makes no request. `None`: nothing
    /// is added.
    fn added_entitlement(
        &self,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        let _ = (resource, slug);
        Ok(None)
    }

    /// Why lists bring rows more than once, where they should.
    fn expected_duplicates(&self) -> ExpectedDuplicates {
        ExpectedDuplicates::default()
    }
}

/// Reads single resources of a type, for targeted syncs. Registered with
/// [`TypeSpec::get`](crate::TypeSpec::get).
#[async_trait]
pub trait ResourceGetter: Send + Sync {
    /// One resource by id; `None` when it does not exist.
    async fn get(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>>;
}

/// Lists the entitlements of all resources of a type at once. Registered with
/// [`TypeSpec::type_entitlements`](crate::TypeSpec::type_entitlements).
#[async_trait]
pub trait TypeEntitlements: Send + Sync {
    /// One page of them.
    async fn type_entitlements(&self, call: &Call) -> Result<Page<v2::Entitlement>>;
}

/// Lists the grants on all resources of a type at once. Registered with
/// [`TypeSpec::type_grants`](crate::TypeSpec::type_grants).
#[async_trait]
pub trait TypeGrants: Send + Sync {
    /// One page of those found by asking about all resources of the type.
    async fn type_grants(&self, call: &Call) -> Result<Page<v2::Grant>>;
}

/// Why lists bring the same row more than once, where this is how the
/// application lists: half a sentence. Other repetitions are warned of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ExpectedDuplicates {
    /// Why one resource comes more than once in the list of the type.
    pub resources: Option<&'static str>,
    /// Why one grant comes more than once in the list of one resource.
    pub grants: Option<&'static str>,
}
