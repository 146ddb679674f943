//! The one sync of a file, and its stored counts.

use std::collections::BTreeMap;

use baton_proto::c1::c1z::v3::SyncRunSummary;
use baton_proto::c1::storage::v3 as storage;

use crate::run::{CallStat, IngestInvariant, Stats, SyncRun, SyncType};

/// The run that its record describes. Counts are found apart.
pub(super) fn run(record: storage::SyncRunRecord) -> SyncRun {
    SyncRun {
        sync_type: type_word(record.r#type),
        id: record.sync_id,
        started_at: record.started_at,
        ended_at: record.ended_at,
        parent_sync_id: record.parent_sync_id,
        linked_sync_id: record.linked_sync_id,
        sync_token: record.sync_token,
        supports_diff: record.supports_diff,
        ingest_invariant: IngestInvariant {
            generation: record.ingest_invariant_generation,
            coverage: coverage_text(&record.ingest_invariant_coverage),
            mode: record.ingest_invariant_mode,
        },
        stats: None,
    }
}

/// The word of a stored type; a number that has none stands for itself.
fn type_word(number: i32) -> String {
    let known = match storage::SyncType::try_from(number) {
        Ok(storage::SyncType::Full) => SyncType::Full,
        Ok(storage::SyncType::Partial) => SyncType::Partial,
        Ok(storage::SyncType::ResourcesOnly) => SyncType::ResourcesOnly,
        Ok(storage::SyncType::PartialUpserts) => SyncType::PartialUpserts,
        Ok(storage::SyncType::PartialDeletions) => SyncType::PartialDeletions,
        Ok(storage::SyncType::Unspecified) => return String::new(),
        Err(_) => return number.to_string(),
    };
    known.as_str().to_owned()
}

/// Format v1 stores the list as the text of a JSON array.
fn coverage_text(coverage: &[String]) -> String {
    if coverage.is_empty() {
        return String::new();
    }
    // Serializing texts into memory cannot fail.
    serde_json::to_string(coverage).unwrap_or_default()
}

/// The counts of the sync `id` in the manifest, if they are there.
pub(super) fn stats_of_summary(runs: Vec<SyncRunSummary>, id: &str) -> Option<Stats> {
    let summary = runs.into_iter().find(|summary| summary.sync_id == id)?;
    stats(summary.stats?, id)
}

/// The counts of the stored record: as they are, if they are of the sync `id`.
pub(super) fn stored_stats(record: storage::SyncStatsRecord, id: &str) -> Option<Stats> {
    (record.sync_id == id).then(|| counts(record))
}

/// The counts of a summary. `None` if they are of another sync, or count no
/// resource types: as in format v1, such counts are not used.
fn stats(record: storage::SyncStatsRecord, id: &str) -> Option<Stats> {
    let is_own = record.sync_id.is_empty() || record.sync_id == id;
    (is_own && record.resource_types > 0).then(|| counts(record))
}

fn counts(record: storage::SyncStatsRecord) -> Stats {
    Stats {
        resource_types: record.resource_types,
        resources: record.resources,
        entitlements: record.entitlements,
        grants: record.grants,
        resources_by_type: record.resources_by_resource_type,
        grants_by_type: record.grants_by_entitlement_resource_type,
        entitlements_by_type: record.entitlements_by_resource_type,
        assets: record.assets,
        step_durations_ms: record.step_durations_ms,
        connector_call_stats: calls(record.connector_call_stats),
        session_store_stats: calls(record.session_store_stats),
    }
}

/// Adds the timings of the sync from the syncer's state.
pub(super) fn add_timings(stats: &mut Stats, token: &str) {
    /// The part of the state that matters here.
    #[derive(Default, serde::Deserialize)]
    #[serde(default)]
    struct State {
        step_durations_ms: BTreeMap<String, i64>,
        connector_call_stats: BTreeMap<String, CallStat>,
        session_store_stats: BTreeMap<String, CallStat>,
    }
    // Opaque to the file: an unreadable state has no timings.
    let state: State = serde_json::from_str(token).unwrap_or_default();
    stats.step_durations_ms = state.step_durations_ms;
    stats.connector_call_stats = state.connector_call_stats;
    stats.session_store_stats = state.session_store_stats;
}

fn calls(records: BTreeMap<String, storage::CallStat>) -> BTreeMap<String, CallStat> {
    let call = |record: storage::CallStat| CallStat {
        count: record.count,
        total_ms: record.total_ms,
        max_ms: record.max_ms,
        errors: record.errors,
        timeouts: record.timeouts,
    };
    records
        .into_iter()
        .map(|(name, record)| (name, call(record)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(sync_id: &str, resource_types: i64) -> storage::SyncStatsRecord {
        storage::SyncStatsRecord {
            sync_id: sync_id.into(),
            resource_types,
            grants: 7,
            ..Default::default()
        }
    }

    #[test]
    fn counts_of_another_sync_or_without_types_are_not_used() {
        assert_eq!(stats(counted("a", 1), "b"), None);
        assert_eq!(stats(counted("a", 0), "a"), None);
        let summary = |stats| SyncRunSummary {
            sync_id: "a".into(),
            stats,
            ..Default::default()
        };
        assert_eq!(stats_of_summary(vec![summary(None)], "a"), None);
        let runs = vec![summary(Some(counted("a", 1)))];
        assert_eq!(stats_of_summary(runs.clone(), "b"), None);
        assert_eq!(stats_of_summary(runs, "a").map(|s| s.grants), Some(7));
        assert_eq!(stats(counted("", 1), "a").map(|s| s.grants), Some(7));
    }

    #[test]
    fn the_stored_record_counts_as_it_is_if_it_names_the_sync() {
        let grants = |record| stored_stats(record, "a").map(|stats| stats.grants);
        assert_eq!(grants(counted("", 1)), None);
        assert_eq!(grants(counted("b", 1)), None);
        assert_eq!(grants(counted("a", 0)), Some(7));
    }

    #[test]
    fn every_type_has_its_word_and_later_ones_their_number() {
        for (number, word) in [
            (0, ""),
            (1, "full"),
            (2, "partial"),
            (3, "resources_only"),
            (4, "partial_upserts"),
            (5, "partial_deletions"),
            (6, "6"),
        ] {
            let record = storage::SyncRunRecord {
                r#type: number,
                ..Default::default()
            };
            assert_eq!(run(record).sync_type, word);
        }
    }

    #[test]
    fn coverage_is_shown_as_format_v1_stores_it() {
        let record = storage::SyncRunRecord {
            ingest_invariant_coverage: vec!["a".into(), "\"".into()],
            ..Default::default()
        };
        assert_eq!(run(record).ingest_invariant.coverage, r#"["a","\""]"#);
    }
}
