//! Sync runs and their counts, as every format records them.
//!
//! The text form of the counts is a contract with the Go tools: snake_case
//! names, plain JSON numbers, zero and empty fields left out.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use prost_types::Timestamp;
use serde::{Deserialize, Serialize};

/// The kind of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SyncType {
    /// Everything that the connector reports.
    Full,
    /// A part: targeted resources, or the result of a diff within a file.
    Partial,
    /// Resource types and resources, without entitlements and grants.
    ResourcesOnly,
    /// What a diff between two files adds or changes.
    PartialUpserts,
    /// What a diff between two files removes.
    PartialDeletions,
}

impl SyncType {
    /// The stored word, such as `resources_only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Partial => "partial",
            Self::ResourcesOnly => "resources_only",
            Self::PartialUpserts => "partial_upserts",
            Self::PartialDeletions => "partial_deletions",
        }
    }

    /// The type that is stored as `word`.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Full,
            Self::Partial,
            Self::ResourcesOnly,
            Self::PartialUpserts,
            Self::PartialDeletions,
        ]
        .into_iter()
        .find(|t| t.as_str() == word)
    }
}

impl fmt::Display for SyncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which ingest invariants (sync-runtime specification §3.3) the writer of a
/// sync verified. All empty: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestInvariant {
    /// The version of the rules.
    pub generation: String,
    /// Their ids, as the text of a JSON array.
    pub coverage: String,
    /// How the sync was made.
    pub mode: String,
}

/// One recorded sync.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SyncRun {
    /// The sync's id, normally a KSUID.
    pub id: String,
    /// The stored type, verbatim; see [`SyncRun::kind`].
    pub sync_type: String,
    /// Start. Format v1 stores wall-clock text without a zone; it is read as UTC.
    pub started_at: Option<Timestamp>,
    /// End; `None` while unfinished.
    pub ended_at: Option<Timestamp>,
    /// The sync that this one builds on, or empty.
    pub parent_sync_id: String,
    /// The other half of a pair of diff runs, or empty.
    pub linked_sync_id: String,
    /// The syncer's own state, opaque here.
    pub sync_token: String,
    /// The expansion columns are complete.
    pub supports_diff: bool,
    /// Which ingest invariants the sync's writer verified.
    pub ingest_invariant: IngestInvariant,
    /// Stored counts, if there are usable ones.
    pub stats: Option<Stats>,
}

impl SyncRun {
    /// Whether `id` has the form of a sync's id, a KSUID: 27 digits of base 62
    /// that stand for at most 20 bytes. Format v3 holds no other ids.
    pub fn is_valid_id(id: &str) -> bool {
        // The digits sort as their values do.
        const LARGEST: &str = "aWgEPTl1tmebfsQzFP4bxwgy80V";
        id.len() == LARGEST.len() && id.bytes().all(|b| b.is_ascii_alphanumeric()) && id <= LARGEST
    }

    /// The type, if it is one of the known ones.
    pub fn kind(&self) -> Option<SyncType> {
        SyncType::from_word(&self.sync_type)
    }

    /// Whether the run has ended.
    pub fn is_finished(&self) -> bool {
        self.ended_at.is_some()
    }
}

/// Counts of one sync (`c1.reader.v2.SyncStats`). Parsed from and written in
/// the text form that Go's `encoding/json` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Number of resource types.
    #[serde(skip_serializing_if = "is_zero")]
    pub resource_types: i64,
    /// Number of resources of known types.
    #[serde(skip_serializing_if = "is_zero")]
    pub resources: i64,
    /// Number of entitlements.
    #[serde(skip_serializing_if = "is_zero")]
    pub entitlements: i64,
    /// Number of grants.
    #[serde(skip_serializing_if = "is_zero")]
    pub grants: i64,
    /// Resources per type; every known type is present.
    #[serde(
        rename = "resources_by_resource_type",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub resources_by_type: BTreeMap<String, i64>,
    /// Grants per type of the entitlement's resource.
    #[serde(
        rename = "grants_by_resource_type",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub grants_by_type: BTreeMap<String, i64>,
    /// Entitlements per type of their resource.
    #[serde(
        rename = "entitlements_by_resource_type",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub entitlements_by_type: BTreeMap<String, i64>,
    /// Number of assets.
    #[serde(skip_serializing_if = "is_zero")]
    pub assets: i64,
    /// Milliseconds per step, if the writer recorded them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub step_durations_ms: BTreeMap<String, i64>,
    /// Calls to the connector, if the writer recorded them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub connector_call_stats: BTreeMap<String, CallStat>,
    /// Calls to the session store, if the writer recorded them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub session_store_stats: BTreeMap<String, CallStat>,
}

/// Durations of one kind of call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CallStat {
    /// Number of calls.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: i64,
    /// Sum of their durations in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub total_ms: i64,
    /// Longest duration in milliseconds.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_ms: i64,
    /// Calls that failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub errors: i64,
    /// Calls that timed out.
    #[serde(skip_serializing_if = "is_zero")]
    pub timeouts: i64,
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(n: &i64) -> bool {
    *n == 0
}

impl Stats {
    /// Reads the stored text. `None` if it is not that JSON, or counts no
    /// resource types: such a cache is recomputed, not trusted.
    pub fn from_text(text: &str) -> Option<Self> {
        let stats: Self = serde_json::from_str(text).ok()?;
        (stats.resource_types > 0).then_some(stats)
    }

    /// Keeps from the run's old counts what rows do not hold: the timings of the
    /// sync.
    pub(crate) fn keep_history_of(&mut self, run: &SyncRun) {
        if let Some(old) = &run.stats {
            self.step_durations_ms.clone_from(&old.step_durations_ms);
            self.connector_call_stats
                .clone_from(&old.connector_call_stats);
            self.session_store_stats
                .clone_from(&old.session_store_stats);
        }
    }

    /// The text to store.
    pub fn to_text(&self) -> String {
        // Serializing string-keyed maps of integers into memory cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// A run that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRun {
    /// Id of the new sync: a KSUID, else format v3 cannot hold it.
    pub id: String,
    /// Its type.
    pub sync_type: SyncType,
    /// When the sync began.
    pub started_at: SystemTime,
    /// When it ended.
    pub ended_at: SystemTime,
    /// The sync that it builds on, or empty.
    pub parent_sync_id: String,
    /// The state to store with it.
    pub token: String,
    /// The expansion columns are complete.
    pub supports_diff: bool,
    /// Which ingest invariants were verified.
    pub ingest_invariant: IngestInvariant,
}

/// An asset that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAsset {
    /// The asset's id.
    pub id: String,
    /// Media type; empty is stored as `unknown`.
    pub content_type: String,
    /// Content; an empty asset is not stored.
    pub data: Vec<u8>,
}

/// The finished run with the latest end, of one of these types or of any type;
/// of two that ended together, the one with the larger id.
pub(crate) fn latest_finished<'a>(
    runs: &'a [SyncRun],
    kinds: Option<&[SyncType]>,
) -> Option<&'a SyncRun> {
    let wanted = |run: &&SyncRun| match (kinds, run.kind()) {
        (None, _) => true,
        (Some(kinds), Some(kind)) => kinds.contains(&kind),
        (Some(_), None) => false,
    };
    runs.iter()
        .filter(|run| run.is_finished())
        .filter(wanted)
        .max_by_key(|run| (order(run.ended_at.as_ref()), run.id.as_str()))
}

/// A time as a value that orders as times do; none comes first.
pub(crate) fn order(time: Option<&prost_types::Timestamp>) -> Option<(i64, i32)> {
    time.map(|t| (t.seconds, t.nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stats_text_that_is_no_json_or_counts_no_types_is_not_used() {
        for text in [
            "",
            "null",
            "[]",
            "{",
            "{}",
            r#"{"grants":3}"#,
            r#"{"resource_types":"3"}"#,
        ] {
            assert_eq!(Stats::from_text(text), None, "{text}");
        }
    }

    #[test]
    fn stats_text_survives_reading_and_writing_unchanged() {
        let text = r#"{"resource_types":3,"resources":9,"grants":8,"resources_by_resource_type":{"group":0,"user":9},"grants_by_resource_type":{"group":8},"assets":1,"connector_call_stats":{"ListGrants":{"count":2,"total_ms":7,"max_ms":5}}}"#;
        let stats = Stats::from_text(text).expect("valid");
        assert_eq!(stats.to_text(), text);
    }

    #[test]
    fn unknown_stats_fields_are_ignored() {
        let stats = Stats::from_text(r#"{"resource_types":1,"later":[1]}"#).expect("valid");
        assert_eq!(stats.resource_types, 1);
    }

    #[test]
    fn ids_of_syncs_are_27_digits_and_not_too_large() {
        for id in [
            "",
            "nope",
            "3MVxu086Rkx6hm6BDngv7sfZbF",
            "3MVxu086Rkx6hm6BDngv7sfZbFss",
            "3MVxu086Rkx6hm6BDngv7sfZbF-",
            "aWgEPTl1tmebfsQzFP4bxwgy80W",
            "zzzzzzzzzzzzzzzzzzzzzzzzzzz",
        ] {
            assert!(!SyncRun::is_valid_id(id), "{id}");
        }
        for id in [
            "000000000000000000000000000",
            "3MVxu086Rkx6hm6BDngv7sfZbFs",
            "aWgEPTl1tmebfsQzFP4bxwgy80V",
        ] {
            assert!(SyncRun::is_valid_id(id), "{id}");
        }
    }

    #[test]
    fn sync_type_words_are_read_back() {
        assert_eq!(
            SyncType::from_word("partial_upserts"),
            Some(SyncType::PartialUpserts)
        );
        assert_eq!(SyncType::from_word(""), None);
        assert_eq!(SyncType::ResourcesOnly.to_string(), "resources_only");
    }
}
