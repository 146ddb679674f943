//! Suspending, restoring and removing users; creating and deleting groups.

use atlassian_sim::{Membership, NewUser, Principal, Writes};
use http::StatusCode;
use serde_json::json;

use crate::client::{List, get, ids, ids_at, newest_events};
use crate::stage::{Stage, check, done, refused, set_membership};

const SUSPEND: &str = "v2:directories/{dir}/users/{user}/suspend";
const RESTORE: &str = "v2:directories/{dir}/users/{user}/restore";
const REMOVE: &str = "v2:directories/{dir}/users/{user}";
const GROUPS: &str = "v2:directories/{dir}/groups";
const GROUP: &str = "v2:directories/{dir}/groups/{group}";

#[tokio::test]
async fn every_refusal_of_a_suspension_has_its_code_and_no_effect() {
    let stage = Stage::new();
    for (method, end) in [("POST", "/suspend"), ("POST", "/restore"), ("DELETE", "")] {
        let cases = [
            ("v2:directories/-/users/{user}", 400, "ADMIN-UAM-400-1"),
            ("v2:directories/no/users/{user}", 404, "ADMIN-UAM-404-1"),
            ("v2:directories/{dir}/users/no", 404, "ADMIN-UAM-404-1"),
            (
                "v2:directories/{other_dir}/users/{user}",
                404,
                "ADMIN-UAM-404-1",
            ),
        ];
        for (path, status, code) in cases {
            let before = stage.sim.truth();
            let answer = stage.send(method, &format!("{path}{end}"), "").await;
            let expected = (StatusCode::from_u16(status).unwrap(), code);
            assert_eq!(
                (answer.status, answer.code().as_str()),
                expected,
                "{path}{end}"
            );
            assert!(!stage.changed() && stage.sim.truth() == before);
        }
    }
    let rows = [
        refused("wrong method", "PUT", SUSPEND, "", 405, "ADMIN-405-1"),
        refused("wrong method", "PATCH", REMOVE, "", 405, "ADMIN-405-1"),
    ];
    check(&stage, &rows).await;
}

#[tokio::test]
async fn organization_admins_are_not_suspended_and_the_last_one_not_removed() {
    let stage = Stage::new();
    stage.one_admin();
    let rows = [
        refused("suspend", "POST", SUSPEND, "", 400, "ADMIN-UAM-400-1"),
        refused("remove", "DELETE", REMOVE, "", 400, "ADMIN-UAM-400-1"),
    ];
    check(&stage, &rows).await;
    let org = stage.sim.organization();
    org.add_member(&stage.admins, &stage.user).unwrap();
    let own = Principal::User(stage.user.clone());
    stage.set_role(&own, &stage.organization, "atlassian/org-admin", false);
    check(&stage, &rows).await;
    let second = Principal::User(stage.outsider.clone());
    stage.set_role(&second, &stage.organization, "atlassian/org-admin", true);
    check(&stage, &rows[..1]).await;
    check(&stage, &[done("not the last", "DELETE", REMOVE, "", true)]).await;
}

#[tokio::test]
async fn a_suspended_user_keeps_roles_and_groups_and_is_suspended_only_in_all_directories() {
    let stage = Stage::new();
    let org = stage.sim.organization();
    org.add_member(&stage.group, &stage.user).unwrap();
    let own = Principal::User(stage.user.clone());
    stage.set_role(&own, &stage.jira, "atlassian/user", true);
    set_membership(
        &stage,
        &stage.user,
        &stage.other_directory,
        Membership::Active,
    );
    let status = async |scope: &str, name: &str| {
        let path = stage.fill(&format!("v2:directories/{scope}/users/{{user}}"));
        get(&stage.sim, &path).await.json()["data"][name].clone()
    };
    let rows = [
        done("suspend", "POST", SUSPEND, "", true),
        done("suspend again", "POST", SUSPEND, "", false),
    ];
    check(&stage, &rows).await;
    assert_eq!(status("{dir}", "membershipStatus").await, "suspended");
    assert_eq!(status("{other_dir}", "membershipStatus").await, "active");
    assert_eq!(status("-", "status").await, "active");
    let elsewhere = "v2:directories/{other_dir}/users/{user}/suspend";
    check(&stage, &[done("elsewhere", "POST", elsewhere, "", true)]).await;
    assert_eq!(status("-", "status").await, "suspended");
    let search = List::post("v2:directories/-/users/search");
    let filter =
        json!({"roleIds": ["atlassian/user"], "resourceIds": [stage.jira], "status": ["active"]});
    let active = async || ids(&search.all(&stage.sim, &filter).await, "accountId");
    assert!(!active().await.contains(&stage.user));
    let path = format!("v2:directories/-/users/{}/role-assignments", stage.user);
    let roles = List::get(path).all(&stage.sim, &json!({})).await;
    assert_eq!(roles[0]["userDirectoryStatus"], "suspended");
    assert!(stage.is_member(&stage.group, &stage.user));
    let rows = [
        done("restore", "POST", RESTORE, "", true),
        done("restore again", "POST", RESTORE, "", false),
    ];
    check(&stage, &rows).await;
    assert!(active().await.contains(&stage.user));
    assert_eq!(status("-", "status").await, "active");
    let actions = ids_at(&newest_events(&stage.sim).await, "/attributes/action");
    assert_eq!(
        actions[..3],
        ["user_restored", "user_suspended", "user_suspended"]
    );
}

#[tokio::test]
async fn removal_from_a_directory_ends_roles_and_groups_there() {
    let stage = Stage::new();
    let org = stage.sim.organization();
    org.add_member(&stage.group, &stage.user).unwrap();
    let own = Principal::User(stage.user.clone());
    stage.set_role(&own, &stage.jira, "atlassian/user", true);
    stage.set_role(&own, &stage.site, "atlassian/site-admin", true);
    set_membership(
        &stage,
        &stage.user,
        &stage.other_directory,
        Membership::Active,
    );
    check(&stage, &[done("remove", "DELETE", REMOVE, "", true)]).await;
    assert!(!stage.is_member(&stage.group, &stage.user));
    assert!(
        stage
            .role(&stage.user, &stage.jira, "atlassian/user")
            .is_none()
    );
    assert!(
        stage
            .role(&stage.user, &stage.site, "atlassian/site-admin")
            .is_some()
    );
    let directories = List::get("v2:directories");
    let user_in = json!({"accountId": stage.user});
    let left = directories.all(&stage.sim, &user_in).await;
    assert_eq!(
        ids(&left, "directoryId"),
        std::slice::from_ref(&stage.other_directory)
    );
    check(
        &stage,
        &[refused(
            "again",
            "DELETE",
            REMOVE,
            "",
            404,
            "ADMIN-UAM-404-1",
        )],
    )
    .await;
    let last = "v2:directories/{other_dir}/users/{user}";
    check(&stage, &[done("last directory", "DELETE", last, "", true)]).await;
    assert!(
        stage
            .role(&stage.user, &stage.site, "atlassian/site-admin")
            .is_none()
    );
    assert!(directories.all(&stage.sim, &user_in).await.is_empty());
    let path = format!("v2:directories/-/users/{}", stage.user);
    let managed = get(&stage.sim, &path).await.json();
    assert_eq!(managed["data"]["status"], "not_invited");
    let unmanaged = NewUser {
        managed: false,
        ..NewUser::named("guest", "guest@other.example")
    };
    let guest = org.add_user(unmanaged).unwrap();
    let path = format!("v2:directories/{}/users/{guest}", stage.directory);
    assert_eq!(
        stage.send("DELETE", &path, "").await.status,
        StatusCode::NO_CONTENT
    );
    let gone = get(&stage.sim, &format!("v2:directories/-/users/{guest}")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_refusal_of_a_group_has_its_code_and_no_effect() {
    let stage = Stage::with(Writes {
        only_empty_groups_go: true,
        ..Writes::default()
    });
    let org = stage.sim.organization();
    org.add_member(&stage.group, &stage.user).unwrap();
    let new = r#"{"name": "new"}"#;
    let of_product = format!(
        "v2:directories/{{dir}}/groups/{}",
        stage.sim.truth().groups[1].id
    );
    let rows = [
        refused("no body", "POST", GROUPS, "", 400, "ADMIN-UAM-400-1"),
        refused(
            "blank name",
            "POST",
            GROUPS,
            r#"{"name": " "}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "a number",
            "POST",
            GROUPS,
            r#"{"name": 1}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "odd description",
            "POST",
            GROUPS,
            r#"{"name": "x", "description": 1}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "all directories",
            "POST",
            "v2:directories/-/groups",
            new,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "unknown directory",
            "POST",
            "v2:directories/no/groups",
            new,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "taken",
            "POST",
            GROUPS,
            r#"{"name": "PLAIN"}"#,
            409,
            "ADMIN-UAM-409-2",
        ),
        refused(
            "default",
            "POST",
            GROUPS,
            r#"{"name": "org-admins"}"#,
            409,
            "ADMIN-UAM-409-1",
        ),
        refused(
            "delete: admins",
            "DELETE",
            "v2:directories/{dir}/groups/{admins}",
            "",
            403,
            "ADMIN-403-7",
        ),
        refused(
            "delete: synced",
            "DELETE",
            "v2:directories/{dir}/groups/{synced}",
            "",
            403,
            "ADMIN-UAM-403-1",
        ),
        refused("delete: members", "DELETE", GROUP, "", 409, "ADMIN-409-5"),
        refused(
            "delete: all directories",
            "DELETE",
            "v2:directories/-/groups/{group}",
            "",
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "delete: elsewhere",
            "DELETE",
            "v2:directories/{other_dir}/groups/{group}",
            "",
            404,
            "ADMIN-UAM-404-3",
        ),
        refused(
            "delete: unknown",
            "DELETE",
            "v2:directories/{dir}/groups/no",
            "",
            404,
            "ADMIN-UAM-404-3",
        ),
    ];
    check(&stage, &rows).await;
    let default = stage.send("DELETE", &of_product, "").await;
    assert_eq!(
        (default.status, default.code().as_str()),
        (StatusCode::FORBIDDEN, "ADMIN-403-6")
    );
    let one = get(&stage.sim, &of_product.replace("{dir}", "-"))
        .await
        .json();
    assert_eq!(one["data"]["managementAccess"]["deletable"], false);
}

#[tokio::test]
async fn groups_come_and_go_with_the_access_that_they_give() {
    let stage = Stage::new();
    let body = r#"{"name": " New ", "description": "fresh"}"#;
    let answer = stage.send("POST", GROUPS, body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(stage.changed());
    let id = answer.json()["data"]["id"].as_str().unwrap().to_owned();
    let named = List::post("v2:directories/-/groups/search")
        .all(&stage.sim, &json!({"groupNames": ["new"]}))
        .await;
    assert_eq!(ids(&named, "id"), [id.as_str()]);
    assert_eq!(named[0]["description"], "fresh");
    let twin = stage
        .send("POST", "v2:directories/{other_dir}/groups", body)
        .await;
    assert_eq!(
        twin.status,
        StatusCode::OK,
        "names are unique per directory"
    );
    let org = stage.sim.organization();
    org.add_member(&stage.group, &stage.user).unwrap();
    let group = Principal::Group(stage.group.clone());
    stage.set_role(&group, &stage.jira, "atlassian/user", true);
    assert!(
        stage
            .role(&stage.user, &stage.jira, "atlassian/user")
            .is_some()
    );
    let rows = [
        done("delete", "DELETE", GROUP, "", true),
        refused("delete again", "DELETE", GROUP, "", 404, "ADMIN-UAM-404-3"),
    ];
    check(&stage, &rows).await;
    assert!(
        stage
            .role(&stage.user, &stage.jira, "atlassian/user")
            .is_none()
    );
    assert_eq!(
        get(
            &stage.sim,
            &format!("v2:directories/-/groups/{}", stage.group)
        )
        .await
        .status,
        StatusCode::NOT_FOUND
    );
}
