//! What is copied from the file of another connector.

use std::sync::Arc;

use baton_c1z::{Format, Table};
use baton_connector::resource::ResourceBuilder;
use baton_proto::any;
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_sync::ExternalResources;
use prost::Message;

use crate::directory::*;
use crate::sandbox::{Sandbox, ids, rows, scan};
use crate::world::{World, kind};

#[tokio::test]
async fn users_and_groups_of_the_file_are_copied_and_marked() {
    for formats in all_formats() {
        let (sandbox, report) = sync(world([]), directory(), formats).await;
        let path = sandbox.target();
        assert_eq!(ids(&path, Table::ResourceTypes), ["person", "role", "team"]);
        assert_eq!(
            ids(&path, Table::Resources),
            [
                "person:ada",
                "person:bob",
                "person:eve",
                "role:admin",
                "team:eng",
                "team:ops"
            ]
        );
        assert_eq!(
            ids(&path, Table::Entitlements),
            ["role:admin:assigned", "team:eng:member", "team:ops:member"]
        );
        let copied = |of: &str| of.starts_with("person") || of.starts_with("team");
        for (table, mark) in [
            (Table::Resources, "BatonID"),
            (Table::Entitlements, "EntitlementImmutable"),
            (Table::Grants, "GrantImmutable"),
        ] {
            for (id, marks) in marks(&path, table) {
                assert_eq!(
                    marks.contains(mark),
                    copied(&id),
                    "{formats:?} {id}: {marks:?}"
                );
            }
        }
        // The robot is a member and not copied: told, and kept.
        let grants = ids(&path, Table::Grants);
        assert!(
            grants.contains(&"team:eng:member:robot:r2".to_owned()),
            "{grants:?}"
        );
        let told = report.warnings.join("\n");
        assert!(
            told.contains(
                "2 grants are to principals that are not in the sync (ingest invariant I9)"
            ),
            "{told}"
        );
        // What was derived in the other file is a grant like others.
        assert!(
            grants.contains(&"team:ops:member:person:ada".to_owned()),
            "{grants:?}"
        );
    }
}

#[tokio::test]
async fn names_inside_copied_rows_survive_a_source_that_keeps_ids_only() {
    for format in FORMATS {
        let (sandbox, _) = sync(world([]), directory(), [format, Format::V1]).await;
        let mut seen = 0;
        scan(&sandbox.target(), |table, row| {
            if table == Table::Grants && row.id == "team:ops:member:person:eve" {
                let grant = v2::Grant::decode(row.data).expect("valid");
                let principal = grant.principal.expect("there");
                // The connector of the v1 file had embedded the ids only.
                let whole = any::contains::<v2::UserTrait>(&principal.annotations);
                assert_eq!(whole, format == Format::V3);
                let slug = grant.entitlement.expect("there").slug;
                assert_eq!(slug == "member", format == Format::V3);
                seen += 1;
            }
        });
        assert_eq!(seen, 1);
    }
}

#[tokio::test]
async fn other_traits_replace_users_and_groups() {
    let (sandbox, _) = sync_with(world([]), directory(), [Format::V1; 2], |request| {
        external(request).traits = vec![Trait::App];
    })
    .await;
    assert_eq!(
        ids(&sandbox.target(), Table::Resources),
        ["app:wiki", "role:admin"]
    );
    assert_eq!(
        ids(&sandbox.target(), Table::Grants),
        ["app:wiki:user:person:eve"]
    );
}

#[tokio::test]
async fn a_filter_takes_those_who_hold_an_entitlement() {
    for formats in all_formats() {
        let (sandbox, _) = sync_with(world([]), directory(), formats, |request| {
            external(request).entitlement_filter = Some("team:eng:member".to_owned());
        })
        .await;
        // A holder is copied whatever its type is; a type only if it is taken.
        assert_eq!(
            ids(&sandbox.target(), Table::ResourceTypes),
            ["person", "role"]
        );
        assert_eq!(
            ids(&sandbox.target(), Table::Resources),
            ["person:ada", "person:bob", "robot:r2", "role:admin"]
        );
        assert_eq!(ids(&sandbox.target(), Table::Grants), [""; 0]);
    }
}

#[tokio::test]
async fn holders_of_two_types_with_one_id_are_both_taken() {
    let mut source = directory();
    let twin = ResourceBuilder::new("robot", "ada").build().expect("valid");
    source.add("robot", twin);
    source.give(
        "team",
        "ops",
        "guest",
        ["person", "robot"].map(|of| (of, "ada".to_owned())),
    );
    let (sandbox, _) = sync_with(world([]), source, [Format::V1; 2], |request| {
        external(request).entitlement_filter = Some("team:ops:guest".to_owned());
    })
    .await;
    assert_eq!(
        ids(&sandbox.target(), Table::Resources),
        ["person:ada", "robot:ada", "role:admin"]
    );
}

#[tokio::test]
async fn the_marks_that_leave_entitlements_and_grants_out_count_in_the_file_too() {
    let mut source = directory();
    source.types[1] = {
        let mut team = kind("team", Some(Trait::Group));
        any::append(&mut team.annotations, &v2::SkipEntitlementsAndGrants {});
        team
    };
    // The other sync has not asked for them; a file can hold both.
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, directory(), Format::V1).await;
    let whole = rows(&path);
    assert!(whole.iter().any(|row| row.contains("team:eng:member")));
    let (sandbox, _) = sync(world([]), source, [Format::V1; 2]).await;
    assert_eq!(
        ids(&sandbox.target(), Table::Entitlements),
        ["role:admin:assigned"]
    );
    // Of a resource that wants no grants listed, none are copied.
    let mut source = directory();
    for team in source.resources.get_mut("team").expect("there") {
        any::append(&mut team.annotations, &v2::SkipGrants {});
    }
    let (sandbox, _) = sync(world([]), source, [Format::V1; 2]).await;
    assert_eq!(ids(&sandbox.target(), Table::Entitlements).len(), 3);
    assert_eq!(ids(&sandbox.target(), Table::Grants), [""; 0]);
}

#[tokio::test]
async fn a_sync_of_resources_only_copies_resources_only() {
    let (sandbox, _) = sync_with(world([]), directory(), [Format::V1; 2], |request| {
        request.skip_entitlements_and_grants = true;
    })
    .await;
    assert_eq!(ids(&sandbox.target(), Table::Resources).len(), 6);
    assert_eq!(ids(&sandbox.target(), Table::Entitlements), [""; 0]);
    let (sandbox, _) = sync_with(
        world([all(Trait::User)]),
        directory(),
        [Format::V1; 2],
        |request| {
            request.skip_grants = true;
        },
    )
    .await;
    assert_eq!(ids(&sandbox.target(), Table::Entitlements).len(), 3);
    assert_eq!(ids(&sandbox.target(), Table::Grants), [""; 0]);
}

#[tokio::test]
async fn exclusion_groups_are_judged_with_what_was_copied() {
    let defaults = |world: &mut World, list: &str| {
        let group = v2::EntitlementExclusionGroup {
            exclusion_group_id: "tiers".to_owned(),
            is_default: true,
            ..v2::EntitlementExclusionGroup::default()
        };
        for entitlement in world.entitlements.get_mut(list).expect("there") {
            any::append(&mut entitlement.annotations, &group);
        }
    };
    // Each file alone keeps the rules; together there are two defaults.
    let (mut ours, mut theirs) = (world([]), directory());
    defaults(&mut ours, "role:admin");
    defaults(&mut theirs, "team:eng");
    let sandbox = Sandbox::new();
    let path = file_of(&sandbox, theirs, Format::V1).await;
    let request = request(&sandbox, ExternalResources::new(path), Format::V1);
    let error = sandbox.run(&Arc::new(ours), request).await;
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("exclusion group `tiers`"), "{error}");
    assert!(!sandbox.target().exists());
}
