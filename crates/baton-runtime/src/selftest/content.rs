//! What must hold between the rows of a connector, whatever an engine makes of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use baton_connector::{Any, LocalHooks, v2};
use baton_proto::any;
use v2::resource_type::Trait;

use super::recorder::{Recorded, named};
use super::{CheckResult, Verdict, duplicates};

/// A type and an id.
pub(super) type Id = (String, String);

pub(super) fn checks(recorded: &Recorded, local: Option<&dyn LocalHooks>) -> Vec<CheckResult> {
    let process = Process::of(recorded);
    vec![
        CheckResult {
            name: "ids are unique",
            verdict: duplicates::check(recorded, local),
        },
        check(REFERENCES, dangling(recorded, &process)),
        check("resource types are registered", unknown(recorded, &process)),
        check("resources have the traits of their types", traits(recorded)),
        names(recorded),
    ]
}

/// What is found in the rows of a sync that did not come to its end: other
/// rows may be missing only because of that.
pub(super) fn found_in_part(
    recorded: &Recorded,
    local: Option<&dyn LocalHooks>,
) -> Vec<CheckResult> {
    let mut all = checks(recorded, local);
    all.retain(|check| check.failed() && check.name != REFERENCES);
    all
}

const REFERENCES: &str = "references lead to listed rows";

fn check(name: &'static str, found: Vec<String>) -> CheckResult {
    let verdict = Verdict::of(found);
    CheckResult { name, verdict }
}

struct Process {
    types: BTreeSet<String>,
    resources: BTreeSet<Id>,
    entitlements: BTreeSet<String>,
}

impl Process {
    fn of(recorded: &Recorded) -> Self {
        let listed = recorded.resources.iter().filter_map(|row| id(Some(row)));
        let mut resources: BTreeSet<Id> = listed.collect();
        let mut entitlements: BTreeSet<String> = recorded
            .entitlements
            .iter()
            .map(|row| row.id.clone())
            .collect();
        for (type_id, template) in &recorded.templates {
            let of_type = resources.iter().filter(|(kind, _)| kind == type_id);
            entitlements.extend(of_type.map(|(kind, id)| {
                let id = baton_connector::resource::resource_id(kind, id);
                baton_connector::resource::EntitlementId::of(&id, &template.slug).into_string()
            }));
        }
        // An engine adds the entitlements that a page of grants includes.
        for added in &recorded.added {
            if let Some((kind, id)) = id(Some(&added.resource)) {
                let of = baton_connector::resource::resource_id(&kind, &id);
                let id = (kind, id);
                entitlements.insert(
                    baton_connector::resource::EntitlementId::of(&of, &added.slug).into_string(),
                );
                resources.insert(id);
            }
        }
        Self {
            types: recorded.types.iter().map(|kind| kind.id.clone()).collect(),
            resources,
            entitlements,
        }
    }
}

pub(super) fn id(resource: Option<&v2::Resource>) -> Option<Id> {
    let id = resource?.id.as_ref()?;
    Some((id.resource_type.clone(), id.resource.clone()))
}

/// A grant whose principal another connector lists.
fn is_external(annotations: &[Any]) -> bool {
    any::contains::<v2::ExternalResourceMatch>(annotations)
        || any::contains::<v2::ExternalResourceMatchId>(annotations)
        || any::contains::<v2::ExternalResourceMatchAll>(annotations)
}

fn dangling(recorded: &Recorded, process: &Process) -> Vec<String> {
    let mut found = Vec::new();
    let is_listed = |id: &Id| process.resources.contains(id) || !process.types.contains(&id.0);
    for row in &recorded.resources {
        let parent = row.parent_resource_id.as_ref();
        let parent = parent.map(|id| (id.resource_type.clone(), id.resource.clone()));
        if let Some(parent) = parent.filter(|parent| !is_listed(parent)) {
            let (kind, id) = parent;
            let row = named(row);
            found.push(format!(
                "resource {row} is in `{kind}:{id}`, which is not listed"
            ));
        }
    }
    for grant in &recorded.grants {
        let on = grant.entitlement.clone().unwrap_or_default();
        let holder = id(grant.principal.as_ref()).unwrap_or_default();
        if !is_external(&grant.annotations) && !is_listed(&holder) {
            let (kind, id) = holder;
            let grant = &grant.id;
            found.push(format!(
                "grant `{grant}` is to `{kind}:{id}`, which is not listed"
            ));
        }
        if !process.entitlements.contains(&on.id) {
            let grant = &grant.id;
            found.push(format!(
                "grant `{grant}` is on `{}`, which is not listed",
                on.id
            ));
        }
    }
    found
}

fn unknown(recorded: &Recorded, process: &Process) -> Vec<String> {
    let mut unknown: BTreeMap<String, String> = BTreeMap::new();
    let mut look = |kind: &str, what: &dyn Fn() -> String| {
        if !process.types.contains(kind) {
            unknown.entry(kind.to_owned()).or_insert_with(what);
        }
    };
    for row in &recorded.resources {
        let kinds = [row.id.as_ref(), row.parent_resource_id.as_ref()];
        for id in kinds.into_iter().flatten() {
            look(&id.resource_type, &|| format!("of resource {}", named(row)));
        }
    }
    for grant in recorded
        .grants
        .iter()
        .filter(|grant| !is_external(&grant.annotations))
    {
        if let Some((kind, _)) = id(grant.principal.as_ref()) {
            look(&kind, &|| {
                format!("of the principal of grant `{}`", grant.id)
            });
        }
    }
    let shown = unknown.into_iter();
    shown
        .map(|(kind, place)| format!("type `{kind}` {place}"))
        .collect()
}

fn traits(recorded: &Recorded) -> Vec<String> {
    let declared: BTreeMap<&str, Vec<Trait>> = recorded
        .types
        .iter()
        .map(|kind| (kind.id.as_str(), kind.traits().collect()))
        .collect();
    let mut found = Vec::new();
    for row in &recorded.resources {
        let kind = row.id.as_ref().map_or("", |id| &id.resource_type);
        for wanted in declared.get(kind).into_iter().flatten() {
            let marks = &row.annotations;
            let has = match wanted {
                Trait::User => any::contains::<v2::UserTrait>(marks),
                Trait::Group => any::contains::<v2::GroupTrait>(marks),
                Trait::Role => any::contains::<v2::RoleTrait>(marks),
                Trait::App => any::contains::<v2::AppTrait>(marks),
                Trait::Secret => any::contains::<v2::SecretTrait>(marks),
                // The engine looks at these alone.
                _ => true,
            };
            if !has {
                let word = wanted.as_str_name();
                found.push(format!("resource {} has no {word}", named(row)));
            }
        }
    }
    found
}

/// Whether resources have names. Some applications have objects without.
fn names(recorded: &Recorded) -> CheckResult {
    let rows = recorded.resources.iter();
    let found: Vec<String> = rows
        .filter(|row| row.display_name.trim().is_empty())
        .map(|row| format!("resource {} has no name", named(row)))
        .collect();
    let verdict = if found.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Note(found)
    };
    CheckResult {
        name: "resources have names",
        verdict,
    }
}
