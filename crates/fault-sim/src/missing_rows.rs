//! Rows that a sync did not find: whether it may miss them, and whether its
//! report shows that.
//!
//! With keyset cursors no row is missed that was there throughout. Cursors that
//! count items skip one item for each earlier item that is deleted. So a row
//! may be missing only from a list that lost another one, and where the API
//! counts the list, the report must name the list as too short. The count
//! cannot show it where as many rows were added to the same list.
//!
//! A server that ends a counted list too early hides rows in the same way, and
//! one that ignores filters makes up members: the report must show both.

use std::collections::BTreeMap;

use atlassian_sim::{Action, Answers, CursorKind};
use baton_sync::{Miscount, Report, Uncounted};

use crate::history::Facts;
use crate::plan::{COUNTED, Plan};

/// The list of the API that a row comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum List {
    /// All resources of a type.
    Resources(String),
    /// The members of a group, given as `group:<id>`.
    Members(String),
    /// The roles of a user or group, given as `<type>:<id>`.
    Roles(String),
}

impl List {
    fn of_resource(id: &str) -> Self {
        Self::Resources(type_of(id).to_owned())
    }

    fn of_grant(id: &str) -> Self {
        let owner = owner_of(id).to_owned();
        if id.contains(":member:user:") {
            Self::Members(owner)
        } else {
            Self::Roles(owner)
        }
    }

    /// The endpoints that the list is read from, of those that are counted.
    fn endpoints(&self) -> &'static [&'static str] {
        match self {
            Self::Resources(kind) if kind == "group" => &COUNTED[2..4],
            Self::Resources(kind) if kind == "api_token" => &COUNTED[4..],
            Self::Resources(kind) if kind == "user" => &COUNTED[..2],
            Self::Members(_) => &COUNTED[..2],
            _ => &[],
        }
    }

    fn of_shortfall(what: &str, resource_type: &str, resource: &str) -> Self {
        if what == "resources" {
            Self::Resources(resource_type.to_owned())
        } else {
            Self::Members(resource.to_owned())
        }
    }
}

/// The type of an id `<type>:<id>`.
pub(crate) fn type_of(id: &str) -> &str {
    id.split_once(':').map_or(id, |(kind, _)| kind)
}

/// The principal of a grant, as `<type>:<id>`.
pub(crate) fn principal_of(grant: &str) -> &str {
    let places = [":user:", ":group:"].map(|mark| grant.rfind(mark));
    let at = places.into_iter().flatten().max();
    at.and_then(|at| grant.get(at + 1..)).unwrap_or_default()
}

/// The user or group that a grant was found by asking about.
pub(crate) fn owner_of(grant: &str) -> &str {
    match grant.split_once(":member:user:") {
        Some((group, _)) => group,
        None => principal_of(grant),
    }
}

/// How often something came to a list, and left it.
#[derive(Debug, Default)]
struct Movements {
    came: BTreeMap<List, u64>,
    gone: BTreeMap<List, u64>,
}

impl Movements {
    fn between(moments: &[&Facts]) -> Self {
        let mut movements = Self::default();
        for pair in moments.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            count(&mut movements.came, before, after);
            count(&mut movements.gone, after, before);
        }
        movements
    }

    fn came(&self, list: &List) -> u64 {
        self.came.get(list).copied().unwrap_or(0)
    }

    fn gone(&self, list: &List) -> u64 {
        self.gone.get(list).copied().unwrap_or(0)
    }
}

/// Counts by list what is in `after` and not in `before`.
fn count(counts: &mut BTreeMap<List, u64>, before: &Facts, after: &Facts) {
    let resources = after.resources.difference(&before.resources);
    let grants = after.grants.difference(&before.grants);
    let members = grants.filter(|id| id.contains(":member:user:"));
    let roles = after.roles.difference(&before.roles);
    let lists = resources
        .map(|id| List::of_resource(id))
        .chain(members.map(|id| List::of_grant(id)))
        .chain(roles.map(|(principal, _)| List::Roles(principal.clone())));
    for list in lists {
        *counts.entry(list).or_default() += 1;
    }
}

/// A complete sync, and what was true while it ran.
pub(crate) struct MissingRows<'a> {
    plan: &'a Plan,
    found: &'a Facts,
    report: &'a Report,
    movements: Movements,
    /// Changes have moved what cursors point at.
    pub(crate) shifting: bool,
}

impl<'a> MissingRows<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        found: &'a Facts,
        moments: &[&Facts],
        report: &'a Report,
    ) -> Self {
        Self {
            plan,
            found,
            report,
            movements: Movements::between(moments),
            shifting: plan.paging.cursors == CursorKind::Offset && moments.len() > 1,
        }
    }

    /// The first of the missing rows that should be there, or that the report
    /// should show, and why.
    pub(crate) fn unexplained(&self, resources: &[&str], grants: &[&str]) -> Option<String> {
        let cuts = |action: &Action| *action == Action::CutCursor;
        if !self.shifting && !self.plan.actions_on(&COUNTED).any(cuts) {
            let first = resources.first().or(grants.first())?;
            return Some(format!(
                "{first} was there throughout and is missing, and no report shows it"
            ));
        }
        let mut lists: BTreeMap<List, Vec<&str>> = BTreeMap::new();
        for id in resources {
            lists.entry(List::of_resource(id)).or_default().push(id);
        }
        for id in grants {
            lists.entry(List::of_grant(id)).or_default().push(id);
        }
        lists
            .iter()
            .find_map(|(list, lost)| self.unexplained_of(list, lost))
    }

    fn unexplained_of(&self, list: &List, lost: &[&str]) -> Option<String> {
        let first = lost.first()?;
        let actions = || self.plan.actions_on(list.endpoints());
        let was_cut = actions().any(|action| *action == Action::CutCursor);
        // A total that agrees with what was cut hides it.
        let deceived = was_cut
            && actions().any(|action| matches!(action, Action::Total(_) | Action::IgnoreFilters));
        // Who is listed once per directory can leave one, unseen by the facts.
        let Answers {
            user_per_directory, ..
        } = self.plan.answers;
        let (counted, left) = match list {
            List::Resources(kind) => {
                let of_users = kind == "user" && user_per_directory;
                let left = of_users || self.movements.gone(list) > 0;
                (self.counts() || kind == "workspace", left)
            }
            // Lists of objects that the list of resources lacks are not read.
            List::Members(owner) | List::Roles(owner) if !self.found.resources.contains(owner) => {
                return None;
            }
            // Members may come from an overview, which is a list of users.
            List::Members(_) => {
                let users = List::Resources("user".to_owned());
                let left = self.movements.gone(list) + self.movements.gone(&users) > 0;
                // Members that come twice make up for others.
                (
                    self.counts() && !user_per_directory,
                    left || user_per_directory,
                )
            }
            List::Roles(_) => (false, self.movements.gone(list) > 0),
        };
        if !left && !was_cut {
            return Some(format!(
                "{first} was there throughout and is missing, though nothing left its list"
            ));
        }
        let hidden = deceived || lost.len() as u64 <= self.movements.came(list);
        (counted && !hidden && !self.is_reported(list)).then(|| {
            format!(
                "{first} was there throughout and is missing, and its list is not reported as short"
            )
        })
    }

    /// Whether the sync asks for counts.
    fn counts(&self) -> bool {
        !self.plan.go_compatible
    }

    fn is_reported(&self, list: &List) -> bool {
        let short = self.report.shortfalls.iter().map(of_shortfall);
        let uncounted = self.report.uncounted.iter().map(of_uncounted);
        short.chain(uncounted).any(|reported| reported == *list)
    }

    /// A report about a list that is not true.
    pub(crate) fn false_alarm(&self) -> Option<String> {
        if has_odd_lists(self.plan) {
            return None;
        }
        let short = self.report.shortfalls.iter();
        let mut groundless = short.filter(|short| {
            let list = of_shortfall(short);
            // A group whose members differ from its size is counted once more,
            // after its members were listed.
            let counted_later = short.what == "grants" && self.movements.came(&list) > 0;
            self.movements.gone(&list) == 0 && !counted_later
        });
        if let Some(short) = groundless.next() {
            return Some(format!("reported without a reason: {short}"));
        }
        let over = self.report.surpluses.iter();
        let mut groundless = over.filter(|over| {
            let list = of_shortfall(over);
            // The count is older than what came, or later than what went.
            self.movements.came(&list) == 0 && self.movements.gone(&list) == 0
        });
        if let Some(over) = groundless.next() {
            return Some(format!("reported without a reason: {over}"));
        }
        let uncounted = self.report.uncounted.first()?;
        (!self.plan.has_server_faults()).then(|| format!("reported without a reason: {uncounted}"))
    }
}

/// Whether the server gives complete pages with wrong content.
fn has_odd_lists(plan: &Plan) -> bool {
    plan.actions_on(&COUNTED).any(|action| {
        matches!(
            action,
            Action::SamePage
                | Action::EmptyPage
                | Action::RepeatItems
                | Action::Total(_)
                | Action::CutCursor
                | Action::IgnoreFilters
        )
    })
}

/// What was found without the members that a server made up by ignoring
/// filters, as far as the report shows that.
pub(crate) fn without_made_up_members(
    plan: &Plan,
    mut found: Facts,
    report: Option<&Report>,
) -> Facts {
    let mut actions = plan.actions_on(&COUNTED);
    if actions.any(|action| *action == Action::IgnoreFilters) {
        let reported = |group: &str| {
            report.is_none_or(|report| {
                let mut over = report.surpluses.iter().map(of_shortfall);
                over.any(|list| list == List::Members(group.to_owned()))
            })
        };
        found
            .grants
            .retain(|id| match id.split_once(":member:user:") {
                Some((group, _)) => !reported(group),
                None => true,
            });
    }
    found
}

fn of_shortfall(short: &Miscount) -> List {
    List::of_shortfall(&short.what, &short.resource_type, &short.resource)
}

fn of_uncounted(uncounted: &Uncounted) -> List {
    List::of_shortfall(
        &uncounted.what,
        &uncounted.resource_type,
        &uncounted.resource,
    )
}

#[cfg(test)]
mod tests {
    use baton_c1z::Stats;

    use super::*;

    /// A plan whose cursors count items, under which lists are counted.
    fn shifting() -> Plan {
        let mut plan = Plan::of(1);
        plan.paging.cursors = CursorKind::Offset;
        plan.answers.user_per_directory = false;
        plan.go_compatible = false;
        plan.attempts.clear();
        plan
    }

    fn facts(resources: &[&str], grants: &[&str]) -> Facts {
        let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        Facts {
            resources: owned(resources),
            grants: owned(grants),
            ..Facts::default()
        }
    }

    fn report(short: &[(&str, &str, &str)]) -> Report {
        let mut report = Report::new("s", "f", Stats::default());
        report.shortfalls = short
            .iter()
            .map(|(what, kind, resource)| Miscount {
                what: (*what).to_owned(),
                resource_type: (*kind).to_owned(),
                resource: (*resource).to_owned(),
                listed: 1,
                counted: 2,
            })
            .collect();
        report
    }

    #[test]
    fn a_lost_user_must_show_in_a_shortfall_unless_as_many_came() {
        let plan = shifting();
        let before = facts(&["user:a", "user:b"], &[]);
        let gone = facts(&["user:b"], &[]);
        let replaced = facts(&["user:b", "user:c"], &[]);
        let found = facts(&["user:a"], &[]);
        let silent = report(&[]);
        let reported = report(&[("resources", "user", "")]);
        let lost = |after, report| {
            let missing = MissingRows::new(&plan, &found, &[&before, after], report);
            missing.unexplained(&["user:b"], &[])
        };
        assert!(lost(&gone, &silent).is_some());
        assert_eq!(lost(&gone, &reported), None);
        assert_eq!(lost(&replaced, &silent), None, "the counts agree");
        let first = lost(&before, &reported).unwrap_or_default();
        assert!(first.contains("nothing left its list"), "{first}");
    }

    #[test]
    fn keyset_cursors_and_organizations_that_stand_still_lose_nothing() {
        let mut plan = shifting();
        let (all, found) = (facts(&["user:a", "user:b"], &[]), facts(&["user:a"], &[]));
        let reported = report(&[("resources", "user", "")]);
        let missing = MissingRows::new(&plan, &found, &[&all], &reported);
        assert!(missing.unexplained(&["user:b"], &[]).is_some());
        plan.paging.cursors = CursorKind::Keyset;
        let gone = facts(&["user:b"], &[]);
        let missing = MissingRows::new(&plan, &found, &[&all, &gone], &reported);
        assert!(missing.unexplained(&["user:b"], &[]).is_some());
    }

    #[test]
    fn lost_members_must_show_and_lost_roles_need_a_reason() {
        let plan = shifting();
        let (member, role) = ("group:g:member:user:a", "workspace:w:role:x:user:a");
        let all = ["user:a", "user:b", "group:g"];
        let before = facts(&all, &[member, role, "group:g:member:user:b"]);
        let after = facts(&all, &[member, role]);
        let found = facts(&all, &[]);
        let unexplained = |report: &Report, lost| {
            let missing = MissingRows::new(&plan, &found, &[&before, &after], report);
            missing.unexplained(&[], &[lost])
        };
        assert!(unexplained(&report(&[]), member).is_some());
        let reported = report(&[("grants", "group", "group:g")]);
        assert_eq!(unexplained(&reported, member), None);
        assert!(
            unexplained(&reported, role).is_some(),
            "no role was taken away"
        );
    }

    #[test]
    fn a_shortfall_of_a_list_that_nothing_left_is_a_false_alarm() {
        let plan = shifting();
        let before = facts(&["user:a", "group:g"], &[]);
        let after = facts(&["group:g"], &[]);
        let alarm = |kind| {
            let reported = report(&[("resources", kind, "")]);
            MissingRows::new(&plan, &after, &[&before, &after], &reported).false_alarm()
        };
        assert_eq!(alarm("user"), None);
        assert!(alarm("group").is_some());
    }

    #[test]
    fn the_parts_of_a_grant_are_found_in_its_id() {
        for (grant, owner, principal) in [
            ("group:g:member:user:1:2", "group:g", "user:1:2"),
            (
                "workspace:ari:c:x/y:role:a/b:user:1:2",
                "user:1:2",
                "user:1:2",
            ),
            ("workspace:w:role:r:group:g", "group:g", "group:g"),
        ] {
            assert_eq!(owner_of(grant), owner);
            assert_eq!(principal_of(grant), principal);
        }
    }
}
