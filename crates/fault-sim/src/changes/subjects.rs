//! What changes are about: grants as a sync shows them, and what they are in the
//! organization.

use std::collections::BTreeSet;

use atlassian_sim::{Principal, Truth};
use baton_connector::resource::{EntitlementId, GrantBuilder, ResourceExt as _, resource_id};
use baton_proto::c1::connector::v2;
use baton_runtime::Recorded;

use super::plan::{Step, Subject};
use crate::random::Dice;

/// A membership or a role, in words.
pub(crate) type Fact = String;

fn membership(group: &str, user: &str) -> Fact {
    format!("{user} is a member of {group}")
}

fn role(principal: &Principal, resource: &str, role: &str) -> Fact {
    match principal {
        Principal::User(id) => format!("user {id} has {role} on {resource}"),
        Principal::Group(id) => format!("group {id} has {role} on {resource}"),
    }
}

/// All memberships and direct roles.
pub(crate) fn facts(truth: &Truth) -> BTreeSet<Fact> {
    let members = truth.memberships.iter();
    let members = members.map(|of| membership(&of.group_id, &of.account_id));
    let direct = truth.direct_roles.iter().filter(|held| {
        let is_group = matches!(held.principal, Principal::Group(_));
        held.methods.direct || is_group
    });
    let roles = direct.map(|held| role(&held.principal, &held.resource_id, &held.role));
    members.chain(roles).collect()
}

/// What a change is about.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The grant, with its entitlement and its principal.
    pub grant: v2::Grant,
    pub entitlement: v2::Entitlement,
    pub principal: v2::Resource,
    /// The facts that the grant may be.
    pub facts: Vec<Fact>,
}

/// What a sync shows, to choose from.
pub(crate) struct Subjects {
    users: Vec<v2::Resource>,
    groups: Vec<v2::Resource>,
    entitlements: Vec<v2::Entitlement>,
    grants: Vec<v2::Grant>,
    /// Resources on which roles of the organization are held.
    of_organization: Vec<String>,
}

fn type_of(entitlement: Option<&v2::Entitlement>) -> &str {
    let resource = entitlement.and_then(|of| of.resource.as_ref());
    resource.map_or("", |resource| resource.type_id())
}

impl Subjects {
    pub(crate) fn of(rows: Recorded, truth: &Truth) -> Self {
        let of_type = |type_id: &str| {
            let all = rows.resources.iter();
            let found = all.filter(|resource| resource.type_id() == type_id);
            found.cloned().collect::<Vec<_>>()
        };
        let mut entitlements = rows.entitlements.clone();
        for (type_id, template) in &rows.templates {
            entitlements.extend(of_type(type_id).into_iter().map(|resource| {
                let id = resource_id(type_id, resource.id());
                v2::Entitlement {
                    id: EntitlementId::of(&id, &template.slug).as_str().to_owned(),
                    resource: Some(resource),
                    ..template.clone()
                }
            }));
        }
        let mut of_organization = truth.site_ids.clone();
        of_organization.push(truth.organization_resource_id.clone());
        Self {
            users: of_type("user"),
            groups: of_type("group"),
            entitlements,
            grants: rows.grants,
            of_organization,
        }
    }

    /// What a step is about; `None` if there is nothing of the kind.
    pub(crate) fn pick(&self, step: &Step, last: Option<&About>) -> Option<About> {
        let type_id = match step.subject {
            Subject::Same if last.is_some() => return last.cloned(),
            Subject::Membership | Subject::Same => "group",
            Subject::WorkspaceRole => "workspace",
            Subject::OrganizationRole => "organization",
            Subject::Anything => "",
        };
        let fits = |of: Option<&v2::Entitlement>| type_id.is_empty() || type_of(of) == type_id;
        let mut dice = Dice::new(step.object, 12);
        if step.existing {
            let grants = self.grants.iter();
            let grants: Vec<_> = grants.filter(|of| fits(of.entitlement.as_ref())).collect();
            let grant = (*dice.pick(&grants)?).clone();
            let id = &grant.entitlement.as_ref()?.id;
            let entitlement = self.entitlements.iter().find(|of| of.id == *id)?;
            let principal = self.whole(grant.principal.as_ref()?)?;
            return Some(self.about(grant, entitlement.clone(), principal));
        }
        let entitlements = self.entitlements.iter();
        let entitlements: Vec<_> = entitlements.filter(|of| fits(Some(of))).collect();
        let entitlement = (*dice.pick(&entitlements)?).clone();
        let principals = if dice.one_in(4) {
            &self.groups
        } else {
            &self.users
        };
        let principal = dice.pick(principals)?.clone();
        let grant = GrantBuilder::of(&entitlement, &principal).build().ok()?;
        Some(self.about(grant, entitlement, principal))
    }

    fn whole(&self, principal: &v2::Resource) -> Option<v2::Resource> {
        let mut all = self.users.iter().chain(&self.groups);
        all.find(|whole| whole.id == principal.id).cloned()
    }

    fn about(
        &self,
        mut grant: v2::Grant,
        entitlement: v2::Entitlement,
        principal: v2::Resource,
    ) -> About {
        grant.entitlement = Some(entitlement.clone());
        grant.principal = Some(principal.clone());
        let facts = self.facts_of(&entitlement, &principal);
        About {
            grant,
            entitlement,
            principal,
            facts,
        }
    }

    fn facts_of(&self, entitlement: &v2::Entitlement, principal: &v2::Resource) -> Vec<Fact> {
        let on = entitlement.resource.as_ref().map_or("", |of| of.id());
        let id = principal.id().to_owned();
        let holder = match principal.type_id() {
            "group" => Principal::Group(id.clone()),
            _ => Principal::User(id.clone()),
        };
        let word = entitlement.slug.strip_prefix("role:").unwrap_or_default();
        match type_of(Some(entitlement)) {
            "group" => vec![membership(on, &id)],
            "organization" => {
                let resources = self.of_organization.iter();
                resources.map(|on| role(&holder, on, word)).collect()
            }
            _ => vec![role(&holder, on, word)],
        }
    }
}
