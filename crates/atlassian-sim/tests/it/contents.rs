//! What the lists hold, against the truth.

use std::collections::{BTreeMap, BTreeSet};

use atlassian_sim::{OrganizationSpec, Principal, Simulator, Truth, TruthRole};
use serde_json::{Value, json};

use crate::client::{List, config, get, ids, simulator};

const NONE: Value = Value::Null;

#[tokio::test]
async fn lists_hold_what_the_truth_says() {
    let sim = simulator(300, 30);
    let truth = sim.truth();
    let users = List::get("v2:directories/-/users")
        .all(&sim, &json!({}))
        .await;
    let expected: Vec<_> = truth.users.iter().map(|u| u.account_id.clone()).collect();
    assert_eq!(ids(&users, "accountId"), expected);
    for (user, known) in users.iter().zip(&truth.users) {
        assert_eq!(user["status"], known.status.as_str());
        assert_eq!(user["name"], known.name.as_str());
        assert_eq!(user["email"].as_str(), known.email.as_deref());
        assert_eq!(user["claimStatus"] == "managed", known.managed);
    }
    let groups = List::get("v2:directories/-/groups")
        .all(&sim, &json!({"counts.includeUsers": true}))
        .await;
    assert_eq!(
        ids(&groups, "id"),
        truth
            .groups
            .iter()
            .map(|g| g.id.clone())
            .collect::<Vec<_>>()
    );
    for (group, known) in groups.iter().zip(&truth.groups) {
        assert_eq!(group["counts"]["users"], known.members);
        assert_eq!(group["externalSynced"], known.synced);
        assert_eq!(group["directoryId"], known.directory_id.as_str());
    }
    let workspaces = List::post("v2:workspaces").all(&sim, &json!({})).await;
    assert_eq!(
        ids(&workspaces, "id"),
        truth
            .workspaces
            .iter()
            .map(|w| w.id.clone())
            .collect::<Vec<_>>()
    );
    let tokens = List::get("api-access/v1:api-tokens")
        .all(&sim, &json!({}))
        .await;
    assert_eq!(
        ids(&tokens, "id"),
        truth
            .tokens
            .iter()
            .map(|t| t.id.clone())
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn members_by_group_are_the_memberships() {
    let sim = simulator(300, 30);
    let truth = sim.truth();
    let list = List::get("v2:directories/-/users");
    for group in &truth.groups {
        let members = list.all(&sim, &json!({"groupIds": group.id})).await;
        let expected: Vec<_> = truth
            .memberships
            .iter()
            .filter(|m| m.group_id == group.id)
            .map(|m| m.account_id.clone())
            .collect();
        assert_eq!(ids(&members, "accountId"), expected, "{}", group.name);
    }
    // The search returns the same memberships with the users.
    let search = List::post("v2:directories/-/users/search")
        .all(&sim, &json!({"expand": ["groups"]}))
        .await;
    let mut found = BTreeSet::new();
    for user in &search {
        for group in user["groups"].as_array().unwrap() {
            found.insert((
                group["id"].as_str().unwrap().to_owned(),
                user["accountId"].as_str().unwrap().to_owned(),
            ));
        }
    }
    let expected: BTreeSet<_> = truth
        .memberships
        .into_iter()
        .map(|m| (m.group_id, m.account_id))
        .collect();
    assert_eq!(found, expected);
}

/// Role, resource and methods as the answers of one principal give them.
fn roles_of(items: &[Value]) -> BTreeMap<(String, String), Vec<String>> {
    let mut found = BTreeMap::new();
    for item in items {
        let resource = item["resourceId"].as_str().unwrap().to_owned();
        for one in item["roleAssignments"].as_array().into_iter().flatten() {
            let methods = one["roleAssignmentMethods"].as_array().unwrap();
            let methods = methods
                .iter()
                .map(|m| m.as_str().unwrap().to_owned())
                .collect();
            found.insert(
                (resource.clone(), one["role"].as_str().unwrap().to_owned()),
                methods,
            );
        }
        if item["roleAssignments"].is_null() {
            for role in item["roles"].as_array().into_iter().flatten() {
                found.insert(
                    (resource.clone(), role.as_str().unwrap().to_owned()),
                    Vec::new(),
                );
            }
        } else if let Some(roles) = item["roles"].as_array() {
            assert_eq!(
                roles.len(),
                item["roleAssignments"].as_array().unwrap().len()
            );
        }
    }
    found
}

fn expected_roles(
    rows: &[TruthRole],
    principal: &Principal,
) -> BTreeMap<(String, String), Vec<String>> {
    let own = rows.iter().filter(|r| r.principal == *principal);
    own.map(|r| {
        (
            (r.resource_id.clone(), r.role.clone()),
            r.methods.words().map(str::to_owned).collect(),
        )
    })
    .collect()
}

#[tokio::test]
async fn role_assignments_are_the_effective_roles() {
    let sim = simulator(120, 20);
    let truth = sim.truth();
    let mut some_via_group = false;
    let mut most = 0;
    for user in &truth.users {
        let path = format!(
            "v2:directories/-/users/{}/role-assignments",
            user.account_id
        );
        let items = List::get(path).all(&sim, &NONE).await;
        most = most.max(items.len());
        let found = roles_of(&items);
        let expected = expected_roles(
            &truth.effective_roles,
            &Principal::User(user.account_id.clone()),
        );
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "{}",
            user.account_id
        );
        for (key, methods) in found.iter().filter(|(_, m)| !m.is_empty()) {
            assert_eq!(methods, &expected[key]);
            some_via_group |= methods.iter().any(|m| m == "group_direct");
        }
    }
    assert!(some_via_group);
    assert!(
        most > 100,
        "somebody has more assignments than fit on a page, got {most}"
    );
    for group in &truth.groups {
        let path = format!("v2:directories/-/groups/{}/role-assignments", group.id);
        let found = roles_of(&List::get(path).all(&sim, &NONE).await);
        let expected = expected_roles(&truth.direct_roles, &Principal::Group(group.id.clone()));
        assert_eq!(found, expected, "{}", group.name);
    }
}

/// Effective roles by brute force: own ones and those of all groups.
fn by_hand(truth: &Truth) -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for role in &truth.direct_roles {
        let row = |account: &str| {
            (
                account.to_owned(),
                role.resource_id.clone(),
                role.role.clone(),
            )
        };
        match &role.principal {
            Principal::User(id) => {
                all.insert(row(id));
            }
            Principal::Group(id) => {
                all.extend(
                    truth
                        .memberships
                        .iter()
                        .filter(|m| m.group_id == *id)
                        .map(|m| row(&m.account_id)),
                );
            }
        }
    }
    all
}

#[test]
fn effective_roles_are_direct_ones_and_those_of_groups() {
    let truth = simulator(300, 30).truth();
    let found: BTreeSet<_> = truth
        .effective_roles
        .iter()
        .map(|r| match &r.principal {
            Principal::User(id) => (id.clone(), r.resource_id.clone(), r.role.clone()),
            Principal::Group(id) => panic!("group {id} among effective roles"),
        })
        .collect();
    assert_eq!(found, by_hand(&truth));
}

#[tokio::test]
async fn every_oddity_appears_in_a_small_organization() {
    let sim = simulator(60, 40);
    let users = List::get("v2:directories/-/users")
        .all(&sim, &json!({}))
        .await;
    let has = |test: &dyn Fn(&Value) -> bool| users.iter().any(test);
    assert!(has(&|u| u.get("email").is_none()));
    assert!(has(&|u| u.get("email").is_some_and(Value::is_null)));
    assert!(has(&|u| u["email"] == ""));
    assert!(has(&|u| u.get("addedToOrg").is_none()));
    assert!(has(&|u| u.get("addedToOrg").is_some_and(Value::is_null)));
    assert!(has(&|u| u["platformRoles"].is_null()));
    assert!(has(&|u| u["accountType"] == "app") && has(&|u| u["accountType"] == "customer"));
    assert!(has(&|u| u["accountId"]
        .as_str()
        .is_some_and(|i| !i.contains(':'))));
    assert!(has(&|u| u["name"]
        .as_str()
        .is_some_and(|n| n.contains('\n'))));
    for status in [
        "active",
        "suspended",
        "deactivated",
        "not_invited",
        "for_deletion",
        "invited",
    ] {
        assert!(has(&|u| u["status"] == status), "{status}");
    }
    let truth = sim.truth();
    assert!(truth.users.iter().any(|u| u.directory_ids.len() == 2));
    assert!(truth.groups.iter().any(|g| g.members == 0) && truth.groups.iter().any(|g| g.synced));
    let names: BTreeSet<_> = truth.groups.iter().map(|g| &g.name).collect();
    assert!(
        names.len() < truth.groups.len(),
        "two directories have a group of equal name"
    );
    let listed: BTreeSet<_> = truth.workspaces.iter().map(|w| &w.id).collect();
    let owners: BTreeSet<_> = truth
        .effective_roles
        .iter()
        .map(|r| r.resource_owner.as_str())
        .collect();
    assert!(
        owners.contains("project") && owners.contains("goal") && owners.contains("future-product")
    );
    assert!(
        truth
            .effective_roles
            .iter()
            .any(|r| r.resource_owner == "loom" && !listed.contains(&r.resource_id))
    );
    assert!(
        truth
            .effective_roles
            .iter()
            .any(|r| r.role == "atlassian/role-of-tomorrow")
    );
}

#[tokio::test(start_paused = true)]
async fn equal_specs_give_equal_bytes_and_other_seeds_others() {
    async fn bytes(sim: &Simulator) -> Vec<String> {
        let mut all = Vec::new();
        for short in [
            "v2:directories/-/users?limit=50",
            "v2:directories/-/groups",
            "v1:events",
            "v1:users",
            "api-access/v1:api-tokens",
        ] {
            all.push(get(sim, short).await.text());
        }
        all
    }
    let (a, b) = (simulator(80, 12), simulator(80, 12));
    assert!(bytes(&a).await == bytes(&b).await, "answers differ");
    assert_eq!(a.truth(), b.truth());
    let mut other = config(80, 12);
    other.organization.seed = 8;
    let other = Simulator::new(other).unwrap();
    assert_ne!(a.truth().users, other.truth().users);
    assert_ne!(a.organization_id(), other.organization_id());
}

#[test]
fn a_large_organization_is_made_quickly_and_has_heavy_tailed_groups() {
    let mut config = config(100_000, 1000);
    config.organization = OrganizationSpec {
        users: 100_000,
        groups: 1000,
        ..config.organization
    };
    let truth = Simulator::new(config).unwrap().truth();
    let mut sizes: Vec<usize> = truth.groups.iter().map(|g| g.members).collect();
    sizes.sort_unstable();
    assert_eq!(sizes[0], 0);
    assert!(sizes[999] >= 20_000, "{}", sizes[999]);
    assert!(sizes[500] < 200);
    assert!(truth.users.len() > 99_000);
}

#[tokio::test]
async fn the_smallest_and_the_widest_organizations_answer_everything() {
    let specs = [
        (1, 0, 0, None, 0, 0),
        (2, 1, 1, Some(1), 1, 1),
        (5, 3, 2, None, 50, 9),
        (40, 60, 30, Some(8), 3, 40),
    ];
    for (users, groups, workspaces, directories, roles_per_user, tokens) in specs {
        for odd_data in [false, true] {
            let mut config = config(users, groups);
            config.organization = OrganizationSpec {
                workspaces,
                directories,
                roles_per_user,
                tokens: Some(tokens),
                events: Some(users),
                odd_data,
                ..config.organization
            };
            let sim = Simulator::new(config).unwrap();
            let truth = sim.truth();
            let found = List::get("v2:directories/-/users")
                .all(&sim, &json!({}))
                .await;
            assert_eq!(found.len(), truth.users.len());
            let mut per_directory = 0;
            for directory in &truth.directory_ids {
                let list = List::get(format!("v2:directories/{directory}/users"));
                per_directory += list.all(&sim, &json!({})).await.len();
            }
            let memberships: usize = truth.users.iter().map(|u| u.directory_ids.len()).sum();
            assert_eq!(per_directory, memberships);
            for user in &truth.users {
                let path = format!(
                    "v2:directories/-/users/{}/role-assignments",
                    user.account_id
                );
                let roles = roles_of(&List::get(path).all(&sim, &NONE).await);
                let principal = Principal::User(user.account_id.clone());
                assert_eq!(
                    roles.len(),
                    expected_roles(&truth.effective_roles, &principal).len()
                );
            }
            let workspaces = List::post("v2:workspaces").all(&sim, &json!({})).await;
            assert_eq!(workspaces.len(), truth.workspaces.len());
            for short in ["v2:directories/-/groups", "v1:events", "v1:users"] {
                List::get(short).all(&sim, &json!({})).await;
            }
        }
    }
}

#[test]
fn specs_out_of_range_are_refused_by_name() {
    let spec = OrganizationSpec::default;
    for (wrong, name) in [
        (OrganizationSpec { users: 0, ..spec() }, "`users` is 0"),
        (
            OrganizationSpec {
                groups: 200_001,
                ..spec()
            },
            "`groups` is 200001",
        ),
        (
            OrganizationSpec {
                directories: Some(9),
                ..spec()
            },
            "`directories` is 9",
        ),
        (
            OrganizationSpec {
                workspaces: 5001,
                ..spec()
            },
            "`workspaces` is 5001",
        ),
    ] {
        let error = wrong.check().unwrap_err().to_string();
        assert!(error.starts_with(name), "{error}");
    }
}
