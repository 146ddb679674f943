//! Filters against brute force over everything that the lists show.

use std::collections::{BTreeMap, BTreeSet};

use atlassian_sim::{Principal, Simulator, Truth};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, ids, post, simulator};

struct Known {
    sim: Simulator,
    truth: Truth,
    users: Vec<Value>,
    groups_of: BTreeMap<String, BTreeSet<String>>,
    /// Resource and role pairs of each user and group.
    roles_of: BTreeMap<Principal2, BTreeSet<(String, String)>>,
}

/// Whether it is a user, and the id.
type Principal2 = (bool, String);

type Test<'a> = &'a dyn Fn(&Value) -> bool;

fn key(principal: &Principal) -> Principal2 {
    match principal {
        Principal::User(id) => (true, id.clone()),
        Principal::Group(id) => (false, id.clone()),
    }
}

async fn known() -> Known {
    let sim = Simulator::new(config(400, 60)).unwrap();
    let truth = sim.truth();
    let users = List::get("v2:directories/-/users")
        .all(&sim, &json!({}))
        .await;
    let mut groups_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for m in &truth.memberships {
        groups_of
            .entry(m.account_id.clone())
            .or_default()
            .insert(m.group_id.clone());
    }
    let mut roles_of: BTreeMap<Principal2, BTreeSet<(String, String)>> = BTreeMap::new();
    let groups = truth
        .direct_roles
        .iter()
        .filter(|r| matches!(r.principal, Principal::Group(_)));
    for r in truth.effective_roles.iter().chain(groups) {
        roles_of
            .entry(key(&r.principal))
            .or_default()
            .insert((r.resource_id.clone(), r.role.clone()));
    }
    Known {
        sim,
        truth,
        users,
        groups_of,
        roles_of,
    }
}

impl Known {
    fn users_where(&self, test: impl Fn(&Value, &str) -> bool) -> Vec<String> {
        let all = self
            .users
            .iter()
            .map(|u| (u, u["accountId"].as_str().unwrap()));
        all.filter(|(u, id)| test(u, id))
            .map(|(_, id)| id.to_owned())
            .collect()
    }

    fn holds(&self, principal: &Principal2, test: impl Fn(&(String, String)) -> bool) -> bool {
        self.roles_of
            .get(principal)
            .is_some_and(|r| r.iter().any(test))
    }

    /// Both forms of the list must give the same.
    async fn check_users(&self, filter: Value, expected: Vec<String>) {
        assert!(
            !expected.is_empty() && expected.len() < self.users.len(),
            "a filter that filters: {filter}"
        );
        let found = List::get("v2:directories/-/users")
            .all(&self.sim, &filter)
            .await;
        assert_eq!(ids(&found, "accountId"), expected, "GET {filter}");
        let mut lists = filter.clone();
        for value in lists.as_object_mut().unwrap().values_mut() {
            if value == "true" || value == "false" {
                *value = json!(value == "true");
            }
        }
        let found = List::post("v2:directories/-/users/search")
            .all(&self.sim, &lists)
            .await;
        assert_eq!(ids(&found, "accountId"), expected, "POST {filter}");
    }
}

#[tokio::test]
async fn user_filters_equal_brute_force() {
    let k = known().await;
    let t = &k.truth;
    for (name, words) in [
        (
            "status",
            &[
                "active",
                "suspended",
                "not_invited",
                "deactivated",
                "for_deletion",
            ][..],
        ),
        ("accountStatus", &["active", "inactive", "closed"][..]),
        (
            "membershipStatus",
            &["active", "suspended", "no_membership"][..],
        ),
        ("claimStatus", &["managed", "unmanaged"][..]),
    ] {
        for word in words {
            k.check_users(json!({name: word}), k.users_where(|u, _| u[name] == *word))
                .await;
        }
    }
    let two = json!({"status": ["suspended", "deactivated"], "claimStatus": "managed"});
    let expected = k.users_where(|u, _| {
        (u["status"] == "suspended" || u["status"] == "deactivated")
            && u["claimStatus"] == "managed"
    });
    k.check_users(two, expected).await;
    for flag in [true, false] {
        k.check_users(
            json!({"mfaEnabled": flag.to_string()}),
            k.users_where(|u, _| u["mfaEnabled"] == flag),
        )
        .await;
    }
    let email = |u: &Value| u["email"].as_str().unwrap_or_default().to_lowercase();
    k.check_users(
        json!({"emailDomains": ["Contractor.example"]}),
        k.users_where(|u, _| email(u).ends_with("@contractor.example")),
    )
    .await;
    for term in ["kim", "STONE", "1@", "Sso"] {
        let lower = term.to_lowercase();
        let hit = |u: &Value| {
            email(u).contains(&lower) || u["nickname"].as_str().unwrap().contains(&lower)
        };
        k.check_users(json!({"searchTerm": term}), k.users_where(|u, _| hit(u)))
            .await;
    }
    let some: Vec<_> = [30, 3, 3, 200]
        .map(|n: usize| t.users[n].account_id.clone())
        .into();
    k.check_users(
        json!({"accountIds": some}),
        k.users_where(|_, id| some.iter().any(|s| s == id)),
    )
    .await;
    let groups: Vec<_> = [2, 9, 17].map(|n: usize| t.groups[n].id.clone()).into();
    let in_groups = |id: &str| {
        k.groups_of
            .get(id)
            .is_some_and(|g| groups.iter().any(|w| g.contains(w)))
    };
    k.check_users(
        json!({"groupIds": groups}),
        k.users_where(|_, id| in_groups(id)),
    )
    .await;
    k.check_users(
        json!({"groupIds": groups, "status": "active"}),
        k.users_where(|u, id| in_groups(id) && u["status"] == "active"),
    )
    .await;
    for directory in &t.directory_ids {
        let there = |id: &str| {
            t.users
                .iter()
                .any(|u| u.account_id == id && u.directory_ids.contains(directory))
        };
        k.check_users(
            json!({"directoryIds": directory}),
            k.users_where(|_, id| there(id)),
        )
        .await;
    }
}

#[tokio::test]
async fn role_filters_of_users_equal_brute_force() {
    let k = known().await;
    for workspace in &k.truth.workspaces {
        let on = |r: &(String, String)| r.0 == workspace.id;
        let held = |id: &str| k.holds(&(true, id.to_owned()), on);
        k.check_users(
            json!({"resourceIds": workspace.id}),
            k.users_where(|_, id| held(id)),
        )
        .await;
        let admin =
            |id: &str| k.holds(&(true, id.to_owned()), |r| on(r) && r.1 == "atlassian/user");
        k.check_users(
            json!({"resourceIds": workspace.id, "roleIds": "atlassian/user"}),
            k.users_where(|_, id| admin(id)),
        )
        .await;
    }
    for role in [
        "atlassian/org-admin",
        "atlassian/guest",
        "atlassian/ai-access",
        "atlassian/site-admin",
    ] {
        let held = |id: &str| k.holds(&(true, id.to_owned()), |r| r.1 == role);
        k.check_users(json!({"roleIds": role}), k.users_where(|_, id| held(id)))
            .await;
    }
}

#[tokio::test]
async fn emails_are_found_exactly() {
    let k = known().await;
    let with: Vec<_> = k
        .users
        .iter()
        .filter(|u| u["email"].as_str().is_some_and(|e| !e.is_empty()))
        .collect();
    for user in &with {
        let body = json!({"emails": [user["email"].as_str().unwrap().to_uppercase()]});
        let found = List::post("v2:directories/-/users/search")
            .all(&k.sim, &body)
            .await;
        assert_eq!(
            ids(&found, "accountId"),
            [user["accountId"].as_str().unwrap()],
            "{body}"
        );
    }
    let body = json!({"emails": ["nobody1@acme.test", "x", ""]});
    assert!(
        List::post("v2:directories/-/users/search")
            .all(&k.sim, &body)
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn users_are_sorted_by_nickname() {
    let k = known().await;
    for descending in [false, true] {
        let mut expected: Vec<_> = k
            .users
            .iter()
            .map(|u| u["nickname"].as_str().unwrap().to_owned())
            .collect();
        expected.sort_unstable();
        let direction = if descending { "desc" } else { "asc" };
        if descending {
            expected.reverse();
        }
        let body = json!({"sortBy": [{"field": "nick_name", "direction": direction}], "limit": 37});
        let found = List::post("v2:directories/-/users/search")
            .all(&k.sim, &body)
            .await;
        assert_eq!(ids(&found, "nickname"), expected);
    }
}

#[tokio::test]
async fn group_filters_equal_brute_force() {
    let k = known().await;
    let groups = List::get("v2:directories/-/groups")
        .all(&k.sim, &json!({}))
        .await;
    let pick = |test: &dyn Fn(&Value, &str) -> bool| -> Vec<String> {
        groups
            .iter()
            .filter(|g| test(g, g["id"].as_str().unwrap()))
            .map(|g| g["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let member = k
        .truth
        .memberships
        .iter()
        .map(|m| m.account_id.clone())
        .nth(40)
        .unwrap();
    let (w, d) = (
        k.truth.workspaces[1].id.clone(),
        k.truth.directory_ids[1].clone(),
    );
    let some = vec![k.truth.groups[4].id.clone(), k.truth.groups[1].id.clone()];
    let on = |test: fn(&(String, String), &str) -> bool, arg: &str| {
        let arg = arg.to_owned();
        pick(&|_, id| k.holds(&(false, id.to_owned()), |r| test(r, &arg)))
    };
    let owner_of = |ari: &str| {
        k.truth
            .effective_roles
            .iter()
            .chain(&k.truth.direct_roles)
            .find(|r| r.resource_id == ari)
            .unwrap()
            .resource_owner
            .clone()
    };
    let rows = [
        (
            json!({"accountIds": [member]}),
            pick(&|_, id| k.groups_of[&member].contains(id)),
        ),
        (
            json!({"directoryIds": d}),
            pick(&|g, _| g["directoryId"] == d.as_str()),
        ),
        (
            json!({"groupIds": some}),
            pick(&|_, id| some.iter().any(|s| s == id)),
        ),
        (json!({"resourceIds": w}), on(|r, w| r.0 == w, &w)),
        (
            json!({"roleIds": "atlassian/admin"}),
            on(|r, role| r.1 == role, "atlassian/admin"),
        ),
        (
            json!({"resourceOwners": "confluence"}),
            pick(&|_, id| k.holds(&(false, id.to_owned()), |r| owner_of(&r.0) == "confluence")),
        ),
        (
            json!({"searchTerm": "FALCON"}),
            pick(&|g, _| {
                g["name"]
                    .as_str()
                    .unwrap()
                    .to_lowercase()
                    .contains("falcon")
            }),
        ),
    ];
    for (filter, expected) in rows {
        assert!(
            !expected.is_empty() && expected.len() < groups.len(),
            "a filter that filters: {filter}"
        );
        let found = List::get("v2:directories/-/groups")
            .all(&k.sim, &filter)
            .await;
        assert_eq!(ids(&found, "id"), expected, "GET {filter}");
        let found = List::post("v2:directories/-/groups/search")
            .all(&k.sim, &filter)
            .await;
        assert_eq!(ids(&found, "id"), expected, "POST {filter}");
    }
    let mut names: Vec<_> = groups
        .iter()
        .map(|g| g["name"].as_str().unwrap().to_lowercase())
        .collect();
    names.sort_unstable();
    let sorted = List::get("v2:directories/-/groups")
        .all(&k.sim, &json!({"sortBy": "name:asc"}))
        .await;
    assert_eq!(
        sorted
            .iter()
            .map(|g| g["name"].as_str().unwrap().to_lowercase())
            .collect::<Vec<_>>(),
        names
    );
}

#[tokio::test]
async fn values_outside_their_sets_are_refused() {
    let sim = simulator(20, 12);
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let lists = [
        List::get("v2:directories/-/users"),
        List::post("v2:directories/-/users/search"),
    ];
    for filter in [
        json!({"status": "invited"}),
        json!({"accountStatus": "open"}),
        json!({"membershipStatus": "maybe"}),
        json!({"claimStatus": "mine"}),
        json!({"roleIds": "atlassian/viewer"}),
        json!({"mfaEnabled": "maybe"}),
        json!({"sortBy": [{"field": "email"}]}),
    ] {
        for list in &lists {
            let answer = list.page(&sim, None, None, &filter).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{filter}");
        }
    }
    let many = json!({"groupIds": eleven});
    assert_eq!(
        lists[0].page(&sim, None, None, &many).await.status,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(
        lists[1].page(&sim, None, None, &many).await.status,
        StatusCode::OK
    );
    let both = json!({"emails": ["a@b.test"], "searchTerm": "a"});
    assert_eq!(
        post(&sim, "v2:directories/-/users/search", &both)
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
    for excluded in [json!({"searchTerm": "a"}), json!({"groupIds": ["a"]})] {
        let mut body = excluded;
        body["groupNames"] = json!(["x"]);
        assert_eq!(
            post(&sim, "v2:directories/-/groups/search", &body)
                .await
                .status,
            StatusCode::BAD_REQUEST
        );
    }
}

#[tokio::test]
async fn workspace_queries_equal_brute_force() {
    let mut c = config(30, 3);
    c.organization.workspaces = 40;
    let sim = Simulator::new(c).unwrap();
    let list = List::post("v2:workspaces");
    let all = list.all(&sim, &json!({})).await;
    let field = |name: &str, values: Value| json!({"field": {"name": name, "values": values}});
    let key = |w: &Value| w["attributes"]["typeKey"].as_str().unwrap().to_owned();
    let online = |w: &Value| w["attributes"]["status"] == "online";
    let rows: [(Value, Test<'_>); 5] = [
        (
            field("attributes.typeKey", json!(["jira-software", "rovo"])),
            &|w| key(w) == "jira-software" || key(w) == "rovo",
        ),
        (
            json!({"nor": [field("attributes.typeKey", json!(["confluence"])), field("attributes.status", json!(["offline"]))]}),
            &|w| key(w) != "confluence" && w["attributes"]["status"] != "offline",
        ),
        (
            json!({"and": [field("attributes.typeKey", json!(["compass"])), field("attributes.status", json!(["online"]))]}),
            &|w| key(w) == "compass" && online(w),
        ),
        (field("attributes.typeKey", json!([])), &|_| true),
        (json!({"features": {"anything": 1}}), &|_| true),
    ];
    for (query, test) in rows {
        let expected: Vec<Value> = all.iter().filter(|w| test(w)).cloned().collect();
        assert!(!expected.is_empty());
        let body = json!({"query": query, "limit": 7});
        assert_eq!(list.all(&sim, &body).await, expected, "{query}");
        let page = post(&sim, "v2:workspaces", &body).await.json();
        assert_eq!(page["meta"]["total"], expected.len());
    }
    let sorted = list
        .all(
            &sim,
            &json!({"sort": [{"field": "attributes.createdAt", "order": "desc"}], "limit": 6}),
        )
        .await;
    let dates: Vec<_> = sorted
        .iter()
        .map(|w| w["attributes"]["createdAt"].as_str().unwrap())
        .collect();
    assert!(dates.windows(2).all(|w| w[0] >= w[1]) && dates.len() == all.len());
    for wrong in [
        json!({"or": []}),
        json!(3),
        json!({"field": {}}),
        json!({"and": {}}),
        json!({"and": [], "nor": []}),
    ] {
        let answer = post(&sim, "v2:workspaces", &json!({"query": wrong})).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::BAD_REQUEST, "ADMIN-400-24"),
            "{wrong}"
        );
    }
    let deep = (0..30).fold(field("id", json!([])), |inner, _| json!({"and": [inner]}));
    assert_eq!(
        post(&sim, "v2:workspaces", &json!({"query": deep}))
            .await
            .status,
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn token_filters_equal_brute_force() {
    let mut c = config(60, 3);
    c.organization.tokens = Some(80);
    let sim = Simulator::new(c).unwrap();
    let list = List {
        size: "pageSize",
        ..List::get("api-access/v1:api-tokens")
    };
    let all = list.all(&sim, &json!({})).await;
    let pick = |test: &dyn Fn(&Value) -> bool| -> Vec<String> {
        all.iter()
            .filter(|t| test(t))
            .map(|t| t["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let text = |t: &Value, path: &str| {
        t.pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let rows = [
        (
            json!({"status": "BLOCKED"}),
            pick(&|t| t["status"] == "BLOCKED"),
        ),
        (
            json!({"q": "CI"}),
            pick(&|t| {
                ["/label", "/user/name", "/user/email"]
                    .iter()
                    .any(|p| text(t, p).to_lowercase().contains("ci"))
            }),
        ),
        (
            json!({"createdAtSearchType": "range", "createdAtFrom": "2025-06-01T00:00:00Z", "createdAtTo": "2026-06-01T00:00:00Z"}),
            pick(&|t| {
                (text(t, "/createdAt")).as_str() > "2025-06-01"
                    && text(t, "/createdAt").as_str() < "2026-06-01"
            }),
        ),
        (
            json!({"createdAtSearchType": "gt", "createdAtUom": "days", "createdAtValue": 365}),
            pick(&|t| text(t, "/createdAt").as_str() < "2025-11-23T20:31:15"),
        ),
        (
            json!({"lastActiveAtSearchType": "lt", "lastActiveAtUom": "weeks", "lastActiveAtValue": 6}),
            pick(&|t| text(t, "/lastActiveAt").as_str() > "2026-10-12T20:31:15"),
        ),
    ];
    for (filter, expected) in rows {
        assert!(
            !expected.is_empty() && expected.len() < all.len(),
            "a filter that filters: {filter}"
        );
        assert_eq!(
            ids(&list.all(&sim, &filter).await, "id"),
            expected,
            "{filter}"
        );
    }
    let newest = list
        .all(&sim, &json!({"sort": "-createdAt", "pageSize": 9}))
        .await;
    assert!(
        newest
            .windows(2)
            .all(|w| text(&w[0], "/createdAt") >= text(&w[1], "/createdAt"))
    );
    for wrong in [
        json!({"status": "OPEN"}),
        json!({"createdAtSearchType": "gt"}),
        json!({"createdAtSearchType": "range"}),
        json!({"sort": "colour"}),
    ] {
        assert_eq!(
            list.page(&sim, None, None, &wrong).await.status,
            StatusCode::BAD_REQUEST,
            "{wrong}"
        );
    }
    let ignored = list
        .page(&sim, None, None, &json!({"limit": 3}))
        .await
        .json();
    assert_eq!(
        ignored["data"].as_array().unwrap().len(),
        20,
        "`limit` has no effect"
    );
}
