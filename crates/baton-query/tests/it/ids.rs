//! Looking up by id: whole messages, from rows of both formats.

use baton_proto::c1::connector::v2;
use baton_proto::{Advice, Advise, Code, any};
use baton_query::{Error, Kind, SyncFile};

use crate::support::{
    FORMATS, World, changed, fixture, grant, in_both, member, open, resource, user,
};

/// Fixtures of one content: whole rows, slim rows, and rows of ids only.
const SMALL: [&str; 6] = [
    "v1-small.c1z",
    "v1-small-slim-grants.c1z",
    "v3-small.c1z",
    "v3-small-tarzstd.c1z",
    "v3-handmade-sst.c1z",
    "v3-handmade-wal.c1z",
];

fn id_of(resource: &v2::Resource) -> (&str, &str) {
    let id = resource.id.as_ref().unwrap();
    (&id.resource_type, &id.resource)
}

fn dangling(error: &Error) -> (&Kind, &str, &Kind, &str) {
    match error {
        Error::Dangling(it) => (&it.kind, &it.id, &it.missing, &it.missing_id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn ids_that_no_object_has_are_not_found() {
    in_both(&World::small(), |file| {
        for error in [
            file.entitlement("group:gone:member").unwrap_err(),
            file.principal("user", "gone").unwrap_err(),
            file.principal("user", "g1").unwrap_err(),
            file.grant("group:g1:member:user:u2").unwrap_err(),
        ] {
            assert!(matches!(error, Error::NotFound(_)), "{error}");
            assert_eq!(error.code(), Code::NotFound);
        }
    });
}

#[test]
fn empty_ids_are_refused_also_where_objects_have_empty_names() {
    let mut world = World::small();
    world.resources.push(resource("user", "nameless", ""));
    in_both(&world, |file| {
        for error in [
            file.entitlement("").unwrap_err(),
            file.principal("user", "").unwrap_err(),
            file.principal("", "u1").unwrap_err(),
            file.grant("").unwrap_err(),
        ] {
            assert!(matches!(error, Error::Empty { .. }), "{error}");
            assert_eq!(error.code(), Code::InvalidArgument);
        }
    });
}

#[test]
fn files_that_go_wrote_answer_alike_with_whole_objects() {
    for name in SMALL {
        let file = open(&fixture(name));
        let entitlement = file.entitlement_to_grant("group:g1:member").unwrap();
        assert_eq!(entitlement.display_name, "Group 1 member", "{name}");
        assert_eq!(entitlement.slug, "member", "{name}");
        let group = entitlement.resource.as_ref().unwrap();
        assert_eq!(group.display_name, "Group 1", "{name}");
        let parent = group.parent_resource_id.as_ref().unwrap();
        assert_eq!(parent.resource, "acme", "{name}");
        assert!(
            entitlement
                .grantable_to
                .iter()
                .all(|t| !t.display_name.is_empty()),
            "{name}"
        );

        let principal = file.principal("user", "u3").unwrap();
        assert_eq!(principal.display_name, "User 3", "{name}");

        let grant = file.grant_to_revoke("group:g1:member:user:u3").unwrap();
        assert_eq!(grant.entitlement.as_ref(), Some(&entitlement), "{name}");
        assert_eq!(grant.principal.as_ref(), Some(&principal), "{name}");

        let custom = file.grant("grant-custom-1").unwrap();
        assert_eq!(custom.id, "grant-custom-1", "{name}");
        assert_eq!(custom.entitlement.unwrap().id, "custom-ent-1", "{name}");
        assert_eq!(id_of(&custom.principal.unwrap()), ("user", "u1"), "{name}");
    }
}

#[test]
fn both_formats_give_the_same_messages() {
    let look_up = |file: &SyncFile| {
        (
            file.entitlement("group:g1:member").unwrap(),
            file.principal("user", "u1").unwrap(),
            file.grant("group:g1:member:user:u1").unwrap(),
        )
    };
    let world = World::small();
    let [v1, v3] = FORMATS.map(|format| look_up(&world.file(format).open()));
    assert_eq!(v1, v3);
    assert_eq!(v1.0.resource.as_ref(), Some(&world.resources[0]));
    assert_eq!(v1.0.grantable_to[0].display_name, "type user");
    assert_eq!(v1.1, world.resources[2]);
}

#[test]
fn a_grant_keeps_its_annotations_and_loses_its_sources() {
    let mut world = World::small();
    let immutable = v2::GrantImmutable::default();
    let expandable = v2::GrantExpandable {
        entitlement_ids: vec!["group:g2:member".into()],
        ..Default::default()
    };
    let sources = [(
        "group:g2:member".to_owned(),
        v2::grant_sources::GrantSource::default(),
    )];
    world.grants = vec![v2::Grant {
        annotations: vec![any::pack(&immutable), any::pack(&expandable)],
        sources: Some(v2::GrantSources {
            sources: sources.into(),
        }),
        ..grant("g1", "u1")
    }];
    in_both(&world, |file| {
        let found = file.grant("group:g1:member:user:u1").unwrap();
        assert_eq!(found.annotations, world.grants[0].annotations);
        assert_eq!(found.sources, None);
    });
}

#[test]
fn ids_with_colons_and_control_characters_are_found() {
    let mut world = World::small();
    let odd = "a:b\u{1b}[31m\n\"`:c";
    world.resources.push(resource("group", odd, "odd"));
    world
        .resources
        .push(user(odd, "Odd", "odd@example.com", "odd"));
    world.entitlements.push(member(odd, "Odd members"));
    world.grants.push(grant(odd, odd));
    in_both(&world, |file| {
        let entitlement = file.entitlement(&format!("group:{odd}:member")).unwrap();
        assert_eq!(
            id_of(entitlement.resource.as_ref().unwrap()),
            ("group", odd)
        );
        assert_eq!(file.principal("user", odd).unwrap().display_name, "Odd");
        let found = file
            .grant(&format!("group:{odd}:member:user:{odd}"))
            .unwrap();
        assert_eq!(id_of(&found.principal.unwrap()), ("user", odd));
    });
}

#[test]
fn references_to_objects_that_are_not_in_the_file_are_errors() {
    let mut world = World::small();
    world
        .entitlements
        .push(member("gone", "Members of nothing"));
    world.grants.push(grant("g1", "gone"));
    world.grants.push(grant("gone", "u1"));
    let mut unknown = grant("g2", "u1");
    unknown.id = "unknown-entitlement".into();
    unknown.entitlement.as_mut().unwrap().id = "group:g2:owner".into();
    world.grants.push(unknown);
    let group = Kind::Resource("group".into());
    let user = Kind::Resource("user".into());
    in_both(&world, |file| {
        for (error, expected) in [
            (
                file.entitlement("group:gone:member").unwrap_err(),
                (&Kind::Entitlement, "group:gone:member", &group, "gone"),
            ),
            (
                file.grant("group:g1:member:user:gone").unwrap_err(),
                (&Kind::Grant, "group:g1:member:user:gone", &user, "gone"),
            ),
            (
                file.grant("group:gone:member:user:u1").unwrap_err(),
                (&Kind::Entitlement, "group:gone:member", &group, "gone"),
            ),
            (
                file.grant("unknown-entitlement").unwrap_err(),
                (
                    &Kind::Grant,
                    "unknown-entitlement",
                    &Kind::Entitlement,
                    "group:g2:owner",
                ),
            ),
        ] {
            assert_eq!(dangling(&error), expected, "{error}");
            assert_eq!(error.code(), Code::NotFound);
            assert_eq!(error.advice(), [Advice::SyncAgain]);
        }
    });
}

#[test]
fn a_grant_of_a_workspace_that_go_did_not_store_is_dangling() {
    let site = "ari:cloud:trello::site/de1bf0cd-8afc-4bee-a426-4c9ffade312d";
    let entitlement = format!("workspace:{site}:role:atlassian/user");
    let id = format!("{entitlement}:user:712020:c96fa758-02b0-47f8-86fa-adb10a248cff");
    for name in ["atlassian-org/sync.c1z", "atlassian-org/sync-v3.c1z"] {
        let error = open(&fixture(name)).grant(&id).unwrap_err();
        let expected = (&Kind::Grant, &*id, &Kind::Entitlement, &*entitlement);
        assert_eq!(dangling(&error), expected, "{name}");
    }
}

#[test]
fn objects_on_a_resource_of_another_connector_are_not_changed() {
    let mut world = World::small();
    world.resources[0].annotations = vec![any::pack(&v2::BatonId::default())];
    // A principal of another connector is what such copies are for.
    world.resources[3]
        .annotations
        .push(any::pack(&v2::BatonId::default()));
    world.grants.push(grant("g2", "u2"));
    in_both(&world, |file| {
        let error = file.entitlement_to_grant("group:g1:member").unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.code()),
            (
                "cannot grant entitlement on external resource",
                Code::Unknown
            )
        );
        let error = file.grant_to_revoke("group:g1:member:user:u1").unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.code()),
            ("cannot revoke grant on external resource", Code::Unknown)
        );
        // They can be looked at.
        file.entitlement("group:g1:member").unwrap();
        file.grant("group:g1:member:user:u1").unwrap();
        file.grant_to_revoke("group:g2:member:user:u2").unwrap();
    });
}

#[test]
fn an_id_that_two_rows_of_a_v1_file_have_is_ambiguous() {
    let base = World::small().file(FORMATS[0]);
    let again = |table: &str, index: &str, change: &str, id: &str| {
        let columns = "select * from";
        changed(
            &base.path,
            &format!(
                "drop index {index};
                 create temp table copy as {columns} {table} where external_id = '{id}';
                 update copy set id = 1000, {change};
                 insert into {table} {columns} copy"
            ),
        )
    };
    let grants = again(
        "v1_grants",
        "idx_grants_external_sync_v1",
        "principal_resource_id = 'u2'",
        "group:g1:member:user:u1",
    );
    let entitlements = again(
        "v1_entitlements",
        "idx_entitlements_external_sync_v1",
        "resource_id = 'g2'",
        "group:g1:member",
    );
    let resources = again(
        "v1_resources",
        "idx_resources_parent_resource_id_v1",
        "data = data",
        "user:u1",
    );
    for error in [
        grants.open().grant("group:g1:member:user:u1").unwrap_err(),
        entitlements
            .open()
            .entitlement("group:g1:member")
            .unwrap_err(),
        resources.open().principal("user", "u1").unwrap_err(),
    ] {
        let Error::Ambiguous(ambiguous) = &error else {
            panic!("{error:?}");
        };
        assert!(ambiguous.is_id);
        assert_eq!((ambiguous.total, ambiguous.found.len()), (2, 2));
        assert_eq!(error.code(), Code::FailedPrecondition);
    }
    // A grant records on which resource its entitlement is.
    let found = entitlements
        .open()
        .grant("group:g1:member:user:u1")
        .unwrap();
    assert_eq!(
        found.entitlement.unwrap().resource.unwrap().display_name,
        "jira-users"
    );
}

#[test]
fn an_entitlement_id_that_two_resources_share_is_ambiguous_in_v3_and_its_grants_are_not() {
    let mut world = World::small();
    for entitlement in &mut world.entitlements {
        entitlement.id = "member".into();
    }
    world.grants = vec![v2::Grant {
        entitlement: Some(v2::Entitlement {
            id: "member".into(),
            ..grant("g2", "u1").entitlement.unwrap()
        }),
        ..grant("g2", "u1")
    }];
    let sealed = world.file(FORMATS[1]);
    let file = sealed.open();
    let error = file.entitlement("member").unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "{} has 2 entitlements with the id `member`: `member` (`Jira members`) on `g1` of \
             type `group`, `member` (`Admin members`) on `g2` of type `group`",
            sealed.path.display()
        )
    );
    let found = file.entitlement("admins:member").unwrap();
    assert_eq!(found.display_name, "Admin members");
    let found = file.grant(&world.grants[0].id).unwrap();
    assert_eq!(found.entitlement.unwrap().display_name, "Admin members");
}
