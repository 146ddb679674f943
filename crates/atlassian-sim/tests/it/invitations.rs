//! Invitations by e-mail.

use std::time::Duration;

use atlassian_sim::{Config, Writes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, get, ids, ids_at, newest_events};
use crate::stage::{Stage, check, refused};

const INVITE: &str = "v2:users/invite";

async fn invite(stage: &Stage, body: &Value) -> Value {
    let answer = stage.send("POST", INVITE, &body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()["data"].clone()
}

async fn status(stage: &Stage, id: &Value) -> Value {
    let path = format!("v2:directories/-/users/{}", id.as_str().unwrap());
    get(&stage.sim, &path).await.json()["data"]["status"].clone()
}

#[tokio::test]
async fn every_refusal_of_an_invitation_has_its_code_and_no_effect() {
    let stage = Stage::new();
    let bodies = [
        "",
        "{}",
        r#"{"emails": []}"#,
        r#"{"emails": [7]}"#,
        r#"{"emails": ["nobody"]}"#,
        r#"{"emails": ["a b@acme.test"]}"#,
        r#"{"emails": ["a@acme.test"], "sendNotification": "yes"}"#,
        r#"{"emails": ["a@acme.test"], "notificationText": 1}"#,
        r#"{"emails": ["a@acme.test"], "additionalGroups": [1]}"#,
        r#"{"emails": ["a@acme.test"], "permissionRules": {}}"#,
        r#"{"emails": ["a@acme.test"], "permissionRules": ["x"]}"#,
        r#"{"emails": ["a@acme.test"], "permissionRules": [{"resource": "x"}]}"#,
    ];
    let rows: Vec<_> = bodies
        .iter()
        .map(|body| refused(body, "POST", INVITE, body, 400, "ADMIN-UAM-400-1"))
        .collect();
    check(&stage, &rows).await;
    let empty = r#"{"emails": ["a@acme.test"], "permissionRules": [{"role": "atlassian/user"}]}"#;
    check(
        &stage,
        &[refused(
            "no resource",
            "POST",
            INVITE,
            empty,
            400,
            "ADMIN-UAM-400-5",
        )],
    )
    .await;
    assert!(stage.sim.organization().invitations().is_empty());
    let stage = Stage::with(Writes {
        not_enabled: Writes::SUPPORT_ENABLED.map(str::to_owned).to_vec(),
        ..Writes::default()
    });
    let body = r#"{"emails": ["a@acme.test"]}"#;
    check(
        &stage,
        &[refused(
            "not enabled",
            "POST",
            INVITE,
            body,
            403,
            "ADMIN-UAM-403-1",
        )],
    )
    .await;
}

#[tokio::test]
async fn invited_people_are_found_by_their_address_with_roles_and_groups() {
    let stage = Stage::new();
    let body = json!({
        "emails": ["New.One@Other.example", "new.one@other.example", "pat@acme.test"],
        "permissionRules": [
            {"resource": stage.confluence, "role": "atlassian/viewer"},
            {"resource": stage.confluence, "role": "atlassian/customer"},
            {"resource": "ari:no", "role": "atlassian/user"},
        ],
        "additionalGroups": [stage.group, stage.synced, "no"],
    });
    let data = invite(&stage, &body).await;
    assert_eq!(data.as_array().unwrap().len(), 2, "an address counts once");
    assert_eq!(data[1]["id"], json!(stage.user), "the account exists");
    for row in data.as_array().unwrap() {
        let result = &row["results"][0];
        let roles = result["roleAssignmentResult"].as_array().unwrap();
        let groups = result["groupAssignmentResult"].as_array().unwrap();
        assert_eq!(ids(roles, "status"), ["INVITED", "ERROR", "ERROR"]);
        assert_eq!(ids(groups, "status"), ["INVITED", "ERROR", "ERROR"]);
        let id = row["id"].as_str().unwrap();
        assert!(
            stage
                .role(id, &stage.confluence, "atlassian/viewer")
                .is_some()
        );
        assert!(stage.is_member(&stage.group, id));
    }
    let found = List::post("v2:directories/-/users/search")
        .all(&stage.sim, &json!({"emails": ["new.one@other.example"]}))
        .await;
    assert_eq!(found[0]["accountId"], data[0]["id"]);
    assert_eq!(found[0]["status"], "invited");
    let sent = stage.sim.organization().invitations();
    assert_eq!(sent, ["New.One@Other.example", "pat@acme.test"]);
    let actions = ids_at(&newest_events(&stage.sim).await, "/attributes/action");
    assert!(actions[..6].contains(&"user_invited".to_owned()));
    let again = json!({"emails": ["new.one@other.example"]});
    assert_eq!(invite(&stage, &again).await[0]["id"], data[0]["id"]);
    assert_eq!(
        stage.sim.organization().invitations().len(),
        3,
        "a repeat sends another e-mail"
    );
    let silent = json!({"emails": ["new.one@other.example"], "sendNotification": false});
    invite(&stage, &silent).await;
    assert!(!stage.changed());
}

#[tokio::test]
async fn a_licence_limit_ends_the_invitations_of_its_product() {
    let stage = Stage::with(Writes {
        licence_limit: Some(0),
        ..Writes::default()
    });
    let org = stage.sim.organization();
    let role = r#"{"role": "atlassian/user", "resource": "{jira}"}"#;
    let mut room_for_one = 0;
    while stage
        .send("POST", "v1:users/{user}/roles/assign", role)
        .await
        .status
        == StatusCode::CONFLICT
    {
        room_for_one += 1;
        org.set_licence_limit(&stage.jira, Some(room_for_one))
            .unwrap();
    }
    stage
        .send("POST", "v1:users/{user}/roles/revoke", role)
        .await;
    let body = json!({
        "emails": ["a@other.example", "b@other.example"],
        "permissionRules": [
            {"resource": stage.jira, "role": "atlassian/user"},
            {"resource": stage.jira, "role": "atlassian/admin"},
        ],
    });
    let data = invite(&stage, &body).await;
    let statuses = |n: usize| {
        ids(
            data[n]["results"][0]["roleAssignmentResult"]
                .as_array()
                .unwrap(),
            "status",
        )
    };
    assert_eq!(
        statuses(0),
        ["INVITED", "INVITED"],
        "one seat for two roles"
    );
    assert_eq!(statuses(1), ["ERROR", "ERROR"]);
}

#[tokio::test(start_paused = true)]
async fn an_invitation_shows_after_the_delay_and_is_accepted_later() {
    let stage = Stage::of(Config {
        visibility_delay: Duration::from_secs(5),
        writes: Writes {
            invitations_accepted_after: Some(Duration::from_mins(1)),
            ..Writes::default()
        },
        ..config(60, 12)
    });
    let body = json!({
        "emails": ["a@other.example"],
        "permissionRules": [{"resource": stage.jira, "role": "atlassian/user"}],
    });
    let id = invite(&stage, &body).await[0]["id"].clone();
    assert_eq!(status(&stage, &id).await, Value::Null);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(status(&stage, &id).await, "invited");
    assert!(
        stage
            .role(id.as_str().unwrap(), &stage.jira, "atlassian/user")
            .is_some()
    );
    tokio::time::advance(Duration::from_secs(55)).await;
    assert_eq!(status(&stage, &id).await, "active");
    assert!(stage.sim.truth() == stage.sim.settled_truth());
}

#[tokio::test(start_paused = true)]
async fn the_handle_can_change_what_is_not_visible_yet() {
    let stage = Stage::of(Config {
        visibility_delay: Duration::from_secs(5),
        ..config(60, 12)
    });
    let org = stage.sim.organization();
    let id = invite(&stage, &json!({"emails": ["a@other.example"]})).await[0]["id"].clone();
    let later = org.add_group("later", None, false).unwrap();
    org.rename_user(id.as_str().unwrap(), "Ann").unwrap();
    org.remove_user(id.as_str().unwrap()).unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    let (seen, settled) = (stage.sim.truth(), stage.sim.settled_truth());
    assert!(seen.users == settled.users && seen.groups == settled.groups);
    assert!(seen.groups.iter().any(|g| g.id == later));
    assert_eq!(status(&stage, &id).await, Value::Null);
}
