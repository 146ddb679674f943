//! What a sync lost, and whether it may have lost it, and said so.
//!
//! With keyset cursors nothing is lost that stood there throughout. Cursors
//! that count items skip one for every item before them that goes: so a row
//! can be lost only from a list that something left, and where the API counts
//! the list, the sync must tell that it is short. That hides only where as
//! many rows came to the same list meanwhile.

use std::collections::BTreeMap;

use atlassian_sim::{Answers, CursorKind};
use baton_sync::{Report, Shortfall, Uncounted};

use crate::history::Facts;
use crate::plan::Plan;

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
        match id.split_once(":member:user:") {
            Some((group, _)) => Self::Members(group.to_owned()),
            None => Self::Roles(principal_of(id).to_owned()),
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
pub(crate) struct Losses<'a> {
    plan: &'a Plan,
    found: &'a Facts,
    report: &'a Report,
    movements: Movements,
    shifting: bool,
}

impl<'a> Losses<'a> {
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

    /// The first of the lost rows that should not have been lost, or not
    /// without a word, and why.
    pub(crate) fn unexplained(&self, resources: &[&str], grants: &[&str]) -> Option<String> {
        if !self.shifting {
            let first = resources.first().or(grants.first())?;
            return Some(format!("{first} was there throughout and is lost, silently"));
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
            // Nobody is asked about whom the list of resources lost.
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
        if !left {
            return Some(format!(
                "{first} was there throughout and is lost, though nothing left its list"
            ));
        }
        let hidden = lost.len() as u64 <= self.movements.came(list);
        (counted && !hidden && !self.is_told(list)).then(|| {
            format!("{first} was there throughout, is lost, and its list is not told to be short")
        })
    }

    /// Whether the sync asks for counts.
    fn counts(&self) -> bool {
        !self.plan.go_compatible
    }

    fn is_told(&self, list: &List) -> bool {
        let short = self.report.shortfalls.iter().map(of_shortfall);
        let uncounted = self.report.uncounted.iter().map(of_uncounted);
        short.chain(uncounted).any(|told| told == *list)
    }

    /// What is told of a list without a reason.
    pub(crate) fn false_alarm(&self) -> Option<String> {
        let short = self.report.shortfalls.iter();
        let mut groundless = short.filter(|short| self.movements.gone(&of_shortfall(short)) == 0);
        if let Some(short) = groundless.next() {
            return Some(format!("told without a reason: {short}"));
        }
        let uncounted = self.report.uncounted.first()?;
        (!self.plan.has_server_faults()).then(|| format!("told without a reason: {uncounted}"))
    }
}

fn of_shortfall(short: &Shortfall) -> List {
    List::of_shortfall(&short.what, &short.resource_type, &short.resource)
}

fn of_uncounted(uncounted: &Uncounted) -> List {
    List::of_shortfall(
        &uncounted.what,
        &uncounted.resource_type,
        &uncounted.resource,
    )
}
