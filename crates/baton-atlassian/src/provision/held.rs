//! How a role is held: by the principal itself, or through groups.

use baton_connector::resource::{ResourceBuilder, ResourceExt as _};
use baton_connector::{Held, Result, Through};

use super::asked::grant_id;
use crate::api::models::RoleAssignment;
use crate::api::{Api, RoleFilter};
use crate::mapping::{self, Fidelity, MEMBER, USER, methods};

/// What role assignments show of one role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Holding {
    pub present: bool,
    /// Held by the principal itself.
    pub direct: bool,
    /// Some group gives it.
    pub grouped: bool,
    /// An answer of the older form does not state how.
    pub unstated: bool,
}

impl Holding {
    /// Of the items, those that `concern` the resource count.
    pub fn of(
        items: &[RoleAssignment],
        role: &str,
        concern: impl Fn(&RoleAssignment) -> bool,
    ) -> Self {
        let mut holding = Self::default();
        for item in items.iter().filter(|item| concern(item)) {
            let assigned = item
                .role_assignments
                .iter()
                .filter(|held| held.role == role);
            let mut methods = assigned
                .clone()
                .flat_map(|held| &held.role_assignment_methods);
            if assigned.clone().next().is_none() && !item.roles.iter().any(|held| held == role) {
                continue;
            }
            holding.present = true;
            holding.unstated |= methods.clone().next().is_none();
            holding.direct |= methods.clone().any(|method| method == methods::OWN);
            holding.grouped |= methods.any(|method| method == methods::FROM_GROUP);
        }
        holding
    }
}

/// How a user holds a role, from the user's assignments. With
/// `groups`, those that give it are asked for where they matter: for what is
/// revoked.
pub(super) async fn held(
    api: &Api,
    user: &str,
    filter: RoleFilter<'_>,
    holding: Holding,
    groups: bool,
) -> Result<Held> {
    if !holding.present {
        return Ok(Held::No);
    }
    let wanted = groups && (holding.grouped || !holding.direct);
    if !wanted && !holding.unstated {
        let through = Vec::new();
        return Ok(if holding.direct {
            Held::Directly { through }
        } else {
            Held::Indirectly { through }
        });
    }
    let through = through(api, user, filter).await?;
    // If it is not stated how, a role that no group gives is the user's own.
    let own = holding.direct || holding.unstated && through.is_empty();
    Ok(if own {
        Held::Directly { through }
    } else {
        Held::Indirectly { through }
    })
}

/// The groups that give a user a role.
pub(super) async fn through(api: &Api, user: &str, filter: RoleFilter<'_>) -> Result<Vec<Through>> {
    let groups = api.groups_giving(user, filter).await?;
    let user = ResourceBuilder::new(USER, user).build()?;
    let mut through = Vec::with_capacity(groups.len());
    for group in groups {
        let resource = mapping::group(&group, Fidelity::Full);
        if !crate::roles::is_filterable(filter.role) && !gives(api, resource.id(), filter).await? {
            continue;
        }
        through.push(Through {
            grant_id: grant_id(&resource, MEMBER, &user),
            resource,
        });
    }
    Ok(through)
}

/// Whether a group holds a role that lists cannot be filtered by.
async fn gives(api: &Api, group: &str, filter: RoleFilter<'_>) -> Result<bool> {
    let items = api.held_by_group(group, filter).await?.unwrap_or_default();
    Ok(Holding::of(&items, filter.role, |item| {
        filter.resource.is_none_or(|id| item.resource_id == id)
    })
    .present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::models::AssignedRole;

    fn item(resource: &str, roles: &[&str], assigned: &[(&str, &[&str])]) -> RoleAssignment {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        RoleAssignment {
            resource_id: resource.to_owned(),
            resource_owner: "confluence".to_owned(),
            roles: words(roles),
            role_assignments: assigned
                .iter()
                .map(|(role, methods)| AssignedRole {
                    role: (*role).to_owned(),
                    role_assignment_methods: words(methods),
                })
                .collect(),
        }
    }

    #[test]
    fn every_item_of_the_resource_counts_and_no_other() {
        let items = [
            item("w", &["user"], &[("user", &["group_direct"])]),
            item("w", &[], &[("user", &["direct"]), ("admin", &["inferred"])]),
            item("v", &["guest"], &[]),
            item("w", &["basic"], &[("basic", &[])]),
        ];
        let of = |role| {
            let holding = Holding::of(&items, role, |item| item.resource_id == "w");
            (holding.present, holding.direct, holding.unstated)
        };
        assert_eq!(of("user"), (true, true, false));
        assert_eq!(of("admin"), (true, false, false));
        assert_eq!(of("guest"), (false, false, false));
        assert_eq!(of("basic"), (true, false, true));
    }
}
