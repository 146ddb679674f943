//! Invented audit events of every kind that a client has to tell apart.

use super::product_roles;
use crate::model::roles;
use crate::model::{Organization, ResourceKind, Subject};
use crate::random::{below, mix, pick};

/// Kinds that occur in plain data, and the uncommon ones after them.
const PLAIN_KINDS: u64 = 12;
const ALL_KINDS: u64 = 16;

/// Action, actor and subject of an event, from a random word.
pub(crate) fn event(org: &Organization, word: u64) -> (&'static str, u32, Subject) {
    let draw = |n: u64| mix(word ^ (n << 56) ^ 0xe7e);
    let one_of = |n: u64, count: usize| {
        let below = below(draw(n), count.max(1) as u64);
        u32::try_from(below).unwrap_or(0)
    };
    let (user, actor) = (one_of(1, org.users.len()), one_of(2, org.users.len()));
    let group = (!org.groups.is_empty()).then(|| one_of(3, org.groups.len()));
    let kinds = if org.odd_data { ALL_KINDS } else { PLAIN_KINDS };
    let kind = below(draw(4), kinds);
    let role = |group: Option<u32>| held(org, draw(5), user, group);
    let place = |kind| of_kind(org, kind, draw(6));
    let (action, subject) = match (kind, group) {
        (0, Some(group)) => ("user_added_to_group", Subject::Membership { user, group }),
        (1, Some(group)) => (
            "user_removed_from_group",
            Subject::Membership { user, group },
        ),
        (2, Some(group)) => ("group_created", Subject::Group(group)),
        (3, _) if !org.tokens.is_empty() => (
            "user_token_create",
            Subject::Token(one_of(7, org.tokens.len())),
        ),
        (4, _) => ("user_granted_role", role(None)),
        (5, _) => ("user_revoked_role", role(None)),
        (6, _) => ("role_granted", role(group)),
        // Names neither role nor resource.
        (7, _) => ("user_granted_role", Subject::User(user)),
        (8, _) => ("user_login", Subject::User(actor)),
        (9, _) => match place(ResourceKind::Workspace) {
            Some(resource) => (
                "user_login",
                Subject::Within {
                    user: actor,
                    resource,
                },
            ),
            None => ("user_login", Subject::User(actor)),
        },
        (10, _) => match place(ResourceKind::Workspace) {
            Some(resource) => ("page_viewed", Subject::Product(resource)),
            None => ("user_logout", Subject::User(actor)),
        },
        (11, _) => match place(ResourceKind::Site) {
            Some(resource) => ("site_access_changed", Subject::Within { user, resource }),
            None => ("user_created", Subject::User(user)),
        },
        (12, _) => ("user_updated", Subject::EmailOnly(user)),
        (13, _) => ("something_of_tomorrow", Subject::User(user)),
        (14, _) => (
            "policy_of_tomorrow_changed",
            Subject::Unknown(one_of(8, 1000)),
        ),
        (15, _) => ("setting_changed", Subject::Nothing),
        _ => ("user_added_to_org", Subject::User(user)),
    };
    (action, actor, subject)
}

/// A role of the group, or else of the user, on a workspace or the organization.
fn held(org: &Organization, word: u64, user: u32, group: Option<u32>) -> Subject {
    let kind = if word.is_multiple_of(4) {
        ResourceKind::Organization
    } else {
        ResourceKind::Workspace
    };
    let found = of_kind(org, kind, word).or_else(|| org.organization_resource());
    let Some(resource) = found else {
        return Subject::User(user);
    };
    let owner = org.resources.get(resource as usize);
    let role = match owner {
        Some(r) if r.kind == ResourceKind::Workspace => {
            let all = product_roles(&r.owner);
            pick(word.rotate_left(9), all)
                .copied()
                .unwrap_or(roles::USER)
        }
        _ => roles::ORG_ADMIN,
    };
    match group {
        Some(group) => Subject::GroupRole {
            group,
            resource,
            role,
        },
        None => Subject::UserRole {
            user,
            resource,
            role,
        },
    }
}

fn of_kind(org: &Organization, kind: ResourceKind, word: u64) -> Option<u32> {
    let all = || (0..).zip(&org.resources).filter(|(_, r)| r.kind == kind);
    let count = all().count() as u64;
    if count == 0 {
        return None;
    }
    let place = usize::try_from(below(word, count)).unwrap_or(0);
    all().nth(place).map(|(number, _)| number)
}
