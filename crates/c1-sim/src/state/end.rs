//! The verdict.

use super::State;
use crate::Complaint;
use crate::tasks::TaskKind;

impl State {
    /// What was wrong so far.
    pub(crate) fn verdict(&self) -> Vec<Complaint> {
        self.complaints.clone()
    }

    /// What was wrong, if nothing more comes: also what is missing.
    pub(crate) fn verdict_at_end(&self) -> Vec<Complaint> {
        let now = self.elapsed();
        let mut all = self.verdict();
        all.extend(self.early_token.clone());
        let mut missing = |text: String| all.push(Complaint { call: None, text });
        for (id, task) in &self.tasks {
            if let Some(text) = task.late_by(now) {
                missing(text);
            }
            let hello = task.plan.kind == Some(TaskKind::Hello);
            if hello && !task.greeted && task.finished.is_none() {
                missing(format!("no Hello for the hello task {id}"));
            }
            let open = task.finished.is_none() && !task.plan.foreign;
            if open && task.plan.must_be_finished() {
                let name = task
                    .plan
                    .kind
                    .map_or("a kind that is not known", TaskKind::name);
                missing(format!("task {id} (`{name}`) was not finished"));
            }
        }
        all
    }
}
