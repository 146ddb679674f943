//! Searches that misreport on request, and organizations where few hold roles.

use std::collections::BTreeSet;

use atlassian_sim::{
    Answers, Config, OrganizationSpec, Principal, RateLimits, SearchFlaws, Simulator,
};
use serde_json::{Value, json};

use crate::client::List;

fn simulator(search_flaws: SearchFlaws, role_holders: Option<u8>) -> Simulator {
    Simulator::new(Config {
        organization: OrganizationSpec {
            users: 200,
            groups: 20,
            seed: 9,
            role_holders,
            ..OrganizationSpec::default()
        },
        answers: Answers {
            search_flaws,
            ..Answers::default()
        },
        limits: RateLimits::off(),
        ..Config::default()
    })
    .unwrap()
}

async fn search(sim: &Simulator, what: &str, expand: &[&str]) -> Vec<Value> {
    let path = format!("v2:directories/-/{what}/search");
    let pages = List::post(&path)
        .pages(sim, Some(100), &json!({ "expand": expand }))
        .await;
    pages.into_iter().flatten().collect()
}

const USERS: [&str; 4] = [
    "counts.resources",
    "groups",
    "platformRoles",
    "productAccess",
];
const GROUPS: [&str; 2] = ["counts.resources", "counts.users"];

/// Account ids of users with no fact of a role.
fn quiet(users: &[Value]) -> BTreeSet<&str> {
    users
        .iter()
        .filter(|user| {
            user["counts"]["resources"] == 0
                && user["platformRoles"] == json!([])
                && user["productAccess"] == json!([])
        })
        .map(|user| user["accountId"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn without_flaws_nobody_who_holds_a_role_looks_as_if_not() {
    let sim = simulator(SearchFlaws::default(), Some(20));
    let truth = sim.truth();
    let holders: BTreeSet<&str> = truth
        .effective_roles
        .iter()
        .map(|role| match &role.principal {
            Principal::User(id) | Principal::Group(id) => id.as_str(),
        })
        .collect();
    // The first 32 users show every peculiarity, so some more than a fifth hold roles.
    assert!((40..90).contains(&holders.len()), "{}", holders.len());
    let users = search(&sim, "users", &USERS).await;
    assert_eq!(users.len(), 200);
    let quiet = quiet(&users);
    assert!(quiet.len() > 100);
    assert!(quiet.is_disjoint(&holders));
}

#[tokio::test]
async fn each_flaw_shows_in_searches_and_nowhere_else() {
    let honest = SearchFlaws::default();
    let baseline = simulator(honest, None);
    let true_users = search(&baseline, "users", &USERS).await;
    let true_groups = search(&baseline, "groups", &GROUPS).await;
    let some = |field: &str, values: &[Value]| {
        let filled = values
            .iter()
            .filter(|v| v[field].as_array().is_some_and(|a| !a.is_empty()));
        filled.count()
    };
    let resources = |values: &[Value]| -> u64 {
        let counts = values
            .iter()
            .map(|v| v["counts"]["resources"].as_u64().unwrap_or(0));
        counts.sum()
    };
    let members = |values: &[Value]| -> u64 {
        let counts = values
            .iter()
            .map(|v| v["counts"]["users"].as_u64().unwrap_or(0));
        counts.sum()
    };

    let sim = simulator(
        SearchFlaws {
            omit_expanded: 3,
            ..honest
        },
        None,
    );
    assert!(search(&sim, "users", &USERS).await.len() < 180);
    assert_eq!(search(&sim, "users", &[]).await.len(), 200);

    let sim = simulator(
        SearchFlaws {
            omit_plain: 3,
            ..honest
        },
        None,
    );
    assert_eq!(search(&sim, "users", &USERS).await.len(), 200);
    assert!(search(&sim, "users", &[]).await.len() < 180);
    let listed = List::get("v2:directories/-/users")
        .pages(&sim, Some(100), &json!({}))
        .await;
    assert_eq!(listed.into_iter().flatten().count(), 200);

    let sim = simulator(
        SearchFlaws {
            hide_roles: 3,
            ..honest
        },
        None,
    );
    let users = search(&sim, "users", &USERS).await;
    assert!(quiet(&users).len() > quiet(&true_users).len() + 20);
    assert_eq!(sim.truth(), baseline.truth());

    let sim = simulator(
        SearchFlaws {
            hide_group_roles: 2,
            ..honest
        },
        None,
    );
    assert!(resources(&search(&sim, "groups", &GROUPS).await) < resources(&true_groups));

    let sim = simulator(
        SearchFlaws {
            hide_memberships: 3,
            ..honest
        },
        None,
    );
    let users = search(&sim, "users", &USERS).await;
    assert!(some("groups", &users) < some("groups", &true_users));
    assert_eq!(
        members(&search(&sim, "groups", &GROUPS).await),
        members(&true_groups)
    );
    let agreeing = SearchFlaws {
        hide_memberships: 3,
        counts_agree: true,
        ..honest
    };
    let sim = simulator(agreeing, None);
    assert!(members(&search(&sim, "groups", &GROUPS).await) < members(&true_groups));

    let sim = simulator(
        SearchFlaws {
            invent_memberships: 3,
            ..honest
        },
        None,
    );
    let first = true_groups[0]["id"].clone();
    let shown = search(&sim, "users", &USERS).await;
    let inside = |users: &[Value]| {
        let holds = |user: &&Value| {
            user["groups"]
                .as_array()
                .unwrap()
                .iter()
                .any(|group| group["id"] == first)
        };
        users.iter().filter(holds).count()
    };
    assert!(inside(&shown) > inside(&true_users) + 20);

    let sim = simulator(
        SearchFlaws {
            direct_only: true,
            ..honest
        },
        None,
    );
    let shown = search(&sim, "users", &USERS).await;
    assert!(resources(&shown) < resources(&true_users));

    let sim = simulator(
        SearchFlaws {
            no_expansions: true,
            ..honest
        },
        None,
    );
    for value in search(&sim, "users", &USERS).await {
        assert!(
            value.get("counts").is_none() && value.get("groups").is_none(),
            "{value}"
        );
    }
    for value in search(&sim, "groups", &GROUPS).await {
        assert!(value.get("counts").is_none(), "{value}");
    }
}
