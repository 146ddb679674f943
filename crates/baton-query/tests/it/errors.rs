//! What errors say about what was not found.

use baton_proto::{Advice, Advise, Code};
use baton_query::{Error, NotFound};

use crate::support::{FORMATS, World, grant, in_both, member, resource, user};

fn not_found(error: &Error) -> &NotFound {
    match error {
        Error::NotFound(not_found) => not_found,
        other => panic!("{other:?}"),
    }
}

fn near(error: &Error) -> Vec<&str> {
    not_found(error).nearest.iter().map(|it| &*it.id).collect()
}

#[test]
fn near_ids_and_names_are_listed() {
    in_both(&World::small(), |file| {
        for (error, expected) in [
            (
                file.entitlement("group:g7:member").unwrap_err(),
                vec!["group:g1:member", "group:g2:member"],
            ),
            (
                file.entitlement("jira-usres:member").unwrap_err(),
                vec!["group:g1:member"],
            ),
            (
                file.entitlement("jira").unwrap_err(),
                vec!["group:g1:member"],
            ),
            (
                file.entitlement("ADMIN MEMBERS").unwrap_err(),
                vec!["group:g2:member"],
            ),
            (file.entitlement("something else").unwrap_err(), vec![]),
            (file.principal("user", "kim vale").unwrap_err(), vec!["u1"]),
            (
                file.principal("user", "adda@example.com").unwrap_err(),
                vec!["u2", "u1"],
            ),
            (file.principal("user", "aesh").unwrap_err(), vec!["u2"]),
            (
                file.grant("group:g1:member:user:u7").unwrap_err(),
                vec!["group:g1:member:user:u1"],
            ),
        ] {
            assert_eq!(near(&error), expected, "{error}");
        }
    });
}

#[test]
fn at_most_five_near_matches_are_listed() {
    let mut world = World::small();
    for n in 0..9 {
        world
            .resources
            .push(user(&format!("s{n}"), &format!("Sam {n}"), "", ""));
    }
    in_both(&world, |file| {
        let error = file.principal("user", "sam").unwrap_err();
        assert_eq!(near(&error), ["s0", "s1", "s2", "s3", "s4"]);
    });
}

#[test]
fn texts_say_what_is_not_there_and_what_is_near() {
    let sealed = World::small().file(FORMATS[1]);
    let file = sealed.open();
    let path = sealed.path.display();
    for (error, text) in [
        (
            file.entitlement("jira-user:member").unwrap_err(),
            "has no entitlement with the id or name `jira-user:member`; \
             near matches: `group:g1:member` (`Jira members`)",
        ),
        (
            file.principal("user", "g1").unwrap_err(),
            "has no resource of type `user` with the id or name `g1`; a resource of type `group` \
             has this id; near matches: `u1` (`Kim Vale`)",
        ),
        (
            file.grant("nothing like it").unwrap_err(),
            "has no grant with the id `nothing like it`",
        ),
        (
            file.principal("users", "u1").unwrap_err(),
            "has no resource type `users`; it has `user`",
        ),
    ] {
        assert_eq!(error.to_string(), format!("{path} {text}"));
    }
}

#[test]
fn advice_is_where_to_look_and_that_the_file_may_be_old() {
    let sealed = World::small().file(FORMATS[0]);
    let file = sealed.open();
    let path = || sealed.path.clone();
    for (error, list) in [
        (
            file.entitlement("x").unwrap_err(),
            Advice::ListEntitlements(path()),
        ),
        (
            file.principal("user", "x").unwrap_err(),
            Advice::ListResources(path()),
        ),
        (file.grant("x").unwrap_err(), Advice::ListGrants(path())),
    ] {
        assert_eq!(error.advice(), [list, Advice::SyncAgain]);
    }
}

#[test]
fn a_type_without_resources_is_a_type() {
    let mut world = World::small();
    world.types.push("role");
    in_both(&world, |file| {
        let error = file.principal("role", "r1").unwrap_err();
        assert!(matches!(error, Error::NotFound(_)), "{error}");
        let error = file.principal("roel", "r1").unwrap_err();
        assert!(matches!(&error, Error::NoSuchType { types, .. } if types == &["role"]));
        assert_eq!(error.code(), Code::NotFound);
        let error = file.principal("something else", "r1").unwrap_err();
        let Error::NoSuchType { types, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(types.len(), 3, "{error}");
    });
}

#[test]
fn resources_of_a_type_that_is_not_stored_are_found() {
    let mut world = World::small();
    world.types = vec!["group"];
    in_both(&world, |file| {
        assert_eq!(
            file.principal("user", "u1").unwrap().display_name,
            "Kim Vale"
        );
        let error = file.principal("user", "nobody at all").unwrap_err();
        assert!(matches!(error, Error::NotFound(_)), "{error}");
    });
}

#[test]
fn endless_ids_are_looked_up_like_others() {
    let long = "long".repeat(20_000);
    let mut world = World::small();
    world.resources.push(resource("group", &long, &long));
    world.entitlements.push(member(&long, &long));
    world.grants.push(grant(&long, "u1"));
    in_both(&world, |file| {
        assert_eq!(file.entitlement(&long).unwrap().display_name, long);
        file.grant(&format!("group:{long}:member:user:u1")).unwrap();
        let error = file.entitlement(&format!("{long}x")).unwrap_err();
        assert!(near(&error).is_empty());
    });
}
