//! Scripted faults, in process.

use std::time::Duration;

use atlassian_sim::{Action, Calls, Config, Fault, RetryAfter, Routing, Simulator, TransportFault};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, get, next, post, simulator};

fn faulty(rule: &str) -> Simulator {
    let faults = vec![rule.parse().unwrap()];
    Simulator::new(Config {
        faults,
        ..config(60, 8)
    })
    .unwrap()
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_are_logged_as_strays() {
    let sim = simulator(20, 2);
    assert_eq!(
        get(&sim, "/admin/v2/nothing").await.json()["error"],
        "Not Found"
    );
    let wrong = get(&sim, "v2:workspaces").await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, "ADMIN-405-1")
    );
    let retired = post(&sim, "v1:users/search", &json!({})).await;
    assert_eq!(
        (retired.status, retired.json()["status"].as_u64()),
        (StatusCode::NOT_FOUND, Some(404))
    );
    get(&sim, "v2:directories").await;
    let routings: Vec<_> = sim.strays().iter().map(|r| r.routing).collect();
    assert_eq!(
        routings,
        [Routing::Unknown, Routing::WrongMethod, Routing::Retired]
    );
    assert_eq!(sim.count("POST v1/users/search"), 1);
    let last = sim.requests().pop().unwrap();
    assert_eq!(
        (last.endpoint, last.status),
        (Some("GET v2/directories"), 200)
    );
    assert_eq!(
        sim.counts().values().sum::<u64>(),
        2,
        "unknown paths have no counter"
    );
    sim.reset_log();
    assert_eq!((sim.total(), sim.strays().len()), (0, 0));
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
}

#[tokio::test(start_paused = true)]
async fn a_dated_retry_after_follows_the_clock() {
    let sim = faulty("*=429:retry-after=date+30");
    let dated = get(&sim, "v2:directories").await;
    assert_eq!(
        dated.header("retry-after"),
        Some("Mon, 23 Nov 2026 20:31:45 GMT")
    );
    tokio::time::advance(Duration::from_mins(1)).await;
    let later = get(&sim, "v2:directories").await;
    assert_eq!(
        later.header("retry-after"),
        Some("Mon, 23 Nov 2026 20:32:45 GMT")
    );
}

#[tokio::test]
async fn server_errors_take_the_family_form() {
    for status in [500_u16, 502, 503, 504] {
        let answer = get(&faulty(&format!("*={status}")), "v2:directories").await;
        assert_eq!(answer.status.as_u16(), status);
        assert!(answer.code().ends_with("500-1"));
        let workspaces = post(&faulty(&format!("*={status}")), "v2:workspaces", &json!({})).await;
        assert!(workspaces.json().get("errors").is_none());
    }
}

#[tokio::test]
async fn a_web_page_takes_the_place_of_an_answer() {
    let answer = get(&faulty("v2/groups=html:200"), "v2:directories/-/groups").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(answer.text().starts_with("<!DOCTYPE html>"));
    assert_eq!(
        get(&faulty("v2/groups=html"), "v2:directories/-/groups")
            .await
            .status,
        StatusCode::BAD_GATEWAY
    );
}

#[tokio::test]
async fn broken_connections_are_marked_and_bodies_fail() {
    let reset = get(&faulty("v2/users=reset"), "v2:directories/-/users").await;
    assert_eq!(reset.fault, Some(TransportFault::ConnectionReset));
    assert_eq!(reset.bytes, None);
    for rule in [
        "v2/users=truncate:10",
        "v2/users=truncate",
        "v2/users=truncate:0",
    ] {
        let cut = get(&faulty(rule), "v2:directories/-/users").await;
        assert_eq!(
            (cut.status, cut.fault),
            (StatusCode::OK, Some(TransportFault::Truncated))
        );
        assert_eq!(cut.bytes, None);
    }
}

#[tokio::test]
async fn invalid_json_is_complete_but_not_json() {
    let answer = get(&faulty("v2/users=invalid-json"), "v2:directories/-/users").await;
    assert_eq!(answer.fault, None);
    assert!(serde_json::from_slice::<Value>(answer.bytes.as_ref().unwrap()).is_err());
}

#[tokio::test]
async fn a_repeated_cursor_never_ends() {
    for (rule, list) in [
        (
            "GET v2/users=repeat-cursor",
            List::get("v2:directories/-/users"),
        ),
        (
            "POST v2/workspaces=repeat-cursor",
            List::post("v2:workspaces"),
        ),
        ("v1/events=repeat-cursor", List::get("v1:events")),
    ] {
        let sim = faulty(rule);
        let first = list.page(&sim, Some(2), None, &json!({})).await.json();
        let cursor = next(&first).unwrap();
        let second = list
            .page(&sim, None, Some(&cursor), &json!({}))
            .await
            .json();
        assert_ne!(first["data"], second["data"]);
        assert_eq!(next(&second), Some(cursor));
    }
}

#[tokio::test]
async fn a_rule_hits_first_later_and_last_pages_of_every_list() {
    for (name, list) in [
        ("GET v2/users", List::get("v2:directories/-/users")),
        (
            "POST v2/users/search",
            List::post("v2:directories/-/users/search"),
        ),
        ("POST v2/workspaces", List::post("v2:workspaces")),
        (
            "GET api-access/v1/api-tokens",
            List {
                size: "pageSize",
                ..List::get("api-access/v1:api-tokens")
            },
        ),
    ] {
        let pages = simulator(60, 8);
        let pages = list.pages(&pages, Some(2), &json!({})).await.len();
        assert!(pages > 2, "{name}");
        for (rule, hit) in [
            ("first", 1..=1),
            ("later", 2..=pages),
            ("last", pages..=pages),
        ] {
            let sim = faulty(&format!("{name}@{rule}=total:77"));
            let mut cursor = None;
            for number in 1..=pages {
                let page = list
                    .page(&sim, Some(2), cursor.as_deref(), &json!({}))
                    .await;
                let page = page.json();
                let is_hit = page["meta"]["total"] == 77;
                assert_eq!(is_hit, hit.contains(&number), "{name}@{rule} {number}");
                cursor = next(&page);
            }
            assert_eq!(sim.fault_counts(), [hit.count() as u64], "{name}@{rule}");
        }
    }
    let sim = faulty("GET v1/orgs/{org}@last=500");
    assert_eq!(get(&sim, "v1:").await.status, StatusCode::NOT_FOUND);
    let single = format!("/admin/v1/orgs/{}", sim.organization_id());
    assert_eq!(get(&sim, &single).await.status.as_u16(), 500);
}

#[tokio::test]
async fn pages_come_again_with_and_without_their_items() {
    for list in [
        List::get("v2:directories/-/users"),
        List::post("v2:directories/-/users/search"),
        List::post("v2:workspaces"),
    ] {
        let all = list.all(&simulator(60, 8), &json!({})).await;
        let sim = faulty("*@later#1=same-page");
        let pages = list.pages(&sim, Some(2), &json!({})).await;
        assert_eq!(pages[1], pages[2], "{list:?}");
        let rest: Vec<Value> = pages[..1]
            .iter()
            .chain(&pages[2..])
            .flatten()
            .cloned()
            .collect();
        assert_eq!(rest, all, "{list:?}");
        let sim = faulty("*@last#1=empty-page");
        let pages = list.pages(&sim, Some(2), &json!({})).await;
        assert!(pages[pages.len() - 2].is_empty(), "{list:?}");
        assert_eq!(pages.concat(), all, "{list:?}");
        let sim = faulty("*=empty-page");
        let mut cursors = std::collections::BTreeSet::new();
        let mut cursor = None;
        for _ in 0..20 {
            let page = list
                .page(&sim, Some(2), cursor.as_deref(), &json!({}))
                .await;
            let page = page.json();
            assert_eq!(page["data"], json!([]));
            cursor = next(&page);
            assert!(cursors.insert(cursor.clone().unwrap()), "{list:?}");
        }
    }
}

#[tokio::test]
async fn filters_can_be_ignored() {
    let calm = simulator(60, 8);
    let group = calm.truth().groups[0].id.clone();
    for list in [
        List::get("v2:directories/-/users"),
        List::post("v2:directories/-/users/search"),
    ] {
        let filter = json!({ "groupIds": [group] });
        let all = list.all(&calm, &json!({})).await;
        assert_ne!(list.all(&calm, &filter).await, all);
        let sim = faulty("*=ignore-filters");
        let pages = list.pages(&sim, Some(7), &filter).await;
        assert_eq!(pages[0].len(), 7, "the page size is no filter");
        assert_eq!(pages.concat(), all);
    }
}

#[tokio::test]
async fn a_cursor_can_expire_early() {
    let sim = faulty("v2/users=expire-cursor");
    let list = List::get("v2:directories/-/users");
    let first = list.page(&sim, Some(2), None, &json!({})).await.json();
    let second = list
        .page(&sim, None, next(&first).as_deref(), &json!({}))
        .await;
    assert_eq!(
        (second.status, second.code().as_str()),
        (StatusCode::BAD_REQUEST, "ADMIN-400-1")
    );
    let sim = faulty("v2/workspaces=expire-cursor");
    let list = List::post("v2:workspaces");
    let first = list.page(&sim, Some(2), None, &json!({})).await.json();
    let second = list
        .page(&sim, None, next(&first).as_deref(), &json!({}))
        .await;
    assert_eq!(second.json()["code"], "ADMIN-400-1");
}

#[tokio::test]
async fn large_page_sizes_can_be_refused() {
    for (rule, list) in [
        ("*=page-size:50", List::get("v2:directories/-/users")),
        (
            "*=page-size:50",
            List::post("v2:directories/-/users/search"),
        ),
        (
            "*=page-size:50",
            List {
                size: "pageSize",
                ..List::get("api-access/v1:api-tokens")
            },
        ),
    ] {
        let sim = faulty(rule);
        let refused = list.page(&sim, Some(51), None, &json!({})).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (StatusCode::BAD_REQUEST, "ADMIN-UAM-400-1")
        );
        assert_eq!(
            list.page(&sim, Some(50), None, &json!({})).await.status,
            StatusCode::OK
        );
    }
}

#[tokio::test(start_paused = true)]
async fn latency_delay_and_drip_take_simulated_time() {
    let timed = async |sim: &Simulator| {
        let start = tokio::time::Instant::now();
        assert!(get(sim, "v2:directories").await.bytes.is_some());
        start.elapsed()
    };
    let sim = Simulator::new(Config {
        latency: Duration::from_millis(40),
        faults: vec!["*#2=delay:2s".parse().unwrap()],
        ..config(20, 2)
    })
    .unwrap();
    assert_eq!(timed(&sim).await, Duration::from_millis(40));
    assert_eq!(timed(&sim).await, Duration::from_millis(2040));
    let plain = simulator(20, 2);
    let bytes = get(&plain, "v2:directories").await.bytes.unwrap().len();
    let dripping = Simulator::new(Config {
        faults: vec!["*=drip:10/100ms".parse().unwrap()],
        ..config(20, 2)
    })
    .unwrap();
    let pauses = u32::try_from(bytes.div_ceil(10) - 1).unwrap();
    assert_eq!(timed(&dripping).await, Duration::from_millis(100) * pauses);
}

#[tokio::test]
async fn rules_can_be_replaced_while_running() {
    let sim = faulty("*=500");
    assert_eq!(get(&sim, "v2:directories").await.status.as_u16(), 500);
    sim.set_faults(Vec::new());
    assert_eq!(get(&sim, "v2:directories").await.status, StatusCode::OK);
}

#[tokio::test]
async fn chances_fall_alike_in_every_run() {
    let run = async || {
        let sim = faulty("*#30%=503");
        let mut failed = Vec::new();
        for n in 0..50 {
            if get(&sim, "v2:directories").await.status != StatusCode::OK {
                failed.push(n);
            }
        }
        failed
    };
    let failed = run().await;
    assert!((5..30).contains(&failed.len()), "{failed:?}");
    assert_eq!(failed, run().await);
}
