//! Which tasks are known, and when to ask for more of them: `GetTasks` in batches
//! (`service-mode.md` §2.3).

use std::collections::VecDeque;
use std::time::Duration;

use baton_proto::c1::connectorapi::baton::v1::Task;
use baton_proto::c1::connectorapi::baton::v1::task::TaskType;
use tokio::time::Instant;

/// The largest page that a request may ask for.
const MAX_PAGE: usize = 100;
/// The shortest wait when there is nothing to do.
const SHORTEST_WAIT: Duration = Duration::from_millis(100);

/// Queued tasks, and when the service wants to be asked again.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    queue: VecDeque<Task>,
    not_before: Option<Instant>,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Carry this task out; ask again after it was started.
    Task(Task),
    /// Ask the service for so many tasks. A task that is ready waits for the answer.
    Ask {
        ready: Option<Task>,
        count: u32,
        known: Vec<String>,
    },
    /// Nothing to do for so long.
    Wait(Duration),
}

impl Batch {
    /// The next step. `running`: ids of tasks that are being carried out.
    pub(crate) fn step(&mut self, slots: usize, running: &[String], now: Instant) -> Step {
        let ready = self.queue.pop_front();
        let mut known: Vec<String> = self.queue.iter().map(|task| task.id.clone()).collect();
        known.extend(running.iter().cloned());
        let id = ready.iter().map(|task| task.id.clone());
        known.extend(id.filter(|id| !id.is_empty()));
        let needs_more = known.len() < slots;
        let wait = self.not_before.map(|at| at.saturating_duration_since(now));
        let wait = wait.filter(|wait| !wait.is_zero());
        match (needs_more, wait, ready) {
            (true, None, ready) => {
                let count = (2 * slots).saturating_sub(known.len()).clamp(1, MAX_PAGE);
                Step::Ask {
                    ready,
                    // At most 100.
                    count: u32::try_from(count).unwrap_or(1),
                    known,
                }
            }
            (_, _, Some(task)) => Step::Task(task),
            (_, wait, None) => Step::Wait(wait.unwrap_or_default().max(SHORTEST_WAIT)),
        }
    }

    /// Takes the tasks of an answer that are not known.
    pub(crate) fn answered(
        &mut self,
        tasks: Vec<Task>,
        known: &[String],
        next_poll: Duration,
        now: Instant,
    ) {
        self.not_before = now.checked_add(next_poll);
        for task in tasks {
            let is_nothing = matches!(task.task_type, Some(TaskType::None(_)));
            let is_known = !task.id.is_empty()
                && (known.contains(&task.id) || self.queue.iter().any(|other| other.id == task.id));
            if !is_nothing && !is_known {
                self.queue.push_back(task);
            }
        }
    }

    /// The tasks that have not begun.
    pub(crate) fn into_tasks(self) -> VecDeque<Task> {
        self.queue
    }

    /// The step after an answer, or after a failed request.
    pub(crate) fn after(&mut self, ready: Option<Task>, now: Instant) -> Step {
        match ready.or_else(|| self.queue.pop_front()) {
            Some(task) => Step::Task(task),
            None => {
                let wait = self.not_before.map(|at| at.saturating_duration_since(now));
                Step::Wait(wait.unwrap_or_default().max(SHORTEST_WAIT))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: &str) -> Task {
        Task {
            id: id.to_owned(),
            ..Task::default()
        }
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    #[tokio::test]
    async fn it_asks_while_fewer_tasks_than_slots_are_known() {
        let mut batch = Batch::default();
        let now = Instant::now();
        let Step::Ask {
            ready,
            count,
            known,
        } = batch.step(3, &ids(&["r1"]), now)
        else {
            panic!("does not ask");
        };
        assert_eq!((ready, count, known.len()), (None, 5, 1));
        batch.answered(
            vec![task("a"), task("a"), task("r1"), task("b"), task("c")],
            &known,
            Duration::from_secs(10),
            now,
        );
        let Step::Task(first) = batch.after(None, now) else {
            panic!("no task");
        };
        assert_eq!(first.id, "a");
        let Step::Task(next) = batch.step(3, &ids(&["r1", "a"]), now) else {
            panic!("no task");
        };
        assert_eq!(next.id, "b");
    }

    #[tokio::test]
    async fn it_waits_until_the_service_wants_to_be_asked() {
        let mut batch = Batch::default();
        let now = Instant::now();
        batch.answered(Vec::new(), &[], Duration::from_secs(10), now);
        for _ in 0..2 {
            let Step::Wait(wait) = batch.step(3, &[], now) else {
                panic!("does not wait");
            };
            assert_eq!(wait, Duration::from_secs(10));
        }
        let later = now + Duration::from_secs(10);
        assert!(matches!(batch.step(3, &[], later), Step::Ask { .. }));
        batch.answered(Vec::new(), &[], Duration::ZERO, later);
        let Step::Wait(wait) = batch.after(None, later) else {
            panic!("does not wait");
        };
        assert_eq!(wait, SHORTEST_WAIT);
    }

    #[tokio::test]
    async fn a_page_has_at_most_a_hundred_tasks() {
        let mut batch = Batch::default();
        let Step::Ask { count, .. } = batch.step(60, &[], Instant::now()) else {
            panic!("does not ask");
        };
        assert_eq!(count, 100);
    }

    #[tokio::test]
    async fn tasks_of_arm_none_are_not_tasks() {
        let mut batch = Batch::default();
        let none = Task {
            task_type: Some(TaskType::None(
                baton_proto::c1::connectorapi::baton::v1::task::NoneTask::default(),
            )),
            ..task("n")
        };
        let now = Instant::now();
        batch.answered(vec![none], &[], Duration::ZERO, now);
        assert!(matches!(batch.after(None, now), Step::Wait(_)));
    }
}
