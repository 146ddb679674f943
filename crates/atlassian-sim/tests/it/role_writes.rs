//! Writes of roles: of users on products and sites, of groups, and of organization admins.

use atlassian_sim::{AccessKey, Config, Membership, Principal, Writes};
use http::StatusCode;
use serde_json::{Value, json};

use crate::client::{List, config, ids, newest_events};
use crate::stage::{Row, Stage, check, done, refused, set_membership};

const ASSIGN: &str = "v1:users/{user}/roles/assign";
const REVOKE: &str = "v1:users/{user}/roles/revoke";
const OF_GROUP: &str = "v2:directories/{dir}/groups/{group}/role-assignments/assign";
const OFF_GROUP: &str = "v2:directories/{dir}/groups/{group}/role-assignments/revoke";
const PROMOTE: &str = "v1:users/{user}/role-assignments/assign";
const DEMOTE: &str = "v1:users/{user}/role-assignments/revoke";
const ON_JIRA: &str = r#"{"role": "atlassian/user", "resource": "{jira}"}"#;
const GROUP_ON_JIRA: &str = r#"{"roleId": "atlassian/user", "resourceId": "{jira}"}"#;
const ORG_ADMIN: &str = r#"{"role": "atlassian/org-admin"}"#;

/// Refusals that both directions share.
fn common(path: &'static str) -> Vec<Row> {
    let cases = [
        ("no body", "", 400, "ADMIN-UAM-400-1"),
        (
            "no role",
            r#"{"resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        (
            "a number as role",
            r#"{"role": 1, "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        (
            "no resource",
            r#"{"role": "atlassian/user"}"#,
            400,
            "ADMIN-UAM-400-5",
        ),
        (
            "empty resource",
            r#"{"role": "atlassian/user", "resource": ""}"#,
            400,
            "ADMIN-UAM-400-5",
        ),
        (
            "a number as resource",
            r#"{"role": "atlassian/user", "resource": 1}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        (
            "unknown resource",
            r#"{"role": "atlassian/user", "resource": "ari:no"}"#,
            404,
            "ADMIN-UAM-404-3",
        ),
        (
            "resource elsewhere",
            r#"{"role": "atlassian/user", "resource": "{other_workspace}"}"#,
            404,
            "ADMIN-UAM-404-1",
        ),
        (
            "unknown role",
            r#"{"role": "atlassian/king", "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "no write",
            r#"{"role": "atlassian/ai-access", "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "group role",
            r#"{"role": "atlassian/viewer", "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "customer of Jira",
            r#"{"role": "atlassian/customer", "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "guest of Jira",
            r#"{"role": "atlassian/guest", "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "stakeholder of Confluence",
            r#"{"role": "atlassian/stakeholder", "resource": "{confluence}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "site role on a product",
            r#"{"role": "atlassian/site-admin", "resource": "{jira}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "product role on a site",
            r#"{"role": "atlassian/user", "resource": "{site}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
        (
            "site role on the organization",
            r#"{"role": "atlassian/site-admin", "resource": "{organization}"}"#,
            400,
            "ADMIN-UAM-400-3",
        ),
    ];
    let row = |(name, body, status, code)| refused(name, "POST", path, body, status, code);
    cases.into_iter().map(row).collect()
}

#[tokio::test]
async fn every_refusal_of_a_users_role_has_its_code_and_no_effect() {
    let stage = Stage::new();
    check(&stage, &common(ASSIGN)).await;
    check(&stage, &common(REVOKE)).await;
    let unknown = "v1:users/no/roles/assign";
    let inactive = "v1:users/{inactive}/roles/assign";
    let outsider = "v1:users/{outsider}/roles/assign";
    let rows = [
        refused(
            "unknown user",
            "POST",
            unknown,
            ON_JIRA,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "inactive user",
            "POST",
            inactive,
            ON_JIRA,
            400,
            "ADMIN-UAM-400-2",
        ),
        refused(
            "user elsewhere",
            "POST",
            outsider,
            ON_JIRA,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused("wrong method", "PUT", ASSIGN, ON_JIRA, 405, "ADMIN-405-1"),
    ];
    check(&stage, &rows).await;
}

#[tokio::test]
async fn roles_of_users_come_and_go_and_repeats_change_nothing() {
    let stage = Stage::new();
    for body in [
        ON_JIRA,
        r#"{"role": "atlassian/admin", "resource": "{jira}"}"#,
        r#"{"role": "atlassian/guest", "resource": "{confluence}"}"#,
        r#"{"role": "atlassian/customer", "resource": "{jsm}"}"#,
        r#"{"role": "atlassian/stakeholder", "resource": "{jsm}"}"#,
        r#"{"role": "atlassian/site-admin", "resource": "{site}"}"#,
        r#"{"role": "atlassian/user-access-admin", "resource": "{site}"}"#,
        r#"{"role": "atlassian/org-admin", "resource": "ignored"}"#,
    ] {
        let rows = [
            done(body, "POST", REVOKE, body, false),
            done(body, "POST", ASSIGN, body, true),
            done(body, "POST", ASSIGN, body, false),
            done(body, "POST", REVOKE, body, true),
            done(body, "POST", REVOKE, body, false),
        ];
        check(&stage, &rows).await;
    }
}

async fn methods(stage: &Stage) -> Vec<Value> {
    let path = format!("v2:directories/-/users/{}/role-assignments", stage.user);
    let filter = json!({"resourceIds": stage.jira, "roleIds": "atlassian/user"});
    let items = List::get(path).all(&stage.sim, &filter).await;
    let first = items.first().and_then(|i| i["roleAssignments"].as_array());
    let roles = first.into_iter().flatten();
    roles
        .filter(|r| r["role"] == "atlassian/user")
        .flat_map(|r| r["roleAssignmentMethods"].as_array().unwrap().clone())
        .collect()
}

#[tokio::test]
async fn a_revoke_takes_only_the_direct_role() {
    let stage = Stage::new();
    let group = Principal::Group(stage.group.clone());
    stage.set_role(&group, &stage.jira, "atlassian/user", true);
    let org = stage.sim.organization();
    org.add_member(&stage.group, &stage.user).unwrap();
    assert_eq!(methods(&stage).await, ["group_direct"]);
    let rows = [done("only inherited", "POST", REVOKE, ON_JIRA, false)];
    check(&stage, &rows).await;
    check(&stage, &[done("direct", "POST", ASSIGN, ON_JIRA, true)]).await;
    assert_eq!(methods(&stage).await, ["direct", "group_direct"]);
    check(&stage, &[done("revoke", "POST", REVOKE, ON_JIRA, true)]).await;
    assert_eq!(methods(&stage).await, ["group_direct"]);
    org.remove_member(&stage.group, &stage.user).unwrap();
    assert!(methods(&stage).await.is_empty());
}

#[tokio::test]
async fn a_role_shows_in_every_list_and_goes_from_it() {
    let stage = Stage::new();
    for (path, held) in [(ASSIGN, true), (REVOKE, false)] {
        assert_eq!(
            stage.send("POST", path, ON_JIRA).await.status,
            StatusCode::NO_CONTENT
        );
        assert_eq!(methods(&stage).await.len(), usize::from(held));
        let filter = json!({"resourceIds": [stage.jira], "roleIds": ["atlassian/user"], "status": ["active"]});
        let search = List::post("v2:directories/-/users/search");
        let found = ids(&search.all(&stage.sim, &filter).await, "accountId");
        assert_eq!(found.contains(&stage.user), held);
        let list = List::get("v2:directories/-/users")
            .all(&stage.sim, &filter)
            .await;
        assert_eq!(ids(&list, "accountId").contains(&stage.user), held);
        let own =
            json!({"accountIds": [stage.user], "expand": ["productAccess", "counts.resources"]});
        let one = &search.all(&stage.sim, &own).await[0];
        assert_eq!(one["counts"]["resources"], json!(usize::from(held)));
        assert_eq!(
            one["productAccess"].as_array().unwrap().len(),
            usize::from(held)
        );
    }
}

#[tokio::test]
async fn every_refusal_of_a_groups_role_has_its_code_and_no_effect() {
    let stage = Stage::new();
    let in_all = "v2:directories/-/groups/{group}/role-assignments/assign";
    let unknown = "v2:directories/{dir}/groups/no/role-assignments/assign";
    let elsewhere = "v2:directories/{other_dir}/groups/{group}/role-assignments/assign";
    let synced = "v2:directories/{dir}/groups/{synced}/role-assignments/assign";
    let admins = "v2:directories/{dir}/groups/{admins}/role-assignments/revoke";
    let nowhere = "v2:directories/no/groups/{group}/role-assignments/assign";
    let mut rows = vec![
        refused(
            "all directories",
            "POST",
            in_all,
            GROUP_ON_JIRA,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "unknown directory",
            "POST",
            nowhere,
            GROUP_ON_JIRA,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "unknown group",
            "POST",
            unknown,
            GROUP_ON_JIRA,
            404,
            "ADMIN-UAM-404-3",
        ),
        refused(
            "group elsewhere",
            "POST",
            elsewhere,
            GROUP_ON_JIRA,
            404,
            "ADMIN-UAM-404-3",
        ),
        refused(
            "synced",
            "POST",
            synced,
            GROUP_ON_JIRA,
            403,
            "ADMIN-UAM-403-1",
        ),
        refused(
            "admins",
            "POST",
            admins,
            GROUP_ON_JIRA,
            403,
            "ADMIN-UAM-403-1",
        ),
    ];
    for path in [OF_GROUP, OFF_GROUP] {
        rows.extend([
            refused("no body", "POST", path, "", 400, "ADMIN-UAM-400-1"),
            refused(
                "a users body",
                "POST",
                path,
                ON_JIRA,
                400,
                "ADMIN-UAM-400-1",
            ),
            refused(
                "no resource",
                "POST",
                path,
                r#"{"roleId": "atlassian/user"}"#,
                400,
                "ADMIN-UAM-400-5",
            ),
            refused(
                "unknown resource",
                "POST",
                path,
                r#"{"roleId": "atlassian/user", "resourceId": "no"}"#,
                404,
                "ADMIN-UAM-404-3",
            ),
            refused(
                "resource elsewhere",
                "POST",
                path,
                r#"{"roleId": "atlassian/user", "resourceId": "{other_workspace}"}"#,
                404,
                "ADMIN-UAM-404-3",
            ),
            refused(
                "guest of Jira",
                "POST",
                path,
                r#"{"roleId": "atlassian/guest", "resourceId": "{jira}"}"#,
                400,
                "ADMIN-UAM-400-3",
            ),
            refused(
                "platform role",
                "POST",
                path,
                r#"{"roleId": "atlassian/org-admin", "resourceId": "{organization}"}"#,
                400,
                "ADMIN-UAM-400-3",
            ),
            refused(
                "site role",
                "POST",
                path,
                r#"{"roleId": "atlassian/site-admin", "resourceId": "{site}"}"#,
                400,
                "ADMIN-UAM-400-3",
            ),
        ]);
    }
    check(&stage, &rows).await;
}

#[tokio::test]
async fn roles_of_groups_come_and_go_and_reach_the_members() {
    let stage = Stage::new();
    stage
        .sim
        .organization()
        .add_member(&stage.group, &stage.user)
        .unwrap();
    let viewer = r#"{"roleId": "atlassian/viewer", "resourceId": "{confluence}"}"#;
    let rows = [
        done("viewer", "POST", OF_GROUP, viewer, true),
        done("assign", "POST", OF_GROUP, GROUP_ON_JIRA, true),
        done("assign again", "POST", OF_GROUP, GROUP_ON_JIRA, false),
    ];
    check(&stage, &rows).await;
    assert_eq!(methods(&stage).await, ["group_direct"]);
    let path = format!("v2:directories/-/groups/{}/role-assignments", stage.group);
    let items = List::get(path)
        .all(&stage.sim, &json!({"resourceIds": stage.jira}))
        .await;
    assert_eq!(items[0]["roles"], json!(["atlassian/user"]));
    let rows = [
        done("revoke", "POST", OFF_GROUP, GROUP_ON_JIRA, true),
        done("revoke again", "POST", OFF_GROUP, GROUP_ON_JIRA, false),
    ];
    check(&stage, &rows).await;
    assert!(methods(&stage).await.is_empty());
}

#[tokio::test]
async fn organization_admins_come_and_go_but_never_the_last() {
    let stage = Stage::new();
    let rows = [
        refused("no body", "POST", PROMOTE, "", 400, "ADMIN-UAM-400-1"),
        refused(
            "other role",
            "POST",
            PROMOTE,
            ON_JIRA,
            400,
            "ADMIN-UAM-400-3",
        ),
        refused(
            "unknown user",
            "POST",
            "v1:users/no/role-assignments/assign",
            ORG_ADMIN,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "inactive",
            "POST",
            "v1:users/{inactive}/role-assignments/assign",
            ORG_ADMIN,
            400,
            "ADMIN-UAM-400-2",
        ),
        done("promote", "POST", PROMOTE, ORG_ADMIN, true),
        done("promote again", "POST", PROMOTE, ORG_ADMIN, false),
        done("demote", "POST", DEMOTE, ORG_ADMIN, true),
        done("demote again", "POST", DEMOTE, ORG_ADMIN, false),
    ];
    check(&stage, &rows).await;
    stage.one_admin();
    let last = [
        refused(
            "last admin",
            "POST",
            DEMOTE,
            ORG_ADMIN,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "last admin, other path",
            "POST",
            REVOKE,
            ORG_ADMIN,
            400,
            "ADMIN-UAM-400-1",
        ),
    ];
    check(&stage, &last).await;
    let inactive_admin = Principal::User(stage.inactive.clone());
    stage.set_role(
        &inactive_admin,
        &stage.organization,
        "atlassian/org-admin",
        true,
    );
    check(&stage, &last).await;
    let second = Principal::User(stage.outsider.clone());
    stage.set_role(&second, &stage.organization, "atlassian/org-admin", true);
    check(
        &stage,
        &[done("not the last", "POST", DEMOTE, ORG_ADMIN, true)],
    )
    .await;
    let stage = Stage::with(Writes {
        protect_last_admin: false,
        ..Writes::default()
    });
    stage.one_admin();
    check(
        &stage,
        &[done("unprotected", "POST", DEMOTE, ORG_ADMIN, true)],
    )
    .await;
}

#[tokio::test]
async fn a_user_of_no_directory_is_given_no_organization_role() {
    let stage = Stage::new();
    set_membership(&stage, &stage.user, &stage.directory, Membership::None);
    let gone = refused(
        "no directory",
        "POST",
        PROMOTE,
        ORG_ADMIN,
        404,
        "ADMIN-UAM-404-1",
    );
    check(&stage, &[gone]).await;
}

#[tokio::test]
async fn a_full_product_takes_no_new_user_by_any_way() {
    let stage = Stage::with(Writes {
        licence_limit: Some(0),
        ..Writes::default()
    });
    let org = stage.sim.organization();
    let member = json!({"accountId": stage.user}).to_string();
    let memberships = "v2:directories/{dir}/groups/{group}/memberships";
    assert_eq!(
        stage.send("POST", memberships, &member).await.status,
        StatusCode::NO_CONTENT
    );
    let rows = [
        refused("user", "POST", ASSIGN, ON_JIRA, 409, "ADMIN-UAM-409-3"),
        refused(
            "group",
            "POST",
            OF_GROUP,
            GROUP_ON_JIRA,
            409,
            "ADMIN-UAM-409-3",
        ),
        done(
            "a site has no limit",
            "POST",
            ASSIGN,
            r#"{"role": "atlassian/site-admin", "resource": "{site}"}"#,
            true,
        ),
    ];
    check(&stage, &rows).await;
    org.set_licence_limit(&stage.jira, None).unwrap();
    check(&stage, &[done("no limit", "POST", ASSIGN, ON_JIRA, true)]).await;
    org.set_licence_limit(&stage.jira, Some(0)).unwrap();
    let second = r#"{"role": "atlassian/admin", "resource": "{jira}"}"#;
    check(&stage, &[done("has a seat", "POST", ASSIGN, second, true)]).await;
}

#[tokio::test]
async fn endpoints_that_are_not_enabled_answer_403_and_change_nothing() {
    let stage = Stage::with(Writes {
        not_enabled: Writes::SUPPORT_ENABLED.map(str::to_owned).to_vec(),
        ..Writes::default()
    });
    let rows = [
        refused("assign", "POST", ASSIGN, ON_JIRA, 403, "ADMIN-UAM-403-1"),
        refused("revoke", "POST", REVOKE, ON_JIRA, 403, "ADMIN-UAM-403-1"),
        done("other path", "POST", PROMOTE, ORG_ADMIN, true),
    ];
    check(&stage, &rows).await;
    let writes = Writes {
        not_enabled: vec!["POST v1/nothing".to_owned()],
        ..Writes::default()
    };
    let unknown = atlassian_sim::Simulator::new(Config {
        writes,
        ..config(20, 2)
    });
    assert!(unknown.is_err());
}

#[tokio::test]
async fn writes_need_a_key_without_scopes_and_roles_answer_401_in_the_proxys_form() {
    let keys = vec![
        AccessKey::unscoped("all"),
        AccessKey::scoped("some", ["read:directories:admin"]),
    ];
    let stage = Stage::of(Config {
        keys,
        ..config(60, 12)
    });
    let memberships = "v2:directories/{dir}/groups/{group}/memberships";
    let member = r#"{"accountId": "{user}"}"#;
    for token in ["some", "none"] {
        let answer = stage.send_as(token, "POST", memberships, member).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (StatusCode::UNAUTHORIZED, "ADMIN-401-2")
        );
        for path in [ASSIGN, REVOKE, OF_GROUP, OFF_GROUP, PROMOTE, DEMOTE] {
            let answer = stage.send_as(token, "POST", path, ORG_ADMIN).await;
            assert_eq!(
                answer.json(),
                json!({"code": 401, "message": "Unauthorized"}),
                "{path}"
            );
        }
    }
    assert_eq!(stage.sim.writes().len(), 14);
    assert!(stage.sim.writes().iter().all(|r| !r.changed));
}

#[tokio::test]
async fn events_of_roles_name_role_and_resource_unless_told_not_to() {
    for named in [true, false] {
        let stage = Stage::with(Writes {
            role_event_context: named,
            ..Writes::default()
        });
        for (path, body) in [
            (ASSIGN, ON_JIRA),
            (OF_GROUP, GROUP_ON_JIRA),
            (REVOKE, ON_JIRA),
        ] {
            assert_eq!(
                stage.send("POST", path, body).await.status,
                StatusCode::NO_CONTENT
            );
        }
        let events = newest_events(&stage.sim).await;
        let row = |event: &Value| {
            let attributes = &event["attributes"];
            let context = attributes["context"].as_array().unwrap();
            (
                attributes["action"].as_str().unwrap().to_owned(),
                ids(context, "id"),
            )
        };
        let role = |principal: &str| {
            let role = "atlassian/user";
            let all = [principal, role, &stage.jira];
            all[..if named { 3 } else { 1 }]
                .iter()
                .map(|t| (*t).to_owned())
                .collect::<Vec<_>>()
        };
        let expected = [
            ("role_revoked", role(&stage.user)),
            ("role_granted", role(&stage.group)),
            ("role_granted", role(&stage.user)),
        ];
        for (event, (action, context)) in events.iter().zip(expected) {
            assert_eq!(row(event), (action.to_owned(), context));
        }
    }
}
