//! Rows that refer to types that the connector does not have, and to types
//! that the request leaves out.

use std::sync::Arc;

use baton_c1z::Table;
use baton_connector::resource::{EntitlementBuilder, GrantBuilder, ResourceBuilder, resource_id};
use baton_sync::{Completeness, Report, SyncRequest, UnknownKind, UnknownType};

use crate::sandbox::{Sandbox, ids};
use crate::world::World;

/// Five grants to robots, one on a robot, an entitlement of a robot, and a
/// user below a robot. There is no such type.
fn world() -> World {
    let mut world = World::small();
    let grants = world.grants.entry("group:g1".to_owned()).or_default();
    for n in 1..=5 {
        let to = resource_id("robot", format!("r{n}"));
        let grant = GrantBuilder::new(resource_id("group", "g1"), "member", to);
        grants.push(grant.build().expect("valid"));
    }
    let on = GrantBuilder::new(
        resource_id("robot", "r9"),
        "pilot",
        resource_id("user", "u1"),
    );
    grants.push(on.build().expect("valid"));
    let entitlement = EntitlementBuilder::assignment(resource_id("robot", "r9"), "pilot");
    let of_group = world.entitlements.entry("group:g1".to_owned()).or_default();
    of_group.push(entitlement.build().expect("valid"));
    let below = ResourceBuilder::new("org", "o3").parent(resource_id("robot", "r1"));
    world.add("org", below.build().expect("valid"));
    world
}

async fn synced(filter: &[&str]) -> (Sandbox, Report) {
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        resource_type_filter: filter.iter().map(ToString::to_string).collect(),
        allow_partial: true,
        ..sandbox.request()
    };
    let report = sandbox.sync_as(&Arc::new(world()), request).await;
    (sandbox, report)
}

fn unknown(kind: UnknownKind, rows: u64, examples: &[&str]) -> UnknownType {
    UnknownType {
        kind,
        resource_type: "robot".to_owned(),
        rows,
        examples: examples.iter().map(ToString::to_string).collect(),
    }
}

#[tokio::test]
async fn a_type_that_the_connector_does_not_have_makes_the_result_partial() {
    let (sandbox, report) = synced(&[]).await;
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(
        report.unknown_types,
        [
            unknown(UnknownKind::Entitlement, 1, &["robot:r9:pilot"]),
            unknown(
                UnknownKind::Grant,
                6,
                &[
                    "group:g1:member:robot:r1",
                    "group:g1:member:robot:r2",
                    "group:g1:member:robot:r3",
                ]
            ),
            unknown(UnknownKind::Child, 1, &["org:o3"]),
        ]
    );
    assert_eq!(
        &report.warnings[..3],
        [
            "1 entitlement left out: the connector has no resource type `robot`: `robot:r9:pilot`",
            "6 grants left out: the connector has no resource type `robot`: \
             `group:g1:member:robot:r1`, `group:g1:member:robot:r2`, \
             `group:g1:member:robot:r3` and 3 more",
            "1 resource without the parent: the connector has no resource type `robot`: `org:o3`",
        ]
    );
    assert_eq!(report.dropped.grants_of_unknown_type, 6);
    // The child itself is there.
    assert!(ids(&sandbox.target(), Table::Resources).contains(&"org:o3".to_owned()));
}

#[tokio::test]
async fn what_a_filter_leaves_out_on_purpose_keeps_the_result_complete() {
    let (_, report) = synced(&["user", "group", "org"]).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!(report.unknown_types, []);
    assert_eq!(report.dropped.filtered_grants, 6);
    assert_eq!(report.dropped.filtered_entitlements, 1);
    assert_eq!(report.dropped.grants_of_unknown_type, 0);
    assert!(report.dropped.is_on_purpose());
}

#[tokio::test]
async fn the_partial_file_lies_beside_the_target_unless_it_is_allowed_there() {
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world()).await;
    assert_eq!(
        report.path,
        sandbox.partial().canonicalize().expect("there")
    );
    assert!(!sandbox.target().exists());
}

#[tokio::test]
async fn the_types_of_a_list_that_does_not_count_are_not_named() {
    use crate::world::Twist;
    use baton_connector::Error as Refusal;
    let sandbox = Sandbox::new();
    let hooked = world().hooked(|list, token, _| {
        // Pages hold two rows: the later ones are refused.
        let last = list == "grants group:g1" && token == "p6";
        last.then(|| Twist::Fail(Refusal::stated(baton_proto::Code::PermissionDenied, "no")))
    });
    let report = sandbox.sync(hooked).await;
    let kinds: Vec<UnknownKind> = report.unknown_types.iter().map(|u| u.kind).collect();
    assert_eq!(kinds, [UnknownKind::Entitlement, UnknownKind::Child]);
    assert_eq!(report.dropped.grants_of_unknown_type, 0);
}
