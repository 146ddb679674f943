//! The validation tables, row by row: what is dropped and counted, what ends
//! the sync.

use std::sync::Arc;

use baton_c1z::{Format, Table};
use baton_connector::resource::{GrantBuilder, ResourceBuilder, resource_id};
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_proto::{Code, any};
use baton_sync::{Completeness, Dropped, Error, Event, SkipKind, SyncRequest, Workers};
use prost::Message;

use crate::sandbox::{Sandbox, ids, scan};
use crate::world::{Twist, World, group, kind, role, user};

pub fn on(kind: &str, id: &str) -> v2::Resource {
    v2::Resource {
        id: Some(resource_id(kind, id)),
        ..v2::Resource::default()
    }
}

/// What is left out of a world, which is otherwise the small one: the same in
/// both formats and for any number of workers.
pub async fn dropped(world: World) -> Dropped {
    let world = Arc::new(world);
    let mut found = Vec::new();
    for (format, workers) in [
        (Format::V1, Workers::Sequential),
        (Format::V3, Workers::AtMost(8)),
    ] {
        let request = |sandbox: &Sandbox| SyncRequest {
            format: Some(format),
            workers,
            ..sandbox.request()
        };
        let sandbox = Sandbox::new();
        let small = Arc::new(World::small());
        let before = sandbox.run(&small, request(&sandbox)).await;
        let sandbox = Sandbox::new();
        let report = sandbox.run(&world, request(&sandbox)).await;
        let report = report.expect("complete");
        let before = before.expect("complete").stats;
        assert_eq!(report.stats, before, "only the bad records are missing");
        assert!(
            sandbox
                .events()
                .contains(&Event::InvalidData(report.dropped))
        );
        found.push(report.dropped);
    }
    assert_eq!(found[0], found[1]);
    found[0]
}

#[tokio::test]
async fn a_resource_type_without_an_id_is_dropped() {
    let mut world = World::small();
    world.types.insert(1, v2::ResourceType::default());
    assert_eq!(dropped(world).await.invalid_resource_types, 1);
}

#[tokio::test]
async fn a_resource_without_type_or_id_is_dropped() {
    let mut world = World::small();
    world.add("user", v2::Resource::default());
    world.add("user", on("user", ""));
    world.add("user", on("", "u"));
    assert_eq!(dropped(world).await.invalid_resources, 3);
}

#[tokio::test]
async fn an_entitlement_without_id_or_resource_is_dropped() {
    let mut world = World::small();
    let list = world.entitlements.entry("group:g1".to_owned()).or_default();
    for (id, resource) in [
        ("", Some(on("group", "g1"))),
        ("x", None),
        ("x", Some(v2::Resource::default())),
        ("x", Some(on("group", ""))),
    ] {
        list.push(v2::Entitlement {
            id: id.to_owned(),
            resource,
            ..v2::Entitlement::default()
        });
    }
    assert_eq!(dropped(world).await.invalid_entitlements, 4);
}

#[tokio::test]
async fn records_of_types_outside_the_sync_are_dropped() {
    let mut world = World::small();
    world.give("alien", "a1", "ride", []);
    let alien = world.entitlements.remove("alien:a1").expect("given");
    let members = world.entitlements.entry("group:g1".to_owned()).or_default();
    members.extend(alien.clone());
    let grants = world.grants.entry("group:g1".to_owned()).or_default();
    let on_alien = GrantBuilder::of(&alien[0], resource_id("user", "u1"));
    let to_alien = GrantBuilder::new(group("g1"), "member", resource_id("alien", "a2"));
    grants.push(on_alien.build().expect("valid"));
    grants.push(to_alien.build().expect("valid"));
    let dropped = dropped(world).await;
    assert_eq!(dropped.entitlements_of_unknown_type, 1);
    assert_eq!(dropped.grants_of_unknown_type, 2);
    assert_eq!(dropped.invalid(), 0);
}

#[tokio::test]
async fn a_grant_to_a_principal_of_another_file_stays() {
    let mut world = World::small();
    let placeholder = GrantBuilder::new(group("g1"), "member", resource_id("alien", "a2"))
        .annotation(&v2::ExternalResourceMatchId { id: "x".to_owned() });
    let grants = world.grants.entry("group:g1".to_owned()).or_default();
    grants.push(placeholder.build().expect("valid"));
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world).await;
    assert!(report.dropped.is_empty());
    assert!(ids(&sandbox.target(), Table::Grants).contains(&"group:g1:member:alien:a2".to_owned()));
}

/// The expansion of the role's second grant, given these types to pass on to.
async fn narrowed(types: &[&str], matched: bool) -> (Option<Vec<String>>, Dropped) {
    let mut world = World::small();
    let mut grant = GrantBuilder::new(role("r:1"), "assigned", resource_id("group", "g2"))
        .annotation(&v2::GrantExpandable {
            entitlement_ids: vec!["group:g2:member".to_owned()],
            resource_type_ids: types.iter().map(ToString::to_string).collect(),
            ..v2::GrantExpandable::default()
        });
    if matched {
        grant = grant.annotation(&v2::ExternalResourceMatchAll::default());
    }
    let grants = world.grants.entry("role:r:1".to_owned()).or_default();
    grants.push(grant.build().expect("valid"));
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world).await;
    let mut found = None;
    scan(&sandbox.target(), |table, row| {
        if table == Table::Grants
            && row.id == "role:r:1:assigned:group:g2"
            && let Some(bytes) = row.expansion
        {
            let expandable = v2::GrantExpandable::decode(bytes).expect("valid");
            found = Some(expandable.resource_type_ids);
        }
    });
    (found, report.dropped)
}

#[tokio::test]
async fn unknown_types_leave_the_filter_of_an_expansion() {
    let (types, dropped) = narrowed(&["alien", "user"], false).await;
    assert_eq!(types, Some(vec!["user".to_owned()]));
    assert_eq!((dropped.expansion_types, dropped.expansions), (1, 0));
}

#[tokio::test]
async fn an_expansion_to_unknown_types_only_goes_altogether() {
    let (types, dropped) = narrowed(&["alien", "ghost"], false).await;
    assert_eq!(types, None);
    assert_eq!((dropped.expansion_types, dropped.expansions), (2, 1));
}

#[tokio::test]
async fn an_expansion_without_a_filter_and_one_of_a_placeholder_stay_as_they_are() {
    assert_eq!(narrowed(&[], false).await.0, Some(Vec::new()));
    let (types, dropped) = narrowed(&["alien"], true).await;
    assert_eq!(types, Some(vec!["alien".to_owned()]));
    assert!(dropped.is_empty());
}

/// A sync of this fails with this code and message, and leaves no file.
pub async fn refused(world: World, code: Code, message: &str) {
    let sandbox = Sandbox::new();
    let error = sandbox.fail(world).await;
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(error.to_string(), message);
    assert!(!sandbox.target().exists());
}

#[tokio::test]
async fn a_resource_without_the_trait_of_its_type_ends_the_sync() {
    for (declared, name) in [
        (Trait::App, "AppTrait"),
        (Trait::Group, "GroupTrait"),
        (Trait::User, "UserTrait"),
        (Trait::Role, "RoleTrait"),
        (Trait::Secret, "SecretTrait"),
    ] {
        let mut world = World::empty();
        world.types = vec![kind("thing", Some(declared))];
        world.add("thing", on("thing", "1"));
        let message = format!("resource was missing expected trait {name}: `thing:1`");
        refused(world, Code::Internal, &message).await;
    }
}

#[tokio::test]
async fn a_resource_with_the_engines_own_mark_ends_the_sync() {
    let mark = |resource: v2::Resource| v2::Resource {
        annotations: [resource.annotations, vec![any::pack(&v2::BatonId {})]].concat(),
        ..resource
    };
    let message = |name: &str| {
        format!("resource `{name}` carries the annotation BatonID, which connectors must not set")
    };
    let mut world = World::small();
    world.add("user", mark(user("u8")));
    refused(world, Code::Internal, &message("user:u8")).await;

    let mut world = World::small();
    let list = world.entitlements.entry("group:g1".to_owned()).or_default();
    list[0].resource = Some(mark(group("g1")));
    refused(world, Code::Internal, &message("group:g1")).await;
}

#[tokio::test]
async fn an_entitlement_in_two_exclusion_groups_ends_the_sync() {
    let mut world = World::small();
    let list = world.entitlements.entry("group:g1".to_owned()).or_default();
    let group = any::pack(&v2::EntitlementExclusionGroup::default());
    list[0].annotations = vec![group.clone(), group];
    let message = "entitlement `group:g1:member` carries more than one exclusion group";
    refused(world, Code::InvalidArgument, message).await;
}

#[tokio::test]
async fn an_exclusion_group_over_two_types_ends_the_sync_and_its_work_is_not_kept() {
    let mut world = World::small();
    for key in ["group:g1", "role:r:1"] {
        let list = world.entitlements.get_mut(key).expect("given");
        list[0]
            .annotations
            .push(any::pack(&v2::EntitlementExclusionGroup {
                exclusion_group_id: "one-of".to_owned(),
                ..v2::EntitlementExclusionGroup::default()
            }));
    }
    let sandbox = Sandbox::new();
    let error = sandbox.fail(world).await;
    assert!(matches!(error, Error::ExclusionGroup { .. }), "{error}");
    assert!(
        error
            .to_string()
            .starts_with("ingest invariant I5 violated: ")
    );
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
}

#[tokio::test]
async fn an_exclusion_group_on_a_template_is_checked_over_all_resources() {
    let mut world = World::small();
    let template = &mut world.templates.get_mut("site").expect("there")[0];
    template
        .annotations
        .push(any::pack(&v2::EntitlementExclusionGroup {
            exclusion_group_id: "one-of".to_owned(),
            is_default: true,
            ..v2::EntitlementExclusionGroup::default()
        }));
    let sandbox = Sandbox::new();
    let error = sandbox.fail(world).await;
    assert!(error.to_string().contains("has two defaults"), "{error}");
}

#[tokio::test]
async fn a_next_token_that_is_the_same_ends_the_sync() {
    let world = World::small().hooked(|list, token, _| {
        (list == "resources user" && token == "p2").then_some(Twist::Next("p2"))
    });
    let message = "resources of type `user`: next page token unchanged";
    refused(world, Code::Internal, message).await;
}

#[tokio::test]
async fn a_cursor_that_comes_back_with_the_same_items_ends_the_sync() {
    let world = World::small().hooked(|list, token, _| {
        (list == "grants group:g3" && token == "p4").then_some(Twist::Next("p2"))
    });
    let message = "grants of group `g3` never ends: page 3 is the same as an earlier one";
    refused(world, Code::Internal, message).await;
}

#[tokio::test]
async fn further_pages_of_static_entitlements_are_refused_and_not_left_out() {
    let world = World::small().hooked(|list, _, _| {
        (list == "static site")
            .then(|| Twist::Annotate(any::pack(&v2::EnqueuePageTokens::default())))
    });
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.fail(world).await.code(), Code::Unimplemented);
}

#[tokio::test]
async fn a_resource_of_a_type_outside_the_sync_abandons_its_list_and_is_said() {
    let mut world = World::small();
    // On the third page: the two before count.
    let users = world.resources.get_mut("user").expect("there");
    users.insert(
        4,
        ResourceBuilder::new("alien", "a").build().expect("valid"),
    );
    let sandbox = Sandbox::new();
    let world = Arc::new(world);
    let report = sandbox
        .run(&world, sandbox.request())
        .await
        .expect("sealed");
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!(
        report.path,
        sandbox.partial().canonicalize().expect("beside")
    );
    assert_eq!(report.unreadable, 1);
    let skipped = &report.skipped[0];
    assert_eq!(skipped.kind, SkipKind::Abandoned);
    assert_eq!(
        (skipped.what.as_str(), skipped.resource_type.as_str()),
        ("resources", "user")
    );
    assert!(skipped.reason.contains("`alien:a`"), "{}", skipped.reason);
    let users = ids(&sandbox.partial(), Table::Resources);
    let users: Vec<_> = users.iter().filter(|id| id.starts_with("user:")).collect();
    assert_eq!(users, ["user:u1", "user:u2", "user:u3", "user:u4"]);
    assert!(!world.calls().contains(&"resources user @p6".to_owned()));
}

#[tokio::test]
async fn grants_that_expand_what_is_not_theirs_end_the_sync_and_its_work_is_not_kept() {
    let mut world = World::small();
    let odd = GrantBuilder::new(role("r:1"), "assigned", resource_id("group", "g2")).annotation(
        &v2::GrantExpandable {
            entitlement_ids: vec!["group:g1:member".to_owned()],
            ..v2::GrantExpandable::default()
        },
    );
    let grants = world.grants.entry("role:r:1".to_owned()).or_default();
    grants.push(odd.build().expect("valid"));
    let sandbox = Sandbox::new();
    let error = sandbox.fail(world).await;
    assert_eq!(error.code(), Code::FailedPrecondition, "{error:?}");
    let message = "source entitlement resource id did not match grant principal id";
    assert!(error.to_string().ends_with(message), "{error}");
    assert!(sandbox.files().is_empty(), "{:?}", sandbox.files());
}
