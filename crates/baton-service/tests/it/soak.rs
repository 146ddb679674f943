//! Many tasks of all kinds: each is reported once, and nothing stays behind.

use std::collections::BTreeSet;
use std::time::Duration;

use c1_sim::{Call, PlannedTask, TaskKind};
use serde_json::Value;

use crate::arms::{arms, with};
use crate::people::People;
use crate::rich::Rich;
use crate::stage::{Running, Stage, padded};

/// One task in so many is a full sync.
const PER_SYNC: usize = 50;
/// Pages of the list of users, each with five.
const PAGES: u64 = 10;
/// Tasks that the simulator has at once.
const AT_ONCE: usize = 100;
/// Arms that no client supports.
const UNSUPPORTED: [&str; 3] = ["eventFeed", "createSyncDiff", "compactSyncs"];
/// What the connector does with a task.
const ANSWERS: [&str; 4] = ["fine", "denied", "fine", "plain"];

/// A service that gets more and more tasks.
pub(crate) struct Soak {
    pub(crate) stage: Stage,
    running: Running,
    arms: Vec<(String, Value)>,
    planned: usize,
    to_finish: usize,
    hellos: u64,
}

impl Soak {
    /// Starts a service without tasks. Without `records` the simulator keeps numbers only.
    pub(crate) fn start(batch: bool, records: bool) -> Self {
        let connector = Rich::with_people(People::of(PAGES));
        let mut stage = Stage::configured(connector, |config| {
            config.keep_uploads = false;
            config.keep_records = records;
        });
        stage.batch = batch;
        stage.slots = 10;
        let mut arms = arms();
        arms.extend(UNSUPPORTED.map(|arm| (arm.to_owned(), Value::Object(serde_json::Map::new()))));
        let running = stage.start();
        Self {
            stage,
            running,
            arms,
            planned: 0,
            to_finish: 0,
            hellos: 1,
        }
    }

    /// Waits until so many tasks are done.
    pub(crate) async fn up_to(&mut self, tasks: usize) {
        while self.planned < tasks {
            for _ in 0..AT_ONCE.min(tasks - self.planned) {
                self.plan();
            }
            self.running.finished(self.to_finish).await;
            let simulator = &self.stage.simulator;
            simulator.wait_calls(Call::Hello, self.hellos).await;
        }
        // The last answers arrive, and the service waits for tasks.
        tokio::time::sleep(Duration::from_secs(10)).await;
    }

    /// Invokes so many actions. Their results are kept for a day, up to a number.
    pub(crate) async fn invoke(&mut self, actions: usize) {
        let content = serde_json::json!({"name": "slow", "args": {"text": "t"}});
        for first in (0..actions).step_by(AT_ONCE) {
            for number in first..actions.min(first + AT_ONCE) {
                let id = padded(&format!("A{number}x"));
                let task = serde_json::json!({"id": id, "actionInvoke": content});
                let task = PlannedTask::from_json(&task.to_string()).unwrap();
                self.stage.simulator.plan(task);
                self.to_finish += 1;
            }
            self.running.finished(self.to_finish).await;
        }
    }

    /// Plans the next task: every arm in turn, some of them with a failure.
    fn plan(&mut self) {
        let number = self.planned;
        let id = padded(&format!("T{number}x"));
        let in_turn = number % (self.arms.len() + 2);
        let named = |arm: &str, content: &Value| {
            let task = serde_json::json!({"id": id, arm: content});
            PlannedTask::from_json(&task.to_string()).unwrap()
        };
        let nothing = serde_json::json!({});
        let task = if number.is_multiple_of(PER_SYNC) {
            named("syncFull", &nothing)
        } else if let Some((arm, content)) = self.arms.get(in_turn) {
            named(arm, &with(content, ANSWERS[number % ANSWERS.len()]))
        } else if in_turn == self.arms.len() {
            PlannedTask::unknown_arm(&id)
        } else {
            self.hellos += 1;
            self.to_finish -= 1;
            named("hello", &nothing)
        };
        self.stage.simulator.plan(task);
        self.planned += 1;
        self.to_finish += 1;
    }

    /// Stops the service. The simulator must have nothing to complain about.
    pub(crate) async fn end(self) -> Stage {
        self.running.end().await.unwrap();
        self.stage.assert_fine();
        self.stage
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_tasks_are_each_reported_once() {
    const TASKS: usize = 1000;
    for batch in [false, true] {
        let mut soak = Soak::start(batch, true);
        soak.invoke(20).await;
        soak.up_to(TASKS).await;
        let to_finish = soak.to_finish;
        let stage = soak.end().await;
        let finished = stage.simulator.finished();
        assert_eq!(finished.len(), to_finish);
        assert_eq!(
            stage.simulator.count(Call::FinishTask),
            finished.len() as u64
        );
        let ids: BTreeSet<_> = finished.iter().map(|task| &task.request.task_id).collect();
        assert_eq!(ids.len(), finished.len());
        let syncs: Vec<_> = finished
            .iter()
            .filter(|task| task.kind == Some(TaskKind::SyncFull))
            .collect();
        assert_eq!(syncs.len(), TASKS / PER_SYNC);
        assert!(syncs.iter().all(|sync| sync.is_success()));
        assert_eq!(stage.simulator.uploads().len(), syncs.len());
        // Of every arm that has one, there is a success.
        let names = |successes: bool| -> BTreeSet<_> {
            let matching = finished
                .iter()
                .filter(|task| task.is_success() == successes);
            matching
                .filter_map(|task| task.kind)
                .map(TaskKind::name)
                .collect()
        };
        assert_eq!(names(true).len(), 18, "{:?}", names(true));
        assert!(names(false).is_superset(&["grant", "event_feed", "list_events"].into()));
    }
}
