//! Looking up by name.

use baton_proto::c1::connector::v2;
use baton_proto::{Advice, Advise, Code};
use baton_query::{Ambiguous, Error};

use crate::support::{World, fixture, in_both, member, open, resource, user};

fn ambiguous(error: &Error) -> &Ambiguous {
    match error {
        Error::Ambiguous(ambiguous) => ambiguous,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bare_slug_is_no_name() {
    let mut world = World::small();
    world.entitlements.truncate(1);
    in_both(&world, |file| {
        let error = file.entitlement("member").unwrap_err();
        assert!(matches!(error, Error::NotFound(_)), "{error}");
    });
}

#[test]
fn a_name_of_several_objects_is_an_error_that_lists_three() {
    let mut world = World::small();
    for n in 0..4 {
        let id = format!("x{n}");
        world
            .resources
            .push(user(&id, "Sam", "sam@example.com", &id));
    }
    in_both(&world, |file| {
        for name in ["Sam", "sam@example.com"] {
            let error = file.principal("user", name).unwrap_err();
            let Ambiguous {
                is_id,
                found,
                total,
                ..
            } = ambiguous(&error);
            assert!(!is_id);
            assert_eq!((*total, found.len()), (4, 3));
            assert_eq!(error.code(), Code::InvalidArgument);
            assert_eq!(error.advice(), [Advice::UseId]);
            let text = error.to_string();
            assert!(
                text.ends_with(&format!(
                    "has 4 resources of type `user` with the name `{name}`: \
                     `x0` (`Sam`), `x1` (`Sam`), `x2` (`Sam`) and 1 more"
                )),
                "{text}"
            );
        }
    });
}

#[test]
fn a_name_of_one_entitlement_in_each_of_two_ways_is_ambiguous() {
    let mut world = World::small();
    world.entitlements[1].display_name = "jira-users:member".into();
    in_both(&world, |file| {
        let error = file.entitlement("jira-users:member").unwrap_err();
        assert_eq!(ambiguous(&error).total, 2);
    });
}

#[test]
fn an_id_wins_over_a_name() {
    let mut world = World::small();
    world
        .resources
        .push(resource("user", "Kim Vale", "somebody else"));
    world.entitlements[1].display_name = "group:g1:member".into();
    in_both(&world, |file| {
        let found = file.principal("user", "Kim Vale").unwrap();
        assert_eq!(found.display_name, "somebody else");
        let found = file.entitlement("group:g1:member").unwrap();
        assert_eq!(found.display_name, "Jira members");
    });
}

#[test]
fn users_have_their_mail_and_logins_as_names() {
    in_both(&World::small(), |file| {
        for name in [
            "Kim Vale",
            "kim@example.com",
            "Kim@Example.COM",
            "kvale",
            "kvale-alias",
            "user:u1",
            "user:Kim Vale",
        ] {
            let found = file.principal("user", name).unwrap();
            assert_eq!(found.id.unwrap().resource, "u1", "{name}");
        }
        for name in ["kim vale", "KVALE", "Kim Vale ", "group:u1"] {
            file.principal("user", name).unwrap_err();
        }
    });
}

#[test]
fn entitlements_are_named_by_themselves_or_behind_their_resource() {
    in_both(&World::small(), |file| {
        for name in [
            "Jira members",
            "jira-users:member",
            "g1:member",
            "group:jira-users:member",
            "jira-users:Jira members",
        ] {
            let found = file.entitlement(name).unwrap();
            assert_eq!(found.id, "group:g1:member", "{name}");
        }
        for name in [
            "jira-users",
            "jira-users:",
            ":member",
            "admins:Jira members",
        ] {
            file.entitlement(name).unwrap_err();
        }
    });
}

#[test]
fn names_with_colons_are_taken_whole() {
    let mut world = World::small();
    world.resources.push(resource("group", "g3", "Jira: acme"));
    world.entitlements.push(v2::Entitlement {
        slug: "role:atlassian/admin".into(),
        ..member("g3", "")
    });
    in_both(&world, |file| {
        let found = file.entitlement("Jira: acme:role:atlassian/admin").unwrap();
        assert_eq!(found.id, "group:g3:member");
    });
}

#[test]
fn names_with_control_characters_are_data() {
    let mut world = World::small();
    let name = "evil\u{1b}[2J\r\nerror: all is lost";
    world.resources.push(resource("group", "g3", name));
    world.entitlements.push(member("g3", name));
    world.entitlements.push(member("g3", name));
    world.entitlements[3].id = "second".into();
    in_both(&world, |file| {
        let error = file.entitlement(name).unwrap_err();
        assert_eq!(ambiguous(&error).found[0].name, name);
        assert!(error.to_string().contains(name));
        let found = file.principal("group", name).unwrap();
        assert_eq!(found.display_name, name);
    });
}

#[test]
fn names_in_files_that_go_wrote_are_found() {
    for name in ["atlassian-org/sync.c1z", "atlassian-org/sync-v3.c1z"] {
        let file = open(&fixture(name));
        for wanted in ["jira-users:member", "jira-users member"] {
            let found = file.entitlement(wanted).unwrap();
            assert_eq!(found.resource.unwrap().display_name, "jira-users", "{name}");
        }
        let found =
            file.entitlement("Opsgenie: acme ops: on/call:role:atlassian/user-access-admin");
        assert_eq!(
            found.unwrap().slug,
            "role:atlassian/user-access-admin",
            "{name}"
        );
        let found = file.principal("user", "USER0000@example.com").unwrap();
        assert_eq!(
            found.id.unwrap().resource,
            "3b1a11df587fd2803bab6c39",
            "{name}"
        );
    }
}
