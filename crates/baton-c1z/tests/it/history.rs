//! Which syncs a file keeps as more and more are sealed into it.

use std::time::Duration;

use baton_c1z::{Cleanup, SyncType};

use crate::seal_v1::{plan, seal_plain, target};

const FULL: SyncType = SyncType::Full;
const PART: SyncType = SyncType::Partial;
const BARE: SyncType = SyncType::ResourcesOnly;

/// Seals a sync of each type, an hour after the other, into one file; gives
/// the numbers of those that are left.
fn left(types: &[SyncType], cleanup: Cleanup) -> Vec<usize> {
    let target = target();
    let id = |number: usize| format!("3MVxu1fAkCi8scufhFJpQZ0000{number}");
    let mut known: Vec<String> = Vec::new();
    for (number, sync_type) in types.iter().enumerate() {
        let mut plan = plan(&target.path);
        plan.run.id = id(number);
        plan.run.sync_type = *sync_type;
        plan.run.started_at += Duration::from_hours(number as u64);
        plan.run.ended_at = plan.run.started_at + Duration::from_mins(1);
        plan.cleanup = cleanup;
        let sealed = seal_plain(target.log(), plan).unwrap();
        known.push(id(number));
        known.retain(|id| !sealed.removed_syncs.contains(id));
    }
    let runs = target.open().sync_runs().to_vec();
    let stored: Vec<String> = runs.into_iter().map(|run| run.id).collect();
    assert_eq!(stored, known, "what is said to be removed is removed");
    let numbers = 0..types.len();
    numbers.filter(|n| stored.contains(&id(*n))).collect()
}

#[test]
fn a_file_keeps_so_many_full_syncs() {
    let types = [FULL; 4];
    assert_eq!(left(&types, Cleanup::Keep(1)), [3]);
    assert_eq!(left(&types, Cleanup::Keep(2)), [2, 3]);
    assert_eq!(left(&types, Cleanup::Keep(3)), [1, 2, 3]);
    assert_eq!(left(&types, Cleanup::KeepAmong(2)), [2, 3]);
    assert_eq!(left(&types, Cleanup::Skip), [0, 1, 2, 3]);
}

#[test]
fn partial_syncs_stay_until_the_full_syncs_after_them_go() {
    let types = [FULL, PART, FULL, BARE, FULL, FULL];
    // The second full sync went last, and what ended before its start with it.
    assert_eq!(left(&types, Cleanup::Keep(2)), [3, 4, 5]);
    assert_eq!(left(&types[..5], Cleanup::Keep(2)), [1, 2, 3, 4]);
    assert_eq!(left(&types, Cleanup::Keep(9)), [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_partial_sync_takes_the_place_of_a_full_one_unless_it_was_ended_at_once() {
    let types = [FULL, FULL, PART, BARE];
    assert_eq!(left(&types, Cleanup::Keep(2)), [1, 2, 3]);
    assert_eq!(left(&types, Cleanup::KeepAmong(2)), [0, 1, 2, 3]);
}
