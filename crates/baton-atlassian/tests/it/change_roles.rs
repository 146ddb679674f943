//! Roles on workspaces, of users and of groups: granted and revoked, with every
//! refusal.

use std::sync::Arc;

use atlassian_sim::{Action, Calls, Fault, Principal, Writes};
use baton_c1z::Table;
use baton_connector::{Call, Code, Provisioning as _, v2};

use crate::bench::{
    ADMIN, Bench, Notes, USER_ROLE, entitlement, grant_of, read, resource, role_on, user, was_gone,
    was_there,
};
use crate::simulated::{ids, sync};

const ASSIGN: &str = "POST v1/users/{id}/roles/assign";
const REVOKE: &str = "POST v1/users/{id}/roles/revoke";
const GROUP_ASSIGN: &str = "POST v2/groups/{id}/role-assignments/assign";

#[tokio::test(start_paused = true)]
async fn a_role_is_granted_seen_by_a_sync_and_revoked() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    sync(&bench.sim, &path("0.c1z")).await.unwrap();
    let before = ids(&path("0.c1z"), Table::Grants);
    let role = role_on(&bench.jira, USER_ROLE);
    let mut group = resource("group", &bench.group);
    let profile = bench.member(&bench.group).resource.unwrap().profile;
    group.profile = profile;
    for (number, principal) in [user(&bench.user), group].iter().enumerate() {
        let held = || match number {
            0 => bench.user_holds(&bench.jira, USER_ROLE),
            _ => bench.holds(
                &Principal::Group(bench.group.clone()),
                &bench.jira,
                USER_ROLE,
            ),
        };
        let granted = bench.grant(&role, principal).await.unwrap();
        assert_eq!(bench.asked(), (1, 1), "one read, one write");
        assert!(held() && !was_there(&granted));
        let after = path(&format!("{number}-granted.c1z"));
        sync(&bench.sim, &after).await.unwrap();
        let mut expected = before.clone();
        expected.insert(granted.grants[0].id.clone());
        assert_eq!(ids(&after, Table::Grants), expected);

        assert!(was_there(&bench.grant(&role, principal).await.unwrap()));
        assert_eq!(bench.asked(), (1, 0));
        let revoked = bench.revoke(&role, principal).await.unwrap();
        assert_eq!(bench.asked(), (1, 1));
        assert!(!held() && !was_gone(&revoked));
        assert!(was_gone(&bench.revoke(&role, principal).await.unwrap()));
        assert_eq!(bench.asked(), (1, 0));
        let after = path(&format!("{number}-revoked.c1z"));
        sync(&bench.sim, &after).await.unwrap();
        assert_eq!(ids(&after, Table::Grants), before);
    }
    assert!(bench.sim.strays().is_empty());
    assert!(bench.sim.alarms().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_without_a_stored_directory_is_read() {
    let bench = Bench::new();
    let (role, group) = (
        role_on(&bench.jira, USER_ROLE),
        resource("group", &bench.group),
    );
    bench.grant(&role, &group).await.unwrap();
    assert_eq!(bench.asked(), (2, 1));
    let held = Principal::Group(bench.group.clone());
    assert!(bench.holds(&held, &bench.jira, USER_ROLE));
}

/// The role is on the resource whose id it is, though ids have `:` inside.
#[tokio::test(start_paused = true)]
async fn the_role_is_known_without_a_slug_and_never_split_off_an_id() {
    let bench = Bench::new();
    let role = role_on(&bench.jira, USER_ROLE);
    let slim = v2::Entitlement {
        slug: String::new(),
        ..role.clone()
    };
    bench.grant(&slim, &user(&bench.user)).await.unwrap();
    assert!(bench.user_holds(&bench.jira, USER_ROLE));
    bench.revoke(&slim, &user(&bench.user)).await.unwrap();
    assert!(!bench.user_holds(&bench.jira, USER_ROLE));
    let longer = format!("{}:role:x", bench.jira);
    let other = v2::Entitlement {
        resource: role_on(&longer, USER_ROLE).resource,
        ..slim
    };
    let error = bench.grant(&other, &user(&bench.user)).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(bench.asked(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_role_on_a_workspace_is_refused_without_a_request() {
    let bench = Bench::new();
    let role = role_on(&bench.jira, USER_ROLE);
    let token = resource("api_token", "t");
    let who = user(&bench.user);
    for (entitlement, principal, words) in [
        (&role, &token, "only users and groups"),
        (
            &role_on(&bench.organization, USER_ROLE),
            &who,
            "not one of this connector",
        ),
        (
            &role_on(&bench.sites[0], USER_ROLE),
            &who,
            "not one of this connector",
        ),
        (
            &entitlement(resource("workspace", &bench.jira), "member"),
            &who,
            "not one of this connector",
        ),
        // The API would make the user an admin of everything.
        (
            &role_on(&bench.jira, ADMIN),
            &who,
            "a role of the organization",
        ),
    ] {
        let granted = bench.grant(entitlement, principal).await.unwrap_err();
        assert_eq!(bench.asked(), (0, 0));
        let revoked = bench.revoke(entitlement, principal).await.unwrap_err();
        assert_eq!(bench.asked(), (0, 0));
        for error in [granted, revoked] {
            let (code, told) = read(&error);
            assert_eq!(code, Code::InvalidArgument, "{told}");
            assert!(told.contains(words), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_through_groups_alone_is_not_revoked_and_a_direct_one_is_with_a_warning() {
    let bench = Bench::new();
    let org = bench.sim.organization();
    let group = Principal::Group(bench.group.clone());
    bench.set(group, &bench.confluence, USER_ROLE, true);
    org.add_member(&bench.group, &bench.user).unwrap();
    org.rename_group(&bench.group, "Wel\u{1b}[31mders").unwrap();
    let (role, who) = (role_on(&bench.confluence, USER_ROLE), user(&bench.user));
    let error = bench.revoke(&role, &who).await.unwrap_err();
    assert_eq!(bench.asked().1, 0, "nothing is sent");
    let (code, told) = read(&error);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains(&bench.group), "{told}");
    let membership = format!("group:{}:member:user:{}", bench.group, bench.user);
    assert!(told.contains(&membership), "{told}");
    let details = format!("{:?}", error.details());
    assert!(details.contains("ErrorInfo"), "{details}");

    let granted = bench.grant(&role, &who).await.unwrap();
    assert!(!was_there(&granted), "the direct role is another one");
    assert!(bench.user_holds(&bench.confluence, USER_ROLE));
    let notes = Arc::new(Notes::default());
    let grant = grant_of(&role, &who);
    bench
        .connector()
        .revoke(&notes.call(false), &grant)
        .await
        .unwrap();
    assert!(!bench.user_holds(&bench.confluence, USER_ROLE));
    let warnings = notes.warnings.lock().unwrap();
    assert!(warnings[0].contains(&bench.group), "{warnings:?}");
}

/// What a sync stored is a hint, whatever it says.
#[tokio::test(start_paused = true)]
async fn the_read_decides_and_not_what_is_stored_with_the_grant() {
    let bench = Bench::new();
    let role = role_on(&bench.confluence, USER_ROLE);
    let who = user(&bench.user);
    bench.grant(&role, &who).await.unwrap();
    let mut grant = grant_of(&role, &who);
    let immutable = v2::GrantImmutable::default();
    grant.annotations.push(baton_proto::any::pack(&immutable));
    bench
        .connector()
        .revoke(&Call::alone(), &grant)
        .await
        .unwrap();
    assert!(!bench.user_holds(&bench.confluence, USER_ROLE));
}

#[tokio::test(start_paused = true)]
async fn each_refusal_of_the_api_has_its_code_and_its_text() {
    for (endpoint, group) in [(ASSIGN, false), (GROUP_ASSIGN, true)] {
        for (status, api_code, code, words) in [
            (
                409,
                "ADMIN-UAM-409-3",
                Code::ResourceExhausted,
                "the licence of workspace `",
            ),
            (
                409,
                "ADMIN-409-3",
                Code::ResourceExhausted,
                "the licence of workspace `",
            ),
            (
                400,
                "ADMIN-UAM-400-3",
                Code::InvalidArgument,
                "has no role `atlassian/user`",
            ),
            (
                403,
                "ADMIN-UAM-403-1",
                Code::PermissionDenied,
                "without scopes",
            ),
            (
                404,
                "ADMIN-UAM-404-3",
                Code::NotFound,
                "the role `atlassian/user` on",
            ),
            (404, "", Code::NotFound, "--organization-id"),
            (401, "", Code::Unauthenticated, "without scopes"),
        ] {
            let bench = Bench::new();
            let refused = Action::Refuse(status, api_code);
            bench
                .sim
                .set_faults(vec![Fault::new(endpoint, Calls::All, refused)]);
            let principal = if group {
                resource("group", &bench.group)
            } else {
                user(&bench.user)
            };
            let role = role_on(&bench.jira, USER_ROLE);
            let error = bench.grant(&role, &principal).await.unwrap_err();
            let (found, told) = read(&error);
            assert_eq!(found, code, "{told}");
            assert!(told.contains(words), "{words}: {told}");
            assert_eq!(bench.asked().1, 1, "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_that_are_not_enabled_come_with_the_text_for_support() {
    let bench = Bench::with(Writes {
        not_enabled: Writes::SUPPORT_ENABLED.map(str::to_owned).to_vec(),
        ..Writes::default()
    });
    let (role, who) = (role_on(&bench.jira, USER_ROLE), user(&bench.user));
    let granted = bench.grant(&role, &who).await.unwrap_err();
    let itself = Principal::User(bench.user.clone());
    bench.set(itself, &bench.jira, USER_ROLE, true);
    let revoked = bench.revoke(&role, &who).await.unwrap_err();
    assert!(bench.user_holds(&bench.jira, USER_ROLE));
    for error in [granted, revoked] {
        let (code, told) = read(&error);
        assert_eq!(code, Code::PermissionDenied, "{told}");
        for words in [
            "users/{id}/roles/assign",
            "users/{id}/roles/revoke",
            "users/invite",
            bench.sim.organization_id(),
        ] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_product_without_the_role_names_both() {
    let bench = Bench::new();
    let role = role_on(&bench.jira, "atlassian/customer");
    for principal in [user(&bench.user), resource("group", &bench.group)] {
        let error = bench.grant(&role, &principal).await.unwrap_err();
        let (code, told) = read(&error);
        assert_eq!(code, Code::InvalidArgument, "{told}");
        let words = format!(
            "workspace `{}` has no role `atlassian/customer`",
            bench.jira
        );
        assert!(told.contains(&words), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_roles_of_a_group_of_an_identity_provider_are_told_apart_from_a_poor_key() {
    let bench = Bench::new();
    let role = role_on(&bench.jira, USER_ROLE);
    let error = bench.grant(&role, &resource("group", &bench.synced)).await;
    let (code, told) = read(&error.unwrap_err());
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains("identity provider manages"), "{told}");
}

/// The API then knows no such group, which is no sign that the role is gone.
#[tokio::test(start_paused = true)]
async fn a_wrong_stored_directory_is_no_success_of_a_revoke() {
    let bench = Bench::new();
    let held = Principal::Group(bench.group.clone());
    bench.set(held.clone(), &bench.jira, USER_ROLE, true);
    let mut group = resource("group", &bench.group);
    group.profile = bench.member(&bench.group).resource.unwrap().profile;
    let fields = &mut group.profile.as_mut().unwrap().fields;
    let other = bench.sim.truth().directory_ids[1].clone();
    fields.insert("directory_id".to_owned(), crate::bench::text(&other));
    let role = role_on(&bench.jira, USER_ROLE);
    let error = bench.revoke(&role, &group).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::NotFound, "{told}");
    assert!(told.contains("another directory"), "{told}");
    assert!(bench.holds(&held, &bench.jira, USER_ROLE));
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_is_gone_holds_nothing() {
    let bench = Bench::new();
    let role = role_on(&bench.jira, USER_ROLE);
    for principal in [user("712020:gone"), resource("group", "no-such-group")] {
        let error = bench.grant(&role, &principal).await.unwrap_err();
        let (code, told) = read(&error);
        assert_eq!(code, Code::NotFound, "{told}");
        assert!(told.contains("there is no"), "{told}");
        assert!(was_gone(&bench.revoke(&role, &principal).await.unwrap()));
        assert_eq!(bench.asked().1, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn names_with_control_characters_do_not_reach_a_terminal() {
    let bench = Bench::new();
    bench.sim.set_faults(vec![Fault::new(
        REVOKE,
        Calls::All,
        Action::Refuse(403, "ADMIN-UAM-403-1"),
    )]);
    let mut role = role_on(&bench.jira, USER_ROLE);
    let itself = Principal::User(bench.user.clone());
    bench.set(itself, &bench.jira, USER_ROLE, true);
    let hostile = "a\u{1b}]0;b\u{7}\r\nc\u{202e}d";
    role.resource.as_mut().unwrap().display_name = hostile.to_owned();
    let mut who = user(&bench.user);
    who.display_name = hostile.to_owned();
    let error = bench.revoke(&role, &who).await.unwrap_err();
    let (_, told) = read(&error);
    assert!(told.contains('\u{1b}'), "the name is passed on as it is");
    let shown = baton_term::clean(&told);
    assert!(!shown.chars().any(baton_term::is_forbidden), "{shown:?}");
}
