//! The syncs of a sanitized file: one for each of the source, with new ids and
//! times.

use std::collections::HashMap;

use baton_c1z::{RewrittenSync, SyncRun};
use prost_types::Timestamp;
use svix_ksuid::{Ksuid, KsuidLike as _};

use super::Sanitizer;
use super::redact::{nanos, timestamp};

/// Nanoseconds between the ends of two syncs.
const STEP: i128 = 1_000_000;

/// The syncs to write, parents first, otherwise the oldest first, so that the
/// newest stays the newest. All are finished.
pub(crate) fn sanitized_runs(
    sanitizer: &Sanitizer,
    runs: &[SyncRun],
    now: Timestamp,
) -> Vec<RewrittenSync> {
    let new_id = |id: &str| ksuid(now.seconds, sanitizer.redactor.hash(id.as_bytes()).as_ref());
    let ids: HashMap<&str, String> = runs
        .iter()
        .map(|run| (run.id.as_str(), new_id(&run.id)))
        .collect();
    let mapped = |id: &str| {
        let known = ids.get(id).cloned();
        known.unwrap_or_else(|| sanitizer.redactor.text(id))
    };
    in_order(runs)
        .into_iter()
        .zip(0..)
        .map(|(run, number)| {
            let at = timestamp(nanos(&now) + number * STEP);
            let mut new = SyncRun::default();
            new.id = mapped(&run.id);
            new.sync_type.clone_from(&run.sync_type);
            new.started_at = Some(at);
            new.ended_at = Some(at);
            new.parent_sync_id = mapped(&run.parent_sync_id);
            new.linked_sync_id = mapped(&run.linked_sync_id);
            new.supports_diff = run.supports_diff;
            RewrittenSync {
                source_id: run.id.clone(),
                run: new,
            }
        })
        .collect()
}

/// A KSUID of a time and of the first bytes of a hash.
fn ksuid(seconds: i64, hash: &[u8]) -> String {
    let mut payload = [0; 16];
    payload
        .iter_mut()
        .zip(hash)
        .for_each(|(to, from)| *to = *from);
    Ksuid::from_seconds(Some(seconds), Some(&payload)).to_string()
}

/// Unfinished syncs, then the finished ones by their end; each behind its
/// parent.
fn in_order(runs: &[SyncRun]) -> Vec<&SyncRun> {
    let mut waiting: Vec<&SyncRun> = runs.iter().collect();
    waiting.sort_by_key(|run| run.ended_at.map(|at| (nanos(&at), run.id.as_str())));
    let mut ordered: Vec<&SyncRun> = Vec::new();
    while !waiting.is_empty() {
        let is_free = |run: &&SyncRun| {
            let parent = run.parent_sync_id.as_str();
            parent == run.id || !waiting.iter().any(|other| other.id == parent)
        };
        // Of syncs that are each other's parents, the first goes first.
        let next = waiting.iter().position(is_free).unwrap_or_default();
        ordered.push(waiting.remove(next));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(id: &str, parent: &str, end: Option<i64>) -> SyncRun {
        let mut run = SyncRun::default();
        id.clone_into(&mut run.id);
        parent.clone_into(&mut run.parent_sync_id);
        run.ended_at = end.map(|seconds| Timestamp { seconds, nanos: 0 });
        run
    }

    #[test]
    fn parents_come_first_and_otherwise_the_oldest() {
        for (runs, expected) in [
            (vec![run("b", "", Some(2)), run("a", "", Some(1))], "ab"),
            (vec![run("b", "", Some(2)), run("x", "", None)], "xb"),
            (vec![run("a", "b", Some(1)), run("b", "", Some(2))], "ba"),
            (vec![run("a", "nope", Some(1))], "a"),
            (vec![run("a", "a", Some(1)), run("b", "", Some(0))], "ba"),
            (vec![run("a", "b", Some(1)), run("b", "a", Some(2))], "ab"),
        ] {
            let ids: String = in_order(&runs).iter().map(|run| run.id.as_str()).collect();
            assert_eq!(ids, expected);
        }
    }
}
