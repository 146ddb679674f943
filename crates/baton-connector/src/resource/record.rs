//! Resources.

use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost::{Message, Name};
use prost_types::Timestamp;
use v2::status::ResourceStatus;

use super::ids::resource_id;
use super::profile::Profile;
use super::traits::{AppTraitBuilder, RoleTraitBuilder, SecretTraitBuilder, UserTraitBuilder};
use crate::error::{Error, Result};

/// What a resource's (or a user's) status can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Not known, or a word that has no equivalent here.
    Unspecified,
    /// In use.
    Enabled,
    /// Suspended, deactivated, not yet active.
    Disabled,
    /// Gone, but still shown by the application.
    Deleted,
}

impl Status {
    fn on_resource(self) -> ResourceStatus {
        match self {
            Self::Unspecified => ResourceStatus::Unspecified,
            Self::Enabled => ResourceStatus::Enabled,
            Self::Disabled => ResourceStatus::Disabled,
            Self::Deleted => ResourceStatus::Deleted,
        }
    }
}

/// Builds a resource.
///
/// A status on the user trait is repeated on the resource unless the resource
/// has one of its own, since readers look there first.
#[derive(Debug, Clone)]
pub struct ResourceBuilder {
    built: v2::Resource,
    user: Option<UserTraitBuilder>,
}

impl ResourceBuilder {
    /// A resource of a type. Whole numbers become ids with `to_string`.
    pub fn new(type_id: impl Into<String>, id: impl Into<String>) -> Self {
        Self {
            built: v2::Resource {
                id: Some(resource_id(type_id, id)),
                ..v2::Resource::default()
            },
            user: None,
        }
    }

    /// The name shown to people.
    #[must_use]
    pub fn display_name(mut self, name: impl Into<String>) -> Self {
        self.built.display_name = name.into();
        self
    }

    /// Describes the resource.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.built.description = text.into();
        self
    }

    /// The resource that this one lies in.
    #[must_use]
    pub fn parent(mut self, parent: v2::ResourceId) -> Self {
        self.built.parent_resource_id = Some(parent);
        self
    }

    /// Free-form data.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.built.profile = Some(profile.build());
        self
    }

    /// The resource's status, with the application's own word for it.
    #[must_use]
    pub fn status(mut self, status: Status, details: impl Into<String>) -> Self {
        self.built.status = Some(v2::Status {
            status: status.on_resource().into(),
            details: details.into(),
        });
        self
    }

    /// When the application made the resource.
    #[must_use]
    pub fn created_at(mut self, at: Timestamp) -> Self {
        self.built.created_at = Some(at);
        self
    }

    /// Makes it a user. Takes effect at [`ResourceBuilder::build`].
    #[must_use]
    pub fn user(mut self, user: UserTraitBuilder) -> Self {
        self.user = Some(user);
        self
    }

    /// Makes it a group.
    #[must_use]
    pub fn group(self) -> Self {
        self.annotation(&v2::GroupTrait::default())
    }

    /// Makes it a group whose origin is known: a word of the Baton vocabulary
    /// and the application's own.
    #[must_use]
    pub fn group_from(self, source_type: &str, raw_source_type: &str) -> Self {
        self.annotation(&v2::GroupTrait {
            group_source_type: source_type.to_owned(),
            raw_group_source_type: raw_source_type.to_owned(),
            ..v2::GroupTrait::default()
        })
    }

    /// Makes it a role.
    #[must_use]
    pub fn role(self, role: RoleTraitBuilder) -> Self {
        self.annotation(&role.build())
    }

    /// Makes it an application.
    #[must_use]
    pub fn app(self, app: AppTraitBuilder) -> Self {
        self.annotation(&app.build())
    }

    /// Makes it a secret.
    #[must_use]
    pub fn secret(self, secret: SecretTraitBuilder) -> Self {
        self.annotation(&secret.build())
    }

    /// Announces that resources of this type lie below this one.
    #[must_use]
    pub fn child_type(mut self, type_id: impl Into<String>) -> Self {
        let child = v2::ChildResourceType {
            resource_type_id: type_id.into(),
        };
        any::append(&mut self.built.annotations, &child);
        self
    }

    /// A page about the resource in the application.
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

    /// The finished resource; refused without type or id.
    pub fn build(mut self) -> Result<v2::Resource> {
        if let Some(user) = self.user.take() {
            if self.built.status.is_none() {
                let (status, details) = user.status_or_default();
                self = self.status(status, details);
            }
            self = self.annotation(&user.build());
        }
        let id = self.built.id.as_ref();
        if id.is_none_or(|id| id.resource_type.is_empty() || id.resource.is_empty()) {
            return Err(Error::Build {
                what: format!("resource `{}`", self.built.display_name),
                reason: "its type or id is empty",
            });
        }
        Ok(self.built)
    }
}
