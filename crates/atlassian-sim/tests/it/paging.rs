//! The paging contract, for every list.

use atlassian_sim::Simulator;
use http::StatusCode;
use serde_json::json;

use crate::client::{List, config, next, simulator};

/// Every list of a simulator with its default and largest page size; `None`: the size is fixed.
fn lists(sim: &Simulator) -> Vec<(List, u64, Option<u64>)> {
    let truth = sim.truth();
    let busy = truth.users[1].account_id.clone();
    let pages = |list: List| List {
        size: "pageSize",
        ..list
    };
    vec![
        (List::get("v2:directories"), 20, Some(100)),
        (List::get("v2:directories/-/users"), 20, Some(100)),
        (List::post("v2:directories/-/users/search"), 50, Some(100)),
        (List::get("v2:directories/-/groups"), 20, Some(100)),
        (List::post("v2:directories/-/groups/search"), 20, Some(100)),
        (
            List::get(format!("v2:directories/-/users/{busy}/role-assignments")),
            20,
            Some(100),
        ),
        (
            List::get(format!(
                "v2:directories/-/groups/{}/role-assignments",
                truth.groups[1].id
            )),
            20,
            Some(100),
        ),
        (List::post("v2:workspaces"), 20, Some(1000)),
        (pages(List::get("api-access/v1:api-tokens")), 20, Some(1000)),
        (pages(List::get("api-access/v1:api-keys")), 20, Some(1000)),
        (List::get("v1:events"), 25, Some(500)),
        (List::get("v1:events-stream"), 25, Some(500)),
        (List::get("v1:users"), 100, None),
        (List::get("/admin/v1/orgs"), 100, None),
        (
            List::get(format!("v1:directory/users/{busy}/last-active-dates")),
            20,
            None,
        ),
    ]
}

#[tokio::test]
async fn page_sizes_out_of_range_are_refused() {
    let sim = simulator(130, 30);
    for (list, _, max) in lists(&sim) {
        let Some(max) = max else { continue };
        for size in [
            json!(0),
            json!(max + 1),
            json!(-1),
            json!("x"),
            json!(u64::MAX),
            json!(1.5),
        ] {
            let answer = list
                .page(&sim, None, None, &json!({ list.size: size }))
                .await;
            assert_eq!(
                answer.status,
                StatusCode::BAD_REQUEST,
                "{} {size}",
                list.short
            );
            assert_eq!(answer.code(), "ADMIN-UAM-400-1");
        }
        for size in [1, max] {
            assert_eq!(
                list.page(&sim, Some(size), None, &json!({})).await.status,
                StatusCode::OK
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_page_size_gives_every_item_once_in_order() {
    let mut config = config(130, 125);
    config.organization.workspaces = 45;
    config.organization.tokens = Some(110);
    let sim = Simulator::new(config).unwrap();
    for (list, default, max) in lists(&sim) {
        let whole: Vec<_> = list
            .pages(&sim, max, &json!({}))
            .await
            .into_iter()
            .flatten()
            .collect();
        let total = whole.len() as u64;
        let mut sizes = vec![
            Some(1),
            Some(2),
            Some(default - 1),
            Some(default),
            Some(default + 1),
            Some(total),
            None,
        ];
        sizes.extend(max.map(Some));
        sizes.extend(
            [total.saturating_sub(1), total + 1].map(|s| Some(s.clamp(1, max.unwrap_or(1)))),
        );
        if max.is_none() {
            sizes = vec![None];
        }
        for size in sizes
            .into_iter()
            .filter(|s| s.is_none_or(|s| s >= 1 && s <= max.unwrap_or(1)))
        {
            let pages = list.pages(&sim, size, &json!({})).await;
            let expected = size.unwrap_or(default);
            assert_eq!(
                pages.len() as u64,
                total.div_ceil(expected).max(1),
                "{} by {size:?}",
                list.short
            );
            assert!(
                pages
                    .iter()
                    .rev()
                    .skip(1)
                    .all(|p| p.len() as u64 == expected),
                "{} by {size:?}",
                list.short
            );
            let all: Vec<_> = pages.into_iter().flatten().collect();
            assert_eq!(all, whole, "{} by {size:?}", list.short);
        }
    }
}

#[tokio::test]
async fn a_cursor_holds_the_question_and_ignores_other_values() {
    let sim = simulator(130, 30);
    let list = List::get("v2:directories/-/users");
    let first = list
        .page(&sim, Some(7), None, &json!({"status": "active"}))
        .await
        .json();
    let cursor = next(&first).unwrap();
    let path = format!(
        "v2:directories/-/users?cursor={}&limit=3&status=suspended",
        crate::client::escape(&cursor)
    );
    let second = crate::client::get(&sim, &path).await.json();
    let data = second["data"].as_array().unwrap();
    assert_eq!(data.len(), 7);
    assert!(data.iter().all(|u| u["status"] == "active"));
}
