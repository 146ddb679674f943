//! Notes of a connector about a run: warnings, and what its request plan saved.

use crate::call::RunView;

/// Notes about the run so far, for the end of a summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunNotes {
    /// What the user should know, one sentence each.
    pub warnings: Vec<String>,
    /// What planning the requests brought; `None` when nothing was planned.
    pub planning: Option<Planning>,
}

/// Requests that a plan cost and saved in this run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Planning {
    /// Requests that only the plan needs: its overview, and its checks of what
    /// was asked again later.
    pub spent: u64,
    /// Requests that were not needed.
    pub avoided: u64,
}

impl Planning {
    /// What a run of `requests` would have needed without the plan.
    pub fn without(self, requests: u64) -> u64 {
        (requests + self.avoided).saturating_sub(self.spent)
    }
}

/// Gives notes about a run, at its end or while it lasts.
pub trait NotesSource: Send + Sync {
    /// Notes about the run so far.
    fn run_notes(&self, run: &RunView) -> RunNotes;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_costs_more_than_it_saves_shows() {
        let planning = Planning {
            spent: 10,
            avoided: 3,
        };
        assert_eq!(planning.without(100), 93);
        assert_eq!(Planning::default().without(7), 7);
    }
}
