//! What the author of a connector writes: one syncer per resource type.
//!
//! Three listing methods and a type; the rest has defaults. A syncer has no
//! memory: everything that a list needs to go on is in its page token, and what
//! it wants to keep for a sync or a run comes with the [`Call`].

use async_trait::async_trait;
use baton_proto::c1::connector::v2;

use crate::call::Call;
use crate::connector::Page;
use crate::error::Result;

/// Serves one resource type.
#[async_trait]
pub trait ResourceSyncer: Send + Sync {
    /// The type that this syncer serves. Asked once, when the connector is
    /// built.
    fn resource_type(&self) -> v2::ResourceType;

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

    /// One page of the entitlements of all resources of the type. Called, in
    /// place of [`ResourceSyncer::entitlements`], only when
    /// [`SyncerCapabilities::type_entitlements`] is set.
    async fn type_entitlements(&self, call: &Call) -> Result<Page<v2::Entitlement>> {
        let _ = call;
        Ok(Page::empty())
    }

    /// One page of the grants found by asking about all resources of the
    /// type. Called, in place of [`ResourceSyncer::grants`], only when
    /// [`SyncerCapabilities::type_grants`] is set.
    async fn type_grants(&self, call: &Call) -> Result<Page<v2::Grant>> {
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

    /// One resource by id; `None` when it does not exist. Called only when
    /// [`SyncerCapabilities::get`] is set.
    async fn get(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        let _ = (call, id, parent);
        Ok(None)
    }

    /// Why lists bring rows more than once, where they should.
    fn repeats(&self) -> Repeats {
        Repeats::default()
    }

    /// What this syncer can do beyond listing.
    fn capabilities(&self) -> SyncerCapabilities {
        SyncerCapabilities::default()
    }
}

/// Why lists bring the same row more than once, where this is how the
/// application lists: half a sentence. Other repetitions are warned of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repeats {
    /// Why one resource comes more than once in the list of the type.
    pub resources: Option<&'static str>,
    /// Why one grant comes more than once in the list of one resource.
    pub grants: Option<&'static str>,
}

/// What a syncer can do beyond listing.
#[non_exhaustive]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncerCapabilities {
    /// [`ResourceSyncer::get`] is implemented: the type announces targeted
    /// syncs.
    pub get: bool,
    /// [`ResourceSyncer::type_entitlements`] is implemented: the type is
    /// marked as `TypeScopedEntitlements`.
    pub type_entitlements: bool,
    /// [`ResourceSyncer::type_grants`] is implemented: the type is marked as
    /// `TypeScopedGrants`.
    pub type_grants: bool,
}

impl SyncerCapabilities {
    /// Announces [`ResourceSyncer::get`].
    #[must_use]
    pub fn with_get(mut self) -> Self {
        self.get = true;
        self
    }

    /// Announces [`ResourceSyncer::type_entitlements`].
    #[must_use]
    pub fn with_type_entitlements(mut self) -> Self {
        self.type_entitlements = true;
        self
    }

    /// Announces [`ResourceSyncer::type_grants`].
    #[must_use]
    pub fn with_type_grants(mut self) -> Self {
        self.type_grants = true;
        self
    }
}
