//! Which resource types a connector has, and what it can do with each.
//!
//! They are registered once, before anything is connected, so what a connector
//! announces needs no settings; and a type's syncer is made of what connecting
//! brings (`C`). An ability is registered by the method that needs its trait,
//! so what is announced and what is there cannot differ:
//!
//! ```compile_fail,E0277
//! use baton_connector::{Call, Page, ResourceSyncer, Result, TypeSpec, v2};
//! # struct Doors;
//! # #[async_trait::async_trait]
//! # impl ResourceSyncer for Doors {
//! #     async fn list(
//! #         &self,
//! #         _call: &Call,
//! #         _parent: Option<&v2::ResourceId>,
//! #     ) -> Result<Page<v2::Resource>> {
//! #         Ok(Page::empty())
//! #     }
//! # }
//! // `Doors` is no `ResourceGetter`.
//! let doors = TypeSpec::new(v2::ResourceType::default(), |(): &()| Ok(Doors)).get();
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use baton_proto::any;
use baton_proto::c1::connector::v2;
use v2::Capability;

use crate::change::{Provisioner, ResourceDeleter};
use crate::error::{Error, Result};
use crate::syncer::{ResourceGetter, ResourceSyncer, TypeEntitlements, TypeGrants};

/// Makes a syncer of what connecting has brought.
type Make<C, S> = Box<dyn Fn(&C) -> Result<S> + Send + Sync>;

/// A syncer as one of its abilities.
type Cast<S, A> = fn(Arc<S>) -> Arc<A>;

/// One resource type, how its syncer is made, and what else it can do.
///
/// ```
/// # use baton_connector::{Call, Page, ResourceGetter, ResourceSyncer, Result, TypeSpec, Types, v2};
/// # struct House;
/// struct Doors;
///
/// # #[async_trait::async_trait]
/// # impl ResourceSyncer for Doors {
/// #     async fn list(
/// #         &self,
/// #         _call: &Call,
/// #         _parent: Option<&v2::ResourceId>,
/// #     ) -> Result<Page<v2::Resource>> {
/// #         Ok(Page::empty())
/// #     }
/// # }
/// #[async_trait::async_trait]
/// impl ResourceGetter for Doors {
///     // ...
/// #     async fn get(
/// #         &self,
/// #         _call: &Call,
/// #         _id: &v2::ResourceId,
/// #         _parent: Option<&v2::ResourceId>,
/// #     ) -> Result<Option<v2::Resource>> {
/// #         Ok(None)
/// #     }
/// }
///
/// let door = v2::ResourceType { id: "door".to_owned(), ..v2::ResourceType::default() };
/// let types = Types::new().with(TypeSpec::new(door, |_: &House| Ok(Doors)).get());
/// let announced = types.capabilities()?;
/// assert_eq!(announced.connector_capabilities.len(), 3);
/// # Ok::<(), baton_connector::Error>(())
/// ```
#[must_use]
pub struct TypeSpec<C, S> {
    resource_type: v2::ResourceType,
    make: Make<C, S>,
    as_getter: Option<Cast<S, dyn ResourceGetter>>,
    as_type_entitlements: Option<Cast<S, dyn TypeEntitlements>>,
    as_type_grants: Option<Cast<S, dyn TypeGrants>>,
    as_provisioner: Option<Cast<S, dyn Provisioner>>,
    as_deleter: Option<Cast<S, dyn ResourceDeleter>>,
}

impl<C: 'static, S: ResourceSyncer + 'static> TypeSpec<C, S> {
    /// A type whose resources, entitlements and grants are listed.
    pub fn new(
        resource_type: v2::ResourceType,
        make: impl Fn(&C) -> Result<S> + Send + Sync + 'static,
    ) -> Self {
        Self {
            resource_type,
            make: Box::new(make),
            as_getter: None,
            as_type_entitlements: None,
            as_type_grants: None,
            as_provisioner: None,
            as_deleter: None,
        }
    }

    /// Its resources can be read by id: the type announces targeted syncs.
    pub fn get(mut self) -> Self
    where
        S: ResourceGetter,
    {
        self.as_getter = Some(|syncer| syncer);
        self
    }

    /// Who holds the entitlements of its resources can be changed: the type
    /// announces `PROVISION`.
    pub fn provisioner(mut self) -> Self
    where
        S: Provisioner,
    {
        self.as_provisioner = Some(|syncer| syncer);
        self
    }

    /// Its resources can be deleted: the type announces `RESOURCE_DELETE`.
    pub fn deleter(mut self) -> Self
    where
        S: ResourceDeleter,
    {
        self.as_deleter = Some(|syncer| syncer);
        self
    }

    /// Entitlements of all its resources are one list, which is asked for in
    /// place of those of each resource. The type is marked as
    /// `TypeScopedEntitlements`.
    pub fn type_entitlements(mut self) -> Self
    where
        S: TypeEntitlements,
    {
        self.as_type_entitlements = Some(|syncer| syncer);
        self
    }

    /// Grants on all its resources are one list, which is asked for in place
    /// of those of each resource. The type is marked as `TypeScopedGrants`.
    pub fn type_grants(mut self) -> Self
    where
        S: TypeGrants,
    {
        self.as_type_grants = Some(|syncer| syncer);
        self
    }
}

/// A [`TypeSpec`] of any syncer.
trait Spec<C>: Send + Sync {
    fn announced(&self) -> Result<v2::ResourceTypeCapability>;

    fn serve(&self, connected: &C) -> Result<Served>;
}

impl<C: 'static, S: ResourceSyncer + 'static> Spec<C> for TypeSpec<C, S> {
    fn announced(&self) -> Result<v2::ResourceTypeCapability> {
        let mut resource_type = self.resource_type.clone();
        let marks = &mut resource_type.annotations;
        let by_type = (
            self.as_type_entitlements.is_some(),
            self.as_type_grants.is_some(),
        );
        let reason = if resource_type.id.is_empty() {
            "its id is empty"
        } else if any::contains::<v2::TypeScopedEntitlements>(marks) && !by_type.0
            || any::contains::<v2::TypeScopedGrants>(marks) && !by_type.1
        {
            "it is marked as type-scoped, but its syncer lists per resource"
        } else {
            if by_type.0 {
                any::update(marks, &v2::TypeScopedEntitlements::default());
            }
            if by_type.1 {
                any::update(marks, &v2::TypeScopedGrants::default());
            }
            let abilities = [
                (self.as_getter.is_some(), Capability::TargetedSync),
                (self.as_provisioner.is_some(), Capability::Provision),
                (self.as_deleter.is_some(), Capability::ResourceDelete),
            ];
            return type_capability(resource_type, &abilities);
        };
        Err(Error::Registration {
            type_id: resource_type.id,
            reason,
        })
    }

    fn serve(&self, connected: &C) -> Result<Served> {
        let announced = self.announced()?;
        let syncer = Arc::new((self.make)(connected)?);
        Ok(Served {
            announced,
            getter: self.as_getter.map(|getter| getter(Arc::clone(&syncer))),
            type_entitlements: self
                .as_type_entitlements
                .map(|lists| lists(Arc::clone(&syncer))),
            type_grants: self.as_type_grants.map(|lists| lists(Arc::clone(&syncer))),
            provisioner: self
                .as_provisioner
                .map(|provisioner| provisioner(Arc::clone(&syncer))),
            deleter: self.as_deleter.map(|deleter| deleter(Arc::clone(&syncer))),
            syncer,
        })
    }
}

/// Capabilities of a type, in the order of the handlers and not of their
/// numbers, as published capability files have them.
fn type_capability(
    resource_type: v2::ResourceType,
    abilities: &[(bool, Capability)],
) -> Result<v2::ResourceTypeCapability> {
    let mut capabilities = vec![Capability::Sync.into()];
    let able = abilities.iter().filter(|(able, _)| *able);
    capabilities.extend(able.map(|(_, capability)| i32::from(*capability)));
    let marks = &resource_type.annotations;
    let permissions =
        any::find::<v2::CapabilityPermissions>(marks).map_err(|source| Error::Annotation {
            what: format!("resource type `{}`", resource_type.id),
            source,
        })?;
    Ok(v2::ResourceTypeCapability {
        capabilities,
        permissions: Some(permissions.unwrap_or_default()),
        opt_in_required: any::contains::<v2::OptInRequired>(marks),
        skip_sync_anomaly_detection: any::contains::<v2::SkipSyncAnomalyDetection>(marks),
        credential_issue: None,
        deprecated: any::contains::<v2::Deprecated>(marks),
        resource_type: Some(resource_type),
    })
}

/// A type, served.
pub(crate) struct Served {
    pub(crate) announced: v2::ResourceTypeCapability,
    pub(crate) syncer: Arc<dyn ResourceSyncer>,
    pub(crate) getter: Option<Arc<dyn ResourceGetter>>,
    pub(crate) type_entitlements: Option<Arc<dyn TypeEntitlements>>,
    pub(crate) type_grants: Option<Arc<dyn TypeGrants>>,
    pub(crate) provisioner: Option<Arc<dyn Provisioner>>,
    pub(crate) deleter: Option<Arc<dyn ResourceDeleter>>,
}

impl Served {
    pub(crate) fn resource_type(&self) -> v2::ResourceType {
        self.announced.resource_type.clone().unwrap_or_default()
    }
}

/// All resource types of a connector, before it is connected.
#[must_use]
pub struct Types<C> {
    specs: Vec<Box<dyn Spec<C>>>,
}

impl<C> Default for Types<C> {
    fn default() -> Self {
        Self { specs: Vec::new() }
    }
}

impl<C: 'static> Types<C> {
    /// No types.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a type. What is wrong with it comes to light with
    /// [`Types::capabilities`], and when a connector is made of it.
    pub fn with<S: ResourceSyncer + 'static>(mut self, spec: TypeSpec<C, S>) -> Self {
        self.specs.push(Box::new(spec));
        self
    }

    /// What a connector of these types announces.
    ///
    /// # Errors
    /// [`Error::Registration`] when a type has no id, comes twice, or is marked
    /// as type-scoped without being served so; [`Error::Annotation`] when its
    /// permissions cannot be read.
    pub fn capabilities(&self) -> Result<v2::ConnectorCapabilities> {
        let announced = self.specs.iter().map(|spec| spec.announced());
        let announced = announced.collect::<Result<Vec<_>>>()?;
        let types = by_id(announced, id)?;
        Ok(union(types.into_values()))
    }

    /// The types, served with what connecting has brought.
    pub(crate) fn serve(&self, connected: &C) -> Result<Vec<Served>> {
        let specs = self.specs.iter();
        specs.map(|spec| spec.serve(connected)).collect()
    }
}

impl<C: 'static> std::fmt::Debug for Types<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let announced = self.specs.iter().map(|spec| spec.announced());
        f.debug_list()
            .entries(announced.map(|announced| announced.map(|announced| id(&announced))))
            .finish()
    }
}

fn id(announced: &v2::ResourceTypeCapability) -> String {
    let resource_type = announced.resource_type.as_ref();
    resource_type.map_or_else(String::new, |resource_type| resource_type.id.clone())
}

/// Puts types in order; refuses one that comes twice.
pub(crate) fn by_id<T>(types: Vec<T>, id: impl Fn(&T) -> String) -> Result<BTreeMap<String, T>> {
    let mut sorted = BTreeMap::new();
    for served in types {
        let type_id = id(&served);
        if sorted.insert(type_id.clone(), served).is_some() {
            return Err(Error::Registration {
                type_id,
                reason: "another syncer serves it already",
            });
        }
    }
    Ok(sorted)
}

/// The union over all types, sorted by number; types sorted by id.
pub(crate) fn union(
    types: impl Iterator<Item = v2::ResourceTypeCapability>,
) -> v2::ConnectorCapabilities {
    let resource_type_capabilities: Vec<_> = types.collect();
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
