//! Which old syncs a new one pushes out (c1z specification §1.5, cleanup).

use crate::run::{SyncRun, SyncType};

/// How many finished syncs stay in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cleanup {
    /// Full syncs to keep, one of which is the new sync's place, whatever its
    /// type; 0 counts as 1.
    pub keep_full: u32,
    /// Which moment it is. A sync is usually cleaned up after while it is
    /// still open; one that was ended at once counts among the others.
    pub moment: Moment,
}

/// When a file is cleaned up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the new sync is ended.
    Open,
    /// After it was ended.
    Ended,
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
    /// The ids of the runs in `old`, oldest first, that go when `new` joins
    /// them. Unfinished runs never go.
    pub(super) fn doomed(self, old: &[SyncRun], new: &SyncRun) -> Vec<String> {
        let finished = old.iter().filter(|run| run.is_finished());
        let runs: Vec<&SyncRun> = match self.moment {
            Moment::Open => finished.collect(),
            Moment::Ended => finished.chain(std::iter::once(new)).collect(),
        };
        let of = |wanted: Bucket| {
            let runs = runs.iter().copied();
            runs.filter(move |run| bucket(run) == wanted)
                .collect::<Vec<_>>()
        };
        let mut doomed: Vec<&SyncRun> = Vec::new();

        let full = of(Bucket::Full);
        let places = match self.moment {
            Moment::Open => self.keep_full.max(1) - 1,
            Moment::Ended => self.keep_full.max(1),
        };
        let places = usize::try_from(places).unwrap_or(usize::MAX);
        if full.len() > places {
            let (out, kept) = full.split_at(full.len() - places);
            doomed.extend(out);
            let horizon = match self.moment {
                Moment::Open => out.last(),
                Moment::Ended => kept.first(),
            };
            let horizon = horizon.and_then(|run| time(run.started_at.as_ref()));
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
        let moment = Moment::Open;
        Cleanup { keep_full, moment }.doomed(old, new)
    }

    fn doomed_after(keep_full: u32, old: &[SyncRun], new: &SyncRun) -> Vec<String> {
        let moment = Moment::Ended;
        Cleanup { keep_full, moment }.doomed(old, new)
    }

    const NONE: [&str; 0] = [];

    #[test]
    fn unfinished_runs_and_the_new_one_never_go() {
        let mut open = run("open", "full", 1);
        open.ended_at = None;
        let old = [open, run("a", "full", 3)];
        let new = run("new", "full", 9);
        for keep in [0, 1] {
            assert_eq!(doomed(keep, &old, &new), ["a"]);
            assert_eq!(doomed_after(keep, &old, &new), ["a"]);
        }
        // They take no place either.
        assert_eq!(doomed(2, &old, &new), NONE);
        assert_eq!(doomed_after(2, &old, &new), NONE);
    }

    #[test]
    fn the_oldest_full_runs_go_first_and_unknown_types_count_as_full() {
        let old = [
            run("a", "full", 1),
            run("b", "full", 3),
            run("c", "other", 5),
        ];
        let new = run("new", "full", 9);
        for (keep, gone) in [
            (1, &["a", "b", "c"][..]),
            (2, &["a", "b"]),
            (3, &["a"]),
            (4, &[]),
            (u32::MAX, &[]),
        ] {
            assert_eq!(doomed(keep, &old, &new), gone, "{keep}");
            assert_eq!(doomed_after(keep, &old, &new), gone, "{keep}");
        }
    }

    #[test]
    fn the_oldest_is_the_one_that_was_stored_first_whatever_its_times_say() {
        let old = [run("late", "full", 7), run("early", "full", 1)];
        assert_eq!(doomed(2, &old, &run("new", "full", 9)), ["late"]);
    }

    #[test]
    fn a_new_partial_run_takes_a_place_while_it_is_open() {
        let old = [run("a", "full", 1), run("b", "full", 3)];
        for kind in ["partial", "resources_only"] {
            let new = run("new", kind, 9);
            assert_eq!(doomed(2, &old, &new), ["a"]);
            assert_eq!(doomed_after(2, &old, &new), NONE);
        }
    }

    #[test]
    fn partial_runs_that_ended_before_the_newest_full_run_to_go_began_go_with_it() {
        let old = [
            run("p0", "partial", 0),
            run("a", "full", 2),
            run("p1", "partial", 3),
            run("b", "full", 5),
            run("r2", "resources_only", 7),
            run("c", "full", 9),
        ];
        let new = run("new", "full", 11);
        assert_eq!(doomed(3, &old, &new), ["a", "p0"]);
        assert_eq!(doomed(2, &old, &new), ["a", "b", "p0", "p1"]);
        // No full run goes: no partial one does, however old it is.
        assert_eq!(doomed(4, &old, &new), NONE);
        // One that ended in the very moment stays.
        let old = [run("p", "partial", 1), run("a", "full", 2)];
        assert_eq!(doomed(1, &old, &new), ["a"]);
    }

    #[test]
    fn after_a_sync_has_ended_the_oldest_full_run_that_stays_decides() {
        let old = [
            run("p0", "partial", 0),
            run("a", "full", 2),
            run("p1", "partial", 3),
            run("b", "full", 5),
            run("r2", "resources_only", 7),
        ];
        let new = run("new", "full", 9);
        assert_eq!(doomed_after(2, &old, &new), ["a", "p0", "p1"]);
        assert_eq!(doomed_after(1, &old, &new), ["a", "b", "p0", "p1", "r2"]);
        assert_eq!(doomed_after(3, &old, &new), NONE);
    }

    #[test]
    fn of_more_than_two_diff_runs_the_newest_and_its_partner_stay() {
        let mut newest = run("u2", "partial_upserts", 7);
        newest.linked_sync_id = "d2".into();
        let old = [
            run("d1", "partial_deletions", 1),
            run("u1", "partial_upserts", 1),
            run("d2", "partial_deletions", 7),
            newest,
        ];
        let new = run("new", "full", 9);
        for doomed in [doomed, doomed_after] {
            assert_eq!(doomed(2, &old, &new), ["d1", "u1"]);
            assert_eq!(doomed(2, &old[2..], &new), NONE);
            // A missing partner replaces no sync.
            assert_eq!(doomed(2, &old[..3], &new), ["d1", "u1"]);
        }
    }

    #[test]
    fn diff_runs_go_by_their_number_and_full_runs_take_none_with_them() {
        let old = [
            run("d1", "partial_deletions", 1),
            run("u1", "partial_upserts", 1),
            run("a", "full", 5),
            run("b", "full", 7),
        ];
        assert_eq!(doomed(2, &old, &run("new", "full", 9)), ["a"]);
    }
}
