//! Good folders.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::harness::Harness;

#[test]
fn nested_groups_and_roles_reach_the_people_inside() {
    let harness = Harness::new();
    let outcome = harness.sync(&[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let direct: &[&str] = &[];
    let expected: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("group:engineering:member:group:platform", direct),
        ("group:engineering:member:user:ada", direct),
        (
            "group:engineering:member:user:ben",
            &["group:platform:member"],
        ),
        (
            "group:engineering:member:user:dan",
            &["group:platform:member"],
        ),
        ("group:platform:member:user:ben", direct),
        ("group:platform:member:user:dan", direct),
        ("role:admin:assigned:group:platform", direct),
        ("role:admin:assigned:user:ben", &["group:platform:member"]),
        ("role:admin:assigned:user:dan", &["group:platform:member"]),
        (
            "role:auditor:assigned:group:platform",
            &["role:admin:assigned"],
        ),
        ("role:auditor:assigned:role:admin", direct),
        ("role:auditor:assigned:user:ben", &["role:admin:assigned"]),
        ("role:auditor:assigned:user:cleo", direct),
        ("role:auditor:assigned:user:dan", &["role:admin:assigned"]),
        ("role:viewer:assigned:group:engineering", direct),
        (
            "role:viewer:assigned:group:platform",
            &["group:engineering:member", "role:auditor:assigned"],
        ),
        (
            "role:viewer:assigned:role:admin",
            &["role:auditor:assigned"],
        ),
        ("role:viewer:assigned:role:auditor", direct),
        (
            "role:viewer:assigned:user:ada",
            &["group:engineering:member"],
        ),
        (
            "role:viewer:assigned:user:ben",
            &["group:engineering:member", "role:auditor:assigned"],
        ),
        ("role:viewer:assigned:user:cleo", &["role:auditor:assigned"]),
        (
            "role:viewer:assigned:user:dan",
            &["group:engineering:member", "role:auditor:assigned"],
        ),
    ]);
    let found = harness.grants();
    let found: BTreeMap<&str, Vec<&str>> = found
        .iter()
        .map(|(id, sources)| (id.as_str(), sources.iter().map(String::as_str).collect()))
        .collect();
    let expected = expected
        .into_iter()
        .map(|(id, sources)| (id, sources.to_vec()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn users_carry_their_address_and_status() {
    let harness = Harness::new();
    assert_eq!(harness.sync(&[]).code, Some(0));
    let users = harness.baton(&["resources", "-t", "user", "-o", "json"]);
    let users: serde_json::Value = serde_json::from_str(&users).unwrap();
    let dan = users["resources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .find(|user| user["id"]["resource"] == "dan")
        .unwrap();
    assert_eq!(dan["displayName"], "Dan Wu");
    let user = &dan["annotations"][0];
    assert_eq!(user["emails"][0]["address"], "dan@acme.test");
    assert_eq!(user["status"]["status"], "STATUS_DISABLED");
}

#[test]
fn tables_of_several_pages_arrive_whole() {
    let harness = Harness::new();
    let mut users = "id,name,email,active\n".to_owned();
    let mut members = "group,kind,id\n".to_owned();
    for number in 0..250 {
        writeln!(users, "u{number},User {number},u{number}@acme.test,true").unwrap();
        writeln!(members, "engineering,user,u{number}").unwrap();
    }
    fs::write(harness.table("users.csv"), users).unwrap();
    fs::write(harness.table("members.csv"), members).unwrap();
    fs::write(harness.table("assignments.csv"), "role,kind,id\n").unwrap();
    let outcome = harness.sync(&[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(harness.grants().len(), 250);
}

#[test]
fn both_file_formats_hold_the_same_grants() {
    let (v1, v3) = (Harness::new(), Harness::new());
    assert_eq!(v1.sync(&[]).code, Some(0));
    assert_eq!(v3.sync(&["--storage-engine", "pebble"]).code, Some(0));
    assert_eq!(v1.grants(), v3.grants());
}
