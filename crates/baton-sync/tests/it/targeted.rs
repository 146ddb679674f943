//! Syncs of a part: named resources, no grants, nothing at all.

use std::sync::Arc;

use baton_c1z::{Format, SyncType, Table};
use baton_connector::Error as Refusal;
use baton_connector::resource::{GrantBuilder, ResourceBuilder, resource_id};
use baton_proto::Code;
use baton_proto::bid::ResourceBid;
use baton_sync::{Completeness, Event, SyncRequest, Workers};

use crate::sandbox::{Sandbox, ids, open, rows};
use crate::world::{Twist, World};

fn targets(bids: &[&str]) -> Vec<ResourceBid> {
    let parsed = bids.iter().map(|bid| bid.parse().expect("a resource"));
    parsed.collect()
}

fn request(sandbox: &Sandbox, bids: &[&str]) -> SyncRequest {
    SyncRequest {
        targets: targets(bids),
        ..sandbox.request()
    }
}

/// A world in which a site's visitors are granted by their group.
fn world() -> World {
    let mut world = World::small();
    let site = ResourceBuilder::new("site", "o1/s1").parent(resource_id("org", "o1"));
    let grant = GrantBuilder::new(
        site.build().expect("valid"),
        "visitor",
        resource_id("user", "u1"),
    );
    let unknown = ResourceBuilder::new("planet", "mars")
        .build()
        .expect("valid");
    let other = GrantBuilder::new(unknown, "visitor", resource_id("user", "u1"));
    for grant in [grant, other] {
        let grants = world.grants.entry("group:g2".to_owned()).or_default();
        grants.push(grant.build().expect("valid"));
    }
    world
}

#[tokio::test]
async fn only_the_named_resources_are_asked_about() {
    let sandbox = Sandbox::new();
    let world = Arc::new(world());
    let wanted = request(
        &sandbox,
        &["bid:r:group/g2", "bid:r:org/o1", "bid:r:group/g2"],
    );
    let report = sandbox.run(&world, wanted).await.expect("sealed");
    assert_eq!(report.completeness, Completeness::Complete);
    let mut calls = world.calls();
    calls.retain(|call| call.ends_with(" @") || call == "cleanup");
    calls.sort();
    assert_eq!(
        calls,
        [
            "cleanup",
            "entitlements group:g2 @",
            "entitlements org:o1 @",
            "get group:g2 @",
            "get org:o1 @",
            "get planet:mars @",
            "grants group:g2 @",
            "grants org:o1 @",
            "resources site<org:o1 @",
            "types @",
        ]
    );
    let path = sandbox.target();
    // Children are listed; the grants' own site is among them.
    assert_eq!(
        ids(&path, Table::Resources),
        ["group:g2", "org:o1", "site:o1/s1", "site:o1/s2"]
    );
    assert_eq!(ids(&path, Table::Entitlements), ["group:g2:member"]);
    // Grants about types that are not stored stay, unlike in a full sync.
    assert_eq!(
        ids(&path, Table::Grants),
        [
            "group:g2:member:user:u1",
            "group:g2:member:user:u2",
            "group:g2:member:user:u3",
            "group:g2:member:user:u4",
            "planet:mars:visitor:user:u1",
            "site:o1/s1:visitor:user:u1",
        ]
    );
}

#[tokio::test]
async fn resources_that_grants_are_on_come_along() {
    let sandbox = Sandbox::new();
    let world = Arc::new(world());
    let wanted = request(&sandbox, &["bid:r:group/g2"]);
    sandbox.run(&world, wanted).await.expect("sealed");
    let asked = |call: &str| world.calls().iter().any(|c| c == call);
    assert!(asked("get site:o1/s1<org:o1 @"), "{:?}", world.calls());
    assert!(!asked("grants site:o1/s1 @"), "only the resource itself");
    assert_eq!(
        ids(&sandbox.target(), Table::Resources),
        ["group:g2", "site:o1/s1"]
    );
}

#[tokio::test]
async fn a_targeted_sync_joins_the_full_one_that_it_belongs_to() {
    let mut sandbox = Sandbox::new();
    let full = sandbox.sync(World::small()).await;
    sandbox.hours = 1;
    let world = Arc::new(World::small());
    let wanted = request(&sandbox, &["bid:r:group/g1"]);
    let report = sandbox.run(&world, wanted).await.expect("sealed");
    assert_eq!(report.previous, None);
    let runs = open(&sandbox.target()).sync_runs().to_vec();
    assert_eq!(runs.len(), 2);
    let run = runs.last().expect("two");
    assert_eq!(run.kind(), Some(SyncType::Partial));
    assert_eq!(run.parent_sync_id, full.sync_id);
    assert!(run.is_finished() && !run.supports_diff);
    // Nothing is expanded: the group's own grant on the role was not asked for.
    assert_eq!(report.stats.grants, 2);
}

#[tokio::test]
async fn in_a_v3_file_a_targeted_sync_replaces_the_one_before_and_says_so() {
    let mut sandbox = Sandbox::new();
    let v3 = SyncRequest {
        format: Some(Format::V3),
        ..sandbox.request()
    };
    let full = sandbox
        .run(&Arc::new(World::small()), v3)
        .await
        .expect("sealed");
    sandbox.hours = 1;
    let wanted = request(&sandbox, &["bid:r:group/g1"]);
    let report = sandbox
        .run(&Arc::new(World::small()), wanted)
        .await
        .expect("sealed");
    assert!(report.warnings.iter().any(|w| w.contains("holds one sync")));
    let runs = open(&sandbox.target()).sync_runs().to_vec();
    let run = runs.first().expect("one");
    assert_eq!((runs.len(), run.kind()), (1, Some(SyncType::Partial)));
    assert_eq!(run.parent_sync_id, full.sync_id);
}

#[tokio::test]
async fn what_does_not_exist_is_left_out_and_named() {
    for refusal in [None, Some(Code::NotFound)] {
        let sandbox = Sandbox::new();
        let world = World::small().hooked(move |list, _, _| {
            let code = refusal.filter(|_| list == "get user:u99")?;
            Some(Twist::Fail(Refusal::stated(code, "no such user")))
        });
        let wanted = request(
            &sandbox,
            &["bid:r:user/u99", "bid:r:user/u1", "bid:r:planet/mars"],
        );
        let report = sandbox.run(&Arc::new(world), wanted).await.expect("sealed");
        assert_eq!(report.completeness, Completeness::Complete);
        let named = |name: &str| report.warnings.iter().any(|w| w.starts_with(name));
        assert!(named("user `u99` is left out: "), "{:?}", report.warnings);
        assert!(
            named("planet `mars` is left out: "),
            "{:?}",
            report.warnings
        );
        assert_eq!(report.warnings.len(), 2);
        let told = sandbox.events();
        assert!(told.iter().any(|e| matches!(e, Event::Warning { .. })));
        assert_eq!(ids(&sandbox.target(), Table::Resources), ["user:u1"]);
    }
}

/// How a sync of these ends where the connector says so of each `get`.
async fn refused(bids: &[&str], code: Option<Code>) -> (Option<Code>, String, bool) {
    let mut sandbox = Sandbox::new();
    sandbox.sync(World::small()).await;
    let before = std::fs::read(sandbox.target()).expect("a file");
    sandbox.hours = 1;
    let world = World::small().hooked(move |list, _, _| {
        let code = code.filter(|_| list.starts_with("get "))?;
        Some(Twist::Fail(Refusal::stated(code, "refused")))
    });
    let outcome = sandbox.run(&Arc::new(world), request(&sandbox, bids)).await;
    let kept = std::fs::read(sandbox.target()).expect("a file") == before;
    match outcome {
        Ok(_) => (None, String::new(), kept),
        Err(error) => (Some(error.code()), error.to_string(), kept),
    }
}

#[tokio::test]
async fn if_none_of_the_named_resources_exists_the_sync_fails_and_the_file_stays() {
    for code in [None, Some(Code::NotFound)] {
        let bids = ["bid:r:user/u99", "bid:r:group/g99", "bid:r:planet/mars"];
        let (failed, told, kept) = refused(&bids, code).await;
        assert_eq!(failed, Some(Code::NotFound));
        assert_eq!(
            told,
            "none of the named resources exists: group `g99`, planet `mars`, user `u99`"
        );
        assert!(kept);
    }
    let (failed, _, kept) = refused(&["bid:r:user/u99", "bid:r:user/u1"], None).await;
    assert_eq!((failed, kept), (None, false), "one of them exists");
}

#[tokio::test]
async fn a_connector_that_reads_no_single_resources_says_so() {
    for bids in [&["bid:r:user/u1"][..], &["bid:r:user/u1", "bid:r:group/g1"]] {
        let (failed, told, kept) = refused(bids, Some(Code::Unimplemented)).await;
        assert_eq!(failed, Some(Code::Unimplemented));
        assert!(told.contains("user `u1`"), "{told}");
        assert!(kept);
    }
}

#[tokio::test]
async fn a_failed_verdict_on_named_resources_is_not_resumed() {
    let sandbox = Sandbox::new();
    let wanted = request(&sandbox, &["bid:r:user/u99"]);
    let world = Arc::new(World::small());
    sandbox
        .run(&world, wanted.clone())
        .await
        .expect_err("absent");
    let mut world = World::small();
    world.add("user", crate::world::user("u99"));
    let report = sandbox.run(&Arc::new(world), wanted).await.expect("there");
    assert!(!report.resumed);
}

#[tokio::test]
async fn a_resource_that_may_not_be_read_makes_the_result_partial() {
    let sandbox = Sandbox::new();
    let world = World::small().hooked(|list, _, _| {
        (list == "get user:u2").then(|| Twist::Fail(Refusal::stated(Code::PermissionDenied, "no")))
    });
    let wanted = request(&sandbox, &["bid:r:user/u1", "bid:r:user/u2"]);
    let report = sandbox.run(&Arc::new(world), wanted).await.expect("sealed");
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(report.skipped.len(), 1);
    assert_eq!(report.skipped[0].resource, "user:u2");
    assert_eq!(ids(&sandbox.partial(), Table::Resources), ["user:u1"]);
}

#[tokio::test]
async fn types_outside_the_filter_are_not_asked_for() {
    let sandbox = Sandbox::new();
    let world = Arc::new(World::small());
    let wanted = SyncRequest {
        resource_type_filter: vec!["group".to_owned()],
        ..request(
            &sandbox,
            &["bid:r:group/g1", "bid:r:user/u1", "bid:r:org/o1"],
        )
    };
    let report = sandbox.run(&world, wanted).await.expect("sealed");
    let named = |name: &str| report.warnings.iter().any(|w| w.starts_with(name));
    assert!(named("user `u1` is left out"), "{:?}", report.warnings);
    assert!(named("org `o1` is left out"), "{:?}", report.warnings);
    assert_eq!(ids(&sandbox.target(), Table::Resources), ["group:g1"]);
    assert!(
        !world
            .calls()
            .iter()
            .any(|call| call.starts_with("get user"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_targeted_sync_is_continued_to_the_same_file() {
    for format in [Format::V1, Format::V3] {
        continued_to_the_same_file(format).await;
    }
}

async fn continued_to_the_same_file(format: Format) {
    let request = |sandbox: &Sandbox, bids: &[&str]| SyncRequest {
        format: Some(format),
        ..request(sandbox, bids)
    };
    let bids = [
        "bid:r:group/g1",
        "bid:r:group/g2",
        "bid:r:org/o1",
        "bid:r:user/u9",
    ];
    let undisturbed = Sandbox::new();
    let all = Arc::new(world());
    let wanted = undisturbed
        .run(&all, request(&undisturbed, &bids))
        .await
        .expect("sealed");
    let expected = rows(&undisturbed.target());
    let calls = all.calls().len() - 1;
    for stop in 1..calls {
        for workers in [Workers::Sequential, Workers::AtMost(3)] {
            let sandbox = Sandbox::new();
            let cancel = sandbox.cancel.clone();
            let count = std::sync::atomic::AtomicUsize::new(0);
            let first = world().slow(stop as u64).hooked(move |_, _, _| {
                if count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == stop {
                    cancel.cancel();
                }
                None
            });
            let first = Arc::new(first);
            let request = SyncRequest {
                workers,
                ..request(&sandbox, &bids)
            };
            let mut result = sandbox.run(&first, request.clone()).await;
            let mut asked = first.calls().len();
            if result.is_err() {
                let second = Arc::new(world());
                let host = Sandbox::new().host();
                result = baton_sync::run(second.clone(), request, host).await;
                asked += second.calls().len();
            }
            let report = result.expect("sealed");
            assert_eq!(asked, calls + 1, "stopped at call {stop}");
            assert_eq!(rows(&sandbox.target()), expected, "stopped at call {stop}");
            assert_eq!(report.warnings, wanted.warnings);
        }
    }
}

#[tokio::test]
async fn work_on_other_targets_is_set_aside() {
    let sandbox = Sandbox::new();
    let down = World::small().hooked(|list, _, _| {
        (list == "get user:u1").then(|| Twist::Fail(Refusal::stated(Code::Unavailable, "down")))
    });
    let first = request(&sandbox, &["bid:r:user/u1"]);
    sandbox.run(&Arc::new(down), first).await.expect_err("down");
    let second = request(&sandbox, &["bid:r:user/u2"]);
    let report = sandbox
        .run(&Arc::new(World::small()), second)
        .await
        .expect("sealed");
    assert!(!report.resumed);
    let set_aside =
        |event: &Event| matches!(event, Event::SetAside { reason } if reason.contains("resources"));
    assert!(sandbox.events().iter().any(set_aside));
}

#[tokio::test]
async fn a_sync_without_grants_is_full_and_lists_none() {
    for format in [Format::V1, Format::V3] {
        let sandbox = Sandbox::new();
        let world = Arc::new(World::small());
        let wanted = SyncRequest {
            skip_grants: true,
            format: Some(format),
            ..sandbox.request()
        };
        let report = sandbox.run(&world, wanted).await.expect("sealed");
        assert_eq!((report.stats.entitlements, report.stats.grants), (8, 0));
        assert!(!world.calls().iter().any(|call| call.starts_with("grants")));
        let runs = open(&sandbox.target()).sync_runs().to_vec();
        let run = runs.first().expect("one");
        assert_eq!(run.kind(), Some(SyncType::Full));
        assert!(run.supports_diff);
    }
}

#[tokio::test]
async fn a_skipped_sync_checks_the_connector_and_leaves_an_empty_full_one() {
    for format in [Format::V1, Format::V3] {
        let sandbox = Sandbox::new();
        let world = Arc::new(World::small());
        let wanted = SyncRequest {
            skip_full_sync: true,
            format: Some(format),
            ..sandbox.request()
        };
        let report = sandbox.run(&world, wanted).await.expect("sealed");
        assert_eq!(world.calls(), ["cleanup"]);
        assert_eq!(report.stats.resource_types, 0);
        let runs = open(&sandbox.target()).sync_runs().to_vec();
        let run = runs.first().expect("one");
        assert_eq!(run.kind(), Some(SyncType::Full));
        assert!(run.is_finished() && !run.supports_diff);
    }
}

#[tokio::test]
async fn a_filter_that_leaves_out_every_named_resource_is_refused() {
    let sandbox = Sandbox::new();
    let wanted = SyncRequest {
        resource_type_filter: vec!["group".to_owned()],
        ..request(&sandbox, &["bid:r:user/u1"])
    };
    let outcome = sandbox.run(&Arc::new(World::small()), wanted).await;
    let error = outcome.expect_err("nothing is left");
    assert_eq!(error.code(), Code::InvalidArgument);
}
