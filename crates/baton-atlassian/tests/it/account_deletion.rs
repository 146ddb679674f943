//! Deleting accounts, and revoking API tokens.

use std::time::Duration;

use atlassian_sim::{AccessKey, Action, Calls, Config, Fault, RetryAfter, Writes};
use baton_c1z::Table;
use baton_connector::resource::resource_id;
use baton_connector::{Call, ChangeSettings, Code, Deleted, Deleting as _, Result, v2};
use baton_proto::any;

use crate::bench::{ADMIN, Bench, config, read, resource, user};
use crate::simulated::{ids, sync};

const DELETE: &str = "POST users/{id}/manage/lifecycle/delete";
const REVOKE: &str = "DELETE users/{id}/manage/api-tokens/{token}";

async fn delete(bench: &Bench, resource: &v2::Resource) -> Result<Deleted> {
    bench.sim.reset_log();
    bench.connector().delete(&Call::alone(), resource).await
}

fn was_gone(deleted: &Deleted) -> bool {
    any::contains::<v2::ResourceDoesNotExist>(&deleted.annotations)
}

fn status(bench: &Bench, account: &str) -> Option<String> {
    let truth = bench.sim.settled_truth();
    let mut users = truth.users.into_iter();
    let user = users.find(|user| user.account_id == account);
    user.map(|user| user.status)
}

fn has_token(bench: &Bench, token: &str) -> bool {
    let truth = bench.sim.settled_truth();
    truth.tokens.iter().any(|known| known.id == token)
}

/// A token as a sync file has it.
fn stored(token: &str, owner: &str) -> v2::Resource {
    let secret = v2::SecretTrait {
        identity_id: Some(resource_id("user", owner)),
        ..v2::SecretTrait::default()
    };
    v2::Resource {
        annotations: vec![any::pack(&secret)],
        ..resource("api_token", token)
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_waits_for_its_deletion_and_then_is_gone() {
    let bench = Bench::new();
    let who = user(&bench.user);
    let deleted = delete(&bench, &who).await.unwrap();
    assert!(!was_gone(&deleted));
    assert_eq!(bench.sim.count(DELETE), 1);
    assert_eq!(status(&bench, &bench.user).as_deref(), Some("for_deletion"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("1.c1z");
    sync(&bench.sim, &file).await.unwrap();
    let id = format!("user:{}", bench.user);
    assert!(ids(&file, Table::Resources).contains(&id));

    // It waits: there is nothing to do, and it is not gone.
    let again = delete(&bench, &who).await.unwrap();
    assert!(!was_gone(&again));
    assert_eq!(bench.asked().1, 0);

    let gone = delete(&bench, &user("712020:nobody")).await.unwrap();
    assert!(was_gone(&gone));
    assert_eq!(bench.asked().1, 0);
    let org = bench.sim.organization();
    org.remove_user(&bench.outsider).unwrap();
    assert!(was_gone(
        &delete(&bench, &user(&bench.outsider)).await.unwrap()
    ));
}

#[tokio::test(start_paused = true)]
async fn no_fault_deletes_an_account_on_a_guess() {
    for delay_s in [0, 10] {
        for (action, made) in [
            (Action::LoseAnswer, true),
            (Action::Hang, true),
            (Action::MaskAnswer(503), true),
            (Action::InvalidJson, true),
            (Action::ConnectionReset, false),
            (Action::Status(503), false),
        ] {
            let bench = Bench::of(Config {
                visibility_delay: Duration::from_secs(delay_s),
                ..config()
            });
            let fault = Fault::new(DELETE, Calls::All, action.clone());
            bench.sim.set_faults(vec![fault]);
            let done = delete(&bench, &user(&bench.user)).await;
            let name = format!("{action:?} {delay_s}: {done:?}");
            assert_eq!(bench.asked().1, 1, "{name}");
            let waits = status(&bench, &bench.user).as_deref() == Some("for_deletion");
            assert_eq!(waits, made, "{name}");
            match done {
                Ok(_) => assert!(made, "{name}"),
                Err(error) => {
                    assert!(!made, "{name}");
                    assert_eq!(error.code(), Code::Unavailable, "{name}");
                }
            }
        }
        for after in [RetryAfter::Seconds(5), RetryAfter::Absent] {
            let bench = Bench::new();
            let refused = Action::TooManyRequests(after);
            let fault = Fault::new(DELETE, Calls::Nth(1), refused);
            bench.sim.set_faults(vec![fault]);
            delete(&bench, &user(&bench.user)).await.unwrap();
        }
    }
}

/// A deletion of a moment ago does not show yet, and the second is refused (409).
#[tokio::test(start_paused = true)]
async fn a_deletion_of_a_moment_ago_is_no_failure() {
    let bench = Bench::of(Config {
        visibility_delay: Duration::from_secs(10),
        ..config()
    });
    let who = user(&bench.user);
    delete(&bench, &who).await.unwrap();
    delete(&bench, &who).await.unwrap();
    assert_eq!(status(&bench, &bench.user).as_deref(), Some("for_deletion"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_refused_with_the_reason() {
    let bench = Bench::new();
    let org = bench.sim.organization();
    let mut outside = atlassian_sim::NewUser::named("guest", "guest@elsewhere.test");
    outside.managed = false;
    outside.directory_id = Some(bench.directory.clone());
    let guest = org.add_user(outside).unwrap();
    let (code, told) = read(&delete(&bench, &user(&guest)).await.unwrap_err());
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains("does not manage the account"), "{told}");
    assert_eq!(bench.asked().1, 0, "{told}");

    for (status, word, code) in [
        (403, "manage", Code::PermissionDenied),
        (401, "--access-token", Code::Unauthenticated),
        (409, "delete user", Code::AlreadyExists),
    ] {
        let fault = Fault::new(DELETE, Calls::All, Action::Status(status));
        bench.sim.set_faults(vec![fault]);
        let (found, told) = read(&delete(&bench, &user(&bench.user)).await.unwrap_err());
        assert!(told.contains(word), "{told}");
        if status == 403 {
            assert_eq!(found, Code::FailedPrecondition, "{told}");
        } else {
            assert_eq!(found, code, "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_with_scopes_is_refused_with_the_kind_of_key_that_is_needed() {
    let scopes = [
        "read:directories:admin",
        "read:tokens:admin",
        "read:groups:admin",
    ];
    let bench = Bench::of(Config {
        keys: vec![AccessKey::scoped("scoped-key", scopes)],
        ..config()
    });
    let token = bench.sim.organization().add_token(&bench.user).unwrap();
    for resource in [user(&bench.user), stored(&token, &bench.user)] {
        let (code, told) = read(&delete(&bench, &resource).await.unwrap_err());
        assert_eq!(code, Code::PermissionDenied, "{told}");
        assert!(told.contains("without scopes"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_organization_admin_is_not_deleted_unless_it_is_forced() {
    let bench = Bench::with(Writes {
        protect_last_admin: false,
        ..Writes::default()
    });
    bench.one_admin();
    let who = user(&bench.user);
    let (code, told) = read(&delete(&bench, &who).await.unwrap_err());
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains(ADMIN) && told.contains("protected"), "{told}");
    assert_eq!(bench.asked().1, 0);
    let forced = Call::alone().with_changes(ChangeSettings {
        force_protected: true,
        ..ChangeSettings::default()
    });
    bench.connector().delete(&forced, &who).await.unwrap();
    assert_eq!(status(&bench, &bench.user).as_deref(), Some("for_deletion"));
}

/// By the owner that the file names, or by the list; never the others' tokens.
#[tokio::test(start_paused = true)]
async fn one_api_token_is_revoked_through_its_owner() {
    let bench = Bench::new();
    let org = bench.sim.organization();
    let before = bench.sim.settled_truth().tokens.len();
    for from_file in [true, false] {
        let token = org.add_token(&bench.user).unwrap();
        let resource = if from_file {
            stored(&token, &bench.user)
        } else {
            resource("api_token", &token)
        };
        let deleted = delete(&bench, &resource).await.unwrap();
        assert!(!was_gone(&deleted));
        assert_eq!(bench.sim.count(REVOKE), 1);
        assert_eq!(bench.asked().1, 1);
        assert!(!has_token(&bench, &token));
        assert!(was_gone(&delete(&bench, &resource).await.unwrap()));
        assert_eq!(bench.asked().1, 0);
    }
    assert_eq!(bench.sim.settled_truth().tokens.len(), before);
    // The owner is gone, and the tokens with the owner.
    let orphan = stored("t-0", "712020:nobody");
    assert!(was_gone(&delete(&bench, &orphan).await.unwrap()));
}

#[tokio::test(start_paused = true)]
async fn a_token_is_revoked_whatever_happens_to_the_answer() {
    for (action, made) in [
        (Action::LoseAnswer, true),
        (Action::Hang, true),
        (Action::MaskAnswer(503), true),
        (Action::ConnectionReset, true),
        (Action::Status(503), true),
        (Action::TooManyRequests(RetryAfter::Absent), true),
    ] {
        let bench = Bench::new();
        let token = bench.sim.organization().add_token(&bench.user).unwrap();
        let fault = Fault::new(REVOKE, Calls::Nth(1), action.clone());
        bench.sim.set_faults(vec![fault]);
        let done = delete(&bench, &stored(&token, &bench.user)).await;
        assert!(done.is_ok(), "{action:?}: {done:?}");
        assert_eq!(!has_token(&bench, &token), made, "{action:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tokens_of_accounts_that_are_not_managed_are_refused() {
    let bench = Bench::new();
    let org = bench.sim.organization();
    let mut outside = atlassian_sim::NewUser::named("guest", "guest@elsewhere.test");
    outside.managed = false;
    outside.directory_id = Some(bench.directory.clone());
    let guest = org.add_user(outside).unwrap();
    let token = org.add_token(&guest).unwrap();
    let (code, told) = read(&delete(&bench, &stored(&token, &guest)).await.unwrap_err());
    assert_eq!(code, Code::FailedPrecondition, "{told}");
    assert!(told.contains("does not manage the account"), "{told}");
    assert_eq!(bench.asked().1, 0);
}

/// Only what the connector announces.
#[tokio::test(start_paused = true)]
async fn other_types_and_the_go_connectors_ways_are_not_deleted() {
    let bench = Bench::new();
    let group = resource("group", &bench.group);
    let error = delete(&bench, &group).await.unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    let bench = bench.go_compatible();
    let token = bench.sim.organization().add_token(&bench.user).unwrap();
    let error = delete(&bench, &stored(&token, &bench.user))
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::Unimplemented);
    delete(&bench, &user(&bench.user)).await.unwrap();
}
