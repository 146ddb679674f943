//! Which old syncs a new one pushes out (c1z specification §1.5, cleanup).

use crate::run::{SyncRun, SyncType};

/// How many finished syncs stay in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleanup {
    /// Full syncs to keep, the new one included; 0 counts as 1.
    pub keep_full: u32,
}

/// Diff runs that may stay before the older ones go.
const KEPT_DIFF_RUNS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bucket {
    Full,
    Partial,
    Diff,
}

fn bucket(run: &SyncRun) -> Bucket {
    match run.kind() {
        Some(SyncType::Partial | SyncType::ResourcesOnly) => Bucket::Partial,
        Some(SyncType::PartialUpserts | SyncType::PartialDeletions) => Bucket::Diff,
        Some(SyncType::Full) | None => Bucket::Full,
    }
}

impl Cleanup {
    /// The ids of the runs in `old`, oldest first, that go when `new`, a
    /// finished run, joins them. Unfinished runs never go.
    pub(super) fn doomed(self, old: &[SyncRun], new: &SyncRun) -> Vec<String> {
        let finished: Vec<&SyncRun> = old.iter().filter(|run| run.is_finished()).collect();
        let of = |wanted: Bucket| {
            finished
                .iter()
                .copied()
                .chain(std::iter::once(new))
                .filter(move |run| bucket(run) == wanted)
                .collect::<Vec<_>>()
        };
        let mut doomed: Vec<&SyncRun> = Vec::new();

        let full = of(Bucket::Full);
        let keep = usize::try_from(self.keep_full.max(1)).unwrap_or(usize::MAX);
        if full.len() > keep {
            let (out, kept) = full.split_at(full.len() - keep);
            doomed.extend(out);
            let horizon = kept.first().and_then(|run| time(run.started_at.as_ref()));
            doomed.extend(
                of(Bucket::Partial)
                    .into_iter()
                    .filter(|run| time(run.ended_at.as_ref()) < horizon),
            );
        }

        let diffs = of(Bucket::Diff);
        if diffs.len() > KEPT_DIFF_RUNS
            && let Some(newest) = diffs.last()
        {
            doomed.extend(
                diffs
                    .iter()
                    .filter(|run| run.id != newest.id && run.id != newest.linked_sync_id),
            );
        }
        doomed
            .into_iter()
            .filter(|run| run.id != new.id)
            .map(|run| run.id.clone())
            .collect()
    }
}

fn time(at: Option<&prost_types::Timestamp>) -> Option<(i64, i32)> {
    at.map(|t| (t.seconds, t.nanos))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost_types::Timestamp;

    fn at(seconds: i64) -> Timestamp {
        Timestamp { seconds, nanos: 0 }
    }

    /// A run that started at `start` and ended one second later.
    fn run(id: &str, sync_type: &str, start: i64) -> SyncRun {
        SyncRun {
            id: id.into(),
            sync_type: sync_type.into(),
            started_at: Some(at(start)),
            ended_at: Some(at(start + 1)),
            ..SyncRun::default()
        }
    }

    fn doomed(keep_full: u32, old: &[SyncRun], new: &SyncRun) -> Vec<String> {
        Cleanup { keep_full }.doomed(old, new)
    }

    #[test]
    fn unfinished_runs_and_the_new_one_never_go() {
        let mut open = run("open", "full", 1);
        open.ended_at = None;
        let new = run("new", "full", 9);
        assert_eq!(doomed(0, &[open, run("a", "full", 3)], &new), ["a"]);
    }

    #[test]
    fn the_oldest_full_runs_go_first() {
        let old = [
            run("a", "full", 1),
            run("b", "full", 3),
            run("c", "other", 5),
        ];
        assert_eq!(doomed(2, &old, &run("new", "full", 9)), ["a", "b"]);
        assert_eq!(doomed(9, &old, &run("new", "full", 9)), [""; 0]);
    }

    #[test]
    fn partial_runs_older_than_the_oldest_kept_full_go_with_them() {
        let old = [
            run("a", "full", 1),
            run("p1", "partial", 3),
            run("b", "full", 5),
            run("p2", "resources_only", 7),
        ];
        assert_eq!(doomed(2, &old, &run("new", "full", 9)), ["a", "p1"]);
        assert_eq!(doomed(3, &old, &run("new", "full", 9)), [""; 0]);
    }

    #[test]
    fn a_new_partial_run_pushes_no_full_run_out() {
        let old = [run("a", "full", 1), run("b", "full", 3)];
        assert_eq!(doomed(2, &old, &run("new", "partial", 9)), [""; 0]);
    }

    #[test]
    fn of_more_than_two_diff_runs_the_newest_pair_stays() {
        let mut newest = run("u2", "partial_upserts", 7);
        newest.linked_sync_id = "d2".into();
        let old = [
            run("d1", "partial_deletions", 1),
            run("u1", "partial_upserts", 1),
            run("d2", "partial_deletions", 7),
            newest,
        ];
        assert_eq!(doomed(2, &old, &run("new", "full", 9)), ["d1", "u1"]);
        assert_eq!(doomed(2, &old[2..], &run("new", "full", 9)), [""; 0]);
    }
}
