//! What a change is asked for: on what, of what, for whom. An id is compared with
//! the id made of its parts; it is never split, since ids of resources have `:`
//! inside.

use baton_connector::resource::{EntitlementId, GrantId, ResourceExt as _, resource_id};
use baton_connector::{Error, Result};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use prost_types::value::Kind;

use crate::mapping::{GROUP, USER};
use crate::roles::role_of_slug;

/// Who is to have an entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Principal<'a> {
    User(&'a str),
    Group(&'a str),
}

impl<'a> Principal<'a> {
    /// Refuses every other type; `rule` is the text about who can have the entitlement.
    pub fn of(principal: &'a v2::Resource, rule: &str) -> Result<Self> {
        match type_of(principal) {
            USER => Ok(Self::User(principal.id())),
            GROUP => Ok(Self::Group(principal.id())),
            other => Err(refused(other, rule)),
        }
    }

    /// Refuses everything but a user.
    pub fn user(principal: &'a v2::Resource, rule: &str) -> Result<&'a str> {
        match type_of(principal) {
            USER => Ok(principal.id()),
            other => Err(refused(other, rule)),
        }
    }
}

fn refused(type_id: &str, rule: &str) -> Error {
    let text = format!("{rule}; the principal is of type `{type_id}`");
    Error::stated(Code::InvalidArgument, text)
}

/// The resource of an entitlement.
pub(super) fn resource_of(entitlement: &v2::Entitlement) -> Result<&v2::Resource> {
    let missing = || {
        let text = format!("entitlement `{}` has no resource", entitlement.id);
        Error::stated(Code::InvalidArgument, text)
    };
    entitlement.resource.as_ref().ok_or_else(missing)
}

/// The slug of an entitlement, which its id must bear out: from another
/// connector, or of another resource, it does not.
pub(super) fn slug_of(entitlement: &v2::Entitlement) -> Result<&str> {
    let resource = resource_of(entitlement)?.id.clone().unwrap_or_default();
    let prefix = EntitlementId::of(&resource, "");
    let by_id = entitlement.id.strip_prefix(prefix.as_str());
    match (entitlement.slug.as_str(), by_id) {
        (slug, Some(by_id)) if slug == by_id && !slug.is_empty() => Ok(slug),
        ("", Some(by_id)) if !by_id.is_empty() => Ok(by_id),
        (slug, None) if entitlement.id.is_empty() && !slug.is_empty() => Ok(slug),
        _ => Err(foreign(entitlement)),
    }
}

/// The role that an entitlement stands for.
pub(super) fn role_of(entitlement: &v2::Entitlement) -> Result<&str> {
    role_of_slug(slug_of(entitlement)?).ok_or_else(|| foreign(entitlement))
}

/// The error of an entitlement that is not one of this connector's.
pub(super) fn foreign(entitlement: &v2::Entitlement) -> Error {
    let text = format!(
        "entitlement `{}` is not one of this connector: it does not fit its resource",
        entitlement.id
    );
    Error::stated(Code::InvalidArgument, text)
}

/// The id of the grant of an entitlement to a principal.
pub(super) fn grant_id(resource: &v2::Resource, slug: &str, principal: &v2::Resource) -> String {
    let entitlement = EntitlementId::of(&resource.id.clone().unwrap_or_default(), slug);
    let principal = principal.id.clone().unwrap_or_default();
    GrantId::of(&entitlement, &principal).into_string()
}

/// A resource of which only the id is embedded.
pub(super) fn by_id(resource: &v2::Resource) -> v2::ResourceId {
    resource_id(type_of(resource), resource.id())
}

fn type_of(resource: &v2::Resource) -> &str {
    resource.id.as_ref().map_or("", |id| &id.resource_type)
}

/// A resource for people: its name, if it has one, and its id.
pub(super) fn named(resource: &v2::Resource) -> String {
    if resource.display_name.is_empty() {
        format!("`{}`", resource.id())
    } else {
        format!("`{}` (`{}`)", resource.display_name, resource.id())
    }
}

/// A text of a stored resource's profile.
pub(super) fn profile_text<'a>(resource: &'a v2::Resource, key: &str) -> Option<&'a str> {
    let value = resource.profile.as_ref()?.fields.get(key)?;
    match value.kind.as_ref()? {
        Kind::StringValue(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ARI: &str = "ari:cloud:jira-software::site/5f1c:role:atlassian/admin";

    fn entitlement(id: &str, slug: &str) -> v2::Entitlement {
        v2::Entitlement {
            id: id.to_owned(),
            slug: slug.to_owned(),
            resource: Some(v2::Resource {
                id: Some(resource_id("workspace", ARI)),
                ..v2::Resource::default()
            }),
            ..v2::Entitlement::default()
        }
    }

    #[test]
    fn the_role_is_what_follows_the_entitlements_own_resource() {
        let id = format!("workspace:{ARI}:role:atlassian/user");
        for slug in ["", "role:atlassian/user"] {
            let entitlement = entitlement(&id, slug);
            assert_eq!(role_of(&entitlement).unwrap(), "atlassian/user");
        }
        let slug_alone = entitlement("", "role:atlassian/user");
        assert_eq!(role_of(&slug_alone).unwrap(), "atlassian/user");
    }

    #[test]
    fn an_id_that_does_not_fit_resource_and_slug_is_refused() {
        let own = format!("workspace:{ARI}:role:atlassian/user");
        for (id, slug) in [
            (own.as_str(), "role:atlassian/admin"),
            ("workspace:other:role:atlassian/user", ""),
            ("workspace:other:role:atlassian/user", "role:atlassian/user"),
            ("repo:7:admin", "admin"),
            ("", ""),
            (&format!("workspace:{ARI}:"), ""),
            (&format!("workspace:{ARI}:role:"), ""),
            (&format!("workspace:{ARI}:member"), ""),
        ] {
            let error = role_of(&entitlement(id, slug)).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{id} {slug}");
        }
    }
}
