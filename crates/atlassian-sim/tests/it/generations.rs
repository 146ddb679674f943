//! Old and new generations of the API, alive, gone and retired.

use atlassian_sim::{Answers, Config, Generation, Simulator};
use http::StatusCode;
use serde_json::json;

use crate::client::{config, get, path, post, request, send};
use crate::stage::{Stage, check, done, refused};

fn with(answers: Answers) -> Simulator {
    Simulator::new(Config {
        answers,
        ..config(30, 5)
    })
    .unwrap()
}

const RETIRED: [(&str, &str); 12] = [
    ("POST", "v1:users/search"),
    ("POST", "v1:groups/search"),
    ("POST", "v1:users/invite"),
    ("POST", "v1:directory/users/a/suspend-access"),
    ("POST", "v1:directory/users/a/restore-access"),
    ("DELETE", "v1:directory/users/a"),
    ("POST", "v1:directory/groups"),
    ("DELETE", "v1:directory/groups/g"),
    ("POST", "v1:directory/groups/g/roles/assign"),
    ("POST", "v1:directory/groups/g/roles/revoke"),
    ("POST", "v1:directory/groups/g/memberships"),
    ("DELETE", "v1:directory/groups/g/memberships/a"),
];

#[tokio::test]
async fn retired_paths_answer_as_a_gone_route_or_with_410() {
    for (generation, status) in [
        (Generation::NotFound, StatusCode::NOT_FOUND),
        (Generation::Gone, StatusCode::GONE),
    ] {
        let sim = with(Answers {
            retired_v1: generation,
            ..Answers::default()
        });
        for (method, short) in RETIRED {
            let answer = send(
                &sim,
                request(method, &path(&sim, short), Some(sim.access_token()), None),
            )
            .await;
            assert_eq!(answer.status, status, "{short}");
            assert_eq!(
                answer.json().get("errors").is_some(),
                generation == Generation::Gone
            );
        }
        assert_eq!(sim.strays().len(), RETIRED.len());
    }
}

#[tokio::test]
async fn retired_searches_can_be_called_back() {
    let sim = with(Answers {
        retired_v1: Generation::Alive,
        ..Answers::default()
    });
    let users = post(&sim, "v1:users/search", &json!({"limit": 100}))
        .await
        .json();
    assert_eq!(
        users["data"].as_array().unwrap().len(),
        sim.truth().users.len()
    );
    assert_eq!(
        post(&sim, "v1:groups/search", &json!({})).await.status,
        StatusCode::OK
    );
    assert!(sim.strays().is_empty());
}

#[tokio::test]
async fn retired_writes_can_be_called_back() {
    let stage = Stage::of(Config {
        answers: Answers {
            retired_v1: Generation::Alive,
            ..Answers::default()
        },
        ..config(60, 12)
    });
    let unknown = "ADMIN-UAM-404-1";
    let member = r#"{"account_id": "{user}"}"#;
    let role = r#"{"role": "atlassian/user", "resource": "{jira}"}"#;
    let members = "v1:directory/groups/{group}/memberships";
    let rows = [
        done("add", "POST", members, member, true),
        done("add again", "POST", members, member, false),
        refused(
            "v2 name",
            "POST",
            members,
            r#"{"accountId": "{user}"}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        done(
            "remove",
            "DELETE",
            "v1:directory/groups/{group}/memberships/{user}",
            "",
            true,
        ),
        done(
            "assign",
            "POST",
            "v1:directory/groups/{group}/roles/assign",
            role,
            true,
        ),
        done(
            "revoke",
            "POST",
            "v1:directory/groups/{group}/roles/revoke",
            role,
            true,
        ),
        done("delete", "DELETE", "v1:directory/groups/{group}", "", true),
        refused(
            "delete again",
            "DELETE",
            "v1:directory/groups/{group}",
            "",
            404,
            "ADMIN-UAM-404-3",
        ),
    ];
    check(&stage, &rows).await;
    for (path, message) in [
        (
            "v1:directory/users/{user}/suspend-access",
            "access suspended",
        ),
        (
            "v1:directory/users/{user}/restore-access",
            "access restored",
        ),
    ] {
        let answer = stage.send("POST", path, "").await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::OK, json!({"message": message}))
        );
        assert!(stage.changed());
    }
    let group = stage
        .send("POST", "v1:directory/groups", r#"{"name": "new"}"#)
        .await;
    assert_eq!(group.status, StatusCode::OK);
    let invited = r#"{"emails": ["new@other.example"]}"#;
    assert_eq!(
        stage.send("POST", "v1:users/invite", invited).await.status,
        StatusCode::OK
    );
    let rows = [
        done("remove", "DELETE", "v1:directory/users/{user}", "", true),
        refused(
            "remove again",
            "DELETE",
            "v1:directory/users/{user}",
            "",
            404,
            unknown,
        ),
        refused(
            "suspend",
            "POST",
            "v1:directory/users/{user}/suspend-access",
            "",
            404,
            unknown,
        ),
    ];
    check(&stage, &rows).await;
    stage.one_admin();
    let last = "v1:directory/users/{user}";
    check(
        &stage,
        &[refused("in no directory", "DELETE", last, "", 404, unknown)],
    )
    .await;
    assert!(stage.sim.strays().is_empty());
}

#[tokio::test]
async fn lists_and_searches_can_end_alone() {
    let sim = with(Answers {
        get_lists: Generation::NotFound,
        ..Answers::default()
    });
    assert_eq!(
        get(&sim, "v2:directories/-/users").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        get(&sim, "v2:directories/-/groups").await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        post(&sim, "v2:directories/-/users/search", &json!({}))
            .await
            .status,
        StatusCode::OK
    );
    let sim = with(Answers {
        searches: Generation::Gone,
        ..Answers::default()
    });
    assert_eq!(
        post(&sim, "v2:directories/-/users/search", &json!({}))
            .await
            .status,
        StatusCode::GONE
    );
    assert_eq!(
        get(&sim, "v2:directories/-/users").await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_user_can_appear_once_per_directory() {
    let sim = with(Answers {
        user_per_directory: true,
        ..Answers::default()
    });
    let truth = sim.truth();
    let expected: usize = truth
        .users
        .iter()
        .map(|u| u.directory_ids.len().max(1))
        .sum();
    assert!(expected > truth.users.len());
    for size in [1, 2, 3, 100] {
        let pages = crate::client::List::get("v2:directories/-/users")
            .pages(&sim, Some(size), &json!({}))
            .await;
        assert_eq!(pages.into_iter().flatten().count(), expected, "by {size}");
    }
}
