//! What became of the actions of a connector. Running ones are kept until they
//! end; of the finished ones the newest, for a time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use baton_proto::c1::connector::v2;
use prost::Message as _;
use prost_types::{Struct, Value, value::Kind};
use tokio::time::Instant;
use v2::BatonActionStatus as Status;

use super::engine::ActionState;

/// Finished actions that are kept.
pub(super) const MAX_FINISHED: usize = 1_000;
/// How long they are kept.
pub(super) const KEPT_FOR: Duration = Duration::from_hours(24);
/// Bytes of their answers; the newest answer is kept whatever its size.
pub(super) const MAX_KEPT_BYTES: usize = 64 << 20;
/// Actions that may be under way at once.
pub(super) const MAX_RUNNING: usize = 1_000;

/// How an action ended: with its answer, or the text of its failure.
pub(super) type Outcome = Result<Option<Struct>, String>;

struct Record {
    name: String,
    status: Status,
    response: Option<Struct>,
}

struct Finished {
    id: String,
    at: Instant,
    bytes: usize,
}

/// The records.
#[derive(Default)]
pub(super) struct Table {
    records: HashMap<String, Record>,
    /// Oldest first.
    finished: VecDeque<Finished>,
    kept_bytes: usize,
}

impl Table {
    /// Adds an action that has not begun; false if too many are under way.
    #[must_use]
    pub(super) fn begin(&mut self, id: &str, name: &str) -> bool {
        self.evict();
        if self.records.len() - self.finished.len() >= MAX_RUNNING {
            return false;
        }
        let record = Record {
            name: name.to_owned(),
            status: Status::Pending,
            response: None,
        };
        self.records.insert(id.to_owned(), record);
        true
    }

    /// The action runs.
    pub(super) fn running(&mut self, id: &str) {
        if let Some(record) = self.records.get_mut(id)
            && record.status == Status::Pending
        {
            record.status = Status::Running;
        }
    }

    /// Counts the action as failed until it ends.
    pub(super) fn fail_for_now(&mut self, id: &str, text: &str) {
        if let Some(record) = self.records.get_mut(id)
            && matches!(record.status, Status::Pending | Status::Running)
        {
            record.status = Status::Failed;
            record.response = Some(failure(text));
        }
    }

    /// The action has ended.
    pub(super) fn finish(&mut self, id: &str, outcome: Outcome) {
        let Some(record) = self.records.get_mut(id) else {
            return;
        };
        (record.status, record.response) = match outcome {
            Ok(response) => (Status::Complete, response),
            Err(text) => (Status::Failed, Some(failure(&text))),
        };
        let bytes = record.response.as_ref().map_or(0, Struct::encoded_len);
        self.kept_bytes += bytes;
        self.finished.push_back(Finished {
            id: id.to_owned(),
            at: Instant::now(),
            bytes,
        });
        self.evict();
    }

    /// The state of an action; `None` if it is not known.
    pub(super) fn state(&mut self, id: &str) -> Option<ActionState> {
        self.evict();
        let record = self.records.get(id)?;
        Some(ActionState {
            id: id.to_owned(),
            name: record.name.clone(),
            status: record.status,
            response: record.response.clone(),
        })
    }

    fn evict(&mut self) {
        while let Some(oldest) = self.finished.front() {
            let too_many = self.finished.len() > MAX_FINISHED
                || (self.kept_bytes > MAX_KEPT_BYTES && self.finished.len() > 1);
            if !too_many && oldest.at.elapsed() < KEPT_FOR {
                return;
            }
            self.kept_bytes -= oldest.bytes;
            self.records.remove(&oldest.id);
            self.finished.pop_front();
        }
    }
}

/// The answer of a failed action.
fn failure(text: &str) -> Struct {
    let text = Value {
        kind: Some(Kind::StringValue(text.to_owned())),
    };
    Struct {
        fields: [("error".to_owned(), text)].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(table: &mut Table, id: &str, response: Option<Struct>) {
        assert!(table.begin(id, "ok"));
        table.finish(id, Ok(response));
    }

    fn status(table: &mut Table, id: &str) -> Option<Status> {
        table.state(id).map(|state| state.status)
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_finished_records_go_and_running_ones_stay() {
        let mut table = Table::default();
        assert!(table.begin("running", "slow"));
        for number in 0..=MAX_FINISHED {
            finished(&mut table, &number.to_string(), None);
        }
        assert_eq!(status(&mut table, "0"), None);
        assert_eq!(status(&mut table, "1"), Some(Status::Complete));
        tokio::time::advance(KEPT_FOR).await;
        assert_eq!(status(&mut table, "1"), None);
        assert_eq!(status(&mut table, "running"), Some(Status::Pending));
        assert_eq!((table.records.len(), table.kept_bytes), (1, 0));
    }

    #[tokio::test]
    async fn large_answers_push_older_ones_out_but_never_the_newest() {
        let mut table = Table::default();
        let large = failure(&"x".repeat(MAX_KEPT_BYTES));
        finished(&mut table, "1", None);
        finished(&mut table, "2", Some(large.clone()));
        assert_eq!(status(&mut table, "1"), None);
        assert_eq!(
            table.state("2").and_then(|state| state.response),
            Some(large)
        );
        finished(&mut table, "3", None);
        assert_eq!(status(&mut table, "2"), None);
        assert_eq!(status(&mut table, "3"), Some(Status::Complete));
    }

    #[tokio::test]
    async fn no_more_than_the_limit_are_under_way() {
        let mut table = Table::default();
        for number in 0..MAX_RUNNING {
            assert!(table.begin(&number.to_string(), "slow"));
        }
        assert!(!table.begin("more", "slow"));
        table.finish("7", Err("broken".to_owned()));
        assert!(table.begin("more", "slow"));
    }

    #[tokio::test]
    async fn a_final_state_changes_only_when_it_was_for_now() {
        let mut table = Table::default();
        assert!(table.begin("a", "slow"));
        table.fail_for_now("a", "canceled");
        table.running("a");
        assert_eq!(status(&mut table, "a"), Some(Status::Failed));
        table.finish("a", Ok(None));
        assert_eq!(status(&mut table, "a"), Some(Status::Complete));
        table.fail_for_now("a", "canceled");
        assert_eq!(status(&mut table, "a"), Some(Status::Complete));
    }
}
