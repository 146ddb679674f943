//! The loop over tasks, with the simulator: Hello, polling, reports, the end.

use std::time::Duration;

use baton_proto::Code;
use baton_proto::c1::connector::v2;
use baton_proto::c1::connectorapi::baton::v1::BatonServiceHelloRequest as Hello;
use baton_proto::c1::connectorapi::baton::v1::baton_service_finish_task_request::FinalState;
use c1_sim::{Action, Call, Fault, PlannedTask};
use prost::Message as _;
use tokio::time::Instant;

use crate::arms;
use crate::people::People;
use crate::rich::Rich;
use crate::stage::{Stage, padded};

fn stage() -> Stage {
    Stage::new(Rich::with_schemas(2))
}

/// A task that ends at once, with a failure.
const QUICK: &str = "\"actionStatus\": {\"name\": \"x\", \"id\": \"y\"}";

fn quick(id: &str) -> PlannedTask {
    let text = format!("{{\"id\": \"{}\", {QUICK}}}", padded(id));
    PlannedTask::from_json(&text).unwrap()
}

/// A grant, for which the connector does this.
fn grant(id: &str, what: &str) -> PlannedTask {
    let text = format!(
        "{{\"id\": \"{}\", \"grant\": {{\
         \"entitlement\": {{\"id\": \"group:{what}:member\", \"slug\": \"member\", \
         \"resource\": {{\"id\": {{\"resourceType\": \"group\", \"resource\": \"{what}\"}}}}}}, \
         \"principal\": {{\"id\": {{\"resourceType\": \"user\", \"resource\": \"u1\"}}}}}}}}",
        padded(id)
    );
    PlannedTask::from_json(&text).unwrap()
}

fn status(code: Code) -> Action {
    Action::status(code, "as planned")
}

#[tokio::test(start_paused = true)]
async fn hello_is_repeated_with_growing_waits_and_refusals_end_the_service() {
    let refusals = [
        Code::InvalidArgument,
        Code::NotFound,
        Code::PermissionDenied,
        Code::FailedPrecondition,
        Code::Unimplemented,
    ];
    for code in refusals {
        let stage = stage();
        stage
            .simulator
            .fault(Fault::all(Call::Hello, status(code)))
            .unwrap();
        let error = stage.start().ended().await.unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(stage.simulator.count(Call::Hello), 1);
    }
    // A token that is refused is replaced once.
    let stage = stage();
    let fault = Fault::all(Call::Hello, status(Code::Unauthenticated));
    stage.simulator.fault(fault).unwrap();
    let error = stage.start().ended().await.unwrap_err();
    assert_eq!(error.code(), Code::Unauthenticated);
    assert_eq!(stage.simulator.count(Call::Hello), 2);
}

#[tokio::test(start_paused = true)]
async fn hello_survives_what_passes() {
    let passing = [
        status(Code::Unavailable),
        status(Code::Unknown),
        status(Code::Internal),
        status(Code::Canceled),
        status(Code::DeadlineExceeded),
        Action::Drop,
        Action::Hang,
        Action::LoseAnswer,
        Action::Garbage(vec![0xff; 40]),
        Action::Html,
        Action::Http {
            status: 503,
            retry_after: None,
        },
        Action::ResetStream(2),
        Action::GoAway,
    ];
    for action in passing {
        let name = action.name();
        let stage = stage();
        stage
            .simulator
            .fault(Fault::nth(Call::Hello, 1, action))
            .unwrap();
        stage.simulator.plan(quick("A1"));
        let mut running = stage.start();
        running.finished(1).await;
        running.end().await.unwrap();
        assert_ne!(stage.report("A1").0, 0, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_retries_of_hello() {
    let stage = stage();
    let fault = Fault::all(Call::Hello, status(Code::Unavailable));
    stage.simulator.fault(fault).unwrap();
    let running = stage.start();
    tokio::time::sleep(Duration::from_mins(20)).await;
    // 1, 2, 4 s and so on, at most 5 min.
    let hellos = stage.simulator.count(Call::Hello);
    assert!((10..=13).contains(&hellos), "{hellos}");
    running.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn polling_survives_what_passes_and_backs_off() {
    let actions = [
        status(Code::Unavailable),
        status(Code::Unauthenticated),
        status(Code::PermissionDenied),
        status(Code::InvalidArgument),
        Action::ExpireToken,
        Action::Drop,
        Action::Hang,
        Action::Garbage(vec![0xff; 40]),
        Action::Html,
        Action::Huge(100 << 20),
        Action::WrongService,
        Action::GoAway,
        Action::ResetStream(7),
    ];
    for action in actions {
        let name = action.name();
        let stage = stage();
        let fault = Fault::nth(Call::GetTask, 1, action);
        stage.simulator.fault(fault).unwrap();
        stage.simulator.plan(quick("A1"));
        let mut running = stage.start();
        running.finished(1).await;
        running.end().await.unwrap();
        assert_ne!(stage.report("A1").0, 0, "{name}");
    }
    // 1, 4, 9, 16, 25, 36, 49, 60, 60 … s.
    let stage = stage();
    let fault = Fault::all(Call::GetTask, status(Code::Unavailable));
    stage.simulator.fault(fault).unwrap();
    let running = stage.start();
    tokio::time::sleep(Duration::from_secs(141)).await;
    assert_eq!(stage.simulator.count(Call::GetTask), 8);
    running.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_for_no_wait_is_not_asked_without_end() {
    let stage = stage();
    for nth in 1..1000 {
        let zero = prost_types::Duration::default();
        stage.simulator.plan_poll(nth, zero);
    }
    let running = stage.start();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(stage.simulator.count(Call::GetTask) <= 110);
    running.end().await.unwrap();
    stage.assert_fine();
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_cut_to_five_minutes() {
    let stage = stage();
    let day = prost_types::Duration {
        seconds: 86_400,
        nanos: 0,
    };
    stage.simulator.plan_poll(1, day);
    let running = stage.start();
    tokio::time::sleep(Duration::from_secs(301)).await;
    assert_eq!(stage.simulator.count(Call::GetTask), 2);
    running.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_lost_report_is_sent_again_and_nothing_is_carried_out_twice() {
    let actions = [
        Action::LoseAnswer,
        Action::HangAnswer,
        Action::Drop,
        Action::Hang,
        status(Code::Unavailable),
        status(Code::DeadlineExceeded),
        Action::ExpireToken,
    ];
    for action in actions {
        let name = action.name();
        let stage = stage();
        let fault = Fault::nth(Call::FinishTask, 1, action);
        stage.simulator.fault(fault).unwrap();
        stage.simulator.plan(grant("G1", "ok"));
        stage.run(1).await;
        assert_eq!(stage.report("G1"), (0, String::new()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_never_arrives_is_sent_when_its_task_comes_again() {
    let stage = stage();
    for nth in 1..=5 {
        let fault = Fault::nth(Call::FinishTask, nth, status(Code::Unavailable));
        stage.simulator.fault(fault).unwrap();
    }
    let minute = Duration::from_mins(1);
    stage
        .simulator
        .plan(grant("G1", "ok").times(2).next_poll(minute));
    let mut running = stage.start();
    running.finished(1).await;
    running.end().await.unwrap();
    assert_eq!(stage.report("G1").0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_report_does_not_end_the_loop() {
    let stage = stage();
    let fault = Fault::nth(Call::FinishTask, 1, status(Code::PermissionDenied));
    stage.simulator.fault(fault).unwrap();
    stage.simulator.plan(quick("A1"));
    stage.simulator.plan(quick("A2"));
    let mut running = stage.start();
    running.finished(1).await;
    running.end().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn odd_tasks_are_dropped_or_refused() {
    for batch in [false, true] {
        let mut stage = stage();
        stage.batch = batch;
        stage
            .simulator
            .plan(PlannedTask::unknown_arm(&padded("U1")));
        stage.simulator.plan(quick("A1").times(2));
        let text = format!("{{\"id\": \"{}\"}}", padded("E1"));
        stage.simulator.plan(PlannedTask::from_json(&text).unwrap());
        let short = "{\"id\": \"short\", \"hello\": {}}";
        stage.simulator.plan(PlannedTask::from_json(short).unwrap());
        stage.simulator.plan(quick("A2"));
        let mut running = stage.start();
        running.finished(4).await;
        running.end().await.unwrap();
        for id in ["U1", "E1"] {
            let expected = (2, "unsupported task type".to_owned());
            assert_eq!(stage.report(id), expected, "{id} {batch}");
        }
        assert!(stage.simulator.result_of("short").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_hello_task_is_answered_by_hello() {
    let stage = stage();
    stage.plan("H1", "\"hello\": {}");
    stage.simulator.plan(quick("A1"));
    stage.run(1).await;
    let hellos = stage.simulator.hellos();
    let ids: Vec<_> = hellos
        .iter()
        .map(|hello| hello.request.task_id.clone())
        .collect();
    assert_eq!(ids, [String::new(), padded("H1")]);
    assert!(stage.simulator.result_of(&padded("H1")).is_none());

    let stage = crate::loops::stage();
    let fault = Fault::nth(Call::Hello, 2, status(Code::Internal));
    stage.simulator.fault(fault).unwrap();
    stage.plan("H1", "\"hello\": {}");
    let mut running = stage.start();
    running.finished(1).await;
    running.end().await.unwrap();
    assert_eq!(stage.report("H1"), (13, "as planned".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn many_tasks_at_once_are_each_finished_once() {
    for batch in [false, true] {
        let mut stage = stage();
        stage.batch = batch;
        stage.slots = 10;
        for n in 0..300 {
            stage.simulator.plan(quick(&format!("A{n}x")));
        }
        stage.run(300).await;
        assert_eq!(stage.simulator.count(Call::FinishTask), 300);
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_wait_for_a_slot() {
    let mut stage = stage();
    stage.slots = 1;
    // The double takes its time over this principal.
    stage.simulator.plan(grant("G1", "slow"));
    stage.simulator.plan(quick("A1"));
    let mut running = stage.start();
    running.finished(2).await;
    running.end().await.unwrap();
    let first = stage.simulator.result_of(&padded("G1")).unwrap();
    let second = stage.simulator.result_of(&padded("A1")).unwrap();
    assert!(first.at <= second.at);
}

#[tokio::test(start_paused = true)]
async fn a_stop_gives_writes_25_seconds() {
    let abandoned = "the service stopped before the task ended; whether a change was made is not \
                     known";
    for (what, code, text) in [
        ("brief", 0, ""),
        ("never", 1, "the service is stopping"),
        ("slow", 1, abandoned),
    ] {
        let stage = stage();
        stage.simulator.plan(grant("G1", what));
        let running = stage.start();
        stage.simulator.wait_calls(Call::GetTask, 1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let began = Instant::now();
        running.end().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(29), "{what}");
        stage.assert_fine();
        let (reported, message) = stage.report("G1");
        assert_eq!(reported, code, "{what}");
        assert!(message.contains(text), "{what}: {message}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_service_stops_at_once() {
    let stage = Stage::new(People::of(1).connector());
    let running = stage.start();
    stage.simulator.wait_calls(Call::GetTask, 2).await;
    let began = Instant::now();
    assert!(running.service.is_ready());
    let service = running.service.clone();
    running.end().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(!service.is_ready());
    stage.assert_fine();
}

#[tokio::test(start_paused = true)]
async fn a_stop_within_a_poll_reports_the_task_that_comes() {
    let stage = stage();
    let delay = Action::Delay(Duration::from_secs(1));
    let fault = Fault::nth(Call::GetTask, 1, delay);
    stage.simulator.fault(fault).unwrap();
    stage.simulator.plan(grant("G1", "ok"));
    let running = stage.start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    running.end().await.unwrap();
    assert_eq!(
        stage.report("G1"),
        (1, "the service is stopping".to_owned())
    );
    stage.assert_fine();
}

#[tokio::test(start_paused = true)]
async fn no_task_is_carried_out_twice_because_an_answer_was_lost() {
    let mut stage = stage();
    // One after the other, so that the first request of each report is known.
    stage.slots = 1;
    let mut count = 0;
    for (number, (arm, content)) in arms::arms().into_iter().enumerate() {
        let number = number as u64;
        let mut task = arms::task(&arm, &arms::with(&content, "fine"));
        task.id = padded(&format!("L{number}x"));
        stage.simulator.plan(PlannedTask::of(task));
        let fault = Fault::nth(Call::FinishTask, 2 * number + 1, Action::LoseAnswer);
        stage.simulator.fault(fault).unwrap();
        count += 1;
    }
    stage.run(count).await;
    let finished = stage.simulator.finished();
    assert_eq!(finished.len(), count);
    assert!(finished.iter().all(|finished| finished.repeats == 1));
    let failed: Vec<_> = finished.iter().filter(|task| !task.is_success()).collect();
    // The state of an action that was never begun.
    assert_eq!(failed.len(), 1, "{failed:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_connector_that_never_answers_fails_the_task_alone() {
    let stage = stage();
    let wait = Duration::from_mins(5);
    stage.simulator.plan(grant("G1", "forever").next_poll(wait));
    stage.simulator.plan(quick("A1").next_poll(wait));
    let mut running = stage.start();
    running.finished(1).await;
    assert_ne!(stage.report("A1").0, 0);
    running.finished(2).await;
    running.end().await.unwrap();
    let (code, text) = stage.report("G1");
    assert_eq!(code, 4, "{text}");
    assert!(text.ends_with("task failed and is non-retryable"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn hello_has_the_fields_of_the_go_program() {
    let stage = stage();
    stage.simulator.plan(quick("A1"));
    stage.run(1).await;
    let ours = stage.simulator.hellos().remove(0).request;
    let recorded = include_bytes!("../fixtures/hello.bin");
    let go = Hello::decode(&recorded[..]).unwrap();
    assert_eq!(fields(&ours), fields(&go));
    let (ours, go) = (ours.build_info.unwrap(), go.build_info.unwrap());
    assert!(ours.package_version.is_empty() == go.package_version.is_empty());
}

/// The numbers of the fields of a Hello, and of the messages about build and system.
fn fields(hello: &Hello) -> Vec<Vec<u32>> {
    let build = hello.build_info.as_ref().unwrap().encode_to_vec();
    let os = hello.os_info.as_ref().unwrap().encode_to_vec();
    let bytes = [hello.encode_to_vec(), build, os];
    let numbers = bytes.iter().map(|bytes| {
        let fields = baton_proto::wire::fields(bytes);
        let mut numbers: Vec<u32> = fields.map(|field| field.unwrap().number).collect();
        numbers.dedup();
        numbers
    });
    numbers.collect()
}

#[tokio::test(start_paused = true)]
async fn an_action_is_known_after_its_connector_was_replaced() {
    let stage = stage();
    let (_, begin) = arms::arms()
        .into_iter()
        .find(|(arm, _)| arm == "actionInvoke")
        .unwrap();
    let mut task = arms::task("actionInvoke", &arms::with(&begin, "fine"));
    task.id = padded("I1");
    stage.simulator.plan(PlannedTask::of(task));
    let mut running = stage.start();
    running.finished(1).await;
    let begun = stage.simulator.result_of(&padded("I1")).unwrap();
    let Some(FinalState::Success(success)) = begun.request.final_state else {
        panic!("{begun:?}");
    };
    let response = success.response.unwrap();
    let response = v2::InvokeActionResponse::decode(&response.value[..]).unwrap();
    for replaced in 1..=5_u8 {
        stage.replace_connector(&running);
        let id = format!("T{replaced}x");
        let status = format!("\"actionStatus\": {{\"id\": \"{}\"}}", response.id);
        stage.plan(&id, &status);
        running.finished(usize::from(replaced) + 1).await;
        // Three earlier connectors are kept.
        let expected = if replaced <= 3 { 0 } else { 5 };
        assert_eq!(stage.report(&id).0, expected, "{replaced}");
    }
    running.end().await.unwrap();
    stage.assert_fine();
}
