//! Single objects, counts and the smaller endpoints.

use atlassian_sim::Principal;
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, get, ids, simulator};

#[tokio::test]
async fn the_organization_names_itself() {
    let sim = simulator(20, 3);
    let one = get(&sim, &format!("/admin/v1/orgs/{}", sim.organization_id()))
        .await
        .json();
    assert_eq!(
        one["data"]["attributes"]["name"],
        sim.truth().organization_name.as_str()
    );
    assert_eq!(one["data"]["type"], "orgs");
    let list = get(&sim, "/admin/v1/orgs").await.json();
    assert_eq!(list["data"][0], one["data"]);
}

#[tokio::test]
async fn directories_can_be_narrowed() {
    let sim = simulator(60, 3);
    let truth = sim.truth();
    let all = List::get("v2:directories").all(&sim, &json!({})).await;
    assert_eq!(ids(&all, "directoryId"), truth.directory_ids);
    for user in &truth.users {
        let of = List::get("v2:directories")
            .all(&sim, &json!({"accountId": user.account_id}))
            .await;
        assert_eq!(ids(&of, "directoryId"), user.directory_ids);
    }
    let one = List::get("v2:directories")
        .all(&sim, &json!({"directoryIds": truth.directory_ids[1]}))
        .await;
    assert_eq!(ids(&one, "directoryId"), [truth.directory_ids[1].clone()]);
}

#[tokio::test]
async fn one_user_has_no_expanded_members() {
    let sim = simulator(60, 3);
    for user in sim.truth().users {
        let data = get(&sim, &format!("v2:directories/-/users/{}", user.account_id))
            .await
            .json()["data"]
            .clone();
        assert_eq!(data["accountId"], user.account_id.as_str());
        for member in ["platformRoles", "counts", "productAccess", "groups"] {
            assert!(data.get(member).is_none());
        }
        assert_eq!(
            data["deactivatedOn"].is_string(),
            user.account_status != "active"
        );
        for directory in sim.truth().directory_ids {
            let there = get(
                &sim,
                &format!("v2:directories/{directory}/users/{}", user.account_id),
            )
            .await
            .status;
            let expected = if user.directory_ids.contains(&directory) {
                StatusCode::OK
            } else {
                StatusCode::NOT_FOUND
            };
            assert_eq!(there, expected);
        }
    }
}

#[tokio::test]
async fn search_shows_only_what_expand_names() {
    let sim = simulator(60, 8);
    let list = List::post("v2:directories/-/users/search");
    let plain = list.page(&sim, Some(100), None, &json!({})).await.json();
    let parts = ["platformRoles", "counts", "productAccess", "groups"];
    assert!(
        plain["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|u| parts.iter().all(|p| u.get(p).is_none()))
    );
    let wanted =
        json!({"expand": ["platformRoles", "counts.resources", "productAccess", "groups"]});
    let full = list.page(&sim, Some(100), None, &wanted).await.json();
    assert!(
        full["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|u| parts.iter().all(|p| u.get(p).is_some()))
    );
    let truth = sim.truth();
    for user in full["data"].as_array().unwrap() {
        let principal = Principal::User(user["accountId"].as_str().unwrap().to_owned());
        let own: Vec<_> = truth
            .effective_roles
            .iter()
            .filter(|r| r.principal == principal)
            .collect();
        let mut resources: Vec<_> = own.iter().map(|r| &r.resource_id).collect();
        resources.dedup();
        let empty_items =
            usize::from(user["counts"]["resources"].as_u64() > Some(resources.len() as u64));
        assert_eq!(user["counts"]["resources"], resources.len() + empty_items);
        let platform: Vec<_> = own
            .iter()
            .filter(|r| r.resource_id.contains("platform::org/"))
            .map(|r| r.role.as_str())
            .collect();
        let shown: Vec<_> = user["platformRoles"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|r| r.as_str().unwrap())
            .collect();
        assert_eq!(shown, platform);
    }
    assert!(
        list.page(&sim, None, None, &json!({"expand": ["everything"]}))
            .await
            .status
            .is_client_error()
    );
}

#[tokio::test]
async fn one_group_has_its_counts_and_directory() {
    let sim = simulator(60, 8);
    let truth = sim.truth();
    for group in &truth.groups {
        let data = get(&sim, &format!("v2:directories/-/groups/{}", group.id))
            .await
            .json()["data"]
            .clone();
        assert_eq!(data["directoryId"], group.directory_id.as_str());
        assert_eq!(data["counts"]["users"], group.members);
        assert_eq!(data["managementAccess"]["modifiable"], !group.synced);
    }
    let totals = get(&sim, "v2:directories/-/groups/stats").await.json()["totals"].clone();
    assert_eq!(totals["all"], truth.groups.len());
    assert_eq!(
        totals["synced"],
        truth.groups.iter().filter(|g| g.synced).count()
    );
}

#[tokio::test]
async fn counts_and_statistics_agree_with_the_truth() {
    let sim = simulator(200, 12);
    let truth = sim.truth();
    assert_eq!(
        get(&sim, "v2:directories/-/users/count").await.json()["count"],
        truth.users.len()
    );
    let active = truth.users.iter().filter(|u| u.status == "active").count();
    assert_eq!(
        get(&sim, "v2:directories/-/users/count?status=active")
            .await
            .json()["count"],
        active
    );
    let groups = "v2:directories/-/groups/count";
    let counted = get(&sim, groups).await.json()["count"].clone();
    assert_eq!(counted, truth.groups.len());
    let group = &truth.groups[0];
    for (path, expected) in [
        (format!("{groups}?groupIds={}", group.id), 1),
        (
            format!("v2:directories/-/users/count?groupIds={}", group.id),
            group.members,
        ),
    ] {
        assert_eq!(get(&sim, &path).await.json()["count"], expected, "{path}");
    }
    let stats = get(&sim, "v2:directories/-/users/stats").await.json();
    for row in stats["accountStatus"].as_array().unwrap() {
        let expected = truth
            .users
            .iter()
            .filter(|u| row["status"] == u.account_status.as_str())
            .count();
        assert_eq!(row["count"], expected);
    }
    for row in stats["roles"].as_array().unwrap() {
        let mut holders: Vec<_> = truth
            .effective_roles
            .iter()
            .filter(|r| row["roleId"] == r.role.as_str())
            .map(|r| format!("{:?}", r.principal))
            .collect();
        holders.sort_unstable();
        holders.dedup();
        assert_eq!(row["count"], holders.len(), "{row}");
    }
    assert_eq!(
        get(&sim, "api-access/v1:api-tokens/count").await.json(),
        json!(truth.tokens.len())
    );
}

#[tokio::test]
async fn account_endpoints_agree_with_the_organization() {
    let sim = simulator(60, 3);
    let truth = sim.truth();
    let owner = &truth.tokens[0].account_id;
    let own = get(&sim, &format!("/users/{owner}/manage/api-tokens"))
        .await
        .json();
    let expected: Vec<_> = truth
        .tokens
        .iter()
        .filter(|t| t.account_id == *owner)
        .map(|t| t.id.clone())
        .collect();
    assert_eq!(ids(own.as_array().unwrap(), "id"), expected);
    let profile = get(&sim, &format!("/users/{owner}/manage/profile"))
        .await
        .json();
    assert_eq!(profile["account"]["account_id"], owner.as_str());
    let some = get(
        &sim,
        &format!("/users/{owner}/manage?privileges=email.set&privileges=lifecycle.delete"),
    )
    .await
    .json();
    assert_eq!(some.as_object().unwrap().len(), 2);
    assert_eq!(some["email.set"]["allowed"], true);
    let leaving = truth
        .users
        .iter()
        .find(|u| u.status == "for_deletion")
        .unwrap();
    let refused = get(&sim, &format!("/users/{}/manage", leaving.account_id))
        .await
        .json();
    assert_eq!(refused["lifecycle.delete"]["allowed"], false);
}

#[tokio::test]
async fn managed_accounts_are_listed_in_the_old_style() {
    let sim = simulator(250, 8);
    let truth = sim.truth();
    let rows = List::get("v1:users").all(&sim, &json!({})).await;
    let managed: Vec<_> = truth
        .users
        .iter()
        .filter(|u| u.managed)
        .map(|u| u.account_id.clone())
        .collect();
    assert_eq!(ids(&rows, "account_id"), managed);
    let meta = get(&sim, "v1:users").await.json()["meta"]["total"].clone();
    assert_eq!(meta, managed.len());
    let user = rows.iter().find(|r| r["last_active"].is_string()).unwrap();
    let path = format!(
        "v1:directory/users/{}/last-active-dates",
        user["account_id"].as_str().unwrap()
    );
    let dates = get(&sim, &path).await.json()["data"].clone();
    let newest = dates["product_access"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|p| p["last_active"].as_str())
        .max()
        .unwrap()
        .to_owned();
    assert!(user["last_active"].as_str().unwrap().starts_with(&newest));
    assert!(dates["added_to_org"].is_string() || dates["added_to_org"].is_null());
}

#[tokio::test]
async fn events_can_be_searched_and_read_one_by_one() {
    let sim = simulator(60, 8);
    let all = List::get("v1:events").all(&sim, &json!({})).await;
    assert_eq!(all.len(), 120);
    let time = |e: &Value| e["attributes"]["time"].as_str().unwrap().to_owned();
    assert!(
        all.windows(2).all(|w| time(&w[0]) > time(&w[1])),
        "newest first"
    );
    let stream = List::get("v1:events-stream").all(&sim, &json!({})).await;
    let mut backwards = ids(&stream, "id");
    backwards.reverse();
    assert_eq!(ids(&all, "id"), backwards);
    let one = get(
        &sim,
        &format!("v1:events/{}", all[3]["id"].as_str().unwrap()),
    )
    .await
    .json();
    assert_eq!(one["data"], all[3]);
    let matching = |test: &dyn Fn(&Value) -> bool| -> Vec<String> {
        all.iter()
            .filter(|e| test(e))
            .map(|e| e["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let actor = all[0]["attributes"]["actor"]["id"].as_str().unwrap();
    let ip = all[0]["attributes"]["location"]["ip"].as_str().unwrap();
    let middle: jiff::Timestamp = time(&all[60]).parse().unwrap();
    let millis = middle.as_millisecond().to_string();
    let rows: [(Value, Vec<String>); 6] = [
        (
            json!({"action": "group_created"}),
            matching(&|e| e["attributes"]["action"] == "group_created"),
        ),
        (
            json!({"actor": actor}),
            matching(&|e| e["attributes"]["actor"]["id"] == actor),
        ),
        (
            json!({"ip": [ip]}),
            matching(&|e| e["attributes"]["location"]["ip"] == ip),
        ),
        (
            json!({"from": millis}),
            matching(&|e| time(e) >= time(&all[60])),
        ),
        (
            json!({"to": millis}),
            matching(&|e| time(e) <= time(&all[60])),
        ),
        (
            json!({"location": "berlin"}),
            matching(&|e| e["attributes"]["location"]["city"] == "Berlin"),
        ),
    ];
    for (filter, expected) in rows {
        assert!(!expected.is_empty(), "{filter}");
        assert_eq!(
            ids(&List::get("v1:events").all(&sim, &filter).await, "id"),
            expected,
            "{filter}"
        );
    }
    assert_eq!(
        get(&sim, "v1:events?from=yesterday").await.code(),
        "ADMIN-400-3"
    );
    assert_eq!(
        get(&sim, "v1:events?product=word").await.status,
        StatusCode::BAD_REQUEST
    );
    assert!(
        get(&sim, "v1:event-actions").await.json()["data"]
            .as_array()
            .unwrap()
            .len()
            > 5
    );
}

#[tokio::test]
async fn api_keys_are_those_of_the_organization() {
    let sim = simulator(20, 3);
    let keys = List::get("api-access/v1:api-keys")
        .all(&sim, &json!({}))
        .await;
    assert_eq!(keys.len(), 1);
    assert!(!keys[0].to_string().contains(sim.access_token()));
}
