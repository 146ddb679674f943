//! Entitlements that grants are on and no list has, and the resources of
//! those entitlements.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use baton_c1z::{Format, Table};
use baton_connector::resource::{EntitlementBuilder, GrantBuilder, ResourceBuilder, resource_id};
use baton_connector::{Added, Error as Refusal, Random, SplitMix};
use baton_proto::Code;
use baton_proto::bid::{ResourceBid, TypedId};
use baton_proto::c1::connector::v2;
use baton_sync::{Completeness, Error, SyncHost, SyncRequest, Workers};
use tokio_util::sync::CancellationToken;

use crate::sandbox::{Sandbox, ids, rows, rows_with, scan};
use crate::world::{Twist, World};

/// A site as far as grants tell of it.
fn stand_in(id: &str, name: &str) -> v2::Resource {
    let built = ResourceBuilder::new("site", id).display_name(name);
    built.build().expect("valid")
}

fn added(id: &str, slug: &str, listed_with_resource: bool) -> Added {
    Added {
        resource: stand_in(id, id),
        slug: slug.to_owned(),
        listed_with_resource,
    }
}

/// Two users hold roles on sites: one that is listed, one that is not.
fn world() -> World {
    let mut world = World::small();
    for (user, site, slug) in [
        ("u1", "o1/s1", "visitor"),
        ("u1", "o1/s1", "odd"),
        ("u1", "unlisted", "visitor"),
        ("u2", "unlisted", "odd"),
    ] {
        let grant = GrantBuilder::new(resource_id("site", site), slug, resource_id("user", user));
        let grants = world.grants.entry(format!("user:{user}")).or_default();
        grants.push(grant.build().expect("valid"));
    }
    world.page_size = 10;
    world
}

/// What the grants of the users come with.
fn adds(list: &str) -> Option<Twist> {
    match list {
        "grants user:u1" => Some(Twist::Adds(vec![
            added("o1/s1", "visitor", true),
            added("o1/s1", "odd", false),
            added("unlisted", "visitor", true),
        ])),
        "grants user:u2" => Some(Twist::Adds(vec![added("unlisted", "odd", false)])),
        _ => None,
    }
}

fn sites(path: &Path) -> Vec<String> {
    let mut all = ids(path, Table::Resources);
    all.retain(|id| id.contains("site"));
    all
}

fn site_entitlements(path: &Path) -> Vec<String> {
    let mut found = Vec::new();
    scan(path, |table, row| {
        if table == Table::Entitlements && row.resource_type_id == "site" {
            let message: v2::Entitlement = prost::Message::decode(row.data).expect("whole");
            found.push(format!("{} {}", row.id, message.display_name));
        }
    });
    found
}

#[tokio::test]
async fn what_grants_are_on_is_in_the_file_in_both_formats() {
    for format in [Format::V1, Format::V3] {
        let sandbox = Sandbox::new();
        let request = SyncRequest {
            format: Some(format),
            ..sandbox.request()
        };
        let world = Arc::new(world().hooked(|list, _, _| adds(list)));
        let report = sandbox.sync_as(&world, request).await;
        assert_eq!(
            sites(&sandbox.target()),
            [
                "site:o1/s1",
                "site:o1/s2",
                "site:o2/s1",
                "site:o2/s2",
                "site:unlisted"
            ]
        );
        assert_eq!(
            site_entitlements(&sandbox.target()),
            [
                // The name of the listed site, not that of the stand-in.
                "site:o1/s1:odd odd on Site",
                "site:o1/s1:visitor Visitor",
                "site:o1/s2:visitor Visitor",
                "site:o2/s1:visitor Visitor",
                "site:o2/s2:visitor Visitor",
                // Only what is granted on it.
                "site:unlisted:odd odd on unlisted",
                "site:unlisted:visitor visitor on unlisted",
            ]
        );
        assert_eq!(report.completeness, Completeness::Complete);
        assert_eq!(report.duplicates, 0, "added rows repeat nothing");
        assert_eq!(report.warnings, Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_rows_are_added_whatever_the_order_of_pages() {
    // Two users tell different things of the same site.
    let tell = |list: &str, _: &str, _: usize| {
        let name = match list {
            "grants user:u1" => "one",
            "grants user:u2" => "two",
            _ => return None,
        };
        let resource = stand_in("unlisted", name);
        let slugs = ["odd", "visitor"];
        let all = slugs.map(|slug| Added {
            resource: resource.clone(),
            slug: slug.to_owned(),
            listed_with_resource: false,
        });
        Some(Twist::Adds(all.to_vec()))
    };
    let expected = rows_with(world().hooked(tell), Workers::Sequential).await;
    assert!(expected.iter().any(|row| row.contains("unlisted")));
    for seed in 0..20 {
        let made = rows_with(world().slow(seed).hooked(tell), Workers::AtMost(8)).await;
        assert_eq!(made, expected, "seed {seed}");
    }
}

#[tokio::test]
async fn a_listed_row_wins_over_an_added_one() {
    let mut world = world();
    // The connector is wrong: a list has this entitlement, and more of it.
    let listed = EntitlementBuilder::permission(stand_in("o1/s1", "Site"), "odd");
    let listed = listed.display_name("listed").build().expect("valid");
    let of_site = world.entitlements.entry("site:o1/s1".to_owned());
    of_site.or_default().push(listed);
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world.hooked(|list, _, _| adds(list))).await;
    let found = site_entitlements(&sandbox.target());
    assert!(
        found.contains(&"site:o1/s1:odd listed".to_owned()),
        "{found:?}"
    );
    assert_eq!(report.duplicates, 0);
}

#[tokio::test]
async fn what_comes_with_a_list_that_does_not_count_is_not_added() {
    let sandbox = Sandbox::new();
    let hook = |list: &str, token: &str, _: usize| {
        if list == "grants user:u2" && !token.is_empty() {
            let error = Refusal::stated(Code::PermissionDenied, "no");
            return Some(Twist::Fail(error));
        }
        adds(list)
    };
    let mut world = world();
    // A second page, which is refused.
    let grants = world.grants.entry("user:u2".to_owned()).or_default();
    let copies = vec![grants[0].clone(); 10];
    grants.extend(copies);
    let request = SyncRequest {
        allow_partial: true,
        ..sandbox.request()
    };
    sandbox
        .sync_as(&Arc::new(world.hooked(hook)), request)
        .await;
    let found = site_entitlements(&sandbox.target());
    let added: Vec<_> = found
        .iter()
        .filter(|id| id.starts_with("site:unlisted"))
        .collect();
    assert_eq!(added, ["site:unlisted:visitor visitor on unlisted"]);
}

#[tokio::test]
async fn types_outside_the_sync_and_entitlements_without_a_grant_are_not_added() {
    for filter in [vec!["user"], vec!["user", "site"]] {
        let sandbox = Sandbox::new();
        let hook = |list: &str, _: &str, _: usize| {
            let mut twist = adds(list);
            if let Some(Twist::Adds(all)) = &mut twist {
                all.push(added("elsewhere", "odd", false));
            }
            twist
        };
        let request = SyncRequest {
            resource_type_filter: filter.iter().map(ToString::to_string).collect(),
            ..sandbox.request()
        };
        let world = Arc::new(world().hooked(hook));
        sandbox.sync_as(&world, request).await;
        let expected: &[&str] = match filter.len() {
            1 => &[],
            // Sites are listed below organizations, which are left out.
            _ => &["site:o1/s1", "site:unlisted"],
        };
        assert_eq!(sites(&sandbox.target()), expected);
    }
}

#[tokio::test]
async fn a_sync_of_named_resources_adds_nothing() {
    let sandbox = Sandbox::new();
    let id = TypedId {
        resource_type: "user".to_owned(),
        resource: "u2".to_owned(),
    };
    let request = SyncRequest {
        targets: vec![ResourceBid { id, parent: None }],
        ..sandbox.request()
    };
    let world = Arc::new(world().hooked(|list, _, _| adds(list)));
    sandbox.sync_as(&world, request).await;
    assert_eq!(sites(&sandbox.target()), Vec::<String>::new());
    assert_eq!(ids(&sandbox.target(), Table::Grants).len(), 1);
}

#[tokio::test]
async fn interrupted_syncs_add_the_same_rows() {
    let sandbox = Sandbox::new();
    sandbox.sync(world().hooked(|list, _, _| adds(list))).await;
    let expected = rows(&sandbox.target());
    let numbers = SplitMix::seeded(3);
    for _ in 0..10 {
        let sandbox = Sandbox::new();
        for _ in 0..3 {
            let left = AtomicU64::new(numbers.next_u64() % 30);
            let stop = move |list: &str, _: &str, _: usize| {
                let over = left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                    .is_err();
                if over {
                    let error = Refusal::stated(Code::Unavailable, "stop");
                    return Some(Twist::Fail(error));
                }
                adds(list)
            };
            let world = Arc::new(world().hooked(stop));
            let _ = sandbox.run(&world, sandbox.request()).await;
        }
        if !sandbox.target().exists() {
            sandbox.sync(world().hooked(|list, _, _| adds(list))).await;
        }
        assert_eq!(rows(&sandbox.target()), expected);
    }
}

fn calls_for_entitlements(world: &World) -> Vec<String> {
    let mut calls = world.calls();
    calls.retain(|call| call.starts_with("added "));
    calls.sort();
    calls
}

#[tokio::test]
async fn the_connector_makes_each_entitlement_once() {
    let both = |list: &str, _: &str, _: usize| {
        list.starts_with("grants user:").then(|| {
            Twist::Adds(vec![
                added("o1/s1", "odd", false),
                added("unlisted", "odd", false),
            ])
        })
    };
    let sandbox = Sandbox::new();
    let world = Arc::new(world().hooked(both));
    sandbox.sync_as(&world, sandbox.request()).await;
    assert_eq!(
        calls_for_entitlements(&world),
        ["added site:o1/s1:odd @", "added site:unlisted:odd @"]
    );
}

#[tokio::test]
async fn a_connector_that_cannot_make_an_entitlement_ends_the_sync() {
    let hook = |list: &str, _: &str, _: usize| {
        if list == "added site:unlisted:odd" {
            let error = Refusal::stated(Code::Unavailable, "no connection");
            return Some(Twist::Fail(error));
        }
        adds(list)
    };
    let error = Sandbox::new().fail(world().hooked(hook)).await;
    assert_eq!(error.code(), Code::Unavailable);
    assert_eq!(
        error.to_string(),
        "cannot make the entitlement `odd` that no list has"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_while_an_entitlement_is_made_is_interrupted() {
    let sandbox = Sandbox::new();
    let cancel = CancellationToken::new();
    let host = SyncHost {
        cancel: cancel.clone(),
        ..sandbox.host()
    };
    let hook = move |list: &str, _: &str, _: usize| {
        if list == "added site:unlisted:odd" {
            cancel.cancel();
            let error = Refusal::stated(Code::Canceled, "stopped");
            return Some(Twist::Fail(error));
        }
        adds(list)
    };
    let stopped = Arc::new(world().hooked(hook));
    let error = baton_sync::run(stopped, sandbox.request(), host).await;
    let error = error.expect_err("stopped");
    assert!(matches!(error, Error::Interrupted { .. }), "{error}");
    let resumed = Arc::new(world().hooked(|list, _, _| adds(list)));
    let report = sandbox.sync_as(&resumed, sandbox.request()).await;
    assert!(report.resumed);
    assert!(sites(&sandbox.target()).contains(&"site:unlisted".to_owned()));
}
