//! What is asked for, and what of it ends up in the file.

use std::sync::Arc;

use baton_c1z::{SyncType, Table};
use baton_connector::resource::{ResourceBuilder, ResourceTypeBuilder, resource_id};
use baton_proto::any;
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_sync::{Completeness, Event, Phase, SyncRequest};
use prost::Message;

use crate::sandbox::{Sandbox, ids, open, scan};
use crate::world::{Twist, World, group, kind, user};

#[tokio::test]
async fn everything_that_the_connector_has_is_in_the_file() {
    let sandbox = Sandbox::new();
    let report = sandbox.sync(World::small()).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert_eq!(report.path, sandbox.target().canonicalize().expect("there"));
    let stats = &report.stats;
    // 12 memberships, the group's own grant on the role, two derived ones.
    let counts = [
        stats.resource_types,
        stats.resources,
        stats.entitlements,
        stats.grants,
    ];
    assert_eq!(counts, [5, 17, 8, 15]);
    assert_eq!(
        ids(&sandbox.target(), Table::Entitlements),
        [
            "group:g1:member",
            "group:g2:member",
            "group:g3:member",
            "role:r:1:assigned",
            "site:o1/s1:visitor",
            "site:o1/s2:visitor",
            "site:o2/s1:visitor",
            "site:o2/s2:visitor",
        ]
    );
    let grants = ids(&sandbox.target(), Table::Grants);
    assert!(grants.contains(&"role:r:1:assigned:user:u2".to_owned()));
    assert_eq!(sandbox.files(), ["sync.c1z"]);
}

#[tokio::test]
async fn the_run_is_recorded_as_a_finished_full_sync() {
    let sandbox = Sandbox::new();
    let report = sandbox.sync(World::small()).await;
    let runs = open(&sandbox.target()).sync_runs().to_vec();
    let run = runs.first().expect("one run");
    assert_eq!(runs.len(), 1);
    assert_eq!(run.id, report.sync_id);
    assert_eq!(run.kind(), Some(SyncType::Full));
    assert_eq!(run.sync_token, r#"{"version":1}"#);
    assert!(run.is_finished() && run.supports_diff);
    assert_eq!(run.stats.as_ref(), Some(&report.stats));
}

#[tokio::test]
async fn each_list_is_asked_for_once_page_by_page() {
    let sandbox = Sandbox::new();
    let world = Arc::new(World::small());
    sandbox
        .run(&world, sandbox.request())
        .await
        .expect("complete");
    let calls = world.calls();
    let mut once = calls.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), calls.len(), "{calls:?}");
    let of = |list: &str| -> Vec<&str> {
        calls
            .iter()
            .filter_map(|c| c.strip_prefix(list)?.strip_prefix(" @"))
            .collect()
    };
    assert_eq!(of("resources user"), ["", "p2", "p4", "p6"]);
    assert_eq!(of("resources site<org:o2"), [""]);
    assert_eq!(of("grants group:g3"), ["", "p2", "p4"]);
    assert_eq!(calls.last().map(String::as_str), Some("cleanup"));
}

#[tokio::test]
async fn resources_only_leaves_out_entitlements_and_grants() {
    let sandbox = Sandbox::new();
    let world = Arc::new(World::small());
    let request = SyncRequest {
        skip_entitlements_and_grants: true,
        ..sandbox.request()
    };
    let report = sandbox.run(&world, request).await.expect("complete");
    assert_eq!(report.stats.resources, 17);
    assert_eq!(report.stats.entitlements + report.stats.grants, 0);
    let run = open(&sandbox.target()).sync_runs().to_vec().remove(0);
    assert_eq!(run.kind(), Some(SyncType::ResourcesOnly));
    assert!(!run.supports_diff);
    let asked = world.calls();
    assert!(
        !asked
            .iter()
            .any(|c| c.starts_with("grants") || c.starts_with("static"))
    );
}

#[tokio::test]
async fn a_filter_keeps_other_types_out_and_drops_what_hangs_on_them() {
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        resource_type_filter: vec!["role".to_owned(), "org".to_owned()],
        ..sandbox.request()
    };
    let world = Arc::new(World::small());
    let report = sandbox.run(&world, request).await.expect("complete");
    assert_eq!(report.stats.resource_types, 2);
    assert_eq!(
        ids(&sandbox.target(), Table::Resources),
        ["org:o1", "org:o2", "role:r:1"]
    );
    // Organizations name the child type `site`, which is not wanted.
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    // The role's only grant is to a group.
    assert_eq!(report.stats.grants, 0);
    assert_eq!(report.dropped.filtered_grants, 1);
    assert_eq!(report.dropped.invalid(), 0);
    assert!(
        sandbox
            .events()
            .contains(&Event::InvalidData(report.dropped))
    );
}

#[tokio::test]
async fn a_filter_with_an_unknown_type_fails_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        resource_type_filter: vec!["user".to_owned(), "usr".to_owned()],
        ..sandbox.request()
    };
    let world = Arc::new(World::small());
    let error = sandbox
        .run(&world, request)
        .await
        .expect_err("unknown type");
    assert_eq!(error.to_string(), "invalid resource type 'usr' in filter");
    assert!(sandbox.files().is_empty());
}

#[tokio::test]
async fn skip_marks_on_types_and_resources_are_heeded() {
    let mut world = World::empty();
    world.types = vec![
        kind("plain", None),
        ResourceTypeBuilder::new("none", "none")
            .skip_entitlements_and_grants()
            .build()
            .expect("valid"),
        ResourceTypeBuilder::new("grants", "grants")
            .skip_entitlements()
            .build()
            .expect("valid"),
        // Has no effect on a type.
        ResourceTypeBuilder::new("odd", "odd")
            .annotation(&v2::SkipGrants {})
            .build()
            .expect("valid"),
    ];
    for id in ["plain", "none", "grants", "odd"] {
        world.add(id, ResourceBuilder::new(id, "1").build().expect("valid"));
    }
    let marked = ResourceBuilder::new("plain", "2").annotation(&v2::SkipGrants {});
    world.add("plain", marked.build().expect("valid"));
    let sandbox = Sandbox::new();
    let world = Arc::new(world);
    sandbox
        .run(&world, sandbox.request())
        .await
        .expect("complete");
    let mut asked: Vec<String> = world
        .calls()
        .into_iter()
        .filter(|c| c.starts_with("entitlements") || c.starts_with("grants"))
        .collect();
    asked.sort();
    assert_eq!(
        asked,
        [
            "entitlements odd:1 @",
            "entitlements plain:1 @",
            "entitlements plain:2 @",
            "grants grants:1 @",
            "grants odd:1 @",
            "grants plain:1 @",
        ]
    );
}

#[tokio::test]
async fn children_of_children_are_listed() {
    let mut world = World::empty();
    world.types = vec![kind("folder", None)];
    let folder = |id: &str, parent: Option<&str>| {
        let built = ResourceBuilder::new("folder", id).child_type("folder");
        match parent {
            Some(parent) => built.parent(resource_id("folder", parent)),
            None => built,
        }
        .build()
        .expect("valid")
    };
    world.add("folder", folder("a", None));
    world.add("folder<folder:a", folder("b", Some("a")));
    world.add("folder<folder:b", folder("c", Some("b")));
    let sandbox = Sandbox::new();
    sandbox.sync(world).await;
    let found = ids(&sandbox.target(), Table::Resources);
    assert_eq!(found, ["folder:a", "folder:b", "folder:c"]);
}

#[tokio::test]
async fn a_child_type_that_does_not_exist_is_a_warning() {
    let mut world = World::small();
    let odd = ResourceBuilder::new("org", "o3").child_type("planet");
    world.add("org", odd.build().expect("valid"));
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world).await;
    assert_eq!(report.completeness, Completeness::Complete);
    assert!(
        report.warnings.iter().any(|w| w.contains("`planet`")),
        "{:?}",
        report.warnings
    );
}

#[tokio::test]
async fn a_repeated_id_is_one_row_and_the_last_in_list_order_wins() {
    let mut world = World::small();
    let named = |name: &str| {
        let mut again = user("u1");
        again.display_name = name.to_owned();
        again
    };
    world.add("user", named("Second"));
    world.add("user", named("Last"));
    let sandbox = Sandbox::new();
    let world = Arc::new(world);
    let report = sandbox
        .run(&world, sandbox.request())
        .await
        .expect("complete");
    assert_eq!(report.duplicates, 2);
    assert_eq!(report.stats.resources, 17);
    let asked = world.calls();
    let times = asked
        .iter()
        .filter(|c| *c == "entitlements user:u1 @")
        .count();
    assert_eq!(times, 1);
    let mut names = Vec::new();
    scan(&sandbox.target(), |table, row| {
        if table == Table::Resources && row.id == "user:u1" {
            let stored = v2::Resource::decode(row.data).expect("valid");
            names.push(stored.display_name);
        }
    });
    assert_eq!(names, ["Last"]);
}

#[tokio::test]
async fn grants_can_bring_their_resources_along() {
    let world = World::small().hooked(|list, _, _| {
        (list == "grants group:g2")
            .then(|| Twist::Annotate(any::pack(&v2::InsertResourceGrants {})))
    });
    let mut world = world;
    let hidden = v2::Grant {
        id: "new".to_owned(),
        entitlement: Some(v2::Entitlement {
            id: "group:g9:member".to_owned(),
            resource: Some(group("g9")),
            ..v2::Entitlement::default()
        }),
        principal: Some(user("u1")),
        ..v2::Grant::default()
    };
    let nowhere = v2::Grant {
        id: "nowhere".to_owned(),
        ..v2::Grant::default()
    };
    let grants = world.grants.entry("group:g2".to_owned()).or_default();
    grants.extend([hidden, nowhere]);
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world).await;
    assert!(ids(&sandbox.target(), Table::Resources).contains(&"group:g9".to_owned()));
    assert!(ids(&sandbox.target(), Table::Grants).contains(&"new".to_owned()));
    assert_eq!(report.dropped.invalid_resources, 1);
    let mut marked = 0;
    scan(&sandbox.target(), |table, row| {
        if table == Table::Grants {
            let grant = v2::Grant::decode(row.data).expect("valid");
            marked += usize::from(any::contains::<v2::InsertResourceGrants>(
                &grant.annotations,
            ));
        }
    });
    assert_eq!(marked, 5);
}

#[tokio::test]
async fn static_entitlements_come_in_pages_and_for_many_resources() {
    let mut world = World::empty();
    world.page_size = 150;
    world.types = vec![kind("room", None), kind("desk", None)];
    for n in 0..700 {
        let room = ResourceBuilder::new("room", format!("{n:03}"));
        world.add("room", room.build().expect("valid"));
    }
    let templates = (0..301).map(|n| v2::Entitlement {
        slug: format!("s{n}"),
        ..v2::Entitlement::default()
    });
    world
        .templates
        .insert("room".to_owned(), templates.take(3).collect());
    let sandbox = Sandbox::new();
    let world = Arc::new(world);
    let report = sandbox
        .run(&world, sandbox.request())
        .await
        .expect("complete");
    assert_eq!(report.stats.entitlements, 2100);
    // A type without resources is not asked about.
    assert!(!world.calls().contains(&"static desk @".to_owned()));
}

#[tokio::test]
async fn phases_are_told_in_order_with_their_rows() {
    let sandbox = Sandbox::new();
    sandbox.sync(World::small()).await;
    let events = sandbox.events();
    let finished: Vec<(Phase, u64)> = events
        .iter()
        .filter_map(|event| match event {
            Event::PhaseFinished { phase, rows } => Some((*phase, *rows)),
            _ => None,
        })
        .collect();
    assert_eq!(
        finished,
        [
            (Phase::Validate, 0),
            (Phase::ResourceTypes, 5),
            (Phase::Resources, 17),
            (Phase::StaticEntitlements, 4),
            (Phase::Entitlements, 4),
            (Phase::Grants, 13),
            (Phase::Seal, 45),
        ]
    );
    let planned = events.iter().find_map(|event| match event {
        Event::PhaseStarted {
            phase: Phase::Grants,
            lists,
        } => *lists,
        _ => None,
    });
    assert_eq!(planned, Some(17));
}

#[tokio::test]
async fn a_type_trait_that_nobody_checks_may_be_missing() {
    let mut world = World::empty();
    world.types = vec![kind("vendor", Some(Trait::Vendor))];
    world.add(
        "vendor",
        ResourceBuilder::new("vendor", "1").build().expect("valid"),
    );
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.sync(world).await.stats.resources, 1);
}
