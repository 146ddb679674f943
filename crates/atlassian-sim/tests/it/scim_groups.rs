//! Groups of an identity provider.

use std::time::Duration;

use atlassian_sim::ScimAccountId;
use serde_json::{Value, json};

use crate::client::{escape, get, ids_at, newest_events, post};
use crate::provider::{ACCOUNT, Provider};

fn path(group: &Value) -> String {
    format!("Groups/{}", group["id"].as_str().unwrap())
}

fn values(group: &Value) -> Vec<Value> {
    let members = group["members"].as_array().unwrap();
    members.iter().map(|m| m["value"].clone()).collect()
}

/// Sends one operation; gives the group as answered.
async fn operate(provider: &Provider, group: &Value, operation: &Value) -> Value {
    let body = json!({"operations": [operation]});
    let answer = provider.send("PATCH", &path(group), Some(&body)).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
    let read = provider.get(&path(group)).await;
    assert_eq!(answer.json(), read);
    read
}

#[tokio::test]
async fn every_refusal_has_its_form_and_no_effect() {
    let provider = Provider::new();
    let user = provider.create("pat").await;
    let group = provider.create_group("provided", &[&user]).await;
    let taken = provider.sim.truth().groups[1].clone();
    let own = path(&group);
    let own = own.as_str();
    let operation = |one: Value| json!({"Operations": [one]});
    let bad = "invalidValue";
    let rows = [
        ("POST", "Groups", json!([]), 400, "invalidSyntax"),
        ("POST", "Groups", json!({}), 400, bad),
        ("POST", "Groups", json!({"displayName": " "}), 400, bad),
        (
            "POST",
            "Groups",
            json!({"displayName": "new", "members": "x"}),
            400,
            bad,
        ),
        (
            "POST",
            "Groups",
            json!({"displayName": "new", "members": [{}]}),
            400,
            bad,
        ),
        (
            "POST",
            "Groups",
            json!({"displayName": "new", "members": [{"value": "no"}]}),
            400,
            bad,
        ),
        (
            "POST",
            "Groups",
            json!({"displayName": "PROVIDED"}),
            409,
            "uniqueness",
        ),
        (
            "POST",
            "Groups",
            json!({"displayName": taken.name}),
            409,
            "uniqueness",
        ),
        ("PUT", "Groups/no", json!({"displayName": "x"}), 404, ""),
        (
            "PUT",
            own,
            json!({"displayName": "other"}),
            400,
            "mutability",
        ),
        ("PUT", own, json!({}), 400, bad),
        ("PATCH", "Groups/no", json!({"Operations": []}), 404, ""),
        ("PATCH", own, json!({}), 400, bad),
        (
            "PATCH",
            own,
            operation(json!({"op": "replace", "path": "displayName", "value": "x"})),
            400,
            "mutability",
        ),
        (
            "PATCH",
            own,
            operation(json!({"op": "replace", "value": {"displayName": "x"}})),
            400,
            "mutability",
        ),
        (
            "PATCH",
            own,
            operation(json!({"op": "add", "path": "members", "value": [{"value": "no"}]})),
            400,
            bad,
        ),
        (
            "PATCH",
            own,
            operation(json!({"op": "remove", "path": "members[value eq \"no\"]"})),
            400,
            bad,
        ),
        (
            "PATCH",
            own,
            operation(json!({"op": "remove", "path": "members[display eq \"pat\"]"})),
            400,
            "invalidPath",
        ),
        (
            "PATCH",
            own,
            operation(json!({"op": "remove", "path": "membership"})),
            400,
            "invalidPath",
        ),
        ("DELETE", "Groups/no", Value::Null, 404, ""),
        ("GET", "Groups/no", Value::Null, 404, ""),
        (
            "GET",
            "Groups?filter=members+pr",
            Value::Null,
            400,
            "invalidFilter",
        ),
        (
            "GET",
            "Groups?attributes=a&excludedAttributes=b",
            Value::Null,
            400,
            bad,
        ),
    ];
    for (method, short, body, status, kind) in rows {
        let before = provider.sim.truth();
        let answer = provider.send(method, short, Some(&body)).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {short} {body}");
        let json = answer.json();
        assert_eq!(json["status"], status.to_string());
        assert_eq!(
            json["scimType"].as_str().unwrap_or_default(),
            kind,
            "{short} {body}"
        );
        assert!(!provider.sim.requests().last().unwrap().changed);
        assert!(provider.sim.truth() == before);
    }
}

#[tokio::test]
async fn a_group_is_a_synced_group_of_its_directory() {
    let provider = Provider::new();
    let (one, two) = (provider.create("one").await, provider.create("two").await);
    let group = provider.create_group("provided", &[&one, &two]).await;
    assert_eq!(values(&group), [one["id"].clone(), two["id"].clone()]);
    assert_eq!(group["members"][0]["display"], "one");
    let mut accounts = provider.accounts_in(&group);
    accounts.sort();
    let mut expected = [&one, &two].map(|u| u[ACCOUNT]["atlassianAccountId"].as_str().unwrap());
    expected.sort_unstable();
    assert_eq!(accounts, expected);
    let truth = provider.sim.truth();
    let found = truth.groups.iter().find(|g| g.name == "provided").unwrap();
    assert!(found.synced && found.directory_id == provider.directory && found.members == 2);
    let of_user = provider
        .get(&format!("Users/{}", one["id"].as_str().unwrap()))
        .await;
    assert_eq!(of_user["groups"][0]["value"], group["id"]);
    let short = format!(
        "v2:directories/{}/groups/{}/memberships",
        provider.directory, found.id
    );
    let account = json!({"accountId": expected[0]});
    let refused = post(&provider.sim, &short, &account).await;
    assert_eq!(refused.status.as_u16(), 403, "only the provider fills it");
    let actions = ids_at(&newest_events(&provider.sim).await, "/attributes/action");
    assert_eq!(
        actions[..3],
        [
            "user_added_to_group",
            "user_added_to_group",
            "group_created"
        ]
    );
    let answer = provider.send("DELETE", &path(&group), None).await;
    assert_eq!(answer.status.as_u16(), 204);
    assert!(
        provider
            .sim
            .truth()
            .groups
            .iter()
            .all(|g| g.name != "provided")
    );
    let gone = get(
        &provider.sim,
        &format!("v2:directories/-/groups/{}", found.id),
    )
    .await;
    assert_eq!(gone.status.as_u16(), 404);
    let actions = ids_at(&newest_events(&provider.sim).await, "/attributes/action");
    assert_eq!(actions[0], "group_deleted");
    provider.create_group("provided", &[]).await;
}

#[tokio::test]
async fn patches_change_members() {
    let provider = Provider::new();
    let mut users = Vec::new();
    for name in ["a", "b", "c"] {
        users.push(provider.create(name).await);
    }
    let id = |n: usize| users[n]["id"].clone();
    let member = |n: usize| json!({"value": users[n]["id"]});
    let selected = format!("members[value eq {}]", id(1));
    let group = provider.create_group("provided", &[]).await;
    let rows = [
        (
            json!({"op": "add", "path": "members", "value": [member(0), member(1)]}),
            vec![0, 1],
            true,
        ),
        (
            json!({"op": "Add", "path": "members", "value": [member(1), member(2)]}),
            vec![0, 1, 2],
            true,
        ),
        (
            json!({"op": "add", "path": "members", "value": [member(1)]}),
            vec![0, 1, 2],
            false,
        ),
        (json!({"op": "remove", "path": selected}), vec![0, 2], true),
        (
            json!({"op": "remove", "path": "members", "value": [member(1)]}),
            vec![0, 2],
            false,
        ),
        (
            json!({"op": "remove", "path": "members", "value": [member(0)]}),
            vec![2],
            true,
        ),
        (
            json!({"op": "replace", "path": "members", "value": [member(1), member(1)]}),
            vec![1],
            true,
        ),
        (
            json!({"op": "add", "value": {"members": [member(0)]}}),
            vec![1, 0],
            true,
        ),
        (
            json!({"op": "replace", "value": {"externalId": "x", "displayName": "provided"}}),
            vec![1, 0],
            true,
        ),
        (json!({"op": "remove", "path": "members"}), vec![], true),
    ];
    for (operation, expected, changed) in rows {
        let read = operate(&provider, &group, &operation).await;
        let ids: Vec<Value> = expected.iter().map(|n| id(*n)).collect();
        assert_eq!(values(&read), ids, "{operation}");
        let requests = provider.sim.requests();
        let patch = requests.iter().rfind(|r| r.method == "PATCH").unwrap();
        assert_eq!(patch.changed, changed, "{operation}");
        assert_eq!(
            provider.accounts_in(&group).len(),
            expected.len(),
            "{operation}"
        );
    }
    let events = newest_events(&provider.sim).await;
    let actions = ids_at(&events, "/attributes/action");
    assert!(actions.contains(&"group_provisioning_updated".to_owned()));
}

#[tokio::test]
async fn a_put_sets_all_members_and_a_deleted_user_leaves() {
    let provider = Provider::new();
    let (one, two) = (provider.create("one").await, provider.create("two").await);
    let group = provider.create_group("provided", &[&one]).await;
    let body =
        json!({"displayName": "provided", "externalId": "x", "members": [{"value": two["id"]}]});
    let answer = provider.send("PUT", &path(&group), Some(&body)).await;
    assert_eq!(values(&answer.json()), [two["id"].clone()]);
    assert_eq!(answer.json()["externalId"], "x");
    let user = format!("Users/{}", two["id"].as_str().unwrap());
    provider.send("DELETE", &user, None).await;
    assert!(values(&provider.get(&path(&group)).await).is_empty());
    assert!(provider.accounts_in(&group).is_empty());
}

#[tokio::test]
async fn groups_are_listed_in_pages_by_filter_and_with_the_attributes_asked_for() {
    let provider = Provider::new();
    for n in 0..3 {
        let body = json!({"displayName": format!("g{n}"), "externalId": format!("X{n}")});
        provider.send("POST", "Groups", Some(&body)).await;
    }
    let page = provider
        .get("Groups?startIndex=2&count=1&excludedAttributes=members")
        .await;
    assert_eq!(
        (&page["totalResults"], &page["itemsPerPage"]),
        (&json!(3), &json!(1))
    );
    let shown = &page["Resources"][0];
    assert_eq!(
        (&shown["displayName"], shown.get("members")),
        (&json!("g1"), None)
    );
    assert_eq!(shown["meta"]["resourceType"], "Group");
    for (filter, total) in [
        ("displayName eq \"G1\"", 1),
        ("externalId eq \"X1\"", 1),
        ("externalId eq \"x1\"", 0),
    ] {
        let page = provider
            .get(&format!("Groups?filter={}", escape(filter)))
            .await;
        assert_eq!(page["totalResults"], total, "{filter}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_directory_shows_groups_and_members_after_the_delay() {
    let provider = Provider::with(ScimAccountId::AtOnce, 5);
    let user = provider.create("pat").await;
    let group = provider.create_group("provided", &[&user]).await;
    assert_eq!(values(&provider.get(&path(&group)).await).len(), 1);
    let is_there = || {
        provider
            .sim
            .truth()
            .groups
            .iter()
            .any(|g| g.name == "provided")
    };
    assert!(!is_there());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(is_there());
    assert_eq!(provider.accounts_in(&group).len(), 1);
    provider.send("DELETE", &path(&group), None).await;
    assert!(is_there());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(!is_there());
    assert!(provider.sim.truth() == provider.sim.settled_truth());
}
