//! Making and revoking API keys, revoking all tokens, and changing profiles.

use std::time::Duration;

use atlassian_sim::{AccessKey, Config};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, get, ids, ids_at, newest_events, post};
use crate::stage::{Stage, check, refused};

const KEYS: &str = "api-access/v1:api-keys";
const REVOKE: &str = "api-access/v1:api-keys/revoke/{key}";
const TOKENS: &str = "api-access/v1:api-tokens";

async fn keys(stage: &Stage) -> Vec<String> {
    let list = List {
        size: "pageSize",
        ..List::get(KEYS)
    };
    ids(&list.all(&stage.sim, &json!({})).await, "id")
}

#[tokio::test]
async fn every_refusal_has_its_code_and_no_effect() {
    let stage = Stage::new();
    let code = "ADMIN-UAM-400-1";
    let bodies = [
        "",
        "{}",
        r#"{"label": ""}"#,
        r#"{"label": 1}"#,
        r#"{"label": "x", "scopes": 1}"#,
        r#"{"label": "x", "expiresAt": "soon"}"#,
        r#"{"label": "x", "expiresAt": "2026-11-01T00:00:00Z"}"#,
        r#"{"label": "x", "expiresAt": "2028-11-01T00:00:00Z"}"#,
    ];
    let rows: Vec<_> = bodies
        .iter()
        .map(|body| refused(body, "POST", KEYS, body, 400, code))
        .collect();
    check(&stage, &rows).await;
    let unknown = "api-access/v1:api-keys/revoke/no";
    let rows = [
        refused("unknown", "PATCH", unknown, "", 404, "ADMIN-404-1"),
        refused("wrong method", "POST", unknown, "", 405, "ADMIN-405-1"),
    ];
    check(&stage, &rows).await;
    assert_eq!(keys(&stage).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_works_from_its_creation_to_its_revocation_or_expiry() {
    let stage = Stage::of(Config {
        visibility_delay: Duration::from_secs(5),
        ..config(60, 12)
    });
    let make = async |expires: &str| {
        let body = json!({"label": "second", "scopes": ["read:orgs:admin"], "expiresAt": expires});
        post(&stage.sim, KEYS, &body).await.json()
    };
    let made = make("2026-12-01T00:00:00Z").await;
    let token = made["token"].as_str().unwrap();
    let status = async |token: &str, short: &str| {
        let answer = stage.send_as(token, "GET", short, "").await;
        answer.status.as_u16()
    };
    let own = format!("/admin/v1/orgs/{}", stage.sim.organization_id());
    assert_eq!(status(token, &own).await, 200);
    assert_eq!(status(token, "v2:directories").await, 401, "not its scope");
    let listed = get(&stage.sim, KEYS).await;
    assert!(!listed.text().contains(token));
    let shown = &listed.json()["data"][1];
    assert_eq!(
        (&shown["id"], &shown["label"]),
        (&made["id"], &json!("second"))
    );
    assert_eq!(shown["expiresAt"], "2026-12-01T00:00:00Z");
    let answer = stage.send("PATCH", REVOKE, "").await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (StatusCode::NO_CONTENT, "")
    );
    assert_eq!(status(token, &own).await, 401);
    assert_eq!(keys(&stage).await.len(), 1);
    let again = format!(
        "api-access/v1:api-keys/revoke/{}",
        made["id"].as_str().unwrap()
    );
    assert_eq!(
        stage.send("PATCH", &again, "").await.status,
        StatusCode::NOT_FOUND
    );
    let actions = ids_at(&newest_events(&stage.sim).await, "/attributes/action");
    assert_eq!(actions[..2], ["api_key_revoked", "api_key_created"]);
    let next = make("2026-11-24T00:00:00Z").await;
    let next = next["token"].as_str().unwrap();
    assert_ne!(next, token);
    assert_eq!(status(next, &own).await, 200);
    tokio::time::advance(Duration::from_hours(4)).await;
    assert_eq!(status(next, &own).await, 401);
    let all = format!("{:?} {:?}", stage.sim, stage.sim.requests());
    assert!(!all.contains(next) && !all.contains(token));
}

#[tokio::test]
async fn a_key_can_revoke_itself() {
    let stage = Stage::new();
    let answer = stage.send("PATCH", REVOKE, "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        get(&stage.sim, "v2:directories").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn writes_of_keys_and_tokens_have_scopes() {
    let scopes = [
        "write:keys:admin",
        "delete:keys:admin",
        "delete:tokens:admin",
    ];
    let mut keys = vec![AccessKey::unscoped("all")];
    keys.extend(scopes.map(|s| AccessKey::scoped(s, [s])));
    let stage = Stage::of(Config {
        keys,
        ..config(60, 12)
    });
    let calls = [
        ("POST", KEYS, r#"{"label": "x"}"#),
        ("PATCH", REVOKE, ""),
        ("DELETE", TOKENS, ""),
    ];
    for (place, (method, path, body)) in calls.into_iter().enumerate() {
        for (other, scope) in scopes.iter().enumerate() {
            let answer = stage.send_as(scope, method, path, body).await;
            assert_eq!(
                answer.status.is_success(),
                place == other,
                "{path} with {scope}"
            );
            assert!(place == other || answer.code() == "ADMIN-401-2");
        }
    }
}

#[tokio::test]
async fn a_request_to_revoke_all_tokens_is_carried_out_and_never_forgotten() {
    let stage = Stage::new();
    assert!(!stage.sim.truth().tokens.is_empty());
    stage
        .send("DELETE", "/users/{member}/manage/api-tokens/{token}", "")
        .await;
    get(&stage.sim, TOKENS).await;
    assert!(stage.sim.alarms().is_empty());
    let answer = stage.send("DELETE", TOKENS, "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(stage.sim.truth().tokens.is_empty());
    stage.send_as("wrong", "DELETE", TOKENS, "").await;
    let alarms = stage.sim.alarms();
    let facts: Vec<_> = alarms.iter().map(|r| (r.status, r.changed)).collect();
    assert_eq!(
        facts,
        [(204, true), (401, false)],
        "refused ones count as well"
    );
    assert_eq!(alarms[0].endpoint, Some("DELETE api-access/v1/api-tokens"));
}

#[tokio::test(start_paused = true)]
async fn profiles_are_changed_after_the_delay() {
    let stage = Stage::of(Config {
        visibility_delay: Duration::from_secs(5),
        ..config(60, 12)
    });
    let profile = "/users/{member}/manage/profile";
    let email = "/users/{member}/manage/email";
    for (method, path, body, status, key) in [
        ("PATCH", profile, r#"{"name": " "}"#, 400, "badRequest"),
        ("PATCH", profile, r#"{"name": 1}"#, 400, "badRequest"),
        ("PUT", email, "{}", 400, "badRequest"),
        ("PUT", email, r#"{"email": "none"}"#, 400, "badRequest"),
        (
            "PUT",
            email,
            r#"{"email": "a@unverified.example"}"#,
            400,
            "badRequest",
        ),
        (
            "PATCH",
            "/users/no/manage/profile",
            "{}",
            404,
            "accountNotFound",
        ),
        (
            "PUT",
            "/users/no/manage/email",
            "{}",
            404,
            "accountNotFound",
        ),
    ] {
        let answer = stage.send(method, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {body}");
        assert_eq!(answer.json()["key"], key);
        assert!(!stage.changed());
    }
    let answer = stage.send("PATCH", profile, r#"{"name": "Mem Two"}"#).await;
    assert_eq!(answer.json()["account"]["name"], "Mem Two");
    let answer = stage
        .send("PUT", email, r#"{"email": "mem.two@{domain}"}"#)
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let shown = async || {
        let path = format!("v2:directories/-/users/{}", stage.member);
        let user = get(&stage.sim, &path).await.json()["data"].clone();
        (user["name"].clone(), user["email"].clone())
    };
    assert_ne!(shown().await.0, "Mem Two");
    tokio::time::advance(Duration::from_secs(5)).await;
    let expected = (json!("Mem Two"), json!(stage.fill("mem.two@{domain}")));
    assert_eq!(shown().await, expected);
    let actions = ids_at(&newest_events(&stage.sim).await, "/attributes/action");
    assert_eq!(actions[..2], ["user_email_changed", "user_profile_changed"]);
    assert!(stage.sim.truth() == stage.sim.settled_truth());
}

#[tokio::test]
async fn the_account_of_an_app_lives_with_the_app() {
    let stage = Stage::new();
    let mut apps = Vec::new();
    for user in stage.sim.truth().users.iter().filter(|u| u.managed) {
        let path = format!("v2:directories/-/users/{}", user.account_id);
        if get(&stage.sim, &path).await.json()["data"]["accountType"] == "app" {
            apps.push(user.account_id.clone());
        }
    }
    let app = &apps[0];
    for end in ["delete", "cancel-delete", "disable", "enable"] {
        let path = format!("/users/{app}/manage/lifecycle/{end}");
        let answer = stage.send("POST", &path, "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        assert_eq!(answer.json()["key"], "forbidden.action");
        assert!(answer.json()["context"].is_string() && !stage.changed());
    }
    let may = get(&stage.sim, &format!("/users/{app}/manage"))
        .await
        .json();
    for (privilege, allowed) in [
        ("lifecycle.delete", false),
        ("lifecycle.enablement", false),
        ("profile.read", true),
    ] {
        assert_eq!(
            may[privilege]["allowed"],
            Value::Bool(allowed),
            "{privilege}"
        );
    }
}
