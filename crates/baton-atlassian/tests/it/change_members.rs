//! Members of groups: granted and revoked, with every refusal.

use std::sync::Arc;

use atlassian_sim::{Action, Calls, Fault, Principal, Writes};
use baton_c1z::Table;
use baton_connector::{Code, Provisioning as _, v2};
use prost::Message as _;

use crate::bench::{
    ADMIN, Bench, Notes, USER_ROLE, entitlement, grant_of, read, resource, user, was_gone,
    was_there,
};
use crate::simulated::{ids, rows, sync};

const ADD: &str = "POST v2/groups/{id}/memberships";
const REMOVE: &str = "DELETE v2/groups/{id}/memberships/{member}";

#[tokio::test(start_paused = true)]
async fn a_membership_is_granted_seen_by_a_sync_and_revoked() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    sync(&bench.sim, &path("1.c1z")).await.unwrap();
    let before = ids(&path("1.c1z"), Table::Grants);
    let who = user(&bench.user);
    let stored = rows(&path("1.c1z"), Table::Entitlements).into_iter();
    let mut stored = stored.map(|(_, row)| v2::Entitlement::decode(&row[..]).unwrap());
    let id = format!("group:{}:member", bench.group);
    let member = stored.find(|entitlement| entitlement.id == id).unwrap();

    let granted = bench.grant(&member, &who).await.unwrap();
    assert_eq!(bench.asked(), (1, 1), "one read, one write");
    assert!(!was_there(&granted));
    assert!(bench.member_of(&bench.group, &bench.user));
    sync(&bench.sim, &path("2.c1z")).await.unwrap();
    let mut expected = before.clone();
    expected.insert(format!("{id}:user:{}", bench.user));
    assert_eq!(ids(&path("2.c1z"), Table::Grants), expected);
    let written = rows(&path("2.c1z"), Table::Grants).into_iter();
    let mut written = written.map(|(_, row)| v2::Grant::decode(&row[..]).unwrap());
    let written = written.find(|grant| grant.id == granted.grants[0].id);
    assert_eq!(written.unwrap(), granted.grants[0], "as a sync writes it");

    let again = bench.grant(&member, &who).await.unwrap();
    assert!(was_there(&again));
    assert_eq!(bench.asked(), (1, 0));

    let revoked = bench.revoke(&member, &who).await.unwrap();
    assert!(!was_gone(&revoked));
    // The second read shows whether the group makes organization admins.
    assert_eq!(bench.asked(), (2, 1));
    assert!(!bench.member_of(&bench.group, &bench.user));
    sync(&bench.sim, &path("3.c1z")).await.unwrap();
    assert_eq!(ids(&path("3.c1z"), Table::Grants), before);
    assert!(was_gone(&bench.revoke(&member, &who).await.unwrap()));
    assert_eq!(bench.asked(), (1, 0));
    assert!(bench.sim.strays().is_empty());
    assert!(bench.sim.alarms().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_group_without_a_stored_directory_is_read() {
    let bench = Bench::new();
    let member = entitlement(resource("group", &bench.group), "member");
    let slim = v2::Entitlement {
        slug: String::new(),
        ..member.clone()
    };
    bench.grant(&slim, &user(&bench.user)).await.unwrap();
    assert_eq!(bench.asked(), (2, 1));
    assert!(bench.member_of(&bench.group, &bench.user));
    bench.revoke(&slim, &user(&bench.user)).await.unwrap();
    assert!(!bench.member_of(&bench.group, &bench.user));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_a_membership_is_refused_without_a_request() {
    let bench = Bench::new();
    let own = bench.member(&bench.group);
    let mut stored_as_synced = bench.member(&bench.synced);
    let group = stored_as_synced.resource.as_mut().unwrap();
    let fields = &mut group.profile.as_mut().unwrap().fields;
    fields.insert("managed_by".to_owned(), crate::bench::text("external"));
    let foreign = v2::Entitlement {
        id: "repo:7:member".to_owned(),
        ..own.clone()
    };
    let (who, group) = (user(&bench.user), resource("group", &bench.synced));
    for (entitlement, principal, code, words) in [
        (
            &own,
            &group,
            Code::InvalidArgument,
            "only users can be members",
        ),
        (
            &own,
            &resource("api_token", "t"),
            Code::InvalidArgument,
            "only users",
        ),
        (
            &foreign,
            &who,
            Code::InvalidArgument,
            "not one of this connector",
        ),
        (
            &entitlement(resource("group", &bench.group), "owner"),
            &who,
            Code::InvalidArgument,
            "not one of this connector",
        ),
        (
            &stored_as_synced,
            &who,
            Code::FailedPrecondition,
            "identity provider",
        ),
        (
            &entitlement(resource("user", &bench.user), "member"),
            &who,
            Code::Unimplemented,
            "does not have provisioner",
        ),
    ] {
        let granted = bench.grant(entitlement, principal).await.unwrap_err();
        assert_eq!(bench.asked(), (0, 0));
        let revoked = bench.revoke(entitlement, principal).await.unwrap_err();
        assert_eq!(bench.asked(), (0, 0));
        for error in [granted, revoked] {
            let (found, told) = read(&error);
            assert_eq!(found, code, "{told}");
            assert!(told.contains(words), "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_refusal_of_the_api_has_its_code_and_its_text() {
    let rule = |action| vec![Fault::new(ADD, Calls::All, action)];
    let refuse = |status, code| rule(Action::Refuse(status, code));
    for (faults, code, words) in [
        (
            refuse(409, "ADMIN-UAM-409-3"),
            Code::ResourceExhausted,
            "licence of",
        ),
        (
            refuse(409, "ADMIN-409-3"),
            Code::ResourceExhausted,
            "licence of",
        ),
        (
            refuse(403, "ADMIN-UAM-403-1"),
            Code::PermissionDenied,
            "without scopes",
        ),
        (refuse(403, ""), Code::PermissionDenied, "without scopes"),
        (
            refuse(403, "ADMIN-403-5"),
            Code::PermissionDenied,
            "`atlassian/org-admin`",
        ),
        (
            refuse(401, "ADMIN-401-2"),
            Code::Unauthenticated,
            "without scopes",
        ),
        (refuse(404, ""), Code::NotFound, "--organization-id"),
        (refuse(404, "ADMIN-UAM-404-1"), Code::NotFound, "add user"),
        (
            refuse(400, "ADMIN-UAM-400-2"),
            Code::FailedPrecondition,
            "not active",
        ),
        (
            refuse(400, "ADMIN-UAM-400-4"),
            Code::FailedPrecondition,
            "not licensed",
        ),
    ] {
        let bench = Bench::new();
        bench.sim.set_faults(faults);
        let member = bench.member(&bench.group);
        let error = bench.grant(&member, &user(&bench.user)).await.unwrap_err();
        let (found, told) = read(&error);
        assert_eq!(found, code, "{told}");
        assert!(told.contains(words), "{words}: {told}");
        assert_eq!(bench.asked().1, 1, "{told}");
        assert!(!bench.member_of(&bench.group, &bench.user), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn users_of_other_directories_and_inactive_ones_cannot_be_members() {
    let bench = Bench::new();
    let member = bench.member(&bench.group);
    let error = bench
        .grant(&member, &user(&bench.outsider))
        .await
        .unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::NotFound, "{told}");
    assert!(told.contains(&bench.outsider), "{told}");
    bench.deactivate(&bench.user);
    let error = bench.grant(&member, &user(&bench.user)).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains("not active"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn answers_that_mean_already_so_are_successes() {
    let bench = Bench::new();
    let (member, who) = (bench.member(&bench.group), user(&bench.user));
    let rule = |endpoint, code| vec![Fault::new(endpoint, Calls::All, code)];
    bench
        .sim
        .set_faults(rule(ADD, Action::Refuse(409, "ADMIN-UAM-409-2")));
    assert!(was_there(&bench.grant(&member, &who).await.unwrap()));
    for code in [
        "ADMIN-UAM-404-1",
        "ADMIN-UAM-404-3",
        "ADMIN-404-8",
        "ADMIN-404-10",
    ] {
        let org = bench.sim.organization();
        org.add_member(&bench.group, &bench.user).unwrap();
        bench
            .sim
            .set_faults(rule(REMOVE, Action::Refuse(404, code)));
        assert!(
            was_gone(&bench.revoke(&member, &who).await.unwrap()),
            "{code}"
        );
    }
    for (status, code, expected) in [
        (404, "", Code::NotFound),
        (404, "ADMIN-404-2", Code::NotFound),
        (403, "ADMIN-UAM-403-1", Code::PermissionDenied),
    ] {
        bench
            .sim
            .set_faults(rule(REMOVE, Action::Refuse(status, code)));
        let error = bench.revoke(&member, &who).await.unwrap_err();
        assert_eq!(error.code(), expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_that_came_to_an_identity_provider_since_the_sync_is_told_apart() {
    let bench = Bench::new();
    let member = bench.member(&bench.synced);
    let other = bench.sim.truth().users[3].account_id.clone();
    let org = bench.sim.organization();
    org.set_membership(&other, &bench.directory, atlassian_sim::Membership::Active)
        .unwrap();
    let granted = bench.grant(&member, &user(&other)).await.unwrap_err();
    assert_eq!(bench.asked(), (2, 1), "the group is read after the refusal");
    let revoked = bench.revoke(&member, &user(&bench.user)).await.unwrap_err();
    assert_eq!(bench.asked(), (1, 0));
    for error in [granted, revoked] {
        let (code, told) = read(&error);
        assert_eq!(code, Code::FailedPrecondition, "{told}");
        assert!(told.contains("identity provider manages"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_licence_of_a_product_that_the_group_gives_can_be_full() {
    let bench = Bench::new();
    let group = Principal::Group(bench.group.clone());
    bench.set(group, &bench.jira, USER_ROLE, true);
    let org = bench.sim.organization();
    org.set_licence_limit(&bench.jira, Some(0)).unwrap();
    let member = bench.member(&bench.group);
    let error = bench.grant(&member, &user(&bench.user)).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::ResourceExhausted, "{told}");
    assert!(told.contains(&bench.jira), "the API's words stay: {told}");
}

#[tokio::test(start_paused = true)]
async fn ending_the_membership_that_makes_the_last_admin_is_refused() {
    let bench = Bench::with(Writes {
        protect_last_admin: false,
        ..Writes::default()
    });
    bench.one_admin();
    let user_itself = Principal::User(bench.user.clone());
    let org = bench.sim.organization();
    org.add_member(&bench.admins, &bench.user).unwrap();
    let (member, who) = (bench.member(&bench.admins), user(&bench.user));
    // The user stays an admin: the role is held directly, too.
    bench.revoke(&member, &who).await.unwrap();
    org.add_member(&bench.admins, &bench.user).unwrap();
    bench.set(user_itself, &bench.organization, ADMIN, false);
    let error = bench.revoke(&member, &who).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains("0 active holders would remain"), "{told}");
    assert_eq!(bench.asked().1, 0);
    // Inactive admins do not count, active ones do.
    let other = &bench.sim.truth().users[1].account_id.clone();
    org.set_account_status(other, atlassian_sim::AccountStatus::Active, false)
        .unwrap();
    org.set_membership(other, &bench.directory, atlassian_sim::Membership::Active)
        .unwrap();
    org.add_member(&bench.admins, other).unwrap();
    bench.deactivate(other);
    assert!(bench.revoke(&member, &who).await.is_err());
    org.set_account_status(other, atlassian_sim::AccountStatus::Active, false)
        .unwrap();
    bench.revoke(&member, &who).await.unwrap();
    assert!(!bench.member_of(&bench.admins, &bench.user));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_shows_the_write_and_sends_none() {
    let bench = Bench::new();
    let notes = Arc::new(Notes::default());
    let (member, who) = (bench.member(&bench.group), user(&bench.user));
    let connector = bench.connector();
    connector
        .grant(&notes.call(true), &member, &who)
        .await
        .unwrap();
    assert_eq!(bench.asked(), (1, 0));
    let org = bench.sim.organization();
    org.add_member(&bench.group, &bench.user).unwrap();
    let grant = grant_of(&member, &who);
    connector.revoke(&notes.call(true), &grant).await.unwrap();
    let (id, directory) = (bench.sim.organization_id(), &bench.directory);
    let (group, user) = (&bench.group, &bench.user);
    let path = format!(
        "http://simulated.test/admin/v2/orgs/{id}/directories/{directory}/groups/{group}/memberships"
    );
    assert_eq!(
        *notes.writes.lock().unwrap(),
        [
            format!("POST {path} {{\"accountId\":\"{user}\"}}"),
            format!("DELETE {path}/{user}"),
        ]
    );
}
