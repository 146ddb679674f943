//! Entitlements.

use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost::{Message, Name};
use v2::entitlement::PurposeValue;

use super::ids::{EntitlementId, ResourceArg};
use super::profile::Profile;
use crate::error::{Error, Result};

/// Builds an entitlement of a resource, which it embeds as given.
#[derive(Debug, Clone)]
pub struct EntitlementBuilder {
    /// `None` for a template.
    resource: Option<ResourceArg>,
    built: v2::Entitlement,
}

impl EntitlementBuilder {
    /// Being a member or holder, as in `member`.
    pub fn assignment(resource: impl Into<ResourceArg>, slug: impl Into<String>) -> Self {
        Self::with_purpose(resource, slug, PurposeValue::Assignment)
    }

    /// Being allowed to do something, as in `role:admin`.
    pub fn permission(resource: impl Into<ResourceArg>, slug: impl Into<String>) -> Self {
        Self::with_purpose(resource, slug, PurposeValue::Permission)
    }

    /// Owning the resource.
    pub fn ownership(resource: impl Into<ResourceArg>, slug: impl Into<String>) -> Self {
        Self::with_purpose(resource, slug, PurposeValue::Ownership)
    }

    /// An entitlement that every resource of a type has, for
    /// [`ResourceSyncer::static_entitlements`](crate::ResourceSyncer::static_entitlements):
    /// an assignment, which gets its resource and its id from the engine.
    pub fn template(slug: impl Into<String>) -> Self {
        Self::for_resource(None, slug, PurposeValue::Assignment)
    }

    fn with_purpose(
        resource: impl Into<ResourceArg>,
        slug: impl Into<String>,
        purpose: PurposeValue,
    ) -> Self {
        Self::for_resource(Some(resource.into()), slug, purpose)
    }

    fn for_resource(
        resource: Option<ResourceArg>,
        slug: impl Into<String>,
        purpose: PurposeValue,
    ) -> Self {
        let slug = slug.into();
        Self {
            resource,
            built: v2::Entitlement {
                display_name: slug.clone(),
                slug,
                purpose: purpose.into(),
                ..v2::Entitlement::default()
            },
        }
    }

    /// The name shown to people; the slug if never set.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.built.display_name = name.into();
        self
    }

    /// Describes what the entitlement gives.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.built.description = text.into();
        self
    }

    /// The types of principals that can hold it, in this order.
    #[must_use]
    pub fn grantable_to<'a>(
        mut self,
        types: impl IntoIterator<Item = &'a v2::ResourceType>,
    ) -> Self {
        self.built.grantable_to.extend(types.into_iter().cloned());
        self
    }

    /// It cannot be granted or revoked through the connector.
    #[must_use]
    pub fn immutable(self, metadata: Profile) -> Self {
        self.annotation(&v2::EntitlementImmutable {
            source_id: String::new(),
            metadata: (!metadata.is_empty()).then(|| metadata.build()),
        })
    }

    /// Puts it into a group of which a principal can hold only one.
    #[must_use]
    pub fn exclusion_group(self, group: &v2::EntitlementExclusionGroup) -> Self {
        self.annotation(group)
    }

    /// A page about the entitlement in the application.
    #[must_use]
    pub fn external_link(self, url: impl Into<String>) -> Self {
        self.annotation(&v2::ExternalLink { url: url.into() })
    }

    /// Sets an annotation; one of the same type is replaced.
    #[must_use]
    pub fn annotation<M: Message + Name>(mut self, message: &M) -> Self {
        any::update(&mut self.built.annotations, message);
        self
    }

    /// The finished entitlement; refused without slug, or on a resource
    /// without type or id.
    pub fn build(self) -> Result<v2::Entitlement> {
        let mut built = self.built;
        let what = format!("entitlement `{}`", built.slug);
        if built.slug.is_empty() {
            return Err(Error::Build {
                what,
                reason: "its slug is empty",
            });
        }
        let Some(resource) = self.resource else {
            return Ok(built);
        };
        let (resource, id) = resource.checked(&what)?;
        built.id = EntitlementId::of(&id, &built.slug).into_string();
        built.resource = Some(resource);
        Ok(built)
    }
}
