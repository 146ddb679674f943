//! Users that are disabled and enabled: what the table has afterwards.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use baton_connector::resource::Profile;
use baton_connector::{ActionState, Call, ChangeSettings, Connector, Invoke, SplitMix, v2};

use crate::harness::Harness;

fn connector(harness: &Harness) -> Arc<dyn Connector> {
    let folder = harness.dir.path().join("tables");
    let random = Arc::new(SplitMix::seeded(7));
    baton_csv::connector(&folder, random).unwrap().connector
}

async fn run(harness: &Harness, call: &Call, name: &str, user: &str) -> ActionState {
    let arguments = Profile::new().text("user_id", user).build();
    let wanted = Invoke {
        name,
        type_id: None,
        arguments: &arguments,
        inline_wait: Duration::from_mins(1),
    };
    let connector = connector(harness);
    connector
        .actions()
        .unwrap()
        .invoke(call, wanted)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_user_is_disabled_and_enabled_and_nothing_else_changes() {
    let harness = Harness::new();
    let table = || fs::read_to_string(harness.table("users.csv")).unwrap();
    let before = table();
    let (enabled, disabled) = ("ada@acme.test,true", "ada@acme.test,false");
    assert!(before.contains(enabled), "{before}");
    let dry = Call::alone().with_changes(ChangeSettings {
        dry_run: true,
        ..ChangeSettings::default()
    });
    run(&harness, &dry, "disable_user", "ada").await;
    assert_eq!(table(), before);
    // A second time changes nothing and succeeds.
    for _ in 0..2 {
        let state = run(&harness, &Call::alone(), "disable_user", "ada").await;
        assert_eq!(state.status, v2::BatonActionStatus::Complete);
        assert_eq!(table(), before.replace(enabled, disabled));
    }
    run(&harness, &Call::alone(), "enable_user", "ada").await;
    assert_eq!(table(), before);
}

#[tokio::test]
async fn a_user_who_is_not_there_is_a_failed_action() {
    let harness = Harness::new();
    let state = run(&harness, &Call::alone(), "disable_user", "nobody").await;
    assert_eq!(state.failure(), Some("there is no user `nobody`"));
}
