//! What a connector announces, put together of what its types can do.

use std::collections::BTreeMap;

use baton_proto::any;
use baton_proto::c1::connector::v2;
use v2::Capability;

use crate::credential::CredentialKinds;
use crate::error::{Error, Result};

/// The type whose accounts count where several types have some.
pub(crate) const USER: &str = "user";

/// The kinds of credential that a type offers.
#[derive(Clone, Copy)]
pub(crate) struct Offered<'t> {
    pub(crate) of_accounts: Option<&'t CredentialKinds>,
    pub(crate) rotated: Option<&'t CredentialKinds>,
}

/// Capabilities of a type, in the order of the handlers and not of their
/// numbers, as published capability files have them.
pub(crate) fn type_capability(
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

pub(crate) fn id(announced: &v2::ResourceTypeCapability) -> String {
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

/// The union over all types and what belongs to no type, sorted by number; types
/// sorted by id.
///
/// # Errors
/// [`Error::Registration`] for a type that issues secrets of a type without a
/// deleter.
pub(crate) fn union<'t>(
    types: impl Iterator<Item = (v2::ResourceTypeCapability, Offered<'t>)>,
    further: &[Capability],
) -> Result<v2::ConnectorCapabilities> {
    let (resource_type_capabilities, offered): (Vec<_>, Vec<_>) = types.unzip();
    check_issued(&resource_type_capabilities)?;
    let mut connector_capabilities: Vec<i32> = resource_type_capabilities
        .iter()
        .flat_map(|t| t.capabilities.iter().copied())
        .collect();
    connector_capabilities.extend(further.iter().map(|capability| i32::from(*capability)));
    if connector_capabilities.contains(&Capability::TargetedSync.into()) {
        connector_capabilities.push(Capability::ServiceModeTargetedSync.into());
    }
    connector_capabilities.sort_unstable();
    connector_capabilities.dedup();
    Ok(v2::ConnectorCapabilities {
        credential_details: credential_details(&resource_type_capabilities, &offered),
        resource_type_capabilities,
        connector_capabilities,
    })
}

/// What can be issued must be possible to delete (`service-mode.md` §5.4).
fn check_issued(types: &[v2::ResourceTypeCapability]) -> Result<()> {
    let deletes = |type_id: &str| {
        let of_type = types.iter().find(|announced| id(announced) == type_id);
        let delete = i32::from(Capability::ResourceDelete);
        of_type.is_some_and(|announced| announced.capabilities.contains(&delete))
    };
    for announced in types {
        let issued = announced.credential_issue.iter();
        for descriptor in issued.flat_map(|issued| &issued.options) {
            if !deletes(&descriptor.secret_resource_type_id) {
                return Err(Error::Registration {
                    type_id: id(announced),
                    reason: "it issues secrets of a type whose resources cannot be deleted",
                });
            }
        }
    }
    Ok(())
}

/// The kinds of credential, as the connector announces them for all its types:
/// those of the only type that has some, else those of the type `user`, else of
/// the first.
fn credential_details(
    types: &[v2::ResourceTypeCapability],
    offered: &[Offered<'_>],
) -> Option<v2::CredentialDetails> {
    let of = |part: for<'t> fn(&Offered<'t>) -> Option<&'t CredentialKinds>| {
        let with = types.iter().zip(offered);
        let mut with = with.filter_map(|(announced, offered)| Some((announced, part(offered)?)));
        let first = with.next()?;
        let user = with.find(|(announced, _)| id(announced) == USER);
        Some(user.filter(|_| id(first.0) != USER).unwrap_or(first).1)
    };
    let accounts = of(|offered| offered.of_accounts);
    let rotated = of(|offered| offered.rotated);
    (accounts.is_some() || rotated.is_some()).then(|| v2::CredentialDetails {
        capability_account_provisioning: accounts.map(|kinds| {
            v2::CredentialDetailsAccountProvisioning {
                supported_credential_options: kinds.supported(),
                preferred_credential_option: kinds.preferred_kind(),
            }
        }),
        capability_credential_rotation: rotated.map(|kinds| {
            v2::CredentialDetailsCredentialRotation {
                supported_credential_options: kinds.supported(),
                preferred_credential_option: kinds.preferred_kind(),
            }
        }),
    })
}
