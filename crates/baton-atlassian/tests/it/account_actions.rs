//! The actions `disable_user` and `enable_user`.

use std::sync::Arc;
use std::time::Duration;

use atlassian_sim::{Action, Answers, Calls, Config, Fault, Generation, Membership, RetryAfter};
use baton_connector::{
    ActionState, Call, ChangeSettings, Code, Connector as _, Invoke, Result, v2,
};
use prost_types::Struct;
use v2::BatonActionStatus as Status;

use crate::bench::{Bench, Notes, config, text};

const DISABLE: &str = "disable_user";
const ENABLE: &str = "enable_user";
const SUSPEND: &str = "POST v2/users/{id}/suspend";
const RESTORE: &str = "POST v2/users/{id}/restore";
const OLDER: [&str; 2] = [
    "POST v1/users/{id}/suspend-access",
    "POST v1/users/{id}/restore-access",
];

async fn invoke_as(bench: &Bench, call: &Call, name: &str, user: &str) -> Result<ActionState> {
    bench.sim.reset_log();
    let arguments = Struct {
        fields: [("user_id".to_owned(), text(user))].into(),
    };
    let wanted = Invoke {
        name,
        type_id: None,
        arguments: &arguments,
        inline_wait: Duration::from_mins(10),
    };
    let connector = bench.connector();
    connector.actions().unwrap().invoke(call, wanted).await
}

async fn invoke(bench: &Bench, name: &str, user: &str) -> ActionState {
    invoke_as(bench, &Call::alone(), name, user).await.unwrap()
}

/// How many directories the user is in, and in how many suspended.
fn suspended(bench: &Bench, account: &str) -> (usize, usize) {
    let truth = bench.sim.settled_truth();
    let mut users = truth.users.iter();
    let user = users.find(|user| user.account_id == account).unwrap();
    (user.directory_ids.len(), user.suspended_directory_ids.len())
}

/// `user` is in two directories.
fn in_two(config: Config) -> Bench {
    let bench = Bench::of(config);
    let other = bench.sim.truth().directory_ids[1].clone();
    let org = bench.sim.organization();
    let member = Membership::Active;
    org.set_membership(&bench.user, &other, member).unwrap();
    bench
}

#[tokio::test(start_paused = true)]
async fn a_user_is_suspended_and_restored_in_every_directory() {
    let bench = in_two(config());
    let who = bench.user.clone();
    for again in [false, true] {
        let state = invoke(&bench, DISABLE, &who).await;
        assert_eq!(state.status, Status::Complete, "{again} {state:?}");
        let response = state.response.unwrap();
        assert!(response.fields.contains_key("success"), "{response:?}");
        assert_eq!(suspended(&bench, &who), (2, 2));
        assert_eq!(bench.sim.count(SUSPEND), 2);
    }
    for _ in 0..2 {
        let state = invoke(&bench, ENABLE, &who).await;
        assert_eq!(state.status, Status::Complete, "{state:?}");
        assert_eq!(suspended(&bench, &who), (2, 0));
    }
    assert_eq!(OLDER.map(|older| bench.sim.count(older)), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_partly_done_fails_and_names_both_parts() {
    let bench = in_two(config());
    let who = bench.user.clone();
    let fault = Fault::new(SUSPEND, Calls::Nth(2), Action::Status(403));
    bench.sim.set_faults(vec![fault]);
    let state = invoke(&bench, DISABLE, &who).await;
    assert_eq!(state.status, Status::Failed);
    let failure = state.failure().unwrap();
    assert!(failure.contains("1 of 2 writes"), "{failure}");
    let default = "suspend in directory `Default directory`";
    assert!(failure.contains(&format!("done: {default}")), "{failure}");
    assert!(
        failure.contains("not done: suspend in directory"),
        "{failure}"
    );
    assert_eq!(suspended(&bench, &who), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn lost_answers_and_failing_servers_do_no_harm() {
    for (name, endpoint, wanted) in [(DISABLE, SUSPEND, 2), (ENABLE, RESTORE, 0)] {
        for action in [
            Action::ConnectionReset,
            Action::LoseAnswer,
            Action::Hang,
            Action::Status(503),
            Action::MaskAnswer(500),
            Action::TooManyRequests(RetryAfter::Seconds(5)),
            Action::TooManyRequests(RetryAfter::Absent),
        ] {
            for nth in [1, 2] {
                let bench = in_two(config());
                let who = bench.user.clone();
                if name == ENABLE {
                    invoke(&bench, DISABLE, &who).await;
                }
                let fault = Fault::new(endpoint, Calls::Nth(nth), action.clone());
                bench.sim.set_faults(vec![fault]);
                let state = invoke(&bench, name, &who).await;
                assert_eq!(
                    state.status,
                    Status::Complete,
                    "{name} {action:?} {state:?}"
                );
                assert_eq!(suspended(&bench, &who), (2, wanted), "{name} {action:?}");
            }
        }
    }
    let bench = in_two(config());
    let fault = Fault::new(SUSPEND, Calls::All, Action::Status(503));
    bench.sim.set_faults(vec![fault]);
    let state = invoke(&bench, DISABLE, &bench.user).await;
    assert!(state.failure().unwrap().contains("not known"), "{state:?}");
    assert_eq!(suspended(&bench, &bench.user), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn an_organization_admin_is_not_suspended_and_the_way_is_named() {
    let bench = Bench::new();
    bench.one_admin();
    let state = invoke(&bench, DISABLE, &bench.user).await;
    let failure = state.failure().unwrap();
    assert!(
        failure.contains("organization admins cannot be suspended"),
        "{failure}"
    );
    assert_eq!(suspended(&bench, &bench.user), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_user_in_no_directory_and_a_bad_argument_send_nothing() {
    let bench = Bench::new();
    let org = bench.sim.organization();
    let none = Membership::None;
    org.set_membership(&bench.user, &bench.directory, none)
        .unwrap();
    for user in [bench.user.as_str(), "712020:nobody"] {
        let state = invoke(&bench, DISABLE, user).await;
        assert_eq!(state.status, Status::Failed);
        assert!(
            state.failure().unwrap().contains("no directory"),
            "{state:?}"
        );
        assert_eq!(bench.asked().1, 0);
    }
    let refused = invoke_as(&bench, &Call::alone(), DISABLE, "").await;
    assert_eq!(refused.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(bench.sim.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_of_an_action_sends_no_write() {
    let bench = in_two(config());
    let notes = Arc::new(Notes::default());
    let call = Call::alone().with_changes(ChangeSettings {
        dry_run: true,
        recorder: Some(Arc::clone(&notes) as _),
        ..ChangeSettings::default()
    });
    let state = invoke_as(&bench, &call, DISABLE, &bench.user)
        .await
        .unwrap();
    assert_eq!(state.status, Status::Complete, "{state:?}");
    assert_eq!(notes.writes.lock().unwrap().len(), 2);
    assert_eq!(bench.asked().1, 0);
}

/// One request for all directories, which Atlassian has announced to end.
#[tokio::test(start_paused = true)]
async fn the_go_connectors_requests_are_sent_only_for_it() {
    let answers = Answers {
        retired_v1: Generation::Alive,
        ..Answers::default()
    };
    let bench = in_two(Config {
        answers,
        ..config()
    });
    let bench = bench.go_compatible();
    for (at, (name, count)) in [(DISABLE, 2), (ENABLE, 0)].into_iter().enumerate() {
        let state = invoke(&bench, name, &bench.user).await;
        assert_eq!(state.status, Status::Complete, "{state:?}");
        assert_eq!(suspended(&bench, &bench.user), (2, count));
        assert_eq!(bench.sim.total(), 1);
        assert_eq!(bench.sim.count(OLDER[at]), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn both_actions_are_announced_with_their_kinds() {
    let connector = Bench::new().connector();
    let actions = connector.actions().unwrap();
    let schemas = actions.schemas(&Call::alone(), None).await.unwrap();
    let mut announced: Vec<_> = schemas
        .iter()
        .map(|schema| {
            let argument = &schema.arguments[0];
            let returned = &schema.return_types[0];
            assert!(argument.is_required, "{schema:?}");
            assert_eq!(
                (argument.name.as_str(), returned.name.as_str()),
                ("user_id", "success")
            );
            (schema.name.as_str(), schema.action_type.clone())
        })
        .collect();
    announced.sort();
    let kinds = [
        v2::ActionType::AccountDisable,
        v2::ActionType::AccountEnable,
    ];
    assert_eq!(
        announced,
        [
            (DISABLE, vec![i32::from(kinds[0])]),
            (ENABLE, vec![i32::from(kinds[1])]),
        ]
    );
}
