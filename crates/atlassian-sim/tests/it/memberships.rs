//! Writes of group memberships.

use atlassian_sim::{Principal, Writes};
use serde_json::json;

use crate::client::{List, get, ids, ids_at, newest_events};
use crate::stage::{Stage, check, done, refused};

const ADD: &str = "v2:directories/{dir}/groups/{group}/memberships";
const REMOVE: &str = "v2:directories/{dir}/groups/{group}/memberships/{user}";
const USER: &str = r#"{"accountId": "{user}"}"#;

#[tokio::test]
async fn every_refusal_of_a_membership_has_its_code_and_no_effect() {
    let stage = Stage::new();
    let foreign = "v2:directories/{other_dir}/groups/{group}/memberships";
    let synced = "v2:directories/{dir}/groups/{synced}/memberships";
    let unknown_group = "v2:directories/{dir}/groups/no/memberships";
    let rows = [
        refused("no body", "POST", ADD, "", 400, "ADMIN-UAM-400-1"),
        refused("no member", "POST", ADD, "{}", 400, "ADMIN-UAM-400-1"),
        refused("a list", "POST", ADD, "[1]", 400, "ADMIN-UAM-400-1"),
        refused(
            "v1 name",
            "POST",
            ADD,
            r#"{"account_id": "{user}"}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "a number",
            "POST",
            ADD,
            r#"{"accountId": 7}"#,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "all directories",
            "POST",
            "v2:directories/-/groups/{group}/memberships",
            USER,
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "unknown directory",
            "POST",
            "v2:directories/no/groups/{group}/memberships",
            USER,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "group elsewhere",
            "POST",
            foreign,
            USER,
            404,
            "ADMIN-UAM-404-3",
        ),
        refused(
            "unknown group",
            "POST",
            unknown_group,
            USER,
            404,
            "ADMIN-UAM-404-3",
        ),
        refused(
            "unknown user",
            "POST",
            ADD,
            r#"{"accountId": "no"}"#,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "user elsewhere",
            "POST",
            ADD,
            r#"{"accountId": "{outsider}"}"#,
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "inactive",
            "POST",
            ADD,
            r#"{"accountId": "{inactive}"}"#,
            400,
            "ADMIN-UAM-400-2",
        ),
        refused("synced", "POST", synced, USER, 403, "ADMIN-UAM-403-1"),
        refused(
            "remove: no member",
            "DELETE",
            REMOVE,
            "",
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "remove: all directories",
            "DELETE",
            "v2:directories/-/groups/{group}/memberships/{user}",
            "",
            400,
            "ADMIN-UAM-400-1",
        ),
        refused(
            "remove: unknown group",
            "DELETE",
            "v2:directories/{dir}/groups/no/memberships/{user}",
            "",
            404,
            "ADMIN-UAM-404-3",
        ),
        refused(
            "remove: unknown user",
            "DELETE",
            "v2:directories/{dir}/groups/{group}/memberships/no",
            "",
            404,
            "ADMIN-UAM-404-1",
        ),
        refused(
            "remove: synced",
            "DELETE",
            "v2:directories/{dir}/groups/{synced}/memberships/{user}",
            "",
            403,
            "ADMIN-UAM-403-1",
        ),
        refused("wrong method", "PUT", ADD, USER, 405, "ADMIN-405-1"),
    ];
    check(&stage, &rows).await;
}

#[tokio::test]
async fn memberships_come_and_go_and_repeats_change_nothing() {
    let stage = Stage::new();
    let rows = [
        done("add", "POST", ADD, USER, true),
        done("add again", "POST", ADD, USER, false),
        done("remove", "DELETE", REMOVE, "", true),
        refused("remove again", "DELETE", REMOVE, "", 404, "ADMIN-UAM-404-1"),
    ];
    check(&stage, &rows).await;
    let stage = Stage::with(Writes {
        readd_conflicts: true,
        absent_removal_succeeds: true,
        ..Writes::default()
    });
    let rows = [
        done("add", "POST", ADD, USER, true),
        refused("add again", "POST", ADD, USER, 409, "ADMIN-UAM-409-2"),
        done("remove", "DELETE", REMOVE, "", true),
        done("remove again", "DELETE", REMOVE, "", false),
    ];
    check(&stage, &rows).await;
}

#[tokio::test]
async fn a_membership_shows_in_every_list_and_goes_from_it() {
    let stage = Stage::new();
    let group = Principal::Group(stage.group.clone());
    stage.set_role(&group, &stage.confluence, "atlassian/guest", true);
    for (method, path, body, held) in [("POST", ADD, USER, true), ("DELETE", REMOVE, "", false)] {
        assert_eq!(stage.send(method, path, body).await.status, 204);
        let listed = |list: List, filters, id: &'static str, wanted: String| {
            let sim = stage.sim.clone();
            async move { ids(&list.all(&sim, &filters).await, id).contains(&wanted) }
        };
        let (user, g) = (stage.user.clone(), stage.group.clone());
        let users = || List::get("v2:directories/-/users");
        let user_search = || List::post("v2:directories/-/users/search");
        let group_search = || List::post("v2:directories/-/groups/search");
        let product = json!({"resourceIds": [stage.confluence], "roleIds": ["atlassian/guest"], "status": ["active"]});
        let of_both = json!({"accountIds": [user], "groupIds": [g]});
        let giving = json!({"accountIds": [user], "resourceIds": [stage.confluence], "roleIds": ["atlassian/guest"]});
        assert_eq!(
            listed(users(), json!({"groupIds": g}), "accountId", user.clone()).await,
            held
        );
        assert_eq!(
            listed(
                user_search(),
                json!({"groupIds": [g]}),
                "accountId",
                user.clone()
            )
            .await,
            held
        );
        assert_eq!(
            listed(user_search(), product, "accountId", user.clone()).await,
            held
        );
        assert_eq!(
            listed(group_search(), of_both.clone(), "id", g.clone()).await,
            held
        );
        assert_eq!(listed(group_search(), giving, "id", g.clone()).await, held);
        assert_eq!(
            listed(
                List::get("v2:directories/-/groups"),
                of_both,
                "id",
                g.clone()
            )
            .await,
            held
        );
        let one = get(&stage.sim, &format!("v2:directories/-/groups/{g}"))
            .await
            .json();
        assert_eq!(one["data"]["counts"]["users"], json!(usize::from(held)));
        let expanded = user_search()
            .all(
                &stage.sim,
                &json!({"accountIds": [user], "expand": ["groups", "counts.resources"]}),
            )
            .await;
        let shown = expanded[0]["groups"].as_array().unwrap();
        assert_eq!(shown.iter().any(|s| s["id"] == json!(g)), held);
        assert_eq!(expanded[0]["counts"]["resources"], json!(usize::from(held)));
        let roles = List::get(format!("v2:directories/-/users/{user}/role-assignments"))
            .all(&stage.sim, &json!({"resourceIds": stage.confluence}))
            .await;
        let methods = roles
            .first()
            .map(|r| r["roleAssignments"][0]["roleAssignmentMethods"].clone());
        assert_eq!(methods, held.then(|| json!(["group_direct"])));
    }
    let actions = ids_at(&newest_events(&stage.sim).await, "/attributes/action");
    assert_eq!(
        actions[..2],
        ["user_removed_from_group", "user_added_to_group"]
    );
}

#[tokio::test]
async fn a_group_of_a_full_product_takes_no_new_user() {
    let stage = Stage::new();
    let org = stage.sim.organization();
    let group = Principal::Group(stage.group.clone());
    stage.set_role(&group, &stage.jira, "atlassian/user", true);
    org.set_licence_limit(&stage.jira, Some(0)).unwrap();
    let full = refused("full", "POST", ADD, USER, 409, "ADMIN-UAM-409-3");
    check(&stage, &[full]).await;
    let user = Principal::User(stage.user.clone());
    stage.set_role(&user, &stage.jira, "atlassian/admin", true);
    check(&stage, &[done("has a seat", "POST", ADD, USER, true)]).await;
    assert!(org.set_licence_limit("no", None).is_err());
}

#[tokio::test]
async fn members_of_the_admin_group_are_guarded() {
    let add = "v2:directories/{dir}/groups/{admins}/memberships";
    let remove = "v2:directories/{dir}/groups/{admins}/memberships/{user}";
    let stage = Stage::with(Writes {
        organization_units: true,
        ..Writes::default()
    });
    check(
        &stage,
        &[refused("units", "POST", add, USER, 403, "ADMIN-403-5")],
    )
    .await;
    let stage = Stage::new();
    let admin = stage.one_admin();
    let own = Principal::User(admin.clone());
    check(&stage, &[done("second source", "POST", add, USER, true)]).await;
    stage.set_role(&own, &stage.organization, "atlassian/org-admin", false);
    let rows = [refused(
        "last admin",
        "DELETE",
        remove,
        "",
        400,
        "ADMIN-UAM-400-1",
    )];
    check(&stage, &rows).await;
    stage.set_role(&own, &stage.organization, "atlassian/org-admin", true);
    check(&stage, &[done("still admin", "DELETE", remove, "", true)]).await;
}
