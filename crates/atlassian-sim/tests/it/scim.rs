//! Users of an identity provider.

use std::time::Duration;

use atlassian_sim::{ScimAccountId, Simulator};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{request, send};
use crate::provider::{ACCOUNT, Provider};

#[tokio::test]
async fn every_refusal_has_its_form_and_no_effect() {
    let scim = Provider::new();
    let created = scim.send("POST", "Users", Some(&scim.user("taken"))).await;
    assert_eq!(created.status, StatusCode::CREATED);
    let user = format!("Users/{}", created.json()["id"].as_str().unwrap());
    let user = user.as_str();
    let operation = |one: &Value| json!({"Operations": [one]});
    let mut elsewhere = scim.user("elsewhere");
    elsewhere["emails"][0]["value"] = json!("a@unverified.example");
    let mut secondary = scim.user("secondary");
    secondary["emails"][0]["primary"] = json!(false);
    let mut inactive = scim.user("inactive");
    inactive["active"] = json!("no");
    let bad = "invalidValue";
    for (method, path, body, status, kind) in [
        ("POST", "Users", json!([]), 400, "invalidSyntax"),
        ("POST", "Users", json!({}), 400, bad),
        ("POST", "Users", json!({"userName": "x"}), 400, bad),
        ("POST", "Users", secondary, 400, bad),
        ("POST", "Users", elsewhere, 400, bad),
        ("POST", "Users", inactive, 400, bad),
        (
            "POST",
            "Users?attributes=a&excludedAttributes=b",
            scim.user("x"),
            400,
            bad,
        ),
        ("POST", "Users", scim.user("TAKEN"), 409, "uniqueness"),
        ("PUT", "Users/no", scim.user("x"), 404, ""),
        ("PATCH", "Users/no", json!({"Operations": []}), 404, ""),
        ("PUT", user, json!({"userName": "x"}), 400, bad),
        ("PATCH", user, json!({}), 400, bad),
        ("PATCH", user, operation(&json!({"op": "move"})), 400, bad),
        (
            "PATCH",
            user,
            operation(&json!({"op": "add", "value": 1})),
            400,
            bad,
        ),
        (
            "PATCH",
            user,
            operation(&json!({"op": "remove"})),
            400,
            "noTarget",
        ),
        (
            "PATCH",
            user,
            operation(
                &json!({"op": "add", "path": "emails[type eq \"work\"].value", "value": "x"}),
            ),
            400,
            "invalidPath",
        ),
        (
            "PATCH",
            user,
            operation(&json!({"op": "add", "path": "userName.x", "value": "x"})),
            400,
            "invalidPath",
        ),
        (
            "PATCH",
            user,
            operation(&json!({"op": "remove", "path": "userName"})),
            400,
            bad,
        ),
        ("DELETE", "Users/no", Value::Null, 404, ""),
    ] {
        let answer = scim.send(method, path, Some(&body)).await;
        let json = answer.json();
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}");
        assert_eq!(json["status"], status.to_string());
        assert_eq!(json["scimType"].as_str().unwrap_or_default(), kind);
        assert!(!scim.sim.requests().last().unwrap().changed);
    }
    for filter in [
        "userName",
        "name eq \"x\"",
        "userName co \"x\"",
        "userName eq x",
        "displayName eq \"x\"",
        "userName eq \"x\" and externalId eq \"y\"",
    ] {
        let path = format!("Users?filter={}", crate::client::escape(filter));
        let answer = scim.send("GET", &path, None).await;
        assert_eq!(answer.json()["scimType"], "invalidFilter", "{filter}");
    }
    for query in ["startIndex=x", "count=1.5"] {
        let answer = scim.send("GET", &format!("Users?{query}"), None).await;
        assert_eq!(answer.json()["scimType"], bad, "{query}");
    }
    assert_eq!(
        scim.send("GET", "Users/no", None).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_token_opens_its_own_directory_and_the_organizations_key_none() {
    let scim = Provider::new();
    let other = scim.sim.scim_token(&scim.sim.truth().directory_ids[1]);
    let path = format!("{}/Users", Simulator::scim_path(&scim.directory));
    assert_eq!(scim.sim.scim_token(&scim.directory), "own");
    assert_ne!(other, "own");
    for (token, status) in [
        (Some(scim.sim.access_token()), 401),
        (Some(other.as_str()), 403),
        (None, 401),
    ] {
        let answer = send(&scim.sim, request("GET", &path, token, None)).await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(answer.json()["traceId"].is_string());
    }
    let unknown = send(
        &scim.sim,
        request("GET", "/scim/directory/no/Users", Some(&other), None),
    );
    assert_eq!(unknown.await.json()["status"], "404");
}

#[tokio::test]
async fn a_user_is_created_found_changed_and_deleted() {
    let scim = Provider::new();
    let created = scim
        .send("POST", "Users", Some(&scim.user("new")))
        .await
        .json();
    assert_eq!(scim.status(&created).await, "active");
    let filter = crate::client::escape("userName eq \"NEW\"");
    let found = scim
        .send("GET", &format!("Users?filter={filter}"), None)
        .await
        .json();
    assert_eq!(
        (&found["totalResults"], &found["Resources"][0]),
        (&json!(1), &created)
    );
    let user = format!("Users/{}", created["id"].as_str().unwrap());
    let patch = json!({"operations": [
        {"op": "replace", "value": {"active": false}},
        {"op": "Add", "path": "name.givenName", "value": "Ann"},
    ]});
    let patched = scim.send("PATCH", &user, Some(&patch)).await.json();
    assert_eq!(
        (&patched["active"], &patched["name"]),
        (&json!(false), &json!({"givenName": "Ann"}))
    );
    assert_eq!(scim.status(&created).await, "deactivated");
    let replaced = scim
        .send("PUT", &user, Some(&scim.user("renamed")))
        .await
        .json();
    assert_eq!(
        (&replaced["userName"], replaced.get("name")),
        (&json!("renamed"), None)
    );
    assert_eq!(scim.status(&created).await, "active");
    let only = scim
        .send("GET", &format!("{user}?attributes=userName"), None)
        .await
        .json();
    assert_eq!(
        (only["userName"].clone(), only.get("emails")),
        (json!("renamed"), None)
    );
    assert_eq!(
        scim.send("DELETE", &user, None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        scim.send("DELETE", &user, None).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(scim.status(&created).await, "deactivated");
    assert_eq!(
        scim.send("GET", "Users", None).await.json()["totalResults"],
        0
    );
}

#[tokio::test]
async fn an_account_with_the_same_address_is_linked() {
    let scim = Provider::new();
    let truth = scim.sim.truth();
    let outside =
        |u: &&atlassian_sim::TruthUser| u.managed && u.status == "not_invited" && u.email.is_some();
    let known = truth.users.iter().find(outside).unwrap();
    let email = known.email.clone().unwrap();
    let body = json!({"userName": "linked", "emails": [{"value": email, "primary": true}]});
    let created = scim.send("POST", "Users", Some(&body)).await.json();
    assert_eq!(
        created[ACCOUNT]["atlassianAccountId"],
        json!(known.account_id)
    );
    assert_eq!(scim.status(&created).await, "active");
    assert_eq!(scim.sim.truth().users.len(), truth.users.len());
}

#[tokio::test(start_paused = true)]
async fn the_account_id_comes_late_or_never() {
    for (setting, later) in [
        (ScimAccountId::After(Duration::from_secs(20)), true),
        (ScimAccountId::Never, false),
    ] {
        let scim = Provider::with(setting, 5);
        let created = scim
            .send("POST", "Users", Some(&scim.user("late")))
            .await
            .json();
        assert_eq!(created.get(ACCOUNT), None);
        let user = format!("Users/{}", created["id"].as_str().unwrap());
        assert_eq!(
            scim.send("GET", &user, None).await.json().get(ACCOUNT),
            None
        );
        tokio::time::advance(Duration::from_secs(20)).await;
        let read = scim.send("GET", &user, None).await.json();
        assert_eq!(read.get(ACCOUNT).is_some(), later);
        if later {
            assert_eq!(scim.status(&read).await, "active");
        }
        assert!(scim.sim.truth() == scim.sim.settled_truth());
    }
}

#[tokio::test]
async fn bodies_have_a_json_media_type() {
    let scim = Provider::new();
    for (media, status) in [
        ("application/scim+json", 201),
        ("application/json; charset=utf-8", 201),
        ("text/plain", 415),
    ] {
        let uri = format!("{}/Users", Simulator::scim_path(&scim.directory));
        let name = media.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let body = axum::body::Body::from(scim.user(&name).to_string());
        let request = http::Request::builder()
            .method("POST")
            .uri(uri)
            .header("authorization", "Bearer own")
            .header("content-type", media)
            .body(body)
            .unwrap();
        let answer = send(&scim.sim, request).await;
        assert_eq!(answer.status.as_u16(), status, "{media}: {}", answer.text());
        assert!(status == 201 || answer.json()["status"] == "415");
    }
}
