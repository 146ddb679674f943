//! Resource types.

use baton_proto::any;
use baton_proto::c1::connector::v2;
use prost::{Message, Name};
use v2::resource_type::Trait;

use crate::error::{Error, Result};

/// Builds a resource type.
#[derive(Debug, Clone)]
pub struct ResourceTypeBuilder {
    built: v2::ResourceType,
}

impl ResourceTypeBuilder {
    /// A type with its id and the name shown to people.
    pub fn new(id: impl Into<String>, display_name: impl Into<String>) -> Self {
        Self {
            built: v2::ResourceType {
                id: id.into(),
                display_name: display_name.into(),
                ..v2::ResourceType::default()
            },
        }
    }

    /// A type whose id comes from its display name: lowercased, with `-` for
    /// spaces.
    pub fn named(display_name: impl Into<String>) -> Self {
        let display_name = display_name.into();
        Self::new(display_name.to_lowercase().replace(' ', "-"), display_name)
    }

    /// Declares a trait; every resource of the type must carry its message.
    #[must_use]
    pub fn with_trait(mut self, declared: Trait) -> Self {
        self.built.traits.push(declared.into());
        self
    }

    /// Describes the type.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.built.description = text.into();
        self
    }

    /// Neither entitlements nor grants are listed for the type.
    #[must_use]
    pub fn skip_entitlements_and_grants(self) -> Self {
        self.annotation(&v2::SkipEntitlementsAndGrants {})
    }

    /// No entitlements are listed for the type; grants are.
    #[must_use]
    pub fn skip_entitlements(self) -> Self {
        self.annotation(&v2::SkipEntitlements {})
    }

    /// The upstream permissions that reading the type needs.
    #[must_use]
    pub fn permissions<T: Into<String>>(self, names: impl IntoIterator<Item = T>) -> Self {
        let permissions = names
            .into_iter()
            .map(|name| v2::CapabilityPermission {
                permission: name.into(),
            })
            .collect();
        self.annotation(&v2::CapabilityPermissions { permissions })
    }

    /// Sets an annotation; one of the same type is replaced.
    #[must_use]
    pub fn annotation<M: Message + Name>(mut self, message: &M) -> Self {
        any::update(&mut self.built.annotations, message);
        self
    }

    /// The finished type; refused without an id.
    pub fn build(self) -> Result<v2::ResourceType> {
        if self.built.id.is_empty() {
            return Err(Error::Build {
                what: format!("resource type `{}`", self.built.display_name),
                reason: "its id is empty",
            });
        }
        Ok(self.built)
    }
}
