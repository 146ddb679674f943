//! Runs of syncs that other processes drive: each lasts from the first call of
//! its sync to `Cleanup`, or until no call came for an hour.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use baton_connector::{Call, Run};
use tokio::time::Instant;

/// How long a run is kept without a call.
const IDLE: Duration = Duration::from_hours(1);
/// Most runs at once; a further one displaces the one that is idle the longest.
const MAX_RUNS: usize = 256;

/// The runs under way, by sync.
#[derive(Debug, Default)]
pub(crate) struct Runs(Mutex<HashMap<String, (Run, Instant)>>);

impl Runs {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (Run, Instant)>> {
        // The map is whole whatever happened to a thread that held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call of the run of a sync, which begins if it is not under way.
    pub(crate) fn call(&self, sync_id: &str) -> Call {
        let now = Instant::now();
        let mut ended = Vec::new();
        let call = {
            let mut runs = self.lock();
            if let Some((run, used)) = runs.get_mut(sync_id) {
                *used = now;
                run.call()
            } else {
                let old: Vec<_> = runs
                    .iter()
                    .filter(|(_, (_, used))| now.duration_since(*used) > IDLE)
                    .map(|(id, _)| id.clone())
                    .collect();
                ended.extend(old.iter().filter_map(|id| runs.remove(id)));
                if runs.len() >= MAX_RUNS {
                    let oldest = runs.iter().min_by_key(|(_, (_, used))| *used);
                    let oldest = oldest.map(|(id, _)| id.clone());
                    ended.extend(oldest.and_then(|id| runs.remove(&id)));
                }
                let run = Run::begin(None);
                let call = run.call();
                runs.insert(sync_id.to_owned(), (run, now));
                call
            }
        };
        // Outside the lock: the end of a run may end tasks.
        drop(ended);
        call
    }

    /// Ends the run of a sync.
    pub(crate) fn end(&self, sync_id: &str) {
        let run = self.lock().remove(sync_id);
        drop(run);
    }
}

#[cfg(test)]
mod tests {
    use baton_connector::RunLocal;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_of_a_sync_share_a_run_until_it_ends_or_is_forgotten() {
        let runs = Runs::default();
        let local: RunLocal<u32> = RunLocal::new();
        assert_eq!(*local.of(&runs.call("a"), || 1), 1);
        assert_eq!(*local.of(&runs.call("a"), || 2), 1);
        assert_eq!(*local.of(&runs.call("b"), || 3), 3);
        runs.end("a");
        assert_eq!(*local.of(&runs.call("a"), || 4), 4);
        tokio::time::advance(IDLE + Duration::from_secs(1)).await;
        runs.call("c");
        assert_eq!(*local.of(&runs.call("b"), || 5), 5);
    }

    #[test]
    fn the_number_of_runs_is_bounded() {
        let runs = Runs::default();
        for number in 0..2 * MAX_RUNS {
            runs.call(&number.to_string());
        }
        assert_eq!(runs.lock().len(), MAX_RUNS);
    }
}
