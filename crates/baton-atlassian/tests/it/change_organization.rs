//! Roles of the organization and of its sites, and the last admin.

use std::sync::Arc;

use atlassian_sim::{
    AccountStatus, Action, Calls, Config, Fault, OrganizationSpec, Principal, Writes,
};
use baton_c1z::Table;
use baton_connector::{Call, ChangeSettings, Code, Provisioning as _, v2};
use baton_proto::any;
use prost::Message as _;
use prost_types::Struct;

use crate::bench::{
    ADMIN, Bench, Notes, SITE_ADMIN, config, entitlement, grant_of, read, resource, texts, user,
    was_gone, was_there,
};
use crate::simulated::{rows, sync};

const NEWER: &str = "POST v1/users/{id}/role-assignments/assign";
const OLDER: &str = "POST v1/users/{id}/roles/assign";

#[tokio::test(start_paused = true)]
async fn an_organization_admin_is_made_and_unmade() {
    let bench = Bench::new();
    let (admin, who) = (bench.own_role(ADMIN), user(&bench.user));
    let granted = bench.grant(&admin, &who).await.unwrap();
    assert_eq!(bench.asked(), (1, 1));
    assert!(!was_there(&granted));
    assert!(bench.user_holds(&bench.organization, ADMIN));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("1.c1z");
    sync(&bench.sim, &file).await.unwrap();
    let mut stored = rows(&file, Table::Grants).into_iter();
    assert!(stored.any(|(id, _)| id == granted.grants[0].id));
    assert!(was_there(&bench.grant(&admin, &who).await.unwrap()));
    bench.revoke(&admin, &who).await.unwrap();
    assert!(!bench.user_holds(&bench.organization, ADMIN));
    assert!(was_gone(&bench.revoke(&admin, &who).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn where_the_newer_endpoint_is_not_there_the_older_one_is_used() {
    for (status, code, used) in [
        (404, "", 1),
        (405, "ADMIN-405-1", 1),
        (410, "ADMIN-404-1", 1),
        (404, "ADMIN-UAM-404-1", 0),
        (403, "ADMIN-UAM-403-1", 0),
    ] {
        let bench = Bench::new();
        let refused = Action::Refuse(status, code);
        bench
            .sim
            .set_faults(vec![Fault::new(NEWER, Calls::All, refused)]);
        let done = bench
            .grant(&bench.own_role(ADMIN), &user(&bench.user))
            .await;
        assert_eq!(bench.sim.count(OLDER), used, "{status} {code}");
        assert_eq!(done.is_ok(), used == 1, "{status} {code}");
        assert_eq!(bench.user_holds(&bench.organization, ADMIN), used == 1);
    }
}

/// The older endpoint has to be enabled, the newer one has not.
#[tokio::test(start_paused = true)]
async fn where_the_older_endpoint_is_not_enabled_the_error_has_the_text_for_support() {
    for (missing, text) in [(true, true), (false, false)] {
        let bench = Bench::new();
        let refused = |endpoint, status, code| {
            let action = Action::Refuse(status, code);
            Fault::new(endpoint, Calls::All, action)
        };
        bench.sim.set_faults(vec![
            refused(NEWER, if missing { 404 } else { 403 }, ""),
            refused(OLDER, 403, "ADMIN-UAM-403-1"),
        ]);
        let done = bench
            .grant(&bench.own_role(ADMIN), &user(&bench.user))
            .await;
        let (code, told) = read(&done.unwrap_err());
        assert_eq!(code, Code::PermissionDenied, "{told}");
        assert_eq!(told.contains("users/invite"), text, "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_api_cannot_change_is_refused_without_a_request() {
    let bench = Bench::new();
    let who = user(&bench.user);
    let other = entitlement(resource("organization", "0b7c"), "role:atlassian/org-admin");
    for (entitlement, principal, code, words) in [
        (
            &bench.own_role("atlassian/ai-access"),
            &who,
            Code::Unimplemented,
            "`atlassian/ai-access`",
        ),
        (
            &bench.own_role("atlassian/new"),
            &who,
            Code::Unimplemented,
            "`atlassian/new`",
        ),
        (&other, &who, Code::InvalidArgument, "another organization"),
        (
            &bench.own_role(ADMIN),
            &resource("group", &bench.group),
            Code::InvalidArgument,
            "only users",
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
async fn the_last_admin_stays_unless_it_is_forced() {
    let bench = Bench::with(Writes {
        protect_last_admin: false,
        ..Writes::default()
    });
    bench.one_admin();
    // Inactive ones, and those who hold the role elsewhere, do not count.
    let inactive = bench.sim.truth().users[2].account_id.clone();
    let other = Principal::User(inactive.clone());
    bench.set(other, &bench.organization, ADMIN, true);
    bench.deactivate(&inactive);
    let on_workspace = bench.sim.truth().users[1].account_id.clone();
    let org = bench.sim.organization();
    org.set_account_status(&on_workspace, AccountStatus::Active, false)
        .unwrap();
    bench.set(Principal::User(on_workspace), &bench.jira, ADMIN, true);
    let (admin, who) = (bench.own_role(ADMIN), user(&bench.user));
    let error = bench.revoke(&admin, &who).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains("0 active holders would remain"), "{told}");
    assert_eq!(bench.asked().1, 0);
    assert!(bench.user_holds(&bench.organization, ADMIN));
    let forced = Call::alone().with_changes(ChangeSettings {
        force_protected: true,
        ..ChangeSettings::default()
    });
    let grant = grant_of(&admin, &who);
    bench.connector().revoke(&forced, &grant).await.unwrap();
    assert!(!bench.user_holds(&bench.organization, ADMIN));
}

#[tokio::test(start_paused = true)]
async fn an_admin_through_a_group_stays_one_and_counts() {
    let bench = Bench::with(Writes {
        protect_last_admin: false,
        ..Writes::default()
    });
    bench.one_admin();
    let org = bench.sim.organization();
    org.add_member(&bench.admins, &bench.user).unwrap();
    let (admin, who) = (bench.own_role(ADMIN), user(&bench.user));
    let notes = Arc::new(Notes::default());
    let grant = grant_of(&admin, &who);
    bench
        .connector()
        .revoke(&notes.call(false), &grant)
        .await
        .unwrap();
    assert!(notes.warnings.lock().unwrap()[0].contains(&bench.admins));
    let error = bench.revoke(&admin, &who).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(
        told.contains(&format!("group:{}:member", bench.admins)),
        "{told}"
    );
}

/// An organization with so many sites.
fn with_sites(workspaces: u32) -> Bench {
    let organization = OrganizationSpec {
        workspaces,
        ..config().organization
    };
    Bench::of(Config {
        organization,
        ..config()
    })
}

fn stored_on(grant: &mut v2::Grant, sites: &[&str]) {
    let fields = [("resource_ids".to_owned(), texts(sites))].into();
    any::update(
        &mut grant.annotations,
        &v2::GrantMetadata {
            metadata: Some(Struct { fields }),
        },
    );
}

#[tokio::test(start_paused = true)]
async fn a_role_of_the_only_site_needs_no_site_named() {
    let bench = with_sites(3);
    assert_eq!(bench.sites.len(), 1);
    let holder = bench.sim.truth().users[0].account_id.clone();
    bench.set(Principal::User(holder), &bench.sites[0], SITE_ADMIN, true);
    let (role, who) = (bench.own_role(SITE_ADMIN), user(&bench.user));
    let granted = bench.grant(&role, &who).await.unwrap();
    assert_eq!(bench.asked().1, 1);
    assert!(bench.user_holds(&bench.sites[0], SITE_ADMIN));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("1.c1z");
    sync(&bench.sim, &file).await.unwrap();
    let mut stored = rows(&file, Table::Grants).into_iter();
    let stored = stored.find(|(id, _)| *id == granted.grants[0].id).unwrap();
    let stored = v2::Grant::decode(&stored.1[..]).unwrap();
    assert_eq!(stored.annotations, granted.grants[0].annotations);
    bench
        .connector()
        .revoke(&Call::alone(), &stored)
        .await
        .unwrap();
    assert!(!bench.user_holds(&bench.sites[0], SITE_ADMIN));
}

#[tokio::test(start_paused = true)]
async fn with_several_sites_the_site_is_named() {
    let bench = with_sites(9);
    let [first, second, ..] = &bench.sites[..] else {
        panic!("{:?}", bench.sites)
    };
    let (role, who) = (bench.own_role(SITE_ADMIN), user(&bench.user));
    for site in [first, second] {
        let holder = bench.sim.truth().users[0].account_id.clone();
        bench.set(Principal::User(holder), site, SITE_ADMIN, true);
    }
    let error = bench.grant(&role, &who).await.unwrap_err();
    let (code, told) = read(&error);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    for words in [first.as_str(), second, "--site"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert_eq!(bench.asked().1, 0);
    let second = second.clone();
    let bench = bench.site(&second);
    bench.grant(&role, &who).await.unwrap();
    assert_eq!(bench.asked(), (1, 1));
    assert!(bench.user_holds(&second, SITE_ADMIN));
    assert!(was_there(&bench.grant(&role, &who).await.unwrap()));
}

/// A site of which nobody holds a role cannot be known to be the only one.
#[tokio::test(start_paused = true)]
async fn one_site_among_several_addresses_is_not_the_only_one() {
    let bench = with_sites(9);
    for held in &bench.sim.truth().direct_roles {
        if bench.sites[1..].contains(&held.resource_id) {
            bench.set(held.principal.clone(), &held.resource_id, &held.role, false);
        }
    }
    let (role, who) = (bench.own_role(SITE_ADMIN), user(&bench.user));
    let error = bench.grant(&role, &who).await.unwrap_err();
    assert_eq!(error.code(), Code::FailedPrecondition);
    assert_eq!(bench.asked().1, 0);
}

#[tokio::test(start_paused = true)]
async fn a_role_on_several_sites_ends_on_those_of_the_grant() {
    let bench = with_sites(9);
    let itself = || Principal::User(bench.user.clone());
    for site in &bench.sites {
        bench.set(itself(), site, SITE_ADMIN, true);
    }
    let (role, who) = (bench.own_role(SITE_ADMIN), user(&bench.user));
    let (first, second, third) = (&bench.sites[0], &bench.sites[1], &bench.sites[2]);
    let unnamed = bench.revoke(&role, &who).await.unwrap_err();
    let (code, told) = read(&unnamed);
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains(third.as_str()), "{told}");
    assert_eq!(bench.asked().1, 0);
    let mut grant = grant_of(&role, &who);
    stored_on(&mut grant, &[first, second]);
    let notes = Arc::new(Notes::default());
    bench.sim.reset_log();
    bench
        .connector()
        .revoke(&notes.call(false), &grant)
        .await
        .unwrap();
    assert_eq!(bench.asked().1, 2, "one write for each site");
    assert!(!bench.user_holds(first, SITE_ADMIN) && !bench.user_holds(second, SITE_ADMIN));
    assert!(bench.user_holds(third, SITE_ADMIN));
    assert!(notes.warnings.lock().unwrap()[0].contains(third.as_str()));
    let revoked = bench.connector().revoke(&Call::alone(), &grant).await;
    assert!(was_gone(&revoked.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_read_back_on_the_site_alone() {
    let bench = with_sites(9);
    let (first, second) = (bench.sites[0].clone(), bench.sites[1].clone());
    bench.set(
        Principal::User(bench.user.clone()),
        &first,
        SITE_ADMIN,
        true,
    );
    let bench = bench.site(&second);
    let lost = |action| vec![Fault::new(OLDER, Calls::All, action)];
    let (role, who) = (bench.own_role(SITE_ADMIN), user(&bench.user));
    // It never arrives: the role on the other site does not count as success.
    bench.sim.set_faults(lost(Action::ConnectionReset));
    let error = bench.grant(&role, &who).await.unwrap_err();
    assert_eq!(error.code(), Code::Unavailable);
    assert!(!bench.user_holds(&second, SITE_ADMIN));
    bench.sim.set_faults(lost(Action::LoseAnswer));
    bench.grant(&role, &who).await.unwrap();
    assert!(bench.user_holds(&second, SITE_ADMIN));
}
