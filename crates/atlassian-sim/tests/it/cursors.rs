//! Cursors: what they are bound to, when they end, and the variants of the end of a list.

use std::time::Duration;

use atlassian_sim::{Config, CursorKind, LastPage, PageFill, Paging, Simulator};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, escape, get, ids, next, post, simulator};

fn with(paging: Paging) -> Simulator {
    Simulator::new(Config {
        paging,
        ..config(130, 30)
    })
    .unwrap()
}

async fn first_cursor(sim: &Simulator, list: &List) -> String {
    next(&list.page(sim, Some(2), None, &json!({})).await.json()).unwrap()
}

#[tokio::test]
async fn broken_and_foreign_cursors_are_refused() {
    let sim = simulator(130, 30);
    let users = List::get("v2:directories/-/users");
    let groups = List::get("v2:directories/-/groups");
    let good = first_cursor(&sim, &users).await;
    let mut changed = good.clone().into_bytes();
    changed[20] = if changed[20] == b'a' { b'b' } else { b'a' };
    let changed = String::from_utf8(changed).unwrap();
    let long = "x".repeat(60_000);
    for cursor in ["x", "%%%", changed.as_str(), &good[1..], long.as_str()] {
        let answer = users.page(&sim, None, Some(cursor), &json!({})).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "ADMIN-400-1")
        );
    }
    assert_eq!(
        groups
            .page(&sim, None, Some(&good), &json!({}))
            .await
            .code(),
        "ADMIN-400-1"
    );
    let search = List::post("v2:directories/-/users/search");
    assert_eq!(
        search
            .page(&sim, None, Some(&good), &json!({}))
            .await
            .code(),
        "ADMIN-400-1"
    );
    let directory = sim.truth().directory_ids[0].clone();
    let elsewhere = List::get(format!("v2:directories/{directory}/users"));
    assert_eq!(
        elsewhere
            .page(&sim, None, Some(&good), &json!({}))
            .await
            .code(),
        "ADMIN-400-1"
    );
    let other = Simulator::new({
        let mut c = config(130, 30);
        c.organization.seed = 8;
        c
    });
    assert_eq!(
        users
            .page(&other.unwrap(), None, Some(&good), &json!({}))
            .await
            .code(),
        "ADMIN-400-1"
    );
    assert_eq!(
        users.page(&sim, None, Some(&good), &json!({})).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_users_role_cursor_does_not_fit_another_user() {
    let sim = simulator(130, 30);
    let truth = sim.truth();
    let of = |n: usize| {
        List::get(format!(
            "v2:directories/-/users/{}/role-assignments",
            truth.users[n].account_id
        ))
    };
    let cursor = first_cursor(&sim, &of(1)).await;
    assert_eq!(
        of(0)
            .page(&sim, None, Some(&cursor), &json!({}))
            .await
            .code(),
        "ADMIN-400-1"
    );
}

#[tokio::test(start_paused = true)]
async fn cursors_expire_after_their_lifetime_but_the_streams_do_not() {
    let sim = with(Paging {
        cursor_lifetime: Duration::from_mins(10),
        ..Paging::default()
    });
    let users = List::get("v2:directories/-/users");
    let stream = List::get("v1:events-stream");
    let (cursor, event_cursor) = (
        first_cursor(&sim, &users).await,
        first_cursor(&sim, &stream).await,
    );
    tokio::time::advance(Duration::from_mins(10)).await;
    assert_eq!(
        users
            .page(&sim, None, Some(&cursor), &json!({}))
            .await
            .status,
        StatusCode::OK
    );
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(
        users
            .page(&sim, None, Some(&cursor), &json!({}))
            .await
            .code(),
        "ADMIN-400-1"
    );
    assert_eq!(
        stream
            .page(&sim, None, Some(&event_cursor), &json!({}))
            .await
            .status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn workspaces_take_a_cursor_alone() {
    let sim = simulator(30, 3);
    let list = List::post("v2:workspaces");
    let cursor = first_cursor(&sim, &list).await;
    for extra in [
        json!({"limit": 2}),
        json!({"query": {}}),
        json!({"sort": []}),
        json!({"anything": null}),
    ] {
        let mut body = extra;
        body["cursor"] = json!(cursor);
        let answer = post(&sim, "v2:workspaces", &body).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "ADMIN-400-24")
        );
        assert!(
            answer.json().get("errors").is_none(),
            "workspaces answer a single error"
        );
    }
    assert_eq!(
        list.page(&sim, None, Some("x"), &json!({})).await.json()["status"],
        "400"
    );
}

#[tokio::test]
async fn the_last_page_says_so_in_three_ways() {
    for (last_page, expected) in [
        (LastPage::Null, Some(Value::Null)),
        (LastPage::Missing, None),
        (LastPage::Empty, Some(json!(""))),
    ] {
        let sim = with(Paging {
            last_page,
            ..Paging::default()
        });
        for list in [
            List::get("v2:directories/-/groups"),
            List::post("v2:workspaces"),
            List::get("v1:events"),
        ] {
            let page = list.page(&sim, Some(100), None, &json!({})).await.json();
            let links = if next(&page).is_some() {
                continue;
            } else {
                &page["links"]
            };
            assert_eq!(links.get("next").cloned(), expected);
        }
        assert_eq!(
            List::get("v2:directories/-/users")
                .all(&sim, &json!({}))
                .await
                .len(),
            sim.truth().users.len()
        );
    }
}

#[tokio::test]
async fn pages_can_be_capped_whatever_is_asked_for() {
    let sim = with(Paging {
        fill: PageFill::AtMost(7),
        ..Paging::default()
    });
    let list = List::get("v2:directories/-/users");
    for (asked, expected) in [(20, 7), (5, 5)] {
        let pages = list.pages(&sim, Some(asked), &json!({})).await;
        let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
        let (last, full) = sizes.split_last().unwrap();
        assert!(full.iter().all(|n| *n == expected), "{sizes:?}");
        assert!((1..=expected).contains(last), "{sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), sim.truth().users.len());
    }
}

#[tokio::test]
async fn short_pages_end_only_when_they_say_so() {
    for fill in [PageFill::Short, PageFill::ShortOrEmpty] {
        let sim = with(Paging {
            fill,
            ..Paging::default()
        });
        let pages = List::get("v2:directories/-/users")
            .pages(&sim, Some(20), &json!({}))
            .await;
        let sizes: Vec<usize> = pages.iter().map(Vec::len).collect();
        assert!(
            sizes[..sizes.len() - 1].iter().any(|s| *s < 20),
            "{sizes:?}"
        );
        assert!(sizes.iter().all(|s| *s <= 20));
        assert_eq!(
            sizes.contains(&0),
            fill == PageFill::ShortOrEmpty,
            "{sizes:?}"
        );
        let users: Vec<Value> = pages.into_iter().flatten().collect();
        let expected: Vec<_> = sim
            .truth()
            .users
            .iter()
            .map(|u| u.account_id.clone())
            .collect();
        assert_eq!(ids(&users, "accountId"), expected);
        let sorted = json!({"sortBy": [{"field": "nick_name", "direction": "desc"}], "limit": 7});
        assert_eq!(
            List::post("v2:directories/-/users/search")
                .all(&sim, &sorted)
                .await
                .len(),
            expected.len()
        );
    }
}

/// Reads half of the users, lets the organization change, reads on.
async fn across_a_change(cursors: CursorKind) -> (Vec<String>, Vec<String>) {
    let sim = with(Paging {
        cursors,
        ..Paging::default()
    });
    let before: Vec<String> = sim
        .truth()
        .users
        .iter()
        .map(|u| u.account_id.clone())
        .collect();
    let list = List::get("v2:directories/-/users");
    let mut page = list.page(&sim, Some(40), None, &json!({})).await.json();
    let mut seen = ids(page["data"].as_array().unwrap(), "accountId");
    for gone in &before[0..5] {
        sim.organization().remove_user(gone).unwrap();
    }
    while let Some(cursor) = next(&page) {
        page = list
            .page(&sim, None, Some(&cursor), &json!({}))
            .await
            .json();
        seen.extend(ids(page["data"].as_array().unwrap(), "accountId"));
    }
    (before, seen)
}

#[tokio::test]
async fn keyset_cursors_are_stable_and_offset_cursors_shift() {
    let (before, seen) = across_a_change(CursorKind::Keyset).await;
    assert_eq!(seen, before, "nobody is skipped or repeated");
    let (before, seen) = across_a_change(CursorKind::Offset).await;
    assert_eq!(seen.len(), before.len() - 5, "five users slipped through");
    assert!(!seen.contains(&before[40]));
}

#[tokio::test]
async fn offset_cursors_give_every_item_once_when_nothing_changes() {
    let sim = with(Paging {
        cursors: CursorKind::Offset,
        ..Paging::default()
    });
    let all = List::get("v2:directories/-/users")
        .pages(&sim, Some(7), &json!({}))
        .await;
    assert_eq!(all.into_iter().flatten().count(), sim.truth().users.len());
    let sorted = List::get("v2:directories/-/groups")
        .pages(&sim, Some(4), &json!({"sortBy": "name:desc"}))
        .await;
    assert_eq!(
        sorted.into_iter().flatten().count(),
        sim.truth().groups.len()
    );
}

#[tokio::test]
async fn cursors_are_tokens_or_urls_as_documented() {
    let sim = simulator(130, 30);
    let token = |page: &Value| page["links"]["next"].as_str().unwrap().to_owned();
    let users = get(&sim, "v2:directories/-/users").await.json();
    assert!(!token(&users).contains("://"));
    let managed = get(&sim, "v1:users").await.json();
    assert!(token(&managed).starts_with("https://api.atlassian.com/admin/v1/orgs/"));
    let events = get(&sim, "v1:events").await.json();
    assert!(token(&events).ends_with(&escape(events["meta"]["next"].as_str().unwrap())));
    let bare = List::post("v2:workspaces")
        .page(&sim, Some(2), None, &json!({}))
        .await
        .json();
    assert!(!token(&bare).contains("://"));
    let sim = with(Paging {
        workspace_next_is_url: true,
        cursors_need_escaping: true,
        ..Paging::default()
    });
    let url = List::post("v2:workspaces")
        .page(&sim, Some(2), None, &json!({}))
        .await
        .json();
    assert!(token(&url).contains("/workspaces?cursor="));
    let pages = List::get("v2:directories/-/users")
        .pages(&sim, Some(9), &json!({}))
        .await;
    assert_eq!(pages.into_iter().flatten().count(), sim.truth().users.len());
    let awkward = token(&get(&sim, "v2:directories/-/users").await.json());
    assert!(awkward.contains(['+', '/', '=']), "{awkward}");
}

#[tokio::test]
async fn the_stream_can_be_polled_for_new_events() {
    let sim = simulator(30, 3);
    let list = List::get("v1:events-stream");
    let mut page = list.page(&sim, Some(500), None, &json!({})).await.json();
    assert!(page["data"][0]["attributes"]["processedAt"].is_string());
    while let Some(cursor) = next(&page) {
        page = list
            .page(&sim, None, Some(&cursor), &json!({}))
            .await
            .json();
    }
    let resume = page["meta"]["next"].as_str().unwrap().to_owned();
    let quiet = list
        .page(&sim, None, Some(&resume), &json!({}))
        .await
        .json();
    assert_eq!(quiet["data"], json!([]));
    let group = sim.organization().add_group("new", None, false).unwrap();
    let later = quiet["meta"]["next"].as_str().unwrap();
    let news = list.page(&sim, None, Some(later), &json!({})).await.json();
    assert_eq!(news["data"][0]["attributes"]["action"], "group_created");
    assert_eq!(
        news["data"][0]["attributes"]["context"][0]["id"],
        group.as_str()
    );
}
