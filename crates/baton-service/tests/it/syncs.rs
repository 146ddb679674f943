//! Full syncs of a service, with the simulator.

use std::time::Duration;

use c1_sim::{Action, Call, Fault, PlannedTask};
use tokio::time::Instant;

use baton_proto::Code;

use crate::people::People;
use crate::stage::{Stage, padded};

const SYNC: &str = "\"syncFull\": {}";

fn sync(id: &str) -> PlannedTask {
    PlannedTask::from_json(&format!("{{\"id\": \"{}\", {SYNC}}}", padded(id))).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_sync_is_uploaded_and_nothing_stays_behind() {
    let stage = Stage::new(People::of(10).connector());
    stage.plan("S1", SYNC);
    stage.run(1).await;
    assert_eq!(stage.report("S1"), (0, String::new()));
    let uploads = stage.simulator.uploads();
    assert_eq!(uploads.len(), 1);
    let file = stage.folder.path().join("uploaded.c1z");
    std::fs::write(&file, &uploads[0].bytes).unwrap();
    let file = baton_c1z::C1zFile::open(&file, &baton_c1z::ReadOptions::default()).unwrap();
    assert_eq!(file.format(), baton_c1z::Format::V1);
    assert!(file.latest_finished(None).is_some());
    assert_eq!(left(&stage), ["last-size", "lock"]);
}

/// Files in the folder of the service.
fn left(stage: &Stage) -> Vec<String> {
    let folders = std::fs::read_dir(stage.folder.path()).unwrap();
    let folder = folders
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[tokio::test(start_paused = true)]
async fn a_sync_sends_heartbeats_as_the_service_wants_them() {
    let people = People {
        pace: Duration::from_secs(10),
        ..People::of(10)
    };
    let stage = Stage::new(people.connector());
    stage.simulator.plan(sync("S1"));
    stage.run(1).await;
    assert_eq!(stage.report("S1").0, 0);
    // The first, and one each 30 s.
    assert_eq!(stage.simulator.heartbeats(&padded("S1")).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_sync_is_reported_at_once_and_resumed_by_the_next() {
    let people = People {
        pace: Duration::from_secs(10),
        ..People::of(10)
    };
    let listed = people.listed.clone();
    let stage = Stage::new(people.connector());
    stage.simulator.plan(sync("S1").cancel_at_heartbeat(3));
    stage.simulator.plan(sync("S2").after_finished(1));
    stage.run(2).await;
    assert_eq!(stage.report("S1"), (1, "task was cancelled".to_owned()));
    let cancelled = stage.simulator.heartbeats(&padded("S1"));
    let finished = stage.simulator.result_of(&padded("S1")).unwrap();
    let took = finished.at.saturating_sub(cancelled.last().unwrap().at);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(stage.report("S2").0, 0);
    // No page was listed twice.
    assert_eq!(listed.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_cancelled_before_it_began_is_reported() {
    let stage = Stage::new(People::of(1).connector());
    stage.simulator.plan(sync("S1").cancel_at_heartbeat(1));
    stage.run(1).await;
    assert_eq!(stage.report("S1"), (1, "task was cancelled".to_owned()));
    assert!(stage.simulator.uploads().is_empty());
}

#[tokio::test(start_paused = true)]
async fn first_heartbeats_get_three_attempts() {
    let down = || Action::status(Code::Unavailable, "down");
    for (failing, code) in [(2, 0), (3, 2)] {
        let stage = Stage::new(People::of(1).connector());
        for nth in 1..=failing {
            let fault = Fault::nth(Call::Heartbeat, nth, down());
            stage.simulator.fault(fault).unwrap();
        }
        stage.plan("S1", SYNC);
        let began = Instant::now();
        stage.run(1).await;
        assert_eq!(stage.report("S1").0, code, "{failing}");
        assert!(began.elapsed() < Duration::from_secs(15));
    }
}

#[tokio::test(start_paused = true)]
async fn nine_missed_heartbeats_end_a_sync_and_eight_do_not() {
    for (missed, code, text) in [(8, 0, ""), (9, 1, "task failed heartbeat")] {
        let people = People {
            pace: Duration::from_secs(10),
            ..People::of(40)
        };
        let stage = Stage::new(people.connector());
        for nth in 2..2 + missed {
            let action = Action::status(Code::NotFound, "not there");
            let fault = Fault::nth(Call::Heartbeat, nth, action);
            stage.simulator.fault(fault).unwrap();
        }
        stage.plan("S1", SYNC);
        let mut running = stage.start();
        running.finished(1).await;
        running.end().await.unwrap();
        assert_eq!(stage.report("S1"), (code, text.to_owned()), "{missed}");
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_are_never_answered_are_misses() {
    let people = People {
        pace: Duration::from_secs(10),
        ..People::of(100)
    };
    let stage = Stage::new(people.connector());
    for nth in 2..=10 {
        let fault = Fault::nth(Call::Heartbeat, nth, Action::Hang);
        stage.simulator.fault(fault).unwrap();
    }
    stage.plan("S1", SYNC);
    let mut running = stage.start();
    running.finished(1).await;
    running.end().await.unwrap();
    assert_eq!(stage.report("S1"), (1, "task failed heartbeat".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_upload_gets_three_attempts_and_the_status_of_the_service() {
    let denied = || {
        Action::StatusAfter(
            0,
            baton_grpc::Status::new(Code::PermissionDenied, "no room"),
        )
    };
    for (failing, expected) in [(2, (0, "")), (3, (7, "no room"))] {
        let stage = Stage::new(People::of(1).connector());
        for nth in 1..=failing {
            let fault = Fault::nth(Call::UploadAsset, nth, denied());
            stage.simulator.fault(fault).unwrap();
        }
        stage.plan("S1", SYNC);
        stage.run(1).await;
        let (code, text) = stage.report("S1");
        assert_eq!((code, &*text), expected);
        assert_eq!(stage.simulator.count(Call::UploadAsset), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_is_repeated_after_a_broken_connection() {
    let stage = Stage::new(People::of(1).connector());
    let fault = Fault::nth(Call::UploadAsset, 1, Action::DropAfter(1));
    stage.simulator.fault(fault).unwrap();
    stage.plan("S1", SYNC);
    stage.run(1).await;
    assert_eq!(stage.report("S1").0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_debug_log_is_uploaded_behind_its_file() {
    let stage = Stage::new(People::of(1).connector());
    let task = format!("{{\"id\": \"{}\", \"debug\": true, {SYNC}}}", padded("S1"));
    stage.simulator.plan(PlannedTask::from_json(&task).unwrap());
    stage.simulator.plan(sync("S2").after_finished(1));
    stage.run(2).await;
    let uploads = stage.simulator.uploads();
    let tasks: Vec<_> = uploads.iter().map(|upload| upload.task.clone()).collect();
    assert_eq!(tasks, [padded("S1"), padded("S1"), padded("S2")]);
    assert_eq!(uploads[1].bytes, b"{\"msg\":\"a line\"}\n");
    assert_eq!(left(&stage), ["last-size", "lock"]);
}

#[tokio::test(start_paused = true)]
async fn a_failed_sync_is_reported_and_resumed() {
    let people = People {
        fails_at: Some(6),
        ..People::of(10)
    };
    let listed = people.listed.clone();
    let stage = Stage::new(people.connector());
    stage.simulator.plan(sync("S1"));
    stage.simulator.plan(sync("S2").after_finished(1));
    stage.run(2).await;
    let (code, text) = stage.report("S1");
    assert_eq!(code, 14);
    assert!(text.contains("the application is down"), "{text}");
    assert_eq!(stage.report("S2").0, 0);
    assert_eq!(listed.get(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_panics_or_hangs_fails_its_task_alone() {
    let panics = People {
        panics: true,
        ..People::of(1)
    };
    let stage = Stage::new(panics.connector());
    stage.plan("S1", SYNC);
    stage.run(1).await;
    let (code, text) = stage.report("S1");
    assert_eq!(code, 13, "{text}");

    let hangs = People {
        hangs: true,
        ..People::of(1)
    };
    let stage = Stage::new(hangs.connector());
    stage.plan("S1", SYNC);
    stage
        .simulator
        .plan(sync("S2").after_finished(1).cancel_at_heartbeat(1));
    stage.run(2).await;
    let expected = "the connector gave nothing for 60 min";
    assert_eq!(stage.report("S1"), (4, expected.to_owned()));
    assert_eq!(stage.report("S2").0, 1);
}

#[tokio::test(start_paused = true)]
async fn a_sync_that_waits_gives_its_slot_to_other_tasks() {
    let people = People {
        pace: Duration::from_secs(30),
        ..People::of(20)
    };
    let mut stage = Stage::new(people.connector());
    stage.slots = 2;
    for id in ["S1", "S2", "S3"] {
        stage.plan(id, SYNC);
    }
    stage.plan("A1", "\"actionStatus\": {\"name\": \"x\", \"id\": \"y\"}");
    let mut running = stage.start();
    running.finished(1).await;
    assert_ne!(stage.report("A1").0, 0);
    running.finished(4).await;
    running.end().await.unwrap();
    stage.assert_fine();
    for id in ["S1", "S2", "S3"] {
        assert_eq!(stage.report(id).0, 0, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_leaves_a_sync_that_the_next_start_resumes() {
    let people = People {
        pace: Duration::from_secs(10),
        ..People::of(10)
    };
    let listed = people.listed.clone();
    let stage = Stage::new(people.connector());
    stage.simulator.plan(sync("S1"));
    stage.simulator.plan(sync("S2").after_finished(1));
    let running = stage.start();
    tokio::time::sleep(Duration::from_secs(55)).await;
    let began = Instant::now();
    running.end().await.unwrap();
    // The page that is in flight is kept.
    assert!(began.elapsed() <= Duration::from_secs(10), "{began:?}");
    let expected = "the service is stopping";
    assert_eq!(stage.report("S1"), (1, expected.to_owned()));
    let mut running = stage.start();
    running.finished(2).await;
    running.end().await.unwrap();
    stage.assert_fine();
    assert_eq!(stage.report("S2").0, 0);
    assert!(listed.get() <= 11, "{}", listed.get());
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_vanishes_is_made_again_or_fails_the_task() {
    let stage = Stage::new(People::of(1).connector());
    let mut running = stage.start();
    stage.simulator.wait_calls(Call::GetTask, 2).await;
    std::fs::remove_dir_all(stage.folder.path()).unwrap();
    stage.plan("S1", SYNC);
    running.finished(1).await;
    assert_eq!(stage.report("S1").0, 0);
    std::fs::remove_dir_all(stage.folder.path()).unwrap();
    std::fs::write(stage.folder.path(), "a file").unwrap();
    stage.plan("S2", SYNC);
    running.finished(2).await;
    let (code, text) = stage.report("S2");
    assert_eq!(code, 2);
    assert!(text.starts_with("cannot make the folder"), "{text}");
    std::fs::remove_file(stage.folder.path()).unwrap();
    std::fs::create_dir(stage.folder.path()).unwrap();
    running.end().await.unwrap();
    stage.assert_fine();
}

#[tokio::test(start_paused = true)]
async fn what_a_task_asks_of_a_sync_is_done() {
    let stage = Stage::new(People::of(1).connector());
    stage.plan("S1", "\"syncFull\": {\"storageEngine\": \"pebble\"}");
    stage.plan("S2", "\"syncFull\": {\"storageEngine\": \"rocks\"}");
    stage.plan("S3", "\"syncFull\": {\"syncResourceTypeIds\": [\"nope\"]}");
    stage.plan(
        "S4",
        "\"syncFull\": {\"targetedSyncResources\": [{\"id\": {\"resourceType\": \"user\"}}]}",
    );
    stage.run(4).await;
    assert_eq!(stage.report("S1").0, 0);
    assert!(stage.simulator.uploads()[0].bytes.starts_with(b"C1Z3"));
    let (code, text) = stage.report("S2");
    assert_eq!(code, 2);
    assert_eq!(
        text,
        "require-engine-driver: dotc1z: engine not available: rocks"
    );
    let (_, text) = stage.report("S3");
    assert_eq!(text, "invalid resource type 'nope' in filter");
    assert_eq!(stage.report("S4").0, 3);
}

#[tokio::test(start_paused = true)]
async fn a_skipped_sync_lists_nothing_and_uploads_its_file() {
    let people = People::of(10);
    let listed = people.listed.clone();
    let mut stage = Stage::new(people.connector());
    stage.request.skip_full_sync = true;
    stage.plan("S1", SYNC);
    stage.run(1).await;
    assert_eq!(stage.report("S1").0, 0);
    assert_eq!(stage.simulator.uploads().len(), 1);
    assert_eq!(listed.get(), 0);
}
