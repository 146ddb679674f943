//! What identity providers do to accounts: links, deactivation, domains, events, and the documents that describe it all.

use std::time::Duration;

use atlassian_sim::{UnverifiedDomain, Writes};
use serde_json::{Value, json};

use crate::client::{escape, get, ids_at, newest_events, request, send};
use crate::provider::{ACCOUNT, Provider};

async fn newest_actions(provider: &Provider) -> Vec<String> {
    ids_at(&newest_events(&provider.sim).await, "/attributes/action")
}

fn path(user: &Value) -> String {
    format!("Users/{}", user["id"].as_str().unwrap())
}

async fn switch(provider: &Provider, user: &Value, active: bool) {
    let patch = json!({"Operations": [{"op": "replace", "path": "active", "value": active}]});
    let answer = provider.send("PATCH", &path(user), Some(&patch)).await;
    assert_eq!(answer.status.as_u16(), 200);
}

#[tokio::test]
async fn pages_and_filters_hold_what_they_state() {
    let provider = Provider::new();
    for n in 0..105 {
        let mut user = provider.user(&format!("u{n}"));
        user["externalId"] = json!(format!("X{n}"));
        provider.send("POST", "Users", Some(&user)).await;
    }
    let cases = [
        ("", 105, 1, 100, "u0"),
        ("?startIndex=101", 105, 101, 5, "u100"),
        ("?startIndex=101&count=2", 105, 101, 2, "u100"),
        ("?startIndex=-4&count=1", 105, 1, 1, "u0"),
        ("?startIndex=106", 105, 106, 0, ""),
        ("?count=0", 105, 1, 0, ""),
        ("?count=-1", 105, 1, 0, ""),
        ("?count=1000", 105, 1, 100, "u0"),
    ];
    for (query, total, start, items, first) in cases {
        let page = provider.get(&format!("Users{query}")).await;
        let expected = json!([total, start, items]);
        let found = json!([
            page["totalResults"],
            page["startIndex"],
            page["itemsPerPage"]
        ]);
        assert_eq!(found, expected, "{query}");
        assert_eq!(
            page["Resources"].as_array().unwrap().len(),
            items,
            "{query}"
        );
        assert_eq!(
            page["Resources"][0]["userName"]
                .as_str()
                .unwrap_or_default(),
            first
        );
    }
    for (filter, total) in [
        ("userName eq \"U7\"", 1),
        ("USERNAME EQ \"u7\"", 1),
        ("externalId eq \"X7\"", 1),
        ("externalId eq \"x7\"", 0),
        ("userName eq \"none\"", 0),
    ] {
        let page = provider
            .get(&format!("Users?filter={}", escape(filter)))
            .await;
        assert_eq!(page["totalResults"], total, "{filter}");
    }
}

#[tokio::test]
async fn answers_have_the_attributes_asked_for() {
    let provider = Provider::new();
    let mut user = provider.user("pat");
    user["name"] = json!({"givenName": "Pat", "familyName": "Vale"});
    let answer = provider.send(
        "POST",
        "Users?attributes=USERNAME,name.givenName",
        Some(&user),
    );
    let created = answer.await.json();
    let names = |value: &Value| -> Vec<String> {
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    assert_eq!(
        names(&created),
        ["id", "meta", "name", "schemas", "userName"]
    );
    assert_eq!(created["name"], json!({"givenName": "Pat"}));
    let short = format!(
        "{}?excludedAttributes=emails,name.familyName,groups",
        path(&created)
    );
    let read = provider.get(&short).await;
    assert_eq!(read["name"], json!({"givenName": "Pat"}));
    assert_eq!((read.get("emails"), read.get("groups")), (None, None));
    assert!(read["active"] == json!(true) && read[ACCOUNT].is_object());
    let listed = provider
        .get(&format!("Users?attributes={ACCOUNT}:atlassianAccountId"))
        .await;
    assert!(listed["Resources"][0][ACCOUNT]["atlassianAccountId"].is_string());
    assert_eq!(listed["Resources"][0].get("userName"), None);
}

#[tokio::test(start_paused = true)]
async fn records_have_the_times_at_which_they_were_made_and_changed() {
    let provider = Provider::new();
    let created = provider.create("pat").await;
    assert_eq!(created["meta"]["created"], created["meta"]["lastModified"]);
    tokio::time::advance(Duration::from_secs(90)).await;
    assert_eq!(provider.get(&path(&created)).await["meta"], created["meta"]);
    switch(&provider, &created, false).await;
    let read = provider.get(&path(&created)).await;
    assert_eq!(read["meta"]["created"], created["meta"]["created"]);
    let time = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let late = time(&read["meta"]["lastModified"]).duration_since(time(&read["meta"]["created"]));
    assert_eq!(late.as_secs(), 90);
}

#[tokio::test]
async fn a_user_of_an_unverified_domain_gets_an_account_outside_the_organization() {
    let provider = Provider::with_writes(Writes {
        unverified_domains: UnverifiedDomain::Outside,
        ..Writes::default()
    });
    let before = provider.sim.truth().users;
    let user = json!({"userName": "out", "emails": [{"value": "out@unverified.example", "primary": true}]});
    let answer = provider.send("POST", "Users", Some(&user)).await;
    assert_eq!(answer.status.as_u16(), 201);
    let created = answer.json();
    assert_eq!(provider.account(&created).await, Value::Null);
    assert!(provider.sim.truth().users == before);
    let id = created[ACCOUNT]["atlassianAccountId"]
        .as_str()
        .unwrap()
        .to_owned();
    let manage = format!("/users/{id}/manage/lifecycle/delete");
    let token = provider.sim.access_token();
    let refused = send(&provider.sim, request("POST", &manage, Some(token), None)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["key"]),
        (403, &json!("forbidden"))
    );
    let group = provider.create_group("provided", &[&created]).await;
    assert!(
        provider.accounts_in(&group).is_empty(),
        "not in the directory"
    );
    let again = provider.send("POST", "Users", Some(&user)).await;
    assert_eq!(again.status.as_u16(), 409);
}

#[tokio::test]
async fn a_deactivated_account_is_linked_and_woken_up_by_a_new_record() {
    let provider = Provider::new();
    let first = provider.create("pat").await;
    assert_eq!(provider.account(&first).await["managementSource"], "synced");
    provider.send("DELETE", &path(&first), None).await;
    assert_eq!(provider.status(&first).await, "deactivated");
    let second = provider.create("pat").await;
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first[ACCOUNT], second[ACCOUNT]);
    assert_eq!(provider.status(&second).await, "active");
    let mut other = provider.user("sam");
    other["active"] = json!(false);
    let other = provider.send("POST", "Users", Some(&other)).await.json();
    assert_eq!(provider.status(&other).await, "deactivated");
}

#[tokio::test(start_paused = true)]
async fn a_provider_does_not_cancel_a_deletion_and_its_record_goes_with_the_account() {
    let provider = Provider::new();
    let user = provider.create("pat").await;
    let id = user[ACCOUNT]["atlassianAccountId"].as_str().unwrap();
    let manage = format!("/users/{id}/manage/lifecycle/delete");
    let token = provider.sim.access_token();
    send(&provider.sim, request("POST", &manage, Some(token), None)).await;
    switch(&provider, &user, false).await;
    switch(&provider, &user, true).await;
    assert_eq!(provider.status(&user).await, "for_deletion");
    assert!(!provider.sim.truth().scim_users.is_empty());
    tokio::time::advance(Duration::from_hours(14 * 24)).await;
    assert!(provider.sim.truth().scim_users.is_empty());
    assert_eq!(
        provider
            .send("GET", &path(&user), None)
            .await
            .status
            .as_u16(),
        404
    );
    let again = provider.create("pat").await;
    assert_ne!(again[ACCOUNT], user[ACCOUNT]);
}

#[tokio::test(start_paused = true)]
async fn accounts_follow_their_records_after_the_delay() {
    let provider = Provider::with(atlassian_sim::ScimAccountId::AtOnce, 5);
    let user = provider.create("pat").await;
    assert_eq!(provider.get(&path(&user)).await["userName"], "pat");
    assert_eq!(provider.account(&user).await, Value::Null);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(provider.status(&user).await, "active");
    switch(&provider, &user, false).await;
    assert_eq!(provider.get(&path(&user)).await["active"], false);
    assert_eq!(provider.status(&user).await, "active");
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(provider.status(&user).await, "deactivated");
    assert!(provider.sim.truth() == provider.sim.settled_truth());
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_visible_yet_is_linked_in_both_states() {
    let provider = Provider::with(atlassian_sim::ScimAccountId::AtOnce, 5);
    let email = format!("pat@{}", provider.domain);
    let invitation = json!({"emails": [email]});
    let invited = crate::client::post(&provider.sim, "v2:users/invite", &invitation).await;
    let user = provider.create("pat").await;
    let id = &invited.json()["data"][0]["id"];
    assert_eq!(&user[ACCOUNT]["atlassianAccountId"], id);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(provider.sim.truth() == provider.sim.settled_truth());
}

#[tokio::test]
async fn every_change_of_a_record_writes_an_event() {
    let provider = Provider::new();
    let user = provider.create("pat").await;
    let actions = newest_actions(&provider).await;
    assert_eq!(actions[..2], ["user_provisioned", "user_added_to_org"]);
    switch(&provider, &user, false).await;
    let actions = newest_actions(&provider).await;
    assert_eq!(
        actions[..2],
        ["user_deactivated", "user_provisioning_updated"]
    );
    provider.send("DELETE", &path(&user), None).await;
    assert_eq!(newest_actions(&provider).await[0], "user_deprovisioned");
    let event = newest_events(&provider.sim).await[0].clone();
    let id = &event["attributes"]["context"][0]["id"];
    assert_eq!(id, &user[ACCOUNT]["atlassianAccountId"]);
    let known = get(&provider.sim, "v1:event-actions").await.json();
    let known: Vec<&str> = known["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|a| a["id"].as_str())
        .collect();
    let seen = newest_actions(&provider).await;
    let listed = |a: &String| known.contains(&a.as_str()) || a.contains("of_tomorrow");
    assert!(seen.iter().all(listed), "{seen:?}");
}

#[tokio::test]
async fn documents_describe_the_provider() {
    let provider = Provider::new();
    let can = provider.get("ServiceProviderConfig").await;
    assert_eq!(can["patch"]["supported"], true);
    assert_eq!(can["filter"]["maxResults"], 100);
    let types = provider.get("ResourceTypes").await;
    let names: Vec<&str> = types["Resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|t| t["endpoint"].as_str())
        .collect();
    assert_eq!(names, ["/Users", "/Groups"]);
    let schemas = provider.get("Schemas").await;
    assert_eq!(schemas["totalResults"], 4);
    let user = &schemas["Resources"][0]["attributes"];
    let required: Vec<&str> = user
        .as_array()
        .unwrap()
        .iter()
        .filter(|a| a["required"] == true)
        .filter_map(|a| a["name"].as_str())
        .collect();
    assert_eq!(required, ["userName", "emails"]);
    for document in ["ServiceProviderConfig", "ResourceTypes", "Schemas"] {
        let uri = format!(
            "{}/{document}",
            atlassian_sim::Simulator::scim_path(&provider.directory)
        );
        let answer = send(&provider.sim, request("GET", &uri, None, None)).await;
        assert_eq!(answer.status.as_u16(), 401);
        assert!(answer.json()["traceId"].is_string());
        let wrong = provider.send("POST", document, Some(&json!({}))).await;
        assert_eq!(
            (wrong.status.as_u16(), &wrong.json()["status"]),
            (405, &json!("405"))
        );
    }
}
