//! Tasks: who gets them, and how they end.

use std::time::Duration;

use baton_proto::any;
use baton_proto::c1::connector::v2::{
    GrantManagerServiceGrantResponse, GrantManagerServiceRevokeResponse,
};
use baton_proto::c1::connectorapi::baton::v1::task::{
    GrantTask, HelloTask, NoneTask, SyncFullTask, TaskType,
};
use c1_sim::{Call, PlannedTask, Simulator, TaskKind};
use tokio::time::advance;

use crate::client::{Client, HOST, config, failure, id, success, verdict};

fn grant(name: &str) -> PlannedTask {
    PlannedTask::new(&id(name), TaskType::Grant(GrantTask::default()))
}

fn sync(name: &str) -> PlannedTask {
    PlannedTask::new(&id(name), TaskType::SyncFull(SyncFullTask::default()))
}

/// A simulator with these tasks, and a client that has said Hello.
async fn with(tasks: impl IntoIterator<Item = PlannedTask>) -> (Simulator, Client) {
    let simulator = Simulator::new(config());
    for task in tasks {
        simulator.plan(task);
    }
    let client = Client::greeted(&simulator).await;
    (simulator, client)
}

/// The id of the task that the next poll gives, and `next_poll` in seconds.
async fn next(client: &mut Client) -> (Option<String>, i64) {
    let answer = client.get_task().await.answer();
    (
        answer.task.map(|task| task.id),
        answer.next_poll.unwrap().seconds,
    )
}

#[tokio::test(start_paused = true)]
async fn tasks_come_in_their_order_when_they_are_ready() {
    let late = grant("late").at(Duration::from_secs(10));
    let second = grant("second").after_finished(1);
    let other = grant("other").for_host("another");
    let tasks = [
        late,
        second,
        other,
        grant("first").next_poll(Duration::from_secs(7)),
    ];
    let (simulator, mut client) = with(tasks).await;
    assert_eq!(next(&mut client).await, (Some(id("first")), 7));
    advance(Duration::from_secs(7)).await;
    assert_eq!(next(&mut client).await, (None, 1));
    client.fail(&id("first")).await.answer();
    advance(Duration::from_secs(1)).await;
    assert_eq!(next(&mut client).await, (Some(id("second")), 0));
    assert_eq!(next(&mut client).await, (None, 1));
    advance(Duration::from_secs(10)).await;
    assert_eq!(next(&mut client).await, (Some(id("late")), 0));
    client.succeed(&id("second")).await.answer();
    client.succeed(&id("late")).await.answer();
    simulator.wait_finished(3).await;
    assert_eq!(verdict(&simulator), [""; 0]);
    let finished = simulator.finished();
    assert_eq!((finished[0].code(), finished[0].is_success()), (2, false));
    assert_eq!((finished[1].code(), finished[1].is_success()), (0, true));
    assert_eq!(finished[2].kind, Some(TaskKind::Grant));
    assert_eq!(simulator.handed_out(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_the_tasks_that_the_host_does_not_have() {
    let (simulator, mut client) = with(["a", "b", "c", "d"].map(grant)).await;
    let ids = |answer: Vec<_>| -> Vec<String> {
        let ids = answer.into_iter();
        ids.map(|task: baton_proto::c1::connectorapi::baton::v1::Task| task.id)
            .collect()
    };
    let answer = client.get_tasks(2, &[&id("a")]).await.answer();
    assert_eq!(ids(answer.tasks), [id("b"), id("c")]);
    let answer = client.get_tasks(100, &[&id("b")]).await.answer();
    assert_eq!(ids(answer.tasks), [id("a"), id("d")]);
    let expected = [
        format!(
            "GetTasks 1: task {} is known, but was not handed out",
            id("a")
        ),
        format!("GetTasks 2: task {} is held, but not known", id("c")),
    ];
    let found = simulator
        .verdict()
        .into_iter()
        .map(|complaint| complaint.to_string());
    assert_eq!(found.collect::<Vec<_>>(), expected);
    let refused = client.get_tasks(101, &[]).await.refusal();
    let text = "invalid BatonServiceGetTasksRequest.PageSize: value must be inside range (0, 100]";
    assert_eq!(refused, (3, text.to_owned()));
    let found = simulator.verdict();
    assert_eq!(found.len(), 3);
    assert_eq!(
        found[2].to_string(),
        format!("GetTasks 3: the request breaks a rule: {text}")
    );
    assert_eq!(simulator.verdict_at_end().len(), 7, "four tasks are open");
    // A process that starts again does not know them.
    client.hello("").await.answer();
    client.get_tasks(100, &[]).await.answer();
    assert_eq!(simulator.verdict().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn calls_before_hello_and_of_other_hosts_are_refused_and_noted() {
    let simulator = Simulator::new(config());
    simulator.plan(grant("g"));
    let mut client = Client::with_token(&simulator).await;
    assert_eq!(client.get_task().await.refusal().0, 9);
    client.hello("").await.answer();
    advance(Duration::from_secs(1)).await;
    client.get_task().await.answer();
    client.host = "host-2".to_owned();
    assert_eq!(client.fail(&id("g")).await.refusal().0, 9);
    client.hello("").await.answer();
    assert_eq!(client.fail(&id("g")).await.refusal().0, 7);
    assert_eq!(client.fail(&id("x")).await.refusal().0, 5);
    let expected = [
        "GetTask 1: host `host-1` calls before its Hello".to_owned(),
        "FinishTask 1: host `host-2` calls before its Hello".to_owned(),
        format!(
            "FinishTask 2: host `host-2` does not hold task {}; `host-1` does",
            id("g")
        ),
        format!("FinishTask 3: task {} was not handed out", id("x")),
        format!("task {} (`grant`) was not finished", id("g")),
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn the_same_result_again_is_harmless_and_another_is_wrong() {
    let (simulator, mut client) = with([grant("g")]).await;
    client.get_task().await.answer();
    client.succeed(&id("g")).await.answer();
    client.succeed(&id("g")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
    assert_eq!(simulator.result_of(&id("g")).unwrap().repeats, 1);
    assert_eq!(client.fail(&id("g")).await.refusal().0, 9);
    let text = format!(
        "FinishTask 3: task {} was finished before with another result",
        id("g")
    );
    assert_eq!(verdict(&simulator), [text]);
    assert_eq!(simulator.finished().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn results_that_contradict_the_task_are_noted() {
    let unknown = PlannedTask::unknown_arm(&id("unknown"));
    let (simulator, mut client) = with([grant("a"), grant("b"), grant("c"), unknown]).await;
    for _ in 0..4 {
        client.get_task().await.answer();
    }
    let right = any::pack(&GrantManagerServiceGrantResponse::default());
    client
        .finish(&success(HOST, &id("a"), Some(right)))
        .await
        .answer();
    assert_eq!(simulator.verdict(), []);
    let other = any::pack(&GrantManagerServiceRevokeResponse::default());
    client
        .finish(&success(HOST, &id("b"), Some(other)))
        .await
        .answer();
    client.finish(&failure(HOST, &id("c"), 0)).await.answer();
    client.succeed(&id("unknown")).await.answer();
    let expected = [
        format!(
            "FinishTask 2: task {} has the response \
             `c1.connector.v2.GrantManagerServiceRevokeResponse`; \
             expected `GrantManagerServiceGrantResponse`",
            id("b")
        ),
        format!("FinishTask 3: task {} fails without a code", id("c")),
        format!(
            "FinishTask 4: task {} succeeds, but its kind is `a kind that is not known`",
            id("unknown")
        ),
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn a_hello_task_ends_with_a_hello_and_a_none_task_needs_no_end() {
    let hello = |name: &str| PlannedTask::new(&id(name), TaskType::Hello(HelloTask::default()));
    let none = PlannedTask::new(&id("none"), TaskType::None(NoneTask::default()));
    let (simulator, mut client) = with([hello("h1"), hello("h2"), none, grant("g")]).await;
    for _ in 0..4 {
        client.get_task().await.answer();
    }
    client.hello(&id("h1")).await.answer();
    client.fail(&id("g")).await.answer();
    let open = format!("no Hello for the hello task {}", id("h2"));
    assert_eq!(verdict(&simulator), [open]);
    client.fail(&id("h2")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0], "a Hello that failed");
    client.hello(&id("g")).await.answer();
    let text = format!("Hello 3: task {} is not a hello task", id("g"));
    assert_eq!(verdict(&simulator), [text]);
    assert_eq!(simulator.hellos().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_task_of_another_host_is_refused_without_blame() {
    let (simulator, mut client) = with([grant("g").foreign()]).await;
    client.get_task().await.answer();
    let refused = client.succeed(&id("g")).await.refusal();
    assert_eq!(
        refused,
        (7, format!("task {} belongs to another host", id("g")))
    );
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_task_can_be_handed_out_twice() {
    let (simulator, mut client) = with([grant("g").times(2), grant("h")]).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.extend(next(&mut client).await.0);
    }
    assert_eq!(ids, [id("g"), id("h"), id("g")]);
    client.succeed(&id("g")).await.answer();
    client.succeed(&id("h")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn polls_keep_the_time_of_the_last_answer_up_to_five_minutes() {
    let (simulator, mut client) = with([]).await;
    let seconds = |seconds| prost_types::Duration { seconds, nanos: 0 };
    for (nth, wait) in [(1, 2), (2, 86_400), (3, 0), (4, -5)] {
        simulator.plan_poll(nth, seconds(wait));
    }
    for (expected, wait) in [(2, 2), (86_400, 300), (0, 0), (-5, 0), (1, 0)] {
        assert_eq!(next(&mut client).await, (None, expected));
        advance(Duration::from_secs(wait)).await;
    }
    assert_eq!(verdict(&simulator), [""; 0]);
    next(&mut client).await;
    let text = "GetTask 6: the poll comes 1000 ms before `next_poll`";
    assert_eq!(verdict(&simulator), [text]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_starts_again_gets_its_tasks_again_if_so_configured() {
    let mut config = config();
    config.requeue_on_hello = true;
    let simulator = Simulator::new(config);
    simulator.plan(sync("s"));
    simulator.plan(grant("g"));
    let mut client = Client::greeted(&simulator).await;
    client.get_task().await.answer();
    client.get_task().await.answer();
    client.succeed(&id("g")).await.answer();
    let mut client = Client::greeted(&simulator).await;
    assert_eq!(next(&mut client).await.0, Some(id("s")));
    client.fail(&id("s")).await.answer();
    assert_eq!(next(&mut client).await.0, None);
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_hello_without_its_required_texts_is_noted() {
    let simulator = Simulator::new(config());
    let mut client = Client::with_token(&simulator).await;
    let mut request = crate::client::hello(HOST, "");
    request.os_info.as_mut().unwrap().platform_family.clear();
    request.build_info = None;
    let method = baton_grpc::methods::connectorapi_v1::baton_service::HELLO;
    client.call(method, &request).await.answer();
    let expected = [
        "Hello 1: `build_info.lang_version` is empty",
        "Hello 1: `build_info.package` is empty",
        "Hello 1: `build_info.package_version` is empty",
        "Hello 1: `os_info.platform_family` is empty",
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn texts_that_no_request_may_contain_are_found() {
    let (simulator, mut client) = with([grant("g"), sync("s")]).await;
    simulator.forbid("the new password", b"hunter2");
    client.get_task().await.answer();
    client.get_task().await.answer();
    let mut request = failure(HOST, &id("g"), 2);
    request.status.as_mut().unwrap().message = "cannot set hunter2".to_owned();
    client.finish(&request).await.answer();
    let key = crate::client::key().client_secret();
    let payload = key.rsplit(':').next().unwrap().to_owned();
    let token = client.authorization.clone().unwrap();
    client.heartbeat(&id("s")).await.answer();
    client
        .upload_file(&id("s"), token.as_bytes())
        .await
        .answer();
    let decoded =
        base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, payload);
    client
        .upload_file(&id("s"), &decoded.unwrap())
        .await
        .answer();
    let found: Vec<String> = simulator
        .verdict()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        found[0],
        "FinishTask 1: the request contains the new password"
    );
    assert_eq!(
        found[1],
        "UploadAsset 1: the request contains an access token"
    );
    assert_eq!(
        found[2],
        "UploadAsset 2: the request contains the private key"
    );
    assert_eq!(simulator.count(Call::UploadAsset), 2);
}

#[tokio::test(start_paused = true)]
async fn thousands_of_tasks_are_handed_out_in_batches() {
    const MANY: usize = 2_000;
    let (simulator, mut client) = with([]).await;
    for number in 0..MANY {
        let later = Duration::from_hours(1);
        simulator.plan(grant(&format!("later{number}x")).at(later));
        simulator.plan(grant(&format!("now{number}x")));
    }
    for _ in 0..MANY / 100 {
        let answer = client.get_tasks(100, &[]).await.answer();
        assert_eq!(answer.tasks.len(), 100);
        for task in answer.tasks {
            assert!(task.id.starts_with("now"));
            client.succeed(&task.id).await.answer();
        }
    }
    assert_eq!(client.get_tasks(100, &[]).await.answer().tasks, []);
    assert_eq!(simulator.finished().len(), MANY);
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn without_records_only_numbers_remain() {
    let mut config = config();
    config.keep_records = false;
    let simulator = Simulator::new(config);
    simulator.plan(grant("first"));
    simulator.plan(PlannedTask::new(
        &id("hello"),
        TaskType::Hello(HelloTask::default()),
    ));
    simulator.plan(grant("second").after_finished(1));
    let mut client = Client::greeted(&simulator).await;
    assert_eq!(next(&mut client).await.0, Some(id("first")));
    client.fail(&id("first")).await.answer();
    assert_eq!(next(&mut client).await.0, Some(id("hello")));
    client.hello(&id("hello")).await.answer();
    assert_eq!(next(&mut client).await.0, Some(id("second")));
    assert_eq!(
        verdict(&simulator),
        [format!("task {} (`grant`) was not finished", id("second"))]
    );
    client.succeed(&id("second")).await.answer();
    simulator.wait_finished(2).await;
    assert_eq!(verdict(&simulator), [""; 0]);
    assert_eq!((simulator.handed_out(), simulator.finished_count()), (3, 2));
    assert!(simulator.finished().is_empty());
    assert!(simulator.calls().is_empty() && simulator.hellos().is_empty());
    // A client can know a task for a moment longer.
    advance(Duration::from_secs(1)).await;
    client.get_tasks(2, &[&id("second")]).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
    client.fail(&id("first")).await;
    assert_eq!(
        verdict(&simulator),
        [format!(
            "FinishTask 3: task {} was not handed out",
            id("first")
        )]
    );
}
