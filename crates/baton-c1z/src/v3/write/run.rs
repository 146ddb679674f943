//! The run and its counts as format v3 stores them: as records, and once
//! more in the manifest.

use baton_proto::c1::c1z::v3::SyncRunSummary;
use baton_proto::c1::storage::v3;
use prost_types::Timestamp;

use crate::run::{CallStat, IngestInvariant, Stats, SyncRun, SyncType};

/// The record of a run.
pub(super) fn record(run: &SyncRun) -> v3::SyncRunRecord {
    let IngestInvariant {
        generation,
        coverage,
        mode,
    } = &run.ingest_invariant;
    v3::SyncRunRecord {
        sync_id: run.id.clone(),
        r#type: sync_type(run) as i32,
        parent_sync_id: run.parent_sync_id.clone(),
        started_at: run.started_at,
        ended_at: run.ended_at,
        sync_token: run.sync_token.clone(),
        supports_diff: run.supports_diff,
        linked_sync_id: run.linked_sync_id.clone(),
        ingest_invariant_generation: generation.clone(),
        // Malformed means unverified, as in the other format.
        ingest_invariant_coverage: serde_json::from_str(coverage).unwrap_or_default(),
        ingest_invariant_mode: mode.clone(),
        ..Default::default()
    }
}

/// The record of the counts of a sync.
pub(crate) fn stats_record(
    sync_id: &str,
    stats: &Stats,
    written_at: Option<Timestamp>,
) -> v3::SyncStatsRecord {
    let calls = |calls: &std::collections::BTreeMap<String, CallStat>| {
        calls
            .iter()
            .map(|(name, call)| (name.clone(), call_stat(*call)))
            .collect()
    };
    v3::SyncStatsRecord {
        sync_id: sync_id.to_owned(),
        resource_types: stats.resource_types,
        resources: stats.resources,
        entitlements: stats.entitlements,
        grants: stats.grants,
        assets: stats.assets,
        resources_by_resource_type: stats.resources_by_type.clone(),
        grants_by_entitlement_resource_type: stats.grants_by_type.clone(),
        entitlements_by_resource_type: stats.entitlements_by_type.clone(),
        step_durations_ms: stats.step_durations_ms.clone(),
        connector_call_stats: calls(&stats.connector_call_stats),
        session_store_stats: calls(&stats.session_store_stats),
        written_at,
        ..Default::default()
    }
}

/// The summary of a run in the manifest.
pub(super) fn summary(run: &SyncRun, stats: v3::SyncStatsRecord) -> SyncRunSummary {
    SyncRunSummary {
        sync_id: run.id.clone(),
        r#type: sync_type(run) as i32,
        started_at: run.started_at,
        ended_at: run.ended_at,
        parent_sync_id: run.parent_sync_id.clone(),
        stats: Some(stats),
    }
}

fn sync_type(run: &SyncRun) -> v3::SyncType {
    match run.kind() {
        None => v3::SyncType::Unspecified,
        Some(SyncType::Full) => v3::SyncType::Full,
        Some(SyncType::Partial) => v3::SyncType::Partial,
        Some(SyncType::ResourcesOnly) => v3::SyncType::ResourcesOnly,
        Some(SyncType::PartialUpserts) => v3::SyncType::PartialUpserts,
        Some(SyncType::PartialDeletions) => v3::SyncType::PartialDeletions,
    }
}

fn call_stat(call: CallStat) -> v3::CallStat {
    v3::CallStat {
        count: call.count,
        total_ms: call.total_ms,
        max_ms: call.max_ms,
        errors: call.errors,
        timeouts: call.timeouts,
    }
}
