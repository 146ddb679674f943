//! What the observers of a service are notified of, compared with what the simulator saw.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use baton_proto::Code;
use baton_service::{ServiceEvent, ServiceObserver, UploadKind};
use baton_sync::Completeness;
use c1_sim::{Action, Call, Fault, PlannedTask};

use crate::people::People;
use crate::rich::Rich;
use crate::stage::{Stage, padded};

const SYNC: &str = "\"syncFull\": {}";

/// Keeps each event as a line, and the bytes of uploads.
#[derive(Default)]
struct Keeping {
    lines: Mutex<Vec<String>>,
    bytes: Mutex<u64>,
}

impl ServiceObserver for Keeping {
    fn event(&self, event: &ServiceEvent<'_>) {
        let line = match event {
            ServiceEvent::Accepted => "accepted".to_owned(),
            ServiceEvent::TaskBegan { kind } => format!("began {kind}"),
            ServiceEvent::TaskEnded { kind, failure, .. } => match failure {
                None => format!("done {kind}"),
                Some(failure) => format!(
                    "failed {kind} {}{}{}",
                    failure.code.name(),
                    if failure.rate_limited {
                        " rate-limited"
                    } else {
                        ""
                    },
                    if failure.non_retryable {
                        " for-good"
                    } else {
                        ""
                    }
                ),
            },
            ServiceEvent::ReportLost { kind, code } => format!("lost {kind} {}", code.name()),
            ServiceEvent::SyncEnded { took, result } => match result {
                Ok(report) => format!(
                    "sync {:?} {} in {} s",
                    report.completeness,
                    report.stats.resources,
                    took.as_secs()
                ),
                Err(code) => format!("sync failed {}", code.name()),
            },
            ServiceEvent::Uploading { kind, bytes } => {
                assert!(matches!(kind, UploadKind::SyncFile | UploadKind::DebugLog));
                *self.bytes.lock().unwrap() += bytes;
                return;
            }
            ServiceEvent::UploadEnded { kind, code } => {
                format!("uploaded {} {}", kind.name(), code.name())
            }
            ServiceEvent::PollFailed { code } => format!("poll {}", code.name()),
            ServiceEvent::HeartbeatMissed { code } => format!("heartbeat {}", code.name()),
            other => panic!("{other:?}"),
        };
        self.lines.lock().unwrap().push(line);
    }
}

impl Keeping {
    fn on(stage: &mut Stage) -> Arc<Self> {
        let keeping = Arc::new(Self::default());
        stage.observers = vec![Arc::clone(&keeping) as Arc<dyn ServiceObserver>];
        keeping
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|other| *other == line).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_sync_is_observed_from_its_task_to_its_upload() {
    let people = People {
        pace: Duration::from_secs(2),
        ..People::of(10)
    };
    let mut stage = Stage::new(people.connector());
    let seen = Keeping::on(&mut stage);
    stage.plan("S1", &format!("\"debug\": true, {SYNC}"));
    stage.run(1).await;
    assert_eq!(
        seen.lines(),
        [
            "accepted",
            "began sync_full",
            &format!("sync {:?} 50 in 20 s", Completeness::Complete),
            "uploaded sync_file OK",
            "uploaded debug_log OK",
            "done sync_full",
        ]
    );
    let uploads = stage.simulator.uploads();
    let received: usize = uploads.iter().map(|upload| upload.bytes.len()).sum();
    assert_eq!(*seen.bytes.lock().unwrap(), received as u64);
}

#[tokio::test(start_paused = true)]
async fn syncs_that_fail_or_are_cancelled_are_observed_too() {
    let people = People {
        pace: Duration::from_secs(30),
        ..People::of(100)
    };
    let mut stage = Stage::new(people.connector());
    let seen = Keeping::on(&mut stage);
    let sync = format!("{{\"id\": \"{}\", {SYNC}}}", padded("S1"));
    let sync = PlannedTask::from_json(&sync).unwrap();
    stage.simulator.plan(sync.cancel_at_heartbeat(3));
    stage.run(1).await;
    assert_eq!(seen.count("failed sync_full Canceled"), 1);
    assert_eq!(seen.count("sync failed Canceled"), 1, "{:?}", seen.lines());

    let mut stage = Stage::new(People::of(1).connector());
    let seen = Keeping::on(&mut stage);
    stage.engine = Arc::new(|_, _, _| Box::pin(async { panic!("as planned") }));
    stage.plan("S1", SYNC);
    stage.run(1).await;
    assert_eq!(seen.count("sync failed Internal"), 1, "{:?}", seen.lines());
    assert_eq!(seen.count("failed sync_full Internal"), 1);
}

#[tokio::test(start_paused = true)]
async fn failures_of_the_service_are_observed() {
    let people = People {
        pace: Duration::from_secs(30),
        ..People::of(4)
    };
    let mut stage = Stage::new(people.connector());
    let seen = Keeping::on(&mut stage);
    let status = |code| Action::status(code, "as planned");
    for (call, nth, code) in [
        (Call::GetTask, 1, Code::Unavailable),
        (Call::Heartbeat, 1, Code::Internal),
        (Call::Heartbeat, 3, Code::NotFound),
        (Call::FinishTask, 1, Code::PermissionDenied),
    ] {
        let fault = Fault::nth(call, nth, status(code));
        stage.simulator.fault(fault).unwrap();
    }
    let refused = baton_grpc::Status::new(Code::ResourceExhausted, "no room");
    let fault = Fault::nth(Call::UploadAsset, 1, Action::StatusAfter(0, refused));
    stage.simulator.fault(fault).unwrap();
    stage.plan("S1", SYNC);
    stage.plan("H1", "\"hello\": {}");
    stage.plan("A1", "\"actionStatus\": {\"name\": \"x\", \"id\": \"y\"}");
    let mut running = stage.start();
    running.finished(1).await;
    running.end().await.unwrap();
    for line in [
        "poll Unavailable",
        "heartbeat Internal",
        "heartbeat NotFound",
        "uploaded sync_file ResourceExhausted",
        "uploaded sync_file OK",
        "done sync_full",
        "done hello",
        "lost action_status PermissionDenied",
    ] {
        assert_eq!(seen.count(line), 1, "{line}: {:?}", seen.lines());
    }
    let lines = seen.lines();
    let begun = lines.iter().filter(|line| line.starts_with("began "));
    let ended = |line: &&String| line.starts_with("done ") || line.starts_with("failed ");
    assert_eq!(begun.count(), lines.iter().filter(ended).count());
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_sent_later_is_not_a_second_task() {
    let mut stage = Stage::new(Rich::with_schemas(2));
    let seen = Keeping::on(&mut stage);
    for nth in 1..=5 {
        let unavailable = Action::status(Code::Unavailable, "as planned");
        let fault = Fault::nth(Call::FinishTask, nth, unavailable);
        stage.simulator.fault(fault).unwrap();
    }
    let task = format!(
        "{{\"id\": \"{}\", \"listTicketSchemas\": {{}}}}",
        padded("T1")
    );
    let task = PlannedTask::from_json(&task).unwrap();
    let minute = Duration::from_mins(1);
    stage.simulator.plan(task.times(2).next_poll(minute));
    let mut running = stage.start();
    running.finished(1).await;
    running.end().await.unwrap();
    assert_eq!(
        seen.lines(),
        [
            "accepted",
            "began list_ticket_schemas",
            "done list_ticket_schemas",
            "lost list_ticket_schemas Unavailable",
        ]
    );
}
