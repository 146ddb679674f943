//! What holds between the rows of a sync as a whole, and the mark that says so.

use std::sync::Arc;

use baton_c1z::Format;
use baton_connector::Error as Refusal;
use baton_connector::resource::{EntitlementBuilder, GrantBuilder, ResourceBuilder, resource_id};
use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_sync::{Report, SyncRequest};

use crate::sandbox::{Sandbox, open};
use crate::world::{Twist, World};

async fn sync(sandbox: &Sandbox, world: World, format: Format) -> Report {
    let request = SyncRequest {
        format: Some(format),
        allow_partial: true,
        ..sandbox.request()
    };
    let world = Arc::new(world);
    sandbox.run(&world, request).await.expect("sealed")
}

fn marker(sandbox: &Sandbox) -> [String; 3] {
    let runs = open(&sandbox.target()).sync_runs().to_vec();
    let stored = runs[0].ingest_invariant.clone();
    [stored.generation, stored.coverage, stored.mode]
}

#[tokio::test]
async fn a_sync_is_marked_with_what_its_format_is_held_to() {
    for (format, coverage) in [
        (Format::V1, r#"["I5","I10"]"#),
        (Format::V3, r#"["I5","I10","I7","I3","I8","I9"]"#),
    ] {
        let sandbox = Sandbox::new();
        let report = sync(&sandbox, World::small(), format).await;
        assert!(report.warnings.is_empty(), "{:?}", report.warnings);
        assert_eq!(marker(&sandbox), ["1", coverage, "connector"]);
    }
}

#[tokio::test]
async fn a_sync_from_which_something_is_missing_has_no_mark() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, _, _| {
        (list == "grants group:g1")
            .then(|| Twist::Fail(Refusal::stated(Code::PermissionDenied, "no")))
    });
    sync(&sandbox, world, Format::V1).await;
    assert_eq!(marker(&sandbox), ["", "", ""]);
}

#[tokio::test]
async fn rows_that_lead_nowhere_stay_and_are_told() {
    for format in [Format::V1, Format::V3] {
        let mut world = World::small();
        let stranger = GrantBuilder::new(
            ResourceBuilder::new("group", "g1").build().expect("valid"),
            "member",
            resource_id("user", "stranger"),
        );
        let unlisted = GrantBuilder::new(
            ResourceBuilder::new("group", "gone")
                .build()
                .expect("valid"),
            "member",
            resource_id("user", "u1"),
        );
        for grant in [stranger, unlisted] {
            let list = world.grants.entry("group:g1".to_owned()).or_default();
            list.push(grant.build().expect("valid"));
        }
        let lost = EntitlementBuilder::assignment(resource_id("group", "lost"), "member");
        world
            .entitlements
            .entry("group:g1".to_owned())
            .or_default()
            .push(lost.build().expect("valid"));
        let sandbox = Sandbox::new();
        let report = sync(&sandbox, world, format).await;
        assert_eq!(
            report.warnings,
            [
                "1 entitlement is on a resource that is not in the sync (ingest invariant I7): `group:lost:member`",
                "1 grant is on a resource that is not in the sync (ingest invariant I3): `group:gone:member:user:u1`",
                "1 granted entitlement is not in the sync (ingest invariant I8): `group:gone:member`",
                "1 grant is to a principal that is not in the sync (ingest invariant I9): `group:g1:member:user:stranger`",
            ]
        );
        // With what the group's role hands on to the stranger.
        assert_eq!(report.stats.grants, 18);
        assert_ne!(marker(&sandbox), ["", "", ""]);
    }
}

/// A full sync that every finding fails.
fn strict(sandbox: &Sandbox, format: Format) -> SyncRequest {
    SyncRequest {
        format: Some(format),
        fail_fast: true,
        ..sandbox.request()
    }
}

#[tokio::test]
async fn findings_fail_a_sync_that_is_to_fail_fast() {
    let grant = |on: &str, slug: &str, to: &str| {
        let on = ResourceBuilder::new("group", on).build().expect("valid");
        GrantBuilder::new(on, slug, resource_id("user", to))
            .build()
            .expect("valid")
    };
    let granted = |grant: v2::Grant| {
        let mut world = World::small();
        let list = world.grants.entry("group:g1".to_owned()).or_default();
        list.push(grant);
        world
    };
    let mut lost = World::small();
    let entitlement = EntitlementBuilder::assignment(resource_id("group", "lost"), "member");
    let list = lost.entitlements.entry("group:g1".to_owned()).or_default();
    list.push(entitlement.build().expect("valid"));
    let mut childless = World::small();
    let odd = ResourceBuilder::new("org", "o3").child_type("planet");
    childless.add("org", odd.build().expect("valid"));
    let worlds = [
        ("I4", childless),
        ("I7", lost),
        ("I3", granted(grant("gone", "member", "u1"))),
        ("I8", granted(grant("g1", "unlisted", "u1"))),
        ("I9", granted(grant("g1", "member", "stranger"))),
    ];
    for (id, world) in worlds {
        let world = Arc::new(world);
        for format in [Format::V1, Format::V3] {
            let sandbox = Sandbox::new();
            let error = sandbox.run(&world, strict(&sandbox, format)).await;
            let error = error.expect_err("broken");
            assert_eq!(error.code(), Code::Internal);
            let start = format!("ingest invariant {id} violated: ");
            assert!(error.to_string().starts_with(&start), "{error}");
            // The next run would meet the same rows.
            assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
        }
    }
}

#[tokio::test]
async fn a_sync_that_was_to_fail_fast_is_marked_so() {
    for format in [Format::V1, Format::V3] {
        let sandbox = Sandbox::new();
        let mut world = World::small();
        // It waits for another file, which is no fault.
        let waiting = GrantBuilder::new(
            ResourceBuilder::new("group", "g1").build().expect("valid"),
            "member",
            resource_id("user", "elsewhere"),
        )
        .annotation(&v2::ExternalResourceMatchId { id: "x".to_owned() });
        let list = world.grants.entry("group:g1".to_owned()).or_default();
        list.push(waiting.build().expect("valid"));
        let report = sandbox
            .run(&Arc::new(world), strict(&sandbox, format))
            .await;
        assert!(report.expect("complete").warnings[0].contains("unmatched"));
        let coverage = r#"["I5","I10","I4","I7","I3","I8","I9"]"#;
        assert_eq!(marker(&sandbox), ["1", coverage, "connector_fail_fast"]);
    }
    // What a sync of some types leaves out is no fault either.
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        resource_type_filter: vec!["org".to_owned()],
        ..strict(&sandbox, Format::V1)
    };
    let report = sandbox.run(&Arc::new(World::small()), request).await;
    assert!(report.expect("complete").warnings.is_empty());
}
