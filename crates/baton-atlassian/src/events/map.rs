//! What an audit event means. Atlassian publishes no list of actions, so an
//! event is mapped by what it shows.

use baton_connector::Result;
use baton_connector::resource::{EntitlementBuilder, ResourceBuilder, resource_id};
use baton_proto::c1::connector::v2;
use prost_types::Timestamp;
use v2::event::Event as Arm;

use crate::api::{AuditEvent, Named};
use crate::mapping::{API_TOKEN, GROUP, MEMBER, ORGANIZATION, USER, WORKSPACE, timestamp};
use crate::roles::{Owner, role_slug};

/// What the id of any object of the cloud begins with.
const ARI: &str = "ari:cloud:";
const ORGANIZATION_ARI: &str = "ari:cloud:platform::org/";
/// What ids of the platform itself begin with; others belong to products.
const PLATFORM_ARI: &str = "ari:cloud:platform:";

/// The events that an audit event means; none if it names nothing known.
pub(super) fn events(event: &AuditEvent, organization: &str) -> Result<Vec<v2::Event>> {
    let Some(id) = event.id.as_deref().filter(|id| !id.is_empty()) else {
        return Ok(Vec::new());
    };
    let seen = Seen {
        event,
        organization,
    };
    let arms = seen.arms()?;
    let time = event.time.as_deref().or(event.processed_at.as_deref());
    let occurred_at: Option<Timestamp> = time.and_then(timestamp);
    let made = arms.into_iter().enumerate().map(|(at, arm)| v2::Event {
        id: if at == 0 {
            id.to_owned()
        } else {
            format!("{id}#{}", at + 1)
        },
        occurred_at,
        event: Some(arm),
        ..v2::Event::default()
    });
    Ok(made.collect())
}

/// An event, looked at.
struct Seen<'e> {
    event: &'e AuditEvent,
    organization: &'e str,
}

impl<'e> Seen<'e> {
    fn of_kind(&self, kind: &str) -> Option<&'e Named> {
        let mut context = self.event.context.iter();
        context.find(|named| named.kind == kind && named.id.is_some())
    }

    fn arms(&self) -> Result<Vec<Arm>> {
        let action = self.event.action.to_lowercase();
        let user = self.of_kind("users");
        let group = self.of_kind("groups");
        let changes_members = [("added_to_group", true), ("removed_from_group", false)];
        for (words, adds) in changes_members {
            if action.contains(words)
                && let (Some(user), Some(group)) = (user, group)
            {
                let group = resource(GROUP, group)?;
                let entitlement = EntitlementBuilder::assignment(&group, MEMBER).build()?;
                return Ok(vec![access(adds, entitlement, resource(USER, user)?)]);
            }
        }
        let about_roles = action.contains("role") || action.contains("admin");
        for (word, adds) in [("granted", true), ("revoked", false)] {
            if about_roles && action.contains(word) {
                let principal = user.map(|user| (USER, user));
                let principal = principal.or(group.map(|group| (GROUP, group)));
                if let Some(principal) = principal {
                    return Ok(vec![self.role_change(adds, principal)?]);
                }
            }
        }
        if let Some(used) = self.usage(&action)? {
            return Ok(vec![used]);
        }
        Ok(self.changes())
    }

    /// A role that a principal got or lost; where it is not known which, the
    /// principal has changed.
    fn role_change(&self, adds: bool, (type_id, principal): (&str, &Named)) -> Result<Arm> {
        let role = self.of_kind("roles").and_then(|role| role.id.as_deref());
        let place = self.place();
        if let (Some(role), Some(place)) = (role, place) {
            let entitlement = EntitlementBuilder::permission(&place, role_slug(role)).build()?;
            return Ok(access(adds, entitlement, resource(type_id, principal)?));
        }
        Ok(change(type_id, principal.id.as_deref().unwrap_or_default()))
    }

    /// The workspace or organization on which a role is held, if it is one that
    /// a sync has.
    fn place(&self) -> Option<v2::Resource> {
        let mut context = self.event.context.iter();
        let found = context.find(|named| {
            let id = named.id.as_deref().unwrap_or_default();
            id.starts_with(ARI) && named.kind != "users" && named.kind != "groups"
        })?;
        let id = found.id.as_deref()?;
        let owner = match &found.owner {
            Some(owner) => Owner::of(owner),
            None if id.starts_with(PLATFORM_ARI) => Owner::Platform,
            None => Owner::Workspace,
        };
        match owner {
            Owner::InProduct => None,
            Owner::Platform => bare(ORGANIZATION, self.organization),
            Owner::Workspace => bare(WORKSPACE, id),
        }
    }

    /// The use of a product, or of the organization by a login.
    fn usage(&self, action: &str) -> Result<Option<Arm>> {
        let mut container = self.event.container.iter();
        let product = container.find_map(|named| {
            let id = named.id.as_deref()?;
            (id.starts_with(ARI) && !id.starts_with(PLATFORM_ARI)).then_some(named)
        });
        if product.is_none() && action != "user_login" {
            return Ok(None);
        }
        let Some(actor) = self.event.actor.as_ref().filter(|actor| actor.id.is_some()) else {
            return Ok(None);
        };
        let target = match product {
            Some(product) => Some(resource(WORKSPACE, product)?),
            None => bare(ORGANIZATION, self.organization),
        };
        Ok(Some(Arm::UsageEvent(v2::UsageEvent {
            target_resource: target,
            actor_resource: Some(resource(USER, actor)?),
        })))
    }

    /// One change per object that the event names.
    fn changes(&self) -> Vec<Arm> {
        let known = self.event.context.iter().filter_map(|named| {
            let id = named.id.as_deref().filter(|id| !id.is_empty())?;
            Some(match named.kind.as_str() {
                "users" => change(USER, id),
                "groups" => change(GROUP, id),
                "tokens" => change(API_TOKEN, id),
                _ if id.starts_with(ORGANIZATION_ARI) => change(ORGANIZATION, self.organization),
                _ if id.starts_with(PLATFORM_ARI) => change(ORGANIZATION, self.organization),
                _ if id.starts_with(ARI) => change(WORKSPACE, id),
                _ => return None,
            })
        });
        let mut changes: Vec<Arm> = Vec::new();
        for change in known {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        changes
    }
}

fn access(adds: bool, entitlement: v2::Entitlement, principal: v2::Resource) -> Arm {
    let (entitlement, principal) = (Some(entitlement), Some(principal));
    if adds {
        Arm::CreateGrantEvent(v2::CreateGrantEvent {
            entitlement,
            principal,
            annotations: Vec::new(),
        })
    } else {
        Arm::CreateRevokeEvent(v2::CreateRevokeEvent {
            entitlement,
            principal,
            annotations: Vec::new(),
        })
    }
}

fn change(type_id: &str, id: &str) -> Arm {
    Arm::ResourceChangeEvent(v2::ResourceChangeEvent {
        resource_id: Some(resource_id(type_id, id)),
        parent_resource_id: None,
    })
}

/// The resource that an event names, as far as the event knows it.
fn resource(type_id: &str, named: &Named) -> Result<v2::Resource> {
    let id = named.id.clone().unwrap_or_default();
    let mut builder = ResourceBuilder::new(type_id, id);
    if let Some(name) = &named.name {
        builder = builder.display_name(name);
    }
    builder.build()
}

/// A resource of which only the id is known.
fn bare(type_id: &str, id: &str) -> Option<v2::Resource> {
    ResourceBuilder::new(type_id, id).build().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing unwrap is a failing test")]
mod tests {
    use super::*;

    fn named(kind: &str, id: &str) -> Named {
        Named {
            id: (!id.is_empty()).then(|| id.to_owned()),
            kind: kind.to_owned(),
            name: Some(format!("Name of {id}")),
            ..Named::default()
        }
    }

    fn event(action: &str, context: Vec<Named>) -> AuditEvent {
        AuditEvent {
            id: Some("e-1".to_owned()),
            action: action.to_owned(),
            time: Some("2026-01-02T03:04:05.678Z".to_owned()),
            actor: Some(named("", "712020:admin")),
            context,
            ..AuditEvent::default()
        }
    }

    /// The events in short: arm and what it is about.
    fn short(event: &AuditEvent) -> Vec<String> {
        let events = events(event, "o-1").unwrap();
        let texts = events.iter().map(|event| {
            let text = match event.event.as_ref().unwrap() {
                Arm::CreateGrantEvent(grant) => format!(
                    "grant {} to {}",
                    grant.entitlement.as_ref().unwrap().id,
                    full_id(grant.principal.as_ref())
                ),
                Arm::CreateRevokeEvent(grant) => format!(
                    "revoke {} from {}",
                    grant.entitlement.as_ref().unwrap().id,
                    full_id(grant.principal.as_ref())
                ),
                Arm::ResourceChangeEvent(change) => {
                    let id = change.resource_id.as_ref().unwrap();
                    format!("change {}:{}", id.resource_type, id.resource)
                }
                Arm::UsageEvent(usage) => format!(
                    "use {} by {}",
                    full_id(usage.target_resource.as_ref()),
                    full_id(usage.actor_resource.as_ref())
                ),
                other => format!("{other:?}"),
            };
            format!("{} {text}", event.id)
        });
        texts.collect()
    }

    fn full_id(resource: Option<&v2::Resource>) -> String {
        let id = resource.unwrap().id.as_ref().unwrap();
        format!("{}:{}", id.resource_type, id.resource)
    }

    const JIRA: &str = "ari:cloud:jira::site/s-1";

    fn held_on(owner: &str, id: &str) -> Named {
        Named {
            owner: Some(owner.to_owned()),
            ..named("resources", id)
        }
    }

    #[test]
    fn an_event_is_mapped_by_what_it_shows() {
        let (user, group) = (named("users", "u-1"), named("groups", "g-1"));
        let role = || named("roles", "atlassian/user");
        for (action, context, expected) in [
            (
                "user_added_to_group",
                vec![user.clone(), group.clone()],
                vec!["e-1 grant group:g-1:member to user:u-1"],
            ),
            (
                "USER_REMOVED_FROM_GROUP",
                vec![group.clone(), user.clone()],
                vec!["e-1 revoke group:g-1:member from user:u-1"],
            ),
            (
                "user_added_to_group",
                vec![user.clone(), named("groups", "")],
                vec!["e-1 change user:u-1"],
            ),
            (
                "role_granted",
                vec![user.clone(), role(), held_on("jira", JIRA)],
                vec![
                    "e-1 grant workspace:ari:cloud:jira::site/s-1:role:atlassian/user to user:u-1",
                ],
            ),
            (
                "role_revoked",
                vec![
                    group.clone(),
                    role(),
                    held_on("platform", "ari:cloud:platform::org/o-1"),
                ],
                vec!["e-1 revoke organization:o-1:role:atlassian/user from group:g-1"],
            ),
            (
                "user_granted_role",
                vec![
                    user.clone(),
                    role(),
                    held_on("project", "ari:cloud:jira:x:project/1"),
                ],
                vec!["e-1 change user:u-1"],
            ),
            (
                "role_granted",
                vec![user.clone()],
                vec!["e-1 change user:u-1"],
            ),
            (
                "group_granted_admin_access",
                vec![group.clone()],
                vec!["e-1 change group:g-1"],
            ),
            (
                "user_login",
                vec![user.clone()],
                vec!["e-1 use organization:o-1 by user:712020:admin"],
            ),
            (
                "something_new",
                vec![
                    user.clone(),
                    group,
                    named("tokens", "t-1"),
                    named("sites", JIRA),
                    user,
                ],
                vec![
                    "e-1 change user:u-1",
                    "e-1#2 change group:g-1",
                    "e-1#3 change api_token:t-1",
                    "e-1#4 change workspace:ari:cloud:jira::site/s-1",
                ],
            ),
            ("something_new", vec![named("policies", "p-1")], vec![]),
            ("", vec![], vec![]),
        ] {
            assert_eq!(short(&event(action, context)), expected, "{action}");
        }
    }

    #[test]
    fn a_product_in_the_container_is_used_by_the_actor() {
        let mut used = event("page_viewed", vec![]);
        used.container = vec![named("sites", JIRA)];
        assert_eq!(
            short(&used),
            ["e-1 use workspace:ari:cloud:jira::site/s-1 by user:712020:admin"]
        );
        used.actor = None;
        assert!(short(&used).is_empty());
    }

    #[test]
    fn an_event_without_an_id_is_dropped_and_one_without_a_time_is_not() {
        let mut odd = event("user_created", vec![named("users", "u-1")]);
        odd.time = None;
        odd.processed_at = Some("2026-01-02T03:04:06Z".to_owned());
        let made = events(&odd, "o-1").unwrap();
        assert_eq!(made[0].occurred_at.unwrap().seconds, 1_767_323_046);
        odd.processed_at = Some("noon".to_owned());
        assert_eq!(events(&odd, "o-1").unwrap()[0].occurred_at, None);
        odd.id = None;
        assert!(events(&odd, "o-1").unwrap().is_empty());
    }
}
