//! Deleting, deactivating and restoring accounts, and revoking their tokens.

use std::time::Duration;

use atlassian_sim::{AccessKey, Config, NewUser};
use http::StatusCode;

use crate::client::{config, get, ids_at, newest_events};
use crate::stage::Stage;

const DAY: Duration = Duration::from_hours(24);

/// Sends a write of the account API; gives status and error key.
async fn send(stage: &Stage, method: &str, path: &str) -> (u16, String) {
    let answer = stage.send(method, &format!("/users/{path}"), "").await;
    let key = match answer.status {
        StatusCode::NO_CONTENT | StatusCode::OK => String::new(),
        _ => answer.json()["key"].as_str().unwrap().to_owned(),
    };
    (answer.status.as_u16(), key)
}

async fn status(stage: &Stage) -> String {
    let path = format!("v2:directories/-/users/{}", stage.member);
    let answer = get(&stage.sim, &path).await;
    let status = answer.json()["data"]["status"].as_str().map(str::to_owned);
    status.unwrap_or_default()
}

#[tokio::test]
async fn every_refusal_has_its_key_and_no_effect() {
    let stage = Stage::new();
    let unmanaged = NewUser {
        managed: false,
        ..NewUser::named("guest", "guest@other.example")
    };
    let guest = stage.sim.organization().add_user(unmanaged).unwrap();
    let conflict = "conflict.lifecycleErrors";
    for (method, end) in [
        ("POST", "lifecycle/delete"),
        ("POST", "lifecycle/cancel-delete"),
        ("POST", "lifecycle/disable"),
        ("POST", "lifecycle/enable"),
        ("DELETE", "api-tokens/{token}"),
        ("PATCH", "profile"),
        ("PUT", "email"),
    ] {
        for (user, expected) in [
            ("no", (404, "accountNotFound")),
            (guest.as_str(), (403, "forbidden")),
        ] {
            let (code, key) = send(&stage, method, &format!("{user}/manage/{end}")).await;
            assert_eq!((code, key.as_str()), expected, "{end}");
            assert!(!stage.changed());
        }
    }
    for (method, path, expected) in [
        (
            "POST",
            "{member}/manage/lifecycle/cancel-delete",
            (409, conflict),
        ),
        ("DELETE", "{member}/manage/api-tokens/no", (404, "notFound")),
        (
            "DELETE",
            "{user}/manage/api-tokens/{token}",
            (404, "notFound"),
        ),
        ("POST", "{member}/manage/lifecycle/delete", (200, "")),
        ("POST", "{member}/manage/lifecycle/delete", (409, conflict)),
        ("POST", "{member}/manage/lifecycle/disable", (409, conflict)),
        ("POST", "{member}/manage/lifecycle/enable", (409, conflict)),
    ] {
        let (code, key) = send(&stage, method, path).await;
        assert_eq!((code, key.as_str()), expected, "{path}");
        assert_eq!(stage.changed(), code == 200, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deleted_account_goes_after_14_days_unless_that_is_cancelled() {
    let stage = Stage::new();
    let delete = "{member}/manage/lifecycle/delete";
    assert_eq!(send(&stage, "POST", delete).await.0, 200);
    assert_eq!(status(&stage).await, "for_deletion");
    tokio::time::advance(7 * DAY).await;
    let cancel = "{member}/manage/lifecycle/cancel-delete";
    assert_eq!(send(&stage, "POST", cancel).await.0, 204);
    assert_eq!(status(&stage).await, "active");
    tokio::time::advance(DAY).await;
    assert_eq!(send(&stage, "POST", delete).await.0, 200);
    tokio::time::advance(13 * DAY).await;
    assert_eq!(
        status(&stage).await,
        "for_deletion",
        "the first date does not count"
    );
    tokio::time::advance(DAY).await;
    assert_eq!(status(&stage).await, "");
    assert_eq!(
        send(&stage, "POST", delete).await,
        (404, "accountNotFound".to_owned())
    );
    assert!(stage.sim.truth().tokens.iter().all(|t| t.id != stage.token));
}

#[tokio::test]
async fn accounts_are_deactivated_and_reactivated_and_tokens_revoked() {
    let stage = Stage::new();
    for (end, expected, changed) in [
        ("disable", "deactivated", true),
        ("disable", "deactivated", false),
        ("enable", "active", true),
        ("enable", "active", false),
    ] {
        let path = format!("{{member}}/manage/lifecycle/{end}");
        assert_eq!(send(&stage, "POST", &path).await.0, 204);
        assert_eq!(stage.changed(), changed, "{end}");
        assert_eq!(status(&stage).await, expected);
    }
    let token = "{member}/manage/api-tokens/{token}";
    assert_eq!(send(&stage, "DELETE", token).await.0, 204);
    assert_eq!(send(&stage, "DELETE", token).await.0, 404);
    assert!(stage.sim.truth().tokens.iter().all(|t| t.id != stage.token));
    let actions = ids_at(&newest_events(&stage.sim).await, "/attributes/action");
    assert_eq!(
        actions[..3],
        ["user_token_revoked", "user_reactivated", "user_deactivated"]
    );
}

#[tokio::test]
async fn a_key_with_scopes_is_refused_with_a_scope_that_no_key_has() {
    let keys = vec![AccessKey::scoped("some", ["read:directories:admin"])];
    let stage = Stage::of(Config {
        keys,
        ..config(60, 12)
    });
    for (method, end) in [
        ("GET", ""),
        ("GET", "/profile"),
        ("GET", "/api-tokens"),
        ("POST", "/lifecycle/delete"),
        ("POST", "/lifecycle/cancel-delete"),
        ("POST", "/lifecycle/disable"),
        ("POST", "/lifecycle/enable"),
        ("DELETE", "/api-tokens/{token}"),
        ("PATCH", "/profile"),
        ("PUT", "/email"),
    ] {
        let path = format!("/users/{{member}}/manage{end}");
        let answer = stage.send(method, &path, "").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {end}");
        let context = answer.json()["context"].as_str().unwrap().to_owned();
        assert!(context.contains("manage:org"), "{method} {end}: {context}");
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_and_suspensions_change_after_the_delay() {
    let stage = Stage::of(Config {
        visibility_delay: Duration::from_secs(5),
        ..config(60, 12)
    });
    let suspension = "v2:directories/{dir}/users/{member}";
    for (method, path, before, after) in [
        (
            "POST",
            format!("{suspension}/suspend"),
            "active",
            "suspended",
        ),
        (
            "POST",
            format!("{suspension}/restore"),
            "suspended",
            "active",
        ),
        ("POST", lifecycle("disable"), "active", "deactivated"),
        ("POST", lifecycle("enable"), "deactivated", "active"),
        ("POST", lifecycle("delete"), "active", "for_deletion"),
        ("POST", lifecycle("cancel-delete"), "for_deletion", "active"),
        ("POST", lifecycle("delete"), "active", "for_deletion"),
    ] {
        let answer = stage.send(method, &path, "").await;
        assert!(answer.status.is_success() && stage.changed(), "{path}");
        tokio::time::advance(Duration::from_secs(4)).await;
        assert_eq!(status(&stage).await, before, "{path}");
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(status(&stage).await, after, "{path}");
    }
    tokio::time::advance(13 * DAY + Duration::from_hours(23)).await;
    assert_eq!(status(&stage).await, "for_deletion");
    tokio::time::advance(Duration::from_hours(1)).await;
    assert_eq!(status(&stage).await, "");
    assert!(stage.sim.truth() == stage.sim.settled_truth());
}

fn lifecycle(end: &str) -> String {
    format!("/users/{{member}}/manage/lifecycle/{end}")
}
