//! The rows of the validation tables that are about records in each other's
//! company: brought along, on others' lists, in syncs of other types, and
//! what is deliberately not checked.

use std::sync::Arc;

use baton_c1z::{Format, Table};
use baton_connector::Error as Refusal;
use baton_connector::resource::{GrantBuilder, ResourceBuilder, resource_id};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_proto::{Code, any};
use baton_sync::{Dropped, Event, Report, SyncRequest, Workers};

use crate::bad_data::{dropped, on, refused};
use crate::sandbox::{Sandbox, ids};
use crate::world::{Twist, World, group, kind, user};

/// Syncs in both formats, with one worker and with many; gives the ids of a
/// table, which must be the same, and the last report.
async fn synced(world: World, table: Table) -> (Vec<String>, Report) {
    let world = Arc::new(world);
    let mut last: Option<(Vec<String>, Report)> = None;
    for format in [Format::V1, Format::V3] {
        for workers in [Workers::Sequential, Workers::AtMost(8)] {
            let sandbox = Sandbox::new();
            let request = SyncRequest {
                format: Some(format),
                workers,
                ..sandbox.request()
            };
            let report = sandbox.run(&world, request).await.expect("complete");
            let found = ids(&sandbox.target(), table);
            if let Some((before, _)) = &last {
                assert_eq!(before, &found, "{format:?} {workers:?}");
            }
            last = Some((found, report));
        }
    }
    last.expect("synced")
}

fn brings_along(world: World, list: &'static str) -> World {
    world.hooked(move |asked, _, _| {
        (asked == list).then(|| Twist::Annotate(any::pack(&v2::InsertResourceGrants {})))
    })
}

#[tokio::test]
async fn a_resource_of_another_type_of_the_sync_may_stand_on_a_list() {
    let mut world = World::small();
    world.add("user", group("g8"));
    let (found, report) = synced(world, Table::Resources).await;
    assert!(found.contains(&"group:g8".to_owned()));
    assert!(report.dropped.is_empty());
}

#[tokio::test]
async fn entitlements_and_grants_may_belong_to_another_resource_than_the_one_asked_for() {
    let mut world = World::small();
    let strays = World::small().entitlements["group:g3"].clone();
    let stray = v2::Entitlement {
        id: "group:g3:owner".to_owned(),
        ..strays[0].clone()
    };
    let grant = GrantBuilder::of(&stray, resource_id("user", "u7"));
    let list = world.entitlements.entry("group:g1".to_owned()).or_default();
    list.push(stray);
    let list = world.grants.entry("group:g1".to_owned()).or_default();
    list.push(grant.build().expect("valid"));
    let (found, report) = synced(world, Table::Grants).await;
    assert!(found.contains(&"group:g3:owner:user:u7".to_owned()));
    assert!(report.dropped.is_empty());
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
}

#[tokio::test]
async fn a_template_is_not_checked() {
    let mut world = World::small();
    let odd = v2::Entitlement {
        id: "ignored".to_owned(),
        ..v2::Entitlement::default()
    };
    world.templates.insert("site".to_owned(), vec![odd]);
    let (found, report) = synced(world, Table::Entitlements).await;
    assert!(found.contains(&"site:o1/s1:".to_owned()), "{found:?}");
    assert!(report.dropped.is_empty());
}

#[tokio::test]
async fn a_brought_resource_without_a_whole_id_drops_its_grant() {
    let mut world = World::small();
    let list = world.grants.entry("group:g2".to_owned()).or_default();
    for resource in [None, Some(on("group", "")), Some(on("", "g"))] {
        list.push(v2::Grant {
            id: "odd".to_owned(),
            entitlement: Some(v2::Entitlement {
                id: "group::member".to_owned(),
                resource,
                ..v2::Entitlement::default()
            }),
            principal: Some(user("u1")),
            ..v2::Grant::default()
        });
    }
    let left_out = dropped(brings_along(world, "grants group:g2")).await;
    assert_eq!(left_out.invalid_resources, 3);
    assert_eq!(left_out.grants_of_unknown_type, 0);
}

#[tokio::test]
async fn a_brought_resource_of_an_unknown_type_is_not_stored_and_neither_is_its_grant() {
    let mut world = World::small();
    let alien = ResourceBuilder::new("alien", "a1").build().expect("valid");
    let grant = GrantBuilder::new(alien, "ride", resource_id("user", "u1"));
    let list = world.grants.entry("group:g2".to_owned()).or_default();
    list.push(grant.build().expect("valid"));
    let left_out = dropped(brings_along(world, "grants group:g2")).await;
    assert_eq!(left_out.grant_resources_of_unknown_type, 1);
    assert_eq!(left_out.grants_of_unknown_type, 1);
}

#[tokio::test]
async fn a_brought_resource_with_the_engines_own_mark_ends_the_sync() {
    let mut world = World::small();
    let mut marked = group("g8");
    marked.annotations.push(any::pack(&v2::BatonId {}));
    let grant = GrantBuilder::new(marked, "member", resource_id("user", "u1"));
    let list = world.grants.entry("group:g2".to_owned()).or_default();
    list.push(grant.build().expect("valid"));
    let message =
        "resource `group:g8` carries the annotation BatonID, which connectors must not set";
    refused(
        brings_along(world, "grants group:g2"),
        Code::Internal,
        message,
    )
    .await;
}

#[tokio::test]
async fn a_placeholder_on_an_unknown_type_is_dropped_all_the_same() {
    let mut world = World::small();
    let alien = ResourceBuilder::new("alien", "a1").build().expect("valid");
    let grant = GrantBuilder::new(alien, "ride", resource_id("alien", "a2"))
        .annotation(&v2::ExternalResourceMatchId { id: "x".to_owned() });
    let list = world.grants.entry("group:g2".to_owned()).or_default();
    list.push(grant.build().expect("valid"));
    assert_eq!(dropped(world).await.grants_of_unknown_type, 1);
}

#[tokio::test]
async fn a_trait_that_lacks_its_message_is_let_through_where_a_resource_is_asked_for_by_id() {
    let mut world = World::small();
    world.add("user", on("user", "bare"));
    let sandbox = Sandbox::new();
    let request = SyncRequest {
        targets: vec!["bid:r:user/bare".parse().expect("a resource")],
        ..sandbox.request()
    };
    let report = sandbox.run(&Arc::new(world), request).await;
    assert_eq!(report.expect("sealed").stats.resources, 1);
}

/// A hook that makes the last page of one list name this next token.
fn turns_back(list: &'static str, last: &'static str, next: &'static str) -> World {
    let mut world = World::small();
    world.types.push(kind("thing", Some(Trait::Role)));
    let template = world.templates["site"][0].clone();
    let templates = world.templates.entry("site".to_owned()).or_default();
    for n in 0..4 {
        templates.push(v2::Entitlement {
            slug: format!("s{n}"),
            ..template.clone()
        });
    }
    for n in 0..4 {
        let slug: &'static str = ["a", "b", "c", "d"][n];
        world.give("group", "g3", slug, []);
    }
    world.hooked(move |asked, token, _| {
        (asked == list && token == last).then_some(Twist::Next(next))
    })
}

#[tokio::test]
async fn every_kind_of_list_that_turns_back_ends_the_sync() {
    for (list, last, name) in [
        ("types", "p4", "resource types"),
        ("resources user", "p6", "resources of type `user`"),
        ("static site", "p4", "static entitlements of type `site`"),
        ("entitlements group:g3", "p4", "entitlements of group `g3`"),
        ("grants group:g3", "p4", "grants of group `g3`"),
    ] {
        let message = format!("{name}: next page token unchanged");
        refused(turns_back(list, last, last), Code::Internal, &message).await;
        let sandbox = Sandbox::new();
        let error = sandbox.fail(turns_back(list, last, "p2")).await;
        assert_eq!(error.code(), Code::Internal);
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("{name} never ends: ")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_was_left_out_is_told_when_the_sync_fails_too() {
    let mut world = World::small();
    world.add("user", v2::Resource::default());
    let world = world.hooked(|list, _, _| {
        (list == "grants group:g3").then(|| Twist::Fail(Refusal::stated(Code::Internal, "broken")))
    });
    let sandbox = Sandbox::new();
    sandbox.fail(world).await;
    let mut expected = Dropped::default();
    expected.invalid_resources = 1;
    let told = sandbox.events();
    let told = told.iter().filter(|e| matches!(e, Event::InvalidData(_)));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [&Event::InvalidData(expected)],
        "once"
    );
}

#[tokio::test]
async fn the_ids_of_a_grant_are_not_checked_but_v3_cannot_hold_one_without_them() {
    let bare = || {
        let mut world = World::small();
        let list = world.grants.entry("group:g2".to_owned()).or_default();
        list.push(v2::Grant {
            id: "bare".to_owned(),
            ..v2::Grant::default()
        });
        Arc::new(world)
    };
    let sandbox = Sandbox::new();
    let report = sandbox.run(&bare(), sandbox.request()).await;
    assert!(report.expect("complete").dropped.is_empty());
    assert!(ids(&sandbox.target(), Table::Grants).contains(&"bare".to_owned()));

    let sandbox = Sandbox::new();
    let request = SyncRequest {
        format: Some(Format::V3),
        ..sandbox.request()
    };
    let error = sandbox.run(&bare(), request).await.expect_err("refused");
    assert!(error.to_string().contains("`bare`"), "{error}");
    assert_eq!(error.code(), Code::FailedPrecondition);
    // The next run would meet the same row.
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
}
