//! Changes of tasks are made as the program wants, and recorded.

use std::sync::{Arc, Mutex};

use baton_connector::{ChangeSettings, Code, Error, Outcome, Plan, Recorder, Report, Result};
use baton_grpc::CallOptions;
use baton_proto::c1::connectorapi::baton::v1::task::{DeleteResourceTask, TaskType};
use baton_proto::c1::connectorapi::baton::v1::{BatonServiceFinishTaskRequest as FinishTask, Task};

use crate::rich::{Rich, named};
use crate::serving::{report, services};

/// Keeps what it is given, and refuses changes if it is to.
#[derive(Default)]
struct Keeper {
    refuses: bool,
    intended: Mutex<Vec<&'static str>>,
    finished: Mutex<Vec<Outcome>>,
}

#[async_trait::async_trait]
impl Recorder for Keeper {
    async fn intended(&self, plan: &Plan<'_>) -> Result<()> {
        if self.refuses {
            return Err(Error::stated(Code::Unknown, "the disk is full"));
        }
        self.intended.lock().unwrap().push(plan.operation.name());
        Ok(())
    }

    async fn finished(&self, report: &Report<'_>) -> Result<()> {
        self.finished.lock().unwrap().push(report.outcome);
        Ok(())
    }
}

async fn deleted(keeper: &Arc<Keeper>, dry_run: bool) -> FinishTask {
    let calls = services(Rich::with_schemas(0), true);
    let task = Task {
        id: "Tchanges0000000000000000000".to_owned(),
        task_type: Some(TaskType::DeleteResource(DeleteResourceTask {
            resource_id: named("user", "u-1").id,
            parent_resource_id: None,
        })),
        ..Task::default()
    };
    let options = CallOptions {
        changes: ChangeSettings {
            dry_run,
            recorder: Some(Arc::clone(keeper) as Arc<dyn Recorder>),
            ..ChangeSettings::default()
        },
        ..CallOptions::default()
    };
    report(&calls, &task, options).await
}

#[tokio::test]
async fn a_change_is_recorded_before_and_after_it_is_made() {
    let keeper = Arc::new(Keeper::default());
    assert_eq!(deleted(&keeper, false).await.status, None);
    assert_eq!(*keeper.intended.lock().unwrap(), ["delete"]);
    assert_eq!(*keeper.finished.lock().unwrap(), [Outcome::Done]);
}

#[tokio::test]
async fn a_change_that_cannot_be_recorded_is_not_made() {
    let keeper = Arc::new(Keeper {
        refuses: true,
        ..Keeper::default()
    });
    let status = deleted(&keeper, false).await.status.unwrap();
    assert!(status.message.contains("the disk is full"), "{status:?}");
    assert!(keeper.finished.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_dry_run_makes_no_change() {
    let keeper = Arc::new(Keeper::default());
    assert_eq!(deleted(&keeper, true).await.status, None);
    assert!(keeper.intended.lock().unwrap().is_empty());
}
