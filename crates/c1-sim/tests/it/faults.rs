//! Each thing that the simulator does wrong on purpose.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::task::{GrantTask, SyncFullTask, TaskType};
use baton_proto::c1::connectorapi::baton::v1::{
    BatonServiceGetTaskResponse, BatonServiceHeartbeatResponse, Task,
};
use c1_sim::{Action, Call, Fault, PlannedTask, Simulator};
use prost::Message as _;
use tokio::time::{Instant, advance, timeout};

use crate::client::{Assertion, Client, Outcome, START, config, id, verdict};

fn grant(name: &str) -> PlannedTask {
    PlannedTask::new(&id(name), TaskType::Grant(GrantTask::default()))
}

fn sync(name: &str) -> PlannedTask {
    PlannedTask::new(&id(name), TaskType::SyncFull(SyncFullTask::default()))
}

/// A client that has said Hello, and a fault for its first call of a kind.
async fn with(call: Call, action: Action) -> (Simulator, Client) {
    let simulator = Simulator::new(config());
    let client = Client::greeted(&simulator).await;
    simulator.fault(Fault::nth(call, 1, action)).unwrap();
    (simulator, client)
}

fn outcomes(simulator: &Simulator, call: Call) -> Vec<String> {
    let calls = simulator.calls().into_iter();
    let of_kind = calls.filter(|record| record.call == call);
    of_kind.map(|record| record.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn a_status_of_any_code_is_answered_and_nothing_is_carried_out() {
    for code in Code::ALL.into_iter().skip(1) {
        let (simulator, mut client) = with(Call::GetTask, Action::status(code, "100% wrong")).await;
        simulator.plan(grant("g"));
        let refused = client.get_task().await.refusal();
        assert_eq!(refused, (code.as_u8().into(), "100% wrong".to_owned()));
        assert_eq!(simulator.handed_out(), 0);
        let logged = format!("{} 100% wrong", code.name());
        assert_eq!(outcomes(&simulator, Call::GetTask), [logged]);
        assert_eq!(client.get_task().await.answer().task.unwrap().id, id("g"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_can_be_refused_before_its_end() {
    let (simulator, mut client) = with(Call::GetTask, Action::ExpireToken).await;
    let refused = client.get_task().await.refusal();
    assert_eq!(refused, (16, "the token was revoked".to_owned()));
    assert_eq!(client.get_task().await.refusal().0, 16, "it stays refused");
    client.renew().await;
    client.get_task().await.answer();
    assert_eq!(verdict(&simulator), [""; 0], "a new token is right");
}

#[tokio::test(start_paused = true)]
async fn http_answers_and_pages_come_instead_of_grpc() {
    let http = |status, retry_after| Action::Http {
        status,
        retry_after,
    };
    for (action, status) in [
        (http(429, Some(7)), 429),
        (http(503, None), 503),
        (Action::Html, 200),
    ] {
        let (simulator, mut client) = with(Call::GetTask, action.clone()).await;
        let path = "/c1.connectorapi.baton.v1.BatonService/GetTask";
        let response = client.send(path, Vec::new()).await.unwrap();
        assert_eq!(response.status(), status);
        let waits = response.headers().get("retry-after");
        assert_eq!(waits.is_some(), status == 429);
        let content_type = &response.headers()["content-type"];
        assert_eq!(content_type == "text/html", action == Action::Html);
        assert_eq!(
            outcomes(&simulator, Call::GetTask),
            [format!("fault: {action}")]
        );
        let Outcome::Answer(_) = client.get_task().await else {
            panic!("the next call is answered")
        };
    }
}

#[tokio::test(start_paused = true)]
async fn streams_are_reset_with_the_code_of_the_fault() {
    for code in [2, 7, 8, 11] {
        let (_simulator, mut client) = with(Call::GetTask, Action::ResetStream(code)).await;
        let error = client.get_task().await.broken();
        let text = format!("{error:?}");
        let reason = format!("{:?}", h2::Reason::from(code));
        assert!(text.contains(&reason), "{text}");
        client.get_task().await.answer();
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_breaks_before_or_after_the_call_is_carried_out() {
    for (action, finished) in [(Action::Drop, 0), (Action::LoseAnswer, 1)] {
        let (simulator, mut client) = with(Call::FinishTask, action).await;
        simulator.plan(grant("g"));
        client.get_task().await.answer();
        client.succeed(&id("g")).await.broken();
        assert_eq!(simulator.finished().len(), finished);
        client.succeed(&id("g")).await.broken();
        let mut next = Client::connect(&simulator).await;
        next.authorization = client.authorization;
        next.succeed(&id("g")).await.answer();
        assert_eq!(simulator.finished().len(), 1);
        assert_eq!(verdict(&simulator), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_goaway_comes_with_the_answer() {
    let (simulator, mut client) = with(Call::GetTask, Action::GoAway).await;
    client.get_task().await.answer();
    tokio::time::sleep(Duration::from_millis(10)).await;
    client.get_task().await.broken();
    let mut next = Client::connect(&simulator).await;
    next.authorization = client.authorization;
    next.get_task().await.answer();
}

#[tokio::test(start_paused = true)]
async fn calls_hang_before_and_after_they_are_carried_out() {
    for (action, finished) in [(Action::Hang, 0), (Action::HangAnswer, 1)] {
        let (simulator, mut client) = with(Call::FinishTask, action).await;
        simulator.plan(grant("g"));
        client.get_task().await.answer();
        let hour = Duration::from_hours(1);
        let task = id("g");
        assert!(timeout(hour, client.succeed(&task)).await.is_err());
        assert_eq!(simulator.finished().len(), finished);
        assert_eq!(
            outcomes(&simulator, Call::FinishTask),
            [""; 0],
            "it is running"
        );
        drop(client);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(outcomes(&simulator, Call::FinishTask), ["the client left"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_delayed() {
    let action = Action::Delay(Duration::from_secs(40));
    let (_simulator, mut client) = with(Call::GetTask, action).await;
    let began = Instant::now();
    client.get_task().await.answer();
    assert_eq!(began.elapsed().as_secs(), 40);
}

#[tokio::test(start_paused = true)]
async fn messages_are_garbage_huge_or_of_another_service() {
    let (_simulator, mut client) = with(Call::GetTask, Action::Garbage(vec![0xff; 9])).await;
    let Outcome::Undecodable = client.get_task().await else {
        panic!("garbage was decoded")
    };
    let (_simulator, mut client) = with(Call::GetTask, Action::WrongService).await;
    let text = "unknown service c1.connectorapi.baton.v1.BatonService";
    assert_eq!(client.get_task().await.refusal(), (12, text.to_owned()));

    let (_simulator, mut client) = with(Call::GetTask, Action::Huge(100_000_000)).await;
    let path = "/c1.connectorapi.baton.v1.BatonService/GetTask";
    let response = client.send(path, Vec::new()).await.unwrap();
    let mut body = response.into_body();
    let first = http_body_util::BodyExt::frame(&mut body).await;
    let first = first.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first[..], [0, 5, 0xf5, 0xe1, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_fault_hands_out_its_tasks() {
    let answer = BatonServiceGetTaskResponse {
        task: Some(Task {
            id: id("g"),
            task_type: Some(TaskType::Grant(GrantTask::default())),
            ..Task::default()
        }),
        next_poll: Some(prost_types::Duration {
            seconds: 9,
            nanos: 0,
        }),
        ..BatonServiceGetTaskResponse::default()
    };
    let action = Action::Message(answer.encode_to_vec());
    let (simulator, mut client) = with(Call::GetTask, action).await;
    assert_eq!(client.get_task().await.answer(), answer);
    client.succeed(&id("g")).await.answer();
    advance(Duration::from_secs(9)).await;
    client.get_task().await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_a_fault_hits_count_as_sent() {
    let cancelled = BatonServiceHeartbeatResponse {
        cancelled: true,
        ..BatonServiceHeartbeatResponse::default()
    };
    let simulator = Simulator::new(config());
    simulator.plan(sync("s"));
    for (nth, action) in [
        (1, Action::status(Code::Unavailable, "later")),
        (
            2,
            Action::Http {
                status: 503,
                retry_after: None,
            },
        ),
        (3, Action::Garbage(vec![0xff])),
        (4, Action::Message(cancelled.encode_to_vec())),
    ] {
        simulator
            .fault(Fault::nth(Call::Heartbeat, nth, action))
            .unwrap();
    }
    let mut client = Client::greeted(&simulator).await;
    client.get_task().await.answer();
    for nth in 1..=3 {
        advance(Duration::from_secs(40)).await;
        match (nth, client.heartbeat(&id("s")).await) {
            (1, Outcome::Status((14, _))) | (2, Outcome::Http(503)) | (3, Outcome::Undecodable) => {
            }
            (_, other) => panic!("{nth}: {other:?}"),
        }
    }
    assert!(client.heartbeat(&id("s")).await.answer().cancelled);
    client.fail(&id("s")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_upload_breaks_or_is_refused_in_the_middle() {
    let status = Status::new(Code::PermissionDenied, "not here");
    for action in [Action::DropAfter(2), Action::StatusAfter(2, status)] {
        let (simulator, mut client) = with(Call::UploadAsset, action.clone()).await;
        simulator.plan(sync("s"));
        client.get_task().await.answer();
        client.heartbeat(&id("s")).await.answer();
        let file = vec![1; 4 * 512 * 1024];
        let outcome = client.upload_file(&id("s"), &file).await;
        match action {
            Action::DropAfter(_) => {
                outcome.broken();
            }
            _ => assert_eq!(outcome.refusal(), (7, "not here".to_owned())),
        }
        assert_eq!(simulator.uploads(), []);
        let mut next = Client::connect(&simulator).await;
        next.authorization = client.authorization;
        next.upload_file(&id("s"), &file).await.answer();
        next.succeed(&id("s")).await.answer();
        assert_eq!(verdict(&simulator), [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_endpoint_has_faults_too() {
    let body = |status, body: &str| Action::TokenBody {
        status,
        body: body.to_owned(),
    };
    let simulator = Simulator::new(config());
    for (nth, action) in [
        (
            1,
            Action::Http {
                status: 503,
                retry_after: Some(3),
            },
        ),
        (2, Action::Html),
        (3, Action::Drop),
        (4, Action::LoseAnswer),
        (
            5,
            body(
                200,
                r#"{"access_token":"x","token_type":"mac","expires_in":5}"#,
            ),
        ),
        (6, body(200, "not JSON")),
        (7, Action::Hang),
    ] {
        simulator
            .fault(Fault::nth(Call::Token, nth, action))
            .unwrap();
    }
    let ask = |nonce| simulator.token(Assertion::at(START, nonce).request());
    let answer = ask(1).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["retry-after"]),
        (503, &"3".parse().unwrap())
    );
    assert_eq!(ask(2).await.unwrap().headers()["content-type"], "text/html");
    assert!(ask(3).await.is_err() && ask(4).await.is_err());
    assert_eq!(ask(5).await.unwrap().status(), 200);
    assert_eq!(&ask(6).await.unwrap().body()[..], b"not JSON");
    assert!(timeout(Duration::from_secs(1), ask(7)).await.is_err());
    let mut client = Client::connect(&simulator).await;
    client.authorization = Some("MAC x".to_owned());
    client.hello("").await.answer();
    advance(Duration::from_secs(6)).await;
    assert_eq!(client.get_task().await.refusal().1, "the token has expired");
}

#[tokio::test(start_paused = true)]
async fn an_observer_gets_each_call_as_one_line() {
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut config = config();
    let seen = std::sync::Arc::clone(&lines);
    config.observer = Some(std::sync::Arc::new(move |record| {
        seen.lock().unwrap().push(record.to_string());
    }));
    let simulator = Simulator::new(config);
    simulator.plan(grant("g"));
    let mut client = Client::greeted(&simulator).await;
    advance(Duration::from_millis(1500)).await;
    client.get_task().await.answer();
    client.succeed(&id("g")).await.answer();
    client.fail(&id("g")).await.refusal();
    let task = id("g");
    let expected = [
        "0.000 s: Token 1: 200 a token".to_owned(),
        "0.000 s: Hello 1: OK".to_owned(),
        format!("1.500 s: GetTask 1 of task {task}: OK"),
        format!("1.500 s: FinishTask 1 of task {task}: OK"),
        format!(
            "1.500 s: FinishTask 2 of task {task}: \
             FailedPrecondition task {task} was finished before with another result"
        ),
    ];
    assert_eq!(*lines.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn all_connections_can_be_broken_at_once() {
    let simulator = Simulator::new(config());
    let mut client = Client::greeted(&simulator).await;
    let mut other = Client::connect(&simulator).await;
    other.authorization.clone_from(&client.authorization);
    other.get_task().await.answer();
    simulator.break_connections();
    client.get_task().await.broken();
    other.hello("").await.broken();
    let mut next = Client::connect(&simulator).await;
    next.authorization = client.authorization;
    next.get_task().await.answer();
}

#[tokio::test(start_paused = true)]
async fn deadlines_are_recorded_and_can_be_required() {
    let mut config = config();
    config.require_deadlines = true;
    let simulator = Simulator::new(config);
    let mut client = Client::with_token(&simulator).await;
    client.hello("").await.answer();
    client.timeout = Some("30S".to_owned());
    client.get_task().await.answer();
    assert_eq!(verdict(&simulator), ["Hello 1: the call has no deadline"]);
    let timeouts = simulator.calls().into_iter().map(|call| call.timeout);
    let expected = [None, None, Some("30S".to_owned())];
    assert_eq!(timeouts.collect::<Vec<_>>(), expected);
}
