//! Ids as types, and the one place where they are joined.

use std::fmt;

use baton_proto::c1::connector::v2;

use crate::error::{Error, Result};

/// The id of a resource from its two parts.
pub fn resource_id(type_id: impl Into<String>, id: impl Into<String>) -> v2::ResourceId {
    v2::ResourceId {
        resource_type: type_id.into(),
        resource: id.into(),
        baton_resource: false,
    }
}

/// Short ways to what a resource has.
pub trait ResourceExt {
    /// The id within its type; empty where there is none.
    fn id(&self) -> &str;

    /// The id of its type; empty where there is none.
    fn type_id(&self) -> &str;
}

impl ResourceExt for v2::Resource {
    fn id(&self) -> &str {
        self.id.as_ref().map_or("", |id| &id.resource)
    }

    fn type_id(&self) -> &str {
        self.id.as_ref().map_or("", |id| &id.resource_type)
    }
}

/// The id of an entitlement. Opaque once made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntitlementId(String);

impl EntitlementId {
    /// The id of the entitlement `slug` of a resource.
    pub fn of(resource: &v2::ResourceId, slug: &str) -> Self {
        Self(format!(
            "{}:{}:{slug}",
            resource.resource_type, resource.resource
        ))
    }

    /// An id that was made before and comes back from a record.
    pub fn from_record(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id's text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for EntitlementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of a grant. Opaque once made.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(String);

impl GrantId {
    /// The id of the grant of an entitlement to a principal.
    pub fn of(entitlement: &EntitlementId, principal: &v2::ResourceId) -> Self {
        Self(format!(
            "{entitlement}:{}:{}",
            principal.resource_type, principal.resource
        ))
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id's text, taken out.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource given to a builder: whole, or by its id alone.
///
/// What is given is embedded as it is: a whole resource whole, an id as a
/// resource that has nothing else.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceArg(v2::Resource);

impl ResourceArg {
    /// The resource and its id, once both parts of the id are there.
    pub(super) fn checked(self, what: &str) -> Result<(v2::Resource, v2::ResourceId)> {
        let id = self.0.id.clone().unwrap_or_default();
        if id.resource_type.is_empty() || id.resource.is_empty() {
            return Err(Error::Build {
                what: what.to_owned(),
                reason: "a resource without type or id",
            });
        }
        Ok((self.0, id))
    }
}

impl From<&v2::Resource> for ResourceArg {
    fn from(resource: &v2::Resource) -> Self {
        Self(resource.clone())
    }
}

impl From<v2::Resource> for ResourceArg {
    fn from(resource: v2::Resource) -> Self {
        Self(resource)
    }
}

impl From<v2::ResourceId> for ResourceArg {
    fn from(id: v2::ResourceId) -> Self {
        Self(v2::Resource {
            id: Some(id),
            ..v2::Resource::default()
        })
    }
}

impl From<&v2::ResourceId> for ResourceArg {
    fn from(id: &v2::ResourceId) -> Self {
        Self::from(id.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_keep_parts_with_separators_verbatim() {
        let workspace = resource_id("workspace", "ari:cloud:jira-software::site/5f1c");
        let id = EntitlementId::of(&workspace, "role:atlassian/user");
        assert_eq!(
            id.as_str(),
            "workspace:ari:cloud:jira-software::site/5f1c:role:atlassian/user"
        );
        let grant = GrantId::of(&id, &resource_id("user", "712020:aa-bb"));
        assert_eq!(
            grant.as_str(),
            "workspace:ari:cloud:jira-software::site/5f1c:role:atlassian/user:user:712020:aa-bb"
        );
    }
}
