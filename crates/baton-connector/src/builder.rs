//! Makes a [`Connector`] of syncers: checks them once when the connector is
//! built (`sync-runtime.md` §5.1) and every page when it passes (§3.1).

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost_types::Any;
use v2::Capability;

use crate::call::{Call, RunView};
use crate::connector::{Connector, Page};
use crate::error::{Error, Result};
use crate::local::Local;
use crate::paging::shorten;
use crate::remarks::{Remark, Remarks};
use crate::syncer::{Repeats, ResourceSyncer, SyncerCapabilities};
use crate::traffic::TrafficSnapshot;

/// Checks settings and credentials with real calls.
#[async_trait]
pub trait Validator: Send + Sync {
    /// Fails with what is wrong and what to change; returns the annotations
    /// of the response.
    async fn validate(&self, call: &Call) -> Result<Vec<Any>>;
}

/// What counts a connector's requests; [`crate::http::HttpClient`] is the usual
/// one.
pub trait Upstream: Send + Sync {
    /// Requests, retries and waits of a run so far.
    fn traffic(&self, run: &RunView) -> TrafficSnapshot;
}

/// Puts a connector together.
///
/// ```
/// # use std::sync::Arc;
/// # use baton_connector::{Call, ConnectorBuilder, Page, ResourceSyncer, Result, resource};
/// # use baton_proto::c1::connector::v2;
/// struct Doors;
///
/// #[async_trait::async_trait]
/// impl ResourceSyncer for Doors {
///     fn resource_type(&self) -> v2::ResourceType {
///         v2::ResourceType {
///             id: "door".to_owned(),
///             display_name: "Door".to_owned(),
///             ..v2::ResourceType::default()
///         }
///     }
///
///     async fn list(
///         &self,
///         _call: &Call,
///         _parent: Option<&v2::ResourceId>,
///     ) -> Result<Page<v2::Resource>> {
///         let door = resource::ResourceBuilder::new("door", "1").display_name("Front").build()?;
///         Ok(Page::last(vec![door]))
///     }
/// }
///
/// let connector = ConnectorBuilder::new()
///     .metadata(v2::ConnectorMetadata {
///         display_name: "House".to_owned(),
///         ..v2::ConnectorMetadata::default()
///     })
///     .syncer(Arc::new(Doors))
///     .build()?;
/// # let _ = connector;
/// # Ok::<(), baton_connector::Error>(())
/// ```
#[must_use]
#[derive(Default)]
pub struct ConnectorBuilder {
    metadata: v2::ConnectorMetadata,
    validator: Option<Arc<dyn Validator>>,
    upstream: Option<Arc<dyn Upstream>>,
    remark: Option<Arc<dyn Remark>>,
    syncers: Vec<Arc<dyn ResourceSyncer>>,
}

impl ConnectorBuilder {
    /// A connector without name and types.
    pub fn new() -> Self {
        Self::default()
    }

    /// What the connector says of itself. Capabilities in it are overwritten.
    pub fn metadata(mut self, metadata: v2::ConnectorMetadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// What `Validate` does; nothing if never set.
    pub fn validate_with(mut self, validator: Arc<dyn Validator>) -> Self {
        self.validator = Some(validator);
        self
    }

    /// Where traffic numbers come from.
    pub fn upstream(mut self, upstream: Arc<dyn Upstream>) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// Who has something to say about a run at its end.
    pub fn remark(mut self, remark: Arc<dyn Remark>) -> Self {
        self.remark = Some(remark);
        self
    }

    /// Adds the syncer of one resource type.
    pub fn syncer(mut self, syncer: Arc<dyn ResourceSyncer>) -> Self {
        self.syncers.push(syncer);
        self
    }

    /// The connector; refused when a type has no id, comes twice, or asks for
    /// type-scoped calls that its syncer does not serve.
    pub fn build(self) -> Result<BuiltConnector> {
        let mut types = BTreeMap::new();
        for syncer in self.syncers {
            let resource_type = checked_type(syncer.resource_type(), syncer.capabilities())?;
            let capability = type_capability(&resource_type, syncer.capabilities())?;
            let id = resource_type.id.clone();
            let registered = Registered {
                resource_type,
                capability,
                syncer,
            };
            if types.insert(id.clone(), registered).is_some() {
                return Err(Error::Registration {
                    type_id: id,
                    reason: "another syncer serves it already",
                });
            }
        }
        let mut metadata = self.metadata;
        metadata.capabilities = Some(capabilities(&types));
        Ok(BuiltConnector {
            metadata,
            validator: self.validator,
            upstream: self.upstream,
            remark: self.remark,
            types,
        })
    }
}

/// Refuses a type without an id, and marks those that are asked about as a
/// whole.
fn checked_type(
    mut resource_type: v2::ResourceType,
    syncer: SyncerCapabilities,
) -> Result<v2::ResourceType> {
    let marks = &mut resource_type.annotations;
    let reason = if resource_type.id.is_empty() {
        "its id is empty"
    } else if any::contains::<v2::TypeScopedEntitlements>(marks) && !syncer.type_entitlements
        || any::contains::<v2::TypeScopedGrants>(marks) && !syncer.type_grants
    {
        "it is marked as type-scoped, but its syncer lists per resource"
    } else {
        if syncer.type_entitlements {
            any::update(marks, &v2::TypeScopedEntitlements::default());
        }
        if syncer.type_grants {
            any::update(marks, &v2::TypeScopedGrants::default());
        }
        return Ok(resource_type);
    };
    Err(Error::Registration {
        type_id: resource_type.id,
        reason,
    })
}

/// Capabilities of a type, in the order of the handlers and not of their
/// numbers, as published capability files have them.
fn type_capability(
    resource_type: &v2::ResourceType,
    syncer: SyncerCapabilities,
) -> Result<v2::ResourceTypeCapability> {
    let mut capabilities = vec![Capability::Sync.into()];
    if syncer.get {
        capabilities.push(Capability::TargetedSync.into());
    }
    let marks = &resource_type.annotations;
    let permissions =
        any::find::<v2::CapabilityPermissions>(marks).map_err(|source| Error::Annotation {
            what: format!("resource type `{}`", resource_type.id),
            source,
        })?;
    Ok(v2::ResourceTypeCapability {
        resource_type: Some(resource_type.clone()),
        capabilities,
        permissions: Some(permissions.unwrap_or_default()),
        opt_in_required: any::contains::<v2::OptInRequired>(marks),
        skip_sync_anomaly_detection: any::contains::<v2::SkipSyncAnomalyDetection>(marks),
        credential_issue: None,
        deprecated: any::contains::<v2::Deprecated>(marks),
    })
}

/// The union over all types, sorted by number; types sorted by id.
fn capabilities(types: &BTreeMap<String, Registered>) -> v2::ConnectorCapabilities {
    let resource_type_capabilities: Vec<_> = types.values().map(|t| t.capability.clone()).collect();
    let mut connector_capabilities: Vec<i32> = resource_type_capabilities
        .iter()
        .flat_map(|t| t.capabilities.iter().copied())
        .collect();
    if connector_capabilities.contains(&Capability::TargetedSync.into()) {
        connector_capabilities.push(Capability::ServiceModeTargetedSync.into());
    }
    connector_capabilities.sort_unstable();
    connector_capabilities.dedup();
    v2::ConnectorCapabilities {
        resource_type_capabilities,
        connector_capabilities,
        credential_details: None,
    }
}

struct Registered {
    resource_type: v2::ResourceType,
    capability: v2::ResourceTypeCapability,
    syncer: Arc<dyn ResourceSyncer>,
}

/// A connector made of syncers.
pub struct BuiltConnector {
    metadata: v2::ConnectorMetadata,
    validator: Option<Arc<dyn Validator>>,
    upstream: Option<Arc<dyn Upstream>>,
    remark: Option<Arc<dyn Remark>>,
    types: BTreeMap<String, Registered>,
}

impl std::fmt::Debug for BuiltConnector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BuiltConnector")
            .field("name", &self.metadata.display_name)
            .field("types", &self.types.keys())
            .finish_non_exhaustive()
    }
}

impl BuiltConnector {
    fn syncer(&self, call: &'static str, type_id: &str) -> Result<&dyn ResourceSyncer> {
        match self.types.get(type_id) {
            Some(registered) => Ok(registered.syncer.as_ref()),
            None => Err(Error::UnknownResourceType {
                call,
                type_id: type_id.to_owned(),
            }),
        }
    }

    fn syncer_of(
        &self,
        call: &'static str,
        resource: &v2::Resource,
    ) -> Result<&dyn ResourceSyncer> {
        match &resource.id {
            Some(id) if !id.resource_type.is_empty() && !id.resource.is_empty() => {
                self.syncer(call, &id.resource_type)
            }
            _ => Err(Error::MissingResource { call }),
        }
    }
}

fn advanced<T>(page: Page<T>, call: &Call, list: impl FnOnce() -> String) -> Result<Page<T>> {
    let token = call.token();
    if !token.is_empty() && page.next.as_str() == token {
        return Err(Error::TokenUnchanged {
            list: list(),
            token: shorten(token),
        });
    }
    Ok(page)
}

fn check_exclusion_groups(page: Page<v2::Entitlement>) -> Result<Page<v2::Entitlement>> {
    for entitlement in &page.items {
        let groups = entitlement
            .annotations
            .iter()
            .filter(|entry| any::is::<v2::EntitlementExclusionGroup>(entry));
        if groups.count() > 1 {
            return Err(Error::ExclusionGroups {
                entitlement_id: entitlement.id.clone(),
            });
        }
    }
    Ok(page)
}

/// A list of a whole type was asked for that the type does not have (§5.2).
fn not_scoped(call: &'static str, type_id: &str) -> Error {
    Error::stated(
        baton_proto::Code::InvalidArgument,
        format!("{call}: `{type_id}` is listed per resource"),
    )
}

fn about(what: &str, resource: &v2::Resource) -> String {
    let id = resource.id.clone().unwrap_or_default();
    format!("{what} of {} `{}`", id.resource_type, id.resource)
}

#[async_trait]
impl Connector for BuiltConnector {
    async fn metadata(&self, _call: &Call) -> Result<v2::ConnectorMetadata> {
        Ok(self.metadata.clone())
    }

    async fn validate(&self, call: &Call) -> Result<Vec<Any>> {
        match &self.validator {
            Some(validator) => validator.validate(call).await,
            None => Ok(Vec::new()),
        }
    }

    async fn list_resource_types(&self, _call: &Call) -> Result<Page<v2::ResourceType>> {
        if self.types.is_empty() {
            return Err(Error::NoResourceTypes);
        }
        let types = self.types.values();
        Ok(Page::last(types.map(|t| t.resource_type.clone()).collect()))
    }

    async fn list_resources(
        &self,
        call: &Call,
        type_id: &str,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Page<v2::Resource>> {
        let syncer = self.syncer("list resources", type_id)?;
        let page = syncer.list(call, parent).await?;
        advanced(page, call, || format!("resources of type `{type_id}`"))
    }

    async fn list_static_entitlements(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let syncer = self.syncer("list static entitlements", type_id)?;
        let page = check_exclusion_groups(syncer.static_entitlements(call).await?)?;
        advanced(page, call, || {
            format!("static entitlements of type `{type_id}`")
        })
    }

    async fn list_entitlements(
        &self,
        call: &Call,
        resource: &v2::Resource,
    ) -> Result<Page<v2::Entitlement>> {
        let syncer = self.syncer_of("list entitlements", resource)?;
        let page = check_exclusion_groups(syncer.entitlements(call, resource).await?)?;
        advanced(page, call, || about("entitlements", resource))
    }

    async fn list_grants(&self, call: &Call, resource: &v2::Resource) -> Result<Page<v2::Grant>> {
        let syncer = self.syncer_of("list grants", resource)?;
        let page = syncer.grants(call, resource).await?;
        advanced(page, call, || about("grants", resource))
    }

    async fn list_entitlements_of_type(
        &self,
        call: &Call,
        type_id: &str,
    ) -> Result<Page<v2::Entitlement>> {
        let doing = "list entitlements of a type";
        let syncer = self.syncer(doing, type_id)?;
        if !syncer.capabilities().type_entitlements {
            return Err(not_scoped(doing, type_id));
        }
        let page = check_exclusion_groups(syncer.type_entitlements(call).await?)?;
        advanced(page, call, || format!("entitlements of type `{type_id}`"))
    }

    async fn list_grants_of_type(&self, call: &Call, type_id: &str) -> Result<Page<v2::Grant>> {
        let doing = "list grants of a type";
        let syncer = self.syncer(doing, type_id)?;
        if !syncer.capabilities().type_grants {
            return Err(not_scoped(doing, type_id));
        }
        let page = syncer.type_grants(call).await?;
        advanced(page, call, || format!("grants of type `{type_id}`"))
    }

    async fn get_resource(
        &self,
        call: &Call,
        id: &v2::ResourceId,
        parent: Option<&v2::ResourceId>,
    ) -> Result<Option<v2::Resource>> {
        match self.types.get(&id.resource_type) {
            Some(registered) if registered.syncer.capabilities().get => {
                registered.syncer.get(call, id, parent).await
            }
            _ => Err(Error::Unimplemented {
                call: "get resource",
                type_id: id.resource_type.clone(),
            }),
        }
    }

    async fn cleanup(&self, _call: &Call) -> Result<()> {
        Ok(())
    }

    fn local(&self) -> Option<&dyn Local> {
        Some(self)
    }
}

impl Local for BuiltConnector {
    fn traffic(&self, run: &RunView) -> Option<TrafficSnapshot> {
        self.upstream.as_ref().map(|upstream| upstream.traffic(run))
    }

    fn remarks(&self, run: &RunView) -> Remarks {
        let remark = self.remark.as_ref();
        remark.map(|remark| remark.remarks(run)).unwrap_or_default()
    }

    fn repeats(&self, type_id: &str) -> Repeats {
        let registered = self.types.get(type_id);
        registered.map_or_else(Repeats::default, |registered| registered.syncer.repeats())
    }

    fn added_entitlement(
        &self,
        resource: &v2::Resource,
        slug: &str,
    ) -> Result<Option<v2::Entitlement>> {
        let syncer = self.syncer_of("make an added entitlement", resource)?;
        syncer.added_entitlement(resource, slug)
    }
}
