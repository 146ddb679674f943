//! Keys, scopes and the forms of errors.

use atlassian_sim::{AccessKey, Answers, Config, ScopeRefusal, Simulator};
use http::StatusCode;
use serde_json::json;

use crate::client::{config, get, path, post, request, send, simulator};

/// Every endpoint with its method and the scopes that open it.
fn endpoints(sim: &Simulator) -> Vec<(&'static str, String, &'static [&'static str])> {
    let truth = sim.truth();
    let (user, group) = (&truth.users[0].account_id, &truth.groups[0].id);
    let d = "v2:directories/-";
    let directories = &["read:directories:admin"][..];
    let groups = &["read:groups:admin"][..];
    let tokens = &["read:tokens:admin"][..];
    let events = &["read:events:admin"][..];
    vec![
        ("GET", "/admin/v1/orgs".to_owned(), &[]),
        (
            "GET",
            format!("/admin/v1/orgs/{}", sim.organization_id()),
            &["read:orgs:admin"],
        ),
        ("GET", "v2:directories".to_owned(), directories),
        ("GET", format!("{d}/users"), directories),
        ("POST", format!("{d}/users/search"), directories),
        ("GET", format!("{d}/users/count"), directories),
        ("GET", format!("{d}/users/stats"), directories),
        ("GET", format!("{d}/users/{user}"), directories),
        (
            "GET",
            format!("{d}/users/{user}/role-assignments"),
            directories,
        ),
        ("GET", format!("{d}/groups"), groups),
        ("POST", format!("{d}/groups/search"), groups),
        ("GET", format!("{d}/groups/count"), groups),
        ("GET", format!("{d}/groups/stats"), groups),
        ("GET", format!("{d}/groups/{group}"), groups),
        (
            "GET",
            format!("{d}/groups/{group}/role-assignments"),
            groups,
        ),
        (
            "POST",
            "v2:workspaces".to_owned(),
            &["read:workspaces:admin"],
        ),
        ("GET", "api-access/v1:api-tokens".to_owned(), tokens),
        ("GET", "api-access/v1:api-tokens/count".to_owned(), tokens),
        (
            "GET",
            "api-access/v1:api-keys".to_owned(),
            &["read:keys:admin", "read:tokens:admin"],
        ),
        ("GET", "v1:events".to_owned(), events),
        ("GET", "v1:events-stream".to_owned(), events),
        ("GET", "v1:event-actions".to_owned(), events),
        ("GET", "v1:users".to_owned(), &["read:accounts:admin"]),
        (
            "GET",
            format!("v1:directory/users/{user}/last-active-dates"),
            directories,
        ),
        ("GET", format!("/users/{user}/manage"), &[]),
        ("GET", format!("/users/{user}/manage/profile"), &[]),
        ("GET", format!("/users/{user}/manage/api-tokens"), &[]),
    ]
}

const ALL_SCOPES: [&str; 9] = [
    "read:orgs:admin",
    "read:directories:admin",
    "read:groups:admin",
    "read:workspaces:admin",
    "read:tokens:admin",
    "read:keys:admin",
    "read:events:admin",
    "read:accounts:admin",
    "write:everything:admin",
];

#[tokio::test]
async fn scoped_keys_open_what_their_scope_names_and_nothing_else() {
    let mut keys = vec![AccessKey::unscoped("all")];
    keys.extend(ALL_SCOPES.iter().map(|s| AccessKey::scoped(*s, [*s])));
    for (refusal, status, code) in [
        (
            ScopeRefusal::Unauthorized,
            StatusCode::UNAUTHORIZED,
            "ADMIN-401-2",
        ),
        (
            ScopeRefusal::Forbidden,
            StatusCode::FORBIDDEN,
            "ADMIN-UAM-403-1",
        ),
    ] {
        let answers = Answers {
            scope_refusal: refusal,
            ..Answers::default()
        };
        let sim = Simulator::new(Config {
            keys: keys.clone(),
            answers,
            ..config(20, 3)
        })
        .unwrap();
        for (method, short, scopes) in endpoints(&sim) {
            let ask = async |token: &str| {
                send(
                    &sim,
                    request(method, &path(&sim, &short), Some(token), None),
                )
                .await
            };
            assert_eq!(ask("all").await.status, StatusCode::OK, "{short}");
            for scope in ALL_SCOPES {
                let answer = ask(scope).await;
                if scopes.contains(&scope) {
                    assert_eq!(answer.status, StatusCode::OK, "{short} with {scope}");
                } else {
                    // The account API refuses every key with scopes with 403.
                    let of_account = short.starts_with("/users");
                    let expected = if of_account {
                        StatusCode::FORBIDDEN
                    } else {
                        status
                    };
                    assert_eq!(answer.status, expected, "{short} with {scope}");
                    let proxied =
                        short.contains("workspaces") && status == StatusCode::UNAUTHORIZED;
                    let coded = !of_account && !proxied;
                    assert!(
                        !coded || answer.code() == code,
                        "{short}: {}",
                        answer.text()
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn admin_paths_work_with_and_without_prefix_and_account_paths_at_the_root() {
    let sim = simulator(20, 3);
    for (method, short, _) in endpoints(&sim) {
        let full = path(&sim, &short);
        let other = full
            .strip_prefix("/admin")
            .map_or_else(|| format!("/admin{full}"), str::to_owned);
        let answer = send(
            &sim,
            request(method, &other, Some(sim.access_token()), None),
        )
        .await;
        let expected = if full.starts_with("/admin") {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(answer.status, expected, "{other}");
    }
    assert_eq!(
        sim.strays().len(),
        3,
        "the three account paths under /admin"
    );
}

#[tokio::test]
async fn unknown_things_answer_404_in_the_family_form() {
    let sim = simulator(20, 3);
    let nobody = "712020:00000000-0000-4000-8000-000000000000";
    let rows = [
        (format!("v2:directories/-/users/{nobody}"), "ADMIN-404-8"),
        (
            format!("v2:directories/-/users/{nobody}/role-assignments"),
            "ADMIN-404-8",
        ),
        ("v2:directories/-/groups/x".to_owned(), "ADMIN-404-10"),
        (
            "v2:directories/-/groups/x/role-assignments".to_owned(),
            "ADMIN-404-10",
        ),
        ("v2:directories/x/users".to_owned(), "ADMIN-UAM-404-1"),
        ("v1:events/x".to_owned(), "ADMIN-404-4"),
        (
            format!("v1:directory/users/{nobody}/last-active-dates"),
            "ADMIN-404-8",
        ),
    ];
    for (short, code) in rows {
        let answer = get(&sim, &short).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::NOT_FOUND, code),
            "{short}"
        );
    }
    let account = get(&sim, &format!("/users/{nobody}/manage")).await;
    assert_eq!(
        (account.status, account.json()["errorKey"].as_str()),
        (StatusCode::NOT_FOUND, Some("account-not-found"))
    );
    let unmanaged = sim
        .truth()
        .users
        .iter()
        .find(|u| !u.managed)
        .unwrap()
        .account_id
        .clone();
    let forbidden = get(&sim, &format!("/users/{unmanaged}/manage/profile")).await;
    assert_eq!(
        (forbidden.status, forbidden.json()["key"].as_str()),
        (StatusCode::FORBIDDEN, Some("forbidden"))
    );
}

#[tokio::test]
async fn bodies_must_be_json_objects_of_the_right_type() {
    let sim = simulator(20, 3);
    let uri = path(&sim, "v2:directories/-/groups/search");
    let plain = http::Request::builder()
        .method("POST")
        .uri(&uri)
        .header("authorization", format!("Bearer {}", sim.access_token()))
        .header("content-type", "text/plain")
        .body(axum::body::Body::from("{}"))
        .unwrap();
    let answer = send(&sim, plain).await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, "ADMIN-UAM-415-1")
    );
    for body in [
        json!([]),
        json!("x"),
        json!(3),
        json!({"groupIds": 3}),
        json!({"groupIds": [3]}),
        json!({"searchTerm": {}}),
    ] {
        let answer = post(&sim, "v2:directories/-/groups/search", &body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "ADMIN-400-24"),
            "{body}"
        );
    }
    let empty = send(&sim, request("POST", &uri, Some(sim.access_token()), None)).await;
    assert_eq!(empty.status, StatusCode::OK);
    let large = json!({"searchTerm": "x".repeat(2 * 1024 * 1024)});
    assert_eq!(
        post(&sim, "v2:directories/-/users/search", &large)
            .await
            .status,
        StatusCode::PAYLOAD_TOO_LARGE
    );
}

#[tokio::test]
async fn error_status_can_be_a_number() {
    let answers = Answers {
        numeric_error_status: true,
        ..Answers::default()
    };
    let sim = Simulator::new(Config {
        answers,
        ..config(20, 3)
    })
    .unwrap();
    let answer = get(&sim, "v2:directories/-/users?limit=0").await;
    assert_eq!(answer.json()["errors"][0]["status"], 400);
    let one = &answer.json()["errors"][0];
    assert!(
        ["id", "code", "title", "detail"]
            .iter()
            .all(|m| one[m].as_str().is_some_and(|t| !t.is_empty()))
    );
}

#[tokio::test]
async fn tokens_never_appear_in_debug_output_or_the_log() {
    let sim = simulator(20, 3);
    get(&sim, "v2:directories").await;
    let all = format!("{sim:?} {:?}", sim.requests());
    assert!(!all.contains(sim.access_token()));
}

#[tokio::test]
async fn missing_and_wrong_keys_are_refused_in_the_family_form() {
    let expired = AccessKey {
        expires_at: Some("2026-11-23T20:31:15Z".parse().unwrap()),
        ..AccessKey::unscoped("old")
    };
    let keys = vec![AccessKey::unscoped("good"), expired];
    let sim = Simulator::new(Config {
        keys,
        ..config(20, 2)
    })
    .unwrap();
    let user = sim.truth().users[0].account_id.clone();
    for token in [None, Some("wrong"), Some("old"), Some("")] {
        let ask = async |short: &str, method| {
            send(&sim, request(method, &path(&sim, short), token, None)).await
        };
        let admin = ask("v2:directories/-/users", "GET").await;
        assert_eq!(
            (admin.status, admin.code().as_str()),
            (StatusCode::UNAUTHORIZED, "ADMIN-401-2")
        );
        assert_eq!(admin.json()["errors"][0]["status"], "401");
        let workspaces = ask("v2:workspaces", "POST").await;
        assert_eq!(
            workspaces.json(),
            json!({"code": 401, "message": "Unauthorized"})
        );
        let account = ask(&format!("/users/{user}/manage"), "GET").await;
        assert_eq!(account.json(), json!({"key": "unauthorized"}));
    }
}

#[tokio::test]
async fn another_organizations_key_meets_the_gateway() {
    let keys = vec![AccessKey::unscoped("good"), AccessKey::foreign("other")];
    let sim = Simulator::new(Config {
        keys,
        ..config(20, 2)
    })
    .unwrap();
    let uri = path(&sim, "v2:directories/-/users");
    let answer = send(&sim, request("GET", &uri, Some("other"), None)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let body = answer.json();
    assert_eq!(body["message"], "TCS validation failed");
    assert_eq!(body["status"], 404);
    assert_eq!(body["path"], format!("/api{uri}"));
    let elsewhere = get(&sim, "/admin/v1/orgs/00000000-0000-4000-8000-000000000000").await;
    assert_eq!(elsewhere.json()["message"], "TCS validation failed");
    let own = send(&sim, request("GET", "/admin/v1/orgs", Some("other"), None)).await;
    assert_ne!(own.json()["data"][0]["id"], sim.organization_id());
}
