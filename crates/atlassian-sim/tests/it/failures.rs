//! Keys, error forms, quotas and faults.

use std::time::Duration;

use atlassian_sim::{
    AccessKey, Action, Calls, Config, Fault, RateLimits, RetryAfter, Routing, Simulator,
    TransportFault,
};
use http::StatusCode;
use serde_json::json;

use crate::ask::{config, get, path, post, request, send, simulator};

fn faulty(rule: &str) -> Simulator {
    let faults = vec![rule.parse().unwrap()];
    Simulator::new(Config {
        faults,
        ..config(60, 8)
    })
    .unwrap()
}

#[tokio::test]
async fn missing_wrong_and_expired_keys_are_refused_in_the_family_form() {
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
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_logged_as_strays() {
    let sim = simulator(20, 2);
    assert_eq!(
        get(&sim, "/admin/v2/nothing").await.json()["error"],
        "Not Found"
    );
    assert_eq!(get(&sim, "v2:workspaces").await.code(), "ADMIN-405-1");
    assert_eq!(
        get(&sim, "v2:workspaces").await.status,
        StatusCode::METHOD_NOT_ALLOWED
    );
    let retired = post(&sim, "v1:users/search", &json!({})).await;
    assert_eq!(
        (retired.status, retired.json()["status"].as_u64()),
        (StatusCode::NOT_FOUND, Some(404))
    );
    let routings: Vec<_> = sim.strays().iter().map(|r| r.routing).collect();
    assert_eq!(
        routings,
        [
            Routing::Unknown,
            Routing::WrongMethod,
            Routing::WrongMethod,
            Routing::Retired
        ]
    );
    assert_eq!(sim.count("POST v1/users/search"), 1);
    sim.reset_log();
    assert_eq!((sim.total(), sim.strays().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn quotas_refuse_with_the_time_to_come_back() {
    let sim = Simulator::new(Config {
        limits: RateLimits::per_minute(2),
        ..config(20, 2)
    })
    .unwrap();
    let first = get(&sim, "v2:directories").await;
    assert_eq!(first.header("x-ratelimit-limit"), Some("2"));
    assert_eq!(first.header("x-ratelimit-remaining"), Some("1"));
    assert_eq!(
        first.header("x-ratelimit-reset"),
        Some("2026-11-23T20:32:00Z")
    );
    get(&sim, "v2:directories").await;
    let refused = get(&sim, "v2:directories").await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::TOO_MANY_REQUESTS, "ADMIN-429-1")
    );
    assert_eq!(refused.header("retry-after"), Some("45"));
    assert_eq!(
        get(&sim, "v2:directories/-/groups").await.status,
        StatusCode::OK
    );
    tokio::time::advance(Duration::from_secs(45)).await;
    assert_eq!(get(&sim, "v2:directories").await.status, StatusCode::OK);
}

#[tokio::test]
async fn injected_429_says_what_it_was_told() {
    let rows = [
        (RetryAfter::Absent, None),
        (RetryAfter::Seconds(5), Some("5")),
        (RetryAfter::Seconds(-3), Some("-3")),
        (RetryAfter::Seconds(i64::MAX), Some("9223372036854775807")),
        (RetryAfter::Text("soon".to_owned()), Some("soon")),
    ];
    for (retry_after, expected) in rows {
        let faults = vec![Fault::new(
            "GET v2/groups",
            Calls::Nth(2),
            Action::TooManyRequests(retry_after),
        )];
        let sim = Simulator::new(Config {
            faults,
            ..config(20, 4)
        })
        .unwrap();
        assert_eq!(
            get(&sim, "v2:directories/-/groups").await.status,
            StatusCode::OK
        );
        let answer = get(&sim, "v2:directories/-/groups").await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), expected);
        assert_eq!(
            get(&sim, "v2:directories/-/groups").await.status,
            StatusCode::OK
        );
    }
    let dated = get(&faulty("*=429:retry-after=date+30"), "v2:directories").await;
    assert_eq!(
        dated.header("retry-after"),
        Some("Mon, 23 Nov 2026 20:31:45 GMT")
    );
}

#[tokio::test]
async fn broken_connections_are_marked_and_bodies_fail() {
    let reset = get(&faulty("v2/users=reset"), "v2:directories/-/users").await;
    assert_eq!(reset.fault, Some(TransportFault::ConnectionReset));
    assert_eq!(reset.bytes, None);
    let cut = get(&faulty("v2/users=truncate:10"), "v2:directories/-/users").await;
    assert_eq!(
        (cut.status, cut.fault),
        (StatusCode::OK, Some(TransportFault::Truncated))
    );
    assert_eq!(cut.bytes, None);
}
