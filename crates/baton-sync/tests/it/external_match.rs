//! What grants that stand for external principals become.

use std::sync::Arc;

use baton_c1z::{Format, Table};
use baton_connector::resource::{GrantBuilder, Profile, ResourceBuilder, resource_id};
use baton_proto::any;
use baton_proto::c1::connector::v2::{self, resource_type::Trait};
use baton_sync::{Error, ExternalResources};
use prost::Message;

use crate::directory::*;
use crate::sandbox::{Sandbox, ids, scan};

#[tokio::test]
async fn placeholders_become_grants_to_whom_they_stand_for() {
    let both = |id: &str, of, key: &str, value: &str| {
        let by_id = v2::ExternalResourceMatchId { id: id.to_owned() };
        let grant = assigned(("x", "both")).annotation(&by_id);
        grant
            .annotation(&profile(of, key, value))
            .build()
            .expect("valid")
    };
    let cases: Vec<(v2::Grant, &[&str])> = vec![
        (
            all(Trait::User),
            &["person:ada", "person:bob", "person:eve"],
        ),
        (all(Trait::Group), &["team:eng", "team:ops"]),
        // Not among the traits that are taken.
        (all(Trait::App), &[]),
        (all(Trait::Vendor), &[]),
        (by_id("bob"), &["person:bob"]),
        (by_id("ops"), &["team:ops"]),
        (by_id("BOB"), &[]),
        (by_id("wiki"), &[]),
        // Letters count without regard to case, keys do not.
        (by_profile(Trait::User, "number", "n1"), &["person:ada"]),
        (by_profile(Trait::User, "number", "N2"), &["person:bob"]),
        (by_profile(Trait::User, "Number", "n1"), &[]),
        (by_profile(Trait::User, "number", "n1 "), &[]),
        (by_profile(Trait::User, "floor", "3"), &[]),
        (
            by_profile(Trait::User, "email", "ADA@example.COM"),
            &["person:ada"],
        ),
        (by_profile(Trait::User, "Email", "ada@example.com"), &[]),
        (by_profile(Trait::Group, "Code", "t-ENG"), &["team:eng"]),
        (by_profile(Trait::Group, "email", "ada@example.com"), &[]),
        (by_profile(Trait::App, "Code", "T-eng"), &[]),
        (
            both("eve", Trait::User, "number", "n1"),
            &["person:ada", "person:eve"],
        ),
        (both("ada", Trait::User, "number", "n1"), &["person:ada"]),
    ];
    for formats in [[Format::V1, Format::V1], [Format::V3, Format::V3]] {
        for (placeholder, expected) in &cases {
            let told = format!("{formats:?} {:?}", placeholder.annotations);
            let (sandbox, report) = sync(world([placeholder.clone()]), directory(), formats).await;
            assert_eq!(holders(&sandbox.target()), *expected, "{told}");
            let warned = report.warnings.join("\n");
            assert_eq!(
                warned.contains("unmatched external principal and is left out"),
                expected.is_empty(),
                "{told}: {warned}"
            );
        }
    }
}

#[tokio::test]
async fn match_all_excludes_the_other_ways() {
    let everybody = v2::ExternalResourceMatchAll {
        resource_type: Trait::Group as i32,
    };
    let by_id = v2::ExternalResourceMatchId {
        id: "ada".to_owned(),
    };
    let grant = assigned(("x", "y"))
        .annotation(&by_id)
        .annotation(&everybody);
    let (sandbox, _) = sync(
        world([grant.build().expect("valid")]),
        directory(),
        [Format::V1; 2],
    )
    .await;
    assert_eq!(holders(&sandbox.target()), ["team:eng", "team:ops"]);
}

#[tokio::test]
async fn a_grant_that_takes_a_placeholders_place_keeps_what_it_says() {
    for format in FORMATS {
        let (sandbox, report) =
            sync(world([by_id("ada")]), directory(), [Format::V1, format]).await;
        scan(&sandbox.target(), |table, row| {
            if table != Table::Grants || row.id != "role:admin:assigned:person:ada" {
                return;
            }
            assert_eq!((row.principal_type_id, row.principal_id), ("person", "ada"));
            let grant = v2::Grant::decode(row.data).expect("valid");
            assert!(any::contains::<v2::ExternalResourceMatchId>(
                &grant.annotations
            ));
            if format == Format::V1 {
                let principal = grant.principal.expect("there");
                assert!(any::contains::<v2::BatonId>(&principal.annotations));
                assert!(any::contains::<v2::UserTrait>(&principal.annotations));
            }
        });
        // Its principal is there: nothing waits any more.
        let told = report.warnings.join("\n");
        let waits = "have an unmatched external principal (ingest invariant I9)";
        assert!(!told.contains(waits), "{told}");
        assert!(!told.contains(&waits.replace("have", "has")), "{told}");
    }
}

#[tokio::test]
async fn an_older_profile_in_a_trait_counts_where_the_resource_has_none() {
    #[allow(deprecated)]
    let with_trait = {
        let mut person = person("old", "old@example.com", Profile::new());
        person.profile = None;
        let user = v2::UserTrait {
            profile: Some(Profile::new().text("number", "N9").build()),
            ..v2::UserTrait::default()
        };
        any::update(&mut person.annotations, &user);
        person
    };
    let mut source = directory();
    source.add("person", with_trait);
    let placeholder = by_profile(Trait::User, "number", "n9");
    let (sandbox, _) = sync(world([placeholder]), source, [Format::V1; 2]).await;
    assert_eq!(holders(&sandbox.target()), ["person:old"]);
}

#[tokio::test]
async fn members_of_a_matched_group_inherit_what_it_is_granted() {
    for formats in all_formats() {
        let sources = [
            "bid:e:group/eng-here:member",
            "bid:e:group/eng-here:unheard",
            "bid:e:group/other:member",
            "group:eng-here:member",
        ];
        let (sandbox, report) = sync(world([inherited(&sources)]), directory(), formats).await;
        assert_eq!(
            holders(&sandbox.target()),
            ["person:ada", "person:bob", "team:eng"],
            "{formats:?}"
        );
        let told = report.warnings.join("\n");
        assert!(
            told.contains("not a Baton id of an entitlement: `group:eng-here:member`"),
            "{told}"
        );
        scan(&sandbox.target(), |table, row| {
            if table == Table::Grants && row.id == "role:admin:assigned:team:eng" {
                let expansion = row.expansion.expect("rewritten");
                let expansion = v2::GrantExpandable::decode(expansion).expect("valid");
                assert_eq!(expansion.entitlement_ids, ["team:eng:member"]);
                assert!(expansion.shallow);
                assert_eq!(expansion.resource_type_ids, ["person"]);
            }
        });
    }
}

#[tokio::test]
async fn an_expansion_that_is_not_rewritten_goes_in_v1_and_stays_in_v3() {
    for format in FORMATS {
        let mut placeholder = all(Trait::Group);
        let expandable = v2::GrantExpandable {
            entitlement_ids: vec!["bid:e:x/all:member".to_owned()],
            ..v2::GrantExpandable::default()
        };
        any::append(&mut placeholder.annotations, &expandable);
        let (sandbox, _) = sync(world([placeholder]), directory(), [Format::V1, format]).await;
        let mut seen = 0;
        scan(&sandbox.target(), |table, row| {
            if table == Table::Grants && row.id.starts_with("role:admin:assigned:team") {
                assert_eq!(row.expansion.is_some(), format == Format::V3);
                seen += 1;
            }
        });
        assert_eq!(seen, 2);
    }
}

#[tokio::test]
async fn expansions_of_the_file_alone_are_not_done_anew() {
    // Not expanded there either: a sync of the file that was not expanded.
    let mut source = directory();
    source.grants.get_mut("team:eng").expect("there").clear();
    for (formats, kept) in [
        ([Format::V1, Format::V3], false),
        ([Format::V3, Format::V3], true),
        ([Format::V3, Format::V1], true),
    ] {
        let sandbox = Sandbox::new();
        let path = file_of(&sandbox, directory(), formats[0]).await;
        let request = request(&sandbox, ExternalResources::new(path), formats[1]);
        sandbox
            .run(&Arc::new(world([])), request)
            .await
            .expect("synced");
        let mut seen = false;
        scan(&sandbox.target(), |table, row| {
            if table == Table::Grants && row.id == "team:ops:member:team:eng" {
                assert_eq!(row.expansion.is_some(), kept, "{formats:?}");
                seen = true;
            }
        });
        assert!(seen);
    }
    let (sandbox, report) = sync(world([]), source, [Format::V3, Format::V3]).await;
    let told = report.warnings.join("\n");
    assert!(!told.contains("expan"), "{told}");
    assert_eq!(
        ids(&sandbox.target(), Table::Grants),
        ["team:ops:member:person:eve", "team:ops:member:team:eng"]
    );
}

#[tokio::test]
async fn without_a_file_placeholders_stay_and_are_told() {
    let sandbox = Sandbox::new();
    let report = sandbox.sync(world([by_id("ada")])).await;
    assert_eq!(holders(&sandbox.target()), ["x:ada"]);
    let told = report.warnings.join("\n");
    assert!(
        told.contains("1 grant has an unmatched external principal (ingest invariant I9)"),
        "{told}"
    );
}

#[tokio::test]
async fn a_placeholder_that_matches_none_goes_even_so() {
    let (sandbox, report) = sync(world([by_id("nobody")]), directory(), [Format::V1; 2]).await;
    assert_eq!(holders(&sandbox.target()), [""; 0]);
    assert_eq!(
        report.warnings[0],
        "1 grant has an unmatched external principal and is left out: \
         `role:admin:assigned:x:nobody`"
    );
}

#[tokio::test]
async fn a_grant_with_the_id_of_a_new_one_makes_way_or_stays_by_who_holds_it() {
    // The same grant already: the connector knows the person.
    let known = assigned(("person", "ada")).build().expect("valid");
    // A placeholder with the very id that its match gets.
    let mut same = by_id("bob");
    same.id = "role:admin:assigned:person:bob".to_owned();
    // An ordinary grant to somebody else under the id of a new one.
    let mut taken = assigned(("team", "ops")).build().expect("valid");
    taken.id = "role:admin:assigned:person:eve".to_owned();
    for format in FORMATS {
        let placeholders = [known.clone(), same.clone(), taken.clone(), all(Trait::User)];
        let (sandbox, _) = sync(world(placeholders), directory(), [Format::V1, format]).await;
        let mut found = Vec::new();
        scan(&sandbox.target(), |table, row| {
            if table == Table::Grants && row.entitlement_id == "role:admin:assigned" {
                found.push(format!(
                    "{} to {}:{}",
                    row.id, row.principal_type_id, row.principal_id
                ));
            }
        });
        found.sort();
        let mut expected = vec![
            "role:admin:assigned:person:ada to person:ada",
            "role:admin:assigned:person:bob to person:bob",
            "role:admin:assigned:person:eve to team:ops",
        ];
        if format == Format::V3 {
            // Ids are no keys there, so both have room.
            expected.insert(2, "role:admin:assigned:person:eve to person:eve");
        }
        assert_eq!(found, expected, "{format:?}");
    }
}

#[tokio::test]
async fn what_two_lists_say_of_one_placeholder_is_matched_once() {
    // The later of two rows with one id wins, before anything is matched.
    let (mut first, mut second) = (by_id("ada"), by_id("bob"));
    for grant in [&mut first, &mut second] {
        grant.id = "one".to_owned();
        grant.principal = Some(ResourceBuilder::new("x", "y").build().expect("valid"));
    }
    for format in FORMATS {
        let both = [first.clone(), second.clone()];
        let (sandbox, _) = sync(world(both), directory(), [Format::V1, format]).await;
        assert_eq!(holders(&sandbox.target()), ["person:bob"], "{format:?}");
    }
}

#[tokio::test]
async fn grants_to_the_files_users_are_of_known_types() {
    // The connector does not list persons; the file has them.
    let known = assigned(("person", "ada")).build().expect("valid");
    let unknown = assigned(("app", "wiki")).build().expect("valid");
    let (_sandbox, report) = sync(world([known, unknown]), directory(), [Format::V1; 2]).await;
    assert_eq!(holders(&report.path), ["person:ada"]);
    assert_eq!(report.dropped.grants_of_unknown_type, 1);
}

#[tokio::test]
async fn placeholders_that_were_copied_are_left_alone_unless_there_are_others() {
    let mut source = directory();
    let waiting = GrantBuilder::new(team("eng"), "member", resource_id("hr", "all"))
        .annotation(&v2::ExternalResourceMatchId {
            id: "nobody".to_owned(),
        })
        .build()
        .expect("valid");
    let grants = source.grants.entry("team:eng".to_owned()).or_default();
    grants.push(waiting);
    let copied = "team:eng:member:hr:all".to_owned();
    for format in FORMATS {
        let both = [Format::V1, format];
        let (sandbox, report) = sync(world([]), copy_of(&source), both).await;
        let found = ids(&sandbox.target(), Table::Grants);
        assert!(found.contains(&copied), "{format:?} {found:?}");
        let told = report.warnings.join("\n");
        assert!(!told.contains("match none"), "{told}");
        let (sandbox, _) = sync(world([by_id("ada")]), copy_of(&source), both).await;
        let found = ids(&sandbox.target(), Table::Grants);
        assert!(!found.contains(&copied), "{format:?} {found:?}");
    }
}

#[tokio::test]
async fn of_two_placeholders_for_the_same_people_the_last_counts() {
    let note = |url: &str| {
        let mut grant = all(Trait::User);
        grant.id = url.to_owned();
        grant.principal = Some(ResourceBuilder::new("x", url).build().expect("valid"));
        let link = v2::ExternalLink {
            url: url.to_owned(),
        };
        any::append(&mut grant.annotations, &link);
        grant
    };
    for format in FORMATS {
        let both = [note("1"), note("2")];
        let (sandbox, report) = sync(world(both), directory(), [Format::V1, format]).await;
        let people = ["person:ada", "person:bob", "person:eve"];
        assert_eq!(holders(&sandbox.target()), people);
        scan(&sandbox.target(), |table, row| {
            if table == Table::Grants && row.entitlement_id == "role:admin:assigned" {
                let grant = v2::Grant::decode(row.data).expect("valid");
                let link: v2::ExternalLink = any::find(&grant.annotations)
                    .expect("valid")
                    .expect("there");
                assert_eq!(link.url, "2");
            }
        });
        assert!(!report.warnings.join("\n").contains("match none"));
    }
}

#[tokio::test]
async fn a_placeholder_that_cannot_be_read_is_refused_when_it_is_listed() {
    let mut grant = by_id("ada");
    for annotation in &mut grant.annotations {
        if any::is::<v2::ExternalResourceMatchId>(annotation) {
            annotation.value = vec![0x0a, 0x7f];
        }
    }
    let sandbox = Sandbox::new();
    let error = sandbox.fail(world([grant])).await;
    assert!(matches!(error, Error::Annotation { .. }), "{error:?}");
}
