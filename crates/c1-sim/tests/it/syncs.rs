//! Full syncs: heartbeats, cancellation, uploads.

use std::time::Duration;

use baton_grpc::Status;
use baton_proto::Code;
use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::c1::connectorapi::baton::v1::baton_service_upload_asset_request::Msg;
use baton_proto::c1::connectorapi::baton::v1::task::{GrantTask, SyncFullTask, TaskType};
use c1_sim::{Action, Call, Fault, PlannedTask, Simulator};
use tokio::time::advance;

use crate::client::{Client, HOST, Refusal, config, data, end, id, metadata, verdict};

const CHUNK: usize = 512 * 1024;

fn sync(name: &str) -> PlannedTask {
    PlannedTask::new(&id(name), TaskType::SyncFull(SyncFullTask::default()))
}

/// A client that holds one task.
async fn holding(task: PlannedTask) -> (Simulator, Client) {
    let simulator = Simulator::new(config());
    simulator.plan(task);
    let mut client = Client::greeted(&simulator).await;
    client.get_task().await.answer();
    (simulator, client)
}

/// A client that holds one sync and has sent its first heartbeat.
async fn beating(task: PlannedTask) -> (Simulator, Client) {
    let (simulator, mut client) = holding(task).await;
    client.heartbeat(&id("s")).await.answer();
    (simulator, client)
}

fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

#[tokio::test(start_paused = true)]
async fn a_sync_with_heartbeats_and_a_file_is_right() {
    let (simulator, mut client) = holding(sync("s").next_heartbeat(2, seconds(10))).await;
    assert_eq!(
        client.heartbeat(&id("s")).await.answer().next_heartbeat,
        None
    );
    advance(Duration::from_secs(30)).await;
    let answer = client.heartbeat(&id("s")).await.answer();
    assert_eq!(answer.next_heartbeat, Some(seconds(10)));
    advance(Duration::from_secs(10)).await;
    client.heartbeat(&id("s")).await.answer();
    let file = vec![3; CHUNK + 1];
    client.upload_file(&id("s"), &file).await.answer();
    client.succeed(&id("s")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
    let uploads = simulator.uploads();
    assert_eq!(uploads[0].chunks, [CHUNK, 1]);
    assert!(uploads[0].bytes == file && !uploads[0].again);
    let beats = simulator.heartbeats(&id("s"));
    assert_eq!(
        beats
            .iter()
            .map(|beat| beat.at.as_secs())
            .collect::<Vec<_>>(),
        [0, 30, 40]
    );
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_come_late_or_not_are_noted() {
    let (simulator, mut client) = holding(sync("s").next_heartbeat(1, seconds(10))).await;
    advance(Duration::from_secs(61)).await;
    client.heartbeat(&id("s")).await.answer();
    assert_eq!(verdict(&simulator).len(), 1, "it is open, but not late");
    advance(Duration::from_secs(22)).await;
    let late = |seconds| {
        let id = id("s");
        format!("no heartbeat of task {id} for {seconds}.0 s; the interval is 10.0 s")
    };
    assert_eq!(verdict(&simulator)[0], late(22));
    client.heartbeat(&id("s")).await.answer();
    advance(Duration::from_secs(62)).await;
    client.fail(&id("s")).await.answer();
    let expected = [
        format!("Heartbeat 2: {}", late(22)),
        format!("FinishTask 1: {}", late(62).replace("10.0", "30.0")),
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_never_answered_was_sent() {
    let (simulator, mut client) = holding(sync("s")).await;
    client.heartbeat(&id("s")).await.answer();
    simulator
        .fault(Fault::nth(Call::Heartbeat, 2, Action::Hang))
        .unwrap();
    advance(Duration::from_secs(30)).await;
    let task = id("s");
    let answer = tokio::time::timeout(Duration::from_secs(20), client.heartbeat(&task));
    assert!(answer.await.is_err());
    advance(Duration::from_secs(30)).await;
    client.heartbeat(&id("s")).await.answer();
    client.fail(&id("s")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_for_tasks_that_have_none_are_noted() {
    let grant = PlannedTask::new(&id("g"), TaskType::Grant(GrantTask::default()));
    let (simulator, mut client) = holding(grant).await;
    client.heartbeat(&id("g")).await.answer();
    assert_eq!(client.heartbeat(&id("x")).await.refusal().0, 5);
    client.succeed(&id("g")).await.answer();
    assert_eq!(
        client.heartbeat(&id("g")).await.refusal().0,
        5,
        "just finished"
    );
    advance(Duration::from_secs(2)).await;
    assert_eq!(client.heartbeat(&id("g")).await.refusal().0, 5);
    let expected = [
        format!(
            "Heartbeat 1: task {} is not a full sync and has no heartbeats",
            id("g")
        ),
        format!("Heartbeat 2: task {} was not handed out", id("x")),
        format!("Heartbeat 4: task {} was finished before", id("g")),
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_before_its_start_is_not_carried_out() {
    let (simulator, mut client) = holding(sync("s").cancel_at_heartbeat(1)).await;
    assert!(client.heartbeat(&id("s")).await.answer().cancelled);
    client.upload_file(&id("s"), b"file").await.answer();
    client.succeed(&id("s")).await.answer();
    let expected = [
        format!(
            "UploadAsset 1: task {} was cancelled before its start",
            id("s")
        ),
        format!(
            "FinishTask 1: the full sync {} succeeds without an upload",
            id("s")
        ),
        format!(
            "FinishTask 1: task {} was cancelled before its start and succeeds",
            id("s")
        ),
    ];
    assert_eq!(verdict(&simulator), expected);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_finished_without_more_heartbeats() {
    let (simulator, mut client) = holding(sync("s").cancel_at_heartbeat(2)).await;
    assert!(!client.heartbeat(&id("s")).await.answer().cancelled);
    advance(Duration::from_secs(30)).await;
    assert!(client.heartbeat(&id("s")).await.answer().cancelled);
    client.fail(&id("s")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);

    let (simulator, mut client) = holding(sync("s").cancel_at_heartbeat(1)).await;
    client.heartbeat(&id("s")).await.answer();
    advance(Duration::from_secs(30)).await;
    assert!(client.heartbeat(&id("s")).await.answer().cancelled);
    let text = format!("Heartbeat 2: task {} was cancelled before", id("s"));
    assert_eq!(verdict(&simulator)[0], text);
}

#[tokio::test(start_paused = true)]
async fn a_success_needs_its_upload_first() {
    let (simulator, mut client) = beating(sync("s")).await;
    client.succeed(&id("s")).await.answer();
    client.upload_file(&id("s"), b"file").await.answer();
    let expected = [
        format!(
            "FinishTask 1: the full sync {} succeeds without an upload",
            id("s")
        ),
        format!("UploadAsset 1: task {} was finished before", id("s")),
    ];
    assert_eq!(verdict(&simulator), expected);
    assert_eq!(simulator.uploads(), []);
}

#[tokio::test(start_paused = true)]
async fn the_same_file_again_is_harmless_and_a_log_needs_debug() {
    for (debug, files) in [(true, 2), (false, 1)] {
        let mut task = Task {
            id: id("s"),
            debug,
            ..Task::default()
        };
        task.task_type = Some(TaskType::SyncFull(SyncFullTask::default()));
        let (simulator, mut client) = beating(PlannedTask::of(task)).await;
        client.upload_file(&id("s"), b"file").await.answer();
        client.upload_file(&id("s"), b"file").await.answer();
        assert!(simulator.uploads()[1].again);
        assert_eq!(simulator.verdict(), []);
        client.upload_file(&id("s"), b"log").await.answer();
        assert_eq!(simulator.verdict().is_empty(), debug);
        client.upload_file(&id("s"), b"third").await.answer();
        let text = format!("task {} has 3 different files; expected {files}", id("s"));
        let last = simulator.verdict().last().unwrap().text.clone();
        assert_eq!(last, text);
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_file_has_no_chunk() {
    let (simulator, mut client) = beating(sync("s")).await;
    client.upload_file(&id("s"), b"").await.answer();
    client.succeed(&id("s")).await.answer();
    assert_eq!(verdict(&simulator), [""; 0]);
    assert_eq!(simulator.uploads()[0].chunks, [0; 0]);
}

/// The refusal of an upload, and what is noted.
async fn wrong(messages: &[Msg]) -> (Option<Refusal>, Vec<String>) {
    let (simulator, mut client) = beating(sync("s")).await;
    let refusal = match client.upload(messages).await {
        crate::client::Outcome::Answer(_) => None,
        other => Some(other.refusal()),
    };
    let noted = simulator.verdict();
    (
        refusal,
        noted.into_iter().map(|complaint| complaint.text).collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn uploads_out_of_order_are_refused_and_noted() {
    let (head, file) = (metadata(HOST, &id("s")), b"file");
    let cases: [(&[Msg], i32, &str); 6] = [
        (
            &[data(file), end(file)],
            3,
            "the metadata are not the first message",
        ),
        (&[head.clone(), head.clone()], 3, "the metadata come twice"),
        (
            &[head.clone(), data(file), end(file), data(file)],
            3,
            "a message comes after the end of the file",
        ),
        (
            &[head.clone(), data(file)],
            3,
            "the stream ends before the end of the file",
        ),
        (&[], 3, "the stream ends before the end of the file"),
        (
            &[head.clone(), data(file), end(b"")],
            15,
            "the checksum is not that of the file",
        ),
    ];
    for (messages, code, text) in cases {
        let (refusal, noted) = wrong(messages).await;
        assert_eq!(refusal.unwrap().0, code, "{text}");
        assert_eq!(noted, [text]);
    }
    let (refusal, noted) = wrong(&[metadata("other", &id("s"))]).await;
    assert_eq!(refusal.unwrap().0, 9);
    assert_eq!(noted, ["host `other` calls before its Hello"]);
}

#[tokio::test(start_paused = true)]
async fn chunks_of_other_sizes_are_noted() {
    let head = metadata(HOST, &id("s"));
    let file = vec![1; CHUNK + 10];
    let (refusal, noted) = wrong(&[
        head.clone(),
        data(&file[..10]),
        data(&file[10..]),
        end(&file),
    ])
    .await;
    assert_eq!(refusal, None);
    assert_eq!(
        noted,
        ["a chunk before the last has 10 bytes; expected 524288"]
    );
    let (_, noted) = wrong(&[head, data(&file), end(&file)]).await;
    assert_eq!(
        noted,
        ["a chunk before the last has 524298 bytes; expected 524288"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_file_needs_a_heartbeat_before_it_and_is_sent_three_times_at_most() {
    let (simulator, mut client) = holding(sync("s")).await;
    client.upload_file(&id("s"), b"file").await.answer();
    let task = id("s");
    let text = format!("UploadAsset 1: the full sync {task} has a file before its first heartbeat");
    assert_eq!(simulator.verdict()[0].to_string(), text);
    assert_eq!(simulator.uploads().len(), 1);

    let (simulator, mut client) = beating(sync("s")).await;
    let cut = [metadata(HOST, &task), data(b"file")];
    let status = Status::new(Code::Unavailable, "later");
    let action = Action::StatusAfter(1, status);
    simulator
        .fault(Fault::all(Call::UploadAsset, action))
        .unwrap();
    for _ in 0..3 {
        client.upload(&cut).await.refusal();
    }
    assert_eq!(simulator.verdict(), []);
    client.upload(&cut).await.refusal();
    let text = format!("UploadAsset 4: upload 4 of task {task}; expected 3");
    assert_eq!(simulator.verdict()[0].to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_task_is_finished_soon() {
    let (simulator, mut client) = beating(sync("s").cancel_at_heartbeat(1)).await;
    advance(Duration::from_secs(31)).await;
    client.fail(&id("s")).await.answer();
    let text = format!(
        "FinishTask 1: task {} is finished 31 s after it was cancelled",
        id("s")
    );
    assert_eq!(verdict(&simulator), [text]);
}
