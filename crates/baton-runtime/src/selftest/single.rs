//! Single resources, and lists of whole types: both only where they are announced.

use baton_connector::{Code, v2};
use baton_proto::any;
use v2::Capability;

use super::announced::Announced;
use super::caller::{Answer, Caller, Fault};
use super::recorder::{Asked, Recorded, named};
use super::{CheckResult, UNKNOWN, Verdict};

/// Types that are checked, at most.
const TYPES: usize = 20;
/// Resources of a type that are requested, at most.
const ROWS: usize = 3;

const AS_LISTED: &str = "single resources are as listed";
const NOT_FOUND: &str = "unknown resources are not found";
const WHOLE_TYPES: &str = "lists of whole types are as marked";

pub(super) async fn checks(
    caller: &Caller,
    announced: Option<&Announced>,
    recorded: &Recorded,
) -> Vec<CheckResult> {
    let (as_listed, not_found) = match announced {
        Some(announced) => (
            as_listed(caller, announced, recorded).await,
            not_found(caller, announced, recorded).await,
        ),
        None => (UNKNOWN, UNKNOWN),
    };
    let whole_types = whole_types(caller, recorded).await;
    vec![
        CheckResult {
            name: AS_LISTED,
            verdict: as_listed,
        },
        CheckResult {
            name: NOT_FOUND,
            verdict: not_found,
        },
        CheckResult {
            name: WHOLE_TYPES,
            verdict: whole_types,
        },
    ]
}

/// The first, the middle and the last of some resources.
fn spread(rows: &[&v2::Resource]) -> Vec<v2::Resource> {
    let last = rows.len().saturating_sub(1);
    let mut places = vec![0, last / 2, last];
    places.dedup();
    let rows = places.into_iter().filter_map(|place| rows.get(place));
    rows.take(ROWS).map(|row| (*row).clone()).collect()
}

/// Listed resources of a type.
fn of_type<'r>(recorded: &'r Recorded, type_id: &str) -> Vec<&'r v2::Resource> {
    let is_of_type = |row: &&v2::Resource| {
        let id = row.id.as_ref();
        id.is_some_and(|id| id.resource_type == type_id)
    };
    recorded.resources.iter().filter(is_of_type).collect()
}

async fn get(caller: &Caller, resource: &v2::Resource) -> Answer<Option<v2::Resource>> {
    let call = caller.call();
    let id = resource.id.clone().unwrap_or_default();
    let parent = resource.parent_resource_id.as_ref();
    let got = caller.connector().get_resource(&call, &id, parent);
    let got = caller.ask(got).await?;
    Ok(got.map(|row| row.into_parts().0))
}

async fn as_listed(caller: &Caller, announced: &Announced, recorded: &Recorded) -> Verdict {
    let mut found = Vec::new();
    let mut tried = 0;
    for kind in recorded.types.iter().take(TYPES) {
        let reads = announced.of_type(&kind.id, Capability::TargetedSync);
        let mut rows = spread(&of_type(recorded, &kind.id));
        rows.truncate(if reads { ROWS } else { 1 });
        for row in rows {
            tried += 1;
            let answer = get(caller, &row).await;
            let finding = match (reads, answer) {
                (true, Ok(Some(got))) if got.id == row.id => continue,
                (true, Ok(Some(got))) => format!("the answer is {}", named(&got)),
                (true, Ok(None)) => "it is listed, but not found".to_owned(),
                (false, Err(fault)) if fault.code() == Some(Code::Unimplemented) => continue,
                (false, Ok(_)) => "it is answered, but its type does not announce \
                                   CAPABILITY_TARGETED_SYNC"
                    .to_owned(),
                (false, Err(fault @ Fault::Refused(_))) => {
                    format!("the refusal is not Unimplemented: {fault}")
                }
                (_, Err(fault)) => fault.to_string(),
            };
            found.push(format!("resource {}: {finding}", named(&row)));
        }
    }
    match tried {
        0 => Verdict::Skip("no resource is listed"),
        _ => Verdict::of(found),
    }
}

async fn not_found(caller: &Caller, announced: &Announced, recorded: &Recorded) -> Verdict {
    let (mut failed, mut noted) = (Vec::new(), Vec::new());
    let mut tried = 0;
    for kind in recorded.types.iter().take(TYPES) {
        if !announced.of_type(&kind.id, Capability::TargetedSync) {
            continue;
        }
        tried += 1;
        // Below the parent of a listed one, where there is one.
        let listed = of_type(recorded, &kind.id).into_iter().next().cloned();
        let mut unknown = listed.unwrap_or_default();
        unknown.id = Some(v2::ResourceId {
            resource_type: kind.id.clone(),
            resource: super::NO_SUCH_ID.to_owned(),
            ..v2::ResourceId::default()
        });
        match get(caller, &unknown).await {
            Ok(None) => {}
            Ok(Some(got)) => {
                let (asked, got) = (named(&unknown), named(&got));
                failed.push(format!("the answer to {asked} is {got}"));
            }
            Err(fault) => match fault.code() {
                // It may have the wrong form for an id.
                Some(Code::NotFound | Code::InvalidArgument) => {}
                // Some applications do not show what exists.
                Some(Code::PermissionDenied) => {
                    noted.push(format!("{}: {fault}", named(&unknown)));
                }
                _ => failed.push(format!("{}: {fault}", named(&unknown))),
            },
        }
    }
    match (tried, failed.is_empty(), noted.is_empty()) {
        (0, ..) => Verdict::Skip("no type announces CAPABILITY_TARGETED_SYNC"),
        (_, false, _) => Verdict::Fail(failed),
        (_, true, false) => Verdict::Note(noted),
        (_, true, true) => Verdict::Pass,
    }
}

async fn whole_types(caller: &Caller, recorded: &Recorded) -> Verdict {
    let mut found = Vec::new();
    for kind in recorded.types.iter().take(TYPES) {
        let marks = &kind.annotations;
        let lists = [
            (
                Asked::EntitlementsOfType(kind.id.clone()),
                any::contains::<v2::TypeScopedEntitlements>(marks),
            ),
            (
                Asked::GrantsOfType(kind.id.clone()),
                any::contains::<v2::TypeScopedGrants>(marks),
            ),
        ];
        for (list, is_marked) in lists {
            let call = caller.call();
            let answer = caller.ask(list.page(caller.connector(), &call)).await;
            let finding = match (is_marked, answer) {
                (true, Ok(_)) | (false, Err(Fault::Refused(_))) => continue,
                // An older connector may not know the mark, and list one resource.
                (false, Ok(page)) if page.rows.is_empty() => continue,
                // Read during the sync, and perhaps only there.
                (true, Err(Fault::Refused(error)))
                    if error.code() == Code::FailedPrecondition
                        && recorded.lists.contains(&list) =>
                {
                    continue;
                }
                (false, Ok(_)) => "it has rows, but the type is not marked".to_owned(),
                (_, Err(fault)) => fault.to_string(),
            };
            found.push(format!("{}: {finding}", list.name()));
        }
    }
    Verdict::of(found)
}
