//! Grants.

use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost::{Message, Name};

use super::ids::{EntitlementId, GrantId, ResourceArg};
use super::profile::Profile;
use crate::error::{Error, Result};

/// Builds a grant: who holds which entitlement.
///
/// The embedded entitlement has its id and resource only. Resources are
/// embedded as given: whole, or by id alone.
#[derive(Debug, Clone)]
pub struct GrantBuilder {
    entitlement: EntitlementPart,
    resource: ResourceArg,
    principal: ResourceArg,
    annotations: Vec<prost_types::Any>,
}

#[derive(Debug, Clone)]
enum EntitlementPart {
    Slug(String),
    Id(EntitlementId),
}

impl GrantBuilder {
    /// The grant of the entitlement `slug` of `resource` to `principal`.
    pub fn new(
        resource: impl Into<ResourceArg>,
        slug: impl Into<String>,
        principal: impl Into<ResourceArg>,
    ) -> Self {
        Self {
            entitlement: EntitlementPart::Slug(slug.into()),
            resource: resource.into(),
            principal: principal.into(),
            annotations: Vec::new(),
        }
    }

    /// The grant of an entitlement that is at hand, whatever its id is like.
    pub fn of(entitlement: &v2::Entitlement, principal: impl Into<ResourceArg>) -> Self {
        let resource = entitlement.resource.clone().unwrap_or_default();
        Self {
            entitlement: EntitlementPart::Id(EntitlementId::from_record(&entitlement.id)),
            resource: resource.into(),
            principal: principal.into(),
            annotations: Vec::new(),
        }
    }

    /// Holders of these entitlements of the principal hold this grant's
    /// entitlement too.
    #[must_use]
    pub fn expandable(self, sources: impl IntoIterator<Item = EntitlementId>) -> Self {
        self.annotation(&v2::GrantExpandable {
            entitlement_ids: sources
                .into_iter()
                .map(EntitlementId::into_string)
                .collect(),
            ..v2::GrantExpandable::default()
        })
    }

    /// As [`GrantBuilder::expandable`], with limits: `shallow` for direct
    /// holders only, and only principals of these types (none means all).
    #[must_use]
    pub fn expandable_within<T: Into<String>>(
        self,
        sources: impl IntoIterator<Item = EntitlementId>,
        shallow: bool,
        principal_types: impl IntoIterator<Item = T>,
    ) -> Self {
        self.annotation(&v2::GrantExpandable {
            entitlement_ids: sources
                .into_iter()
                .map(EntitlementId::into_string)
                .collect(),
            shallow,
            resource_type_ids: principal_types.into_iter().map(Into::into).collect(),
        })
    }

    /// It cannot be revoked through the connector; `metadata` has the reason.
    #[must_use]
    pub fn immutable(self, metadata: Profile) -> Self {
        self.annotation(&v2::GrantImmutable {
            source_id: String::new(),
            metadata: (!metadata.is_empty()).then(|| metadata.build()),
        })
    }

    /// Free-form data about the grant.
    #[must_use]
    pub fn metadata(self, metadata: Profile) -> Self {
        self.annotation(&v2::GrantMetadata {
            metadata: Some(metadata.build()),
        })
    }

    /// A page about the grant in the application.
    #[must_use]
    pub fn external_link(self, url: impl Into<String>) -> Self {
        self.annotation(&v2::ExternalLink { url: url.into() })
    }

    /// Sets an annotation; one of the same type is replaced.
    #[must_use]
    pub fn annotation<M: Message + Name>(mut self, message: &M) -> Self {
        any::update(&mut self.annotations, message);
        self
    }

    /// The finished grant; refused when a part of its id is empty.
    pub fn build(self) -> Result<v2::Grant> {
        let (resource, resource_id) = self.resource.checked("grant")?;
        let id = match self.entitlement {
            EntitlementPart::Slug(slug) if slug.is_empty() => {
                return Err(unnamed(&resource_id));
            }
            EntitlementPart::Slug(slug) => EntitlementId::of(&resource_id, &slug),
            EntitlementPart::Id(id) if id.as_str().is_empty() => {
                return Err(unnamed(&resource_id));
            }
            EntitlementPart::Id(id) => id,
        };
        let (principal, principal_id) = self.principal.checked(&format!("grant of `{id}`"))?;
        Ok(v2::Grant {
            id: GrantId::of(&id, &principal_id).into_string(),
            entitlement: Some(v2::Entitlement {
                id: id.into_string(),
                resource: Some(resource),
                ..v2::Entitlement::default()
            }),
            principal: Some(principal),
            annotations: self.annotations,
            sources: None,
        })
    }
}

fn unnamed(resource: &v2::ResourceId) -> Error {
    Error::Build {
        what: format!(
            "grant on `{}` `{}`",
            resource.resource_type, resource.resource
        ),
        reason: "its entitlement has no name",
    }
}
