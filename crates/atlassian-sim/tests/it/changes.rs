//! Changes of the organization while it is served.

use std::time::Duration;

use atlassian_sim::{
    AccountStatus, Change, Config, Error, Membership, NewUser, Principal, Simulator,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, get, ids, simulator};

async fn members(sim: &Simulator, group: &str) -> Vec<String> {
    ids(
        &List::get("v2:directories/-/users")
            .all(sim, &json!({"groupIds": group}))
            .await,
        "accountId",
    )
}

async fn roles(sim: &Simulator, user: &str) -> Vec<Value> {
    List::get(format!("v2:directories/-/users/{user}/role-assignments"))
        .all(sim, &Value::Null)
        .await
}

#[tokio::test]
async fn changes_of_unknown_things_are_refused() {
    let sim = simulator(30, 5);
    let org = sim.organization();
    let truth = sim.truth();
    let (user, group) = (
        truth.users[0].account_id.as_str(),
        truth.groups[0].id.as_str(),
    );
    assert!(matches!(org.remove_user("x"), Err(Error::UnknownUser(_))));
    assert!(matches!(
        org.rename_group("x", "y"),
        Err(Error::UnknownGroup(_))
    ));
    assert!(matches!(
        org.add_member("x", user),
        Err(Error::UnknownGroup(_))
    ));
    assert!(matches!(
        org.add_member(group, "x"),
        Err(Error::UnknownUser(_))
    ));
    assert!(matches!(org.revoke_token("x"), Err(Error::UnknownToken(_))));
    assert!(matches!(
        org.add_group("g", Some("x"), false),
        Err(Error::UnknownDirectory(_))
    ));
    let nowhere = truth
        .users
        .iter()
        .find(|u| u.directory_ids.is_empty())
        .unwrap();
    assert!(matches!(
        org.add_member(group, &nowhere.account_id),
        Err(Error::NotInDirectory { .. })
    ));
    let assign = Change::AssignRole {
        principal: Principal::User(user.to_owned()),
        resource_id: "x".to_owned(),
        role: "r".to_owned(),
    };
    assert!(matches!(org.apply(assign), Err(Error::UnknownResource(_))));
    assert_eq!(sim.truth(), truth);
}

#[tokio::test]
async fn a_new_user_in_a_new_group_with_a_role_shows_everywhere() {
    let sim = simulator(30, 5);
    let org = sim.organization();
    let user = org
        .add_user(NewUser::named("Pat Doe", "Pat@acme.test"))
        .unwrap();
    let group = org.add_group("newcomers", None, false).unwrap();
    assert!(org.add_member(&group, &user).unwrap());
    assert!(
        !org.add_member(&group, &user).unwrap(),
        "a second time changes nothing"
    );
    let workspace = sim.truth().workspaces[0].id.clone();
    let role = |held: bool| {
        let (principal, resource_id, role) = (
            Principal::Group(group.clone()),
            workspace.clone(),
            "atlassian/guest".to_owned(),
        );
        if held {
            Change::AssignRole {
                principal,
                resource_id,
                role,
            }
        } else {
            Change::RevokeRole {
                principal,
                resource_id,
                role,
            }
        }
    };
    assert!(org.apply(role(true)).unwrap());
    assert_eq!(members(&sim, &group).await, std::slice::from_ref(&user));
    let held = roles(&sim, &user).await;
    assert_eq!(
        held[0]["roleAssignments"],
        json!([{"role": "atlassian/guest", "roleAssignmentMethods": ["group_direct"]}])
    );
    let by_role = List::get("v2:directories/-/users")
        .all(
            &sim,
            &json!({"resourceIds": workspace, "roleIds": "atlassian/guest"}),
        )
        .await;
    assert!(ids(&by_role, "accountId").contains(&user));
    let by_email = List::post("v2:directories/-/users/search")
        .all(&sim, &json!({"emails": ["pat@ACME.test"]}))
        .await;
    assert_eq!(by_email[0]["name"], "Pat Doe");
    assert!(org.apply(role(false)).unwrap());
    assert!(roles(&sim, &user).await.is_empty());
    org.rename_user(&user, "Pat Roe").unwrap();
    org.set_email(&user, None).unwrap();
    let one = get(&sim, &format!("v2:directories/-/users/{user}"))
        .await
        .json();
    assert_eq!(
        (one["data"]["name"].as_str(), one["data"].get("email")),
        (Some("Pat Roe"), None)
    );
    assert!(org.remove_member(&group, &user).unwrap());
    assert!(members(&sim, &group).await.is_empty());
    org.rename_group(&group, "old hands").unwrap();
    let names = List::post("v2:directories/-/groups/search")
        .all(&sim, &json!({"groupNames": ["OLD hands"]}))
        .await;
    assert_eq!(ids(&names, "id"), [group]);
}

#[tokio::test]
async fn removed_things_vanish_from_every_list() {
    let sim = simulator(60, 12);
    let org = sim.organization();
    let truth = sim.truth();
    let membership = &truth.memberships[0];
    let owner = truth.tokens[0].account_id.clone();
    org.remove_user(&membership.account_id).unwrap();
    org.remove_user(&owner).unwrap();
    org.remove_group(&truth.groups[1].id).unwrap();
    let after = sim.truth();
    assert!(
        !after
            .memberships
            .iter()
            .any(|m| m.account_id == owner || m.account_id == membership.account_id)
    );
    assert!(
        !after
            .memberships
            .iter()
            .any(|m| m.group_id == truth.groups[1].id)
    );
    assert!(after.tokens.iter().all(|t| t.account_id != owner));
    assert!(
        !members(&sim, &membership.group_id)
            .await
            .contains(&membership.account_id)
    );
    assert_eq!(
        get(&sim, &format!("v2:directories/-/users/{owner}"))
            .await
            .status,
        StatusCode::NOT_FOUND
    );
    let gone = get(
        &sim,
        &format!("v2:directories/-/groups/{}", truth.groups[1].id),
    )
    .await;
    assert_eq!(
        (gone.status, gone.code().as_str()),
        (StatusCode::NOT_FOUND, "ADMIN-404-10")
    );
    let none = List::get("v2:directories/-/users")
        .all(&sim, &json!({"groupIds": truth.groups[1].id}))
        .await;
    assert!(none.is_empty());
}

#[tokio::test]
async fn states_of_accounts_and_memberships_decide_the_status() {
    let sim = simulator(30, 5);
    let org = sim.organization();
    let truth = sim.truth();
    let user = truth
        .users
        .iter()
        .find(|u| u.status == "active" && u.managed && u.directory_ids.len() == 1)
        .unwrap();
    let (id, directory) = (user.account_id.as_str(), user.directory_ids[0].as_str());
    let status = async || {
        get(&sim, &format!("v2:directories/-/users/{id}"))
            .await
            .json()["data"]["status"]
            .clone()
    };
    org.set_membership(id, directory, Membership::Suspended)
        .unwrap();
    assert_eq!(status().await, "suspended");
    org.set_account_status(id, AccountStatus::Inactive, false)
        .unwrap();
    assert_eq!(status().await, "deactivated");
    org.set_account_status(id, AccountStatus::Inactive, true)
        .unwrap();
    assert_eq!(status().await, "for_deletion");
    org.set_account_status(id, AccountStatus::Active, false)
        .unwrap();
    org.set_membership(id, directory, Membership::None).unwrap();
    assert_eq!(status().await, "not_invited");
    assert!(!sim.truth().memberships.iter().any(|m| m.account_id == id));
}

#[tokio::test(start_paused = true)]
async fn submitted_changes_become_visible_after_the_delay() {
    let sim = Simulator::new(Config {
        visibility_delay: Duration::from_secs(5),
        ..config(30, 5)
    })
    .unwrap();
    let org = sim.organization();
    let user = org
        .add_user(NewUser::named("Pat", "pat@acme.test"))
        .unwrap();
    let group = org.add_group("late", None, false).unwrap();
    let change = Change::AddMember {
        group_id: group.clone(),
        account_id: user.clone(),
    };
    org.submit(change.clone()).unwrap();
    tokio::time::advance(Duration::from_millis(4999)).await;
    assert!(members(&sim, &group).await.is_empty());
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(members(&sim, &group).await, std::slice::from_ref(&user));
    org.submit(Change::RemoveMember {
        group_id: group.clone(),
        account_id: user.clone(),
    })
    .unwrap();
    org.remove_user(&user).unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    assert!(members(&sim, &group).await.is_empty());
    assert!(org.submit(change).is_err());
}
