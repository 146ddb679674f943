//! What was true upstream, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use atlassian_sim::{Principal, Truth};

/// The rows that a sync at one instant would find.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Ids of resources as `type:id`.
    pub resources: BTreeSet<String>,
    /// Ids of grants.
    pub grants: BTreeSet<String>,
    /// Who holds roles on what, those included of which no rows are made.
    pub roles: BTreeSet<(String, String)>,
    /// Names of users and groups, by id of the resource.
    pub names: BTreeMap<String, String>,
}

impl Facts {
    /// The rows of an organization as it is.
    pub fn of(truth: &Truth) -> Self {
        let mut facts = Self::default();
        let organization = format!("organization:{}", truth.organization_id);
        facts.resources.insert(organization.clone());
        for user in &truth.users {
            let id = format!("user:{}", user.account_id);
            facts.resources.insert(id.clone());
            facts
                .names
                .insert(id, user.email.clone().unwrap_or_default());
        }
        for group in &truth.groups {
            let id = format!("group:{}", group.id);
            facts.resources.insert(id.clone());
            facts.names.insert(id, group.name.clone());
        }
        let workspaces = truth.workspaces.iter();
        facts
            .resources
            .extend(workspaces.map(|workspace| format!("workspace:{}", workspace.id)));
        let tokens = truth.tokens.iter();
        facts
            .resources
            .extend(tokens.map(|token| format!("api_token:{}", token.id)));
        for membership in &truth.memberships {
            let (group, user) = (&membership.group_id, &membership.account_id);
            facts
                .grants
                .insert(format!("group:{group}:member:user:{user}"));
        }
        let of_groups = truth
            .direct_roles
            .iter()
            .filter(|role| matches!(role.principal, Principal::Group(_)));
        for role in truth.effective_roles.iter().chain(of_groups) {
            let principal = match &role.principal {
                Principal::User(id) => format!("user:{id}"),
                Principal::Group(id) => format!("group:{id}"),
            };
            let on = role.resource_id.clone();
            facts.roles.insert((principal.clone(), on));
            let resource = match role.resource_owner.as_str() {
                "project" | "goal" => continue,
                // A group's own are seen with its members.
                "platform" if matches!(role.principal, Principal::Group(_)) => continue,
                "platform" => organization.clone(),
                _ => format!("workspace:{}", role.resource_id),
            };
            facts
                .grants
                .insert(format!("{resource}:role:{}:{principal}", role.role));
        }
        facts
    }
}

impl Facts {
    /// A row of these that was true at none of these moments.
    pub fn untrue(&self, moments: &[&Self]) -> Option<String> {
        let never = |holds: &dyn Fn(&Self) -> bool| !moments.iter().any(|moment| holds(moment));
        let mut resources = self.resources.iter();
        let mut grants = self.grants.iter();
        let mut names = self.names.iter();
        let resource = resources.find(|id| never(&|facts| facts.resources.contains(*id)));
        let grant = grants.find(|id| never(&|facts| facts.grants.contains(*id)));
        let name = names.find(|(id, name)| {
            let named = id.starts_with("user:") || id.starts_with("group:");
            named && never(&|facts| facts.names.get(*id) == Some(*name))
        });
        resource
            .map(|id| format!("{id} never existed during the sync"))
            .or_else(|| grant.map(|id| format!("the grant {id} never existed during the sync")))
            .or_else(|| name.map(|(id, name)| format!("{id} was never called `{name}`")))
    }

    /// The resources and grants that were true at each of these moments and are
    /// not among these.
    pub fn lost<'a>(&'a self, moments: &[&'a Self]) -> (Vec<&'a str>, Vec<&'a str>) {
        let Some((first, rest)) = moments.split_first() else {
            return (Vec::new(), Vec::new());
        };
        let resources = first.resources.difference(&self.resources);
        let grants = first.grants.difference(&self.grants);
        let resources = resources
            .filter(|id| rest.iter().all(|moment| moment.resources.contains(*id)))
            .map(String::as_str);
        let grants = grants
            .filter(|id| rest.iter().all(|moment| moment.grants.contains(*id)))
            .map(String::as_str);
        (resources.collect(), grants.collect())
    }
}

/// The facts in the order in which they came about.
#[derive(Debug, Default)]
pub struct History {
    moments: Vec<(SystemTime, Facts)>,
}

impl History {
    /// From `at` on these are the facts.
    pub fn record(&mut self, at: SystemTime, truth: &Truth) {
        self.moments.push((at, Facts::of(truth)));
    }

    /// All facts that held at some moment between two times, both included.
    pub fn between(&self, first: SystemTime, last: SystemTime) -> Vec<&Facts> {
        let ends = self.moments.iter().skip(1).map(|(at, _)| Some(*at));
        let moments = self.moments.iter().zip(ends.chain([None]));
        moments
            .filter(|((begins, _), ends)| *begins <= last && ends.is_none_or(|ends| ends >= first))
            .map(|((_, facts), _)| facts)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(resources: &[&str], grants: &[&str]) -> Facts {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Facts {
            resources: owned(resources),
            grants: owned(grants),
            ..Facts::default()
        }
    }

    #[test]
    fn rows_that_never_were_and_rows_that_were_all_the_time_are_told_apart() {
        let before = facts(&["a", "b"], &["a:1", "b:1"]);
        let after = facts(&["b", "c"], &["b:1"]);
        let moments = [&before, &after];
        assert_eq!(facts(&["a", "b", "c"], &["a:1"]).untrue(&moments), None);
        assert!(facts(&["d"], &[]).untrue(&moments).is_some());
        assert!(facts(&[], &["c:1"]).untrue(&moments).is_some());
        let whole = facts(&["b"], &["b:1"]);
        assert_eq!(whole.lost(&moments), (vec![], vec![]));
        let without_resource = facts(&["a"], &["b:1"]);
        assert_eq!(without_resource.lost(&moments), (vec!["b"], vec![]));
        let without_grant = facts(&["b"], &[]);
        assert_eq!(without_grant.lost(&moments), (vec![], vec!["b:1"]));
    }

    #[test]
    fn names_are_compared_too() {
        let named = |name: &str| Facts {
            names: BTreeMap::from([("user:1".to_owned(), name.to_owned())]),
            ..Facts::default()
        };
        assert_eq!(named("x").untrue(&[&named("y"), &named("x")]), None);
        assert!(named("z").untrue(&[&named("y"), &named("x")]).is_some());
    }
}
