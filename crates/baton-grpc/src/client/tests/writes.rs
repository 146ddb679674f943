//! Writes: described, recorded, sent once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use baton_connector::{
    Accounts, Actions, Call, ChangeSettings, Code, Creating, Deleting, Invoke, Outcome, Plan,
    Provisioning, Recorder, Report, Result, v2,
};
use baton_proto::any;
use h2::Reason;
use tokio_util::sync::CancellationToken;

use super::peer::{Answer, Log, Reply, scripted};
use crate::client::RemoteConnector;

/// What was recorded of a change.
#[derive(Debug, Default)]
struct Recorded {
    writes: Vec<String>,
    removes: Vec<String>,
    intended: bool,
    outcome: Option<Outcome>,
    added: Vec<String>,
    removed: Vec<String>,
    error: String,
    read_back: bool,
}

#[derive(Default)]
struct Keeper(Mutex<Recorded>);

#[async_trait]
impl Recorder for Keeper {
    async fn planned(&self, plan: &Plan<'_>) -> Result<()> {
        let mut recorded = self.0.lock().unwrap();
        recorded.writes = plan.writes.iter().map(ToString::to_string).collect();
        recorded.removes.clone_from(&plan.removes);
        Ok(())
    }

    async fn intended(&self, _plan: &Plan<'_>) -> Result<()> {
        self.0.lock().unwrap().intended = true;
        Ok(())
    }

    async fn finished(&self, report: &Report<'_>) -> Result<()> {
        let mut recorded = self.0.lock().unwrap();
        recorded.outcome = Some(report.outcome);
        recorded.added = report.added.to_vec();
        recorded.removed = report.removed.to_vec();
        recorded.read_back = report.read_back;
        recorded.error = report.error.map(ToString::to_string).unwrap_or_default();
        Ok(())
    }
}

fn recorded(dry_run: bool) -> (Call, Arc<Keeper>) {
    let keeper = Arc::new(Keeper::default());
    let settings = ChangeSettings {
        dry_run,
        recorder: Some(Arc::clone(&keeper) as Arc<dyn Recorder>),
        ..ChangeSettings::default()
    };
    (Call::alone().with_changes(settings), keeper)
}

fn grant() -> v2::Grant {
    v2::Grant {
        id: "g1".to_owned(),
        ..v2::Grant::default()
    }
}

async fn grants(connector: &RemoteConnector, call: &Call) -> Result<baton_connector::Granted> {
    let (entitlement, principal) = (v2::Entitlement::default(), v2::Resource::default());
    connector.grant(call, &entitlement, &principal).await
}

fn sent(log: &Log) -> usize {
    log.lock().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_grant_is_recorded_sent_and_answered() {
    let note = any::pack(&v2::GrantReplaced {
        replaced_grant_id: "old".to_owned(),
    });
    let answer = v2::GrantManagerServiceGrantResponse {
        annotations: vec![note],
        grants: vec![grant()],
    };
    let reply = answer.clone();
    let (connector, log) = scripted(move |_| Reply::message(&reply));
    let (call, keeper) = recorded(false);
    let granted = grants(&connector, &call).await.unwrap();
    assert_eq!(granted.grants, answer.grants);
    assert_eq!(granted.annotations, answer.annotations);
    assert_eq!(sent(&log), 1);
    let recorded = keeper.0.lock().unwrap();
    let write = "call c1.connector.v2.GrantManagerService/Grant of the connector at peer";
    assert_eq!(recorded.writes, [write]);
    assert_eq!(recorded.outcome, Some(Outcome::Done));
    assert_eq!(recorded.added, ["g1"]);
    assert!(recorded.intended);
}

#[tokio::test(start_paused = true)]
async fn what_was_so_already_is_recorded_as_such() {
    let (connector, _) = scripted(|seen| {
        if seen.path.ends_with("/Revoke") {
            Reply::message(&v2::GrantManagerServiceRevokeResponse {
                annotations: vec![any::pack(&v2::GrantAlreadyRevoked {})],
            })
        } else {
            Reply::message(&v2::DeleteResourceResponse {
                annotations: vec![any::pack(&v2::ResourceDoesNotExist {})],
            })
        }
    });
    let (call, keeper) = recorded(false);
    let revoked = connector.revoke(&call, &grant()).await.unwrap();
    assert_eq!(revoked.annotations.len(), 1);
    {
        let recorded = keeper.0.lock().unwrap();
        assert_eq!(recorded.outcome, Some(Outcome::Already));
        assert_eq!(recorded.removes, ["g1"]);
        assert_eq!(recorded.removed, [""; 0], "nothing was really removed");
    }
    let (call, keeper) = recorded(false);
    let deleted = Deleting::delete(&connector, &call, &v2::Resource::default()).await;
    assert_eq!(deleted.unwrap().annotations.len(), 1);
    assert_eq!(keeper.0.lock().unwrap().outcome, Some(Outcome::Already));
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_sends_nothing() {
    let (connector, log) = scripted(|_| Reply::Answer(Answer::bytes(&[])));
    let (call, keeper) = recorded(true);
    let granted = grants(&connector, &call).await.unwrap();
    assert_eq!(granted, baton_connector::Granted::default());
    let request = v2::CreateAccountRequest::default();
    let account = connector.create_account(&call, &request).await.unwrap();
    assert_eq!(account.response.result, None);
    let created = Creating::create(&connector, &call, &v2::Resource::default()).await;
    assert_eq!(created.unwrap(), None);
    assert_eq!(sent(&log), 0);
    let recorded = keeper.0.lock().unwrap();
    assert_eq!(recorded.writes.len(), 1);
    assert!(!recorded.intended);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_known_and_a_lost_answer_is_not() {
    let unreadable = Reply::Answer(Answer::bytes(&[0x0a, 0xff]));
    let mut large = Answer::bytes(&[]);
    large.data = vec![vec![0, 0xff, 0xff, 0xff, 0xff]];
    let cases = [
        (
            Reply::error(9, "provisioning is not enabled"),
            Outcome::Failed,
        ),
        (Reply::error(2, "no"), Outcome::Failed),
        (Reply::error(13, "broken"), Outcome::Failed),
        (Reply::Reset(Reason::REFUSED_STREAM), Outcome::Failed),
        (Reply::error(14, "down"), Outcome::Unknown),
        (Reply::error(4, "late"), Outcome::Unknown),
        (Reply::error(1, "gone"), Outcome::Unknown),
        (Reply::error(13, "Internal Server Error"), Outcome::Unknown),
        (Reply::Reset(Reason::CANCEL), Outcome::Unknown),
        (Reply::Hangup, Outcome::Unknown),
        (Reply::Silence, Outcome::Unknown),
        (unreadable, Outcome::Unknown),
        (Reply::Answer(large), Outcome::Unknown),
    ];
    for (at, (reply, outcome)) in cases.into_iter().enumerate() {
        let is_refused = matches!(reply, Reply::Reset(Reason::REFUSED_STREAM));
        let (connector, log) = scripted(move |_| reply.clone());
        let (call, keeper) = recorded(false);
        let error = grants(&connector, &call).await.unwrap_err();
        let recorded = keeper.0.lock().unwrap();
        assert_eq!(recorded.outcome, Some(outcome), "case {at}: {error}");
        assert!(!recorded.read_back, "case {at}");
        if outcome == Outcome::Unknown {
            assert_eq!(error.code(), Code::Unavailable, "case {at}");
            let text = "the answer to a write was lost, and it cannot be read back";
            assert!(
                recorded.error.ends_with(text),
                "case {at}: {}",
                recorded.error
            );
        }
        // What a peer refused to process is repeated once.
        assert_eq!(sent(&log), if is_refused { 2 } else { 1 }, "case {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_not_sent_after_a_stop_and_not_stopped_once_it_is_sent() {
    let (connector, log) = scripted(|_| Reply::Silence);
    let stop = CancellationToken::new();
    let call = Call::alone().stopped_by(stop.clone());
    let began = tokio::time::Instant::now();
    let (answered, ()) = tokio::join!(grants(&connector, &call), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    });
    assert!(answered.is_err());
    assert_eq!(
        began.elapsed(),
        Duration::from_mins(30),
        "its own time limit"
    );
    let error = grants(&connector, &call).await.unwrap_err();
    assert_eq!(error.code(), Code::Canceled);
    assert_eq!(sent(&log), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_action_is_a_state_and_is_recorded_as_failed() {
    let text = prost_types::Value {
        kind: Some(prost_types::value::Kind::StringValue("no door".to_owned())),
    };
    let response = prost_types::Struct {
        fields: [("error".to_owned(), text)].into(),
    };
    let answer = v2::InvokeActionResponse {
        id: "a1".to_owned(),
        status: v2::BatonActionStatus::Failed.into(),
        response: Some(response),
        name: "lock".to_owned(),
        ..v2::InvokeActionResponse::default()
    };
    let (connector, log) = scripted(move |_| Reply::message(&answer));
    let (call, keeper) = recorded(false);
    let arguments = prost_types::Struct::default();
    let wanted = Invoke {
        name: "lock",
        type_id: None,
        arguments: &arguments,
        inline_wait: Duration::from_hours(1),
    };
    let state = connector.invoke(&call, wanted).await.unwrap();
    assert_eq!(
        (state.id.as_str(), state.failure()),
        ("a1", Some("no door"))
    );
    {
        let recorded = keeper.0.lock().unwrap();
        assert_eq!(recorded.outcome, Some(Outcome::Failed));
        assert_eq!(recorded.error, "no door");
    }
    let seen = log.lock().unwrap()[0].clone();
    let limit = seen.headers.get("grpc-timeout").unwrap();
    assert_eq!(limit, "5400000m", "the wait is added to the time limit");
    let (call, _) = recorded(true);
    let state = connector.invoke(&call, wanted).await.unwrap();
    assert_eq!(state.status, v2::BatonActionStatus::Complete);
    assert_eq!(sent(&log), 1);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_exists_is_an_answer() {
    let resource = v2::Resource {
        id: Some(v2::ResourceId {
            resource_type: "user".to_owned(),
            resource: "u1".to_owned(),
            ..v2::ResourceId::default()
        }),
        ..v2::Resource::default()
    };
    let answer = v2::CreateAccountResponse {
        result: Some(v2::create_account_response::Result::AlreadyExists(
            v2::create_account_response::AlreadyExistsResult {
                resource: Some(resource),
                is_create_account_result: true,
            },
        )),
        ..v2::CreateAccountResponse::default()
    };
    let reply = answer.clone();
    let (connector, _) = scripted(move |_| Reply::message(&reply));
    let (call, keeper) = recorded(false);
    let request = v2::CreateAccountRequest::default();
    let answered = connector.create_account(&call, &request).await.unwrap();
    assert_eq!(answered.response, answer);
    assert_eq!(keeper.0.lock().unwrap().outcome, Some(Outcome::Already));
}
